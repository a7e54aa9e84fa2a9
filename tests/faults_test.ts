/**
 * What must not lose, repeat or reorder anything: a server process that is killed, connections that are cut at any
 * byte, absences, one session in two places, a disk that is full.
 */

import { LOBBY, type Message } from "../lib/message.ts";
import { SqliteLog } from "../lib/server/sqlite_log.ts";
import { assert, assertEquals } from "./assert.ts";
import { Client, Folder, Network, Server } from "./faults.ts";
import {
  Bot,
  clientProgram,
  type Frame,
  noSmallDisk,
  serverProgram,
  SmallDisk,
  soon,
  testUnless,
  Visitor,
} from "./fixtures.ts";
import { anySeed, randomFrom } from "./random.ts";
import { lostOf, tried } from "./reliability.ts";

/** What matters of a message. */
function lines(messages: readonly Message[] = []): string[] {
  return messages.map(({ seq, from, text }) => `${seq} <${from}> ${text}`);
}

Deno.test("Whatever is cut and killed, every client hears every message of every room once and in one order, and all are acknowledged", async () => {
  const seed = anySeed();
  try {
    await surviveFaults(randomFrom(seed));
  } catch (error) {
    throw new Error(`with the seed ${seed}`, { cause: error });
  }
});

async function surviveFaults(random: () => number): Promise<void> {
  const kills = 5;
  const cuts = 20;
  const rooms = [LOBBY, "dev"];
  await using folder = await Folder.make();
  // From 100 bytes, in the middle of a hello, to 200 KB, and each size as likely as its double. Not before
  // everybody is welcome: the next hello of somebody who was not would be another session.
  let isCutting = false;
  using network = new Network(() =>
    isCutting ? Math.floor(100 * 2000 ** random()) : Infinity
  );
  await using server = new Server([network], ["--data", folder.path]);
  await server.start();

  const connect = (name: string) =>
    Client.connect(name, network.port, { maxUnacknowledged: 100 });
  using ann = await connect("ann");
  using bob = await connect("bob");
  using cat = await connect("cat");
  const clients = [ann, bob, cat];
  await Promise.all(clients.map((client) => client.link.join("dev")));
  isCutting = true;
  network.break();
  network.server = server.port;

  let isEnough = false;
  const talking = clients.map((client) => client.talk(rooms, () => isEnough));
  for (let killed = 0; killed < kills || network.cuts < cuts;) {
    // Everybody says, and hears, something in the life of each server.
    await Promise.all(clients.map(async (client) => {
      const before = client.acknowledged.size;
      await client.until(() => client.acknowledged.size > before + 100);
    }));
    if (killed === kills) continue;
    await server.end("SIGKILL");
    await server.start();
    killed++;
  }
  isEnough = true;
  await Promise.all(talking);
  for (const client of clients) {
    await soon(client.link.untilAcknowledged(), () => "not all acknowledged");
    for (const room of rooms) client.say(room, "end");
  }
  for (const client of clients) {
    await soon(client.link.untilAcknowledged(), () => "not all acknowledged");
    await client.until(() =>
      rooms.every((room) =>
        client.heard[room]?.filter(({ text }) => text === "end").length === 3
      )
    );
    await client.leave();
  }
  await server.end("SIGTERM");

  let [deliveries, lost] = [0, 0];
  for (const room of rooms) {
    const stored = await folder.stored(room);
    assertEquals(stored.map(({ seq }) => seq), stored.map((_, i) => i + 1));
    for (const { name, heard, said, acknowledged } of clients) {
      assertEquals(lines(heard[room]), lines(stored), `${name} in ${room}`);
      const own = [...said].filter(([, message]) => message.room === room);
      assertEquals(
        stored.filter(({ from }) => from === name).map(({ text }) => text),
        own.map(([, { text }]) => text),
        `what ${name} said in ${room}`,
      );
      for (const [id, { text }] of own) {
        const seq = acknowledged.get(id);
        assert(seq !== undefined, `${name} ${id}`);
        assertEquals(stored[seq - 1]?.text, text);
      }
      deliveries += heard[room]?.length ?? 0;
      lost += lostOf(lines(stored), lines(heard[room]));
      lost += lostOf(
        own.map(([, { text }]) => text),
        stored.filter(({ from }) => from === name).map(({ text }) => text),
      );
    }
  }
  tried({
    what:
      "Three clients talk in two rooms, while the server is killed and connections are cut at any byte",
    times: { kills, cuts: network.cuts, deliveries },
    lost,
  });
}

