/**
 * The vocabulary of the room: what someone may ask (`Command`), what can happen (`ChatEvent`), which names
 * are allowed, and how large things may be. Imports nothing of ours and knows neither sockets nor dialects.
 */

/**
 * What a member asks for. `ref` names the request in an answer to it: the line itself for somebody at a
 * terminal, the identifier that a program has given it (empty if it gave none). Where a room is not said, it is
 * the one that the member is in.
 */
export type Command =
  & { ref: string }
  & (
    | { type: "say"; room?: string; text: string; action: boolean }
    | { type: "tell"; to: string; text: string }
    /** To whoever told something under this name, whatever they are called now; or else, last. */
    | { type: "reply"; to?: string; text: string }
    | { type: "join"; room: string }
    | { type: "leave"; room?: string }
    | { type: "rooms" }
    | { type: "nick"; name: string }
    | { type: "who"; room?: string }
    | { type: "history"; room?: string; before?: number; limit?: number }
    /** The name that they have becomes theirs. */
    | { type: "register"; password: string }
    | { type: "login"; name: string; password: string }
    /** A new password for the name that is theirs. */
    | { type: "password"; password: string }
    | { type: "unregister" }
    | { type: "ping" }
    /** The answer to a ping of the server. */
    | { type: "pong" }
    | { type: "help" }
    | { type: "quit" }
    // What only operators may ask for, but that anybody may ask for a topic: then it has no text.
    | { type: "kick"; name: string; reason?: string }
    /** `target` is a name, an address or a network; without `ms` it is for good. */
    | { type: "ban" | "mute"; target: string; ms?: number; reason?: string }
    | { type: "unban" | "unmute"; target: string }
    | { type: "bans" }
    /** One message every so many seconds; 0 ends it. */
    | { type: "slow"; room?: string; seconds: number }
    /** An empty text takes the topic away. */
    | { type: "topic"; room?: string; text?: string }
    | { type: "announce"; text: string }
    | { type: "reload" }
  );

/** How a program introduces itself. */
export interface Hello {
  type: "hello";
  /** What it wants to be called; a guest's name if it does not say. */
  name?: string;
  /** The password of the server, if it has one. */
  password?: string;
  /** The password of that name, if it belongs to somebody. */
  login?: string;
  /** The secret by which it is known again: 128 random bits in hexadecimal digits. */
  session?: string;
  /** What it has read of each room that it was in. */
  since?: Readonly<Record<string, Since>>;
}

/** How far a room's log was read. */
export interface Since {
  /** Which log that was, if it is known. */
  log?: string;
  /** The last message that was read. */
  seq: number;
}

/** A message as the log of its room has it. */
export interface Message {
  room: string;
  /** Its number in the log of its room; the first is 1, and none is left out. */
  seq: number;
  /** When it was stored, in ms since 1970. */
  time: number;
  from: string;
  text: string;
  /** Whether it is something that was done, as `/me` says it. */
  action: boolean;
}

/** A room as one finds it who comes in. */
export interface RoomState {
  room: string;
  /** The identity of its log. */
  log: string;
  /** The last message of its log. */
  seq: number;
  /** How many are there. */
  count: number;
  /** Who they are, if they are not too many to be listed. */
  members?: readonly string[];
  /** What it is about, if an operator has said so. */
  topic?: string;
}

/** Whom operators do not let in, or do not let speak. */
export interface Ban {
  kind: "ban" | "mute";
  /** A name, an address, or a network such as `10.0.0.0/8`. */
  target: string;
  /** Of whom an address or network was banned, if it was banned with a name. */
  with?: string;
  /** Which operator has asked for it. */
  by: string;
  reason?: string;
  /** When that was, in ms since 1970. */
  since: number;
  /** When it is over, in ms since 1970; without it, it is for good. */
  until?: number;
}

/** A request that was not carried out, and why. It is told to whoever asked, and to nobody else. */
export type Refusal = {
  type: "refused";
  code:
    | "away"
    | "bad-frame"
    | "banned"
    | "confirm"
    | "hello-expected"
    | "login-wrong"
    | "muted"
    | "name-invalid"
    | "name-owned"
    | "name-taken"
    | "name-unknown"
    | "not-registered"
    | "password-invalid"
    | "not-operator"
    | "password-needed"
    | "password-wrong"
    | "room-invalid"
    | "room-kept"
    | "room-unknown"
    | "slow"
    | "storage"
    | "too-long"
    | "too-many-rooms"
    | "too-many-tries"
    | "unknown-command"
    | "usage";
  reason: string;
  ref: string;
};

