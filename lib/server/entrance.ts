/**
 * An address that is listened on, and its accept loop. Knows nothing of those who come but that they have come.
 */

import { getLogger } from "@logtape/logtape";
import { type Address, formatAddress } from "../address.ts";
import { describe } from "../fault.ts";
import { addressOf, bind } from "./bind.ts";
import type { Limits } from "./limits.ts";

const log = getLogger(["chat", "listen"]);

/** Where connections come in. */
export class Entrance {
  /** Where it listens, as `127.0.0.1:5000` or `[::1]:5000`. */
  readonly address: string;
  /** The address and the port of the system, also if another or none was asked for. */
  readonly at: Address;
  readonly #listener: Deno.TcpListener;
  #isClosed = false;

  /** @throws {BindError} */
  constructor(where: Address) {
    this.#listener = bind(where, (options) => Deno.listen(options));
    this.at = addressOf(this.#listener.addr);
    this.address = formatAddress(this.at);
  }

  /** Calls `welcome` for each connection, until it is closed. */
  accept(
    limits: Readonly<Limits>,
    welcome: (conn: Deno.TcpConn) => void,
  ): Promise<void> {
    return acceptAll(this.#listener, limits, () => this.#isClosed, welcome);
  }

  close(): void {
    this.#isClosed = true;
    this.#listener.close();
  }
}

/** Calls `welcome` for each connection that a listener accepts, until that is closed. */
export async function acceptAll<T extends Deno.Conn>(
  listener: { accept(): Promise<T> },
  limits: Readonly<Limits>,
  isClosed: () => boolean,
  welcome: (conn: T) => void,
): Promise<void> {
  let failedAt = -Infinity;
  let isFailing = false;
  while (!isClosed()) {
    try {
      const conn = await listener.accept();
      if (isFailing) log.info("connections are accepted again");
      isFailing = false;
      welcome(conn);
    } catch (error) {
      if (isClosed()) return;
      // Who resets a connection before it is accepted is gone; the next one may be waiting already.
      if (isGone(error)) continue;
      // Out of file descriptors, most likely.
      // Those who are here go on; who comes waits in the queue of the system.
      const now = performance.now();
      if (now - failedAt > limits.acceptQuietMs) {
        log.error("cannot accept connections", { reason: describe(error) });
        isFailing = true;
      }
      failedAt = now;
      await pause(limits.acceptPauseMs);
    }
  }
}

/** Whether a connection ended before it was accepted. */
function isGone(error: unknown): boolean {
  const { ConnectionAborted, ConnectionReset, NotConnected } = Deno.errors;
  return [ConnectionAborted, ConnectionReset, NotConnected].some((gone) =>
    error instanceof gone
  );
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
