/** chat-server backup: what is in the copy, what becomes of the server meanwhile, and what is refused. */

import { DatabaseSync } from "node:sqlite";
import { backUp, type Copied } from "../lib/server/backup.ts";
import { MIGRATIONS } from "../lib/server/database.ts";
import { LogError, type NewMessage } from "../lib/server/log.ts";
import { SqliteLog } from "../lib/server/sqlite_log.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "./assert.ts";
import {
  Bot,
  type Frame,
  listening,
  noSmallDisk,
  Program,
  SERVER_ARGS,
  serverProgram,
  shellFault,
  SmallDisk,
  soon,
  testUnless,
  Visitor,
  without,
} from "./fixtures.ts";

const unixOnly = Deno.build.os === "windows"
  ? "Windows cannot stop a process and let it go on"
  : undefined;

/** Enough that it cannot be copied in a moment. */
const MUCH = 60_000;

/** A folder that goes with everything in it. */
class Folder implements AsyncDisposable {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Folder> {
    return new Folder(await Deno.makeTempDir());
  }

  /** A folder with a chat.db, in which somebody has said `1`, `2` ... in the lobby. */
  static async withMessages(count: number): Promise<Folder> {
    const folder = await Folder.make();
    const log = await SqliteLog.open(folder.path, { historyDays: 0 });
    await log.open("lobby");
    await log.append(
      Array.from({ length: count }, (_, i) => message(`${i + 1}`)),
    );
    await log.close();
    return folder;
  }

  /** The path of a file in it. */
  file(name: string): string {
    return `${this.path}/${name}`;
  }

  async files(): Promise<string[]> {
    const files = await Array.fromAsync(Deno.readDir(this.path));
    return files.map(({ name }) => name).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

function message(text: string): NewMessage {
  return { room: "lobby", from: "ann", text, action: false };
}

/** What is in the only room of a copy. */
function contents(copy: string): { seq: number; text: string }[] {
  using db = new DatabaseSync(copy, { readOnly: true });
  return db.prepare("SELECT seq, text FROM messages ORDER BY room, seq").all()
    .map(({ seq, text }) => ({ seq: Number(seq), text: String(text) }));
}

/** Why there is no copy, in the one line that says so after the names of both. */
async function refusal(
  folder: string,
  file: string,
  signal?: AbortSignal,
): Promise<string> {
  const { message } = await assertRejects(
    () => backUp(folder, file, signal ? { signal } : {}),
    LogError,
  );
  return reasonAfter(folder, file, message);
}

function reasonAfter(folder: string, file: string, line: string): string {
  const start = `cannot back up ${folder} to ${file}: `;
  assertEquals(line.slice(0, start.length), start);
  assertMatch(line, /^\P{Cc}+$/u);
  return line.slice(start.length);
}

/** A program that makes a copy in `there`, where it has begun to. */
async function beginning(
  folder: Folder,
  there: Folder,
): Promise<{ program: Program; copy: string }> {
  const copy = there.file("copy.db");
  using watcher = Deno.watchFs(there.path);
  const program = serverProgram("backup", folder.path, copy);
  const begun = async () => {
    for await (const { paths } of watcher) {
      if (paths.some((path) => path.includes(".chat-backup-"))) return;
    }
  };
  await soon(begun(), () => `no copy: ${program.errors.seen}`);
  return { program, copy };
}

/** Somebody who never stops talking: `cat 1`, `cat 2` ... */
class Talker implements Disposable {
  readonly name: string;
  /** How many of those are acknowledged. */
  acknowledged = 0;
  readonly #bot: Bot;
  readonly #talking: Promise<void>;
  #isEnough = false;
  #heard = Promise.withResolvers<void>();

  private constructor(name: string, bot: Bot) {
    this.name = name;
    this.#bot = bot;
    this.#talking = this.#talk();
  }

  static async start(name: string, port: number): Promise<Talker> {
    const bot = await Bot.connect(port);
    await bot.hello({ name, session: crypto.randomUUID().replaceAll("-", "") });
    return new Talker(name, bot);
  }

  /** Waits until so many more are acknowledged. */
  async goOn(count: number): Promise<void> {
    const enough = this.acknowledged + count;
    while (this.acknowledged < enough) {
      await soon(this.#heard.promise, () => `${this.name} is not heard`);
    }
  }

  /** Ends when all is acknowledged. */
  async end(): Promise<void> {
    this.#isEnough = true;
    await this.#talking;
  }

  [Symbol.dispose](): void {
    this.#bot.close();
  }

  async #talk(): Promise<void> {
    while (!this.#isEnough) {
      const ids = Array.from(
        { length: 50 },
        (_, i) => `${this.acknowledged + i + 1}`,
      );
      await this.#bot.send(...ids.map((id) => ({
        type: "say",
        room: "lobby",
        id,
        text: `${this.name} ${id}`,
      })));
      for (const expected of ids) {
        const id = (await this.#bot.until("ack")).at(-1)!["id"];
        assertEquals(id, expected);
        this.acknowledged++;
      }
      this.#heard.resolve();
      this.#heard = Promise.withResolvers();
    }
  }
}

