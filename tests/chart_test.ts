/** The benchmark's chart: that it shows what was found out, and that nothing else needs what draws it. */

import { chart } from "../scripts/bench/chart.ts";
import { assert, assertEquals, assertMatch } from "./assert.ts";

/** A result, or why there is none. */
function result(contestant: string, found: number | string) {
  return typeof found === "string"
    ? { contestant, rounds: [], skipped: found }
    : { contestant, rounds: [found], median: found };
}

/** One row of results, of the contestants in this order. */
function row(
  found: Record<string, number | string>,
  title = "a load",
  better: "more" | "less" = "less",
) {
  return {
    id: "a",
    title,
    unit: "ms" as const,
    better,
    notes: [],
    results: Object.entries(found).map(([name, of]) => result(name, of)),
  };
}

function resultsOf(...rows: ReturnType<typeof row>[]) {
  return {
    date: "2026-11-23",
    machine: "a machine",
    rounds: 3,
    rows,
    features: [],
    growth: [],
  };
}

/** What a reader makes of text between tags. */
function textOf(escaped: string): string {
  const characters: Record<string, string> = { amp: "&", lt: "<", gt: ">" };
  return escaped.replace(/&(\w+);/g, (_, name) => characters[name] ?? name);
}

/** All that can be read. */
function textsIn(svg: string): string[] {
  return Array.from(
    svg.matchAll(/<(?:text|tspan)(?: [^>]*)?>([^<]+)</g),
    ([, text = ""]) => textOf(text),
  );
}

