/**
 * Who is in the rooms that one is in, and which of their comings and new names are news. Pure; knows neither
 * who one is oneself nor what is said.
 */

interface Present {
  names: Set<string>;
  /** Who was there when the connection was lost. */
  before: ReadonlySet<string>;
}

/** So many new names, and so many who are gone, are remembered. */
const MAX_REMEMBERED = 1000;

/** The members of some rooms. */
export class People {
  readonly #returningMs: number;
  readonly #now: () => number;
  readonly #rooms = new Map<string, Present>();
  readonly #renames = new Map<string, string>();
  /** Who is offline, and has not come back. */
  readonly #offline = new Set<string>();
  #returningUntil = 0;

  /**
   * @param returningMs for how long after a welcome it is no news that somebody is there who was there before
   * @param now the time, in ms
   */
  constructor(returningMs: number, now: () => number) {
    this.#returningMs = returningMs;
    this.#now = now;
  }

  /** A connection begins. Where a server has been started again, everybody comes back one by one. */
  begin(): void {
    this.#renames.clear();
    this.#offline.clear();
    this.#returningUntil = this.#now() + this.#returningMs;
  }

  /** One comes into a room, perhaps again, and finds them there. */
  find(room: string, names: readonly string[]): void {
    const before = this.#rooms.get(room)?.names ?? new Set();
    this.#rooms.set(room, { names: new Set(names), before });
  }

  /** One is not in the room any more. */
  forget(room: string): void {
    this.#rooms.delete(room);
  }

  /** Who is in a room, as far as that is known. */
  names(room: string): string[] {
    return [...this.#rooms.get(room)?.names ?? []];
  }

  /** Somebody comes; returns whether that is news. */
  come(room: string, name: string): boolean {
    const present = this.#rooms.get(room);
    present?.names.add(name);
    this.#renames.delete(name);
    this.#offline.delete(name);
    return this.#now() >= this.#returningUntil || !present?.before.has(name);
  }

  /** Somebody leaves a room. */
  leave(room: string, name: string): void {
    this.#rooms.get(room)?.names.delete(name);
  }

  /** Somebody is offline; returns whether that is news. Every room that one shares with them tells it. */
  vanish(room: string, name: string): boolean {
    this.leave(room, name);
    if (this.#offline.has(name)) return false;
    if (this.#offline.size >= MAX_REMEMBERED) this.#offline.clear();
    this.#offline.add(name);
    return true;
  }

  /** Somebody has a new name; returns whether that is news. Every room that one shares with them tells it. */
  rename(room: string, from: string, to: string): boolean {
    const names = this.#rooms.get(room)?.names;
    if (names?.delete(from)) names.add(to);
    this.#offline.delete(to);
    if (this.#renames.get(from) === to) return false;
    if (this.#renames.size >= MAX_REMEMBERED) this.#renames.clear();
    this.#renames.delete(to);
    this.#renames.set(from, to);
    return true;
  }
}
