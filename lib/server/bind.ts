/** Listening on an address, and what is said if that cannot be done. Knows nothing of what listens. */

import { type Address, formatAddress } from "../address.ts";
import { describe } from "../fault.ts";

/** The address cannot be listened on; the message says which, and why, in one line. */
export class BindError extends Error {
  override name = "BindError";
}

/**
 * Does what listens on an address.
 *
 * @throws {BindError} if it cannot be listened on
 */
export function bind<T>(
  { host, port }: Address,
  listen: (options: { hostname: string; port: number }) => T,
): T {
  try {
    return listen({ hostname: host, port });
  } catch (error) {
    const address = formatAddress({ host, port });
    throw new BindError(`cannot listen on ${address}: ${faultOf(error)}`);
  }
}

/** An address of the system. */
export function addressOf({ hostname, port }: Deno.NetAddr): Address {
  return { host: hostname, port };
}

function faultOf(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "the address is in use";
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return "the address is not one of this machine's";
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return "this port takes more rights";
  }
  return describe(error);
}
