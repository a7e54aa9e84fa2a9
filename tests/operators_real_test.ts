/** What operators do to whom, through real sockets and processes, to names that really belong to somebody. */

import { EntryPassword } from "../lib/server/entry.ts";
import type { Limits } from "../lib/server/limits.ts";
import { ChatServer } from "../lib/server/listen.ts";
import { MemoryLog } from "../lib/server/log.ts";
import type { OperatingOptions } from "../lib/server/operating.ts";
import { assert, assertEquals } from "./assert.ts";
import {
  Bot,
  CHEAP,
  clientProgram,
  Folder,
  listening,
  noSmallDisk,
  Room,
  serverProgram,
  SmallDisk,
  testUnless,
  Visitor,
} from "./fixtures.ts";

const START = Date.parse("2026-01-02T03:04:05.000Z");
const HOUR = 60 * 60 * 1000;
const SECRET = "correct horse";
const NOT_OPERATOR = "only operators may do that";

/** A room in which `op` is the name of an operator. */
function open(
  options: OperatingOptions & { password?: EntryPassword } = {},
  limits: Partial<Limits> = {},
): Promise<Room> {
  const operators = ["op"];
  return Room.open(limits, new MemoryLog(), { operators, ...options });
}

/** Somebody who has entered under a name, and registered it. */
async function owner(room: Room, name: string): Promise<Visitor> {
  const visitor = await room.enter(name);
  await visitor.send(`/register ${SECRET}\n`);
  const answer = (await visitor.heard()).at(-1);
  assert(answer?.startsWith(`-- ${name} is yours now`), answer);
  return visitor;
}

/** Says a line, and gives what comes of it. */
async function say(visitor: Visitor, line: string): Promise<string[]> {
  await visitor.send(`${line}\n`);
  return await visitor.heard();
}

/** Frames without what nobody asked for. */
async function answers(bot: Bot, frame: Record<string, unknown>) {
  await bot.send({ type: "", ...frame });
  const heard = await bot.heard();
  return heard.filter(({ id }) => id !== undefined && id === frame["id"]);
}

/** What a program is told up to its welcome; by then it has left. */
async function hello(room: Room, fields: Record<string, unknown>) {
  using bot = new Bot(await room.connect());
  await bot.send({ type: "hello", v: 1, ...fields });
  const told = await bot.until("welcome");
  await bot.send({ type: "quit" });
  await bot.rest();
  return told.map(({ type, code, name }) => type === "error" ? code : name);
}

Deno.test("A ban ends people, programs and sessions that are held, and keeps their names from all that come", async () => {
  await using room = await open({ now: () => START });
  using op = await owner(room, "op");
  using bob = await room.enter("bob");
  using cy = await room.program({ name: "cy", session: "1".repeat(32) });
  const dan = await room.program({ name: "dan", session: "2".repeat(32) });
  const connections = room.server.connections;
  dan.close();
  while (room.server.connections === connections) await op.heard();
  await op.heard();

  const farewell = "you are banned until 2026-01-02 05:04:05 UTC: spam";
  assertEquals(await say(op, "/ban BOB 2h spam"), [
    "[bob] is offline",
    "-- banned until 2026-01-02 05:04:05 UTC: BOB; 1 member ended",
  ]);
  assertEquals((await bob.rest()).at(-1), `-- bye: ${farewell}`);
  assertEquals(await say(op, "/ban cy"), [
    "[cy] is offline",
    "-- banned for good: cy; 1 member ended",
  ]);
  assertEquals((await cy.rest()).at(-1), {
    type: "bye",
    reason: "you are banned",
  });
  assertEquals(await say(op, "/ban dan"), [
    "[dan] is offline",
    "-- banned for good: dan; 1 member ended",
  ]);
  assertEquals(room.server.tally.drops.banned, 2);

  assertEquals(await hello(room, { name: "cy", session: "1".repeat(32) }), [
    "banned",
    "guest1",
  ]);
  assertEquals(await hello(room, { name: "dan", session: "2".repeat(32) }), [
    "banned",
    "guest2",
  ]);
  using again = await room.connect();
  await again.send("/nick Bob\n");
  assertEquals(
    await again.line(),
    "-- refused (that name is banned until 2026-01-02 05:04:05 UTC: spam): /nick Bob",
  );
  assertEquals(
    (await again.line())?.startsWith("-- welcome, you are guest3;"),
    true,
  );
});

