/**
 * Where the server's settings come from: the command line, a file, and what stands in a file of its own: the message of
 * the day and the password. Reads them; what they mean is in the table of options.ts. Knows neither sockets nor rooms.
 */

import { getLogger } from "@logtape/logtape";
import { readConfig, readText } from "../config.ts";
import { type Source, sourceOf, UsageError, valuesOf } from "../flags.ts";
import { clean } from "../message.ts";
import { EntryPassword, passwordFault } from "./entry.ts";
import { CONFIG, serverSettings, SETTINGS, type Settings } from "./options.ts";

/** The longest message of the day, in bytes of UTF-8: with 20 earlier messages it fits on a screen or two. */
const MAX_MOTD_BYTES = 4096;

/** More than the longest password and the end of its line take, in bytes of UTF-8. */
const MAX_PASSWORD_FILE_BYTES = 4096;

/** The variable in which the password may stand; the only one that the server reads. */
const PASSWORD_VARIABLE = "CHAT_PASSWORD";

const log = getLogger(["chat", "settings"]);

/** What the server is told. */
export interface Told {
  settings: Settings;
  /** The message of the day, line by line; empty if there is none. */
  motd: readonly string[];
  /** What whoever wants to come in has to know, if there is anything. */
  password: EntryPassword | undefined;
  /** The file in which that stands, if others on this machine may read it. */
  exposed: string | undefined;
  /** Whether some of it stands in a file, which may have changed when it is read again. */
  isInFiles: boolean;
}

/**
 * Reads what the server is told: each setting is as the command line has it, or else the file that is named there.
 *
 * @throws {UsageError}
 */
export async function readSettings(commandLine: Source): Promise<Told> {
  const { config } = valuesOf(CONFIG, [commandLine]);
  const sources = config === ""
    ? [commandLine]
    : [commandLine, await readConfig(SETTINGS, config)];
  const settings = serverSettings(sources);
  const isFlag = commandLine.get("password-file") !== undefined;
  const variable = isFlag ? undefined : passwordVariable();
  const passwordFile = variable === undefined ? settings["password-file"] : "";
  return {
    settings,
    motd: motdLines(
      await readFileOf("motd", settings, sources, MAX_MOTD_BYTES),
    ),
    password: variable === undefined
      ? await readPassword(settings, sources)
      : passwordOf(variable, PASSWORD_VARIABLE),
    exposed: await isExposed(passwordFile) ? passwordFile : undefined,
    isInFiles: [config, settings.motd, passwordFile, settings["tls-cert"]]
      .some((file) => file !== ""),
  };
}

/** Has the log warn of a password that others on this machine may read. */
export function warnOfExposure({ exposed }: Told): void {
  if (exposed === undefined) return;
  log.warn("others on this machine may read the password", { file: exposed });
}

/**
 * The password in the environment; a variable that may not be read counts as one that is not set. One that is empty does
 * not: a service whose secret is missing would be open to everybody.
 */
function passwordVariable(): string | undefined {
  const variable = PASSWORD_VARIABLE;
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  return state === "granted" ? Deno.env.get(variable) : undefined;
}

async function readPassword(
  settings: Settings,
  sources: readonly Source[],
): Promise<EntryPassword | undefined> {
  const name = "password-file";
  const path = settings[name];
  if (path === "") return undefined;
  const max = MAX_PASSWORD_FILE_BYTES;
  const content = await readFileOf(name, settings, sources, max);
  const [line = ""] = content.split(/\r?\n/, 1);
  const label = sourceOf(name, sources)?.label(name);
  return passwordOf(line, `${label} ${path}`);
}

/** @throws {UsageError} which never says what stands there */
function passwordOf(text: string, where: string): EntryPassword {
  const fault = passwordFault(text);
  if (fault) throw new UsageError(`${where}: ${fault}`);
  return new EntryPassword(text);
}

/** Whether others than its owner may read a file; nobody can know on Windows. */
async function isExposed(path: string): Promise<boolean> {
  if (path === "") return false;
  const { mode } = await Deno.stat(path);
  return mode !== null && (mode & 0o044) !== 0;
}

/** The text in the file that a setting names; empty if it names none. */
async function readFileOf(
  name: "motd" | "password-file",
  settings: Settings,
  sources: readonly Source[],
  maxBytes: number,
): Promise<string> {
  const path = settings[name];
  if (path === "") return "";
  try {
    return await readText(path, maxBytes);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const label = sourceOf(name, sources)?.label(name);
    throw new UsageError(`${label} ${error.message}`);
  }
}

/** The lines of a text, without what steers a terminal; blank ones at its end do not count. */
function motdLines(text: string): string[] {
  const lines = text.split(/\r?\n/).map(clean);
  return lines.slice(0, lines.findLastIndex((line) => line.trim() !== "") + 1);
}
