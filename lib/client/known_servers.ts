/**
 * The servers whose certificates somebody has decided to trust: a line with address and fingerprint each, as ssh
 * keeps them. Knows no connection, and asks nobody.
 */

import { type Address, formatAddress } from "../address.ts";
import { describe } from "../fault.ts";
import { changePrivateFile, readPrivateFile } from "./private_file.ts";

/** What the fingerprint of a certificate looks like: SHA-256, in base64 without padding. */
export const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/;

/** A certificate that is trusted at an address. */
export interface Known {
  fingerprint: string;
  /** Where that is said, for people. */
  where: string;
}

/** A file of known servers; what cannot be written to it holds for this time. */
export class KnownServers {
  readonly #path: string;
  readonly #forNow = new Map<string, string>();

  /** @param path where the file is, or will be; empty if there is no place for one */
  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Which certificate is trusted at an address, if one is.
   *
   * @throws {Error} if the file cannot be read, or a line of it is malformed
   */
  async find(address: Address): Promise<Known | undefined> {
    const name = nameOf(address);
    const forNow = this.#forNow.get(name);
    return parse(await this.#read(), this.#path).get(name) ??
      (forNow ? { fingerprint: forNow, where: "what you said" } : undefined);
  }

  /**
   * Trusts a certificate at an address from now on.
   *
   * @returns why that holds for this time only, if it cannot be written down
   */
  async trust(
    address: Address,
    fingerprint: string,
  ): Promise<string | undefined> {
    const name = nameOf(address);
    this.#forNow.set(name, fingerprint);
    if (this.#path === "") return "there is no place for known_servers";
    try {
      await changePrivateFile(this.#path, (text) => {
        parse(text, this.#path);
        const end = text === "" || text.endsWith("\n") ? "" : "\n";
        return `${text}${end}${name} ${fingerprint}\n`;
      });
      return undefined;
    } catch (error) {
      return describe(error);
    }
  }

  async #read(): Promise<string> {
    return this.#path === "" ? "" : await readPrivateFile(this.#path);
  }
}

/** An address as the file has it: nobody tells hosts apart by case. */
function nameOf({ host, port }: Address): string {
  return formatAddress({ host: host.toLowerCase(), port });
}

function parse(text: string, path: string): Map<string, Known> {
  const known = new Map<string, Known>();
  for (const [i, line] of text.split("\n").entries()) {
    const words = line.trim().split(/\s+/);
    const [name = "", fingerprint = "", ...more] = words;
    if (name === "" || name.startsWith("#")) continue;
    const where = `line ${i + 1} of ${path}`;
    if (!FINGERPRINT.test(fingerprint) || more.length > 0) {
      throw new Error(`${where}: it is not HOST:PORT SHA256:...`);
    }
    known.set(name.toLowerCase(), { fingerprint, where });
  }
  return known;
}
