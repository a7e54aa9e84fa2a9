// deno-lint-ignore-file no-console -- an entry file prints
/**
 * chat-server: settings in, a room that listens out, until it is told to stop; or, where the first word asks for one,
 * a task beside it. Only here does the server print, exit, or heed signals.
 */

import { failure } from "./lib/flags.ts";
import { MemoryAccounts } from "./lib/server/accounts.ts";
import { backUp } from "./lib/server/backup.ts";
import { ChatServer } from "./lib/server/listen.ts";
import { MemoryLog } from "./lib/server/log.ts";
import { closeLog, openLog } from "./lib/server/operator_log.ts";
import {
  backupOptions,
  certOptions,
  readArguments,
  serverOptions,
} from "./lib/server/options.ts";
import { MemoryOrders } from "./lib/server/orders.ts";
import { Reloading } from "./lib/server/reload.ts";
import { readSettings, warnOfExposure } from "./lib/server/settings.ts";
import { SqliteAccounts } from "./lib/server/sqlite_accounts.ts";
import { SqliteLog } from "./lib/server/sqlite_log.ts";
import { SqliteOrders } from "./lib/server/sqlite_orders.ts";

/** The signals that ask a program to stop: Ctrl-C, and what the system sends. */
const STOP_SIGNALS: Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

/** How long the rest of the log may take to be written, in ms. */
const LOG_CLOSING_MS = 1000;

function main(args: string[]): Promise<number> {
  const [task, ...rest] = args;
  switch (task) {
    case "backup":
      return runBackup(rest);
    case "cert":
      return runCert(rest);
    default:
      return runServer(args);
  }
}

async function runServer(args: string[]): Promise<number> {
  const commandLine = readArguments(args);
  if ("print" in commandLine) {
    console.log(commandLine.print);
    return 0;
  }
  const started = Promise.withResolvers<Reloading>();
  const reload = async () => (await started.promise).again();
  onHangup(reload);
  const told = await readSettings(commandLine);
  const options = serverOptions(told.settings);
  await openLog(Deno.stderr, options.log);
  warnOfExposure(told);
  const stopped = stopSignal();
  // prom-client takes 7 MB and 45 ms, compiled 1 MB and 10 ms: only those pay who want metrics.
  const metrics = options.metrics &&
    new (await import("./lib/server/metrics.ts")).Metrics(options.metrics);
  const log = options.data === ""
    ? new MemoryLog({ keep: options.historyMessages })
    : await SqliteLog.open(options.data, options);
  // After the log, which makes the database, and sees to it that nobody else uses it.
  const [orders, accounts] = options.data === ""
    ? [new MemoryOrders(), new MemoryAccounts()]
    : [SqliteOrders.open(options.data), SqliteAccounts.open(options.data)];
  try {
    const { motd, password } = told;
    const server = await ChatServer.start({
      ...options,
      motd,
      password,
      log: metrics?.measured(log) ?? log,
      orders,
      reload,
      accounts,
    });
    started.resolve(new Reloading(commandLine, told, server));
    // Until the process ends: whoever asks is told that it stops.
    metrics?.serve(server);
    console.log(`Chat server listening on ${server.address}`);
    await stopped;
    await server.stop();
  } finally {
    await accounts.close();
    await orders.close();
    await log.close();
  }
  await closeLog(LOG_CLOSING_MS);
  return 0;
}

async function runBackup(args: string[]): Promise<number> {
  const options = backupOptions(args);
  if ("print" in options) {
    console.log(options.print);
    return 0;
  }
  const { folder, file } = options;
  const stop = new AbortController();
  void stopSignal().then(() => stop.abort(new Error("it was stopped")));
  const { messages, rooms } = await backUp(folder, file, stop);
  console.log(
    `${messages} ${messages === 1 ? "message" : "messages"} in ${rooms} ${
      rooms === 1 ? "room" : "rooms"
    } copied to ${file}`,
  );
  return 0;
}

async function runCert(args: string[]): Promise<number> {
  const options = certOptions(args);
  if ("print" in options) {
    console.log(options.print);
    return 0;
  }
  const { folder, names } = options;
  // What makes certificates is half of the program; only those pay who want one.
  const { writeCertificate } = await import("./lib/server/certificate.ts");
  const { cert, key, fingerprint } = await writeCertificate(folder, names);
  console.log(
    `made a certificate with fingerprint ${fingerprint}; use it with ` +
      `--tls-port PORT --tls-cert ${cert} --tls-key ${key}`,
  );
  return 0;
}

/**
 * Does this on every SIGHUP. Whoever does not heed it is ended by it, when the terminal is closed. Windows has none.
 */
function onHangup(reload: () => Promise<void>): void {
  if (Deno.build.os === "windows") return;
  Deno.addSignalListener("SIGHUP", () => void reload());
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

Deno.exit(await main(Deno.args).catch(fail));
