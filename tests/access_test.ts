/** Who gets in where there is a password: real sockets, and real processes for what the environment says. */

import { networkOf } from "../lib/server/admission.ts";
import { Entry, EntryPassword, passwordFault } from "../lib/server/entry.ts";
import { DEFAULT_LIMITS, type Limits } from "../lib/server/limits.ts";
import { type Log, MemoryLog } from "../lib/server/log.ts";
import { Gate } from "../lib/server/gate.ts";
import { Outbox } from "../lib/server/outbox.ts";
import { Tries } from "../lib/server/tries.ts";
import { assert, assertEquals, assertMatch } from "./assert.ts";
import { House, SlowLog } from "./house.ts";
import {
  Bot,
  listening,
  Program,
  Room,
  SERVER_ARGS,
  serverProgram,
  Visitor,
} from "./fixtures.ts";

const SECRET = "open sesame";

/** A room with a password, in which a wrong one costs no time unless `limits` say so. */
function guarded(
  limits: Partial<Limits> = {},
  log: Log = new MemoryLog(),
): Promise<Room> {
  const password = new EntryPassword(SECRET);
  return Room.open({ wrongPasswordMs: 0, ...limits }, log, { password });
}

/** Somebody who has given the password, and taken a name. */
async function enter(room: Room, name: string): Promise<Visitor> {
  const visitor = await room.connect();
  await visitor.send(`${SECRET}\n`);
  await visitor.enter(name);
  return visitor;
}

const hello = (fields: Record<string, unknown> = {}) => ({
  type: "hello",
  v: 1,
  ...fields,
});

/** A program that has come in. */
async function program(
  room: Room,
  fields: Record<string, unknown> = {},
): Promise<Bot> {
  const bot = await Bot.connect(room.server.port);
  await bot.hello({ password: SECRET, ...fields });
  return bot;
}

/** How many members the server knows of. */
const members = (room: Room) => room.server.census().members;

const error = (code: string, message: string, id?: string) => ({
  ...{ type: "error", code, message },
  ...(id !== undefined && { id }),
});

const HELLO_NEEDED = error("hello-expected", "say hello first");

Deno.test("Without the password nobody is announced, counted, or sees anything, whatever they try", async () => {
  await using room = await guarded({ maxWrongPasswords: 9, maxTries: 99 });
  using ann = await program(room, { name: "ann" });
  await ann.send({ type: "say", room: "lobby", text: "secret plans", id: "1" });
  await ann.until("ack");
  using bob = await enter(room, "bob");
  await bob.heard();
  await ann.heard();
  const tried = [
    "/nick eve\n/who\n/rooms\n/history\n/join dev\n/msg ann hi\nhi all\n",
    `${
      [
        hello({ name: "eve" }),
        { type: "ping", id: "p" },
        { type: "who", room: "lobby" },
        { type: "history", room: "lobby" },
        { type: "join", room: "dev" },
        hello({ name: "ann", password: "guess" }),
        { type: "tell", to: "ann", text: "hi" },
      ].map((frame) => JSON.stringify(frame)).join("\n")
    }\n`,
  ];
  const strangers = await Promise.all(
    Array.from({ length: 20 }, () => room.connect()),
  );
  try {
    const heard = await Promise.all(strangers.map(async (stranger, i) => {
      await stranger.send(tried[i % 2]!);
      return await stranger.take(i % 2 ? 7 : 15);
    }));
    const wrong = ["-- wrong password", "-- password?"];
    const person = ["-- password?", ...Array(7).fill(wrong).flat()];
    const frames = [
      error("password-needed", "a hello needs the password of this server"),
      { ...HELLO_NEEDED, id: "p" },
      ...Array(3).fill(HELLO_NEEDED),
      error("password-wrong", "wrong password"),
      HELLO_NEEDED,
    ];
    for (const [i, lines] of heard.entries()) {
      if (i % 2 === 0) assertEquals(lines, person);
      else assertEquals(lines.map((line) => JSON.parse(line!)), frames);
    }
    assertEquals(members(room), 2);
    assertEquals(room.server.census().connections, {
      text: 1,
      json: 1,
      none: 20,
    });
    assertEquals(await ann.heard(), []);
    assertEquals(await bob.heard(), []);
    await bob.send("/who\n");
    assertMatch(await bob.line() ?? "", /^-- 2 here: /);
    // What others say does not reach them, nor do they leave anything behind.
    await ann.send({ type: "say", room: "lobby", text: "still secret" });
    await bob.until("<ann> still secret");
    for (const stranger of strangers) await stranger.halfClose();
    for (const stranger of strangers) {
      assertEquals(await stranger.rest(), []);
    }
    assertEquals(
      (await ann.heard()).map(({ type }) => type),
      ["message"],
    );
    assertEquals(await bob.heard(), []);
  } finally {
    for (const stranger of strangers) stranger.close();
  }
});

