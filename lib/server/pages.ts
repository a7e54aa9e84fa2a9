/** Long answers in pages, each of which waits until the one before is written. */

import type { ChatEvent } from "../message.ts";
import { type Member, tell } from "./members.ts";

/**
 * `items` in pages, and whether another one follows; one page that is empty, if there are none.
 *
 * @param size how many are on one: as many as take less than 16 KiB
 */
export function pages<T>(
  items: readonly T[],
  size: number,
): [page: T[], more: boolean][] {
  const pages: [T[], boolean][] = [];
  for (let from = 0; from === 0 || from < items.length; from += size) {
    const to = from + size;
    pages.push([items.slice(from, to), to < items.length]);
  }
  return pages;
}

/** Tells a long answer, each page of it once the one before is written. */
export async function tellPages(
  member: Member,
  events: readonly ChatEvent[],
): Promise<void> {
  const outbox = member.connection?.outbox;
  for (const event of events) {
    tell(member, event);
    await outbox?.answered();
  }
}
