/** A session with a connection of which the test decides what is read and what is written. */

import { setImmediate } from "node:timers";
import { isLoopback } from "../lib/server/admission.ts";
import { Entry, EntryPassword } from "../lib/server/entry.ts";
import { Hub } from "../lib/server/hub.ts";
import { MemoryLog } from "../lib/server/log.ts";
import { DEFAULT_LIMITS } from "../lib/server/limits.ts";
import { Tries } from "../lib/server/tries.ts";
import { Turns } from "../lib/server/turns.ts";
import { Session } from "../lib/server/session.ts";
import { render } from "../lib/wire/text.ts";
import { assert, assertEquals } from "./assert.ts";
import { Room, soon } from "./fixtures.ts";
import { Reader } from "./house.ts";

const encoder = new TextEncoder();
const TIMING_MARK = [255, 253, 6];
const REFUSAL = [255, 252, 6];

/** What a session does to its connection. */
class FakeConn {
  readonly toRead: Uint8Array[] = [];
  readonly bufferSizes: number[] = [];
  readonly writes: Uint8Array[] = [];
  readonly ended = Promise.withResolvers<null>();
  closed = false;

  get reads(): number {
    return this.bufferSizes.length;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    this.bufferSizes.push(buffer.length);
    const bytes = this.toRead.shift();
    if (!bytes) return this.ended.promise;
    const read = bytes.subarray(0, buffer.length);
    buffer.set(read);
    if (read.length < bytes.length) {
      this.toRead.unshift(bytes.subarray(read.length));
    }
    return Promise.resolve(read.length);
  }

  write(bytes: Uint8Array): Promise<number> {
    this.writes.push(bytes);
    return Promise.resolve(bytes.length);
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.closed = true;
  }
}

const LIMITS = {
  ...DEFAULT_LIMITS,
  firstLineMs: 3_600_000,
  partingMs: 3_600_000,
};

async function run(
  conn: FakeConn,
  { host = "127.0.0.1", limits = LIMITS } = {},
): Promise<void> {
  const turns = new Turns();
  const options = { limits, greeting: { server: "here", motd: [] } };
  const hub = await Hub.open(turns, new MemoryLog(), options);
  const session = new Session(
    conn as unknown as Deno.Conn,
    {
      address: `${host}:1`,
      network: { name: host, isLoopback: isLoopback(host), count: 1 },
    },
    { hub, turns, limits, entry: new Entry(new Tries(limits)), onGone() {} },
  );
  await soon(session.run(), () => "the session does not end");
}

