/** The client with servers that speak nothing but text, and with one that only seems to. */

import type { Link, LinkOptions } from "../lib/client/link.ts";
import { talkInPipe } from "../lib/client/pipe.ts";
import { FINAL, LOBBY, PEACEFUL } from "../lib/message.ts";
import { MemoryLog } from "../lib/server/log.ts";
import { EntryPassword } from "../lib/server/entry.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "./assert.ts";
import { connect, Ear, failure, FakeServer } from "./far_end.ts";
import {
  Bot,
  clientProgram,
  Room,
  soon,
  Visitor,
  welcomeFrame,
} from "./fixtures.ts";

const NOTICE =
  "this server speaks plain text: nothing is acknowledged, and commands are its own";
const LATE = "the server was only slow, and speaks JSON: connecting again";

/** So long that it would be noticed. */
const NEVER = 3_600_000;

/** A chat for telnet, of the kind that every tutorial has: what somebody says is told to the others. */
class TelnetChat implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #visitors = new Set<Visitor>();
  readonly #echoes: boolean;
  readonly #running: Promise<void>;

  /** @param echoes whether it is told to whoever said it, too */
  constructor(echoes = false) {
    this.#echoes = echoes;
    this.#running = this.#run();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await soon(this.#running, () => "somebody stays in the telnet chat");
  }

  async #run(): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const conn of this.#listener) serving.push(this.#serve(conn));
    await Promise.all(serving);
  }

  async #serve(conn: Deno.TcpConn): Promise<void> {
    using visitor = new Visitor(conn);
    this.#visitors.add(visitor);
    const from = `('127.0.0.1', ${conn.remoteAddr.port})`;
    for (let line; (line = await visitor.line()) !== undefined;) {
      for (const other of this.#visitors) {
        if (other === visitor && !this.#echoes) continue;
        await other.send(`<${from}> ${line}\r\n`);
      }
    }
    this.#visitors.delete(visitor);
  }
}

/** The way to a server, on which nothing comes back through the first connection until it is let through. */
class SlowWay implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #server: number;
  readonly #free = Promise.withResolvers<void>();
  readonly #running: Promise<void>;

  constructor(server: number) {
    this.#server = server;
    this.#running = this.#run();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  letThrough(): void {
    this.#free.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.letThrough();
    this.#listener.close();
    await soon(this.#running, () => "a connection through the way stays");
  }

  async #run(): Promise<void> {
    const running: Promise<void>[] = [];
    for await (const near of this.#listener) {
      const free = running.length === 0
        ? this.#free.promise
        : Promise.resolve();
      running.push(this.#connect(near, free));
    }
    await Promise.all(running);
  }

  async #connect(near: Deno.TcpConn, free: Promise<void>): Promise<void> {
    const far = await Deno.connect({
      hostname: "127.0.0.1",
      port: this.#server,
    });
    await Promise.all([
      carry(near, far),
      free.then(() => carry(far, near)),
    ]);
    near.close();
    far.close();
  }
}

/** Carries all that comes, and its end. */
async function carry(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  try {
    for (let count; (count = await from.read(buffer)) !== null;) {
      let bytes = buffer.subarray(0, count);
      while (bytes.length > 0) bytes = bytes.subarray(await to.write(bytes));
    }
    await to.closeWrite();
  } catch {
    // One of them is gone.
  }
}

/** A link to a server that was taken for a foreign one, what it hears, and the other end after the hello. */
async function fallenBack(
  server: FakeServer,
  options: Partial<LinkOptions> = {},
): Promise<{ link: Link; ear: Ear; visitor: Visitor; hello: string }> {
  const connecting = connect(server, {
    foreignMs: 1,
    welcomeMs: NEVER,
    ...options,
  });
  const { visitor } = await server.accept();
  const hello = await visitor.line() ?? "";
  const link = await connecting;
  const ear = new Ear(link);
  assertEquals(await ear.notice(), NOTICE);
  return { link, ear, visitor, hello };
}

