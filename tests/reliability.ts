/**
 * What the tests have tried to lose, for the table in docs/reliability.md. Says nothing unless it is asked to:
 * `deno task reliability` asks, by naming a file in the environment.
 */

/** The variable that names the file to which each {@linkcode Trial} is added, as one line of JSON. */
export const TRIALS_VARIABLE = "DENO_CHAT_TRIALS";

/** What was tried, and what became of it. */
export interface Trial {
  what: string;
  /** How often, by what is counted, such as `{ messages: 5000, kills: 5 }`. */
  times: Record<string, number>;
  /** How much of what had to come did not come, came twice, or came in another place. */
  lost: number;
}

/** Adds a line to the table, once the test has looked at everything. */
export function tried(trial: Trial): void {
  const file = Deno.env.get(TRIALS_VARIABLE);
  if (file === undefined) return;
  Deno.writeTextFileSync(file, `${JSON.stringify(trial)}\n`, { append: true });
}

/** What the tests and the programs try, by the files that do. */
export async function trialsByFile(): Promise<Map<string, string[]>> {
  const root = new URL("../", import.meta.url);
  const files = ["scripts/fuzz.ts", "scripts/soak.ts"];
  for await (const { name } of Deno.readDir(new URL("tests/", root))) {
    if (name.endsWith("_test.ts")) files.push(`tests/${name}`);
  }
  const trials = new Map<string, string[]>();
  for (const file of files.sort()) {
    const source = await Deno.readTextFile(new URL(file, root));
    const named = [...source.matchAll(/tried\(\{\s*what:\s*"([^"]+)"/g)]
      .map(([, what]) => what!);
    if (named.length > 0) trials.set(file, named);
  }
  return trials;
}

/** How much of what was said did not come, came twice, or came in another place. */
export function lostOf(
  said: readonly string[],
  heard: readonly string[],
): number {
  const known = new Set(heard);
  const coming = said.filter((text) => known.has(text));
  const missing = said.length - coming.length;
  const more = heard.length - new Set(coming).size;
  if (missing > 0 || more > 0) return missing + more;
  return said.filter((text, i) => heard[i] !== text).length;
}
