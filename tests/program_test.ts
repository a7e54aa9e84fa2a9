/** Programs that speak JSON, on real sockets: what they are told, and that nothing of it is lost or doubled. */

import { FINAL } from "../lib/message.ts";
import { MemoryLog } from "../lib/server/log.ts";
import { assert, assertEquals, assertMatch } from "./assert.ts";
import {
  Bot,
  type Frame,
  Room,
  testUnless,
  type Visitor,
  without,
} from "./fixtures.ts";

const SESSION = "0123456789abcdef0123456789abcdef";
const OTHER = "ffffffffffffffffffffffffffffffff";

const say = (text: string, id: string, room = "lobby"): Frame => ({
  type: "say",
  id,
  room,
  text,
});

/** A frame without what differs from run to run. */
function plain(frame: Frame | undefined): Frame | undefined {
  const { time: _, log: __, ...rest } = frame ?? { type: "nothing" };
  return rest;
}

const ofType = (frames: readonly Frame[], type: string) =>
  frames.filter((frame) => frame.type === type);

const texts = (frames: readonly Frame[]) =>
  ofType(frames, "message").map(({ text }) => text);

/** The last message that somebody has read of the lobby. */
async function readUp(bot: Bot): Promise<{ log: string; seq: number }> {
  const welcome = await bot.hello();
  const [lobby] = welcome["rooms"] as { log: string; seq: number }[];
  return { log: lobby!.log, seq: lobby!.seq };
}

Deno.test("A program that says hello is welcomed, and never seen as a guest", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await ann.send("one\n");
  await ann.heard();
  using bot = new Bot(await room.connect());
  const welcome = await bot.hello({ name: "bot" });
  const [lobby] = welcome["rooms"] as Frame[];
  assertMatch(String(lobby!["log"]), /^[0-9a-f]{16}$/);
  assertMatch(String(welcome["server"]), /^chat-server \d/);
  assertEquals(
    { ...welcome, server: "", rooms: [plain(lobby)] },
    {
      type: "welcome",
      v: 1,
      name: "bot",
      server: "",
      rooms: [{ room: "lobby", seq: 1, count: 2, members: ["ann", "bot"] }],
    } as unknown as typeof welcome,
  );
  assertEquals(await ann.heard(), ["[bot] entered room"]);
});

Deno.test("A program without a name comes as a guest, and with one that is refused is told why", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using nobody = new Bot(await room.connect());
  assertEquals((await nobody.hello())["name"], "guest1");
  using other = new Bot(await room.connect());
  await other.send({ type: "hello", v: 1, name: "ANN" });
  assertEquals(
    (await other.until("welcome")).map(({ type, code, message, name }) => ({
      type,
      code,
      message,
      name,
    })),
    [
      {
        type: "error",
        code: "name-taken",
        message: "that name is taken",
        name: undefined,
      },
      { type: "welcome", code: undefined, message: undefined, name: "guest2" },
    ],
  );
  await ann.heard();
});

Deno.test("Every message is acknowledged with its number, and comes to its sender, too", async () => {
  await using room = await Room.open();
  using bot = await room.program({ name: "bot", session: SESSION });
  using ann = await room.enter("ann");
  await bot.heard();
  const before = Date.now();
  await bot.send(say("hi", "a"), { ...say("waves", "b"), action: true });
  const frames = await bot.heard();
  const time = Date.parse(String(frames[0]!["time"]));
  assert(time >= before && time <= Date.now());
  assertEquals(frames.map(plain), [
    { type: "message", room: "lobby", seq: 1, from: "bot", text: "hi" },
    {
      type: "message",
      room: "lobby",
      seq: 2,
      from: "bot",
      text: "waves",
      action: true,
    },
    { type: "ack", id: "a", seq: 1 },
    { type: "ack", id: "b", seq: 2 },
  ]);
  await ann.send("hello\n");
  assertEquals(await ann.heard(), ["<bot> hi", "* bot waves"]);
  assertEquals(plain(await bot.frame()), {
    type: "message",
    room: "lobby",
    seq: 3,
    from: "ann",
    text: "hello",
  });
});

