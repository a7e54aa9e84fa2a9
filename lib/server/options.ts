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
} from "../flags.ts";
import { MAX_LINE_BYTES, MAX_MESSAGE_BYTES } from "../message.ts";

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
  log: "text" | "json";
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
  return "print" in parsed ? parsed : Object.freeze(parsed.values);
}
