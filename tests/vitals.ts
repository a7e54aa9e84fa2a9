/**
 * What a server process holds on to: descriptors, and memory after everything that nobody needs any more was
 * collected. Asks the process's debugger and the system; knows nothing of chat.
 */

import { Program, SERVER_ARGS, soon } from "./fixtures.ts";

/** After how long descriptors that are still open are not going to be closed. */
const PATIENCE_MS = 60_000;

/** What a process holds at one moment. */
export interface Holding {
  /** What it can still reach of its memory, in bytes. */
  heapBytes: number;
  /** What the system has given it, in bytes; only known on Linux. */
  residentBytes?: number;
  /** How many files and connections it has open; only known on Linux. */
  descriptors?: number;
}

/** chat-server from source, whose memory can be looked at. */
export function openServer(...flags: string[]): Program {
  const [run = "", ...rest] = SERVER_ARGS.filter((arg) => arg !== "--quiet");
  const args = [run, "--inspect=127.0.0.1:0", ...rest, ...flags];
  return new Program(Deno.execPath(), args);
}

/** Looks at a process that {@linkcode openServer} has started. */
export class Vitals implements Disposable {
  readonly #pid: number;
  readonly #socket: WebSocket;
  readonly #asked = new Map<number, (result: unknown) => void>();
  #lastId = 0;

  private constructor(pid: number, socket: WebSocket) {
    this.#pid = pid;
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const { id, result } = JSON.parse(data);
      this.#asked.get(id)?.(result);
      this.#asked.delete(id);
    };
  }

  static async of({ pid, errors }: Program): Promise<Vitals> {
    const mark = /^Debugger listening on (ws:\S+)$/;
    await errors.until(mark);
    const [, address = ""] =
      errors.seen.flatMap((line) => [mark.exec(line) ?? []]).find((match) =>
        match.length > 0
      ) ?? [];
    const socket = new WebSocket(address);
    const opened = new Promise((resolve) => socket.onopen = resolve);
    await soon(opened, () => `no debugger at ${address}`);
    return new Vitals(pid, socket);
  }

  /** What the process holds now. */
  async look(): Promise<Holding> {
    // What the first collection finalizes is only free after the second one.
    await this.#ask("HeapProfiler.collectGarbage");
    await this.#ask("HeapProfiler.collectGarbage");
    const usage = await this.#ask("Runtime.getHeapUsage");
    const { usedSize, backingStorageSize = 0 } = usage as {
      usedSize: number;
      backingStorageSize?: number;
    };
    const heapBytes = usedSize + backingStorageSize;
    if (Deno.build.os !== "linux") return { heapBytes };
    // Deno itself may not read /proc without all permissions.
    const { stdout } = await new Deno.Command("sh", {
      args: [
        "-c",
        'ls "/proc/$1/fd" | wc -l; grep VmRSS: "/proc/$1/status"',
        "sh",
        String(this.#pid),
      ],
    }).output();
    const [descriptors = NaN, residentKiB = NaN] = new TextDecoder()
      .decode(stdout).match(/\d+/g)?.map(Number) ?? [];
    return { heapBytes, residentBytes: residentKiB * 1024, descriptors };
  }

  /** What the process holds once it has so many files and connections open; or now, if that cannot be known. */
  async untilDescriptors(count: number | undefined): Promise<Holding> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      const holding = await this.look();
      if (holding.descriptors === count) return holding;
      if (performance.now() > end) {
        throw new Error(`${holding.descriptors} descriptors, not ${count}`);
      }
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #ask(method: string): Promise<unknown> {
    const id = ++this.#lastId;
    const answer = new Promise((resolve) => this.#asked.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method }));
    return soon(answer, () => `no answer to ${method}`);
  }
}
