import fc from "fast-check";
import {
  type ChatEvent,
  clean,
  type Command,
  type Hello,
  MAX_BAN_SECONDS,
  MAX_HISTORY,
  MAX_SLOW_SECONDS,
  type Message,
  type Refusal,
  type RoomState,
} from "../lib/message.ts";
import { isHello, parse, read, render, write } from "../lib/wire/json.ts";
import { assert, assertEquals, assertThrows } from "./assert.ts";

type Sayable = Hello | Exclude<Command, { type: "help" }>;

const TIME = Date.parse("2026-01-02T03:04:05.678Z");
const SESSION = "0123456789abcdef0123456789abcdef";

/** Every character that is anything special, alone and in pairs that belong to no character. */
const ANYTHING = fc.string({
  unit: fc.oneof(
    fc.integer({ min: 0, max: 0xffff }).map((code) =>
      String.fromCharCode(code)
    ),
    fc.constantFrom(
      ...'\0\t\n\r\x1b\x7f\x85\u2028\u2029\u202e\u2066\ufeff\ud83d\ude00 "\\{a',
    ),
  ),
});
const plain = (text: string) => clean(text).toWellFormed();
const WORD = ANYTHING.map(plain);
const TEXT = WORD.filter((text) => text.trim() !== "");
const PASSWORD = WORD.filter((text) => text !== "" && text.length <= 256);
const REF = fc.oneof(
  fc.constant(""),
  fc.string({ minLength: 1, maxLength: 64 }),
  fc.constant("é".repeat(64)),
);
const COUNT = fc.maxSafeNat();
const TIMES = fc.integer({ min: 0, max: Date.parse("9999-12-31T23:59:59Z") });
const ROOM = fc.oneof(WORD, fc.constantFrom("__proto__", "constructor", "a"));

const MESSAGE: fc.Arbitrary<Message> = fc.record({
  room: ROOM,
  seq: COUNT,
  time: TIMES,
  from: WORD,
  text: WORD,
  action: fc.boolean(),
});

const STATE: fc.Arbitrary<RoomState> = fc.record({
  room: ROOM,
  log: WORD,
  seq: COUNT,
  count: COUNT,
  members: fc.array(WORD),
  topic: WORD,
}, { requiredKeys: ["room", "log", "seq", "count"] });

const CODES: Refusal["code"][] = [
  "away",
  "bad-frame",
  "banned",
  "confirm",
  "hello-expected",
  "login-wrong",
  "muted",
  "name-invalid",
  "name-owned",
  "name-taken",
  "name-unknown",
  "not-operator",
  "not-registered",
  "password-invalid",
  "room-invalid",
  "room-kept",
  "room-unknown",
  "slow",
  "storage",
  "too-long",
  "too-many-rooms",
  "too-many-tries",
  "unknown-command",
  "usage",
];

/** Any event of each kind that has a frame. */
const EVENTS: {
  [T in Exclude<ChatEvent["type"], "help" | "notice">]: fc.Arbitrary<
    ChatEvent & { type: T }
  >;
} = {
  ping: fc.constant({ type: "ping" }),
  welcome: fc.record({
    type: fc.constant("welcome"),
    name: WORD,
    server: WORD,
    rooms: fc.array(STATE),
    motd: fc.array(WORD),
  }, { requiredKeys: ["type", "name", "server", "rooms"] }),
  message: MESSAGE.map((message) => ({ type: "message", ...message })),
  ack: fc.record({ type: fc.constant("ack"), ref: REF, seq: COUNT }, {
    requiredKeys: ["type", "ref"],
  }),
  done: fc.record({ type: fc.constant("done"), text: WORD, ref: REF }),
  joined: fc.record({
    type: fc.constant("joined"),
    room: ROOM,
    name: WORD,
    state: STATE,
  }, { requiredKeys: ["type", "room", "name"] }).map((event) =>
    event.state
      ? { ...event, state: { ...event.state, room: event.room } }
      : event
  ),
  left: fc.record({ type: fc.constant("left"), room: ROOM, name: WORD }),
  offline: fc.record({ type: fc.constant("offline"), room: ROOM, name: WORD }),
  renamed: fc.record({
    type: fc.constant("renamed"),
    room: ROOM,
    from: WORD,
    to: WORD,
  }),
  told: fc.record({
    type: fc.constant("told"),
    from: WORD,
    to: WORD,
    text: WORD,
    time: TIMES,
    own: fc.constant(false),
  }),
  members: fc.record({
    type: fc.constant("members"),
    room: ROOM,
    count: COUNT,
    names: fc.array(WORD),
    more: fc.boolean(),
  }),
  rooms: fc.record({
    type: fc.constant("rooms"),
    count: COUNT,
    rooms: fc.array(fc.record({ room: ROOM, count: COUNT })),
    more: fc.boolean(),
  }),
  history: fc.record({
    type: fc.constant("history"),
    room: ROOM,
    time: TIMES,
    messages: fc.array(MESSAGE),
    total: COUNT,
    more: fc.boolean(),
  }, { requiredKeys: ["type", "room", "time", "messages", "more"] }).map(
    (event) => ({
      ...event,
      messages: event.messages.map((message) => ({
        ...message,
        room: event.room,
      })),
    }),
  ),
  gap: fc.record({
    type: fc.constant("gap"),
    room: ROOM,
    from: COUNT,
    to: COUNT,
  }),
  anew: fc.record({ type: fc.constant("anew"), room: ROOM, log: WORD }),
  pong: fc.record({ type: fc.constant("pong"), ref: REF }),
  topic: fc.record({
    type: fc.constant("topic"),
    room: ROOM,
    text: WORD,
    by: WORD,
  }, { requiredKeys: ["type", "room", "text"] }),
  slow: fc.record({
    type: fc.constant("slow"),
    room: ROOM,
    seconds: COUNT,
    by: WORD,
  }),
  announced: fc.record({
    type: fc.constant("announced"),
    from: WORD,
    text: WORD,
  }),
  bans: fc.record({
    type: fc.constant("bans"),
    count: COUNT,
    bans: fc.array(fc.record({
      kind: fc.constantFrom("ban", "mute"),
      target: WORD,
      with: WORD,
      by: WORD,
      reason: WORD,
      since: TIMES,
      until: TIMES,
    }, { requiredKeys: ["kind", "target", "by", "since"] })),
    more: fc.boolean(),
  }),
  bye: fc.record({ type: fc.constant("bye"), reason: WORD }),
  refused: fc.record({
    type: fc.constant("refused"),
    code: fc.constantFrom(...CODES),
    reason: WORD,
    ref: REF,
  }),
};

