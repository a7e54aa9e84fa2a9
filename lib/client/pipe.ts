/**
 * The client in a pipe: what comes in is sent line by line, what arrives is printed. Knows no terminal.
 */

// @ts-types="../std/text_line_stream.d.ts"
import { TextLineStream } from "@std/streams/text-line-stream";
import { describe } from "../fault.ts";
import { clean } from "../lines.ts";
import { MAX_LINE_BYTES } from "../message.ts";
import { isQuit, type Link, LinkError, sendFault } from "./link.ts";

/** What a pipe talks through. */
export interface PipeOptions {
  input: ReadableStream<Uint8Array>;
  /** Prints whole lines; slow printing slows reading from the server. */
  print(lines: string): Promise<void>;
  /** Says something to the person who started the program, besides what is printed. */
  notify(notice: string): void;
  /** How long to go on printing after the end of input, in ms. */
  lingerMs: number;
}

/**
 * Sends all of the input, and prints what arrives until the server has answered all of it and closed.
 *
 * @returns whether every line was taken
 * @throws {LinkError} if the link was lost before that
 */
export async function talkInPipe(
  link: Link,
  options: PipeOptions,
): Promise<boolean> {
  let allTaken = true;
  const refuse = (reason: string) => {
    allTaken = false;
    options.notify(reason);
  };
  const printing = printAll(link, options, refuse);
  const sending = sendAll(link, options, refuse).catch((error) => {
    // What the server said last is printed first, and then the printing fails too.
    if (!(error instanceof LinkError)) throw error;
  });
  await Promise.race([sending, printing]);
  await printing;
  if (!link.isConfirmed) {
    options.notify("this server does not say whether it has taken everything");
  }
  return allTaken;
}

async function printAll(
  link: Link,
  { print, notify }: PipeOptions,
  refuse: (reason: string) => void,
): Promise<void> {
  for await (const arrivals of link.receive()) {
    await print(arrivals.map(({ line }) => `${line}\n`).join(""));
    for (const { notice, refusal } of arrivals) {
      if (notice) notify(notice);
      if (refusal) refuse(refusal);
    }
  }
}

async function sendAll(
  link: Link,
  { input, lingerMs }: PipeOptions,
  refuse: (reason: string) => void,
): Promise<void> {
  let number = 0;
  for await (const raw of linesOf(input)) {
    number++;
    // As the server will read it.
    const line = clean(raw);
    if (line === "") continue;
    if (isQuit(line)) return await link.end(line);
    const fault = sendFault(raw);
    if (fault) refuse(`line ${number}: ${fault}`);
    else await link.send(line);
  }
  await new Promise((resolve) => setTimeout(resolve, lingerMs));
  await link.end();
}

async function* linesOf(
  input: ReadableStream<Uint8Array>,
): AsyncGenerator<string> {
  try {
    yield* input
      .pipeThrough(new TextDecoderStream("utf-8", { ignoreBOM: true }))
      .pipeThrough(new LineCap(MAX_LINE_BYTES + 1))
      .pipeThrough(new TextLineStream());
  } catch (error) {
    throw new Error(`cannot read the input: ${describe(error)}`);
  }
}

/** Leaves out what a line has beyond so many characters: a line without end would fill the memory. */
class LineCap extends TransformStream<string, string> {
  constructor(maxLength: number) {
    let length = 0;
    super({
      transform(text, controller) {
        const kept = text.split("\n").map((part, i) => {
          if (i > 0) length = 0;
          const from = length;
          length += part.length;
          return part.slice(0, Math.max(0, maxLength - from));
        });
        controller.enqueue(kept.join("\n"));
      },
    });
  }
}