/** A link that is told that its server speaks text, what it hears, and the other end. */
async function inText(
  server: FakeServer,
  options: Partial<LinkOptions> = {},
): Promise<{ link: Link; ear: Ear; visitor: Visitor }> {
  const connecting = connect(server, { text: true, ...options });
  const { visitor } = await server.accept();
  const link = await connecting;
  return { link, ear: new Ear(link), visitor };
}

Deno.test("Link.connect() takes a server for one of plain text where no welcome comes, and shows what it has said", async () => {
  using server = new FakeServer();
  const connecting = connect(server, { foreignMs: 50 });
  const { visitor } = await server.accept();
  await visitor.line();
  await visitor.send("220 telnet room\r\n\n{}\n");
  const link = await connecting;
  const ear = new Ear(link);
  assertEquals(await ear.notice(), NOTICE);
  await visitor.send(Uint8Array.of(255, 251, 1));
  await visitor.send("name?\x1b[2J\n");
  assertEquals([
    await ear.line(),
    await ear.line(),
    await ear.line(),
    await ear.line(),
  ], ["220 telnet room", "", "{}", "name?[2J"]);
  assertEquals({
    isText: link.isText,
    isConnected: link.isConnected,
    name: link.name,
    rooms: link.rooms,
    asked: link.ask({ type: "rooms", ref: "/rooms" }),
    joined: await link.join(LOBBY),
    retryInMs: link.retryInMs,
  }, {
    isText: true,
    isConnected: true,
    name: "ann",
    rooms: [],
    asked: false,
    joined: false,
    retryInMs: undefined,
  });
  link.close();
  await ear.end;
});

Deno.test("Link.connect() does not take a server for a foreign one that has answered in frames", async () => {
  using server = new FakeServer();
  const connecting = connect(server, { foreignMs: 300, welcomeMs: NEVER });
  const bot = await server.accept();
  await bot.frame();
  await bot.send({ type: "error", code: "name-taken", message: "no" });
  // One that has begun to wait later, and as long, is through with it.
  const { link: other, ear: otherEar } = await fallenBack(server, {
    foreignMs: 300,
  });
  await bot.send(welcomeFrame("guest1"));
  const link = await connecting;
  assertEquals([link.isText, link.name], [false, "guest1"]);
  const ear = new Ear(link);
  link.close();
  other.close();
  await Promise.all([ear.end, otherEar.end]);
});

Deno.test("Link.connect() does not wait for a foreign server to be silent", async () => {
  using server = new FakeServer();
  const connecting = connect(server, { foreignMs: 1 });
  const { visitor } = await server.accept();
  let isTalking = true;
  const talking = (async () => {
    while (isTalking) await visitor.send("spam\n".repeat(1000));
  })();
  const link = await connecting;
  isTalking = false;
  const ear = new Ear(link);
  assertEquals([link.isText, await ear.line()], [true, "spam"]);
  await talking;
  link.close();
  await ear.end;
});

Deno.test("Link does not take a server for a foreign one that was welcome before", async () => {
  using server = new FakeServer();
  const connecting = connect(server, { foreignMs: 1000 });
  const [bot] = await server.welcome();
  const link = await connecting;
  const ear = new Ear(link);
  bot.close();
  await ear.notice();
  const again = await server.accept();
  await again.frame();
  // One that has begun to wait later, and as long, is through with it.
  const other = await fallenBack(server, { foreignMs: 1000 });
  await again.send(welcomeFrame("ann"));
  assertEquals(await ear.notice(), "connected again");
  link.close();
  other.link.close();
  await Promise.all([ear.end, other.ear.end]);
});

Deno.test("Link.connect() does not take a server for a foreign one because this end was too busy to hear it", async () => {
  using server = new FakeServer();
  const connecting = connect(server, { foreignMs: 300 });
  const bot = await server.accept();
  await bot.frame();
  await bot.send(welcomeFrame("ann"));
  const busyUntil = performance.now() + 400;
  while (performance.now() < busyUntil);
  const link = await connecting;
  assertEquals(link.isText, false);
  const ear = new Ear(link);
  link.close();
  await ear.end;
});

