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
  /** Of chat-server, where the row has a goal that this is compared with. */
  goal?: Verdict;
}

/** Whether what was to be reached was reached. */
export type Verdict = "met" | "missed";

/** One load, and what came of it. */
export interface Row {
  id: string;
  /** What is measured, for people: `1,000 members, 500 messages/s: p99 of delivery time`. */
  title: string;
  unit: "million deliveries/s" | "ms" | "us" | "MB" | "x";
  better: "more" | "less";
  /** What chat-server is to reach, in words: `at least 1.5x the C program`. */
  goal?: string;
  results: Result[];
  /** What has to be known to compare them, such as who had less to carry; a sentence each. */
  notes: string[];
}

/** What all features together cost in one row. */
export interface Feature {
  /** The `id` of the row. */
  row: string;
  /** The median with them over that without. */
  ratio: number;
  /** In words: `at most 1.15x`. */
  limit: string;
  goal: Verdict;
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
  /** chat-server with `--data`, metrics and two dialects, over the same without. */
  features: Feature[];
  growth: Growth[];
}