Deno.test("A message that is sent again is stored once, and acknowledged with its first number", async () => {
  await using room = await Room.open();
  using bot = await room.program({ name: "bot", session: SESSION });
  using ann = await room.enter("ann");
  await bot.heard();
  // In the same turn, in a later one, and through another connection.
  await bot.send(say("hi", "a"), say("hi", "a"), say("you", "b"));
  const acks = ofType(await bot.heard(), "ack");
  await bot.send(say("hi", "a"));
  acks.push(...ofType(await bot.heard(), "ack"));
  using again = await room.program({ name: "bot", session: SESSION });
  await again.send(say("you", "b"), say("new", "c"));
  acks.push(...ofType(await again.heard(), "ack"));
  assertEquals(acks.map(({ id, seq }) => [id, seq]), [
    ["a", 1],
    ["a", 1],
    ["b", 2],
    ["a", 1],
    ["b", 2],
    ["c", 3],
  ]);
  assertEquals(await ann.heard(), ["<bot> hi", "<bot> you", "<bot> new"]);
  // The same id of another session is another message.
  using other = await room.program({ session: OTHER });
  await other.send(say("mine", "a"));
  assertEquals(ofType(await other.heard(), "ack").map(({ seq }) => seq), [4]);
});

Deno.test("A message is acknowledged when it is sent again from outside the room, and a new one is not taken there", async () => {
  await using room = await Room.open();
  using bot = await room.program({ session: SESSION });
  using ann = await room.program({ name: "ann" });
  for (const one of [bot, ann]) await one.send({ type: "join", room: "dev" });
  const inDev = (id: string) => ({ type: "say", id, room: "dev", text: id });
  await bot.send(inDev("a"));
  await bot.until("ack");
  await bot.send({ type: "leave", room: "dev" });
  await bot.heard();
  await bot.send(inDev("a"), inDev("b"));
  assertEquals(await bot.heard(), [
    { type: "ack", id: "a", seq: 1 },
    {
      type: "error",
      code: "room-unknown",
      message: "you are not in dev",
      id: "b",
    },
  ]);
  const heard = ofType(await ann.heard(), "message");
  assertEquals(heard.map(({ text }) => text), ["a"]);
});

Deno.test("A direct message is acknowledged without a number, and told once", async () => {
  await using room = await Room.open();
  using bot = await room.program({ name: "bot", session: SESSION });
  using ann = await room.enter("ann");
  using other = await room.program({ name: "other" });
  for (const one of [ann, bot, other]) await one.heard();
  const tell = (to: string, id: string) => ({
    type: "tell",
    id,
    to,
    text: "psst",
  });
  await bot.send(
    tell("ann", "a"),
    tell("ann", "a"),
    tell("other", "b"),
    tell("nobody", "c"),
  );
  assertEquals(await bot.heard(), [
    { type: "ack", id: "a" },
    { type: "ack", id: "a" },
    { type: "ack", id: "b" },
    {
      type: "error",
      code: "name-unknown",
      message: "nobody of that name is here",
      id: "c",
    },
  ]);
  assertEquals(await ann.heard(), ["[bot -> you] psst"]);
  assertEquals((await other.heard()).map(plain), [
    { type: "told", from: "bot", to: "other", text: "psst" },
  ]);
  using again = await room.program({ name: "bot", session: SESSION });
  await again.send(tell("ann", "a"));
  await again.heard();
  assertEquals(await ann.heard(), []);
  // Also if its receiver has gone since.
  await ann.send("/quit\n");
  await ann.rest();
  await again.heard();
  await again.send(tell("ann", "a"));
  assertEquals(await again.heard(), [{ type: "ack", id: "a" }]);
});

