/**
 * Where it is kept which names are registered. Asynchronous, as a later store may be on another machine; and the
 * store in memory.
 */

import { nameKey } from "../message.ts";

/** A name that is registered, and what is kept of its password. */
export interface Account {
  readonly name: string;
  readonly hash: string;
}

/** Keeps accounts. Names are compared as `nameKey` does. Whatever is asked of it throws LogError if it fails. */
export interface Accounts {
  /** Whether they are there after the server has ended. */
  readonly lasts: boolean;
  /** All names. */
  names(): Promise<string[]>;
  /** The account of this name, if there is one. */
  find(name: string): Promise<Account | undefined>;
  /** Adds an account; whether there was none of that name. */
  add(account: Account): Promise<boolean>;
  /** Changes what is kept of a password; whether there is such an account. */
  change(account: Account): Promise<boolean>;
  /** Removes an account, if there is one. */
  remove(name: string): Promise<void>;
  /** Nothing more will be asked. */
  close(): Promise<void>;
}

/** Accounts that are gone with the server. */
export class MemoryAccounts implements Accounts {
  readonly lasts = false;
  readonly #accounts = new Map<string, Account>();

  names(): Promise<string[]> {
    return Promise.resolve(
      [...this.#accounts.values()].map(({ name }) => name),
    );
  }

  find(name: string): Promise<Account | undefined> {
    return Promise.resolve(this.#accounts.get(nameKey(name)));
  }

  add(account: Account): Promise<boolean> {
    const key = nameKey(account.name);
    if (this.#accounts.has(key)) return Promise.resolve(false);
    this.#accounts.set(key, account);
    return Promise.resolve(true);
  }

  change(account: Account): Promise<boolean> {
    const key = nameKey(account.name);
    if (!this.#accounts.has(key)) return Promise.resolve(false);
    this.#accounts.set(key, account);
    return Promise.resolve(true);
  }

  remove(name: string): Promise<void> {
    this.#accounts.delete(nameKey(name));
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
