/**
 * What operators have ordered, on disk: in chat.db, beside the messages, through a connection of its own. What is
 * kept survives also a power failure.
 */

import { DatabaseSync } from "node:sqlite";
import { describe } from "../fault.ts";
import { type Ban, nameKey } from "../message.ts";
import { explained, oneLine, OpenedFile } from "./database.ts";
import { LogError } from "./log.ts";
import type { Orders, RoomOrder, Standing } from "./orders.ts";

/** How long to wait for another program that has locked the database, in ms: nobody is served meanwhile. */
const LOCKED_MS = 20;

/** {@linkcode Orders} on disk. */
export class SqliteOrders implements Orders {
  readonly lasts = true;
  readonly #db: DatabaseSync;
  readonly #file: OpenedFile;
  readonly #now: () => number;

  private constructor(db: DatabaseSync, file: OpenedFile, now: () => number) {
    this.#db = db;
    this.#file = file;
    this.#now = now;
  }

  /**
   * What is kept in a folder in which a log is open already.
   *
   * @param now the time, in ms since 1970; the system's by default
   * @throws {LogError} in one line that names the folder
   */
  static open(folder: string, now: () => number = Date.now): SqliteOrders {
    try {
      return explained("chat.db", () => {
        const file = `${folder}/chat.db`;
        const db = new DatabaseSync(file, { timeout: LOCKED_MS });
        return new SqliteOrders(db, new OpenedFile(file), now);
      });
    } catch (error) {
      const text = `Cannot open the orders in ${folder}: ${describe(error)}`;
      throw new LogError(oneLine(text), { cause: error });
    }
  }

  load(): Promise<Standing> {
    return this.#do(() => {
      const bans = this.#db.prepare(
        `SELECT kind, target, with_name, by_name, reason, since, until
        FROM bans WHERE until IS NULL OR until > ? ORDER BY since`,
      ).all(this.#now()).map((row): Ban => ({
        kind: row.kind === "mute" ? "mute" : "ban",
        target: String(row.target),
        ...(row.with_name !== null && { with: String(row.with_name) }),
        by: String(row.by_name),
        ...(row.reason !== null && { reason: String(row.reason) }),
        since: Number(row.since),
        ...(row.until !== null && { until: Number(row.until) }),
      }));
      const rooms = this.#db.prepare(
        "SELECT room, topic, slow_seconds FROM room_orders",
      ).all().map((row): RoomOrder => ({
        room: String(row.room),
        topic: String(row.topic),
        slowSeconds: Number(row.slow_seconds),
      }));
      return { bans, rooms };
    });
  }

  ban(bans: readonly Ban[]): Promise<void> {
    return this.#write(() => {
      this.#db.prepare("DELETE FROM bans WHERE until <= ?").run(this.#now());
      const add = this.#db.prepare(
        `INSERT OR REPLACE INTO bans
          (kind, key, target, with_name, by_name, reason, since, until)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      );
      for (const ban of bans) {
        const { kind, target, by, reason, since, until } = ban;
        add.run(
          ...[kind, nameKey(target), target, ban.with ?? null, by],
          ...[reason ?? null, since, until ?? null],
        );
      }
    });
  }

  lift(bans: readonly Ban[]): Promise<void> {
    return this.#write(() => {
      const lift = this.#db.prepare(
        "DELETE FROM bans WHERE kind = ? AND key = ?",
      );
      for (const { kind, target } of bans) lift.run(kind, nameKey(target));
    });
  }

  order({ room, topic, slowSeconds }: RoomOrder): Promise<void> {
    return this.#write(() => {
      const key = nameKey(room);
      if (topic === "" && slowSeconds === 0) {
        this.#db.prepare("DELETE FROM room_orders WHERE key = ?").run(key);
      } else {
        this.#db.prepare(
          `INSERT OR REPLACE INTO room_orders (key, room, topic, slow_seconds)
          VALUES (?, ?, ?, ?)`,
        ).run(key, room, topic, slowSeconds);
      }
    });
  }

  close(): Promise<void> {
    return this.#do(() => this.#db.close());
  }

  #do<T>(work: () => T): Promise<T> {
    return Promise.try(() => explained("chat.db", work));
  }

  /** All of it or nothing. */
  #write(work: () => void): Promise<void> {
    return this.#do(() => {
      this.#file.makeSureItIsThere();
      this.#db.exec("BEGIN IMMEDIATE");
      try {
        work();
        this.#db.exec("COMMIT");
      } catch (error) {
        try {
          this.#db.exec("ROLLBACK");
        } catch {
          // After some errors SQLite has done so itself.
        }
        throw error;
      }
    });
  }
}
