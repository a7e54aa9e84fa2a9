/** What holds while the log takes its time, as one on another machine does, and when it fails. */

import { setImmediate } from "node:timers";
import { LOBBY } from "../lib/message.ts";
import { assert, assertEquals } from "./assert.ts";
import { Room } from "./fixtures.ts";
import { House, SlowLog } from "./house.ts";

const SESSION = "0123456789abcdef0123456789abcdef";

const since = (seq: number, room = LOBBY) => ({ [room]: { seq } });

const join = (room: string) => ({
  type: "join" as const,
  room,
  ref: `/join ${room}`,
});

Deno.test("Nothing is shown, answered or acknowledged before what was said is stored, and all of a turn is stored at once", async () => {
  const log = new SlowLog();
  await using room = await Room.open({}, log);
  using ann = await room.enter("ann");
  using bot = await room.program({ name: "bot", session: SESSION });
  await ann.heard();
  await bot.heard();
  const say = (text: string, id: string) => ({
    type: "say",
    id,
    room: LOBBY,
    text,
  });
  const before = log.calls.append;
  const storing = log.hold("append");
  await bot.send(say("one", "a"), say("two", "b"), {
    type: "who",
    room: LOBBY,
  });
  await storing.reached;
  // The second repeats what is being stored.
  await bot.send(say("one", "a"), say("three", "c"));
  storing.release();
  const frames = await bot.until("ack");
  while (frames.at(-1)?.["id"] !== "c") frames.push(...await bot.until("ack"));
  assertEquals(await ann.heard(), ["<bot> one", "<bot> two", "<bot> three"]);
  // The answer comes after what was said before it, which had not been stored when it was asked for.
  assertEquals(frames.map(({ type, id, seq }) => [type, id ?? "", seq ?? 0]), [
    ["message", "", 1],
    ["message", "", 2],
    ["members", "", 0],
    ["ack", "a", 1],
    ["ack", "b", 2],
    ["message", "", 3],
    ["ack", "a", 1],
    ["ack", "c", 3],
  ]);
  assertEquals(log.calls.append - before, 2);
});

Deno.test("A message that cannot be stored is refused to its sender, shown to nobody, and nothing else stops", async () => {
  const log = new SlowLog();
  await using room = await Room.open({}, log);
  using ann = await room.enter("ann");
  using bot = await room.program({ name: "bot", session: SESSION });
  await ann.heard();
  await bot.heard();
  const say = { type: "say", id: "a", room: LOBBY, text: "hi" };
  log.fault = "the disk is full";
  await bot.send(say);
  assertEquals((await bot.until("error")).at(-1), {
    type: "error",
    code: "storage",
    message: "it could not be stored: the disk is full",
    id: "a",
  });
  await ann.send("lost too\n/nick al\n/who\n");
  assertEquals((await ann.heard()).sort(), [
    "-- 2 here: al, bot",
    "-- refused (it could not be stored: the disk is full): lost too",
    "[ann] is now [al]",
  ]);
  assertEquals(await bot.heard(), [
    { type: "renamed", room: LOBBY, from: "ann", to: "al" },
  ]);
  log.fault = undefined;
  await bot.send(say);
  const taken = await bot.until("ack");
  assertEquals(taken.map(({ type, seq }) => [type, seq]), [
    ["message", 1],
    ["ack", 1],
  ]);
  assertEquals(await ann.heard(), ["<bot> hi"]);
});

Deno.test("A history that cannot be read is said to a person, and ends the connection of a program that would miss something", async () => {
  const log = new SlowLog();
  await using room = await Room.open({}, log);
  using ann = await room.enter("ann");
  await ann.send("one\n");
  await ann.heard();
  log.fault = "the disk is gone";
  await ann.send("/history 5\n");
  assertEquals(await ann.heard(), [
    "-- refused (the history cannot be read: the disk is gone): /history 5",
  ]);
  using bot = await room.program({ session: SESSION, since: { lobby: 0 } });
  assertEquals(await bot.rest(), [
    { type: "bye", reason: "the history cannot be read: the disk is gone" },
  ]);
});

