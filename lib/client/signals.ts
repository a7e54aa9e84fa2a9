/** The signals that the system sends to the program. Knows nothing of what is done then. */

import { constants } from "node:os";

/** The signals that end a program, unless it does something else. A system may lack some of them. */
const END_SIGNALS: readonly Deno.Signal[] = [
  "SIGABRT",
  "SIGALRM",
  "SIGHUP",
  "SIGINT",
  "SIGIO",
  "SIGPROF",
  "SIGPWR",
  "SIGQUIT",
  "SIGSTKFLT",
  "SIGSYS",
  "SIGTERM",
  "SIGTRAP",
  "SIGUSR1",
  "SIGUSR2",
  "SIGVTALRM",
  "SIGXCPU",
  "SIGXFSZ",
];

/** Resolves when such a signal comes, with the exit code that tells which. */
export function endSignal(
  until: AbortSignal = new AbortController().signal,
): Promise<number> {
  const numbers = new Map(Object.entries(constants.signals));
  return new Promise((resolve) => {
    for (const name of END_SIGNALS) {
      onSignal(name, () => resolve(128 + (numbers.get(name) ?? 0)), until);
    }
  });
}

/** Does something whenever a signal comes; returns whether the system has it. */
export function onSignal(
  name: Deno.Signal,
  handler: () => void,
  until: AbortSignal,
): boolean {
  try {
    Deno.addSignalListener(name, handler);
    until.addEventListener(
      "abort",
      () => Deno.removeSignalListener(name, handler),
    );
    return true;
  } catch {
    return false;
  }
}

/** Whether a program may stop itself here: Windows has no such thing, and before 2.9 Deno does not permit it. */
export function canStopItself(): boolean {
  try {
    Deno.kill(Deno.pid, "SIGCONT");
    return true;
  } catch {
    return false;
  }
}

/** Stops the program, until somebody has it go on: SIGCONT comes then. */
export function stopItself(): void {
  // SIGTSTP can be caught, and Deno does so once it was listened to.
  Deno.kill(Deno.pid, "SIGSTOP");
}
