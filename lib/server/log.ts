/**
 * The log of the rooms: what was said in each, in its order, numbered without a hole. Declares what a log is,
 * and has the one that lives in memory. Knows neither members nor who is told what.
 */

import { type Message, nameKey } from "../message.ts";

/** A message that is to be stored. */
export interface NewMessage {
  /** The room's name, as {@linkcode Extent} gives it. */
  room: string;
  from: string;
  text: string;
  action: boolean;
  /** By what it is known again when it is sent again. */
  origin?: Origin;
}

/** A message of a program: the two together are unique, and stored at most once. */
export interface Origin {
  /** Which session sent it: 128 bits of a hash, in hexadecimal digits, and never the secret itself. */
  session: string;
  /** What the session calls it. */
  id: string;
}

/** Where a message stands in the log of its room. */
export interface Place {
  seq: number;
  /** When it was stored, in ms since 1970. */
  time: number;
  /** Whether it had been stored before, and was not stored again. */
  repeated: boolean;
}

/** How far a room's log reaches. */
export interface Extent {
  /** The room's name as it was first written; what differs only in case is the same room. */
  room: string;
  /** The identity of the log: another one has other numbers. */
  log: string;
  /** The first message that is still kept; `seq + 1` if none is. */
  first: number;
  /** The last message that was stored; 0 if there was none yet. */
  seq: number;
}

/** Which messages to read: the first after `since`, or the last before `before`, and so many at most. */
export type Range =
  | { since: number; limit: number }
  | { before: number; limit: number };

/** The message of a log that fails, in one line: it cannot be opened, written or read. */
export class LogError extends Error {
  override name = "LogError";
}

/**
 * What the rooms' messages are stored in. All is asynchronous, because a log may live on another machine; what
 * is asked for is done in the order of the calls.
 */
export interface Log {
  /**
   * The log of a room, made if there is none.
   *
   * @throws {LogError}
   */
  open(room: string): Promise<Extent>;
  /**
   * Stores messages, all or none, in rooms that are open. A message that was stored before, or earlier in
   * `messages`, is not stored again.
   *
   * @returns where each of them stands
   * @throws {LogError} nothing was stored
   */
  append(messages: readonly NewMessage[]): Promise<Place[]>;
  /**
   * Where a message stands that was stored, if it was.
   *
   * @throws {LogError}
   */
  find(origin: Origin): Promise<Place | undefined>;
  /**
   * Reads a room that is open, oldest first.
   *
   * @throws {LogError}
   */
  read(room: string, range: Range): Promise<Message[]>;
  /**
   * The names of the rooms, open or not, of which messages are kept after everybody has left: `limit` at most, and
   * first those in which something was said last.
   *
   * @throws {LogError}
   */
  stored(limit: number): Promise<string[]>;
  /**
   * Nobody is in the room any more: it is forgotten, unless its messages are kept.
   *
   * @throws {LogError}
   */
  release(room: string): Promise<void>;
  /** Everything is done; the log can no longer be used. */
  close(): Promise<void>;
}

/** An identity for a new log: 16 random hexadecimal digits. */
export function newLogId(): string {
  return crypto.getRandomValues(new Uint8Array(8)).toHex();
}

/** How a log in memory is kept. */
export interface MemoryLogOptions {
  /** How many messages of a room are kept; 2,048. */
  keep?: number;
  /** The time, in ms since 1970; the system's. */
  now?: () => number;
}

/** A room, whose message number `seq` is at `seq - 1` modulo the number of those that are kept. */
interface MemoryRoom {
  readonly name: string;
  readonly log: string;
  readonly ring: Message[];
  seq: number;
  /** When its last message was stored, in ms since 1970. */
  time: number;
}

/** A {@linkcode Log} in memory. Of a room that nobody is in, nothing is kept. */
export class MemoryLog implements Log {
  readonly #rooms = new Map<string, MemoryRoom>();
  readonly #origins = new Origins();
  readonly #keep: number;
  readonly #now: () => number;
  #closed = false;

  constructor({ keep = 2048, now = Date.now }: MemoryLogOptions = {}) {
    this.#keep = keep;
    this.#now = now;
  }