Deno.test("Who quits, or ends their input, is first told what has become of all that they had said", async () => {
  const log = new SlowLog();
  await using room = await Room.open({}, log);
  using bot = await room.program({ session: SESSION });
  const say = { type: "say", id: "a", room: LOBBY, text: "hi" };
  await bot.send(say, { type: "quit" });
  assertEquals((await bot.rest()).map(({ type }) => type), [
    "message",
    "ack",
    "bye",
  ]);
  log.fault = "the disk is full";
  using ann = await room.enter("ann");
  await ann.until(
    "-- refused (the history cannot be read: the disk is full): /join lobby",
  );
  await ann.send("hi");
  await ann.halfClose();
  assertEquals(await ann.rest(), [
    "-- refused (it could not be stored: the disk is full): hi",
    "-- bye: end of input",
  ]);
});

Deno.test("What a person says as they come in is heeded once they were shown what was said before", async () => {
  const log = new SlowLog();
  await using room = await Room.open({}, log);
  using ann = await room.enter("ann");
  await ann.send("hi\n");
  await ann.heard();
  const reading = log.hold("read");
  using bob = await room.connect();
  await bob.send("/nick bob\n/who\n");
  await reading.reached;
  reading.release();
  const [welcome, earlier, , now, answer] = await bob.take(5);
  assert(welcome?.startsWith("-- welcome, you are bob;"));
  assertEquals([earlier, now, answer], [
    "-- 1 earlier message",
    "-- now",
    "-- 2 here: ann, bob",
  ]);
});

Deno.test("What a guest says is heeded once they were shown what was said before", async () => {
  const log = new SlowLog();
  await using room = await Room.open({ firstLineMs: 1 }, log);
  using ann = await room.enter("ann");
  await ann.send("hi\n");
  await ann.heard();
  const reading = log.hold("read");
  using guest = await room.connect();
  await reading.reached;
  await guest.send("/who\n");
  await ann.heard();
  reading.release();
  const [, earlier, , now, answer] = await guest.take(5);
  assertEquals([earlier, now, answer], [
    "-- 1 earlier message",
    "-- now",
    "-- 2 here: ann, guest1",
  ]);
});

Deno.test("The log is told who said something by a hash of the session, never by the secret", async () => {
  const log = new SlowLog();
  await using room = await Room.open({}, log);
  using bot = await room.program({ session: SESSION });
  const told: unknown[] = [];
  const append = log.append.bind(log);
  log.append = (messages) => {
    told.push(...messages.map(({ origin }) => origin));
    return append(messages);
  };
  await bot.send({ type: "say", id: "a", room: LOBBY, text: "hi" });
  await bot.until("ack");
  // SHA-256, cut to 128 bits.
  const session = "3eb1bd439947eb762998e566ccc2e099";
  assertEquals(told, [{ session, id: "a" }]);
});

Deno.test("Who comes while something is being stored hears it once", async () => {
  const log = new SlowLog();
  const house = await House.open(log);
  const ann = await house.enter("ann");
  await house.settle();
  const storing = log.hold("append");
  house.say(ann, "x");
  await storing.reached;
  const bot = await house.program({ since: since(0) });
  const carl = house.enter("carl");
  storing.release();
  await house.settle();
  assertEquals(bot.messages(), ["1 x"]);
  const heard = (await carl).heard();
  assertEquals(heard.filter((line) => line.includes("<ann> x")), ["<ann> x"]);
});

Deno.test("Who has read all of the log while more is being stored hears that, too", async () => {
  const log = new SlowLog();
  const house = await House.open(log);
  const ann = await house.enter("ann");
  house.say(ann, "1");
  await house.settle();
  const [reading, storing] = [log.hold("read"), log.hold("append")];
  const bot = await house.program({ since: since(0) });
  await reading.reached;
  house.say(ann, "2");
  await storing.reached;
  reading.release();
  // All that waits for nothing else is done by then.
  await new Promise<void>((resolve) => void setImmediate(resolve));
  storing.release();
  await house.settle();
  assertEquals(bot.messages(), ["1 1", "2 2"]);
});

