/**
 * The line being typed: its characters, as a reader sees them, the place where the next one goes, and what was
 * erased or can be undone. Pure; knows neither where keys come from nor how the line is drawn.
 */

import type { Key, KeyName } from "./keys.ts";

const segmenter = new Intl.Segmenter();

/** `text` cut into what a reader takes for one character each, such as a letter with its accents. */
export function graphemes(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** So many changes can be undone. */
const MAX_UNDO = 100;

interface State {
  readonly characters: readonly string[];
  readonly cursor: number;
}

/** What the key before has done: a run of typing is undone at once, a run of erasing is yanked at once. */
type Last = "typed" | "erased" | undefined;

/** A line that is edited character by character. */
export class InputLine {
  #state: State = { characters: [], cursor: 0 };
  #undo: State[] = [];
  #erased = "";
  #last: Last;

  /** The characters before the cursor. */
  get before(): readonly string[] {
    return this.#state.characters.slice(0, this.#state.cursor);
  }

  /** The characters after the cursor. */
  get after(): readonly string[] {
    return this.#state.characters.slice(this.#state.cursor);
  }

  /** All of it; `\n` where a paste had the end of a line. */
  get text(): string {
    return this.#state.characters.join("");
  }

  /** Empties the line, for good, and gives what stood there. */
  take(): string {
    const { text } = this;
    this.#state = { characters: [], cursor: 0 };
    this.#undo = [];
    this.#last = undefined;
    return text;
  }

  /** From now on nothing can be undone that was done, nor yanked that was erased. */
  forget(): void {
    this.#undo = [];
    this.#erased = "";
    this.#last = undefined;
  }

  /** Puts something else in the line, with the cursor behind `before`; that can be undone. */
  replace(before: string, after = ""): void {
    this.#change(before, after);
  }

  /** Applies a key, if it is one that edits. */
  apply(key: Key): void {
    if ("text" in key) this.#insert(key.text);
    else if ("name" in key) this.#edit(key.name);
  }

  #insert(text: string): void {
    const { cursor } = this.#state;
    // A word is undone at once. Several characters at once were pasted, and are undone apart.
    const isTyped = graphemes(text).length === 1;
    const isOfRun = isTyped && this.#last === "typed" && !/\s/.test(text);
    this.#put(cursor, cursor, text, { isOfRun });
    if (isTyped) this.#last = "typed";
  }

  #edit(name: KeyName): void {
    const { characters, cursor: at } = this.#state;
    const end = characters.length;
    switch (name) {
      case "left":
        return this.#move(Math.max(0, at - 1));
      case "right":
        return this.#move(Math.min(end, at + 1));
      case "word-left":
        return this.#move(this.#wordStart(isLetter));
      case "word-right":
        return this.#move(this.#wordEnd());
      case "home":
        return this.#move(0);
      case "end":
        return this.#move(end);
      case "backspace":
        return this.#put(Math.max(0, at - 1), at, "");
      case "delete":
      case "end-of-input":
        return this.#put(at, at + 1, "");
      case "erase-before":
        return this.#erase(0, at);
      case "erase-after":
        return this.#erase(at, end);
      case "erase-word":
        return this.#erase(this.#wordStart(isVisible), at);
      case "erase-word-before":
        return this.#erase(this.#wordStart(isLetter), at);
      case "erase-word-after":
        return this.#erase(at, this.#wordEnd());
      case "yank":
        return this.#put(at, at, this.#erased);
      case "transpose":
        return this.#transpose();
      case "undo":
        return this.#goBack();
    }
  }

  #move(to: number): void {
    this.#state = { ...this.#state, cursor: to };
    this.#last = undefined;
  }

  /** Removes characters so that they can be yanked; what is erased one after the other is yanked at once. */
  #erase(from: number, to: number): void {
    if (from === to) return;
    const { characters, cursor } = this.#state;
    const erased = characters.slice(from, to).join("");
    const known = this.#last === "erased" ? this.#erased : "";
    this.#erased = to === cursor ? erased + known : known + erased;
    this.#put(from, to, "");
    this.#last = "erased";
  }

  /** Exchanges the two characters before the end of the line, or those around the cursor. */
  #transpose(): void {
    const { characters, cursor } = this.#state;
    const at = Math.min(cursor, characters.length - 1);
    const [one, two] = [characters[at - 1], characters[at]];
    if (one === undefined || two === undefined) return;
    this.#put(at - 1, at + 1, two + one);
  }

  #goBack(): void {
    this.#state = this.#undo.pop() ?? this.#state;
    this.#last = undefined;
  }

  /** Puts a text in the place of some characters, with the cursor behind it. */
  #put(
    from: number,
    to: number,
    text: string,
    options?: { isOfRun: boolean },
  ): void {
    const { characters } = this.#state;
    const before = characters.slice(0, from).join("") + text;
    this.#change(before, characters.slice(to).join(""), options);
  }

  #change(before: string, after: string, { isOfRun = false } = {}): void {
    // Where they meet, two characters may become one: a letter and its accent, the parts of an emoji.
    const characters = graphemes(before + after);
    const cursor = Math.min(graphemes(before).length, characters.length);
    const isSame = before + after === this.text &&
      cursor === this.#state.cursor;
    this.#last = undefined;
    if (isSame) return;
    if (!isOfRun) this.#undo.push(this.#state);
    if (this.#undo.length > MAX_UNDO) this.#undo.shift();
    this.#state = { characters, cursor };
  }

  #wordStart(isOfWord: (character: string) => boolean): number {
    const { characters, cursor } = this.#state;
    let start = cursor;
    while (start > 0 && !isOfWord(characters[start - 1]!)) start--;
    while (start > 0 && isOfWord(characters[start - 1]!)) start--;
    return start;
  }

  #wordEnd(): number {
    const { characters, cursor } = this.#state;
    const length = characters.length;
    let end = cursor;
    while (end < length && !isLetter(characters[end]!)) end++;
    while (end < length && isLetter(characters[end]!)) end++;
    return end;
  }
}

/** Whether words have it, as readline counts them. */
function isLetter(character: string): boolean {
  return /[\p{L}\p{N}]/u.test(character);
}

function isVisible(character: string): boolean {
  return character.trim() !== "";
}
