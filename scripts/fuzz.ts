// deno-lint-ignore-file no-console -- an entry file prints
/** `deno task fuzz`: flags in, a line for each part that was fed out. Must not know what is fed to them. */

import { failure, parseFlags, seconds, wholeNumber } from "../lib/flags.ts";
import { fuzzFraming, fuzzJson, fuzzText } from "../tests/fuzz.ts";
import { fuzzServer } from "../tests/fuzz_server.ts";
import { SEED_FLAG } from "../tests/random.ts";
import { tried } from "../tests/reliability.ts";

async function main(): Promise<number> {
  const parsed = parseFlags({
    name: "deno task fuzz",
    usage: "[options]",
    about:
      "Feeds the framing, both dialects and a running server with what nobody should send.",
    maxOperands: 0,
    flags: {
      seed: SEED_FLAG,
      runs: {
        argument: "N",
        default: "100000",
        help: "how many inputs each of the four is fed at most",
        read: wholeNumber(1, 999_999_999),
      },
      seconds: {
        argument: "SECONDS",
        default: "60",
        help: "for how long at most, a quarter for each",
        read: seconds,
      },
    },
  }, Deno.args);
  if ("print" in parsed) {
    console.log(parsed.print);
    return 0;
  }
  const { seed, runs, seconds: inAll } = parsed.values;
  const fuzzing = { seed, runs, withinMs: inAll * 1000 / 4 };
  console.log(`seed ${seed}`);
  console.log(`framing: ${fuzzFraming(fuzzing)} inputs`);
  console.log(`text dialect: ${fuzzText(fuzzing)} inputs`);
  console.log(`JSON dialect: ${fuzzJson(fuzzing)} inputs`);
  const { strangers, said, lost, leftBytes } = await fuzzServer(fuzzing);
  console.log(
    `server: ${strangers} strangers, ${said} messages of others, ` +
      `${lost} of them lost, ${leftBytes} bytes more in use at the end`,
  );
  tried({
    what:
      "Two members talk while strangers send generated and damaged bytes, and close, reset or never read",
    times: { strangers, messages: said },
    lost,
  });
  return 0;
}

function fail(error: unknown): number {
  const { line, code } = failure(error);
  console.error("deno task fuzz:", code === 2 ? line : error);
  return code;
}

Deno.exit(await main().catch(fail));
