/**
 * What keys do to the line being typed: they edit it, recall and search what was typed before, complete it, and
 * send it. A password in it is not shown, and not kept. Pure; knows neither the terminal nor what becomes of what is
 * sent.
 */

import { beforeSecret, hasSecret, hideAll, hideSecrets } from "./hidden.ts";
import { type Found, InputHistory } from "./input_history.ts";
import { graphemes, InputLine } from "./input_line.ts";
import type { Key, KeyName } from "./keys.ts";

/** What is to be done beyond the line being typed. */
export type Act =
  | { type: "send"; lines: string[] }
  /** What was asked for unseen; nothing if somebody does not want to say it. */
  | { type: "answer"; secret: string | undefined }
  /** What was to be sent cannot be, and stays in the input. */
  | { type: "refuse"; reason: string }
  /** Ctrl-C in an empty line: somebody may want to leave. */
  | { type: "hint" }
  | { type: "quit" }
  | { type: "redraw" }
  | { type: "suspend" }
  | { type: "room"; number: number };

/** What the line can go on with. */
export interface Completion {
  /** From which place on the line is replaced, in UTF-16 code units. */
  start: number;
  /** By what; in the order in which they are offered. */
  candidates: readonly string[];
}

/** Of what a composer knows nothing itself. */
export interface ComposerOptions {
  /** What can stand instead of the end of `before`. */
  complete(before: string): Completion;
  /** Why these lines cannot be sent, if they cannot. */
  fault(lines: readonly string[]): string | undefined;
}

/** The keys that put something else in the place of the line. */
const LEAVES_LINE: readonly KeyName[] = [
  "older",
  "newer",
  "search",
  "complete",
  "complete-back",
];

/** So many lines are sent without a question. */
const MAX_UNASKED = 5;

/** What is searched for, and the line that is shown for it meanwhile. */
interface Searching {
  part: string;
  found: Found | undefined;
}

interface Completing extends Completion {
  before: string;
  after: string;
  index: number;
}

/** Something that is asked for and typed unseen. */
interface Asking {
  question: string;
  line: InputLine;
}

const HELD = "this line has held a password: Ctrl-C empties it";

/** The line being typed, and the keys that belong to it. */
export class Composer {
  readonly #options: ComposerOptions;
  readonly #line = new InputLine();
  readonly #history = new InputHistory();
  #searching: Searching | undefined;
  /** What was searched for before. */
  #sought = "";
  #completing: Completing | undefined;
  #isAsking = false;
  #unseen: Asking | undefined;
  /** What has stood before a password, as long as that may be in the line. */
  #beforeSecret: string | undefined;

  constructor(options: ComposerOptions) {
    this.#options = options;
  }

