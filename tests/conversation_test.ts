/** What the client makes of a server's frames, without a server. */

import {
  Conversation,
  type ConversationOptions,
  frameFault,
} from "../lib/client/conversation.ts";
import {
  type ChatEvent,
  LOBBY,
  MAX_UNACKNOWLEDGED,
  type Message,
  type RoomState,
} from "../lib/message.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "./assert.ts";

const NOON = Date.UTC(2026, 0, 2, 12);

function state(room: string, seq: number, options: Partial<RoomState> = {}) {
  return { room, log: `log of ${room}`, seq, count: 1, ...options };
}

function welcome(
  name: string,
  ...rooms: RoomState[]
): ChatEvent & { type: "welcome" } {
  return { type: "welcome", name, server: "test", rooms };
}

function message(
  seq: number,
  text: string,
  options: Partial<Message> = {},
): ChatEvent & Message {
  return {
    type: "message",
    room: LOBBY,
    seq,
    time: NOON,
    from: "bob",
    text,
    action: false,
    ...options,
  };
}

/** ann, who has been welcomed in these rooms. */
function conversation(
  rooms: RoomState[] = [state(LOBBY, 0)],
  options: ConversationOptions = {},
): Conversation {
  const ann = new Conversation("ann", { now: () => NOON, ...options });
  ann.hello();
  ann.take(welcome("ann", ...rooms));
  return ann;
}

/** What `ann` shows of these events that is not her own. */
function shown(ann: Conversation, ...events: ChatEvent[]): ChatEvent[] {
  return events.flatMap((event) => ann.take(event)).flatMap(({ show, own }) =>
    own ? [] : show
  );
}

/** What `ann` shows of these events as her own. */
function ownShown(ann: Conversation, ...events: ChatEvent[]): ChatEvent[] {
  return events.flatMap((event) => ann.take(event)).flatMap(({ show, own }) =>
    own ? show : []
  );
}

/** What `ann` points out when these come. */
function notices(ann: Conversation, ...events: ChatEvent[]): string[] {
  return events.flatMap((event) => ann.take(event)).flatMap(({ notice }) =>
    notice ?? []
  );
}

/** What `ann` has read of a room. */
function read(ann: Conversation, room: string = LOBBY) {
  return ann.hello().since?.[room];
}

Deno.test("Conversation.hello() has a session of 128 random bits that stays, and no `since` before the first welcome", () => {
  const ann = new Conversation("ann");
  const hello = ann.hello();
  assertMatch(hello.session!, /^[0-9a-f]{32}$/);
  assertEquals(hello, { type: "hello", name: "ann", session: hello.session! });
  ann.take(welcome("ann", state(LOBBY, 41), state("__proto__", 0)));
  ann.lose();
  const again = ann.hello();
  assertEquals(again.session, hello.session);
  assertEquals(Object.entries(again.since!), [
    [LOBBY, { log: "log of lobby", seq: 41 }],
    ["__proto__", { log: "log of __proto__", seq: 0 }],
  ]);
  assert(new Conversation("ann").hello().session !== hello.session);
});

Deno.test("Conversation.hello() asks for the name that one has now, unless it is a guest's", () => {
  const ann = conversation();
  ann.take({ type: "renamed", room: LOBBY, from: "ann", to: "anna" });
  assertEquals([ann.name, ann.hello().name], ["anna", "anna"]);
  ann.take(welcome("guest7", state(LOBBY, 0)));
  assertEquals([ann.name, "name" in ann.hello()], ["guest7", false]);
  assertEquals(notices(ann, welcome("guest8", state(LOBBY, 0))), [
    "connected again; you are guest8",
  ]);
});

Deno.test("Conversation tells once that the name was refused, whether before the welcome or after it", () => {
  const refused: ChatEvent = {
    type: "refused",
    code: "name-taken",
    reason: "that name is taken",
    ref: "",
  };
  const greeting = welcome("guest1", state(LOBBY, 0));
  for (const events of [[refused, greeting], [greeting, refused]]) {
    const ann = new Conversation("ann");
    ann.hello();
    assertEquals(notices(ann, ...events), [
      'the name "ann" was refused, that name is taken; you are guest1',
    ]);
    assertEquals(notices(ann, refused), []);
  }
});

