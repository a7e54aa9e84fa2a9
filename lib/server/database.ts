/**
 * What chat.db is: its tables, the versions it has had, how it is known as ours, and what it means when SQLite, or
 * the system, fails with it. Knows no log, and neither opens a file nor makes one.
 */

import type { DatabaseSync } from "node:sqlite";
import { describe } from "../fault.ts";
import { LogError } from "./log.ts";

/**
 * SQL that brings a database from each version to the next, from 0, the empty one. Only ever added to: somewhere
 * there is a database of every version.
 *
 * A room's `seq` is apart from its messages, because it stays when they are deleted. The `time` of a message is
 * never before that of an earlier one in its room, and `origin` is the hash of a session and then an id. In a
 * backup a `log` is empty, until somebody goes on from there.
 */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE rooms (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    log TEXT NOT NULL,
    seq INTEGER NOT NULL,
    time INTEGER NOT NULL
  );
  CREATE INDEX rooms_time ON rooms (time);
  CREATE TABLE messages (
    room INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    time INTEGER NOT NULL,
    sender TEXT NOT NULL,
    text TEXT NOT NULL,
    action INTEGER NOT NULL,
    origin BLOB,
    PRIMARY KEY (room, seq)
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX messages_origin ON messages (origin)
    WHERE origin IS NOT NULL;`,
  `CREATE TABLE bans (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    target TEXT NOT NULL,
    with_name TEXT,
    by_name TEXT NOT NULL,
    reason TEXT,
    since INTEGER NOT NULL,
    until INTEGER,
    PRIMARY KEY (kind, key)
  ) WITHOUT ROWID;
  CREATE TABLE room_orders (
    key TEXT PRIMARY KEY,
    room TEXT NOT NULL,
    topic TEXT NOT NULL,
    slow_seconds INTEGER NOT NULL
  ) WITHOUT ROWID;`,
  `CREATE TABLE accounts (
    key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    hash TEXT NOT NULL
  ) WITHOUT ROWID;`,
];

/** What marks a database as ours: "chat". */
const APPLICATION_ID = 0x63686174;

/**
 * The version of a database, which is not changed; 0 if it is empty.
 *
 * @throws {LogError} it is of another program, or of a newer version
 */
export function versionOf(
  db: DatabaseSync,
  migrations: readonly string[] = MIGRATIONS,
): number {
  const number = (pragma: string) =>
    Number(Object.values(db.prepare(`PRAGMA ${pragma}`).get()!)[0]);
  const application = number("application_id");
  const version = number("user_version");
  const isEmpty = db.prepare("SELECT * FROM sqlite_schema").all().length === 0;
  if (application !== APPLICATION_ID && !(application === 0 && isEmpty)) {
    throw new LogError("chat.db is the database of another program");
  }
  if (version > migrations.length) {
    throw new LogError("chat.db was written by a newer chat-server");
  }
  return version;
}

/**
 * Brings a database to the newest version, and makes sure that it can be written.
 *
 * @throws {LogError} that is not possible; it is as it was
 */
export function migrate(
  db: DatabaseSync,
  migrations: readonly string[],
): void {
  const version = versionOf(db, migrations);
  // Only now, as it changes the file. NORMAL does not wait for the disk each time, but whenever the WAL has so many
  // pages of 4 KiB: with SQLite's 1,000 that took a third of the time in which much is said.
  db.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = 8000;
  `);
  // All steps or none. The version is written even if it is there: a full disk is found now and not later.
  try {
    db.exec(`BEGIN IMMEDIATE;
      ${migrations.slice(version).join(";\n")};
      PRAGMA application_id = ${APPLICATION_ID};
      PRAGMA user_version = ${migrations.length};
      COMMIT`);
  } catch (error) {
    const reason = reasonOf("chat.db", error) ??
      `version ${migrations.length} of chat.db cannot be made: ${
        describe(error)
      }`;
    throw new LogError(reason, { cause: error });
  }
}

/** Which file a database was when it was opened, so that it is noticed when it is another one. */
export class OpenedFile {
  readonly #path: string;
  readonly #inode: number | null;

  constructor(path: string) {
    this.#path = path;
    this.#inode = inodeOf(path);
  }

  /**
   * What is written to a file that was deleted, or replaced, is lost, and nobody would say so.
   *
   * @throws {LogError} it is not there any more
   */
  makeSureItIsThere(): void {
    if (inodeOf(this.#path) === this.#inode) return;
    throw new LogError("chat.db is not there any more");
  }
}

/** Which file it is: `null` if there is none, or the system does not say. */
function inodeOf(file: string): number | null {
  try {
    return Deno.statSync(file).ino;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** How SQLite (Deno gives its errors no code) and the system begin to say it, and what it means. */
const REASONS: readonly [RegExp, (what: string) => string][] = [
  [/^database or disk is full|^No space left/, () => "the disk is full"],
  [/^database is locked/, (what) => `${what} is locked by another program`],
  [/^file is not a database/, (what) => `${what} is not a database`],
  [/^(database disk image is )?malformed/, (what) => `${what} is damaged`],
  [/^attempt to write a readonly/, (what) => `${what} cannot be written`],
  [/^unable to open/, (what) => `${what} can be neither opened nor made`],
  [
    /^(Read-only file system|Permission denied|No such file)/,
    (what) => `${what} cannot be made`,
  ],
  // Also on a disk that is almost full, when there is no room for chat.db-shm.
  [/^disk I\/O error/, () => "the disk fails or is full"],
];

/** What an error means that has to do with `what`; `undefined` if that is not known. */
export function reasonOf(what: string, error: unknown): string | undefined {
  const message = describe(error);
  return REASONS.find(([pattern]) => pattern.test(message))?.[1](what);
}

/** @throws {LogError} for whatever `work` throws, which has to do with `what` */
export function explained<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof LogError) throw error;
    const reason = reasonOf(what, error) ?? describe(error);
    throw new LogError(reason, { cause: error });
  }
}

/** `text` in one line, whatever the folders in it are called. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\ufffd");
}
