import { clock, type Paragraph } from "../lib/client/look.ts";
import type { Item } from "../lib/client/talk.ts";
import { Window, type WindowOptions } from "../lib/client/window.ts";
import type { ChatEvent } from "../lib/message.ts";
import { assert, assertEquals } from "./assert.ts";

/** A window onto the lobby as ann sees it, with a clock that goes only when it is told to. */
class Clocked {
  now: number;
  readonly window: Window;
  room = "lobby";
  rooms = ["lobby", "dev", "den"];

  constructor(
    options: Omit<WindowOptions, "now"> = {},
    now = at(23, 14, 3),
  ) {
    this.now = now;
    this.window = new Window("lobby", { ...options, now: () => this.now });
  }

  /** What is shown of these. */
  show(...items: (Item | ChatEvent)[]): string[] {
    const wrapped = items.map((item): Item =>
      isItem(item)
        ? item
        : { type: "event", event: item, isOwn: false, calls: false }
    );
    const { room, rooms } = this;
    return linesOf(this.window.show(wrapped, { room, rooms, name: "ann" }));
  }

  /** Goes to another room, and gives what is shown then. */
  enter(room: string): string[] {
    this.room = room;
    return this.show();
  }

  get presence(): string | undefined {
    const { presence } = this.window;
    return presence && linesOf([presence])[0];
  }

  get unread(): string[] {
    return this.window.unread.map(({ room, count, calls }) =>
      `${room}:${count}${calls ? "!" : ""}`
    );
  }

  get recent(): string[] {
    return linesOf(this.window.recent);
  }
}

function isItem(item: Item | ChatEvent): item is Item {
  return item.type === "event" || item.type === "note" ||
    item.type === "room" || item.type === "line";
}

function linesOf(paragraphs: readonly Paragraph[]): string[] {
  return paragraphs.map(({ time, lead, text, isFaint }) =>
    `${clock(time)} ${lead}${text}${isFaint ? " (faint)" : ""}`
  );
}

/** A time in November 2026, in ms since 1970. */
function at(day: number, hours: number, minutes: number, seconds = 0): number {
  return new Date(2026, 10, day, hours, minutes, seconds).getTime();
}

function said(
  text: string,
  { room = "lobby", from = "bob", time = at(23, 14, 3) } = {},
): ChatEvent {
  return { type: "message", room, seq: 1, time, from, text, action: false };
}

function passes(
  type: "joined" | "left" | "offline",
  name: string,
  room = "lobby",
): ChatEvent {
  return { type, room, name };
}

const inDev = { room: "dev" };

// Rooms.

Deno.test("Window.show() shows what is said in the room where one is", () => {
  const clocked = new Clocked();
  assertEquals(clocked.show(said("one"), said("two")), [
    "14:03 <bob> one",
    "14:03 <bob> two",
  ]);
  assertEquals(clocked.show(), []);
  assertEquals(clocked.unread, []);
});

Deno.test("Window.show() keeps what is said elsewhere until one goes there, and counts it", () => {
  const clocked = new Clocked();
  assertEquals(
    clocked.show(said("one", inDev), said("here"), said("two", inDev)),
    ["14:03 <bob> here"],
  );
  assertEquals(clocked.unread, ["dev:2"]);
  assertEquals(clocked.enter("dev"), ["14:03 <bob> one", "14:03 <bob> two"]);
  assertEquals(clocked.unread, []);
  assertEquals(clocked.show(said("three", inDev)), ["14:03 <bob> three"]);
  assertEquals(clocked.show(said("four")), []);
  assertEquals(clocked.unread, ["lobby:1"]);
});

Deno.test("Window.show() says where one is now before what was said there", () => {
  const clocked = new Clocked();
  clocked.show(said("one", inDev));
  clocked.room = "dev";
  assertEquals(
    clocked.show(said("still there"), inRoom("dev"), said("two", inDev)),
    [
      "14:03 <bob> still there",
      "14:03 -- you are in dev",
      "14:03 <bob> one",
      "14:03 <bob> two",
    ],
  );
});

