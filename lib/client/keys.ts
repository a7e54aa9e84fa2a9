// deno-lint-ignore-file no-control-regex -- control characters are what this file is about
/**
 * What a terminal sends when keys are pressed, as keys. Pure; knows nothing of what the keys do.
 */

import { clean } from "../message.ts";

/** A key that is not a character, by what it is for. */
export type KeyName =
  | "enter"
  | "left"
  | "right"
  | "word-left"
  | "word-right"
  | "home"
  | "end"
  | "older"
  | "newer"
  | "backspace"
  | "delete"
  | "erase-before"
  | "erase-after"
  | "erase-word"
  | "erase-word-before"
  | "erase-word-after"
  | "yank"
  | "transpose"
  | "undo"
  | "search"
  | "cancel"
  | "complete"
  | "complete-back"
  | "redraw"
  | "suspend"
  | "interrupt"
  | "end-of-input";

/**
 * A key; or characters that were typed or pasted, of which only the pasted contain `\n`; or the number of a room;
 * or where the terminal says that its cursor is, counted from 1.
 */
export type Key =
  | { name: KeyName }
  | { text: string }
  | { room: number }
  | { row: number; column: number };

const NAMES: Record<string, KeyName> = {
  "\r": "enter",
  "\n": "enter",
  "\x1b[D": "left",
  "\x1bOD": "left",
  "\x02": "left",
  "\x1b[C": "right",
  "\x1bOC": "right",
  "\x06": "right",
  "\x1bb": "word-left",
  "\x1b[1;5D": "word-left",
  "\x1b[1;3D": "word-left",
  "\x1b[1;9D": "word-left",
  "\x1b[5D": "word-left",
  "\x1bOd": "word-left",
  "\x1bf": "word-right",
  "\x1b[1;5C": "word-right",
  "\x1b[1;3C": "word-right",
  "\x1b[1;9C": "word-right",
  "\x1b[5C": "word-right",
  "\x1bOc": "word-right",
  "\x1b[H": "home",
  "\x1bOH": "home",
  "\x1b[1~": "home",
  "\x1b[7~": "home",
  "\x01": "home",
  "\x1b[F": "end",
  "\x1bOF": "end",
  "\x1b[4~": "end",
  "\x1b[8~": "end",
  "\x05": "end",
  "\x1b[A": "older",
  "\x1bOA": "older",
  "\x10": "older",
  "\x1b[B": "newer",
  "\x1bOB": "newer",
  "\x0e": "newer",
  "\x7f": "backspace",
  "\b": "backspace",
  "\x1b[3~": "delete",
  "\x15": "erase-before",
  "\x0b": "erase-after",
  "\x17": "erase-word",
  "\x1b\x7f": "erase-word-before",
  "\x1b\b": "erase-word-before",
  "\x1bd": "erase-word-after",
  "\x1b[3;5~": "erase-word-after",
  "\x1b[3;3~": "erase-word-after",
  "\x1b[3^": "erase-word-after",
  "\x19": "yank",
  "\x14": "transpose",
  "\x1f": "undo",
  "\x12": "search",
  "\x07": "cancel",
  "\t": "complete",
  "\x1b[Z": "complete-back",
  "\x1b\t": "complete-back",
  "\x0c": "redraw",
  "\x1a": "suspend",
  "\x03": "interrupt",
  "\x04": "end-of-input",
};

/** Asks a terminal to mark what is pasted. */
export const MARK_PASTES = "\x1b[?2004h";
/** Takes {@linkcode MARK_PASTES} back. */
export const UNMARK_PASTES = "\x1b[?2004l";

const INTERRUPT = "\x03";
const PASTE_BEGIN = "\x1b[200~";

/** What was pasted, between the marks that the terminal puts around it. */
const PASTE = /^\x1b\[200~(?<pasted>.*?)\x1b\[201~/su;

/**
 * A control sequence, an application key, Alt with a key, or plain characters; anything else is one character. The
 * function keys of the Linux console are `ESC [ [` and a letter.
 */
const TOKEN =
  /^(?:\x1b\[\[?[0-?]*[ -/]*[@-~]|\x1bO[^\x00-\x1f\x7f]|\x1b(?:[^[O\x00-\x1f\x7f]|[\b\t\x7f])|[^\x00-\x1f\x7f-\x9f]+)/su;

/** What may still become one of these. After Escape, other control characters are keys of their own. */
const BEGUN = /^(?:\x1b(?:\[\[?[0-?]*[ -/]*|O)?$|\x1b\[200~)/u;

const CONTROL = /^[\x00-\x1f\x7f-\x9f]/;

const ALT_DIGIT = /^\x1b([1-9])$/;

/** Where the cursor is, when a terminal was asked: row and column. */
const CURSOR = /^\x1b\[(\d+);(\d+)R$/;

/** Cuts what a terminal sends into keys; a sequence may come in several pieces. */
export class KeyReader {
  #begun = "";

  /** The keys that are complete with `input`. */
  push(input: string): Key[] {
    const keys: Key[] = [];
    // A paste whose end never comes must not take the keyboard with it.
    if (input === INTERRUPT && this.#begun.startsWith(PASTE_BEGIN)) {
      keys.push(...pasted(this.#begun.slice(PASTE_BEGIN.length)));
      this.#begun = "";
    }
    let rest = this.#begun + input;
    while (rest !== "") {
      const paste = PASTE.exec(rest);
      if (!paste && BEGUN.test(rest)) break;
      // So is given up what cannot be completed any more.
      const token = paste?.[0] ?? TOKEN.exec(rest)?.[0] ?? rest.slice(0, 1);
      keys.push(
        ...(paste ? pasted(paste.groups?.["pasted"] ?? "") : readKey(token)),
      );
      rest = rest.slice(token.length);
    }
    this.#begun = rest;
    return keys;
  }
}

/** The key that a token means; most control characters and sequences mean none. */
function readKey(token: string): Key[] {
  if (!CONTROL.test(token)) return textKey(clean(token));
  const name = NAMES[token];
  if (name) return [{ name }];
  const room = ALT_DIGIT.exec(token)?.[1];
  if (room) return [{ room: Number(room) }];
  const [, row, column] = CURSOR.exec(token) ?? [];
  return row && column ? [{ row: Number(row), column: Number(column) }] : [];
}

function pasted(text: string): Key[] {
  return textKey(text.split(/\r\n|\r|\n/).map(clean).join("\n"));
}

function textKey(text: string): Key[] {
  return text === "" ? [] : [{ text }];
}
