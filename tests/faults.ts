/**
 * Faults, and what they may not harm: a network that is cut, a server that is killed and started again, the folder
 * in which it keeps its messages, and clients that keep all they hear.
 */

import { Link, type LinkOptions } from "../lib/client/link.ts";
import type { ChatEvent, Message } from "../lib/message.ts";
import { SqliteLog } from "../lib/server/sqlite_log.ts";
import { listening, type Program, serverProgram, soon } from "./fixtures.ts";

/** The network: connections that go to wherever the server is now, and are cut. */
export class Network implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #conns = new Set<Deno.Conn>();
  readonly #cutAfter: () => number;
  #server: number | undefined;
  #there = Promise.withResolvers<void>();
  /** How many connections were cut. */
  cuts = 0;

  /** @param cutAfter after how many bytes, in both directions together, the next connection is cut */
  constructor(cutAfter: () => number = () => Infinity) {
    this.#cutAfter = cutAfter;
    void this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Where the server is; a connection that begins while there is none ends at once. */
  get server(): number | undefined {
    return this.#server;
  }

  set server(port: number | undefined) {
    this.#server = port;
    this.#there.resolve();
    if (port === undefined) this.#there = Promise.withResolvers();
  }

  /** Resolves as soon as there is a server. */
  async untilThere(): Promise<void> {
    while (this.#server === undefined) await this.#there.promise;
  }

  /** Cuts all connections, and lets nobody through until there is a server again. */
  break(): void {
    this.server = undefined;
    for (const conn of this.#conns) this.#close(conn);
  }

  [Symbol.dispose](): void {
    this.break();
    this.#listener.close();
  }

  async #accept(): Promise<void> {
    for (;;) {
      try {
        void this.#connect(await this.#listener.accept());
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        // Somebody has reset the connection before it was accepted.
      }
    }
  }

  async #connect(near: Deno.Conn): Promise<void> {
    this.#conns.add(near);
    try {
      if (this.server === undefined) return;
      const far = await Deno.connect({
        hostname: "127.0.0.1",
        port: this.server,
      });
      this.#conns.add(far);
      const bytes = { left: this.#cutAfter() };
      const ways = [
        this.#carry(near, far, bytes),
        this.#carry(far, near, bytes),
      ];
      await Promise.race(ways);
      if (bytes.left === 0) this.cuts++;
      this.#close(far);
    } catch {
      // The server is down just now.
    } finally {
      this.#close(near);
    }
  }

  async #carry(
    from: Deno.Conn,
    to: Deno.Conn,
    bytes: { left: number },
  ): Promise<void> {
    const buffer = new Uint8Array(4096);
    try {
      for (let count; (count = await from.read(buffer)) !== null;) {
        let rest = buffer.subarray(0, Math.min(count, bytes.left));
        bytes.left -= rest.length;
        while (rest.length > 0) rest = rest.subarray(await to.write(rest));
        if (bytes.left === 0) return;
      }
    } catch {
      // One of the two is gone; so is the other.
    }
  }

  #close(conn: Deno.Conn): void {
    if (this.#conns.delete(conn)) conn.close();
  }
}

/** A client that keeps all it hears, and all that it says. */
export class Client implements Disposable {
  readonly name: string;
  readonly link: Link;
  /** The messages of each room, in the order in which they came. */
  readonly heard: Record<string, Message[]> = {};
  /** What is not kept of each room, as it was told. */
  readonly gaps: ChatEvent[] = [];
  readonly said = new Map<string, { room: string; text: string }>();
  readonly acknowledged = new Map<string, number | undefined>();
  readonly #ended: Promise<void>;
  #happened = Promise.withResolvers<void>();

  private constructor(name: string, link: Link) {
    this.name = name;
    this.link = link;
    this.#ended = this.#listen();
    // It is looked at when the test comes to that.
    this.#ended.catch(() => {});
  }

