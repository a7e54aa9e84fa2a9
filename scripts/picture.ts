/** A terminal's screen as an SVG picture. Pure; must not know what is on the screen, nor where the picture goes. */

import type { Cell } from "../tests/glass.ts";

/** What a terminal shows. */
export interface Shown {
  /** The rows of the screen. */
  cells: readonly (readonly Cell[])[];
  /** Where its cursor is: column and row, from 0. */
  cursor: readonly [number, number];
}

// In pixels. A letter of most monospaced fonts is 0.6 times as wide as the font is high.
const FONT_SIZE = 14;
const CELL_WIDTH = 8.4;
const ROW_HEIGHT = 18;
const MARGIN = 14;
/** How far below the top of a row its letters stand. */
const BASELINE = 13;

const FONTS =
  "ui-monospace, SFMono-Regular, Menlo, 'Cascadia Mono', Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace";
const INK = "#e8e8e8";
// Names have colours for black and for white; on this their contrast is nearly that on black.
const PAPER = "#080808";
const FRAME = "#606060";
const DIM = 0.6;

/** A part of a row that looks the same all over: letters, or one wide character. */
interface Run {
  /** Where it begins, in cells from 0. */
  column: number;
  /** How many cells it takes. */
  columns: number;
  text: string;
  look: Cell;
}

/**
 * Draws a screen, down to the last row in which there is something. Each part of a row begins where its cell is,
 * whatever the font.
 *
 * @param title what it shows, for those who do not see it
 * @throws {RangeError} for a colour that is none of the 216 among which those of names are
 */
export function pictureOf({ cells, cursor }: Shown, title: string): string {
  const [cursorColumn, cursorRow] = cursor;
  const runs = cells.map((row, y) =>
    runsOf(row, y === cursorRow ? cursorColumn : undefined)
  );
  const rows = runs.slice(0, runs.findLastIndex((row) => row.length > 0) + 1);
  const columns = (cells[0] ?? []).reduce((sum, { width }) => sum + width, 0);
  const width = px(columns * CELL_WIDTH + 2 * MARGIN);
  const height = px(rows.length * ROW_HEIGHT + 2 * MARGIN);
  const frame = {
    x: 0.5,
    y: 0.5,
    width: px(width - 1),
    height: px(height - 1),
    rx: 8,
    fill: PAPER,
    stroke: FRAME,
  };
  const font = {
    "xml:space": "preserve",
    "font-family": FONTS,
    "font-size": FONT_SIZE,
    fill: INK,
  };
  const svg = {
    xmlns: "http://www.w3.org/2000/svg",
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
  };
  const parts = [
    element("title", {}, escaped(title)),
    element("rect", frame),
    element("g", font, lines(rows.flatMap(drawn))),
  ];
  return `${element("svg", svg, lines(parts))}\n`;
}

/** A row in as few parts as possible, without the blanks at its end. */
function runsOf(row: readonly Cell[], cursor: number | undefined): Run[] {
  const runs: Run[] = [];
  let column = 0;
  for (const cell of row) {
    // The cursor is a cell the other way round.
    const isInverse = cell.isInverse !== (column === cursor);
    const look = { ...cell, isInverse };
    const last = runs.at(-1);
    if (last && isAlike(last.look, look)) {
      last.text += cell.text;
      last.columns += cell.width;
    } else {
      runs.push({ column, columns: cell.width, text: cell.text, look });
    }
    column += cell.width;
  }
  const last = runs.at(-1);
  if (last && !last.look.isInverse) {
    const text = last.text.trimEnd();
    // A blank is one cell.
    last.columns -= last.text.length - text.length;
    last.text = text;
    if (text === "") runs.pop();
  }
  return runs;
}

/** Wide characters are seldom as wide as two letters; each begins where its cell is. */
function isAlike(one: Cell, other: Cell): boolean {
  return one.width + other.width === 2 && one.color === other.color &&
    one.isBold === other.isBold && one.isDim === other.isDim &&
    one.isInverse === other.isInverse;
}

/** What a row is drawn with, if there is anything in it. */
function drawn(runs: readonly Run[], y: number): string[] {
  if (runs.length === 0) return [];
  const top = MARGIN + y * ROW_HEIGHT;
  const grounds = runs.filter(({ look }) => look.isInverse).map((run) =>
    element("rect", {
      ...placeOf(run),
      y: top,
      height: ROW_HEIGHT,
      fill: inkOf(run.look),
      ...(run.look.isDim && { "fill-opacity": DIM }),
    })
  );
  const spans = runs.map((run) => {
    const { look, text } = run;
    const { x, width } = placeOf(run);
    const fill = look.isInverse ? PAPER : inkOf(look);
    return element("tspan", {
      x,
      textLength: width,
      ...(fill !== INK && { fill }),
      ...(look.isDim && !look.isInverse && { "fill-opacity": DIM }),
      ...(look.isBold && { "font-weight": "bold" }),
    }, escaped(text));
  });
  return [...grounds, element("text", { y: top + BASELINE }, spans.join(""))];
}

function placeOf({ column, columns }: Run): { x: number; width: number } {
  const x = px(MARGIN + column * CELL_WIDTH);
  return { x, width: px(columns * CELL_WIDTH) };
}

function inkOf({ color }: Cell): string {
  return color === undefined ? INK : rgb(color);
}

/** The colours from 16 on are a cube; those below are what each terminal makes of them. */
function rgb(color: number): string {
  const place = color - 16;
  if (place < 0 || place >= 216) throw new RangeError(`no colour for ${color}`);
  const parts = [Math.floor(place / 36), Math.floor(place / 6) % 6, place % 6];
  const hex = parts.map((part) => part === 0 ? 0 : 55 + 40 * part)
    .map((part) => part.toString(16).padStart(2, "0"));
  return `#${hex.join("")}`;
}

type Attributes = Readonly<Record<string, string | number>>;

/** @param content what is in it, escaped; the values of attributes are all made here, and need none of that */
function element(name: string, attributes: Attributes, content = ""): string {
  const list = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${value}"`).join("");
  return content === ""
    ? `<${name}${list}/>`
    : `<${name}${list}>${content}</${name}>`;
}

function lines(parts: readonly string[]): string {
  return `\n${parts.join("\n")}\n`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
};

/** A text as it may stand between tags; what XML may not have is replaced. */
function escaped(text: string): string {
  return text
    .replace(/[^ -\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replace(/[&<>]/g, (character) => ENTITIES[character] ?? character);
}

function px(number: number): number {
  return Number(number.toFixed(1));
}
