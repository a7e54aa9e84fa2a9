/**
 * The operator's log: one line on stderr for each thing worth knowing, as text or as JSON. Everybody else
 * only calls `getLogger`, with a few words for what happened and properties for the rest.
 */

import { concat } from "../lines.ts";
import {
  configure,
  dispose,
  getJsonLinesFormatter,
  getLogger,
  getStreamSink,
  getTextFormatter,
  type LogRecord,
} from "@logtape/logtape";

const log = getLogger(["chat", "log"]);

/** How much of the log is kept while it cannot be written, in bytes. */
const MAX_UNWRITTEN_BYTES = 1024 * 1024;

/** Whether it is too late to say anything more. */
let isClosing = false;

const LINE_END = new TextEncoder().encode("\n");

/**
 * Writes what is logged to `file`. Nobody ever waits for it: while nobody reads it, up to 1 MiB are kept. What comes
 * then, and what cannot be written, is given up, which the log says afterwards.
 */
export async function openLog(
  file: LogFile,
  format: "text" | "json",
): Promise<void> {
  isClosing = false;
  const formatter = format === "json"
    ? getJsonLinesFormatter({ properties: "flatten" })
    : getTextFormatter({
      timestamp: "rfc3339",
      level: "full",
      format: ({ timestamp, level, message, record }) =>
        `${timestamp} ${level} ${message}${properties(record)}`,
    });
  await configure({
    sinks: { stderr: getStreamSink(new Spool(file), { formatter }) },
    loggers: [
      { category: "chat", lowestLevel: "info", sinks: ["stderr"] },
      {
        category: ["logtape", "meta"],
        lowestLevel: "warning",
        sinks: ["stderr"],
      },
    ],
  });
}

/** Where the log is written. As with `Deno.stderr`, fewer bytes may be taken than were given. */
export interface LogFile {
  write(bytes: Uint8Array): Promise<number>;
}

/**
 * Takes everything at once, and writes it when the file takes it: all that waits with one write, as a write for each
 * line would be slower than a crowd comes in.
 */
class Spool extends WritableStream<Uint8Array> {
  constructor(file: LogFile) {
    let waiting: Uint8Array[] = [];
    let waitingBytes = 0;
    let givenUp = 0;
    let isBroken = false;
    let writing: Promise<void> | undefined;

    async function writeAll(): Promise<void> {
      while (waiting.length > 0) {
        const lines = waiting;
        waiting = [];
        waitingBytes = 0;
        if (!await isWritten(lines)) givenUp += lines.length;
        else if (givenUp > 0 && !isClosing) {
          log.warn("lines of the log were given up", { lines: givenUp });
          givenUp = 0;
        }
      }
      writing = undefined;
    }

    /** A log that cannot be written must not end the conversation; perhaps the next line can be written. */
    async function isWritten(lines: readonly Uint8Array[]): Promise<boolean> {
      // After a failure, half a line may stand there.
      let bytes = concat(isBroken ? [LINE_END, ...lines] : lines);
      try {
        while (bytes.length > 0) {
          bytes = bytes.subarray(await file.write(bytes));
        }
        isBroken = false;
      } catch {
        isBroken = true;
      }
      return !isBroken;
    }

    super({
      write(line) {
        if (waitingBytes + line.length > MAX_UNWRITTEN_BYTES) givenUp++;
        else {
          waiting.push(line);
          waitingBytes += line.length;
          writing ??= writeAll();
        }
      },
      close: () => writing,
    });
  }
}

/** Writes what is left of the log, for at most `withinMs`: perhaps nobody reads it. */
export async function closeLog(withinMs: number): Promise<void> {
  isClosing = true;
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, withinMs);
  await Promise.race([dispose(), late]);
  clearTimeout(timer);
}

function properties(record: LogRecord): string {
  return Object.entries(record.properties).map(([name, value]) =>
    ` ${name}=${quoteIfNeeded(String(value))}`
  ).join("");
}

function quoteIfNeeded(value: string): string {
  return /^[^\s"=\p{Cc}]+$/u.test(value) ? value : JSON.stringify(value);
}
