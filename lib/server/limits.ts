/**
 * Every limit: what it is unless something else is said, the flag that sets it, and why there is one. Knows nobody who
 * heeds them.
 */

import {
  decimal,
  type Flags,
  type Source,
  sourceOf,
  UsageError,
  type Values,
  wholeNumber,
} from "../flags.ts";
import { MAX_HISTORY, MAX_LINE_BYTES, MAX_MESSAGE_BYTES } from "../message.ts";

/**
 * Every amount and duration that binds a connection. They may change while the server runs, so whoever heeds one
 * looks it up when it matters.
 */
export interface Limits {
  /** How many lines a second one connection may go on saying; the others wait. 0 is no limit. Default 4. */
  rate: number;
  /** How many it may say at once before that. Default 10: ssh-chat has punished people who paste. */
  burst: number;
  /** The longest message, in bytes of UTF-8. Default 1,024: ssh-chat's size. */
  maxMessageBytes: number;
  /** The longest line without an end, in bytes. Default 8,192: endless lines have pinned a core of ngIRCd. */
  maxLineBytes: number;
  /** How much may be left to be written to one member, in bytes. Default 96 KiB: Ergo's. */
  maxWaitingBytes: number;
  /** How much of one member's answers may be unwritten, in bytes, before more of their lines are heeded. Default 16 KiB. */
  maxAnswerBytes: number;
  /** How many of the last messages a newcomer to a room is shown. Default 20: ssh-chat's. */
  replay: number;
  /** How long the name of a session is kept when its connection is lost, in ms, and nobody told. Default 10,000. */
  holdMs: number;
  /** How many rooms there may be with somebody in them. Default 1,000: memory is bounded. */
  maxRooms: number;
  /** How many rooms one program may be in. Default 20. */
  maxRoomsJoined: number;
  /** Up to how many members of a room are told who comes and goes. Default 500. */
  maxAnnounced: number;
  /** How many connections there may be. Default 10,000. */
  maxConnections: number;
  /** How many of them one address may have, of IPv6 one /64. Default 32: many are behind one router. */
  maxPerAddress: number;
  /** Whether the rate and `maxPerAddress` bind connections from this machine, too. Default false. */
  limitLoopback: boolean;
  /** Until how many that were refused have gone is waited at a time. Default 100. */
  maxRefusing: number;
  /** After how much silence a program is asked whether it is there, in ms. Default 30,000. */
  pingMs: number;
  /** After how much silence a program is given up, in ms. Default 75,000: Ergo's are 90 and 150 s. */
  silentMs: number;
  /** How long a member may take nothing of what waits for them, in ms. Default 60,000. */
  stuckMs: number;
  /** How often it is looked for those, in ms. Default 1,000. */
  lookMs: number;
  /** How many bad frames in a row end a connection. Default 10. */
  maxBadFrames: number;
  /** How long it is remembered that a direct message was told, in ms. Default 600,000. */
  directMemoryMs: number;
  /** How long an operator has to say again what would hit themselves, in ms. Default 30,000. */
  confirmMs: number;
  /** How long a connection may be silent before it is taken for a person at telnet, in ms. Default 150. */
  firstLineMs: number;
  /** How many wrong passwords are heard from one address in `triesMs`, of IPv6 from one /64. Default 3. */
  maxTries: number;
  /** For how long a wrong password counts, in ms. Default 60,000. */
  triesMs: number;
  /** Of how many addresses wrong passwords are remembered. Default 10,000: memory is bounded. */
  maxTriers: number;
  /** How long whoever is asked for the password may take to give one, in ms. Default 60,000. */
  entryMs: number;
  /** After how long a wrong password is answered, in ms. Default 1,000: guessing takes time. */
  wrongPasswordMs: number;
  /** How many wrong passwords end a connection. Default 3. */
  maxWrongPasswords: number;
  /** Whether only those come in who log in to a registered name. Default false. */
  registeredOnly: boolean;
  /** How many passwords may wait to be checked, of which two are at a time: it takes 32 MB. Default 100. */
  maxChecks: number;
  /** How many names may be registered. Default 100,000: memory is bounded. */
  maxAccounts: number;
  /** How many names may be registered from one address in `registrationsMs`, of IPv6 from one /64. Default 5. */
  maxRegistrations: number;
  /** For how long a name counts that was registered, in ms. Default 3,600,000. */
  registrationsMs: number;
  /** How long a handshake may take, in ms. Default 20,000. */
  handshakeMs: number;
  /** How often it is looked whether the certificate was renewed, in ms. Default 5,000. */
  lookCertificateMs: number;
  /** How long a parting connection has to take what is left for it, in ms. Default 2,000. */
  partingMs: number;
  /** How long to wait when no connection can be accepted, in ms. Default 200. */
  acceptPauseMs: number;
  /** How long connections must have been accepted before it is news that they cannot, in ms. Default 60,000. */
  acceptQuietMs: number;
}

