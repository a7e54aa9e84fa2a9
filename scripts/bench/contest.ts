/**
 * The contest: who is measured, in rounds, and what the results are. Must not know how a load is put on anybody, nor
 * how results are shown.
 */

import {
  type Contestant,
  CONTESTANTS,
  EVERYTHING,
  type Launcher,
  Missing,
  PLAIN,
  REFERENCE,
  ROOMY,
} from "./contestants.ts";
import type { Feature, Growth, Result, Row, Verdict } from "./results.ts";
import {
  type Contender,
  Failed,
  FEATURE_LIMITS,
  GROWTH,
  GROWTH_SECONDS,
  growthCost,
  median,
  type Trial,
  TRIALS,
} from "./rows.ts";

/** What runs. */
export interface Contest {
  rounds: number;
  /** Whether there is little time: shorter loads, and only who matters most. */
  isQuick: boolean;
  /** How long loads go on, in s; if it is not said, as long as each is meant to. */
  seconds?: number;
  /** What alone is measured: ids of rows, of contestants, or `ROW/CONTESTANT`; nothing is all. */
  only: readonly string[];
  /** Where contestants may write. */
  folder: string;
  /** Why there is no load generator, if there is none. */
  noLoad?: string;
  /** Makes somebody whom loads can be put on. */
  contend(contestant: Contestant, launcher: Launcher): Contender;
  /** Told of each measurement. */
  log(line: string): void;
}

/** Not the id of a row: what growth is called on command lines. */
export const GROWTH_ID = "growth";

/** Who is measured when there is little time. */
const QUICK: readonly Contestant[] = [REFERENCE, PLAIN];

/** Every word that `only` may have. */
export function knownWords(): string[] {
  const contestants = CONTESTANTS.map(({ id }) => id);
  const rows = TRIALS.flatMap(({ rows }) => rows.map(({ id }) => id));
  return [
    ...rows,
    ...contestants,
    ...rows.flatMap((row) => contestants.map((id) => `${row}/${id}`)),
    GROWTH_ID,
  ];
}

/** Runs all trials. */
export async function compete(contest: Contest): Promise<Row[]> {
  const prepared = new Map<string, Launcher | Missing>();
  const rows: Row[] = [];
  for (const trial of TRIALS) {
    if (contest.isQuick && trial.isLong) continue;
    rows.push(...await tryAll(trial, contest, prepared));
  }
  return rows;
}

/** What one contestant did in one trial. */
interface Attempt {
  contestant: Contestant;
  /** One list of values a row. */
  values: number[][];
  skipped?: string;
}

async function tryAll(
  trial: Trial,
  contest: Contest,
  prepared: Map<string, Launcher | Missing>,
): Promise<Row[]> {
  const plans = trial.rows.filter(({ id }) =>
    CONTESTANTS.some((contestant) => isWanted(id, contestant, contest))
  );
  const attempts: Attempt[] = [];
  for (const contestant of CONTESTANTS) {
    if (trial.only && !trial.only(contestant)) continue;
    if (!plans.some(({ id }) => isWanted(id, contestant, contest))) continue;
    const values = trial.rows.map(() => []);
    const skipped = await reasonToSkip(trial, contestant, contest, prepared);
    attempts.push({ contestant, values, ...(skipped && { skipped }) });
  }
  if (attempts.length === 0) return [];
  for (let round = 1; round <= contest.rounds; round++) {
    for (const attempt of attempts) {
      if (attempt.skipped === undefined) {
        await runOnce(trial, attempt, round, contest, prepared);
      }
    }
  }
  return trial.rows.flatMap((plan, i) => {
    if (!plans.includes(plan)) return [];
    const { isMet, ...row } = plan;
    const results = attempts.map(({ contestant, values, skipped }) =>
      resultOf(contestant, values[i]!, skipped)
    );
    const judged = withRatios(results).map((result, k) => {
      const { contestant } = attempts[k]!;
      const met = contestant.isOurs ? isMet?.(result, contestant) : undefined;
      return met === undefined ? result : { ...result, goal: verdict(met) };
    });
    const notes = attempts.flatMap(({ contestant, values, skipped }) =>
      skipped === undefined
        ? trial.note?.(contestant, median(values[0]!)) ?? []
        : []
    );
    return [{ ...row, results: judged, notes }];
  });
}

function isWanted(
  row: string,
  contestant: Contestant,
  { only, isQuick }: Contest,
): boolean {
  const { id } = contestant;
  if (only.length > 0) {
    return [row, id, `${row}/${id}`].some((word) => only.includes(word));
  }
  return !isQuick || QUICK.includes(contestant);
}