Deno.test("A program replies to whoever told it something under a name, and to nobody else who has that name now", async () => {
  await using room = await Room.open();
  using bot = await room.program({ name: "bot", session: SESSION });
  using ann = await room.enter("ann");
  await ann.send("/msg bot one\n");
  await bot.until("told");
  const reply = (to: string, id: string) => ({
    type: "reply",
    id,
    to,
    text: "psst",
  });
  await ann.send("/nick anna\n");
  await ann.heard();
  using other = await room.enter("ann");
  await bot.heard();
  await bot.send(reply("Ann", "a"), reply("Ann", "a"), reply("bob", "b"));
  const refusal = (id: string, message: string) => ({
    type: "error",
    code: "name-unknown",
    message,
    id,
  });
  assertEquals(await bot.heard(), [
    { type: "ack", id: "a" },
    { type: "ack", id: "a" },
    refusal("b", "it is not known who told you something as bob"),
  ]);
  assertEquals((await ann.heard()).at(-1), "[bot -> you] psst");
  await ann.send("/quit\n");
  await ann.rest();
  await bot.heard();
  await bot.send(reply("ann", "c"));
  assertEquals(await bot.heard(), [
    refusal("c", "whoever told you that has left"),
  ]);
  assertEquals((await other.heard()).filter((line) => /psst/.test(line)), []);
});

Deno.test("One can reply to the last 20 who told one something", async () => {
  await using room = await Room.open();
  using bot = await room.program();
  using ann = await room.enter("ann");
  for (let i = 0; i <= 20; i++) {
    await ann.send(`/nick ann${i}\n/msg guest1 psst\n`);
  }
  await ann.heard();
  await bot.heard();
  const reply = (to: string) => ({ type: "reply", id: to, to, text: "psst" });
  await bot.send(reply("ann0"), reply("ann1"));
  assertEquals((await bot.heard()).map(({ type, id }) => [type, id]), [
    ["error", "ann0"],
    ["ack", "ann1"],
  ]);
});

Deno.test("That a direct message was told is remembered for a while only", async () => {
  await using room = await Room.open({ directMemoryMs: -1 });
  using bot = await room.program({ name: "bot", session: SESSION });
  using ann = await room.enter("ann");
  const tell = { type: "tell", id: "a", to: "ann", text: "psst" };
  await bot.send(tell, tell);
  await bot.heard();
  assertEquals(await ann.heard(), ["[bot -> you] psst", "[bot -> you] psst"]);
});

Deno.test("A program may be in many rooms at once, and is told of each who comes, goes, speaks and is renamed", async () => {
  await using room = await Room.open();
  using bot = await room.program({ name: "bot" });
  await bot.send({ type: "join", id: "j", room: "dev" });
  assertEquals((await bot.heard()).map(plain), [
    {
      type: "joined",
      room: "dev",
      name: "bot",
      seq: 0,
      count: 1,
      members: ["bot"],
    },
  ]);
  using ann = await room.enter("ann");
  await ann.send("in the lobby\n/join dev\nin dev\n/nick al\n/quit\n");
  await ann.rest();
  assertEquals((await bot.heard()).map(plain), [
    { type: "joined", room: "lobby", name: "ann" },
    {
      type: "message",
      room: "lobby",
      seq: 1,
      from: "ann",
      text: "in the lobby",
    },
    { type: "left", room: "lobby", name: "ann" },
    { type: "joined", room: "dev", name: "ann" },
    { type: "message", room: "dev", seq: 1, from: "ann", text: "in dev" },
    { type: "renamed", room: "dev", from: "ann", to: "al" },
    { type: "left", room: "dev", name: "al", offline: true },
  ]);
  await bot.send({ type: "leave", room: "dev" }, say("hm", "x", "dev"), {
    type: "leave",
    room: "lobby",
  });
  assertEquals((await bot.heard()).map(plain), [
    { type: "left", room: "dev", name: "bot" },
    {
      type: "error",
      code: "room-unknown",
      message: "you are not in dev",
      id: "x",
    },
    { type: "error", code: "room-kept", message: "the lobby cannot be left" },
  ]);
});

