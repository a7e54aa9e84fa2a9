// deno-lint-ignore-file no-console -- an entry file prints
/**
 * `deno task profile`: where the server's time goes while a thousand members hear 500 messages a second. Starts it
 * from source with V8's profiler, puts the benchmark's load on it, and prints what the profile says of just that time.
 */

import { fileURLToPath } from "node:url";
import { failure, parseFlags, text, wholeNumber } from "../lib/flags.ts";
import { compile, noCompiler } from "./bench/cc.ts";
import config from "../deno.json" with { type: "json" };
import {
  type CpuProfile,
  type Owner,
  type Share,
  summarize,
  type Summary,
} from "./cpu_profile.ts";

/** The server is run as its task runs it. */
const SERVER = [
  ...config.tasks.server.command.split(" ").slice(1, -1),
  "--quiet",
];

const ROOT = new URL("../", import.meta.url);

/** How many functions and files are shown. */
const FUNCTIONS = 30;
const FILES = 15;

const OWNERS: Readonly<Record<Owner, string>> = {
  ours: "JavaScript of this project",
  packages: "JavaScript of packages",
  runtime: "JavaScript of Deno itself (ext:, node:)",
  native:
    "native functions that JavaScript calls (op_...), the kernel's part in them included",
  collector: "garbage collection",
  program:
    "(program): native code that no JavaScript calls, such as the event loop",
  idle: "idle",
};

const NOTE = `
The profiler looks where JavaScript is, and ends where native code begins: a
system call counts for whoever makes it, so what the kernel takes to send is in
op_write. What the event loop does by itself, such as reading, is in (program)
and idle. Time in which the thread waits for a processor counts for whatever it
was at: where there is less processor time than busy time, others took it.
Linux's perf looks into the kernel, too: see docs/performance.md.`;

/** What scripts/bench/load.c prints, as far as it is used here. */
interface LoadReport {
  /** On the clock that V8 has, too, in s. */
  begun: number;
  seconds: number;
  deliveries: number;
  expected: number;
  /** In ms. */
  p99: number;
  processorSeconds: number;
}

interface Load {
  members: number;
  rate: number;
  seconds: number;
}

async function main(args: readonly string[]): Promise<void> {
  const parsed = parseFlags({
    name: "deno task profile",
    usage: "[options]",
    about: "Shows where the time of a chat-server under load goes.",
    maxOperands: 0,
    flags: {
      seconds: {
        argument: "N",
        default: "10",
        help: "for how long",
        read: wholeNumber(1, 600),
      },
      members: {
        argument: "N",
        default: "1000",
        help: "how many members there are",
        read: wholeNumber(2, 9000),
      },
      rate: {
        argument: "N",
        default: "500",
        help: "how many messages a second they send in all",
        read: wholeNumber(1, 100_000),
      },
      out: {
        argument: "FILE",
        default: "",
        help:
          "where the profile goes, for Chrome's DevTools or speedscope (default: a temporary file)",
        read: text,
      },
    },
  }, args);
  if ("print" in parsed) return console.log(parsed.print);
  const { out, ...load } = parsed.values;

  const missing = await noCompiler();
  if (missing) throw new Error(`there is no load: ${missing}`);
  // Before all the work, and not after it, if it cannot be written.
  if (out) (await Deno.open(out, { append: true, create: true })).close();
  const { report, profile } = await measure(load, stopSignal());
  const path = out ||
    await Deno.makeTempFile({ prefix: "chat-server-", suffix: ".cpuprofile" });
  await Deno.writeTextFile(path, profile);
  const begun = report.begun * 1e6;
  const end = begun + report.seconds * 1e6;
  const json: CpuProfile = JSON.parse(profile);
  console.log(headOf(load, report));
  console.log(described(summarize(json, ROOT.href, begun, end)));
  console.log(NOTE);
  console.log(`\nThe profile, arrivals and all, is in ${path}`);
}

