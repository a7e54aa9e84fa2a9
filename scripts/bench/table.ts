/** Results as text. Pure; must not know how they were measured. */

import type { Contestant } from "./contestants.ts";
import type { Feature, Growth, Results, Row } from "./results.ts";

/** All tables, one below the other. */
export function tables(results: Results): string {
  return [
    ...results.rows.map(rowTable),
    ...(results.features.length > 0 ? [featureTable(results.features)] : []),
    ...(results.growth.length > 0 ? [growthTable(results.growth)] : []),
  ].join("\n\n");
}

/** What each of them does not do, or in what else it is another. */
export function abouts(contestants: readonly Contestant[]): string {
  return columns(contestants.map(({ name, about }) => [name, about]));
}

/** One row, a line for each contestant. */
export function rowTable(
  { title, unit, better, goal, results, notes }: Row,
): string {
  const head = ["", unit, "ratio", goal ? "goal" : "", "rounds"];
  const lines = results.map((result) => {
    const { contestant, median, ratio, rounds, skipped } = result;
    if (median === undefined) return [contestant, "-", "", "", skipped ?? ""];
    return [
      contestant,
      number(median),
      ratio === undefined ? "" : `${number(ratio)}x`,
      result.goal ?? "",
      rounds.map(number).join(" "),
    ];
  });
  return [
    `${title} (${better} is better${goal ? `; goal: ${goal}` : ""})`,
    columns([head, ...lines], [1, 2]),
    ...notes,
  ].join("\n");
}

/** What all features cost. */
export function featureTable(features: readonly Feature[]): string {
  return [
    "chat-server with --data, metrics and two dialects, over the same without",
    columns(
      features.map(({ row, ratio, limit, goal }) => [
        row,
        `${number(ratio)}x`,
        `goal: ${limit}`,
        goal,
      ]),
      [1],
    ),
  ].join("\n");
}

/** What a delivery costs where more people are. */
export function growthTable(growth: readonly Growth[]): string {
  const head = ["members", "idle rooms", "people in them", "us per delivery"];
  return [
    "chat-server's processor time per delivery as there are more members, and more rooms where nobody talks",
    columns([
      head,
      ...growth.map(({ members, idleRooms, idleMembers, usPerDelivery }) => [
        ...[members, idleRooms, idleMembers].map((count) =>
          count.toLocaleString("en-US")
        ),
        number(usPerDelivery),
      ]),
    ], [0, 1, 2, 3]),
  ].join("\n");
}

/** Three digits that count, no more. */
function number(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3);
}

/** Cells below each other; those of the columns in `right` end there. */
function columns(
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string {
  const count = Math.max(...rows.map((row) => row.length));
  const widths = Array.from(
    { length: count },
    (_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)),
  );
  return rows.map((row) =>
    row.map((cell, i) =>
      right.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)
    ).join("  ").trimEnd()
  ).join("\n");
}
