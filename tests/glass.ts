/** A terminal without a window, to see what a person would see. */

import xterm from "@xterm/headless";
import type { Canvas } from "../lib/client/screen.ts";

/** A terminal of a given size, with its scrollback. */
export class Glass implements Canvas {
  readonly #terminal: InstanceType<typeof xterm.Terminal>;
  #savedAt: number | undefined;
  #fault: string | undefined;

  constructor(columns: number, rows: number) {
    this.#terminal = new xterm.Terminal({
      cols: columns,
      rows,
      scrollback: 100_000,
      allowProposedApi: true,
    });
    // xterm.js keeps a saved cursor with its line, and most terminals with its place on the screen. So nothing may
    // scroll, and nothing be resized, between saving it (ESC 7) and returning to it (ESC 8).
    const scrolled = () => this.#terminal.buffer.active.baseY;
    this.#terminal.onResize(() => this.#savedAt = undefined);
    this.#terminal.parser.registerEscHandler({ final: "7" }, () => {
      this.#savedAt = scrolled();
      return false;
    });
    this.#terminal.parser.registerEscHandler({ final: "8" }, () => {
      if (this.#savedAt !== scrolled()) {
        this.#fault ??=
          "returned to a saved cursor that means nothing any more";
      }
      return false;
    });
  }

  write(text: string | Uint8Array): void {
    this.#terminal.write(text);
  }

  size(): { columns: number; rows: number } {
    return { columns: this.#terminal.cols, rows: this.#terminal.rows };
  }

  /** Resizes, as dragging the corner of a window does; what was written before is shown before. */
  async resize(columns: number, rows: number): Promise<void> {
    await this.settled();
    this.#terminal.resize(columns, rows);
  }

  /** Whether the cursor was saved since the last resize. */
  get isDrawn(): boolean {
    return this.#savedAt !== undefined;
  }

  /** Resolves when all that was written is shown. */
  async settled(): Promise<void> {
    await new Promise<void>((resolve) => this.#terminal.write("", resolve));
    if (this.#fault) throw new Error(this.#fault);
  }

  /** The rows of the screen, without the blanks at their ends. */
  screen(): string[] {
    return this.#rows().slice(this.#terminal.buffer.active.baseY).map((
      { text },
    ) => text.trimEnd());
  }

  /** All lines from the begin of the scrollback down to the last that is not empty; rows that a line wrapped to are joined. */
  lines(): string[] {
    const lines: string[] = [];
    for (const { text, wrapped } of this.#rows()) {
      if (wrapped) lines.push((lines.pop() ?? "") + text);
      else lines.push(text);
    }
    while (lines.at(-1)?.trimEnd() === "") lines.pop();
    return lines.map((line) => line.trimEnd());
  }

  /** Where the cursor is on the screen: column and row, from 0. */
  cursor(): [number, number] {
    const { cursorX, cursorY } = this.#terminal.buffer.active;
    return [cursorX, cursorY];
  }

  #rows(): { text: string; wrapped: boolean }[] {
    const buffer = this.#terminal.buffer.active;
    return Array.from({ length: buffer.length }, (_, y) => {
      const line = buffer.getLine(y)!;
      return { text: line.translateToString(true), wrapped: line.isWrapped };
    });
  }
}
