// deno-lint-ignore-file no-console -- an entry file prints
/**
 * chat-client: settings in, a link to a server, and a conversation at the terminal or in a pipe. Only here does
 * the client print errors or exit.
 */

import { type Address, formatAddress } from "./lib/address.ts";
import { describe } from "./lib/fault.ts";
import { failure } from "./lib/flags.ts";
import { Link } from "./lib/client/link.ts";
import type { ClientOptions } from "./lib/client/options.ts";
import { talkInPipe } from "./lib/client/pipe.ts";
import { talkPlainly } from "./lib/client/plain.ts";
import {
  isStartedByTask,
  readSettings,
  readTrust,
} from "./lib/client/settings.ts";
import type { Trust } from "./lib/client/secure.ts";
import { endSignal } from "./lib/client/signals.ts";
import { talkInTerminal } from "./lib/client/terminal.ts";

async function main(): Promise<number> {
  const options = await readSettings(Deno.args);
  if ("print" in options) {
    console.log(options.print);
    return 0;
  }
  const isTerminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  // Frames are for programs, wherever they go.
  const isPerson = isTerminal && !options.json;
  const { retryMs, ...where } = options;
  const trust = await readTrust(options);
  const link = await Link.connect({
    ...where,
    ...(trust ? { trust } : {}),
    // Whoever sits at a terminal can quit, and answer.
    ...(isPerson
      ? trust ? { onStranger: (met) => ask(options, trust, met) } : {}
      : { retryMs }),
  });
  try {
    if (isPerson && !options.plain) {
      const isWaitedFor = isStartedByTask();
      return await talkInTerminal(link, { ...options, isWaitedFor });
    }
    const talking = isPerson
      ? talkAsPerson(link, options)
      : talk(link, options);
    return await Promise.race([talking, endSignal()]);
  } finally {
    // However it ended: whoever comes back has the name at once.
    await link.leave();
  }
}

/** Asks whether to trust a certificate from now on. */
async function ask(
  address: Address,
  { known }: Trust,
  fingerprint: string,
): Promise<boolean> {
  console.log(
    `Nobody known vouches for the certificate of ${formatAddress(address)}:
${fingerprint}
Whoever runs the server can say whether that is the right one.`,
  );
  if (!confirm("Trust it from now on?")) return false;
  const fault = await known.trust(address, fingerprint);
  if (fault) complain(`trusted for this time only: ${fault}`);
  return true;
}

async function talk(link: Link, options: ClientOptions): Promise<number> {
  const allTaken = await talkInPipe(link, {
    ...options,
    input: Deno.stdin.readable,
    print: writeOut,
    notify: complain,
  });
  return allTaken ? 0 : 1;
}

async function talkAsPerson(
  link: Link,
  options: ClientOptions,
): Promise<number> {
  const input = Deno.stdin.readable;
  await talkPlainly(link, { ...options, input, print: writeOut });
  return 0;
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
