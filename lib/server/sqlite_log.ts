/**
 * The log of the rooms on disk: `chat.db`, an SQLite database in a folder that one server at a time uses. Other
 * programs may read it meanwhile, as backup.ts does.
 *
 * What is stored survives the end of the process, however it ends; a power failure can take the last messages.
 * A message that is sent again is known for as long as it is kept.
 */

import { getLogger } from "@logtape/logtape";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { setImmediate } from "node:timers";
import { describe } from "../fault.ts";
import { type Message, nameKey } from "../message.ts";
import {
  explained,
  migrate,
  MIGRATIONS,
  oneLine,
  reasonOf,
} from "./database.ts";
import {
  type Extent,
  type Log,
  LogError,
  newLogId,
  type NewMessage,
  type Origin,
  type Place,
  type Range,
} from "./log.ts";

const logger = getLogger(["chat", "history"]);

/** How a log on disk is kept. */
export interface SqliteLogOptions {
  /** For how many days messages are kept; 0 keeps all. */
  historyDays: number;
  /** How often older messages are deleted, in ms; an hour. */
  pruneEveryMs?: number;
  /** How long to wait when the log is opened for another program that has locked it, in ms; 1,000. */
  lockedMs?: number;
  /** The time, in ms since 1970; the system's. */
  now?: () => number;
  /** What makes a database from none, step by step; {@linkcode MIGRATIONS}. */
  migrations?: readonly string[];
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Deleting this many takes a few ms, in which nobody is served. */
const PRUNED_AT_ONCE = 500;

const encoder = new TextEncoder();

/** How long the hash of a session is. */
const SESSION_BYTES = 16;

/** How long to wait later for another program that has locked the database, in ms: nobody is served meanwhile. */
const LOCKED_LATER_MS = 20;

/** How often it is made sure that the database is still where it was, in ms. */
const CHECKED_EVERY_MS = 1000;

/** A room that is open, and how far it reaches. */
interface OpenRoom {
  readonly id: number;
  readonly name: string;
  readonly log: string;
  seq: number;
  /** When its last message was stored, in ms since 1970. */
  time: number;
}

/** The statements that are used again and again. */
type Statements = ReturnType<typeof prepare>;

function prepare(db: DatabaseSync) {
  return {
    begin: db.prepare("BEGIN IMMEDIATE"),
    commit: db.prepare("COMMIT"),
    room: db.prepare(
      "SELECT id, name, log, seq, time FROM rooms WHERE key = ?",
    ),
    addRoom: db.prepare(
      "INSERT INTO rooms (key, name, log, seq, time) VALUES (?, ?, ?, 0, 0)",
    ),
    dropRoom: db.prepare("DELETE FROM rooms WHERE id = ?"),
    first: db.prepare("SELECT min(seq) AS first FROM messages WHERE room = ?"),
    add: db.prepare(
      `INSERT INTO messages (room, seq, time, sender, text, action, origin)
      VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (origin) WHERE origin IS NOT NULL DO NOTHING`,
    ),
    place: db.prepare("SELECT seq, time FROM messages WHERE origin = ?"),
    advance: db.prepare("UPDATE rooms SET seq = ?, time = ? WHERE id = ?"),
    since: db.prepare(
      `SELECT seq, time, sender, text, action FROM messages
      WHERE room = ? AND seq > ? ORDER BY seq LIMIT ?`,
    ),
    before: db.prepare(
      `SELECT seq, time, sender, text, action FROM messages
      WHERE room = ? AND seq < ? ORDER BY seq DESC LIMIT ?`,
    ),
    stored: db.prepare(
      `SELECT name FROM rooms
      WHERE EXISTS (SELECT * FROM messages WHERE room = rooms.id)
      ORDER BY time DESC LIMIT ?`,
    ),
    oldest: db.prepare(
      `SELECT id,
        (SELECT time FROM messages WHERE room = rooms.id ORDER BY seq LIMIT 1)
          AS time
      FROM rooms WHERE id > ? ORDER BY id LIMIT 100`,
    ),
    prune: db.prepare(
      `DELETE FROM messages WHERE room = ?1 AND seq <= (
        SELECT max(seq) FROM (
          SELECT seq, time FROM messages WHERE room = ?1 ORDER BY seq LIMIT ?2
        ) WHERE time < ?3)`,
    ),
  } satisfies Record<string, StatementSync>;
}

/** A {@linkcode Log} on disk. */
export class SqliteLog implements Log {
  readonly #lock: DatabaseSync;
  readonly #db: DatabaseSync;
  readonly #file: string;
  readonly #inode: number | null;
  #checkedAt = 0;
  readonly #sql: Statements;
  readonly #rooms = new Map<string, OpenRoom>();
  readonly #historyMs: number;
  readonly #now: () => number;
  #closing: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pruning: Promise<void> | undefined;

