/** What Tab offers: commands, names and rooms that go on with what is typed. Pure. */

import { nameKey } from "../message.ts";
import type { Usage } from "../wire/text.ts";
import type { Completion } from "./composer.ts";
import { secretStart } from "./hidden.ts";

/** What can be meant. */
export interface Known {
  commands: readonly Usage[];
  /** Who is here, most likely first. */
  people: readonly string[];
  rooms: readonly string[];
}

/** What the end of a line can go on with. */
export function complete(typed: string, known: Known): Completion {
  // Only the last line of a paste is being typed.
  const line = typed.slice(typed.lastIndexOf("\n") + 1);
  const word = /\S*$/.exec(line)?.[0] ?? "";
  const start = typed.length - word.length;
  const candidates = offers(line, word, known)
    .filter((offer) => nameKey(offer).startsWith(nameKey(word)));
  return { start, candidates: [...new Set(candidates)] };
}

function offers(line: string, word: string, known: Known): string[] {
  const { commands, people, rooms } = known;
  if (/^\/\S*$/.test(line)) {
    return commands.map(({ name, argument }) =>
      argument ? `/${name} ` : `/${name}`
    );
  }
  // A password has nothing to do with what is known.
  const secretAt = secretStart(line) ?? Infinity;
  if (line.length - word.length >= secretAt) return [];
  if (word === line) return people.map((name) => `${name}: `);
  const [, first] = /^\/(\w+)\s+\S*$/.exec(line) ?? [];
  const command = commands.find(({ name }) => name === first?.toLowerCase());
  const { argument = "" } = command ?? {};
  if (argument.includes("ROOM")) return [...rooms];
  const isOfNobody = command && !/NAME|TEXT|TARGET/.test(argument);
  // A text goes on with anything; only behind a command it is clear what comes next.
  if (isOfNobody || (word === "" && first === undefined)) return [];
  return people.map((name) => `${name} `);
}