Deno.test("A program that is renamed is told so in each of its rooms, and others in those that they share", async () => {
  await using room = await Room.open();
  using bot = await room.program({ name: "bot" });
  using other = await room.program({ name: "other" });
  for (const one of [bot, other]) await one.send({ type: "join", room: "dev" });
  await other.send({ type: "join", room: "alone" });
  await other.heard();
  await bot.heard();
  await other.send({ type: "nick", name: "BOT", id: "n" }, {
    type: "nick",
    name: "next",
  });
  const renamed = (room: string) => ({
    type: "renamed",
    room,
    from: "other",
    to: "next",
  });
  assertEquals(await other.heard(), [
    {
      type: "error",
      code: "name-taken",
      message: "that name is taken",
      id: "n",
    },
    renamed("lobby"),
    renamed("dev"),
    renamed("alone"),
  ]);
  assertEquals(await bot.heard(), [renamed("lobby"), renamed("dev")]);
});

Deno.test("A program can be in 20 rooms", async () => {
  await using room = await Room.open();
  using bot = await room.program({ name: "bot" });
  for (let i = 1; i < 20; i++) await bot.send({ type: "join", room: `r${i}` });
  assertEquals(ofType(await bot.heard(), "joined").length, 19);
  await bot.send({ type: "join", id: "x", room: "one-more" }, {
    type: "join",
    room: "R1",
  });
  const [refused, again] = await bot.heard();
  assertEquals(refused, {
    type: "error",
    code: "too-many-rooms",
    message: "one can be in 20 rooms",
    id: "x",
  });
  assertEquals([again?.type, again?.["room"]], ["joined", "r1"]);
  using other = await room.program({ name: "other" });
  await other.send({ type: "rooms" });
  const [rooms] = await other.heard();
  assertEquals(rooms?.["count"], 20);
});

Deno.test("A program can be in no more rooms because it says hello again", async () => {
  await using room = await Room.open();
  const since = (prefix: string) =>
    Object.fromEntries(Array.from({ length: 19 }, (_, i) => [prefix + i, 0]));
  using bot = new Bot(await room.connect());
  const hello = { session: SESSION, name: "bot" };
  const first = await bot.hello({ ...hello, since: since("a") });
  assertEquals((first["rooms"] as unknown[]).length, 20);
  using again = new Bot(await room.connect());
  await again.send({ type: "hello", v: 1, ...hello, since: since("b") });
  const [refused, welcome] = await again.until("welcome");
  assertEquals(refused?.["message"], "one can be in 20 rooms");
  assertEquals(welcome?.["rooms"], first["rooms"]);
});

Deno.test("who answers also for a room that one is not in, or where nobody is", async () => {
  await using room = await Room.open();
  using bot = await room.program();
  using ann = await room.program({ name: "ann", since: { Dev: 0 } });
  await ann.heard();
  await bot.heard();
  const who = (room: string) => ({ type: "who", room });
  await bot.send(who("dev"), who("nowhere"));
  assertEquals(await bot.heard(), [
    { type: "members", room: "Dev", count: 1, members: ["ann"] },
    { type: "members", room: "nowhere", count: 0, members: [] },
  ]);
});

Deno.test("who, rooms and history answer a program, in pages of at most 16 KiB", async () => {
  await using room = await Room.open();
  const long = (i: number) =>
    `${"𝒳".normalize("NFD")}`.repeat(0) + `${"ü".repeat(28)}${1000 + i}`;
  const bots: Bot[] = [];
  for (let i = 0; i < 250; i++) {
    bots.push(await room.program({ name: long(i) }));
  }
  using bot = await room.program({ name: "bot" });
  await bot.send({ type: "who", room: "lobby" });
  const pages = await bot.heard();
  const names = pages.flatMap(({ members }) => members as string[]);
  assertEquals(
    pages.map(({ type, count, more }) => [type, count, more ?? false]),
    [
      ["members", 251, true],
      ["members", 251, true],
      ["members", 251, false],
    ],
  );
  assertEquals(new Set(names).size, 251);
  for (const page of pages) {
    assert(new TextEncoder().encode(JSON.stringify(page)).length <= 16 * 1024);
  }
  for (const one of bots) one.close();
});