/** What happened: told to everybody in the room, or to one member as an answer. */
export type ChatEvent =
  | ({ type: "message" } & Message)
  /** `state` is for whoever has joined; the others are told without. */
  | { type: "joined"; room: string; name: string; state?: RoomState }
  | { type: "left"; room: string; name: string }
  | { type: "offline"; room: string; name: string }
  | { type: "renamed"; room: string; from: string; to: string }
  /** A direct message, as its receiver (`own` is false) or its sender sees it. */
  | {
    type: "told";
    from: string;
    to: string;
    text: string;
    time: number;
    own: boolean;
  }
  | {
    type: "welcome";
    name: string;
    /** Which server this is. */
    server: string;
    rooms: readonly RoomState[];
    /** The message of the day, line by line, if there is one. */
    motd?: readonly string[];
  }
  /** What was asked for is done: a message is stored, and then has a `seq`. */
  | { type: "ack"; ref: string; seq?: number }
  /** The same, where there is something to say about it and nothing else that would. */
  | { type: "done"; text: string; ref: string }
  | {
    type: "members";
    room: string;
    count: number;
    /** Nobody, if they are too many to be listed. */
    names: readonly string[];
    /** Whether a further page follows. */
    more: boolean;
  }
  | {
    type: "rooms";
    count: number;
    rooms: readonly { room: string; count: number }[];
    more: boolean;
  }
  /** What was said earlier, oldest first. */
  | {
    type: "history";
    room: string;
    /** When this is told, in ms since 1970. */
    time: number;
    messages: readonly Message[];
    /** How many messages there are on this page and on those that follow; only the first page says so. */
    total?: number;
    more: boolean;
  }
  /** These messages were missed and are not kept any more. */
  | { type: "gap"; room: string; from: number; to: number }
  /** The log that was read is gone; this room has a new one. */
  | { type: "anew"; room: string; log: string }
  /** Whoever is told this answers, so that it is known that they are still there. */
  | { type: "ping" }
  | { type: "pong"; ref: string }
  | { type: "help" }
  /** What a room is about; an empty text says that nothing is said of that. `by` is whoever has just said so. */
  | { type: "topic"; room: string; text: string; by?: string }
  /** From now on everybody may say one message in so many seconds there; 0 is no limit. */
  | { type: "slow"; room: string; seconds: number; by: string }
  /** What an operator says to everybody in all rooms. */
  | { type: "announced"; from: string; text: string }
  /** Who is banned or muted. */
  | { type: "bans"; count: number; bans: readonly Ban[]; more: boolean }
  /** What a person is told before they have come in; a program is told by refusals. */
  | { type: "notice"; text: string }
  | { type: "bye"; reason: string }
  | Refusal;

/** The reasons of a `bye` in peace: all that the member had said was taken. */
export const PEACEFUL = {
  quit: "you quit",
  endOfInput: "end of input",
} as const;

/** The reasons of a `bye` after which there is no use in coming back with the same session. */
export const FINAL = {
  replaced: "this session goes on in another connection",
  badFrames: "ten frames in a row were bad",
  nameReclaimed: "this name goes on in another connection",
} as const;

/** How the reasons of a `bye` begin that is an operator's doing: nobody should come back from that by themselves. */
export const SENT_AWAY = {
  kicked: "you were kicked",
  banned: "you are banned",
} as const;

/** Whether there is no use in coming back after a `bye` with this reason. */
export function isFinal(reason: string): boolean {
  return Object.values<string>({ ...PEACEFUL, ...FINAL }).includes(reason) ||
    Object.values(SENT_AWAY).some((begin) => reason.startsWith(begin));
}

/** How one dialect writes an event: the text of one or more whole lines, their ends included. */
export type Render = (event: ChatEvent) => string;

/** The room in which everybody starts. */
export const LOBBY = "lobby";

/** How many messages of history are shown to whoever does not say how many. */
export const SOME_HISTORY = 20;

/** The most messages of history that can be asked for at once. */
export const MAX_HISTORY = 1000;

/** How many of a session's messages may be waiting for their acknowledgement. */
export const MAX_UNACKNOWLEDGED = 1000;