const SECONDS = fc.integer({ min: 1, max: MAX_BAN_SECONDS });

function lasting<const T extends "ban" | "mute">(type: T) {
  return fc.record({
    type: fc.constant(type),
    target: WORD,
    ms: SECONDS.map((seconds) => 1000 * seconds),
    reason: WORD,
    ref: REF,
  }, { requiredKeys: ["type", "target", "ref"] });
}

/** Anything that a client can ask for, of each kind. */
const REQUESTS: {
  [T in Sayable["type"]]: fc.Arbitrary<Sayable & { type: T }>;
} = {
  pong: fc.record({ type: fc.constant("pong"), ref: REF }),
  hello: fc.record({
    type: fc.constant("hello"),
    name: WORD,
    login: PASSWORD,
    session: fc.string({
      unit: fc.constantFrom(..."0123456789abcdef"),
      minLength: 32,
      maxLength: 32,
    }),
    since: fc.array(fc.tuple(
      ROOM,
      fc.record({ log: WORD, seq: COUNT }, { requiredKeys: ["seq"] }),
    )).map((rooms) => Object.fromEntries(rooms)),
  }, { requiredKeys: ["type"] }),
  say: fc.record({
    type: fc.constant("say"),
    room: ROOM,
    text: TEXT,
    action: fc.boolean(),
    ref: REF,
  }),
  tell: fc.record({
    type: fc.constant("tell"),
    to: WORD,
    text: TEXT,
    ref: REF,
  }),
  reply: fc.record({
    type: fc.constant("reply"),
    to: WORD,
    text: TEXT,
    ref: REF,
  }),
  join: fc.record({ type: fc.constant("join"), room: ROOM, ref: REF }),
  leave: fc.record({ type: fc.constant("leave"), room: ROOM, ref: REF }),
  nick: fc.record({ type: fc.constant("nick"), name: WORD, ref: REF }),
  who: fc.record({ type: fc.constant("who"), room: ROOM, ref: REF }),
  rooms: fc.record({ type: fc.constant("rooms"), ref: REF }),
  history: fc.record({
    type: fc.constant("history"),
    room: ROOM,
    before: COUNT,
    limit: fc.integer({ min: 1, max: MAX_HISTORY }),
    ref: REF,
  }, { requiredKeys: ["type", "room", "ref"] }),
  register: fc.record({
    type: fc.constant("register"),
    password: PASSWORD,
    ref: REF,
  }),
  login: fc.record({
    type: fc.constant("login"),
    name: WORD,
    password: PASSWORD,
    ref: REF,
  }),
  password: fc.record({
    type: fc.constant("password"),
    password: PASSWORD,
    ref: REF,
  }),
  unregister: fc.record({ type: fc.constant("unregister"), ref: REF }),
  ping: fc.record({ type: fc.constant("ping"), ref: REF }),
  quit: fc.record({ type: fc.constant("quit"), ref: REF }),
  kick: fc.record({
    type: fc.constant("kick"),
    name: WORD,
    reason: WORD,
    ref: REF,
  }, { requiredKeys: ["type", "name", "ref"] }),
  ban: lasting("ban"),
  mute: lasting("mute"),
  unban: fc.record({ type: fc.constant("unban"), target: WORD, ref: REF }),
  unmute: fc.record({ type: fc.constant("unmute"), target: WORD, ref: REF }),
  bans: fc.record({ type: fc.constant("bans"), ref: REF }),
  slow: fc.record({
    type: fc.constant("slow"),
    room: ROOM,
    seconds: fc.integer({ min: 0, max: MAX_SLOW_SECONDS }),
    ref: REF,
  }),
  topic: fc.record({
    type: fc.constant("topic"),
    room: ROOM,
    text: WORD,
    ref: REF,
  }, { requiredKeys: ["type", "room", "ref"] }),
  announce: fc.record({
    type: fc.constant("announce"),
    text: TEXT,
    ref: REF,
  }),
  reload: fc.record({ type: fc.constant("reload"), ref: REF }),
};

