/**
 * The line being typed: its characters, as a reader sees them, and the place where the next one goes. Pure;
 * knows neither where keys come from nor how the line is drawn.
 */

import type { Key, KeyName } from "./keys.ts";

const segmenter = new Intl.Segmenter();

/** `text` cut into what a reader takes for one character each, such as a letter with its accents. */
export function graphemes(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** A line that is edited character by character. */
export class InputLine {
  #characters: string[] = [];
  #cursor = 0;

  /** The characters before the cursor. */
  get before(): readonly string[] {
    return this.#characters.slice(0, this.#cursor);
  }

  /** The characters after the cursor. */
  get after(): readonly string[] {
    return this.#characters.slice(this.#cursor);
  }

  /** All of it; `\n` where a paste had the end of a line. */
  get text(): string {
    return this.#characters.join("");
  }

  /** Empties the line, and gives what stood there. */
  take(): string {
    const text = this.text;
    this.#characters = [];
    this.#cursor = 0;
    return text;
  }

  /** Applies a key, if it is one that edits. */
  apply(key: Key): void {
    if ("text" in key) this.#insert(key.text);
    else this.#edit(key.name);
  }

  #insert(text: string): void {
    // What is typed may join the character before it: an accent, the next part of an emoji.
    const before = graphemes(this.before.join("") + text);
    this.#characters = graphemes(before.join("") + this.after.join(""));
    this.#cursor = Math.min(before.length, this.#characters.length);
  }

  #edit(name: KeyName): void {
    const at = this.#cursor;
    const end = this.#characters.length;
    switch (name) {
      case "left":
        this.#cursor = Math.max(0, at - 1);
        break;
      case "right":
        this.#cursor = Math.min(end, at + 1);
        break;
      case "home":
        this.#cursor = 0;
        break;
      case "end":
        this.#cursor = end;
        break;
      case "backspace":
        this.#erase(at - 1, at);
        break;
      case "delete":
      case "end-of-input":
        this.#erase(at, at + 1);
        break;
      case "erase-before":
        this.#erase(0, at);
        break;
      case "erase-after":
        this.#erase(at, end);
        break;
      case "erase-word":
        this.#erase(this.#wordStart(), at);
        break;
    }
  }

  #erase(from: number, to: number): void {
    const start = Math.max(0, from);
    this.#characters.splice(start, to - start);
    this.#cursor = start;
  }

  #wordStart(): number {
    let start = this.#cursor;
    while (start > 0 && this.#characters[start - 1]!.trim() === "") start--;
    while (start > 0 && this.#characters[start - 1]!.trim() !== "") start--;
    return start;
  }
}