Deno.test("Window.show() goes through a room on the way to another", () => {
  const clocked = new Clocked();
  clocked.show(said("one", inDev), said("two", { room: "den" }));
  clocked.room = "den";
  assertEquals(clocked.show(inRoom("dev")), [
    "14:03 -- you are in dev",
    "14:03 <bob> one",
    "14:03 <bob> two",
  ]);
});

function inRoom(room: string): Item {
  return { type: "room", room };
}

Deno.test("Window.unread tells where one's name was said, and nothing of what one said oneself", () => {
  const clocked = new Clocked();
  const item = { type: "event", isOwn: false, calls: false } as const;
  clocked.show({ ...item, event: said("hi ann", inDev), calls: true });
  clocked.show(said("bye", inDev));
  assertEquals(clocked.unread, ["dev:2!"]);
  clocked.show({ ...item, event: said("x", { room: "den" }), isOwn: true });
  assertEquals(clocked.unread, ["dev:2!"]);
  assertEquals(clocked.enter("den"), ["14:03 <bob> x"]);
  assertEquals(clocked.enter("dev"), ["14:03 <bob> hi ann", "14:03 <bob> bye"]);
  clocked.enter("lobby");
  clocked.show(said("again", inDev));
  assertEquals(clocked.unread, ["dev:1"]);
});

Deno.test("Window.unread does not count what was earlier, nor what is missing", () => {
  const clocked = new Clocked();
  const time = clocked.now;
  const [message] = [said("one", inDev)];
  const messages = message?.type === "message" ? [message] : [];
  const rest = { room: "dev", messages, total: 1, time, more: false };
  assertEquals(
    clocked.show(
      { type: "history", ...rest },
      { type: "gap", room: "dev", from: 2, to: 3 },
      { type: "anew", room: "dev", log: "b" },
    ),
    [],
  );
  assertEquals(clocked.unread, []);
  assertEquals(clocked.enter("dev"), [
    "14:03 -- 1 earlier message",
    "14:03 <bob> one",
    "14:03 -- now",
    "14:03 -- 2 messages are no longer kept",
    "14:03 -- the history of dev has begun anew",
  ]);
});

Deno.test("Window.show() shows answers and direct messages wherever one is", () => {
  const clocked = new Clocked();
  const time = clocked.now;
  assertEquals(
    clocked.show(
      { type: "told", from: "bob", to: "ann", text: "hi", time, own: false },
      { type: "members", room: "dev", count: 1, names: ["bob"], more: false },
      { type: "note", text: "so" },
      { type: "line", text: "plain", isOwn: false, calls: false },
    ),
    [
      "14:03 [bob -> you] hi",
      "14:03 -- 1 here: bob",
      "14:03 -- so",
      "14:03 plain",
    ],
  );
});

Deno.test("Window.show() shows what is unread in a room that one is not in any more", () => {
  const clocked = new Clocked();
  clocked.show(said("one", inDev), said("two", { room: "den" }));
  clocked.rooms = ["lobby", "den"];
  assertEquals(clocked.show(said("here")), [
    "14:03 <bob> here",
    "14:03 -- you are no longer in dev; this was said there:",
    "14:03 <bob> one",
    "14:03 -- so much from dev",
  ]);
  assertEquals(clocked.unread, ["den:1"]);
});

Deno.test("Window.show() shows what is unread in the room that has most, once it is too much", () => {
  const clocked = new Clocked({ maxUnread: 4 });
  assertEquals(
    clocked.show(
      said("1", { room: "den" }),
      said("2", inDev),
      said("3", inDev),
      said("4", inDev),
    ),
    [],
  );
  assertEquals(clocked.show(said("5", { room: "den" })), [
    "14:03 -- too much is unread in dev; this was said there:",
    "14:03 <bob> 2",
    "14:03 <bob> 3",
    "14:03 <bob> 4",
    "14:03 -- so much from dev",
  ]);
  assertEquals(clocked.unread, ["den:2"]);
  assertEquals(clocked.enter("dev"), []);
  assertEquals(clocked.enter("den"), ["14:03 <bob> 1", "14:03 <bob> 5"]);
});

