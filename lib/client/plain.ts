/**
 * The client at a terminal whose cursor stays where it is, as a screen reader or a simple terminal wants it: the
 * terminal itself edits the line, and what arrives is printed, a line each. Knows no escape sequences.
 */

import { render } from "../wire/text.ts";
import type { Link } from "./link.ts";
import { BELL } from "./look.ts";
import { PlainInput } from "./plain_input.ts";
import {
  areCalls,
  counted,
  type Done,
  type Item,
  type Keeper,
  Talk,
  UNSEEN,
} from "./talk.ts";

/** What such a terminal is. */
export interface PlainOptions {
  input: ReadableStream<Uint8Array>;
  /** Prints whole lines. */
  print(lines: string): Promise<void>;
  /** Whether the terminal gives keys at once and does not show them, instead of lines that it does. */
  setRaw(isRaw: boolean): void;
  /** Who keeps a login for this person if they say so. */
  keeper: Keeper;
  /** Whether the person does not want to know who comes and goes. */
  quiet: boolean;
  /** Whether it rings for what is meant for them. */
  bell: boolean;
}

/**
 * Talks until the person quits, or the input ends.
 *
 * @throws {LinkError} if the link was lost
 */
export async function talkPlainly(
  link: Link,
  options: PlainOptions,
): Promise<void> {
  const talk = new Talk(link, { ...options, plain: true });
  const show = async (items: readonly Item[]) => {
    const lines = items.flatMap((item) => linesFor(item, talk.room));
    if (options.bell && areCalls(items)) lines.unshift(BELL);
    if (lines.length > 0) await options.print(lines.join(""));
  };
  const receiving = receive(
    link,
    (arrivals) => show(arrivals.flatMap((arrival) => talk.take(arrival))),
  );
  await Promise.race([receiving, obey(link, talk, options, show)]);
  await receiving;
}

async function receive(
  link: Link,
  show: (arrivals: Parameters<Talk["take"]>[0][]) => Promise<void>,
): Promise<void> {
  for await (const arrivals of link.receive()) await show(arrivals);
}

/** Does what the lines say until one says to quit, or there are no more. */
async function obey(
  link: Link,
  talk: Talk,
  options: PlainOptions,
  show: (items: readonly Item[]) => Promise<void>,
): Promise<void> {
  const input = new PlainInput(options.input);
  for (let line; (line = await input.line()) !== undefined;) {
    const fault = talk.fault([line]);
    const done: Done = fault
      ? { items: [{ type: "note", text: fault }] }
      : talk.obey([line]);
    const { items, wish, secret } = done;
    if (secret) {
      const password = await input.unseen(UNSEEN, options);
      if (password) items.push(...talk.answer(secret, password));
    }
    if (wish === "remember" || wish === "forget") {
      items.push(...await talk.keep(wish));
    }
    const { isConnected, unacknowledged } = link;
    if (!isConnected && unacknowledged > 0) {
      items.push({
        type: "note",
        text: `not connected, ${counted(unacknowledged)}`,
      });
    }
    await show(items);
    if (wish === "quit") break;
  }
  link.end();
}

/** What is printed of an item; what was typed is on the terminal already. */
function linesFor(item: Item, room: string): string[] {
  switch (item.type) {
    case "note":
      return [`-- ${item.text}\n`];
    case "room":
      return [`-- you are in ${item.room}\n`];
    case "line":
      return item.isOwn ? [] : [`${item.text}\n`];
    case "event": {
      const { event, isOwn } = item;
      if (isOwn) return [];
      const lines = render(event).split("\n").slice(0, -1);
      // These are told once, whichever rooms one shares with somebody.
      const isOfNoRoom = event.type === "renamed" || event.type === "offline";
      const isElsewhere = !isOfNoRoom && "room" in event &&
        event.room !== undefined && event.room !== room;
      return lines.map((line) =>
        isElsewhere ? `${event.room}: ${line}\n` : `${line}\n`
      );
    }
  }
}
