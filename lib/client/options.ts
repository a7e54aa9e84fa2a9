/**
 * The client's settings and where it connects to, checked and frozen. Knows what may be set, not where it is
 * said nor what is done with it.
 */

import {
  type Address,
  formatAddress,
  isHost,
  splitAddress,
} from "../address.ts";
import {
  type CommandLine,
  type Flags,
  port,
  readCommandLine,
  seconds,
  type Source,
  sourceOf,
  text,
  UsageError,
  valuesOf,
} from "../flags.ts";
import { FINGERPRINT } from "./known_servers.ts";

/** What is set. */
export interface ClientOptions extends Address {
  /** Whether the connection is encrypted. */
  tls: boolean;
  /** A file with the certificates of further authorities; empty if there is none. */
  tlsCa: string;
  /** The only certificate that will do; empty if others do, too. */
  tlsFingerprint: string;
  /** Empty if the server is to choose. */
  name: string;
  /** In which file the server's password is; empty if in none. */
  passwordFile: string;
  /** Whether to log in under that name, which is registered. */
  login: boolean;
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

/** Where to connect to, as far as it is said. */
interface Place {
  host: string;
  port?: number;
  /** Whether by TLS. */
  tls?: boolean;
}

const DEFAULT_ADDRESS: Readonly<Address> = { host: "127.0.0.1", port: 5000 };
const DEFAULT_TLS_PORT = 5001;

/** Where a file of settings is; it cannot say that itself. */
export const CONFIG = {
  config: {
    argument: "FILE",
    default: "",
    help:
      "read settings from this file (default: config.json, if there is one)",
    read: text,
  },
} satisfies Flags;

const FLAGS = {
  name: {
    argument: "NAME",
    default: "",
    help: "what to be called (default: the login name)",
    read: text,
  },
  "password-file": {
    argument: "FILE",
    default: "",
    help:
      "the server's password is the first line of this file (default: CHAT_PASSWORD, or you are asked)",
    read: text,
  },
  login: {
    help:
      "log in as --name, which is registered, with what /remember has stored, or you are asked",
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
  tls: {
    help: "encrypt the connection, and verify the server's certificate",
  },
  "tls-ca": {
    argument: "FILE",
    default: "",
    help: "trust the authorities, or the server, whose certificates are here",
    read: text,
  },
  "tls-fingerprint": {
    argument: "SHA256:...",
    default: "",
    help: "trust the certificate with this fingerprint, and no other",
    read: fingerprint,
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
} satisfies Flags;

/** All that can be set in a file, by its key. */
export const SETTINGS = {
  server: {
    argument: "ADDRESS",
    // Which port that is depends on whether TLS is spoken.
    default: DEFAULT_ADDRESS.host,
    help: "where to connect to",
    read: readAddress,
  },
  ...FLAGS,
} satisfies Flags;

/**
 * Finds out what the client's command line says; operands are the address.
 *
 * @returns what it says, or a text to print instead
 * @throws {UsageError} for an unknown flag, a password, an empty value, and too many operands
 */
export function readArguments(
  args: readonly string[],
): Source | { print: string } {
  const end = args.indexOf("--");
  const flags = args.slice(0, end < 0 ? args.length : end);
  if (flags.some((arg) => /^--password(=|$)/.test(arg))) {
    throw new UsageError(
      "a password is no flag, because others can see flags: --password-file FILE, or the variable CHAT_PASSWORD",
    );
  }
  const line = readCommandLine({
    name: "chat-client",
    usage: "[options] [HOST] [PORT]",
    about:
      `Joins a chat room. HOST:PORT and [::1]:5000 will do too; the default is ${
        formatAddress(DEFAULT_ADDRESS)
      },
with --tls port ${DEFAULT_TLS_PORT}. chats://HOST:PORT means --tls, and chat://HOST:PORT --no-tls.
In a pipe, every line of standard input is said, and what arrives is printed.
Variables such as CHAT_RETRY, and a file, can set what the command line does not.`,
    maxOperands: 2,
    flags: { ...FLAGS, ...CONFIG },
  }, args);
  return "print" in line ? line : withAddress(line);
}

/**
 * The client's options, each as the first source has it that says anything of it.
 *
 * @throws {UsageError} for a bad value, an empty one, and values that contradict each other
 */
export function clientOptions(
  sources: readonly Source[],
): Readonly<ClientOptions> {
  const {
    server,
    linger,
    "no-reconnect": isOff,
    retry,
    "tls-ca": tlsCa,
    "tls-fingerprint": tlsFingerprint,
    "password-file": passwordFile,
    ...rest
  } = valuesOf(SETTINGS, sources);
  const isTlsSaid = sourceOf("tls", sources) !== undefined;
  const tls = server.tls ?? rest.tls;
  if (isTlsSaid && tls !== rest.tls) {
    throw new UsageError(
      tls
        ? "an address that begins with chats:// and no-tls contradict each other"
        : "an address that begins with chat:// and tls contradict each other",
    );
  }
  if (!tls && (tlsCa || tlsFingerprint)) {
    const name = tlsCa ? "tls-ca" : "tls-fingerprint";
    throw new UsageError(`${name} is of no use without tls`);
  }
  if (tlsCa && tlsFingerprint) {
    throw new UsageError(
      "tls-ca and tls-fingerprint do not go together: with a fingerprint no authority counts",
    );
  }
  if (rest.text && rest.json) {
    throw new UsageError(
      "text and json do not go together: a server of plain text tells no events",
    );
  }
  if (passwordFile && rest.text) {
    throw new UsageError(
      "password-file and text do not go together: in plain text, the first line that you say answers who asks for a password",
    );
  }
  if (rest.login && rest.text) {
    throw new UsageError(
      "login and text do not go together: in plain text, /login NAME does it",
    );
  }
  if (rest.login && rest.name === "") {
    throw new UsageError("login needs a name to log in with");
  }
  return Object.freeze({
    ...rest,
    host: server.host,
    port: server.port ?? (tls ? DEFAULT_TLS_PORT : DEFAULT_ADDRESS.port),
    tls,
    tlsCa,
    tlsFingerprint,
    passwordFile,
    lingerMs: linger * 1000,
    reconnect: !isOff,
    retryMs: retry * 1000,
  });
}

function withAddress({ said, operands }: CommandLine): Source {
  return {
    get: (name) =>
      name === "server" && operands.length > 0
        ? operands.join(" ")
        : said.get(name),
    label: (name) => name === "server" ? "the address" : said.label(name),
  };
}

/**
 * Reads `HOST`, `PORT`, `HOST PORT`, `HOST:PORT`, `[HOST]` and `[HOST]:PORT`, after `chat://` or `chats://` if one
 * likes.
 *
 * @throws {UsageError}
 */
function readAddress(value: string): Place {
  const [, scheme, rest = ""] = /^(?:(chats?):\/\/)?(.*?)\/?$/s.exec(value) ??
    [];
  const tls = scheme === undefined ? {} : { tls: scheme === "chats" };
  const [first = "", second, ...more] = rest.split(" ");
  if (second === undefined && scheme === undefined && /^\d+$/.test(first)) {
    return { host: DEFAULT_ADDRESS.host, port: port(1)(first) };
  }
  const { host = "", port: behind } = splitAddress(first) ?? {};
  if (
    !isHost(host) || more.length > 0 ||
    (behind !== undefined && second !== undefined)
  ) {
    throw new UsageError("it is a host, a port or both, such as [::1]:5000");
  }
  const number = behind ?? second;
  return {
    host,
    ...tls,
    ...(number === undefined ? {} : { port: port(1)(number) }),
  };
}

/** @throws {UsageError} */
function fingerprint(value: string): string {
  if (value === "" || FINGERPRINT.test(value)) return value;
  throw new UsageError(
    "a fingerprint is SHA256: and 43 letters, digits, + and /",
  );
}