testUnless(
  unixOnly,
  "chat-server backup has all that was acknowledged before, in order and once, and holds up nobody who talks meanwhile",
  async () => {
    await using folder = await Folder.withMessages(MUCH);
    await using there = await Folder.make();
    await using server = serverProgram("--port", "0", "--data", folder.path);
    const port = await listening(server);
    using cat = await Talker.start("cat", port);
    using dan = await Talker.start("dan", port);
    const talkers = [cat, dan];
    await Promise.all(talkers.map((talker) => talker.goOn(100)));

    const before = talkers.map(({ acknowledged }) => acknowledged);
    const { program, copy } = await beginning(folder, there);
    await using _program = program;
    program.signal("SIGSTOP");
    await Promise.all(talkers.map((talker) => talker.goOn(500)));
    program.signal("SIGCONT");
    const { code, out, errors } = await program.result();
    assertEquals({ code, errors }, { code: 0, errors: [] });
    await Promise.all(talkers.map((talker) => talker.end()));

    const copied = contents(copy);
    assertEquals(out, [
      `${copied.length} messages in 1 room copied to ${copy}`,
    ]);
    assertEquals(copied.map(({ seq }) => seq), copied.map((_, i) => i + 1));
    const texts = copied.map(({ text }) => text);
    assertEquals(
      texts.slice(0, MUCH),
      Array.from({ length: MUCH }, (_, i) => `${i + 1}`),
    );
    for (const [i, { name }] of talkers.entries()) {
      const own = texts.filter((text) => text.startsWith(name));
      assertEquals(own, own.map((_, i) => `${name} ${i + 1}`));
      assert(own.length >= before[i]!, `${name} ${own.length} ${before}`);
    }
    assertEquals(await there.files(), ["copy.db"]);
  },
);

Deno.test("A server goes on from a copy, as another log: the same messages, and what is sent again is known", async () => {
  await using folder = await Folder.make();
  await using restored = await Folder.make();
  await using twice = await Folder.make();
  const copy = restored.file("chat.db");
  const hello = { name: "bob", session: "b0b".padStart(32, "0") };
  const say = (id: number) => ({
    type: "say",
    room: "lobby",
    id: `${id}`,
    text: `line ${id}`,
  });
  const logOf = (welcome: Frame) =>
    (welcome["rooms"] as { log: string }[])[0]!.log;

  await using before = serverProgram("--port", "0", "--data", folder.path);
  using bob = await Bot.connect(await listening(before));
  const since = { log: logOf(await bob.hello(hello)), seq: 1 };
  await bob.send(say(1), say(2));
  await bob.until("ack");
  await bob.until("ack");
  await using program = serverProgram("backup", folder.path, copy);
  assertEquals(await program.result(), {
    code: 0,
    out: [`2 messages in 1 room copied to ${copy}`],
    errors: [],
  });
  await Deno.copyFile(copy, twice.file("chat.db"));

  await using after = serverProgram("--port", "0", "--data", restored.path);
  const port = await listening(after);
  using again = await Bot.connect(port);
  const welcome = await again.hello({ ...hello, since: { lobby: since } });
  const log = logOf(welcome);
  assertMatch(log, /^[0-9a-f]{16}$/);
  assertNotEquals(log, since.log);
  assertEquals(await again.frame(), { type: "anew", room: "lobby", log });
  for (const text of ["line 1", "line 2"]) {
    assertEquals((await again.frame())?.["text"], text);
  }
  await again.send(say(2), say(3));
  for (const seq of [2, 3]) {
    const ack = (await again.until("ack")).at(-1);
    assertEquals(ack, { type: "ack", id: `${seq}`, seq });
  }
  using ann = await Visitor.connect(port);
  await ann.enter("ann");
  assertEquals(await ann.line(), "-- 3 earlier messages");

  await using another = serverProgram("--port", "0", "--data", twice.path);
  using cat = await Bot.connect(await listening(another));
  assertNotEquals(logOf(await cat.hello({ name: "cat" })), log);
});

