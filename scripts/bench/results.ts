/** What the benchmark finds out: `bench/results.json`. Knows neither how it is measured nor how it is shown. */

/** What one contestant did under one load. */
export interface Result {
  /** The name of the contestant. */
  contestant: string;
  /** One value a round, in the unit of the row; none if it was skipped. */
  rounds: number[];
  /** The median of them. */
  median?: number;
  /** The median over that of the reference, measured in the same rounds. */
  ratio?: number;
  /** Why it was not measured, or was not able to carry the load. */
  skipped?: string;
}

/** One load, and what came of it. */
export interface Row {
  id: string;
  /** What is measured, for people: `1,000 members, 500 messages/s: p99 of delivery time`. */
  title: string;
  unit: "million deliveries/s" | "ms" | "us" | "MB";
  better: "more" | "less";
  /** What chat-server is to reach, in words: `at least 1.5x the C program`. */
  goal?: string;
  results: Result[];
}

/** The cost of a delivery in rooms of one size. */
export interface Growth {
  /** How many members the room has in which somebody talks, how many other rooms there are, and who sits there. */
  members: number;
  idleRooms: number;
  idleMembers: number;
  /** What the server takes for one delivery, in us of processor time. */
  usPerDelivery: number;
}

/** All of it. */
export interface Results {
  /** When it was measured, as `2026-11-23`. */
  date: string;
  /** On what: processor, cores, system, Deno. */
  machine: string;
  rounds: number;
  rows: Row[];
  growth: Growth[];
}
