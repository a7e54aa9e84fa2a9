/** What typed lines do, and what there is to show of what arrives, without a terminal or a server. */

import {
  ENTRY,
  type Item,
  mentions,
  Talk,
  type Talkable,
} from "../lib/client/talk.ts";
import type { Login } from "../lib/client/conversation.ts";
import type { ChatEvent, Message } from "../lib/message.ts";
import { render } from "../lib/wire/text.ts";
import { assert, assertEquals } from "./assert.ts";

/** A link that writes down what it is asked for. */
class Notepad implements Talkable {
  name = "ann";
  login: Login | undefined;
  rooms = ["lobby"];
  isText = false;
  isConnected = true;
  unacknowledged = 0;
  free = 3;
  readonly asked: unknown[] = [];
  joining: string | undefined;

  find(room: string): string | undefined {
    return this.rooms.find((name) => name === room.toLowerCase());
  }

  people(room: string): string[] {
    return room === "lobby" ? ["ann", "bob", "cyd"] : ["ann", "dan"];
  }

  isJoining(room: string): boolean {
    return room.toLowerCase() === this.joining;
  }

  say(...said: Parameters<Talkable["say"]>): string {
    this.unacknowledged++;
    this.asked.push(["say", ...said]);
    return "";
  }

  tell(...told: Parameters<Talkable["tell"]>): string {
    this.unacknowledged++;
    this.asked.push(["tell", ...told]);
    return "";
  }

  reply(...replied: Parameters<Talkable["reply"]>): string {
    this.unacknowledged++;
    this.asked.push(["reply", ...replied]);
    return "";
  }

  ask(request: Parameters<Talkable["ask"]>[0]): boolean {
    if (this.isConnected) this.asked.push(request);
    return this.isConnected;
  }
}

const state = { room: "dev", log: "a", seq: 0, count: 3, members: [] };

/** What is shown, as text. */
function text(items: readonly Item[]): string[] {
  return items.flatMap((item) => {
    switch (item.type) {
      case "note":
        return [`-- ${item.text}`];
      case "room":
        return [`to ${item.room}`];
      case "line":
        return [`${item.isOwn ? "> " : ""}${item.text}`];
      case "event":
        return render(item.event).split("\n").slice(0, -1);
    }
  });
}

/** ann, who is in the lobby and in dev, and in the latter now. */
function inDev(): { link: Notepad; talk: Talk } {
  const link = new Notepad();
  const talk = new Talk(link);
  talk.obey(["/join Dev"]);
  link.asked.pop();
  link.rooms.push("dev");
  assertEquals(
    show(talk, { type: "joined", room: "dev", name: "ann", state }),
    ["-- you are in dev; 2 others are here"],
  );
  return { link, talk };
}

function show(talk: Talk, event: ChatEvent): string[] {
  return text(talk.take({ event, show: [event] }));
}

/** What a line leads to, as text. */
function obey(talk: Talk, ...lines: string[]): string[] {
  return text(talk.obey(lines).items);
}

function said(
  room: string,
  text: string,
  fields: Partial<Message> = {},
): ChatEvent & Message {
  const from = "bob";
  const head = { type: "message" as const, room, seq: 1, time: 0, from };
  return { ...head, text, action: false, ...fields };
}

function told(from: string): ChatEvent {
  return { type: "told", from, to: "ann", text: "psst", time: 0, own: false };
}

const say = (text: string, room: string, label = text) => [
  "say",
  text,
  { room, action: false, label },
];

Deno.test("Talk.obey() says what is typed in the current room, and does what commands say there", () => {
  const lines = [
    "hi",
    "//hi",
    "/me waves",
    "/msg bob psst",
    "/nick al",
    "/rooms",
    "/who",
    "/who ops",
    "/leave ops",
    "/history 5",
    " ",
  ];
  const { link, talk } = inDev();
  for (const line of lines) assertEquals(talk.obey([line]), { items: [] });
  const room = "dev";
  assertEquals(link.asked, [
    say("hi", room),
    say("/hi", room, "//hi"),
    ["say", "waves", { room, action: true, label: "/me waves" }],
    ["tell", "bob", "psst", "/msg bob psst"],
    { type: "nick", name: "al", ref: "/nick al" },
    { type: "rooms", ref: "/rooms" },
    { type: "who", room, ref: "/who" },
    { type: "who", room: "ops", ref: "/who ops" },
    { type: "leave", room: "ops", ref: "/leave ops" },
    { type: "history", room, limit: 5, ref: "/history 5" },
  ]);
});

