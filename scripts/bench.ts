// deno-lint-ignore-file no-console -- an entry file prints
/**
 * `deno task bench`: flags in, tables out, bench/results.json and its picture. Must not know who takes part, nor what is measured.
 */

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { failure, parseFlags, UsageError, wholeNumber } from "../lib/flags.ts";
import { compile, noCompiler } from "./bench/cc.ts";
import { chart } from "./bench/chart.ts";
import { contender } from "./bench/contender.ts";
import { compete, features, grow, knownWords } from "./bench/contest.ts";
import {
  type Contestant,
  CONTESTANTS,
  type Launcher,
} from "./bench/contestants.ts";
import type { Results } from "./bench/results.ts";
import { abouts, tables } from "./bench/table.ts";

const RESULTS = "bench/results.json";
const CHART = "docs/benchmark.svg";

/** Fewer are not enough to keep. */
const ROUNDS = 3;

/** A contestant that takes longer than two minutes in all is given up. */
const MAX_SECONDS = 100;

const FLAGS = {
  quick: {
    help:
      "about a minute instead of a quarter of an hour: the C reference and chat-server, shorter loads",
  },
  rounds: {
    argument: "N",
    default: String(ROUNDS),
    help: "how often everything is measured; medians are shown",
    read: wholeNumber(1, 100),
  },
  only: {
    argument: "WHAT",
    default: "",
    help:
      "rows, contestants, or both as ROW/CONTESTANT, with commas between them, or growth (default: all)",
    read: readOnly,
  },
  seconds: {
    argument: "SECONDS",
    default: "",
    help:
      "how long loads at a given rate go on (default: as long as each is meant to)",
    read: (value: string) =>
      value === "" ? undefined : wholeNumber(1, MAX_SECONDS)(value),
  },
};

async function main(): Promise<number> {
  const parsed = parseFlags({
    name: "deno task bench",
    usage: "[options]",
    about:
      `Measures chat-server beside a C program and others, in rounds. Needs cc, on Linux.
Prints tables, and writes ${RESULTS} and ${CHART}; with --quick,
--only, --seconds or fewer than ${ROUNDS} rounds it only prints.`,
    maxOperands: 0,
    flags: FLAGS,
  }, Deno.args);
  if ("print" in parsed) {
    console.log(parsed.print);
    return 0;
  }
  const { quick, rounds, only, seconds } = parsed.values;
  const stop = stopSignal();
  const folder = await Deno.makeTempDir({
    dir: fileURLToPath(new URL("../", import.meta.url)),
    prefix: ".bench-",
  });
  try {
    const noLoad = await noCompiler();
    if (noLoad) console.log(`What needs a load is skipped: ${noLoad}.\n`);
    const generator = noLoad ? "" : await compile("load.c", folder);
    const contest = {
      rounds,
      only,
      folder,
      isQuick: quick,
      ...(noLoad && { noLoad }),
      ...(seconds !== undefined && { seconds }),
      contend: (contestant: Contestant, launcher: Launcher) =>
        contender(contestant, launcher, generator, stop),
      log: (line: string) => console.log(line),
    };
    const rows = await compete(contest);
    // A compiler that was ended with it is none that is missing.
    stop.throwIfAborted();
    const results: Results = {
      date: new Date().toISOString().slice(0, 10),
      machine: await machine(),
      rounds,
      rows,
      features: features(rows),
      growth: await grow(contest),
    };
    console.log(`\n${results.date}, ${results.machine}, rounds: ${rounds}\n`);
    console.log(tables(results));
    const who = CONTESTANTS.filter(({ name }) =>
      rows.some(({ results }) =>
        results.some(({ contestant }) => contestant === name)
      )
    );
    if (who.length > 0) console.log(`\nWho they are\n${abouts(who)}`);
    const isWhole = !quick && only.length === 0 && seconds === undefined;
    if (isWhole && rounds >= ROUNDS && !noLoad) {
      await Deno.mkdir(dirname(RESULTS), { recursive: true });
      await Deno.writeTextFile(
        RESULTS,
        `${JSON.stringify(results, null, 2)}\n`,
      );
      await Deno.writeTextFile(CHART, await chart(results));
      console.log(`\n${RESULTS}, ${CHART}`);
    }
    return 0;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function readOnly(value: string): string[] {
  if (value === "") return [];
  const words = value.split(",");
  const known = knownWords();
  const unknown = words.find((word) => !known.includes(word));
  if (unknown === undefined) return words;
  const single = known.filter((word) => !word.includes("/"));
  throw new UsageError(`it is made of ${single.join(", ")}`);
}

/** Stops everything on Ctrl-C, and whatever else asks a program to stop. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) {
    Deno.addSignalListener(signal, () => stop.abort(new Stopped()));
  }
  return stop.signal;
}

/** Somebody has stopped the benchmark. */
class Stopped extends Error {}

/** Processor, cores, system, Deno. */
async function machine(): Promise<string> {
  const { os, arch } = Deno.build;
  const cores = navigator.hardwareConcurrency;
  return `${await processor()}, ${cores} cores, ${os} ${arch}, Deno ${Deno.version.deno}`;
}

/** Its name; Deno itself may not read /proc. */
async function processor(): Promise<string> {
  const unknown = "a processor";
  if (Deno.build.os !== "linux") return unknown;
  try {
    const { stdout } = await new Deno.Command("sed", {
      args: ["-n", "s/^model name[^:]*: *//p", "/proc/cpuinfo"],
    }).output();
    return new TextDecoder().decode(stdout).split("\n")[0] || unknown;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return unknown;
    throw error;
  }
}

function fail(error: unknown): number {
  if (error instanceof Stopped) return 130;
  const { line, code } = failure(error);
  console.error(`bench: ${line}`);
  return code;
}

Deno.exit(await main().catch(fail));
