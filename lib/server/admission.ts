/**
 * Who may connect: how many connections there are, in all and from each network. Knows addresses, and nothing of
 * what is said.
 */

import ipaddr from "ipaddr.js";
import type { Limits } from "./limits.ts";
import type { Drop } from "./tally.ts";

/** What binds how many may connect. */
export type AdmissionLimits = Readonly<
  Pick<Limits, "maxConnections" | "maxPerAddress" | "limitLoopback">
>;

/** Somebody for whom there is no room. */
export interface TurnedAway {
  drop: Drop & ("full" | "address-full");
  /** Why, in words for whoever wants to connect. */
  reason: string;
}

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

  /** Counts a connection from `host`, unless there is no room for it. */
  admit(host: string): TurnedAway | undefined {
    const { maxConnections, maxPerAddress, limitLoopback } = this.#limits;
    if (this.#count >= maxConnections) {
      const reason = `the server is full, it has ${
        connections(maxConnections)
      }`;
      return { drop: "full", reason };
    }
    const network = networkOf(host);
    const count = this.#networks.get(network) ?? 0;
    if (count >= maxPerAddress && (limitLoopback || !isLoopback(host))) {
      const reason = `your address has ${connections(maxPerAddress)} already`;
      return { drop: "address-full", reason };
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