Deno.test("A ban of the address from which everybody comes ends them all, the operator too once that is confirmed", async () => {
  await using room = await open({ now: () => START });
  using op = await owner(room, "op");
  using bob = await room.enter("bob");
  using cy = await room.program({ name: "cy" });
  using silent = await room.connect();
  await op.heard();
  const line = "/ban 127.0.0.0/8 1h";
  assertEquals(await say(op, line), [
    "-- refused (this would ban you, until 2026-01-02 04:04:05 UTC: " +
    `say it again within 30 s): ${line}`,
  ]);
  await op.send(`${line}\n`);
  const farewell = "you are banned until 2026-01-02 04:04:05 UTC";
  for (const visitor of [op, bob, silent]) {
    assertEquals((await visitor.rest()).at(-1), `-- bye: ${farewell}`);
  }
  assertEquals((await cy.rest()).at(-1), { type: "bye", reason: farewell });
  using next = await room.connect();
  assertEquals(await next.rest(), [`-- bye: ${farewell}`]);
});

Deno.test("What would hit a program that is an operator is confirmed by the same frame, and by no other", async () => {
  await using room = await open();
  using _ = await owner(room, "op");
  using op = await room.program({ name: "op", login: SECRET });
  const ban = { type: "ban", target: "op", seconds: 60 };
  const codes = async (frame: Record<string, unknown>) =>
    (await answers(op, frame)).map(({ type, code }) => code ?? type);
  assertEquals(await codes({ ...ban, id: "1" }), ["confirm"]);
  assertEquals(await codes({ ...ban, seconds: 61, id: "2" }), ["confirm"]);
  assertEquals(await codes({ ...ban, id: "3" }), ["confirm"]);
  await op.send({ ...ban, id: "4" });
  const { type, reason } = (await op.rest()).at(-1)!;
  assertEquals([type, `${reason}`.slice(0, 20)], [
    "bye",
    "you are banned until",
  ]);
});

Deno.test("A ban of what looks like the name that an operator goes by is confirmed, too", async () => {
  await using room = await open();
  using op = await owner(room, "op");
  await say(op, "/nick al");
  for (const target of ["aI", "AL", "OP"]) {
    const [answer] = await say(op, `/mute ${target}`);
    assert(answer?.startsWith("-- refused (this would mute you,"), answer);
  }
  // Whoever owns a name is not meant by another one.
  assertEquals(await say(op, "/ban 0p"), [
    "-- banned for good: 0p; 0 members ended",
  ]);
});

Deno.test("Who is banned by name gets it neither with the right password nor by looking like it, and it costs no try", async () => {
  await using room = await open({}, { maxTries: 1 });
  using op = await owner(room, "op");
  using mike = await owner(room, "mike");
  await op.heard();
  await say(op, "/ban mike");
  await mike.rest();
  const refused = (line: string) => [
    `-- refused (that name is banned): ${line}`,
  ];
  using guest = await room.enter("eve");
  await op.heard();
  await guest.heard();
  for (let i = 0; i < 3; i++) {
    assertEquals(
      await say(guest, `/login mike ${SECRET}`),
      refused("/login"),
    );
  }
  assertEquals(await say(guest, "/unregister"), [
    "-- refused (you are not logged in): /unregister",
  ]);
  assertEquals(await hello(room, { name: "mike", login: SECRET }), [
    "banned",
    "guest1",
  ]);
  // Also as the first thing that anybody says.
  using first = await room.connect();
  await first.send(`/login mike ${SECRET}\n`);
  const [welcome, answer] = [await first.line(), await first.line()];
  assert(welcome?.startsWith("-- welcome, you are guest2;"), welcome);
  assertEquals(answer, refused("/login")[0]);
  await op.heard();
  assertEquals(await say(op, "/unban mike"), ["-- no longer banned: mike"]);
  await guest.heard();
  assertEquals(
    (await say(guest, `/login mike ${SECRET}`)).at(-1),
    "-- you are logged in as mike",
  );
  await op.heard();

  // A name that nobody has registered.
  await say(op, "/ban bob");
  await first.heard();
  for (const name of ["b0b", "B0B", "Воb", "ｂｏｂ"]) {
    const [line] = await say(first, `/nick ${name}`);
    assert(line?.startsWith("-- refused ("), line);
    assert((await hello(room, { name }))[0] !== name, name);
    await first.heard();
  }
  assertEquals(
    await hello(room, { name: "b0b" }).then(([code]) => code),
    "banned",
  );
});