Deno.test("chat-client < file has every line stored once and in order, though the server is killed and connections are cut", async () => {
  const count = 5000;
  await using folder = await Folder.make();
  const budgets = [30_000, 2000, 50_000];
  using cutting = new Network(() => budgets.shift() ?? Infinity);
  using network = new Network();
  await using server = new Server([network, cutting], [
    "--data",
    folder.path,
  ]);
  await server.start();
  using ann = await Client.connect("ann", network.port);

  await using client = clientProgram("bob", String(cutting.port));
  const texts = Array.from({ length: count }, (_, i) => `line ${i + 1}`);
  const written = client.write(`${texts.join("\n")}\n`)
    .then(() => client.closeInput());
  await ann.until(() => (ann.heard[LOBBY]?.length ?? 0) > 300);
  await server.end("SIGKILL");
  await server.start();
  await written;
  assertEquals(await client.exit(), 0);
  assertEquals(cutting.cuts, 3);

  await ann.until(() => ann.heard[LOBBY]!.length >= count);
  await ann.leave();
  const expected = texts.map((text, i) => `${i + 1} <bob> ${text}`);
  assertEquals(lines(ann.heard[LOBBY]), expected);
  await server.end("SIGTERM");
  const stored = lines(await folder.stored(LOBBY));
  assertEquals(stored, expected);
  tried({
    what:
      "chat-client says a file, while the server is killed and its connection is cut",
    times: { kill: 1, cuts: cutting.cuts, lines: texts.length },
    lost: lostOf(expected, stored),
  });
});

Deno.test("A client that was away while more was said than the log in memory keeps is told what is missing, and reads on", async () => {
  const { kept, count } = { kept: 2048, count: 5000 };
  using network = new Network();
  using steady = new Network();
  await using server = new Server([network, steady]);
  await server.start();
  using ann = await Client.connect("ann", network.port);
  using bob = await Client.connect("bob", steady.port);
  const sayTo = async (last: number) => {
    while (bob.said.size < last) {
      await bob.link.untilFree();
      bob.say(LOBBY, `line ${bob.said.size + 1}`);
    }
    await bob.link.untilAcknowledged();
  };
  await sayTo(10);
  await ann.until(() => ann.heard[LOBBY]?.length === 10);
  network.break();
  await ann.until(() => !ann.link.isConnected);
  await sayTo(count);
  network.server = server.port;
  await ann.until(() => ann.heard[LOBBY]!.at(-1)!.seq === count);
  await sayTo(count + 10);
  await ann.until(() => ann.heard[LOBBY]!.at(-1)!.seq === count + 10);

  const missing = { from: 11, to: count - kept };
  assertEquals(ann.gaps, [{ type: "gap", room: LOBBY, ...missing }]);
  const heard = lines(ann.heard[LOBBY]!.slice(10));
  const expected = Array.from(
    { length: kept + 10 },
    (_, i) => missing.to + i + 1,
  ).map((seq) => `${seq} <bob> line ${seq}`);
  assertEquals(heard, expected);
  await Promise.all([ann.leave(), bob.leave()]);
  await server.end("SIGTERM");
  tried({
    what:
      "A client is away while more is said than a log in memory keeps, and is told what is not kept",
    times: { messages: count, "not kept": missing.to - missing.from + 1 },
    lost: lostOf(expected, heard),
  });
});

Deno.test("What two connections say with one session and the same ids is stored once, and acknowledged to whoever is left", async () => {
  const session = "5e".repeat(16);
  await using folder = await Folder.make();
  using network = new Network();
  await using server = new Server([network], ["--data", folder.path]);
  await server.start();
  const says = Array.from({ length: 500 }, (_, i) => ({
    type: "say",
    id: String(i + 1),
    room: LOBBY,
    text: `line ${i + 1}`,
  }));
  using first = await Bot.connect(network.port);
  await first.hello({ session, name: "ann" });
  using second = await Bot.connect(network.port);
  const sent = first.send(...says).catch(() => {});
  await second.send({ type: "hello", v: 1, session, name: "ann" }, ...says);
  await sent;
  const frames: Frame[] = [];
  while (frames.at(-1)?.["id"] !== says.at(-1)?.id) {
    const frame = await second.frame();
    assert(frame);
    frames.push(frame);
  }
  frames.push(...await second.heard());
  // What the first had said may be acknowledged to the second, and then again.
  const acks = new Map(
    frames.filter(({ type }) => type === "ack").map(({ id, seq }) => [id, seq]),
  );
  assertEquals([...acks], says.map(({ id }, i) => [id, i + 1]));
  const welcome = frames.find(({ type }) => type === "welcome");
  assertEquals(welcome?.["name"], "ann");
  const farewell = (await first.rest()).at(-1);
  assertEquals(farewell?.type, "bye");
  await server.end("SIGKILL");
  const stored = lines(await folder.stored(LOBBY));
  const expected = says.map(({ text }, i) => `${i + 1} <ann> ${text}`);
  assertEquals(stored, expected);
  tried({
    what:
      "Two connections of one session say the same, and the server is killed",
    times: { connections: 2, messages: says.length },
    lost: lostOf(expected, stored),
  });
});

