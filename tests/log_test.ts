/** The log of the rooms: what every log does, and what the ones in memory and on disk do besides. */

import { configure, reset } from "@logtape/logtape";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers";
import { MAX_UNACKNOWLEDGED } from "../lib/message.ts";
import { MIGRATIONS } from "../lib/server/database.ts";
import {
  type Extent,
  type Log,
  LogError,
  MemoryLog,
  type MemoryLogOptions,
  type NewMessage,
  type Range,
} from "../lib/server/log.ts";
import { SqliteLog, type SqliteLogOptions } from "../lib/server/sqlite_log.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
} from "./assert.ts";
import {
  noSmallDisk,
  Program,
  shellFault,
  SmallDisk,
  soon,
  testUnless,
  without,
} from "./fixtures.ts";
import { lostOf, tried } from "./reliability.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** When the tests begin. */
const NOW = 1_700_000_000_000;

/** A message in the lobby, unless it says otherwise. */
function message(text: string, more: Partial<NewMessage> = {}): NewMessage {
  return { room: "lobby", from: "alice", text, action: false, ...more };
}

/** A message that the program with this session calls `id`, in the lobby, unless it says otherwise. */
function from(session: string, id: string, room = "lobby"): NewMessage {
  const origin = { session: session.padStart(32, "0"), id };
  return message(id, { room, origin });
}

/** So many things. */
function many<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

/** Messages `1`, `2` ... in the lobby. */
function messages(count: number): NewMessage[] {
  return many(count, (i) => message(`${i + 1}`));
}

/** The texts that are kept of a room. */
async function texts(
  log: Log,
  range: Range = { since: 0, limit: 10_000 },
  room = "lobby",
): Promise<string[]> {
  return (await log.read(room, range)).map(({ text }) => text);
}

/** The seq of each, or `=seq` where it had been stored before. */
async function append(log: Log, ...messages: NewMessage[]): Promise<string[]> {
  return (await log.append(messages)).map(({ seq, repeated }) =>
    `${repeated ? "=" : ""}${seq}`
  );
}

/** Why a log does not do something. */
async function refused(work: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(work, LogError)).message;
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** A test with a folder of its own. */
function test(name: string, fn: (folder: Folder) => Promise<void>): void {
  Deno.test(name, async () => {
    await using folder = await Folder.make();
    await fn(folder);
  });
}

/** Waits for something that comes about in other turns. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const wait = async () => {
    while (!await holds()) await turn();
  };
  await soon(wait(), () => `${holds}`);
}

/** A temporary folder for logs on disk; it goes with all that was opened in it. */
class Folder implements AsyncDisposable {
  readonly path: string;
  /** The time by which its logs go. */
  ms = NOW;
  readonly #logs: SqliteLog[] = [];
  readonly #others: DatabaseSync[] = [];

  constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Folder> {
    return new Folder(await Deno.makeTempDir());
  }

  /** A folder in this one, which need not be there. */
  inner(name = "inner"): Folder {
    return new Folder(`${this.path}/${name}`);
  }

  /** A log with its lobby open, that keeps all and waits for no lock, unless it is said otherwise. */
  async open(options: Partial<SqliteLogOptions> = {}): Promise<SqliteLog> {
    const log = await SqliteLog.open(this.path, {
      historyDays: 0,
      lockedMs: 0,
      now: () => this.ms,
      ...options,
    });
    this.#logs.push(log);
    await log.open("lobby");
    return log;
  }

  /** Why the log cannot be opened, in the one line that says so after the name of the folder. */
  async refusal(
    options: Partial<SqliteLogOptions> = {},
    name = this.path,
  ): Promise<string> {
    return reasonAfter(name, await refused(() => this.open(options)));
  }

  /** What another program would connect to the database with. */
  connect(): DatabaseSync {
    const db = new DatabaseSync(`${this.path}/chat.db`, { timeout: 0 });
    this.#others.push(db);
    return db;
  }

  /** One value from the database. */
  value(sql: string): unknown {
    using db = new DatabaseSync(`${this.path}/chat.db`);
    return Object.values(db.prepare(sql).get() ?? {})[0];
  }

  async files(): Promise<string[]> {
    const files = await Array.fromAsync(Deno.readDir(this.path));
    return files.map(({ name }) => name).sort();
  }

