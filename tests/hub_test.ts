/** The hub with plain sinks: who is told what, and in how many writes. */

import { type ChatEvent, type Command, PEACEFUL } from "../lib/message.ts";
import { MemoryLog } from "../lib/server/log.ts";
import { tell } from "../lib/server/members.ts";
import { Told } from "../lib/server/told.ts";
import { assert, assertEquals, assertStrictEquals } from "./assert.ts";
import { House, type Reader, SlowLog } from "./house.ts";

Deno.test("Hub gives who leaves in a turn what was said before in it, and nothing more", async () => {
  for (const how of ["leave", "dismiss"] as const) {
    const house = await House.open();
    const [ann, bob] = [await house.enter("ann"), await house.enter("bob")];
    await house.quiet(ann, bob);
    house.say(ann, "before");
    if (how === "leave") house.hub.part(bob.member, bob.connection, true);
    else house.hub.dismiss();
    house.say(ann, "after");
    await house.turns.ended();
    assertEquals(bob.heard(), ["<ann> before"], how);
  }
});

Deno.test("Hub announces a departure once, however often it is told", async () => {
  const house = await House.open();
  const [ann, bob] = [await house.enter("ann"), await house.enter("bob")];
  await house.quiet(ann, bob);
  house.hub.part(bob.member, bob.connection, true);
  house.hub.part(bob.member, bob.connection, true);
  await house.turns.ended();
  assertEquals(ann.heard(), ["[bob] is offline"]);
});

Deno.test("Hub writes once a turn to everybody, and the same bytes to all who said nothing", async () => {
  const house = await House.open();
  const [ann, bob, carl] = [
    await house.enter("ann"),
    await house.enter("bob"),
    await house.enter("carl"),
  ];
  await house.quiet(ann, bob, carl);
  for (const text of ["1", "2", "3"]) house.say(ann, text);
  await house.turns.ended();
  assertEquals([ann.writes.length, bob.writes.length, carl.writes.length], [
    0,
    1,
    1,
  ]);
  assertStrictEquals(bob.writes[0], carl.writes[0]!);
  assertEquals(bob.heard(), ["<ann> 1", "<ann> 2", "<ann> 3"]);
});

Deno.test("Hub lists up to 500 members in their order, counts more, and leaves out who has not entered", async () => {
  const house = await House.open();
  const first = await house.enter("n0");
  house.arrive();
  for (let i = 1; i < 500; i++) await house.enter(`n${i}`);
  const who: Command & { type: "who" } = { type: "who", ref: "/who" };
  await house.quiet(first);
  house.hub.handle(first.member, who);
  await house.turns.ended();
  const [list] = first.heard();
  assert(list!.startsWith("-- 500 here: n0, n1, n10, n100, n101, "), list);
  const last = await house.enter("last");
  house.hub.handle(first.member, who);
  await house.turns.ended();
  assertEquals(first.heard(), ["-- 501 here, too many to list"]);
  assertEquals(
    last.heard()[0],
    "-- welcome, you are last; 500 others are here; /help lists the commands",
  );
});

Deno.test("Hub answers who is here anew when somebody has come, gone or been renamed", async () => {
  const house = await House.open();
  const ann = await house.enter("ann");
  await house.quiet(ann);
  const here = async () => {
    house.hub.handle(ann.member, { type: "who", ref: "/who" });
    await house.turns.ended();
    return ann.heard().at(-1);
  };
  assertEquals(await here(), "-- 1 here: ann");
  const bob = await house.enter("bob");
  assertEquals(await here(), "-- 2 here: ann, bob");
  house.hub.handle(bob.member, { type: "nick", name: "ben", ref: "/nick ben" });
  assertEquals(await here(), "-- 2 here: ann, ben");
  house.hub.part(bob.member, bob.connection, true);
  assertEquals(await here(), "-- 1 here: ann");
});

Deno.test("Hub shows names as NFKC writes them", async () => {
  const house = await House.open();
  const ann = await house.enter("ann");
  await house.quiet(ann);
  const bob = await house.enter("ｂｏｂ");
  house.hub.handle(bob.member, { type: "nick", name: "ｂｅｎ", ref: "" });
  await house.turns.ended();
  assertEquals(ann.heard(), ["[bob] entered room", "[bob] is now [ben]"]);
});

Deno.test("Hub refuses a message of more than 1,024 bytes, however few characters it has", async () => {
  const house = await House.open();
  const [ann, bob] = [await house.enter("ann"), await house.enter("bob")];
  await house.quiet(ann, bob);
  house.say(ann, "\u5b57".repeat(341));
  house.say(ann, "\u5b57".repeat(342));
  await house.settle();
  assertEquals(bob.heard(), [`<ann> ${"\u5b57".repeat(341)}`]);
  const [refusal] = ann.heard();
  assert(refusal?.startsWith("-- refused (1026 bytes are too long"), refusal);
});

