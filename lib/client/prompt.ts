/** What stands before the line being typed: where one is, as whom, and what one should know. Pure. */

import stringWidth from "string-width";
import { graphemes } from "./input_line.ts";
import { counted } from "./talk.ts";
import type { Unread } from "./window.ts";

/** What a prompt tells. */
export interface Situation {
  /** The current room; none where there are no rooms. */
  room: string | undefined;
  name: string;
  /** The rooms that one is in, in the order of their numbers. */
  rooms: readonly string[];
  unread: readonly Unread[];
  /** How the link is doing, if there is no connection. */
  absence: { retryInMs: number | undefined; waiting: number } | undefined;
}

/**
 * A prompt such as `lobby alice [2 dev:3]> `; with as much of it as leaves a third of the row to what is typed. The
 * name of a room where one is called has an exclamation mark.
 *
 * @param columns how wide the terminal is, in cells
 */
export function promptOf(situation: Situation, columns: number): string {
  const { room = "", name } = situation;
  const absence = absenceOf(situation);
  const [all, some] = newsOf(situation);
  const variants = [
    [room, name, all, absence],
    [room, name, some, absence],
    [room, some, absence],
    [some, absence],
    [absence],
  ].map((parts) => `${parts.filter((part) => part !== "").join(" ")}> `);
  const most = Math.max(2, Math.floor(columns * 2 / 3));
  const fits = (prompt: string) => stringWidth(prompt) <= most;
  const found = variants.find(fits);
  if (found) return found;
  // The end says most.
  const last = graphemes(variants.at(-1)!);
  return last.slice(-most).join("");
}

/** What is unread, in full and in short. */
function newsOf({ rooms, unread }: Situation): [string, string] {
  // What was said in a room before one left it is no news.
  const news = rooms.flatMap((room, i) => {
    const waiting = unread.find((waiting) => waiting.room === room);
    return waiting ? { ...waiting, number: i + 1 } : [];
  });
  if (news.length === 0) return ["", ""];
  const mark = ({ calls }: { calls: boolean }) => calls ? "!" : "";
  const list = news.map((waiting) =>
    `${waiting.number} ${waiting.room}:${waiting.count}${mark(waiting)}`
  );
  const count = news.reduce((sum, { count }) => sum + count, 0);
  const calls = news.some(({ calls }) => calls);
  return [`[${list.join(", ")}]`, `[${count}${mark({ calls })}]`];
}

function absenceOf({ absence }: Situation): string {
  if (!absence) return "";
  const { retryInMs, waiting } = absence;
  const next = retryInMs === undefined
    ? "connecting"
    : `next try in ${Math.ceil(retryInMs / 1000)} s`;
  return waiting === 0 ? `(${next})` : `(${next}, ${counted(waiting)})`;
}