  async close(): Promise<void> {
    for (const db of this.#others) if (db.isOpen) db.close();
    for (const log of this.#logs) await log.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await Deno.remove(this.path, { recursive: true });
  }
}

function reasonAfter(folder: string, line: string): string {
  const start = `Cannot open the log in ${folder}: `;
  assertEquals(line.slice(0, start.length), start);
  assertMatch(line, /^\P{Cc}+$/u);
  return line.slice(start.length);
}

async function memoryLog(options: MemoryLogOptions = {}): Promise<MemoryLog> {
  const log = new MemoryLog({ now: () => NOW, ...options });
  await log.open("lobby");
  return log;
}

/** What a log promises, wherever it keeps its messages; its lobby is open. */
function contract(
  name: string,
  make: (folder: Folder) => Promise<Log>,
): void {
  const it = (
    claim: string,
    fn: (log: Log, clock: { ms: number }) => Promise<void>,
  ) =>
    Deno.test(`${name}${claim}`, async () => {
      await using folder = await Folder.make();
      const log = await make(folder);
      try {
        await fn(log, folder);
      } finally {
        await log.close();
      }
    });

  it(".open() makes an empty log with an identity of its own", async (log) => {
    const { log: id, ...den } = await log.open("den");
    assertEquals(den, { room: "den", first: 1, seq: 0 });
    assertMatch(id, /^[0-9a-f]{16}$/);
    assertNotEquals((await log.open("lobby")).log, id);
  });

  it(".open() finds the same log again, by any case, under its first name", async (log) => {
    const { log: id } = await log.open("Straße");
    await log.append([message("x", { room: "STRASSE" })]);
    const again = { room: "Straße", log: id, first: 1, seq: 1 };
    assertEquals(await log.open("STRASSE"), again);
    assertEquals(await log.open("Straße"), again);
    const [read] = await log.read("strasse", { since: 0, limit: 1 });
    assertEquals(read?.room, "Straße");
  });

  it(".append() numbers each room from 1, without a hole", async (log) => {
    await log.open("den");
    const den = message("x", { room: "den" });
    assertEquals(
      await append(log, message("a"), den, message("b")),
      ["1", "1", "2"],
    );
    assertEquals(await append(log, den), ["2"]);
    assertEquals(await append(log, message("c")), ["3"]);
    assertEquals(await append(log), []);
    assertEquals((await log.open("lobby")).seq, 3);
    assertEquals((await log.open("den")).seq, 2);
  });

  it(".append() says where each stands, and .read() gives all of it back", async (log) => {
    const said = [
      message("hi"),
      message("wäves 👋🏽\tat שלום é \u{10ffff} 'x' -- ?1", { from: "Żoë" }),
      message("x".repeat(100_000), { action: true }),
    ];
    const time = NOW;
    assertEquals(
      await log.append(said),
      said.map((_, i) => ({ seq: i + 1, time, repeated: false })),
    );
    assertEquals(
      await log.read("lobby", { since: 0, limit: 9 }),
      said.map((one, i) => ({ ...one, seq: i + 1, time })),
    );
  });

  it(".append() stores nothing if one of the rooms is not open", async (log) => {
    assertMatch(
      await refused(() => log.append([from("a", "1"), from("a", "2", "den")])),
      /den/,
    );
    assertEquals((await log.open("lobby")).seq, 0);
    assertEquals(await texts(log), []);
    assertEquals(await append(log, from("a", "1")), ["1"]);
  });

  it(
    ".append() does not store a message again, and says where it is, as .find() does",
    async (log, clock) => {
      await log.open("den");
      const [first] = await log.append([from("a", "1")]);
      clock.ms += 1000;
      const place = { ...first!, repeated: true };
      assertEquals(
        await log.append([from("a", "1"), from("a", "1", "den")]),
        [place, place],
      );
      assertEquals(await log.find(from("a", "1").origin!), place);
      assertEquals(await log.find(from("a", "2").origin!), undefined);
      assertEquals(await append(log, message("b")), ["2"]);
      assertEquals(await texts(log), ["1", "b"]);
      assertEquals((await log.open("den")).seq, 0);
    },
  );

  it(".append() finds a repeat among the messages of one call", async (log) => {
    const ids = ["1", "1", "2", "1"];
    const places = await append(log, ...ids.map((id) => from("a", id)));
    assertEquals(places, ["1", "=1", "2", "=1"]);
    assertEquals(await texts(log), ["1", "2"]);
  });

  it(".append() stores hundreds at once, in two rooms, without what is stored already", async (log) => {
    await log.open("den");
    const said = many(200, (i) => from("a", `${i}`, i % 3 ? "den" : "lobby"));
    assertEquals(await append(log, ...said.slice(0, 70)), [
      ...many(70, (i) => `${i % 3 ? i - Math.floor(i / 3) : i / 3 + 1}`),
    ]);
    // The first of them are a repeat; then all are.
    const expected = many(
      200,
      (i) => `${i < 70 ? "=" : ""}${i % 3 ? i - Math.floor(i / 3) : i / 3 + 1}`,
    );
    assertEquals(await append(log, ...said), expected);
    assertEquals(
      await append(log, ...said),
      expected.map((place) => place.replace(/^=?/, "=")),
    );
    for (const [room, count] of [["lobby", 67], ["den", 133]] as const) {
      const all = await log.read(room, { since: 0, limit: 1000 });
      assertEquals(all.map(({ seq }) => seq), many(count, (i) => i + 1));
      assertEquals(
        all.map(({ text }) => text),
        said.filter((one) => one.room === room).map(({ text }) => text),
      );
      assertEquals((await log.open(room)).seq, count);
    }
  });

  it(".append() finds a repeat of what was said in a room that was released since", async (log) => {
    await log.open("den");
    await log.append([from("a", "1", "den")]);
    await log.release("den");
    const { seq } = await log.open("den");
    assertEquals(await append(log, from("a", "1", "den")), ["=1"]);
    assertEquals((await log.open("den")).seq, seq);
  });

  it(".append() takes session and id together for the origin, and nothing for none", async (log) => {
    const different = [
      from("a", "11"),
      from("a1", "1"),
      from("b", "11"),
      from("a", ""),
      from("a", "1"),
      from("a", "👋".repeat(64)),
      from("a", "👋".repeat(63)),
      message("same"),
      message("same"),
    ];
    assertEquals(
      await append(log, ...different),
      different.map((_, i) => `${i + 1}`),
    );
  });

  it(
    ".append() never goes back in time within a room",
    async (log, clock) => {
      await log.open("den");
      const times: number[] = [];
      for (const ms of [0, -5000, -1, 1, -9000]) {
        clock.ms = NOW + ms;
        for (const { time } of await log.append(messages(2))) times.push(time);
      }
      const later = many(4, () => NOW + 1);
      assertEquals(times, [...many(6, () => NOW), ...later]);
      const read = await log.read("lobby", { since: 0, limit: 99 });
      assertEquals(read.map(({ time }) => time), times);
      const [den] = await log.append([message("x", { room: "den" })]);
      assertEquals(den?.time, NOW - 9000);
    },
  );

  it(".read() reads on from a message, and back from one, oldest first", async (log) => {
    await log.open("den");
    await log.append(messages(9));
    await log.append([message("x", { room: "den" })]);
    const cases: [Range, string][] = [
      [{ since: 0, limit: 3 }, "1 2 3"],
      [{ since: 4, limit: 3 }, "5 6 7"],
      [{ since: 7, limit: 3 }, "8 9"],
      [{ since: 9, limit: 3 }, ""],
      [{ since: 99, limit: 3 }, ""],
      [{ since: -5, limit: 3 }, "1 2 3"],
      [{ since: 0, limit: 99 }, "1 2 3 4 5 6 7 8 9"],
      [{ since: 0, limit: 0 }, ""],
      [{ before: 10, limit: 3 }, "7 8 9"],
      [{ before: 5, limit: 3 }, "2 3 4"],
      [{ before: 3, limit: 3 }, "1 2"],
      [{ before: 1, limit: 3 }, ""],
      [{ before: -5, limit: 3 }, ""],
      [{ before: 99, limit: 3 }, "7 8 9"],
      [{ before: Infinity, limit: 3 }, "7 8 9"],
      [{ before: 10, limit: 99 }, "1 2 3 4 5 6 7 8 9"],
      [{ since: 0, limit: -1 }, ""],
      [{ before: 10, limit: 0 }, ""],
      [{ before: 10, limit: -1 }, ""],
    ];
    for (const [range, expected] of cases) {
      const read = (await texts(log, range)).join(" ");
      assertEquals(read, expected, JSON.stringify(range));
    }
    await log.open("empty");
    assertEquals(await texts(log, { since: 0, limit: 9 }, "empty"), []);
    assertEquals(await texts(log, { before: 9, limit: 9 }, "empty"), []);
  });

  it(" does what is asked in the order of the calls", async (log) => {
    const [, ...done] = await Promise.all([
      log.open("den"),
      append(log, from("a", "1", "den")),
      texts(log, undefined, "den"),
      append(log, from("a", "2", "den")),
      texts(log, undefined, "den"),
      log.release("den"),
      texts(log, undefined, "den").catch(({ name }) => name),
    ]);
    assertEquals(
      JSON.stringify(done),
      '[["1"],["1"],["2"],["1","2"],null,"LogError"]',
    );
  });

  it(".release() closes a room, and forgets one of which nothing is kept", async (log) => {
    const { log: id } = await log.open("Den");
    await log.release("DEN");
    await log.release("DEN");
    const den = { room: "Den" };
    assertMatch(await refused(() => log.append([message("x", den)])), /Den/);
    assertMatch(await refused(() => texts(log, undefined, "Den")), /Den/);
    assertEquals(await append(log, message("x")), ["1"]);
    const { log: other, ...again } = await log.open("den");
    assertEquals(again, { room: "den", first: 1, seq: 0 });
    assertNotEquals(other, id);
    assert(!(await log.stored(100)).includes("den"));
  });

  it(".close() is the end: nothing is done any more", async (log) => {
    await log.close();
    await log.close();
    const calls = [
      () => log.open("lobby"),
      () => log.append([message("x")]),
      () => log.find(from("a", "1").origin!),
      () => log.read("lobby", { since: 0, limit: 1 }),
      () => log.stored(100),
      () => log.release("lobby"),
    ];
    for (const call of calls) assertMatch(await refused(call), /closed/);
  });
}

contract("MemoryLog", (folder) => memoryLog({ now: () => folder.ms }));
contract("SqliteLog", (folder) => folder.open());

Deno.test("MemoryLog keeps the last messages of each room, and reads from the first of them", async () => {
  const log = await memoryLog({ keep: 4 });
  const reach = async () => {
    const { first, seq } = await log.open("lobby");
    return { first, seq };
  };
  await log.append(messages(4));
  assertEquals(await reach(), { first: 1, seq: 4 });
  for (let i = 5; i <= 10; i++) await log.append([message(`${i}`)]);
  assertEquals(await reach(), { first: 7, seq: 10 });
  const cases: [Range, string][] = [
    [{ since: 0, limit: 2 }, "7 8"],
    [{ since: 8, limit: 9 }, "9 10"],
    [{ before: 99, limit: 9 }, "7 8 9 10"],
    [{ before: 9, limit: 9 }, "7 8"],
    [{ before: 7, limit: 9 }, ""],
  ];
  for (const [range, expected] of cases) {
    assertEquals((await texts(log, range)).join(" "), expected);
  }
});

Deno.test("MemoryLog keeps 2,048 messages a room unless it is said otherwise", async () => {
  const log = await memoryLog();
  await log.append(messages(5000));
  assertEquals((await log.open("lobby")).first, 5000 - 2048 + 1);
  assertEquals((await texts(log)).length, 2048);
});

Deno.test("MemoryLog keeps nothing of a room that everybody has left", async () => {
  const log = await memoryLog();
  const { log: id } = await log.open("lobby");
  await log.append(messages(3));
  assertEquals(await log.stored(100), []);
  await log.release("lobby");
  const { log: other, ...lobby } = await log.open("lobby");
  assertNotEquals(other, id);
  assertEquals(lobby, { room: "lobby", seq: 0, first: 1 });
  assertEquals(await texts(log), []);
});

Deno.test("MemoryLog remembers the last 1,024 ids of a session, more than may be unacknowledged", async () => {
  assert(MAX_UNACKNOWLEDGED < 1024);
  const log = await memoryLog();
  await log.append([from("b", "0"), ...many(1025, (i) => from("a", `${i}`))]);
  assertEquals(
    await append(log, from("b", "0"), from("a", "1"), from("a", "0")),
    ["=1", "=3", "1027"],
  );
});

Deno.test("MemoryLog forgets of more than 10,000 sessions the one that was silent longest", async () => {
  const log = await memoryLog();
  await log.append(many(10_000, (i) => from(`${i}`, "1")));
  await log.append([from("0", "2")]);
  await log.append([from("10000", "1")]);
  assertEquals(
    await append(log, from("0", "1"), from("2", "1"), from("1", "1")),
    ["=1", "=3", "10003"],
  );
});

Deno.test("MemoryLog remembers a million ids in all", async () => {
  const log = await memoryLog({ keep: 1 });
  for (let session = 0; session < 1000; session++) {
    await log.append(many(1000, (i) => from(`${session}`, `${i}`)));
  }
  assertEquals(await append(log, from("0", "0")), ["=1"]);
  assertEquals(
    await append(log, from("999", "1000"), from("1", "0"), from("0", "0")),
    ["1000001", "=1001", "1000002"],
  );
});

test("SqliteLog has everything again when it is opened again", async (folder) => {
  let log = await folder.open();
  const den = await log.open("Den");
  await log.append([
    from("a", "1", "Den"),
    message("b", { room: "Den", from: "bob", action: true }),
  ]);
  const read = await log.read("Den", { since: 0, limit: 9 });
  await log.close();

  folder.ms -= 5000;
  log = await folder.open();
  assertEquals(await log.open("den"), { ...den, seq: 2 });
  assertEquals(await log.read("Den", { since: 0, limit: 9 }), read);
  assertEquals(
    await log.append([from("a", "1", "den"), from("a", "2", "den")]),
    [
      { seq: 1, time: NOW, repeated: true },
      { seq: 3, time: NOW, repeated: false },
    ],
  );
});

test("SqliteLog makes its folder, for nobody else, and leaves one file to be copied", async (folder) => {
  const inner = folder.inner("a/b");
  const log = await inner.open();
  if (Deno.build.os !== "windows") {
    assertEquals((await Deno.stat(inner.path)).mode! & 0o777, 0o700);
  }
  assertEquals(inner.value("PRAGMA journal_mode"), "wal");
  const wal = ["chat.db", "chat.db-shm", "chat.db-wal", "chat.lock"];
  assertEquals(await inner.files(), wal);
  await log.append(messages(3));
  await log.read("lobby", { before: 9, limit: 2 });
  // As long as somebody else has it open, what is in the WAL would otherwise stay there.
  inner.connect().prepare("SELECT * FROM rooms").all();
  await log.close();
  await using copy = await Folder.make();
  await Deno.copyFile(`${inner.path}/chat.db`, `${copy.path}/chat.db`);
  await inner.close();
  assertEquals(await inner.files(), ["chat.db", "chat.lock"]);
  assertEquals(await texts(await copy.open()), ["1", "2", "3"]);
});

test("SqliteLog.release() keeps a room with messages, and SqliteLog.stored() names those", async (folder) => {
  let log = await folder.open();
  assertEquals(await log.stored(100), []);
  const den = await log.open("Den");
  await log.open("empty");
  await log.append([message("x", { room: "Den" })]);
  assertEquals(await log.stored(100), ["Den"]);
  for (const room of ["Den", "lobby", "empty"]) await log.release(room);
  assertEquals(await log.stored(100), ["Den"]);
  assertEquals(folder.value("SELECT group_concat(name) FROM rooms"), "Den");
  assertEquals(await log.open("den"), { ...den, seq: 1 });
  await log.close();
  log = await folder.open();
  assertEquals(await log.stored(100), ["Den"]);
});

test("SqliteLog.append() fails once its database is deleted or another one, so that nothing is acknowledged that is lost", async (folder) => {
  const log = await folder.open();
  await log.append([message("kept")]);
  const gone = "chat.db is not there any more";
  const fails = async () => {
    folder.ms += 1000;
    assertEquals(await refused(() => log.append([message("lost")])), gone);
  };
  const file = `${folder.path}/chat.db`;
  await Deno.rename(file, `${file}.old`);
  await fails();
  await Deno.copyFile(`${file}.old`, file);
  await fails();
  await Deno.rename(`${file}.old`, file);
  assertEquals(await append(log, message("kept, too")), ["2"]);
});

test("SqliteLog.stored() names first where something was said last, and no more than it is asked for", async (folder) => {
  const log = await folder.open();
  for (const room of ["a", "b", "c"]) await log.open(room);
  for (const room of ["b", "c", "a", "b"]) {
    await log.append([message("x", { room })]);
    folder.ms++;
  }
  assertEquals(await log.stored(100), ["b", "a", "c"]);
  assertEquals(await log.stored(2), ["b", "a"]);
});

test("SqliteLog.append() stores nothing if one message fails, and works afterwards", async (folder) => {
  const log = await folder.open();
  await log.open("den");
  await log.append([message("before")]);
  folder.connect().exec(
    `CREATE TRIGGER fault BEFORE INSERT ON messages WHEN NEW.text = 'boom'
    BEGIN SELECT RAISE(ABORT, 'it went boom'); END`,
  );
  const said = [from("a", "1"), from("a", "2", "den"), message("y")];
  assertEquals(
    await refused(() => log.append([...said, message("boom")])),
    "it went boom",
  );
  assertEquals(folder.value("SELECT count(*) FROM messages"), 1);
  assertEquals((await log.open("lobby")).seq, 1);
  assertEquals(await append(log, ...said), ["2", "1", "3"]);
});

/** A program of a few lines that has `SqliteLog`, and `folder` and `options` to open one. */
function scriptWith(path: string, lines: string): string {
  const source = import.meta.resolve("../lib/server/sqlite_log.ts");
  return `import { SqliteLog } from ${JSON.stringify(source)};
    const folder = ${JSON.stringify(path)};
    const options = { historyDays: 7, lockedMs: 0 };
    ${lines}`;
}

/** Deno with a program on its command line. */
function evaluate(source: string): Program {
  return new Program(Deno.execPath(), ["eval", source]);
}

test("SqliteLog has all that it acknowledged when its process was killed, and is free at once", async (folder) => {
  await using writer = evaluate(scriptWith(
    folder.path,
    `const log = await SqliteLog.open(folder, options);
    await log.open("lobby");
    for (let i = 0;; i += 3) {
      const places = await log.append([1, 2, 3].map((j) => ({
        room: "lobby", from: "alice", text: String(i + j), action: false,
        origin: { session: "a".padStart(32, "0"), id: String(i + j) },
      })));
      console.log(places.at(-1).seq);
    }`,
  ));
  for (let i = 0; i < 200; i++) await writer.out.next();
  assertEquals(
    await folder.refusal(),
    "it is in use by another chat-server",
  );
  writer.signal("SIGKILL");
  await writer.out.rest();
  const acknowledged = Number(writer.out.seen.at(-1));
  assert(acknowledged >= 600);

  const log = await folder.open();
  assertEquals(folder.value("PRAGMA integrity_check"), "ok");
  const { seq } = await log.open("lobby");
  assert(seq >= acknowledged, `${seq} of ${acknowledged}`);
  assertEquals(seq % 3, 0);
  const stored = await texts(log, { since: 0, limit: seq + 1 });
  assertEquals(stored, many(seq, (i) => `${i + 1}`));
  assertEquals(
    await append(log, from("a", `${seq}`), from("a", `${seq + 1}`)),
    [`=${seq}`, `${seq + 1}`],
  );
  tried({
    what: "A process is killed while it writes to the log on disk",
    times: { acknowledged },
    lost: lostOf(
      many(acknowledged, (i) => `${i + 1}`),
      stored.slice(0, acknowledged),
    ),
  });
});

test("SqliteLog lets a program end that does not close it", async (folder) => {
  await using program = evaluate(
    scriptWith(folder.path, "await SqliteLog.open(folder, options);"),
  );
  assertEquals(await program.result(), { code: 0, out: [], errors: [] });
});

test("SqliteLog.open() refuses a folder that is in use, and takes it when it no longer is", async (folder) => {
  const log = await folder.open({ historyDays: 1 });
  const refusal = "it is in use by another chat-server";
  assertEquals(await folder.refusal(), refusal);
  assertEquals(await folder.refusal(), refusal);
  assertEquals(await append(log, ...messages(2)), ["1", "2"]);
  // It is closed only when the deleting that goes on has ended, and then for everybody who asks.
  folder.ms += 2 * DAY_MS;
  const pruned = log.prune();
  let closed = false;
  void log.close().then(() => closed = true);
  await log.close();
  assert(closed);
  assertEquals((await (await folder.open()).open("lobby")).seq, 2);
  await pruned;
});

test("SqliteLog can be read and backed up by another program while it is written", async (folder) => {
  await using copy = await Folder.make();
  const log = await folder.open();
  await log.append(messages(20_000));
  await using other = evaluate(
    `import { backup, DatabaseSync } from "node:sqlite";
    const [from, to] = ${JSON.stringify([folder.path, copy.path])};
    const db = new DatabaseSync(from + "/chat.db", { readOnly: true });
    console.log(db.prepare("SELECT seq FROM messages").all().length >= 20000);
    await backup(db, to + "/chat.db", { rate: -1 });
    console.log("done");`,
  );
  let done = false;
  void other.out.until("done").finally(() => done = true);
  while (!done) {
    await log.append(messages(10));
    await turn();
  }
  assertEquals(other.out.seen, ["true", "done"], `${other.errors.seen}`);
  const copied = await copy.open();
  const { seq } = await copied.open("lobby");
  assert(seq >= 20_000);
  assertEquals((await texts(copied, { since: 0, limit: 1e9 })).length, seq);
  assertEquals(copy.value("PRAGMA integrity_check"), "ok");
});

test("SqliteLog.append() fails while another program locks the database, and works afterwards", async (folder) => {
  const log = await folder.open();
  await log.append(messages(1));
  const other = folder.connect();
  other.exec("BEGIN EXCLUSIVE");
  assertEquals(
    await refused(() => log.append([from("a", "1")])),
    "the log is locked by another program",
  );
  assertEquals(await texts(log), ["1"]);
  other.exec("ROLLBACK");
  assertEquals(await append(log, from("a", "1")), ["2"]);
});

test("SqliteLog.open() refuses a database that another program has locked", async (folder) => {
  const other = folder.connect();
  const refusal = "chat.db is locked by another program";
  for (const state of ["new", "ours"]) {
    other.exec("BEGIN EXCLUSIVE");
    assertEquals(await folder.refusal(), refusal, state);
    other.exec("ROLLBACK");
    await (await folder.open()).close();
  }
});

Deno.test({
  name:
    "SqliteLog keeps what is said for whoever runs the server only, also in a folder that others may read",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await Folder.make();
    await Deno.chmod(folder.path, 0o755);
    const log = await folder.open();
    await log.append([message("hi")]);
    for (const file of ["chat.db", "chat.db-wal", "chat.lock"]) {
      const { mode } = await Deno.stat(`${folder.path}/${file}`);
      assertEquals((mode ?? 0) & 0o777, 0o600, file);
    }
  },
});

Deno.test("SqliteLog.open() refuses what is no database of ours, and leaves it as it is", async () => {
  const foreign = (sql: string) => (path: string) => {
    using db = new DatabaseSync(path);
    db.exec(sql);
  };
  const file = (text: string) => (path: string) =>
    Deno.writeTextFileSync(path, text);
  const another = "chat.db is the database of another program";
  const none = "chat.db is not a database";
  const cases: [(path: string) => void, string][] = [
    [foreign("CREATE TABLE rooms (a); PRAGMA user_version = 1"), another],
    [foreign("PRAGMA application_id = 77"), another],
    [file("no database ".repeat(1000)), none],
    [file("short"), none],
  ];
  for (const [make, refusal] of cases) {
    await using folder = await Folder.make();
    const path = `${folder.path}/chat.db`;
    make(path);
    const before = await Deno.readFile(path);
    assertEquals(await folder.refusal(), refusal);
    assertEquals(await Deno.readFile(path), before);
    assertEquals(await folder.files(), ["chat.db", "chat.lock"]);
    await Deno.remove(path);
    await folder.open();
  }
});

test("SqliteLog.open() refuses files that are something else", async (folder) => {
  await Deno.mkdir(`${folder.path}/chat.db`);
  assertEquals(
    await folder.refusal(),
    "chat.db can be neither opened nor made",
  );
  const lock = `${folder.path}/chat.lock`;
  await Deno.writeTextFile(lock, "no database ".repeat(9));
  assertEquals(await folder.refusal(), "chat.lock is not a database");
});

test("SqliteLog says when the database is damaged, at first or when it is met", async (folder) => {
  const log = await folder.open();
  await log.append(messages(2000));
  await log.close();
  const path = `${folder.path}/chat.db`;
  const bytes = await Deno.readFile(path);
  const page = 4096;

  const damage = (from: number, to?: number) =>
    Deno.writeFile(path, bytes.slice().fill(77, from, to));
  // Behind its header, the first page has the schema.
  await damage(100, page);
  assertEquals(await folder.refusal(), "chat.db is damaged");
  const schema = new TextDecoder("latin1").decode(bytes).indexOf("CREATE");
  await damage(schema, schema + 6);
  assertEquals(await folder.refusal(), "chat.db is damaged");
  await damage(5 * page);
  assertEquals(await refused(() => folder.open()), "the log is damaged");
});

test("SqliteLog.open() brings an older database to the newest version", async (folder) => {
  let log = await folder.open();
  await log.append(messages(2));
  await log.close();
  const version = () => folder.value("PRAGMA user_version");
  assertEquals(version(), MIGRATIONS.length);

  const migrations = [
    ...MIGRATIONS,
    "ALTER TABLE rooms ADD COLUMN topic TEXT; UPDATE rooms SET topic = 'tea'",
    "UPDATE rooms SET topic = topic || '!'",
  ];
  for (let times = 0; times < 2; times++) {
    log = await folder.open({ migrations });
    assertEquals(await texts(log), ["1", "2"]);
    await log.close();
    assertEquals(version(), migrations.length);
    assertEquals(folder.value("SELECT topic FROM rooms"), "tea!");
  }
  const refusal = "chat.db was written by a newer chat-server";
  for (const older of [MIGRATIONS, migrations.slice(0, -1)]) {
    assertEquals(await folder.refusal({ migrations: older }), refusal);
  }
  assertEquals(version(), migrations.length);
});

test("SqliteLog.open() leaves an older database as it was when a step fails", async (folder) => {
  let log = await folder.open();
  await log.append(messages(2));
  await log.close();
  const version = MIGRATIONS.length;
  const schema = "SELECT group_concat(sql) FROM sqlite_schema";
  const before = folder.value(schema);
  const migrations = [
    ...MIGRATIONS,
    "CREATE TABLE topics (a); DELETE FROM messages",
    "CREATE TABLE extra (a); INSERT INTO nowhere VALUES (1)",
  ];
  assertEquals(
    await folder.refusal({ migrations }),
    `version ${version + 2} of chat.db cannot be made: no such table: nowhere`,
  );
  assertEquals(folder.value("PRAGMA user_version"), version);
  assertEquals(folder.value(schema), before);
  log = await folder.open();
  assertEquals(await texts(log), ["1", "2"]);
});

test("SqliteLog.open() refuses what is not a folder", async (folder) => {
  await Deno.writeTextFile(`${folder.path}/file`, "");
  for (const path of ["file", "file/below", "file/far/below"]) {
    const refusal = await folder.inner(path).refusal();
    assertEquals(refusal, "it is not a folder", path);
  }
});

testUnless(
  Deno.build.os === "windows" ? "Windows has no such names" : undefined,
  "SqliteLog.open() says in one line what is wrong in a folder of any name",
  async () => {
    await using folder = await Folder.make();
    const odd = folder.inner("a\n\t\u001b[31m\u2028é👋?%20'\"b");
    const log = await odd.open();
    const name = `${folder.path}/a\ufffd\ufffd\ufffd[31m\ufffdé👋?%20'"b`;
    assertEquals(
      await odd.refusal({}, name),
      "it is in use by another chat-server",
    );
    await log.close();
    const bad = ["SELECT 'a\n\tb' FROM nowhere"];
    assertEquals(
      await odd.refusal({ migrations: [...MIGRATIONS, ...bad] }, name),
      `version ${MIGRATIONS.length + 1} of chat.db cannot be made: ` +
        "no such table: nowhere",
    );
  },
);

/** What a program that opens the log in a folder says about it. */
async function openedBy(
  folder: Folder,
  command: string,
  ...args: string[]
): Promise<string> {
  await using program = new Program(command, args);
  await program.write(scriptWith(
    folder.path,
    "await SqliteLog.open(folder, options).catch((e) => console.log(e.message));",
  ));
  const { out, errors } = await program.result();
  assertEquals([out.length, ...errors], [1]);
  return reasonAfter(folder.path, out[0]!);
}

test("SqliteLog.open() says which permission Deno was not given", async (folder) => {
  const cases: [string[], string][] = [
    [[], "write"],
    [["--allow-read"], "write"],
    [["--allow-write"], "read"],
  ];
  for (const [flags, access] of cases) {
    const args = ["run", "--quiet", "--no-prompt", ...flags, "-"];
    const refusal = await openedBy(folder, Deno.execPath(), ...args);
    assert(refusal.startsWith(`Requires ${access} access`), refusal);
  }
});

testUnless(
  without("setpriv"),
  "SqliteLog.open() refuses a folder that it may not write",
  async () => {
    await using folder = await Folder.make();
    const inner = folder.inner();
    await (await inner.open()).close();
    await Deno.chmod(`${inner.path}/chat.db`, 0o400);
    // Root may write everywhere, unless it is made to be like everybody else.
    const isRoot = shellFault('test "$(id -u)" = 0') === undefined;
    const open = (folder: Folder) =>
      openedBy(
        folder,
        "setpriv",
        ...(isRoot ? ["--bounding-set=-dac_override"] : []),
        Deno.execPath(),
        ...["run", "--quiet", "--allow-read", "--allow-write", "-"],
      );
    assertEquals(await open(inner), "chat.db cannot be written");
    await Deno.remove(`${inner.path}/chat.lock`);
    await Deno.chmod(inner.path, 0o500);
    assertEquals(await open(inner), "chat.lock can be neither opened nor made");
    assertEquals(await open(inner.inner()), "it cannot be made");
    await Deno.chmod(inner.path, 0o700);
  },
);

test("SqliteLog.prune() deletes what is too old, and never turns a counter back", async (folder) => {
  const options = { historyDays: 7 };
  let log = await folder.open(options);
  const lobby = await log.open("lobby");
  const reach = (first: number): Extent => ({ ...lobby, first, seq: 5 });
  await log.open("den");
  await log.append([...messages(3), message("x", { room: "den" })]);
  folder.ms += 1;
  await log.append([from("a", "4"), from("a", "5")]);

  folder.ms += 7 * DAY_MS - 1;
  await log.prune();
  assertEquals(await texts(log), ["1", "2", "3", "4", "5"]);

  folder.ms += 1;
  await log.prune();
  assertEquals(await texts(log), ["4", "5"]);
  assertEquals(await log.open("lobby"), reach(4));
  assertEquals(await texts(log, { before: 5, limit: 9 }), ["4"]);
  assertEquals(await log.stored(100), ["lobby"]);

  folder.ms += 1;
  await log.prune();
  assertEquals(await log.open("lobby"), reach(6));
  assertEquals(await texts(log), []);
  assertEquals(await log.stored(100), []);
  await log.release("lobby");
  assertEquals(await log.open("lobby"), reach(6));
  await log.close();

  log = await folder.open(options);
  assertEquals(await log.open("lobby"), reach(6));
  // What is not kept is not known any more.
  assertEquals(await append(log, from("a", "5"), from("a", "5")), [
    "6",
    "=6",
  ]);
  assertEquals((await log.open("den")).seq, 1);
});

test("SqliteLog.prune() deletes from the beginning of a room only, in every room", async (folder) => {
  const log = await folder.open({ historyDays: 1 });
  const rooms = many(250, (i) => `room${i}`);
  for (const room of rooms) await log.open(room);
  for (const text of ["a", "b"]) {
    await log.append(rooms.map((room) => message(text, { room })));
  }
  // As a clock that went back would have left it, if the log had let it.
  folder.connect().exec(
    `UPDATE messages SET time = ${NOW + 5 * DAY_MS} WHERE seq = 1
    AND room = (SELECT id FROM rooms WHERE name = 'room7')`,
  );
  folder.ms -= 9 * DAY_MS;
  await log.prune();
  assertEquals((await log.stored(1000)).length, 250);
  folder.ms += 12 * DAY_MS;
  await log.prune();
  assertEquals(await log.stored(100), ["room7"]);
  assertEquals(await texts(log, undefined, "room7"), ["a", "b"]);
});

test("SqliteLog.prune() gives everybody else their turn after at most 500 messages", async (folder) => {
  const log = await folder.open({ historyDays: 1 });
  await log.open("den");
  await log.append([...messages(1250), message("x", { room: "den" })]);
  folder.ms += 9 * DAY_MS;
  await log.append([message("new")]);
  await log.prune();
  await log.append([message("newer")]);
  assertEquals(await texts(log), ["new", "newer"]);

  const kept: unknown[] = [];
  await log.append([...messages(1250), message("x", { room: "den" })]);
  folder.ms += 9 * DAY_MS;
  await log.append([message("newest")]);
  let pruning = true;
  const pruned = log.prune().finally(() => pruning = false);
  assert(log.prune() === log.prune());
  while (pruning) {
    kept.push(folder.value("SELECT count(*) FROM messages"));
    await turn();
  }
  await pruned;
  assertEquals([...new Set(kept)], [754, 254, 2, 1]);
  assertEquals(await texts(log), ["newest"]);
});

test("SqliteLog deletes what is too old when it is opened, and again and again", async (folder) => {
  let log = await folder.open();
  await log.append([message("old")]);
  folder.ms += 9 * DAY_MS;
  await log.append([message("new")]);
  await log.close();

  log = await folder.open({ historyDays: 7 });
  await until(async () => (await texts(log)).join() === "new");
  await log.close();

  log = await folder.open({ historyDays: 7, pruneEveryMs: 1 });
  await log.prune();
  assertEquals(await texts(log), ["new"]);
  for (const text of ["a", "b"]) {
    folder.ms += 8 * DAY_MS;
    await until(async () => (await texts(log)).length === 0);
    await log.append([message(text)]);
  }
});

test("SqliteLog keeps all if it is told to", async (folder) => {
  const log = await folder.open();
  await log.append(messages(1));
  folder.ms += 1e6 * DAY_MS;
  await log.prune();
  assertEquals(await texts(log), ["1"]);
});

test("SqliteLog says when it cannot delete what is too old, and tries again", async (folder) => {
  const said = Promise.withResolvers<unknown[]>();
  await configure({
    sinks: {
      said: ({ level, rawMessage, properties }) =>
        said.resolve([level, rawMessage, properties]),
    },
    loggers: [
      { category: "chat", sinks: ["said"] },
      { category: ["logtape", "meta"], sinks: [] },
    ],
  });
  try {
    const log = await folder.open({ historyDays: 7, pruneEveryMs: 1 });
    await log.append(messages(1));
    const other = folder.connect();
    other.exec("BEGIN EXCLUSIVE");
    folder.ms += 9 * DAY_MS;
    assertEquals(await soon(said.promise, () => "nothing is said"), [
      "error",
      "cannot delete what is too old",
      { reason: "the log is locked by another program" },
    ]);
    other.exec("ROLLBACK");
    await until(async () => (await texts(log)).length === 0);
  } finally {
    await reset();
  }
});

Deno.test({
  name: "SqliteLog.close() ends the deleting between two slices",
  // No timer is left behind.
  sanitizeOps: true,
  fn: async () => {
    await using folder = await Folder.make();
    let log = await folder.open();
    await log.append(messages(1250));
    await log.close();
    folder.ms += 9 * DAY_MS;
    log = await folder.open({ historyDays: 1 });
    await log.close();
    assertEquals(folder.value("SELECT count(*) FROM messages"), 750);
  },
});

/** A test with a folder that is a disk of its own. */
function onSmallDisk(
  name: string,
  fn: (folder: Folder, disk: SmallDisk) => Promise<void>,
): void {
  testUnless(noSmallDisk, name, async () => {
    await using disk = await SmallDisk.make();
    const folder = new Folder(disk.path);
    try {
      await fn(folder, disk);
    } finally {
      await folder.close();
    }
  });
}

for (const freeKiB of [0, 4, 8, 16, 32, 36]) {
  onSmallDisk(
    `SqliteLog.open() says that the disk is full, with ${freeKiB} KiB left`,
    async (folder, disk) => {
      const full = /^the disk (is|fails or is) full$/;
      await disk.fill(freeKiB);
      assertMatch(await folder.refusal(), full);
      await disk.empty();
      await (await folder.open()).close();
      await disk.fill();
      assertMatch(await folder.refusal(), full);
      assertMatch(await folder.inner().refusal(), full);
    },
  );
}

onSmallDisk(
  "SqliteLog.open() says that the disk is full when its folder cannot be made",
  async (folder, disk) => {
    disk.remount("nr_inodes=1");
    assertEquals(await folder.inner().refusal(), "the disk is full");
  },
);

onSmallDisk(
  "SqliteLog.append() fails while the disk is full, and works afterwards",
  async (folder, disk) => {
    let log = await folder.open();
    const text = "x".repeat(1000);
    const expected: string[] = [];
    for (let times = 0; times < 3; times++) {
      await disk.fill();
      // What was written before may leave a little room.
      const fill = async () => {
        for (;;) {
          await log.append([message(text), message(text)]);
          expected.push(text, text);
        }
      };
      assertEquals(await refused(fill), "the disk is full");
      const next = from("a", `${times}`);
      await refused(() => log.append([next]));
      assertEquals(await texts(log), expected);
      await disk.empty();
      expected.push(next.text);
      assertEquals(await append(log, next), [`${expected.length}`]);
    }
    await log.close();
    log = await folder.open();
    assertEquals(await texts(log), expected);
    assertEquals(folder.value("PRAGMA integrity_check"), "ok");
  },
);

onSmallDisk(
  "SqliteLog.open() refuses a disk that cannot be written",
  async (folder, disk) => {
    disk.remount("ro");
    assertEquals(
      await folder.refusal(),
      "chat.lock can be neither opened nor made",
    );
    assertEquals(await folder.inner().refusal(), "it cannot be made");
    disk.remount("rw");
    await (await folder.open()).close();
    disk.remount("ro");
    assertEquals(await folder.refusal(), "chat.lock cannot be written");
    disk.remount("rw");
    await folder.open();
  },
);
