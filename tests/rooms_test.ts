/** Rooms, direct messages and history, as people with telnet see them, on real sockets. */

import { assert, assertEquals, assertMatch } from "./assert.ts";
import { Room, type Visitor } from "./fixtures.ts";

/** The lines with the times of their messages replaced. */
const untimed = (lines: readonly (string | undefined)[]) =>
  lines.map((line) => line?.replace(/^\d\d:\d\d /, "HH:MM "));

/** Lets them hear all that was said up to now, one after the other. */
async function quiet(...visitors: Visitor[]): Promise<void> {
  for (const visitor of visitors) await visitor.heard();
}

Deno.test("/join goes to another room, made when it is first joined; both rooms are told, and only they hear", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bob = await room.enter("bob");
  using carl = await room.enter("carl");
  await quiet(ann, bob, carl);
  await ann.send("/join dev\n");
  assertEquals(await ann.heard(), ["-- you are in dev; nobody else is here"]);
  assertEquals(await bob.heard(), ["[ann] left room"]);
  await bob.send("/JOIN dev\n");
  assertEquals(await bob.heard(), ["-- you are in dev; 1 other is here"]);
  assertEquals(await ann.heard(), ["[bob] entered room"]);
  assertEquals(await carl.heard(), ["[ann] left room", "[bob] left room"]);
  await ann.send("here\n/who\n");
  await carl.send("there\n/who\n");
  assertEquals(await ann.heard(), ["-- 2 here: ann, bob"]);
  assertEquals(await bob.heard(), ["<ann> here"]);
  assertEquals(await carl.heard(), ["-- 1 here: carl"]);
});

Deno.test("/leave goes back to the lobby, which cannot be left", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bob = await room.enter("bob");
  await ann.send("/join dev\n");
  await quiet(ann, bob);
  await ann.send("/leave\n");
  assertEquals(await ann.heard(), ["-- you are in lobby; 1 other is here"]);
  assertEquals(await bob.heard(), ["[ann] entered room"]);
  await ann.send("/leave\n");
  assertEquals(await ann.heard(), [
    "-- refused (the lobby cannot be left): /leave",
  ]);
  assertEquals(await bob.heard(), []);
});

Deno.test("/leave and /who may name a room", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bob = await room.enter("bob");
  await ann.send("/join dev\n");
  await quiet(ann, bob);
  await bob.send("/who Dev\n/who nowhere\n/leave dev\n");
  assertEquals(await bob.heard(), [
    "-- 1 here: ann",
    "-- nobody is there",
    "-- refused (you are not in dev): /leave dev",
  ]);
  await ann.send("/leave Dev\n");
  assertEquals(await ann.heard(), ["-- you are in lobby; 1 other is here"]);
});

Deno.test("/join of the room one is in changes nothing", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bob = await room.enter("bob");
  await quiet(ann, bob);
  await ann.send("/join LOBBY\n");
  assertEquals(await ann.heard(), ["-- you are in lobby; 1 other is here"]);
  assertEquals(await bob.heard(), []);
});

Deno.test("Rooms are named as members are, and the same without regard to case", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bob = await room.enter("bob");
  await ann.send("/join Ｄev\n");
  await bob.send("/join dEV\n");
  await quiet(ann, bob);
  await bob.send("/rooms\n/join a b\n/join\n");
  assertEquals(await bob.heard(), [
    "-- 2 rooms: Dev (2), lobby (0)",
    "-- refused (a name has only letters, digits and _ - .): /join a b",
    "-- refused (usage: /join ROOM): /join",
  ]);
});

Deno.test("/rooms lists the rooms with their members, and a room is gone with its last one", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bob = await room.enter("bob");
  using carl = await room.enter("carl");
  await quiet(ann, bob, carl);
  await ann.send("/rooms\n");
  assertEquals(await ann.heard(), ["-- 1 room: lobby (3)"]);
  for (const visitor of [ann, bob]) {
    await visitor.send("/join dev\n");
    await visitor.heard();
  }
  await carl.heard();
  await carl.send("/rooms\n");
  assertEquals(await carl.heard(), ["-- 2 rooms: dev (2), lobby (1)"]);
  await ann.send("a secret\n/leave\n");
  await ann.heard();
  await bob.send("/quit\n");
  await bob.rest();
  await quiet(carl);
  await carl.send("/rooms\n");
  assertEquals(await carl.heard(), ["-- 1 room: lobby (2)"]);
  // What was said in it is gone, too.
  await carl.send("/join dev\n/history\n");
  assertEquals(await carl.heard(), [
    "-- you are in dev; nobody else is here",
    "-- no earlier messages",
  ]);
});