Deno.test("A person who says nothing is asked for the password, and comes in as usual with it", async () => {
  await using room = await guarded({ firstLineMs: 1 });
  using ann = await room.connect();
  assertEquals(await ann.line(), "-- password?");
  await ann.send(`${SECRET}\r\n`);
  assertEquals(
    await ann.line(),
    "-- welcome, you are guest1; nobody else is here; /help lists the commands",
  );
  await ann.send("/who\n");
  assertEquals(await ann.line(), "-- 1 here: guest1");
});

Deno.test("A first line that is no hello is the answer, and what follows is heeded in order", async () => {
  await using room = await guarded();
  using ann = await enter(room, "ann");
  await ann.heard();
  using script = await room.connect();
  const lines = Array.from({ length: 100 }, (_, i) => `line ${i}`);
  await script.send([SECRET, "/nick bob", ...lines].join("\n"));
  await script.halfClose();
  assertEquals(
    (await script.rest()).filter((line) => !/^(\d|-- (now|\d))/.test(line)),
    [
      "-- password?",
      "-- welcome, you are bob; 1 other is here; /help lists the commands",
      "-- bye: end of input",
    ],
  );
  assertEquals(await ann.until("[bob] is offline"), [
    "[bob] entered room",
    ...lines.map((line) => `<bob> ${line}`),
  ]);
});

Deno.test("Another protocol is refused as such and is no answer; after the password its words are words", async () => {
  await using room = await guarded();
  using ann = await enter(room, "ann");
  for (const line of ["GET / HTTP/1.1", "SSH-2.0-x"]) {
    using stranger = await room.connect();
    await stranger.send(`${line}\n`);
    assertMatch(
      (await stranger.line()) ?? "",
      /^-- bye: this is a chat server, which does not speak/,
    );
  }
  using tls = await room.connect();
  await tls.send(Uint8Array.of(0x16, 0x03, 0x01, 0, 5));
  assertMatch((await tls.line()) ?? "", /does not speak TLS$/);
  assertEquals(await ann.heard(), []);
  assertEquals(room.server.tally.drops["foreign"], 3);
  assertEquals(room.server.tally.wrongPasswords, 0);
  using bob = await room.connect();
  await bob.send(`${SECRET}\nSSH-agents everywhere\n`);
  await ann.until("<guest1> SSH-agents everywhere");
});

Deno.test("While an answer is checked what comes is kept, also after the end of the input", async () => {
  await using room = await guarded({ wrongPasswordMs: 20 });
  using ann = await enter(room, "ann");
  await ann.heard();
  using script = await room.connect();
  await script.send(`wrong\n\n${SECRET}\n/nick bob\nhello\nbye`);
  await script.halfClose();
  assertEquals(
    (await script.rest()).filter((line) => !/^(\d|-- (now|\d))/.test(line)),
    [
      "-- password?",
      "-- wrong password",
      "-- password?",
      "-- password?",
      "-- welcome, you are bob; 1 other is here; /help lists the commands",
      "-- bye: end of input",
    ],
  );
  assertEquals(await ann.until("[bob] is offline"), [
    "[bob] entered room",
    "<bob> hello",
    "<bob> bye",
  ]);
});