/** The one frame that `line` has to be. */
function frameOf(line: string): string {
  assertEquals(line.indexOf("\n"), line.length - 1, line);
  return line.slice(0, -1);
}

/** Every string in `value`, the names of its fields among them. */
function strings(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, value]) => [
    key,
    ...strings(value),
  ]);
}

function assertPlain(value: unknown): void {
  for (const string of strings(value)) assertEquals(plain(string), string);
}

/** What is wrong with a client's frame. */
function fault(frame: unknown): string {
  const refusal = parse(
    typeof frame === "string" ? frame : JSON.stringify(frame),
  );
  assert(refusal.type === "refused" && refusal.code === "bad-frame");
  assertPlain(refusal);
  return refusal.reason;
}

for (const [type, events] of Object.entries(EVENTS)) {
  Deno.test(`read() gives the event "${type}" that render() wrote`, () => {
    fc.assert(fc.property<[ChatEvent]>(events, (event) => {
      assertEquals(read(frameOf(render(event))), event);
    }));
  });
}

for (const [type, requests] of Object.entries(REQUESTS)) {
  Deno.test(`parse() gives the request "${type}" that write() wrote`, () => {
    fc.assert(fc.property<[Sayable]>(requests, (request) => {
      assertEquals<unknown>(parse(frameOf(write(request))), request);
    }));
  });
}

Deno.test("render() writes every event as the protocol has it", () => {
  const room = "lobby";
  const message = { room, seq: 42, time: TIME, from: "bob", text: "hi" };
  const state = { room, log: "9f3c", seq: 41, count: 2 };
  const table: [ChatEvent, string][] = [
    [
      {
        type: "welcome",
        name: "alice",
        server: "chat-server 0.1.0",
        rooms: [{ ...state, members: ["alice", "bob"] }],
      },
      '{"type":"welcome","v":1,"name":"alice","server":"chat-server 0.1.0","rooms":[{"room":"lobby","log":"9f3c","seq":41,"count":2,"members":["alice","bob"]}]}',
    ],
    [
      {
        type: "welcome",
        name: "alice",
        server: "s",
        rooms: [],
        motd: ["Be kind.", "", '"bye"'],
      },
      '{"type":"welcome","v":1,"name":"alice","server":"s","rooms":[],"motd":["Be kind.","","\\"bye\\""]}',
    ],
    [
      { type: "message", ...message, action: false },
      '{"type":"message","room":"lobby","seq":42,"time":"2026-01-02T03:04:05.678Z","from":"bob","text":"hi"}',
    ],
    [
      { type: "message", ...message, action: true },
      '{"type":"message","room":"lobby","seq":42,"time":"2026-01-02T03:04:05.678Z","from":"bob","text":"hi","action":true}',
    ],
    [
      { type: "ack", ref: "7", seq: 42 },
      '{"type":"ack","id":"7","seq":42}',
    ],
    [{ type: "ack", ref: "8" }, '{"type":"ack","id":"8"}'],
    [
      { type: "joined", room, name: "bob" },
      '{"type":"joined","room":"lobby","name":"bob"}',
    ],
    [
      { type: "joined", room, name: "bob", state },
      '{"type":"joined","room":"lobby","name":"bob","log":"9f3c","seq":41,"count":2}',
    ],
    [
      { type: "left", room, name: "bob" },
      '{"type":"left","room":"lobby","name":"bob"}',
    ],
    [
      { type: "offline", room, name: "bob" },
      '{"type":"left","room":"lobby","name":"bob","offline":true}',
    ],
    [
      { type: "renamed", room, from: "bob", to: "rob" },
      '{"type":"renamed","room":"lobby","from":"bob","to":"rob"}',
    ],
    [
      {
        type: "told",
        from: "bob",
        to: "alice",
        text: "psst",
        time: TIME,
        own: false,
      },
      '{"type":"told","from":"bob","to":"alice","text":"psst","time":"2026-01-02T03:04:05.678Z"}',
    ],
    [
      { type: "members", room, count: 2, names: ["alice", "bob"], more: false },
      '{"type":"members","room":"lobby","count":2,"members":["alice","bob"]}',
    ],
    [
      { type: "members", room, count: 2, names: ["alice"], more: true },
      '{"type":"members","room":"lobby","count":2,"members":["alice"],"more":true}',
    ],
    [
      { type: "rooms", count: 2, rooms: [{ room, count: 5 }], more: true },
      '{"type":"rooms","count":2,"rooms":[{"room":"lobby","count":5}],"more":true}',
    ],
    [
      {
        type: "history",
        room,
        time: TIME,
        messages: [{ ...message, action: true }],
        total: 1,
        more: false,
      },
      '{"type":"history","room":"lobby","time":"2026-01-02T03:04:05.678Z","messages":[{"seq":42,"time":"2026-01-02T03:04:05.678Z","from":"bob","text":"hi","action":true}],"total":1}',
    ],
    [
      { type: "history", room, time: TIME, messages: [], more: true },
      '{"type":"history","room":"lobby","time":"2026-01-02T03:04:05.678Z","messages":[],"more":true}',
    ],
    [
      {
        type: "history",
        room,
        time: TIME,
        messages: [],
        total: 0,
        more: false,
      },
      '{"type":"history","room":"lobby","time":"2026-01-02T03:04:05.678Z","messages":[],"total":0}',
    ],
    [
      { type: "gap", room, from: 42, to: 80 },
      '{"type":"gap","room":"lobby","from":42,"to":80}',
    ],
    [
      { type: "anew", room, log: "9f3c" },
      '{"type":"anew","room":"lobby","log":"9f3c"}',
    ],
    [{ type: "pong", ref: "" }, '{"type":"pong"}'],
    [
      { type: "bye", reason: "you quit" },
      '{"type":"bye","reason":"you quit"}',
    ],
    [
      {
        type: "refused",
        code: "name-taken",
        reason: "that name is taken",
        ref: "7",
      },
      '{"type":"error","code":"name-taken","message":"that name is taken","id":"7"}',
    ],
  ];
  for (const [event, line] of table) assertEquals(render(event), `${line}\n`);
});

