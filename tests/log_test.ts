/** The log of the rooms: what every log does, and what the ones in memory and on disk do besides. */

import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers";
import {
  type Log,
  LogError,
  MemoryLog,
  type NewMessage,
  type Range,
} from "../lib/server/log.ts";
import {
  MIGRATIONS,
  SqliteLog,
  type SqliteLogOptions,
} from "../lib/server/sqlite_log.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
} from "./assert.ts";
import { Program, soon, testUnless } from "./fixtures.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** A message in the lobby, unless it says otherwise. */
function message(text: string, more: Partial<NewMessage> = {}): NewMessage {
  return { room: "lobby", from: "alice", text, action: false, ...more };
}

/** A message that a program in session `s` calls `id`. */
function from(session: string, id: string, text = id): NewMessage {
  return message(text, { origin: { session, id } });
}

function messages(count: number, prefix = "m"): NewMessage[] {
  return Array.from({ length: count }, (_, i) => message(`${prefix}${i + 1}`));
}

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

/** A temporary folder for a log on disk; it goes with all that was opened in it. */
class Folder implements AsyncDisposable {
  readonly path: string;
  readonly #logs: SqliteLog[] = [];
  readonly #others: DatabaseSync[] = [];

  constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Folder> {
    return new Folder(await Deno.makeTempDir());
  }

  /** A log that keeps all, and waits for no lock, unless it is said otherwise. */
  async open(options: Partial<SqliteLogOptions> = {}): Promise<SqliteLog> {
    const all = { historyDays: 0, lockedMs: 0, ...options };
    const log = await SqliteLog.open(this.path, all);
    this.#logs.push(log);
    return log;
  }

  /** Why the log cannot be opened, in the one line that says so after the name of the folder. */
  async refusal(options: Partial<SqliteLogOptions> = {}): Promise<string> {
    const { message } = await assertRejects(() => this.open(options), LogError);
    const start = `Cannot open the log in ${this.path}: `;
    assertEquals(message.slice(0, start.length), start);
    assertEquals(message.split("\n").length, 1);
    return message.slice(start.length);
  }

  /** What another program would connect to the database with. */
  connect(file = "chat.db"): DatabaseSync {
    const db = new DatabaseSync(`${this.path}/${file}`, { timeout: 0 });
    this.#others.push(db);
    return db;
  }

  /** One value from the database. */
  value(sql: string): unknown {
    const db = new DatabaseSync(`${this.path}/chat.db`);
    try {
      return Object.values(db.prepare(sql).get() ?? {})[0];
    } finally {
      db.close();
    }
  }