Deno.test("history gives a program what it asks for, oldest first", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  const text = (i: number) => `${i} ${'"'.repeat(400)}`;
  for (let i = 1; i <= 200; i++) await ann.send(`${text(i)}\n`);
  await ann.heard();
  using bot = await room.program({ name: "bot" });
  await bot.heard();
  const ask = async (fields: Record<string, unknown>) => {
    await bot.send({ type: "history", room: "lobby", ...fields });
    const pages = await bot.heard();
    for (const page of pages) {
      assert(
        new TextEncoder().encode(JSON.stringify(page)).length <= 16 * 1024,
      );
    }
    const numbers = pages.flatMap(({ messages }) =>
      (messages as { seq: number; text: string }[]).map(
        ({ seq, text: said }) => {
          assertEquals(said, text(seq));
          return seq;
        },
      )
    );
    return {
      numbers,
      total: pages[0]?.["total"],
      more: pages.map(({ more }) => more ?? false),
    };
  };
  const range = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, i) => from + i);
  assertEquals(await ask({ limit: 3 }), {
    numbers: range(198, 200),
    total: 3,
    more: [false],
  });
  assertEquals((await ask({})).numbers, range(181, 200));
  assertEquals((await ask({ before: 11, limit: 4 })).numbers, range(7, 10));
  assertEquals((await ask({ before: 3, limit: 10 })).numbers, range(1, 2));
  assertEquals(await ask({ before: 1 }), {
    numbers: [],
    total: 0,
    more: [false],
  });
  const all = await ask({ limit: 1000 });
  assertEquals([all.numbers, all.total], [range(1, 200), 200]);
  assert(
    all.more.length > 5 &&
      all.more.every((more, i) => more === i + 1 < all.more.length),
  );
});

Deno.test("A bad frame is answered with an error that names the field, and ten in a row end the connection", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bot = await room.program({ name: "bot", session: SESSION });
  const bad = say("no room", "x");
  delete bad["room"];
  for (let i = 0; i < 9; i++) await bot.send(bad);
  const errors = await bot.heard();
  assertEquals(
    errors.map(({ type, code, id }) => [type, code, id]),
    Array(9).fill(["error", "bad-frame", "x"]),
  );
  assertMatch(String(errors[0]!["message"]), /"room"/);
  // The ping of the barrier was a good one.
  for (let i = 0; i < 10; i++) await bot.send(bad);
  const frames = await bot.rest();
  assertEquals(frames.length, 11);
  assertEquals(frames.at(-1), { type: "bye", reason: FINAL.badFrames });
  assertEquals(await ann.heard(), ["[bot] entered room", "[bot] is offline"]);
});

Deno.test("A program that has not said a good hello is told to, and may say it later", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bot = new Bot(await room.connect());
  await bot.send({ type: "hello", v: 2 }, say("hi", "a"), {
    type: "hello",
    v: 1,
    name: "bot",
  }, { type: "hello", v: 1 });
  const [bad, early, welcome] = await bot.until("welcome");
  assertEquals([bad?.type, bad?.["code"]], ["error", "bad-frame"]);
  assertMatch(String(bad?.["message"]), /"v"/);
  assertEquals(early, {
    type: "error",
    code: "hello-expected",
    message: "say hello first",
    id: "a",
  });
  assertEquals(welcome?.["name"], "bot");
  assertEquals(await bot.heard(), [
    {
      type: "error",
      code: "hello-expected",
      message: "you have said hello already",
    },
  ]);
  assertEquals(await ann.heard(), ["[bot] entered room"]);
});

