/** What the screen writes, as a terminal shows it. */

import fc from "fast-check";
import { graphemes } from "../lib/client/input_line.ts";
import { type Draft, Screen, type Size } from "../lib/client/screen.ts";
import { assert, assertEquals } from "./assert.ts";
import { Glass } from "./glass.ts";

const PROMPT = "you> ";

const draft = (
  before: string,
  after = "",
  above: readonly string[] = [],
): Draft => ({
  above: above.map((text) => ({ text })),
  prompt: PROMPT,
  before: graphemes(before),
  after: graphemes(after),
});

Deno.test("Screen.print() prints rows above an input of three rows, wherever the cursor is", async () => {
  const text = "abcdefghijklmnopqrstuvwxyz0123456789";
  for (let at = 0; at <= text.length; at++) {
    const glass = new Glass(15, 8);
    const screen = glass.screen();
    const typed = draft(text.slice(0, at), text.slice(at));
    screen.draw(typed);
    screen.print(["<bob> one"], typed);
    screen.print(["<bob> a line that wraps"], typed);
    await glass.settled();
    assertEquals(glass.rows(), [
      "<bob> one",
      "<bob> a line th",
      "at wraps",
      "you> abcdefghi",
      "jklmnopqrstuvw",
      "xyz0123456789",
      "",
      "",
    ]);
    // Behind the last character of a row, and not yet in the next one.
    const row = Math.max(0, Math.ceil((5 + at) / 14) - 1);
    assertEquals(glass.cursor(), [5 + at - 14 * row, 3 + row]);
  }
});

Deno.test("Screen.print() scrolls what was printed into the scrollback, and keeps the input at the bottom", async () => {
  const glass = new Glass(20, 4);
  const screen = glass.screen();
  const typed = draft("half a li", "ne");
  screen.draw(typed);
  const lines = Array.from({ length: 50 }, (_, i) => `<bob> ${i}`);
  for (const line of lines) screen.print([line], typed);
  await glass.settled();
  assertEquals(glass.rows(), [
    "<bob> 47",
    "<bob> 48",
    "<bob> 49",
    "you> half a line",
  ]);
  assertEquals(glass.lines(), [...lines, "you> half a line"]);
});

Deno.test("Screen shows four rows of a long input at most, the prompt and those around the cursor", async () => {
  for (const [height, most] of [[4, 2], [8, 4], [20, 4]] as const) {
    const glass = new Glass(10, height);
    const screen = glass.screen();
    const text = "0123456789".repeat(9);
    const all = (PROMPT + text).match(/.{1,9}/g)!;
    for (let at = 0; at <= text.length; at++) {
      screen.print([`at ${at}`], draft(text.slice(0, at), text.slice(at)));
      await glass.settled();
      const rows = glass.rows();
      const [x, y] = glass.cursor();
      const begin = rows.findLastIndex((row) => row.startsWith("at ")) + 1;
      const shown = rows.slice(begin, begin + most);
      assertEquals(rows.slice(begin + most).join(""), "");
      // Behind the last character of a row, and not yet in the next one.
      const cursorRow = Math.max(0, Math.ceil((PROMPT.length + at) / 9) - 1);
      assertEquals(x, PROMPT.length + at - 9 * cursorRow);
      const first = cursorRow - (y - begin);
      const expected = all.slice(first, first + most);
      if (first > 0) expected[0] = "you> …";
      assertEquals(shown, expected);
      assertEquals(shown.length, most);
      // What is around the cursor on both sides of it.
      assert(first === 0 || y > begin, `${at}`);
      const isAtEnd = first + most === all.length;
      assert(isAtEnd || most === 2 || y < begin + most - 1, `${at}`);
    }
    const printed = glass.lines().filter((line) => line.startsWith("at "));
    assertEquals(printed, Array.from({ length: 91 }, (_, at) => `at ${at}`));
  }
});

Deno.test("Screen shows an end of line in the input by a sign, a tab by a blank, and what has no cell by a point", async () => {
  const glass = new Glass(30, 3);
  const screen = glass.screen();
  screen.draw(draft("one\ntwo\tx\u200d\u0301y"));
  await glass.settled();
  assertEquals(
    glass.rows(),
    ["you> one⏎two xy", "", ""].map((row) =>
      row.replace("xy", "x\u200d\u0301y")
    ),
  );
  screen.draw(draft("\u0301\n\u0301"));
  await glass.settled();
  assertEquals(glass.rows(), ["you> ·⏎·", "", ""]);
});

