/** What the two ends of a connection say first, and which frames are none. Knows no sockets. */

import { type ChatEvent, FINAL, PEACEFUL } from "../message.ts";
import { read, write } from "../wire/json.ts";
import { readBye } from "../wire/text.ts";
import { type Connection, Lost } from "./connection.ts";
import type { Arrival, Conversation } from "./conversation.ts";

/**
 * Says hello, and waits for the welcome.
 *
 * @returns what is to be shown of that, and the lines that have come after it
 * @throws {Lost} if there is no welcome
 */
export async function introduce(
  connection: Connection,
  conversation: Conversation,
): Promise<{ arrivals: Arrival[]; rest: string[] }> {
  connection.send(write(conversation.hello()));
  let reason = "it closed the connection";
  for (let lines; (lines = await connection.read());) {
    for (const [i, line] of lines.entries()) {
      const event = tryFrame(line);
      const bye = event?.type === "bye" ? event.reason : readBye(line);
      if (bye !== undefined) throw farewell(bye);
      if (event?.type === "refused") reason = event.reason;
      const arrivals = event ? conversation.take(event) : [];
      if (event?.type === "welcome") {
        return { arrivals, rest: lines.slice(i + 1) };
      }
    }
  }
  throw new Lost(reason);
}

/** The loss that a farewell announces. After some there is no use in coming back. */
export function farewell(reason: string): Lost {
  const final = Object.values<string>({ ...FINAL, ...PEACEFUL });
  return new Lost(reason, final.includes(reason));
}

/**
 * What a frame tells, if this end knows its type.
 *
 * @throws {Lost} if it is no frame
 */
export function readFrame(line: string): ChatEvent | undefined {
  try {
    return read(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Lost(`the server sent a bad frame: ${error.message}`, true);
  }
}

/** A server that does not know yet who this is speaks text. */
function tryFrame(line: string): ChatEvent | undefined {
  try {
    return read(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
