/**
 * Whom operators keep out, or keep silent: names, addresses and networks, until when, and who is meant by that. Pure
 * but for the clock; knows neither who is here nor where it is kept.
 */

import ipaddr from "ipaddr.js";
import {
  type Ban,
  isGuestName,
  nameFault,
  nameKey,
  normalizeName,
} from "../message.ts";

/** Whom an operator means. */
export interface Target {
  /** In words: a name as it was said, an address, or a network such as `10.0.0.0/8`. */
  readonly text: string;
  /** What all ways to say it have in common. */
  readonly key: string;
  /** What an address or network covers; a name covers none. */
  readonly network?: Network;
}

/** An address and all others that have the same first bits. */
interface Network {
  readonly address: ipaddr.IPv4 | ipaddr.IPv6;
  readonly bits: number;
}

/** Somebody who may be meant. */
export interface Suspect {
  /** What they are called, and what else they own. */
  readonly names: readonly string[];
  /** The address from which they come. */
  readonly host: string | undefined;
}

/** An IPv6 network as long as this holds nothing but IPv4 addresses. */
const MAPPED_BITS = 96;

/** What an operator has to say instead. */
const WHAT_TARGETS_ARE =
  "say a name, an address, or a network such as 10.0.0.0/8";

/**
 * Reads whom an operator means. IPv4 addresses that are written as IPv6 are IPv4.
 *
 * @returns why it means nobody, in words, if it does not
 */
export function readTarget(text: string): Target | string {
  const [, host = "", bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const network = readNetwork(host, bits);
  if (network) return targetOf(network);
  const name = normalizeName(text);
  const isName = isGuestName(name) || nameFault(name) === undefined;
  return isName ? { text: name, key: nameKey(name) } : WHAT_TARGETS_ARE;
}

function readNetwork(host: string, bits?: string): Network | undefined {
  // Of the other ways to write an address, such as a single number, most are names.
  const isAddress = ipaddr.IPv4.isValidFourPartDecimal(host) ||
    ipaddr.IPv6.isValid(host);
  if (!isAddress) return undefined;
  const address = ipaddr.parse(host);
  const all = 8 * address.toByteArray().length;
  const length = bits === undefined ? all : Number(bits);
  if (length > all) return undefined;
  const isMapped = address instanceof ipaddr.IPv6 &&
    address.isIPv4MappedAddress() && length >= MAPPED_BITS;
  return isMapped
    ? { address: address.toIPv4Address(), bits: length - MAPPED_BITS }
    : { address, bits: length };
}

function targetOf({ address, bits }: Network): Target {
  const bytes = firstBits(address, bits);
  const first = ipaddr.fromByteArray(bytes);
  const isOne = bits === 8 * bytes.length;
  return {
    text: isOne ? `${first}` : `${first}/${bits}`,
    key: keyOf(bytes, bits),
    network: { address: first, bits },
  };
}

/** The bytes of an address, of which only so many bits are left. */
function firstBits(
  address: ipaddr.IPv4 | ipaddr.IPv6,
  bits: number,
): number[] {
  return address.toByteArray().map((byte, i) =>
    byte & (0xff00 >> Math.max(0, Math.min(8, bits - 8 * i)))
  );
}

function keyOf(bytes: readonly number[], bits: number): string {
  return `${bytes.join(".")}/${bits}`;
}

/** Whether an address is in a network. */
export function isWithin(host: string, { address, bits }: Network): boolean {
  const other = ipaddr.process(host);
  return other.kind() === address.kind() &&
    keyOf(firstBits(other, bits), bits) ===
      keyOf(firstBits(address, bits), bits);
}

/** Whether there are addresses of this machine itself in a network. */
export function holdsLoopback(network: Network): boolean {
  return network.address.range() === "loopback" ||
    ["127.0.0.1", "::1"].some((host) => isWithin(host, network));
}

/** A ban, and what would have to be read again from its words. */
interface Entry {
  readonly ban: Ban;
  readonly network: Network | undefined;
  /** The key of the name with which it was banned. */
  readonly withKey: string | undefined;
}

/** Those who are banned, or those who are muted. */
export class Bans {
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  /** How many of the networks are how long: a lookup takes one step for each length, however many there are. */
  readonly #lengths = new Map<number, number>();
  /** When the next one of them is over, in ms since 1970. */
  #nextEnd = Infinity;

  /** @param now the time, in ms since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** How many there are; those that are over may be counted until somebody is looked for. */
  get size(): number {
    return this.#entries.size;
  }

  /** All of them that are not over, the oldest first. */
  list(): Ban[] {
    this.#expire();
    return Array.from(this.#entries.values(), ({ ban }) => ban)
      .sort((a, b) => a.since - b.since);
  }

  /** Adds one, in the place of what there is for the same target. One whose target means nobody is left out. */
  add(ban: Ban): void {
    const target = readTarget(ban.target);
    if (typeof target === "string") return;
    const { key, network } = target;
    this.#delete(key);
    const withKey = ban.with === undefined ? undefined : nameKey(ban.with);
    this.#entries.set(key, { ban, network, withKey });
    if (network) this.#count(network, 1);
    this.#nextEnd = Math.min(this.#nextEnd, ban.until ?? Infinity);
  }

  /** The one by which somebody is meant, of several the one that lasts longest. */
  find({ names, host }: Suspect): Ban | undefined {
    this.#expire();
    if (this.#entries.size === 0) return undefined;
    const keys = names.map(nameKey);
    if (host !== undefined) keys.push(...this.#networksOf(host));
    return keys.flatMap((key) => this.#entries.get(key)?.ban ?? [])
      .sort((a, b) => (b.until ?? Infinity) > (a.until ?? Infinity) ? 1 : -1)
      .at(0);
  }

  /** Removes those for a target, and those that came with it; these were they. */
  remove({ key }: Target): Ban[] {
    this.#expire();
    const removed = [...this.#entries].filter(([other, { withKey }]) =>
      other === key || withKey === key
    );
    for (const [key] of removed) this.#delete(key);
    return removed.map(([, { ban }]) => ban);
  }

  *#networksOf(host: string): Generator<string> {
    if (this.#lengths.size === 0) return;
    const address = ipaddr.process(host);
    const most = 8 * address.toByteArray().length;
    for (const bits of this.#lengths.keys()) {
      if (bits <= most) yield keyOf(firstBits(address, bits), bits);
    }
  }

  #delete(key: string): void {
    const network = this.#entries.get(key)?.network;
    this.#entries.delete(key);
    if (network) this.#count(network, -1);
  }

  #count({ bits }: Network, change: 1 | -1): void {
    const count = (this.#lengths.get(bits) ?? 0) + change;
    if (count === 0) this.#lengths.delete(bits);
    else this.#lengths.set(bits, count);
  }

  /** Forgets what is over. */
  #expire(): void {
    const now = this.#now();
    if (now < this.#nextEnd) return;
    this.#nextEnd = Infinity;
    for (const [key, { ban: { until = Infinity } }] of this.#entries) {
      if (until <= now) this.#delete(key);
      else this.#nextEnd = Math.min(this.#nextEnd, until);
    }
  }
}
