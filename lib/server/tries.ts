/**
 * How often somebody may be wrong: so many answers a minute from one network, whatever they answer. Knows neither
 * what was asked nor what is right, and no clock but what it is told.
 */

import type { Limits } from "./limits.ts";

/** What binds how often one may be wrong. */
export type TriesLimits = Readonly<
  Pick<Limits, "maxTries" | "triesMs" | "maxTriers">
>;

/**
 * Counts tries by network. One counts from the moment it is taken, so that many at the same time are no more than
 * that many one after the other; whoever turns out to be right gives it back.
 *
 * No more than `maxTriers` networks are remembered, those that tried last: whoever has enough others to be forgotten
 * has as many tries from each of them.
 */
export class Tries {
  readonly #limits: TriesLimits;
  /** When each try was taken, by network; whoever tried last stands last. */
  readonly #taken = new Map<string, readonly number[]>();

  constructor(limits: TriesLimits) {
    this.#limits = limits;
  }

  /** How many networks are remembered. */
  get size(): number {
    return this.#taken.size;
  }

  /**
   * Takes a try, if there is one.
   *
   * @param network as {@linkcode networkOf} of admission.ts names it
   * @param now the time, in ms, by a clock that never goes back
   * @returns after how many ms there will be one to take; 0 if it is taken
   */
  take(network: string, now: number): number {
    const { maxTries, triesMs, maxTriers } = this.#limits;
    this.#forget(now - triesMs);
    const taken = (this.#taken.get(network) ?? [])
      .filter((at) => at > now - triesMs);
    const oldest = taken.at(-maxTries);
    if (oldest !== undefined) return oldest + triesMs - now;
    this.#taken.delete(network);
    this.#taken.set(network, [...taken, now]);
    for (const [first] of this.#taken) {
      if (this.#taken.size <= maxTriers) break;
      this.#taken.delete(first);
    }
    return 0;
  }

  /**
   * Gives a try back, which has not been a wrong one.
   *
   * @param at when it was taken, in ms
   */
  giveBack(network: string, at: number): void {
    const taken = this.#taken.get(network) ?? [];
    const index = taken.indexOf(at);
    if (index < 0) return;
    if (taken.length === 1) this.#taken.delete(network);
    else this.#taken.set(network, taken.toSpliced(index, 1));
  }

  /** Forgets those who have not tried since then. */
  #forget(since: number): void {
    for (const [network, taken] of this.#taken) {
      if (taken.at(-1)! > since) break;
      this.#taken.delete(network);
    }
  }
}
