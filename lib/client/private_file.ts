/**
 * Files of the client's own, which only the person who runs it may read: there is a whole one or none. Must not
 * know what is in them.
 */

import { readText } from "../config.ts";
import { UsageError } from "../flags.ts";

/** Longer than any such file, in bytes. */
const MAX_BYTES = 1024 * 1024;

/**
 * Reads a private file.
 *
 * @returns its text, which is empty if there is none
 * @throws {Error} if there is one that cannot be read, is not UTF-8, or has more than 1 MiB; the message begins
 * with the path
 */
export async function readPrivateFile(path: string): Promise<string> {
  try {
    await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
  }
  try {
    return await readText(path, MAX_BYTES);
  } catch (error) {
    // It is no setting that somebody has got wrong.
    throw error instanceof UsageError ? new Error(error.message) : error;
  }
}

/**
 * Writes a private file, in a folder that is made if there is none. Whatever goes wrong, there is the file of
 * before or the new one.
 *
 * @throws {Error} if it cannot be written
 */
export async function writePrivateFile(
  path: string,
  text: string,
): Promise<void> {
  const folder = path.replace(/[/\\][^/\\]*$/, "");
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  // Whoever keeps such files elsewhere, and links to them, goes on doing so.
  const target = await Deno.realPath(path).catch(() => path);
  const made = `${target}.${crypto.randomUUID()}`;
  try {
    await writeNew(made, text);
    await Deno.rename(made, target);
  } catch (error) {
    await Deno.remove(made).catch(() => {});
    throw error;
  }
}

/**
 * Whether anybody but the owner of a file may read or change it; where the system does not say, that is not known.
 *
 * @throws {Error} if there is no such file
 */
export async function isReadByOthers(path: string): Promise<boolean> {
  const { mode } = await Deno.stat(path);
  return mode !== null && (mode & 0o077) !== 0;
}

async function writeNew(path: string, text: string): Promise<void> {
  using file = await Deno.open(path, {
    write: true,
    createNew: true,
    mode: 0o600,
  });
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(await file.write(bytes));
  // Before it replaces the other: a power failure could leave an empty one.
  await file.sync();
}