Deno.test("A first line that is not a hello speaks the text dialect, also if it is JSON", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bot = new Bot(await room.connect());
  await bot.send(say("hi", "a"), { type: "hello", v: 1 });
  await bot.visitor.until(/^-- welcome, you are guest1/);
  assertEquals(await ann.line(), "[guest1] entered room");
  assertEquals(await ann.line(), `<guest1> ${JSON.stringify(say("hi", "a"))}`);
  assertEquals(
    await ann.line(),
    `<guest1> ${JSON.stringify({ type: "hello", v: 1 })}`,
  );
});

Deno.test("A hello that comes late as the first line switches the dialect", async () => {
  await using room = await Room.open({ firstLineMs: 1 });
  using ann = await room.enter("ann");
  using bot = new Bot(await room.connect());
  await bot.visitor.until(/^-- welcome, you are guest\d/);
  assertMatch((await ann.line())!, /^\[guest\d\] entered room$/);
  await ann.send("one\n");
  await ann.heard();
  await bot.visitor.until("<ann> one");
  await bot.hello({ name: "bot" });
  assertEquals(texts(await bot.heard()), ["one"]);
  const [gone, come] = await ann.heard();
  assertMatch(gone!, /^\[guest\d\] is offline$/);
  assertEquals(come, "[bot] entered room");
  await ann.send("two\n");
  await ann.heard();
  assertEquals(texts(await bot.heard()), ["two"]);
});

Deno.test("A program without since is shown the last 20 messages, and what is said from then on", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  for (let i = 1; i <= 30; i++) await ann.send(`${i}\n`);
  await ann.heard();
  using bot = new Bot(await room.connect());
  const welcome = await bot.hello({ name: "bot" });
  assertEquals((welcome["rooms"] as Frame[])[0]!["seq"], 30);
  await ann.send("31\n");
  await ann.heard();
  assertEquals(
    texts(await bot.heard()),
    Array.from({ length: 21 }, (_, i) => String(11 + i)),
  );
});

Deno.test("A program with since is shown exactly what it has missed, before anything newer", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  for (let i = 1; i <= 500; i++) await ann.send(`${i} ${"x".repeat(200)}\n`);
  await ann.heard();
  using first = new Bot(await room.connect());
  const { log } = await readUp(first);
  for (const since of [{ log, seq: 2 }, 2, { seq: 2 }]) {
    using bot = await room.program({ since: { lobby: since } });
    await ann.send("/me speaks\n");
    const frames = await bot.until("pong".length ? "message" : "");
    while (frames.at(-1)?.["action"] !== true) {
      frames.push(...await bot.until("message"));
    }
    const seqs = ofType(frames, "message").map(({ seq }) => seq as number);
    assertEquals(seqs, Array.from({ length: seqs.length }, (_, i) => 3 + i));
    assertEquals(ofType(frames, "gap"), []);
  }
  using up = await room.program({ since: { lobby: { log, seq: 503 } } });
  assertEquals(texts(await up.heard()), []);
});

Deno.test("What is not kept any more is said to be a gap", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  for (let i = 0; i < 300; i++) await ann.send("line\n".repeat(10));
  await ann.heard();
  using bot = await room.program({ since: { lobby: 100 } });
  const frames = await bot.heard();
  assertEquals(frames[0], { type: "gap", room: "lobby", from: 101, to: 952 });
  assertEquals(
    ofType(frames, "message").map(({ seq }) => seq as number),
    Array.from({ length: 2048 }, (_, i) => 953 + i),
  );
});

