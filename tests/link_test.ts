/** The client's link, with servers on real sockets that do what a test tells them to. */

import process from "node:process";
import { type Link, LinkError, type LinkOptions } from "../lib/client/link.ts";
import { sleep } from "../lib/client/waiting.ts";
import { FINAL, LOBBY, PEACEFUL } from "../lib/message.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "./assert.ts";
import { connect, Ear, failure, FakeServer } from "./far_end.ts";
import { type Bot, type Frame, welcomeFrame } from "./fixtures.ts";

function said(seq: number, text: string, from = "bob"): Frame {
  const time = "2026-01-02T03:04:05.678Z";
  return { type: "message", room: LOBBY, seq, time, from, text };
}

/** A link that was welcomed, what it hears, and the other end. */
async function linked(
  server: FakeServer,
  options: Partial<LinkOptions> = {},
): Promise<{ link: Link; ear: Ear; bot: Bot; hello: Frame }> {
  const connecting = connect(server, options);
  const [bot, hello] = await server.welcome();
  const link = await connecting;
  return { link, ear: new Ear(link), bot, hello };
}

/** The ids of the next `count` frames. */
async function ids(bot: Bot, count: number): Promise<unknown[]> {
  const ids = [];
  for (let i = 0; i < count; i++) ids.push((await bot.frame())?.["id"]);
  return ids;
}

Deno.test("Link.connect() says hello and waits for the welcome, whatever comes before it", async () => {
  using server = new FakeServer();
  const connecting = connect(server);
  const bot = await server.accept();
  const { session, ...hello } = (await bot.frame())!;
  assertEquals(hello, { type: "hello", v: 1, name: "ann" });
  assertMatch(String(session), /^[0-9a-f]{32}$/);
  await bot.visitor.send("-- welcome, you are guest1\n{}\n<eve> hi\n");
  await bot.send(said(1, "early"), welcomeFrame("ann"), said(1, "hi"));
  const link = await connecting;
  assertEquals([link.name, link.rooms, link.isConnected], [
    "ann",
    [LOBBY],
    true,
  ]);
  const ear = new Ear(link);
  assertEquals(await ear.next(({ show }) => show[0]?.type), "welcome");
  assertEquals(await ear.message(), "hi");
  link.close();
  await ear.end;
});

Deno.test("Link.connect() says in one line why there is no link", async () => {
  const json = JSON.stringify({ type: "bye", reason: "too many are here" });
  const error = JSON.stringify({
    type: "error",
    code: "bad-frame",
    message: "no such version",
  });
  const closings: [string, string][] = [
    ["", "it closed the connection"],
    ["-- bye: too many are here\n", "too many are here"],
    [`${json}\n`, "too many are here"],
    [`${error}\n`, "no such version"],
  ];
  for (const [last, reason] of closings) {
    using server = new FakeServer();
    const connecting = connect(server);
    const bot = await server.accept();
    await bot.frame();
    await bot.visitor.send(last);
    await bot.visitor.halfClose();
    await assertRejects(
      () => connecting,
      LinkError,
      `cannot connect to 127.0.0.1:${server.port}: ${reason}`,
    );
    assertEquals(await bot.frame(), undefined);
  }
});

Deno.test("Link.connect() gives up where nobody listens, and where nobody says welcome", async () => {
  using server = new FakeServer();
  const { port } = server;
  const reasons = [
    ["", "no answer within 0.5 s"],
    ["220 mail\n", "it does not speak as chat-server does"],
  ] as const;
  for (const [greeting, reason] of reasons) {
    const connecting = connect(server, { welcomeMs: 500 });
    const bot = await server.accept();
    await bot.visitor.send(greeting);
    await assertRejects(
      () => connecting,
      LinkError,
      `cannot connect to 127.0.0.1:${port}: ${reason}`,
    );
    await bot.rest().catch(() => {});
  }
  server.close();
  await assertRejects(
    () => connect({ port }),
    LinkError,
    `cannot connect to 127.0.0.1:${port}: nobody listens there`,
  );
});

