/**
 * A file of settings: JSON, checked against a table of flags, with the same names. Reads it; what is in the table,
 * and what is done with the settings, is the programs'.
 */

import * as v from "valibot";
import { describe } from "./fault.ts";
import {
  type Flag,
  type Flags,
  isSwitch,
  quote,
  type Source,
  type Switch,
  UsageError,
  valuesOf,
} from "./flags.ts";
import { concat } from "./lines.ts";
import { clean } from "./message.ts";

/** Longer than any file of settings, in bytes: a wrong path, such as that of a disk, fills no memory. */
const MAX_CONFIG_BYTES = 1024 * 1024;

/**
 * Reads a file of settings.
 *
 * @throws {UsageError} if it cannot be read, for a key that is none, and for any value that will not do
 */
export async function readConfig(flags: Flags, path: string): Promise<Source> {
  return parseConfig(flags, path, await readText(path, MAX_CONFIG_BYTES));
}

/**
 * Reads the text of a file of settings.
 *
 * @param flags what can be set
 * @param path what the file is called in errors
 * @throws {UsageError} for a key that is none, and for any value that will not do
 */
export function parseConfig(flags: Flags, path: string, text: string): Source {
  const file = legible(path);
  const label = (key: string) => `${file}: ${quote(key)}:`;
  const content = v.safeParse(contentOf(flags), parseJson(path, text));
  if (!content.success) {
    const [{ path: [item] = [], message }] = content.issues;
    const where = item ? label(String(item.key)) : `${file}:`;
    throw new UsageError(`${where} ${message}`);
  }
  const said = content.output;
  const source: Source = { get: (name) => said[name], label, file };
  // All of it, so that a mistake shows at once and not on the day on which a flag is left out.
  valuesOf(flags, [source]);
  return source;
}

/**
 * Reads a file that is UTF-8; a byte order mark is left out.
 *
 * @throws {UsageError} if it cannot be read, is not UTF-8, or has more than `maxBytes`
 */
export async function readText(
  path: string,
  maxBytes: number,
): Promise<string> {
  try {
    // To read a folder fails in other words on every platform.
    if ((await Deno.stat(path)).isDirectory) throw new Error("it is a folder");
    const bytes = await readBytes(path, maxBytes);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new UsageError(`${legible(path)}: ${reasonOf(error)}`);
  }
}

async function readBytes(path: string, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (await Deno.open(path)).readable) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxBytes) throw new Error(`it has over ${maxBytes} bytes`);
  }
  return concat(chunks);
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

function contentOf(
  flags: Flags,
): v.GenericSchema<unknown, Record<string, string | boolean | undefined>> {
  return v.pipe(
    v.unknown(),
    // To valibot an array is an object, too.
    v.check((value) => !Array.isArray(value), "it is not an object"),
    v.strictObject(
      Object.fromEntries(
        Object.entries(flags).map((
          [key, setting],
        ) => [key, v.exactOptional(schemaOf(setting))]),
      ),
      ({ expected }) =>
        expected === "Object" ? "it is not an object" : "it is no setting",
    ),
  );
}

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
