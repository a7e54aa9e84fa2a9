/**
 * The server's settings, checked and frozen. Knows what may be set and what is sound, not where it is said nor what is
 * done with it.
 */

import { type Address, formatAddress } from "../address.ts";
import {
  address,
  type Flags,
  host,
  oneOf,
  parseFlags,
  port,
  type Program,
  quote,
  readCommandLine,
  type Source,
  text,
  UsageError,
  type Values,
  valuesOf,
  wholeNumber,
} from "../flags.ts";
import { nameFault, normalizeName } from "../message.ts";
import { checkLimits, LIMITS, limitsOf, type SetLimits } from "./limits.ts";

/** What is set. */
export interface ServerOptions {
  host: string;
  /** 0 takes a free one; if it is not said, there is none without TLS. */
  port?: number;
  /** Where and with what TLS is spoken; if it is not said, nowhere. */
  tls?: { port: number; files: { cert: string; key: string } };
  /** The folder in which the rooms' messages are kept; empty to keep them in memory. */
  data: string;
  /** How long messages are kept on disk, in days; 0 keeps all. */
  historyDays: number;
  /** How many messages of each room are kept in memory. */
  historyMessages: number;
  log: "text" | "json";
  /** The file in which the message of the day is; empty if there is none. */
  motd: string;
  /** The registered names of the operators. */
  operators: readonly string[];
  /** Where metrics are served; if it is not said, nowhere. */
  metrics?: Address;
  limits: SetLimits;
}

/** The names by which a machine calls itself. */
const OWN_NAMES: readonly string[] = ["localhost", "127.0.0.1", "::1"];

/** How many names a certificate may have. */
const MAX_NAMES = 100;

/** A name in ASCII, as a certificate has it, or with a star for what stands before its first dot; or an address. */
const CERT_NAME =
  /^((\*\.)?[a-z0-9]([-_.a-z0-9]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*)$/i;

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
    read: (value) => value === "off" ? value : port(0)(value),
  },
  "tls-port": {
    argument: "PORT",
    default: "",
    help:
      "port to listen on with TLS, also with --port off, which leaves only this one (default: none)",
    read: (value) => value === "" ? value : port(0)(value),
  },
  "tls-cert": {
    argument: "FILE",
    default: "",
    help:
      "the certificate for TLS in PEM, looked at again while the server runs (default: none)",
    read: text,
  },
  "tls-key": {
    argument: "FILE",
    default: "",
    help: "the key to it in PEM (default: none)",
    read: text,
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
  operators: {
    argument: "NAMES",
    default: "",
    help:
      "registered names, with commas between them, whose owners may kick, ban and mute (default: nobody)",
    read: (value) => namesIn(value).join(","),
  },
  "password-file": {
    argument: "FILE",
    default: "",
    help:
      "let in only those who know the first line of this file, or CHAT_PASSWORD (default: everybody)",
    read: text,
  },
  ...LIMITS,
} satisfies Flags;

/** @throws {UsageError} for what is no name */
function namesIn(list: string): string[] {
  const names = list.split(",").map((name) => normalizeName(name.trim()))
    .filter((name) => name !== "");
  for (const name of names) {
    const fault = nameFault(name);
    if (fault) throw new UsageError(`${quote(name)}: ${fault}`);
  }
  return names;
}

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

chat-server backup DIR FILE copies what is kept in DIR, also while it runs.
chat-server cert DIR makes a certificate to try TLS with.`,
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
  checkTls(settings);
  return settings;
}

/** @throws {UsageError} something is missing to listen with TLS, or to listen at all */
function checkTls(settings: Settings): void {
  const plain = settings.port;
  const tls = settings["tls-port"];
  const files = ["tls-cert", "tls-key"] as const;
  if (tls === "") {
    const said = files.find((name) => settings[name] !== "");
    if (said) {
      throw new UsageError(`${said} is good for nothing without tls-port`);
    }
    if (plain === "off") {
      throw new UsageError("port off needs tls-port, or nobody can connect");
    }
    return;
  }
  const missing = files.find((name) => settings[name] === "");
  if (missing) throw new UsageError(`tls-port needs ${missing} as well`);
  if (tls !== 0 && tls === plain) {
    throw new UsageError(`port and tls-port cannot both be ${tls}`);
  }
}

/** What is set, in the words of those who heed it. */
export function serverOptions(settings: Settings): Readonly<ServerOptions> {
  const { host, port, data, log, motd, metrics } = settings;
  const tlsPort = settings["tls-port"];
  const files = { cert: settings["tls-cert"], key: settings["tls-key"] };
  return Object.freeze({
    host,
    ...(port !== "off" && { port }),
    ...(tlsPort !== "" && { tls: { port: tlsPort, files } }),
    data,
    log,
    motd,
    operators: namesIn(settings.operators),
    ...(metrics !== "" && { metrics: METRICS_ADDRESS(metrics) }),
    historyDays: settings["history-days"],
    historyMessages: settings["history-messages"],
    limits: limitsOf(settings),
  });
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

/** What a certificate is to be made for, and where. */
export interface CertOptions {
  folder: string;
  /** The names and addresses by which the server is reached. */
  names: readonly string[];
}

const CERT_PROGRAM = {
  name: "chat-server cert",
  usage: "DIR [NAME...]",
  about:
    `Makes a self-signed certificate, DIR/cert.pem, and the key to it, DIR/key.pem, for
the names and addresses by which the server is reached: localhost, 127.0.0.1
and ::1, if none is given. Nothing is replaced. Whoever connects compares the
fingerprint that is printed here with what chat-client shows.`,
  maxOperands: 1 + MAX_NAMES,
  flags: {},
} satisfies Program<Record<string, never>>;

/**
 * Reads what follows `chat-server cert`.
 *
 * @returns the options, or a text to print instead
 * @throws {UsageError}
 */
export function certOptions(
  args: readonly string[],
): Readonly<CertOptions> | { print: string } {
  const parsed = parseFlags(CERT_PROGRAM, args);
  if ("print" in parsed) return parsed;
  const [folder, ...said] = parsed.operands;
  if (!folder) {
    throw new UsageError(
      "cert needs DIR, the folder to put the certificate in",
    );
  }
  const bad = said.find((name) => !CERT_NAME.test(name));
  if (bad !== undefined) {
    throw new UsageError(
      `${quote(bad)} will not do: it is the name of a machine or its address`,
    );
  }
  const names = said.length > 0 ? said : OWN_NAMES;
  return Object.freeze({ folder, names });
}
