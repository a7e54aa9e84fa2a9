/**
 * Command lines, and whatever else settings come from: a table of flags gives the checked values, the help text
 * and the errors. Knows neither program, no file and no variable.
 */

// @ts-types="./std/parse_args.d.ts"
import { parseArgs } from "@std/cli/parse-args";
import { type Address, isHost, splitAddress } from "./address.ts";
import { describe } from "./fault.ts";
import { clean } from "./message.ts";
import { VERSION } from "./version.ts";

/** How wide the help text is: a terminal of the usual width shows it whole. */
const HELP_COLUMNS = 80;

/** The command line, or another source of settings, makes no sense; the message says why, in one line. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** What a program says in one line when it fails, and its exit code: 2 if what it was told makes no sense, else 1. */
export function failure(error: unknown): { line: string; code: number } {
  return error instanceof UsageError
    ? { line: `${error.message} (--help tells more)`, code: 2 }
    : { line: describe(error), code: 1 };
}

/** A flag that takes a value. */
export interface Flag<T> {
  short?: string;
  /** What stands for the value in the help text. */
  argument: string;
  help: string;
  /** What holds if the flag is not given. */
  default: string;
  /** @throws {UsageError} saying what a good value is; the flag and the bad value are put before it */
  read(value: string): T;
}

/** A flag that takes no value: `--bell` switches it on, `--no-bell` off; `--reconnect` is the contrary of `--no-reconnect`. */
export interface Switch {
  short?: never;
  argument?: never;
  help: string;
}

/** What can be set, by its name. */
export type Flags = Record<string, Flag<unknown> | Switch>;

/** The values of flags: a switch of which nobody says anything is off. */
export type Values<F extends Flags> = {
  [K in keyof F]: F[K] extends Flag<infer T> ? T : boolean;
};

/** Where settings are said: the command line is one such place. */
export interface Source {
  /** What is said there of a flag; `undefined` if nothing is. A switch may be said in words, such as `on`. */
  get(name: string): string | boolean | undefined;
  /** What the flag is called there; errors begin with it. */
  label(name: string): string;
  /** Which file it is, as it may be shown, if it is one. */
  file?: string;
}

/** What a program is, and what it understands. */
export interface Program<F extends Flags> {
  name: string;
  /** What follows the name in the first line of the help text. */
  usage: string;
  about: string;
  /** How many arguments that are no flags may be given. */
  maxOperands: number;
  flags: F;
}

/** What a command line says, before its values are read. */
export interface CommandLine {
  said: Source;
  operands: string[];
}

/**
 * Reads a command line of which nothing else has a say.
 *
 * @returns the values, or a text to print instead
 * @throws {UsageError} for an unknown flag, a bad value, a missing one, and too many operands
 */
export function parseFlags<F extends Flags>(
  program: Program<F>,
  args: readonly string[],
): { values: Values<F>; operands: string[] } | { print: string } {
  const line = readCommandLine(program, args);
  if ("print" in line) return line;
  const values = valuesOf(program.flags, [line.said]);
  return { values, operands: line.operands };
}

/**
 * Finds out what a command line says, and does not judge the values.
 *
 * @returns what it says, or a text to print instead
 * @throws {UsageError} for an unknown flag, an empty value, and too many operands
 */
