/**
 * Where the client's settings come from: the command line, the environment, config.json, and what the machine
 * says. Finds and reads them; what they mean is in the table of options.ts. Must not know what is done with them.
 */

import * as v from "valibot";
import { describe } from "../fault.ts";
import {
  type Flag,
  isSwitch,
  quote,
  type Source,
  type Switch,
  UsageError,
  valuesOf,
} from "../flags.ts";
import { clean } from "../message.ts";
import {
  type ClientOptions,
  clientOptions,
  CONFIG,
  readArguments,
  SETTINGS,
} from "./options.ts";

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
  const file = await readConfig(config);
  return clientOptions([told, ENVIRONMENT, ...file, MACHINE]);
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

/**
 * Reads the text of a file of settings.
 *
 * @param path what the file is called in errors
 * @throws {UsageError} for a key that is none, and for any value that will not do
 */
export function parseConfig(path: string, text: string): Source {
  const label = (key: string) => `${legible(path)}: ${quote(key)}:`;
  const content = v.safeParse(CONTENT, parseJson(path, text));
  if (!content.success) {
    const [{ path: [item] = [], message }] = content.issues;
    const where = item ? label(String(item.key)) : `${legible(path)}:`;
    throw new UsageError(`${where} ${message}`);
  }
  const said = content.output;
  const source: Source = { get: (name) => said[name], label };
  // All of it, so that a mistake shows at once and not on the day on which a flag is left out.
  valuesOf(SETTINGS, [source]);
  return source;
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

function variableName(name: string): string {
  return `CHAT_${name.toUpperCase().replaceAll("-", "_")}`;
}

/** A variable that may not be read counts as one that is not set: the client runs with fewer permissions, too. */
function variable(name: string): string {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) ?? "" : "";
}

/** The settings in this file, or in the default one if there is one. */
async function readConfig(named: string): Promise<Source[]> {
  const path = named || configPath(Deno.build.os, variable);
  if (named === "" && !await canBeSeen(path)) return [];
  return [parseConfig(path, await readText(path))];
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

async function readText(path: string): Promise<string> {
  try {
    // To read a folder fails in other words on every platform.
    if ((await Deno.stat(path)).isDirectory) throw new Error("it is a folder");
    return new TextDecoder("utf-8", { fatal: true }).decode(
      await Deno.readFile(path),
    );
  } catch (error) {
    throw new UsageError(`${legible(path)}: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof TypeError) return "it is not UTF-8";
  const [reason = ""] = describe(error).split(" (os error");
  return `it cannot be read: ${clean(reason)}`;
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = clean(describe(error).replaceAll(/\s+/g, " "));
    throw new UsageError(`${legible(path)}: it is no JSON: ${reason}`);
  }
}

/** A path as it may be shown. */
function legible(path: string): string {
  return clean(path) === path ? path : quote(path);
}

const CONTENT = v.pipe(
  v.unknown(),
  // To valibot an array is an object, too.
  v.check((value) => !Array.isArray(value), "it is not an object"),
  v.strictObject(
    Object.fromEntries(
      Object.entries(SETTINGS).map((
        [key, setting],
      ) => [key, v.exactOptional(schemaOf(setting))]),
    ),
    ({ expected }) =>
      expected === "Object" ? "it is not an object" : "it is no setting",
  ),
);

/** What a setting looks like in JSON; what is written as a number may be one. */
function schemaOf(
  setting: Flag<unknown> | Switch,
): v.GenericSchema<unknown, string | boolean> {
  if (isSwitch(setting)) return v.boolean("it is not true or false");
  const isNumber = typeof setting.read(setting.default) === "number";
  return v.pipe(
    isNumber
      ? v.union([v.string(), v.number()], "it is not a number")
      : v.string("it is not a string"),
    v.transform(String),
    v.nonEmpty("it is empty"),
  );
}
