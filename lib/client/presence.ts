/** Who came and went within a minute, as one line. Pure. */

import type { ChatEvent } from "../message.ts";

/** That somebody came, or went. */
export type Passing = ChatEvent & { type: "joined" | "left" | "offline" };

/** More names are counted. */
const MAX_NAMES = 20;

interface Way {
  /** Whether the first thing that they did was to come. */
  cameFirst: boolean;
  last: Passing["type"];
}

type Tale = "entered" | "left" | "is offline" | "came and went" | "is back";

/** The tales in the order in which they are told, for one person and for several. */
const TALES: Readonly<Record<Tale, string>> = {
  "entered": "entered",
  "is back": "are back",
  "left": "left",
  "is offline": "are offline",
  "came and went": "came and went",
};

/** Those who came and went. */
export class Presence {
  readonly #ways = new Map<string, Way>();

  /** Takes note of what somebody does. */
  add({ type, name }: Passing): void {
    const cameFirst = this.#ways.get(name)?.cameFirst ?? type === "joined";
    this.#ways.set(name, { cameFirst, last: type });
  }

  /** Somebody is called something else. */
  rename(from: string, to: string): void {
    const way = this.#ways.get(from);
    if (way && this.#ways.delete(from)) this.#ways.set(to, way);
  }

  /** Whether it is told of somebody. */
  has(name: string): boolean {
    return this.#ways.has(name);
  }

  /** All of it in one line: `bob, carol entered; dan is offline`; empty if nobody did anything. */
  get text(): string {
    return Object.entries(TALES).flatMap(([one, several]) => {
      const names = [...this.#ways].flatMap(([name, way]) =>
        taleOf(way) === one ? name : []
      );
      if (names.length === 0) return [];
      return `${listed(names)} ${names.length === 1 ? one : several}`;
    }).join("; ");
  }
}

function taleOf({ cameFirst, last }: Way): Tale {
  if (last === "joined") return cameFirst ? "entered" : "is back";
  if (cameFirst) return "came and went";
  return last === "left" ? "left" : "is offline";
}

function listed(names: readonly string[]): string {
  const more = names.length - MAX_NAMES;
  if (more <= 0) return names.join(", ");
  const others = more === 1 ? "1 other" : `${more} others`;
  return `${names.slice(0, MAX_NAMES).join(", ")} and ${others}`;
}
