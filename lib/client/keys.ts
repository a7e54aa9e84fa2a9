// deno-lint-ignore-file no-control-regex -- control characters are what this file is about
/**
 * What a terminal sends when keys are pressed, as keys. Pure; knows nothing of what the keys do.
 */

import { clean } from "../message.ts";

/** A key that is not a character. */
export type KeyName =
  | "enter"
  | "backspace"
  | "delete"
  | "left"
  | "right"
  | "home"
  | "end"
  | "erase-before"
  | "erase-after"
  | "erase-word"
  | "redraw"
  | "interrupt"
  | "end-of-input";

/** A key, or characters that were typed or pasted. Only what was pasted contains `\n`. */
export type Key = { name: KeyName } | { text: string };

const NAMES: Record<string, KeyName> = {
  "\r": "enter",
  "\n": "enter",
  "\x7f": "backspace",
  "\b": "backspace",
  "\x1b[3~": "delete",
  "\x1b[D": "left",
  "\x1bOD": "left",
  "\x02": "left",
  "\x1b[C": "right",
  "\x1bOC": "right",
  "\x06": "right",
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
  "\x15": "erase-before",
  "\x0b": "erase-after",
  "\x17": "erase-word",
  "\x0c": "redraw",
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

/** A control sequence, an application key, Alt with a character, one control character, or plain characters. */
const TOKEN =
  /^(?:\x1b\[[0-?]*[ -/]*[@-~]|\x1bO[^\x00-\x1f\x7f]|\x1b[^[O\x00-\x1f\x7f]|[\x00-\x1a\x1c-\x1f\x7f-\x9f]|[^\x00-\x1f\x7f-\x9f]+)/su;

/** What may still become one of these. After Escape, any other control character is a key of its own. */
const BEGUN = /^(?:\x1b(?:\[[0-?]*[ -/]*|O)?$|\x1b\[200~)/u;

/** Cuts what a terminal sends into keys; a sequence may come in several pieces. */
export class KeyReader {
  #begun = "";

  /** The keys that are complete with `input`. */
  push(input: string): Key[] {
    const keys: Key[] = [];
    // A paste whose end never comes must not take the keyboard with it.
    if (input === INTERRUPT && this.#begun.startsWith(PASTE_BEGIN)) {
      keys.push(pasted(this.#begun.slice(PASTE_BEGIN.length)));
      this.#begun = "";
    }
    let rest = this.#begun + input;
    while (rest !== "") {
      const paste = PASTE.exec(rest);
      if (!paste && BEGUN.test(rest)) break;
      // A sequence that cannot be completed any more is given up, one character at a time.
      const token = paste?.[0] ?? TOKEN.exec(rest)?.[0] ?? rest.slice(0, 1);
      const key = paste
        ? pasted(paste.groups?.["pasted"] ?? "")
        : readKey(token);
      if (key) keys.push(key);
      rest = rest.slice(token.length);
    }
    this.#begun = rest;
    return keys;
  }
}

function readKey(token: string): Key | undefined {
  const name = NAMES[token];
  if (name) return { name };
  // Other control characters and sequences mean nothing here.
  return /^[\x00-\x1f\x7f-\x9f]/.test(token) ? undefined : { text: token };
}

function pasted(text: string): Key {
  return { text: text.split(/\r\n|\r|\n/).map(clean).join("\n") };
}
