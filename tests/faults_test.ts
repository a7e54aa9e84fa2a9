/**
 * What must not lose, repeat or reorder anything: a server process that is killed, connections that are cut at any
 * byte, absences, one session in two places, a disk that is full.
 */

import { Link, type LinkOptions } from "../lib/client/link.ts";
import { type ChatEvent, LOBBY, type Message } from "../lib/message.ts";
import { SqliteLog } from "../lib/server/sqlite_log.ts";
import { assert, assertEquals } from "./assert.ts";
import {
  Bot,
  clientProgram,
  type Frame,
  listening,
  noSmallDisk,
  type Program,
  serverProgram,
  SmallDisk,
  soon,
  testUnless,
  Visitor,
} from "./fixtures.ts";

/** Numbers from 0 to 1 that look random and are the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The network: connections that go to wherever the server is now, and are cut. */
class Network implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #conns = new Set<Deno.Conn>();
  readonly #cutAfter: () => number;
  /** Where the server is; a connection that begins while there is none ends at once. */
  server: number | undefined;
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
    for await (const conn of this.#listener) void this.#connect(conn);
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
class Client implements Disposable {
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
class Folder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Folder> {
    return new Folder(await Deno.makeTempDir());
  }

  /** All that is stored in a room. */
  async stored(room: string): Promise<Message[]> {
    const log = await SqliteLog.open(this.path, { historyDays: 0 });
    const { seq } = await log.open(room);
    const messages = await log.read(room, { since: 0, limit: seq + 1 });
    await log.close();
    return messages;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** A server process, and after it has been killed the next one. */
class Server implements AsyncDisposable {
  readonly #networks: readonly Network[];
  readonly #flags: readonly string[];
  #program: Program | undefined;
  port = 0;

  constructor(networks: readonly Network[], ...flags: string[]) {
    this.#networks = networks;
    this.#flags = flags;
  }

  /** What it logs up to the line that matches. */
  async logsUntil(mark: RegExp): Promise<string[]> {
    return await this.#program?.errors.until(mark) ?? [];
  }

  async start(): Promise<void> {
    this.#program = serverProgram("--port", "0", ...this.#flags);
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

/** What matters of a message. */
function lines(messages: readonly Message[] = []): string[] {
  return messages.map(({ seq, from, text }) => `${seq} <${from}> ${text}`);
}

Deno.test("Whatever is cut and killed, every client hears every message of every room once and in one order, and all are acknowledged", async () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  try {
    await surviveFaults(randomFrom(seed));
  } catch (error) {
    throw new Error(`with the seed ${seed}`, { cause: error });
  }
});

async function surviveFaults(random: () => number): Promise<void> {
  const kills = 5;
  const cuts = 20;
  const rooms = [LOBBY, "dev"];
  await using folder = await Folder.make();
  // From 100 bytes, in the middle of a hello, to 200 KB, and each size as likely as its double. Not before
  // everybody is welcome: the next hello of somebody who was not would be another session.
  let isCutting = false;
  using network = new Network(() =>
    isCutting ? Math.floor(100 * 2000 ** random()) : Infinity
  );
  await using server = new Server([network], "--data", folder.path);
  await server.start();

  const connect = (name: string) =>
    Client.connect(name, network.port, { maxUnacknowledged: 100 });
  using ann = await connect("ann");
  using bob = await connect("bob");
  using cat = await connect("cat");
  const clients = [ann, bob, cat];
  await Promise.all(clients.map((client) => client.link.join("dev")));
  isCutting = true;
  network.break();
  network.server = server.port;

  let isEnough = false;
  const talking = clients.map((client) => client.talk(rooms, () => isEnough));
  for (let killed = 0; killed < kills || network.cuts < cuts;) {
    // Everybody says, and hears, something in the life of each server.
    await Promise.all(clients.map(async (client) => {
      const before = client.acknowledged.size;
      await client.until(() => client.acknowledged.size > before + 100);
    }));
    if (killed === kills) continue;
    await server.end("SIGKILL");
    await server.start();
    killed++;
  }
  isEnough = true;
  await Promise.all(talking);
  for (const client of clients) {
    await soon(client.link.untilAcknowledged(), () => "not all acknowledged");
    for (const room of rooms) client.say(room, "end");
  }
  for (const client of clients) {
    await soon(client.link.untilAcknowledged(), () => "not all acknowledged");
    await client.until(() =>
      rooms.every((room) =>
        client.heard[room]?.filter(({ text }) => text === "end").length === 3
      )
    );
    await client.leave();
  }
  await server.end("SIGTERM");

  for (const room of rooms) {
    const stored = await folder.stored(room);
    assertEquals(stored.map(({ seq }) => seq), stored.map((_, i) => i + 1));
    for (const { name, heard, said, acknowledged } of clients) {
      assertEquals(lines(heard[room]), lines(stored), `${name} in ${room}`);
      const own = [...said].filter(([, message]) => message.room === room);
      assertEquals(
        stored.filter(({ from }) => from === name).map(({ text }) => text),
        own.map(([, { text }]) => text),
        `what ${name} said in ${room}`,
      );
      for (const [id, { text }] of own) {
        const seq = acknowledged.get(id);
        assert(seq !== undefined, `${name} ${id}`);
        assertEquals(stored[seq - 1]?.text, text);
      }
    }
  }
}

Deno.test("chat-client < file has every line stored once and in order, though the server is killed and connections are cut", async () => {
  const count = 5000;
  await using folder = await Folder.make();
  const budgets = [30_000, 2000, 50_000];
  using cutting = new Network(() => budgets.shift() ?? Infinity);
  using network = new Network();
  await using server = new Server([network, cutting], "--data", folder.path);
  await server.start();
  using ann = await Client.connect("ann", network.port);

  await using client = clientProgram("bob", String(cutting.port));
  const texts = Array.from({ length: count }, (_, i) => `line ${i + 1}`);
  const written = client.write(`${texts.join("\n")}\n`)
    .then(() => client.closeInput());
  await ann.until(() => (ann.heard[LOBBY]?.length ?? 0) > 300);
  await server.end("SIGKILL");
  await server.start();
  await written;
  assertEquals(await client.exit(), 0);
  assertEquals(cutting.cuts, 3);

  await ann.until(() => ann.heard[LOBBY]!.length >= count);
  await ann.leave();
  const expected = texts.map((text, i) => `${i + 1} <bob> ${text}`);
  assertEquals(lines(ann.heard[LOBBY]), expected);
  await server.end("SIGTERM");
  assertEquals(lines(await folder.stored(LOBBY)), expected);
});

Deno.test("A client that was away while more was said than the log in memory keeps is told what is missing, and reads on", async () => {
  const { kept, count } = { kept: 2048, count: 5000 };
  using network = new Network();
  using steady = new Network();
  await using server = new Server([network, steady]);
  await server.start();
  using ann = await Client.connect("ann", network.port);
  using bob = await Client.connect("bob", steady.port);
  const sayTo = async (last: number) => {
    while (bob.said.size < last) {
      await bob.link.untilFree();
      bob.say(LOBBY, `line ${bob.said.size + 1}`);
    }
    await bob.link.untilAcknowledged();
  };
  await sayTo(10);
  await ann.until(() => ann.heard[LOBBY]?.length === 10);
  network.break();
  await ann.until(() => !ann.link.isConnected);
  await sayTo(count);
  network.server = server.port;
  await ann.until(() => ann.heard[LOBBY]!.at(-1)!.seq === count);
  await sayTo(count + 10);
  await ann.until(() => ann.heard[LOBBY]!.at(-1)!.seq === count + 10);

  const missing = { from: 11, to: count - kept };
  assertEquals(ann.gaps, [{ type: "gap", room: LOBBY, ...missing }]);
  assertEquals(
    lines(ann.heard[LOBBY]!.slice(10)),
    Array.from({ length: kept + 10 }, (_, i) => missing.to + i + 1)
      .map((seq) => `${seq} <bob> line ${seq}`),
  );
  await Promise.all([ann.leave(), bob.leave()]);
  await server.end("SIGTERM");
});

Deno.test("What two connections say with one session and the same ids is stored once, and acknowledged to whoever is left", async () => {
  const session = "5e".repeat(16);
  await using folder = await Folder.make();
  using network = new Network();
  await using server = new Server([network], "--data", folder.path);
  await server.start();
  const says = Array.from({ length: 500 }, (_, i) => ({
    type: "say",
    id: String(i + 1),
    room: LOBBY,
    text: `line ${i + 1}`,
  }));
  using first = await Bot.connect(network.port);
  await first.hello({ session, name: "ann" });
  using second = await Bot.connect(network.port);
  const sent = first.send(...says).catch(() => {});
  await second.send({ type: "hello", v: 1, session, name: "ann" }, ...says);
  await sent;
  const frames: Frame[] = [];
  while (frames.at(-1)?.["id"] !== says.at(-1)?.id) {
    const frame = await second.frame();
    assert(frame);
    frames.push(frame);
  }
  frames.push(...await second.heard());
  // What the first had said may be acknowledged to the second, and then again.
  const acks = new Map(
    frames.filter(({ type }) => type === "ack").map(({ id, seq }) => [id, seq]),
  );
  assertEquals([...acks], says.map(({ id }, i) => [id, i + 1]));
  const welcome = frames.find(({ type }) => type === "welcome");
  assertEquals(welcome?.["name"], "ann");
  const farewell = (await first.rest()).at(-1);
  assertEquals(farewell?.type, "bye");
  await server.end("SIGKILL");
  assertEquals(
    lines(await folder.stored(LOBBY)),
    says.map(({ text }, i) => `${i + 1} <ann> ${text}`),
  );
});

testUnless(
  noSmallDisk,
  "A disk that is full refuses what is said to whoever says it, stops nothing else, and loses nothing that was acknowledged",
  async () => {
    await using disk = await SmallDisk.make();
    const data = `${disk.path}/chat`;
    using network = new Network();
    await using server = new Server([network], "--data", data);
    await server.start();
    using ann = await Bot.connect(network.port);
    await ann.hello({ session: "a1".repeat(16), name: "ann" });
    using nc = await Visitor.connect(network.port);
    await nc.enter("nc");
    assertEquals((await ann.heard()).at(-1)?.type, "joined");

    const answers: Record<string, unknown>[] = [];
    const say = async (id: number) => {
      const text = `${id} ${"x".repeat(500)}`;
      await ann.send({ type: "say", id: `${id}`, room: LOBBY, text });
      for (;;) {
        const frame = await ann.frame();
        assert(frame);
        if (frame["id"] !== `${id}`) continue;
        answers.push(frame);
        return frame;
      }
    };
    await say(1);
    await disk.fill();
    let id = 2;
    // What SQLite has room for in its files goes on for a while.
    while ((await say(id)).type === "ack" && id < 10_000) id++;
    const refused = answers.at(-1)!;
    assertEquals(refused["type"], "error");
    assertEquals(refused["code"], "storage");
    assertEquals(
      refused["message"],
      "it could not be stored: the disk is full",
    );

    // Whoever is at netcat has heard exactly what was acknowledged, is refused too, and everything else goes on.
    const heard = await nc.heard();
    assertEquals(
      heard.map((line) => line.slice(0, 12)),
      answers.slice(0, -1).map((_, i) =>
        `<ann> ${i + 1} xxxxxxxx`.slice(0, 12)
      ),
    );
    await nc.send("one more\n");
    assertEquals(
      await nc.line(),
      "-- refused (it could not be stored: the disk is full): one more",
    );
    await nc.send("/nick nick\n/who\n");
    assertEquals(await nc.take(2), [
      "[nc] is now [nick]",
      "-- 2 here: ann, nick",
    ]);

    await disk.empty();
    assertEquals((await say(id)).type, "ack");
    assertEquals(
      (await nc.line())?.slice(0, 12),
      `<ann> ${id} xxxxxx`.slice(0, 12),
    );
    // Not for every message, but when it begins and when it ends.
    const logged = await server.logsUntil(/what is said is stored again$/);
    assertEquals(
      logged.filter((line) => line.includes("store"))
        .map((line) => line.replace(/^\S+ /, "")),
      ['error cannot store what is said reason="the disk is full"'],
    );
    await server.end("SIGKILL");
    const log = await SqliteLog.open(data, { historyDays: 0 });
    await log.open(LOBBY);
    const stored = await log.read(LOBBY, { since: 0, limit: 10_000 });
    await log.close();
    assertEquals(
      stored.map(({ seq, text }) => [seq, text.split(" ")[0]]),
      Array.from({ length: id }, (_, i) => [i + 1, `${i + 1}`]),
    );
  },
);

testUnless(
  noSmallDisk,
  "chat-server says in one line that the disk is full, and exits 1",
  async () => {
    await using disk = await SmallDisk.make();
    await disk.fill();
    const data = `${disk.path}/chat`;
    await using program = serverProgram("--port", "0", "--data", data);
    assertEquals(await program.result(), {
      code: 1,
      out: [],
      errors: [
        `chat-server: Cannot open the log in ${data}: the disk is full`,
      ],
    });
  },
);
