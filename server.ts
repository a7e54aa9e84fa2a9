// deno-lint-ignore-file no-console -- an entry file prints
/**
 * chat-server: flags in, a room that listens out, until it is told to stop. Only here does the server print
 * or exit.
 */

import { UsageError } from "./lib/flags.ts";
import { BindError, ChatServer } from "./lib/server/listen.ts";
import { closeLog, openLog } from "./lib/server/operator_log.ts";
import { serverOptions } from "./lib/server/options.ts";

/** The signals that ask a program to stop: Ctrl-C, and what the system sends. */
const STOP_SIGNALS: Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

async function main(): Promise<number> {
  let options;
  try {
    options = serverOptions(Deno.args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`chat-server: ${error.message} (--help tells more)`);
    return 2;
  }
  if ("print" in options) {
    console.log(options.print);
    return 0;
  }

  await openLog(Deno.stderr.writable, options.log);
  const stopped = stopSignal();
  let server;
  try {
    server = new ChatServer(options);
  } catch (error) {
    if (!(error instanceof BindError)) throw error;
    console.error(`chat-server: ${error.message}`);
    return 1;
  }
  console.log(`Chat server listening on ${server.address}`);
  await stopped;
  await server.stop();
  await closeLog();
  return 0;
}

/** Resolves when the program is told to stop. Telling it twice is the same as telling it once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of STOP_SIGNALS) {
      Deno.addSignalListener(signal, () => resolve());
    }
  });
}

Deno.exit(await main());
