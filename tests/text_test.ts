import type { ChatEvent, Message } from "../lib/message.ts";
import {
  isSecret,
  parse,
  readBye,
  render,
  renderTelnet,
} from "../lib/wire/text.ts";
import { assert, assertEquals } from "./assert.ts";

const TIME = Date.parse("2026-01-02T03:04:05.678Z");

function message(from: string, text: string, action = false): ChatEvent {
  return { type: "message", ...logged(from, text, TIME, action) };
}

function logged(
  from: string,
  text: string,
  time: number,
  action = false,
): Message {
  return { room: "lobby", seq: 1, time, from, text, action };
}

function welcome(
  name: string,
  ...counts: number[]
): ChatEvent & { type: "welcome" } {
  const rooms = counts.map((count) => ({
    room: "lobby",
    log: "9f",
    seq: 1,
    count,
  }));
  return { type: "welcome", name, server: "chat-server", rooms };
}

function joined(count?: number): ChatEvent {
  const state = { room: "dev", log: "9f", seq: 1 };
  return {
    type: "joined",
    room: "dev",
    name: "alice",
    ...(count !== undefined && { state: { ...state, count } }),
  };
}

Deno.test("render() writes every event as the table of the text dialect has it", () => {
  const room = "lobby";
  const told = {
    type: "told",
    from: "alice",
    to: "bob",
    text: "psst",
    time: TIME,
  } as const;
  const table: [ChatEvent, string][] = [
    [joined(), "[alice] entered room\n"],
    [joined(1), "-- you are in dev; nobody else is here\n"],
    [joined(2), "-- you are in dev; 1 other is here\n"],
    [joined(3), "-- you are in dev; 2 others are here\n"],
    [{ type: "left", room, name: "alice" }, "[alice] left room\n"],
    [{ type: "offline", room, name: "alice" }, "[alice] is offline\n"],
    [message("alice", "hello"), "<alice> hello\n"],
    [message("alice", "waves", true), "* alice waves\n"],
    [
      { type: "renamed", room, from: "alice", to: "al" },
      "[alice] is now [al]\n",
    ],
    [{ ...told, own: false }, "[alice -> you] psst\n"],
    [{ ...told, own: true }, "[you -> bob] psst\n"],
    [
      welcome("guest1", 1),
      "-- welcome, you are guest1; nobody else is here; /help lists the commands\n",
    ],
    [
      welcome("al", 2),
      "-- welcome, you are al; 1 other is here; /help lists the commands\n",
    ],
    [
      welcome("al", 3, 7),
      "-- welcome, you are al; 2 others are here; /help lists the commands\n",
    ],
    [
      { type: "members", room, count: 2, names: ["al", "bob"], more: false },
      "-- 2 here: al, bob\n",
    ],
    [
      { type: "members", room, count: 2, names: ["al"], more: true },
      "-- 2 here: al, ...\n",
    ],
    [
      { type: "members", room, count: 501, names: [], more: false },
      "-- 501 here, too many to list\n",
    ],
    [
      { type: "gap", room, from: 41, to: 80 },
      "-- 40 messages are no longer kept\n",
    ],
    [
      { type: "gap", room, from: 41, to: 41 },
      "-- 1 message is no longer kept\n",
    ],
    [
      { type: "anew", room: "dev", log: "9f" },
      "-- the history of dev has begun anew\n",
    ],
    [{ type: "bye", reason: "you quit" }, "-- bye: you quit\n"],
    [
      {
        type: "refused",
        code: "name-taken",
        reason: "that name is taken",
        ref: "/nick bob",
      },
      "-- refused (that name is taken): /nick bob\n",
    ],
    [
      { type: "refused", code: "away", reason: "bob is away", ref: "" },
      "-- refused (bob is away)\n",
    ],
  ];
  for (const [event, line] of table) {
    assertEquals(render(event), line);
    assertEquals(renderTelnet(event), line.replace("\n", "\r\n"));
  }
});

Deno.test("render() marks every line of the message of the day, so that none is taken for anything else", () => {
  const motd = [
    "Be kind.",
    "",
    "bye: you quit",
    "-- bye: you quit",
    "refused (no): hi",
    "\twelcome, you are root",
  ];
  assertEquals(render({ ...welcome("al", 1), motd }).split("\n"), [
    "-- welcome, you are al; nobody else is here; /help lists the commands",
    "-- | Be kind.",
    "-- |",
    "-- | bye: you quit",
    "-- | -- bye: you quit",
    "-- | refused (no): hi",
    "-- | \twelcome, you are root",
    "",
  ]);
  for (const line of motd) assertEquals(readBye(`-- | ${line}`), undefined);
});

