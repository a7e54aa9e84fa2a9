// deno-lint-ignore-file no-console -- an entry file prints
/** `deno task soak`: flags in, what was lost out; exits 1 if anything was. Must not know who talks, and how. */

import {
  failure,
  type Flag,
  parseFlags,
  UsageError,
  wholeNumber,
} from "../lib/flags.ts";
import { SEED_FLAG } from "../tests/random.ts";
import { tried } from "../tests/reliability.ts";
import { soak } from "../tests/soak.ts";

const MINUTES: Flag<number> = {
  argument: "MINUTES",
  default: "3",
  help: "for how long; half of it the server is killed now and then",
  read: (value) => {
    if (!/^\d{1,5}(\.\d+)?$/.test(value)) {
      throw new UsageError("it is a number of minutes, such as 3 or 0.5");
    }
    return Number(value);
  },
};

async function main(): Promise<number> {
  const parsed = parseFlags({
    name: "deno task soak",
    usage: "[options]",
    about:
      "Has clients of all kinds talk for a long time, and looks whether anything was lost.",
    maxOperands: 0,
    flags: {
      minutes: MINUTES,
      clients: {
        argument: "N",
        default: "300",
        help: "how many clients",
        read: wholeNumber(1, 5000),
      },
      seed: SEED_FLAG,
    },
  }, Deno.args);
  if ("print" in parsed) {
    console.log(parsed.print);
    return 0;
  }
  const { minutes, clients, seed } = parsed.values;
  console.log(`seed ${seed}`);
  const begun = performance.now();
  const { kills, cuts, acknowledged, faults, leftBytes } = await soak({
    seed,
    clients,
    isEnough: ({ isDeadly, ms }) => ms > minutes * 60_000 / (isDeadly ? 2 : 4),
  });
  const took = Math.round((performance.now() - begun) / 6000) / 10;
  console.log(
    `${clients} clients, ${took} minutes, ${acknowledged} messages acknowledged; ` +
      `the server was killed ${kills} times, ${cuts} connections were cut; ` +
      `${leftBytes} bytes more in use at the end`,
  );
  for (const fault of faults) console.error(fault);
  console.log(`${faults.length} faults`);
  tried({
    what:
      "Clients of all kinds talk, change rooms and names, come and go, while the server is killed and connections are cut",
    times: { clients, minutes: took, messages: acknowledged, kills, cuts },
    lost: faults.length,
  });
  return faults.length === 0 ? 0 : 1;
}

function fail(error: unknown): number {
  const { line, code } = failure(error);
  console.error("deno task soak:", code === 2 ? line : error);
  return code;
}

Deno.exit(await main().catch(fail));
