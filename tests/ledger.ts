/**
 * The books of a long conversation: who has said what where, what of it was acknowledged, and whether the log, and
 * what everybody saw, agrees with that. Knows nobody who talks.
 */

import type { ChatEvent, Message } from "../lib/message.ts";

/** Something that was said. */
export interface Said {
  author: string;
  room: string;
  text: string;
}

/** What somebody says begins with who says it, and how much they have said before. */
const TEXT = /^(\S+) (\d+) x*$/;

/** What is written down. */
export class Ledger {
  readonly #random: () => number;
  readonly #counts = new Map<string, number>();
  readonly #acknowledged: { said: Said; seq: number | undefined }[] = [];
  /** What should not have been, in words. */
  readonly faults: string[] = [];

  /** @param random how long is what is said */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** How much was acknowledged. */
  get acknowledged(): number {
    return this.#acknowledged.length;
  }

  /** Something for `author` to say, which nobody has said before. */
  write(author: string, room: string): Said {
    const count = (this.#counts.get(author) ?? 0) + 1;
    this.#counts.set(author, count);
    const length = Math.floor(500 * this.#random() ** 4);
    return { author, room, text: `${author} ${count} ${"x".repeat(length)}` };
  }

  /** @param seq its number in the log of its room, if that was told */
  acknowledge(said: Said, seq?: number): void {
    this.#acknowledged.push({ said, seq });
  }

  /** Compares with all that is stored, by room, and writes down what is not as it should be. */
  audit(stored: ReadonlyMap<string, readonly Message[]>): void {
    const found = new Set<string>();
    for (const [room, messages] of stored) {
      const ear = new Ear(this, `the log of ${room}`);
      messages.forEach(({ seq, text }, i) => {
        if (seq !== i + 1) this.faults.push(`${room} has ${seq} as ${i + 1}`);
        ear.hear(text);
        found.add(`${room} ${text}`);
      });
    }
    for (const { said: { room, text }, seq } of this.#acknowledged) {
      if (!found.has(`${room} ${text}`)) {
        this.faults.push(`${room} has lost ${text}`);
      } else if (
        seq !== undefined && stored.get(room)?.[seq - 1]?.text !== text
      ) this.faults.push(`${room} has not ${text} as ${seq}`);
    }
  }
}

/** Hears one room, where nobody may be heard twice, or in another order than they spoke. */
export class Ear {
  readonly #ledger: Ledger;
  readonly #whose: string;
  readonly #last = new Map<string, number>();

  constructor(ledger: Ledger, whose: string) {
    this.#ledger = ledger;
    this.#whose = whose;
  }

  /** Something was said; whatever is not from {@linkcode Ledger.write} does not matter. */
  hear(text: string): void {
    const [, author, count] = TEXT.exec(text) ?? [];
    if (author === undefined) return;
    const last = this.#last.get(author) ?? 0;
    if (Number(count) <= last) {
      this.#ledger.faults.push(`${this.#whose} has ${text} after ${last}`);
    }
    this.#last.set(author, Number(count));
  }

  /** From now on another room is heard. */
  forget(): void {
    this.#last.clear();
  }
}

/** How far a program has read its rooms, where nothing may come twice or be left out. */
export class Seen {
  readonly #ledger: Ledger;
  readonly #whose: string;
  readonly #places = new Map<string, { log: string; seq: number }>();
  /** The last of what was said before one came, by room, as long as that is shown. */
  readonly #earlier = new Map<string, number>();

  constructor(ledger: Ledger, whose: string) {
    this.#ledger = ledger;
    this.#whose = whose;
  }

  /** The rooms where one is. */
  get rooms(): string[] {
    return [...this.#places.keys()];
  }

  /** What to say in a hello. */
  get since(): Record<string, { log: string; seq: number }> {
    return Object.fromEntries(this.#places);
  }

  /** @param name what one is called */
  take(event: ChatEvent, name: string): void {
    switch (event.type) {
      case "welcome":
        for (const state of event.rooms) this.#enter(state);
        break;
      case "joined":
        // Whoever is there already may be told how far the log went a moment ago.
        if (event.state && !this.#places.has(event.room)) {
          this.#enter(event.state);
        }
        break;
      case "left":
        if (event.name === name) this.#places.delete(event.room);
        break;
      case "gap":
      case "anew":
        this.#fault(`is told of ${event.type} in ${event.room}`);
        break;
      case "message":
        this.#read(event);
        break;
    }
  }

  #enter({ room, log, seq }: { room: string; log: string; seq: number }): void {
    const place = this.#places.get(room);
    if (place && (place.log !== log || place.seq > seq)) {
      this.#fault(`has read ${room} up to ${place.seq}, it ends with ${seq}`);
    }
    if (place) return;
    this.#places.set(room, { log, seq });
    this.#earlier.set(room, 0);
  }

  #read({ room, seq, text }: Message): void {
    const place = this.#places.get(room);
    const earlier = this.#earlier.get(room);
    if (!place) {
      return this.#fault(`hears ${text} in ${room}, and is not there`);
    }
    if (seq <= place.seq && earlier !== undefined && seq > earlier) {
      this.#earlier.set(room, seq);
      return;
    }
    if (seq !== place.seq + 1) {
      this.#fault(`sees ${seq} of ${room} after ${place.seq}`);
    }
    place.seq = seq;
    this.#earlier.delete(room);
  }

  #fault(what: string): void {
    this.#ledger.faults.push(`${this.#whose} ${what}`);
  }
}
