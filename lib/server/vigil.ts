/**
 * Whether the other side of a connection is still there. Looked at from time to time, because a timer of its own for
 * each connection, set anew with each line, would cost more than the line. Knows no socket, and no clock but what
 * it is told.
 */

import type { Limits } from "./limits.ts";

/** What binds those who give no sign. */
export type VigilLimits = Readonly<
  Pick<Limits, "pingMs" | "silentMs" | "stuckMs">
>;

/** What can be seen of a connection. */
export interface Signs {
  /** How often the other side has taken something of what it is sent; `undefined` while nothing waits for it. */
  taken: number | undefined;
  /** How often something has come from it; `undefined` while nothing has to come. */
  heard: number | undefined;
}

/** What is to be done about it. */
export type Verdict = "ping" | "silent" | "stuck";

/** Watches one connection. */
export class Vigil {
  readonly #limits: VigilLimits;
  readonly #taking = new Stillness();
  readonly #silence = new Stillness();
  #hasPinged = false;

  constructor(limits: VigilLimits) {
    this.#limits = limits;
  }

  /**
   * Looks at the connection.
   *
   * @param now the time, in ms
   */
  look(now: number, { taken, heard }: Signs): Verdict | undefined {
    const { pingMs, silentMs, stuckMs } = this.#limits;
    if (this.#taking.ms(taken, now) >= stuckMs) return "stuck";
    const silence = this.#silence.ms(heard, now);
    if (silence >= silentMs) return "silent";
    const pings = silence >= pingMs && !this.#hasPinged;
    this.#hasPinged = silence >= pingMs;
    return pings ? "ping" : undefined;
  }
}

/** For how long a count has stood still. */
class Stillness {
  #count: number | undefined;
  #since = 0;

  /** In ms; less than any while there is nothing to count. */
  ms(count: number | undefined, now: number): number {
    if (count !== this.#count) this.#since = now;
    this.#count = count;
    return count === undefined ? -Infinity : now - this.#since;
  }
}
