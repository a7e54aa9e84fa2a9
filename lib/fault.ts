/** What went wrong, in words for one line. */

/** What Deno says of such a path, and a flag that our programs do not have. */
const ALL_ACCESS = /^Requires all access to /;

/** The message of an error, or whatever was thrown instead of one. */
export function describe(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return ALL_ACCESS.test(message)
    ? "Deno lets no program use what is in /dev, /proc or /sys"
    : message;
}
