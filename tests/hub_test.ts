/** The hub with plain sinks: who is told what, and in how many writes. */

import { type ChatEvent, type Command, PEACEFUL } from "../lib/message.ts";
import { Hub } from "../lib/server/hub.ts";
import { type Connection, type Member, tell } from "../lib/server/members.ts";
import { type Log, MemoryLog } from "../lib/server/log.ts";
import { DEFAULT_LIMITS } from "../lib/server/options.ts";
import { Outbox, type Sink, Turns } from "../lib/server/outbox.ts";
import { render } from "../lib/wire/text.ts";
import { assert, assertEquals, assertStrictEquals } from "./assert.ts";

/** Somebody who reads everything at once. */
class Reader implements Sink {
  readonly writes: Uint8Array[] = [];
  readonly connection: Connection;
  readonly member: Member;

  constructor(hub: Hub, turns: Turns) {
    const outbox = new Outbox(this, turns, {
      maxBytes: 1_000_000,
      onFull: () => {},
    });
    this.connection = { outbox, end: () => {} };
    this.member = hub.arrive(this.connection);
  }

  write(bytes: Uint8Array): Promise<number> {
    this.writes.push(bytes);
    return Promise.resolve(bytes.length);
  }

  /** The lines that were written since the last time. */
  heard(): string[] {
    const text = this.writes.splice(0).map((bytes) =>
      new TextDecoder().decode(bytes)
    ).join("");
    return text.split("\n").slice(0, -1);
  }
}

class House {
  readonly turns: Turns;
  readonly hub: Hub;

  private constructor(turns: Turns, hub: Hub) {
    this.turns = turns;
    this.hub = hub;
  }

  static async open(log: Log = new MemoryLog()): Promise<House> {
    const turns = new Turns();
    const options = { limits: DEFAULT_LIMITS, server: "here" };
    return new House(turns, await Hub.open(turns, log, options));
  }

  arrive(): Reader {
    return new Reader(this.hub, this.turns);
  }

  async enter(name: string): Promise<Reader> {
    const reader = this.arrive();
    const wish = { type: "nick", name, ref: `/nick ${name}` } as const;
    reader.connection.outbox.open(render);
    await this.hub.enter(reader.member, wish);
    return reader;
  }

  say(reader: Reader, text: string): void {
    this.hub.handle(reader.member, {
      type: "say",
      text,
      action: false,
      ref: text,
    });
  }

  /** Lets the turn end, and forgets what everybody was told in it. */
  async quiet(...readers: Reader[]): Promise<void> {
    await this.turns.ended();
    for (const reader of readers) reader.heard();
  }
}

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
  assertEquals(first.heard(), [
    "[last] entered room",
    "-- 501 here, too many to list",
  ]);
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
