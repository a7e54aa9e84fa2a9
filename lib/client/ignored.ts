/** Who is ignored, whatever they are called now. Pure. */

import { nameKey } from "../message.ts";

/** The people of whom nothing is shown. */
export class Ignored {
  /** Names as they were given, by what they have in common with other ways to write them. */
  readonly #names = new Map<string, string>();
  /** What those are called now, as long as they are, and the name that was given. */
  readonly #aliases = new Map<string, string>();

  /** The names that were given. */
  get names(): string[] {
    return [...this.#names.values()];
  }

  has(name: string): boolean {
    const key = nameKey(name);
    return this.#names.has(key) || this.#aliases.has(key);
  }

  add(name: string): void {
    this.#names.set(nameKey(name), name);
  }

  /**
   * Ignores somebody no longer, by any of their names.
   *
   * @returns the name that was given; none if they were not ignored
   */
  remove(name: string): string | undefined {
    const given = this.#givenOf(name);
    if (given === undefined) return undefined;
    this.#names.delete(nameKey(given));
    for (const [alias, of] of this.#aliases) {
      if (of === given) this.#aliases.delete(alias);
    }
    return given;
  }

  /** Somebody is called something else. */
  rename(from: string, to: string): void {
    const given = this.#givenOf(from);
    if (given === undefined) return;
    this.vanish(from);
    this.#aliases.set(nameKey(to), given);
  }

  /** Somebody is gone: whoever is called that next is somebody else. */
  vanish(name: string): void {
    this.#aliases.delete(nameKey(name));
  }

  #givenOf(name: string): string | undefined {
    const key = nameKey(name);
    return this.#aliases.get(key) ?? this.#names.get(key);
  }
}
