/**
 * What the terminal shows: lines that stay, in its own scrollback, and below them the line being typed. Knows
 * escape sequences and widths; must not know what is typed or who says what.
 *
 * The cursor is saved (`ESC 7`) at the first cell of the input, and every repaint begins there (`ESC 8`): that
 * is exact however wide this terminal draws an emoji. The rows that the input needs are reserved before it is
 * drawn, because drawing must not scroll. After a resize the saved cursor means nothing, and rows are counted.
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
  /** What was drawn before the cursor. */
  #drawn = "";
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

  /**
   * Ends the input: what was typed of it stays, the prompt alone does not, and lines are printed below.
   */
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
    return `${up(this.#rowsAboveCursor())}\r${ERASE_BELOW}`;
  }

  /** In how many rows the terminal, resized since, now shows what was drawn before the cursor. */
  #rowsAboveCursor(): number {
    const { columns } = this.#size();
    let row = 0;
    let column = 0;
    for (const character of graphemes(this.#drawn)) {
      const width = stringWidth(character);
      if (column + width > columns) {
        row++;
        column = 0;
      }
      column += width;
    }
    return column === columns ? row + 1 : row;
  }

  #paint(input: Input): string {
    if (this.#left) return "";
    const { columns, rows } = this.#size();
    const { before, after } = this.#fit(input, columns, rows);
    const left = this.#prompt + before;
    const reserved = Math.min(
      rows - 1,
      Math.floor((widest(left + after) + 1) / (columns - 1)),
    );
    this.#drawnFor = this.#sizeKey();
    this.#drawn = left;
    // With nothing behind it, the cursor of a full row would wait at its end: a blank moves it on.
    const toCursor = after !== ""
      ? `\x1b8${left}`
      : stringWidth(left) % columns === 0
      ? " \b"
      : "";
    return `${"\n".repeat(reserved)}${
      up(reserved)
    }\r\x1b7${left}${after}${toCursor}`;
  }

  /** As much of the input around the cursor as the screen can show. */
  #fit(
    input: Input,
    columns: number,
    rows: number,
  ): { before: string; after: string } {
    const before = input.before.map(visible);
    const after = input.after.map(visible);
    let room = (columns - 1) * Math.max(1, rows - 1) - widest(this.#prompt) - 1;
    let from = before.length;
    while (from > 0 && (room -= widest(before[from - 1]!)) >= 0) from--;
    let to = 0;
    while (to < after.length && (room -= widest(after[to]!)) >= 0) to++;
    return {
      before: before.slice(from).join(""),
      after: after.slice(0, to).join(""),
    };
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
