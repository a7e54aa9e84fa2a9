/** Every limit at its edge: so much works, one more does not, and whoever asked for it is told why. */

import { Link } from "../lib/client/link.ts";
import { Admission, type Network, networkOf } from "../lib/server/admission.ts";
import { DEFAULT_LIMITS } from "../lib/server/limits.ts";
import { Pace } from "../lib/server/pace.ts";
import { type Signs, type Verdict, Vigil } from "../lib/server/vigil.ts";
import { assert, assertEquals, assertMatch } from "./assert.ts";
import {
  Bot,
  clientProgram,
  listening,
  Room,
  serverProgram,
  Visitor,
} from "./fixtures.ts";
import { House } from "./house.ts";

/** So many lines that can be told apart. */
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}`);

const joined = (lines: readonly string[]) => `${lines.join("\n")}\n`;

Deno.test("Pace lets ten lines pass at once, then four a second, and saves up no more than ten", () => {
  const pace = new Pace(DEFAULT_LIMITS);
  const passes = (now: number) => {
    let count = 0;
    while (pace.take(now) === 0) count++;
    return count;
  };
  assertEquals(passes(0), 10);
  assertEquals(pace.take(0), 250);
  assertEquals(pace.take(100), 150);
  assertEquals(passes(249), 0);
  assertEquals(passes(250), 1);
  assertEquals(passes(1250), 4);
  assertEquals(passes(3_600_000), 10);
  // Who takes what there is as soon as it is there waits no longer than others.
  let now = 4_000_000;
  assertEquals(passes(now), 10);
  for (let i = 0; i < 1000; i++) {
    now += pace.take(now);
    assertEquals(pace.take(now), 0);
  }
  assert(Math.abs(now - 4_250_000) < 1, `${now}`);
});

Deno.test("Pace lets everything pass without a rate, and heeds new limits at once", () => {
  const limits = { rate: 0, burst: 1 };
  const pace = new Pace(limits);
  for (let i = 0; i < 1000; i++) assertEquals(pace.take(0), 0);
  limits.rate = 0.5;
  assertEquals(pace.take(1), 0);
  assertEquals(pace.take(1), 2000);
  limits.burst = 3;
  assertEquals([pace.take(1), pace.take(1), pace.take(1)], [0, 0, 2000]);
  limits.burst = 1;
  assertEquals(pace.take(1), 6000);
});

Deno.test("What is said too fast is heard later, all of it and in order, while the others go on", async () => {
  // One line an hour: what is heard is the burst, until the limit is lifted.
  const limits = { limitLoopback: true, burst: 10, rate: 1 / 3600, lookMs: 1 };
  await using room = await Room.open(limits);
  using ann = await room.connect();
  using bob = await room.enter("bob");
  await ann.send(joined(["/nick ann", ...numbered(1, 30)]));
  assertEquals(await bob.until("<ann> line 9"), [
    "[ann] entered room",
    ...numbered(1, 8).map((line) => `<ann> ${line}`),
  ]);
  await bob.send("quiet?\n");
  await ann.until("<bob> quiet?");
  assertEquals(await bob.heard(), []);
  room.server.limit({ rate: 0 });
  await bob.until("<ann> line 10");
  assertEquals(
    await bob.until("<ann> line 30"),
    numbered(11, 29).map((line) => `<ann> ${line}`),
  );
});

Deno.test("The rate binds programs, too, and nobody on this machine unless it is told to", async () => {
  const limits = { burst: 3, rate: 1 / 3600, lookMs: 1 };
  await using room = await Room.open(limits);
  using bot = await room.program({ name: "bot" });
  await bot.send(...Array(50).fill({ type: "ping" }));
  for (let i = 0; i < 50; i++) await bot.until("pong");
  room.server.limit({ limitLoopback: true });
  await bot.send(
    ...numbered(1, 4).map((id) => ({ type: "ping", id: id.slice(5) })),
  );
  assertEquals((await bot.until("pong")).at(-1)?.["id"], "1");
  for (const id of ["2", "3"]) assertEquals((await bot.frame())?.["id"], id);
  using bob = await room.connect();
  await bob.send("/nick bob\n/who\n/barrier\n");
  await bob.until(/: \/barrier$/);
  let isHeard = false;
  const next = bot.until("pong").finally(() => isHeard = true);
  await bob.halfClose();
  assertEquals((await bob.rest()).at(-1), "-- bye: end of input");
  assert(!isHeard);
  room.server.limit({ limitLoopback: false });
  assertEquals((await next).at(-1)?.["id"], "4");
});

Deno.test("Who is made to wait hears what the others say, and can be let go", async () => {
  const limits = { limitLoopback: true, burst: 1, rate: 1 / 3600 };
  const lookMs = 3_600_000;
  await using room = await Room.open({ ...limits, lookMs, partingMs: 2000 });
  using bob = await room.enter("bob");
  room.server.limit({ limitLoopback: false });
  using ann = await room.enter("ann");
  room.server.limit({ limitLoopback: true });
  await bob.send("one\ntwo\n");
  await ann.send("three\nfour\n");
  await bob.until("<ann> three");
  const stopped = room.server.stop();
  assertEquals((await bob.rest()).at(-1), "-- bye: the server is stopping");
  assertEquals((await ann.rest()).at(-1), "-- bye: the server is stopping");
  for (const visitor of [ann, bob]) visitor.close();
  await stopped;
});

Deno.test("chat-client in a pipe has every line taken by a server that hears only so many a second", async () => {
  await using room = await Room.open({
    limitLoopback: true,
    burst: 5,
    rate: 200,
  });
  using bob = await room.program({ name: "bob" });
  await using client = clientProgram("ann", String(room.server.port));
  await client.write(joined(numbered(1, 300)));
  const { code, errors } = await client.result();
  assertEquals({ code, errors }, { code: 0, errors: [] });
  const heard: unknown[] = [];
  while (heard.at(-1) !== "line 300") {
    heard.push((await bob.until("message")).at(-1)?.["text"]);
  }
  assertEquals(heard, numbered(1, 300));
});

Deno.test("A link that is to end waits for a slow server as long as it gets on", async () => {
  await using room = await Room.open({
    limitLoopback: true,
    burst: 1,
    rate: 4,
  });
  const { port } = room.server;
  const link = await Link.connect({
    host: "127.0.0.1",
    port,
    name: "ann",
    closingMs: 4000,
  });
  for (const line of numbered(1, 20)) link.say(line);
  link.end();
  let acknowledged = 0;
  for await (const arrivals of link.receive()) {
    for (const { event } of arrivals) {
      if (event?.type === "ack") acknowledged++;
    }
  }
  assertEquals(acknowledged, 20);
});

Deno.test("chat-server heeds the limits of its command line, each to the last one that is allowed", async () => {
  await using server = serverProgram(
    ...["--port", "0", "--limit-loopback", "--rate", "1000", "--burst", "20"],
    ...["--max-message", "64", "--max-line", "640", "--max-connections", "4"],
    ...["--max-per-address", "3", "--max-rooms", "3", "--max-joined", "2"],
    ...["--max-announced", "2", "--replay", "1"],
  );
  const port = await listening(server);
  using ann = await Visitor.connect(port);
  await ann.enter("ann");
  const [most, more] = ["x".repeat(64), "x".repeat(65)];
  await ann.send(`${most}\n${more}\n`);
  assertEquals(
    await ann.line(),
    `-- refused (65 bytes are too long, a message has at most 64): ${
      more.slice(0, 60)
    }…`,
  );

  using bob = await Visitor.connect(port);
  await bob.send("/nick bob\n");
  await bob.until("-- 1 earlier message");
  assertEquals((await bob.line())?.slice("14:03 ".length), `<ann> ${most}`);
  assertEquals(await ann.line(), "[bob] entered room");
  using bot = new Bot(await Visitor.connect(port));
  await bot.hello({ name: "bot" });
  // That is the third in the lobby.
  assertEquals([await ann.heard(), await bob.until("-- now")], [[], []]);

  using fourth = await Visitor.connect(port);
  assertEquals(await fourth.rest(), [
    "-- bye: your address has 3 connections already",
  ]);

  await ann.send("/join dev\n");
  await ann.until("-- you are in dev; nobody else is here");
  await bot.send({ type: "join", room: "dev" });
  await bot.until("joined");
  await bot.send({ type: "join", id: "1", room: "third" });
  assertEquals(
    (await bot.until("error")).at(-1)?.["message"],
    "one can be in 2 rooms",
  );
  await bob.send("/join third\n");
  await bob.until("-- you are in third; nobody else is here");
  await ann.send("/join fourth\n");
  assertEquals(
    (await ann.heard()).at(-1),
    "-- refused (there are 3 rooms already): /join fourth",
  );

  await bob.send(`${"y".repeat(640)}\n`);
  assertEquals(
    await bob.line(),
    `-- refused (640 bytes are too long, a message has at most 64): ${
      "y".repeat(60)
    }…`,
  );
  await bob.send("y".repeat(641));
  assertEquals(await bob.rest(), ["-- bye: a line has at most 640 bytes"]);
});

Deno.test("networkOf() takes IPv4 in IPv6 for what it is, and a /64 for one", () => {
  assertEquals(networkOf("192.0.2.7"), "192.0.2.7");
  assertEquals(networkOf("::ffff:192.0.2.7"), "192.0.2.7");
  assertEquals(networkOf("2001:db8:1:2::1"), "2001:db8:1:2::/64");
  assertEquals(networkOf("2001:db8:1:2:ffff:1:2:3"), "2001:db8:1:2::/64");
  assertEquals(networkOf("2001:db8:1:3::1"), "2001:db8:1:3::/64");
  assertEquals(networkOf("fe80::1%2"), "fe80::/64");
  assertEquals(networkOf("::1"), "::/64");
});

/** Lets in who comes from an address, or says why not, and has one of them leave. */
function doorTo(admission: Admission) {
  const networks = new Map<string, Network>();
  return {
    admit(host: string): string | undefined {
      const network = admission.admit(host);
      if ("reason" in network) return network.reason;
      networks.set(networkOf(host), network);
      return undefined;
    },
    leave(host: string): void {
      admission.leave(networks.get(networkOf(host))!);
    },
  };
}

Deno.test("Admission lets in 32 of one address and 10,000 in all, and again whoever comes when one has left", () => {
  const { admit, leave } = doorTo(new Admission(DEFAULT_LIMITS));
  const perAddress = "your address has 32 connections already";
  for (let i = 0; i < 31; i++) assertEquals(admit("192.0.2.1"), undefined);
  assertEquals(admit("::ffff:192.0.2.1"), undefined);
  assertEquals(admit("192.0.2.1"), perAddress);
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 32; i++) assertEquals(admit("192.0.2.2"), undefined);
    assertEquals(admit("192.0.2.2"), perAddress);
    for (let i = 0; i < 32; i++) leave("192.0.2.2");
  }
  for (let i = 0; i < 32; i++) {
    assertEquals(admit(`2001:db8::${i.toString(16)}`), undefined);
  }
  assertEquals(admit("2001:db8::ffff:0:0:1"), perAddress);
  assertEquals(admit("2001:db8:0:1::1"), undefined);
  leave("2001:db8:0:1::1");
  leave("2001:db8::1");
  assertEquals(admit("2001:db8::2:1"), undefined);
  assertEquals(admit("2001:db8::2:1"), perAddress);

  // 64 are there; this machine has no limit of its own.
  for (let i = 64; i < 10_000; i++) {
    assertEquals(admit(i % 2 ? "127.0.0.1" : "::1"), undefined);
  }
  const full = "the server is full, it has 10000 connections";
  assertEquals(admit("127.0.0.1"), full);
  assertEquals(admit("192.0.2.9"), full);
  leave("::1");
  assertEquals(admit("192.0.2.9"), undefined);
  assertEquals(admit("192.0.2.9"), full);
});

Deno.test("Admission binds this machine, too, if it is told to", () => {
  const limits = { ...DEFAULT_LIMITS, limitLoopback: true, maxPerAddress: 1 };
  const { admit } = doorTo(new Admission(limits));
  const refused = "your address has 1 connection already";
  for (const host of ["127.0.0.1", "127.0.0.2", "::1"]) {
    assertEquals(admit(host), undefined);
    assertEquals(admit(host), refused);
  }
  limits.maxPerAddress = 2;
  assertEquals(admit("::1"), undefined);
});

for (
  const [limits, reason] of [
    [{ maxConnections: 3 }, "the server is full, it has 3 connections"],
    [
      { limitLoopback: true, maxPerAddress: 3, rate: 0 },
      "your address has 3 connections already",
    ],
  ] as const
) {
  Deno.test(`Three connections are let in, the fourth is told that ${reason}`, async () => {
    await using room = await Room.open(limits);
    using ann = await room.enter("ann");
    using bob = await room.enter("bob");
    const cat = await room.enter("cat");
    for (let i = 0; i < 3; i++) {
      using refused = await room.connect();
      // What they say is not heard, and does not reset what they are told.
      await refused.send("/nick dan\nhi\n");
      assertEquals(await refused.rest(), [`-- bye: ${reason}`]);
      using program = new Bot(await room.connect());
      await program.send({ type: "hello", v: 1, name: "dan" });
      assertEquals(await program.visitor.rest(), [`-- bye: ${reason}`]);
    }
    const { drops } = room.server.tally;
    const isFull = "maxConnections" in limits;
    assertEquals(drops[isFull ? "full" : "address-full"], 6);
    assertEquals(drops[isFull ? "address-full" : "full"], 0);
    await cat.send("/quit\n");
    await cat.rest();
    cat.close();
    assertEquals((await ann.until("[cat] is offline")).length, 2);
    await bob.until("[cat] is offline");
    // The place is free once the connection is closed, of which nobody is told.
    for (let isIn = false; !isIn;) {
      using dan = await room.connect();
      await dan.send("/nick dan\n");
      isIn = (await dan.line())?.startsWith("-- welcome") ?? false;
    }
    await ann.until("[dan] entered room");
  });
}

Deno.test("Whoever is refused is told why, and no more than so many are waited for until they have gone", async () => {
  await using room = await Room.open({
    maxConnections: 1,
    maxRefusing: 2,
    partingMs: 3_600_000,
  });
  const ann = await room.enter("ann");
  const told = [await room.connect(), await room.connect()];
  for (const visitor of told) {
    assertEquals(
      await visitor.line(),
      "-- bye: the server is full, it has 1 connection",
    );
  }
  // Whoever comes then is told, too, and not waited for.
  using third = await room.connect();
  assertEquals(await third.rest(), [
    "-- bye: the server is full, it has 1 connection",
  ]);

  // The server has not stopped before all are gone.
  let isStopped = false;
  const stopped = room.server.stop().then(() => isStopped = true);
  await ann.rest();
  ann.close();
  await using other = await Room.open();
  using bob = await other.enter("bob");
  for (let i = 0; i < 10; i++) await bob.heard();
  assert(!isStopped);
  for (const visitor of told) visitor.close();
  await stopped;
});

Deno.test("Whoever is refused has so long to go, and no longer", async () => {
  await using room = await Room.open({ maxConnections: 1, partingMs: 1 });
  using _ann = await room.enter("ann");
  using refused = await room.connect();
  assertMatch(await refused.line() ?? "", /^-- bye/);
  await room.server.stop();
});

Deno.test("The log says who was refused, and why", async () => {
  await using server = serverProgram("--port", "0", "--max-connections", "1");
  const port = await listening(server);
  using ann = await Visitor.connect(port);
  await ann.enter("ann");
  using refused = await Visitor.connect(port);
  const { port: from } = refused.conn.localAddr as Deno.NetAddr;
  await server.errors.until(
    new RegExp(
      ` info refused address=127\\.0\\.0\\.1:${from} why="the server is full, it has 1 connection"$`,
    ),
  );
});

Deno.test("Of lost sessions no more are waited for than there may be connections", async () => {
  const limits = { maxConnections: 4, holdMs: 3_600_000 };
  const house = await House.open(undefined, limits);
  const ann = await house.enter("ann");
  const bots = [];
  for (let i = 1; i <= 3; i++) {
    const session = String(i);
    bots.push(await house.program({ name: `bot${i}` }, { session }));
  }
  await house.quiet(ann);
  const lose = async (bot: typeof ann) => {
    house.hub.part(bot.member, bot.connection, false);
    await house.settle();
    return ann.heard();
  };
  for (const bot of bots) assertEquals(await lose(bot), []);
  const fourth = await house.program({ name: "bot4" }, { session: "4" });
  await house.quiet(ann);
  assertEquals(await lose(fourth), ["[bot4] is offline"]);
  // Those that are waited for are still waited for.
  const again = await house.program({ name: "bot1" }, { session: "1" });
  assertEquals(again.member, bots[0]!.member);
  house.hub.dismiss();
});

/** What Vigil has to say at these times, each with these signs. */
function verdicts(
  ...looks: [now: number, signs: Partial<Signs>][]
): (Verdict | undefined)[] {
  const vigil = new Vigil(DEFAULT_LIMITS);
  return looks.map(([now, { taken, heard }]) =>
    vigil.look(now, { taken, heard })
  );
}

Deno.test("Vigil asks after 30 s of silence, once, and gives up after 75 s", () => {
  const quiet = { heard: 7 };
  assertEquals(
    verdicts(
      [0, quiet],
      [29_999, quiet],
      [30_000, quiet],
      [31_000, quiet],
      [74_999, quiet],
      [75_000, quiet],
    ),
    [undefined, undefined, "ping", undefined, undefined, "silent"],
  );
});

Deno.test("Vigil takes anything that comes for a sign, and does not count while nothing has to come", () => {
  assertEquals(
    verdicts(
      [0, { heard: 1 }],
      [30_000, { heard: 1 }],
      [60_000, { heard: 2 }],
      [89_999, { heard: 2 }],
      [90_000, { heard: 2 }],
      [91_000, {}],
      [500_000, {}],
      [500_001, { heard: 2 }],
      [530_000, { heard: 2 }],
      [530_001, { heard: 2 }],
      [575_000, { heard: 2 }],
      [575_001, { heard: 2 }],
    ),
    [
      ...[undefined, "ping", undefined, undefined, "ping", undefined],
      ...[undefined, undefined, undefined, "ping", undefined, "silent"],
    ],
  );
});

Deno.test("Vigil gives up who takes nothing for 60 s while something waits", () => {
  assertEquals(
    verdicts(
      [0, { taken: 1 }],
      [59_999, { taken: 1 }],
      [60_000, { taken: 2 }],
      [119_999, { taken: 2 }],
      // Now nothing waits, and then something does again.
      [120_000, {}],
      [120_001, { taken: 2 }],
      [180_000, { taken: 2 }],
      [180_001, { taken: 2 }],
    ),
    [
      ...[undefined, undefined, undefined, undefined],
      ...[undefined, undefined, undefined, "stuck"],
    ],
  );
});

Deno.test("A program that is silent is asked, and stays if it answers", async () => {
  await using room = await Room.open({ lookMs: 1, silentMs: 3_600_000 });
  using bot = await room.program({ name: "bot" });
  room.server.limit({ pingMs: 1 });
  for (let i = 0; i < 3; i++) {
    assertEquals(await bot.frame(), { type: "ping" });
    await bot.send({ type: "pong" });
  }
});

Deno.test("A program that does not answer is told and given up, and keeps its name and rooms for a while", async () => {
  await using room = await Room.open({ lookMs: 1 });
  const session = "ab".repeat(16);
  using person = await room.enter("person");
  using bot = await room.program({ name: "bot", session });
  await person.until("[bot] entered room");
  room.server.limit({ pingMs: 0 });
  assertEquals((await bot.frame())?.type, "ping");
  room.server.limit({ silentMs: 0 });
  assertEquals(await bot.rest(), [
    { type: "bye", reason: "nothing came from you for 0 s" },
  ]);
  assertEquals(room.server.tally.drops.silent, 1);
  bot.close();
  room.server.limit({ silentMs: 3_600_000, pingMs: 3_600_000 });
  // Whoever is at a terminal was silent all the time.
  assertEquals(await person.heard(), []);
  using again = await room.connect();
  const program = new Bot(again);
  assertEquals((await program.hello({ session }))["name"], "bot");
});

Deno.test("A program that is made to wait is not taken for silent", async () => {
  const limits = { limitLoopback: true, burst: 1, rate: 1 / 3600, lookMs: 1 };
  await using room = await Room.open({ ...limits, silentMs: 3_600_000 });
  using other = await room.program({ name: "other" });
  using bot = await room.program({ name: "bot" });
  await bot.send({ type: "ping", id: "1" }, { type: "ping", id: "2" });
  room.server.limit({ burst: 2 });
  await bot.until("pong");
  room.server.limit({ silentMs: 0 });
  // Whoever is listened to is given up.
  assertEquals((await other.rest()).at(-1)?.type, "bye");
  other.close();
  room.server.limit({ rate: 0, silentMs: 3_600_000 });
  assertEquals((await bot.until("pong")).at(-1), { type: "pong", id: "2" });
});

/** A connection of somebody who enters under this name. */
async function dial(room: Room, name: string): Promise<Deno.TcpConn> {
  const { port } = room.server;
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode(`/nick ${name}\n`));
  return conn;
}

Deno.test("Whoever takes nothing of what waits is given up, at whichever terminal", async () => {
  await using room = await Room.open({ lookMs: 1, partingMs: 1 });
  using ann = await room.enter("ann");
  // Nobody reads from this connection.
  using _stuck = await dial(room, "stuck");
  await ann.until("[stuck] entered room");
  room.server.limit({ maxWaitingBytes: 1e9, stuckMs: 3_600_000 });
  const line = `${"x".repeat(1000)}\n`;
  for (let i = 0; i < 100; i++) {
    await ann.send(line.repeat(100));
    assertEquals(await ann.heard(), []);
  }
  room.server.limit({ stuckMs: 1 });
  await ann.until("[stuck] is offline");
  assertEquals(room.server.tally.drops.stuck, 1);
});

for (const what of ["what others say", "direct messages"]) {
  Deno.test(`A queue filled by ${what} stops nobody from giving commands`, async () => {
    await using room = await Room.open({ maxWaitingBytes: 1e9, partingMs: 1 });
    using ann = await room.enter("ann");
    // Nobody reads from this connection.
    using full = await dial(room, "full");
    await ann.until("[full] entered room");
    const command = what === "direct messages" ? "/msg full " : "";
    await ann.send(`${command}${"x".repeat(1000)}\n`.repeat(10_000));
    await ann.heard();
    await full.write(new TextEncoder().encode("/me a\n/nick b\n/me c\n"));
    assertEquals(
      (await ann.until("* b c")).filter((line) => !line.includes("xxx")),
      ["* full a", "[full] is now [b]"],
    );
  });
}

Deno.test("What a program has missed stops it from giving commands no more than what is said now", async () => {
  const house = await House.open();
  const ann = await house.enter("ann");
  for (let i = 0; i < 100; i++) house.say(ann, "x".repeat(500));
  await house.settle();
  // The welcome is taken, and the first page is not.
  const reader = house.arrive();
  const write = reader.write.bind(reader);
  reader.write = (bytes) => {
    reader.isStuck = reader.writes.length > 0;
    return write(bytes);
  };
  const since = { lobby: { seq: 0 } };
  const bot = await house.program({ since }, { reader });
  await house.settle();
  assert(bot.writes.at(-1)!.length > 10_000);
  assertEquals(bot.connection.outbox.answerBytes, 0);
});

Deno.test("Whoever parts is sent all that was said, however slowly they take it", async () => {
  await using room = await Room.open({ lookMs: 1, maxWaitingBytes: 1e9 });
  using ann = await room.enter("ann");
  // Nobody reads from these for now.
  using parting = await dial(room, "parting");
  using stuck = await dial(room, "stuck");
  const lines = Array.from(
    { length: 10_000 },
    (_, i) => `${i} ${"x".repeat(1000)}`,
  );
  await ann.send(joined(lines));
  assertEquals((await ann.heard()).length, 2);
  await parting.write(new TextEncoder().encode("/quit\n"));
  await ann.until("[parting] is offline");
  room.server.limit({ stuckMs: 1 });
  await ann.until("[stuck] is offline");
  stuck.close();
  const visitor = new Visitor(parting);
  await visitor.until(/^-- welcome/);
  assertEquals(await visitor.rest(), [
    "[stuck] entered room",
    ...lines.map((line) => `<ann> ${line}`),
    "-- bye: you quit",
  ]);
});

Deno.test("A new longest line holds for those who are here", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  room.server.limit({ maxLineBytes: 100 });
  await ann.send(`/${"x".repeat(99)}\n`);
  assertMatch(await ann.line() ?? "", /^-- refused \(unknown command/);
  await ann.send("x".repeat(101));
  assertEquals(await ann.rest(), ["-- bye: a line has at most 100 bytes"]);
});

Deno.test("Rooms of up to 500 members are told who comes and goes, larger ones are not", async () => {
  const house = await House.open();
  const first = await house.enter("n1");
  const second = await house.enter("n2");
  for (let i = 3; i < 500; i++) await house.enter(`n${i}`);
  await house.quiet(first);
  const fivehundredth = await house.enter("n500");
  assertEquals(first.heard(), ["[n500] entered room"]);
  const next = await house.enter("n501");
  assertEquals(first.heard(), []);
  // In a room that is too large, nobody is told of anybody's end either.
  house.hub.part(fivehundredth.member, fivehundredth.connection, true);
  await house.settle();
  assertEquals(first.heard(), []);
  // Messages and new names are for everybody.
  house.say(next, "hi");
  void house.ask(next, { type: "nick", name: "n", ref: "" });
  await house.settle();
  assertEquals(first.heard(), ["<n501> hi", "[n501] is now [n]"]);
  // 500 are there now: who was announced is said to be gone, and who was not, is not.
  house.hub.part(second.member, second.connection, true);
  house.hub.part(next.member, next.connection, true);
  await house.settle();
  assertEquals(first.heard(), ["[n2] is offline"]);
});

Deno.test("A room goes with its last member, also where nobody is told who goes", async () => {
  const house = await House.open(undefined, { maxAnnounced: 0, maxRooms: 2 });
  const ann = await house.enter("ann");
  for (const room of ["dev", "lobby", "ops", "lobby"]) {
    await house.quiet(ann);
    await house.ask(ann, { type: "join", room, ref: "" });
    await house.settle();
    assertEquals(ann.heard()[0], `-- you are in ${room}; nobody else is here`);
  }
});

Deno.test("Coming into a room, and leaving it, is told as long as it is small enough", async () => {
  const house = await House.open(undefined, { maxAnnounced: 2 });
  const [ann, bob, cat] = [
    await house.enter("ann"),
    await house.enter("bob"),
    await house.enter("cat"),
  ];
  const go = async (who: typeof ann, room: string) => {
    await house.quiet(ann, bob, cat);
    await house.ask(who, { type: "join", room, ref: "" });
    await house.settle();
  };
  assertEquals(bob.heard().slice(1), []);
  await go(ann, "dev");
  assertEquals([bob.heard(), cat.heard()], [[], []]);
  await go(bob, "dev");
  assertEquals([ann.heard(), cat.heard()], [["[bob] entered room"], [
    "[bob] left room",
  ]]);
  await go(cat, "dev");
  assertEquals([ann.heard(), bob.heard()], [[], []]);
  // Its rooms go with their last members, also where nobody was told.
  await go(cat, "lobby");
  await go(bob, "lobby");
  assertEquals([ann.heard(), cat.heard()], [["[bob] left room"], [
    "[bob] entered room",
  ]]);
});
