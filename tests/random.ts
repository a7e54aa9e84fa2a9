/** Chance that can be repeated: seeds, and the numbers that come of one. */

import { type Flag, wholeNumber } from "../lib/flags.ts";

const MAX_SEED = 999_999_999;

/** Any seed. */
export function anySeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! % MAX_SEED + 1;
}

/** The flag by which a program is given a seed. */
export const SEED_FLAG: Flag<number> = {
  argument: "N",
  default: "",
  help: "repeats what was tried with this seed; by default it is any",
  read: (value) => value === "" ? anySeed() : wholeNumber(1, MAX_SEED)(value),
};

/** Numbers from 0 to 1 that look random and are the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