/** One turn of the event loop. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

Deno.test("Session reads at most once a turn", async () => {
  const conn = new FakeConn();
  for (let i = 0; i < 20; i++) conn.toRead.push(encoder.encode("hi\n"));
  const running = run(conn);
  let most = 0;
  while (conn.reads < 21) {
    const before = conn.reads;
    await turn();
    most = Math.max(most, conn.reads - before);
  }
  conn.ended.resolve(null);
  await running;
  assertEquals(most, 1);
});

Deno.test("Session reads little from whoever says little, and 4 KiB from whoever says more", async () => {
  const conn = new FakeConn();
  const line = (length: number) => encoder.encode(`${"x".repeat(length)}\n`);
  conn.toRead.push(line(10), line(255), line(99), line(300), line(99));
  const running = run(conn);
  while (conn.reads < 7) await turn();
  conn.ended.resolve(null);
  await running;
  assertEquals(conn.bufferSizes, [256, 256, 4096, 256, 4096, 256, 256]);
});

Deno.test("Session reads on after an endless line, and closes only when the other side has closed", async () => {
  const conn = new FakeConn();
  for (let i = 0; i < 30; i++) conn.toRead.push(new Uint8Array(2048).fill(120));
  const running = run(conn);
  while (conn.reads < 31) await turn();
  assertEquals(conn.closed, false);
  conn.ended.resolve(null);
  await running;
  assert(conn.closed);
});

Deno.test("Session ends well when the other side is gone before it could be half-closed", async () => {
  const conn = new FakeConn();
  conn.closeWrite = () => Promise.reject(new Error("gone"));
  conn.ended.resolve(null);
  await run(conn);
  assert(conn.closed);
});

Deno.test("Session answers timing marks one at a time, each of them and all of it", async () => {
  const conn = new FakeConn();
  const answers: PromiseWithResolvers<number>[] = [];
  conn.write = (bytes) => {
    conn.writes.push(bytes);
    answers.push(Promise.withResolvers());
    return answers.at(-1)!.promise;
  };
  conn.toRead.push(
    Uint8Array.from([...TIMING_MARK, ...TIMING_MARK]),
    Uint8Array.from(TIMING_MARK),
  );
  const running = run(conn);
  while (conn.reads < 3) await turn();
  assertEquals(answers.length, 1);
  // Of the first answer, only one byte is taken at first.
  const taken: number[] = [];
  for (let i = 0; taken.length < 9; i++) {
    while (answers.length <= i) await turn();
    const count = i === 0 ? 1 : conn.writes[i]!.length;
    taken.push(...conn.writes[i]!.subarray(0, count));
    answers[i]!.resolve(count);
  }
  assertEquals(taken, [...REFUSAL, ...REFUSAL, ...REFUSAL]);
  conn.ended.resolve(null);
  await running;
});

Deno.test("Session answers a timing mark that comes after another was answered", async () => {
  await using room = await Room.open();
  const conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: room.server.port,
  });
  for (let i = 0; i < 2; i++) {
    await conn.write(Uint8Array.from(TIMING_MARK));
    const buffer = new Uint8Array(10);
    const count = await soon(
      conn.read(buffer),
      () => "no answer to the timing mark",
    );
    assertEquals([...buffer.subarray(0, count ?? 0)], REFUSAL);
  }
  conn.close();
});

Deno.test("Session outlives a timing mark that cannot be answered", async () => {
  const conn = new FakeConn();
  conn.write = () => Promise.reject(new Error("reset"));
  conn.toRead.push(Uint8Array.from(TIMING_MARK));
  const running = run(conn);
  while (conn.reads < 2) await turn();
  conn.ended.resolve(null);
  await running;
});

Deno.test("Session heeds no further line of who does not take 16 KiB of answers", async () => {
  const conn = new FakeConn();
  const gate = Promise.withResolvers<void>();
  let written = "";
  conn.write = async (bytes) => {
    await gate.promise;
    written += new TextDecoder().decode(bytes);
    return bytes.length;
  };
  conn.toRead.push(
    encoder.encode("/help\n".repeat(300)),
    encoder.encode("/quit\n"),
  );
  const running = run(conn);
  // What was asked for first is offered, and nothing more happens: the second read does not come.
  for (let i = 0; i < 100; i++) await turn();
  assertEquals(conn.reads, 1);
  conn.ended.resolve(null);
  gate.resolve();
  await running;
  assertEquals(
    written.split("\n").filter((line) => line.startsWith("-- /quit "))
      .length,
    300,
  );
});

Deno.test("Session drops a member for whom more than 96 KiB wait, and nobody for whom as much waits", async () => {
  const turns = new Turns();
  const greeting = { server: "here", motd: [] };
  const hub = await Hub.open(turns, new MemoryLog(), {
    limits: LIMITS,
    greeting,
  });
  const ann = new Reader(hub, turns);
  ann.connection.outbox.open(render);
  await hub.enter(ann.member, { name: "ann", ref: "" });
  const conn = new FakeConn();
  // The greeting is taken, and nothing after it.
  const take = conn.write.bind(conn);
  conn.write = (bytes) =>
    conn.writes.length === 0 ? take(bytes) : new Promise(() => {});
  conn.toRead.push(encoder.encode("/nick slow\n"));
  const session = new Session(
    conn as unknown as Deno.Conn,
    {
      address: "127.0.0.1:1",
      network: { name: "127.0.0.1", isLoopback: true, count: 1 },
    },
    {
      hub,
      turns,
      limits: { ...LIMITS, partingMs: 1 },
      entry: new Entry(new Tries(LIMITS)),
      onGone() {},
    },
  );
  const running = session.run();
  while (conn.writes.length < 1) await turn();
  for (let i = 0; i < 10; i++) await turns.ended();
  const say = async (bytes: number) => {
    const text = "x".repeat(bytes - "<ann> \n".length);
    const said = { type: "say" as const, text, action: false, ref: "" };
    void hub.handle(ann.member, said);
    for (let i = 0; i < 3; i++) await turns.ended();
  };
  await say(100);
  for (;;) {
    const left = 98_304 - session.outbox.waitingBytes;
    if (left === 0) break;
    await say(left > 1000 ? 500 : left);
  }
  assertEquals(hub.count.members, 2);
  await say(8);
  assertEquals(hub.count.members, 1);
  // What was offered, and why; the rest takes no memory any more.
  assert(session.outbox.waitingBytes < 300, `${session.outbox.waitingBytes}`);
  conn.ended.resolve(null);
  await running;
});

Deno.test("Session hears ten lines at once from another machine, and all from this one", async () => {
  for (
    const [host, heard] of [
      ["192.0.2.1", 10],
      ["2001:db8::1", 10],
      ["::ffff:192.0.2.1", 10],
      ["127.0.0.1", 15],
      ["::1", 15],
      ["::ffff:127.0.0.1", 15],
    ] as const
  ) {
    const conn = new FakeConn();
    // One more an hour.
    const limits = { ...LIMITS, rate: 1 / 3600, lookMs: 1 };
    conn.toRead.push(encoder.encode("/x\n".repeat(15)));
    const running = run(conn, { host, limits });
    const answers = () =>
      conn.writes.map((bytes) => new TextDecoder().decode(bytes)).join("")
        .split("\n").filter((line) => line.endsWith(": /x")).length;
    for (let i = 0; i < 100; i++) await turn();
    assertEquals(answers(), heard, host);
    limits.rate = 0;
    conn.ended.resolve(null);
    await running;
    assertEquals(answers(), 15, host);
  }
});

Deno.test("Session greets nobody again when the time for silence is over", async () => {
  await using room = await Room.open({ firstLineMs: 300 });
  using ann = await room.enter("ann");
  using silent = await room.connect();
  assertEquals(
    await silent.line(),
    "-- welcome, you are guest1; 1 other is here; /help lists the commands",
  );
  assertEquals(await ann.heard(), ["[guest1] entered room"]);
});

Deno.test("Session greets nobody who is parting", async () => {
  await using room = await Room.open({ firstLineMs: 300 });
  using ann = await room.enter("ann");
  using endless = await room.connect();
  await endless.send(new Uint8Array(8193).fill(120));
  await endless.line();
  // Greeted later, because they came later.
  using silent = await room.connect();
  await silent.line();
  await ann.send("/who\n");
  assertEquals(await ann.heard(), [
    "[guest1] entered room",
    "-- 2 here: ann, guest1",
  ]);
});

Deno.test("Session closes at once when there is nothing to write but the farewell", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await ann.send("said to nobody");
  await ann.halfClose();
  assertEquals(await ann.rest(), ["-- bye: end of input"]);
});

Deno.test("Session says of a last line that is a byte too long that it is, and not that all was taken", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await ann.send("x".repeat(8192));
  await ann.send(Uint8Array.of(255));
  await ann.halfClose();
  assertEquals(await ann.rest(), ["-- bye: a line has at most 8192 bytes"]);
});

Deno.test("Session does not let in whoever is banned while they are asked for the password", async () => {
  const turns = new Turns();
  const options = { limits: LIMITS, greeting: { server: "here", motd: [] } };
  const hub = await Hub.open(turns, new MemoryLog(), options);
  hub.bannedFrom = () => "you are banned: spam";
  const entry = new Entry(new Tries(LIMITS), new EntryPassword("sesame"));
  const conn = new FakeConn();
  conn.toRead.push(encoder.encode("sesame\n/nick eve\n"));
  conn.ended.resolve(null);
  const session = new Session(
    conn as unknown as Deno.Conn,
    {
      address: "192.0.2.7:1",
      network: { name: "192.0.2.7", isLoopback: false, count: 1 },
    },
    { hub, turns, limits: LIMITS, entry, onGone() {} },
  );
  await soon(session.run(), () => "the session does not end");
  const said = conn.writes.map((bytes) => new TextDecoder().decode(bytes));
  assertEquals(said.join(""), "-- password?\n-- bye: you are banned: spam\n");
  assertEquals(turns.tally.drops["banned"], 1);
  assertEquals(hub.count.members, 0);
});