Deno.test("Talk.obey() says the lines of a paste as they are, also those that begin with a slash", () => {
  const { link, talk } = inDev();
  assertEquals(obey(talk, "one", "/quit", "//two"), []);
  assertEquals(link.asked, [
    say("one", "dev"),
    say("/quit", "dev", "//quit"),
    say("//two", "dev", "///two"),
  ]);
});

Deno.test("Talk.obey() says nothing in the old room after /join or /leave, however fast it is typed", () => {
  const { link, talk } = inDev();
  const join = (room: string) => ({ type: "join", room, ref: `/join ${room}` });
  for (const line of ["/join New", "hi", "/join two", "hi"]) {
    assertEquals(obey(talk, line), []);
  }
  assertEquals(obey(talk, "/leave Two"), ["to lobby"]);
  obey(talk, "hi");
  assertEquals(link.asked.splice(0), [
    join("New"),
    say("hi", "New"),
    join("two"),
    say("hi", "two"),
    { type: "leave", room: "Two", ref: "/leave Two" },
    say("hi", "lobby"),
  ]);
});

Deno.test("Talk.take() stays where one wants to be until that is answered, and goes back if it is refused", () => {
  const { link, talk } = inDev();
  const refused = (room: string): ChatEvent => ({
    type: "refused",
    code: "too-many-rooms",
    reason: "there are 1000 rooms already",
    ref: `/join ${room}`,
  });
  talk.obey(["/join new"]);
  link.joining = "new";
  assertEquals(show(talk, said("dev", "hi")), ["<bob> hi"]);
  assertEquals(talk.room, "new");
  link.joining = undefined;
  assertEquals(show(talk, refused("new")), [
    "-- refused (there are 1000 rooms already): /join new",
    "to dev",
  ]);
  assertEquals(talk.room, "dev");
  // Another one that was asked for before does not matter any more.
  talk.obey(["/join first"]);
  talk.obey(["/join second"]);
  link.rooms.push("first");
  link.joining = "second";
  const first = { ...state, room: "first" };
  assertEquals(
    show(talk, { type: "joined", room: "first", name: "ann", state: first }),
    ["-- you are in first; 2 others are here"],
  );
  assertEquals(talk.room, "second");
});

Deno.test("Talk.obey() answers /help and wrong commands itself, and passes on the wish to quit", () => {
  const link = new Notepad();
  const talk = new Talk(link);
  const help = obey(talk, "/help");
  const commands = help.map((line) => /^-- (\/\S+)/.exec(line)?.[1]);
  for (const command of ["/nick", "/quit", "/room", "/ignored", "//TEXT"]) {
    assert(commands.includes(command), command);
  }
  assertEquals(obey(talk, "/x"), [
    "-- refused (unknown command, /help lists them): /x",
  ]);
  assertEquals(talk.obey(["/quit"]), { items: [], wish: "quit" });
  assertEquals(talk.obey(["/CLEAR"]), { items: [], wish: "clear" });
  assertEquals(link.asked, []);
});

Deno.test("Talk.obey() replies to whoever told something last, under the name that they had then", () => {
  const link = new Notepad();
  const talk = new Talk(link);
  assertEquals(obey(talk, "/reply hi"), [
    "-- refused (nobody has written to you): /reply hi",
  ]);
  show(talk, told("bob"));
  assertEquals(show(talk, told("cy")), ["[cy -> you] psst"]);
  show(talk, { type: "renamed", room: "lobby", from: "cy", to: "cyd" });
  // Not to whom one has told something oneself.
  talk.take({ show: [{ ...told("ann"), own: true } as ChatEvent], own: true });
  obey(talk, "/reply one");
  assertEquals(link.asked, [["reply", "cy", "one", "/reply one"]]);
});

