/**
 * Which names belong to somebody, and which look like one of those. Knows neither passwords nor where they are kept.
 */

import { nameKey } from "../message.ts";
import { Looks } from "./looks.ts";

/** Somebody who wants a name. */
export interface Claimant {
  /** The name that they have proven to own, as `nameKey` writes it. */
  readonly account: string | undefined;
  /** Whether they speak from this machine, and nobody else can seem to. */
  isAtHome(): boolean;
}

/** A name that belongs to somebody. It stands for who that is: whoever registers it later has another one. */
export interface Owned {
  readonly name: string;
  /** How it looks, in the ways in which it may be written. */
  readonly looks: readonly string[];
}

/** The names that belong to somebody. */
export class OwnedNames {
  readonly #owned = new Map<string, Owned>();
  /** The names that nobody may register but from this machine. */
  #reserved: ReadonlyMap<string, Owned> = new Map();
  /** How many of all these names have a look. */
  readonly #counts = new Map<string, number>();
  #looks: Looks | undefined;

  /** How many are registered. */
  get size(): number {
    return this.#owned.size;
  }

  /** Who has registered a name, in whichever case. */
  find(name: string): Owned | undefined {
    return this.#owned.get(nameKey(name));
  }

  /** From now on these names can be registered only from this machine, whether they are registered or not. */
  async reserve(names: readonly string[]): Promise<void> {
    const looks = names.length > 0 ? await this.#load() : undefined;
    for (const reserved of this.#reserved.values()) this.#count(reserved, -1);
    this.#reserved = new Map(
      looks && names.map((name) => [nameKey(name), own(name, looks)]),
    );
    for (const reserved of this.#reserved.values()) this.#count(reserved, 1);
  }

  /** What has to be there before names are added. */
  async prepare(): Promise<void> {
    await this.#load();
  }

  /**
   * From now on a name belongs to somebody.
   *
   * @throws {TypeError} nothing was prepared
   */
  add(name: string): Owned {
    if (!this.#looks) throw new TypeError("names were not prepared for");
    const owned = own(name, this.#looks);
    this.#owned.set(nameKey(name), owned);
    this.#count(owned, 1);
    return owned;
  }

  /** From now on a name belongs to nobody, if it still belongs to whom it was said to. */
  remove(owned: Owned): void {
    const key = nameKey(owned.name);
    if (this.#owned.get(key) !== owned) return;
    this.#owned.delete(key);
    this.#count(owned, -1);
  }

  /** Whether somebody may not have a name, because it belongs to somebody else or looks as if it did. */
  refuses(name: string, claimant: Claimant): boolean {
    if (!this.#looks) return false;
    const key = nameKey(name);
    if (claimant.account === key) return false;
    if (this.#owned.has(key)) return true;
    if (this.#reserved.has(key)) return !claimant.isAtHome();
    return this.#looks.of(name).some((look) => this.#counts.has(look));
  }

  /** Whether a name looks like another one that belongs to somebody, however either is written. */
  isLikeAnother(name: string): boolean {
    if (!this.#looks) return false;
    const { looks } = own(name, this.#looks);
    const reserved = this.#reserved.get(nameKey(name));
    return looks.some((look) =>
      (this.#counts.get(look) ?? 0) > (reserved?.looks.includes(look) ? 1 : 0)
    );
  }

  async #load(): Promise<Looks> {
    return this.#looks ??= await Looks.load();
  }

  #count({ looks }: Owned, by: number): void {
    for (const look of looks) {
      const count = (this.#counts.get(look) ?? 0) + by;
      if (count > 0) this.#counts.set(look, count);
      else this.#counts.delete(look);
    }
  }
}

function own(name: string, looks: Looks): Owned {
  return { name, looks: looks.ofAll(name) };
}
