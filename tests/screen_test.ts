import fc from "fast-check";
import { graphemes } from "../lib/client/input_line.ts";
import { Screen } from "../lib/client/screen.ts";
import { assert, assertEquals } from "./assert.ts";
import { Glass } from "./glass.ts";

const input = (before: string, after = "") => ({
  before: graphemes(before),
  after: graphemes(after),
});

Deno.test("Screen prints lines above an input of three rows, wherever the cursor is", async () => {
  const text = "abcdefghijklmnopqrstuvwxyz0123456789";
  for (let at = 0; at <= text.length; at++) {
    const glass = new Glass(15, 8);
    const screen = new Screen(glass, "you> ");
    const typed = input(text.slice(0, at), text.slice(at));
    screen.draw(typed);
    screen.print(["<bob> one"], typed);
    screen.print(["<bob> a line that wraps"], typed);
    await glass.settled();
    assertEquals(glass.screen(), [
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

Deno.test("Screen scrolls what was printed into the scrollback, and keeps the input at the bottom", async () => {
  const glass = new Glass(20, 4);
  const screen = new Screen(glass, "you> ");
  const typed = input("half a li", "ne");
  screen.draw(typed);
  const lines = Array.from({ length: 50 }, (_, i) => `<bob> ${i}`);
  for (const line of lines) screen.print([line], typed);
  await glass.settled();
  assertEquals(glass.screen(), [
    "<bob> 47",
    "<bob> 48",
    "<bob> 49",
    "you> half a line",
  ]);
  assertEquals(glass.lines(), [...lines, "you> half a line"]);
});

Deno.test("Screen shows the rows around the cursor of an input that is taller than the screen", async () => {
  const glass = new Glass(10, 4);
  const screen = new Screen(glass, "> ");
  const text = "0123456789".repeat(9);
  for (let at = 0; at <= text.length; at++) {
    screen.print([`at ${at}`], input(text.slice(0, at), text.slice(at)));
    await glass.settled();
    const rows = glass.screen();
    const [x, y] = glass.cursor();
    const before = rows.slice(0, y).join("") + rows[y]!.slice(0, x);
    const after = rows[y]!.slice(x) + rows.slice(y + 1).join("");
    assert(`> ${text.slice(0, at)}`.endsWith(before), `${before}|${after}`);
    assert(text.slice(at).startsWith(after), `${before}|${after}`);
    assertEquals(rows.length, 4);
  }
  const printed = glass.lines().filter((line) => line.startsWith("at "));
  assertEquals(printed, Array.from({ length: 91 }, (_, at) => `at ${at}`));
});

Deno.test("Screen shows an end of line in the input by a sign, and a tab by a blank", async () => {
  const glass = new Glass(20, 3);
  new Screen(glass, "> ").draw(input("one\ntwo\tx"));
  await glass.settled();
  assertEquals(glass.screen(), ["> one⏎two x", "", ""]);
});

Deno.test("Screen.leave() leaves what was typed, but no bare prompt, and prints below it", async () => {
  for (
    const [typed, left] of [
      [input("ha", "lf"), ["<bob> hi", "> half", "bye"]],
      [input(""), ["<bob> hi", "bye"]],
    ] as const
  ) {
    const glass = new Glass(20, 5);
    const screen = new Screen(glass, "> ");
    screen.draw(typed);
    screen.print(["<bob> hi"], typed);
    screen.leave(typed);
    screen.print(["bye"], typed);
    await glass.settled();
    assertEquals(glass.lines(), [...left]);
    assertEquals(glass.cursor(), [0, left.length]);
  }
});

/** All that was printed, a line each, and below it the prompt and the draft: nothing else. */
async function assertShown(
  glass: Glass,
  printed: string[],
  draft: string,
): Promise<void> {
  await glass.settled();
  const lines = glass.lines();
  const shown = [
    ...lines.slice(0, printed.length),
    lines.slice(printed.length).join(""),
  ];
  // Where a wide character did not fit into the end of a row, a blank stands.
  const withoutBlanks = (line: string) => line.replaceAll(" ", "");
  assertEquals(
    shown.map(withoutBlanks),
    [...printed, `you> ${draft}`].map(withoutBlanks),
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
type Step = { type: string; before: string; after: string };
const step: fc.Arbitrary<Step> = fc.record({
  type: fc.constant("type"),
  before: text,
  after: text,
});
const message = fc.string({ unit: character, minLength: 1, maxLength: 40 });

Deno.test("Screen loses nothing and leaves nothing over, whatever is typed and printed, at any size", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 12, max: 40 }),
      fc.integer({ min: 8, max: 12 }),
      fc.array(fc.oneof(message, step), { maxLength: 20 }),
      async (columns, rows, steps) => {
        const glass = new Glass(columns, rows);
        const screen = new Screen(glass, "you> ");
        let typed = input("");
        const printed: string[] = [];
        screen.draw(typed);
        for (const step of steps) {
          if (typeof step === "string") {
            printed.push(step);
            screen.print([step], typed);
          } else {
            // Short enough for the screen, so that all of it shows: no character takes more than 10 cells.
            const room = Math.floor(
              (rows - 2) * Math.floor((columns - 1) / 10) / 2,
            );
            typed = input(
              graphemes(step.before).slice(0, room).join(""),
              graphemes(step.after).slice(0, room).join(""),
            );
            screen.draw(typed);
          }
        }
        const draft = [...typed.before, ...typed.after].join("");
        await assertShown(glass, printed, draft);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("Screen finds an input of one row again after a resize, and loses no message", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.string({
            unit: fc.constantFrom("a", "b", "日"),
            minLength: 1,
            maxLength: 60,
          }),
          fc.record({
            columns: fc.integer({ min: 20, max: 60 }),
            rows: fc.integer({ min: 10, max: 20 }),
          }),
        ),
        { maxLength: 20 },
      ),
      fc.integer({ min: 0, max: 14 }),
      async (steps, at) => {
        const glass = new Glass(40, 12);
        const screen = new Screen(glass, "you> ");
        const draft = "abcdefghijklmn";
        const typed = input(draft.slice(0, at), draft.slice(at));
        const printed: string[] = [];
        screen.draw(typed);
        for (const step of steps) {
          if (typeof step === "string") {
            printed.push(step);
            screen.print([step], typed);
          } else {
            await glass.resize(step.columns, step.rows);
            screen.draw(typed);
          }
        }
        await assertShown(glass, printed, draft);
      },
    ),
    { numRuns: 300 },
  );
});