Deno.test("Talk.obey() goes at once to a room that one is in already", () => {
  const { link, talk } = inDev();
  assertEquals(obey(talk, "/join LOBBY"), ["to lobby"]);
  assertEquals([talk.room, link.asked], ["lobby", []]);
});

Deno.test("Talk.goTo() goes to a room that one is in, by its name or number", () => {
  const { link, talk } = inDev();
  link.rooms.push("2");
  assertEquals(obey(talk, "/room 1"), ["to lobby"]);
  assertEquals(talk.room, "lobby");
  assertEquals(obey(talk, "/room DEV"), ["to dev"]);
  // A room may be called a number: its name counts more.
  assertEquals(obey(talk, "/room 2"), ["to 2"]);
  for (const which of ["0", "4", "1000", "ops", "__proto__"]) {
    assertEquals(text(talk.goTo(which)), [
      `-- you are in no room ${which}; /room lists yours`,
    ]);
  }
  assertEquals(talk.room, "2");
  assertEquals(obey(talk, "/room"), ["-- your rooms: 1 lobby, 2 dev, 3 2"]);
});

Deno.test("Talk.take() says whether something is meant for one, and whether one has said it oneself", () => {
  const talk = new Talk(new Notepad());
  const kinds = (event: ChatEvent, own = false) =>
    talk.take({ event, show: [event], own }).map((item) =>
      item.type === "event" && [item.isOwn, item.calls]
    );
  assertEquals(kinds(said("lobby", "hi")), [[false, false]]);
  assertEquals(kinds(said("lobby", "hi ANN!")), [[false, true]]);
  assertEquals(kinds(said("lobby", "anna")), [[false, false]]);
  assertEquals(kinds(said("lobby", "I, ann"), true), [[true, false]]);
  assertEquals(kinds(told("bob")), [[false, true]]);
  assertEquals(kinds({ ...told("ann"), own: true } as ChatEvent, true), [
    [true, false],
  ]);
});

Deno.test("mentions() finds a name as a word of its own, in whichever case", () => {
  for (
    const [text, name, expected] of [
      ["ann", "ann", true],
      ["@Ann: hi", "ann", true],
      ["(ann)", "ann", true],
      ["ann's", "ann", true],
      ["anna", "ann", false],
      ["joann", "ann", false],
      ["ann_x", "ann", false],
      ["ann\u0301", "ann", false],
      ["日本語", "日本", false],
      ["a.b-c", "a.b", true],
      ["axb", "a.b", false],
      ["ÉMILE", "émile", true],
      ["", "", false],
      ["anything", "", false],
    ] as const
  ) {
    assertEquals(mentions(text, name), expected, `${name} in ${text}`);
  }
});

Deno.test("Talk shows nothing of those who are ignored, whatever they are called then", () => {
  const link = new Notepad();
  const talk = new Talk(link);
  assertEquals(obey(talk, "/ignored"), ["-- nobody is ignored"]);
  assertEquals(obey(talk, "/ignore Bob"), ["-- Bob is ignored"]);
  assertEquals(obey(talk, "/ignored"), ["-- ignored: Bob"]);
  assertEquals(obey(talk, "/ignore"), [
    "-- refused (usage: /ignore NAME): /ignore",
  ]);
  const room = "lobby";
  const joined: ChatEvent = { type: "joined", room, name: "bob" };
  const nothing: ChatEvent[] = [
    said(room, "hi"),
    told("bob"),
    joined,
    { type: "left", room, name: "bob" },
    { type: "offline", room, name: "bob" },
  ];
  for (const event of nothing) assertEquals(show(talk, event), [], event.type);
  const renamed = (from: string, to: string) =>
    show(talk, { type: "renamed", room, from, to });
  assertEquals(renamed("bob", "eve"), ["[bob] is now [eve]"]);
  renamed("eve", "rob");
  assertEquals(show(talk, said(room, "hi", { from: "rob" })), []);
  // Whoever else is called eve is not ignored, but bob still is.
  assertEquals(show(talk, said(room, "hi", { from: "eve" })), ["<eve> hi"]);
  assertEquals(show(talk, said(room, "hi", { from: "bob" })), []);
  assertEquals(obey(talk, "/ignored"), ["-- ignored: Bob"]);
  const messages = [said(room, "one"), said(room, "two", { from: "cyd" })];
  const history = { type: "history" as const, room, time: 0, total: 2 };
  assertEquals(
    show(talk, { ...history, messages, more: false })
      .map((line) => line.replace(/^\S+ (?=<)|^(\S+ ){2}(?=<)/, "")),
    ["-- 2 earlier messages", "<cyd> two", "-- now"],
  );
  assertEquals(obey(talk, "/reply x"), [
    "-- refused (nobody has written to you): /reply x",
  ]);
  assertEquals(talk.complete("r").candidates, []);
  assertEquals(talk.complete("/unignore b").candidates, ["Bob "]);
  assertEquals(obey(talk, "/unignore zed"), ["-- zed was not ignored"]);
  assertEquals(obey(talk, "/unignore ROB"), ["-- Bob is no longer ignored"]);
  for (const from of ["rob", "bob"]) {
    assertEquals(show(talk, said(room, "hi", { from })), [`<${from}> hi`]);
  }
});