Deno.test("Whoever is named alike is meant by a ban, unless the name is their own", async () => {
  await using room = await open();
  using op = await owner(room, "op");
  using mike = await owner(room, "mike");
  using b0b = await room.enter("b0b");
  await op.heard();
  assertEquals(
    (await say(op, "/ban rnike")).at(-1),
    "-- banned for good: rnike; 0 members ended",
  );
  assertEquals(await mike.heard(), ["[b0b] entered room"]);
  await mike.send("/quit\n");
  await mike.rest();
  using again = await room.enter("eve");
  assertEquals(
    (await say(again, `/login mike ${SECRET}`)).at(-1),
    "-- you are logged in as mike",
  );
  await op.heard();
  assertEquals(
    (await say(op, "/ban bob")).at(-1),
    "-- banned for good: bob; 1 member ended",
  );
  assertEquals((await b0b.rest()).at(-1), "-- bye: you are banned");
});

Deno.test("Where only registered names come in, one that is banned does not", async () => {
  await using room = await open();
  using op = await owner(room, "op");
  using bob = await owner(room, "bob");
  await say(op, "/ban bob");
  await bob.rest();
  room.server.limit({ registeredOnly: true });
  using visitor = await room.connect();
  await visitor.send(`/login bob ${SECRET}\n`);
  assertEquals(await visitor.take(2), [
    "-- this server knows only registered names: /login NAME PASSWORD",
    "-- refused (that name is banned): /login",
  ]);
  using bot = new Bot(await room.connect());
  await bot.send({ type: "hello", v: 1, name: "bob", login: SECRET });
  assertEquals((await bot.frame())?.["code"], "banned");
  assertEquals(room.server.census().members, 1);
});

Deno.test("Whoever is banned while they stand at the gate is told so when they give the password, and does not come in", async () => {
  const password = new EntryPassword("open sesame");
  await using room = await open({ password });
  using op = await room.connect();
  await op.send("open sesame\n/nick op\n");
  await op.until(/^-- welcome, you are op;/);
  await op.send(`/register ${SECRET}\n`);
  await op.heard();
  using person = await room.connect();
  await person.send("\n");
  assertEquals(await person.line(), "-- password?");
  using program = new Bot(await room.connect());
  await program.send({ type: "hello", v: 1, name: "bot" });
  assertEquals((await program.frame())?.["code"], "password-needed");

  await op.send("/ban 127.0.0.1\n/ban 127.0.0.1\n");
  await op.rest();
  assertEquals(room.server.tally.drops.banned, 1);
  await person.send("open sesame\n");
  assertEquals(await person.rest(), ["-- bye: you are banned"]);
  await program.send({
    type: "hello",
    v: 1,
    name: "bot",
    password: "open sesame",
  });
  assertEquals(await program.rest(), [{
    type: "bye",
    reason: "you are banned",
  }]);
  assertEquals(room.server.tally.drops.banned, 3);
  assertEquals(room.server.census().members, 0);
});

Deno.test("Bans and mutes are over when they are over, for whoever is there and whoever comes", async () => {
  const clock = { now: START };
  await using room = await open({ now: () => clock.now });
  using op = await owner(room, "op");
  using bob = await room.enter("bob");
  await op.heard();
  await say(op, "/ban eve 1h");
  await say(op, "/mute bob 2h");
  await bob.heard();
  clock.now += HOUR - 1;
  assertEquals(await hello(room, { name: "eve" }), ["banned", "guest1"]);
  clock.now += 1;
  assertEquals(await hello(room, { name: "eve" }), ["eve"]);
  await bob.heard();
  assertEquals(
    (await say(bob, "hi")).at(-1)?.slice(0, 33),
    "-- refused (you are muted until 2",
  );
  clock.now += HOUR;
  await op.heard();
  assertEquals(await say(bob, "hi"), []);
  assertEquals((await op.heard()).at(-1), "<bob> hi");
});

