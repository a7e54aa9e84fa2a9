/**
 * The server's settings and limits, checked and frozen. Knows what may be set and what is sound, not where it is said
 * nor what is done with it.
 */

import { type Address, formatAddress } from "../address.ts";
import {
  address,
  decimal,
  type Flags,
  host,
  oneOf,
  parseFlags,
  port,
  type Program,
  readCommandLine,
  type Source,
  sourceOf,
  text,
  UsageError,
  type Values,
  valuesOf,
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
  /** How many connections that are refused may still be told so at the same time. Default 100. */
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
  /** How long a connection may be silent before it is taken for a person at telnet, in ms. Default 150. */
  firstLineMs: number;
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
  firstLineMs: 150,
  partingMs: 2000,
  acceptPauseMs: 200,
  acceptQuietMs: 60_000,
});

/** What is set. */
export interface ServerOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** The folder in which the rooms' messages are kept; empty to keep them in memory. */
  data: string;
  /** How long messages are kept on disk, in days; 0 keeps all. */
  historyDays: number;
  /** How many messages of each room are kept in memory. */
  historyMessages: number;
  log: "text" | "json";
  /** The file in which the message of the day is; empty if there is none. */
  motd: string;
  /** Where metrics are served; if it is not said, nowhere. */
  metrics?: Address;
  limits: SetLimits;
}

/** The limits that are set by flags. */
export type SetLimits = Omit<
  Limits,
  | "maxAnswerBytes"
  | "holdMs"
  | "maxBadFrames"
  | "directMemoryMs"
  | "firstLineMs"
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
    default: "4",
    help:
      "lines a second that are heard of one connection, more wait and are not lost: nobody floods a room; 0 hears all",
    read: decimal(0, 1_000_000),
  },
  burst: {
    argument: "N",
    default: "10",
    help: "lines that are heard at once before that: to paste is not to flood",
    read: wholeNumber(1, 1_000_000),
  },
  "max-message": {
    argument: "BYTES",
    default: String(MAX_MESSAGE_BYTES),
    help: "the longest message, a longer one is refused: it fits on a screen",
    read: wholeNumber(64, 16_384),
  },
  "max-line": {
    argument: "BYTES",
    default: String(MAX_LINE_BYTES),
    help:
      "the longest line, a longer one ends the connection: what has no end fills no memory",
    read: wholeNumber(640, 1_048_576),
  },
  "max-waiting": {
    argument: "BYTES",
    default: "98304",
    help:
      "what may wait until a member reads it, who is dropped for more: who reads slowly costs the others nothing",
    read: wholeNumber(65_536, 1_073_741_824),
  },
  "max-connections": {
    argument: "N",
    default: "10000",
    help: "connections in all: each takes memory and a file descriptor",
    read: wholeNumber(1, 1_000_000),
  },
  "max-per-address": {
    argument: "N",
    default: "32",
    help:
      "connections from one address, of IPv6 one /64: nobody takes all places, and many share a router",
    read: wholeNumber(1, 1_000_000),
  },
  "limit-loopback": {
    help:
      "have --rate and --max-per-address bind this machine, too: for a proxy on it; scripts at home are spared",
  },
  ping: {
    argument: "SECONDS",
    default: "30",
    help: "silence until a program is asked whether it is still there",
    read: decimal(1, 86_400),
  },
  silence: {
    argument: "SECONDS",
    default: "75",
    help: "silence until a program is given up: the dead keep no names",
    read: decimal(1, 86_400),
  },
  stuck: {
    argument: "SECONDS",
    default: "60",
    help:
      "how long a member may take nothing of what waits: who only reads along is never thrown out",
    read: decimal(1, 86_400),
  },
  "max-announced": {
    argument: "N",
    default: "500",
    help:
      "members of a room up to which they are told who comes and goes: 9,000 who join would be 40 million lines",
    read: wholeNumber(0, 1_000_000),
  },
  "max-rooms": {
    argument: "N",
    default: "1000",
    help: "rooms with somebody in them: memory is bounded",
    read: wholeNumber(1, 1_000_000),
  },
  "max-joined": {
    argument: "N",
    default: "20",
    help: "rooms that one program may be in: the same",
    read: wholeNumber(1, 1000),
  },
  replay: {
    argument: "N",
    default: "20",
    help: "how many earlier messages a newcomer is shown; 0 shows none",
    read: wholeNumber(0, MAX_HISTORY),
  },
} satisfies Flags;

/** Where a file of settings is; it cannot say that itself. */
export const CONFIG = {
  config: {
    argument: "FILE",
    default: "",
    help: "read settings from this file, and again on SIGHUP (default: none)",
    read: text,
  },
} satisfies Flags;

/** What is only said as a port is one of this machine. */
const METRICS_ADDRESS = address("127.0.0.1");

