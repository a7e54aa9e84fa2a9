/** The room as its visitors see it, on real sockets. */

import { once } from "node:events";
import { connect } from "node:net";
import { assert, assertEquals, assertMatch } from "./assert.ts";
import { noReset, Room, soon, testUnless, Visitor } from "./fixtures.ts";

const WELCOME = "-- welcome, you are";

Deno.test("A newcomer who says nothing is greeted as a guest, and only then announced", async () => {
  await using room = await Room.open({ firstLineMs: 1 });
  using one = await room.connect();
  assertEquals(
    await one.line(),
    `${WELCOME} guest1; nobody else is here; /help lists the commands`,
  );
  using two = await room.connect();
  assertEquals(
    await two.line(),
    `${WELCOME} guest2; 1 other is here; /help lists the commands`,
  );
  assertEquals(await one.line(), "[guest2] entered room");
  assertEquals(await two.heard(), []);
});

Deno.test("A newcomer whose first line is /nick never appears as a guest", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  using bob = await room.connect();
  assertEquals(await alice.heard(), []);
  await bob.send("/nick bob\n");
  assertEquals(
    await bob.line(),
    `${WELCOME} bob; 1 other is here; /help lists the commands`,
  );
  assertEquals(await alice.heard(), ["[bob] entered room"]);
});

Deno.test("A newcomer whose name is refused is told why, and enters as a guest", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  using other = await room.connect();
  await other.send("/nick ALICE\n");
  assertEquals(await other.take(2), [
    "-- refused (that name is taken): /nick ALICE",
    `${WELCOME} guest1; 1 other is here; /help lists the commands`,
  ]);
  assertEquals(await alice.heard(), ["[guest1] entered room"]);
});

Deno.test("A newcomer whose first line is a message says it as a guest", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  using other = await room.connect();
  await other.send("hi\n");
  assertEquals(await other.heard(), [
    `${WELCOME} guest1; 1 other is here; /help lists the commands`,
  ]);
  assertEquals(await alice.heard(), ["[guest1] entered room", "<guest1> hi"]);
});

Deno.test("A newcomer misses nothing that is said after the connection was accepted", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  using bob = await room.connect();
  // Accepted, because a later connection is.
  using _carl = await room.enter("carl");
  await alice.until("[carl] entered room");
  await alice.send("one\ntwo\n");
  await alice.heard();
  await alice.send("three\n/who\n");
  assertEquals(await alice.line(), "-- 2 here: alice, carl");
  await bob.send("/nick bob\n");
  assertEquals(await bob.heard(), [
    `${WELCOME} bob; 2 others are here; /help lists the commands`,
    "<alice> one",
    "<alice> two",
    "<alice> three",
  ]);
});

Deno.test("Who was never announced is never said to be offline", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  const before = room.server.connections;
  const ghost = await room.connect();
  await ghost.halfClose();
  assertEquals(await ghost.rest(), []);
  ghost.close();
  assertEquals(await alice.heard(), []);
  assertEquals(room.server.connections, before);
});

Deno.test("A message reaches everybody but its sender", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  using bob = await room.enter("bob");
  using carl = await room.enter("carl");
  for (const visitor of [alice, bob, carl]) await visitor.heard();
  await alice.send("hello\n/me waves\n//x\n");
  assertEquals(await alice.heard(), []);
  for (const visitor of [bob, carl]) {
    assertEquals(await visitor.heard(), [
      "<alice> hello",
      "* alice waves",
      "<alice> /x",
    ]);
  }
});

Deno.test("Everybody hears the same messages in the same order, but for their own", async () => {
  await using room = await Room.open();
  const names = ["ann", "ben", "cat", "dan", "eva"];
  const visitors: Visitor[] = [];
  for (const name of names) visitors.push(await room.enter(name));
  for (const visitor of visitors) await visitor.heard();
  await Promise.all(visitors.map(async (visitor) => {
    for (let i = 0; i < 200; i++) await visitor.send(`message ${i}\n`);
    await visitor.send("/me is done\n");
  }));
  const heard: string[][] = [];
  for (const visitor of visitors) {
    const lines: string[] = [];
    while (
      lines.filter((line) => line.endsWith("is done")).length < names.length - 1
    ) {
      lines.push((await visitor.line())!);
    }
    heard.push(lines);
    visitor.close();
  }
  const isBy = (line: string, name: string) =>
    line.startsWith(`<${name}>`) || line.startsWith(`* ${name} `);
  heard.forEach((lines, i) => {
    assert(!lines.some((line) => isBy(line, names[i]!)));
    assertEquals(lines.length, 201 * (names.length - 1));
    heard.forEach((others, j) => {
      const common = (all: string[]) =>
        all.filter((line) => !isBy(line, names[i]!) && !isBy(line, names[j]!));
      assertEquals(common(lines), common(others));
    });
    for (const name of names.filter((_, j) => j !== i)) {
      const own = lines.filter((line) => line.startsWith(`<${name}>`));
      assertEquals(
        own,
        Array.from({ length: 200 }, (_, n) => `<${name}> message ${n}`),
      );
    }
  });
});

