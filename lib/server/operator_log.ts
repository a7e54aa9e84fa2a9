/**
 * The operator's log: one line on stderr for each thing worth knowing, as text or as JSON. Everybody else
 * only calls `getLogger`, with a few words for what happened and properties for the rest.
 */

import {
  configure,
  dispose,
  getJsonLinesFormatter,
  getStreamSink,
  getTextFormatter,
  type LogRecord,
} from "@logtape/logtape";

/**
 * Sends what is logged to `stream`. Never waits for it: while nobody reads it, up to 2,000 records are kept,
 * and the oldest are given up first.
 */
export async function openLog(
  stream: WritableStream<Uint8Array>,
  format: "text" | "json",
): Promise<void> {
  const formatter = format === "json"
    ? getJsonLinesFormatter({ properties: "flatten" })
    : getTextFormatter({
      timestamp: "rfc3339",
      level: "full",
      format: ({ timestamp, level, message, record }) =>
        `${timestamp} ${level} ${message}${properties(record)}`,
    });
  const sink = getStreamSink(stream, {
    formatter,
    closeStream: false,
    // A log that cannot be written must not end the conversation, and there is nowhere to say so.
    nonBlocking: { bufferSize: 1000, flushInterval: 50, onError: () => {} },
  });
  await configure({
    sinks: { sink },
    loggers: [
      { category: "chat", lowestLevel: "info", sinks: ["sink"] },
      {
        category: ["logtape", "meta"],
        lowestLevel: "warning",
        sinks: ["sink"],
      },
    ],
  });
}

/** Writes what is left of the log, for at most `withinMs`: perhaps nobody reads it. */
export async function closeLog(withinMs: number): Promise<void> {
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
