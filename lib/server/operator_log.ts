/**
 * The operator's log: one line on stderr for each thing worth knowing, as text or as JSON. Everybody else
 * only calls `getLogger`.
 */

import {
  configure,
  dispose,
  getJsonLinesFormatter,
  getStreamSink,
  getTextFormatter,
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
    ? getJsonLinesFormatter({ properties: "flatten", message: "rendered" })
    : getTextFormatter({
      timestamp: "rfc3339",
      level: "full",
      category: ".",
      value: String,
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

/** Writes what is left of the log. */
export async function closeLog(): Promise<void> {
  await dispose();
}
