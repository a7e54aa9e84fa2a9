/**
 * What the benchmark has found out, as a picture: one panel a row of results. Says what is to be seen in the words of
 * vega-lite; must not know what is measured, nor where the picture goes.
 */

import { fileURLToPath } from "node:url";
import type { Growth, Result, Results, Row } from "./results.ts";

/** What vega-lite draws: its JSON, or a part of it. */
type Spec = Readonly<Record<string, unknown>>;

// In pixels. README is some 850 wide.
const COLUMNS = 2;
const NAMES_WIDTH = 190;
const PANEL_WIDTH = 215;
const GAP = 24;
/** How much of a panel's width is left for the value behind the longest bar. */
const VALUE_WIDTH = 48;
const BAR_HEIGHT = 17;
/** What stands between the bars of one panel and those of the next: numbers, a unit, and a title. */
const BETWEEN_PANELS = 96;
const CURVE_HEIGHT = 120;

/** How many letters a line holds. */
const PICTURE_LETTERS = 130;
const TITLE_LETTERS = 56;
const NAME_LETTERS = 30;
const REASON_LETTERS = 40;

/** From what ratio between the largest and the smallest value on the smaller bars could not be told apart. */
const LOGARITHMIC_FROM = 30;

const INK = "#1f2328";
const FAINT = "#59636e";
const OURS = "#0969da";
const OTHERS = "#a8b1bb";
const GRID = "#e6e9ec";

/** What all of ours are called. */
const OUR_NAME = /^chat-server\b/;

/** Everywhere there is one of them. */
const FONT = "Helvetica, Arial, sans-serif";

/**
 * Draws the results, the same for the same. Needs to run `deno`, which takes vega from npm.
 *
 * @returns an SVG
 * @throws {Error} if it cannot be drawn, with the reason
 */
export async function chart(results: Results): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-config", "--frozen"],
      ...["--lock", fileURLToPath(new URL("draw.lock", import.meta.url))],
      fileURLToPath(new URL("draw.ts", import.meta.url)),
    ],
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [{ success, stdout, stderr }] = await Promise.all([
    child.output(),
    // Whoever ends before it has read all of it says why on stderr.
    new Blob([JSON.stringify(picture(results))]).stream().pipeTo(child.stdin)
      .catch(() => {}),
  ]);
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  const [why] = decoder.decode(stderr).split("\n");
  throw new Error(`the chart is not drawn: ${why}`);
}

function picture({ date, machine, rounds, rows, growth }: Results): Spec {
  return {
    background: "white",
    padding: 16,
    title: {
      text: "chat-server beside the alternatives",
      subtitle: wrapped(
        `${date}, ${machine}; ${medians(rounds)}`,
        PICTURE_LETTERS,
      ),
      anchor: "start",
      fontSize: 16,
      subtitleFontSize: 11,
      offset: 14,
    },
    columns: COLUMNS,
    bounds: "flush",
    spacing: { row: BETWEEN_PANELS, column: NAMES_WIDTH + GAP },
    concat: [
      ...rows.filter(({ results }) => results.length > 0).map(rowPanel),
      ...growthPanels(growth),
    ],
    config: {
      font: FONT,
      title: {
        color: INK,
        subtitleColor: FAINT,
        anchor: "start",
        fontSize: 12,
        subtitleFontSize: 11,
        subtitlePadding: 3,
      },
      axis: {
        labelColor: FAINT,
        labelFontSize: 10,
        titleColor: FAINT,
        titleFontSize: 10,
        titleFontWeight: "normal",
        gridColor: GRID,
        domain: false,
        ticks: false,
        labelFlush: false,
      },
      view: { stroke: null },
    },
  };
}

function medians(rounds: number): string {
  return rounds === 1 ? "one round" : `medians of ${rounds} rounds`;
}

/** One row of results: a bar, or a word, for each contestant, in the order that they have there. */
function rowPanel({ title, unit, better, results }: Row): Spec {
  const bars = results.map(barOf);
  const scale = scaleOf(bars.flatMap(({ value }) => value ?? []));
  const axis = {
    title: scale.type === "log" ? `${unit}, logarithmic` : unit,
    ...scale.ticks && { values: scale.ticks },
    format: ",~r",
    tickCount: 4,
  };
  const x = {
    field: "value",
    type: "quantitative",
    axis,
    scale: {
      type: scale.type,
      domain: scale.domain,
      nice: false,
      range: [0, PANEL_WIDTH - VALUE_WIDTH],
    },
  };
  const color = {
    field: "isOurs",
    type: "nominal",
    scale: { domain: [true, false], range: [OURS, OTHERS] },
    legend: null,
  };
  const measured = { filter: "isValid(datum.value)" };
  const letters = { type: "text", align: "left", baseline: "middle", dx: 4 };
  return {
    title: titled(title, `${better} is better`),
    width: PANEL_WIDTH,
    height: { step: BAR_HEIGHT },
    data: { values: bars },
    encoding: { y: namesAxis(bars) },
    layer: [
      {
        transform: [measured],
        mark: { type: "bar", height: BAR_HEIGHT - 5 },
        encoding: { x, x2: { datum: scale.domain[0] }, color },
      },
      {
        transform: [measured],
        mark: { ...letters, color: INK, fontSize: 10.5 },
        encoding: { x, text: { field: "words" } },
      },
      {
        transform: [{ filter: "!isValid(datum.value)" }],
        mark: {
          ...letters,
          color: FAINT,
          fontSize: 10,
          fontStyle: "italic",
        },
        encoding: { x: { value: 0 }, text: { field: "words" } },
      },
    ],
  };
}