Deno.test("backUp() counts messages, and the rooms that have some", async () => {
  await using folder = await Folder.withMessages(3);
  const log = await SqliteLog.open(folder.path, { historyDays: 0 });
  await log.open("den");
  await log.open("empty");
  await log.append([{ ...message("x"), room: "den" }]);
  await log.close();
  const copied: Copied = { messages: 4, rooms: 2 };
  assertEquals(await backUp(folder.path, folder.file("copy")), copied);
});

Deno.test("backUp() leaves nothing behind, and a database that nobody uses as it is", async () => {
  await using folder = await Folder.withMessages(100);
  await using there = await Folder.make();
  const files = await folder.files();
  const bytes = await Deno.readFile(folder.file("chat.db"));
  await backUp(folder.path, there.file("copy"));
  assertEquals(await folder.files(), files);
  assertEquals(await Deno.readFile(folder.file("chat.db")), bytes);
  assertEquals(await there.files(), ["copy"]);
});

Deno.test("backUp() has what a server that was killed has left in its journal", async () => {
  await using folder = await Folder.make();
  await using there = await Folder.make();
  await using server = serverProgram("--port", "0", "--data", folder.path);
  using ann = await Visitor.connect(await listening(server));
  await ann.enter("ann");
  await ann.send("hi\n");
  await ann.heard();
  server.signal("SIGKILL");
  await server.exit();
  assert((await folder.files()).includes("chat.db-wal"));
  await backUp(folder.path, there.file("copy"));
  assertEquals(contents(there.file("copy")), [{ seq: 1, text: "hi" }]);
  assertEquals(await there.files(), ["copy"]);
});

testUnless(
  Deno.build.os === "windows" ? "Windows has no such modes" : undefined,
  "backUp() makes one file, which nobody else can read, and which is read where nothing can be written",
  async () => {
    await using folder = await Folder.withMessages(1);
    const copy = folder.file("copy");
    await backUp(folder.path, copy);
    assertEquals((await Deno.stat(copy)).mode! & 0o777, 0o600);
    using db = new DatabaseSync(copy, { readOnly: true });
    assertEquals(
      db.prepare("PRAGMA journal_mode").get()?.journal_mode,
      [
        "delete",
      ][0],
    );
  },
);

Deno.test("backUp() replaces nothing", async () => {
  await using folder = await Folder.withMessages(1);
  await using there = await Folder.make();
  const file = there.file("file");
  await Deno.writeTextFile(file, "mine");
  await Deno.mkdir(there.file("folder"));
  const files = [file, there.file("folder")];
  if (Deno.build.os !== "windows") {
    await Deno.symlink("nowhere", there.file("link"));
    files.push(there.file("link"));
  }
  for (const file of files) {
    assertEquals(
      await refusal(folder.path, file),
      `${file} exists, and is not replaced`,
    );
  }
  assertEquals(await Deno.readTextFile(file), "mine");
  assertEquals(
    (await there.files()).map((name) => there.file(name)),
    files.toSorted(),
  );
});

