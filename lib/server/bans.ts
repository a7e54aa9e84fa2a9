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
import { Looks } from "./looks.ts";

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
  /** What they are called, or want to be. */
  readonly name?: string | undefined;
  /** The name that they own, as `nameKey` writes it: with that they are meant by nothing that only looks like it. */
  readonly account?: string | undefined;
  /** The address from which they come. */
  readonly host?: string | undefined;
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
  /** By what it is found. */
  readonly marks: readonly string[];
  /** The key of the name with which it was banned. */
  readonly withKey: string | undefined;
}

/** Those who are banned, or those who are muted. */
export class Bans {
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  readonly #marked = new Map<string, Set<Entry>>();
  #looks: Looks | undefined;
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

  /** What has to be there before a name is added. */
  async prepare(): Promise<void> {
    this.#looks ??= await Looks.load();
  }

  /**
   * Adds one, in the place of what there is for the same target. One whose target means nobody is left out.
   *
   * @throws {TypeError} it is a name, and nothing was prepared
   */
  add(ban: Ban): void {
    const target = readTarget(ban.target);
    if (typeof target === "string") return;
    const { key, network } = target;
    const marks = this.#marksOf(target);
    this.#delete(key);
    const withKey = ban.with === undefined ? undefined : nameKey(ban.with);
    const entry = { ban, network, marks, withKey };
    this.#entries.set(key, entry);
    for (const mark of marks) {
      const marked = this.#marked.get(mark);
      if (marked) marked.add(entry);
      else this.#marked.set(mark, new Set([entry]));
    }
    if (network) this.#count(network, 1);
    this.#nextEnd = Math.min(this.#nextEnd, ban.until ?? Infinity);
  }

  /**
   * Whether somebody is meant by a target.
   *
   * @throws {TypeError} it is a name, and nothing was prepared
   */
  isMeant(suspect: Suspect, target: Target): boolean {
    const { network } = target;
    const { host } = suspect;
    if (network) return host !== undefined && isWithin(host, network);
    const marks = this.#marksOf(target);
    return this.#marksBorne(suspect).some((mark) => marks.includes(mark));
  }

  /** The one by which somebody is meant, of several the one that lasts longest. */
  find(suspect: Suspect): Ban | undefined {
    this.#expire();
    if (this.#entries.size === 0) return undefined;
    return this.#marksBorne(suspect)
      .flatMap((mark) => [...this.#marked.get(mark) ?? []])
      .map(({ ban }) => ban)
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

  /** By what those are found whom a target means. */
  #marksOf({ key, text, network }: Target): string[] {
    // The server gives guests their names, which imitate nobody.
    if (network || isGuestName(text)) return [key];
    if (!this.#looks) throw new TypeError("names were not prepared for");
    return [key, ...this.#looks.ofAll(text).map(lookMark)];
  }

  /** By what somebody can be found. */
  #marksBorne({ name, account, host }: Suspect): string[] {
    const marks = host === undefined ? [] : [...this.#networksOf(host)];
    if (account !== undefined) marks.push(account);
    if (name === undefined) return marks;
    const key = nameKey(name);
    if (key === account) return marks;
    marks.push(key);
    if (isGuestName(name) || !this.#looks) return marks;
    return [...marks, ...this.#looks.of(name).map(lookMark)];
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
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    for (const mark of entry.marks) {
      const marked = this.#marked.get(mark);
      marked?.delete(entry);
      if (marked?.size === 0) this.#marked.delete(mark);
    }
    if (entry.network) this.#count(entry.network, -1);
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

/** A look is no name: neither contains what the other is compared with. */
function lookMark(look: string): string {
  return `~${look}`;
}

/** Until when, and why: behind what somebody is. */
export function conditions({ until, reason }: Ban): string {
  return `${until === undefined ? "" : ` ${untilWhen(until)}`}${
    reason === undefined ? "" : `: ${reason}`
  }`;
}

/** @param until when something is over, in ms since 1970; never, if it is not said */
export function untilWhen(until: number | undefined): string {
  if (until === undefined) return "for good";
  const second = new Date(1000 * Math.ceil(until / 1000));
  return `until ${second.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