Deno.test("Conversation does not ask for a name that nobody can have", () => {
  const ann = new Conversation("a b");
  assertEquals("name" in ann.hello(), false);
  assertEquals(notices(ann, welcome("guest1", state(LOBBY, 0))), [
    'the name "a b" was refused, a name has only letters, digits and _ - .; you are guest1',
  ]);
  const nobody = new Conversation("");
  assertEquals("name" in nobody.hello(), false);
  assertEquals(notices(nobody, welcome("guest1", state(LOBBY, 0))), []);
});

Deno.test("Conversation ignores what is said before the welcome", () => {
  const ann = new Conversation("ann");
  ann.hello();
  assertEquals(
    shown(ann, message(1, "hi"), { type: "joined", room: LOBBY, name: "bob" }),
    [],
  );
});

Deno.test("Conversation shows the messages from before it came as one block, once they are all there", () => {
  const ann = conversation([state(LOBBY, 3)]);
  const earlier = [message(2, "two"), message(3, "three", { from: "ann" })];
  assertEquals(shown(ann, earlier[0]!, earlier[0]!), []);
  assertEquals(shown(ann, earlier[1]!, message(4, "four")), [
    {
      type: "history",
      room: LOBBY,
      time: NOON,
      messages: earlier,
      total: 2,
      more: false,
    },
    message(4, "four"),
  ]);
});

Deno.test("Conversation shows earlier messages before something new, also if some are missing", () => {
  const ann = conversation([state(LOBBY, 3)]);
  const kinds = shown(
    ann,
    message(2, "two"),
    message(4, "four"),
    message(3, ""),
  )
    .map(({ type }) => type);
  assertEquals(kinds, ["history", "message"]);
  assertEquals(read(ann)?.seq, 4);
});

Deno.test("Conversation shows what had come of the earlier messages when the connection is lost, and reads on from there", () => {
  const ann = conversation([state(LOBBY, 9), state("dev", 5)]);
  ann.take(message(3, "three"));
  assertEquals(
    ann.lose().flatMap(({ show }) => show).map(({ type }) => type),
    ["history"],
  );
  assertEquals([read(ann)?.seq, read(ann, "dev")?.seq], [3, 5]);
  ann.take(welcome("ann", state(LOBBY, 9), state("dev", 5)));
  assertEquals(shown(ann, message(4, "four")), [message(4, "four")]);
});

Deno.test("Conversation shows every message once, and what was missed as if it had just been said", () => {
  const ann = conversation();
  assertEquals(
    shown(ann, message(1, "a"), message(1, "a"), message(2, "b"))
      .length,
    2,
  );
  ann.lose();
  assertEquals(shown(ann, welcome("ann", state(LOBBY, 4))), []);
  assertEquals(
    shown(ann, message(2, "b"), message(3, "c"), message(4, "d")),
    [message(3, "c"), message(4, "d")],
  );
  assertEquals(read(ann), { log: "log of lobby", seq: 4 });
});

Deno.test("Conversation reads every room by itself", () => {
  const ann = conversation([state(LOBBY, 0), state("dev", 0)]);
  const dev = message(1, "a", { room: "dev" });
  assertEquals(shown(ann, message(1, "a"), dev, message(2, "b")).length, 3);
  assertEquals([read(ann)?.seq, read(ann, "dev")?.seq], [2, 1]);
});

Deno.test("Conversation goes on after a gap, and says that there is one", () => {
  const ann = conversation();
  const gap: ChatEvent = { type: "gap", room: LOBBY, from: 1, to: 80 };
  assertEquals(shown(ann, gap, message(80, "x"), message(81, "y")), [
    gap,
    message(81, "y"),
  ]);
  ann.take({ ...gap, from: 2, to: 3 });
  assertEquals(read(ann)?.seq, 81);
});

Deno.test("Conversation knows its own message after a gap that does not reach it", () => {
  const ann = conversation();
  const { ref } = ann.say("hi");
  ann.take({ type: "ack", ref, seq: 50 });
  ann.take({ type: "gap", room: LOBBY, from: 1, to: 40 });
  assertEquals(shown(ann, message(50, "hi", { from: "ann" })), []);
});