testUnless(
  unixOnly,
  "chat-server backup replaces nothing that has come while it copied",
  async () => {
    await using folder = await Folder.withMessages(MUCH);
    await using there = await Folder.make();
    for (;;) {
      const { program, copy } = await beginning(folder, there);
      await using _program = program;
      program.signal("SIGSTOP");
      try {
        await Deno.writeTextFile(copy, "mine", { createNew: true });
      } catch (error) {
        // It was quicker than we are: once more.
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
        program.signal("SIGCONT");
        await program.result();
        await Deno.remove(copy);
        continue;
      }
      program.signal("SIGCONT");
      const { code, out, errors } = await program.result();
      assertEquals({ code, out }, { code: 1, out: [] });
      assertStringIncludes(`${errors}`, `${copy} exists, and is not replaced`);
      assertEquals(await Deno.readTextFile(copy), "mine");
      assertEquals(await there.files(), ["copy.db"]);
      return;
    }
  },
);

Deno.test("backUp() that is given up leaves nothing", async () => {
  await using folder = await Folder.withMessages(1);
  await using there = await Folder.make();
  const signal = AbortSignal.abort(new Error("it was stopped"));
  assertEquals(
    await refusal(folder.path, there.file("copy"), signal),
    "it was stopped",
  );
  assertEquals(await there.files(), []);
});

testUnless(
  unixOnly,
  "chat-server backup that is interrupted leaves nothing",
  async () => {
    await using folder = await Folder.withMessages(MUCH);
    await using there = await Folder.make();
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      for (let tooLate = 0;; tooLate++) {
        const { program, copy } = await beginning(folder, there);
        await using _program = program;
        program.signal(signal);
        const { code, out, errors } = await program.result();
        if (code === 0 && tooLate < 50) {
          // It was quicker than we are: once more.
          assertEquals(await there.files(), ["copy.db"]);
          await Deno.remove(copy);
          continue;
        }
        assertEquals({ code, out }, { code: 1, out: [] });
        assertEquals(errors, [
          `chat-server: cannot back up ${folder.path} to ${copy}: it was stopped`,
        ]);
        assertEquals(await there.files(), []);
        break;
      }
    }
  },
);

Deno.test("backUp() refuses a folder without a database of ours, and leaves it as it is", async () => {
  await using there = await Folder.make();
  const another = "chat.db is the database of another program";
  const none = "chat.db is not a database";
  const newer = MIGRATIONS.length + 1;
  const sql = (sql: string) => (path: string) => {
    using db = new DatabaseSync(path);
    db.exec(sql);
  };
  const file = (text: string) => (path: string) =>
    Deno.writeTextFileSync(path, text);
  const folder = (path: string) => Deno.mkdirSync(path);
  const cases: [(path: string) => void, string][] = [
    [() => {}, "there is no chat.db in it"],
    [file(""), "chat.db is empty"],
    [file("no database ".repeat(1000)), none],
    [sql("CREATE TABLE messages (room)"), another],
    [sql("PRAGMA application_id = 77"), another],
    [
      sql(`PRAGMA application_id = ${0x63686174};
        PRAGMA user_version = ${newer}`),
      "chat.db was written by a newer chat-server",
    ],
    [folder, "chat.db can be neither opened nor made"],
  ];
  for (const [make, reason] of cases) {
    await using folder = await Folder.make();
    make(folder.file("chat.db"));
    const files = await folder.files();
    assertEquals(await refusal(folder.path, there.file("copy")), reason);
    assertEquals(await folder.files(), files);
  }
  assertEquals(await there.files(), []);
});

Deno.test("backUp() says which folder is missing", async () => {
  await using folder = await Folder.withMessages(1);
  const { path } = folder;
  for (const no of [folder.file("no"), folder.file("chat.db")]) {
    assertEquals(
      await refusal(no, folder.file("copy")),
      `there is no folder ${no}`,
    );
    assertEquals(await refusal(path, `${no}/copy`), `there is no folder ${no}`);
  }
  assertEquals(await folder.files(), ["chat.db", "chat.lock"]);
});

