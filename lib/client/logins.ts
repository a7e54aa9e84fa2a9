/**
 * The logins that somebody wants to be kept, in a file that only they can read: what they are is in here, when they
 * are used is not. One that was stored for a server is never given to another.
 */

import * as v from "valibot";
import { nameKey } from "../message.ts";
import type { Login } from "./conversation.ts";
import {
  changePrivateFile,
  isReadByOthers,
  readPrivateFile,
} from "./private_file.ts";

/** What stands in the file: a list of these. */
const ENTRIES = v.array(
  v.strictObject({
    server: v.string(),
    name: v.string(),
    password: v.string(),
  }),
);

type Entry = v.InferOutput<typeof ENTRIES>[number];

/** The logins for one server. */
export class Logins {
  readonly #path: string;
  readonly #server: string;

  /**
   * @param path where they are stored; empty if there is no such place
   * @param server how the connection to the server is written: its host, its port, and how it is protected
   */
  constructor(path: string, server: string) {
    this.#path = path;
    this.#server = server.toLowerCase();
  }

  /**
   * The password that is stored for a name, if there is one.
   *
   * @throws {Error} if the file is malformed, or others can read it
   */
  async find(name: string): Promise<string | undefined> {
    if (this.#path === "") return undefined;
    const entries = await this.#parse(await readPrivateFile(this.#path));
    return entries.find((entry) => this.#is(entry, name))?.password;
  }

  /**
   * Stores a login, in the place of what was stored for its name.
   *
   * @returns where it is now
   * @throws {Error} if it cannot be stored, and for the reasons of {@linkcode find}: such a file is left as it is
   */
  async remember({ name, password }: Login): Promise<string> {
    if (this.#path === "") throw new Error("there is no home to store it in");
    const entry = { server: this.#server, name, password };
    await changePrivateFile(this.#path, async (text) => {
      const others = (await this.#parse(text)).filter((each) =>
        !this.#is(each, name)
      );
      return format([...others, entry]);
    });
    return this.#path;
  }

  /**
   * Removes what is stored for a name.
   *
   * @returns whether anything was
   * @throws {Error} for the reasons of {@linkcode remember}
   */
  async forget(name: string): Promise<boolean> {
    if (await this.find(name) === undefined) return false;
    return await changePrivateFile(this.#path, async (text) => {
      const entries = await this.#parse(text);
      const others = entries.filter((each) => !this.#is(each, name));
      // Another client may have removed it meanwhile.
      return others.length === entries.length ? text : format(others);
    });
  }

  #is({ server, name }: Entry, wanted: string): boolean {
    return server === this.#server && nameKey(name) === nameKey(wanted);
  }

  async #parse(text: string): Promise<Entry[]> {
    const path = this.#path;
    if (text === "") return [];
    if (await isReadByOthers(path)) {
      throw new Error(
        `${path}: others can read it, so it is not used: chmod 600 helps`,
      );
    }
    const content = v.safeParse(ENTRIES, parseJson(text));
    if (content.success) return content.output;
    throw new Error(
      `${path}: it is no list of logins; it is not used, and left as it is`,
    );
  }
}

function format(entries: readonly Entry[]): string {
  return `${JSON.stringify(entries, undefined, 2)}\n`;
}

/** What the parser says of a file could show a part of it. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
