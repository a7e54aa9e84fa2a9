/** Which direct messages have been told: a program that is not sure says one again, and it is told once. */

import type { Limits } from "./limits.ts";

/** For how long they are remembered. */
export type ToldLimits = Readonly<Pick<Limits, "directMemoryMs">>;

/** How many are remembered at most. */
const MAX_TOLD = 100_000;

/** The direct messages that programs have sent in the last while. */
export class Told {
  readonly #limits: ToldLimits;
  /** When each was told, the oldest first. */
  readonly #at = new Map<string, number>();

  constructor(limits: ToldLimits) {
    this.#limits = limits;
  }

  /** Whether it was told; what has no session or no id is not remembered. */
  has(session: string | undefined, id: string): boolean {
    const at = this.#at.get(keyOf(session, id));
    return at !== undefined && !this.#isOld(at);
  }

  /** It is told now. */
  add(session: string | undefined, id: string): void {
    if (session === undefined || id === "") return;
    for (const [key, at] of this.#at) {
      if (!this.#isOld(at) && this.#at.size < MAX_TOLD) break;
      this.#at.delete(key);
    }
    const key = keyOf(session, id);
    this.#at.delete(key);
    this.#at.set(key, performance.now());
  }

  #isOld(at: number): boolean {
    return performance.now() - at > this.#limits.directMemoryMs;
  }
}

function keyOf(session: string | undefined, id: string): string {
  return `${session} ${id}`;
}