Deno.test("Who reads on hears who comes meanwhile, and every message in its turn and once", async () => {
  const log = new SlowLog();
  const house = await House.open(log);
  const ann = await house.enter("ann");
  for (const text of ["1", "2", "3"]) house.say(ann, text);
  await house.settle();
  const reading = log.hold("read");
  const bot = await house.program({ since: since(0) });
  await reading.reached;
  await house.enter("carl");
  house.say(ann, "4");
  void house.ask(bot, { type: "who", ref: "" });
  await house.settle();
  assertEquals(bot.events().map(({ type }) => type), [
    "welcome",
    "joined",
    "members",
  ]);
  reading.release();
  await house.settle();
  assertEquals(bot.messages(), ["1 1", "2 2", "3 3", "4 4"]);
});

Deno.test("Who reads on is not told what they are welcomed with", async () => {
  const house = await House.open();
  const bot = await house.program({ name: "bot" }, { session: SESSION });
  await house.quiet(bot);
  void house.enter("carl");
  const again = await house.program({}, { session: SESSION });
  await house.settle();
  const [welcome, ...others] = again.events();
  assert(welcome?.type === "welcome");
  assertEquals(welcome.rooms[0]?.members, ["bot", "carl"]);
  assertEquals(others, []);
});

Deno.test("Who comes back through another connection while the log is read hears everything there, and once", async () => {
  const log = new SlowLog();
  const house = await House.open(log);
  const ann = await house.enter("ann");
  for (const text of ["1", "2", "3"]) house.say(ann, text);
  await house.settle();
  const reading = [log.hold("read"), log.hold("read")];
  const first = await house.program({ since: since(0) }, { session: SESSION });
  await reading[0]!.reached;
  const second = await house.program({ since: since(0) }, { session: SESSION });
  await reading[1]!.reached;
  assertEquals(first.ended, "this session goes on in another connection");
  for (const [i, { release }] of reading.entries()) {
    release();
    await house.settle();
    house.say(ann, `${4 + i}`);
    await house.settle();
  }
  assertEquals(second.messages(), ["1 1", "2 2", "3 3", "4 4", "5 5"]);
});

Deno.test("Who leaves a room while its log is read to them stays on the server, also if the room is gone then", async () => {
  const log = new SlowLog();
  const house = await House.open(log);
  const bot = await house.program();
  const dev = { room: "dev", ref: "" };
  await house.ask(bot, { type: "join", ...dev });
  await house.ask(bot, { type: "say", text: "1", action: false, ...dev });
  const reading = log.hold("read");
  await reading.reached;
  await house.ask(bot, { type: "leave", ...dev });
  await house.settle();
  reading.release();
  await house.settle();
  assertEquals(bot.ended, undefined);
  await house.ask(bot, { type: "rooms", ref: "" });
  await house.settle();
  const rooms = bot.events().at(-1);
  assert(rooms?.type === "rooms");
  assertEquals(rooms.rooms, [{ room: LOBBY, count: 1 }]);
});

Deno.test("Who reads on while more is said than a page holds catches up", async () => {
  const log = new SlowLog();
  const house = await House.open(log);
  const ann = await house.enter("ann");
  let said = 0;
  const talk = async () => {
    for (let i = 0; i < 300; i++) house.say(ann, `${++said}`);
    await house.turns.ended();
  };
  await talk();
  let bursts = 0;
  const read = log.read.bind(log);
  log.read = async (...args) => {
    // Sooner or later it has to end, also for those who never would catch up.
    if (++bursts <= 50) await talk();
    return await read(...args);
  };
  const bot = await house.program({ since: since(0) });
  const heard: string[] = [];
  for (let i = 0; i < 20; i++) {
    await house.settle();
    heard.push(...bot.messages());
  }
  assert(bursts < 50, `${bursts} pages`);
  assertEquals(
    heard,
    Array.from({ length: said }, (_, i) => `${i + 1} ${i + 1}`),
  );
});