/** The most bytes of UTF-8 that a message may have, once cleaned and without its command word. */
export const MAX_MESSAGE_BYTES = 1024;

/** The most characters (Unicode code points) of a password. */
export const MAX_PASSWORD_LENGTH = 256;

/** The most bytes of a line, before its end has come. */
export const MAX_LINE_BYTES = 8192;

/** The most characters (Unicode code points) of a name. */
export const MAX_NAME_LENGTH = 32;

/** The most bytes of UTF-8 that the reason may have for which an operator does something. */
export const MAX_REASON_BYTES = 256;

/** The most bytes of UTF-8 of a topic: 20 of them are told at once to a program that comes back. */
export const MAX_TOPIC_BYTES = 400;

/** The longest that a ban or a mute may last, in seconds, if it is not for good: 100 years. */
export const MAX_BAN_SECONDS = 100 * 365 * 24 * 60 * 60;

/** The longest time between two messages that operators can ask for, in seconds: a day. */
export const MAX_SLOW_SECONDS = 24 * 60 * 60;

/** Of more members, or more rooms, only the number is told. */
export const MAX_LISTED = 500;

/**
 * What never reaches another terminal: C0 but TAB, DEL, C1, the bidirectional embeddings, overrides and
 * isolates, the two separators that some programs take for the end of a line, and the byte order mark.
 */
const FORBIDDEN =
  // deno-lint-ignore no-control-regex
  /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** `text` without the characters that could steer or confuse the terminal it is shown on. */
export function clean(text: string): string {
  return text.replace(FORBIDDEN, "");
}

const encoder = new TextEncoder();

/** How many bytes `text` takes as UTF-8. */
export function utf8Length(text: string): number {
  return encoder.encode(text).length;
}

/** The one way in which a name is written: compatibility forms (such as full-width letters) become plain. */
export function normalizeName(name: string): string {
  return name.normalize("NFKC");
}

/**
 * What two names share when they are the same but for case. Upper case first, so that `ß` and `SS`, or the
 * two small sigmas, are one.
 */
export function nameKey(name: string): string {
  return normalizeName(normalizeName(name).toUpperCase().toLowerCase());
}

// Letters may carry marks, as the vowel signs of Devanagari do; more than two in a row is only noise.
const NAME = /^(?:\p{L}\p{M}{0,2}|[\p{Nd}_.-])+$/u;

// Some of these are letters or marks by their category, but nobody sees them.
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u;

const RESERVED = /^(?:you|guest\p{Nd}+)$/u;

// Who is banned by name must not be taken for an address.
const ADDRESS = /^\p{Nd}{1,3}(?:\.\p{Nd}{1,3}){3}$/u;

// Alphabets with letters that look alike: a name that mixes them imitates another.
const LOOKALIKE_SCRIPTS = [
  /\p{Script=Latin}/u,
  /\p{Script=Greek}/u,
  /\p{Script=Cyrillic}/u,
  /\p{Script=Armenian}/u,
  /\p{Script=Coptic}/u,
  /\p{Script=Cherokee}/u,
  /\p{Script=Lisu}/u,
];

/** The name of the guest with this number; nobody else can have it. */
export function guestName(number: number): string {
  return `guest${number}`;
}

/** Whether this is the name of a guest, which nobody has again while the server runs, and somebody else after that. */
export function isGuestName(name: string): boolean {
  return /^guest\d+$/.test(nameKey(name));
}

/**
 * Why nobody may take this name, in words for whoever tried; `undefined` if it is a good one.
 *
 * @param name a name as {@linkcode normalizeName} writes it
 */
export function nameFault(name: string): string | undefined {
  const length = [...name].length;
  if (length === 0) return "a name has at least one character";
  if (length > MAX_NAME_LENGTH) {
    return `a name has at most ${MAX_NAME_LENGTH} characters`;
  }
  if (!NAME.test(name) || INVISIBLE.test(name)) {
    return "a name has only letters, digits and _ - .";
  }
  if (LOOKALIKE_SCRIPTS.filter((script) => script.test(name)).length > 1) {
    return "a name does not mix alphabets that look alike";
  }
  // Not with an accent either.
  const bare = nameKey(name).normalize("NFD").replace(/\p{M}/gu, "");
  if (RESERVED.test(bare)) return "that name is reserved";
  if (ADDRESS.test(name)) return "a name does not look like an address";
  return undefined;
}