  private constructor(
    lock: DatabaseSync,
    db: DatabaseSync,
    file: string,
    { historyDays, now = Date.now }: SqliteLogOptions,
  ) {
    this.#lock = lock;
    this.#db = db;
    this.#file = file;
    this.#inode = inodeOf(file);
    this.#sql = prepare(db);
    this.#historyMs = historyDays * DAY_MS;
    this.#now = now;
  }

  /**
   * The log in a folder, which is made if there is none. From then on, messages that are too old are deleted
   * in the background.
   *
   * @throws {LogError} in one line that names the folder: it cannot be read and written, another server uses it,
   * or what is in it is not ours, is damaged, or is of a newer version
   */
  static async open(
    folder: string,
    options: SqliteLogOptions,
  ): Promise<SqliteLog> {
    const { lockedMs: timeout = 1000, migrations = MIGRATIONS } = options;
    const opened: DatabaseSync[] = [];
    const connect = (file: string) => {
      const db = new DatabaseSync(`${folder}/${file}`, { timeout });
      opened.push(db);
      return db;
    };
    try {
      await makeFolder(folder);
      const lock = explained("chat.lock", () => takeLock(connect("chat.lock")));
      const log = explained("chat.db", () => {
        const db = connect("chat.db");
        migrate(db, migrations);
        // A backup: somebody may have read messages that were said after it was made.
        db.exec(
          "UPDATE rooms SET log = lower(hex(randomblob(8))) WHERE log = ''",
        );
        db.exec(`PRAGMA busy_timeout = ${LOCKED_LATER_MS}`);
        return new SqliteLog(lock, db, `${folder}/chat.db`, options);
      });
      void log.#keepPruning(options.pruneEveryMs);
      return log;
    } catch (error) {
      for (const db of opened.reverse()) db.close();
      const text = `Cannot open the log in ${folder}: ${describe(error)}`;
      throw new LogError(oneLine(text), { cause: error });
    }
  }