Deno.test("A page of what was missed is bounded, however much is said meanwhile", async () => {
  const log = new SlowLog({ keep: 100_000 });
  const house = await House.open(log);
  const ann = await house.enter("ann");
  const talk = async (lines: number) => {
    for (let i = 0; i < lines; i++) house.say(ann, "x".repeat(100));
    await house.settle();
  };
  await talk(300);
  const pages = [log.hold("read"), log.hold("read"), log.hold("read")];
  const bot = await house.program({ since: since(0) });
  await pages[0]!.reached;
  await house.quiet(bot);
  await talk(50_000);
  pages[0]!.release();
  await pages[1]!.reached;
  const usual = bot.heard().join("").length;
  pages[1]!.release();
  await pages[2]!.reached;
  const busy = bot.heard().join("").length;
  assert(usual < 17 * 1024, `${usual}`);
  assert(busy > usual && busy < 60 * 1024, `${busy}`);
  pages[2]!.release();
});

Deno.test("Reading on waits until what was read is written, in however many rooms", async () => {
  const log = new SlowLog();
  const house = await House.open(log);
  const rooms = ["a", "b", "c"];
  const bot = await house.program({
    since: Object.fromEntries(rooms.map((room) => [room, { seq: 0 }])),
  });
  await house.settle();
  for (const room of rooms) {
    for (let i = 0; i < 100; i++) {
      const text = "x".repeat(1000);
      void house.ask(bot, { type: "say", room, text, action: false, ref: "" });
    }
  }
  await house.settle();
  const before = log.calls.read;
  const reader = house.arrive();
  await house.quiet(reader);
  const first = log.hold("read");
  await house.program({
    since: Object.fromEntries(rooms.map((room) => [room, { seq: 0 }])),
  }, { reader });
  await first.reached;
  await house.quiet(reader);
  reader.isStuck = true;
  first.release();
  await house.settle();
  assertEquals(log.calls.read - before, 1);
  assert(reader.messages().length > 0);
});

Deno.test("The log is read to nobody whose connection is lost", async () => {
  const log = new SlowLog();
  const house = await House.open(log);
  const ann = await house.enter("ann");
  for (let i = 0; i < 100; i++) house.say(ann, "x".repeat(1000));
  await house.settle();
  const before = log.calls.read;
  const reading = log.hold("read");
  const bot = await house.program({ since: since(0) });
  await reading.reached;
  // A write that fails is found out before the reader task knows of it.
  bot.connection.outbox.cut({ type: "bye", reason: "gone" });
  reading.release();
  await house.settle();
  assertEquals(log.calls.read - before, 1);
});

Deno.test("A program that comes anew is not told of a gap", async () => {
  const house = await House.open(new SlowLog({ keep: 2 }));
  const ann = await house.enter("ann");
  for (const text of ["1", "2", "3", "4"]) house.say(ann, text);
  await house.settle();
  const bot = await house.program();
  await house.settle();
  const [, ...events] = bot.events();
  assertEquals(
    events.map((event) => "text" in event ? event.text : event.type),
    ["3", "4"],
  );
});

Deno.test("A program that comes anew is told of a gap once it has begun to read", async () => {
  const log = new SlowLog({ keep: 300 });
  const house = await House.open(log, { replay: 300 });
  const ann = await house.enter("ann");
  const talk = async (from: number, to: number) => {
    for (let i = from; i <= to; i++) house.say(ann, `${i}`);
    await house.settle();
  };
  await talk(1, 300);
  const pages = [log.hold("read"), log.hold("read")];
  const bot = await house.program();
  pages[0]!.release();
  await pages[1]!.reached;
  await talk(301, 600);
  pages[1]!.release();
  await house.settle();
  const read = bot.events().flatMap((event) =>
    event.type === "gap"
      ? [`${event.from} to ${event.to}`]
      : event.type === "message"
      ? [event.text]
      : []
  );
  const page = read.findIndex((text) => text.includes("to"));
  assert(page > 0);
  assertEquals(read, [
    ...Array.from({ length: page }, (_, i) => `${1 + i}`),
    `${page + 1} to 300`,
    ...Array.from({ length: 300 }, (_, i) => `${301 + i}`),
  ]);
});