Deno.test("Conversation takes what a welcome says of another log, whatever its length", () => {
  const ann = conversation();
  ann.take(message(1, "a"));
  ann.lose();
  ann.take(welcome("ann", state(LOBBY, 9, { log: "another" })));
  assertEquals(read(ann), { log: "another", seq: 9 });
});

Deno.test("Conversation begins anew with another log, and with one that has become shorter", () => {
  for (const log of ["another", "log of lobby"]) {
    const ann = conversation();
    ann.take(message(1, "a"));
    ann.take(message(2, "b"));
    ann.lose();
    ann.take(welcome("ann", state(LOBBY, 1, { log })));
    assertEquals(read(ann), { log, seq: 1 });
    const anew: ChatEvent = { type: "anew", room: LOBBY, log };
    const [said, block, ...more] = shown(
      ann,
      anew,
      message(1, "c"),
      message(2, "d"),
    );
    assertEquals(said, anew);
    assert(block?.type === "history");
    assertEquals(block.messages, [message(1, "c")]);
    assertEquals(more, [message(2, "d")]);
    assertEquals(read(ann), { log, seq: 2 });
  }
});

Deno.test("Conversation begins anew when it is told so, though the welcome has not shown it", () => {
  const ann = conversation();
  ann.take(message(1, "a"));
  ann.lose();
  ann.take(welcome("ann", state(LOBBY, 3)));
  ann.take({ type: "anew", room: LOBBY, log: "another" });
  assertEquals(
    shown(ann, message(1, "x"), message(2, "y"), message(3, "z"))
      .map(({ type }) => type),
    ["history"],
  );
  assertEquals(read(ann), { log: "another", seq: 3 });
});

Deno.test("Conversation keeps what it says until it is acknowledged or refused, in order", () => {
  const ann = conversation();
  const one = ann.say("one");
  const two = ann.tell("bob", "two");
  const three = ann.say("three", { room: "dev", action: true });
  assertEquals([one, two, three].map(({ ref }) => ref), ["1", "2", "3"]);
  assertEquals(ann.open(), [one, two, three]);
  ann.take({ type: "ack", ref: "2" });
  ann.lose();
  assertEquals(ann.open(), [one, three]);
  ann.take(welcome("ann", state(LOBBY, 0)));
  ann.take({ type: "ack", ref: "1", seq: 1 });
  const reason = "you are not in dev";
  assertEquals(
    ann.take({ type: "refused", code: "room-unknown", reason, ref: "3" })
      .map(({ refused }) => refused),
    [{ reason, text: "three", label: "three" }],
  );
  assertEquals([ann.open(), ann.unacknowledged], [[], 0]);
  assertEquals(ann.say("four").ref, "4");
});

Deno.test("Conversation lets 1,000 messages be not acknowledged, and then some more once they are", () => {
  const ann = conversation();
  assertEquals(ann.free, MAX_UNACKNOWLEDGED);
  for (let i = 0; i < 500; i++) {
    ann.say("x");
    ann.tell("bob", "x");
  }
  assertEquals(ann.free, 0);
  assertThrows(() => ann.say("x"), RangeError);
  assertThrows(() => ann.tell("bob", "x"), RangeError);
  ann.take({ type: "ack", ref: "7", seq: 1 });
  assertEquals(ann.free, 1);
  ann.say("x");
});

Deno.test("Conversation says things as the server will store them", () => {
  const { type, ...said } = conversation().say("a\x07b\u202ec\ud800");
  assert(type === "say" && "text" in said);
  assertEquals(said.text, "abc\ufffd");
});

