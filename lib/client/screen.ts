/**
 * What the terminal shows: lines that stay, in its own scrollback, and below them the line being typed. Knows
 * escape sequences and widths; must not know what is typed or who says what.
 *
 * The cursor is saved (`ESC 7`) at the first cell of the input, and every repaint begins there (`ESC 8`). The
 * input is cut into rows here, short enough however wide this terminal draws an emoji, so that it never wraps
 * by itself; and they are reserved before anything is drawn, because drawing must not scroll. After a resize
 * the saved cursor means nothing, and the rows above the cursor are counted.
 */

import stringWidth from "string-width";
import { graphemes } from "./input_line.ts";

/** What there is to draw on. */
export interface Canvas {
  /** Writes all of `text`. */
  write(text: string): void;
  /** How large the terminal is now, in cells. */
  size(): { columns: number; rows: number };
}

/** The line being typed. */
export interface Input {
  before: readonly string[];
  after: readonly string[];
}

// To the end of this row, then from the second cell down: erasing from the first cell of the screen on would
// make tmux keep a copy of it.
const ERASE_BELOW = "\x1b[K\x1b[C\x1b[J\r";

/** A terminal with a prompt at the bottom. */
export class Screen {
  readonly #canvas: Canvas;
  readonly #prompt: string;
  /** For which size the cursor was saved; empty before the first time. */
  #drawnFor = "";
  /** The rows that were drawn above the cursor, and what stands before it in its own. */
  #aboveCursor: string[] = [];
  #left = false;

  constructor(canvas: Canvas, prompt: string) {
    this.#canvas = canvas;
    this.#prompt = prompt;
  }

  /** Draws the input in place of what was drawn of it before. */
  draw(input: Input): void {
    this.#canvas.write(this.#toInput() + this.#paint(input));
  }

  /** Prints lines above the input. */
  print(lines: readonly string[], input: Input): void {
    const text = lines.map((line) => `${line}\r\n`).join("");
    this.#canvas.write(this.#toInput() + text + this.#paint(input));
  }

  /** Ends the input: what was typed of it stays, the prompt alone does not, and lines are printed below. */
  leave(input: Input): void {
    const rest = [...input.before, ...input.after].map(visible).join("");
    this.#canvas.write(
      this.#toInput() + (rest === "" ? "" : `${this.#prompt}${rest}\r\n`),
    );
    this.#left = true;
  }

  /** To the first cell of the input, erasing it. */
  #toInput(): string {
    if (this.#drawnFor === "" || this.#left) return "";
    if (this.#drawnFor === this.#sizeKey()) return `\x1b8${ERASE_BELOW}`;
    // Rows that are too long for a narrower terminal were wrapped by it. Where it has put the cursor of such a
    // row is a guess: tmux lets it follow its character, and xterm.js (VS Code) does not.
    const { columns } = this.#size();
    const widths = this.#aboveCursor.map((row) => stringWidth(row));
    const inRow = Math.floor((widths.pop() ?? 0) / columns);
    const above = widths.reduce(
      (rows, width) => rows + Math.max(1, Math.ceil(width / columns)),
      0,
    );
    return `${up(above + inRow)}\r${ERASE_BELOW}`;
  }

  #paint(input: Input): string {
    if (this.#left) return "";
    const { columns, rows: height } = this.#size();
    const before = [...graphemes(this.#prompt), ...input.before.map(visible)];
    const after = input.after.map(visible);
    const rows = inRows([...before, ...after], columns - 1);
    const cursorRows = inRows(before, columns - 1);
    const cursorRow = cursorRows.length - 1;
    // An input that is taller than the screen shows the rows around the cursor.
    const first = Math.max(0, cursorRow - height + 1);
    const shown = rows.slice(first, first + height);

    this.#drawnFor = this.#sizeKey();
    this.#aboveCursor = cursorRows.slice(first);
    const reserve = "\n".repeat(shown.length - 1) + up(shown.length - 1);
    const toCursor = `\x1b8${down(cursorRow - first)}${cursorRows[cursorRow]}`;
    return `${reserve}\r\x1b7${shown.join("\r\n")}${toCursor}`;
  }

  #size(): { columns: number; rows: number } {
    const { columns, rows } = this.#canvas.size();
    return { columns: Math.max(2, columns), rows: Math.max(1, rows) };
  }

  #sizeKey(): string {
    const { columns, rows } = this.#size();
    return `${columns}x${rows}`;
  }
}

function up(rows: number): string {
  return rows > 0 ? `\x1b[${rows}A` : "";
}

function down(rows: number): string {
  return rows > 0 ? `\x1b[${rows}B` : "";
}

/** `characters` in rows of at most `columns` cells. */
function inRows(characters: readonly string[], columns: number): string[] {
  const rows = [""];
  let used = 0;
  for (const character of characters) {
    const cells = widest(character);
    if (used + cells > columns && used > 0) {
      rows.push("");
      used = 0;
    }
    rows[rows.length - 1] += character;
    used += cells;
  }
  return rows;
}

/** How a character of the input is shown: an end of line by a sign, a tab by one blank. */
function visible(character: string): string {
  return character === "\n" ? "⏎" : character === "\t" ? " " : character;
}

/** The most cells in which any terminal draws `text`. */
function widest(text: string): number {
  let cells = 0;
  for (const character of text) cells += character < "\u1100" ? 1 : 2;
  return cells;
}
