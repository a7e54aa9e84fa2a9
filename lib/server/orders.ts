/**
 * Where it is kept what operators have ordered: who is banned or muted, and what a room is about. Asynchronous, as a
 * later store may be on another machine.
 */

import { type Ban, nameKey } from "../message.ts";

/** What operators have said of a room. */
export interface RoomOrder {
  room: string;
  /** What it is about; empty if nothing is said. */
  topic: string;
  /** How long everybody waits between two messages, in seconds; 0 is not at all. */
  slowSeconds: number;
}

/** All that stands. */
export interface Standing {
  bans: Ban[];
  rooms: RoomOrder[];
}

/** Keeps what operators have ordered. */
export interface Orders {
  /** Whether it is there after the server has ended. */
  readonly lasts: boolean;
  /**
   * All that stands, without what is over.
   *
   * @throws {LogError}
   */
  load(): Promise<Standing>;
  /**
   * Keeps these, each in the place of what there is of its kind for the same target.
   *
   * @throws {LogError} none of them is kept
   */
  ban(bans: readonly Ban[]): Promise<void>;
  /**
   * Forgets these.
   *
   * @throws {LogError} all of them are kept
   */
  lift(bans: readonly Ban[]): Promise<void>;
  /**
   * Keeps what is said of a room, in the place of what was.
   *
   * @throws {LogError}
   */
  order(order: RoomOrder): Promise<void>;
  /** Nothing more will be asked. */
  close(): Promise<void>;
}

/** What is gone with the server. */
export class MemoryOrders implements Orders {
  readonly lasts = false;
  readonly #bans = new Map<string, Ban>();
  readonly #rooms = new Map<string, RoomOrder>();

  load(): Promise<Standing> {
    return Promise.resolve({
      bans: [...this.#bans.values()],
      rooms: [...this.#rooms.values()],
    });
  }

  ban(bans: readonly Ban[]): Promise<void> {
    for (const ban of bans) this.#bans.set(keyOf(ban), ban);
    return Promise.resolve();
  }

  lift(bans: readonly Ban[]): Promise<void> {
    for (const ban of bans) this.#bans.delete(keyOf(ban));
    return Promise.resolve();
  }

  order(order: RoomOrder): Promise<void> {
    this.#rooms.set(nameKey(order.room), order);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function keyOf({ kind, target }: Ban): string {
  return `${kind} ${nameKey(target)}`;
}
