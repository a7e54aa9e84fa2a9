/**
 * How fast one connection may speak: so many lines at once, and then so many a second. Knows neither lines nor
 * who speaks, and no clock but what it is told.
 */

import type { Limits } from "./limits.ts";

/** What binds how fast one may speak. */
export type PaceLimits = Readonly<Pick<Limits, "rate" | "burst">>;

/** A bucket of tokens: one is taken for each line, and it fills up as time goes by. */
export class Pace {
  readonly #limits: PaceLimits;
  #spent = 0;
  #at = -Infinity;

  constructor(limits: PaceLimits) {
    this.#limits = limits;
  }

  /**
   * Takes a token, if there is one.
   *
   * @param now the time, in ms
   * @returns after how many ms there will be one to take; 0 if it is taken
   */
  take(now: number): number {
    const { rate, burst } = this.#limits;
    if (rate === 0) return 0;
    const regained = (now - this.#at) / 1000 * rate;
    this.#spent = Math.max(0, this.#spent - regained);
    this.#at = now;
    const missing = this.#spent + 1 - burst;
    if (missing > 0) return Math.ceil(missing / rate * 1000);
    this.#spent++;
    return 0;
  }
}
