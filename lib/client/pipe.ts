/**
 * The client in a pipe: what comes in is said line by line in the lobby, what arrives is printed, as text or as
 * frames. Knows no terminal, and no commands: whatever a line begins with, it is text.
 */

import { clean } from "../message.ts";
import { render as renderFrame } from "../wire/json.ts";
import { render, shorten } from "../wire/text.ts";
import type { Arrival } from "./conversation.ts";
import { linesOf } from "./input_lines.ts";
import { type Link, LinkError } from "./link.ts";

/** What a pipe talks through. */
export interface PipeOptions {
  input: ReadableStream<Uint8Array>;
  /** Prints whole lines; slow printing slows reading from the server. */
  print(lines: string): Promise<void>;
  /** Says something to the person who started the program, besides what is printed. */
  notify(notice: string): void;
  /** How long to go on printing after the end of input, in ms. */
  lingerMs: number;
  /** Whether the server's events are printed as frames, one a line; otherwise they are lines for people. */
  json: boolean;
}

/**
 * Says all of the input, and prints what arrives until the server has acknowledged all of it and said farewell; or
 * has closed, if it speaks plain text.
 *
 * @returns whether every line was taken
 * @throws {LinkError} if the link was lost before that, or has no events to print
 */
export async function talkInPipe(
  link: Link,
  options: PipeOptions,
): Promise<boolean> {
  if (options.json && link.isText) {
    throw new LinkError("the server speaks plain text, which has no events");
  }
  let allTaken = true;
  const refuse = (line: string, reason: string) => {
    allTaken = false;
    options.notify(`${line}: ${reason}`);
  };
  const printing = printAll(link, options, refuse);
  const sending = sayAll(link, options, refuse).catch((error) => {
    // What the server said last is printed first, and then the printing fails too.
    if (!(error instanceof LinkError)) throw error;
  });
  await Promise.race([sending, printing]);
  await printing;
  return allTaken;
}

async function printAll(
  link: Link,
  { print, notify, json }: PipeOptions,
  refuse: (line: string, reason: string) => void,
): Promise<void> {
  for await (const arrivals of link.receive()) {
    const lines = arrivals.map(json ? frameOf : textOf).join("");
    if (lines !== "") await print(lines);
    for (const { notice, refused } of arrivals) {
      if (notice) notify(notice);
      if (!refused) continue;
      const { label, reason, text } = refused;
      refuse(label, `refused, ${reason}: ${shorten(text)}`);
    }
  }
}

/** What the server has said, as it says it to programs. */
function frameOf({ event }: Arrival): string {
  // It answers what the link asks by itself.
  return event && event.type !== "pong" ? renderFrame(event) : "";
}

/** What is to be shown to people, but not what the input says, nor its refusal, which is pointed out. */
function textOf({ show, own, line, refused }: Arrival): string {
  if (refused || own) return "";
  return show.map(render).join("") + (line === undefined ? "" : `${line}\n`);
}

async function sayAll(
  link: Link,
  { input, lingerMs }: PipeOptions,
  refuse: (line: string, reason: string) => void,
): Promise<void> {
  let number = 0;
  for await (const raw of linesOf(input)) {
    const label = `line ${++number}`;
    // As the server will read it.
    const text = clean(raw);
    // What is done with a line depends on the dialect, which can change meanwhile.
    await link.untilFree();
    if (!link.isText && text.trim() === "") continue;
    const fault = link.fault(text);
    if (fault) {
      refuse(label, fault);
      continue;
    }
    link.say(text, { label });
  }
  await new Promise((resolve) => setTimeout(resolve, lingerMs));
  await link.untilAcknowledged();
  link.end();
}