/** All that can be set in a file, by its key. */
export const SETTINGS = {
  host: {
    short: "H",
    argument: "HOST",
    default: "127.0.0.1",
    help: "address to listen on",
    read: host,
  },
  port: {
    short: "p",
    argument: "PORT",
    default: "5000",
    help: "port to listen on; 0 takes a free one",
    read: port(0),
  },
  data: {
    short: "d",
    argument: "DIR",
    default: "",
    help: "folder to keep the messages in (default: in memory)",
    read: text,
  },
  "history-days": {
    argument: "DAYS",
    default: "30",
    help: "how long messages are kept in DIR; 0 keeps all",
    read: wholeNumber(0, 36_500),
  },
  "history-messages": {
    argument: "N",
    default: "2048",
    help: "how many messages of each room are kept in memory, without DIR",
    read: wholeNumber(1, 1_000_000),
  },
  log: {
    argument: "FORMAT",
    default: "text",
    help: "format of the log on stderr: text or json",
    read: oneOf("text", "json"),
  },
  metrics: {
    argument: "ADDRESS",
    default: "",
    help:
      "serve metrics for Prometheus at this port of 127.0.0.1, or HOST:PORT (default: nowhere)",
    read: (value) => value && formatAddress(METRICS_ADDRESS(value)),
  },
  motd: {
    argument: "FILE",
    default: "",
    help:
      "show newcomers what is in this file, the message of the day (default: none)",
    read: text,
  },
  ...LIMITS,
} satisfies Flags;

/** The settings by their names. */
export type Settings = Values<typeof SETTINGS>;

/**
 * Finds out what the server's command line says.
 *
 * @returns what it says, or a text to print instead
 * @throws {UsageError} for an unknown flag, an empty value, and what is no flag
 */
export function readArguments(
  args: readonly string[],
): Source | { print: string } {
  const line = readCommandLine({
    name: "chat-server",
    usage: "[options]",
    about: `Runs a chat room. Join it with chat-client, telnet or netcat.
A file can set what the command line does not; SIGHUP has it read again.

chat-server backup DIR FILE copies what is kept in DIR, also while it runs.`,
    maxOperands: 0,
    flags: { ...SETTINGS, ...CONFIG },
  }, args);
  return "print" in line ? line : line.said;
}

/**
 * The server's settings, each as the first source has it that says anything of it.
 *
 * @throws {UsageError} for a bad value, an empty one, and limits of which one makes no sense beside another
 */
export function serverSettings(sources: readonly Source[]): Settings {
  const settings = valuesOf(SETTINGS, sources);
  checkLimits(settings, sources);
  return settings;
}

/** What is set, in the words of those who heed it. */
export function serverOptions(settings: Settings): Readonly<ServerOptions> {
  const { host, port, data, log, motd, metrics } = settings;
  return Object.freeze({
    host,
    port,
    data,
    log,
    motd,
    ...(metrics !== "" && { metrics: METRICS_ADDRESS(metrics) }),
    historyDays: settings["history-days"],
    historyMessages: settings["history-messages"],
    limits: limitsOf(settings),
  });
}

function limitsOf(settings: Settings): SetLimits {
  return {
    rate: settings.rate,
    burst: settings.burst,
    maxMessageBytes: settings["max-message"],
    maxLineBytes: settings["max-line"],
    maxWaitingBytes: settings["max-waiting"],
    maxConnections: settings["max-connections"],
    maxPerAddress: settings["max-per-address"],
    limitLoopback: settings["limit-loopback"],
    pingMs: 1000 * settings.ping,
    silentMs: 1000 * settings.silence,
    stuckMs: 1000 * settings.stuck,
    maxAnnounced: settings["max-announced"],
    maxRooms: settings["max-rooms"],
    maxRoomsJoined: settings["max-joined"],
    replay: settings.replay,
  };
}

/** @throws {UsageError} for limits of which one makes no sense beside another */
function checkLimits(settings: Settings, sources: readonly Source[]): void {
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

/** What is to be backed up, and where to. */
export interface BackupOptions {
  /** The folder that `--data` names. */
  folder: string;
  file: string;
}

const BACKUP_PROGRAM = {
  name: "chat-server backup",
  usage: "DIR FILE",
  about:
    `Copies all messages that are kept in DIR, the folder that --data names, to FILE,
also while a server writes to it. FILE must not exist yet. To go back to it, put
it into an empty folder as chat.db.`,
  maxOperands: 2,
  flags: {},
} satisfies Program<Record<string, never>>;

/**
 * Reads what follows `chat-server backup`.
 *
 * @returns the options, or a text to print instead
 * @throws {UsageError}
 */
export function backupOptions(
  args: readonly string[],
): Readonly<BackupOptions> | { print: string } {
  const parsed = parseFlags(BACKUP_PROGRAM, args);
  if ("print" in parsed) return parsed;
  const [folder, file] = parsed.operands;
  if (!folder || !file) {
    throw new UsageError(
      "backup needs DIR, the folder of the messages, and FILE, which will be the copy",
    );
  }
  return Object.freeze({ folder, file });
}
