import { type Key, type KeyName, KeyReader } from "../lib/client/keys.ts";
import { assertEquals } from "./assert.ts";

const read = (...inputs: string[]): Key[] => {
  const reader = new KeyReader();
  return inputs.flatMap((input) => reader.push(input));
};

/** What xterm, rxvt, the Linux console, and Terminal and iTerm2 on macOS send. */
const SEQUENCES: Record<KeyName, string[]> = {
  "enter": ["\r", "\n"],
  "left": ["\x1b[D", "\x1bOD", "\x02"],
  "right": ["\x1b[C", "\x1bOC", "\x06"],
  "word-left": [
    "\x1bb",
    "\x1b[1;5D",
    "\x1b[1;3D",
    "\x1b[1;9D",
    "\x1b[5D",
    "\x1bOd",
  ],
  "word-right": [
    "\x1bf",
    "\x1b[1;5C",
    "\x1b[1;3C",
    "\x1b[1;9C",
    "\x1b[5C",
    "\x1bOc",
  ],
  "home": ["\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~", "\x01"],
  "end": ["\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~", "\x05"],
  "older": ["\x1b[A", "\x1bOA", "\x10"],
  "newer": ["\x1b[B", "\x1bOB", "\x0e"],
  "backspace": ["\x7f", "\b"],
  "delete": ["\x1b[3~"],
  "erase-before": ["\x15"],
  "erase-after": ["\x0b"],
  "erase-word": ["\x17"],
  "erase-word-before": ["\x1b\x7f", "\x1b\b"],
  "erase-word-after": ["\x1bd", "\x1b[3;5~", "\x1b[3;3~", "\x1b[3^"],
  "yank": ["\x19"],
  "transpose": ["\x14"],
  "undo": ["\x1f"],
  "search": ["\x12"],
  "cancel": ["\x07"],
  "complete": ["\t"],
  "complete-back": ["\x1b[Z", "\x1b\t"],
  "redraw": ["\x0c"],
  "suspend": ["\x1a"],
  "interrupt": ["\x03"],
  "end-of-input": ["\x04"],
};

Deno.test("KeyReader knows the keys of the terminals in use, in however many pieces they come", () => {
  for (const [name, sequences] of Object.entries(SEQUENCES)) {
    for (const sequence of sequences) {
      const quoted = JSON.stringify(sequence);
      assertEquals<unknown>(read(sequence), [{ name }], quoted);
      assertEquals<unknown>(read(...sequence), [{ name }], quoted);
    }
  }
});

Deno.test("KeyReader keeps keys apart that come at once", () => {
  const all = Object.entries(SEQUENCES).flatMap(([name, sequences]) =>
    sequences.map((sequence) => ({ name, sequence }))
  );
  assertEquals<unknown>(
    read(all.map(({ sequence }) => sequence).join("")),
    all.map(({ name }) => ({ name })),
  );
});

Deno.test("KeyReader gives the number of the room for Alt with a digit, but not for 0", () => {
  assertEquals(read("\x1b1\x1b9\x1b0"), [{ room: 1 }, { room: 9 }]);
  assertEquals(read("\x1b", "2"), [{ room: 2 }]);
});

Deno.test("KeyReader gives the place of the cursor, of which the terminal tells", () => {
  assertEquals(read("a\x1b[24;80Rb", "\x1b[1", "2;3", "R"), [
    { text: "a" },
    { row: 24, column: 80 },
    { text: "b" },
    { row: 12, column: 3 },
  ]);
});

Deno.test("KeyReader gives text as it is typed, and keys in between", () => {
  assertEquals(read("héllo😀\x1b[D!\r"), [
    { text: "héllo😀" },
    { name: "left" },
    { text: "!" },
    { name: "enter" },
  ]);
});

Deno.test("KeyReader takes no word for the name of a key", () => {
  for (const text of ["constructor", "__proto__", "toString", "left"]) {
    assertEquals(read(text), [{ text }]);
  }
});

Deno.test("KeyReader leaves out what it does not know, and nothing else", () => {
  assertEquals(read("a\x1b[1;6Pb\x1b[24~c\x1bxd\x00e\x1b[é\x1bOMf\x9bg"), [
    { text: "a" },
    { text: "b" },
    { text: "c" },
    { text: "d" },
    { text: "e" },
    { text: "[é" },
    { text: "f" },
    { text: "g" },
  ]);
});

Deno.test("KeyReader leaves out the function keys of the Linux console", () => {
  const keys = "\x1b[[Aa\x1b[[Eb";
  assertEquals(read(keys), [{ text: "a" }, { text: "b" }]);
  assertEquals(read(...keys), [{ text: "a" }, { text: "b" }]);
});

Deno.test("KeyReader leaves out of a text what could steer the terminal", () => {
  assertEquals(read("a\u202eb\u2028c"), [{ text: "abc" }]);
  assertEquals(read("\ufeff"), []);
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

Deno.test("KeyReader gives nothing for a paste of nothing", () => {
  assertEquals(read("\x1b[200~\x1b[201~\x1b[200~\x07\x1b[201~a"), [
    { text: "a" },
  ]);
});

Deno.test("KeyReader takes no key from a paste", () => {
  assertEquals(read("\x1b[200~\x03a\x1b[D\x1b[201~"), [{ text: "a[D" }]);
  assertEquals(read("\x1b[200~a", "\x03b", "\x1b[201~"), [{ text: "ab" }]);
});

Deno.test("KeyReader gives up a paste without end at Ctrl-C, and keeps what came of it", () => {
  assertEquals(read("\x1b[200~one\n", "two", "\x03", "x"), [
    { text: "one\ntwo" },
    { name: "interrupt" },
    { text: "x" },
  ]);
  assertEquals(read("\x1b[200~", "\x03"), [{ name: "interrupt" }]);
});
