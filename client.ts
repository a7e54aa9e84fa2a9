// deno-lint-ignore-file no-console -- an entry file prints
/**
 * chat-client: settings in, a link to a server, and a conversation at the terminal or in a pipe. Only here does
 * the client print errors or exit.
 */

import { describe } from "./lib/fault.ts";
import { failure } from "./lib/flags.ts";
import { Link } from "./lib/client/link.ts";
import { type PipeOptions, talkInPipe } from "./lib/client/pipe.ts";
import { readSettings } from "./lib/client/settings.ts";
import { endSignal } from "./lib/client/signals.ts";
import { talkInTerminal } from "./lib/client/terminal.ts";

async function main(): Promise<number> {
  const options = await readSettings(Deno.args);
  if ("print" in options) {
    console.log(options.print);
    return 0;
  }
  const { retryMs, lingerMs, json, ...where } = options;
  // Frames are for programs, wherever they go.
  const isTerminal = !json && Deno.stdin.isTerminal() &&
    Deno.stdout.isTerminal();
  // Whoever sits at a terminal can quit.
  const link = await Link.connect(isTerminal ? where : { ...where, retryMs });
  try {
    return isTerminal
      ? await talkInTerminal(link)
      : await Promise.race([talk(link, { lingerMs, json }), endSignal()]);
  } finally {
    // However it ended: whoever comes back has the name at once.
    await link.leave();
  }
}

async function talk(
  link: Link,
  options: Pick<PipeOptions, "lingerMs" | "json">,
): Promise<number> {
  const allTaken = await talkInPipe(link, {
    input: Deno.stdin.readable,
    print: writeOut,
    notify: complain,
    ...options,
  });
  return allTaken ? 0 : 1;
}

async function writeOut(text: string): Promise<void> {
  try {
    let bytes = new TextEncoder().encode(text);
    while (bytes.length > 0) {
      bytes = bytes.subarray(await Deno.stdout.write(bytes));
    }
  } catch (error) {
    throw new Error(`cannot write what arrived: ${describe(error)}`);
  }
}

function complain(what: string): void {
  console.error(`chat-client: ${what}`);
}

function fail(error: unknown): number {
  const { line, code } = failure(error);
  complain(line);
  return code;
}

Deno.exit(await main().catch(fail));