  open(room: string): Promise<Extent> {
    return this.#do(() => {
      const { id, name, log, seq } = this.#open(room);
      const first = this.#sql.first.get(id)?.first;
      return { room: name, log, first: Number(first ?? seq + 1), seq };
    });
  }

  append(messages: readonly NewMessage[]): Promise<Place[]> {
    return this.#do(() => {
      if (messages.length === 0) return [];
      const now = this.#now();
      this.#makeSureItIsThere(now);
      // The rooms' own counters move only when everything is stored.
      const ends = new Map<OpenRoom, { seq: number; time: number }>();
      const places = this.#transaction(() => {
        const places = messages.map((message) => {
          const room = this.#opened(message.room);
          let end = ends.get(room);
          if (!end) {
            end = { seq: room.seq, time: Math.max(now, room.time) };
            ends.set(room, end);
          }
          return this.#add(message, room.id, end);
        });
        for (const [{ id, seq: before }, { seq, time }] of ends) {
          if (seq > before) this.#sql.advance.run(seq, time, id);
        }
        return places;
      });
      for (const [room, end] of ends) Object.assign(room, end);
      return places;
    });
  }

  find(origin: Origin): Promise<Place | undefined> {
    return this.#do(() => this.#find(keyOf(origin)));
  }

  read(room: string, range: Range): Promise<Message[]> {
    return this.#do(() => {
      const { id, name } = this.#opened(room);
      const limit = Math.max(0, range.limit);
      const rows = "since" in range
        ? this.#sql.since.all(id, range.since, limit)
        : this.#sql.before.all(id, range.before, limit).reverse();
      return rows.map(({ seq, time, sender, text, action }) => ({
        room: name,
        seq: Number(seq),
        time: Number(time),
        from: String(sender),
        text: String(text),
        action: action === 1,
      }));
    });
  }

  stored(limit: number): Promise<string[]> {
    return this.#do(() =>
      this.#sql.stored.all(limit).map(({ name }) => String(name))
    );
  }

  release(room: string): Promise<void> {
    return this.#do(() => {
      const key = nameKey(room);
      const open = this.#rooms.get(key);
      if (!open) return;
      if (open.seq === 0) this.#sql.dropRoom.run(open.id);
      this.#rooms.delete(key);
    });
  }

  /**
   * Deletes the messages that are too old now, the oldest first. Everybody else gets their turn meanwhile.
   *
   * @throws {LogError} some of them are still there
   */
  prune(): Promise<void> {
    this.#pruning ??= this.#prune().finally(() => this.#pruning = undefined);
    return this.#pruning;
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#pruning?.catch(() => {});
    try {
      this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // Nothing is lost: what is only in chat.db-wal is read from there.
    }
    this.#db.close();
    this.#lock.close();
  }

  /** Does it at once, so that everything happens in the order of the calls. */
  #do<T>(work: () => T): Promise<T> {
    return Promise.try(() => {
      if (this.#closing) throw new LogError("the log is closed");
      return explained("the log", work);
    });
  }

  /**
   * What is written to a file that was deleted, or replaced, is lost, and nobody would say so.
   *
   * @throws {LogError}
   */
  #makeSureItIsThere(now: number): void {
    if (Math.abs(now - this.#checkedAt) < CHECKED_EVERY_MS) return;
    if (inodeOf(this.#file) !== this.#inode) {
      throw new LogError("chat.db is not there any more");
    }
    this.#checkedAt = now;
  }

  #transaction<T>(work: () => T): T {
    this.#sql.begin.run();
    try {
      const result = work();
      this.#sql.commit.run();
      return result;
    } catch (error) {
      try {
        this.#db.exec("ROLLBACK");
      } catch {
        // After some errors SQLite has done so itself.
      }
      throw error;
    }
  }

  #open(name: string): OpenRoom {
    const key = nameKey(name);
    let room = this.#rooms.get(key);
    if (!room) {
      let row = this.#sql.room.get(key);
      if (!row) {
        this.#sql.addRoom.run(key, name, newLogId());
        row = this.#sql.room.get(key)!;
      }
      room = {
        id: Number(row.id),
        name: String(row.name),
        log: String(row.log),
        seq: Number(row.seq),
        time: Number(row.time),
      };
      this.#rooms.set(key, room);
    }
    return room;
  }

  #opened(name: string): OpenRoom {
    const room = this.#rooms.get(nameKey(name));
    if (!room) throw new LogError(`the room ${name} is not open`);
    return room;
  }

  /** Adds a message after `end`, which moves, unless it is stored already. */
  #add(
    { from, text, action, origin }: NewMessage,
    room: number,
    end: { seq: number; time: number },
  ): Place {
    const { seq, time } = { seq: end.seq + 1, time: end.time };
    const key = origin ? keyOf(origin) : null;
    const { changes } = this.#sql.add
      .run(room, seq, time, from, text, action ? 1 : 0, key);
    if (changes === 0) return this.#find(key)!;
    end.seq = seq;
    return { seq, time, repeated: false };
  }

  #find(key: Uint8Array | null): Place | undefined {
    const first = this.#sql.place.get(key);
    return first &&
      { seq: Number(first.seq), time: Number(first.time), repeated: true };
  }

  /** Deletes what is too old now, and from time to time. */
  async #keepPruning(everyMs = 60 * 60 * 1000): Promise<void> {
    try {
      await this.prune();
    } catch (error) {
      logger.error("cannot delete what is too old", {
        reason: describe(error),
      });
    }
    if (this.#closing) return;
    this.#timer = setTimeout(() => void this.#keepPruning(everyMs), everyMs);
    Deno.unrefTimer(this.#timer);
  }

  async #prune(): Promise<void> {
    if (this.#historyMs === 0) return;
    const tooOld = this.#now() - this.#historyMs;
    for (let last = 0; !this.#closing; await turn()) {
      const rooms = explained("the log", () => this.#sql.oldest.all(last));
      if (rooms.length === 0) return;
      for (const { id, time } of rooms) {
        last = Number(id);
        if (time === null || Number(time) >= tooOld) continue;
        let deleted: number | bigint;
        do {
          deleted = explained(
            "the log",
            () => this.#sql.prune.run(last, PRUNED_AT_ONCE, tooOld).changes,
          );
          await turn();
          if (this.#closing) return;
        } while (deleted === PRUNED_AT_ONCE);
      }
    }
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

/** Everybody else's turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/**
 * By what a message is known again. What one session sends is together in the index: a hash would scatter it, and
 * cost five times as much.
 */
function keyOf({ session, id }: Origin): Uint8Array {
  const name = encoder.encode(id);
  const key = new Uint8Array(SESSION_BYTES + name.length);
  key.setFromHex(session);
  key.set(name, SESSION_BYTES);
  return key;
}

/** Only for whoever runs the server, if there is none: it is nobody else's business what was said. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    const isFile = error instanceof Deno.errors.AlreadyExists ||
      error instanceof Deno.errors.NotADirectory;
    const reason = isFile ? "it is not a folder" : reasonOf("it", error);
    throw reason ? new LogError(reason, { cause: error }) : error;
  }
}

/**
 * Makes sure that nobody else uses the folder. The database itself stays free, so that others can read it; the
 * system takes the lock back, however this process ends.
 *
 * @param db a database that is used for nothing else
 */
function takeLock(db: DatabaseSync): DatabaseSync {
  try {
    // Nothing is ever written, not even a journal. To want to write takes the lock also from a file that cannot
    // be written, where beginning would only seem to.
    db.exec(
      "PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE; PRAGMA user_version = 1",
    );
  } catch (error) {
    if (!/database is locked/.test(describe(error))) throw error;
    throw new LogError("it is in use by another chat-server", { cause: error });
  }
  return db;
}