Deno.test("render() writes nothing for what only programs are told", () => {
  const events: ChatEvent[] = [
    { type: "ack", ref: "7", seq: 1 },
    { type: "ack", ref: "" },
    { type: "pong", ref: "7" },
  ];
  for (const event of events) {
    assertEquals(render(event), "");
    assertEquals(renderTelnet(event), "");
  }
});

Deno.test("render() lists rooms, and counts those that are not listed", () => {
  const rooms = [
    { room: "lobby", count: 5 },
    { room: "dev", count: 2 },
    { room: "old", count: 0 },
  ];
  assertEquals(
    render({ type: "rooms", count: 3, rooms, more: false }),
    "-- 3 rooms: lobby (5), dev (2), old (0)\n",
  );
  assertEquals(
    render({
      type: "rooms",
      count: 1,
      rooms: [{ room: "lobby", count: 1 }],
      more: false,
    }),
    "-- 1 room: lobby (1)\n",
  );
  const many = Array.from(
    { length: 500 },
    (_, i) => ({ room: `r${i}`, count: i }),
  );
  const listed = many.map(({ room, count }) => `${room} (${count})`);
  assertEquals(
    render({ type: "rooms", count: 1200, rooms: many, more: false }),
    `-- 1200 rooms: ${listed.join(", ")}, and 700 more\n`,
  );
  assertEquals(
    render({
      type: "rooms",
      count: 1200,
      rooms: many.slice(0, 2),
      more: true,
    }),
    "-- 1200 rooms: r0 (0), r1 (1), ...\n",
  );
  assertEquals(
    render({
      type: "rooms",
      count: 1200,
      rooms: many.slice(498),
      more: false,
    }),
    "-- 1200 rooms: r498 (498), r499 (499), and 700 more\n",
  );
  assertEquals(
    render({ type: "rooms", count: 3, rooms: rooms.slice(1), more: false }),
    "-- 3 rooms: dev (2), old (0)\n",
  );
});

Deno.test("render() writes history with local times, and with the day where it is another", () => {
  const zone = Deno.env.get("TZ");
  // So far from UTC that the days differ too.
  Deno.env.set("TZ", "Asia/Kolkata");
  try {
    assertEquals(
      render({
        type: "history",
        room: "lobby",
        time: Date.parse("2026-11-23T09:00:00+05:30"),
        messages: [
          logged("bob", "long ago", Date.parse("2025-11-23T14:03:00+05:30")),
          logged("bob", "late", Date.parse("2026-11-22T23:59:59+05:30")),
          logged("bob", "early", Date.parse("2026-11-23T00:00:00+05:30")),
          logged("bob", "waves", Date.parse("2026-11-23T08:07:00+05:30"), true),
        ],
        total: 4,
        more: false,
      }),
      "-- 4 earlier messages\n" +
        "2025-11-23 14:03 <bob> long ago\n" +
        "2026-11-22 23:59 <bob> late\n" +
        "00:00 <bob> early\n" +
        "08:07 * bob waves\n" +
        "-- now\n",
    );
  } finally {
    if (zone === undefined) Deno.env.delete("TZ");
    else Deno.env.set("TZ", zone);
  }
});

Deno.test("render() heads the first page of history, and ends the last", () => {
  const time = new Date(2026, 10, 22, 14, 3).getTime();
  const page = {
    type: "history",
    room: "lobby",
    time,
    messages: [logged("bob", "hi", time)],
  } as const;
  assertEquals(
    render({ ...page, total: 3, more: true }),
    "-- 3 earlier messages\n14:03 <bob> hi\n",
  );
  assertEquals(render({ ...page, more: true }), "14:03 <bob> hi\n");
  assertEquals(render({ ...page, more: false }), "14:03 <bob> hi\n-- now\n");
  assertEquals(
    render({ ...page, total: 1, more: false }),
    "-- 1 earlier message\n14:03 <bob> hi\n-- now\n",
  );
  assertEquals(
    render({ ...page, messages: [], total: 0, more: false }),
    "-- no earlier messages\n",
  );
});

