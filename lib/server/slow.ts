/** How fast members may speak in a room that an operator has slowed down. Knows neither rooms nor sockets. */

import type { Sitter } from "./room.ts";

/**
 * Who has spoken in the last seconds. Whoever leaves and comes back is somebody else by then; so those who have not
 * spoken wait for whoever has, from the same network, and is gone.
 */
export class Slow {
  /** How long everybody waits between two messages, in seconds. */
  seconds: number;
  /** When each has spoken last, in ms since 1970, and from where; whoever spoke last stands last. */
  readonly #spoke = new Map<
    Sitter,
    { at: number; network: string | undefined }
  >();

  constructor(seconds: number) {
    this.seconds = seconds;
  }

  /**
   * Lets somebody speak, if they have waited long enough.
   *
   * @param network what counts as one with the address from which they come, if it is not everybody's
   * @param now the time, in ms since 1970
   * @param isHere whether somebody else has not left the server
   * @returns how long they have to wait, in ms; 0 if they may speak, and then they have
   */
  take(
    sitter: Sitter,
    network: string | undefined,
    now: number,
    isHere: (sitter: Sitter) => boolean,
  ): number {
    this.#forget(now);
    const last = this.#spoke.get(sitter) ?? this.#predecessor(network, isHere);
    const waitMs = last ? this.#left(last.at, now) : 0;
    if (waitMs > 0) return waitMs;
    this.#spoke.delete(sitter);
    this.#spoke.set(sitter, { at: now, network });
    return 0;
  }

  #predecessor(
    network: string | undefined,
    isHere: (sitter: Sitter) => boolean,
  ): { at: number } | undefined {
    if (network === undefined) return undefined;
    return [...this.#spoke]
      .findLast(([sitter, last]) => last.network === network && !isHere(sitter))
      ?.[1];
  }

  /** How long whoever spoke at that time waits; not at all, if somebody has set the clock back since. */
  #left(at: number, now: number): number {
    return at > now ? 0 : Math.max(0, at + 1000 * this.seconds - now);
  }

  /** Forgets those who need not wait any more. */
  #forget(now: number): void {
    for (const [sitter, { at }] of this.#spoke) {
      if (this.#left(at, now) > 0) break;
      this.#spoke.delete(sitter);
    }
  }
}