Deno.test("A since for another log, or from the future, is answered with that fact, and the replay", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  for (let i = 1; i <= 30; i++) await ann.send(`${i}\n`);
  await ann.heard();
  using first = new Bot(await room.connect());
  const { log } = await readUp(first);
  for (
    const since of [{ log: "0000000000000000", seq: 3 }, { log, seq: 31 }, 1000]
  ) {
    using bot = await room.program({ since: { lobby: since } });
    const frames = (await bot.heard()).filter(({ type }) => type !== "joined");
    assertEquals(frames[0], { type: "anew", room: "lobby", log });
    assertEquals(
      texts(frames),
      Array.from({ length: 20 }, (_, i) => String(11 + i)),
    );
  }
});

Deno.test("since takes a program back into its rooms", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await ann.send("/join dev\none\n");
  await ann.heard();
  using bot = new Bot(await room.connect());
  const welcome = await bot.hello({
    name: "bot",
    since: { lobby: 0, DEV: 0, "a b": 0 },
  });
  assertEquals(
    (welcome["rooms"] as Frame[]).map(({ room, seq, members }) => ({
      room,
      seq,
      members,
    })),
    [
      { room: "lobby", seq: 0, members: ["bot"] },
      { room: "dev", seq: 1, members: ["ann", "bot"] },
    ],
  );
  assertEquals(texts(await bot.heard()), ["one"]);
  assertEquals(await ann.heard(), ["[bot] entered room"]);
});

Deno.test("An absence makes no noise: the session keeps its name and its rooms, and hears what it has missed", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  const bot = await room.program({ name: "bot", session: SESSION });
  await bot.send({ type: "join", room: "dev" }, say("hi", "a", "dev"));
  await bot.heard();
  await ann.heard();
  bot.close();
  // The server knows that the connection is gone when a direct message is refused.
  for (;;) {
    await ann.send("/msg bot hm\n");
    const [line] = await ann.heard();
    if (line?.startsWith("-- refused (bot has lost the connection just now)")) {
      break;
    }
  }
  await ann.send("missed\n/nick BOT\n/who\n");
  assertEquals(await ann.heard(), [
    "-- refused (that name is taken): /nick BOT",
    "-- 2 here: ann, bot",
  ]);
  using again = new Bot(await room.connect());
  // The name is the session's own, whatever it says now.
  const welcome = await again.hello({
    name: "other",
    session: SESSION,
    since: { lobby: 0 },
  });
  assertEquals(welcome["name"], "bot");
  assertEquals((welcome["rooms"] as Frame[]).map(({ room }) => room), [
    "lobby",
    "dev",
  ]);
  const frames = await again.heard();
  assertEquals(
    ofType(frames, "message").map(({ room, text }) => [room, text]).sort(),
    [
      ["dev", "hi"],
      ["lobby", "missed"],
    ],
  );
  await again.send(say("back", "b"));
  await again.heard();
  assertEquals(await ann.heard(), ["<bot> back"]);
});

Deno.test("A session that has come back stays, however short its name is held", async () => {
  await using room = await Room.open({ holdMs: 5 });
  using ann = await room.enter("ann");
  const lose = async (name: string, session: string) => {
    using bot = await room.program({ name, session });
    bot.close();
    await bot.rest();
    await ann.heard();
  };
  await lose("bot", SESSION);
  using back = await room.program({ name: "bot", session: SESSION });
  // Whoever is lost after that is gone when the time of the first is over.
  await lose("other", OTHER);
  await ann.until("[other] is offline");
  await back.send(say("here", "a"));
  await ann.until("<bot> here");
});

Deno.test("A session that does not come back is offline, and its name and rooms are free", async () => {
  await using room = await Room.open({ holdMs: 1 });
  using ann = await room.enter("ann");
  const bot = await room.program({ name: "bot", session: SESSION });
  await bot.send({ type: "join", room: "dev" });
  await bot.heard();
  bot.close();
  assertEquals(await ann.take(2), ["[bot] entered room", "[bot] is offline"]);
  await ann.send("/rooms\n/nick bot\n");
  assertEquals(await ann.heard(), [
    "-- 1 room: lobby (1)",
    "[ann] is now [bot]",
  ]);
  using again = new Bot(await room.connect());
  assertEquals((await again.hello({ session: SESSION }))["name"], "guest1");
});