Deno.test("Talk ignores somebody under another name only as long as they have it", () => {
  const talk = new Talk(new Notepad());
  const room = "lobby";
  obey(talk, "/ignore mallory");
  show(talk, { type: "renamed", room, from: "mallory", to: "bob" });
  assertEquals(show(talk, { type: "offline", room, name: "bob" }), []);
  assertEquals(show(talk, said(room, "it is me", { from: "bob" })), [
    "<bob> it is me",
  ]);
  assertEquals(show(talk, said(room, "hi", { from: "mallory" })), []);
});

Deno.test("Talk.ignore() takes one name, and not one's own", () => {
  const talk = new Talk(new Notepad());
  assertEquals(obey(talk, "/ignore Ann"), ["-- that is you"]);
  for (const name of ["bob carol", "!!!"]) {
    assertEquals(obey(talk, `/ignore ${name}`), [
      "-- a name has only letters, digits and _ - .",
    ]);
  }
  assertEquals(obey(talk, "/ignored"), ["-- nobody is ignored"]);
});

Deno.test("Talk has no command for the screen, and tells of no keys, where the terminal edits the line", () => {
  const talk = new Talk(new Notepad(), { plain: true });
  assertEquals(obey(talk, "/clear"), [
    "-- refused (unknown command, /help lists them): /clear",
  ]);
  const help = obey(talk, "/help");
  assert(!help.some((line) => /Ctrl|\/clear/.test(line)), help.join("\n"));
  assert(help.some((line) => line.startsWith("-- /ignored ")));
});

Deno.test("Talk is quiet about who comes and goes, if it is to be, and about nothing else", () => {
  const talk = new Talk(new Notepad(), { quiet: true });
  const room = "lobby";
  for (const type of ["joined", "left", "offline"] as const) {
    assertEquals(show(talk, { type, room, name: "bob" }), []);
  }
  assertEquals(
    show(talk, { type: "joined", room: "dev", name: "ann", state }),
    ["-- you are in dev; 2 others are here"],
  );
  assertEquals(
    show(talk, { type: "renamed", room, from: "bob", to: "rob" }),
    ["[bob] is now [rob]"],
  );
});

Deno.test("Talk.complete() offers those who have spoken last, then others who are here, and neither oneself", () => {
  const talk = new Talk(new Notepad());
  const people = () => talk.complete("").candidates;
  assertEquals(people(), ["bob: ", "cyd: "]);
  // zed has gone since.
  for (const from of ["bob", "zed", "cyd", "ann"]) {
    show(talk, said("lobby", "x", { from }));
  }
  show(talk, said("dev", "x", { from: "dan" }));
  assertEquals(people(), ["cyd: ", "bob: "]);
  show(talk, said("lobby", "x"));
  assertEquals(people(), ["bob: ", "cyd: "]);
});

