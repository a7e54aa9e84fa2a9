/** What typed lines do, and what is shown of what arrives, without a terminal or a server. */

import { Talk, type Talkable } from "../lib/client/talk.ts";
import type { ChatEvent, Message } from "../lib/message.ts";
import { assertEquals, assertMatch } from "./assert.ts";

/** A link that writes down what it is asked for. */
class Notepad implements Talkable {
  name = "ann";
  rooms = ["lobby"];
  isConnected = true;
  unacknowledged = 0;
  free = 3;
  readonly asked: unknown[] = [];
  joining: string | undefined;

  find(room: string): string | undefined {
    return this.rooms.find((name) => name === room.toLowerCase());
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

/** ann, who is in the lobby and in dev, and in the latter now. */
function inDev(): { link: Notepad; talk: Talk } {
  const link = new Notepad();
  const talk = new Talk(link);
  talk.obey("/join Dev");
  link.asked.pop();
  link.rooms.push("dev");
  assertEquals(
    show(talk, { type: "joined", room: "dev", name: "ann", state }),
    ["-- you are in dev; 2 others are here"],
  );
  return { link, talk };
}

function show(talk: Talk, event: ChatEvent): string[] {
  return talk.show({ event, show: [event] });
}

function said(room: string, text: string): ChatEvent & Message {
  const time = 0;
  return {
    type: "message",
    room,
    seq: 1,
    time,
    from: "bob",
    text,
    action: false,
  };
}

function told(from: string): ChatEvent {
  return { type: "told", from, to: "ann", text: "psst", time: 0, own: false };
}

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
  for (const line of lines) {
    assertEquals(talk.obey(line), { show: [], quits: false });
  }
  const room = "dev";
  assertEquals(link.asked, [
    ["say", "hi", { room, action: false, label: "hi" }],
    ["say", "/hi", { room, action: false, label: "//hi" }],
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

Deno.test("Talk.obey() says nothing in the old room after /join or /leave, however fast it is typed", () => {
  const { link, talk } = inDev();
  const say = (room: string) => [
    "say",
    "hi",
    { room, action: false, label: "hi" },
  ];
  const join = (room: string) => ({ type: "join", room, ref: `/join ${room}` });
  for (const line of ["/join New", "hi", "/join two", "hi"]) {
    assertEquals(talk.obey(line).show, []);
  }
  assertEquals(talk.obey("/leave Two").show, ["-- you are in lobby"]);
  talk.obey("hi");
  assertEquals(link.asked.splice(0), [
    join("New"),
    say("New"),
    join("two"),
    say("two"),
    { type: "leave", room: "Two", ref: "/leave Two" },
    say("lobby"),
  ]);
});

Deno.test("Talk.show() stays where one wants to be until that is answered, and goes back if it is refused", () => {
  const { link, talk } = inDev();
  const refused = (room: string): ChatEvent => ({
    type: "refused",
    code: "too-many-rooms",
    reason: "there are 1000 rooms already",
    ref: `/join ${room}`,
  });
  talk.obey("/join new");
  link.joining = "new";
  assertEquals(show(talk, said("dev", "hi")), ["dev: <bob> hi"]);
  link.joining = undefined;
  assertEquals(show(talk, refused("new")), [
    "-- refused (there are 1000 rooms already): /join new",
    "-- you are in dev",
  ]);
  assertEquals(talk.room, "dev");
  // Another one that was asked for before does not matter any more.
  talk.obey("/join first");
  talk.obey("/join second");
  link.rooms.push("first");
  link.joining = "second";
  assertEquals(
    show(talk, {
      type: "joined",
      room: "first",
      name: "ann",
      state: { ...state, room: "first" },
    }),
    ["first: -- you are in first; 2 others are here"],
  );
  assertEquals(talk.room, "second");
});

Deno.test("Talk.obey() answers /help and wrong commands itself, and passes on the wish to quit", () => {
  const link = new Notepad();
  const talk = new Talk(link);
  assertMatch(talk.obey("/help").show.join("\n"), /^-- \/nick NAME /);
  assertEquals(talk.obey("/x").show, [
    "-- refused (unknown command, /help lists them): /x",
  ]);
  assertEquals(talk.obey("/quit"), { show: [], quits: true });
  assertEquals(link.asked, []);
});

Deno.test("Talk.obey() replies to whoever told something last, under the name that they had then", () => {
  const link = new Notepad();
  const talk = new Talk(link);
  assertEquals(talk.obey("/reply hi").show, [
    "-- refused (nobody has written to you): /reply hi",
  ]);
  show(talk, told("bob"));
  assertEquals(show(talk, told("cy")), ["[cy -> you] psst"]);
  show(talk, { type: "renamed", room: "lobby", from: "cy", to: "cyd" });
  talk.obey("/reply one");
  assertEquals(link.asked, [["reply", "cy", "one", "/reply one"]]);
});

Deno.test("Talk.obey() goes at once to a room that one is in already", () => {
  const { link, talk } = inDev();
  assertEquals(talk.obey("/join LOBBY").show, ["-- you are in lobby"]);
  assertEquals([talk.room, link.asked], ["lobby", []]);
});

Deno.test("Talk.show() puts the name of the room before what happens in another one", () => {
  const { talk } = inDev();
  const time = 0;
  const elsewhere: [ChatEvent, string][] = [
    [said("lobby", "hi"), "lobby: <bob> hi"],
    [{ type: "joined", room: "lobby", name: "cy" }, "lobby: [cy] entered room"],
    [{ type: "left", room: "lobby", name: "cy" }, "lobby: [cy] left room"],
    [{ type: "offline", room: "lobby", name: "cy" }, "[cy] is offline"],
    [
      { type: "gap", room: "lobby", from: 1, to: 2 },
      "lobby: -- 2 messages are no longer kept",
    ],
  ];
  for (const [event, line] of elsewhere) {
    assertEquals(show(talk, event), [line]);
  }
  assertEquals(show(talk, said("dev", "hi")), ["<bob> hi"]);
  assertEquals(
    show(talk, { type: "renamed", room: "lobby", from: "bob", to: "rob" }),
    ["[bob] is now [rob]"],
  );
  const messages = [said("lobby", "a")];
  const history: ChatEvent = {
    type: "history",
    room: "lobby",
    time,
    messages,
    total: messages.length,
    more: false,
  };
  assertEquals(
    show(talk, history).map((line) => line.replace(/\d\d:\d\d /, "")),
    ["lobby: -- 1 earlier message", "lobby: <bob> a", "lobby: -- now"],
  );
});

Deno.test("Talk.show() points things out, and shows nothing of what is not to be shown", () => {
  const talk = new Talk(new Notepad());
  assertEquals(talk.show({ show: [], notice: "connected again" }), [
    "-- connected again",
  ]);
  assertEquals(talk.show({ event: said("lobby", "hi"), show: [] }), []);
});

Deno.test("Talk.show() goes back to the lobby from a room that one is not in any more", () => {
  const { link, talk } = inDev();
  link.rooms = ["lobby"];
  const left = { type: "left", room: "dev", name: "ann" } as const;
  assertEquals(talk.show({ event: left, show: [] }), ["-- you are in lobby"]);
  assertEquals(show(talk, said("dev", "late")), ["dev: <bob> late"]);
});

Deno.test("Talk.obey() says without a connection what waits, and that the rest is not done", () => {
  const link = new Notepad();
  link.isConnected = false;
  const talk = new Talk(link);
  assertEquals(talk.obey("hi").show, ["-- not connected, 1 line waits"]);
  assertEquals(talk.obey("/msg bob x").show, [
    "-- not connected, 2 lines wait",
  ]);
  for (const line of ["/who", "/join dev"]) {
    assertEquals(talk.obey(line).show, [
      `-- refused (there is no connection): ${line}`,
    ]);
  }
  assertEquals(talk.room, "lobby");
});

Deno.test("Talk.fault() says why lines cannot be sent, and takes them all or none", () => {
  const link = new Notepad();
  const talk = new Talk(link);
  assertEquals(
    talk.fault(["a", "/me b", "/msg c d", "/who", "", "/x"]),
    undefined,
  );
  assertEquals(
    talk.fault(["a", "b", "c", "d"]),
    "not more than 1000 lines at once",
  );
  link.unacknowledged = 998;
  link.free = 2;
  assertEquals(talk.fault(["a", "b", "/reply c"]), "998 lines wait already");
  for (
    const command of ["", "/me ", "/reply ", "/msg bob ", "/nick ", "/join "]
  ) {
    assertEquals(
      talk.fault(["a", command + "x".repeat(8192)]),
      "too long to be sent",
    );
  }
});