Deno.test("Window keeps five thousand unread if nobody says how many", () => {
  const clocked = new Clocked();
  const all = Array.from({ length: 5000 }, (_, i) => said(`${i}`, inDev));
  assertEquals(clocked.show(...all), []);
  assertEquals(clocked.unread, ["dev:5000"]);
  assertEquals(clocked.show(said("5000", inDev)).length, 5003);
  assertEquals(clocked.unread, []);
});

// Who comes and goes.

Deno.test("Window.presence has the comings and goings of a minute in one line, as long as it lasts", () => {
  const clocked = new Clocked({}, at(23, 14, 3, 10));
  assertEquals(clocked.presence, undefined);
  assertEquals(clocked.show(passes("joined", "bob")), []);
  clocked.now += 20_000;
  assertEquals(
    clocked.show(passes("joined", "carol"), passes("offline", "dan")),
    [],
  );
  assertEquals(
    clocked.presence,
    "14:03 -- bob, carol entered; dan is offline (faint)",
  );
  assertEquals(clocked.window.minuteLeftMs, 30_000);
  clocked.now += 29_999;
  assertEquals(linesOf(clocked.window.pass()), []);
  clocked.now += 1;
  assertEquals(linesOf(clocked.window.pass()), [
    "14:03 -- bob, carol entered; dan is offline (faint)",
  ]);
  assertEquals(clocked.presence, undefined);
  assertEquals(linesOf(clocked.window.pass()), []);
});

Deno.test("Window.presence begins anew in another minute", () => {
  const clocked = new Clocked();
  clocked.show(passes("joined", "bob"));
  clocked.now += 60_000;
  assertEquals(clocked.show(passes("left", "carol")), [
    "14:03 -- bob entered (faint)",
  ]);
  assertEquals(clocked.presence, "14:04 -- carol left (faint)");
});

Deno.test("Window.show() shows who came before what they say, but not before what others say", () => {
  const clocked = new Clocked();
  clocked.show(passes("joined", "bob"), passes("joined", "carol"));
  assertEquals(clocked.show(said("x", { from: "dan" })), ["14:03 <dan> x"]);
  assertEquals(clocked.show(said("y", { from: "bob", room: "dev" })), []);
  assertEquals(clocked.presence, "14:03 -- bob, carol entered (faint)");
  assertEquals(clocked.show(said("z")), [
    "14:03 -- bob, carol entered (faint)",
    "14:03 <bob> z",
  ]);
  assertEquals(clocked.presence, undefined);
});

Deno.test("Window.presence follows a new name", () => {
  const clocked = new Clocked();
  clocked.show(passes("joined", "guest1"));
  const event = { room: "lobby", from: "guest1", to: "bob" };
  assertEquals(clocked.show({ type: "renamed", ...event }), [
    "14:03 -- [guest1] is now [bob]",
  ]);
  assertEquals(clocked.presence, "14:03 -- bob entered (faint)");
  assertEquals(clocked.show(said("hi")), [
    "14:03 -- bob entered (faint)",
    "14:03 <bob> hi",
  ]);
});

Deno.test("Window.presence is about the room where one is, and about who is gone altogether", () => {
  const clocked = new Clocked();
  clocked.show(passes("joined", "bob", "dev"), passes("left", "eve", "dev"));
  assertEquals(clocked.presence, undefined);
  clocked.show(passes("offline", "dan", "dev"));
  assertEquals(clocked.presence, "14:03 -- dan is offline (faint)");
});

Deno.test("Window.show() shows who came and went before one goes elsewhere", () => {
  for (const items of [[], [inRoom("dev")]]) {
    const clocked = new Clocked();
    clocked.show(passes("joined", "bob"), said("one", inDev));
    clocked.room = "dev";
    assertEquals(clocked.show(...items), [
      "14:03 -- bob entered (faint)",
      ...items.map(() => "14:03 -- you are in dev"),
      "14:03 <bob> one",
    ]);
    assertEquals(clocked.presence, undefined);
  }
});

