/**
 * Whether a name looks like another one to whoever reads it. What is known of that is loaded when it is needed.
 */

import { nameKey } from "../message.ts";

/** How names look: two that have a look in common can be taken for each other. */
export class Looks {
  readonly #lookOf: (name: string) => string;

  private constructor(lookOf: (name: string) => string) {
    this.#lookOf = lookOf;
  }

  static async load(): Promise<Looks> {
    const { lookOf } = await import("./lookalikes.ts");
    return new Looks(lookOf);
  }

  /** How a name looks in all the ways in which it may be written: each of these can be imitated. */
  ofAll(name: string): string[] {
    return [...new Set(formsOf(name).map(this.#lookOf))];
  }

  /** How whoever is called so looks to the others. */
  of(name: string): string[] {
    // Other letters have capitals that look like capitals of ours, and small ones that look like nothing.
    const isPlain = /^[\w.-]*$/.test(name);
    return isPlain ? [this.#lookOf(name)] : this.ofAll(name);
  }
}

function formsOf(name: string): string[] {
  return [name, nameKey(name), nameKey(name).toUpperCase()];
}
