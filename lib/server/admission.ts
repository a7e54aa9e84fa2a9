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
  drop: Drop & ("full" | "address-full" | "banned");
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

/** From where there are connections. */
export interface Network {
  /** As {@linkcode networkOf} names it. */
  readonly name: string;
  /** Whether it is this machine itself. */
  readonly isLoopback: boolean;
  /** How many connections come from there. */
  count: number;
}

/** Counts connections. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #networks = new Map<string, Network>();
  #count = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /**
   * Counts a connection from `host`, unless there is no room for it.
   *
   * @returns where it comes from, or why there is none
   */
  admit(host: string): Network | TurnedAway {
    const { maxConnections, maxPerAddress, limitLoopback } = this.#limits;
    if (this.#count >= maxConnections) {
      const reason = `the server is full, it has ${
        connections(maxConnections)
      }`;
      return { drop: "full", reason };
    }
    const name = networkOf(host);
    const network = this.#networks.get(name) ??
      { name, isLoopback: isLoopback(host), count: 0 };
    const isBound = limitLoopback || !network.isLoopback;
    if (network.count >= maxPerAddress && isBound) {
      const reason = `your address has ${connections(maxPerAddress)} already`;
      return { drop: "address-full", reason };
    }
    this.#count++;
    network.count++;
    this.#networks.set(name, network);
    return network;
  }

  /** A connection from there has ended. */
  leave(network: Network): void {
    this.#count--;
    if (--network.count === 0) this.#networks.delete(network.name);
  }
}

function connections(count: number): string {
  return `${count} ${count === 1 ? "connection" : "connections"}`;
}
