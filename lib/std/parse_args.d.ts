// The part of @std/cli/parse-args that is used here: the npm package has no declarations of its own.

export interface ParseOptions {
  string?: readonly string[];
  boolean?: readonly string[];
  negatable?: readonly string[];
  default?: Record<string, unknown>;
  alias?: Record<string, string>;
  unknown?: (argument: string, key?: string, value?: unknown) => unknown;
}

export function parseArgs(
  args: readonly string[],
  options?: ParseOptions,
): { _: (string | number)[]; [name: string]: unknown };