Deno.test("Talk.complete() offers who has spoken where the server does not say who is there", () => {
  const link = new Notepad();
  link.people = () => [];
  const talk = new Talk(link);
  for (const from of ["cyd", "zed"]) show(talk, said("lobby", "x", { from }));
  assertEquals(talk.complete("").candidates, ["zed: ", "cyd: "]);
  show(talk, { type: "renamed", room: "lobby", from: "zed", to: "zoe" });
  assertEquals(talk.complete("").candidates, ["zoe: ", "cyd: "]);
  for (let i = 0; i < 60; i++) {
    show(talk, said("lobby", "x", { from: `n${i}` }));
  }
  assertEquals(talk.complete("").candidates.length, 50);
});

Deno.test("Talk.complete() asks for the rooms, and shows only the list that was asked for by the person", () => {
  const link = new Notepad();
  const talk = new Talk(link);
  const list = (more = false): ChatEvent => ({
    type: "rooms",
    count: 2,
    rooms: [{ room: "lobby", count: 1 }, { room: "ops", count: 2 }],
    more,
  });
  const asked = () =>
    link.asked.splice(0).map((request) => (request as { ref: string }).ref);
  assertEquals(talk.complete("/join o").candidates, []);
  // Once, until it is answered.
  talk.complete("/join o");
  assertEquals(asked(), [""]);
  obey(talk, "/rooms");
  assertEquals(asked(), ["/rooms"]);
  assertEquals([show(talk, list(true)), show(talk, list())], [[], []]);
  const shown = ["-- 2 rooms: lobby (1), ops (2)"];
  assertEquals(show(talk, list()), shown);
  // One that nobody has asked for.
  assertEquals(show(talk, list()), shown);
  assertEquals(talk.complete("/join o").candidates, ["ops"]);
  assertEquals(asked(), [""]);
  assertEquals(talk.complete("/room ").candidates, ["lobby"]);
  // The connection that it was asked for on is gone.
  show(talk, { type: "welcome", name: "ann", server: "", rooms: [] });
  assertEquals(show(talk, list()), shown);
  link.isConnected = false;
  talk.complete("/join o");
  obey(talk, "/rooms");
  assertEquals(asked(), []);
  // What could not be asked is not answered.
  link.isConnected = true;
  talk.complete("/join o");
  assertEquals([show(talk, list()), show(talk, list())], [[], shown]);
});

Deno.test("Talk.take() points things out, and shows nothing of what is not to be shown", () => {
  const talk = new Talk(new Notepad());
  assertEquals(text(talk.take({ show: [], notice: "connected again" })), [
    "-- connected again",
  ]);
  assertEquals(talk.take({ event: said("lobby", "hi"), show: [] }), []);
});

Deno.test("Talk.take() goes back to the lobby from a room that one is not in any more", () => {
  const { link, talk } = inDev();
  link.rooms = ["lobby"];
  const left = { type: "left", room: "dev", name: "ann" } as const;
  assertEquals(text(talk.take({ event: left, show: [] })), ["to lobby"]);
  assertEquals(talk.room, "lobby");
});

Deno.test("Talk.obey() waits for a connection with what is said, and does not do the rest without one", () => {
  const link = new Notepad();
  link.isConnected = false;
  const talk = new Talk(link);
  assertEquals(obey(talk, "hi"), []);
  assertEquals(obey(talk, "/msg bob x"), []);
  for (const line of ["/who", "/join dev"]) {
    assertEquals(obey(talk, line), [
      `-- refused (there is no connection): ${line}`,
    ]);
  }
  assertEquals(talk.room, "lobby");
});

Deno.test("Talk says lines as they are to a server of plain text, but does its own commands", () => {
  const link = new Notepad();
  link.isText = true;
  link.rooms = [];
  link.free = 20;
  const talk = new Talk(link);
  const shown = ["hi", "//x", "/nick al", "/me waves"].map((line) =>
    obey(talk, line)
  );
  assertEquals(shown, [["> hi"], ["> //x"], ["> /nick al"], ["> /me waves"]]);
  assertEquals(obey(talk, "/a", "b"), ["> /a", "> b"]);
  assertEquals(obey(talk, "/ignored"), ["-- nobody is ignored"]);
  const help = obey(talk, "/help");
  assertEquals(help[0], "> /help");
  assert(help.some((line) => line.startsWith("-- /ignore NAME ")));
  assert(!help.some((line) => line.startsWith("-- /nick")));
  assertEquals(talk.obey(["/quit"]), { items: [], wish: "quit" });
  assertEquals(
    link.asked,
    ["hi", "//x", "/nick al", "/me waves", "/a", "b", "/help"].map((
      line,
    ) => ["say", line]),
  );
  const lines = ["<bob> hi ann", "<bob> hi"].map((line) =>
    talk.take({ show: [], line })
  );
  assertEquals(lines, [
    [{ type: "line", text: "<bob> hi ann", isOwn: false, calls: true }],
    [{ type: "line", text: "<bob> hi", isOwn: false, calls: false }],
  ]);
  link.free = 1;
  assertEquals(talk.fault(["/a", "/b"]), "7 lines wait already");
});

