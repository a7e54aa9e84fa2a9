/** Opening a socket to a server, and noticing one that expects TLS. Knows nothing of what is said through it. */

import type { Address } from "../address.ts";
import { describe } from "../fault.ts";
import { Lost, type Socket } from "./connection.ts";
import { unlessAborted } from "./waiting.ts";

/** The first bytes of what TLS answers to anything else: an alert. */
const ALERT = [0x15, 0x03];

/**
 * Opens a socket on which plain text is sent.
 *
 * @throws {Lost}
 */
export async function openPlain(
  address: Address,
  signal: AbortSignal,
): Promise<Socket> {
  return plainSocket(await openTcp(address, signal));
}

/**
 * Connects, by whichever address of `localhost` somebody listens at.
 *
 * @throws {Lost}
 */
export async function openTcp(
  { host, port }: Address,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  // Before 2.9, Deno tries only the first address of a name, and that of localhost may be ::1.
  const hosts = host === "localhost" ? ["127.0.0.1", "::1"] : [host];
  let reason = "";
  for (const hostname of hosts) {
    const connecting = Deno.connect({ hostname, port });
    try {
      return await unlessAborted(connecting, signal);
    } catch (error) {
      reason ||= connectFault(error);
      if (!signal.aborted) continue;
      connecting.then((late) => late.close(), () => {});
      break;
    }
  }
  throw new Lost(reason);
}

function connectFault(error: unknown): string {
  return error instanceof Deno.errors.ConnectionRefused
    ? "nobody listens there"
    : describe(error);
}

function plainSocket(conn: Deno.TcpConn): Socket {
  let isFirst = true;
  return {
    async read(buffer) {
      const count = await conn.read(buffer);
      if (isFirst && ALERT.every((byte, i) => buffer[i] === byte) && count) {
        throw new Lost("it speaks TLS; with --tls?", true);
      }
      isFirst = false;
      return count;
    },
    write: (bytes) => conn.write(bytes),
    closeWrite: () => conn.closeWrite(),
    close: () => conn.close(),
  };
}
