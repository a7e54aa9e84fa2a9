// deno-lint-ignore-file no-console -- an entry file prints
/**
 * chat-server: flags in, a room that listens out, until it is told to stop. Only here does the server print
 * or exit.
 */

import { failure } from "./lib/flags.ts";
import { ChatServer } from "./lib/server/listen.ts";
import { MemoryLog } from "./lib/server/log.ts";
import { closeLog, openLog } from "./lib/server/operator_log.ts";
import { serverOptions } from "./lib/server/options.ts";
import { SqliteLog } from "./lib/server/sqlite_log.ts";

/** The signals that ask a program to stop: Ctrl-C, and what the system sends. */
const STOP_SIGNALS: Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

/** How long the rest of the log may take to be written, in ms. */
const LOG_CLOSING_MS = 1000;

async function main(): Promise<number> {
  const options = serverOptions(Deno.args);
  if ("print" in options) {
    console.log(options.print);
    return 0;
  }
  await openLog(Deno.stderr.writable, options.log);
  const stopped = stopSignal();
  const log = options.data === ""
    ? new MemoryLog({ keep: options.historyMessages })
    : await SqliteLog.open(options.data, options);
  try {
    const server = await ChatServer.start({ ...options, log });
    console.log(`Chat server listening on ${server.address}`);
    await stopped;
    await server.stop();
  } finally {
    await log.close();
  }
  await closeLog(LOG_CLOSING_MS);
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

function fail(error: unknown): number {
  const { line, code } = failure(error);
  console.error(`chat-server: ${line}`);
  return code;
}

Deno.exit(await main().catch(fail));
