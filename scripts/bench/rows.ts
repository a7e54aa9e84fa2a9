/**
 * What is measured: the loads, what is read off them, and what chat-server is to reach. Must not know who takes part,
 * but that each carries a load.
 */

import type { Contestant } from "./contestants.ts";
import type { Result, Row } from "./results.ts";

/** A contestant did not carry a load; the message says what became of it, in a few words. */
export class Failed extends Error {
  override name = "Failed";
}

/** What load.c is told; docs are there. */
export interface Load {
  members: number;
  senders?: number;
  messages?: number;
  rate?: number;
  seconds?: number;
  bytes?: number;
  programs?: number;
  idle?: number;
  rooms?: number;
  deaf?: number;
  before?: number;
  patience?: number;
}

/** What load.c prints. */
export interface Report {
  sent: number;
  expected: number;
  deliveries: number;
  closed: number;
  seconds: number;
  /** Of the time of delivery, in ms. */
  p50: number;
  p99: number;
  max: number;
  /** Of the server. */
  processorSeconds: number;
  /** Of the server, in bytes, before anything is said. */
  memory: number;
  /** How many of the deaf are no members any more. */
  dropped: number;
}

/** Whoever is measured. */
export interface Contender {
  contestant: Contestant;
  /**
   * Starts it anew, puts a load on it, and ends it.
   *
   * @throws {Failed}
   */
  carry(load: Load): Promise<Report>;
  /**
   * Starts and ends it.
   *
   * @returns how long it took until it listened, in ms
   * @throws {Failed}
   */
  start(): Promise<number>;
}

/** One row of the results, without them. */
export type RowPlan = Omit<Row, "results" | "notes"> & {
  /** Whether chat-server has reached what it is to reach; without, or where it says `undefined`, there is no goal. */
  isMet?(result: Result, contestant: Contestant): boolean | undefined;
};

/** How long loads go on, in s. */
export interface Duration {
  full: number;
  quick: number;
}

/** Something that is done to a contestant, and the rows for which it gives the values. */
export interface Trial {
  rows: RowPlan[];
  /** How many members it takes, not all contestants carry them. */
  members: number;
  /** Whether the load generator is needed. */
  needsLoad: boolean;
  /** Who alone is measured, if not all are. */
  only?(contestant: Contestant): boolean;
  /** Whether it is left out when there is little time. */
  isLong?: boolean;
  seconds: Duration;
  /** What has to be known of this one, if anything, whose median in the first row is `median`. */
  note?(contestant: Contestant, median: number): string | undefined;
  /**
   * @returns a value for each row
   * @throws {Failed}
   */
  run(contender: Contender, seconds: number): Promise<number[]>;
}

const BURST = { members: 100, senders: 10, messages: 4000 };

/** How often a start is measured in a round, the median of which counts. */
const STARTS = 5;

/** Who is later than this is later with every message, in ms. */
const BEHIND_MS = 500;

/** With the speaker and the deaf they are 500; of more, nobody would be told who is dropped. */
const DEAF = { members: 450, deaf: 50 };

const atMost = (limit: number) => ({ ratio }: Result) =>
  ratio === undefined ? undefined : ratio <= limit;

const BURST_TRIAL: Trial = {
  rows: [{
    id: "burst",
    title: "100 members, 10 of them send as fast as they can: deliveries",
    unit: "million deliveries/s",
    better: "more",
    goal: "at least 1.5x the C reference",
    isMet: ({ ratio }) => ratio === undefined ? undefined : ratio >= 1.5,
  }],
  members: BURST.members,
  needsLoad: true,
  seconds: { full: 0, quick: 0 },
  note: ({ name, burst }) =>
    burst === BURST.messages
      ? undefined
      : `${name}: ${burst} messages from each sender instead of ${BURST.messages}, so that it takes seconds.`,
  async run({ contestant, carry }) {
    const { deliveries, seconds } = await carry({
      ...BURST,
      messages: contestant.burst,
    });
    return [deliveries / seconds / 1e6];
  },
};

const CROWD_TRIAL: Trial = {
  rows: [{
    id: "crowd",
    title: "1,000 members, 500 messages/s in all: p99 of the time of delivery",
    unit: "ms",
    better: "less",
    goal: "at most 1.2x the C reference",
    isMet: atMost(1.2),
  }],
  members: 1000,
  needsLoad: true,
  note: ({ name }, p99) =>
    p99 > BEHIND_MS
      ? `${name}: cannot keep up, so that what waits grows for as long as it is measured.`
      : undefined,
  seconds: { full: 2, quick: 2 },
  async run({ carry }, seconds) {
    const { p99 } = await carry({ members: 1000, rate: 500, seconds });
    return [p99];
  },
};

