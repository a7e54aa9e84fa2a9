/**
 * The client's flags and where it connects to, checked and frozen. Knows what may be set, not what is done
 * with it.
 */

import { type Address, formatAddress, isHost } from "../address.ts";
import {
  type Flag,
  parseFlags,
  port,
  type Program,
  quote,
  seconds,
  type Switch,
  text,
  UsageError,
} from "../flags.ts";

/** What the command line says. */
export interface ClientOptions extends Address {
  /** Empty if the server is to choose. */
  name: string;
  /** How long to go on printing after the end of standard input, in ms. */
  lingerMs: number;
  /** Whether a lost connection is made again. */
  reconnect: boolean;
  /** For how long that is tried in a pipe, in ms. */
  retryMs: number;
  /** Whether the server is any line-based chat, to which no `hello` is said. */
  text: boolean;
  /** Whether the server's events are printed, instead of lines for people. */
  json: boolean;
  /** Whether the cursor stays where it is, for screen readers and simple terminals. */
  plain: boolean;
  /** Whether nobody is announced who comes or goes. */
  quiet: boolean;
  /** Whether the terminal's bell rings for what is meant for one. */
  bell: boolean;
}

const DEFAULT_ADDRESS: Readonly<Address> = { host: "127.0.0.1", port: 5000 };

/** What an address looks like: the host, then the port if there is one. */
const ADDRESSES = [
  /^([^:[\]]+)(?::([^:]*))?$/,
  /^\[([^[\]]+)\](?::(.*))?$/,
  // More than one colon without brackets is an IPv6 address on its own.
  /^([^[\]]*:[^[\]]*:[^[\]]*)$/,
];

const PROGRAM = {
  name: "chat-client",
  usage: "[options] [HOST] [PORT]",
  about:
    `Joins a chat room. HOST:PORT and [::1]:5000 will do too; the default is ${
      formatAddress(DEFAULT_ADDRESS)
    }.
In a pipe, every line of standard input is said, and what arrives is printed.`,
  maxOperands: 2,
  flags: {
    name: {
      argument: "NAME",
      default: "",
      help: "what to be called (default: the login name)",
      read: text,
    },
    linger: {
      argument: "SECONDS",
      default: "0",
      help: "in a pipe: go on printing for so long after the end of input",
      read: seconds,
    },
    "no-reconnect": {
      help: "give up when the connection is lost",
    },
    retry: {
      argument: "SECONDS",
      default: "60",
      help: "in a pipe: try for so long to connect again",
      read: seconds,
    },
    text: {
      help: "speak plain text, as to any line-based chat",
    },
    json: {
      help: "print the server's events, one JSON object a line",
    },
    plain: {
      help: "never move the cursor, for screen readers",
    },
    quiet: {
      help: "do not show who comes and goes",
    },
    bell: {
      help: "ring when your name is mentioned, and for direct messages",
    },
  },
} satisfies Program<Record<string, Flag<unknown> | Switch>>;

/**
 * Reads the client's command line.
 *
 * @param loginName what to be called if the command line does not say
 * @returns the options, or a text to print instead
 * @throws {UsageError}
 */
export function clientOptions(
  args: readonly string[],
  loginName: string,
): Readonly<ClientOptions> | { print: string } {
  const parsed = parseFlags(PROGRAM, args);
  if ("print" in parsed) return parsed;
  const { name, linger, "no-reconnect": isOff, retry, ...switches } =
    parsed.values;
  return Object.freeze({
    ...readAddress(parsed.operands),
    ...switches,
    name: name || loginName,
    lingerMs: linger * 1000,
    reconnect: !isOff,
    retryMs: retry * 1000,
  });
}

/**
 * Reads `HOST`, `PORT`, `HOST PORT`, `HOST:PORT`, `[HOST]` and `[HOST]:PORT`; what is not said is the default.
 *
 * @throws {UsageError}
 */
function readAddress(operands: readonly string[]): Address {
  const [first, second] = operands;
  if (first === undefined) return DEFAULT_ADDRESS;
  if (second === undefined && /^\d+$/.test(first)) {
    return { ...DEFAULT_ADDRESS, port: readPort(first) };
  }
  const [, host, port] =
    ADDRESSES.map((form) => form.exec(first)).find((match) => match) ?? [];
  if (
    host === undefined || !isHost(host) ||
    (port !== undefined && second !== undefined)
  ) {
    throw new UsageError(`${quote(operands.join(" "))} is no address`);
  }
  return {
    host,
    port: readPort(port ?? second ?? String(DEFAULT_ADDRESS.port)),
  };
}

function readPort(value: string): number {
  try {
    return port(1)(value);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`port ${quote(value)} will not do: ${error.message}`);
  }
}
