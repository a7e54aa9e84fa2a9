/**
 * Files of the client's own, which only the person who runs it may read: there is a whole one or none. Must not
 * know what is in them.
 */

import { readText } from "../config.ts";
import { UsageError } from "../flags.ts";
import { sleep } from "./waiting.ts";

/** Longer than any such file, in bytes. */
const MAX_BYTES = 1024 * 1024;

/** Between two tries to be the one who changes a file, in ms; not all at the same moment. */
const RETRY_MS = 10;

const NEVER = new AbortController().signal;

/** How long a file may be kept from others. */
export interface ChangeOptions {
  /** How long to wait for others who change it, in ms; 2 s. */
  waitMs?: number;
  /** After how long whoever changes it is taken for dead, in ms; 5 s. */
  staleMs?: number;
}

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
  const target = await targetOf(path);
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
 * Changes a private file, one after the other where several clients do: what `change` makes of its text is written,
 * if that is another one.
 *
 * @returns whether it was
 * @throws {Error} if it cannot be read or written, or others do not come to an end with it; and what `change` throws
 */
export async function changePrivateFile(
  path: string,
  change: (text: string) => string | Promise<string>,
  { waitMs = 2000, staleMs = 5000 }: ChangeOptions = {},
): Promise<boolean> {
  const lock = `${await targetOf(path)}.lock`;
  await take(lock, performance.now() + waitMs, staleMs);
  try {
    const before = await readPrivateFile(path);
    const after = await change(before);
    if (after !== before) await writePrivateFile(path, after);
    return after !== before;
  } finally {
    await Deno.remove(lock).catch(() => {});
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

/** Where a file is, in a folder that is there: who keeps such files elsewhere, and links to them, goes on doing so. */
async function targetOf(path: string): Promise<string> {
  const folder = path.replace(/[/\\][^/\\]*$/, "");
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  return await Deno.realPath(path).catch(() => path);
}

/** Makes a lock, which only one can. One of the system is never stale, but Deno 2.6 waits for it without end. */
async function take(
  lock: string,
  until: number,
  staleMs: number,
): Promise<void> {
  for (;;) {
    try {
      const options = { write: true, createNew: true, mode: 0o600 };
      return (await Deno.open(lock, options)).close();
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
    if (await isStale(lock, staleMs)) await Deno.remove(lock).catch(() => {});
    else if (performance.now() >= until) {
      throw new Error(`${lock} is there: another client changes the file`);
    } else await sleep(RETRY_MS * (0.5 + Math.random()), NEVER);
  }
}

/** Whether whoever has made a lock is not there any more to remove it. */
async function isStale(lock: string, staleMs: number): Promise<boolean> {
  try {
    const { mtime } = await Deno.stat(lock);
    // Neither is one from the future: the clock was set back.
    return Math.abs(Date.now() - (mtime?.getTime() ?? 0)) > staleMs;
  } catch {
    return false;
  }
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
