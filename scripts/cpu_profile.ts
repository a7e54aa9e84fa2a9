/** What a CPU profile of V8 says, summed up. Pure; must not know which program it is of, nor how it was made. */

/** A `.cpuprofile`, as far as it is read. Times are in us. */
export interface CpuProfile {
  nodes: { id: number; callFrame: CallFrame }[];
  startTime: number;
  endTime: number;
  /** The node that was running, at each look. */
  samples: number[];
  /** How long after the look before it each look was. */
  timeDeltas: number[];
}

/** A function, and where it begins; lines are counted from 0. */
export interface CallFrame {
  functionName: string;
  url: string;
  lineNumber: number;
}

/** Whose code it is that runs. */
export type Owner =
  | "ours"
  | "packages"
  | "runtime"
  | "native"
  | "collector"
  | "program"
  | "idle";

/** Something that runs, and for how long in all, in us. */
export interface Share<T> {
  what: T;
  us: number;
}

/** Where time has gone; what took longest comes first. */
export interface Summary {
  /** How long was looked, in us, and for how much of it something ran. */
  wallUs: number;
  busyUs: number;
  owners: Share<Owner>[];
  /** `name file:line`, for what has one. */
  functions: Share<string>[];
  files: Share<string>[];
}

/** What V8 calls what is no function. */
const OWNER_OF: Readonly<Record<string, Owner>> = {
  "(garbage collector)": "collector",
  "(program)": "program",
  "(root)": "program",
  "(idle)": "idle",
};

/**
 * Sums up who ran: each function for as long as it was itself what ran, without what it has called.
 *
 * @param root the URL of the folder whose files are ours, with a slash at its end
 * @param from where to begin and to end, on the profile's clock, in us; it is looked at as a whole by default
 * @throws {SyntaxError} if it is no profile
 */
export function summarize(
  { nodes, samples, timeDeltas, startTime, endTime }: CpuProfile,
  root: string,
  from = startTime,
  to = endTime,
): Summary {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const owners = new Map<Owner, number>();
  const functions = new Map<string, number>();
  const files = new Map<string, number>();
  let busyUs = 0;
  let at = startTime;
  for (const [i, id] of samples.entries()) {
    const frame = frames.get(id);
    if (!frame) throw new SyntaxError(`there is no node ${id} in the profile`);
    at += timeDeltas[i] ?? 0;
    // What is seen running is taken to run until the next look.
    const next = i + 1 < samples.length ? at + (timeDeltas[i + 1] ?? 0) : to;
    const us = Math.min(next, to) - Math.max(at, from);
    if (us <= 0) continue;
    const owner = ownerOf(frame, root);
    add(owners, owner, us);
    if (owner === "idle") continue;
    busyUs += us;
    const file = fileOf(frame, root);
    add(functions, nameOf(frame, file), us);
    if (file !== "") add(files, file, us);
  }
  return {
    wallUs: to - from,
    busyUs,
    owners: sorted(owners),
    functions: sorted(functions),
    files: sorted(files),
  };
}

function ownerOf({ functionName, url }: CallFrame, root: string): Owner {
  if (url === "") return OWNER_OF[functionName] ?? "native";
  if (url.startsWith(root)) return "ours";
  return /^(ext|node):/.test(url) ? "runtime" : "packages";
}

/** A file of ours from its root on, one of a package from its name on. */
function fileOf({ url }: CallFrame, root: string): string {
  if (url.startsWith(root)) return url.slice(root.length);
  return url.replace(/^file:.*\/npm\/[^/]+\//, "npm:");
}

function nameOf({ functionName, lineNumber }: CallFrame, file: string): string {
  const name = functionName || "(anonymous)";
  return file === "" ? name : `${name} ${file}:${lineNumber + 1}`;
}

function add<T>(sums: Map<T, number>, what: T, us: number): void {
  sums.set(what, (sums.get(what) ?? 0) + us);
}

function sorted<T>(sums: ReadonlyMap<T, number>): Share<T>[] {
  return Array.from(sums, ([what, us]) => ({ what, us }))
    .sort((a, b) => b.us - a.us);
}