Deno.test("Conversation shows what it has said itself once and as its own, acknowledged before or after", () => {
  for (const isBefore of [true, false]) {
    const ann = conversation();
    const said = [
      ann.say("hi"),
      ann.say("hi", { action: true }),
      ann.say("hi"),
    ];
    for (const [i, { ref }] of said.entries()) {
      const ack: ChatEvent = { type: "ack", ref, seq: i + 1 };
      const own = message(i + 1, "hi", { from: "ann", action: i === 1 });
      const events = isBefore ? [ack, own] : [own, ack];
      const arrivals = events.flatMap((event) => ann.take(event));
      assertEquals(arrivals.map(({ event }) => event), events);
      assertEquals(arrivals.flatMap(({ show, own }) => own ? show : []), [own]);
      assertEquals(arrivals.flatMap(({ show, own }) => own ? [] : show), []);
    }
    const other = message(4, "hi", { from: "ann" });
    assertEquals(shown(ann, other), [other]);
  }
});

Deno.test("Conversation.pending is what was said and has not come to its place, acknowledged or not", () => {
  const ann = conversation();
  const pending = () =>
    ann.pending.map(({ spoken, isAcknowledged }) => [
      spoken.text,
      isAcknowledged,
    ]);
  const one = ann.say("one");
  const two = ann.tell("bob", "two");
  const three = ann.reply("bob", "three");
  ann.say("four");
  assertEquals(pending(), [
    ["one", false],
    ["two", false],
    ["three", false],
    ["four", false],
  ]);
  ann.take({ type: "ack", ref: one.ref, seq: 2 });
  assertEquals(pending().slice(0, 2), [["one", true], ["two", false]]);
  assertEquals(ann.unacknowledged, 3);
  assertEquals(ownShown(ann, message(1, "x"), message(2, "one")), [
    message(2, "one"),
  ]);
  // Seen before it is acknowledged, as after a loss.
  assertEquals(
    ownShown(ann, message(3, "four", { from: "ann" })).length,
    1,
  );
  assertEquals(pending(), [["two", false], ["three", false]]);
  assertEquals(ann.unacknowledged, 3);
  for (const [{ ref }, text] of [[two, "two"], [three, "three"]] as const) {
    assertEquals(ownShown(ann, { type: "ack", ref }), [
      { type: "told", from: "ann", to: "bob", text, time: NOON, own: true },
    ]);
  }
  assertEquals([pending(), ann.unacknowledged], [[], 1]);
});

Deno.test("Conversation counts an answer that comes twice once", () => {
  const ann = conversation();
  const { ref } = ann.say("hi");
  ann.say("ho");
  ann.take({ type: "ack", ref, seq: 1 });
  ann.take({ type: "ack", ref, seq: 1 });
  ann.take({ type: "refused", code: "usage", reason: "no", ref });
  assertEquals([ann.unacknowledged, ann.pending.length], [1, 2]);
});

Deno.test("Conversation knows the same words said twice, both seen before they are acknowledged", () => {
  const ann = conversation();
  ann.say("hi");
  ann.say("hi");
  const own = [1, 2].map((seq) => message(seq, "hi", { from: "ann" }));
  assertEquals(ownShown(ann, ...own), own);
  assertEquals([ann.unacknowledged, ann.pending], [2, []]);
});

Deno.test("Conversation shows what was said before it came first, and then its own message", () => {
  const ann = conversation([state(LOBBY, 2)]);
  ann.say("hi");
  const arrivals = [
    message(1, "one"),
    message(3, "hi", { from: "ann" }),
  ].flatMap((event) => ann.take(event));
  const shown = arrivals.map(({ show, own = false }) => [
    show.map(({ type }) => type),
    own,
  ]);
  assertEquals(shown, [[[], false], [["history"], false], [["message"], true]]);
});

Deno.test("Conversation waits to see its own message whoever else leaves", () => {
  const ann = conversation();
  const { ref } = ann.say("hi");
  ann.take({ type: "ack", ref, seq: 5 });
  assertEquals(
    ownShown(ann, { type: "left", room: LOBBY, name: "bob" }),
    [],
  );
  assertEquals(ann.pending.length, 1);
});