Deno.test("An answer comes after what was said before it, and reaches nobody else", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  using bob = await room.enter("bob");
  assertEquals(await alice.heard(), ["[bob] entered room"]);
  await bob.send("one\n");
  await bob.heard();
  await alice.send("two\n/who\n/x\n/help\n");
  const [one, who, refused, ...help] = await alice.heard();
  assertEquals([one, who, refused], [
    "<bob> one",
    "-- 2 here: alice, bob",
    "-- refused (unknown command, /help lists them): /x",
  ]);
  assert(
    help.length > 4 && help.every((line) => line.startsWith("-- ")),
    help.join("\n"),
  );
  assertEquals(await bob.heard(), ["<alice> two"]);
});

Deno.test("/nick is told to everybody, and a refused one keeps the old name", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  using bob = await room.enter("bob");
  await alice.heard();
  await bob.send("/nick Al\n");
  assertEquals(await bob.heard(), ["[bob] is now [Al]"]);
  assertEquals(await alice.heard(), ["[bob] is now [Al]"]);
  // Case alone may change, and the name that was given up is free.
  await bob.send("/nick AL\n");
  await alice.send("/nick bob\n");
  assertEquals(await alice.heard(), [
    "[Al] is now [AL]",
    "[alice] is now [bob]",
  ]);
  const refusals: [string, string][] = [
    ["bob", "that name is taken"],
    ["ｂｏｂ", "that name is taken"],
    ["AL", "you have that name already"],
    ["you", "that name is reserved"],
    ["guest1", "that name is reserved"],
    ["a b", "a name has only letters, digits and _ - ."],
    ["x".repeat(33), "a name has at most 32 characters"],
  ];
  await bob.until("[alice] is now [bob]");
  for (const [name, reason] of refusals) {
    await bob.send(`/nick ${name}\n`);
    assertEquals(await bob.heard(), [`-- refused (${reason}): /nick ${name}`]);
  }
  await bob.send("still\n");
  assertEquals(await bob.heard(), []);
  assertEquals(await alice.heard(), ["<AL> still"]);
});

Deno.test("A guest may have their own number back, and nobody else's", async () => {
  await using room = await Room.open({ firstLineMs: 1 });
  using guest = await room.connect();
  await guest.until(/you are guest1;/);
  using other = await room.connect();
  await other.until(/you are guest2;/);
  await guest.send("/nick ann\n/nick guest2\n/nick guest1\n");
  assertEquals(await guest.heard(), [
    "[guest2] entered room",
    "[guest1] is now [ann]",
    "-- refused (that name is reserved): /nick guest2",
    "[ann] is now [guest1]",
  ]);
});

Deno.test("/quit is answered, announced, and frees the name", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  using bob = await room.enter("bob");
  await alice.heard();
  await bob.send("bye\n/quit\nnot said any more\n");
  assertEquals(await bob.rest(), ["-- bye: you quit"]);
  assertEquals(await alice.heard(), ["<bob> bye", "[bob] is offline"]);
  using again = await room.enter("bob");
  assertEquals((await again.heard()).at(-1), "-- now");
});

Deno.test("A half-closed connection has all it said delivered, the last line without an end too, and gets its answers", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  using bob = await room.connect();
  await bob.send("hi\n/who\nlast");
  await bob.halfClose();
  assertEquals(await bob.rest(), [
    `${WELCOME} guest1; 1 other is here; /help lists the commands`,
    "-- 2 here: alice, guest1",
    "-- bye: end of input",
  ]);
  assertEquals(await alice.heard(), [
    "[guest1] entered room",
    "<guest1> hi",
    "<guest1> last",
    "[guest1] is offline",
  ]);
  assertEquals(room.server.connections, 1);
});

testUnless(
  noReset,
  "A connection that is reset in the middle of a line is announced once, and leaves nothing behind",
  async () => {
    await using room = await Room.open();
    using alice = await room.enter("alice");
    const bob = connect(room.server.port, "127.0.0.1");
    bob.write("/nick bob\nbegun and ne");
    await alice.until("[bob] entered room");
    bob.resetAndDestroy();
    assertEquals(await alice.line(), "[bob] is offline");
    await alice.send("/who\n");
    assertEquals(await alice.heard(), ["-- 1 here: alice"]);
    using again = await room.enter("bob");
    assertEquals(await again.heard(), []);
    assertEquals(await alice.heard(), ["[bob] entered room"]);
    assertEquals(room.server.connections, 2);
  },
);

