/** Which direct messages have been told: a program that is not sure says one again, and it is told once. */

/** How many are remembered at most. */
const MAX_TOLD = 100_000;

/** The direct messages that programs have sent in the last while. */
export class Told {
  readonly #memoryMs: number;
  /** When each was told, the oldest first. */
  readonly #at = new Map<string, number>();

  /** @param memoryMs for how long they are remembered, in ms */
  constructor(memoryMs: number) {
    this.#memoryMs = memoryMs;
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
    return performance.now() - at > this.#memoryMs;
  }
}

function keyOf(session: string | undefined, id: string): string {
  return `${session} ${id}`;
}