Deno.test("Window.show() tells of one's own coming as what it is", () => {
  const clocked = new Clocked();
  const state = { room: "dev", log: "a", seq: 0, count: 2 };
  assertEquals(
    clocked.show({ type: "joined", room: "dev", name: "ann", state }),
    ["14:03 -- you are in dev; 1 other is here"],
  );
  assertEquals(clocked.presence, undefined);
});

Deno.test("Window.end() shows who came and went, because nothing more comes", () => {
  const clocked = new Clocked();
  clocked.show(passes("joined", "bob"));
  assertEquals(linesOf(clocked.window.end()), ["14:03 -- bob entered (faint)"]);
  assertEquals(linesOf(clocked.window.end()), []);
});

// Days.

Deno.test("Window shows a day in a line of its own before the first that happened on it", () => {
  const clocked = new Clocked({}, at(23, 23, 59));
  const late = { time: at(23, 23, 59) };
  const early = { time: at(24, 0, 1) };
  assertEquals(clocked.show(said("one", late)), ["23:59 <bob> one"]);
  assertEquals(clocked.show(said("two", early), said("three", early)), [
    "00:01 -- Tuesday, 2026-11-24 (faint)",
    "00:01 <bob> two",
    "00:01 <bob> three",
  ]);
});

Deno.test("Window shows the day of what was said on an earlier one, and today after it", () => {
  const clocked = new Clocked();
  assertEquals(
    clocked.show(said("one", { time: at(22, 9, 0) }), {
      type: "note",
      text: "x",
    }),
    [
      "09:00 -- Sunday, 2026-11-22 (faint)",
      "09:00 <bob> one",
      "14:03 -- Monday, 2026-11-23 (faint)",
      "14:03 -- x",
    ],
  );
});

Deno.test("Window shows the day of what is shown late", () => {
  const clocked = new Clocked();
  clocked.show(said("one", { room: "dev", time: at(22, 9, 0) }));
  assertEquals(clocked.enter("dev"), [
    "09:00 -- Sunday, 2026-11-22 (faint)",
    "09:00 <bob> one",
  ]);
  const evening = new Clocked({}, at(23, 23, 59));
  evening.show(passes("joined", "bob"));
  evening.now = at(24, 0, 0);
  assertEquals(evening.show({ type: "note", text: "x" }), [
    "23:59 -- bob entered (faint)",
    "00:00 -- Tuesday, 2026-11-24 (faint)",
    "00:00 -- x",
  ]);
});

// What can be drawn again.

Deno.test("Window.recent has what was shown, with its days, and nothing that was not", () => {
  const clocked = new Clocked();
  const shown = [
    ...clocked.show(said("one"), said("two", inDev), passes("joined", "bob")),
    ...clocked.show(said("three", { time: at(24, 9, 0) })),
  ];
  assertEquals(shown.length, 4);
  assertEquals(clocked.recent, shown);
  clocked.now += 60_000;
  assertEquals(clocked.recent, shown);
  clocked.show(passes("offline", "dan"));
  clocked.now += 60_000;
  shown.push(...linesOf(clocked.window.pass()));
  assertEquals(shown.at(-1), "14:04 -- dan is offline (faint)");
  assertEquals(clocked.recent, shown);
  clocked.window.clear();
  assertEquals(clocked.recent, []);
});

Deno.test("Window.recent has the last two hundred", () => {
  const clocked = new Clocked();
  for (let i = 0; i <= 200; i++) clocked.show(said(`${i}`));
  assertEquals(clocked.recent.length, 200);
  assertEquals(clocked.recent[0], "14:03 <bob> 1");
  assertEquals(clocked.recent.at(-1), "14:03 <bob> 200");
});

Deno.test("Window takes the clock's time if it is given none", () => {
  const window = new Window("lobby");
  const earliest = Date.now();
  const items = [{ type: "note", text: "x" } as const];
  const { time = NaN } = window.show(items, {
    room: "lobby",
    rooms: ["lobby"],
    name: "ann",
  }).at(-1) ?? {};
  assert(earliest <= time && time <= Date.now());
});
