/** What operators do, to whom, and what nobody else may: bans, mutes, slow rooms, topics, and what is left of them. */

import { configure, reset } from "@logtape/logtape";
import { Bans, readTarget } from "../lib/server/bans.ts";
import { LogError, MemoryLog } from "../lib/server/log.ts";
import type { Limits } from "../lib/server/limits.ts";
import type { OperatingOptions } from "../lib/server/operating.ts";
import { MemoryOrders, type Orders } from "../lib/server/orders.ts";
import type { Request } from "../lib/server/requests.ts";
import { SqliteLog } from "../lib/server/sqlite_log.ts";
import { SqliteOrders } from "../lib/server/sqlite_orders.ts";
import { type Ban, isGuestName, nameKey } from "../lib/message.ts";
import * as json from "../lib/wire/json.ts";
import * as text from "../lib/wire/text.ts";
import { assert, assertEquals } from "./assert.ts";
import { clientProgram, Room } from "./fixtures.ts";
import { House, type Reader, SlowLog } from "./house.ts";

const START = Date.parse("2026-01-02T03:04:05.000Z");
const HOUR = 60 * 60 * 1000;

const OP_HOST = "192.0.2.1";
const BOB_HOST = "198.51.100.7";

/** A house with an operator in it, whose clock only a test moves. */
class Operated {
  readonly house: House;
  readonly op: Reader;
  readonly clock: { now: number };

  private constructor(house: House, op: Reader, clock: { now: number }) {
    this.house = house;
    this.op = op;
    this.clock = clock;
  }

  static async open(
    operating: OperatingOptions = {},
    { limits, log, clock = { now: START }, host = OP_HOST }: {
      limits?: Partial<Limits>;
      log?: MemoryLog;
      clock?: { now: number };
      host?: string;
    } = {},
  ): Promise<Operated> {
    const options = {
      operators: ["Op"],
      now: () => clock.now,
      ...operating,
    };
    const house = await House.open(
      log ?? new MemoryLog(),
      { holdMs: 3_600_000, replay: 0, ...limits },
      undefined,
      options,
    );
    const op = await house.enter("op", host, "op");
    await house.quiet(op);
    return new Operated(house, op, clock);
  }

  async enter(name: string, host?: string): Promise<Reader> {
    const reader = await this.house.enter(name, host);
    await this.house.quiet(reader, this.op);
    return reader;
  }

  /** Has somebody say a line, and gives what they are told. */
  async say(reader: Reader, line: string): Promise<string[]> {
    const said = text.parse(line);
    await this.house.ask(reader, said as Request);
    await this.house.settle();
    return reader.heard();
  }

  /** Has the operator say a line. */
  order(line: string): Promise<string[]> {
    return this.say(this.op, line);
  }

  /** Has a program send a frame, and gives what it is told. */
  async send(reader: Reader, frame: Record<string, unknown>) {
    const said = json.parse(JSON.stringify(frame));
    await this.house.ask(reader, said as Request);
    await this.house.settle();
    return reader.heard().map((line) => JSON.parse(line));
  }

  /** Somebody who speaks JSON. */
  async program(name: string, host: string, session?: string): Promise<Reader> {
    const reader = this.house.arrive(host);
    await this.house.program({ name }, {
      reader,
      ...(session !== undefined && { session }),
    });
    await this.house.quiet(reader, this.op);
    return reader;
  }

  /** Whether somebody may come in from there. */
  refused(host: string): string | undefined {
    return this.house.hub.bannedFrom(host);
  }
}

Deno.test("/kick ends a connection for good, held sessions too, and says who has done it and why", async () => {
  const there = await Operated.open();
  const bob = await there.enter("bob", BOB_HOST);
  assertEquals(await there.order("/kick BOB a b"), [
    "[bob] is offline",
    "-- bob is kicked",
  ]);
  assertEquals(bob.ended, "you were kicked by op: a b");
  // They may come again.
  assertEquals((await there.enter("bob", BOB_HOST)).member.name, "bob");

  const cy = await there.program("cy", BOB_HOST, "5e55");
  there.house.hub.part(cy.member, cy.connection, false);
  assertEquals(await there.order("/kick cy"), [
    "[cy] is offline",
    "-- cy is kicked",
  ]);
  const again = await there.house.program({}, { session: "5e55" });
  assertEquals(again.member.name, "guest1");
  await there.house.quiet(there.op);

  assertEquals(await there.order("/kick nobody"), [
    "-- refused (nobody of that name is here): /kick nobody",
  ]);
  assertEquals(await there.order("/kick op"), [
    "-- refused (that is you): /kick op",
  ]);
});