Deno.test("Conversation shows a message of its own that cannot come to its place any more", () => {
  const dev = { ...state("dev", 0) };
  const cases: ((ann: Conversation, ref: string) => ChatEvent[])[] = [
    (_, ref) => [
      { type: "ack", ref, seq: 5 },
      { type: "gap", room: "dev", from: 1, to: 5 },
    ],
    (_, ref) => [
      { type: "gap", room: "dev", from: 1, to: 5 },
      { type: "ack", ref, seq: 5 },
    ],
    (_, ref) => [
      { type: "ack", ref, seq: 5 },
      { type: "anew", room: "dev", log: "another" },
    ],
    (_, ref) => [
      { type: "ack", ref, seq: 5 },
      { type: "left", room: "dev", name: "ann" },
    ],
    (_, ref) => [
      { type: "left", room: "dev", name: "ann" },
      { type: "ack", ref, seq: 5 },
    ],
    (ann, ref) => {
      ann.take({ type: "ack", ref, seq: 5 });
      ann.lose();
      return [welcome("ann", state(LOBBY, 0))];
    },
  ];
  for (const events of cases) {
    const ann = conversation([state(LOBBY, 0), dev]);
    const { ref } = ann.say("hi", { room: "dev" });
    assertEquals(ownShown(ann, ...events(ann, ref)), [
      message(0, "hi", { room: "dev", from: "ann", time: NOON }),
    ]);
    assertEquals([ann.pending, ann.unacknowledged], [[], 0]);
  }
});

Deno.test("Conversation knows its own messages by their number, whatever it was called then", () => {
  const ann = conversation();
  const { ref } = ann.say("hi");
  ann.take({ type: "ack", ref, seq: 2 });
  ann.take({ type: "renamed", room: LOBBY, from: "ann", to: "anna" });
  const others = [
    message(1, "hi", { from: "anna" }),
    message(3, "hi", { from: "ann" }),
  ];
  assertEquals(
    shown(ann, others[0]!, message(2, "hi", { from: "ann" }), others[1]!),
    others,
  );
});

Deno.test("Conversation shows what others say in the same words, in another room, or as something else", () => {
  const ann = conversation([state(LOBBY, 0), state("dev", 0)]);
  ann.say("hi");
  const others = [
    message(1, "hi"),
    message(1, "hi", { room: "dev", from: "ann" }),
    message(2, "hi", { from: "ann", action: true }),
    message(3, "Hi", { from: "ann" }),
  ];
  assertEquals(shown(ann, ...others), others);
  assertEquals(shown(ann, message(4, "hi", { from: "ann" })), []);
});

Deno.test("Conversation knows a message of its own that comes before an earlier one is refused", () => {
  const ann = conversation();
  ann.say("one");
  ann.say("two");
  assertEquals(shown(ann, message(1, "two", { from: "ann" })), []);
});

Deno.test("Conversation does not wait to see a message of its own that it can no longer see", () => {
  const reasons: ((ann: Conversation, ref: string) => void)[] = [
    (ann, ref) => {
      ann.take({ type: "ack", ref, seq: 5 });
      ann.take({ type: "gap", room: LOBBY, from: 1, to: 5 });
    },
    (ann, ref) => {
      ann.take({ type: "gap", room: LOBBY, from: 1, to: 5 });
      ann.take({ type: "ack", ref, seq: 5 });
    },
    (ann, ref) => {
      ann.take({ type: "ack", ref, seq: 5 });
      ann.take({ type: "anew", room: LOBBY, log: "another" });
    },
    (ann, ref) => {
      const reason = "too long";
      ann.take({ type: "refused", code: "too-long", reason, ref });
    },
  ];
  for (const reason of reasons) {
    const ann = conversation();
    reason(ann, ann.say("hi").ref);
    const again = message(6, "hi", { from: "ann" });
    assertEquals(shown(ann, again), [again]);
  }
});

Deno.test("Conversation still knows a message of its own that is stored in a new log", () => {
  const ann = conversation();
  const { ref } = ann.say("hi");
  ann.lose();
  ann.take(welcome("ann", state(LOBBY, 0, { log: "another" })));
  ann.take({ type: "anew", room: LOBBY, log: "another" });
  assertEquals(
    shown(ann, message(1, "hi", { from: "ann" }), { type: "ack", ref, seq: 1 }),
    [],
  );
});

