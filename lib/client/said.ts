/**
 * What this end has said: kept until it is acknowledged, so that it can be said again, and until it was seen in
 * the log of its room, so that it is known as one's own there. Pure; knows neither sockets nor frames.
 */

import { type Command, LOBBY, type Message } from "../message.ts";

/** A message to a room or to one member. Its `ref` is what the server acknowledges. */
export type Spoken = Extract<Command, { type: "say" | "tell" | "reply" }>;

/** A message that was said, and what it is called where it came from. */
export interface Line {
  readonly spoken: Spoken;
  readonly label: string;
}

interface Unseen {
  readonly room: string;
  readonly text: string;
  readonly action: boolean;
  /** Its number in the log of its room, once that is known. */
  seq?: number;
}

/** The own messages, as long as something is open about them. */
export class Said {
  readonly #waiting = new Map<string, Line>();
  readonly #unseen = new Map<string, Unseen>();

  /** How many are not acknowledged. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Those that are not acknowledged, in the order in which they were said. */
  get unacknowledged(): Spoken[] {
    return Array.from(this.#waiting.values(), ({ spoken }) => spoken);
  }

  add(line: Line): void {
    const { spoken } = line;
    this.#waiting.set(spoken.ref, line);
    if (spoken.type !== "say") return;
    const { ref, room = LOBBY, text, action } = spoken;
    this.#unseen.set(ref, { room, text, action });
  }

  /**
   * It is stored, or has reached whom it was for.
   *
   * @param seq its number in the log of its room
   * @param readTo up to where the log of a room was read; `undefined` if one is not in that room
   */
  acknowledge(
    ref: string,
    seq: number | undefined,
    readTo: (room: string) => number | undefined,
  ): void {
    const unseen = this.#unseen.get(ref);
    const read = unseen && readTo(unseen.room);
    if (unseen && seq !== undefined && read !== undefined && seq > read) {
      unseen.seq = seq;
    } else this.#unseen.delete(ref);
    this.#waiting.delete(ref);
  }

  /** It was not taken. */
  refuse(ref: string): Line | undefined {
    const line = this.#waiting.get(ref);
    this.#waiting.delete(ref);
    this.#unseen.delete(ref);
    return line;
  }

  /**
   * Whether this new message of a log is one of those that were said, which is then not expected any more. It
   * is known by its number, or before that by what it says.
   *
   * @param name what one is called
   */
  recognize(message: Message, name: string): boolean {
    for (const [ref, unseen] of this.#unseen) {
      if (unseen.room !== message.room) continue;
      const isIt = unseen.seq === undefined
        ? message.from === name && unseen.text === message.text &&
          unseen.action === message.action
        : unseen.seq === message.seq;
      if (isIt) return this.#unseen.delete(ref);
    }
    return false;
  }

  /** No message of this room up to that one is going to be seen any more. */
  skip(room: string, to: number): void {
    for (const [ref, unseen] of this.#unseen) {
      const { seq } = unseen;
      if (unseen.room === room && seq !== undefined && seq <= to) {
        this.#unseen.delete(ref);
      }
    }
  }
}