Deno.test("Screen shows lines above the input, three at most and each in one row, and prints above them", async () => {
  const glass = new Glass(20, 16);
  const screen = glass.screen();
  const above = ["one", "two", "three ".repeat(9), "four"];
  screen.draw(draft("half a line", "", above));
  screen.print(["<bob> hi"], draft("half a line", "", above));
  await glass.settled();
  assertEquals(glass.rows().slice(0, 6), [
    "<bob> hi",
    "two",
    "three three three…",
    "four",
    "you> half a line",
    "",
  ]);
  assertEquals(glass.cursor(), [16, 4]);
  screen.print(["one"], draft("half a line", "", above.slice(1, 2)));
  await glass.settled();
  assertEquals(
    glass.lines(),
    ["<bob> hi", "one", "two you> half a line"].map(
      (line) => line.replace("two ", "two".padEnd(20)),
    ),
  );
});

Deno.test("Screen shows fewer lines above the input where there are few rows", async () => {
  for (const [rows, most] of [[16, 3], [11, 2], [7, 1], [3, 0]] as const) {
    const glass = new Glass(20, rows);
    glass.screen().draw(draft("x", "", ["one", "two", "three", "four"]));
    await glass.settled();
    assertEquals(glass.rows().filter((row) => row !== ""), [
      ...["two", "three", "four"].slice(3 - most),
      "you> x",
    ]);
  }
});

Deno.test("Screen paints lines above the input without counting what paints them", async () => {
  const glass = new Glass(20, 12);
  const screen = glass.screen();
  const paint = (text: string) => `\x1b[2m${text}\x1b[22m`;
  const painted = {
    ...draft("x"),
    above: [{ text: "0123456789".repeat(3), paint }],
  };
  screen.draw(painted);
  screen.print(["<bob> hi"], painted);
  await glass.settled();
  assertEquals(glass.rows().slice(0, 4), [
    "<bob> hi",
    "01234567890123456…",
    "you> x",
    "",
  ]);
  assert(glass.isDim(1, 0) && !glass.isDim(2, 0));
});

Deno.test("Screen.end() leaves what was typed, but no bare prompt and nothing above it, and prints below it", async () => {
  for (
    const [typed, left] of [
      [draft("ha", "lf", ["above"]), ["<bob> hi", "you> half", "bye"]],
      [draft("", "", ["above"]), ["<bob> hi", "bye"]],
    ] as const
  ) {
    const glass = new Glass(20, 8);
    const screen = glass.screen();
    screen.draw(typed);
    screen.print(["<bob> hi"], typed);
    screen.end();
    screen.end();
    screen.print(["bye"], typed);
    await glass.settled();
    assertEquals(glass.lines(), [...left]);
    assertEquals(glass.cursor(), [0, left.length]);
  }
});

Deno.test("Screen.pause() leaves nothing of the input, and what is printed waits for resume()", async () => {
  const glass = new Glass(20, 8);
  const screen = glass.screen();
  const typed = draft("half", " a line", ["above"]);
  screen.print(["one"], typed);
  screen.pause();
  glass.write("a shell\r\n");
  screen.print(["two"], typed);
  screen.draw(typed);
  await glass.settled();
  assertEquals(glass.lines(), ["one", "a shell"]);
  screen.resume(typed);
  screen.print(["three"], typed);
  await glass.settled();
  assertEquals(glass.rows().slice(0, 6), [
    "one",
    "a shell",
    "two",
    "three",
    "above",
    "you> half a line",
  ]);
});

Deno.test("Screen.end() prints what has waited while it was paused", async () => {
  const glass = new Glass(20, 8);
  const screen = glass.screen();
  screen.draw(draft("half"));
  screen.pause();
  screen.print(["two"], draft("half"));
  screen.end();
  await glass.settled();
  assertEquals(glass.lines(), ["two", "you> half"]);
});

Deno.test("Screen.redraw() clears the screen, shows the rows that fit, and leaves the scrollback alone", async () => {
  const glass = new Glass(20, 4);
  const screen = glass.screen();
  const typed = draft("half");
  const lines = Array.from({ length: 9 }, (_, i) => `line ${i}`);
  screen.print(lines, typed);
  glass.write("\x1b[Hgarbage\r\nmore garbage");
  screen.redraw(lines, typed);
  await glass.settled();
  assertEquals(glass.lines(), [...lines, "you> half"]);
  assertEquals(glass.cursor(), [9, 3]);
  screen.redraw([], typed);
  await glass.settled();
  assertEquals(glass.rows(), ["you> half", "", "", ""]);
});

