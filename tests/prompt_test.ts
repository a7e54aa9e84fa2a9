import fc from "fast-check";
import stringWidth from "string-width";
import { promptOf, type Situation } from "../lib/client/prompt.ts";
import { assert, assertEquals } from "./assert.ts";

const QUIET: Situation = {
  room: "lobby",
  name: "alice",
  rooms: ["lobby", "dev", "den"],
  unread: [],
  absence: undefined,
};

function prompt(situation: Partial<Situation> = {}, columns = 200): string {
  return promptOf({ ...QUIET, ...situation }, columns);
}

const DEV = { room: "dev", count: 3, calls: false };
const DEN = { room: "den", count: 1, calls: true };

Deno.test("promptOf() tells where one is, and as whom", () => {
  assertEquals(prompt(), "lobby alice> ");
  assertEquals(prompt({ room: undefined, rooms: [] }), "alice> ");
  assertEquals(prompt({ room: undefined, name: "" }), "> ");
});

Deno.test("promptOf() counts what is unread in each room, and tells where one is called", () => {
  assertEquals(prompt({ unread: [DEV] }), "lobby alice [2 dev:3]> ");
  assertEquals(prompt({ unread: [DEN] }), "lobby alice [3 den:1!]> ");
});

Deno.test("promptOf() tells of rooms in the order of their numbers, and only of those where one is", () => {
  const left = { room: "left", count: 9, calls: true };
  assertEquals(
    prompt({ unread: [DEN, left, DEV] }),
    "lobby alice [2 dev:3, 3 den:1!]> ",
  );
  assertEquals(prompt({ unread: [left] }), "lobby alice> ");
});

Deno.test("promptOf() tells when the next try is, and how many lines wait", () => {
  const away = (retryInMs: number | undefined, waiting: number) =>
    prompt({ absence: { retryInMs, waiting } });
  assertEquals(away(undefined, 0), "lobby alice (connecting)> ");
  assertEquals(away(4000, 0), "lobby alice (next try in 4 s)> ");
  assertEquals(away(3001, 0), "lobby alice (next try in 4 s)> ");
  assertEquals(away(0, 0), "lobby alice (next try in 0 s)> ");
  assertEquals(
    away(1000, 1),
    "lobby alice (next try in 1 s, 1 line waits)> ",
  );
  assertEquals(
    away(undefined, 20),
    "lobby alice (connecting, 20 lines wait)> ",
  );
});

const ALL = {
  unread: [DEV, DEN],
  absence: { retryInMs: 4000, waiting: 2 },
};

Deno.test("promptOf() leaves a third of the row to what is typed, and tells least of what matters least", () => {
  const prompts = [
    "lobby alice [2 dev:3, 3 den:1!] (next try in 4 s, 2 lines wait)> ",
    "lobby alice [4!] (next try in 4 s, 2 lines wait)> ",
    "lobby [4!] (next try in 4 s, 2 lines wait)> ",
    "[4!] (next try in 4 s, 2 lines wait)> ",
    "(next try in 4 s, 2 lines wait)> ",
  ];
  prompts.forEach((text, i) => {
    const columns = Math.ceil(stringWidth(text) * 3 / 2);
    assertEquals(prompt(ALL, columns), text);
    const shorter = prompts[i + 1] ?? "next try in 4 s, 2 lines wait)> ";
    assertEquals(prompt(ALL, columns - 2), shorter.slice(-text.length + 1));
  });
});

Deno.test("promptOf() shortens what is unread to how much it is, with a mark only where one is called", () => {
  const unread = [DEV, { ...DEN, calls: false }];
  const text = "lobby alice [4]> ";
  assertEquals(prompt({ unread }, 26), text);
  assertEquals(prompt({ unread: [DEV, DEN] }, 27), "lobby alice [4!]> ");
});

Deno.test("promptOf() shows the end of what does not fit at all", () => {
  assertEquals(prompt(ALL, 30), "4 s, 2 lines wait)> ");
  assertEquals(prompt({}, 3), "> ");
  assertEquals(prompt({}, 1), "> ");
  assertEquals(prompt(ALL, 1), "> ");
});

Deno.test("promptOf() counts cells", () => {
  const wide = { room: "日本", name: "語" };
  const text = "日本 語> ";
  assertEquals(stringWidth(text), 9);
  assertEquals(prompt(wide, 14), text);
  assertEquals(prompt(wide, 13), "日本> ");
});

Deno.test("promptOf() is never wider than two thirds of the row, but for a last `> `", () => {
  const name = fc.string({ unit: fc.constantFrom("a", "日", "é") });
  const unread = fc.record({
    room: fc.constantFrom("lobby", "dev", "den"),
    count: fc.nat(),
    calls: fc.boolean(),
  });
  const situation = fc.record({
    room: fc.option(name, { nil: undefined }),
    name,
    rooms: fc.constant(QUIET.rooms),
    unread: fc.uniqueArray(unread, { selector: ({ room }) => room }),
    absence: fc.option(
      fc.record({
        retryInMs: fc.option(fc.nat(), { nil: undefined }),
        waiting: fc.nat(),
      }),
      { nil: undefined },
    ),
  });
  const columns = fc.integer({ min: 1, max: 120 });
  fc.assert(fc.property(situation, columns, (situation, columns) => {
    const text = promptOf(situation, columns);
    assert(text.endsWith("> "), text);
    assert(stringWidth(text) <= Math.max(2, columns * 2 / 3), text);
  }));
});