Deno.test("Many at once from one address have three tries in a minute, and not one more, in both dialects", async () => {
  await using room = await guarded();
  using ann = await program(room, { name: "ann" });
  const guessers = await Promise.all(
    Array.from({ length: 100 }, () => room.connect()),
  );
  try {
    const ends = await Promise.all(guessers.map(async (guesser, i) => {
      const guess = i % 2
        ? JSON.stringify(hello({ password: `guess ${i}` }))
        : `guess ${i}`;
      await guesser.send(`${guess}\n`.repeat(4));
      return (await guesser.rest()).join("\n");
    }));
    const count = (pattern: RegExp) =>
      ends.filter((end) => pattern.test(end)).length;
    assertEquals(room.server.tally.wrongPasswords, 3);
    const wrong = ends.join("\n").match(/-- wrong password|password-wrong/g);
    assertEquals(wrong?.length, 3);
    assert(
      count(
        /too many wrong passwords came from your address, come again in \d+ s/,
      ) >=
        97,
    );
    assertEquals(room.server.tally.drops["wrong-password"], 100);
    // Also whoever has the right one must wait.
    using late = await Bot.connect(room.server.port);
    await late.send(hello({ password: SECRET, name: "late" }));
    const [refused, bye] = await late.rest();
    assertEquals(refused?.["code"], "too-many-tries");
    assertEquals([bye?.type, bye?.["reason"]], ["bye", refused?.["message"]]);
    assertEquals(members(room), 1);
    assertEquals(await ann.heard(), []);
  } finally {
    for (const guesser of guessers) guesser.close();
  }
});

Deno.test("Whoever hangs up before a wrong answer is answered has had that try", async () => {
  await using room = await guarded({ wrongPasswordMs: 5, maxTries: 5 });
  for (let i = 0; i < 5; i++) {
    using guesser = await room.connect();
    await guesser.send("guess\n");
    await guesser.line();
  }
  using late = await room.connect();
  await late.send(`${SECRET}\n`);
  assertMatch(
    (await late.rest()).at(-1) ?? "",
    /^-- bye: too many wrong passwords came from your address, /,
  );
});

Deno.test("A hundred who know the password come in at once, after two wrong ones too", async () => {
  await using room = await guarded();
  using guesser = await room.connect();
  await guesser.send("a\nb\n");
  await guesser.take(5);
  const bots = await Promise.all(
    Array.from({ length: 100 }, () => program(room)),
  );
  assertEquals(members(room), 100);
  for (const bot of bots) bot.close();
});

Deno.test("Three wrong passwords end the connection, and a changed limit holds at once", async () => {
  await using room = await guarded({ maxTries: 2 });
  using guesser = await room.connect();
  await guesser.send("a\nb\n");
  await guesser.take(5);
  room.server.limit({ maxTries: 9 });
  await guesser.send("c\nd\n");
  assertEquals(await guesser.rest(), [
    "-- wrong password",
    "-- bye: too many wrong passwords",
  ]);
  using bot = await Bot.connect(room.server.port);
  for (let i = 0; i < 3; i++) await bot.send(hello({ password: "x" }));
  const wrong = error("password-wrong", "wrong password");
  assertEquals(await bot.rest(), [
    ...[wrong, wrong, wrong],
    { type: "bye", reason: "too many wrong passwords" },
  ]);
});

Deno.test("A wrong password is answered late, and a right one is not", async () => {
  const never = 3_600_000;
  await using room = await guarded({ wrongPasswordMs: never, partingMs: 50 });
  using guesser = await room.connect();
  await guesser.send(`guess\n${SECRET}\n`);
  assertEquals(await guesser.line(), "-- password?");
  while (room.server.tally.wrongPasswords === 0) await turn();
  using ann = await enter(room, "ann");
  await ann.heard();
  // Whoever is in the middle of a check is told like everybody else, and nothing is left of it.
  await room.server.stop();
  assertEquals(await guesser.rest(), ["-- bye: the server is stopping"]);
});

Deno.test("Whoever gives no password in time is told and ended, each time they are asked", async () => {
  await using room = await guarded({ entryMs: 50 });
  using silent = await room.connect();
  assertEquals(await silent.rest(), ["-- bye: no password came for 0.05 s"]);
  using bot = await Bot.connect(room.server.port);
  await bot.send(hello());
  const frames = await bot.rest();
  assertEquals(frames.at(-1)?.["reason"], "no password came for 0.05 s");
  using guesser = await room.connect();
  await guesser.send("guess\n");
  assertEquals(await guesser.rest(), [
    ...["-- password?", "-- wrong password", "-- password?"],
    "-- bye: no password came for 0.05 s",
  ]);
  assertEquals(room.server.tally.drops["no-password"], 3);
  using ann = await enter(room, "ann");
  await new Promise((resolve) => setTimeout(resolve, 100));
  assertEquals(await ann.heard(), []);
});

