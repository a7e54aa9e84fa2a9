/**
 * What of a conversation is shown when: the room where one is at once, the others when one goes there, comings and
 * goings of a minute in one line, days as they begin. Pure; knows no cursor, and not what is typed.
 */

import type { ChatEvent } from "../message.ts";
import { dayOf, note, type Paragraph, paragraphs } from "./look.ts";
import { type Passing, Presence } from "./presence.ts";
import type { Item } from "./talk.ts";

/** What was said in a room while one was in another. */
export interface Unread {
  room: string;
  /** How many messages. */
  count: number;
  /** Whether one's name is in one of them. */
  calls: boolean;
}

/** Where one is, as whom. */
export interface Place {
  room: string;
  /** All rooms that one is in. */
  rooms: readonly string[];
  name: string;
}

/** All with defaults. */
export interface WindowOptions {
  /** The time, in ms since 1970: that of the clock by default. */
  now?: () => number;
  /** How much is kept unread in all rooms together; then the longest is shown: 5000 by default. */
  maxUnread?: number;
}

/** So much of what was shown last is kept, to be drawn again. */
const MAX_RECENT = 200;

const MINUTE_MS = 60_000;

interface Waiting extends Unread {
  paragraphs: Paragraph[];
}

/** A conversation as it goes by. */
export class Window {
  readonly #now: () => number;
  readonly #maxUnread: number;
  #room: string;
  readonly #waiting = new Map<string, Waiting>();
  #presence = new Presence();
  /** The minute that it is about, counted from 1970. */
  #minute = 0;
  #day: string;
  #recent: Paragraph[] = [];

  /** @param room where one is */
  constructor(room: string, options: WindowOptions = {}) {
    this.#room = room;
    this.#now = options.now ?? Date.now;
    this.#maxUnread = options.maxUnread ?? 5000;
    this.#day = dayOf(this.#now());
  }

  /** What has not been read in other rooms. */
  get unread(): Unread[] {
    return Array.from(this.#waiting.values(), ({ room, count, calls }) => ({
      room,
      count,
      calls,
    })).filter(({ count }) => count > 0);
  }

  /** Who has come and gone in this minute, as long as that may change. */
  get presence(): Paragraph | undefined {
    const { text } = this.#presence;
    const time = this.#minute * MINUTE_MS;
    return text === "" ? undefined : { ...note(text, time), isFaint: true };
  }

  /** How long that may change, in ms. */
  get minuteLeftMs(): number {
    return (this.#minute + 1) * MINUTE_MS - this.#now();
  }

  /** What was shown last, oldest first. */
  get recent(): readonly Paragraph[] {
    return this.#recent;
  }

  /** Forgets what was shown. */
  clear(): void {
    this.#recent = [];
  }

  /**
   * What of these is shown now.
   *
   * @param place where one is after them
   */
  show(items: readonly Item[], place: Place): Paragraph[] {
    const { room, rooms, name } = place;
    const shown = this.#expire();
    for (const item of items) shown.push(...this.#take(item, name));
    if (room !== this.#room) shown.push(...this.#enter(room));
    for (const waiting of this.#waiting.values()) {
      if (rooms.includes(waiting.room)) continue;
      const why = `you are no longer in ${waiting.room}`;
      shown.push(...this.#give(waiting, why));
    }
    return this.#begun(shown);
  }

  /** What is shown because time has gone by. */
  pass(): Paragraph[] {
    return this.#begun(this.#expire());
  }

  /** What is shown at the end, because nothing more will be. */
  end(): Paragraph[] {
    return this.#begun(this.#settle());
  }

  #take(item: Item, name: string): Paragraph[] {
    const now = this.#now();
    if (item.type === "room") {
      return [
        ...this.#settle(),
        ...paragraphs(item, now, name),
        ...this.#enter(item.room),
      ];
    }
    if (item.type !== "event") return paragraphs(item, now, name);
    const { event } = item;
    if (isPassing(event)) {
      this.#pass(event, now);
      return [];
    }
    if (event.type === "renamed") this.#presence.rename(event.from, event.to);
    const shown = paragraphs(item, now, name);
    if (isOfRoom(event) && event.room !== this.#room) {
      return this.#keep(event.room, shown, item);
    }
    // Whoever speaks came before that.
    const isNewcomer = event.type === "message" &&
      this.#presence.has(event.from);
    return isNewcomer ? [...this.#settle(), ...shown] : shown;
  }

  #pass(event: Passing, now: number): void {
    const isElsewhere = event.type !== "offline" && event.room !== this.#room;
    if (isElsewhere) return;
    this.#minute = Math.floor(now / MINUTE_MS);
    this.#presence.add(event);
  }

  #expire(): Paragraph[] {
    return this.minuteLeftMs > 0 ? [] : this.#settle();
  }

  /** What is known of this minute's comings and goings does not change any more. */
  #settle(): Paragraph[] {
    const { presence } = this;
    this.#presence = new Presence();
    return presence ? [presence] : [];
  }

  /** Keeps what is said elsewhere until one goes there, or until it is too much. */
  #keep(
    room: string,
    paragraphs: Paragraph[],
    { event, isOwn, calls }: Item & { type: "event" },
  ): Paragraph[] {
    const waiting = this.#waiting.get(room) ??
      { room, count: 0, calls: false, paragraphs: [] };
    this.#waiting.set(room, waiting);
    waiting.paragraphs.push(...paragraphs);
    if (event.type === "message" && !isOwn) waiting.count++;
    waiting.calls ||= calls;
    const rooms = [...this.#waiting.values()];
    const sizes = rooms.map(({ paragraphs }) => paragraphs.length);
    if (sizes.reduce((all, size) => all + size) <= this.#maxUnread) return [];
    const longest = rooms[sizes.indexOf(Math.max(...sizes))] ?? waiting;
    return this.#give(longest, `too much is unread in ${longest.room}`);
  }

  /** What was said elsewhere, though one is not there. */
  #give({ room, paragraphs }: Waiting, why: string): Paragraph[] {
    this.#waiting.delete(room);
    return [
      note(`${why}; this was said there:`, this.#now()),
      ...paragraphs,
      note(`so much from ${room}`, this.#now()),
    ];
  }

  #enter(room: string): Paragraph[] {
    this.#room = room;
    const waiting = this.#waiting.get(room)?.paragraphs ?? [];
    this.#waiting.delete(room);
    return [...this.#settle(), ...waiting];
  }

  /** These paragraphs, each day with a line of its own before it. */
  #begun(paragraphs: readonly Paragraph[]): Paragraph[] {
    const shown: Paragraph[] = [];
    for (const paragraph of paragraphs) {
      const { time } = paragraph;
      const day = dayOf(time);
      if (day !== this.#day) shown.push({ ...note(day, time), isFaint: true });
      this.#day = day;
      shown.push(paragraph);
    }
    this.#recent = [...this.#recent, ...shown].slice(-MAX_RECENT);
    return shown;
  }
}

function isPassing(event: ChatEvent): event is Passing {
  return event.type === "left" || event.type === "offline" ||
    (event.type === "joined" && event.state === undefined);
}

const OF_ROOMS = [
  "message",
  "history",
  "gap",
  "anew",
  "topic",
  "slow",
] as const;

/** Whether an event is told only to those who are in a room, and of interest only there. */
function isOfRoom(
  event: ChatEvent,
): event is ChatEvent & { type: typeof OF_ROOMS[number] } {
  return OF_ROOMS.some((type) => type === event.type);
}