Deno.test("A room that somebody is about to enter is kept for them", async () => {
  const log = new SlowLog();
  const house = await House.open(log);
  const carl = await house.enter("carl");
  const opening = [log.hold("open"), log.hold("open")];
  opening[0]!.release();
  const entering = house.program({
    since: { ...since(0, "a"), ...since(0, "b") },
  });
  await opening[1]!.reached;
  await house.ask(carl, join("a"));
  await house.ask(carl, join(LOBBY));
  await house.settle();
  opening[1]!.release();
  const bot = await entering;
  await house.settle();
  await house.ask(carl, join("a"));
  house.say(carl, "here?");
  await house.settle();
  assertEquals(bot.messages(), ["1 here?"]);
});

Deno.test("A room that was given up is not taken for the one that somebody has made since", async () => {
  const log = new SlowLog();
  const house = await House.open(log);
  const [ann, carl] = [await house.enter("ann"), await house.enter("carl")];
  const bot = await house.program();
  await house.settle();
  // Said and left in one turn, and while that is stored, entered and left once more.
  await house.ask(ann, join("r"));
  await house.settle();
  const storing = log.hold("append");
  house.say(ann, "bye");
  const leaving = house.ask(ann, { type: "leave", ref: "/leave" });
  await storing.reached;
  await house.ask(bot, join("r"));
  await house.ask(bot, { type: "leave", room: "r", ref: "" });
  // Made anew as soon as it is given up, before the turn ends in which it was left last.
  const made = Promise.withResolvers<void>();
  const release = log.release.bind(log);
  log.release = (room) => {
    const released = release(room);
    made.resolve(house.ask(carl, join("r")));
    return released;
  };
  storing.release();
  await made.promise;
  await leaving;
  await house.settle();
  carl.heard();
  await house.ask(ann, join("R"));
  house.say(ann, "hello");
  await house.settle();
  assertEquals(carl.heard(), ["[ann] entered room", "<ann> hello"]);
});

Deno.test("A room in which somebody has just spoken is not given up before that is stored", async () => {
  const log = new SlowLog();
  const house = await House.open(log);
  const [ann, carl] = [await house.enter("ann"), await house.enter("carl")];
  const bot = await house.program();
  await house.settle();
  bot.heard();
  const dev = { room: "dev", ref: "" };
  const speakIn = async (text: string) => {
    await house.ask(bot, { type: "join", ...dev });
    await house.ask(bot, { type: "say", text, action: false, ...dev });
    await house.ask(bot, { type: "leave", ...dev });
  };
  const storing = log.hold("append");
  await speakIn("one");
  await storing.reached;
  await speakIn("two");
  house.say(carl, "hi");
  storing.release();
  await house.settle();
  assertEquals(bot.events().filter(({ type }) => type === "refused"), []);
  assertEquals(ann.heard().at(-1), "<carl> hi");
});

Deno.test("There are no more rooms than there may be, however many are made at once", async () => {
  const log = new SlowLog();
  const house = await House.open(log, { maxRooms: 3 });
  const bot = await house.program();
  await house.settle();
  bot.heard();
  const opening = [log.hold("open"), log.hold("open"), log.hold("open")];
  const joins = ["a", "b", "c"].map((room) => house.ask(bot, join(room)));
  await opening[1]!.reached;
  for (const { release } of opening) release();
  await Promise.all(joins);
  await house.settle();
  assertEquals(
    bot.events().map((event) => [
      event.type,
      "reason" in event ? event.reason : event.type === "joined" && event.room,
    ]),
    [
      ["refused", "there are 3 rooms already"],
      ["joined", "a"],
      ["joined", "b"],
    ],
  );
});

Deno.test("Who is gone before their room is there does not enter it, and it goes, too", async () => {
  const log = new SlowLog();
  const house = await House.open(log);
  const [ann, bob] = [await house.enter("ann"), await house.enter("bob")];
  await house.settle();
  const opening = log.hold("open");
  const joining = house.ask(bob, join("r"));
  await opening.reached;
  house.hub.part(bob.member, bob.connection, true);
  opening.release();
  await joining;
  await house.quiet(ann);
  await house.ask(ann, { type: "rooms", ref: "/rooms" });
  await house.settle();
  assertEquals(ann.heard(), ["-- 1 room: lobby (1)"]);
});
