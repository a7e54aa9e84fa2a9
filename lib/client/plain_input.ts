/**
 * What a person types at a terminal that edits the line itself: lines, and now and then one that is not shown. Knows
 * nothing of what they mean.
 */

import { describe } from "../fault.ts";
import { MAX_LINE_BYTES } from "../message.ts";
import { askUnseen, type Keyboard } from "./unseen.ts";

/** The lines that are typed, one after the other. */
export class PlainInput {
  readonly #chunks: ReadableStreamDefaultReader<string>;
  #rest = "";
  #hasEnded = false;

  constructor(input: ReadableStream<Uint8Array>) {
    this.#chunks = input
      .pipeThrough(new TextDecoderStream("utf-8", { ignoreBOM: true }))
      .getReader();
  }

  /**
   * The next line, without its end; of one that is too long to be said, only its begin.
   *
   * @returns nothing if there are no more
   * @throws {Error} if it cannot be read
   */
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end).replace(/\r$/, "");
        this.#rest = this.#rest.slice(end + 1);
        return line;
      }
      const text = await this.#read();
      if (text === undefined) return this.#last();
      // A line without end would fill the memory; what is too long stays so.
      const isFull = this.#rest.length > MAX_LINE_BYTES && !text.includes("\n");
      if (!isFull) this.#rest += text;
    }
  }

  /**
   * A line that is not shown.
   *
   * @param terminal what it is typed at
   * @returns nothing if somebody does not want to say it, or there is no more input
   * @throws {Error} if it cannot be read
   */
  unseen(
    question: string,
    terminal: Omit<Keyboard, "read">,
  ): Promise<string | undefined> {
    const read = () => this.#last() ?? this.#read();
    return askUnseen(question, { ...terminal, read: async () => await read() });
  }

  /** What was typed and is no whole line. */
  #last(): string | undefined {
    const line = this.#rest;
    this.#rest = "";
    return line === "" ? undefined : line;
  }

  async #read(): Promise<string | undefined> {
    if (this.#hasEnded) return undefined;
    try {
      const { done, value } = await this.#chunks.read();
      this.#hasEnded = done;
      return value;
    } catch (error) {
      throw new Error(`cannot read the input: ${describe(error)}`);
    }
  }
}