Deno.test("quit leaves at once, and so does a program without a session", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bot = await room.program({ name: "bot", session: SESSION });
  await bot.send({ type: "quit" });
  assertEquals((await bot.rest()).at(-1), { type: "bye", reason: "you quit" });
  assertEquals(await ann.take(2), ["[bot] entered room", "[bot] is offline"]);
  const other = await room.program({ name: "bot" });
  other.close();
  assertEquals(await ann.take(2), ["[bot] entered room", "[bot] is offline"]);
});

Deno.test("A second connection with a session takes it over: the first gets bye, and nobody else hears of it", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using one = await room.program({ name: "bot", session: SESSION });
  await one.send({ type: "join", room: "dev" });
  await one.heard();
  await ann.heard();
  using two = new Bot(await room.connect());
  const welcome = await two.hello({ session: SESSION, since: { lobby: 0 } });
  assertEquals(welcome["name"], "bot");
  assertEquals(await one.rest(), [{ type: "bye", reason: FINAL.replaced }]);
  one.close();
  await two.send(say("mine", "a"));
  assertEquals(texts(await two.heard()), ["mine"]);
  await ann.send("/who\n");
  assertEquals(await ann.heard(), ["<bot> mine", "-- 2 here: ann, bot"]);
});

Deno.test("Who comes while much is said hears all of it, in order and once", async () => {
  await using room = await Room.open({}, new MemoryLog({ keep: 1_000_000 }));
  using stack = new DisposableStack();
  const talkers: Visitor[] = [];
  for (const name of ["a", "b", "c", "d", "e", "f", "g", "h"]) {
    talkers.push(stack.use(await room.enter(name)));
  }
  using bot = await room.program({ name: "bot" });
  const talking = talkers.map(async (talker) => {
    for (let i = 0; i < 50; i++) {
      await talker.send(`${"line ".repeat(30)}\n`.repeat(10));
    }
    await talker.send("/me is done\n");
  });
  const hear = async (listener: Bot) => {
    const seqs: number[] = [];
    for (let done = 0; done < talkers.length;) {
      const frame = await listener.frame();
      assert(frame && frame.type !== "bye", JSON.stringify(frame));
      if (frame.type === "message") {
        seqs.push(Number(frame["seq"]));
        if (frame["action"]) done++;
      }
    }
    return seqs;
  };
  const [...before] = await bot.until("message");
  using newcomer = await room.program({ since: { lobby: 0 } });
  const [first, late] = await Promise.all([
    hear(bot),
    hear(newcomer),
    ...talking,
  ]);
  assertEquals(before.at(-1)?.["seq"], 1);
  const all = Array.from({ length: 4_008 }, (_, i) => 1 + i);
  assertEquals(first, all.slice(1));
  assertEquals(late, all);
});

testUnless(
  without("nc", "sh"),
  "A program may be as simple as printf and nc",
  async () => {
    await using room = await Room.open();
    using ann = await room.enter("ann");
    const { stdout } = await new Deno.Command("sh", {
      args: [
        "-c",
        `printf '%s\\n' '{"type":"hello","v":1,"name":"nas"}' '{"type":"say","id":"1","room":"lobby","text":"done"}' | nc -N 127.0.0.1 ${room.server.port}`,
      ],
    }).output();
    const frames = new TextDecoder().decode(stdout).trim().split("\n").map((
      line,
    ) => JSON.parse(line));
    assertEquals(frames.map(({ type }) => type).at(0), "welcome");
    const answers = frames.filter(({ type }) => type !== "message");
    assertEquals(answers.slice(1), [
      { type: "ack", id: "1", seq: 1 },
      { type: "bye", reason: "end of input" },
    ]);
    assertEquals(await ann.heard(), [
      "[nas] entered room",
      "<nas> done",
      "[nas] is offline",
    ]);
  },
);
