/**
 * The server's flags and limits, checked and frozen. Knows what may be set and what is sound, not what is
 * done with it.
 */

import {
  type Flag,
  host,
  oneOf,
  parseFlags,
  port,
  type Program,
  text,
  wholeNumber,
} from "../flags.ts";
import { MAX_HISTORY, MAX_LINE_BYTES, MAX_MESSAGE_BYTES } from "../message.ts";

/** Every amount and duration that binds a connection. */
export interface Limits {
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
  maxMessageBytes: MAX_MESSAGE_BYTES,
  maxLineBytes: MAX_LINE_BYTES,
  maxWaitingBytes: 96 * 1024,
  maxAnswerBytes: 16 * 1024,
  replay: 20,
  holdMs: 10_000,
  maxRooms: 1000,
  maxRoomsJoined: 20,
  maxBadFrames: 10,
  directMemoryMs: 600_000,
  firstLineMs: 150,
  partingMs: 2000,
  acceptPauseMs: 200,
  acceptQuietMs: 60_000,
});

/** What the command line says. */
export interface ServerOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** The folder in which the rooms' messages are kept; empty to keep them in memory. */
  data: string;
  /** How long messages are kept on disk, in days; 0 keeps all. */
  historyDays: number;
  log: "text" | "json";
  limits: Pick<Limits, "replay">;
}

const PROGRAM = {
  name: "chat-server",
  usage: "[options]",
  about: "Runs a chat room. Join it with chat-client, telnet or netcat.",
  maxOperands: 0,
  flags: {
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
    replay: {
      argument: "N",
      default: "20",
      help: "how many earlier messages a newcomer is shown; 0 shows none",
      read: wholeNumber(0, MAX_HISTORY),
    },
    log: {
      argument: "FORMAT",
      default: "text",
      help: "format of the log on stderr: text or json",
      read: oneOf("text", "json"),
    },
  },
} satisfies Program<Record<string, Flag<unknown>>>;

/**
 * Reads the server's command line.
 *
 * @returns the options, or a text to print instead
 * @throws {UsageError}
 */
export function serverOptions(
  args: readonly string[],
): Readonly<ServerOptions> | { print: string } {
  const parsed = parseFlags(PROGRAM, args);
  if ("print" in parsed) return parsed;
  const { replay, "history-days": historyDays, ...values } = parsed.values;
  return Object.freeze({ ...values, historyDays, limits: { replay } });
}