/** Starts a server, has its members talk, and gives what they and its profiler say. */
async function measure(
  load: Load,
  stop: AbortSignal,
): Promise<{ report: LoadReport; profile: string }> {
  const folder = await Deno.makeTempDir();
  try {
    const program = await compile("load.c", folder);
    const server = new Deno.Command(Deno.execPath(), {
      args: [
        ...SERVER,
        ...["--cpu-prof", "--cpu-prof-dir", folder],
        ...["--cpu-prof-name", "server.cpuprofile"],
        ...[fileURLToPath(new URL("server.ts", ROOT)), "--port", "0"],
      ],
      env: { NO_COLOR: "1" },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const log = new Response(server.stderr).text();
    try {
      const port = await portOf(server.stdout);
      if (port === undefined) {
        throw new Error(`the server does not start: ${firstLine(await log)}`);
      }
      const report = await put(load, program, { port, pid: server.pid }, stop);
      server.kill("SIGTERM");
      // The profile is written at its end.
      await server.status;
      const profile = await Deno.readTextFile(`${folder}/server.cpuprofile`);
      return { report, profile };
    } finally {
      try {
        server.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await Promise.all([server.status, log]);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Stops it on Ctrl-C, and whatever else asks a program to stop. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stop.abort(new Error("stopped")));
  }
  return stop.signal;
}

/** Where the server listens; `undefined` if it ends instead. */
async function portOf(
  stdout: ReadableStream<Uint8Array>,
): Promise<number | undefined> {
  let said = "";
  for await (const piece of stdout.pipeThrough(new TextDecoderStream())) {
    said += piece;
    const port = /:(\d+)\n/.exec(said)?.[1];
    if (port) return Number(port);
  }
  return undefined;
}

/** Puts a load on the server, and says what came of it. */
async function put(
  load: Load,
  program: string,
  { port, pid }: { port: number; pid: number },
  stop: AbortSignal,
): Promise<LoadReport> {
  const numbers = Object.entries(load).map(([name, n]) => `${name}=${n}`);
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [String(port), String(pid), ...numbers],
    signal: stop,
  }).output();
  stop.throwIfAborted();
  const decoder = new TextDecoder();
  if (!success) throw new Error(firstLine(decoder.decode(stderr)));
  return JSON.parse(decoder.decode(stdout));
}

function firstLine(lines: string): string {
  return lines.trim().split("\n")[0] ?? "";
}

function headOf({ members, rate }: Load, report: LoadReport): string {
  const { seconds, deliveries, expected, p99, processorSeconds } = report;
  const lost = expected - deliveries;
  return `${members} members, ${rate} messages/s, ${seconds.toFixed(1)} s: ` +
    `${deliveries} deliveries${lost > 0 ? `, ${lost} missing` : ""}, ` +
    `p99 ${p99.toFixed(1)} ms; ` +
    `${processorSeconds.toFixed(1)} s of processor time in all threads`;
}

/** A summary, in lines. */
function described(
  { wallUs, busyUs, owners, functions, files }: Summary,
): string {
  const busy = (busyUs / 1e6).toFixed(2);
  const wall = (wallUs / 1e6).toFixed(2);
  const owned = owners.filter(({ what }) => what !== "idle")
    .map(({ what, us }) => ({ what: OWNERS[what], us }));
  return [
    `\nThe main thread was busy for ${busy} of ${wall} s (${
      percent(busyUs, wallUs).trim()
    }). Of that:`,
    ...table(owned, busyUs),
    "\nby function, without what it calls:",
    ...table(functions.slice(0, FUNCTIONS), busyUs),
    "\nby file:",
    ...table(files.slice(0, FILES), busyUs),
  ].join("\n");
}

function table(shares: readonly Share<string>[], busyUs: number): string[] {
  return shares.map(({ what, us }) => `${percent(us, busyUs)}  ${what}`);
}

function percent(part: number, whole: number): string {
  const share = whole > 0 ? 100 * part / whole : 0;
  return `${share.toFixed(1)} %`.padStart(8);
}

await main(Deno.args).catch((error) => {
  const { line, code } = failure(error);
  console.error(`deno task profile: ${line}`);
  Deno.exit(code);
});