Deno.test("Conversation shows a refusal with what was typed, and not with its id", () => {
  const ann = conversation();
  ann.say("wave", { action: true, label: "/me wave" });
  ann.ask({ type: "nick", name: "bob", ref: "/nick bob" });
  const refused = (ref: string): ChatEvent => ({
    type: "refused",
    code: "usage",
    reason: "no",
    ref,
  });
  const labels = shown(
    ann,
    refused("1"),
    refused("2"),
    refused("2"),
    refused(""),
  )
    .map((event) => event.type === "refused" && event.ref);
  assertEquals(labels, ["/me wave", "/nick bob", "", ""]);
});

Deno.test("Conversation takes only a refusal without an id for that of its name", () => {
  const ann = new Conversation("ann");
  ann.hello();
  ann.take(welcome("guest1", state(LOBBY, 0)));
  ann.ask({ type: "nick", name: "bob", ref: "/nick bob" });
  const refused: ChatEvent = {
    type: "refused",
    code: "name-taken",
    reason: "that name is taken",
    ref: "1",
  };
  assertEquals(notices(ann, refused), []);
  assertEquals(notices(ann, { ...refused, ref: "" }).length, 1);
});

Deno.test("Conversation joins rooms, leaves them, and finds them in upper and lower case", () => {
  const ann = conversation();
  const join = ann.ask({ type: "join", room: "DEV", ref: "/join DEV" });
  assert(ann.isJoining("dev"));
  ann.lose();
  assertEquals(ann.open(), [join]);
  ann.take(welcome("ann", state(LOBBY, 0)));
  const joined: ChatEvent = {
    type: "joined",
    room: "Dev",
    name: "ann",
    state: state("Dev", 2),
  };
  assertEquals(shown(ann, joined), [joined]);
  assertEquals([ann.isJoining("dev"), ann.open(), ann.find("dEV")], [
    false,
    [],
    "Dev",
  ]);
  const { ref, ...said } = ann.say("hi", { room: "dev" });
  assertEquals(said, { type: "say", room: "Dev", text: "hi", action: false });
  const early = message(2, "x", { room: "Dev" });
  assertEquals(shown(ann, early).map(({ type }) => type), ["history"]);
  // Its answer may be told again.
  ann.take(joined);
  assertEquals(shown(ann, early), []);
  ann.take({ type: "left", room: "Dev", name: "bob" });
  assertEquals(ann.rooms, [LOBBY, "Dev"]);
  ann.take({ type: "left", room: "Dev", name: "ann" });
  assertEquals(ann.rooms, [LOBBY]);
  ann.take({ type: "ack", ref, seq: 3 });
});

Deno.test("Conversation does not ask again for a room that it was let into or not, or is in", () => {
  const ann = conversation();
  ann.ask({ type: "join", room: "a", ref: "" });
  ann.ask({ type: "join", room: "b", ref: "" });
  const reason = "no";
  ann.take({ type: "refused", code: "room-invalid", reason, ref: "1" });
  ann.lose();
  ann.take(welcome("ann", state(LOBBY, 0), state("b", 0)));
  assertEquals([ann.open(), ann.isJoining("a"), ann.isJoining("b")], [
    [],
    false,
    false,
  ]);
});

Deno.test("Conversation says what has changed while it was away", () => {
  const ann = conversation([state(LOBBY, 0), state("dev", 0), state("x", 0)]);
  ann.lose();
  assertEquals(notices(ann, welcome("ann2", state(LOBBY, 0))), [
    "connected again; you are ann2; you are no longer in dev; you are no longer in x",
  ]);
  assertEquals(ann.rooms, [LOBBY]);
  for (const sent of ["1 line sent", "2 lines sent"]) {
    ann.lose();
    ann.say("hi");
    assertEquals(notices(ann, welcome("ann2", state(LOBBY, 0))), [
      `connected again; ${sent}`,
    ]);
  }
});

Deno.test("Conversation shows a message of the day again only if it is another one than it has shown", () => {
  const ann = new Conversation("ann");
  const days = [["a"], ["a"], undefined, ["a"], ["a", "b"], ["a"], []];
  const shownOf = days.map((motd) => {
    ann.hello();
    const event = { ...welcome("ann", state(LOBBY, 0)), ...(motd && { motd }) };
    const events = shown(ann, event);
    ann.lose();
    return events.length > 0;
  });
  assertEquals(shownOf, [true, false, false, false, true, true, false]);
});