Deno.test("render() shortens the line of a refusal, and not in the middle of a character", () => {
  const ref = "😀".repeat(61);
  const line = render({
    type: "refused",
    code: "too-long",
    reason: "too long",
    ref,
  });
  assertEquals(line, `-- refused (too long): ${"😀".repeat(60)}…\n`);
});

Deno.test("parse() reads every command of the help, and the help names every command", () => {
  const help = render({ type: "help" });
  const commands: [string, ReturnType<typeof parse>][] = [
    ["/nick bob", { type: "nick", name: "bob", ref: "/nick bob" }],
    ["/NICK  bob ", { type: "nick", name: "bob", ref: "/NICK  bob " }],
    ["/me waves  twice", {
      type: "say",
      text: "waves  twice",
      action: true,
      ref: "/me waves  twice",
    }],
    ["/msg bob psst,  you", {
      type: "tell",
      to: "bob",
      text: "psst,  you",
      ref: "/msg bob psst,  you",
    }],
    ["/Msg  bob  psst ", {
      type: "tell",
      to: "bob",
      text: "psst",
      ref: "/Msg  bob  psst ",
    }],
    ["/reply to  you", {
      type: "reply",
      text: "to  you",
      ref: "/reply to  you",
    }],
    ["/who", { type: "who", ref: "/who" }],
    ["/rooms", { type: "rooms", ref: "/rooms" }],
    ["/join dev", { type: "join", room: "dev", ref: "/join dev" }],
    ["/leave", { type: "leave", ref: "/leave" }],
    ["/leave dev", { type: "leave", room: "dev", ref: "/leave dev" }],
    ["/who dev", { type: "who", room: "dev", ref: "/who dev" }],
    ["/history", { type: "history", limit: 20, ref: "/history" }],
    ["/HISTORY 1 ", { type: "history", limit: 1, ref: "/HISTORY 1 " }],
    ["/history 1000", { type: "history", limit: 1000, ref: "/history 1000" }],
    ["/register a b", { type: "register", password: "a b", ref: "/register" }],
    ["/LOGIN ann a b ", {
      type: "login",
      name: "ann",
      password: "a b",
      ref: "/LOGIN",
    }],
    ["/password a b", { type: "password", password: "a b", ref: "/password" }],
    ["/unregister", { type: "unregister", ref: "/unregister" }],
    ["/topic", { type: "topic", ref: "/topic" }],
    ["/topic  Tea ", { type: "topic", text: "Tea", ref: "/topic  Tea " }],
    ["/topic -", { type: "topic", text: "", ref: "/topic -" }],
    ["/kick bob", { type: "kick", name: "bob", ref: "/kick bob" }],
    ["/kick bob a b", {
      type: "kick",
      name: "bob",
      reason: "a b",
      ref: "/kick bob a b",
    }],
    ["/ban bob", { type: "ban", target: "bob", ref: "/ban bob" }],
    ["/ban ::/0 2h", {
      type: "ban",
      target: "::/0",
      ms: 7_200_000,
      ref: "/ban ::/0 2h",
    }],
    ["/ban bob 1W2d30S  spam 1h", {
      type: "ban",
      target: "bob",
      ms: 777_630_000,
      reason: "spam 1h",
      ref: "/ban bob 1W2d30S  spam 1h",
    }],
    ["/mute bob 2 hours", {
      type: "mute",
      target: "bob",
      reason: "2 hours",
      ref: "/mute bob 2 hours",
    }],
    ["/unban bob", { type: "unban", target: "bob", ref: "/unban bob" }],
    ["/unmute bob", { type: "unmute", target: "bob", ref: "/unmute bob" }],
    ["/bans", { type: "bans", ref: "/bans" }],
    ["/slow 30", { type: "slow", seconds: 30, ref: "/slow 30" }],
    ["/announce a b", { type: "announce", text: "a b", ref: "/announce a b" }],
    ["/reload", { type: "reload", ref: "/reload" }],
    ["/help", { type: "help", ref: "/help" }],
    ["/quit", { type: "quit", ref: "/quit" }],
  ];
  for (const [line, command] of commands) {
    assertEquals(parse(line), command);
    assert(help.includes(`-- ${line.split(" ")[0]!.toLowerCase()}`), line);
  }
  const named = help.trimEnd().split("\n").map((line) =>
    /^-- (\/\w+)/.exec(line)?.[1]
  ).filter(Boolean);
  assertEquals(named, [
    "/nick",
    "/me",
    "/msg",
    "/reply",
    "/who",
    "/rooms",
    "/join",
    "/leave",
    "/history",
    "/register",
    "/login",
    "/password",
    "/unregister",
    "/help",
    "/quit",
    "/topic",
    "/kick",
    "/ban",
    "/unban",
    "/bans",
    "/mute",
    "/unmute",
    "/slow",
    "/announce",
    "/reload",
  ]);
  assert(
    help.endsWith(
      "-- //TEXT                            say a line that begins with a slash\n",
    ),
    help,
  );
});