Deno.test("/ban by name ends who is here and takes the network from which they come along", async () => {
  const there = await Operated.open();
  const bob = await there.enter("bob", BOB_HOST);
  const neighbour = await there.enter("ann", `::ffff:${BOB_HOST}`);
  const other = await there.enter("cy", "198.51.100.8");
  assertEquals(await there.order("/ban bob 2h spam, again"), [
    "[bob] is offline",
    "[ann] is offline",
    "-- banned until 2026-01-02 05:04:05 UTC: bob, 198.51.100.7; 2 members ended",
  ]);
  const farewell = "you are banned until 2026-01-02 05:04:05 UTC: spam, again";
  assertEquals([bob.ended, neighbour.ended], [farewell, farewell]);
  assertEquals(other.ended, undefined);
  assertEquals(there.refused(BOB_HOST), farewell);
  assertEquals(there.refused(`::ffff:${BOB_HOST}`), farewell);
  assertEquals(there.refused("198.51.100.8"), undefined);
  other.heard();
  for (const name of ["bob", "BOB", "ｂｏｂ"]) {
    assertEquals(await there.say(other, `/nick ${name}`), [
      "-- refused (that name is banned until 2026-01-02 05:04:05 UTC: " +
      `spam, again): /nick ${name}`,
    ]);
  }
  const newcomer = await there.house.enter("bob", "203.0.113.1");
  assertEquals(newcomer.member.name, "guest1");
  there.op.heard();

  // What was banned together is let in together.
  assertEquals(await there.order("/unban Bob"), [
    "-- no longer banned: bob, 198.51.100.7",
  ]);
  assertEquals(there.refused(BOB_HOST), undefined);
  assertEquals((await there.enter("bob", BOB_HOST)).member.name, "bob");
  assertEquals(await there.order("/unban bob"), [
    "-- refused (bob is not banned; /bans lists who is): /unban bob",
  ]);
});

Deno.test("/ban by name takes of IPv6 the /64, and spares this machine and the operator's network", async () => {
  const there = await Operated.open();
  await there.enter("bob", "2001:db8:1:2:3::4");
  await there.enter("home", "127.0.0.1");
  await there.enter("near", OP_HOST);
  assertEquals(
    (await there.order("/ban bob")).at(-1),
    "-- banned for good: bob, 2001:db8:1:2::/64; 1 member ended",
  );
  assertEquals(there.refused("2001:db8:1:2:ffff::"), "you are banned");
  assertEquals(there.refused("2001:db8:1:3::"), undefined);
  assertEquals(
    (await there.order("/ban home")).at(-1),
    "-- banned for good: home; 1 member ended",
  );
  assertEquals(
    (await there.order("/ban near")).at(-1),
    `-- banned for good: near (but not ${OP_HOST}, from where you come, too); ` +
      "1 member ended",
  );
  assertEquals(there.refused(OP_HOST), undefined);
  assertEquals(there.refused("127.0.0.1"), undefined);
  // A guest has another name tomorrow, but not another address.
  const guest = there.house.arrive("203.0.113.9");
  guest.connection.outbox.open(text.render);
  await there.house.hub.enter(guest.member);
  await there.house.quiet(there.op);
  assertEquals(
    (await there.order("/ban guest1 1d")).at(-1),
    "-- banned until 2026-01-03 03:04:05 UTC: guest1, 203.0.113.9; 1 member ended",
  );
});

Deno.test("/ban of an address or network is exact, in every way to write it", async () => {
  const there = await Operated.open();
  const cases: [
    target: string,
    shown: string,
    hit: string[],
    free: string[],
  ][] = [
    ["203.0.113.5", "203.0.113.5", ["203.0.113.5", "::ffff:203.0.113.5"], [
      "203.0.113.4",
      "::cb00:7105",
    ]],
    ["10.1.2.3/8", "10.0.0.0/8", ["10.255.0.1"], ["11.0.0.1", "9.255.0.1"]],
    ["172.16.0.0/12", "172.16.0.0/12", ["172.31.255.255"], ["172.32.0.0"]],
    ["::ffff:10.9.0.0/112", "10.9.0.0/16", ["10.9.8.7"], ["10.8.0.1"]],
    ["2001:DB8::1", "2001:db8::1", ["2001:db8:0::1"], ["2001:db8::2"]],
    ["2001:db8:ffff::/33", "2001:db8:8000::/33", ["2001:db8:8000::1"], [
      "2001:db8::1",
    ]],
  ];
  for (const [target, shown, hit, free] of cases) {
    assertEquals(await there.order(`/ban ${target}`), [
      `-- banned for good: ${shown}; 0 members ended`,
    ]);
    for (const host of hit) assertEquals(there.refused(host), "you are banned");
    for (const host of free) assertEquals(there.refused(host), undefined, host);
    assertEquals(await there.order(`/unban ${shown}`), [
      `-- no longer banned: ${shown}`,
    ]);
    for (const host of hit) assertEquals(there.refused(host), undefined);
  }
  const what = "say a name, an address, or a network such as 10.0.0.0/8";
  for (
    const target of ["10.0.0.0/33", "::/129", "300.1.1.1/8", "a/b", "1/2/3"]
  ) {
    assertEquals(await there.order(`/ban ${target}`), [
      `-- refused (${what}): /ban ${target}`,
    ]);
  }
  // A number on its own is a name, as it may be one.
  assertEquals(readTarget("10"), { text: "10", key: "10" });
});