const STADIUM_TRIAL: Trial = {
  rows: [{
    id: "stadium",
    title: "9,000 members, 10 messages/s in all: p99 of the time of delivery",
    unit: "ms",
    better: "less",
    goal: "at most 1.0x the C reference",
    isMet: atMost(1),
  }, {
    id: "idle",
    title: "9,000 members before anybody says anything: memory",
    unit: "MB",
    better: "less",
    goal: "at most 120 MB",
    isMet: ({ median }) => median === undefined ? undefined : median <= 120,
  }],
  members: 9000,
  needsLoad: true,
  seconds: { full: 3, quick: 2 },
  async run({ carry }, seconds) {
    const { p99, memory } = await carry({ members: 9000, rate: 10, seconds });
    return [p99, memory / 1e6];
  },
};

const CALM_TRIAL: Trial = {
  rows: [{
    id: "calm",
    title:
      "100 members, 100 messages/s in all: the server's processor time per delivery",
    unit: "us",
    better: "less",
    goal: "at most 1.4x the C reference",
    isMet: atMost(1.4),
  }],
  members: 100,
  needsLoad: true,
  // It takes a while until what runs 100 times a second is compiled to machine code.
  seconds: { full: 5, quick: 3 },
  async run({ carry }, seconds) {
    const report = await carry({ members: 100, rate: 100, seconds });
    return [usPerDelivery(report)];
  },
};

const START_TRIAL: Trial = {
  rows: [{
    id: "start",
    title: "From its start until it listens",
    unit: "ms",
    better: "less",
    goal: "compiled, at most 120 ms",
    isMet: ({ median }, { isCompiled }) =>
      median === undefined || !isCompiled ? undefined : median <= 120,
  }],
  members: 0,
  needsLoad: false,
  seconds: { full: 0, quick: 0 },
  async run({ start }) {
    const times: number[] = [];
    for (let i = 0; i < STARTS; i++) times.push(await start());
    return [median(times)];
  },
};

const DEAF_TRIAL: Trial = {
  rows: [{
    id: "deaf",
    title:
      "449 members, 100 messages/s of 1,000 bytes, while 50 more never read and are dropped: p99 over that without them",
    unit: "x",
    better: "less",
    goal: "at most 2x",
    isMet: ({ median }) => median === undefined ? undefined : median <= 2,
  }],
  members: 500,
  needsLoad: true,
  only: ({ id }) => id === "chat-server",
  isLong: true,
  // The system keeps some 4 MB for a connection that is not read, so that all are dropped while it is measured.
  seconds: { full: 15, quick: 15 },
  async run({ carry }, seconds) {
    const talk = { senders: 1, rate: 100, bytes: 1000, before: 3500, seconds };
    const without = await carry({ ...talk, ...DEAF, deaf: 0 });
    const among = await carry({ ...talk, ...DEAF });
    if (among.dropped !== DEAF.deaf) {
      throw new Failed(
        `drops ${among.dropped} of ${DEAF.deaf} who never read`,
      );
    }
    return [among.p99 / without.p99];
  },
};

/** All of them, in the order in which they are shown. */
export const TRIALS: readonly Trial[] = [
  BURST_TRIAL,
  CROWD_TRIAL,
  STADIUM_TRIAL,
  CALM_TRIAL,
  START_TRIAL,
  DEAF_TRIAL,
];

/** How much all features may cost in a row: the least or the most of what they leave of the value. */
export const FEATURE_LIMITS = [
  { row: "burst", least: 0.6 },
  { row: "crowd", most: 1.15 },
  { row: "stadium", most: 1.15 },
  { row: "calm", most: 1.15 },
] as const;

/** Rooms of different sizes, in which as much is delivered a second; and rooms among others, where nobody talks. */
export const GROWTH: readonly {
  members: number;
  idleRooms: number;
  idleMembers: number;
}[] = [
  ...[10, 100, 1000, 9000].map((members) => ({
    members,
    idleRooms: 0,
    idleMembers: 0,
  })),
  ...[1, 10, 100, 1000].map((rooms) => ({
    members: 100,
    idleRooms: rooms,
    idleMembers: rooms === 1000 ? 8900 : 9 * rooms,
  })),
];

/** How long each of them goes on. */
export const GROWTH_SECONDS = 2;

/** How many deliveries there are a second, about, while growth is measured. */
const GROWTH_DELIVERIES = 20_000;

/**
 * What one delivery costs, in us of the server's processor time.
 *
 * @param load what grows
 * @throws {Failed}
 */
export async function growthCost(
  { carry }: Contender,
  { members, idleRooms, idleMembers }: (typeof GROWTH)[number],
  seconds: number,
): Promise<number> {
  const rate = Math.round(GROWTH_DELIVERIES / members);
  const idle = { idle: idleMembers, rooms: idleRooms };
  return usPerDelivery(await carry({ members, rate, seconds, ...idle }));
}

function usPerDelivery({ processorSeconds, deliveries }: Report): number {
  return 1e6 * processorSeconds / deliveries;
}

/** The one in the middle, or what lies half-way between both. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return Number.isInteger(middle)
    ? (sorted[middle - 1]! + sorted[middle]!) / 2
    : sorted[Math.floor(middle)]!;
}