Deno.test("Whoever is kicked with chat-client does not come back", async () => {
  await using room = await open();
  using op = await owner(room, "op");
  await using client = clientProgram("ann", String(room.server.port));
  await op.until("[ann] entered room");
  assertEquals(await say(op, "/kick ann rude"), [
    "[ann] is offline",
    "-- ann is kicked",
  ]);
  assertEquals(await client.exit(), 1);
  const errors = await client.errors.rest();
  assert(
    errors.join("\n").includes("you were kicked by op: rude"),
    errors.join("\n"),
  );
  assertEquals(room.server.tally.sessions, 2);
});

Deno.test("An operator's name gives no power to whoever takes it, imitates it or guesses its password", async () => {
  await using room = await open({ operators: ["root", "Σίσυφος"] });
  using root = await owner(room, "root");
  const names = [
    "ROOT",
    "r00t",
    "ｒｏｏｔ",
    "гооt",
    "rооt",
    "ΣΊΣΥΦΟΣ",
    "root1",
  ];
  for (const name of names) {
    using thief = await room.connect();
    await thief.send(`/nick ${name}\n/login ${name} ${SECRET}x\n`);
    await thief.heard();
    assertEquals(await say(thief, "/kick root"), [
      `-- refused (${NOT_OPERATOR}): /kick root`,
    ]);
    room.server.limit({ triesMs: 0 });
    using bot = new Bot(await room.connect());
    await bot.hello({ name, login: `${SECRET}x` });
    const [error] = await answers(bot, { type: "bans", id: "1" });
    assertEquals(error?.["code"], "not-operator", name);
    await bot.send({ type: "quit" });
    await bot.rest();
    await thief.send("/quit\n");
    await thief.rest();
  }
  await root.heard();
  assertEquals(await say(root, "/bans"), ["-- nobody is banned or muted"]);
  // Who gives the name up, and keeps it, is an operator no more.
  await say(root, "/unregister");
  assertEquals(await say(root, "/bans"), [
    `-- refused (${NOT_OPERATOR}): /bans`,
  ]);
});

/** An address of this machine that is not the loopback's; none, if it has none. */
function ownAddress(): string | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", "hostname -I"],
    stderr: "null",
  }).outputSync();
  return new TextDecoder().decode(stdout).split(/\s+/)
    .find((address) => /^\d+\.\d+\.\d+\.\d+$/.test(address));
}

const own = ownAddress();

testUnless(
  own === undefined ? "this machine has no other address" : undefined,
  "An operator's name that nobody owns yet is registered on the machine itself, and nowhere else",
  async () => {
    const never = 3_600_000;
    const limits = { firstLineMs: never, partingMs: never, rate: 0 };
    const server = await ChatServer.start({
      host: "0.0.0.0",
      port: 0,
      passwordCost: CHEAP,
      operators: ["op"],
      limits,
    });
    const connect = async (hostname: string) =>
      new Visitor(await Deno.connect({ hostname, port: server.port }));
    try {
      using stranger = await connect(own!);
      await stranger.send("/nick OP\n");
      assertEquals(
        await stranger.line(),
        "-- refused (that name belongs to somebody): /nick OP",
      );
      await stranger.send(`/register ${SECRET}\n/bans\n`);
      assertEquals((await stranger.heard()).slice(-2), [
        "-- refused (a guest's name cannot be registered, /nick takes another): /register",
        `-- refused (${NOT_OPERATOR}): /bans`,
      ]);
      // Behind a proxy everybody seems to be at home.
      server.limit({ limitLoopback: true });
      using proxied = await connect("127.0.0.1");
      await proxied.send("/nick op\n");
      assertEquals(
        await proxied.line(),
        "-- refused (that name belongs to somebody): /nick op",
      );
      await proxied.send("/quit\n");
      await proxied.rest();
      server.limit({ limitLoopback: false });
      using op = await connect("127.0.0.1");
      await op.enter("op");
      assertEquals(
        (await say(op, "/bans")).at(-1),
        `-- refused (${NOT_OPERATOR}): /bans`,
      );
      assertEquals((await say(op, `/register ${SECRET}`)).length, 1);
      assertEquals(await say(op, "/bans"), ["-- nobody is banned or muted"]);
      // Who came from elsewhere takes the address along.
      await say(stranger, "/nick eve");
      await op.heard();
      assertEquals(await say(op, "/ban eve"), [
        "[eve] is offline",
        `-- banned for good: eve, ${own}; 1 member ended`,
      ]);
      await stranger.rest();
      using next = await connect(own!);
      assertEquals(await next.rest(), ["-- bye: you are banned"]);
    } finally {
      await server.stop();
    }
  },
);