Deno.test("Nobody is called like an IPv4 address, so that a ban means the address", async () => {
  const there = await Operated.open();
  const bob = await there.enter("bob", BOB_HOST);
  assertEquals(await there.say(bob, "/nick 192.0.2.99"), [
    "-- refused (a name does not look like an address): /nick 192.0.2.99",
  ]);
});

Deno.test("A ban ends programs whose connection is lost, and connections that have not said anything", async () => {
  const there = await Operated.open();
  const lost = await there.program("bob", BOB_HOST, "5e55");
  there.house.hub.part(lost.member, lost.connection, false);
  const silent = there.house.arrive(BOB_HOST);
  assertEquals(await there.order(`/ban ${BOB_HOST}`), [
    "[bob] is offline",
    `-- banned for good: ${BOB_HOST}; 2 members ended`,
  ]);
  assertEquals(silent.ended, "you are banned");
  // The session is not known any more.
  const again = await there.house.program({}, {
    session: "5e55",
    reader: there.house.arrive("203.0.113.1"),
  });
  assertEquals(again.member.name, "guest1");
});

Deno.test("Bans and mutes are over when they are over, and of two the longer one counts", async () => {
  const there = await Operated.open();
  await there.order(`/ban ${BOB_HOST} 30m a`);
  await there.order("/ban 198.51.100.0/24 1h b");
  await there.order("/ban eve 10s");
  const ann = await there.enter("ann");
  assert(there.refused(BOB_HOST)?.endsWith(": b"));
  there.clock.now += 10_000 - 1;
  assertEquals((await there.say(ann, "/nick eve")).length, 1);
  assertEquals(ann.member.name, "ann");
  there.clock.now += 1;
  await there.say(ann, "/nick eve");
  assertEquals(ann.member.name, "eve");
  there.clock.now = START + HOUR - 1;
  assert(there.refused(BOB_HOST));
  there.clock.now = START + HOUR;
  assertEquals(there.refused(BOB_HOST), undefined);
  await there.house.quiet(there.op);
  assertEquals(await there.order("/bans"), ["-- nobody is banned or muted"]);
});