Deno.test("Link tells that its name was refused", async () => {
  const code = "name-taken";
  const error = { type: "error", code, message: "that name is taken" };
  const guest = welcomeFrame("guest1");
  for (const frames of [[error, guest], [guest, error]]) {
    using server = new FakeServer();
    const connecting = connect(server);
    const bot = await server.accept();
    await bot.send(...frames);
    const link = await connecting;
    const ear = new Ear(link);
    assertEquals(
      await ear.notice(),
      'the name "ann" was refused, that name is taken; you are guest1',
    );
    link.close();
    await ear.end;
  }
});

Deno.test("Link connects again, as the same session, under its name of now, and reads on in its rooms", async () => {
  using server = new FakeServer();
  const { link, ear, bot, hello } = await linked(server);
  const rename = { type: "renamed", room: LOBBY, from: "ann", to: "anna" };
  await bot.send(said(1, "one"), said(2, "two"), rename);
  await ear.message();
  await ear.message();
  bot.close();
  assertEquals(
    await ear.notice(),
    "connection lost (the server closed the connection); trying again in 1 s",
  );
  const [again, second] = await server.welcome({
    name: "anna",
    rooms: [{ room: LOBBY, log: "a", seq: 3, count: 1 }],
  });
  assertEquals(second, {
    ...hello,
    name: "anna",
    since: { [LOBBY]: { log: "a", seq: 2 } },
  });
  assertEquals(await ear.notice(), "connected again");
  await again.send(said(2, "two"), said(3, "three"));
  assertEquals(await ear.message(), "three");
  link.close();
  await ear.end;
});

Deno.test("Link says again what was not acknowledged, in order, with the same ids and before anything newer", async () => {
  using server = new FakeServer();
  const { link, ear, bot } = await linked(server);
  assertEquals([link.say("one"), link.say("two"), link.tell("bob", "three")], [
    "1",
    "2",
    "3",
  ]);
  link.say("four");
  const sent = [await bot.frame(), await bot.frame(), await bot.frame()];
  assertEquals(sent, [
    { type: "say", id: "1", room: LOBBY, text: "one" },
    { type: "say", id: "2", room: LOBBY, text: "two" },
    { type: "tell", id: "3", to: "bob", text: "three" },
  ]);
  await bot.send({ type: "ack", id: "1", seq: 1 }, {
    type: "error",
    code: "storage",
    message: "the disk is full",
    id: "4",
  });
  assertEquals(await ear.next(({ refused }) => refused), {
    reason: "the disk is full",
    text: "four",
    label: "four",
  });
  bot.close();
  await ear.notice();
  assertEquals(link.isConnected, false);
  link.say("five");
  const [again] = await server.welcome();
  await ear.notice();
  link.say("six");
  assertEquals(await ids(again, 4), ["2", "3", "5", "6"]);
  again.close();
  const [third] = await server.welcome();
  assertEquals(await ids(third, 4), ["2", "3", "5", "6"]);
  for (const id of ["2", "3", "5", "6"]) {
    await third.send({ type: "ack", id, seq: 1 });
  }
  await link.untilAcknowledged();
  link.close();
  await ear.end;
});

Deno.test("Link keeps what is said between two connections, until it is too much", async () => {
  using server = new FakeServer();
  const { link, ear, bot } = await linked(server, { maxUnacknowledged: 3 });
  bot.close();
  await ear.notice();
  for (let i = 0; i < 3; i++) link.say("x");
  assertEquals([link.free, link.unacknowledged], [0, 3]);
  await assertRejects(() => Promise.try(() => link.say("x")), RangeError);
  const free = link.untilFree();
  const [again] = await server.welcome();
  await again.send({ type: "ack", id: "1", seq: 1 });
  await free;
  assertEquals(link.say("y"), "4");
  link.close();
  await ear.end;
});

Deno.test("Link does not heed a frame that was cut off, and is told again", async () => {
  using server = new FakeServer();
  const { link, ear, bot } = await linked(server);
  await bot.send(said(1, "one"));
  await bot.visitor.send(JSON.stringify(said(2, "two")).slice(0, -5));
  bot.close();
  const [again, hello] = await server.welcome({
    rooms: [{ room: LOBBY, log: "a", seq: 2, count: 1 }],
  });
  assertEquals(hello["since"], { [LOBBY]: { log: "a", seq: 1 } });
  assertEquals(await ear.message(), "one");
  await again.send(said(2, "two"));
  assertEquals(await ear.message(), "two");
  link.close();
  await ear.end;
});