testUnless(
  noSmallDisk,
  "A disk that is full refuses what is said to whoever says it, stops nothing else, and loses nothing that was acknowledged",
  async () => {
    await using disk = await SmallDisk.make();
    const data = `${disk.path}/chat`;
    using network = new Network();
    await using server = new Server([network], ["--data", data]);
    await server.start();
    using ann = await Bot.connect(network.port);
    await ann.hello({ session: "a1".repeat(16), name: "ann" });
    using nc = await Visitor.connect(network.port);
    await nc.enter("nc");
    assertEquals((await ann.heard()).at(-1)?.type, "joined");

    const answers: Record<string, unknown>[] = [];
    const say = async (id: number) => {
      const text = `${id} ${"x".repeat(500)}`;
      await ann.send({ type: "say", id: `${id}`, room: LOBBY, text });
      for (;;) {
        const frame = await ann.frame();
        assert(frame);
        if (frame["id"] !== `${id}`) continue;
        answers.push(frame);
        return frame;
      }
    };
    let id = 1;
    while (id <= 15) assertEquals((await say(id++)).type, "ack");
    await disk.fill();
    // What SQLite has room for in its files goes on for a while.
    while ((await say(id)).type === "ack" && id < 10_000) id++;
    const refused = answers.at(-1)!;
    assertEquals(refused["type"], "error");
    assertEquals(refused["code"], "storage");
    assertEquals(
      refused["message"],
      "it could not be stored: the disk is full",
    );

    for (let i = 0; i < 99; i++) assertEquals((await say(id)).type, "error");

    // Whoever is at netcat has heard exactly what was acknowledged, is refused too, and everything else goes on.
    const heard = await nc.heard();
    assertEquals(
      heard.map((line) => line.slice(0, 12)),
      answers.slice(0, -100).map((_, i) =>
        `<ann> ${i + 1} xxxxxxxx`.slice(0, 12)
      ),
    );
    await nc.send("one more\n");
    assertEquals(
      await nc.line(),
      "-- refused (it could not be stored: the disk is full): one more",
    );
    await nc.send("/nick nick\n/who\n");
    assertEquals(await nc.take(2), [
      "[nc] is now [nick]",
      "-- 2 here: ann, nick",
    ]);

    await disk.empty();
    const last = id + 9;
    for (; id <= last; id++) {
      assertEquals((await say(id)).type, "ack");
      assertEquals(
        (await nc.line())?.slice(0, 12),
        `<ann> ${id} xxxxxx`.slice(0, 12),
      );
    }
    // Not for every message, but when it begins and when it ends.
    const logged = await server.logsUntil(/what is said is stored again$/);
    assertEquals(
      logged.filter((line) => line.includes("store"))
        .map((line) => line.replace(/^\S+ /, "")),
      ['error cannot store what is said reason="the disk is full"'],
    );
    await server.end("SIGKILL");
    const log = await SqliteLog.open(data, { historyDays: 0 });
    await log.open(LOBBY);
    const stored = (await log.read(LOBBY, { since: 0, limit: 10_000 }))
      .map(({ seq, text }) => `${seq} ${text.split(" ")[0]}`);
    await log.close();
    const acknowledged = answers.filter(({ type }) => type === "ack")
      .map(({ id, seq }) => `${seq} ${id}`);
    assertEquals(acknowledged.length, last);
    assertEquals(stored, acknowledged);
    tried({
      what: "The disk becomes full, has room again, and the server is killed",
      times: {
        acknowledged: acknowledged.length,
        refused: answers.length - acknowledged.length,
      },
      lost: lostOf(acknowledged, stored),
    });
  },
);

testUnless(
  noSmallDisk,
  "chat-server says in one line that the disk is full, and exits 1",
  async () => {
    await using disk = await SmallDisk.make();
    await disk.fill();
    const data = `${disk.path}/chat`;
    await using program = serverProgram("--port", "0", "--data", data);
    assertEquals(await program.result(), {
      code: 1,
      out: [],
      errors: [
        `chat-server: Cannot open the log in ${data}: the disk is full`,
      ],
    });
  },
);
