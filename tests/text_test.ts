import type { ChatEvent } from "../lib/message.ts";
import {
  parse,
  readBye,
  readRefusal,
  readRename,
  readWelcome,
  render,
  renderTelnet,
} from "../lib/wire/text.ts";
import { assert, assertEquals } from "./assert.ts";

Deno.test("render() writes every event as the table of the text dialect has it", () => {
  const table: [ChatEvent, string][] = [
    [{ type: "joined", name: "alice" }, "[alice] entered room\n"],
    [{ type: "offline", name: "alice" }, "[alice] is offline\n"],
    [
      { type: "message", from: "alice", text: "hello", action: false },
      "<alice> hello\n",
    ],
    [
      { type: "message", from: "alice", text: "waves", action: true },
      "* alice waves\n",
    ],
    [{ type: "renamed", from: "alice", to: "al" }, "[alice] is now [al]\n"],
    [
      { type: "welcome", name: "guest1", others: 0 },
      "-- welcome, you are guest1; nobody else is here; /help lists the commands\n",
    ],
    [
      { type: "welcome", name: "al", others: 1 },
      "-- welcome, you are al; 1 other is here; /help lists the commands\n",
    ],
    [
      { type: "welcome", name: "al", others: 2 },
      "-- welcome, you are al; 2 others are here; /help lists the commands\n",
    ],
    [
      { type: "members", count: 2, names: ["al", "bob"] },
      "-- 2 here: al, bob\n",
    ],
    [
      { type: "members", count: 501, names: [] },
      "-- 501 here, too many to list\n",
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
  ];
  for (const [event, line] of table) {
    assertEquals(render(event), line);
    assertEquals(renderTelnet(event), line.replace("\n", "\r\n"));
  }
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
    ["/who", { type: "who", ref: "/who" }],
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
  assertEquals(named, ["/nick", "/me", "/who", "/help", "/quit"]);
  assert(
    help.endsWith("-- //TEXT      say a line that begins with a slash\n"),
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

Deno.test("parse() refuses an unknown command and one without its argument", () => {
  for (const line of ["/x", "/", "/ nick", "/nickbob", "/x//y"]) {
    const reason = "unknown command, /help lists them";
    assertEquals(parse(line), {
      type: "refused",
      code: "unknown-command",
      reason,
      ref: line,
    });
  }
  assertEquals(parse("/nick "), {
    type: "refused",
    code: "usage",
    reason: "usage: /nick NAME",
    ref: "/nick ",
  });
  assertEquals(parse("/me"), {
    type: "refused",
    code: "usage",
    reason: "usage: /me TEXT",
    ref: "/me",
  });
});

Deno.test("parse() asks for nothing when the line is blank", () => {
  for (const line of ["", " ", "\t "]) assertEquals(parse(line), undefined);
});

Deno.test("readWelcome() and readRefusal() read what render() writes, and nothing that a member can say", () => {
  const name = "Ünal_.-9";
  assertEquals(
    readWelcome(render({ type: "welcome", name, others: 3 }).trimEnd()),
    name,
  );
  const refusal = { reason: "usage: /me TEXT", ref: "/me" };
  assertEquals(
    readRefusal(
      render({ type: "refused", code: "usage", ...refusal }).trimEnd(),
    ),
    refusal,
  );

  const text = "-- refused (x): y";
  for (const action of [false, true]) {
    const line = render({ type: "message", from: "bob", text, action })
      .trimEnd();
    assertEquals(readRefusal(line), undefined);
    assertEquals(readWelcome(line), undefined);
  }
});

Deno.test("readBye() tells a farewell in peace from another, and readRename() a rename from what somebody says", () => {
  assertEquals(readBye("-- bye: you quit"), {
    reason: "you quit",
    peaceful: true,
  });
  assertEquals(readBye("-- bye: end of input"), {
    reason: "end of input",
    peaceful: true,
  });
  assertEquals(readBye("-- bye: the server is stopping"), {
    reason: "the server is stopping",
    peaceful: false,
  });
  assertEquals(readBye("<bob> -- bye: you quit"), undefined);
  const line = render({ type: "renamed", from: "guest1", to: "Ünal.x" })
    .trimEnd();
  assertEquals(readRename(line), { from: "guest1", to: "Ünal.x" });
  assertEquals(readRename(`<bob> ${line}`), undefined);
});