Deno.test("render() writes nothing of what only people at a terminal are told", () => {
  assertEquals(render({ type: "help" }), "");
  assertEquals(render({ type: "notice", text: "password?" }), "");
  assertEquals(
    render({
      type: "told",
      from: "al",
      to: "bob",
      text: "psst",
      time: TIME,
      own: true,
    }),
    "",
  );
});

Deno.test("parse() reads every frame as the protocol has it", () => {
  const table: [string, ReturnType<typeof parse>][] = [
    [
      `{"type":"hello","v":1,"name":"alice","session":"${SESSION}","since":{"lobby":{"log":"9f3c","seq":41},"dev":7}}`,
      {
        type: "hello",
        name: "alice",
        session: SESSION,
        since: { lobby: { log: "9f3c", seq: 41 }, dev: { seq: 7 } },
      },
    ],
    ['{"type":"hello","v":1}', { type: "hello" }],
    [
      `{"type":"hello","v":1,"session":"${SESSION.toUpperCase()}"}`,
      { type: "hello", session: SESSION },
    ],
    [
      '{"type":"say","id":"7","room":"lobby","text":"hi"}',
      { type: "say", room: "lobby", text: "hi", action: false, ref: "7" },
    ],
    [
      '{"type":"say","room":"lobby","text":" waves ","action":true}',
      { type: "say", room: "lobby", text: " waves ", action: true, ref: "" },
    ],
    [
      '{"type":"tell","id":"8","to":"bob","text":"psst"}',
      { type: "tell", to: "bob", text: "psst", ref: "8" },
    ],
    [
      '{"type":"reply","id":"8","to":"bob","text":"psst"}',
      { type: "reply", to: "bob", text: "psst", ref: "8" },
    ],
    ['{"type":"join","room":"dev"}', { type: "join", room: "dev", ref: "" }],
    ['{"type":"leave","room":"dev"}', { type: "leave", room: "dev", ref: "" }],
    ['{"type":"nick","name":"al"}', { type: "nick", name: "al", ref: "" }],
    ['{"type":"who","room":"dev"}', { type: "who", room: "dev", ref: "" }],
    ['{"type":"rooms","id":"9"}', { type: "rooms", ref: "9" }],
    [
      '{"type":"history","room":"dev","before":0,"limit":1000}',
      { type: "history", room: "dev", before: 0, limit: 1000, ref: "" },
    ],
    [' {"type" : "ping"} ', { type: "ping", ref: "" }],
    ['{"type":"quit","id":"x y"}', { type: "quit", ref: "x y" }],
    // What a newer client says besides is not heeded.
    ['{"type":"quit","why":{"__proto__":[1]}}', { type: "quit", ref: "" }],
  ];
  for (const [line, request] of table) assertEquals(parse(line), request);
});

