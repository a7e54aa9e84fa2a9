/**
 * Who may connect: how many connections there are, in all and from each network. Knows addresses, and nothing of
 * what is said.
 */

import ipaddr from "ipaddr.js";
import type { Limits } from "./options.ts";

/** What binds how many may connect. */
export type AdmissionLimits = Readonly<
  Pick<Limits, "maxConnections" | "maxPerAddress" | "limitLoopback">
>;

/** Whether an address is this machine's own. */
export function isLoopback(host: string): boolean {
  return ipaddr.process(host).range() === "loopback";
}

/**
 * What counts as one address: an IPv4 address, also where it is written as IPv6, or the /64 of an IPv6 address,
 * all of which is given to one customer.
 */
export function networkOf(host: string): string {
  const address = ipaddr.process(host);
  return address instanceof ipaddr.IPv6
    ? `${new ipaddr.IPv6([...address.parts.slice(0, 4), 0, 0, 0, 0])}/64`
    : address.toString();
}

/** Counts connections. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #networks = new Map<string, number>();
  #count = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Counts a connection from `host`; or why there is no room for it, in words for whoever wants to connect. */
  admit(host: string): string | undefined {
    const { maxConnections, maxPerAddress, limitLoopback } = this.#limits;
    if (this.#count >= maxConnections) {
      return `the server is full, it has ${connections(maxConnections)}`;
    }
    const network = networkOf(host);
    const count = this.#networks.get(network) ?? 0;
    if (count >= maxPerAddress && (limitLoopback || !isLoopback(host))) {
      return `your address has ${connections(maxPerAddress)} already`;
    }
    this.#count++;
    this.#networks.set(network, count + 1);
    return undefined;
  }

  /** A connection from `host` that was counted has ended. */
  leave(host: string): void {
    const network = networkOf(host);
    const count = this.#networks.get(network) ?? 0;
    this.#count--;
    if (count > 1) this.#networks.set(network, count - 1);
    else this.#networks.delete(network);
  }
}

function connections(count: number): string {
  return `${count} ${count === 1 ? "connection" : "connections"}`;
}