Deno.test("Hub tells one member after what was said before, and nobody else", async () => {
  const house = await House.open();
  const [ann, bob] = [await house.enter("ann"), await house.enter("bob")];
  await house.quiet(ann, bob);
  const bye: ChatEvent = { type: "bye", reason: PEACEFUL.quit };
  house.say(ann, "before");
  tell(bob.member, bye);
  house.say(ann, "after");
  await house.turns.ended();
  assertEquals(bob.heard(), [
    "<ann> before",
    "-- bye: you quit",
    "<ann> after",
  ]);
  assertEquals(ann.heard(), []);
});

Deno.test("Hub welcomes a program with at most 500 names, whichever rooms they are in", async () => {
  const house = await House.open();
  const since = { dev: { seq: 0 }, ops: { seq: 0 } };
  let last: Reader | undefined;
  for (let i = 0; i < 200; i++) last = await house.program({ since });
  await house.settle();
  const [welcome] = last!.events();
  assert(welcome?.type === "welcome");
  assertEquals(
    welcome.rooms.map(({ room, count, members }) => [
      room,
      count,
      members?.length,
    ]),
    [["lobby", 200, 200], ["dev", 200, 200], ["ops", 200, undefined]],
  );
});

Deno.test("Hub gives up the rooms that a program was welcomed in, when it is gone", async () => {
  const log = new MemoryLog();
  const released: string[] = [];
  const release = log.release.bind(log);
  log.release = (room) => {
    released.push(room);
    return release(room);
  };
  const house = await House.open(log);
  const since = { dev: { seq: 0 }, ops: { seq: 0 } };
  const bot = await house.program({ since });
  await house.settle();
  assertEquals(released, []);
  house.hub.part(bot.member, bot.connection, true);
  await house.settle();
  assertEquals(released, ["dev", "ops"]);
});

Deno.test("Hub lists 500 rooms and counts the others, a page at a time", async () => {
  const log = new MemoryLog();
  const names = Array.from({ length: 600 }, (_, i) => `room${i}`);
  log.stored = () => Promise.resolve(names);
  const house = await House.open(log);
  const bot = await house.program();
  await house.quiet(bot);
  const rooms = { type: "rooms", ref: "" } as const;
  await house.ask(bot, rooms);
  await house.settle();
  const pages = bot.events().map((event) => {
    assert(event.type === "rooms");
    return [event.count, event.rooms.length, event.more];
  });
  assertEquals(pages, [
    ...Array.from({ length: 4 }, () => [601, 100, true]),
    [601, 100, false],
  ]);

  bot.isStuck = true;
  let isAnswered = false;
  void house.ask(bot, rooms)?.then(() => isAnswered = true);
  await house.settle();
  assertEquals([bot.events().length, isAnswered], [1, false]);
});

Deno.test("Hub encodes once who comes, however many are still reading the log", async () => {
  const log = new SlowLog();
  const house = await House.open(log);
  const ann = await house.enter("ann");
  house.say(ann, "hi");
  await house.settle();
  const reading = Array.from({ length: 3 }, () => log.hold("read"));
  const since = { lobby: { seq: 0 } };
  const bots = [await house.program({ since }), await house.program({ since })];
  await house.quiet(...bots);
  void house.enter("carl");
  await house.turns.ended();
  const [first, second] = bots.map(({ writes }) => writes);
  assertEquals([first!.length, second!.length], [1, 1]);
  assertStrictEquals(first![0]!.buffer, second![0]!.buffer);
  for (const { release } of reading) release();
  await house.settle();
});

Deno.test("Hub tells a program all that was said in the lobby since it has arrived, also before its hello", async () => {
  for (const replay of [0, 2]) {
    const house = await House.open(new MemoryLog(), { replay });
    const ann = await house.enter("ann");
    house.say(ann, "before");
    await house.settle();
    const bot = house.arrive();
    for (const text of ["1", "2", "3"]) house.say(ann, text);
    await house.settle();
    await house.program({}, { reader: bot });
    await house.settle();
    assertEquals(bot.messages(), ["2 1", "3 2", "4 3"], `${replay}`);
  }
});

Deno.test("Told forgets the oldest of more than 100,000", () => {
  const told = new Told({ directMemoryMs: 3_600_000 });
  for (let i = 0; i <= 100_000; i++) told.add("s", `${i}`);
  assertEquals([told.has("s", "0"), told.has("s", "1")], [false, true]);
});