Deno.test("write() writes frames as the protocol has them", () => {
  const table: [Sayable, string][] = [
    [
      { type: "hello", name: "al", since: { lobby: { log: "9f", seq: 41 } } },
      '{"type":"hello","v":1,"name":"al","since":{"lobby":{"log":"9f","seq":41}}}',
    ],
    [
      { type: "say", room: "lobby", text: "hi", action: false, ref: "7" },
      '{"type":"say","id":"7","text":"hi","room":"lobby"}',
    ],
    [
      { type: "say", room: "lobby", text: "hi", action: true, ref: "" },
      '{"type":"say","text":"hi","room":"lobby","action":true}',
    ],
    [{ type: "ping", ref: "" }, '{"type":"ping"}'],
  ];
  for (const [request, line] of table) {
    const frame = frameOf(write(request));
    assertEquals(JSON.parse(frame), JSON.parse(line));
    assert(frame.startsWith(`{"type":"${request.type}"`), frame);
  }
});

Deno.test("write() throws where the frame needs a room and none is said", () => {
  for (
    const request of [
      { type: "say", text: "hi", action: false, ref: "" },
      { type: "leave", ref: "" },
      { type: "who", ref: "" },
      { type: "history", ref: "" },
      { type: "reply", text: "hi", ref: "" },
    ] as const
  ) {
    assertThrows(() => write(request), TypeError, `"${request.type}"`);
  }
});

Deno.test("parse() says which field of a frame is bad, and how", () => {
  const id = '"id": an id has 1 to 64 characters, all of them visible';
  const say = { type: "say", room: "lobby", text: "hi" };
  const hello = { type: "hello", v: 1 };
  const history = { type: "history", room: "lobby" };
  const table: [unknown, string][] = [
    ["", "a frame is a JSON object"],
    ["hello", "a frame is a JSON object"],
    ['{"type":"ping"', "a frame is a JSON object"],
    ["[]", "a frame is a JSON object"],
    ["null", "a frame is a JSON object"],
    ['"ping"', "a frame is a JSON object"],
    ["7", "a frame is a JSON object"],
    [{}, '"type": it is missing'],
    [{ type: null }, '"type": it is not a string'],
    [{ type: ["ping"] }, '"type": it is not a string'],
    [{ type: "help" }, '"type": there is no frame of this type'],
    [{ type: "welcome" }, '"type": there is no frame of this type'],
    [{ type: "__proto__" }, '"type": there is no frame of this type'],
    [{ type: "constructor" }, '"type": there is no frame of this type'],
    [{ type: "say", text: "hi" }, '"room": it is missing'],
    [{ ...say, room: 7 }, '"room": it is not a string'],
    [{ ...say, room: null }, '"room": it is not a string'],
    [{ ...say, text: undefined }, '"text": it is missing'],
    [{ ...say, text: ["hi"] }, '"text": it is not a string'],
    [{ ...say, text: "" }, '"text": a message is not blank'],
    [{ ...say, text: " \t\u3000" }, '"text": a message is not blank'],
    [{ ...say, text: "\x1b\u202e" }, '"text": a message is not blank'],
    [{ ...say, text: "a\nb" }, '"text": a message is one line'],
    [{ ...say, text: "a\r" }, '"text": a message is one line'],
    [{ ...say, text: "\u2028a" }, '"text": a message is one line'],
    [{ ...say, text: "a\u2029b" }, '"text": a message is one line'],
    [{ ...say, action: 1 }, '"action": it is not true or false'],
    [{ ...say, id: 7 }, '"id": it is not a string'],
    [{ ...say, id: null }, '"id": it is not a string'],
    [{ ...say, id: "" }, id],
    [{ ...say, id: "x".repeat(65) }, id],
    [{ ...say, id: "a\tb" }, id],
    [{ ...say, id: "a\x9b" }, id],
    [{ ...say, id: "a\u202e" }, id],
    [{ ...say, id: "a\u2028" }, id],
    [{ ...say, id: "a\ud83d" }, id],
    [{ type: "tell", text: "hi" }, '"to": it is missing'],
    [{ type: "tell", to: "bob" }, '"text": it is missing'],
    [{ type: "reply", text: "hi" }, '"to": it is missing'],
    [
      { type: "tell", to: "bob", text: "a\nb" },
      '"text": a message is one line',
    ],
    [{ type: "join" }, '"room": it is missing'],
    [{ type: "leave" }, '"room": it is missing'],
    [{ type: "who" }, '"room": it is missing'],
    [{ type: "nick" }, '"name": it is missing'],
    [{ type: "nick", name: {} }, '"name": it is not a string'],
    [{ type: "history" }, '"room": it is missing'],
    [{ ...history, before: -1 }, '"before": it is less than 0'],
    [{ ...history, before: 1.5 }, '"before": it is not a whole number'],
    [{ ...history, before: 2 ** 53 }, '"before": it is not a whole number'],
    [{ ...history, before: "1" }, '"before": it is not a number'],
    [
      '{"type":"history","room":"lobby","before":1e400}',
      '"before": it is not a whole number',
    ],
    [{ ...history, limit: 0 }, '"limit": it is less than 1'],
    [{ ...history, limit: 1001 }, '"limit": it is more than 1000'],
    [{ type: "hello" }, '"v": it is missing'],
    [{ type: "hello", v: 2 }, '"v": the version here is 1'],
    [{ type: "hello", v: "1" }, '"v": the version here is 1'],
    [{ ...hello, name: 7 }, '"name": it is not a string'],
    [{ ...hello, session: 7 }, '"session": it is not a string'],
    [
      { ...hello, session: SESSION.slice(1) },
      '"session": it is not 32 hexadecimal digits',
    ],
    [
      { ...hello, session: `${SESSION}0` },
      '"session": it is not 32 hexadecimal digits',
    ],
    [
      { ...hello, session: SESSION.replace("0", "g") },
      '"session": it is not 32 hexadecimal digits',
    ],
    [{ ...hello, since: 7 }, '"since": it is not an object'],
    [{ ...hello, since: [1] }, '"since": it is not an object'],
    [{ ...hello, since: null }, '"since": it is not an object'],
    [{ ...hello, since: { dev: "7" } }, '"since.dev": it is not an object'],
    [{ ...hello, since: { dev: -7 } }, '"since.dev": it is less than 0'],
    [{ ...hello, since: { dev: {} } }, '"since.dev.seq": it is missing'],
    [
      { ...hello, since: { dev: { seq: 1, log: 2 } } },
      '"since.dev.log": it is not a string',
    ],
    [
      { ...hello, since: { ["x".repeat(99)]: -1 } },
      `"since.${"x".repeat(74)}": it is less than 0`,
    ],
    [
      { ...hello, since: { "d\x1be\ud83dv": -1 } },
      '"since.de\ufffdv": it is less than 0',
    ],
  ];
  for (const [frame, reason] of table) {
    assertEquals(fault(frame), reason, JSON.stringify(frame));
  }
});

