import { graphemes, InputLine } from "../lib/client/input_line.ts";
import { KeyReader } from "../lib/client/keys.ts";
import { assertEquals } from "./assert.ts";

/** What stands in the line after these keys, with `|` where the cursor is. */
function typed(input: string): string {
  const line = new InputLine();
  for (const key of new KeyReader().push(input)) line.apply(key);
  return `${line.before.join("")}|${line.after.join("")}`;
}

const LEFT = "\x1b[D",
  RIGHT = "\x1b[C",
  HOME = "\x01",
  END = "\x05",
  BACK = "\x7f",
  DEL = "\x1b[3~";

Deno.test("InputLine puts what is typed where the cursor is", () => {
  assertEquals(typed("abc"), "abc|");
  assertEquals(typed(`ac${LEFT}b`), "ab|c");
  assertEquals(typed(`bc${HOME}a${END}d`), "abcd|");
  assertEquals(typed(`a${LEFT}${LEFT}${RIGHT}${RIGHT}b`), "ab|");
});

Deno.test("InputLine erases characters, words, and all before or after the cursor", () => {
  assertEquals(typed(`abc${BACK}`), "ab|");
  assertEquals(typed(`abc${HOME}${BACK}`), "|abc");
  assertEquals(typed(`abc${LEFT}${LEFT}${DEL}`), "a|c");
  assertEquals(typed(`abc${DEL}`), "abc|");
  assertEquals(typed(`abc${HOME}\x04`), "|bc");
  assertEquals(typed("one two  \x17"), "one |");
  assertEquals(typed("one\x17\x17"), "|");
  assertEquals(typed(`abc${LEFT}\x15`), "|c");
  assertEquals(typed(`abc${LEFT}${LEFT}\x0b`), "a|");
});

Deno.test("InputLine moves over and erases whole characters, as a reader sees them", () => {
  const family = "👨‍👩‍👧";
  assertEquals(typed(`x${family}y${LEFT}${BACK}`), "x|y");
  assertEquals(typed(`e\u0301${LEFT}`), "|e\u0301");
  assertEquals(typed(`日本${LEFT}語`), "日語|本");
});

Deno.test("InputLine joins what is typed to the character before it", () => {
  assertEquals(typed(`👨${LEFT}${RIGHT}\u200d👩${BACK}`), "|");
  assertEquals(typed(`ae${LEFT}\u0301${BACK}`), "|e");
});

Deno.test("InputLine.take() gives the text, and empties the line", () => {
  const line = new InputLine();
  line.apply({ text: "a\nb" });
  assertEquals(line.take(), "a\nb");
  assertEquals([line.text, line.before, line.after], ["", [], []]);
});

Deno.test("graphemes() cuts text into the characters that a reader sees", () => {
  assertEquals(graphemes("e\u0301👨‍👩‍👧日"), ["e\u0301", "👨‍👩‍👧", "日"]);
});