  async files(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(this.path)) names.push(name);
    return names.sort();
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

/** What a log promises, wherever it keeps its messages. */
function contract(
  name: string,
  make: (folder: Folder, now?: () => number) => Promise<Log>,
): void {
  const test = (
    claim: string,
    fn: (log: Log, now: { ms: number }) => Promise<void>,
  ) =>
    Deno.test(`${name}${claim}`, async () => {
      await using folder = await Folder.make();
      const now = { ms: 1_700_000_000_000 };
      const log = await make(folder, () => now.ms);
      try {
        await fn(log, now);
      } finally {
        await log.close();
      }
    });

  test(".open() makes an empty log with an identity of its own", async (log) => {
    const { log: id, ...lobby } = await log.open("lobby");
    assertEquals(lobby, { room: "lobby", first: 1, seq: 0 });
    assertMatch(id, /^[0-9a-f]{16}$/);
    assertNotEquals((await log.open("den")).log, id);
  });

  test(".open() finds the same log again, by any case, under its first name", async (log) => {
    const { log: id } = await log.open("Straße");
    await log.append(
      messages(2).map((one) => ({ ...one, room: "Straße" })),
    );
    const again = { room: "Straße", log: id, first: 1, seq: 2 };
    assertEquals(await log.open("STRASSE"), again);
    assertEquals(await log.open("Straße"), again);
  });

  test(".append() numbers each room from 1, without a hole", async (log) => {
    await log.open("lobby");
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

  test(
    ".append() says where each stands, and .read() gives all of it back",
    async (log, now) => {
      await log.open("Lobby");
      const said = [
        message("hi", { room: "Lobby" }),
        message("wäves 👋\tat all", {
          room: "Lobby",
          from: "Żoë",
          action: true,
        }),
      ];
      const time = now.ms;
      assertEquals(await log.append(said), [
        { seq: 1, time, repeated: false },
        { seq: 2, time, repeated: false },
      ]);
      assertEquals(await log.read("Lobby", { since: 0, limit: 9 }), [
        {
          room: "Lobby",
          seq: 1,
          time,
          from: "alice",
          text: "hi",
          action: false,
        },
        {
          room: "Lobby",
          seq: 2,
          time,
          from: "Żoë",
          text: "wäves 👋\tat all",
          action: true,
        },
      ]);
    },
  );

  test(".append() stores nothing if one of the rooms is not open", async (log) => {
    await log.open("lobby");
    await assertRejects(
      () => log.append([from("s", "1"), message("x", { room: "den" })]),
      LogError,
      "den",
    );
    assertEquals((await log.open("lobby")).seq, 0);
    assertEquals(await texts(log), []);
    assertEquals(await append(log, from("s", "1")), ["1"]);
  });

  test(
    ".append() does not store a message again, and says where it is",
    async (log, now) => {
      await log.open("lobby");
      await log.open("den");
      const [first] = await log.append([from("s", "1", "a")]);
      now.ms += 1000;
      const repeats = await log.append([
        from("s", "1", "a"),
        { ...from("s", "1", "a"), room: "den" },
      ]);
      const place = { ...first!, repeated: true };
      assertEquals(repeats, [place, place]);
      assertEquals(await append(log, message("b")), ["2"]);
      assertEquals(await texts(log), ["a", "b"]);
      assertEquals((await log.open("den")).seq, 0);
    },
  );

  test(".append() finds a repeat among the messages of one call", async (log) => {
    await log.open("lobby");
    const places = await append(
      log,
      from("s", "1"),
      from("s", "1"),
      from("s", "2"),
      from("s", "1"),
    );
    assertEquals(places, ["1", "=1", "2", "=1"]);
    assertEquals(await texts(log), ["1", "2"]);
  });

  test(".append() takes session and id together for the origin, and nothing for none", async (log) => {
    await log.open("lobby");
    const different = [
      from("s", "11"),
      from("s1", "1"),
      from("t", "11"),
      from("s", ""),
      message("same"),
      message("same"),
    ];
    assertEquals(
      await append(log, ...different),
      ["1", "2", "3", "4", "5", "6"],
    );
  });

  test(".append() never goes back in time within a room", async (log, now) => {
    await log.open("lobby");
    await log.open("den");
    const start = now.ms;
    const times: number[] = [];
    for (const ms of [0, -5000, -1, 1, -9000]) {
      now.ms = start + ms;
      for (const { time } of await log.append(messages(2))) times.push(time);
    }
    const later = start + 1;
    const expected = [start, start, start, start, start, start];
    assertEquals(times, [...expected, later, later, later, later]);
    const read = await log.read("lobby", { since: 0, limit: 99 });
    assertEquals(read.map(({ time }) => time), times);
    const [den] = await log.append([message("x", { room: "den" })]);
    assertEquals(den?.time, start - 9000);
  });

  test(".read() reads on from a message, and back from one, oldest first", async (log) => {
    await log.open("lobby");
    await log.open("den");
    await log.append(messages(9, ""));
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
      [{ before: 10, limit: 0 }, ""],
    ];
    for (const [range, expected] of cases) {
      const read = (await texts(log, range)).join(" ");
      assertEquals(read, expected, JSON.stringify(range));
    }
    await log.open("empty");
    assertEquals(await texts(log, { since: 0, limit: 9 }, "empty"), []);
    assertEquals(await texts(log, { before: 9, limit: 9 }, "empty"), []);
  });

  test(" does what is asked in the order of the calls", async (log) => {
    const done = await Promise.all([
      log.open("lobby"),
      append(log, message("a")),
      texts(log),
      append(log, message("b")),
      texts(log),
      log.release("lobby"),
      log.read("lobby", { since: 0, limit: 1 }).catch(({ name }) => name),
    ]);
    assertEquals(done.slice(1), [
      ["1"],
      ["a"],
      ["2"],
      ["a", "b"],
      undefined,
      "LogError",
    ]);
  });

  test(".release() closes a room, and forgets one of which nothing is kept", async (log) => {
    const { log: id } = await log.open("Den");
    await log.open("lobby");
    await log.release("DEN");
    await log.release("DEN");
    const den = { room: "Den" };
    await assertRejects(() => log.append([message("x", den)]), LogError, "Den");
    await assertRejects(
      () => log.read("Den", { since: 0, limit: 1 }),
      LogError,
      "Den",
    );
    assertEquals(await append(log, message("x")), ["1"]);
    const { log: other, ...again } = await log.open("den");
    assertEquals(again, { room: "den", first: 1, seq: 0 });
    assertNotEquals(other, id);
    assertEquals(
      await log.stored().then((names) => names.includes("den")),
      false,
    );
  });

  test(".close() is the end: nothing is done any more", async (log) => {
    await log.open("lobby");
    await log.close();
    await log.close();
    const range = { since: 0, limit: 1 };
    const calls = [
      () => log.open("lobby"),
      () => log.append([message("x")]),
      () => log.read("lobby", range),
      () => log.stored(),
      () => log.release("lobby"),
    ];
    for (const call of calls) await assertRejects(call, LogError, "closed");
  });
}

contract(
  "MemoryLog",
  (_, now) => Promise.resolve(new MemoryLog({ now: now! })),
);
contract("SqliteLog", (folder, now) => folder.open({ now: now! }));

Deno.test("MemoryLog keeps the last messages of each room, and reads from the first of them", async () => {
  const log = new MemoryLog({ keep: 4 });
  const { log: id } = await log.open("lobby");
  const extent = { room: "lobby", log: id };
  await log.append(messages(4, ""));
  assertEquals(await log.open("lobby"), { ...extent, first: 1, seq: 4 });
  for (let i = 5; i <= 10; i++) await log.append([message(`${i}`)]);
  assertEquals(await log.open("lobby"), { ...extent, first: 7, seq: 10 });
  assertEquals(await texts(log, { since: 0, limit: 2 }), ["7", "8"]);
  assertEquals(await texts(log, { since: 8, limit: 9 }), ["9", "10"]);
  assertEquals(await texts(log, { before: 99, limit: 9 }), [
    "7",
    "8",
    "9",
    "10",
  ]);
  assertEquals(await texts(log, { before: 9, limit: 9 }), ["7", "8"]);
  assertEquals(await texts(log, { before: 7, limit: 9 }), []);
});

Deno.test("MemoryLog keeps 2,048 messages a room unless it is said otherwise", async () => {
  const log = new MemoryLog();
  await log.open("lobby");
  await log.append(messages(5000));
  assertEquals((await log.open("lobby")).first, 5000 - 2048 + 1);
  assertEquals((await texts(log)).length, 2048);
});

Deno.test("MemoryLog keeps nothing of a room that everybody has left", async () => {
  const log = new MemoryLog();
  const { log: id } = await log.open("lobby");
  await log.append(messages(3));
  assertEquals(await log.stored(), []);
  await log.release("lobby");
  assertEquals(await log.stored(), []);
  const { log: other, seq, first } = await log.open("lobby");
  assertNotEquals(other, id);
  assertEquals({ seq, first }, { seq: 0, first: 1 });
  assertEquals(await texts(log), []);
});

Deno.test("MemoryLog remembers the last 1,024 ids of a session", async () => {
  const log = new MemoryLog();
  await log.open("lobby");
  const ids = Array.from({ length: 1025 }, (_, i) => from("s", `${i}`));
  await log.append([from("t", "0"), ...ids]);
  assertEquals(
    await append(log, from("t", "0"), from("s", "1"), from("s", "0")),
    ["=1", "=3", "1027"],
  );
});

Deno.test("MemoryLog forgets of more than 10,000 sessions the one that was silent longest", async () => {
  const log = new MemoryLog();
  await log.open("lobby");
  const say = (from_: number, to: number) =>
    log.append(
      Array.from({ length: to - from_ }, (_, i) => from(`${from_ + i}`, "1")),
    );
  await say(0, 10_000);
  await log.append([from("0", "2")]);
  await say(10_000, 10_001);
  assertEquals(
    await append(log, from("0", "1"), from("2", "1"), from("1", "1")),
    ["=1", "=3", "10003"],
  );
});

Deno.test("MemoryLog remembers a million ids in all", async () => {
  const log = new MemoryLog({ keep: 1 });
  await log.open("lobby");
  for (let session = 0; session < 1000; session++) {
    await log.append(
      Array.from({ length: 1000 }, (_, i) => from(`${session}`, `${i}`)),
    );
  }
  assertEquals(await append(log, from("0", "0")), ["=1"]);
  assertEquals(
    await append(log, from("999", "1000"), from("1", "0"), from("0", "0")),
    ["1000001", "=1001", "1000002"],
  );
});

Deno.test("SqliteLog has everything again when it is opened again", async () => {
  await using folder = await Folder.make();
  const now = () => 1_700_000_000_000;
  let log = await folder.open({ now });
  const lobby = await log.open("Lobby");
  await log.append([
    { ...from("s", "1", "a"), room: "Lobby" },
    message("b", { room: "Lobby", from: "bob", action: true }),
  ]);
  const read = await log.read("Lobby", { since: 0, limit: 9 });
  await log.close();

  log = await folder.open({ now: () => now() - 5000 });
  assertEquals(await log.open("lobby"), { ...lobby, seq: 2 });
  assertEquals(await log.read("Lobby", { since: 0, limit: 9 }), read);
  assertEquals(
    await log.append([from("s", "1"), from("s", "2")]),
    [
      { seq: 1, time: now(), repeated: true },
      { seq: 3, time: now(), repeated: false },
    ],
  );
});

Deno.test("SqliteLog makes its folder, for nobody else, and leaves one file to be copied", async () => {
  await using folder = await Folder.make();
  const inner = new Folder(`${folder.path}/a/b`);
  const log = await inner.open();
  if (Deno.build.os !== "windows") {
    assertEquals((await Deno.stat(inner.path)).mode! & 0o777, 0o700);
  }
  await log.open("lobby");
  await log.append(messages(3));
  await log.read("lobby", { before: 9, limit: 2 });
  await log.close();
  assertEquals(await inner.files(), ["chat.db", "chat.lock"]);

  await using copy = await Folder.make();
  await Deno.copyFile(`${inner.path}/chat.db`, `${copy.path}/chat.db`);
  const copied = await copy.open();
  await copied.open("lobby");
  assertEquals(await texts(copied), ["m1", "m2", "m3"]);
});

Deno.test("SqliteLog.release() keeps a room with messages, and SqliteLog.stored() names those", async () => {
  await using folder = await Folder.make();
  let log = await folder.open();
  assertEquals(await log.stored(), []);
  const den = await log.open("Den");
  await log.open("lobby");
  await log.open("empty");
  await log.append([message("x", { room: "Den" })]);
  assertEquals(await log.stored(), ["Den"]);
  for (const room of ["Den", "lobby", "empty"]) await log.release(room);
  assertEquals(await log.stored(), ["Den"]);
  assertEquals(folder.value("SELECT group_concat(name) FROM rooms"), "Den");
  assertEquals(await log.open("den"), { ...den, seq: 1 });
  await log.close();
  log = await folder.open();
  assertEquals(await log.stored(), ["Den"]);
});

Deno.test("SqliteLog.append() stores nothing if one message fails, and works afterwards", async () => {
  await using folder = await Folder.make();
  const log = await folder.open();
  await log.open("lobby");
  await log.open("den");
  await log.append([message("before")]);
  folder.connect().exec(
    `CREATE TRIGGER fault BEFORE INSERT ON messages WHEN NEW.text = 'boom'
    BEGIN SELECT RAISE(ABORT, 'it went boom'); END`,
  );
  await assertRejects(
    () =>
      log.append([
        from("s", "1"),
        message("x", { room: "den" }),
        message("boom"),
        message("y"),
      ]),
    LogError,
    "it went boom",
  );
  assertEquals(folder.value("SELECT count(*) FROM messages"), 1);
  assertEquals((await log.open("lobby")).seq, 1);
  assertEquals(
    await append(log, from("s", "1"), message("x", { room: "den" })),
    ["2", "1"],
  );
});

/** A program of a few lines that has a log on disk as `log`, and `folder`. */
function scriptWith(path: string, lines: string): string {
  const source = import.meta.resolve("../lib/server/sqlite_log.ts");
  return `import { SqliteLog } from ${JSON.stringify(source)};
    const folder = ${JSON.stringify(path)};
    const options = { historyDays: 7, lockedMs: 0 };
    ${lines}`;
}

Deno.test("SqliteLog has all that it acknowledged when its process was killed, and is free at once", async () => {
  await using folder = await Folder.make();
  await using writer = new Program(Deno.execPath(), [
    "eval",
    scriptWith(
      folder.path,
      `const log = await SqliteLog.open(folder, options);
      await log.open("lobby");
      for (let i = 0;; i += 3) {
        const places = await log.append([1, 2, 3].map((j) => ({
          room: "lobby", from: "alice", text: String(i + j), action: false,
          origin: { session: "s", id: String(i + j) },
        })));
        console.log(places.at(-1).seq);
      }`,
    ),
  ]);
  for (let i = 0; i < 200; i++) await writer.out.next();
  assertEquals(
    await folder.refusal(),
    "it is in use by another chat-server",
  );
  writer.signal("SIGKILL");
  const acknowledged = Number(
    (await writer.out.rest(), writer.out.seen.at(-1)),
  );
  assert(acknowledged >= 600);

  const log = await folder.open();
  const { seq } = await log.open("lobby");
  assert(seq >= acknowledged, `${seq} of ${acknowledged}`);
  assertEquals(seq % 3, 0);
  assertEquals(
    await texts(log, { since: 0, limit: seq + 1 }),
    Array.from({ length: seq }, (_, i) => `${i + 1}`),
  );
  assertEquals(
    await append(log, from("s", `${seq}`), from("s", `${seq + 1}`)),
    [`=${seq}`, `${seq + 1}`],
  );
});

Deno.test("SqliteLog lets a program end that does not close it", async () => {
  await using folder = await Folder.make();
  await using program = new Program(Deno.execPath(), [
    "eval",
    scriptWith(folder.path, "await SqliteLog.open(folder, options);"),
  ]);
  assertEquals(await program.result(), { code: 0, out: [], errors: [] });
});

Deno.test("SqliteLog.open() refuses a folder that is in use, and takes it when it no longer is", async () => {
  await using folder = await Folder.make();
  const log = await folder.open();
  await log.open("lobby");
  await log.append(messages(1));
  const refusal = "it is in use by another chat-server";
  assertEquals(await folder.refusal(), refusal);
  assertEquals(await folder.refusal(), refusal);
  assertEquals(await append(log, message("b")), ["2"]);
  await log.close();
  const next = await folder.open();
  assertEquals((await next.open("lobby")).seq, 2);
});

Deno.test("SqliteLog can be read and backed up by another program while it is written", async () => {
  await using folder = await Folder.make();
  await using copy = await Folder.make();
  const log = await folder.open();
  await log.open("lobby");
  await log.append(messages(2000));
  await using other = new Program(Deno.execPath(), [
    "eval",
    `import { backup, DatabaseSync } from "node:sqlite";
    const [from, to] = ${JSON.stringify([folder.path, copy.path])};
    const db = new DatabaseSync(from + "/chat.db", { readOnly: true });
    console.log(db.prepare("SELECT count(*) AS n FROM messages").get().n);
    await backup(db, to + "/chat.db");
    console.log("done");`,
  ]);
  assertEquals(await other.out.next(), "2000");
  await log.append(messages(1));
  assertEquals(await other.out.next(), "done", `${other.errors.seen}`);
  const copied = await copy.open();
  assert((await copied.open("lobby")).seq >= 2000);
  assert((await texts(copied)).length >= 2000);
  assertEquals(await append(log, message("x")), ["2002"]);
});

Deno.test("SqliteLog.append() fails while another program locks the database, and works afterwards", async () => {
  await using folder = await Folder.make();
  const log = await folder.open();
  await log.open("lobby");
  await log.append(messages(1));
  const other = folder.connect();
  other.exec("BEGIN EXCLUSIVE");
  const { message: reason } = await assertRejects(
    () => log.append([from("s", "1")]),
    LogError,
  );
  assertEquals(reason, "the log is locked by another program");
  assertEquals(await texts(log), ["m1"]);
  other.exec("ROLLBACK");
  assertEquals(await append(log, from("s", "1")), ["2"]);
});

Deno.test("SqliteLog.open() refuses a database that another program has locked", async () => {
  await using folder = await Folder.make();
  const other = folder.connect();
  other.exec("BEGIN EXCLUSIVE");
  assertEquals(await folder.refusal(), "chat.db is locked by another program");
  other.exec("ROLLBACK");
  await (await folder.open()).close();
  other.exec("BEGIN EXCLUSIVE");
  assertEquals(await folder.refusal(), "chat.db is locked by another program");
  other.exec("ROLLBACK");
  await folder.open();
});

Deno.test("SqliteLog.open() refuses what is no database of ours, and leaves it as it is", async () => {
  const foreign = (sql: string) => (path: string) => {
    const db = new DatabaseSync(path);
    db.exec(sql);
    db.close();
  };
  const cases: [(path: string) => void, string][] = [
    [
      foreign("CREATE TABLE rooms (a); PRAGMA user_version = 1"),
      "chat.db is the database of another program",
    ],
    [
      foreign("PRAGMA application_id = 77"),
      "chat.db is the database of another program",
    ],
    [
      (path) => Deno.writeTextFileSync(path, "no database ".repeat(1000)),
      "chat.db is not a database",
    ],
    [
      (path) => Deno.writeTextFileSync(path, "short"),
      "chat.db is not a database",
    ],
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

Deno.test("SqliteLog.open() refuses a database that is a folder", async () => {
  await using folder = await Folder.make();
  await Deno.mkdir(`${folder.path}/chat.db`);
  assertEquals(await folder.refusal(), "chat.db cannot be opened");
});

Deno.test("SqliteLog.open() refuses a lock that is something else", async () => {
  await using folder = await Folder.make();
  await Deno.writeTextFile(
    `${folder.path}/chat.lock`,
    "no database ".repeat(9),
  );
  assertEquals(await folder.refusal(), "chat.lock is not a database");
});

Deno.test("SqliteLog says when the database is damaged, at first or when it is met", async () => {
  await using folder = await Folder.make();
  let log = await folder.open();
  await log.open("lobby");
  await log.append(messages(2000));
  await log.close();
  const path = `${folder.path}/chat.db`;
  const bytes = await Deno.readFile(path);
  const page = 4096;

  // Behind its header, the first page has the schema.
  await Deno.writeFile(path, bytes.slice().fill(77, 100, page));
  assertEquals(await folder.refusal(), "chat.db is damaged");

  await Deno.writeFile(path, bytes.slice().fill(77, 5 * page));
  log = await folder.open();
  const { message: reason } = await assertRejects(
    () => log.open("lobby").then(() => texts(log)),
    LogError,
  );
  assertEquals(reason, "the log is damaged");
});

Deno.test("SqliteLog.open() brings an older database to the newest version", async () => {
  await using folder = await Folder.make();
  let log = await folder.open();
  await log.open("lobby");
  await log.append(messages(2));
  await log.close();
  assertEquals(folder.value("PRAGMA user_version"), MIGRATIONS.length);

  const migrations = [
    ...MIGRATIONS,
    "ALTER TABLE rooms ADD COLUMN topic TEXT; UPDATE rooms SET topic = 'tea'",
    "UPDATE rooms SET topic = topic || '!'",
  ];
  for (let times = 0; times < 2; times++) {
    log = await folder.open({ migrations });
    await log.open("lobby");
    assertEquals(await texts(log), ["m1", "m2"]);
    await log.close();
    assertEquals(folder.value("PRAGMA user_version"), migrations.length);
    assertEquals(folder.value("SELECT topic FROM rooms"), "tea!");
  }
  assertEquals(
    await folder.refusal(),
    "chat.db was written by a newer chat-server",
  );
  assertEquals(folder.value("PRAGMA user_version"), migrations.length);
});

Deno.test("SqliteLog.open() leaves the version that was there when a step fails", async () => {
  await using folder = await Folder.make();
  await (await folder.open()).close();
  const good = "CREATE TABLE topics (a)";
  const bad = "CREATE TABLE extra (a); INSERT INTO nowhere VALUES (1)";
  const version = MIGRATIONS.length;
  const refusal = await folder.refusal({ migrations: [...MIGRATIONS, bad] });
  assertEquals(
    refusal,
    `version ${version + 1} of chat.db cannot be made: no such table: nowhere`,
  );
  assertEquals(folder.value("PRAGMA user_version"), version);
  const tables = "SELECT group_concat(name) FROM sqlite_schema WHERE type = " +
    "'table' AND name NOT IN ('rooms', 'messages')";
  assertEquals(folder.value(tables), null);
  await (await folder.open()).close();

  await folder.refusal({ migrations: [...MIGRATIONS, good, bad] });
  assertEquals(folder.value("PRAGMA user_version"), version + 1);
  assertEquals(folder.value(tables), "topics");
});

Deno.test("SqliteLog.open() refuses what is not a folder", async () => {
  await using folder = await Folder.make();
  await Deno.writeTextFile(`${folder.path}/file`, "");
  for (const path of ["file", "file/below", "file/far/below"]) {
    const refusal = await new Folder(`${folder.path}/${path}`).refusal();
    assertEquals(refusal, "it is not a folder", path);
  }
});

Deno.test("SqliteLog.open() says which permission Deno was not given", async () => {
  await using folder = await Folder.make();
  const script = scriptWith(
    folder.path,
    "await SqliteLog.open(folder, options).catch((e) => console.log(`${e}`));",
  );
  const cases: [string[], string][] = [
    [[], "write"],
    [["--allow-read"], "write"],
    [["--allow-write"], "read"],
  ];
  for (const [flags, access] of cases) {
    const args = ["run", "--quiet", "--no-prompt", ...flags, "-"];
    await using program = new Program(Deno.execPath(), args);
    await program.write(script);
    const { out, errors } = await program.result();
    assertEquals([out.length, ...errors], [1]);
    assert(
      out[0]!.startsWith(
        `LogError: Cannot open the log in ${folder.path}: ` +
          `Requires ${access} access`,
      ),
      out[0],
    );
  }
});

Deno.test("SqliteLog.prune() deletes what is too old, and never turns a counter back", async () => {
  await using folder = await Folder.make();
  let time = 100 * DAY_MS;
  const options = { historyDays: 7, now: () => time };
  let log = await folder.open(options);
  const lobby = await log.open("lobby");
  await log.open("den");
  await log.append([...messages(3), message("x", { room: "den" })]);
  time += 1;
  await log.append(messages(2, "n"));

  time += 7 * DAY_MS - 1;
  await log.prune();
  assertEquals(await texts(log), ["m1", "m2", "m3", "n1", "n2"]);

  time += 1;
  await log.prune();
  assertEquals(await texts(log), ["n1", "n2"]);
  assertEquals(await log.open("lobby"), { ...lobby, first: 4, seq: 5 });
  assertEquals(await texts(log, { before: 5, limit: 9 }), ["n1"]);
  assertEquals(await log.stored(), ["lobby"]);

  time += 1;
  await log.prune();
  const empty = { ...lobby, first: 6, seq: 5 };
  assertEquals(await log.open("lobby"), empty);
  assertEquals(await texts(log), []);
  assertEquals(await log.stored(), []);
  await log.release("lobby");
  assertEquals(await log.open("lobby"), empty);
  await log.close();

  log = await folder.open(options);
  assertEquals(await log.open("lobby"), empty);
  assertEquals(await append(log, message("next")), ["6"]);
  assertEquals((await log.open("den")).seq, 1);
});

Deno.test("SqliteLog.prune() deletes from the beginning of a room only, in every room", async () => {
  await using folder = await Folder.make();
  let time = 0;
  const log = await folder.open({ historyDays: 1, now: () => time });
  await log.prune();
  const rooms = Array.from({ length: 250 }, (_, i) => `room${i}`);
  for (const room of rooms) {
    await log.open(room);
    await log.append([message("a", { room }), message("b", { room })]);
  }
  // As a clock that went back would have left it, if the log had let it.
  folder.connect().exec(
    `UPDATE messages SET time = ${5 * DAY_MS} WHERE seq = 1
    AND room = (SELECT id FROM rooms WHERE name = 'room7')`,
  );
  time = 3 * DAY_MS;
  await log.prune();
  assertEquals(await log.stored(), ["room7"]);
  assertEquals(
    await texts(log, { since: 0, limit: 9 }, "room7"),
    ["a", "b"],
  );
});

Deno.test("SqliteLog.prune() gives everybody else their turn after at most 1,000 messages", async () => {
  await using folder = await Folder.make();
  let time = 0;
  const log = await folder.open({ historyDays: 1, now: () => time });
  await log.prune();
  await log.open("lobby");
  await log.append(messages(2500));
  time = 9 * DAY_MS;
  await log.append(messages(1, "new"));
  const kept: number[] = [];
  let pruning = true;
  const pruned = log.prune().finally(() => pruning = false);
  while (pruning) {
    kept.push((await texts(log)).length);
    await turn();
  }
  await pruned;
  assertEquals([...new Set(kept)], [1501, 501, 1]);
  assertEquals(await texts(log), ["new1"]);
});

/** Waits for something that comes about in other turns. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const wait = async () => {
    while (!await holds()) await turn();
  };
  await soon(wait(), () => `${holds}`);
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

Deno.test("SqliteLog deletes what is too old when it is opened, and again and again", async () => {
  await using folder = await Folder.make();
  let time = 0;
  const now = () => time;
  let log = await folder.open({ now });
  await log.open("lobby");
  await log.append(messages(1, "old"));
  time = 9 * DAY_MS;
  await log.append(messages(1, "new"));
  await log.close();

  log = await folder.open({ historyDays: 7, now });
  await log.open("lobby");
  await until(async () => (await texts(log)).join() === "new1");
  await log.close();

  log = await folder.open({ historyDays: 7, now, pruneEveryMs: 1 });
  await log.open("lobby");
  await log.prune();
  assertEquals(await texts(log), ["new1"]);
  for (const text of ["a", "b"]) {
    time += 8 * DAY_MS;
    await until(async () => (await texts(log)).length === 0);
    await log.append([message(text)]);
  }
});

Deno.test("SqliteLog keeps all if it is told to", async () => {
  await using folder = await Folder.make();
  let time = 0;
  const log = await folder.open({ now: () => time, pruneEveryMs: 1 });
  await log.open("lobby");
  await log.append(messages(1));
  time = 1e6 * DAY_MS;
  await log.prune();
  assertEquals(await texts(log), ["m1"]);
});

Deno.test("SqliteLog says when it cannot delete what is too old, and tries again", async () => {
  await using folder = await Folder.make();
  let time = 0;
  const fault = Promise.withResolvers<LogError>();
  const log = await folder.open({
    historyDays: 7,
    pruneEveryMs: 1,
    now: () => time,
    onFault: fault.resolve,
  });
  await log.open("lobby");
  await log.append(messages(1));
  const other = folder.connect();
  other.exec("BEGIN EXCLUSIVE");
  time = 9 * DAY_MS;
  const { name, message } = await soon(fault.promise, () => "no fault");
  assertEquals(
    [name, message],
    ["LogError", "the log is locked by another program"],
  );
  other.exec("ROLLBACK");
  await until(async () => (await texts(log)).length === 0);
});

Deno.test("SqliteLog.close() ends the deleting between two slices", async () => {
  await using folder = await Folder.make();
  let time = 0;
  const faults: string[] = [];
  const log = await folder.open({
    historyDays: 1,
    now: () => time,
    onFault: ({ message }) => faults.push(message),
  });
  await log.prune();
  await log.open("lobby");
  await log.append(messages(2500));
  time = 9 * DAY_MS;
  const pruned = log.prune();
  await log.close();
  await pruned;
  assertEquals(faults, []);
  assertEquals(folder.value("SELECT count(*) FROM messages"), 1500);
});

function sh(script: string, ...args: string[]): string {
  const { success, stderr } = new Deno.Command("sh", {
    args: ["-c", script, "sh", ...args],
  }).outputSync();
  return success ? "" : new TextDecoder().decode(stderr) || "it failed";
}

/** Why no small disk can be made here, if it cannot. */
const noDisk = Deno.build.os !== "linux" ? "only Linux has tmpfs" : sh(
    'd=$(mktemp -d) && mount -t tmpfs tmpfs "$d" && umount "$d" && rmdir "$d"',
  )
  ? "no tmpfs can be mounted"
  : undefined;

/** A disk of 1 MiB. */
class Disk extends Folder {
  static override async make(): Promise<Disk> {
    const path = await Deno.makeTempDir();
    assertEquals(sh('mount -t tmpfs -o size=1m tmpfs "$1"', path), "");
    return new Disk(path);
  }

  /** Leaves so many KiB. */
  async fill(freeKiB = 0): Promise<void> {
    await Deno.writeFile(`${this.path}/filler`, new Uint8Array(freeKiB * 1024));
    sh('cat /dev/zero >"$1/rest"', this.path);
    await Deno.remove(`${this.path}/filler`);
  }

  async empty(): Promise<void> {
    await Deno.remove(`${this.path}/rest`);
  }

  remount(how: "ro" | "rw"): void {
    assertEquals(sh('mount -o "remount,$2" "$1"', this.path, how), "");
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    assertEquals(sh('umount "$1"', this.path), "");
    await Deno.remove(this.path);
  }
}

testUnless(noDisk, "SqliteLog.open() says that the disk is full", async () => {
  for (const freeKiB of [0, 4, 8, 16, 32, 36]) {
    await using disk = await Disk.make();
    await disk.fill(freeKiB);
    assertMatch(await disk.refusal(), /^the disk (is|fails or is) full$/);
    await disk.empty();
    const log = await disk.open();
    await log.close();
    await disk.fill();
    assertMatch(await disk.refusal(), /^the disk (is|fails or is) full$/);
    const inner = new Folder(`${disk.path}/inner`);
    assertMatch(await inner.refusal(), /^the disk (is|fails or is) full$/);
  }
});

testUnless(
  noDisk,
  "SqliteLog.append() fails while the disk is full, and works afterwards",
  async () => {
    await using disk = await Disk.make();
    let log = await disk.open();
    await log.open("lobby");
    const text = "x".repeat(1000);
    const expected = [text];
    await log.append([message(text)]);
    for (let times = 0; times < 3; times++) {
      await disk.fill();
      // What was written before may leave a little room.
      const fill = async () => {
        for (;;) {
          await log.append([message(text), message(text)]);
          expected.push(text, text);
        }
      };
      const { message: reason } = await assertRejects(fill, LogError);
      assertEquals(reason, "the disk is full");
      await assertRejects(() => log.append([from("s", `${times}`)]), LogError);
      assertEquals(await texts(log), expected);
      await disk.empty();
      expected.push(`${times}`);
      assertEquals(
        await append(log, from("s", `${times}`)),
        [`${expected.length}`],
      );
    }
    await log.close();
    log = await disk.open();
    await log.open("lobby");
    assertEquals(await texts(log), expected);
  },
);

testUnless(
  noDisk,
  "SqliteLog.open() refuses a disk that cannot be written",
  async () => {
    await using disk = await Disk.make();
    disk.remount("ro");
    assertEquals(await disk.refusal(), "chat.lock cannot be opened");
    const inner = new Folder(`${disk.path}/inner`);
    assertEquals(await inner.refusal(), "it cannot be written");
    disk.remount("rw");
    await (await disk.open()).close();
    disk.remount("ro");
    assertEquals(await disk.refusal(), "chat.lock cannot be written");
    disk.remount("rw");
    await disk.open();
  },
);