Deno.test("parse() refuses by the id of the frame, if that is a good one", () => {
  const ref = (frame: unknown) => {
    const refusal = parse(JSON.stringify(frame));
    assert(refusal.type === "refused");
    return refusal.ref;
  };
  assertEquals(ref({ type: "say", id: "7" }), "7");
  assertEquals(ref({ type: "frobnicate", id: "7" }), "7");
  assertEquals(ref({ id: "7" }), "7");
  assertEquals(ref({ type: "say", id: 7 }), "");
  assertEquals(ref({ type: "say", id: "x".repeat(65) }), "");
  assertEquals(ref({ type: "say", id: "\x1b" }), "");
  assertEquals(ref({ type: "say" }), "");
  assertEquals(ref([{ id: "7" }]), "");
});

Deno.test("parse() removes what escapes bring back, and halves of characters", () => {
  assertEquals(
    parse(
      String
        .raw`{"type":"say","room":"lo\u0000bby","text":"\u001b[31mred\u202e\ud83d\u0000!\ttab\ud83d\ude00"}`,
    ),
    {
      type: "say",
      room: "lobby",
      text: "[31mred\ufffd!\ttab😀",
      action: false,
      ref: "",
    },
  );
  assertEquals(
    parse(
      String
        .raw`{"type":"hello","v":1,"name":"a\u0007l","since":{"d\u009bev":{"log":"\ufeff9f","seq":1}}}`,
    ),
    { type: "hello", name: "al", since: { dev: { log: "9f", seq: 1 } } },
  );
});

/** Frames of the types and fields of `samples`, whole or in parts, or with values that do not belong there. */
function distorted(samples: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const value = fc.oneof(
    ANYTHING,
    fc.jsonValue(),
    fc.constantFrom(1e308, -1, 0.5, {}, [], null),
  );
  return fc.oneof(
    fc.tuple(samples, fc.dictionary(ANYTHING, value)).map(([frame, more]) =>
      JSON.stringify({ ...JSON.parse(frame), ...more })
    ),
    fc.tuple(samples, fc.nat(), value).map(([frame, at, value]) => {
      const fields = Object.entries<unknown>(JSON.parse(frame));
      fields[at % fields.length]![1] = value;
      return JSON.stringify(Object.fromEntries(fields));
    }),
    fc.tuple(samples, fc.nat(), ANYTHING).map(([frame, at, text]) => {
      at %= frame.length;
      return frame.slice(0, at) + text + frame.slice(at + text.length);
    }),
    // Every string is anything.
    fc.tuple(samples, ANYTHING).map(([frame, text]) =>
      JSON.stringify(
        JSON.parse(
          frame,
          (key, value) =>
            typeof value === "string" && key !== "type" && key !== "id" &&
              key !== "session" && key !== "time"
              ? value + text
              : value,
        ),
      )
    ),
    fc.json(),
    ANYTHING,
  );
}

