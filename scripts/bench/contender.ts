/**
 * One contestant at work: started, put under load, ended. Must not know what is measured, nor what comes out.
 */

// @ts-types="../../lib/std/text_line_stream.d.ts"
import { TextLineStream } from "@std/streams/text-line-stream";
import type { Contestant, Launch, Launcher } from "./contestants.ts";
import { type Contender, Failed, type Load, type Report } from "./rows.ts";

/** How long a start may take, in ms. */
const START_MS = 30_000;

/** How long a load may take; what has not come by then never will, or is not worth waiting for. */
const LOAD_MS = 120_000;

/**
 * @param launcher gets a process of it ready
 * @param generator the compiled load.c
 * @param signal ends whatever runs
 */
export function contender(
  contestant: Contestant,
  launcher: Launcher,
  generator: string,
  signal: AbortSignal,
): Contender {
  return {
    contestant,
    async carry(load) {
      await using server = await Running.start(await launcher(), signal);
      return await put(load, server, contestant, generator, signal);
    },
    async start() {
      await using server = await Running.start(await launcher(), signal);
      return server.startMs;
    },
  };
}

/** A process that listens. */
class Running implements AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  /** How long it took until it listened. */
  readonly startMs: number;
  readonly #process: Deno.ChildProcess;

  private constructor(
    process: Deno.ChildProcess,
    port: number,
    startMs: number,
  ) {
    this.#process = process;
    this.pid = process.pid;
    this.port = port;
    this.startMs = startMs;
  }

  /** @throws {Failed} if it does not start */
  static async start(
    { command, args, announces }: Launch,
    signal: AbortSignal,
  ): Promise<Running> {
    signal.throwIfAborted();
    const begunAt = performance.now();
    const process = new Deno.Command(command, {
      args,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const listens = Promise.withResolvers<string>();
    let last = "it says nothing";
    const heed = (line: string) => {
      last = line.trim() || last;
      const [, port] = announces.exec(line) ?? [];
      if (port) listens.resolve(port);
    };
    const said = [process.stdout, process.stderr].map((stream) =>
      eachLine(stream, heed)
    );
    const fail = (why: string) =>
      listens.reject(new Failed(`does not start: ${why}`));
    void Promise.all(said).then(() => fail(last));
    const timer = setTimeout(fail, START_MS, "it does not listen");
    const interrupt = () => listens.reject(signal.reason);
    signal.addEventListener("abort", interrupt);
    try {
      const port = Number(await listens.promise);
      return new Running(process, port, performance.now() - begunAt);
    } catch (error) {
      await end(process);
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", interrupt);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#process);
  }
}

/** Tells each line, and goes on reading: whoever cannot write any more would wait, or end. */
async function eachLine(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  tell: (line: string) => void,
): Promise<void> {
  const lines = stream.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  for await (const line of lines) tell(line);
}

async function end(process: Deno.ChildProcess): Promise<void> {
  try {
    process.kill("SIGKILL");
  } catch {
    // It has ended.
  }
  await process.status;
}

/** @throws {Failed} if messages are lost, connections closed, or nothing can be measured */
async function put(
  load: Load,
  { pid, port }: Running,
  { dialect, hasPrograms, apart = 1 }: Contestant,
  generator: string,
  signal: AbortSignal,
): Promise<Report> {
  const words = Object.entries({
    ...load,
    programs: hasPrograms ? Math.floor(load.members / 2) : 0,
    dialect,
    apart,
  }).map(([name, value]) => `${name}=${value}`);
  const patience = AbortSignal.timeout(LOAD_MS);
  const { success, stdout, stderr } = await new Deno.Command(generator, {
    args: [String(port), String(pid), ...words],
    signal: AbortSignal.any([signal, patience]),
  }).output();
  signal.throwIfAborted();
  if (patience.aborted) throw new Failed(`takes more than ${LOAD_MS / 1000} s`);
  const decoder = new TextDecoder();
  if (!success) {
    const why = decoder.decode(stderr).trim().replace(/^load: /, "");
    throw new Failed(why || "cannot be measured");
  }
  const report: Report = JSON.parse(decoder.decode(stdout));
  if (report.closed > 0) throw new Failed("closes connections");
  const lost = report.expected - report.deliveries;
  if (lost > 0) throw new Failed(`loses ${lost} of ${report.expected}`);
  if (lost < 0) throw new Failed(`delivers ${-lost} more than there should be`);
  return report;
}