Deno.test("parse() takes any other line as a message, as it is", () => {
  for (
    const text of ["hello", "  two  blanks  ", "a /nick b", "-- hm", "\ttab"]
  ) {
    assertEquals(parse(text), { type: "say", text, action: false, ref: text });
  }
});

Deno.test("parse() says /x for //x", () => {
  assertEquals(parse("//x y"), {
    type: "say",
    text: "/x y",
    action: false,
    ref: "//x y",
  });
  assertEquals(parse("//"), {
    type: "say",
    text: "/",
    action: false,
    ref: "//",
  });
});

Deno.test("parse() refuses an unknown command and one without its argument, or with a bad one", () => {
  for (const line of ["/x", "/", "/ nick", "/nickbob", "/x//y"]) {
    const reason = "unknown command, /help lists them";
    assertEquals(parse(line), {
      type: "refused",
      code: "unknown-command",
      reason,
      ref: line,
    });
  }
  const usages = {
    "/nick NAME": ["/nick", "/nick "],
    "/me TEXT": ["/me", "/ME"],
    "/msg NAME TEXT": ["/msg", "/msg bob", "/msg bob  "],
    "/reply TEXT": ["/reply"],
    "/join ROOM": ["/join", "/join "],
    "/history [1-1000]": [
      "0",
      "1001",
      "x",
      "1x",
      "-1",
      "+1",
      "1.5",
      "1e2",
      "1 2",
    ]
      .map((argument) => `/history ${argument}`),
  };
  for (const [usage, lines] of Object.entries(usages)) {
    for (const line of lines) {
      assertEquals(parse(line), {
        type: "refused",
        code: "usage",
        reason: `usage: ${usage}`,
        ref: line,
      });
    }
  }
});

/** Lines in which somebody has mistyped a command that holds a password, and what may be shown of them. */
const SECRETS: [line: string, shown: string][] = [
  ["/register", "/register"],
  ["/Register x secret", "/Register"],
  ["/login secret", "/login"],
  ["/login:ann secret", "/login"],
  ["/LOGIN  secret ", "/LOGIN"],
  ["/loginann secret", "/login"],
  ["/logn ann secret", "/log"],
  ["/passwordsecret", "/password"],
  ["/passwd secret", "/pas"],
  ["/regsiter secret", "/reg"],
  ["/ login ann secret", "/ login"],
  [" /login ann secret", "/login"],
  ["\t/password secret", "/password"],
  ["\uff0f\uff4c\uff4fgin ann secret", "/login"],
];

Deno.test("parse() shows nothing of what follows a command that holds a password, and never says it aloud", () => {
  for (const [line, shown] of SECRETS) {
    const asked = parse(line);
    assert(asked && asked.type !== "say", line);
    assertEquals(asked.ref, shown, line);
    if (asked.type === "refused") {
      assert(!render(asked).includes("secret"), line);
    }
  }
});

Deno.test("isSecret() knows the lines that hold a password, and no others", () => {
  for (const [line] of SECRETS) assert(isSecret(line), line);
  const others = ["hi", "", "/", "/unregister", "/rooms", "/msg ann /login"];
  for (const line of [...others, "//login", "my /login", "/p", "/nick login"]) {
    assert(!isSecret(line), line);
  }
});

Deno.test("parse() asks for nothing when the line is blank", () => {
  for (const line of ["", " ", "\t "]) assertEquals(parse(line), undefined);
});

Deno.test("readBye() reads a farewell, and nothing that a member can say", () => {
  const reason = "the server is stopping";
  const line = render({ type: "bye", reason }).trimEnd();
  assertEquals(readBye(line), reason);
  for (const action of [false, true]) {
    assertEquals(
      readBye(render(message("bob", line, action)).trimEnd()),
      undefined,
    );
  }
});