Deno.test("Screen.redraw() shows nothing but the input where there is no room for more", async () => {
  const glass = new Glass(20, 1);
  const screen = glass.screen();
  screen.redraw(["one", "two"], draft("half"));
  await glass.settled();
  assertEquals(glass.lines(), ["you> half"]);
});

/** All that was printed, a line each, and below it what may change: nothing else. */
async function assertShown(
  glass: Glass,
  printed: readonly string[],
  { above, before, after }: Draft,
): Promise<void> {
  await glass.settled();
  const lines = glass.lines();
  const shown = [
    ...lines.slice(0, printed.length),
    lines.slice(printed.length).join(""),
  ];
  const changing = [
    ...above.map(({ text }) => text),
    PROMPT,
    ...before,
    ...after,
  ];
  // Rows end in blanks, also where a wide character did not fit.
  const withoutBlanks = (line: string) => line.replaceAll(" ", "");
  assertEquals(
    shown.map(withoutBlanks),
    [...printed, changing.join("")].map(withoutBlanks),
  );
}

const character = fc.constantFrom(
  "a",
  "b",
  "日",
  "é",
  "e\u0301",
  "👍",
  "👨‍👩‍👧",
  "🏳️‍🌈",
  "한",
  "x",
);
const text = fc.array(character, { maxLength: 60 }).map((characters) =>
  characters.join("")
);
const typing = fc.record({
  before: text,
  after: text,
  above: fc.array(fc.constantFrom("one", "two"), { maxLength: 2 }),
});
const message = fc.string({ unit: character, minLength: 1, maxLength: 40 });

Deno.test("Screen loses nothing and leaves nothing over, whatever is typed and printed, at any size", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 12, max: 40 }),
      fc.integer({ min: 8, max: 12 }),
      fc.array(fc.oneof(message, typing), { maxLength: 20 }),
      async (columns, rows, steps) => {
        const glass = new Glass(columns, rows);
        const screen = glass.screen();
        let typed = draft("");
        const printed: string[] = [];
        screen.draw(typed);
        for (const step of steps) {
          if (typeof step === "string") {
            printed.push(step);
            screen.print([step], typed);
          } else {
            // Short enough for four rows, so that all of it shows: no character takes more than 10 cells.
            const most = Math.floor((columns - 1) / 10);
            typed = draft(
              graphemes(step.before).slice(0, most).join(""),
              graphemes(step.after).slice(0, most).join(""),
              step.above,
            );
            screen.draw(typed);
          }
        }
        await assertShown(glass, printed, typed);
      },
    ),
    { numRuns: 300 },
  );
});

/** Resizes so that the terminal tells what it does with wrapped lines: sometimes both would look the same. */
async function teach(glass: Glass, screen: Screen): Promise<void> {
  const typed = draft("x".repeat(50));
  screen.draw(typed);
  for (const columns of [31, 40]) {
    await glass.resize(columns, 12);
    screen.draw(typed);
    await glass.settled();
  }
}

Deno.test("Screen loses no message where the terminal has not told enough: something may be left over", () => {
  // In the same column, whichever the terminal does.
  const told = new Told(40);
  const typed = draft("x".repeat(100));
  told.screen.draw(typed);
  told.resize(80, typed);
  told.screen.locate(3, 28);
  assertEquals(told.up, 1);
});

const size = fc.record({
  columns: fc.integer({ min: 20, max: 120 }),
  rows: fc.integer({ min: 8, max: 40 }),
});
const short = fc.string({
  unit: fc.constantFrom("a", "b", "日"),
  minLength: 1,
  maxLength: 60,
});

