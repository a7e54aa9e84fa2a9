/**
 * A copy of chat.db, made while a server writes to it, or while there is none. Knows SQLite and files; it is no log,
 * and the server neither helps with it nor notices.
 */

import { dirname } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { describe } from "../fault.ts";
import { explained, oneLine, reasonOf, versionOf } from "./database.ts";
import { LogError } from "./log.ts";

/** How long to wait for another program that has locked the database, in ms. */
const LOCKED_MS = 1000;

/** How a copy is made. */
export interface BackUpOptions {
  /** Gives the copy up, unless it has been put in place; none. */
  signal?: AbortSignal;
}

/** What is in a copy. */
export interface Copied {
  messages: number;
  /** In how many rooms they are. */
  rooms: number;
}

/**
 * Copies the database in `folder` to `file`, which only its owner may read, and which replaces nothing. It is there
 * once it is whole and on the disk; until then it is in a folder `.chat-backup-*` beside it. In an empty folder, as
 * chat.db, it has all that was stored when this was begun; whoever has read on meanwhile is told that it is another
 * log.
 *
 * @throws {LogError} in one line that names both: there is no database of ours, it is damaged or cannot be read,
 * `file` exists or cannot be made, or `signal` has given it up
 */
export async function backUp(
  folder: string,
  file: string,
  { signal }: BackUpOptions = {},
): Promise<Copied> {
  try {
    // Once more when it is put in place; but nobody wants to wait for a copy until then.
    if (await found(Deno.lstat(file))) throw fileExists(file);
    await makeSureThereIsA(dirname(file));
    using db = await open(folder);
    return await inFolderBeside(file, async (temporary) => {
      const copy = `${temporary}/chat.db`;
      await copyTo(copy, db);
      const copied = explained("chat.db", () => finish(copy));
      await toDisk(copy, { write: true });
      signal?.throwIfAborted();
      await putInPlace(copy, file);
      return copied;
    });
  } catch (error) {
    const text = `cannot back up ${folder} to ${file}: ${describe(error)}`;
    throw new LogError(oneLine(text), { cause: error });
  }
}

/** A database of ours, as it is now and remains for whoever reads it here, whatever is written meanwhile. */
async function open(folder: string): Promise<DatabaseSync> {
  await makeSureThereIsA(folder);
  const path = `${folder}/chat.db`;
  if (!await found(Deno.stat(path))) {
    throw new LogError("there is no chat.db in it");
  }
  return explained("chat.db", () => {
    // Nothing is written; but whoever may not write also leaves chat.db-wal and chat.db-shm behind.
    const db = new DatabaseSync(path, { timeout: LOCKED_MS });
    try {
      // Without it, backup() would try for ever where the database is locked.
      db.exec("BEGIN");
      if (versionOf(db) === 0) throw new LogError("chat.db is empty");
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

/** Does it with a folder that only we may use, on the disk where `file` will be; afterwards it is gone. */
async function inFolderBeside<T>(
  file: string,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  let folder: string | undefined;
  try {
    folder = await Deno.makeTempDir({
      dir: dirname(file),
      prefix: ".chat-backup-",
    });
    return await work(folder);
  } catch (error) {
    const reason = reasonOf(`the copy in ${dirname(file)}`, error);
    throw reason ? new LogError(reason, { cause: error }) : error;
  } finally {
    // Nothing can be done where that fails, and the copy is as good as it was.
    if (folder) await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}

async function copyTo(copy: string, db: DatabaseSync): Promise<void> {
  // Made by SQLite, it could be read by everybody.
  using _file = await Deno.open(copy, {
    write: true,
    createNew: true,
    mode: 0o600,
  });
  await backup(db, copy, { rate: -1 });
}

/**
 * Makes sure that a copy is whole, and makes it one file that can be read also where nothing can be written. Its rooms
 * lose the identity of their logs: what is said after it was made is not in it, and its numbers are given again.
 *
 * @throws {LogError} it is damaged
 */
function finish(copy: string): Copied {
  using db = new DatabaseSync(copy);
  const { quick_check: verdict } = db.prepare("PRAGMA quick_check(1)").get()!;
  if (verdict !== "ok") throw new LogError("chat.db is damaged");
  db.exec("UPDATE rooms SET log = ''; PRAGMA journal_mode = DELETE");
  const { messages, rooms } = db.prepare(
    "SELECT count(*) AS messages, count(DISTINCT room) AS rooms FROM messages",
  ).get()!;
  return { messages: Number(messages), rooms: Number(rooms) };
}

/** Gives a file its name, unless there is another of that name: to rename it would replace that. */
async function putInPlace(copy: string, file: string): Promise<void> {
  try {
    await Deno.link(copy, file);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw fileExists(file);
    throw error;
  }
  // The name gets to the disk by itself where a folder cannot be opened, as on Windows.
  await toDisk(dirname(file), { read: true }).catch(() => {});
}

/** Waits until the disk has what is in a file, or the names in a folder. */
async function toDisk(path: string, how: Deno.OpenOptions): Promise<void> {
  using file = await Deno.open(path, how);
  await file.sync();
}

/** What there is, if there is anything. */
async function found(
  info: Promise<Deno.FileInfo>,
): Promise<Deno.FileInfo | undefined> {
  try {
    return await info;
  } catch (error) {
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory
    ) return undefined;
    throw error;
  }
}

async function makeSureThereIsA(folder: string): Promise<void> {
  const info = await found(Deno.stat(folder));
  if (!info?.isDirectory) throw new LogError(`there is no folder ${folder}`);
}

function fileExists(file: string): LogError {
  return new LogError(`${file} exists, and is not replaced`);
}
