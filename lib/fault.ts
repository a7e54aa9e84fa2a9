/** What went wrong, in words for one line. */

/** The message of an error, or whatever was thrown instead of one. */
export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