export function readCommandLine(
  program: Program<Flags>,
  args: readonly string[],
): CommandLine | { print: string } {
  const flags = Object.entries(program.flags);
  const alias: Record<string, string> = { h: "help" };
  for (const [name, { short }] of flags) if (short) alias[short] = name;

  // parseArgs keeps what is no flag under this name, and fails when there is a flag of the same name.
  const end = args.indexOf("--");
  const given = args.slice(0, end < 0 ? args.length : end);
  const underscore = given.find((arg) => /^--_(=|$)/.test(arg));
  if (underscore) {
    throw new UsageError(`unknown flag ${underscore.split("=")[0]}`);
  }
  // parseArgs knows a switch by its name without `no-`, so that the last one given wins.
  const switches = flags.flatMap(([name, flag]) =>
    isSwitch(flag) ? positive(name) : []
  );
  const valued = given.find((arg) =>
    switches.some((name) =>
      arg.startsWith(`--${name}=`) || arg.startsWith(`--no-${name}=`)
    )
  );
  if (valued) throw new UsageError(`${valued.split("=")[0]} takes no value`);

  // parseArgs takes an empty value for another argument; somebody's variable was not set.
  const beforeEmpty = given[given.indexOf("") - 1] ?? "";
  const [, word = ""] = /^--?(.+)$/.exec(beforeEmpty) ?? [];
  const unset = alias[word] ?? word;
  const flag = program.flags[unset];
  if (flag && !isSwitch(flag)) readValue(`--${unset}`, flag, "");

  const parsed = parseArgs(args, {
    string: [
      ...flags.flatMap(([name, flag]) => isSwitch(flag) ? [] : name),
      "_",
    ],
    boolean: ["help", "version", ...switches],
    negatable: switches,
    // Otherwise one that is not given would be off, and no other source would be asked.
    default: Object.fromEntries(switches.map((name) => [name, undefined])),
    alias,
    unknown: (argument, key) => {
      if (key !== undefined) {
        throw new UsageError(`unknown flag ${argument.split("=")[0]}`);
      }
    },
  });
  if (parsed["help"]) return { print: helpText(program) };
  if (parsed["version"]) return { print: `${program.name} ${VERSION}` };
  const operands = parsed._.map(String);
  if (operands.length > program.maxOperands) {
    throw new UsageError(
      `unexpected argument ${quote(operands[program.maxOperands]!)}`,
    );
  }

  const said: Source = {
    get(name) {
      const value = parsed[name] ?? parsed[positive(name)];
      if (typeof value === "boolean") {
        return value === (positive(name) === name);
      }
      return value === undefined ? undefined : String(value);
    },
    label: (name) => `--${name}`,
  };
  return { said, operands };
}

/**
 * The value of each flag: what the first source says that says anything of it, or the default.
 *
 * @throws {UsageError} for a bad value, and an empty one
 */
export function valuesOf<F extends Flags>(
  flags: F,
  sources: readonly Source[],
): Values<F> {
  const values = Object.entries(flags).map((
    [name, flag],
  ) => [name, valueOf(name, flag, sources)]);
  return Object.fromEntries(values);
}

/** The first source that says anything of a flag, if one does. */
export function sourceOf(
  name: string,
  sources: readonly Source[],
): Source | undefined {
  return sources.find((source) => source.get(name) !== undefined);
}

/** Reads a port number from `min` to 65,535. */
export function port(min: number): (value: string) => number {
  return (value) => {
    if (
      !/^\d{1,5}$/.test(value) || Number(value) < min || Number(value) > 65535
    ) {
      throw new UsageError(`a port is a whole number from ${min} to 65535`);
    }
    return Number(value);
  };
}

/** Reads a whole number from `min` to `max`. */
export function wholeNumber(
  min: number,
  max: number,
): (value: string) => number {
  return (value) => {
    if (
      !/^\d{1,9}$/.test(value) || Number(value) < min || Number(value) > max
    ) {
      throw new UsageError(`it is a whole number from ${min} to ${max}`);
    }
    return Number(value);
  };
}

/** Reads a number from `min` to `max`, such as `2` or `0.5`. */
export function decimal(
  min: number,
  max: number,
): (value: string) => number {
  return (value) => {
    if (
      !/^\d{1,9}(\.\d{1,9})?$/.test(value) || Number(value) < min ||
      Number(value) > max
    ) {
      throw new UsageError(`it is a number from ${min} to ${max}`);
    }
    return Number(value);
  };
}

/** Reads one of a few words. */
export function oneOf<const W extends string>(
  ...words: W[]
): (value: string) => W {
  return (value) => {
    const word = words.find((word) => word === value);
    if (word === undefined) {
      throw new UsageError(`it is one of ${words.join(", ")}`);
    }
    return word;
  };
}

