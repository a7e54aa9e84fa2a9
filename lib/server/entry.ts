/**
 * Who may come in: the password of the server, and whether an answer is right. Knows neither where the password is
 * kept, nor how it is asked for.
 */

import { createHash, timingSafeEqual } from "node:crypto";
import { clean, MAX_PASSWORD_LENGTH } from "../message.ts";
import type { Tries } from "./tries.ts";

/**
 * A password, of which only a hash is kept. It is the same in whichever way Unicode writes it (NFC, as RFC 8265 has
 * it), and otherwise in every character, blanks and case included.
 */
export class EntryPassword {
  readonly #digest: Uint8Array;

  /** @param text one that {@linkcode passwordFault} finds nothing wrong with */
  constructor(text: string) {
    this.#digest = digestOf(text);
  }

  /** Whether this is it; takes as long for a wrong one, however much of it is right. */
  isRight(answer: string): boolean {
    return timingSafeEqual(this.#digest, digestOf(answer));
  }

  /** Whether it is the same as another one, or as none. */
  equals(other: EntryPassword | undefined): boolean {
    return other !== undefined && timingSafeEqual(this.#digest, other.#digest);
  }
}

function digestOf(text: string): Uint8Array {
  return createHash("sha256").update(text.normalize("NFC")).digest();
}

/** Why this can be no password, in words that do not tell it. */
export function passwordFault(text: string): string | undefined {
  if (text.trim() === "") return "there is no password in it";
  if ([...text].length > MAX_PASSWORD_LENGTH) {
    return `a password has at most ${MAX_PASSWORD_LENGTH} characters`;
  }
  // They are removed from whatever comes, so that nobody could say it.
  if (clean(text) !== text) return "a password has no control characters";
  return undefined;
}

/** What an answer is: right, wrong, or not heard, because its network has been wrong too often. */
export type Verdict = "right" | "wrong" | { waitMs: number };

/** What is asked of those who want to come in, if anything is. */
export class Entry {
  readonly #tries: Tries;
  #password: EntryPassword | undefined;

  /** @param password nothing is asked without it */
  constructor(tries: Tries, password?: EntryPassword) {
    this.#tries = tries;
    this.#password = password;
  }

  /** Whether anything is asked of those who come now. */
  get isGuarded(): boolean {
    return this.#password !== undefined;
  }

  /** Asks for another password from now on, or for none. */
  guard(password: EntryPassword | undefined): void {
    this.#password = password;
  }

  /**
   * Judges an answer. Whether it is right is not even looked at when its network has had its tries, so that nothing can
   * be learnt from what comes then.
   *
   * @param network where it comes from, as {@linkcode networkOf} of admission.ts names it
   * @param now the time, in ms, by a clock that never goes back
   */
  judge(answer: string, network: string, now: number): Verdict {
    const waitMs = this.#tries.take(network, now);
    if (waitMs > 0) return { waitMs };
    if (this.#password && !this.#password.isRight(answer)) return "wrong";
    this.#tries.giveBack(network, now);
    return "right";
  }
}