Deno.test("Link sends lines of plain text as they are, cleaned, in order, and never its own frames", async () => {
  using server = new FakeServer();
  const ways = [
    () => fallenBack(server, { pingMs: 1, silentMs: 1 }),
    () => inText(server, { pingMs: 1, silentMs: 1 }),
  ];
  for (const way of ways) {
    const { link, ear, visitor } = await way();
    for (const line of ["/nick ann", "", " {}", "a\x1b[2J\nb\ufeff"]) {
      assertEquals(link.say(line, { room: "dev", action: true }), "");
    }
    assertEquals(await visitor.take(4), ["/nick ann", "", " {}", "a[2Jb"]);
    for (let i = 0; i < 100; i++) {
      await visitor.send(`${i}\n`);
      await ear.line();
      link.say(String(i));
      assertEquals(await visitor.line(), String(i));
    }
    await assertRejects(
      () => Promise.try(() => link.tell("bob", "psst")),
      TypeError,
    );
    await assertRejects(
      () => Promise.try(() => link.reply("bob", "psst")),
      TypeError,
    );
    link.close();
    await ear.end;
  }
});

Deno.test("Link does not show its own hello, whoever repeats it", async () => {
  using server = new FakeServer();
  const { link, ear, visitor, hello } = await fallenBack(server);
  await visitor.send(`${hello}\n<ann> ${hello}\nhi\n`);
  visitor.close();
  assertEquals(await ear.line(), "hi");
  await ear.notice();
  const { visitor: second } = await server.accept();
  await second.send(`14:03 <ann> ${hello}\nhi again\n`);
  assertEquals(await ear.line(), "hi again");
  link.close();
  await ear.end;
});

Deno.test("Link does not show its login, nor the password of the server, however a room cuts the hello", async () => {
  for (const login of ["correct horse", 'quote"and\\slash', "pw"]) {
    using server = new FakeServer();
    const { link, ear, visitor, hello } = await fallenBack(server, {
      login,
      password: "entry word",
    });
    assertEquals(JSON.parse(hello).login, login);
    const from = hello.indexOf(',"login":') + 1;
    const isLong = login.length >= 10;
    await visitor.send(`ann said ${isLong ? login : "nothing"}\n`);
    if (!isLong) assertEquals(await ear.line(), "ann said nothing");
    await visitor.send("the entry word is it\n");
    if (!isLong) {
      // What only has a short one in it is shown.
      await visitor.send(`a ${login}d\n`);
      assertEquals(await ear.line(), `a ${login}d`);
    }
    for (let cut = from + 10; cut < hello.length - 20; cut++) {
      await visitor.send(
        `<ann> ${hello.slice(from, cut)}\n<ann> ${hello.slice(cut)}\n`,
      );
    }
    await visitor.send("<bob> hi, ann\n");
    assertEquals(await ear.line(), "<bob> hi, ann");
    link.close();
    await ear.end;
  }
});

Deno.test("Link says its login again to a server that was only slow, and not to one that has said text", async () => {
  for (const said of ["", "<bob> look what I can say\n"]) {
    using server = new FakeServer();
    const { link, ear, visitor } = await fallenBack(server, {
      login: "secret",
    });
    if (said !== "") {
      await visitor.send(said);
      await ear.line();
    }
    const bot = new Bot(visitor);
    await bot.send(welcomeFrame("ann"));
    assertEquals(await bot.frame(), { type: "quit" });
    bot.close();
    const [, hello] = await server.welcome();
    assertEquals(hello.login, said === "" ? "secret" : undefined);
    link.close();
    await ear.end;
  }
});

Deno.test("Link connects again in plain text without a hello, and sends what has waited", async () => {
  using server = new FakeServer();
  for (const way of [fallenBack, inText]) {
    const { link, ear, visitor } = await way(server, { maxUnacknowledged: 2 });
    link.say("lost");
    assertEquals(await visitor.line(), "lost");
    await link.untilAcknowledged();
    visitor.close();
    assertEquals(
      await ear.notice(),
      "connection lost (the server closed the connection); trying again in 1 s",
    );
    link.say("one");
    link.say("two");
    assertEquals([link.unacknowledged, link.free], [2, 0]);
    await assertRejects(
      () => Promise.try(() => link.say("three")),
      RangeError,
    );
    const { visitor: second } = await server.accept();
    assertEquals(await ear.notice(), "connected again; 2 lines sent");
    await link.untilFree();
    link.say("three");
    assertEquals(await second.take(3), ["one", "two", "three"]);
    await link.untilAcknowledged();
    second.close();
    await ear.notice();
    const { visitor: third } = await server.accept();
    assertEquals(await ear.notice(), "connected again");
    // Nobody has said hello here: it is no answer to that.
    const welcome = JSON.stringify(welcomeFrame("ann"));
    await third.send(`${welcome}\n`);
    assertEquals(await ear.line(), welcome);
    link.close();
    await ear.end;
  }
});