/** How long the bars are, in pixels, and in which colours, from the top to the bottom. */
function barsIn(svg: string): { length: number; color: string }[] {
  return Array.from(
    svg.matchAll(
      /aria-roledescription="bar" d="M0,[\d.]+h([\d.]+)v[^"]*" fill="([^"]+)"/g,
    ),
    ([, length, color = ""]) => ({ length: Number(length), color }),
  );
}

Deno.test("chart() draws a bar for every value, as long as it is large, with the value behind it", async () => {
  const svg = await chart(resultsOf(
    row({ one: 10, two: 20, four: 40 }),
    row({ one: 0.0712, large: 1 }),
  ));
  const lengths = barsIn(svg).map(({ length }) => length);
  assertEquals(lengths.length, 5);
  const [ten = 0, twenty, forty] = lengths;
  assertEquals([twenty, forty], [2 * ten, 4 * ten]);
  const texts = textsIn(svg);
  for (const value of ["10", "20", "40", "0.0712"]) {
    assert(texts.includes(value), value);
  }
});

Deno.test("chart() gives a large number without its fraction", async () => {
  const texts = textsIn(await chart(resultsOf(row({ one: 2985.4 }))));
  assert(texts.includes("2,985"));
});

Deno.test("chart() says who was skipped, and why, where their bar would be", async () => {
  const svg = await chart(resultsOf(
    row({ one: 10, missing: "there is none here", two: 20 }),
  ));
  assertEquals(barsIn(svg).length, 2);
  const texts = textsIn(svg);
  assert(texts.includes("skipped: there is none here"));
  const names = texts.filter((text) => /^(one|missing|two)$/.test(text));
  assertEquals(names, ["one", "missing", "two"]);
});

Deno.test("chart() draws a row of which all were skipped, and none of which nothing is known", async () => {
  const texts = textsIn(
    await chart(resultsOf(
      row({ one: "it is not here" }, "skipped"),
      row({}, "unknown"),
    )),
  );
  assert(texts.includes("skipped: it is not here"));
  assert(texts.includes("skipped") && !texts.includes("unknown"));
});

Deno.test("chart() has one colour for chat-server, however it runs, and another for all others", async () => {
  const svg = await chart(resultsOf(
    row({ "the reference": 1, "chat-server": 2, "chat-server --data": 3 }),
    row({ "chat-servers": 3, "chat-server": 2 }),
  ));
  const [other, ours] = barsIn(svg).map(({ color }) => color);
  assert(other !== ours);
  assertEquals(
    barsIn(svg).map(({ color }) => color),
    [other, ours, ours, other, ours],
  );
});

Deno.test("chart() is logarithmic where values differ by more than 30 times, and says so", async () => {
  const near = textsIn(await chart(resultsOf(row({ one: 1, thirty: 30 }))));
  assert(near.includes("ms"));
  const svg = await chart(resultsOf(row({ one: 10, ten: 100, most: 1000 })));
  const far = textsIn(svg);
  assert(far.includes("ms, logarithmic") && !far.includes("ms"));
  const [ten, hundred, thousand] = barsIn(svg).map(({ length }) => length);
  assert(ten! > 0);
  assertEquals(Math.round(thousand! - hundred!), Math.round(hundred! - ten!));
});

Deno.test("chart() says what is measured, whether more of it is better, when and on what", async () => {
  const texts = textsIn(
    await chart(resultsOf(
      row({ one: 1 }, "9,000 members"),
      row({ one: 1 }, "100 members", "more"),
    )),
  );
  for (
    const text of [
      "9,000 members",
      "less is better",
      "100 members",
      "more is better",
      "2026-11-23, a machine; medians of 3 rounds",
    ]
  ) assert(texts.includes(text), text);
});

Deno.test("chart() shows any text as it is, or as much of it as there is room for", async () => {
  const long = "a title of so many words that ".repeat(3).trim();
  const svg = await chart({
    ...resultsOf(row({ '</text>&"one"': 1, two: `<${"y".repeat(99)}` }, long)),
    machine: "<script>&amp;",
  });
  assert(!svg.includes("<script>"));
  const texts = textsIn(svg);
  assert(texts.includes('</text>&"one"'));
  assert(texts.some((text) => text.includes("<script>&amp;;")));
  assert(texts.some((text) => /^skipped: <y{20,}…$/.test(text)));
  const lines = texts.filter((text) => long.includes(text) && text.length > 9);
  assertEquals(lines.join(" "), long);
  assert(lines.length > 1);
});

Deno.test("chart() shows what a delivery costs, over members and over rooms in which nobody talks", async () => {
  const at = (members: number, idleRooms: number, usPerDelivery: number) => ({
    ...{ members, idleRooms, usPerDelivery },
    idleMembers: idleRooms,
  });
  const svg = await chart({
    ...resultsOf(),
    growth: [at(10, 0, 6.25), at(9000, 0, 3.5), at(10, 1000, 6.5)],
  });
  const texts = textsIn(svg);
  for (const text of ["3.5", "6.25", "6.5", "9,000", "1,000"]) {
    assert(texts.includes(text), text);
  }
  assertEquals(texts.filter((text) => text.startsWith("Growth: ")).length, 2);
  const points = svg.match(/aria-roledescription="point"/g);
  assertEquals(points?.length, 4);
});

Deno.test("chart() draws the same for the same results, on white, in fonts that are everywhere", async () => {
  const results = resultsOf(row({ one: 1, two: "it is not here" }));
  const [svg, again] = await Promise.all([chart(results), chart(results)]);
  assertEquals(svg, again);
  assertMatch(svg, /^<svg [^>]*><rect [^>]*fill="white"/);
  assertEquals(
    new Set(svg.match(/font-family="[^"]*"/g)),
    new Set(['font-family="Helvetica, Arial, sans-serif"']),
  );
  assert(!/<style|<image|href="/.test(svg));
});

Deno.test("Nothing but the drawing of a chart downloads vega", async () => {
  const read = (file: string) =>
    Deno.readTextFile(new URL(`../${file}`, import.meta.url));
  // What stands in these is downloaded by every task.
  for (const file of ["deno.json", "deno.lock"]) {
    assert(!(await read(file)).includes("vega"), file);
  }
  const architecture = await read("ARCHITECTURE.md");
  const named = [
    ...(await read("scripts/bench/draw.ts")).matchAll(/"npm:(.+)@[\d.]+"/g),
  ].map(([, name]) => name!);
  assertEquals(named, ["vega", "vega-lite"]);
  for (const name of named) assert(architecture.includes(`\`${name}\``), name);
});