Deno.test("Nobody's time is up while their answer is checked, and it begins anew with each question", async () => {
  await using room = await guarded({ entryMs: 20, wrongPasswordMs: 200 });
  using guesser = await room.connect();
  await guesser.send("guess\n");
  assertEquals(await guesser.rest(), [
    ...["-- password?", "-- wrong password", "-- password?"],
    "-- bye: no password came for 0.02 s",
  ]);
});

Deno.test("Gate does nothing more once somebody has gone in the middle of a check", async () => {
  const limits = { ...DEFAULT_LIMITS, entryMs: 1 };
  const entry = new Entry(new Tries(limits), new EntryPassword(SECRET));
  const { turns, hub } = await House.open();
  const told: string[] = [];
  const write = (bytes: Uint8Array) => {
    told.push(new TextDecoder().decode(bytes));
    return Promise.resolve(bytes.length);
  };
  const owner = { maxBytes: 1_000_000, onFull() {} };
  const gate = new Gate({
    outbox: new Outbox({ write }, turns, owner),
    address: "192.0.2.7:1",
    host: "192.0.2.7",
    network: { name: "192.0.2.7" },
    end: () => told.push("ended"),
    part: () => told.push("parted"),
    admit: () => void told.push("admitted"),
  }, { entry, hub, limits, tally: turns.tally });
  const checked = gate.heed("guess");
  gate.leave({ why: "gone" });
  await checked;
  await gate.heed(SECRET);
  gate.greet();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(told, ["-- password?\n"]);
});

Deno.test("Whoever quits, hangs up or sends nonsense before they are in leaves no trace", async () => {
  await using room = await guarded();
  using ann = await program(room, { name: "ann" });
  using quitter = await room.connect();
  await quitter.send("/QUIT\n");
  assertEquals(await quitter.rest(), ["-- password?", "-- bye: you quit"]);
  using bot = await Bot.connect(room.server.port);
  await bot.send(hello(), { type: "quit" });
  assertEquals((await bot.rest()).at(-1), { type: "bye", reason: "you quit" });
  using babbler = await Bot.connect(room.server.port);
  await babbler.send(...Array(10).fill({ type: "hello" }));
  const last = (await babbler.rest()).at(-1);
  assertEquals(last?.["reason"], "ten frames in a row were bad");
  for (const gone of [quitter, bot, babbler]) gone.close();
  (await room.connect()).close();
  while (room.server.connections > 1) await turn();
  assertEquals(members(room), 1);
  assertEquals(await ann.heard(), []);
  assertEquals(room.server.tally.wrongPasswords, 0);
});

Deno.test("telnet's lines end in CR LF before it is in, too", async () => {
  await using room = await guarded();
  using telnet = await room.connect();
  await telnet.send(Uint8Array.of(255, 253, 3));
  await telnet.send("guess\r\n");
  assertEquals(await telnet.take(3), [
    ...["-- password?\r", "-- wrong password\r", "-- password?\r"],
  ]);
  await telnet.send(`${SECRET}\r\n/nick tel\r\n`);
  assertMatch(await telnet.line() ?? "", /^-- welcome, you are tel;.*\r$/);
});

Deno.test("A session is taken back with the password only, and is held meanwhile whatever strangers say", async () => {
  await using room = await guarded();
  const session = "5".repeat(32);
  using watcher = await program(room, { name: "watcher" });
  const ann = await program(room, { name: "ann", session });
  await ann.send({ type: "join", room: "dev" });
  await ann.heard();
  await watcher.heard();
  ann.close();
  while (room.server.connections > 1) await turn();
  await watcher.send({ type: "say", room: "lobby", text: "missed" });
  await watcher.until("message");
  using thief = await Bot.connect(room.server.port);
  await thief.send(hello({ session }), hello({ session, password: "guess" }));
  assertEquals(
    [await thief.frame(), await thief.frame()].map((f) => f?.["code"]),
    ["password-needed", "password-wrong"],
  );
  assertEquals(await watcher.heard(), []);
  using back = await Bot.connect(room.server.port);
  await back.send(
    hello({ session, password: SECRET, since: { lobby: 0, dev: 0 } }),
  );
  const [welcome] = await back.until("welcome");
  assertEquals(welcome?.["name"], "ann");
  const [missed] = await back.until("message");
  assertEquals(missed?.["text"], "missed");
  assertEquals(await watcher.heard(), []);
});