Deno.test("Link in plain text waits for a server that does not read, and loses nothing of what is said", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connecting = connect(listener.addr, {
    text: true,
    maxUnacknowledged: 10,
  });
  const conn = await listener.accept();
  const link = await connecting;
  const ear = new Ear(link);
  const said = await fill(link);
  assertEquals(link.unacknowledged, 10);
  link.end();
  using visitor = new Visitor(conn);
  const heard = await visitor.rest();
  assertEquals(heard.map((line) => parseInt(line)), range(1, said));
  visitor.close();
  await ear.end;
});

/** Says lines that begin with 1, 2, ... until no more can be said; returns how many those are. */
async function fill(link: Link): Promise<number> {
  let said = 0;
  while (link.free > 0) {
    link.say(`${++said} ${"x".repeat(8000)}`);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return said;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

Deno.test("Link.end() in plain text ends the input once all is sent, and hears the server out", async () => {
  using server = new FakeServer();
  const { link, ear, visitor } = await inText(server);
  for (let i = 1; i <= 100; i++) link.say(String(i));
  link.end();
  assertEquals((await visitor.rest()).map(Number), range(1, 100));
  await visitor.send("one more thing\n");
  assertEquals(await ear.line(), "one more thing");
  visitor.close();
  await ear.end;
});

Deno.test("Link.end() in plain text waits only so long for the server to close, and that is a good end", async () => {
  using server = new FakeServer();
  const { link, ear, visitor } = await inText(server, { closingMs: 1 });
  link.say("hi");
  await link.untilAcknowledged();
  link.end();
  await ear.end;
  assertEquals(await visitor.rest(), ["hi"]);
});

Deno.test("Link.end() in plain text fails where something waits for a connection that does not come", async () => {
  using server = new FakeServer();
  const { link, ear, visitor } = await inText(server, {
    firstDelayMs: NEVER,
    maxDelayMs: NEVER,
  });
  visitor.close();
  await ear.notice();
  link.say("hi");
  link.end();
  assertEquals(
    await failure(ear),
    "1 message was not sent: the server closed the connection",
  );
});

Deno.test("Link.leave() in plain text sends what waits, and closes", async () => {
  using server = new FakeServer();
  const { link, ear, visitor } = await inText(server, { leavingMs: NEVER });
  for (let i = 1; i <= 100; i++) link.say(String(i));
  const leaving = link.leave();
  assertEquals((await visitor.rest()).map(Number), range(1, 100));
  visitor.close();
  await leaving;
  await ear.end;
});

Deno.test("Link.leave() in plain text does not wait for a server that does not read", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connecting = connect(listener.addr, {
    text: true,
    maxUnacknowledged: 10,
    leavingMs: 1,
  });
  using _conn = await listener.accept();
  const link = await connecting;
  const ear = new Ear(link);
  await fill(link);
  await link.leave();
  await ear.end;
});

Deno.test("Link in plain text knows the farewell of chat-server, if it is the last line", async () => {
  using server = new FakeServer();
  for (const reason of Object.values(FINAL)) {
    const { ear, visitor } = await inText(server);
    await visitor.send(`-- bye: ${reason}\n`);
    visitor.close();
    assertEquals(await failure(ear), `connection lost (${reason})`);
  }
  for (const reason of Object.values(PEACEFUL)) {
    const { ear, visitor } = await inText(server);
    await visitor.send(`-- bye: ${reason}\n`);
    visitor.close();
    await ear.end;
  }
  const { link, ear, visitor } = await inText(server);
  await visitor.send(`-- bye: ${PEACEFUL.quit}\n`);
  await ear.line();
  await visitor.send("said eve\n");
  visitor.close();
  assertEquals(
    await ear.notice(),
    "connection lost (the server closed the connection); trying again in 1 s",
  );
  const { visitor: second } = await server.accept();
  await second.send("-- bye: the server is stopping\n");
  second.close();
  assertEquals(await ear.notice(), "connected again");
  assertEquals(
    await ear.notice(),
    "connection lost (the server is stopping); trying again in 1 s",
  );
  link.close();
  await ear.end;
});

Deno.test("Link tells a server that is only slow from a foreign one, and says in frames what was said to it", async () => {
  using server = new FakeServer();
  const { link, ear, visitor, hello } = await fallenBack(server, {
    reconnect: false,
  });
  const { session, ...rest } = JSON.parse(hello);
  link.say("one");
  assertEquals(await visitor.line(), "one");
  link.end();
  const bot = new Bot(visitor);
  await bot.send(
    { type: "error", code: "name-taken", message: "no" },
    welcomeFrame("guest1"),
    { type: "error", code: "bad-frame", message: "no" },
  );
  assertEquals(await ear.next(({ notice, line }) => notice ?? line), LATE);
  assertEquals([link.isConnected, link.retryInMs], [false, undefined]);
  assertEquals(await bot.frame(), { type: "quit" });
  bot.close();
  const [second, { session: other, ...again }] = await server.welcome();
  assertEquals(again, rest);
  assertMatch(String(other), /^[0-9a-f]{32}$/);
  assert(other !== session);
  assertEquals(await second.frame(), {
    type: "say",
    id: "1",
    room: LOBBY,
    text: "one",
  });
  assertEquals([link.isText, link.name], [false, "ann"]);
  await second.send({ type: "ack", id: "1", seq: 1 });
  assertEquals(await second.frame(), { type: "quit" });
  await second.send({ type: "bye", reason: PEACEFUL.quit });
  await ear.end;
  assertEquals(
    ear.rest.map(({ event, line }) => event?.type ?? line),
    ["welcome", "ack", "bye"],
  );
});

Deno.test("Link loses nothing where a server that was only slow is slow again", async () => {
  using server = new FakeServer();
  const { link, ear, visitor } = await fallenBack(server, { welcomeMs: 4000 });
  link.say("one");
  link.say("two");
  assertEquals(await visitor.take(2), ["one", "two"]);
  await new Bot(visitor).send(welcomeFrame("ann"));
  assertEquals(await ear.notice(), LATE);
  visitor.close();
  link.tell("bob", "psst", "a secret");
  // Half of the time in which a welcome has to come is waited for it.
  const { visitor: again } = await server.accept();
  assertEquals(JSON.parse(await again.line() ?? "").type, "hello");
  assertEquals(await ear.notice(), NOTICE);
  assertEquals(
    (await ear.next(({ refused }) => refused)).label,
    "a secret",
  );
  link.end();
  assertEquals(await again.take(2), ["one", "two"]);
  again.close();
  await ear.end;
});

Deno.test("Link ends well where a server that is only slow was told nothing before the end", async () => {
  using server = new FakeServer();
  const { link, ear, visitor } = await fallenBack(server);
  link.end();
  const bot = new Bot(visitor);
  await bot.send(welcomeFrame("ann"));
  assertEquals(await bot.frame(), { type: "quit" });
  bot.close();
  await ear.end;
});

Deno.test("Link quits in frames, too, where it had ended its input in plain text, and waits only so long", async () => {
  using server = new FakeServer();
  for (const answers of [true, false]) {
    const { link, ear, visitor } = await fallenBack(server, {
      closingMs: answers ? NEVER : 1000,
    });
    await visitor.send("-- welcome, you are guest1\n");
    await ear.line();
    link.say("one");
    link.end();
    assertEquals(await visitor.rest(), ["one"]);
    await visitor.send(`${JSON.stringify(welcomeFrame("ann"))}\n`);
    assertEquals(await ear.notice(), LATE);
    visitor.close();
    const [bot] = await server.welcome();
    assertEquals((await bot.frame())?.["text"], "one");
    if (answers) {
      await bot.send({ type: "ack", id: "1", seq: 1 });
      assertEquals(await bot.frame(), { type: "quit" });
      bot.close();
      await ear.end;
    } else {
      assertEquals(
        await failure(ear),
        "1 message was not acknowledged: the server has not answered everything within 1 s",
      );
    }
  }
});

Deno.test("Link.close() does not wait for a server that is only slow to let one go", async () => {
  using server = new FakeServer();
  const { link, ear, visitor } = await fallenBack(server);
  const bot = new Bot(visitor);
  await bot.send(welcomeFrame("ann"));
  assertEquals(await bot.frame(), { type: "quit" });
  link.close();
  await ear.end;
});

Deno.test("Link loses nothing of what is said to a chat-server that is only slow, shows none of its refusals, and keeps its name", async () => {
  await using room = await Room.open();
  await using way = new SlowWay(room.server.port);
  using ann = await room.enter("ann");
  const link = await connect(way, { name: "bob", foreignMs: 1 });
  const ear = new Ear(link);
  assertEquals(await ear.notice(), NOTICE);
  await ann.until("[bob] entered room");
  // More than a chat-server takes of bad frames.
  for (let i = 1; i <= 20; i++) link.say(String(i));
  const long = '"'.repeat(5000);
  for (const line of ["", "/msg ann psst", long]) link.say(line);
  way.letThrough();
  assertEquals(await ear.next(({ notice, line }) => notice ?? line), LATE);
  const refused = await ear.next(({ refused }) => refused);
  assertEquals(refused, {
    reason: "it was sent before the server had answered",
    text: "/msg ann psst",
    label: "/msg ann psst",
  });
  assertEquals(
    (await ear.next(({ refused }) => refused)).reason,
    "too long to be sent",
  );
  await link.untilAcknowledged();
  assertEquals([link.isText, link.name], [false, "bob"]);
  link.say("21");
  link.end();
  await ear.end;
  assertEquals(await ann.until("<bob> 21"), [
    "[bob] is offline",
    "[bob] entered room",
    ...range(1, 20).map((i) => `<bob> ${i}`),
  ]);
  const shown = ear.rest.flatMap(({ show, line, own }) => [
    ...(own ? [] : show.map(({ type }) => type)),
    ...(line === undefined ? [] : [line]),
  ]);
  assertEquals(shown, ["welcome", "bye"]);
});

Deno.test("Link gives the password to a chat-server that is only slow, or fails without it, and loses nothing of what is said", async () => {
  const password = new EntryPassword("sesame");
  await using room = await Room.open({}, new MemoryLog(), { password });
  for (const knows of [true, false]) {
    await using way = new SlowWay(room.server.port);
    const link = await connect(way, {
      name: "bob",
      foreignMs: 1,
      ...(knows && { password: "sesame" }),
    });
    const ear = new Ear(link);
    assertEquals(await ear.notice(), NOTICE);
    for (const line of ["one", "two"]) link.say(line);
    link.end();
    way.letThrough();
    assertEquals(await ear.next(({ notice, line }) => notice ?? line), LATE);
    if (knows) {
      await ear.end;
      const said = ear.rest.flatMap(({ event, own }) =>
        own && event?.type === "message" ? [event.text] : []
      );
      assertEquals(said, ["one", "two"]);
    } else {
      assertEquals(
        await failure(ear),
        `2 messages were not acknowledged: 127.0.0.1:${way.port}: the server asks for a password`,
      );
    }
  }
});

Deno.test("Link starts anew where a slow server refuses its hello in frames, unless somebody else may have said so", async () => {
  using server = new FakeServer();
  for (
    const code of [
      "password-needed",
      "password-wrong",
      "not-registered",
      "too-many-tries",
    ]
  ) {
    const refusal = JSON.stringify({ type: "error", code, message: "no" });
    const { ear, link, visitor } = await fallenBack(server);
    await visitor.send(`-- password?\n${refusal}\n`);
    assertEquals(await ear.line(), "-- password?");
    assertEquals(await ear.notice(), LATE);
    link.close();
    await ear.end;

    const { ear: other, link: foreign, visitor: joker } = await fallenBack(
      server,
    );
    await joker.send(`welcome to telnet\n${refusal}\n`);
    assertEquals(await other.line(), "welcome to telnet");
    assertEquals(await other.line(), refusal);
    await joker.send(`${refusal}\n`);
    assertEquals(await other.line(), refusal);
    foreign.close();
    await other.end;
  }
});

Deno.test("Link never says again what has answered a question for a password, written or not", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connecting = connect(listener.addr, { foreignMs: 1, welcomeMs: NEVER });
  using conn = await listener.accept();
  const link = await connecting;
  const ear = new Ear(link);
  assertEquals(await ear.notice(), NOTICE);
  await conn.write(new TextEncoder().encode("-- password?\n"));
  assertEquals(await ear.line(), "-- password?");
  link.say("sesame1", { isSecret: true });
  link.say("one");
  await link.untilAcknowledged();
  // What nobody reads waits.
  while (link.unacknowledged < 5) {
    link.say("x".repeat(8000));
    await new Promise((resolve) => setTimeout(resolve));
  }
  link.say("sesame2", { isSecret: true });
  link.say("two");
  const welcome = `${JSON.stringify(welcomeFrame("ann"))}\n`;
  await conn.write(new TextEncoder().encode(welcome));
  assertMatch(await ear.notice(), /speaks JSON: connecting again/);
  const texts = link.pending.map(({ spoken }) => spoken.text);
  assertEquals([texts[0], texts.at(-1)], ["one", "two"]);
  assert(!JSON.stringify([texts, ear.rest]).includes("sesame"));
  link.close();
  await ear.end;
});

