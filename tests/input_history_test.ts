import { InputHistory } from "../lib/client/input_history.ts";
import { assertEquals } from "./assert.ts";

function historyOf(...lines: string[]): InputHistory {
  const history = new InputHistory();
  for (const line of lines) history.add(line);
  return history;
}

Deno.test("InputHistory goes from line to line, and stops at both ends", () => {
  const history = historyOf("one", "two");
  assertEquals(history.newer("draft"), undefined);
  assertEquals(history.older("draft"), "two");
  assertEquals(history.older("two"), "one");
  assertEquals(history.older("one"), undefined);
  assertEquals(history.newer("one"), "two");
  assertEquals(history.newer("two"), "draft");
  assertEquals(history.newer("draft"), undefined);
});

Deno.test("InputHistory has nothing before anything was sent", () => {
  const history = new InputHistory();
  assertEquals(history.older("draft"), undefined);
  assertEquals(history.newer("draft"), undefined);
  assertEquals(history.find("d"), undefined);
});

Deno.test("InputHistory keeps what has become of a line, until something is sent", () => {
  const history = historyOf("one", "two");
  history.older("");
  assertEquals(history.older("two, changed"), "one");
  assertEquals(history.newer(""), "two, changed");
  assertEquals(history.older("two, changed"), "");
  history.add("two, changed");
  assertEquals(history.older(""), "two, changed");
  assertEquals(history.older("two, changed"), "two");
  assertEquals(history.older("two"), "one");
});

Deno.test("InputHistory has a line once that is sent several times in a row", () => {
  const history = historyOf("one", "two", "two", "one");
  assertEquals(history.older(""), "one");
  assertEquals(history.older("one"), "two");
  assertEquals(history.older("two"), "one");
  assertEquals(history.older("one"), undefined);
});

Deno.test("InputHistory.add() goes back behind the last line, also with a line that is there already", () => {
  const history = historyOf("one", "two");
  history.older("");
  history.older("two");
  history.add("two");
  assertEquals(history.older(""), "two");
});

Deno.test("InputHistory.leave() goes back behind the last line, and gives up what was typed", () => {
  const history = historyOf("one", "two");
  history.older("draft");
  history.older("two, changed");
  history.leave();
  assertEquals(history.newer(""), undefined);
  assertEquals(history.older(""), "two");
  assertEquals(history.newer("two"), "");
});

Deno.test("InputHistory.go() goes to any line, and keeps what was typed", () => {
  const history = historyOf("one", "two", "three");
  assertEquals(history.go(0, "draft"), "one");
  assertEquals(history.older("one"), undefined);
  assertEquals(history.newer("one"), "two");
  assertEquals(history.go(3, "two"), "draft");
  assertEquals(history.go(4, "draft"), undefined);
  assertEquals(history.go(-1, "draft"), undefined);
});

Deno.test("InputHistory remembers the last thousand lines", () => {
  const history = new InputHistory();
  for (let i = 0; i <= 1000; i++) history.add(`line ${i}`);
  let [line, count] = ["", 0];
  for (;;) {
    const older = history.older(line);
    if (older === undefined) break;
    [line, count] = [older, count + 1];
  }
  assertEquals([line, count], ["line 1", 1000]);
});

Deno.test("InputHistory.find() gives the latest line that has something in it, cut behind that", () => {
  const history = historyOf("say hi to bob", "bob is here", "hi");
  assertEquals(history.find("bob"), {
    before: "bob",
    after: " is here",
    older: 1,
  });
  assertEquals(history.find("bob", 1), {
    before: "say hi to bob",
    after: "",
    older: 0,
  });
  assertEquals(history.find("bob", 0), undefined);
  assertEquals(history.find("carol"), undefined);
});

Deno.test("InputHistory.find() heeds no case, and takes every sign for itself", () => {
  const history = historyOf("İİ Über (a+b)*");
  const found = (part: string) => history.find(part)?.before;
  assertEquals(found("über"), "İİ Über");
  assertEquals(found("(A+B)"), "İİ Über (a+b)");
  assertEquals(found("."), undefined);
});

Deno.test("InputHistory.find() finds nothing for nothing", () => {
  assertEquals(historyOf("one").find(""), undefined);
});

Deno.test("InputHistory.find() finds lines as they were sent", () => {
  const history = historyOf("one");
  history.older("draft");
  history.newer("changed");
  assertEquals(history.find("changed"), undefined);
  assertEquals(history.find("draft"), undefined);
  assertEquals(history.find("one")?.older, 0);
});