Deno.test("What is said with the last breath in a room is no trouble", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await ann.send("/join dev\nlast\n/join other\n/rooms\n");
  assertEquals(await ann.heard(), [
    "-- you are in dev; nobody else is here",
    "-- you are in other; nobody else is here",
    "-- 2 rooms: other (1), lobby (0)",
  ]);
});

Deno.test("There are only so many rooms at a time", async () => {
  await using room = await Room.open({ maxRooms: 3 });
  using ann = await room.enter("ann");
  using bob = await room.enter("bob");
  using carl = await room.enter("carl");
  await quiet(ann, bob, carl);
  await ann.send("/join one\n");
  await bob.send("/join two\n");
  await quiet(ann, bob, carl);
  await carl.send("/join three\n");
  assertEquals(await carl.heard(), [
    "-- refused (there are 3 rooms already): /join three",
  ]);
  await carl.send("/join ONE\n");
  assertEquals(await carl.heard(), ["-- you are in one; 1 other is here"]);
  await bob.send("/join three\n");
  // They are still in the room that their own was to replace.
  assertEquals(await bob.heard(), [
    "-- refused (there are 3 rooms already): /join three",
  ]);
  await bob.send("/leave\n/join three\n");
  assertEquals(
    (await bob.heard()).at(-1),
    "-- you are in three; nobody else is here",
  );
});

Deno.test("/nick is announced in the room one is in, and nowhere else", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bob = await room.enter("bob");
  using carl = await room.enter("carl");
  await ann.send("/join dev\n");
  await ann.heard();
  await bob.send("/join dev\n");
  await quiet(bob, ann, carl);
  await bob.send("/nick ben\n");
  assertEquals(await bob.heard(), ["[bob] is now [ben]"]);
  assertEquals(await ann.heard(), ["[bob] is now [ben]"]);
  assertEquals(await carl.heard(), []);
  // The name is the same in every room.
  await carl.send("/nick Ben\n");
  assertEquals(await carl.heard(), [
    "-- refused (that name is taken): /nick Ben",
  ]);
  await ann.send("/who\n");
  assertEquals(await ann.heard(), ["-- 2 here: ann, ben"]);
});

Deno.test("Who quits is offline in the room where they were", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bob = await room.enter("bob");
  using carl = await room.enter("carl");
  await ann.send("/join dev\n");
  await ann.heard();
  await bob.send("/join dev\n");
  await quiet(bob, ann, carl);
  await bob.send("/quit\n");
  await bob.rest();
  assertEquals(await ann.heard(), ["[bob] is offline"]);
  assertEquals(await carl.heard(), []);
});

Deno.test("/msg reaches one person, in whichever room, and nobody else", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bob = await room.enter("bob");
  using carl = await room.enter("carl");
  await bob.send("/join dev\n");
  await quiet(bob, ann, carl);
  await ann.send("/msg BOB  two words \n");
  assertEquals(await ann.heard(), ["[you -> bob] two words"]);
  assertEquals(await bob.heard(), ["[ann -> you] two words"]);
  assertEquals(await carl.heard(), []);
  await bob.send("/reply yes\n");
  assertEquals(await bob.heard(), ["[you -> ann] yes"]);
  assertEquals(await ann.heard(), ["[bob -> you] yes"]);
});

Deno.test("/reply goes to who told something last, whatever they are called now, and to nobody else who takes their name", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bob = await room.enter("bob");
  await quiet(ann, bob);
  await ann.send("/msg bob hi\n");
  await ann.heard();
  await ann.send("/nick al\n");
  await ann.heard();
  using other = await room.enter("ann");
  await quiet(bob, other, ann);
  await bob.send("/reply hello\n");
  assertEquals(await bob.heard(), ["[you -> al] hello"]);
  assertEquals(await ann.heard(), ["[bob -> you] hello"]);
  await ann.send("/quit\n");
  await ann.rest();
  using another = await room.enter("al");
  await quiet(bob, other);
  await bob.send("/reply still there?\n");
  assertEquals(await bob.heard(), [
    "-- refused (whoever told you that has left): /reply still there?",
  ]);
  assertEquals(await another.heard(), []);
});

Deno.test("A direct message that cannot be told is refused, and says why", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bob = await room.enter("bob");
  await quiet(ann, bob);
  const long = "x".repeat(1025);
  await ann.send(
    `/reply hm\n/msg carl hi\n/msg ann hi\n/msg bob\n/msg bob ${long}\n`,
  );
  assertEquals(await ann.heard(), [
    "-- refused (nobody has told you anything yet): /reply hm",
    "-- refused (nobody of that name is here): /msg carl hi",
    "-- refused (that is you): /msg ann hi",
    "-- refused (usage: /msg NAME TEXT): /msg bob",
    `-- refused (1025 bytes are too long, a message has at most 1024): ${
      `/msg bob ${long}`.slice(0, 60)
    }…`,
  ]);
  assertEquals(await bob.heard(), []);
  await ann.send(`/msg bob ${long.slice(1)}\n`);
  assertEquals(await bob.line(), `[ann -> you] ${long.slice(1)}`);
});