Deno.test("Link in plain text takes no more than can be said again, as long as the server may only be slow", async () => {
  using server = new FakeServer();
  const { link, ear, visitor } = await fallenBack(server, {
    maxUnacknowledged: 3,
  });
  for (let i = 1; i <= 3; i++) link.say(String(i));
  await link.untilAcknowledged();
  assertEquals([link.free, link.unacknowledged], [0, 0]);
  await assertRejects(() => Promise.try(() => link.say("4")), RangeError);
  const free = link.untilFree();
  await visitor.send("hi\n");
  await free;
  for (let i = 4; i <= 5; i++) link.say(String(i));
  assertEquals(await visitor.take(5), ["1", "2", "3", "4", "5"]);
  await new Bot(visitor).send(welcomeFrame("ann"));
  assertEquals(
    await ear.notice(),
    `${LATE}; the first 2 of the lines that were said are lost`,
  );
  visitor.close();
  const [bot] = await server.welcome();
  const texts = [];
  for (let i = 0; i < 3; i++) texts.push((await bot.frame())?.["text"]);
  assertEquals(texts, ["3", "4", "5"]);
  link.close();
  await ear.end;
});

Deno.test("Link.end() in plain text does not end the input of a server that may only be slow, until it speaks or as long as a welcome may take", async () => {
  using server = new FakeServer();
  for (const [speaks, welcomeMs] of [[true, NEVER], [false, 1000]] as const) {
    const { link, ear, visitor } = await fallenBack(server, { welcomeMs });
    link.say("hi");
    link.end();
    assertEquals(await visitor.line(), "hi");
    if (speaks) await visitor.send("who is there?\n");
    assertEquals(await visitor.rest(), []);
    visitor.close();
    await ear.end;
  }
});