Deno.test("A line of 1,024 bytes is said, a longer one is refused, and the connection lives", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  using bob = await room.enter("bob");
  await alice.heard();
  const longest = "é".repeat(512);
  await bob.send(
    `${longest}\n${longest}x\n/me ${longest}\n\x07${
      "\x00".repeat(3000)
    }clean\n${"z".repeat(8192)}\n`,
  );
  const tooLong = (bytes: number, start: string) =>
    `-- refused (${bytes} bytes are too long, a message has at most 1024): ${
      start.repeat(60)
    }…`;
  assertEquals(await bob.heard(), [tooLong(1025, "é"), tooLong(8192, "z")]);
  assertEquals(await alice.heard(), [
    `<bob> ${longest}`,
    `* bob ${longest}`,
    "<bob> clean",
  ]);
});

Deno.test("8 KiB without an end are told why and closed, while the other side goes on sending", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  using bob = await room.enter("bob");
  await alice.heard();
  await bob.send("said\n");
  const sending = bob.send(new Uint8Array(1_000_000).fill(120)).catch(() => {});
  assertEquals(await bob.line(), "-- bye: a line has at most 8192 bytes");
  assertEquals(await alice.line(), "<bob> said");
  assertEquals(await alice.line(), "[bob] is offline");
  assertEquals(await bob.rest(), []);
  await sending;
  bob.close();
  assertEquals(await alice.heard(), []);
});

Deno.test("8 KiB without an end as the first thing are told why, too", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  using bob = await room.connect();
  await bob.send(new Uint8Array(8193).fill(120));
  assertEquals(await bob.line(), "-- bye: a line has at most 8192 bytes");
  await bob.halfClose();
  assertEquals(await bob.rest(), []);
  assertEquals(await alice.heard(), []);
});

Deno.test("A member who does not read is told, closed and announced, and the others go on", async () => {
  await using room = await Room.open({ partingMs: 10 });
  using alice = await room.enter("alice");
  using carl = await room.enter("carl");
  const conn = await connectUnread(room, "/nick bob\n");
  await alice.until("[bob] entered room");
  // Sent in steps that alice and carl keep up with, until bob's sockets are full.
  let sent = 0;
  const line = `${"x".repeat(1000)}\n`;
  let heard: string[];
  do {
    await carl.send(line.repeat(100));
    sent += 100;
    heard = await carl.heard();
    assert(sent < 100_000, "no socket takes that much");
  } while (!heard.includes("[bob] is offline"));
  const lines = await alice.heard();
  assertEquals(lines.filter((line) => line.startsWith("<carl>")).length, sent);
  assertEquals(lines.filter((line) => line === "[bob] is offline").length, 1);
  conn.close();
  await room.server.stop();
  assertEquals(room.server.connections, 0);
});

Deno.test("A slow reader who reads on gets whole lines, and the reason last", async () => {
  await using room = await Room.open({ partingMs: 60_000 });
  using carl = await room.enter("carl");
  const conn = await connectUnread(room, "/nick bob\n");
  await carl.until("[bob] entered room");
  const line = `${"x".repeat(1000)}\n`;
  let heard: string[];
  do {
    await carl.send(line.repeat(100));
    heard = await carl.heard();
  } while (!heard.includes("[bob] is offline"));
  using bob = new Visitor(conn);
  const lines = await bob.rest();
  assertMatch(lines[0]!, /^-- welcome, you are bob;/);
  assertEquals(
    lines.at(-1),
    `-- bye: more than ${96 * 1024} bytes wait for you to read them`,
  );
  const said = lines.slice(1, -1);
  assert(
    said.length > 0 &&
      said.every((line) => line === `<carl> ${"x".repeat(1000)}`),
  );
});

Deno.test("Many who talk fast are not taken for slow readers", async () => {
  await using room = await Room.open();
  const visitors: Visitor[] = [];
  for (let i = 0; i < 60; i++) visitors.push(await room.enter(`v${i}`));
  const line = `${"y".repeat(500)}\n`.repeat(40);
  await Promise.all(visitors.map((visitor) => visitor.send(line)));
  for (const visitor of visitors) {
    let said = 0;
    while (said < 59 * 40) {
      if ((await visitor.line())!.startsWith("<")) said++;
    }
  }
  assertEquals(room.server.connections, 60);
  for (const visitor of visitors) visitor.close();
});

Deno.test("A connection that negotiates as telnet does gets CR LF, and nobody hears of it", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  using bob = await room.connect();
  await bob.send(Uint8Array.from([255, 253, 3, 255, 251, 24]));
  await bob.send("/nick bob\r\nhi\r\n");
  assertEquals(await bob.heard(), [
    `${WELCOME} bob; 1 other is here; /help lists the commands\r`,
  ]);
  assertEquals(await alice.heard(), ["[bob] entered room", "<bob> hi"]);
  await alice.send("now\n");
  await alice.heard();
  assertEquals(await bob.heard(), ["<alice> now\r"]);
  // Alice negotiates late.
  await alice.send(Uint8Array.from([255, 241]));
  assertEquals(await alice.heard(), []);
  await bob.send("then\r\n");
  await bob.heard();
  assertEquals(await alice.heard(), ["<bob> then\r"]);
});

