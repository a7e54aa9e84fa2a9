/**
 * Where the client's settings come from: the command line, the environment, config.json, and what the machine
 * says. Finds them; what they mean is in the table of options.ts. Must not know what is done with them.
 */

import { readConfig, readText } from "../config.ts";
import { type Source, sourceOf, UsageError, valuesOf } from "../flags.ts";
import { KnownServers } from "./known_servers.ts";
import { MAX_PASSWORD_LENGTH } from "../message.ts";
import {
  type ClientOptions,
  clientOptions,
  CONFIG,
  readArguments,
  SETTINGS,
} from "./options.ts";
import { isReadByOthers } from "./private_file.ts";
import type { Trust } from "./secure.ts";

/** Longer than any list of authorities, in bytes: those that browsers know have less than a quarter. */
const MAX_AUTHORITY_BYTES = 1024 * 1024;

/** Which says the password of the server itself. */
const PASSWORD_VARIABLE = "CHAT_PASSWORD";

/** Longer than any password with what may follow it, in bytes. */
const MAX_PASSWORD_FILE_BYTES = 64 * 1024;

/** Looks up a variable of the environment; empty if it is not set. */
type Lookup = (variable: string) => string;

/**
 * Reads what the client is told. Each setting is as the first of these has it: the command line, the environment,
 * the file, the machine.
 *
 * @returns the options, or a text to print instead
 * @throws {UsageError}
 */
export async function readSettings(
  args: readonly string[],
): Promise<Readonly<ClientOptions> | { print: string }> {
  const told = readArguments(args);
  if ("print" in told) return told;
  const { config } = valuesOf(CONFIG, [told, ENVIRONMENT]);
  const file = await configOf(config);
  const sources = [told, ENVIRONMENT, ...file, MACHINE];
  const options = clientOptions(sources);
  const isInFile = sourceOf("password-file", sources)?.file !== undefined;
  return isInFile && variable(PASSWORD_VARIABLE) !== ""
    ? { ...options, passwordFile: "" }
    : options;
}

/**
 * Whom to trust, if the connection is to be encrypted.
 *
 * @throws {UsageError} if the file of authorities cannot be read, or has none
 */
export async function readTrust(
  { tls, tlsCa, tlsFingerprint }: ClientOptions,
): Promise<Trust | undefined> {
  if (!tls) return undefined;
  const authority = tlsCa && await readText(tlsCa, MAX_AUTHORITY_BYTES);
  if (authority !== "" && !authority.includes("BEGIN CERTIFICATE")) {
    throw new UsageError(`${tlsCa}: there is no certificate in PEM`);
  }
  return {
    known: new KnownServers(ownFile("known_servers")),
    ...(authority === "" ? {} : { authority }),
    ...(tlsFingerprint === "" ? {} : { fingerprint: tlsFingerprint }),
  };
}

/** Where config.json is, if nobody names another file; empty if the environment does not say. */
export function configPath(os: typeof Deno.build.os, lookup: Lookup): string {
  if (os === "windows") {
    const folder = lookup("APPDATA");
    return folder && `${folder}\\deno-chat\\config.json`;
  }
  const home = lookup("HOME");
  if (os === "darwin") {
    return home && `${home}/Library/Application Support/deno-chat/config.json`;
  }
  const xdg = lookup("XDG_CONFIG_HOME");
  // The specification has it that a relative one is ignored.
  if (xdg.startsWith("/")) return `${xdg}/deno-chat/config.json`;
  return home && `${home}/.config/deno-chat/config.json`;
}

/** Where a file of the client's own is, beside the default config.json; empty if the environment does not say. */
export function ownFile(name: string): string {
  return configPath(Deno.build.os, variable).replace(/config\.json$/, name);
}

const ENVIRONMENT: Source = {
  get: (name) => variable(variableName(name)) || undefined,
  label: variableName,
};

/** What nobody has said, but the machine knows. */
const MACHINE: Source = {
  get(name) {
    if (name === "name") {
      return variable("USER") || variable("LOGNAME") || variable("USERNAME") ||
        undefined;
    }
    // Such a terminal cannot move its cursor.
    if (name === "plain") return variable("TERM") === "dumb" || undefined;
    return undefined;
  },
  label: (name) => name,
};

/** Whether another program waits for this one, as `deno task` and npm do: they say where they were started. */
export function isStartedByTask(): boolean {
  return variable("INIT_CWD") !== "";
}

/** The password of the server, if somebody has said it beforehand, and what they should know about that. */
export interface Said {
  password?: string;
  notice?: string;
}

/**
 * Finds the password of the server: in the file, or else in the variable CHAT_PASSWORD.
 *
 * @param file empty if there is none
 * @throws {UsageError} if there is none in the file, or it is too long
 */
export async function readPassword(file: string): Promise<Said> {
  if (file === "") {
    const password = variable(PASSWORD_VARIABLE);
    checkPassword(PASSWORD_VARIABLE, password);
    return password === "" ? {} : { password };
  }
  const [password = ""] = (await readText(file, MAX_PASSWORD_FILE_BYTES))
    .split(/\r\n|\r|\n/, 1);
  if (password === "") throw new UsageError(`${file}: its first line is empty`);
  checkPassword(file, password);
  const notice = `others can read ${file}: chmod 600 keeps it to yourself`;
  return { password, ...(await isReadByOthers(file) && { notice }) };
}

function checkPassword(where: string, password: string): void {
  if ([...password].length <= MAX_PASSWORD_LENGTH) return;
  throw new UsageError(
    `${where}: a password has at most ${MAX_PASSWORD_LENGTH} characters`,
  );
}

function variableName(name: string): string {
  return `CHAT_${name.toUpperCase().replaceAll("-", "_")}`;
}

/** A variable that may not be read counts as one that is not set: the client runs with fewer permissions, too. */
function variable(name: string): string {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) ?? "" : "";
}

/** The settings in this file, or in the default one if there is one. */
async function configOf(named: string): Promise<Source[]> {
  const path = named || configPath(Deno.build.os, variable);
  if (named === "" && !await canBeSeen(path)) return [];
  return [await readConfig(SETTINGS, path)];
}

async function canBeSeen(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    // Also in a home that one may not enter, there is none.
    return false;
  }
}
