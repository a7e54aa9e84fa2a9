/**
 * The client at a terminal: keys edit the line, Enter sends it, what arrives is printed above it. Owns the
 * terminal: whatever happens, it is given back as it was.
 */

import { InputLine } from "./input_line.ts";
import {
  type Key,
  type KeyName,
  KeyReader,
  MARK_PASTES,
  UNMARK_PASTES,
} from "./keys.ts";
import type { Link } from "./link.ts";
import { type Canvas, Screen } from "./screen.ts";
import { endSignal, onSignal } from "./signals.ts";
import { Talk } from "./talk.ts";

/** The signals that would stop the program with the terminal in raw mode: they do nothing. */
const STOP_SIGNALS: readonly Deno.Signal[] = ["SIGTSTP", "SIGTTIN", "SIGTTOU"];

/** What the own lines begin with, before and after they are sent. */
const PROMPT = "you> ";

/**
 * Talks until the person quits.
 *
 * @returns the exit code: 0, or what belongs to the signal that ended it
 * @throws {LinkError} if the link was lost
 */
export async function talkInTerminal(link: Link): Promise<number> {
  const screen = new Screen(CANVAS, PROMPT);
  const input = new InputLine();
  const talk = new Talk(link);
  const listening = new AbortController();
  const signalled = endSignal(listening.signal);
  for (const signal of STOP_SIGNALS) {
    onSignal(signal, () => {}, listening.signal);
  }
  let receiving, code;
  try {
    Deno.stdin.setRaw(true);
    CANVAS.write(MARK_PASTES);
    screen.draw(input);
    onSignal("SIGWINCH", () => screen.draw(input), listening.signal);
    receiving = printArrivals(link, talk, screen, input);
    const typing = obeyKeys(link, talk, screen, input);
    code = await Promise.race([receiving, typing, signalled]);
  } finally {
    listening.abort();
    giveBack(screen, input);
  }
  if (code === undefined) await receiving;
  return code ?? 0;
}

async function printArrivals(
  link: Link,
  talk: Talk,
  screen: Screen,
  input: InputLine,
): Promise<void> {
  for await (const arrivals of link.receive()) {
    const lines = arrivals.flatMap((arrival) => talk.show(arrival));
    if (lines.length > 0) screen.print(lines, input);
  }
}

/** Does what the keys say until they say to quit, or there are no more. */
async function obeyKeys(
  link: Link,
  talk: Talk,
  screen: Screen,
  input: InputLine,
): Promise<void> {
  const keys = new KeyReader();
  for await (
    const typed of Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  ) {
    for (const key of keys.push(typed)) {
      const quits = isName(key, "interrupt") ||
        (isName(key, "end-of-input") && input.text === "");
      if (quits) return link.end();
      if (!isName(key, "enter")) input.apply(key);
      else if (submit(talk, screen, input)) return link.end();
    }
    screen.draw(input);
  }
  link.end();
}

/**
 * Does what was typed, line by line; what cannot be done stays in the input.
 *
 * @returns whether it was the wish to quit
 */
function submit(talk: Talk, screen: Screen, input: InputLine): boolean {
  const lines = input.text.split("\n").filter((line) => line.trim() !== "");
  const fault = talk.fault(lines);
  if (fault) {
    screen.print([`-- ${fault}`], input);
    return false;
  }
  input.take();
  screen.print(lines.map((line) => `${PROMPT}${line}`), input);
  for (const line of lines) {
    const { show, quits } = talk.obey(line);
    if (show.length > 0) screen.print(show, input);
    if (quits) return true;
  }
  return false;
}

function isName(key: Key, name: KeyName): boolean {
  return "name" in key && key.name === name;
}

/** Gives the terminal back as it was; what fails because the terminal is gone is of no use to anybody. */
function giveBack(screen: Screen, input: InputLine): void {
  for (
    const step of [
      () => screen.leave(input),
      () => CANVAS.write(UNMARK_PASTES),
      () => Deno.stdin.setRaw(false),
    ]
  ) {
    try {
      step();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }
}

const encoder = new TextEncoder();

const CANVAS: Canvas = {
  write(text) {
    let bytes = encoder.encode(text);
    while (bytes.length > 0) {
      bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
    }
  },
  size() {
    const { columns, rows } = Deno.consoleSize();
    // Some pseudo-terminals say 0 for a size that nobody has set.
    return { columns: columns || 80, rows: rows || 24 };
  },
};
