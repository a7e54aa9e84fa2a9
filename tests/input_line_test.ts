import fc from "fast-check";
import { graphemes, InputLine } from "../lib/client/input_line.ts";
import { type KeyName, KeyReader } from "../lib/client/keys.ts";
import { assertEquals } from "./assert.ts";

/** Has somebody type; what is between braces is pasted. */
function type(line: InputLine, input: string): void {
  const reader = new KeyReader();
  for (const [, pasted, key, typed] of input.matchAll(PRESSED)) {
    const text = pasted ? `\x1b[200~${pasted}\x1b[201~` : key ?? typed ?? "";
    for (const key of reader.push(text)) line.apply(key);
  }
}

/** `{what is pasted}`, an escape sequence, or one character. */
// deno-lint-ignore no-control-regex
const PRESSED = /\{([^}]*)\}|(\x1b(?:\[[0-9;]*.|.))|(.)/gsu;

/** What stands in a line, with `|` where the cursor is. */
function shown({ before, after }: InputLine): string {
  return `${before.join("")}|${after.join("")}`;
}

/** What stands in the line after these keys. */
function typed(input: string): string {
  const line = new InputLine();
  type(line, input);
  return shown(line);
}

const LEFT = "\x1b[D",
  RIGHT = "\x1b[C",
  HOME = "\x01",
  END = "\x05",
  BACK = "\x7f",
  DEL = "\x1b[3~",
  WORD_LEFT = "\x1bb",
  WORD_RIGHT = "\x1bf",
  UNDO = "\x1f",
  YANK = "\x19",
  TRANSPOSE = "\x14",
  ERASE_BEFORE = "\x15",
  ERASE_AFTER = "\x0b",
  ERASE_WORD = "\x17",
  ERASE_WORD_BEFORE = "\x1b\x7f",
  ERASE_WORD_AFTER = "\x1bd";

Deno.test("InputLine puts what is typed where the cursor is", () => {
  assertEquals(typed("abc"), "abc|");
  assertEquals(typed(`ac${LEFT}b`), "ab|c");
  assertEquals(typed(`bc${HOME}a${END}d`), "abcd|");
  assertEquals(typed(`a${LEFT}${LEFT}${RIGHT}b`), "ab|");
  assertEquals(typed(`a${RIGHT}${RIGHT}${LEFT}b`), "b|a");
});

Deno.test("InputLine moves by words of letters and digits", () => {
  const text = "don't stop, 4ever  ";
  assertEquals(typed(`${text}${WORD_LEFT}`), "don't stop, |4ever  ");
  assertEquals(typed(`${text}${WORD_LEFT.repeat(2)}`), "don't |stop, 4ever  ");
  assertEquals(typed(`${text}${WORD_LEFT.repeat(3)}`), "don'|t stop, 4ever  ");
  assertEquals(typed(`${text}${WORD_LEFT.repeat(9)}`), `|${text}`);
  assertEquals(typed(`${text}${HOME}${WORD_RIGHT}`), "don|'t stop, 4ever  ");
  assertEquals(
    typed(`${text}${HOME}${WORD_RIGHT.repeat(3)}`),
    "don't stop|, 4ever  ",
  );
  assertEquals(typed(`${text}${HOME}${WORD_RIGHT.repeat(9)}`), `${text}|`);
  assertEquals(typed(`hé wörld${WORD_LEFT}`), "hé |wörld");
});

Deno.test("InputLine erases characters", () => {
  assertEquals(typed(`abc${BACK}`), "ab|");
  assertEquals(typed(`abc${HOME}${BACK}`), "|abc");
  assertEquals(typed(`abc${LEFT}${LEFT}${DEL}`), "a|c");
  assertEquals(typed(`abc${DEL}`), "abc|");
  assertEquals(typed(`abc${HOME}\x04`), "|bc");
  assertEquals(typed(`abc${LEFT}${BACK}`), "a|c");
});

Deno.test("InputLine erases words, and all before or after the cursor", () => {
  assertEquals(typed(`abc${LEFT}${ERASE_BEFORE}`), "|c");
  assertEquals(typed(`abc${LEFT}${LEFT}${ERASE_AFTER}`), "a|");
  assertEquals(typed(`one two  ${ERASE_WORD}`), "one |");
  assertEquals(typed(`one${ERASE_WORD}${ERASE_WORD}`), "|");
  assertEquals(typed(`see https://a.b/c${ERASE_WORD}`), "see |");
  assertEquals(
    typed(`see https://a.b/c${ERASE_WORD_BEFORE}`),
    "see https://a.b/|",
  );
  assertEquals(typed(`one two${LEFT}${ERASE_WORD}`), "one |o");
  assertEquals(typed(`one, two${HOME}${ERASE_WORD_AFTER}`), "|, two");
  assertEquals(typed(`one, two${HOME}${ERASE_WORD_AFTER.repeat(2)}`), "|");
});

Deno.test("InputLine yanks what was erased last, as often as one likes", () => {
  assertEquals(typed(YANK), "|");
  assertEquals(typed(`one two${ERASE_WORD}${YANK}${YANK}`), "one twotwo|");
  assertEquals(typed(`ab${LEFT}${ERASE_AFTER}${HOME}${YANK}`), "b|a");
  assertEquals(typed(`one${ERASE_WORD}two${ERASE_WORD}${YANK}`), "two|");
  assertEquals(
    typed(`one${ERASE_BEFORE}x${HOME}${ERASE_BEFORE}${YANK}`),
    "one|x",
  );
});

Deno.test("InputLine yanks in their order what was erased one after the other", () => {
  assertEquals(
    typed(`one two three${ERASE_WORD.repeat(2)}${YANK}`),
    "one two three|",
  );
  assertEquals(
    typed(`one two${HOME}${ERASE_WORD_AFTER.repeat(2)}${YANK}`),
    "one two|",
  );
  assertEquals(
    typed(`one two${WORD_LEFT}${ERASE_BEFORE}${ERASE_AFTER}${YANK}`),
    "one two|",
  );
  assertEquals(
    typed(`one two${WORD_LEFT}${ERASE_AFTER}${ERASE_BEFORE}${YANK}`),
    "one two|",
  );
  assertEquals(
    typed(`one two${ERASE_WORD}${LEFT}${RIGHT}${ERASE_WORD}${YANK}`),
    "one |",
  );
});

Deno.test("InputLine does not yank single characters, nor forget for them what it would yank", () => {
  assertEquals(typed(`one two${ERASE_WORD}${BACK}${DEL}${YANK}`), "onetwo|");
});

Deno.test("InputLine yanks in a line what was erased in the one before", () => {
  const line = new InputLine();
  type(line, `one two${ERASE_WORD}`);
  line.take();
  type(line, YANK);
  assertEquals(shown(line), "two|");
});

Deno.test("InputLine begins to erase anew in another line", () => {
  const line = new InputLine();
  type(line, `one${ERASE_WORD}`);
  line.take();
  line.replace("two");
  type(line, `${ERASE_WORD}${YANK}`);
  assertEquals(shown(line), "two|");
});

Deno.test("InputLine exchanges the characters around the cursor, at the end the last two", () => {
  assertEquals(typed(`abc${TRANSPOSE}`), "acb|");
  assertEquals(typed(`abc${LEFT}${TRANSPOSE}`), "acb|");
  assertEquals(typed(`abc${HOME}${RIGHT}${TRANSPOSE}`), "ba|c");
  assertEquals(typed(`abc${HOME}${TRANSPOSE}`), "|abc");
  assertEquals(typed(`a${TRANSPOSE}`), "a|");
  assertEquals(typed(`a${HOME}${TRANSPOSE}`), "|a");
  assertEquals(typed(TRANSPOSE), "|");
  assertEquals(typed(`xe\u0301${TRANSPOSE}`), "e\u0301x|");
});

Deno.test("InputLine undoes a word at once, with the blank before it", () => {
  assertEquals(typed(`one two${UNDO}`), "one|");
  assertEquals(typed(`one two${UNDO}${UNDO}`), "|");
  assertEquals(typed(`one two${UNDO.repeat(9)}`), "|");
  assertEquals(typed(`a😀b${UNDO}`), "|");
  assertEquals(typed(`one${LEFT}two${UNDO}`), "on|e");
});

Deno.test("InputLine undoes each change, with the cursor where it was", () => {
  assertEquals(typed(`one two${ERASE_WORD}${UNDO}`), "one two|");
  assertEquals(typed(`one${BACK}${BACK}${UNDO}`), "on|");
  assertEquals(typed(`one${LEFT}${DEL}${HOME}${UNDO}`), "on|e");
  assertEquals(typed(`abc${LEFT}${TRANSPOSE}${UNDO}`), "ab|c");
  assertEquals(typed(`one${ERASE_BEFORE}${YANK}${YANK}${UNDO}`), "one|");
  assertEquals(typed(`x${ERASE_WORD}a${YANK}${UNDO}`), "a|");
});

Deno.test("InputLine undoes a paste apart from what was typed before and after it", () => {
  assertEquals(typed(`one{two}three${UNDO}`), "onetwo|");
  assertEquals(typed(`one{two}three${UNDO}${UNDO}`), "one|");
  assertEquals(typed(`one{a\nb c}${UNDO}`), "one|");
});

Deno.test("InputLine has nothing to undo where nothing was changed", () => {
  assertEquals(typed(`one${DEL}${YANK}${END}${UNDO}`), "|");
  assertEquals(typed(`one${HOME}${BACK}${ERASE_BEFORE}${UNDO}`), "|");
  const line = new InputLine();
  type(line, "one");
  line.replace("one");
  type(line, UNDO);
  assertEquals(shown(line), "|");
});

Deno.test("InputLine goes on typing a word of its own after an undo", () => {
  assertEquals(typed(`one two${UNDO}s${UNDO}`), "one|");
});

Deno.test("InputLine undoes a hundred changes, and no more", () => {
  const line = new InputLine();
  for (let i = 0; i <= 100; i++) line.replace(String(i));
  type(line, UNDO.repeat(99));
  assertEquals(shown(line), "1|");
  type(line, UNDO.repeat(9));
  assertEquals(shown(line), "0|");
});

Deno.test("InputLine.replace() puts the cursor behind what it is to be behind, and can be undone", () => {
  const line = new InputLine();
  type(line, "one");
  line.replace("fo", "ur");
  assertEquals(shown(line), "fo|ur");
  type(line, UNDO);
  assertEquals(shown(line), "one|");
  line.replace("o", "ne");
  assertEquals(shown(line), "o|ne");
});

Deno.test("InputLine.take() gives the text, and empties the line for good", () => {
  const line = new InputLine();
  type(line, "x{a\nb}");
  assertEquals(line.take(), "xa\nb");
  assertEquals([line.text, line.before, line.after], ["", [], []]);
  type(line, UNDO);
  assertEquals(shown(line), "|");
  type(line, "x");
  line.take();
  type(line, `y${UNDO}`);
  assertEquals(shown(line), "|");
});

Deno.test("InputLine leaves alone what does not edit", () => {
  const line = new InputLine();
  type(line, `ab${LEFT}`);
  line.apply({ room: 1 });
  line.apply({ row: 1, column: 1 });
  type(line, "\r\x07\x12\t");
  assertEquals(shown(line), "a|b");
});

Deno.test("InputLine moves over and erases whole characters, as a reader sees them", () => {
  const family = "👨‍👩‍👧";
  assertEquals(typed(`x{${family}}y${LEFT}${BACK}`), "x|y");
  assertEquals(typed(`e\u0301${LEFT}`), "|e\u0301");
  assertEquals(typed(`日本${LEFT}語`), "日語|本");
});

Deno.test("InputLine joins what is typed to the character before it", () => {
  assertEquals(typed(`👨${LEFT}${RIGHT}\u200d👩${BACK}`), "|");
  assertEquals(typed(`ae${LEFT}\u0301${BACK}`), "|e");
});

Deno.test("InputLine joins characters that meet where something between them was erased", () => {
  const line = new InputLine();
  type(line, `{e\n\u0301x}${LEFT}${LEFT}${BACK}`);
  assertEquals([line.before, line.after], [["e\u0301"], ["x"]]);
  assertEquals(typed(`🇩x🇪${LEFT}${BACK}`), "🇩🇪|");
});

const NAMES: KeyName[] = [
  "left",
  "right",
  "word-left",
  "word-right",
  "home",
  "end",
  "backspace",
  "delete",
  "erase-before",
  "erase-after",
  "erase-word",
  "erase-word-before",
  "erase-word-after",
  "yank",
  "transpose",
  "undo",
];
const KEY = fc.oneof(
  fc.constantFrom(...NAMES).map((name) => ({ name })),
  fc.constantFrom(
    "a",
    "B",
    "4",
    " ",
    ",",
    "e\u0301",
    "\u0301",
    "🇩",
    "🇪",
    "👨",
    "\u200d",
    "日",
    "a b\nc",
  ).map((text) => ({ text })),
);

Deno.test("InputLine has whole characters before and after the cursor, whatever is pressed", () => {
  fc.assert(fc.property(fc.array(KEY, { maxLength: 40 }), (keys) => {
    const line = new InputLine();
    for (const key of keys) {
      line.apply(key);
      const { before, after, text } = line;
      assertEquals([...before, ...after], graphemes(text));
    }
  }));
});

Deno.test("InputLine comes back to an empty line if all is undone", () => {
  fc.assert(fc.property(fc.array(KEY, { maxLength: 40 }), (keys) => {
    const line = new InputLine();
    for (const key of keys) line.apply(key);
    type(line, UNDO.repeat(keys.length));
    assertEquals(line.text, "");
  }));
});

Deno.test("graphemes() cuts text into the characters that a reader sees", () => {
  assertEquals(graphemes("e\u0301👨‍👩‍👧日"), ["e\u0301", "👨‍👩‍👧", "日"]);
});