Deno.test("Who is no operator is told the same bytes, whether whom they name is here, registered, banned, or nobody", async () => {
  await using room = await open();
  using op = await owner(room, "op");
  using _here = await room.enter("her");
  using owned = await owner(room, "own");
  await owned.send("/quit\n");
  await owned.rest();
  await say(op, "/ban ban");
  await say(op, "/mute mut");
  using person = await room.enter("eve");
  await person.heard();
  using bot = await room.program({ name: "bot" });
  await person.heard();
  const names = ["her", "own", "ban", "mut", "zzz", "eve"];
  const lines = (name: string) => [
    ...["kick", "ban", "mute", "unban", "unmute"].map((c) => `/${c} ${name}`),
    ...[`/ban ${name} 1h x`, "/bans", "/slow 5", "/topic x", "/announce x"],
    "/reload",
  ];
  const frames = (name: string) => [
    { type: "kick", name },
    ...["ban", "mute", "unban", "unmute"].map((type) => ({
      type,
      target: name,
    })),
    { type: "bans" },
    { type: "slow", room: name, seconds: 5 },
    { type: "topic", room: name, text: "x" },
    { type: "announce", text: "x" },
    { type: "reload" },
  ];
  const heard = new Set<string>();
  for (const name of names) {
    for (const line of lines(name)) {
      const [answer, ...others] = await say(person, line);
      assertEquals(others, []);
      heard.add(`${answer}`.replace(line, "LINE"));
    }
  }
  assertEquals([...heard], [`-- refused (${NOT_OPERATOR}): LINE`]);
  heard.clear();
  for (const name of names) {
    for (const frame of frames(name)) {
      await bot.send({ ...frame, id: "1" });
      heard.add(`${await bot.visitor.line()}`);
    }
  }
  assertEquals([...heard], [
    `{"type":"error","code":"not-operator","message":"${NOT_OPERATOR}","id":"1"}`,
  ]);
});

/** A server with data that knows one operator. */
async function start(data: string) {
  const server = serverProgram(
    ...["--port", "0", "--data", data, "--operators", "op"],
  );
  return { server, port: await listening(server) };
}

Deno.test("Bans, mutes, topics and slow rooms are there after the server was killed, and after it was stopped", async () => {
  await using folder = await Folder.make();
  {
    const { server, port } = await start(folder.path);
    await using _ = server;
    using op = await Visitor.connect(port);
    await op.enter("op");
    await say(op, `/register ${SECRET}`);
    for (
      const [line, answer] of [
        ["/ban eve 1h spam", "-- banned until "],
        ["/ban 192.0.2.7/24", "-- banned for good: 192.0.2.0/24;"],
        ["/ban dan 1s", "-- banned until "],
        ["/mute mia", "-- muted for good: mia;"],
        ["/topic Tea", "-- topic: Tea"],
        ["/slow 86400", "-- op asks for one message in 86400 s"],
      ] as const
    ) {
      const [said] = await say(op, line);
      assert(said?.startsWith(answer), said);
    }
    server.signal("SIGKILL");
    await server.exit();
  }
  {
    const { server, port } = await start(folder.path);
    await using _ = server;
    using op = await Bot.connect(port);
    const welcome = await op.hello({ name: "op", login: SECRET });
    assertEquals(welcome["name"], "op");
    const [lobby] = welcome["rooms"] as { topic: string }[];
    assertEquals(lobby?.topic, "Tea");
    using eve = await Visitor.connect(port);
    await eve.send("/nick eve\n");
    assert(
      (await eve.line())?.startsWith("-- refused (that name is banned until "),
    );
    using mia = await Visitor.connect(port);
    await mia.enter("mia");
    assertEquals(
      (await say(mia, "hi")).at(-1),
      "-- refused (you are muted): hi",
    );
    using ann = await Visitor.connect(port);
    await ann.enter("ann");
    await ann.heard();
    assertEquals(await say(ann, "one"), []);
    assertEquals(
      (await say(ann, "two"))[0]?.slice(0, 34),
      "-- refused (one message in 86400 s",
    );
    await op.heard();
    await op.send({ type: "bans" });
    const { bans } = (await op.until("bans")).at(-1)!;
    assertEquals(
      (bans as { kind: string; target: string }[])
        .map(({ kind, target }) => `${kind} ${target}`)
        .filter((ban) => ban !== "ban dan"),
      ["ban eve", "ban 192.0.2.0/24", "mute mia"],
    );
    for (
      const frame of [
        { type: "unban", target: "eve" },
        { type: "unmute", target: "mia" },
        { type: "slow", room: "lobby", seconds: 0 },
        { type: "topic", room: "lobby", text: "" },
      ]
    ) await op.send(frame);
    await op.heard();
    server.signal("SIGTERM");
    assertEquals(await server.exit(), 0);
  }
  const { server, port } = await start(folder.path);
  await using _ = server;
  using eve = await Visitor.connect(port);
  await eve.enter("eve");
  using mia = await Visitor.connect(port);
  await mia.enter("mia");
  await eve.until("[mia] entered room");
  await mia.heard();
  assertEquals(await say(mia, "one"), []);
  assertEquals(await say(mia, "two"), []);
  assertEquals(await eve.heard(), ["<mia> one", "<mia> two"]);
  assertEquals(await say(mia, "/topic"), ["-- there is no topic"]);
});