Deno.test("Link with --text does not take a frame for one", async () => {
  using server = new FakeServer();
  const { link, ear, visitor } = await inText(server);
  const welcome = JSON.stringify(welcomeFrame("ann"));
  await visitor.send(`${welcome}\n`);
  assertEquals(await ear.line(), welcome);
  link.say("hi");
  assertEquals(await visitor.line(), "hi");
  link.close();
  await ear.end;
});

Deno.test("chat-client talks in a telnet chat, with a notice or with --text", async () => {
  await using chat = new TelnetChat();
  await using ann = clientProgram("ann", String(chat.port));
  assertEquals(await ann.errors.next(), `chat-client: ${NOTICE}`);
  await using bob = clientProgram("bob", "--text", String(chat.port));
  await bob.write("hello\n\n/who\n");
  const from = /^<(\('127\.0\.0\.1', \d+\)> hello)$/;
  assertMatch(await ann.out.next() ?? "", from);
  assertMatch(await ann.out.next() ?? "", /> $/);
  assertMatch(await ann.out.next() ?? "", /> \/who$/);
  await ann.write("hi bob");
  await ann.closeInput();
  assertMatch(await bob.out.next() ?? "", /^<.*> hi bob$/);
  assertEquals(await ann.result(), { code: 0, out: [], errors: [] });
  assertEquals(await bob.result(), { code: 0, out: [], errors: [] });
});