Deno.test("Talk.fault() says why lines cannot be sent, and takes them all or none", () => {
  const link = new Notepad();
  const talk = new Talk(link);
  for (const line of ["a", "/me b", "/msg c d", "/who", "", "/x", "/room"]) {
    assertEquals(talk.fault([line]), undefined);
  }
  assertEquals(talk.fault(["a", "/b", ""]), undefined);
  assertEquals(
    talk.fault(["a", "/b", "c", "d"]),
    "not more than 1000 lines at once",
  );
  link.unacknowledged = 998;
  link.free = 0;
  assertEquals(talk.fault(["/reply c"]), "998 lines wait already");
  assertEquals(talk.fault(["/who"]), undefined);
  link.free = 2;
  for (
    const command of ["", "/me ", "/reply ", "/msg bob ", "/nick ", "/join "]
  ) {
    assertEquals(
      talk.fault([command + "x".repeat(8192)]),
      "too long to be sent",
    );
  }
  assertEquals(talk.fault(["a", "x".repeat(8192)]), "too long to be sent");
});

Deno.test("Talk refuses to say a password aloud: with a blank before the slash, or among several lines", () => {
  const talk = new Talk(new Notepad());
  assertEquals(
    talk.fault([" /login bob pw"]),
    "nothing stands before the slash of a command: it would be said aloud",
  );
  assertEquals(
    talk.fault(["hi", "/register pw"]),
    "several lines are text, and one of them would say a password aloud",
  );
  assertEquals(talk.fault(["/login bob pw"]), undefined);
  assertEquals(talk.fault(["//login bob pw"]), undefined);
});

Deno.test("Talk asks for a password that is lacking, and calls what is asked for by the command's word only", () => {
  const link = new Notepad();
  const talk = new Talk(link);
  const lacking: [string, unknown][] = [
    ["/login Bob ", { type: "login", name: "Bob", ref: "/login" }],
    ["/REGISTER", { type: "register", ref: "/REGISTER" }],
    ["/password", { type: "password", ref: "/password" }],
  ];
  for (const [line, secret] of lacking) {
    assertEquals(talk.obey([line]), { items: [], secret } as never);
  }
  talk.answer({ type: "login", name: "Bob", ref: "/login" }, " p w ");
  talk.obey(["/Login bob pw"]);
  assertEquals(link.asked, [
    { type: "login", name: "Bob", password: " p w ", ref: "/login" },
    { type: "login", name: "bob", password: "pw", ref: "/Login" },
  ]);
});

Deno.test("Talk shows no password that is said to a server of plain text", () => {
  const link = new Notepad();
  link.isText = true;
  const { items } = new Talk(link).obey(["/login bob pw"]);
  assertEquals(items, [
    { type: "line", text: "/login bob …", isOwn: true, calls: false },
  ]);
  assertEquals(link.asked, [
    ["say", "/login bob pw", { label: "/login bob …" }],
  ]);
});

Deno.test("Talk answers a question for the server's password only in plain text, at the connection that there is", () => {
  const link = new Notepad();
  const talk = new Talk(link);
  for (
    const [isText, isConnected] of [[false, true], [true, false], [true, true]]
  ) {
    Object.assign(link, { isText, isConnected });
    talk.answer(ENTRY, "sesame");
  }
  assertEquals(link.asked, [
    ["say", "sesame", { label: "the password", isSecret: true }],
  ]);
});