Deno.test("Screen leaves nothing over and loses no message in a storm of resizes, also with an input that is taller than the screen", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(short, size), { maxLength: 20 }),
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: 0, max: 300 }),
      fc.array(fc.constantFrom("one", "two"), { maxLength: 2 }),
      async (steps, before, after, above) => {
        const glass = new Glass(40, 12);
        const screen = glass.screen();
        await teach(glass, screen);
        const typed = draft("x".repeat(before), "y".repeat(after), above);
        const printed: string[] = [];
        screen.draw(typed);
        for (const step of steps) {
          if (typeof step === "string") {
            printed.push(step);
            screen.print([step], typed);
          } else {
            await glass.resize(step.columns, step.rows);
            screen.draw(typed);
            // What is printed before the terminal has answered is not lost either.
            screen.print(["m"], typed);
            printed.push("m");
            await glass.settled();
          }
        }
        // Large enough for all that was typed.
        await glass.resize(240, 40);
        screen.draw(typed);
        await glass.settled();
        await assertShown(glass, printed, typed);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("Screen does not wait for a terminal that does not answer, and does not ask it again", async () => {
  const glass = new Glass(40, 12);
  const late: (() => void)[] = [];
  const written: string[] = [];
  const screen = new Screen({
    write: (text) => {
      written.push(text);
      glass.write(text);
    },
    size: () => glass.size(),
    later: (act) => late.push(act),
  });
  const typed = draft("x".repeat(60));
  screen.print(["one"], typed);
  const asked = () => written.filter((text) => text.includes("\x1b[6n")).length;
  await glass.resize(30, 12);
  screen.print(["two"], typed);
  screen.print(["three"], typed);
  assertEquals([asked(), late.length], [1, 1]);
  late[0]!();
  await glass.resize(60, 12);
  screen.print(["four"], typed);
  assertEquals([asked(), late.length], [1, 1]);
  await assertShown(glass, ["one", "two", "three", "four"], typed);
});

/** What a terminal is told, with an answer to it whenever a test likes. */
class Told {
  now: Size;
  readonly written: string[] = [];
  readonly late: (() => void)[] = [];
  readonly screen: Screen;

  constructor(columns: number) {
    this.now = { columns, rows: 30 };
    this.screen = new Screen({
      write: (text) => this.written.push(text),
      size: () => this.now,
      later: (act) => this.late.push(act),
    });
  }

  /** Has another size, and is drawn on. */
  resize(columns: number, draft: Draft): void {
    this.now = { columns, rows: 30 };
    this.screen.draw(draft);
  }

  get asked(): number {
    return this.written.filter((text) => text === "\x1b[6n").length;
  }

  /** How far up the last thing that was written begins. */
  get up(): number {
    // deno-lint-ignore no-control-regex
    return Number(/^\x1b\[(\d+)A\r/.exec(this.written.at(-1)!)?.[1] ?? 0);
  }
}

Deno.test("Screen asks again if the size has changed since, and takes no late answer for another", () => {
  const told = new Told(40);
  const typed = draft("x".repeat(60));
  told.screen.draw(typed);
  told.resize(30, typed);
  told.resize(20, typed);
  assertEquals(told.asked, 1);
  // That is where the cursor is now, but it was asked for 30 columns.
  told.screen.locate(2, 20);
  assertEquals(told.asked, 2);
  // The time is over that the first answer might have taken.
  told.late[0]!();
  const drawn = told.written.length;
  assertEquals(told.written[drawn - 1], "\x1b[6n");
  told.screen.locate(2, 20);
  assertEquals(told.written.length, drawn + 1);
  // It has drawn for that size now: nobody has to be asked.
  told.screen.draw(typed);
  assertEquals(told.asked, 2);
});

Deno.test("Screen asks nothing where it is clear what a resize has done: in one row", async () => {
  const glass = new Glass(40, 12);
  let answers = 0;
  const screen = glass.screen();
  const hear = glass.onAnswer;
  glass.onAnswer = (answer) => {
    answers++;
    hear(answer);
  };
  const typed = draft("short");
  screen.draw(typed);
  for (const columns of [30, 50]) {
    await glass.resize(columns, 10);
    screen.draw(typed);
    await glass.settled();
  }
  assertEquals(answers, 0);
  await glass.resize(8, 10);
  screen.draw(typed);
  await glass.settled();
  assertEquals(answers, 1);
  await assertShown(glass, [], typed);
});

Deno.test("Screen goes up as far as a terminal that wraps anew has moved the cursor, once it has told that it does", () => {
  // What tmux, VTE and kitty do: the rows are one line to them, each but the last as wide as the terminal was.
  for (const [columns, next] of [[40, 25], [40, 70], [25, 100]] as const) {
    for (let at = 0; at <= 90; at++) {
      const text = "x".repeat(90);
      const typed = draft(text.slice(0, at), text.slice(at));
      const told = new Told(columns + 7);
      // Where it would be on the left, a terminal that leaves the line alone has it on the right.
      const long = draft("x".repeat(columns + 2));
      told.screen.draw(long);
      told.resize(columns, long);
      told.screen.locate(2, 9);
      told.screen.draw(typed);
      const inRow = columns - 1;
      const typedTo = PROMPT.length + at;
      const above = Math.ceil(typedTo / inRow) - 1;
      const cursorAt = above * columns + (typedTo - above * inRow);
      told.resize(next, typed);
      const [row, column] = [Math.floor(cursorAt / next), cursorAt % next];
      told.screen.locate(row + 1, column + 1);
      assertEquals(told.up, row, `${columns} ${next} ${at}`);
    }
  }
});
