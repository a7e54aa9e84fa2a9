/**
 * The certificate, looked at again while the server runs: another one is shown to whoever comes from then on, and one
 * that will not do to nobody. Knows files, and no sockets.
 */

import { getLogger } from "@logtape/logtape";
import { describe } from "../fault.ts";
import {
  type CredentialFiles,
  type Credentials,
  readCredentials,
  untimely,
} from "./credentials.ts";

const log = getLogger(["chat", "tls"]);

/** Whoever shows it. */
export interface Showing {
  /** @throws {CredentialsError} the one before is still shown */
  renew(credentials: Credentials): void;
}

/** A certificate in files that somebody renews some day. */
export class Renewal {
  readonly #files: CredentialFiles;
  readonly #showing: Showing;
  #shown: Credentials;
  /** What was wrong with the files when they were looked at last; it is news only once. */
  #fault: string | undefined;
  #turn: Promise<void> = Promise.resolve();
  readonly #looking: ReturnType<typeof setInterval>;

  /**
   * @param shown what was in the files
   * @param everyMs how often they are looked at; read, because a time of change can be the same as before
   */
  constructor(
    files: CredentialFiles,
    shown: Credentials,
    showing: Showing,
    everyMs: number,
  ) {
    this.#files = files;
    this.#shown = shown;
    this.#showing = showing;
    this.#warn();
    this.#looking = setInterval(() => void this.look(), everyMs);
  }

  /** What is wrong with the certificate that is shown, if something is. */
  get fault(): string | undefined {
    return untimely(this.#shown);
  }

  /** Looks at the files, one time after the other. Never throws: the log says what is wrong. */
  look(): Promise<void> {
    return this.#turn = this.#turn.then(() => this.#look());
  }

  /** Looks at them no more. */
  async close(): Promise<void> {
    clearInterval(this.#looking);
    await this.#turn;
  }

  async #look(): Promise<void> {
    try {
      const found = await readCredentials(this.#files);
      const { cert, key } = this.#shown;
      const isNew = found.cert !== cert || found.key !== key;
      if (isNew) this.#showing.renew(found);
      this.#fault = undefined;
      if (!isNew) return;
      this.#shown = found;
      log.info("the certificate was renewed", { file: this.#files.cert });
      this.#warn();
    } catch (error) {
      const reason = describe(error);
      if (reason === this.#fault) return;
      this.#fault = reason;
      log.error("the certificate is not renewed, the one before is shown", {
        reason,
      });
    }
  }

  #warn(): void {
    const { fault } = this;
    if (!fault) return;
    log.warn("nobody should trust the certificate", {
      file: this.#files.cert,
      why: fault,
    });
  }
}