Deno.test("Link.ask() asks for nothing between two connections", async () => {
  using server = new FakeServer();
  const { link, ear, bot } = await linked(server);
  assertEquals(link.ask({ type: "who", room: LOBBY, ref: "/who" }), true);
  assertEquals(await bot.frame(), { type: "who", id: "1", room: LOBBY });
  bot.close();
  await ear.notice();
  assertEquals(link.ask({ type: "rooms", ref: "/rooms" }), false);
  link.close();
  await ear.end;
});

Deno.test("Link.join() joins a room, also if the connection is lost before the answer", async () => {
  using server = new FakeServer();
  const { link, ear, bot } = await linked(server);
  const joining = link.join("dev");
  assertEquals(await bot.frame(), { type: "join", id: "1", room: "dev" });
  bot.close();
  const [again] = await server.welcome();
  assertEquals(await again.frame(), { type: "join", id: "1", room: "dev" });
  const dev = { room: "dev", log: "b", seq: 0, count: 1, members: ["ann"] };
  await again.send({ type: "joined", name: "ann", ...dev });
  assertEquals([await joining, link.rooms], [true, [LOBBY, "dev"]]);
  assertEquals(await link.join("DEV"), true);
  const refused = link.join("x y");
  await again.send({
    type: "error",
    code: "room-invalid",
    message: "",
    id: "2",
  });
  assertEquals(await refused, false);
  const waiting = link.join("more");
  link.close();
  await ear.end;
  await assertRejects(() => waiting, LinkError);
});

Deno.test("Link does not come back after a farewell that is final", async () => {
  for (
    const reason of [
      ...[...Object.values(FINAL), ...Object.values(PEACEFUL)],
      ...["you were kicked by op: a b", "you are banned: spam"],
    ]
  ) {
    using server = new FakeServer();
    const { ear, bot } = await linked(server);
    await bot.send({ type: "bye", reason });
    assertEquals(await failure(ear), `connection lost (${reason})`);
  }
});

Deno.test("Link comes back after any other farewell, and says which", async () => {
  using server = new FakeServer();
  const { link, ear, bot } = await linked(server);
  await bot.send({ type: "bye", reason: "the server is stopping" });
  assertEquals(
    await ear.notice(),
    "connection lost (the server is stopping); trying again in 1 s",
  );
  await server.welcome();
  assertEquals(await ear.notice(), "connected again");
  link.close();
  await ear.end;
});

Deno.test("Link does not come back if it is not to", async () => {
  using server = new FakeServer();
  const { link, ear, bot } = await linked(server, { reconnect: false });
  link.say("x");
  bot.close();
  assertEquals(
    await failure(ear),
    "connection lost (the server closed the connection)",
  );
  await assertRejects(() => link.untilAcknowledged(), LinkError);
});

Deno.test("Link gives up where it does not find the server again in time", async () => {
  using server = new FakeServer();
  const { port } = server;
  const { link, ear, bot } = await linked(server, { retryMs: 500 });
  const acknowledged = assertRejects(() => {
    link.say("x");
    return link.untilAcknowledged();
  }, LinkError);
  await bot.frame();
  server.close();
  assertEquals(
    await failure(ear),
    `cannot connect to 127.0.0.1:${port}: nobody listens there; given up after 0.5 s`,
  );
  await acknowledged;
});

Deno.test("Link waits twice as long each time, half of it by chance, and says so as long as it grows", async () => {
  using server = new FakeServer();
  const chances = [0, 1, 1, 1];
  const { link, ear, bot } = await linked(server, {
    firstDelayMs: 1,
    maxDelayMs: 4,
    random: () => {
      const chance = chances.shift();
      if (chance === undefined) link.close();
      return chance ?? 1;
    },
  });
  const notices: string[] = [];
  bot.close();
  server.close();
  notices.push(await ear.notice(), await ear.notice(), await ear.notice());
  await ear.end;
  const again =
    /^cannot connect to .*: nobody listens there; trying again in 1 s$/;
  assertMatch(notices[0]!, /^connection lost .*; trying again in 1 s$/);
  for (const notice of notices.slice(1)) assertMatch(notice, again);
  assertEquals(chances, []);
  assertEquals(ear.rest.filter(({ notice }) => notice), []);
});