  static async connect(
    name: string,
    port: number,
    options: Partial<LinkOptions> = {},
  ): Promise<Client> {
    const link = await Link.connect({
      host: "127.0.0.1",
      port,
      name,
      firstDelayMs: 1,
      maxDelayMs: 20,
      foreignMs: 3_600_000,
      ...options,
    });
    return new Client(name, link);
  }

  say(room: string, text: string): void {
    this.said.set(this.link.say(text, { room }), { room, text });
  }

  /** Says numbered messages in these rooms, one after the other and as fast as they are taken, until it is enough. */
  async talk(rooms: readonly string[], enough: () => boolean): Promise<void> {
    for (let i = 1; !enough(); i++) {
      await this.link.untilFree();
      this.say(rooms[i % rooms.length]!, `${this.name} ${i}`);
    }
  }

  /** Waits until this is true. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      await soon(
        this.#happened.promise,
        () => `${this.name} waits for ${isTrue}`,
      );
    }
  }

  /** Leaves, and has heard all that was sent to it. */
  async leave(): Promise<void> {
    this.link.end();
    await soon(this.#ended, () => `${this.name} does not end`);
  }

  [Symbol.dispose](): void {
    this.link.close();
  }

  async #listen(): Promise<void> {
    for await (const arrivals of this.link.receive()) {
      for (const { event } of arrivals) {
        if (event?.type === "ack") this.acknowledged.set(event.ref, event.seq);
        else if (event?.type === "gap") this.gaps.push(event);
        else if (event?.type === "message") {
          (this.heard[event.room] ??= []).push(event);
        } else if (event?.type === "refused") {
          throw new Error(`${this.name} was refused: ${event.reason}`);
        }
      }
      this.#happened.resolve();
      this.#happened = Promise.withResolvers();
    }
  }
}

/** Where a server keeps its messages; goes with everything in it. */
export class Folder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Folder> {
    return new Folder(await Deno.makeTempDir());
  }

  /** All that is stored in a room. */
  async stored(room: string): Promise<Message[]> {
    return (await this.storedInAll([room])).get(room) ?? [];
  }

  /** All that is stored, by room. */
  async storedInAll(
    rooms?: readonly string[],
  ): Promise<Map<string, Message[]>> {
    const log = await SqliteLog.open(this.path, { historyDays: 0 });
    const stored = new Map<string, Message[]>();
    for (const room of rooms ?? await log.stored(1000)) {
      const { seq } = await log.open(room);
      stored.set(room, await log.read(room, { since: 0, limit: seq + 1 }));
    }
    await log.close();
    return stored;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** A server process, and after it has been killed the next one. */
export class Server implements AsyncDisposable {
  readonly #networks: readonly Network[];
  readonly #flags: readonly string[];
  readonly #open: (...flags: string[]) => Program;
  #program: Program | undefined;
  port = 0;

  /** @param open starts the program */
  constructor(
    networks: readonly Network[],
    flags: readonly string[] = [],
    open: (...flags: string[]) => Program = serverProgram,
  ) {
    this.#networks = networks;
    this.#flags = flags;
    this.#open = open;
  }

  /** The process that is running. */
  get program(): Program {
    if (!this.#program) throw new Error("the server is down");
    return this.#program;
  }

  /** What it logs up to the line that matches. */
  async logsUntil(mark: RegExp): Promise<string[]> {
    return await this.#program?.errors.until(mark) ?? [];
  }

  async start(): Promise<void> {
    this.#program = this.#open("--port", "0", ...this.#flags);
    this.port = await listening(this.#program);
    for (const network of this.#networks) network.server = this.port;
  }

  /** Ends it at once; or in peace, if it is told to stop. */
  async end(signal: Deno.Signal): Promise<void> {
    for (const network of this.#networks) network.server = undefined;
    this.#program?.signal(signal);
    await this.#program?.exit();
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
    this.#program = undefined;
  }
}