Deno.test("Somebody comes in whose connection ends while they do, and nothing is left of them", async () => {
  const log = new SlowLog();
  await using room = await guarded({}, log);
  const opened = log.hold("open");
  const bot = await Bot.connect(room.server.port);
  await bot.send(hello({ password: SECRET, since: { dev: 1 } }));
  await opened.reached;
  bot.close();
  opened.release();
  while (room.server.connections > 0) await turn();
  assertEquals(members(room), 0);
});

Deno.test("Without a password everything is as before, and a hello may have one", async () => {
  await using room = await Room.open();
  using ann = await room.program({ name: "ann", password: "whatever" });
  using bob = await room.enter("bob");
  await bob.send("open sesame\n");
  const [, message] = await ann.until("message");
  assertEquals(message?.["text"], "open sesame");
});

Deno.test("A changed password binds those who come from then on, and no password nobody", async () => {
  await using room = await guarded();
  using ann = await enter(room, "ann");
  using waiting = await room.connect();
  await waiting.send("\n");
  await waiting.line();
  room.server.guard(new EntryPassword("new"));
  await waiting.send(`${SECRET}\nnew\n/nick bob\n`);
  await waiting.until(/^-- welcome, you are bob/);
  await ann.send("still here\n");
  await waiting.until("<ann> still here");
  room.server.guard(undefined);
  using cid = await room.enter("cid");
  await cid.heard();
});

Deno.test("EntryPassword is the same in every form of Unicode, and otherwise in every character", () => {
  const right = (password: string, answer: string) =>
    new EntryPassword(password).isRight(answer);
  for (const word of ["a b  c", " x ", "пароль ✓", "{}", "/quit", "\t\t."]) {
    assert(right(word, word), word);
  }
  assert(right("caf\u00e9", "cafe\u0301"));
  for (
    const [password, answer] of [
      ["a", "A"],
      ["a", "a "],
      ["ab", "a"],
      ["a", ""],
      ["\uff41", "a"],
      ["a".repeat(256), "a".repeat(255)],
    ] as const
  ) assert(!right(password, answer), `${password} ${answer}`);
  const password = new EntryPassword("a");
  assert(password.equals(new EntryPassword("a")));
  assert(!password.equals(new EntryPassword("b")));
  assert(!password.equals(undefined));
  assert(!JSON.stringify([Deno.inspect(password)]).includes('a"'));
});

Deno.test("passwordFault() wants 1 to 256 characters that can be said", () => {
  for (const good of ["a", "𝒳".repeat(256), " a", "a\tb"]) {
    assertEquals(passwordFault(good), undefined);
  }
  for (
    const [bad, fault] of [
      ["", "there is no password in it"],
      [" \t", "there is no password in it"],
      ["a".repeat(257), "a password has at most 256 characters"],
      ["a\x1b", "a password has no control characters"],
      ["a\u202e", "a password has no control characters"],
    ] as const
  ) assertEquals(passwordFault(bad), fault);
});

Deno.test("Entry.judge() counts by the /64 of IPv6, and a right answer not at all", () => {
  const entry = new Entry(new Tries(DEFAULT_LIMITS), new EntryPassword("a"));
  const judge = (answer: string, host: string, now = 0) =>
    entry.judge(answer, networkOf(host), now);
  for (let i = 0; i < 10; i++) {
    assertEquals(judge("a", `2001:db8::${i}`), "right");
  }
  for (let i = 1; i <= 3; i++) {
    assertEquals(judge("b", `2001:db8::${i}`, i), "wrong");
  }
  assertEquals(judge("a", "2001:db8::ffff:1", 4), { waitMs: 59_997 });
  assertEquals(judge("a", "2001:db8:0:1::1", 4), "right");
  assertEquals(judge("a", "2001:db8::1", 60_001), "right");
});