  /** The characters before the cursor, as they may be shown. */
  get before(): readonly string[] {
    if (this.#unseen) return hideAll(this.#unseen.line.before);
    const { found } = this.#searching ?? {};
    if (found) return graphemes(found.before);
    return this.#shown.slice(0, this.#line.before.length);
  }

  /** The characters after the cursor, as they may be shown. */
  get after(): readonly string[] {
    if (this.#unseen) return hideAll(this.#unseen.line.after);
    const { found } = this.#searching ?? {};
    if (found) return graphemes(found.after);
    return this.#shown.slice(this.#line.before.length);
  }

  /** Has the next line typed unseen, and not remembered; it is an answer, or Ctrl-C is. */
  askUnseen(question: string): void {
    this.#unseen = { question, line: new InputLine() };
  }

  /** Nobody wants to know any more what is being typed unseen: it is forgotten. */
  giveUpUnseen(): void {
    this.#unseen = undefined;
  }

  /** What has to stand before the line instead of the prompt, while it is about something else. */
  get question(): string | undefined {
    if (this.#unseen) return this.#unseen.question;
    if (this.#isAsking) return `send ${this.#lines.length} messages? (y/n) `;
    if (!this.#searching) return undefined;
    const { part, found } = this.#searching;
    const shown = hideSecrets(graphemes(part)).join("").replace(/\s/g, " ");
    return found || part === ""
      ? `(search: ${shown}) `
      : `(search, nothing has: ${shown}) `;
  }

  /** Does what a key is for; gives what is to be done besides. */
  press(key: Key): Act | undefined {
    // The terminal says where its cursor is, at any time.
    if ("column" in key) return undefined;
    if (isOfScreen(key)) return { type: key.name };
    if (this.#unseen) return this.#pressUnseen(this.#unseen, key);
    const act = this.#pressSeen(key);
    this.#guard();
    return act;
  }

  #pressSeen(key: Exclude<Key, { column: number }>): Act | undefined {
    if (this.#isAsking) {
      this.#isAsking = false;
      if (isYes(key)) return this.#send(true);
      if (isNo(key)) return undefined;
    }
    if (this.#searching && this.#search(this.#searching, key)) return undefined;
    const completing = this.#completing;
    this.#completing = undefined;
    if ("room" in key) return { type: "room", number: key.room };
    if ("name" in key) return this.#press(key.name, completing);
    this.#line.apply(key);
    return undefined;
  }

  /** The line as it may be shown: if it is not known any more where in it a password is, nothing of it. */
  get #shown(): string[] {
    const characters = [...this.#line.before, ...this.#line.after];
    return this.#isSpoilt ? hideAll(characters) : hideSecrets(characters);
  }

  /** Whether what stood before a password was changed: a part of it may be a name now, or be said aloud. */
  get #isSpoilt(): boolean {
    return !this.#line.text.startsWith(this.#beforeSecret ?? "");
  }

  /** Nothing brings back a password, or a part of it. */
  #guard(): void {
    const { text } = this.#line;
    this.#beforeSecret ??= beforeSecret(text);
    if (this.#beforeSecret === undefined) return;
    this.#line.forget();
    if (this.#beforeSecret.startsWith(text)) this.#beforeSecret = undefined;
  }

  #pressUnseen({ line }: Asking, key: Key): Act | undefined {
    if ("room" in key) return { type: "room", number: key.room };
    const name = "name" in key ? key.name : undefined;
    const isOver = name === "interrupt" ||
      (name === "end-of-input" && line.text === "");
    if (name !== "enter" && !isOver) {
      line.apply(key);
      return undefined;
    }
    const secrets = line.text.split("\n").filter((part) => part !== "");
    if (secrets.length > 1 && !isOver) {
      line.take();
      return { type: "refuse", reason: "a password is one line" };
    }
    this.#unseen = undefined;
    return { type: "answer", secret: isOver ? undefined : secrets[0] };
  }

  get #lines(): string[] {
    return this.#line.text.split("\n").filter((line) => line.trim() !== "");
  }

  #press(name: KeyName, completing: Completing | undefined): Act | undefined {
    const { text } = this.#line;
    // What is recalled would take its place, and it the place of a line that can be recalled.
    const isSecret = this.#beforeSecret !== undefined;
    if (isSecret && LEAVES_LINE.includes(name)) return undefined;
    switch (name) {
      case "enter":
        return this.#send(false);
      case "interrupt":
        this.#history.leave();
        if (text === "") return { type: "hint" };
        this.#line.replace("");
        return undefined;
      case "end-of-input":
        if (text === "") return { type: "quit" };
        break;
      case "older":
      case "newer": {
        const line = this.#history[name](text);
        if (line !== undefined) this.#line.replace(line);
        return undefined;
      }
      case "search":
        this.#searching = { part: "", found: undefined };
        return undefined;
      case "complete":
        this.#complete(completing, 1);
        return undefined;
      case "complete-back":
        this.#complete(completing, -1);
        return undefined;
    }
    this.#line.apply({ name });
    return undefined;
  }

  /** @param isSure whether somebody was asked if they want to send so much */
  #send(isSure: boolean): Act | undefined {
    const lines = this.#lines;
    const reason = this.#isSpoilt ? HELD : this.#options.fault(lines);
    if (reason) return { type: "refuse", reason };
    this.#isAsking = lines.length > MAX_UNASKED && !isSure;
    if (this.#isAsking) return undefined;
    const text = this.#line.take();
    if (lines.length > 0) {
      if (hasSecret(text)) this.#history.leave();
      else this.#history.add(text);
      return { type: "send", lines };
    }
    this.#history.leave();
    return undefined;
  }

  /** Searches on; returns whether the key belongs to that. Any other is for the line that was found. */
  #search({ part, found }: Searching, key: Key): boolean {
    if ("text" in key) {
      const longer = part + key.text;
      // What was found stays as long as it has that.
      const kept = found && this.#history.find(longer, found.older + 1);
      this.#searching = {
        part: longer,
        found: kept ?? this.#history.find(longer),
      };
      return true;
    }
    const name = "name" in key ? key.name : undefined;
    if (name === "backspace") {
      const shorter = graphemes(part).slice(0, -1).join("");
      this.#searching = { part: shorter, found: this.#history.find(shorter) };
      return true;
    }
    if (name === "search") {
      const again = part || this.#sought;
      const older = this.#history.find(again, found?.older);
      // Where nothing older has it, what was found stays.
      this.#searching = { part: again, found: older ?? found };
      return true;
    }
    this.#searching = undefined;
    this.#sought = part || this.#sought;
    if (name === "cancel" || name === "interrupt") return true;
    if (found) {
      this.#history.go(found.older, this.#line.text);
      this.#line.replace(found.before, found.after);
    }
    return false;
  }

  #complete(completing: Completing | undefined, step: 1 | -1): void {
    const now = completing ?? this.#begin(step);
    const { before, after, start, candidates } = now;
    const index = (now.index + step + candidates.length) % candidates.length;
    const candidate = candidates[index];
    if (candidate === undefined) return;
    // A blank that is there already is not doubled.
    const rest = candidate.endsWith(" ") ? after.replace(/^ /, "") : after;
    this.#line.replace(before.slice(0, start) + candidate, rest);
    this.#completing = { ...now, index };
  }

  #begin(step: 1 | -1): Completing {
    const before = this.#line.before.join("");
    const completion = this.#options.complete(before);
    const index = step === 1 ? -1 : completion.candidates.length;
    return { ...completion, before, after: this.#line.after.join(""), index };
  }
}

/** Whether a key has nothing to do with what is typed. */
function isOfScreen(key: Key): key is { name: "redraw" | "suspend" } {
  return "name" in key && (key.name === "redraw" || key.name === "suspend");
}

function isYes(key: Key): boolean {
  return "name" in key ? key.name === "enter" : isText(key, "y");
}

/** Any other key is no too, and does what it is for. */
function isNo(key: Key): boolean {
  return "name" in key ? key.name === "interrupt" : isText(key, "n");
}

function isText(key: Key, text: string): boolean {
  return "text" in key && key.text.toLowerCase() === text;
}
