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

/** A message of one's own that has not come to its place in the conversation yet. */
export interface Pending {
  readonly spoken: Spoken;
  readonly isAcknowledged: boolean;
}

interface Open extends Line {
  isAcknowledged: boolean;
  /** Whether it is in its place: in the log of its room, or with whom it was for. */
  isSeen: boolean;
  /** Its number in the log of its room, once that is known. */
  seq?: number;
  /** Up to which number nothing of that log is going to be seen any more. */
  skippedTo: number;
}

/** The own messages, as long as something is open about them. */
export class Said {
  readonly #open = new Map<string, Open>();
  #waiting = 0;

  /** How many are not acknowledged. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Those that are not acknowledged, in the order in which they were said. */
  get unacknowledged(): Spoken[] {
    return this.#all.filter((line) => !line.isAcknowledged)
      .map(({ spoken }) => spoken);
  }

  /** Those that were not seen in their place yet, in the order in which they were said. */
  get pending(): Pending[] {
    return this.#all.filter((line) => !line.isSeen);
  }

  /** Gives away what is not acknowledged, in the order in which it was said: it is not waited for any more. */
  giveUp(): Line[] {
    const lines = this.#all.filter((line) => !line.isAcknowledged);
    for (const { spoken: { ref } } of lines) this.refuse(ref);
    return lines;
  }

  add(line: Line): void {
    this.#open.set(line.spoken.ref, {
      ...line,
      isAcknowledged: false,
      isSeen: false,
      skippedTo: 0,
    });
    this.#waiting++;
  }

  /**
   * It is stored, or has reached whom it was for.
   *
   * @param seq its number in the log of its room
   * @param readTo up to where the log of a room was read; `undefined` if one is not in that room
   * @returns the message, if it is not going to be seen in a log, and was not
   */
  acknowledge(
    ref: string,
    seq: number | undefined,
    readTo: (room: string) => number | undefined,
  ): Spoken | undefined {
    const line = this.#open.get(ref);
    if (!line) return undefined;
    if (!line.isAcknowledged) this.#waiting--;
    line.isAcknowledged = true;
    const { spoken, isSeen, skippedTo } = line;
    const room = roomOf(spoken);
    const read = room === undefined ? undefined : readTo(room);
    if (!isSeen && seq !== undefined && read !== undefined && seq > read) {
      line.seq = seq;
      return undefined;
    }
    this.#open.delete(ref);
    // What was read before was shown then, whatever one was called.
    const wasRead = isSeen ||
      (seq !== undefined && read !== undefined && seq > skippedTo);
    return wasRead ? undefined : spoken;
  }

  /** It was not taken. */
  refuse(ref: string): Line | undefined {
    const line = this.#open.get(ref);
    if (!line || line.isAcknowledged) return undefined;
    this.#waiting--;
    this.#open.delete(ref);
    return line;
  }

  /**
   * Whether this new message of a log is one of those that were said, which is then not expected any more. It
   * is known by its number, or before that by what it says.
   *
   * @param name what one is called
   */
  recognize(message: Message, name: string): boolean {
    for (const [ref, line] of this.#open) {
      const { spoken, seq } = line;
      if (line.isSeen || roomOf(spoken) !== message.room) continue;
      const isIt = seq === undefined
        ? message.from === name && spoken.text === message.text &&
          isAction(spoken) === message.action
        : seq === message.seq;
      if (!isIt) continue;
      line.isSeen = true;
      if (line.isAcknowledged) this.#open.delete(ref);
      return true;
    }
    return false;
  }

  /**
   * No message of this room up to that one is going to be seen any more.
   *
   * @returns those of them that were said and not seen
   */
  skip(room: string, to: number): Spoken[] {
    const skipped = [];
    for (const [ref, line] of this.#open) {
      const { spoken, seq } = line;
      if (roomOf(spoken) !== room) continue;
      if (seq === undefined) line.skippedTo = to;
      else if (seq <= to) {
        this.#open.delete(ref);
        skipped.push(spoken);
      }
    }
    return skipped;
  }

  get #all(): Open[] {
    return [...this.#open.values()];
  }
}

/** In which room it was said; in none if it was told to somebody. */
function roomOf(spoken: Spoken): string | undefined {
  return spoken.type === "say" ? spoken.room ?? LOBBY : undefined;
}

function isAction(spoken: Spoken): boolean {
  return spoken.type === "say" && spoken.action;
}