Deno.test("/bans lists who is banned or muted, in pages for a program", async () => {
  const there = await Operated.open();
  await there.order("/ban bob");
  await there.order("/mute cy 1h loud");
  await there.order("/ban 10.0.0.0/8 1d");
  const when = (time: number) => {
    const date = new Date(time);
    const two = (number: number) => String(number).padStart(2, "0");
    return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${
      two(date.getDate())
    } ${two(date.getHours())}:${two(date.getMinutes())}`;
  };
  assertEquals(await there.order("/bans"), [
    "-- banned: bob, for good, by op",
    `-- banned: 10.0.0.0/8, until ${when(START + 24 * HOUR)}, by op`,
    `-- muted: cy, until ${when(START + HOUR)}, by op: loud`,
  ]);
  const program = await there.program("prog", BOB_HOST);
  program.member.account = "op";
  for (let i = 0; i < 18; i++) await there.order(`/ban 11.0.0.${i}`);
  program.heard();
  const [first, second, ...rest] = await there.send(program, {
    type: "bans",
    id: "1",
  });
  assertEquals(rest, []);
  assertEquals([first.count, first.bans.length, first.more], [21, 20, true]);
  assertEquals([second.bans.length, second.more], [1, undefined]);
  assertEquals(second.bans, [{
    kind: "mute",
    target: "cy",
    by: "op",
    reason: "loud",
    since: "2026-01-02T03:04:05.000Z",
    until: "2026-01-02T04:04:05.000Z",
  }]);
});

Deno.test("Who is muted reads on, and is refused to speak, also under another name and through another connection", async () => {
  const there = await Operated.open();
  const bob = await there.enter("bob", BOB_HOST);
  assertEquals(await there.order("/mute bob 1h loud"), [
    "-- muted until 2026-01-02 04:04:05 UTC: bob, 198.51.100.7; 1 member silenced",
  ]);
  const why = "you are muted until 2026-01-02 04:04:05 UTC: loud";
  assertEquals(bob.heard(), [`-- refused (${why})`]);
  for (const line of ["hi", "/me waves", "/msg op hi", "/nick ann"]) {
    assertEquals(await there.say(bob, line), [`-- refused (${why}): ${line}`]);
  }
  assertEquals(there.op.heard(), []);
  await there.order("read this");
  assertEquals(bob.heard(), ["<op> read this"]);
  assertEquals(await there.say(bob, "/who"), ["-- 2 here: bob, op"]);

  const again = await there.enter("ann", `::ffff:${BOB_HOST}`);
  assertEquals(await there.say(again, "hi"), [`-- refused (${why}): hi`]);
  const elsewhere = await there.enter("cy", "203.0.113.1");
  assertEquals(await there.say(elsewhere, "/nick bob2"), [
    "[cy] is now [bob2]",
  ]);
  there.op.heard();
  assertEquals(await there.order("/unmute BOB"), [
    "-- no longer muted: bob, 198.51.100.7",
  ]);
  again.heard();
  assertEquals(await there.say(again, "hi"), []);
  assertEquals(there.op.heard(), ["<ann> hi"]);
});

Deno.test("Who is muted does not speak by logging in to another name, and who is away from a banned name is hit, too", async () => {
  const there = await Operated.open();
  const bob = await there.enter("bob", BOB_HOST);
  await there.say(bob, "/register correct horse");
  await there.say(bob, "/nick tom");
  await there.order("/mute tom");
  bob.heard();
  assertEquals(await there.say(bob, "/login bob correct horse"), [
    "-- refused (you are muted): /login",
  ]);
  await there.order("/unmute tom");
  assertEquals(await there.order("/ban bob 1h"), [
    "[tom] is offline",
    `-- banned until 2026-01-02 04:04:05 UTC: bob, ${BOB_HOST}; 1 member ended`,
  ]);
});

Deno.test("A program that is muted or too fast is told so, and what was stored before is acknowledged when it is said again", async () => {
  const there = await Operated.open();
  const session = "0".repeat(32);
  const bob = await there.program("bob", BOB_HOST, session);
  const say = (id: string) =>
    there.send(bob, { type: "say", id, room: "lobby", text: id });
  assertEquals((await say("1")).map(({ type }) => type), ["message", "ack"]);
  await there.order("/slow 30");
  bob.heard();
  assertEquals((await say("2")).map(({ type }) => type), ["message", "ack"]);
  there.clock.now += 18_500;
  assertEquals(await say("3"), [{
    type: "error",
    code: "slow",
    message: "one message in 30 s here, wait 12 s",
    id: "3",
  }]);
  assertEquals(await say("1"), [{ type: "ack", id: "1", seq: 1 }]);
  await there.order("/mute bob");
  bob.heard();
  assertEquals(await say("2"), [{ type: "ack", id: "2", seq: 2 }]);
  assertEquals((await say("3"))[0].code, "muted");
  const told = await there.send(bob, {
    type: "tell",
    id: "4",
    to: "op",
    text: "x",
  });
  assertEquals([told[0].code, told[0].id], ["muted", "4"]);
});

Deno.test("/slow binds each member in its room, and no operator", async () => {
  const there = await Operated.open();
  const bob = await there.enter("bob", BOB_HOST);
  assertEquals(await there.order("/slow 10"), [
    "-- op asks for one message in 10 s",
  ]);
  assertEquals(bob.heard(), ["-- op asks for one message in 10 s"]);
  const ann = await there.enter("ann");
  bob.heard();
  assertEquals(await there.say(bob, "one"), []);
  assertEquals(await there.say(ann, "mine"), ["<bob> one"]);
  bob.heard();
  const refused = (line: string, left: number) => [
    `-- refused (one message in 10 s here, wait ${left} s): ${line}`,
  ];
  assertEquals(await there.say(bob, "two"), refused("two", 10));
  // Neither another name nor a walk around the house helps.
  await there.say(bob, "/nick rob");
  await there.say(bob, "/join dev");
  assertEquals(await there.say(bob, "free here"), []);
  await there.say(bob, "/join lobby");
  there.clock.now += 9_000;
  assertEquals(await there.say(bob, "/me waits"), refused("/me waits", 1));
  there.clock.now += 1_000;
  assertEquals(await there.say(bob, "three"), []);
  there.op.heard();
  await there.order("a");
  assertEquals(await there.order("b"), []);
  // A clock that was set back makes nobody wait.
  there.clock.now -= HOUR;
  bob.heard();
  assertEquals(await there.say(bob, "four"), []);
  assertEquals(await there.say(bob, "five"), refused("five", 10));
  await there.order("/slow 0");
  assertEquals(bob.heard().at(-1), "-- op lets everybody speak freely again");
  assertEquals(await there.say(bob, "six"), []);
});

Deno.test("Whoever leaves a slow room and comes back under another name waits all the same, and nobody for their neighbours", async () => {
  const there = await Operated.open();
  await there.order("/slow 10");
  const refused = (line: string, left: number) => [
    `-- refused (one message in 10 s here, wait ${left} s): ${line}`,
  ];
  const bob = await there.enter("bob", "2001:db8::1");
  const neighbour = await there.enter("ann", "2001:db8::2");
  const home = await there.enter("home", "127.0.0.1");
  await there.say(bob, "one");
  neighbour.heard();
  assertEquals(await there.say(neighbour, "mine"), []);
  await there.say(home, "one");
  there.clock.now += 3_000;
  there.house.hub.part(bob.member, bob.connection, true);
  there.house.hub.part(home.member, home.connection, true);
  const again = await there.enter("carl", "2001:db8::3");
  assertEquals(await there.say(again, "two"), refused("two", 7));
  // Neither does it help that somebody from there has spoken since.
  there.clock.now += 6_000;
  assertEquals(await there.say(again, "two"), refused("two", 1));
  const elsewhere = await there.enter("dan", "2001:db8:0:1::1");
  assertEquals(await there.say(elsewhere, "hi"), []);
  // Through this machine itself anybody may come.
  const next = await there.enter("other", "127.0.0.1");
  assertEquals(await there.say(next, "hi"), []);
  there.clock.now += 1_000;
  again.heard();
  assertEquals(await there.say(again, "three"), []);
  assertEquals(await there.say(again, "four"), refused("four", 10));
});

Deno.test("A mute of a name silences who looks like it, and a guest's name only that guest", async () => {
  const there = await Operated.open();
  const guest = there.house.arrive();
  guest.connection.outbox.open(text.render);
  await there.house.hub.enter(guest.member);
  const imitator = await there.enter("mıke");
  const guestl = await there.enter("guestl");
  await there.house.quiet(guest);
  const isMuted = async (reader: Reader) =>
    (await there.say(reader, "hi")).at(-1)?.startsWith("-- refused (you are");
  await there.order("/mute Mike");
  assertEquals(await isMuted(imitator), true);
  await there.order("/mute guestl");
  assertEquals(await isMuted(guestl), true);
  assertEquals(await isMuted(guest) ?? false, false);
  await there.order("/unmute guestl");
  await there.order(`/mute ${guest.member.name}`);
  assertEquals(await isMuted(guestl) ?? false, false);
  assertEquals(await isMuted(guest), true);
});

Deno.test("Whoever is banned between their password and their entry does not own the name, and comes in as a guest", async () => {
  const log = new SlowLog();
  const there = await Operated.open({}, { log });
  const bob = await there.enter("bob", BOB_HOST);
  await there.say(bob, "/register correct horse");
  there.house.hub.part(bob.member, bob.connection, true);
  const opening = log.hold("open");
  const coming = there.house.program({
    name: "bob",
    login: "correct horse",
    since: { dev: { seq: 1 } },
  });
  await opening.reached;
  await there.order("/ban bob");
  opening.release();
  const program = await coming;
  await there.house.settle();
  assertEquals(program.member.account, undefined);
  assertEquals(isGuestName(program.member.name), true);
});

Deno.test("/topic is shown to everybody who asks or comes in, and set by operators", async () => {
  const there = await Operated.open();
  const bob = await there.enter("bob", BOB_HOST);
  assertEquals(await there.say(bob, "/topic"), ["-- there is no topic"]);
  assertEquals(await there.say(bob, "/topic mine"), [
    "-- refused (only operators may do that): /topic mine",
  ]);
  assertEquals(await there.order("/topic Tea"), ["-- topic: Tea"]);
  assertEquals(bob.heard(), ["-- topic: Tea"]);
  const cy = await there.house.enter("cy");
  assertEquals(cy.heard().slice(0, 2), [
    "-- welcome, you are cy; 2 others are here; /help lists the commands",
    "-- topic: Tea",
  ]);
  const program = there.house.arrive();
  await there.house.program({ name: "prog" }, { reader: program });
  await there.house.settle();
  const [welcome] = program.heard().map((line) => JSON.parse(line));
  assertEquals(welcome.rooms[0].topic, "Tea");
  await there.order("/join dev");
  await there.order("/topic Code");
  bob.heard();
  assertEquals((await there.say(bob, "/join dev")).slice(0, 2), [
    "-- you are in dev; 1 other is here",
    "-- topic: Code",
  ]);
  program.heard();
  assertEquals(
    await there.send(program, { type: "topic", id: "1", room: "DEV" }),
    [{ type: "topic", room: "dev", text: "Code" }],
  );
  program.member.account = "op";
  // Also from outside of the room.
  assertEquals(
    await there.send(program, { type: "topic", room: "dev", text: "" }),
    [{ type: "topic", room: "dev", text: "", by: "prog" }],
  );
  assertEquals(bob.heard().at(-1), "-- there is no topic");
  assertEquals(
    (await there.send(program, { type: "topic", room: "none", text: "x" }))[0]
      .code,
    "room-unknown",
  );
  assertEquals(await there.order(`/topic ${"é".repeat(201)}`), [
    "[bob] entered room",
    "-- there is no topic",
    `-- refused (402 bytes are too long, at most 400 will do here): /topic ${
      "é".repeat(53)
    }…`,
  ]);
});

Deno.test("/announce reaches everybody in all rooms, once, and the operator", async () => {
  const there = await Operated.open();
  const bob = await there.enter("bob", BOB_HOST);
  await there.say(bob, "/join dev");
  const program = await there.program("prog", BOB_HOST);
  await there.send(program, { type: "join", room: "dev" });
  await there.house.quiet(bob, program, there.op);
  // Who has not entered yet is told nothing before the welcome.
  const silent = there.house.arrive();
  const line = "-- announcement from op: back soon";
  assertEquals(await there.order("/announce back soon"), [line]);
  assertEquals(bob.heard(), [line]);
  assertEquals(program.heard().map((line) => JSON.parse(line)), [
    { type: "announced", from: "op", text: "back soon" },
  ]);
  silent.connection.outbox.open(text.render);
  await there.house.settle();
  assertEquals(silent.heard(), []);
  assertEquals(
    (await there.order(`/announce ${"x".repeat(1025)}`))[0]?.slice(0, 60),
    "-- refused (1025 bytes are too long, at most 1024 will do he",
  );
});

Deno.test("/reload has the settings read again before it is answered", async () => {
  let reloads = 0;
  const reload = async () => {
    await Promise.resolve();
    reloads++;
  };
  const there = await Operated.open({ reload });
  assertEquals(await there.order("/reload"), [
    "-- the settings were read again; the log says what came of it",
  ]);
  assertEquals(reloads, 1);
});

/** Every command of operators, for somebody who is there, for nobody, and for what makes no sense. */
const ORDERS = ["bob", "nobody", "300.1.2.3/99", "\u00a0", "198.51.100.7"]
  .flatMap((target) => [
    { type: "kick", name: target, reason: "x".repeat(300) },
    { type: "ban", target, seconds: 5 },
    { type: "mute", target },
    { type: "unban", target },
    { type: "unmute", target },
    { type: "bans" },
    { type: "slow", room: target, seconds: 1 },
    { type: "topic", room: target, text: "x".repeat(2000) },
    { type: "announce", text: "x".repeat(2000) },
    { type: "reload" },
  ]);

Deno.test("Who is no operator is refused in the same words, whatever they ask for and whether it is there", async () => {
  let reloads = 0;
  const reload = () => Promise.resolve(void reloads++);
  const there = await Operated.open({ reload });
  const bob = await there.enter("bob", BOB_HOST);
  const eve = await there.program("eve", "203.0.113.1");
  const lines = new Set<string>();
  for (const order of ORDERS) {
    const answers = await there.send(eve, { ...order, id: "1" });
    lines.add(JSON.stringify(answers));
  }
  assertEquals([...lines], [
    '[{"type":"error","code":"not-operator",' +
    '"message":"only operators may do that","id":"1"}]',
  ]);
  assertEquals([bob.ended, reloads], [undefined, 0]);
  await there.house.quiet(bob);
  assertEquals(await there.order("/bans"), ["-- nobody is banned or muted"]);
  for (const whom of ["bob", "nobody"]) {
    assertEquals(await there.say(bob, `/kick ${whom}`), [
      `-- refused (only operators may do that): /kick ${whom}`,
    ]);
  }
});

Deno.test("An operator is who owns the name: neither who is called like it nor who looks like it", async () => {
  const there = await Operated.open({ operators: ["root", "Σίσυφος"] });
  const names = ["root", "ROOT", "ｒｏｏｔ", "rооt", "r00t", "root1"];
  for (const [i, name] of names.entries()) {
    const thief = await there.house.enter(name, `203.0.113.${i}`);
    thief.heard();
    assertEquals(await there.say(thief, "/bans"), [
      "-- refused (only operators may do that): /bans",
    ]);
  }
  // The one who was an operator in another house is none here.
  assertEquals(
    (await there.order("/bans")).at(-1),
    "-- refused (only operators may do that): /bans",
  );
  // As nameKey writes it, however it stands in the settings.
  there.op.member.account = nameKey("ΣΊΣΥΦΟΣ");
  assertEquals(await there.order("/bans"), ["-- nobody is banned or muted"]);
  there.house.hub.appoint(["root"]);
  assertEquals(await there.order("/bans"), [
    "-- refused (only operators may do that): /bans",
  ]);
});

Deno.test("What would hit the operator, or the machine itself, has to be said twice within 30 s", async () => {
  for (
    const target of [
      ...["op", "OP", OP_HOST, "192.0.2.0/24", "0.0.0.0/0", "::ffff:0:0/96"],
      ...["127.0.0.1", "127.0.0.0/8", "127.8.0.0/16", "::1", "::/0", "::/127"],
    ]
  ) {
    const there = await Operated.open();
    const own = [
      "op",
      "OP",
      OP_HOST,
      "192.0.2.0/24",
      "0.0.0.0/0",
      "::ffff:0:0/96",
    ]
      .includes(target);
    const whom = own ? "you" : "everybody on the server's own machine";
    const refused = (line: string, what: string) => [
      `-- refused (this would ${what}: say it again within 30 s): ${line}`,
    ];
    const line = `/ban ${target}`;
    const ban = `ban ${whom}, for good`;
    assertEquals(await there.order(line), refused(line, ban), target);
    // Too late, or something else: it is asked again.
    there.clock.now += 31_000;
    assertEquals(await there.order(line), refused(line, ban));
    assertEquals(
      await there.order(`${line} 1h`),
      refused(
        `${line} 1h`,
        `ban ${whom}, until ${
          new Date(there.clock.now + HOUR).toISOString().slice(0, 19)
            .replace("T", " ")
        } UTC`,
      ),
    );
    assertEquals(await there.order(line), refused(line, ban));
    assertEquals(there.op.ended, undefined);
    there.clock.now += 30_000;
    await there.order(line);
    assertEquals(there.op.ended, own ? "you are banned" : undefined, target);
  }
  const there = await Operated.open();
  assertEquals(await there.order("/mute op 1h"), [
    "-- refused (this would mute you, until 2026-01-02 04:04:05 UTC: " +
    "say it again within 30 s): /mute op 1h",
  ]);
  // A name that is owned counts, whatever one is called.
  await there.order("/nick al");
  assertEquals((await there.order("/ban Op")).length, 1);
  assertEquals(there.op.ended, undefined);
  assertEquals(await there.order("/ban 198.51.100.0/24"), [
    "-- banned for good: 198.51.100.0/24; 0 members ended",
  ]);
});

Deno.test("Bans, mutes, topics and slow rooms are there after a restart, and what is over is not", async () => {
  const folder = await Deno.makeTempDir();
  const clock = { now: START };
  const open = async () => {
    const log = await SqliteLog.open(folder, { historyDays: 0 });
    const orders = SqliteOrders.open(folder, () => clock.now);
    const there = await Operated.open({ orders }, { clock });
    const close = async () => {
      await orders.close();
      await log.close();
    };
    return { there, close };
  };
  try {
    const first = await open();
    await first.there.enter("bob", BOB_HOST);
    await first.there.enter("guest", "203.0.113.77");
    await first.there.order("/ban bob spam");
    await first.there.order("/ban 10.0.0.0/8 1h");
    await first.there.order("/ban fay 2h");
    await first.there.order("/mute cy 2h loud");
    await first.there.order("/ban eve");
    await first.there.order("/unban EVE");
    await first.there.order("/topic Tea");
    await first.there.order("/join dev");
    await first.there.order("/slow 30");
    await first.there.order("/topic Code");
    await first.there.order("/topic -");
    const guest = first.there.house.arrive("203.0.113.9");
    await first.there.house.hub.enter(guest.member);
    await first.there.order(`/ban ${guest.member.name}`);
    await first.close();

    clock.now += HOUR;
    const { there, close } = await open();
    const list = (await there.order("/bans")).map((line) =>
      line.replace(/, .*/, "")
    );
    assertEquals(list, [
      "-- banned: 198.51.100.7 (of bob)",
      "-- banned: 203.0.113.9 (of guest1)",
      "-- banned: bob",
      "-- banned: fay",
      "-- muted: cy",
    ]);
    assertEquals(there.refused(BOB_HOST), "you are banned: spam");
    assertEquals(there.refused("10.0.0.1"), undefined);
    const cy = await there.enter("cy");
    assertEquals(
      (await there.say(cy, "hi"))[0]?.slice(0, 23),
      "-- refused (you are mut",
    );
    assertEquals(await there.say(cy, "/topic"), ["-- topic: Tea"]);
    const dan = await there.enter("dan");
    await there.say(dan, "/join dev");
    assertEquals(await there.say(dan, "/topic"), ["-- there is no topic"]);
    assertEquals(await there.say(dan, "one"), []);
    assertEquals(
      (await there.say(dan, "two"))[0]?.slice(0, 31),
      "-- refused (one message in 30 s",
    );
    await close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("What cannot be stored holds all the same, and the operator is told that it ends with the server", async () => {
  class FullOrders extends MemoryOrders {
    override ban(): Promise<void> {
      return Promise.reject(new LogError("the disk is full"));
    }
    override order(): Promise<void> {
      return Promise.reject(new LogError("the disk is full"));
    }
  }
  const there = await Operated.open({ orders: new FullOrders() });
  const loss =
    "; it could not be stored, and ends with the server: the disk is full";
  assertEquals(await there.order(`/ban ${BOB_HOST}`), [
    `-- banned for good: ${BOB_HOST}; 0 members ended${loss}`,
  ]);
  assertEquals(there.refused(BOB_HOST), "you are banned");
  assertEquals(await there.order("/topic Tea"), [
    "-- topic: Tea",
    `-- done in lobby${loss}`,
  ]);
});

Deno.test("A database that fails refuses, and keeps what it had", async () => {
  const folder = await Deno.makeTempDir();
  const log = await SqliteLog.open(folder, { historyDays: 0 });
  const orders: Orders = SqliteOrders.open(folder, () => START);
  const ban: Ban = { kind: "ban", target: "bob", by: "op", since: START };
  await orders.ban([ban]);
  // The second cannot be stored, so the first is not either.
  const bad = { ...ban, target: "eve", since: NaN };
  const failed = await orders.ban([{ ...ban, target: "cy" }, bad]).then(
    () => undefined,
    (error: unknown) => error,
  );
  assert(failed instanceof LogError);
  assertEquals((await orders.load()).bans, [ban]);
  await orders.close();
  await log.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("Every act of an operator is logged, with who, whom, why and for how long", async () => {
  const records: string[] = [];
  await configure({
    sinks: {
      kept: ({ category, message, properties }) => {
        if (category[1] !== "operators") return;
        records.push(`${message.join("")} ${JSON.stringify(properties)}`);
      },
    },
    loggers: [
      { category: "chat", lowestLevel: "info", sinks: ["kept"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: [] },
    ],
  });
  try {
    const there = await Operated.open();
    await there.enter("bob", BOB_HOST);
    await there.enter("cy", "203.0.113.1");
    await there.order("/nick al");
    for (
      const line of [
        ...["/kick cy rude", "/mute bob", "/ban bob 2h spam", "/unban bob"],
        ...["/unmute bob", "/slow 5", "/topic Tea", "/announce hi", "/reload"],
      ]
    ) await there.order(line);
    const eve = await there.enter("eve", "203.0.113.2");
    await there.say(eve, "/kick al");
    const by = `"by":"al","account":"op","from":"${OP_HOST}"`;
    assertEquals(records, [
      `operator kicks {${by},"whom":"cy","reason":"rude"}`,
      `operator mutes {${by},"whom":"bob, ${BOB_HOST}","lasts":"for good","hit":1}`,
      `operator bans {${by},"whom":"bob, ${BOB_HOST}","seconds":7200,"reason":"spam","hit":1}`,
      `operator unbans {${by},"whom":"bob, ${BOB_HOST}"}`,
      `operator unmutes {${by},"whom":"bob, ${BOB_HOST}"}`,
      `operator slows {${by},"room":"lobby","seconds":5}`,
      `operator says the topic {${by},"room":"lobby","topic":"Tea"}`,
      `operator announces {${by},"text":"hi"}`,
      `operator reloads {${by}}`,
      'refused to who is no operator {"by":"eve","from":"203.0.113.2","asked":"kick"}',
    ]);
  } finally {
    await reset();
  }
});

Deno.test("Bans are looked up by their lengths, however many there are", async () => {
  const bans = new Bans(() => START);
  await bans.prepare();
  const ban: Ban = { kind: "ban", target: "", by: "op", since: START };
  for (let i = 0; i < 1000; i++) {
    const [a, b] = [i >> 8, i & 255];
    bans.add({ ...ban, target: `10.${a}.${b}.0/24` });
    bans.add({ ...ban, target: `2001:db8:${i.toString(16)}::/48` });
    bans.add({ ...ban, target: `name${i}` });
  }
  assertEquals(bans.size, 3000);
  const find = (host: string) => bans.find({ host })?.target;
  assertEquals(find("10.3.231.9"), "10.3.231.0/24");
  assertEquals(find("10.3.232.9"), undefined);
  assertEquals(find("2001:db8:3e7:1::"), "2001:db8:3e7::/48");
  assertEquals(find("2001:db8:3e8:1::"), undefined);
  assertEquals(
    bans.find({ name: "NAME999", host: "10.200.0.1" })?.target,
    "name999",
  );
  for (const { target } of bans.list()) {
    const found = readTarget(target);
    assert(typeof found !== "string");
    assertEquals(bans.remove(found).length, 1);
  }
  assertEquals([bans.size, find("10.3.231.9")], [0, undefined]);
});

Deno.test("Who comes from where it is banned is told so before anything else, in any dialect, and counted", async () => {
  const orders = new MemoryOrders();
  const since = Date.now();
  const until = since + HOUR;
  const ban: Ban = {
    kind: "ban",
    target: "127.0.0.0/8",
    by: "op",
    reason: "spam",
    since,
    until,
  };
  await orders.ban([ban]);
  await using room = await Room.open({}, undefined, { orders });
  using visitor = await room.connect();
  const line = await visitor.line() ?? "";
  assert(/^-- bye: you are banned until .* UTC: spam$/.test(line), line);
  assertEquals(await visitor.rest(), []);
  assertEquals(room.server.tally.drops.banned, 1);
  assertEquals(room.server.tally.sessions, 0);
  // Without --no-reconnect; it does not come back again and again.
  await using client = clientProgram("ann", String(room.server.port));
  const { code, errors } = await client.result();
  assertEquals(code, 1);
  assert(errors.join("\n").includes("you are banned until"), errors.join("\n"));
  assertEquals(room.server.tally.drops.banned, 2);
});