Deno.test("Link begins with the first delay again after a connection that has lasted", async () => {
  using server = new FakeServer();
  let now = 0;
  const { link, ear, bot } = await linked(server, {
    firstDelayMs: 600,
    maxDelayMs: 60_000,
    random: () => 1,
    now: () => now,
  });
  bot.close();
  assertMatch(await ear.notice(), /in 1 s$/);
  const [second] = await server.welcome();
  assertEquals(await ear.notice(), "connected again");
  now += 1200;
  second.close();
  // It would be 2 s for one that was lost at once.
  assertMatch(await ear.notice(), /in 1 s$/);
  link.close();
  await ear.end;
});

Deno.test("Link.retryInMs counts down to the next try, and is there only between two", async () => {
  using server = new FakeServer();
  let now = 0;
  const { link, ear, bot } = await linked(server, {
    firstDelayMs: 60_000,
    maxDelayMs: 60_000,
    random: () => 1,
    now: () => now,
  });
  assertEquals(link.retryInMs, undefined);
  bot.close();
  assertMatch(await ear.notice(), /in 60 s$/);
  assertEquals(link.retryInMs, 60_000);
  now = 58_500;
  assertEquals(link.retryInMs, 1500);
  now = 61_000;
  assertEquals(link.retryInMs, 0);
  link.close();
  await ear.end;
  assertEquals(link.retryInMs, undefined);

  const quick = await linked(server);
  quick.bot.close();
  await quick.ear.notice();
  await server.accept();
  assertEquals(
    [quick.link.isConnected, quick.link.retryInMs],
    [false, undefined],
  );
  quick.link.close();
  await quick.ear.end;

  const connecting = connect(server, { firstDelayMs: 60_000 });
  const [last] = await server.welcome();
  const left = await connecting;
  last.close();
  for await (const [arrival] of left.receive()) {
    if (arrival?.notice) break;
  }
  assertEquals(left.retryInMs, undefined);
});

Deno.test("Link waits no longer than it is to try", async () => {
  using server = new FakeServer();
  const { link, ear, bot } = await linked(server, {
    firstDelayMs: 60_000,
    retryMs: 2000,
    now: () => 0,
  });
  bot.close();
  assertMatch(await ear.notice(), /in 2 s$/);
  link.close();
  await ear.end;
});

Deno.test("Link tries again where a server takes connections and says nothing", async () => {
  using server = new FakeServer();
  const { link, ear, bot } = await linked(server, { maxDelayMs: 2 });
  const tried = ear.notice();
  bot.close();
  await tried;
  await (await server.accept()).visitor.halfClose();
  assertMatch(await ear.notice(), /: it closed the connection; trying again/);
  await server.welcome();
  assertEquals(await ear.notice(), "connected again");
  link.close();
  await ear.end;
});

Deno.test("Link.end() quits once everything is acknowledged, and then ends with the server's farewell", async () => {
  using server = new FakeServer();
  const { link, ear, bot } = await linked(server);
  link.say("x");
  link.end();
  assertEquals((await bot.frame())?.type, "say");
  await bot.send({ type: "ack", id: "1", seq: 1 });
  assertEquals(await bot.frame(), { type: "quit" });
  await bot.send({ type: "bye", reason: PEACEFUL.quit });
  await ear.end;
  assertEquals(await bot.frame(), undefined);
});

Deno.test("Link.leave() quits at once, whatever is not acknowledged, and closes", async () => {
  using server = new FakeServer();
  const { link, ear, bot } = await linked(server);
  const id = link.say("x");
  await link.leave();
  assertEquals(
    [await bot.frame(), await bot.frame(), await bot.frame()],
    [
      { type: "say", id, room: LOBBY, text: "x" },
      { type: "quit" },
      undefined,
    ],
  );
  await ear.end;
  await link.leave();
});

Deno.test("Link ends well if it is lost when it quits, and everything is acknowledged", async () => {
  using server = new FakeServer();
  const { link, ear, bot } = await linked(server);
  link.end();
  await bot.until("quit");
  bot.close();
  await ear.end;
});