/** The limits that hold unless something else is said. */
export const DEFAULT_LIMITS: Readonly<Limits> = Object.freeze({
  rate: 4,
  burst: 10,
  maxMessageBytes: MAX_MESSAGE_BYTES,
  maxLineBytes: MAX_LINE_BYTES,
  maxWaitingBytes: 96 * 1024,
  maxAnswerBytes: 16 * 1024,
  replay: 20,
  holdMs: 10_000,
  maxRooms: 1000,
  maxRoomsJoined: 20,
  maxAnnounced: 500,
  maxConnections: 10_000,
  maxPerAddress: 32,
  limitLoopback: false,
  maxRefusing: 100,
  pingMs: 30_000,
  silentMs: 75_000,
  stuckMs: 60_000,
  lookMs: 1000,
  maxBadFrames: 10,
  directMemoryMs: 600_000,
  confirmMs: 30_000,
  firstLineMs: 150,
  maxTries: 3,
  triesMs: 60_000,
  maxTriers: 10_000,
  entryMs: 60_000,
  wrongPasswordMs: 1000,
  maxWrongPasswords: 3,
  registeredOnly: false,
  maxChecks: 100,
  maxAccounts: 100_000,
  maxRegistrations: 5,
  registrationsMs: 3_600_000,
  handshakeMs: 20_000,
  lookCertificateMs: 5000,
  partingMs: 2000,
  acceptPauseMs: 200,
  acceptQuietMs: 60_000,
});

/** The limits that are set by flags. */
export type SetLimits = Omit<
  Limits,
  | "maxAnswerBytes"
  | "holdMs"
  | "maxBadFrames"
  | "directMemoryMs"
  | "confirmMs"
  | "firstLineMs"
  | "triesMs"
  | "maxTriers"
  | "entryMs"
  | "wrongPasswordMs"
  | "maxWrongPasswords"
  | "maxChecks"
  | "maxAccounts"
  | "maxRegistrations"
  | "registrationsMs"
  | "handshakeMs"
  | "lookCertificateMs"
  | "partingMs"
  | "maxRefusing"
  | "lookMs"
  | "acceptPauseMs"
  | "acceptQuietMs"
>;

