/**
 * What the terminal shows: lines that stay, in its own scrollback, and below them what may still change: a few
 * lines, and the line being typed. Knows escape sequences and widths; must not know what is typed or who says what.
 *
 * What may change is cut into rows here, short enough however wide this terminal draws an emoji, so that none wraps
 * where it should not, and it is known how far above the cursor it begins. A saved cursor (`ESC 7`) would be a place
 * on the screen, and a terminal may have moved everything before it tells that it has another size.
 *
 * Each of these rows but the last is filled with a blank in the last column, so that the terminal takes all of
 * them for one wrapped line. When it gets another width, terminals that wrap such a line anew (tmux, VTE, kitty)
 * move the cursor along, and how many rows are above it then can be counted exactly. Others (xterm, xterm.js) leave
 * the line as it was, because the program draws it anew. Which of these a terminal is, it tells when it is asked for
 * its cursor.
 */

import stringWidth from "string-width";
import { graphemes } from "./input_line.ts";

/** What there is to draw on. */
export interface Canvas {
  /** Writes all of `text`. */
  write(text: string): void;
  /** How large the terminal is now, in cells. */
  size(): Size;
  /** Does something when a terminal that was asked should have answered. */
  later(act: () => void): void;
}

/** In cells. */
export interface Size {
  columns: number;
  rows: number;
}

/** Counted from 0. */
interface Place {
  row: number;
  column: number;
}

/** What may still change. */
export interface Draft {
  /** Lines above the line being typed; each is cut to one row. */
  above: readonly { text: string; paint?: (text: string) => string }[];
  prompt: string;
  /** The characters before the cursor. */
  before: readonly string[];
  /** The characters after it. */
  after: readonly string[];
}

// To the end of this row, then from the second cell down: erasing from the first cell of the screen on would
// make tmux keep a copy of it.
const ERASE_BELOW = "\x1b[K\x1b[C\x1b[J\r";

/**
 * A longer input shows the rows around the cursor. What fills the screen would go into the scrollback at the next
 * sudden resize, where nothing can be erased: of 900 such storms with half a screen 30 left something over, with 4
 * rows none.
 */
const MAX_INPUT_ROWS = 4;

/** So many lines are shown above the input. */
const MAX_LINES = 3;

/** Asks the terminal where its cursor is. */
const LOCATE = "\x1b[6n";

/** What was drawn, and for which size. */
interface Drawn {
  size: Size;
  /** The rows above the one with the cursor. */
  above: readonly string[];
  /** What stands before the cursor in its row. */
  before: string;
}

/** A terminal with a prompt at the bottom. */
export class Screen {
  readonly #canvas: Canvas;
  #drawn: Drawn | undefined;
  /** Whether the terminal wraps anew what was drawn; not known before it has told. */
  #wrapsAnew: boolean | undefined;
  /** For which size it was asked, as long as it has not answered. */
  #askedFor: Size | undefined;
  #answers = true;
  /** What is written once the terminal has answered. */
  #held = "";
  /** How many cells of what was drawn a sudden resize has moved into the scrollback, right above what is drawn. */
  #buriedCells = 0;
  #draft: Draft = { above: [], prompt: "", before: [], after: [] };
  /** Not drawn: what is printed waits while it is paused, and is written as it is after the end. */
  #state: "drawn" | "paused" | "ended" = "drawn";

  constructor(canvas: Canvas) {
    this.#canvas = canvas;
  }

  /** Draws what may change in place of what was drawn of it before. */
  draw(draft: Draft): void {
    this.#show("", draft);
  }

  /** Prints rows above what may change. */
  print(rows: readonly string[], draft: Draft): void {
    this.#show(rows.map((row) => `${row}\r\n`).join(""), draft);
  }

  /** Clears the screen, but not the scrollback, and prints as many of these rows as fit, the last ones. */
  redraw(rows: readonly string[], draft: Draft): void {
    const fits = this.#size().rows - this.#compose(draft).rows.length;
    const shown = fits > 0 ? rows.slice(-fits) : [];
    const text = shown.map((row) => `${row}\r\n`).join("");
    this.#show(`\x1b[H${ERASE_BELOW}${text}`, draft);
  }