Deno.test("Conversation tells a new name once, however many rooms tell it", () => {
  const ann = conversation([state(LOBBY, 0), state("dev", 0)]);
  const renamed = (room: string, from: string, to: string): ChatEvent => ({
    type: "renamed",
    room,
    from,
    to,
  });
  const told = shown(
    ann,
    renamed(LOBBY, "bob", "rob"),
    renamed(LOBBY, "cy", "cyd"),
    renamed("dev", "bob", "rob"),
    renamed("dev", "cy", "cyd"),
    renamed(LOBBY, "rob", "bob"),
    renamed("dev", "rob", "bob"),
    renamed(LOBBY, "bob", "rob"),
    renamed("dev", "bob", "rob"),
  );
  assertEquals(told.length, 4);
  // Another bob.
  ann.take({ type: "joined", room: LOBBY, name: "bob" });
  assertEquals(shown(ann, renamed(LOBBY, "bob", "rob")).length, 1);
});

Deno.test("Conversation does not announce who was there before a loss, for 10 s", () => {
  let now = 0;
  const members = ["ann", "bob", "cy", "di"];
  const ann = conversation([state(LOBBY, 0, { members })], { now: () => now });
  const joined = (name: string): ChatEvent => ({
    type: "joined",
    room: LOBBY,
    name,
  });
  ann.take({ type: "renamed", room: LOBBY, from: "bob", to: "rob" });
  ann.take({ type: "offline", room: LOBBY, name: "di" });
  ann.take(joined("ed"));
  ann.lose();
  now = 60_000;
  ann.take(welcome("ann", state(LOBBY, 0, { members: ["ann"] })));
  now = 69_999;
  assertEquals(
    shown(ann, joined("rob"), joined("ed"), joined("bob"), joined("di")),
    [joined("bob"), joined("di")],
  );
  now = 70_000;
  assertEquals(shown(ann, joined("cy")), [joined("cy")]);
});

Deno.test("Conversation shows neither answers to a ping nor what it has told somebody itself", () => {
  const told: ChatEvent = {
    type: "told",
    from: "bob",
    to: "ann",
    text: "psst",
    time: NOON,
    own: false,
  };
  assertEquals(
    shown(
      conversation(),
      { type: "pong", ref: "" },
      { ...told, own: true },
      told,
    ),
    [told],
  );
});

Deno.test("frameFault() refuses what does not fit in a frame", () => {
  const say = (text: string) =>
    frameFault({ type: "say", room: LOBBY, text, action: false, ref: "" });
  assertEquals(say("x".repeat(8000)), undefined);
  assertEquals(say('"'.repeat(4000)), undefined);
  for (const text of ["x".repeat(8192), '"'.repeat(4096), "é".repeat(4096)]) {
    assertEquals(say(text), "too long to be sent");
  }
});

Deno.test("Conversation says a reply again until it is acknowledged, and waits to see it nowhere", () => {
  const ann = conversation();
  const reply = ann.reply("bob", "psst");
  assertEquals(ann.open(), [{
    type: "reply",
    to: "bob",
    text: "psst",
    ref: reply.ref,
  }]);
  const own = message(1, "psst", { from: "ann" });
  assertEquals(shown(ann, own), [own]);
  ann.take({ type: "ack", ref: reply.ref });
  assertEquals(ann.open(), []);
});

Deno.test("Conversation tells once that somebody is offline, whichever rooms one shares with them", () => {
  const ann = conversation([state(LOBBY, 0), state("dev", 0)]);
  const offline = (room: string): ChatEvent => ({
    type: "offline",
    room,
    name: "bob",
  });
  const joined: ChatEvent = { type: "joined", room: LOBBY, name: "bob" };
  assertEquals(shown(ann, offline(LOBBY), offline("dev")), [offline(LOBBY)]);
  assertEquals(shown(ann, joined, offline(LOBBY)), [joined, offline(LOBBY)]);
});