Deno.test("chat-client does not print its hello where a chat echoes it", async () => {
  await using chat = new TelnetChat(true);
  await using client = clientProgram("ann", String(chat.port));
  await client.write("one\n\ntwo\n");
  const { code, out, errors } = await client.result();
  assertEquals(
    { code, errors, out: out.map((line) => line.replace(/^<.*?> /, "")) },
    { code: 0, errors: [`chat-client: ${NOTICE}`], out: ["one", "", "two"] },
  );
});

Deno.test("chat-client --text is a guest of chat-server, and gives commands", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await using client = clientProgram("bob", "--text", String(room.server.port));
  await client.write("/nick carl\nhi\n/whoami\n");
  assertEquals(await client.result(), {
    code: 0,
    out: [
      "-- welcome, you are carl; 1 other is here; /help lists the commands",
      "-- refused (unknown command, /help lists them): /whoami",
      "-- bye: end of input",
    ],
    errors: [],
  });
  assertEquals(await ann.heard(), [
    "[carl] entered room",
    "<carl> hi",
    "[carl] is offline",
  ]);
  await using other = clientProgram("bob", "--text", String(room.server.port));
  await other.write("/quit\n");
  assertEquals(await other.exit(), 0);
});

Deno.test("chat-client has its lines stored by a chat-server that is only slow, under its name", async () => {
  await using room = await Room.open();
  await using way = new SlowWay(room.server.port);
  using ann = await room.enter("ann");
  await using client = clientProgram("bob", String(way.port));
  await client.write("one\n\n/two\n");
  await client.closeInput();
  assertEquals(await client.errors.next(), `chat-client: ${NOTICE}`);
  way.letThrough();
  assertEquals(await client.result(), {
    code: 1,
    out: [
      "-- welcome, you are bob; 1 other is here; /help lists the commands",
      `-- bye: ${PEACEFUL.quit}`,
    ],
    errors: [
      `chat-client: ${LATE}`,
      "chat-client: line 3: refused, it was sent before the server had answered: /two",
    ],
  });
  assertEquals(await ann.heard(), [
    "[bob] entered room",
    "[bob] is offline",
    "[bob] entered room",
    "<bob> one",
    "[bob] is offline",
  ]);
});

Deno.test("chat-client --json does not go on with a server that speaks plain text", async () => {
  await using chat = new TelnetChat();
  await using client = clientProgram("ann", "--json", String(chat.port));
  assertEquals(await client.result(), {
    code: 1,
    out: [],
    errors: ["chat-client: the server speaks plain text, which has no events"],
  });
});

Deno.test("talkInPipe() refuses a line that is too long for plain text, and sends the others", async () => {
  using server = new FakeServer();
  const connecting = connect(server, { text: true });
  const { visitor } = await server.accept();
  const link = await connecting;
  const input = ReadableStream.from([
    new TextEncoder().encode(`one\n${"x".repeat(8193)}\n${"y".repeat(8192)}`),
  ]);
  const notices: string[] = [];
  const talking = talkInPipe(link, {
    input,
    print: () => Promise.resolve(),
    notify: (notice) => void notices.push(notice),
    lingerMs: 0,
    json: false,
  });
  assertEquals(await visitor.rest(), ["one", "y".repeat(8192)]);
  visitor.close();
  assertEquals(await talking, false);
  assertEquals(notices, ["line 2: too long to be sent"]);
});