Deno.test("parse() never throws, and nothing that it gives can steer a terminal", () => {
  const frames = fc.oneof(...Object.values<fc.Arbitrary<Sayable>>(REQUESTS))
    .map((request) => frameOf(write(request)));
  const seen = new Set<string>();
  fc.assert(
    fc.property(distorted(frames), (line) => {
      const request = parse(line);
      seen.add(request.type);
      assertPlain(request);
      if ("text" in request && request.type !== "topic") {
        assert(request.text?.trim() !== "");
      }
      if (isHello(line) && request.type !== "refused") {
        assert(request.type === "hello" || "password" in request);
      }
    }),
    { numRuns: 3000 },
  );
  assertEquals([...seen].sort(), [...Object.keys(REQUESTS), "refused"].sort());
});

Deno.test("read() throws nothing but SyntaxError, and nothing that it gives can steer a terminal", () => {
  const frames = fc.oneof(...Object.values<fc.Arbitrary<ChatEvent>>(EVENTS))
    .map((event) => frameOf(render(event)));
  const seen = new Set<string>();
  fc.assert(
    fc.property(distorted(frames), (line) => {
      try {
        const event = read(line);
        if (event) seen.add(event.type);
        assertPlain(event);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        assertPlain(error.message);
      }
    }),
    { numRuns: 3000 },
  );
  assertEquals([...seen].sort(), Object.keys(EVENTS).sort());
});

Deno.test("parse() keeps __proto__ and the like as the names of rooms, and nothing else", () => {
  const hello = parse(
    '{"type":"hello","v":1,"__proto__":{"name":"eve"},"since":{"__proto__":{"seq":1,"log":"x"},"constructor":2,"toString":3,"prototype":4}}',
  );
  assert(hello.type === "hello");
  assertEquals(hello.name, undefined);
  const { since = {} } = hello;
  assertEquals(Object.entries(since), [
    ["__proto__", { seq: 1, log: "x" }],
    ["constructor", { seq: 2 }],
    ["toString", { seq: 3 }],
    ["prototype", { seq: 4 }],
  ]);
  assertEquals(since["hasOwnProperty"], undefined);
  assertEquals(since["seq"], undefined);
  assert(!("seq" in {}) && !("name" in {}));
  assertEquals(
    fault('{"__proto__":{"type":"ping"}}'),
    '"type": it is missing',
  );
});

Deno.test("parse() takes the last of fields that come twice, as isHello() does", () => {
  const hello = '{"type":"ping","type":"hello","v":1}';
  assertEquals([isHello(hello), parse(hello).type], [true, "hello"]);
  const ping = '{"type":"hello","type":"ping","v":1}';
  assertEquals([isHello(ping), parse(ping).type], [false, "ping"]);
});

Deno.test("parse() and isHello() stand the deepest frames that fit into a line", () => {
  const object = "a frame is a JSON object";
  assertEquals(fault("[".repeat(8192)), object);
  assertEquals(fault("[".repeat(4096) + "]".repeat(4096)), object);
  assertEquals(fault('{"a":'.repeat(1638)), object);
  const deep = `${"[".repeat(4000)}${"]".repeat(4000)}`;
  assertEquals(
    fault(`{"type":"say","room":"a","text":${deep}}`),
    '"text": it is not a string',
  );
  assertEquals(
    fault(`{"type":"hello","v":1,"since":{"a":${deep}}}`),
    '"since.a.seq": it is missing',
  );
  assertEquals(
    parse(`{"type":"ping","x":${deep}}`),
    { type: "ping", ref: "" },
  );
  assertEquals(isHello(`{"x":${deep},"type":"hello"}`), true);
  assertEquals(isHello('{"a":'.repeat(1638)), false);
});

Deno.test("isHello() tells a hello, good or bad, from what somebody says", () => {
  for (
    const line of [
      '{"type":"hello","v":1}',
      ' { "v" : 2 , "type" : "hello" }',
      String.raw`{"type":"h\u0065llo"}`,
      // Cut off; the secret in it is not for everybody.
      '{"type":"hello","session":"0123',
      '{ "type" : "hello"',
      // Before the hello; neither is a password.
      '{"type":"login","name":"ann","password":"0123"}',
      '{"type":"register","password":"0123',
      '{"type":"password"}',
    ]
  ) assertEquals(isHello(line), true, line);
  for (
    const line of [
      "",
      "hello",
      "{",
      '{"type":"say","text":"hello"}',
      '{"text":{"type":"hello"}}',
      '[{"type":"hello"}]',
      '"hello"',
      'I say {"type":"hello"}',
    ]
  ) assertEquals(isHello(line), false, line);
});

