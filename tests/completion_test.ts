import { complete, type Known } from "../lib/client/completion.ts";
import { USAGES } from "../lib/wire/text.ts";
import { assertEquals } from "./assert.ts";

const KNOWN: Known = {
  commands: [
    ...USAGES,
    { name: "clear", help: "" },
    { name: "ignore", argument: "NAME", help: "" },
  ],
  people: ["alice", "al", "Bob", "straße"],
  rooms: ["lobby", "dev", "Design"],
};

/** What the line becomes, for each thing that is offered. */
function offered(line: string, known: Partial<Known> = {}): string[] {
  const { start, candidates } = complete(line, { ...KNOWN, ...known });
  return candidates.map((candidate) => line.slice(0, start) + candidate);
}

Deno.test("complete() offers names at the start of a line, with a colon", () => {
  assertEquals(offered("a"), ["alice: ", "al: "]);
  assertEquals(offered("al"), ["alice: ", "al: "]);
  assertEquals(offered("ali"), ["alice: "]);
  assertEquals(offered("zoe"), []);
  assertEquals(offered(""), ["alice: ", "al: ", "Bob: ", "straße: "]);
});

Deno.test("complete() offers names within a line, with a blank, once one is begun", () => {
  assertEquals(offered("hi a"), ["hi alice ", "hi al "]);
  assertEquals(offered(" b"), [" Bob "]);
  assertEquals(offered("hi "), []);
  assertEquals(offered("hi all, b"), ["hi all, Bob "]);
});

Deno.test("complete() heeds neither case nor compatibility forms", () => {
  assertEquals(offered("AL"), ["alice: ", "al: "]);
  assertEquals(offered("ａＬ"), ["alice: ", "al: "]);
  assertEquals(offered("bo"), ["Bob: "]);
  assertEquals(offered("STRASSE"), ["straße: "]);
  assertEquals(offered("hi STRASS"), ["hi straße "]);
});

Deno.test("complete() offers each name once, most likely first", () => {
  const people = ["bob", "ann", "bob", "al"];
  assertEquals(offered("", { people }), ["bob: ", "ann: ", "al: "]);
});

Deno.test("complete() offers people where a command is about one", () => {
  assertEquals(offered("/kick b"), ["/kick Bob "]);
  assertEquals(offered("/ban b"), ["/ban Bob "]);
  assertEquals(offered("/slow b"), []);
});

Deno.test("complete() offers commands, with a blank where an argument may follow", () => {
  assertEquals(offered("/r"), ["/reply ", "/rooms", "/register ", "/reload"]);
  assertEquals(offered("/WHO"), ["/who "]);
  assertEquals(offered("/cl"), ["/clear"]);
  assertEquals(offered("/").length, KNOWN.commands.length);
  assertEquals(offered("/zz"), []);
});

Deno.test("complete() offers no command where a line only begins with slashes", () => {
  assertEquals(offered("//w"), []);
  assertEquals(offered("/etc/w"), []);
  assertEquals(offered("hi /w"), []);
});

Deno.test("complete() offers rooms where a command wants one", () => {
  assertEquals(offered("/join "), ["/join lobby", "/join dev", "/join Design"]);
  assertEquals(offered("/join de"), ["/join dev", "/join Design"]);
  assertEquals(offered("/LEAVE  DEV"), ["/LEAVE  dev"]);
  assertEquals(offered("/who l"), ["/who lobby"]);
});

Deno.test("complete() offers names where a command wants one, or a text", () => {
  assertEquals(offered("/msg "), [
    "/msg alice ",
    "/msg al ",
    "/msg Bob ",
    "/msg straße ",
  ]);
  assertEquals(offered("/Msg b"), ["/Msg Bob "]);
  assertEquals(offered("/me b"), ["/me Bob "]);
  assertEquals(offered("/ignore b"), ["/ignore Bob "]);
  assertEquals(offered("/msg Bob ask al"), [
    "/msg Bob ask alice ",
    "/msg Bob ask al ",
  ]);
  assertEquals(offered("/msg Bob "), []);
});

Deno.test("complete() offers nobody where a command wants something else, or nothing", () => {
  assertEquals(offered("/history a"), []);
  assertEquals(offered("/rooms "), []);
});

Deno.test("complete() offers names behind a command that it does not know", () => {
  assertEquals(offered("/poke b"), ["/poke Bob "]);
});

Deno.test("complete() completes the last line of a paste", () => {
  assertEquals(offered("hi\nb"), ["hi\nBob: "]);
  assertEquals(offered("hi\n/wh"), ["hi\n/who "]);
  assertEquals(offered("/join\nde"), []);
});