Deno.test("Direct messages are not stored", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bob = await room.enter("bob");
  await quiet(ann, bob);
  await ann.send("/msg bob psst\naloud\n");
  await ann.heard();
  await bob.heard();
  await bob.send("/history\n");
  assertEquals(untimed(await bob.heard()), [
    "-- 1 earlier message",
    "HH:MM <ann> aloud",
    "-- now",
  ]);
});

Deno.test("Who joins is shown the last 20 messages, marked as earlier and with their times, then what is said", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  for (let i = 1; i <= 25; i++) await ann.send(`message ${i}\n`);
  await ann.send("/me is done\n");
  await ann.heard();
  using bob = await room.connect();
  // Accepted, because somebody who came later has entered.
  using _carl = await room.enter("carl");
  await ann.until("[carl] entered room");
  await ann.send("since\n");
  await ann.heard();
  await bob.send("/nick bob\n");
  const lines = await bob.heard();
  for (const line of lines.slice(2, 22)) assertMatch(line, /^\d\d:\d\d [<*]/);
  assertEquals(untimed(lines), [
    "-- welcome, you are bob; 2 others are here; /help lists the commands",
    "-- 20 earlier messages",
    ...Array.from({ length: 19 }, (_, i) => `HH:MM <ann> message ${i + 7}`),
    "HH:MM * ann is done",
    "-- now",
    "<ann> since",
  ]);
  await ann.send("live\n");
  assertEquals(await ann.heard(), ["[bob] entered room"]);
  assertEquals(await bob.heard(), ["<ann> live"]);
});

Deno.test("How many earlier messages are shown can be set, and 0 shows none", async () => {
  for (const replay of [0, 2]) {
    await using room = await Room.open({ replay });
    using ann = await room.enter("ann");
    await ann.send("one\ntwo\nthree\n/join dev\nfour\n");
    await ann.heard();
    using bob = await room.enter("bob");
    const lobby = replay === 0 ? [] : [
      "-- 2 earlier messages",
      "HH:MM <ann> two",
      "HH:MM <ann> three",
      "-- now",
    ];
    assertEquals(untimed(await bob.heard()), lobby);
    await bob.send("/join dev\n");
    const dev = replay === 0
      ? []
      : ["-- 1 earlier message", "HH:MM <ann> four", "-- now"];
    assertEquals(untimed(await bob.heard()), [
      "-- you are in dev; 1 other is here",
      ...dev,
    ]);
  }
});

Deno.test("/history shows more, up to the 2,048 that are kept, in pages", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  const text = (i: number) => `${i} ${"x".repeat(500)}`;
  for (let i = 1; i <= 2100; i += 10) {
    const lines = Array.from({ length: 10 }, (_, j) => `${text(i + j)}\n`);
    await ann.send(lines.join(""));
  }
  await ann.heard();
  using bob = await room.enter("bob");
  await bob.heard();
  await bob.send("/history 3\n/history\n/history 1000\n/history 1001\n");
  const lines = untimed(await bob.heard());
  const expected = (count: number) => [
    `-- ${count} earlier messages`,
    ...Array.from(
      { length: count },
      (_, i) => `HH:MM <ann> ${text(2101 - count + i)}`,
    ),
    "-- now",
  ];
  assertEquals(lines, [
    ...expected(3),
    ...expected(20),
    ...expected(1000),
    "-- refused (usage: /history [1-1000]): /history 1001",
  ]);
});

Deno.test("What others say does not get lost while somebody reads pages of history", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  for (let i = 0; i < 100; i++) {
    await ann.send(`${"x".repeat(1000)}\n`.repeat(10));
  }
  await ann.heard();
  using bob = await room.enter("bob");
  await bob.heard();
  await bob.send("/history 1000\n");
  await bob.line();
  for (let i = 0; i < 50; i++) await ann.send(`new ${i}\n`);
  await ann.send("/me ends\n");
  const lines = await bob.until("* ann ends");
  assertEquals(
    lines.filter((line) => line.startsWith("<ann> new")),
    Array.from({ length: 50 }, (_, i) => `<ann> new ${i}`),
  );
  const rest = await bob.heard();
  assertEquals(
    [...lines, ...rest].filter((line) => line.includes("<ann> xxx")).length,
    1000,
  );
  assert([...lines, ...rest].includes("-- now"));
});

Deno.test("A name is free the moment its owner is gone", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bob = await room.enter("bob");
  await ann.heard();
  bob.close();
  assertEquals(await ann.line(), "[bob] is offline");
  await ann.send("/nick bob\n");
  assertEquals(await ann.heard(), ["[ann] is now [bob]"]);
});
