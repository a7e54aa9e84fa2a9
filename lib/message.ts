/**
 * The vocabulary of the room: what someone may ask (`Command`), what can happen (`ChatEvent`), which names
 * are allowed, and how large things may be. Imports nothing of ours and knows neither sockets nor dialects.
 */

/**
 * What a member asks for. `ref` names the request in an answer that refuses it: the line itself for
 * somebody at a terminal, an identifier for a program.
 */
export type Command =
  & { ref: string }
  & (
    | { type: "say"; text: string; action: boolean }
    | { type: "nick"; name: string }
    | { type: "who" }
    | { type: "help" }
    | { type: "quit" }
  );

/** A request that was not carried out, and why. It is told to whoever asked, and to nobody else. */
export type Refusal = {
  type: "refused";
  code:
    | "unknown-command"
    | "usage"
    | "too-long"
    | "name-taken"
    | "name-invalid";
  reason: string;
  ref: string;
};

/** What happened: told to everybody in the room, or to one member as an answer. */
export type ChatEvent =
  | { type: "joined"; name: string }
  | { type: "offline"; name: string }
  | { type: "message"; from: string; text: string; action: boolean }
  | { type: "renamed"; from: string; to: string }
  | { type: "welcome"; name: string; others: number }
  | { type: "members"; count: number; names: readonly string[] }
  | { type: "help" }
  | { type: "bye"; reason: string }
  | Refusal;

/** The reasons of a `bye` in peace: all that the member had said was taken. */
export const PEACEFUL = {
  quit: "you quit",
  endOfInput: "end of input",
} as const;

/** How one dialect writes an event: the text of one or more whole lines, their ends included. */
export type Render = (event: ChatEvent) => string;

/** The most bytes of UTF-8 that a message may have, once cleaned and without its command word. */
export const MAX_MESSAGE_BYTES = 1024;

/** The most bytes of a line, before its end has come. */
export const MAX_LINE_BYTES = 8192;

/** The most characters (Unicode code points) of a name. */
export const MAX_NAME_LENGTH = 32;

/** In a larger room the answer to "who is here" is only their number. */
export const MAX_MEMBERS_LISTED = 500;

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
  return undefined;
}