/** One turn of the event loop. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A file in a folder of its own, which goes with it. */
async function withFile(
  content: string | Uint8Array,
  use: (path: string) => Promise<void>,
  mode = 0o600,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/password`;
    await Deno.writeFile(
      path,
      typeof content === "string" ? new TextEncoder().encode(content) : content,
    );
    if (Deno.build.os !== "windows") await Deno.chmod(path, mode);
    await use(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Whether somebody comes in with this password, of whom a server of this machine asks for one. */
async function opens(port: number, password: string): Promise<boolean> {
  using bot = await Bot.connect(port);
  await bot.send(hello({ password }), { type: "quit" });
  return (await bot.rest()).some(({ type }) => type === "welcome");
}

function serverWith(env: Record<string, string>, ...flags: string[]): Program {
  const args = [...SERVER_ARGS, "--port=0", "--max-tries=99", ...flags];
  return new Program(Deno.execPath(), args, env);
}

Deno.test("chat-server takes the password from --password-file, else CHAT_PASSWORD, else the file that config.json names", async () => {
  await withFile("from the file\nnot this\n", async (path) => {
    const config = `${path}.json`;
    await Deno.writeTextFile(config, JSON.stringify({ "password-file": path }));
    const env = { CHAT_PASSWORD: "from the variable" };
    for (
      const [expected, variables, flags] of [
        ["from the file", env, ["--password-file", path]],
        ["from the variable", env, ["--config", config]],
        ["from the variable", env, []],
        ["from the file", {}, ["--config", config]],
        ["from the file", { CHAT_PASSWORD: "" }, ["--password-file", path]],
      ] as const
    ) {
      await using server = serverWith(variables, ...flags);
      const port = await listening(server);
      assert(await opens(port, expected), expected);
      assert(!await opens(port, "not this"));
      server.signal("SIGTERM");
      assertEquals(await server.exit(), 0);
      const log = (await server.errors.rest()).join("\n");
      assertMatch(log, /warning wrong password address=127\.0\.0\.1:\d+/);
      assert(!/not this|from the/.test(log), log);
    }
  });
});

Deno.test("chat-server says what is wrong with a password, and not the password", async () => {
  const told = async (
    env: Record<string, string>,
    ...flags: string[]
  ): Promise<string> => {
    await using server = serverWith(env, ...flags);
    const { code, out, errors } = await server.result();
    assertEquals([code, out], [2, []]);
    return errors.join("\n").replace(" (--help tells more)", "");
  };
  for (
    const [content, fault] of [
      ["", "there is no password in it"],
      ["\nsecret\n", "there is no password in it"],
      [`${"x".repeat(257)}\n`, "a password has at most 256 characters"],
      ["sec\x1bret", "a password has no control characters"],
      [Uint8Array.of(0xff), "it is not UTF-8"],
      ["x".repeat(5000), "it has over 4096 bytes"],
    ] as const
  ) {
    await withFile(content, async (path) => {
      const line = await told({}, "--password-file", path);
      assert(line.startsWith(`chat-server: --password-file ${path}: `), line);
      assert(line.endsWith(fault), line);
    });
  }
  assertEquals(
    await told({}, "--password-file=/nowhere/at/all"),
    "chat-server: --password-file /nowhere/at/all: there is no such file",
  );
  assertEquals(
    await told({ CHAT_PASSWORD: "x".repeat(257) }),
    "chat-server: CHAT_PASSWORD: a password has at most 256 characters",
  );
  assertEquals(
    await told({ CHAT_PASSWORD: "" }),
    "chat-server: CHAT_PASSWORD: there is no password in it",
  );
});

Deno.test({
  name:
    "On SIGHUP the password is read again, and of one that others may read the log warns",
  ignore: Deno.build.os === "windows",
  async fn() {
    await withFile("one\n", async (path) => {
      await using server = serverProgram(
        ...["--port=0", "--max-tries=99", "--password-file", path],
      );
      const port = await listening(server);
      const reload = async () => {
        server.signal("SIGHUP");
        return await server.errors.until(/settings (were|will)/);
      };
      using ann = await Bot.connect(port);
      await ann.hello({ name: "ann", password: "one" });
      assertMatch(
        server.errors.seen.join("\n"),
        /warning others on this machine may read the password file=/,
      );
      await Deno.chmod(path, 0o600);
      await Deno.writeTextFile(path, "two");
      const said = await reload();
      assert(!/may read the password/.test(said.slice(2).join("\n")));
      assertMatch(server.errors.seen.at(-1)!, /read again changed=password$/);
      assert(!await opens(port, "one"));
      assert(await opens(port, "two"));
      await Deno.writeTextFile(path, "");
      await reload();
      assertMatch(
        server.errors.seen.join("\n"),
        /nothing is changed reason="--password-file .*: there is no password in it"/,
      );
      assert(await opens(port, "two"));
      await ann.heard();
    }, 0o644);
  },
});