/** Why there is nothing to measure; also finds out whether it can be started. */
async function reasonToSkip(
  { members, needsLoad }: Trial,
  contestant: Contestant,
  contest: Contest,
  prepared: Map<string, Launcher | Missing>,
): Promise<string | undefined> {
  const { most } = contestant;
  if (most && members > most.members) return most.why;
  if (needsLoad && contest.noLoad) return contest.noLoad;
  const launcher = prepared.get(contestant.id) ??
    await prepare(contestant, contest.folder);
  prepared.set(contestant.id, launcher);
  return launcher instanceof Missing ? launcher.message : undefined;
}

async function prepare(
  contestant: Contestant,
  folder: string,
): Promise<Launcher | Missing> {
  try {
    return await contestant.prepare(folder);
  } catch (error) {
    if (error instanceof Missing) return error;
    throw error;
  }
}

/** Notes what comes of it; whoever fails once is not tried again. */
async function runOnce(
  trial: Trial,
  attempt: Attempt,
  round: number,
  contest: Contest,
  prepared: Map<string, Launcher | Missing>,
): Promise<void> {
  const { contestant } = attempt;
  const launcher = prepared.get(contestant.id);
  if (launcher === undefined || launcher instanceof Missing) return;
  const planned = contest.isQuick ? trial.seconds.quick : trial.seconds.full;
  const say = (row: string, what: string) =>
    contest.log(`round ${round}, ${row}: ${contestant.name}: ${what}`);
  try {
    const values = await trial.run(
      contest.contend(contestant, launcher),
      contest.seconds ?? planned,
    );
    for (const [i, { id, unit }] of trial.rows.entries()) {
      attempt.values[i]!.push(values[i]!);
      say(id, `${values[i]!.toFixed(2)} ${unit}`);
    }
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    attempt.skipped = error.message;
    say(trial.rows[0]!.id, error.message);
  }
}

/** What comes of the values of all rounds; whoever was skipped or has failed has no median. */
export function resultOf(
  { name }: Pick<Contestant, "name">,
  rounds: number[],
  skipped: string | undefined,
): Result {
  if (skipped !== undefined) return { contestant: name, rounds, skipped };
  return { contestant: name, rounds, median: median(rounds) };
}

/** The same results, compared with the reference, if it is among them. */
export function withRatios(results: readonly Result[]): Result[] {
  const reference = results.find(({ contestant }) =>
    contestant === REFERENCE.name
  )?.median;
  return results.map((result) =>
    result.median === undefined || reference === undefined
      ? result
      : { ...result, ratio: result.median / reference }
  );
}

/** What all features cost, in the rows that were measured with and without them. */
export function features(rows: readonly Row[]): Feature[] {
  return FEATURE_LIMITS.flatMap((limit) => {
    const results = rows.find(({ id }) => id === limit.row)?.results ?? [];
    const [without, everything] = [PLAIN, EVERYTHING].map(({ name }) =>
      results.find(({ contestant }) => contestant === name)?.median
    );
    if (without === undefined || everything === undefined) return [];
    const ratio = everything / without;
    const [words, isMet] = "least" in limit
      ? [`at least ${limit.least}x`, ratio >= limit.least]
      : [`at most ${limit.most}x`, ratio <= limit.most];
    return [{ row: limit.row, ratio, limit: words, goal: verdict(isMet) }];
  });
}

function verdict(isMet: boolean): Verdict {
  return isMet ? "met" : "missed";
}

/** What a delivery costs in rooms of different sizes, and among others; whatever was not carried is left out. */
export async function grow(contest: Contest): Promise<Growth[]> {
  const { only, isQuick, noLoad, rounds, folder, log } = contest;
  const isWanted = only.length > 0 ? only.includes(GROWTH_ID) : !isQuick;
  if (!isWanted || noLoad) return [];
  const contender = contest.contend(ROOMY, await ROOMY.prepare(folder));
  const trials = GROWTH.map((size) => ({ size, costs: [] as number[] }));
  const failed = new Set<(typeof trials)[number]>();
  for (let round = 1; round <= rounds; round++) {
    for (const trial of trials) {
      if (failed.has(trial)) continue;
      const { size, costs } = trial;
      const { members, idleRooms } = size;
      const say = (what: string) =>
        log(
          `round ${round}, ${GROWTH_ID}: ${members} members, ` +
            `${idleRooms} idle rooms: ${what}`,
        );
      try {
        const seconds = contest.seconds ?? GROWTH_SECONDS;
        costs.push(await growthCost(contender, size, seconds));
        say(`${costs.at(-1)!.toFixed(2)} us`);
      } catch (error) {
        if (!(error instanceof Failed)) throw error;
        failed.add(trial);
        say(error.message);
      }
    }
  }
  return trials.filter((trial) => !failed.has(trial))
    .map(({ size, costs }) => ({ ...size, usPerDelivery: median(costs) }));
}