/** The settings that are limits: each says in a few words what it is good for. They may change while the server runs. */
export const LIMITS = {
  rate: {
    argument: "N",
    default: String(DEFAULT_LIMITS.rate),
    help:
      "lines a second that are heard of one connection, more wait and are not lost: nobody floods a room; 0 hears all",
    read: decimal(0, 1_000_000),
  },
  burst: {
    argument: "N",
    default: String(DEFAULT_LIMITS.burst),
    help: "lines that are heard at once before that: to paste is not to flood",
    read: wholeNumber(1, 1_000_000),
  },
  "max-message": {
    argument: "BYTES",
    default: String(DEFAULT_LIMITS.maxMessageBytes),
    help: "the longest message, a longer one is refused: it fits on a screen",
    read: wholeNumber(64, 16_384),
  },
  "max-line": {
    argument: "BYTES",
    default: String(DEFAULT_LIMITS.maxLineBytes),
    help:
      "the longest line, a longer one ends the connection: what has no end fills no memory",
    read: wholeNumber(640, 1_048_576),
  },
  "max-waiting": {
    argument: "BYTES",
    default: String(DEFAULT_LIMITS.maxWaitingBytes),
    help:
      "what may wait until a member reads it, who is dropped for more: who reads slowly costs the others nothing",
    read: wholeNumber(65_536, 1_073_741_824),
  },
  "max-connections": {
    argument: "N",
    default: String(DEFAULT_LIMITS.maxConnections),
    help: "connections in all: each takes memory and a file descriptor",
    read: wholeNumber(1, 1_000_000),
  },
  "max-per-address": {
    argument: "N",
    default: String(DEFAULT_LIMITS.maxPerAddress),
    help:
      "connections from one address, of IPv6 one /64: nobody takes all places, and many share a router",
    read: wholeNumber(1, 1_000_000),
  },
  "limit-loopback": {
    help:
      "have --rate and --max-per-address bind this machine, too: for a proxy on it; scripts at home are spared",
  },
  "registered-only": {
    help:
      "let in only those who log in to a registered name, from when it is set: whoever is here stays",
  },
  "max-tries": {
    argument: "N",
    default: String(DEFAULT_LIMITS.maxTries),
    help:
      "wrong passwords that are heard from one address in a minute, of IPv6 one /64: nobody guesses, not even from this machine",
    read: wholeNumber(1, 1_000_000),
  },
  ping: {
    argument: "SECONDS",
    default: String(DEFAULT_LIMITS.pingMs / 1000),
    help: "silence until a program is asked whether it is still there",
    read: decimal(1, 86_400),
  },
  silence: {
    argument: "SECONDS",
    default: String(DEFAULT_LIMITS.silentMs / 1000),
    help: "silence until a program is given up: the dead keep no names",
    read: decimal(1, 86_400),
  },
  stuck: {
    argument: "SECONDS",
    default: String(DEFAULT_LIMITS.stuckMs / 1000),
    help:
      "how long a member may take nothing of what waits: who only reads along is never thrown out",
    read: decimal(1, 86_400),
  },
  "max-announced": {
    argument: "N",
    default: String(DEFAULT_LIMITS.maxAnnounced),
    help:
      "members of a room up to which they are told who comes and goes: 9,000 who join would be 40 million lines",
    read: wholeNumber(0, 1_000_000),
  },
  "max-rooms": {
    argument: "N",
    default: String(DEFAULT_LIMITS.maxRooms),
    help: "rooms with somebody in them: memory is bounded",
    read: wholeNumber(1, 1_000_000),
  },
  "max-joined": {
    argument: "N",
    default: String(DEFAULT_LIMITS.maxRoomsJoined),
    help: "rooms that one program may be in: the same",
    read: wholeNumber(1, 1000),
  },
  replay: {
    argument: "N",
    default: String(DEFAULT_LIMITS.replay),
    help: "how many earlier messages a newcomer is shown; 0 shows none",
    read: wholeNumber(0, MAX_HISTORY),
  },
} satisfies Flags;

/** What is set of the limits, in the words of those who heed them. */
export function limitsOf(settings: Values<typeof LIMITS>): SetLimits {
  return {
    rate: settings.rate,
    burst: settings.burst,
    maxMessageBytes: settings["max-message"],
    maxLineBytes: settings["max-line"],
    maxWaitingBytes: settings["max-waiting"],
    maxConnections: settings["max-connections"],
    maxPerAddress: settings["max-per-address"],
    limitLoopback: settings["limit-loopback"],
    registeredOnly: settings["registered-only"],
    maxTries: settings["max-tries"],
    pingMs: 1000 * settings.ping,
    silentMs: 1000 * settings.silence,
    stuckMs: 1000 * settings.stuck,
    maxAnnounced: settings["max-announced"],
    maxRooms: settings["max-rooms"],
    maxRoomsJoined: settings["max-joined"],
    replay: settings.replay,
  };
}

/**
 * Makes sure that the limits make sense beside each other.
 *
 * @param sources where they are said, for the error
 * @throws {UsageError}
 */
export function checkLimits(
  settings: Values<typeof LIMITS>,
  sources: readonly Source[],
): void {
  const said = (name: keyof typeof LIMITS) => {
    const file = sourceOf(name, sources)?.file;
    return `${name} ${settings[name]}${
      file === undefined ? "" : ` in ${file}`
    }`;
  };
  // As JSON, a character may take two bytes, and there is more in a frame than the message.
  const frameBytes = 2 * settings["max-message"] + 512;
  if (settings["max-line"] < frameBytes) {
    throw new UsageError(
      `${said("max-line")} is too little for ${said("max-message")}: ` +
        `a frame can take ${frameBytes} bytes`,
    );
  }
  if (settings.silence <= settings.ping) {
    throw new UsageError(
      `${said("silence")} is too little for ${said("ping")}: ` +
        "there is no time to answer",
    );
  }
}