  /** Moves all that is on the screen into the scrollback. */
  clear(draft: Draft): void {
    this.#show(`${"\n".repeat(this.#size().rows)}\x1b[H`, draft);
  }

  /** The terminal says where its cursor is, counted from 1. */
  locate(row: number, column: number): void {
    if (!this.#askedFor || !this.#drawn) return;
    const size = this.#size();
    if (!isSame(size, this.#askedFor)) return this.#ask(size);
    const cursor = { row: row - 1, column: column - 1 };
    const stays = Math.min(stringWidth(this.#drawn.before), size.columns - 1);
    const { column: wraps } = wrappedAnew(this.#drawn, size.columns, cursor);
    const farFrom = (place: number) => Math.abs(cursor.column - place);
    // Where both are the same it tells nothing.
    if (wraps !== stays) this.#wrapsAnew = farFrom(wraps) < farFrom(stays);
    this.#goOn(cursor);
  }

  /** Erases what may change; what is printed waits for {@linkcode resume}. */
  pause(): void {
    this.#canvas.write(this.#toBegin());
    this.#drawn = this.#askedFor = undefined;
    this.#state = "paused";
  }

  /** Draws again after {@linkcode pause}. */
  resume(draft: Draft): void {
    this.#drawn = this.#askedFor = undefined;
    this.#state = "drawn";
    this.draw(draft);
  }

  /** Erases what may change for good, but for what was typed; what is printed follows. */
  end(): void {
    if (this.#state === "ended") return;
    const { prompt, before, after } = this.#draft;
    const typed = [...before, ...after].map(visible).join("");
    this.pause();
    this.#state = "ended";
    const rest = typed === "" ? "" : `${prompt}${typed}\r\n`;
    this.#canvas.write(this.#held + rest);
    this.#held = "";
  }

  #show(text: string, draft: Draft): void {
    this.#held += text;
    this.#draft = draft;
    if (this.#askedFor) return;
    const drawn = this.#drawn;
    const size = this.#size();
    // Where it is one row and stays one, it is clear where it begins.
    const isClear = !drawn || isSame(size, drawn.size) ||
      (drawn.above.length === 0 &&
        stringWidth(drawn.before) < size.columns);
    if (isClear || !this.#answers) this.#goOn();
    else this.#ask(size);
  }

  /** Has the terminal tell how it has resized what was drawn. */
  #ask(size: Size): void {
    this.#askedFor = size;
    this.#canvas.write(LOCATE);
    this.#canvas.later(() => {
      if (this.#askedFor !== size) return;
      this.#answers = this.#wrapsAnew = false;
      this.#goOn();
    });
  }

  /** @param cursor where the cursor is, if that is known */
  #goOn(cursor?: Place): void {
    this.#askedFor = undefined;
    if (this.#state === "paused") return;
    const text = this.#held;
    this.#held = "";
    if (this.#state === "ended") return this.#canvas.write(text);
    const printed = this.#toBegin(cursor) + text;
    if (text !== "") this.#buriedCells = 0;
    this.#canvas.write(printed + this.#paint(this.#draft));
  }

  /** To the first cell of what may change, erasing it. */
  #toBegin(cursor?: Place): string {
    const drawn = this.#drawn;
    if (!drawn) return "";
    const size = this.#size();
    const { columns } = size;
    const stays = drawn.above.length;
    if (isSame(size, drawn.size)) return `${up(stays)}\r${ERASE_BELOW}`;
    const wraps = wrappedAnew(drawn, columns, cursor).row;
    const drawnUp = this.#wrapsAnew === undefined
      // Something left over is better than a message lost.
      ? Math.min(wraps, stays)
      : this.#wrapsAnew
      ? wraps
      : stays;
    const rows = drawnUp + Math.ceil(this.#buriedCells / columns);
    // What is above the screen cannot be erased, unless the screen grows before anything else is printed.
    const buried = cursor ? Math.max(0, rows - cursor.row) : 0;
    this.#buriedCells = buried * columns;
    return `${up(rows)}\r${ERASE_BELOW}`;
  }

  #paint(draft: Draft): string {
    const { rows, painted, cursorRow, beforeCursor } = this.#compose(draft);
    const size = this.#size();
    this.#drawn = {
      size,
      above: rows.slice(0, cursorRow),
      before: beforeCursor,
    };
    const last = rows.length - 1;
    // Reserved first, because drawing must not scroll.
    const begin = `${"\n".repeat(last)}${up(last)}\r`;
    const toCursor = `${up(last - cursorRow)}\r${beforeCursor}`;
    return `${begin}${painted.join(`\x1b[${size.columns}G `)}${toCursor}`;
  }

  /** What may change, in rows, as they are and as they are painted. */
  #compose({ above, prompt, before, after }: Draft) {
    const { columns, rows: height } = this.#size();
    const mostLines = Math.min(above.length, MAX_LINES, height >> 2);
    const lines = above.slice(above.length - mostLines).map(
      ({ text, paint }) => {
        const row = cut(text, columns - 1);
        return { row, painted: paint?.(row) ?? row };
      },
    );
    const start = [...graphemes(prompt), ...before.map(visible)];
    const input = inRows([...start, ...after.map(visible)], columns - 1);
    const toCursor = inRows(start, columns - 1);
    const cursorRow = toCursor.length - 1;
    const most = Math.max(1, Math.min(MAX_INPUT_ROWS, height >> 1));
    // Of a longer input, the rows around the cursor; the prompt is always there, because it may be a question.
    const first = Math.max(
      0,
      Math.min(cursorRow - (most >> 1), input.length - most),
    );
    const shown = input.slice(first, first + most);
    if (first > 0 && most > 1) shown[0] = cut(`${prompt}…`, columns - 1);
    return {
      rows: [...lines.map(({ row }) => row), ...shown],
      painted: [...lines.map(({ painted }) => painted), ...shown],
      cursorRow: lines.length + cursorRow - first,
      beforeCursor: toCursor[cursorRow] ?? "",
    };
  }

  #size(): Size {
    const { columns, rows } = this.#canvas.size();
    return { columns: Math.max(2, columns), rows: Math.max(1, rows) };
  }
}

/** Whether two sizes are the same. */
export function isSame(one: Size, other: Size): boolean {
  return one.columns === other.columns && one.rows === other.rows;
}

/**
 * Where the cursor is, counted from the begin of what was drawn, in a terminal that has wrapped it anew.
 *
 * @param cursor where it is on the screen: behind a full row some terminals have it there, others in the next one
 */
function wrappedAnew(
  { size, above, before }: Drawn,
  columns: number,
  cursor?: Place,
): Place {
  let [row, column] = [0, 0];
  const put = (cells: number) => {
    // A wide character that does not fit leaves a blank.
    if (column + cells > columns) [row, column] = [row + 1, 0];
    column += cells;
  };
  const putAll = (text: string) => {
    const widths = graphemes(text).map((character) => stringWidth(character));
    widths.forEach(put);
    return widths.reduce((all, cells) => all + cells, 0);
  };
  for (const text of above) {
    for (let cells = putAll(text); cells < size.columns; cells++) put(1);
  }
  putAll(before);
  const isInNext = column === columns && cursor?.column === 0;
  return isInNext ? { row: row + 1, column: 0 } : { row, column };
}

function up(rows: number): string {
  return rows > 0 ? `\x1b[${rows}A` : "";
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

/** As much of `text` as fits into one row of `columns` cells. */
function cut(text: string, columns: number): string {
  const [row = "", ...others] = inRows(graphemes(text).map(visible), columns);
  if (others.length === 0) return row;
  return `${inRows(graphemes(row), columns - 2)[0] ?? ""}…`;
}

/** How a character of the input is shown: what has no cell of its own by a sign, a tab by one blank. */
function visible(character: string): string {
  if (character === "\n") return "⏎";
  if (character === "\t") return " ";
  return character < "\u0300" || stringWidth(character) > 0 ? character : "·";
}

/** The most cells in which any terminal draws `text`. */
function widest(text: string): number {
  let cells = 0;
  for (const character of text) cells += character < "\u1100" ? 1 : 2;
  return cells;
}
