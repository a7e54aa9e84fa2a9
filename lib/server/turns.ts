/**
 * The rhythm of the server. In a turn, what is said collects; at its end it is stored and handed out. What has been
 * handed out is written in slices, while the next turn collects already. Knows neither rooms nor members.
 *
 * Nothing here waits for one socket while another has something to be written.
 */

import { setImmediate } from "node:timers";
import type { Outbox } from "./outbox.ts";
import { Tally } from "./tally.ts";

/**
 * How many outboxes are written in one go before the event loop gets its turn. Tokio lets one task complete 128
 * operations before it has to yield: with 9,000 members and no slices the slowest delivery took 12 s, with slices of
 * 100 it took 0.44 s.
 */
const SLICE = 100;

/**
 * What is done at the end of a turn, which is told its number. If it takes longer than that (a log that is elsewhere),
 * the next turn does not end before it is done.
 */
export type HandOut = (turn: number) => Promise<void> | void;

/** Many outboxes, which are written one after the other: as in a round that begins anew whenever there is news. */
export interface Round {
  /** Writes some of those that have something to be written, `most` at most, and says how many. */
  write(most: number): number;
  /** Whether nobody has anything to be written. */
  readonly isOver: boolean;
  /** The first turn of which not everybody has been written all. */
  readonly unwritten: number | undefined;
}

/** Ends turns, and has outboxes written. */
export class Turns {
  /** What its outboxes write, and its sessions read. */
  readonly tally = new Tally();
  /** The number of the turn that collects. */
  #turn = 0;
  #collected = new Set<HandOut>();
  /** The number of the turn that is being handed out. */
  #handingOut: number | undefined;
  /** The outboxes that are to be written, each with the turn in which that was asked for; the first is the oldest. */
  #due = new Map<Outbox, number>();
  /** Those that wait for what is being handed out. */
  #held = new Map<Outbox, number>();
  readonly #rounds = new Set<Round>();
  #end: PromiseWithResolvers<void> | undefined;
  /** Who waits for turns that have ended, and are not written yet. */
  #ends: { turn: number; end: PromiseWithResolvers<void> }[] = [];
  #isScheduled = false;
  /** How many outboxes may still be written before the event loop gets its turn. */
  #left = 0;
  readonly #breathe: (go: () => void) => void;

  /**
   * @param breathe lets the event loop do all that it has to, sockets included, before more is written, and then calls
   * `go`
   */
  constructor(breathe: (go: () => void) => void = setImmediate) {
    this.#breathe = breathe;
  }

  /** Calls `handOut` once at the end of this turn, however often it is asked to. */
  handOut(handOut: HandOut): void {
    this.#collected.add(handOut);
    this.#schedule();
  }

  /** Flushes `outbox` soon. */
  write(outbox: Outbox): void {
    if (!this.#due.has(outbox)) this.#due.set(outbox, this.#turn);
    this.#schedule();
  }

  /** Flushes `outbox` once what is being said now, or is being handed out, has been. */
  writeOnceHandedOut(outbox: Outbox): void {
    if (!this.#held.has(outbox)) this.#held.set(outbox, this.#turn);
  }

  /** Has a round written; called by what hands out. */
  begin(round: Round): void {
    this.#rounds.add(round);
  }

  /** Resolves when all that was said up to now has been offered to everybody. */
  ended(): Promise<void> {
    this.#end ??= Promise.withResolvers();
    this.#schedule();
    return this.#end.promise;
  }

  #schedule(breathe: (go: () => void) => void = setImmediate): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    breathe(this.#go);
  }

  #go = (): void => {
    this.#isScheduled = false;
    this.#left = SLICE;
    this.#endTurn();
    this.#write();
  };

  #endTurn(): void {
    if (this.#handingOut !== undefined) return;
    if (this.#collected.size === 0 && !this.#end) return;
    const turn = this.#handingOut = this.#turn++;
    if (this.#end) this.#ends.push({ turn, end: this.#end });
    this.#end = undefined;
    const collected = this.#collected;
    this.#collected = new Set();
    const handing = [...collected].flatMap((handOut) => handOut(turn) ?? []);
    if (handing.length === 0) return this.#handedOut();
    void Promise.all(handing).then(() => {
      this.#handedOut();
      // What was stored at once is written at once.
      if (!this.#isScheduled) this.#write();
    });
  }

  #handedOut(): void {
    this.#handingOut = undefined;
    if (this.#held.size > 0) {
      const all = [...this.#held, ...this.#due].sort(([, a], [, b]) => a - b);
      this.#held = new Map();
      this.#due = new Map();
      for (const [outbox, turn] of all) {
        if (!this.#due.has(outbox)) this.#due.set(outbox, turn);
      }
    }
    if (this.#collected.size > 0 || this.#end) this.#schedule();
  }

  /** Writes as many as may be written in one go. */
  #write(): void {
    // Rounds first: what they add to an outbox is then written with what waits there already. But only half, so that
    // answers do not wait for them.
    let most = this.#due.size > 0 ? this.#left / 2 : this.#left;
    for (const round of [...this.#rounds]) {
      if (most < 1) break;
      const written = round.write(most);
      most -= written;
      this.#left -= written;
      // It goes on when all the others had their turn.
      this.#rounds.delete(round);
      if (!round.isOver) this.#rounds.add(round);
    }
    for (const outbox of this.#due.keys()) {
      if (this.#left < 1) break;
      this.#left--;
      this.#due.delete(outbox);
      outbox.flush();
    }
    this.#resolve();
    if (this.#due.size + this.#rounds.size > 0) this.#schedule(this.#breathe);
  }

  /** Tells those who wait for turns of which all is written. */
  #resolve(): void {
    if (this.#ends.length === 0) return;
    const collecting = this.#handingOut ?? this.#turn;
    const [oldest = collecting] = this.#due.values();
    let unwritten = Math.min(collecting, oldest);
    for (const round of this.#rounds) {
      unwritten = Math.min(unwritten, round.unwritten ?? unwritten);
    }
    while (this.#ends[0] && this.#ends[0].turn < unwritten) {
      this.#ends.shift()!.end.resolve();
    }
  }
}