  open(room: string): Promise<Extent> {
    return this.#do(() => {
      const key = nameKey(room);
      let open = this.#rooms.get(key);
      if (!open) {
        open = { name: room, log: newLogId(), ring: [], seq: 0, time: 0 };
        this.#rooms.set(key, open);
      }
      const { name, log, seq } = open;
      return { room: name, log, first: this.#first(open), seq };
    });
  }

  append(messages: readonly NewMessage[]): Promise<Place[]> {
    return this.#do(() => {
      // All are there, or nothing is stored.
      const rooms = messages.map(({ room }) => this.#opened(room));
      const now = this.#now();
      return messages.map(({ from, text, action, origin }, i) => {
        const first = origin && this.#origins.get(origin);
        if (first) return first;
        const room = rooms[i]!;
        const seq = ++room.seq;
        const time = room.time = Math.max(now, room.time);
        room.ring[(seq - 1) % this.#keep] = {
          room: room.name,
          seq,
          time,
          from,
          text,
          action,
        };
        if (origin) this.#origins.add(origin, { seq, time, repeated: true });
        return { seq, time, repeated: false };
      });
    });
  }

  find(origin: Origin): Promise<Place | undefined> {
    return this.#do(() => this.#origins.get(origin));
  }

  read(room: string, range: Range): Promise<Message[]> {
    return this.#do(() => {
      const open = this.#opened(room);
      const first = this.#first(open);
      const from = "since" in range
        ? Math.max(first, range.since + 1)
        : Math.max(first, Math.min(range.before, open.seq + 1) - range.limit);
      const to = "since" in range
        ? Math.min(open.seq, from + range.limit - 1)
        : Math.min(open.seq, range.before - 1);
      const messages: Message[] = [];
      for (let seq = from; seq <= to; seq++) {
        messages.push(open.ring[(seq - 1) % this.#keep]!);
      }
      return messages;
    });
  }

  stored(_limit: number): Promise<string[]> {
    return this.#do(() => []);
  }

  release(room: string): Promise<void> {
    return this.#do(() => void this.#rooms.delete(nameKey(room)));
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#rooms.clear();
    return Promise.resolve();
  }

  #do<T>(work: () => T): Promise<T> {
    return Promise.try(() => {
      if (this.#closed) throw new LogError("the log is closed");
      return work();
    });
  }

  #opened(name: string): MemoryRoom {
    const room = this.#rooms.get(nameKey(name));
    if (!room) throw new LogError(`the room ${name} is not open`);
    return room;
  }

  #first({ seq }: MemoryRoom): number {
    return Math.max(1, seq - this.#keep + 1);
  }
}

/** More than a session may have waiting for their acknowledgement. */
const MAX_IDS = 1024;
const MAX_SESSIONS = 10_000;
/** About 150 MB. */
const MAX_IDS_IN_ALL = 1_000_000;

/**
 * Where messages of programs were stored: the last of each session, and of the sessions those that said something
 * last.
 */
class Origins {
  /** The session that said something last is the last. */
  readonly #sessions = new Map<string, Map<string, Place>>();
  #ids = 0;

  get({ session, id }: Origin): Place | undefined {
    return this.#sessions.get(session)?.get(id);
  }

  /** Adds one that is not there. */
  add({ session, id }: Origin, place: Place): void {
    const places = this.#sessions.get(session) ?? new Map<string, Place>();
    this.#sessions.delete(session);
    this.#sessions.set(session, places);
    places.set(id, place);
    this.#ids++;
    if (places.size > MAX_IDS) {
      places.delete(firstKey(places));
      this.#ids--;
    }
    while (
      this.#sessions.size > MAX_SESSIONS || this.#ids > MAX_IDS_IN_ALL
    ) {
      const oldest = firstKey(this.#sessions);
      this.#ids -= this.#sessions.get(oldest)!.size;
      this.#sessions.delete(oldest);
    }
  }
}

function firstKey<T>(map: ReadonlyMap<string, T>): string {
  for (const key of map.keys()) return key;
  throw new RangeError("the map is empty");
}
