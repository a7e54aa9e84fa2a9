import { type Key, KeyReader } from "../lib/client/keys.ts";
import { assertEquals } from "./assert.ts";

const read = (...inputs: string[]): Key[] => {
  const reader = new KeyReader();
  return inputs.flatMap((input) => reader.push(input));
};

Deno.test("KeyReader knows the keys of the terminals in use", () => {
  const keys: Record<string, string[]> = {
    enter: ["\r", "\n"],
    backspace: ["\x7f", "\b"],
    delete: ["\x1b[3~"],
    left: ["\x1b[D", "\x1bOD", "\x02"],
    right: ["\x1b[C", "\x1bOC", "\x06"],
    home: ["\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~", "\x01"],
    end: ["\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~", "\x05"],
    "erase-before": ["\x15"],
    "erase-after": ["\x0b"],
    "erase-word": ["\x17"],
    redraw: ["\x0c"],
    interrupt: ["\x03"],
    "end-of-input": ["\x04"],
  };
  for (const [name, sequences] of Object.entries(keys)) {
    for (const sequence of sequences) {
      assertEquals<unknown>(
        read(sequence),
        [{ name }],
        JSON.stringify(sequence),
      );
      assertEquals<unknown>(
        read(...sequence),
        [{ name }],
        JSON.stringify(sequence),
      );
    }
  }
});

Deno.test("KeyReader gives text as it is typed, and keys in between", () => {
  assertEquals(read("héllo😀\x1b[D!\r"), [
    { text: "héllo😀" },
    { name: "left" },
    { text: "!" },
    { name: "enter" },
  ]);
});

Deno.test("KeyReader leaves out what it does not know, and nothing else", () => {
  assertEquals(read("a\x1b[1;5Cb\x1b[24~c\x1bxd\x00e\x1b[é"), [
    { text: "a" },
    { text: "b" },
    { text: "c" },
    { text: "d" },
    { text: "e" },
    { text: "[é" },
  ]);
});

Deno.test("KeyReader gives the key that is pressed after Escape", () => {
  assertEquals(read("\x1b\x03"), [{ name: "interrupt" }]);
  assertEquals(read("\x1b", "\r"), [{ name: "enter" }]);
  assertEquals(read("\x1b\x1b[D"), [{ name: "left" }]);
});

Deno.test("KeyReader gives a paste as one text, with its ends of lines, in however many pieces it comes", () => {
  const paste = "x\x1b[200~one\r\ntwo\rthree\n\x1b]0;t\x07\tend\x1b[201~\r";
  const expected: Key[] = [{ text: "x" }, {
    text: "one\ntwo\nthree\n]0;t\tend",
  }, { name: "enter" }];
  assertEquals(read(paste), expected);
  assertEquals(read(...paste), expected);
});

Deno.test("KeyReader gives up a paste without end at Ctrl-C, and keeps what came of it", () => {
  assertEquals(read("\x1b[200~one\n", "two", "\x03"), [{ text: "one\ntwo" }, {
    name: "interrupt",
  }]);
});
