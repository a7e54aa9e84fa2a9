/** A terminal without a window, to see what a person would see. */

import xterm from "@xterm/headless";
import { KeyReader } from "../lib/client/keys.ts";
import { type Canvas, Screen, type Size } from "../lib/client/screen.ts";

/** How a cell looks. */
export interface Style {
  color: number | undefined;
  isBold: boolean;
  isInverse: boolean;
}

/** A cell of the screen, and what stands in it. */
export interface Cell extends Style {
  /** A blank if nothing does. */
  text: string;
  /** How many cells it takes: 1 or 2. */
  width: number;
  isDim: boolean;
}

/** A terminal of a given size, with its scrollback. */
export class Glass implements Canvas {
  readonly #terminal: InstanceType<typeof xterm.Terminal>;
  /** The title that was set; empty if none was. */
  title = "";
  /** How often it has rung. */
  bells = 0;
  /** Is given what the terminal answers when it is asked something. */
  onAnswer: (answer: string) => void = () => {};

  constructor(columns: number, rows: number) {
    this.#terminal = new xterm.Terminal({
      cols: columns,
      rows,
      scrollback: 100_000,
      allowProposedApi: true,
    });
    this.#terminal.onTitleChange((title) => this.title = title);
    this.#terminal.onBell(() => this.bells++);
    this.#terminal.onData((answer) => this.onAnswer(answer));
  }

  write(text: string | Uint8Array): void {
    this.#terminal.write(text);
  }

  size(): Size {
    return { columns: this.#terminal.cols, rows: this.#terminal.rows };
  }

  /** A terminal without a window answers at once: nothing has to be done later. */
  later(): void {}

  /** A screen on this terminal, which hears what the terminal answers. */
  screen(): Screen {
    const screen = new Screen(this);
    const reader = new KeyReader();
    this.onAnswer = (answer) => {
      for (const key of reader.push(answer)) {
        if ("column" in key) screen.locate(key.row, key.column);
      }
    };
    return screen;
  }

  /** Resizes, as dragging the corner of a window does; what was written before is shown before. */
  async resize(columns: number, rows: number): Promise<void> {
    await this.settled();
    this.#terminal.resize(columns, rows);
  }

  /** Resolves when all that was written is shown. */
  async settled(): Promise<void> {
    await new Promise<void>((resolve) => this.#terminal.write("", resolve));
  }

  /** The rows of the screen, without the blanks at their ends. */
  rows(): string[] {
    return this.#all().slice(this.#terminal.buffer.active.baseY).map((
      { text },
    ) => text.trimEnd());
  }

  /** All lines from the begin of the scrollback down to the last that is not empty; rows that a line wrapped to are joined. */
  lines(): string[] {
    const lines: string[] = [];
    for (const { text, wrapped } of this.#all()) {
      if (wrapped) lines.push((lines.pop() ?? "") + text);
      else lines.push(text);
    }
    while (lines.at(-1)?.trimEnd() === "") lines.pop();
    return lines.map((line) => line.trimEnd());
  }

  /** Whether a cell of the screen is dim. */
  isDim(row: number, column: number): boolean {
    return this.#cell(row, column).isDim() !== 0;
  }

  /** How a cell of the screen looks; its colour is one of 256, if it has one. */
  style(row: number, column: number): Style {
    const cell = this.#cell(row, column);
    return {
      color: cell.isFgPalette() ? cell.getFgColor() : undefined,
      isBold: cell.isBold() !== 0,
      isInverse: cell.isInverse() !== 0,
    };
  }

  /** The rows of the screen, in cells; what takes two is one. */
  cells(): Cell[][] {
    const { columns, rows } = this.size();
    return Array.from({ length: rows }, (_, row) => {
      const cells: Cell[] = [];
      for (let column = 0; column < columns;) {
        const cell = this.#cell(row, column);
        const width = Math.max(1, cell.getWidth());
        cells.push({
          text: cell.getChars() || " ",
          width,
          isDim: this.isDim(row, column),
          ...this.style(row, column),
        });
        column += width;
      }
      return cells;
    });
  }

  #cell(row: number, column: number) {
    const buffer = this.#terminal.buffer.active;
    return buffer.getLine(buffer.baseY + row)!.getCell(column)!;
  }

  /** Where the cursor is on the screen: column and row, from 0. */
  cursor(): [number, number] {
    const { cursorX, cursorY } = this.#terminal.buffer.active;
    return [cursorX, cursorY];
  }

  #all(): { text: string; wrapped: boolean }[] {
    const buffer = this.#terminal.buffer.active;
    return Array.from({ length: buffer.length }, (_, y) => {
      const line = buffer.getLine(y)!;
      return { text: line.translateToString(true), wrapped: line.isWrapped };
    });
  }
}