/** What stands beside a contestant's name. */
interface Bar {
  name: string;
  isOurs: boolean;
  /** None if it was skipped. */
  value?: number;
  /** The value, or why there is none. */
  words: string;
}

function barOf({ contestant, median, skipped }: Result): Bar {
  const bar = {
    name: cut(contestant, NAME_LETTERS),
    isOurs: OUR_NAME.test(contestant),
  };
  if (skipped === undefined && median !== undefined) {
    return { ...bar, value: median, words: threeDigits(median) };
  }
  const why = skipped ?? "there is no value";
  return { ...bar, words: cut(`skipped: ${why}`, REASON_LETTERS) };
}

/** A number as people read it: `0.0712`, `12.3`, `1,240`. */
function threeDigits(value: number): string {
  return value.toLocaleString(
    "en-US",
    value < 1000
      ? { maximumSignificantDigits: 3 }
      : { maximumFractionDigits: 0 },
  );
}

/** From where to where the bars go. */
interface Scale {
  type: "linear" | "log";
  domain: [number, number];
  /** Where the axis has numbers, if not where vega-lite puts them. */
  ticks?: number[];
}

function scaleOf(values: readonly number[]): Scale {
  const most = Math.max(0, ...values);
  const least = Math.min(...values);
  if (most === 0) return { type: "linear", domain: [0, 1] };
  if (least <= 0 || most / least <= LOGARITHMIC_FROM) {
    return { type: "linear", domain: [0, most] };
  }
  // The shortest bar has to be seen, too.
  const from = Math.floor(Math.log10(least / 1.5));
  const powers = Math.floor(Math.log10(most)) - from + 1;
  const ticks = Array.from({ length: powers }, (_, i) => 10 ** (from + i));
  return { type: "log", domain: [10 ** from, most], ticks };
}

function namesAxis(bars: readonly Bar[]): Spec {
  return {
    field: "name",
    type: "nominal",
    // In the order of the results, and those without a bar, too.
    scale: { domain: bars.map(({ name }) => name), padding: 0 },
    axis: {
      title: null,
      grid: false,
      labelColor: INK,
      labelFontSize: 11,
      labelLimit: 0,
      labelPadding: 6,
      labelFontWeight: {
        condition: {
          test: `test(/${OUR_NAME.source}/, datum.label)`,
          value: "bold",
        },
        value: "normal",
      },
    },
  };
}

/** What a delivery costs the more members there are, and the more rooms in which nobody talks. */
function growthPanels(growth: readonly Growth[]): Spec[] {
  const crowded = growth.filter(({ idleRooms }) => idleRooms === 0);
  const sizes = new Set(
    growth.filter(({ idleRooms }) => idleRooms > 0)
      .map(({ members }) => members),
  );
  const roomy = growth.filter(({ members }) => sizes.has(members));
  return [
    curve(crowded, {
      title: "Growth: processor time of a delivery, over members",
      field: "members",
      axis: "members, logarithmic",
      scale: { type: "log" },
    }),
    curve(roomy, {
      title: "Growth: the same, over rooms in which nobody talks",
      field: "idleRooms",
      axis: `rooms beside one of ${
        [...sizes].map(threeDigits).join(" or ")
      } members, logarithmic`,
      // There may be none; as far from 1 as 1 is from 10.
      scale: { type: "symlog", constant: 0.1 },
    }),
  ].filter((panel) => panel !== undefined);
}

function curve(
  points: readonly Growth[],
  { title, field, axis, scale }: {
    title: string;
    field: "members" | "idleRooms";
    axis: string;
    scale: Spec;
  },
): Spec | undefined {
  if (points.length === 0) return undefined;
  const places = [...new Set(points.map((point) => point[field]))];
  const values = points.map((point) => ({
    ...point,
    words: threeDigits(point.usPerDelivery),
  }));
  return {
    title: titled(title, "us, less is better"),
    width: PANEL_WIDTH,
    height: CURVE_HEIGHT,
    data: { values },
    encoding: {
      x: {
        field,
        type: "quantitative",
        // So much that the first value stands beside the axis.
        scale: { ...scale, nice: false, padding: 12 },
        axis: {
          title: axis,
          values: places,
          format: ",~r",
          labelOverlap: "greedy",
        },
      },
      y: {
        field: "usPerDelivery",
        type: "quantitative",
        scale: { zero: true },
        axis: { title: null, tickCount: 4 },
      },
      // Rooms of another size are another curve.
      ...field === "idleRooms" && { detail: { field: "members" } },
    },
    layer: [
      { mark: { type: "line", color: OURS } },
      { mark: { type: "point", color: OURS, filled: true, size: 36 } },
      {
        mark: { type: "text", dy: -10, color: INK, fontSize: 10.5 },
        encoding: { text: { field: "words" } },
      },
    ],
  };
}

/** A title that begins above the names. */
function titled(text: string, subtitle: string): Spec {
  return {
    text: wrapped(text, TITLE_LETTERS),
    subtitle,
    frame: "group",
    dx: -NAMES_WIDTH,
    offset: 8,
  };
}

/** A text in lines of so many letters at most, unless a word is longer. */
function wrapped(text: string, letters: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && `${last} ${word}`.length <= letters) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

function cut(text: string, letters: number): string {
  return text.length <= letters ? text : `${text.slice(0, letters - 1)}…`;
}
