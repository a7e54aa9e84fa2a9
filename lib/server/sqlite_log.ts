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
  OpenedFile,
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

/**
 * How many messages are stored with one statement where so many are stored together: each then costs half as much.
 */
const ADDED_AT_ONCE = 32;

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

/** How far rooms reach once what is being stored is. */
type Ends = Map<OpenRoom, { seq: number; time: number }>;

/** What becomes of messages that are stored. */
interface Stored {
  ends: Ends;
  places: Place[];
}

/** A message as the table has it. */
type Row = [
  room: number,
  seq: number,
  time: number,
  sender: string,
  text: string,
  action: number,
  origin: Uint8Array | null,
];

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
    add: db.prepare(adding(1)),
    addMany: db.prepare(adding(ADDED_AT_ONCE)),
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

/** SQL that stores so many messages, without those that are stored already. */
function adding(count: number): string {
  const rows = Array(count).fill("(?, ?, ?, ?, ?, ?, ?)").join(", ");
  return `INSERT INTO messages (room, seq, time, sender, text, action, origin)
    VALUES ${rows}
    ON CONFLICT (origin) WHERE origin IS NOT NULL DO NOTHING`;
}

/** A {@linkcode Log} on disk. */
export class SqliteLog implements Log {
  readonly #lock: DatabaseSync;
  readonly #db: DatabaseSync;
  readonly #file: OpenedFile;
  #checkedAt = 0;
  readonly #sql: Statements;
  readonly #rooms = new Map<string, OpenRoom>();
  /** The one that was asked for last, as most often: to look for a name takes a while. */
  #last: OpenRoom | undefined;
  readonly #historyMs: number;
  readonly #now: () => number;
  #closing: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pruning: Promise<void> | undefined;

  private constructor(
    lock: DatabaseSync,
    db: DatabaseSync,
    file: OpenedFile,
    { historyDays, now = Date.now }: SqliteLogOptions,
  ) {
    this.#lock = lock;
    this.#db = db;
    this.#file = file;
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
      makeFile(`${folder}/${file}`);
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
        const file = new OpenedFile(`${folder}/chat.db`);
        return new SqliteLog(lock, db, file, options);
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
      const stored = this.#transaction(() => this.#addAll(messages, now)) ??
        this.#transaction(() => this.#addEach(messages, now));
      // The rooms' own counters move only when everything is stored.
      for (const [room, end] of stored.ends) Object.assign(room, end);
      return stored.places;
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
      this.#last = undefined;
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

  /** @throws {LogError} */
  #makeSureItIsThere(now: number): void {
    if (Math.abs(now - this.#checkedAt) < CHECKED_EVERY_MS) return;
    this.#file.makeSureItIsThere();
    this.#checkedAt = now;
  }

  /** Does all of it or nothing: nothing also if `work` gives nothing. */
  #transaction<T>(work: () => T): T {
    this.#sql.begin.run();
    try {
      const result = work();
      if (result === undefined) this.#db.exec("ROLLBACK");
      else this.#sql.commit.run();
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
    if (name === this.#last?.name) return this.#last;
    const room = this.#rooms.get(nameKey(name));
    if (!room) throw new LogError(`the room ${name} is not open`);
    return this.#last = room;
  }

  /** Adds messages of which none is stored already; nothing, if one is. */
  #addAll(messages: readonly NewMessage[], now: number): Stored | undefined {
    const ends: Ends = new Map();
    const places: Place[] = [];
    let rows: Row[] = [];
    for (const message of messages) {
      const room = this.#opened(message.room);
      const end = endOf(room, ends, now);
      end.seq++;
      places.push({ ...end, repeated: false });
      rows.push(rowOf(message, room, end));
      if (rows.length < ADDED_AT_ONCE) continue;
      const { changes } = this.#sql.addMany.run(...rows.flat());
      if (changes !== rows.length) return undefined;
      rows = [];
    }
    for (const row of rows) {
      if (this.#sql.add.run(...row).changes === 0) return undefined;
    }
    return this.#advance({ ends, places });
  }

  /** Adds messages, and finds those that are stored already. */
  #addEach(messages: readonly NewMessage[], now: number): Stored {
    const ends: Ends = new Map();
    const places = messages.map((message) => {
      const room = this.#opened(message.room);
      const end = endOf(room, ends, now);
      const next = { seq: end.seq + 1, time: end.time };
      const { changes } = this.#sql.add.run(...rowOf(message, room, next));
      if (changes === 0) return this.#find(keyOf(message.origin))!;
      end.seq = next.seq;
      return { ...next, repeated: false };
    });
    return this.#advance({ ends, places });
  }

  /** The rooms reach as far as what was added to them. */
  #advance(stored: Stored): Stored {
    for (const [{ id, seq: before }, { seq, time }] of stored.ends) {
      if (seq > before) this.#sql.advance.run(seq, time, id);
    }
    return stored;
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

/** How far a room reaches, what is being stored included. */
function endOf(
  room: OpenRoom,
  ends: Ends,
  now: number,
): { seq: number; time: number } {
  let end = ends.get(room);
  if (!end) {
    end = { seq: room.seq, time: Math.max(now, room.time) };
    ends.set(room, end);
  }
  return end;
}

function rowOf(
  { from, text, action, origin }: NewMessage,
  room: OpenRoom,
  { seq, time }: { seq: number; time: number },
): Row {
  return [room.id, seq, time, from, text, action ? 1 : 0, keyOf(origin)];
}

/** Everybody else's turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/**
 * By what a message is known again. What one session sends is together in the index: a hash would scatter it, and
 * cost five times as much. Nothing, if it is not known again.
 */
function keyOf(origin: Origin): Uint8Array;
function keyOf(origin: Origin | undefined): Uint8Array | null;
function keyOf(origin: Origin | undefined): Uint8Array | null {
  if (!origin) return null;
  const { session, id } = origin;
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
 * Makes a file that only whoever runs the server may read, if there is none: SQLite would let everybody, and gives what
 * it keeps beside it the same mode. One that is there is not even opened, as closing it would give up locks.
 */
function makeFile(path: string): void {
  try {
    Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }).close();
  } catch {
    // It is there already, or SQLite says why it cannot be.
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
