/** The log while it is not read, and when it is closed. */

import { getLogger, reset } from "@logtape/logtape";
import { closeLog, type LogFile, openLog } from "../lib/server/operator_log.ts";
import { assert, assertEquals } from "./assert.ts";

/** LogTape hands lines on in microtasks. */
const handedOn = () => new Promise<void>((resolve) => setTimeout(resolve));

/** A file that takes nothing until the gate is open. */
function gatedFile() {
  const gate = Promise.withResolvers<void>();
  let written = "";
  let writes = 0;
  const file: LogFile = {
    async write(bytes) {
      await gate.promise;
      await handedOn();
      written += new TextDecoder().decode(bytes);
      writes++;
      return bytes.length;
    },
  };
  return {
    file,
    open: () => gate.resolve(),
    lines: () => written.split("\n").slice(0, -1),
    writes: () => writes,
  };
}

const log = getLogger(["chat", "test"]);

Deno.test("closeLog() waits until all of the log is written", async () => {
  const { file, open, lines, writes } = gatedFile();
  await openLog(file, "text");
  for (let i = 0; i < 100; i++) log.info("line", { i });
  await handedOn();
  const closed = closeLog(3_600_000);
  open();
  await closed;
  assertEquals(
    lines().map((line) => line.replace(/^\S+ /, "")),
    Array.from({ length: 100 }, (_, i) => `info line i=${i}`),
  );
  // The first line alone, then all that had come meanwhile.
  assert(writes() <= 2, String(writes()));
  await reset();
});

Deno.test("The log keeps 1 MiB while nobody reads it, and says how much it has given up", async () => {
  const { file, open, lines } = gatedFile();
  await openLog(file, "json");
  const text = "x".repeat(1000);
  for (let i = 0; i < 2000; i++) log.info("line", { i, text });
  await handedOn();
  open();
  while (lines().length === 0) await handedOn();
  await closeLog(3_600_000);
  const records = lines().map((line) => JSON.parse(line));
  const kept = records.filter(({ message }) => message === "line");
  const notices = records.filter(({ message }) => message !== "line");
  assertEquals(kept.map(({ i }) => i), kept.map((_, i) => i));
  const bytes = kept.reduce(
    (sum, record) => sum + JSON.stringify(record).length + 1,
    0,
  );
  assert(bytes > 1_000_000 && bytes < 1_100_000, String(bytes));
  assertEquals(notices.map(({ message, lines }) => ({ message, lines })), [
    { message: "lines of the log were given up", lines: 2000 - kept.length },
  ]);
  await reset();
});

Deno.test("A log that cannot be written for a while goes on, in a line of its own, and says how much it has given up", async () => {
  let written = "";
  let room = 30;
  const file: LogFile = {
    write(bytes) {
      if (room === 0) return Promise.reject(new Error("the disk is full"));
      const taken = Math.min(room, bytes.length);
      room -= taken;
      written += new TextDecoder().decode(bytes.subarray(0, taken));
      return Promise.resolve(taken);
    },
  };
  await openLog(file, "text");
  for (let i = 0; i < 5; i++) {
    log.info("line", { i });
    await handedOn();
  }
  assertEquals(written.length, 30);
  room = Infinity;
  log.info("line", { i: 5 });
  await handedOn();
  log.info("line", { i: 6 });
  await closeLog(3_600_000);
  const lines = written.split("\n").map((line) => line.replace(/^\S+ /, ""));
  assertEquals(lines, [
    "info ",
    "info line i=5",
    "warning lines of the log were given up lines=5",
    "info line i=6",
    "",
  ]);
  await reset();
});
