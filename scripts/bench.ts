// deno-lint-ignore-file no-console -- an entry file prints
/**
 * Measures the server: `deno task bench`. One row so far, how little it costs the others that some never read.
 * What is compared runs in turns, several times, and medians are shown: machines are noisy.
 */

import { failure, parseFlags, wholeNumber } from "../lib/flags.ts";

/** A load on the server. */
interface Load {
  /** How many members there are who read, and how many who never do. */
  readers: number;
  deaf: number;
  /** How many messages are said first, as fast as they go: they fill what the system keeps for who does not read. */
  before: number;
  /** How many are measured, and how many of them are said a second. */
  messages: number;
  rate: number;
  /** How long each is, in bytes. */
  bytes: number;
}

/** The system keeps some 4 MB for a connection that is not read, so that all are dropped while it is measured. */
const PACED = { before: 3500, messages: 1500, rate: 100, bytes: 1000 };

/** How many times longer deliveries may take. */
const GOAL = 2;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

async function main(args: readonly string[]): Promise<void> {
  const parsed = parseFlags({
    name: "deno task bench",
    usage: "[options]",
    about: "Measures how long messages take to be delivered.",
    maxOperands: 0,
    flags: {
      rounds: {
        argument: "N",
        default: "3",
        help: "how often each load runs; medians are shown",
        read: wholeNumber(1, 100),
      },
    },
  }, args);
  if ("print" in parsed) return console.log(parsed.print);

  // With the speaker they are 500; of more, nobody would be told who is dropped.
  const all: Load = { readers: 449, deaf: 0, ...PACED };
  const some: Load = { ...all, deaf: 50 };
  const times: [number[], number[]] = [[], []];
  for (let round = 1; round <= parsed.values.rounds; round++) {
    for (const [i, each] of [all, some].entries()) {
      const { p99, dropped } = await measure(each);
      times[i]!.push(p99);
      console.log(
        `round ${round}, ${each.deaf} of ${
          each.readers + each.deaf
        } never read: ` +
          `p99 ${p99.toFixed(1)} ms, ${dropped} dropped`,
      );
      if (dropped !== each.deaf) {
        throw new Error(`not all who never read were dropped: ${dropped}`);
      }
    }
  }
  const [without, withDeaf] = times.map(median);
  const ratio = withDeaf! / without!;
  console.log(
    `\nThe 99th percentile of delivery times of ${all.readers} members, while ${some.deaf} more who never read are dropped: ` +
      `${
        ratio.toFixed(2)
      }x of what it is without them (goal: at most ${GOAL}x)`,
  );
  if (ratio > GOAL) throw new Error("the goal is missed");
}

/** Starts a server, has its members talk, and says how long deliveries took, in ms, and how many were dropped. */
async function measure(
  { readers, deaf, before, messages, rate, bytes }: Load,
): Promise<{ p99: number; dropped: number }> {
  const server = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", "--allow-net", "server.ts"],
      ...["--port", "0"],
    ],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const conns: Deno.Conn[] = [];
  try {
    const port = await portOf(server.stdout);
    const enter = async (name: string) => {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      conns.push(conn);
      await conn.write(encoder.encode(`/nick ${name}\n`));
      return conn;
    };
    for (let i = 1; i <= deaf; i++) await enter(`deaf${i}`);
    const times: number[] = [];
    const gone = new Set<string>();
    const hearing: Promise<void>[] = [];
    for (let i = 1; i <= readers; i++) {
      const conn = await enter(`m${i}`);
      hearing.push(hear(conn, before + messages, times, gone));
    }
    const speaker = await enter("speaker");
    const padding = "x".repeat(bytes - 20);
    const say = async () => {
      const now = performance.now().toFixed(3);
      await speaker.write(encoder.encode(`${now} ${padding}\n`));
    };
    for (let i = 0; i < before; i++) await say();
    while (times.length < before * readers) await pause(10);
    times.length = 0;
    gone.clear();
    const startedAt = performance.now();
    for (let i = 0; i < messages; i++) {
      const waitMs = startedAt + i * 1000 / rate - performance.now();
      if (waitMs > 1) await pause(waitMs);
      await say();
    }
    await Promise.all(hearing);
    times.sort((a, b) => a - b);
    return { p99: times[Math.floor(times.length * 0.99)]!, dropped: gone.size };
  } finally {
    for (const conn of conns) conn.close();
    server.kill("SIGTERM");
    await server.status;
  }
}

/** Hears so many messages, and notes how long each of them took, and who is gone. */
async function hear(
  conn: Deno.Conn,
  messages: number,
  times: number[],
  gone: Set<string>,
): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  let begun = "";
  for (let heard = 0; heard < messages;) {
    const count = await conn.read(buffer);
    if (count === null) throw new Error("a member was dropped who reads");
    const now = performance.now();
    const lines = (begun + decoder.decode(buffer.subarray(0, count)))
      .split("\n");
    begun = lines.pop()!;
    for (const line of lines) {
      if (line.startsWith("<speaker> ")) {
        heard++;
        times.push(now - parseFloat(line.slice("<speaker> ".length)));
      } else if (line.endsWith("is offline")) gone.add(line);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

async function portOf(stdout: ReadableStream<Uint8Array>): Promise<number> {
  const reader = stdout.getReader();
  const { value } = await reader.read();
  const port = /:(\d+)\n$/.exec(decoder.decode(value))?.[1];
  if (!port) throw new Error("the server does not start");
  return Number(port);
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

await main(Deno.args).catch((error) => {
  const { line, code } = failure(error);
  console.error(`bench: ${line}`);
  Deno.exit(code);
});