Deno.test("telnet's timing mark is answered, so that it shows what comes after Ctrl-C", async () => {
  await using room = await Room.open();
  const conn = await connectUnread(room, "/nick ann\n");
  await conn.write(
    Uint8Array.from([255, 244, 255, 253, 6, 255, 253, 1, 255, 253, 6]),
  );
  await conn.closeWrite();
  const bytes = await new Response(conn.readable).bytes();
  const answers = String.fromCharCode(...bytes).split("\xff\xfc\x06").length -
    1;
  assertEquals(answers, 2);
});

Deno.test("What strangers send is cleaned before anybody sees it", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  using bob = await room.enter("bob");
  await alice.heard();
  await bob.send("\x1b]52;c;aGk=\x07\x1b[2J\u009b1mhi\u202e\tthere\b\r\n");
  await bob.send(Uint8Array.from([0xfe, 0xc0, 0x41, 10]));
  await bob.heard();
  assertEquals(await alice.heard(), [
    "<bob> ]52;c;aGk=[2J1mhi\tthere",
    "<bob> \ufffd\ufffdA",
  ]);
});

Deno.test("Blank lines are nobody's message", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  using bob = await room.enter("bob");
  await alice.heard();
  await bob.send("\n\r\n   \n\x07\nx\n");
  assertEquals(await bob.heard(), []);
  assertEquals(await alice.heard(), ["<bob> x"]);
});

Deno.test("One byte at a time is heard like all at once", async () => {
  await using room = await Room.open();
  using alice = await room.enter("alice");
  using bob = await room.enter("bob");
  await alice.heard();
  for (const byte of new TextEncoder().encode("hé 😀\r\n/me x\n")) {
    await bob.send(Uint8Array.of(byte));
  }
  await bob.heard();
  assertEquals(await alice.heard(), ["<bob> hé 😀", "* bob x"]);
});

Deno.test("stop() tells everybody, sends all that waits, and closes every connection", async () => {
  const room = await Room.open();
  const alice = await room.enter("alice");
  const silent = await room.connect();
  const bob = await room.enter("bob");
  const line = `${"x".repeat(1000)}\n`;
  await bob.send(line.repeat(200));
  await bob.heard();
  const stopped = room.server.stop();
  const farewell = "-- bye: the server is stopping";
  const heard = alice.rest();
  assertEquals(await silent.rest(), [farewell]);
  assertEquals((await bob.rest()).at(-1), farewell);
  for (const visitor of [silent, bob, alice]) visitor.close();
  await soon(stopped, () => "the server did not stop");
  const lines = await heard;
  assertEquals(lines.slice(-1), [farewell]);
  assertEquals(lines.filter((line) => line.startsWith("<bob>")).length, 200);
  assertEquals(room.server.connections, 0);
});

Deno.test("stop() does not wait for who neither reads nor goes", async () => {
  const room = await Room.open({ partingMs: 10 });
  const stuck = await room.enter("stuck");
  await room.server.stop();
  assertEquals(room.server.connections, 0);
  stuck.close();
});

testUnless(
  noReset,
  "Connections that come and go in any way leave nobody behind",
  async () => {
    await using room = await Room.open();
    using alice = await room.enter("alice");
    const says = [
      "",
      "half a li",
      "/nick ",
      "hello\n/who\n",
      "/nick \n",
      "/quit\n",
    ];
    for (let i = 0; i < 300; i++) {
      const text = says[i % says.length]!.replace("/nick ", `/nick v${i}`);
      if (i % 2 === 0) {
        const socket = connect(room.server.port, "127.0.0.1");
        socket.write(text, () => socket.resetAndDestroy());
        await once(socket, "close");
      } else {
        const conn = await connectUnread(room, text);
        if (i % 4 === 1) await conn.closeWrite();
        conn.close();
      }
    }
    const present = new Set<string>();
    const follow = async () => {
      for (const line of await alice.heard()) {
        const [, name = "", what] =
          /^\[(.*)\] (entered room|is offline)$/.exec(line) ?? [];
        if (what === "entered room") present.add(name);
        else if (what === "is offline") assert(present.delete(name), line);
      }
    };
    while (room.server.connections > 1) await follow();
    await follow();
    assertEquals([...present], []);
  },
);

/** A connection that reads nothing of what it is sent. */
async function connectUnread(room: Room, says: string): Promise<Deno.TcpConn> {
  const conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: room.server.port,
  });
  await conn.write(new TextEncoder().encode(says));
  return conn;
}
