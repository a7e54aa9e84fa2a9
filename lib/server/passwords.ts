/**
 * Passwords: what is kept of them, and whether one is right. Off the event loop, a few at a time, because each takes
 * tens of ms and 32 MB. Knows neither whose they are nor where they are kept.
 */

import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { MAX_PASSWORD_LENGTH } from "../message.ts";
import type { Limits } from "./limits.ts";

/** What one check costs: 2 to the power of `log2N` times `r` times 128 bytes, `p` times. */
export interface Cost {
  log2N: number;
  r: number;
  p: number;
}

/** As OWASP advises for scrypt in 32 MB, with one thread. */
const COST: Cost = { log2N: 15, r: 8, p: 1 };

const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** How many are checked at a time: more would only take the threads from whatever else needs them. */
const AT_ONCE = 2;

const MIN_LENGTH = 8;

/** More passwords are to be checked than may wait. */
export class TooManyChecks extends Error {
  constructor() {
    super("too many passwords are being checked");
  }
}

/** The one way in which a password is compared: keyboards differ, and a line of text has no blanks around it. */
function normalize(password: string): string {
  return password.normalize("NFKC").trim();
}

/** Why this cannot be a password, in words that say nothing of it; `undefined` if it is a good one. */
export function passwordFault(
  password: string,
  name: string,
): string | undefined {
  const text = normalize(password);
  const { length } = [...text];
  if (length < MIN_LENGTH || length > MAX_PASSWORD_LENGTH) {
    return `a password has ${MIN_LENGTH} to ${MAX_PASSWORD_LENGTH} characters`;
  }
  if (text.toLowerCase() === name.toLowerCase()) {
    return "a password is not the name";
  }
  return undefined;
}

/** Makes and checks what is kept of passwords. */
export class Passwords {
  readonly #limits: Readonly<Pick<Limits, "maxChecks">>;
  readonly #cost: Cost;
  /** What a password is compared with where there is none. */
  readonly #nobodys: string;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param cost of those that are made from now on; 2^15, 8, 1 */
  constructor(
    limits: Readonly<Pick<Limits, "maxChecks">>,
    cost: Cost = COST,
  ) {
    this.#limits = limits;
    this.#cost = cost;
    this.#nobodys = write(
      cost,
      randomBytes(SALT_BYTES),
      randomBytes(HASH_BYTES),
    );
  }

  /**
   * What is to be kept of a password.
   *
   * @throws {TooManyChecks}
   */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(SALT_BYTES);
    return write(this.#cost, salt, await this.#derive(password, salt));
  }

  /**
   * Whether a password is the one of which this was kept. If nothing was, it is not, and finding out takes as long.
   *
   * @throws {TooManyChecks}
   */
  async check(password: string, kept: string | undefined): Promise<boolean> {
    const { cost, salt, hash } = read(kept ?? this.#nobodys);
    const derived = await this.#derive(password, salt, cost);
    return timingSafeEqual(derived, hash) && kept !== undefined;
  }

  async #derive(
    password: string,
    salt: Uint8Array,
    cost = this.#cost,
  ): Promise<Uint8Array> {
    await this.#begin();
    try {
      return await derive(normalize(password), salt, cost);
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  async #begin(): Promise<void> {
    if (this.#running >= AT_ONCE) {
      if (this.#waiting.length >= this.#limits.maxChecks) {
        throw new TooManyChecks();
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running++;
  }
}

function derive(
  password: string,
  salt: Uint8Array,
  { log2N, r, p }: Cost,
): Promise<Uint8Array> {
  const N = 2 ** log2N;
  // What it takes is 128 * N * r, and a little more; the default allows exactly that for N = 2^14.
  const maxmem = 256 * N * r;
  return new Promise((resolve, reject) => {
    scrypt(
      password,
      salt,
      HASH_BYTES,
      { N, r, p, maxmem },
      (error, key) => error ? reject(error) : resolve(key),
    );
  });
}

function write(
  { log2N, r, p }: Cost,
  salt: Uint8Array,
  hash: Uint8Array,
): string {
  return ["scrypt", log2N, r, p, salt.toBase64(), hash.toBase64()].join("$");
}

function read(kept: string): {
  cost: Cost;
  salt: Uint8Array;
  hash: Uint8Array;
} {
  const [, log2N, r, p, salt = "", hash = ""] = kept.split("$");
  return {
    cost: { log2N: Number(log2N), r: Number(r), p: Number(p) },
    salt: Uint8Array.fromBase64(salt),
    hash: Uint8Array.fromBase64(hash),
  };
}