/** Reads a number of seconds that is not negative, such as `2` or `0.5`. */
export function seconds(value: string): number {
  if (!/^\d{1,6}(\.\d+)?$/.test(value)) {
    throw new UsageError("it is a number of seconds, such as 2 or 0.5");
  }
  return Number(value);
}

/** Reads the name or the address of a machine. */
export function host(value: string): string {
  if (!isHost(value)) {
    throw new UsageError("it is a name or an address, without blanks");
  }
  return value;
}

/** Reads a port (0 takes a free one) with or without a host; without, it is one of `defaultHost`. */
export function address(defaultHost: string): (value: string) => Address {
  return (value) => {
    const said = splitAddress(/^\d+$/.test(value) ? `:${value}` : value);
    const host = said?.host || defaultHost;
    if (said?.port === undefined || !isHost(host)) {
      throw new UsageError(
        "it is a port, or a host and a port, such as 9100 or [::1]:9100",
      );
    }
    return { host, port: port(0)(said.port) };
  };
}

/** Takes any text. */
export function text(value: string): string {
  return value;
}

/** `value` as it may be shown in an error: in quotes, with nothing in it that steers a terminal. */
export function quote(value: string): string {
  // JSON escapes only some of what does: C1 and the bidirectional overrides are left.
  return [...JSON.stringify(value)].map((char) =>
    clean(char) === char
      ? char
      : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`
  ).join("");
}

/** Whether a flag takes no value. */
export function isSwitch(flag: Flag<unknown> | Switch): flag is Switch {
  return flag.argument === undefined;
}

/** The name of a switch that `--no-` goes before. */
function positive(name: string): string {
  return name.replace(/^no-/, "");
}

function valueOf(
  name: string,
  flag: Flag<unknown> | Switch,
  sources: readonly Source[],
): unknown {
  const source = sourceOf(name, sources);
  const value = source?.get(name);
  if (!source || value === undefined) {
    return isSwitch(flag) ? false : flag.read(flag.default);
  }
  const label = source.label(name);
  return isSwitch(flag)
    ? readSwitch(label, value)
    : readValue(label, flag, String(value));
}

function readSwitch(label: string, value: string | boolean): boolean {
  if (typeof value === "boolean") return value;
  if (/^(1|true|yes|on)$/i.test(value)) return true;
  if (/^(0|false|no|off)$/i.test(value)) return false;
  throw new UsageError(
    `${label} ${quote(value)} will not do: it is true or false, 1 or 0, ` +
      "yes or no, on or off",
  );
}

function readValue<T>(label: string, flag: Flag<T>, value: string): T {
  if (value === "") {
    throw new UsageError(`${label} needs a value: ${flag.help}`);
  }
  try {
    return flag.read(value);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(
      `${label} ${quote(value)} will not do: ${error.message}`,
    );
  }
}

function helpText(program: Program<Flags>): string {
  const rows = [
    ...Object.entries(program.flags).map(([name, flag]) => {
      const left = `${flag.short ? `-${flag.short}, ` : "    "}--${name}`;
      if (isSwitch(flag)) return [left, flag.help] as const;
      return [
        `${left} ${flag.argument}`,
        flag.default === ""
          ? flag.help
          : `${flag.help} (default ${flag.default})`,
      ] as const;
    }),
    ["-h, --help", "this text"] as const,
    ["    --version", "which version this is"] as const,
  ];
  const width = Math.max(...rows.map(([left]) => left.length));
  const contrary = Object.values(program.flags).some(isSwitch)
    ? [
      "",
      "An option without a value is taken back by --no-NAME, or --no-NAME by --NAME.",
    ]
    : [];
  return [
    `Usage: ${program.name} ${program.usage}`,
    "",
    program.about,
    "",
    "Options:",
    ...rows.flatMap(([left, right]) =>
      wrap(right, HELP_COLUMNS - width - 4).map((line, i) =>
        `  ${(i === 0 ? left : "").padEnd(width)}  ${line}`
      )
    ),
    ...contrary,
  ].join("\n");
}

/** `text` in lines of at most `columns`, broken between words. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= columns) {
      lines[lines.length - 1] = longer;
    } else lines.push(word);
  }
  return lines;
}