testUnless(
  noSmallDisk,
  "What a full disk does not take is said to whoever asked for it, and taken once there is room again",
  async () => {
    await using disk = await SmallDisk.make();
    const { server, port } = await start(disk.path);
    await using _ = server;
    using op = await Visitor.connect(port);
    await op.enter("op");
    await say(op, `/register ${SECRET}`);
    using bob = await Visitor.connect(port);
    await bob.enter("bob");
    await op.heard();
    await disk.fill();
    // What was written before may leave a little room.
    const refused =
      "-- refused (it could not be stored: the disk is full): /register";
    const full =
      "; it could not be stored, and ends with the server: the disk is full";
    for (let i = 0;; i++) {
      const [answer] = await say(op, `/ban 10.0.0.${i} 1h ${"x".repeat(250)}`);
      if (answer?.endsWith(full)) break;
      assert(answer?.endsWith("; 0 members ended"), answer);
    }
    assertEquals(await say(bob, `/register ${SECRET}`), [refused]);
    await disk.empty();
    const [answer] = await say(bob, `/register ${SECRET}`);
    assert(answer?.startsWith("-- bob is yours now"), answer);
    assertEquals(await say(op, "/ban eve"), [
      "-- banned for good: eve; 0 members ended",
    ]);
  },
);

Deno.test("What would be written to a database that is gone is refused, or holds until the server ends", async () => {
  await using folder = await Folder.make();
  const { server, port } = await start(folder.path);
  await using _ = server;
  using op = await Visitor.connect(port);
  await op.enter("op");
  await say(op, `/register ${SECRET}`);
  using bob = await Visitor.connect(port);
  await bob.enter("bob");
  await op.heard();
  const file = `${folder.path}/chat.db`;
  await Deno.rename(file, `${file}.old`);
  const gone = "chat.db is not there any more";
  assertEquals(await say(bob, `/register ${SECRET}`), [
    `-- refused (it could not be stored: ${gone}): /register`,
  ]);
  assertEquals(await say(op, "/ban eve"), [
    `-- banned for good: eve; 0 members ended; it could not be stored, and ends with the server: ${gone}`,
  ]);
  assertEquals(await say(op, `/password ${SECRET}!`), [
    `-- refused (it could not be stored: ${gone}): /password`,
  ]);
  assertEquals(await hellos(port, "eve"), "banned");
  await Deno.rename(`${file}.old`, file);
  assertEquals(
    (await say(op, "/ban fay")).at(-1),
    "-- banned for good: fay; 0 members ended",
  );
});

/** How a program is refused that wants this name. */
async function hellos(port: number, name: string): Promise<unknown> {
  using bot = await Bot.connect(port);
  await bot.send({ type: "hello", v: 1, name });
  return (await bot.frame())?.["code"];
}
