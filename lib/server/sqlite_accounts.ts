/**
 * Registered names on disk: in chat.db, beside the messages, through a connection of its own. What is kept survives
 * also a power failure.
 */

import { DatabaseSync } from "node:sqlite";
import { describe } from "../fault.ts";
import { nameKey } from "../message.ts";
import type { Account, Accounts } from "./accounts.ts";
import { explained, oneLine, OpenedFile } from "./database.ts";
import { LogError } from "./log.ts";

/** How long to wait for another program that has locked the database, in ms: nobody is served meanwhile. */
const LOCKED_MS = 20;

/** {@linkcode Accounts} on disk. */
export class SqliteAccounts implements Accounts {
  readonly lasts = true;
  readonly #db: DatabaseSync;
  readonly #file: OpenedFile;

  private constructor(db: DatabaseSync, file: OpenedFile) {
    this.#db = db;
    this.#file = file;
  }

  /**
   * What is kept in a folder in which a log is open already, which is to be closed after this.
   *
   * @throws {LogError} in one line that names the folder
   */
  static open(folder: string): SqliteAccounts {
    try {
      return explained("chat.db", () => {
        const file = `${folder}/chat.db`;
        const db = new DatabaseSync(file, { timeout: LOCKED_MS });
        return new SqliteAccounts(db, new OpenedFile(file));
      });
    } catch (error) {
      const text = `Cannot open the accounts in ${folder}: ${describe(error)}`;
      throw new LogError(oneLine(text), { cause: error });
    }
  }

  names(): Promise<string[]> {
    return this.#do(() =>
      this.#db.prepare("SELECT name FROM accounts").all()
        .map(({ name }) => String(name))
    );
  }

  find(name: string): Promise<Account | undefined> {
    return this.#do(() => {
      const row = this.#db
        .prepare("SELECT name, hash FROM accounts WHERE key = ?")
        .get(nameKey(name));
      return row && { name: String(row.name), hash: String(row.hash) };
    });
  }

  add({ name, hash }: Account): Promise<boolean> {
    return this.#write(() =>
      this.#db.prepare(
        `INSERT INTO accounts (key, name, hash) VALUES (?, ?, ?)
        ON CONFLICT DO NOTHING`,
      ).run(nameKey(name), name, hash).changes === 1
    );
  }

  change({ name, hash }: Account): Promise<boolean> {
    return this.#write(() =>
      this.#db.prepare("UPDATE accounts SET hash = ? WHERE key = ?")
        .run(hash, nameKey(name)).changes === 1
    );
  }

  remove(name: string): Promise<void> {
    return this.#write(() => {
      this.#db.prepare("DELETE FROM accounts WHERE key = ?").run(nameKey(name));
    });
  }

  close(): Promise<void> {
    return this.#do(() => this.#db.close());
  }

  #do<T>(work: () => T): Promise<T> {
    return Promise.try(() => explained("chat.db", work));
  }

  #write<T>(work: () => T): Promise<T> {
    return this.#do(() => {
      this.#file.makeSureItIsThere();
      return work();
    });
  }
}
