/** The message of the day: who is shown it, when, and in which form. */

import { assertEquals, assertMatch } from "./assert.ts";
import { Desk, noDesk } from "./desk.ts";
import { Bot, clientProgram, Room, testUnless } from "./fixtures.ts";

const MOTD = ["Be kind.", "", "bye: you quit"];
const SHOWN = ["-- | Be kind.", "-- |", "-- | bye: you quit"];

/** A room with a message of the day, in which bob has said something. */
async function roomWithMotd(): Promise<Room> {
  const room = await Room.open();
  using bob = await room.enter("bob");
  await bob.send("hi\n/quit\n");
  await bob.rest();
  room.server.greet(MOTD);
  return room;
}

Deno.test("Who comes in is shown the message of the day after the welcome and before what was said earlier, once", async () => {
  await using room = await roomWithMotd();
  using ann = await room.connect();
  await ann.send("/nick ann\n");
  assertEquals(await ann.take(5), [
    "-- welcome, you are ann; nobody else is here; /help lists the commands",
    ...SHOWN,
    "-- 1 earlier message",
  ]);
  await ann.send("/join dev\n/leave\n");
  assertEquals((await ann.heard()).filter((line) => line.includes("|")), []);
});

Deno.test("A program is told the message of the day in its welcome, and nothing of it if there is none", async () => {
  await using room = await roomWithMotd();
  using bot = new Bot(await room.connect());
  assertEquals((await bot.hello())["motd"], MOTD);
  room.server.greet([]);
  using late = new Bot(await room.connect());
  assertEquals("motd" in await late.hello(), false);
});

Deno.test("ChatServer.greet() tells those who are here nothing", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bot = await room.program();
  await ann.heard();
  room.server.greet(MOTD);
  assertEquals(await ann.heard(), []);
  assertEquals(await bot.heard(), []);
});

Deno.test("chat-client in a pipe shows the message of the day after the welcome", async () => {
  await using room = await roomWithMotd();
  await using client = clientProgram("ann", String(room.server.port));
  const { code, out, errors } = await client.result();
  assertEquals({ code, errors }, { code: 0, errors: [] });
  assertMatch(out[0] ?? "", /^-- welcome, you are ann;/);
  assertEquals(out.slice(1, 5), [...SHOWN, "-- 1 earlier message"]);
  assertEquals(out.at(-1), "-- bye: you quit");
});

Deno.test("chat-client --json passes the message of the day on, and --text shows it as any line", async () => {
  await using room = await roomWithMotd();
  const port = String(room.server.port);
  await using json = clientProgram("ann", "--json", port);
  const frames = (await json.result()).out.map((line) => JSON.parse(line));
  assertEquals([frames[0].type, frames[0].motd], ["welcome", MOTD]);
  await using text = clientProgram("ann", "--text", port);
  await text.write("hello\n");
  assertEquals((await text.result()).out.slice(1, 4), SHOWN);
});

for (const flags of [[], ["--plain"]]) {
  testUnless(
    noDesk,
    `chat-client ${
      flags[0] ?? "at a terminal"
    } shows the message of the day after the welcome`,
    async () => {
      await using room = await roomWithMotd();
      await using ann = Desk.client(room.server.port, { flags });
      const lines = await ann.until((lines) =>
        lines.some((line) => line.endsWith("<bob> hi"))
      );
      const shown = lines.map((line) => line.replace(/^00:00 /, ""));
      const at = shown.findIndex((line) => line.startsWith("-- welcome"));
      assertEquals(shown.slice(at, at + 5), [
        "-- welcome, you are ann; nobody else is here; /help lists the commands",
        ...SHOWN,
        "-- 1 earlier message",
      ]);
    },
  );
}