Deno.test("backUp() makes no copy of a database that is damaged", async () => {
  await using folder = await Folder.withMessages(2000);
  await using there = await Folder.make();
  const path = folder.file("chat.db");
  const bytes = await Deno.readFile(path);
  const page = 4096;
  // The schema; an index, of which nothing is counted; the messages.
  for (const [from, to] of [[100, page], [5 * page, 6 * page], [6 * page]]) {
    await Deno.writeFile(path, bytes.slice().fill(77, from, to));
    assertEquals(
      await refusal(folder.path, there.file("copy")),
      "chat.db is damaged",
    );
    assertEquals(await there.files(), []);
  }
});

Deno.test("backUp() gives up where another program locks the database", async () => {
  await using folder = await Folder.withMessages(1);
  using other = new DatabaseSync(folder.file("chat.db"));
  other.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  assertEquals(
    await refusal(folder.path, folder.file("copy")),
    "chat.db is locked by another program",
  );
  other.exec("ROLLBACK");
});

testUnless(
  noSmallDisk,
  "backUp() says that the disk of the copy is full, and leaves nothing on it",
  async () => {
    await using folder = await Folder.withMessages(MUCH);
    await using disk = await SmallDisk.make();
    const there = new Folder(disk.path);
    const full = () => refusal(folder.path, there.file("copy"));
    assertEquals(await full(), "the disk is full");
    assertEquals(await there.files(), []);
    await disk.fill();
    assertEquals(await full(), "the disk is full");
    assertEquals(await there.files(), ["rest"]);
    await disk.empty();
    disk.remount("ro");
    assertEquals(await full(), `the copy in ${disk.path} cannot be made`);
  },
);

testUnless(
  without("setpriv"),
  "chat-server backup says what it may not read or write",
  async () => {
    await using folder = await Folder.withMessages(1);
    await using there = await Folder.make();
    const copy = there.file("copy");
    // Root may do everything, unless it is made to be like everybody else.
    const isRoot = shellFault('test "$(id -u)" = 0') === undefined;
    const reason = async () => {
      await using program = new Program("setpriv", [
        ...(isRoot ? ["--bounding-set=-dac_override,-dac_read_search"] : []),
        Deno.execPath(),
        ...[...SERVER_ARGS, "backup", folder.path, copy],
      ]);
      const { code, out, errors } = await program.result();
      assertEquals({ code, out, lines: errors.length }, {
        code: 1,
        out: [],
        lines: 1,
      });
      return reasonAfter(
        folder.path,
        copy,
        errors[0]!.replace(/^chat-server: /, ""),
      );
    };
    await Deno.chmod(there.path, 0o500);
    assertEquals(await reason(), `the copy in ${there.path} cannot be made`);
    await Deno.chmod(there.path, 0o700);
    await Deno.chmod(folder.file("chat.db"), 0o000);
    assertEquals(await reason(), "chat.db can be neither opened nor made");
    await Deno.chmod(folder.path, 0o000);
    assertMatch(await reason(), /^Permission denied/);
    await Deno.chmod(folder.path, 0o700);
    assertEquals(await there.files(), []);
  },
);

Deno.test("chat-server backup says in one line what is wrong with its arguments, and exits 2", async () => {
  const missing =
    "backup needs DIR, the folder of the messages, and FILE, which will be the copy";
  const cases: [string[], string][] = [
    [[], missing],
    [["chat"], missing],
    [["", "copy.db"], missing],
    [["chat", ""], missing],
    [["chat", "copy.db", "more"], 'unexpected argument "more"'],
    [["--port", "1", "chat", "copy.db"], "unknown flag --port"],
  ];
  for (const [args, reason] of cases) {
    await using program = serverProgram("backup", ...args);
    assertEquals(await program.result(), {
      code: 2,
      out: [],
      errors: [`chat-server: ${reason} (--help tells more)`],
    });
  }
});

Deno.test("chat-server backup --help says how, and chat-server --help that there is such a thing", async () => {
  for (
    const [args, line] of [
      [["backup", "--help"], "Usage: chat-server backup DIR FILE"],
      [
        ["--help"],
        "chat-server backup DIR FILE copies what is kept in DIR, also while it runs.",
      ],
    ] as const
  ) {
    await using program = serverProgram(...args);
    const { code, out } = await program.result();
    assertEquals(code, 0);
    assert(out.includes(line), out.join("\n"));
  }
});