Deno.test("read() passes over what only newer servers say", () => {
  assertEquals(read('{"type":"typing","room":"lobby","name":"x"}'), undefined);
  assertEquals(read('{"type":"constructor"}'), undefined);
  assertEquals(
    read('{"type":"bye","reason":"you quit","until":{"a":[]}}'),
    { type: "bye", reason: "you quit" },
  );
  for (const code of ["too-quiet", "constructor", ""]) {
    assertEquals(
      read(
        JSON.stringify({ type: "error", code, message: "speak up", id: "7" }),
      ),
      { type: "refused", code: "usage", reason: "speak up", ref: "7" },
    );
  }
});

Deno.test("read() says which field of a known frame is bad", () => {
  const message = {
    type: "message",
    room: "lobby",
    seq: 1,
    time: "2026-01-02T03:04:05.678Z",
    from: "bob",
    text: "hi",
  };
  const state = { room: "lobby", log: "9f", seq: 1, count: 1 };
  const welcome = { type: "welcome", v: 1, name: "al", server: "s", rooms: [] };
  const history = { ...message, type: "history", messages: [message] };
  const joined = { type: "joined", room: "lobby", name: "al" };
  const table: [unknown, string][] = [
    ["-- welcome", "a frame is a JSON object"],
    [[message], "a frame is a JSON object"],
    [{ room: "lobby" }, '"type": it is missing'],
    [{ ...message, seq: "1" }, '"seq": it is not a number'],
    [{ ...message, seq: -1 }, '"seq": it is less than 0'],
    [{ ...message, time: 1 }, '"time": it is not a string'],
    [{ ...message, time: "1" }, '"time": it is no time'],
    [{ ...message, time: "yesterday" }, '"time": it is no time'],
    [{ ...message, time: "2026-02-39T00:00:00Z" }, '"time": it is no time'],
    [{ ...message, time: "2026-13-01T00:00:00Z" }, '"time": it is no time'],
    [{ ...message, time: "2026-01-02T03:04:05+05" }, '"time": it is no time'],
    [{ ...message, from: null }, '"from": it is not a string'],
    [{ ...message, action: "true" }, '"action": it is not true or false'],
    [{ ...welcome, v: 2 }, '"v": the version here is 1'],
    [{ ...welcome, rooms: {} }, '"rooms": it is not a list'],
    [{ ...welcome, rooms: [7] }, '"rooms.0": it is not an object'],
    [{ ...welcome, motd: "Be kind." }, '"motd": it is not a list'],
    [{ ...welcome, motd: ["", 7] }, '"motd.1": it is not a string'],
    [
      { ...welcome, rooms: [state, { ...state, log: 7 }] },
      '"rooms.1.log": it is not a string',
    ],
    [
      { ...welcome, rooms: [{ ...state, members: ["al", 7] }] },
      '"rooms.0.members.1": it is not a string',
    ],
    [{ ...joined, log: "9f", count: 1 }, '"seq": it is missing'],
    [{ ...joined, name: 7 }, '"name": it is not a string'],
    [
      { ...history, messages: [message, { ...message, text: 7 }] },
      '"messages.1.text": it is not a string',
    ],
    [{ ...history, total: 0.5 }, '"total": it is not a whole number'],
    [{ ...history, more: 1 }, '"more": it is not true or false'],
    [{ type: "ack", id: "7", seq: null }, '"seq": it is not a number'],
    [{ type: "gap", room: "lobby", from: 1 }, '"to": it is missing'],
    [{ type: "anew", room: "lobby" }, '"log": it is missing'],
    [{ type: "bye" }, '"reason": it is missing'],
    [{ type: "error", message: "x" }, '"code": it is missing'],
    [{ type: "error", code: "usage" }, '"message": it is missing'],
    [{ type: "told", from: "a", to: "b", text: "c" }, '"time": it is missing'],
    [{ type: "left", room: "lobby" }, '"name": it is missing'],
    [{ type: "renamed", room: "a", from: "b" }, '"to": it is missing'],
    [
      { type: "rooms", count: 1, rooms: [{ room: "a" }] },
      '"rooms.0.count": it is missing',
    ],
    [{ type: "members", room: "a", count: 1 }, '"members": it is missing'],
  ];
  for (const [frame, reason] of table) {
    const line = typeof frame === "string" ? frame : JSON.stringify(frame);
    const error = assertThrows(() => read(line), SyntaxError);
    assertEquals(error.message, reason, line);
  }
});