Deno.test("Link ends well if there is no connection when it is to end, and nothing to say", async () => {
  using server = new FakeServer();
  const never = 3_600_000;
  const { link, ear, bot } = await linked(server, {
    firstDelayMs: never,
    maxDelayMs: never,
  });
  bot.close();
  assertMatch(await ear.notice(), /trying again in \d{4} s$/);
  link.end();
  await ear.end;
});

Deno.test("Link fails if it is to end and something is not acknowledged", async () => {
  using server = new FakeServer();
  const { link, ear, bot } = await linked(server);
  link.say("x");
  link.say("y");
  link.end();
  await bot.frame();
  bot.close();
  assertEquals(
    await failure(ear),
    "2 messages were not acknowledged: the server closed the connection",
  );
});

Deno.test("Link waits only so long for a server that is to acknowledge everything and close", async () => {
  using server = new FakeServer();
  for (const says of [0, 1]) {
    const { link, ear } = await linked(server, { closingMs: 1 });
    for (let i = 0; i < says; i++) link.say("x");
    link.end();
    if (says === 0) await ear.end;
    else {
      assertEquals(
        await failure(ear),
        "1 message was not acknowledged: the server has not answered everything within 0.001 s",
      );
    }
  }
});

Deno.test("Link asks a silent server whether it is there, and gives it up if it stays silent", async () => {
  using server = new FakeServer();
  const { link, ear, bot } = await linked(server, { pingMs: 1 });
  assertEquals(await bot.frame(), { type: "ping" });
  assertEquals(await bot.frame(), { type: "ping" });
  link.close();
  await ear.end;

  const deaf = await linked(server, { silentMs: 50 });
  assertEquals(
    await deaf.ear.notice(),
    "connection lost (nothing came for 0.05 s); trying again in 1 s",
  );
  assertEquals(await deaf.bot.frame(), undefined);
  deaf.link.close();
  await deaf.ear.end;
});

Deno.test("Link does not hold against the server how long it takes to deal with what has come", async () => {
  using server = new FakeServer();
  const connecting = connect(server, { silentMs: 1000, closingMs: 1000 });
  const [bot] = await server.welcome();
  const link = await connecting;
  link.say("x");
  await bot.send(said(1, "one"));
  const seen: string[] = [];
  for await (const arrivals of link.receive()) {
    for (const { event, notice } of arrivals) {
      assertEquals(notice, undefined);
      seen.push(event?.type ?? "");
    }
    if (seen.at(-1) !== "message") continue;
    link.end();
    // Longer than the server may be silent, or take to close.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await bot.send({ type: "ack", id: "1", seq: 2 });
    await bot.send({ type: "bye", reason: PEACEFUL.quit });
  }
  assertEquals(seen, ["welcome", "message", "ack", "bye"]);
});

Deno.test("Link ignores frames of types that it does not know, and fails on bad ones after what came before", async () => {
  using server = new FakeServer();
  const { ear, bot } = await linked(server);
  await bot.send({ type: "news" }, said(1, "one"), {
    type: "message",
    room: LOBBY,
  });
  assertEquals(await ear.message(), "one");
  assertMatch(
    await failure(ear),
    /^connection lost \(the server sent a bad frame: "seq": .*\)$/,
  );
});

Deno.test("Link.receive() reads no further than it is asked to", async () => {
  using server = new FakeServer();
  const connecting = connect(server);
  const [bot] = await server.welcome();
  const link = await connecting;
  const arrivals = link.receive();
  await arrivals.next();
  // More than fits in the buffers of two sockets: it cannot be written while nobody reads.
  const count = 20_000;
  const long = "x".repeat(1000);
  let isWritten = false;
  const writing = bot.send(
    ...Array.from({ length: count }, (_, i) => said(i + 1, long)),
  ).then(() => isWritten = true);
  let seq = 0;
  while (seq < count / 4) {
    seq += (await arrivals.next()).value?.length ?? 0;
    assert(!isWritten);
  }
  while (seq < count) seq += (await arrivals.next()).value?.length ?? 0;
  await writing;
  await arrivals.return(undefined);
});

Deno.test("sleep() until a moment that has passed is over at once, and nobody is warned", async () => {
  const warnings: Error[] = [];
  const warn = (warning: Error) => warnings.push(warning);
  process.on("warning", warn);
  await sleep(-1, new AbortController().signal);
  process.off("warning", warn);
  assertEquals(warnings, []);
});
