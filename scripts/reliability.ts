// deno-lint-ignore-file no-console -- an entry file prints
/**
 * `deno task reliability`: runs everything that tries to lose something, and writes down what came of it. Must not know
 * what is tried.
 */

import {
  failure,
  parseFlags,
  seconds,
  type Values,
  wholeNumber,
} from "../lib/flags.ts";
import { VERSION } from "../lib/version.ts";
import {
  type Trial,
  TRIALS_VARIABLE,
  trialsByFile,
} from "../tests/reliability.ts";

const DOCS = "docs/reliability.md";

const PERMISSIONS = [
  "--no-prompt",
  "--allow-env",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-run",
];

const FLAGS = {
  minutes: {
    argument: "N",
    default: "3",
    help: "for how long the soak goes on",
    read: wholeNumber(1, 100_000),
  },
  seconds: {
    argument: "SECONDS",
    default: "60",
    help: "for how long there is fuzzing",
    read: seconds,
  },
};

async function main(): Promise<number> {
  const parsed = parseFlags({
    name: "deno task reliability",
    usage: "[options]",
    about: `Tries to lose something, and writes ${DOCS} anew.`,
    maxOperands: 0,
    flags: FLAGS,
  }, Deno.args);
  if ("print" in parsed) {
    console.log(parsed.print);
    return 0;
  }
  const trials = await tryAll(parsed.values);
  const named = [...(await trialsByFile()).values()].flat();
  const missing = named.filter((what) =>
    !trials.some((trial) => trial.what === what)
  );
  if (missing.length > 0) {
    throw new Error(`not tried on this machine: ${missing.join("; ")}`);
  }
  await Deno.writeTextFile(DOCS, page(trials));
  await run(["fmt", "--quiet", DOCS]);
  console.log(DOCS);
  return 0;
}

async function tryAll(
  { minutes, seconds }: Values<typeof FLAGS>,
): Promise<Trial[]> {
  const file = await Deno.makeTempFile();
  try {
    const env = { [TRIALS_VARIABLE]: file };
    const tests = [...(await trialsByFile()).keys()]
      .filter((file) => file.endsWith("_test.ts"));
    await run(["test", ...PERMISSIONS, ...tests], env);
    const fuzz = ["scripts/fuzz.ts", "--seconds", String(seconds)];
    await run(["run", ...PERMISSIONS, ...fuzz], env);
    const soak = ["scripts/soak.ts", "--minutes", String(minutes)];
    await run(["run", ...PERMISSIONS, ...soak], env);
    const lines = (await Deno.readTextFile(file)).trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line));
  } finally {
    await Deno.remove(file);
  }
}

/** @throws if it fails; what it prints says why */
async function run(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    env,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`deno ${args.join(" ")} has failed`);
}

function page(trials: readonly Trial[]): string {
  const { os, arch } = Deno.build;
  const date = new Date().toISOString().slice(0, 10);
  return `# What was tried, and what was lost

Written by \`deno task reliability\` from what the tests have counted themselves: on
${date}, with deno-chat ${VERSION} and Deno ${Deno.version.deno} on ${os} ${arch}.
Lost is what did not come, came twice, or came in another place. A test fails
where anything is lost; another one, where a line of this table is missing.

| what was tried | how often | lost |
| --- | --- | --- |
${trials.map(row).join("\n")}
`;
}

function row({ what, times, lost }: Trial): string {
  const counts = Object.entries(times).map(([counted, count]) =>
    `${count.toLocaleString("en-US")} ${counted}`
  );
  const nothing = lost === 0 ? "nothing" : lost.toLocaleString("en-US");
  return `| ${what} | ${counts.join(", ")} | ${nothing} |`;
}

function fail(error: unknown): number {
  const { line, code } = failure(error);
  console.error(`deno task reliability: ${line}`);
  return code;
}

Deno.exit(await main().catch(fail));
