/**
 * Who is here: the members, the names they have, and the sessions by which programs are known again. Knows
 * neither what they say nor in which rooms.
 */

import {
  type ChatEvent,
  guestName,
  nameFault,
  nameKey,
  normalizeName,
  type Refusal,
} from "../message.ts";
import { isLoopback } from "./admission.ts";
import { type Bans, conditions } from "./bans.ts";
import type { Limits } from "./limits.ts";
import { Batch, type Outbox } from "./outbox.ts";
import type { OwnedNames } from "./owned.ts";
import type { Room, Seat, Sitter } from "./room.ts";
import type { Drop } from "./tally.ts";

/** The connection through which a member speaks and hears. */
export interface Connection {
  readonly outbox: Outbox;
  /** The address from which it comes, without a port. */
  readonly host: string;
  /** Ends it; the member is told why. `drop` is as what it counts, if that is the server's doing. */
  end(reason: string, drop?: Drop): void;
}

/** Somebody who is here, or who may come back within moments. Only the hub changes what stands here. */
export interface Member extends Sitter {
  /** What they are called; empty until they have entered. */
  name: string;
  /** The number of the guest name that is theirs and nobody else's. */
  guest: number | undefined;
  /** By what a program is known again: a hash of its secret. */
  readonly session: string | undefined;
  /** None while it is lost, and when they have left. */
  connection: Connection | undefined;
  /** From where they were connected, while their connection is lost. */
  lostFrom: string | undefined;
  /** The registered name that they have proven to own, as {@linkcode nameKey} writes it. */
  account: string | undefined;
  /** The last message of the lobby when they arrived. */
  readonly arrivedAt: number;
  /** Where they sit; a Map would take 200 bytes. */
  seats: readonly Seat[];
  /** Who told them something, if anybody has, by the name that they had then; the last of them was the last. */
  correspondents: Map<string, Member> | undefined;
  /** Runs while their connection is lost. */
  hold: ReturnType<typeof setTimeout> | undefined;
}

/** A name that somebody wishes for. */
export interface Wish {
  name: string;
  ref: string;
}

/** All members, those who have not entered yet included. */
export class Members implements Iterable<Member> {
  readonly #all = new Set<Member>();
  readonly #names = new Map<string, Member>();
  readonly #sessions = new Map<string, Member>();
  readonly #limits: Readonly<Pick<Limits, "limitLoopback">>;
  readonly #owned: OwnedNames;
  readonly #bans: Bans;
  #guests = 0;

  /** @param names to whom names belong, and who is banned */
  constructor(
    limits: Readonly<Pick<Limits, "limitLoopback">>,
    { owned, bans }: { owned: OwnedNames; bans: Bans },
  ) {
    this.#limits = limits;
    this.#owned = owned;
    this.#bans = bans;
  }

  [Symbol.iterator](): Iterator<Member> {
    return this.#all.values();
  }

  /** How many there are, those whose connection is lost included. */
  get size(): number {
    return this.#all.size;
  }

  /** How many of them have entered. */
  get entered(): number {
    return this.#names.size;
  }

  has(member: Sitter): boolean {
    const all: ReadonlySet<Sitter> = this.#all;
    return all.has(member);
  }

  /** Whose name this is, in whichever case. */
  find(name: string): Member | undefined {
    return this.#names.get(nameKey(name));
  }

  /** Who is called so, or else has logged in to that name. */
  whoIs(name: string): Member | undefined {
    const account = nameKey(name);
    return this.find(name) ??
      [...this.#all].find((member) => member.account === account);
  }

  /** Whose session this is. */
  ofSession(session: string | undefined): Member | undefined {
    return session === undefined ? undefined : this.#sessions.get(session);
  }

  /**
   * Adds somebody without a name.
   *
   * @param arrivedAt the last message of the lobby
   * @param program what is known of a program; without it, it is a person
   */
  add(
    connection: Connection,
    arrivedAt: number,
    program?: { session: string | undefined },
  ): Member {
    const session = program?.session;
    const member: Member = {
      name: "",
      guest: undefined,
      session,
      isProgram: program !== undefined,
      connection,
      lostFrom: undefined,
      account: undefined,
      arrivedAt,
      seats: [],
      correspondents: undefined,
      hold: undefined,
    };
    this.#all.add(member);
    if (session !== undefined) this.#sessions.set(session, member);
    return member;
  }

  /** Removes somebody: the name is free. */
  remove(member: Member): void {
    if (!this.#all.delete(member)) return;
    clearTimeout(member.hold);
    member.connection = undefined;
    // Who is gone keeps nobody else who is gone.
    member.correspondents = undefined;
    if (member.name !== "") this.#names.delete(nameKey(member.name));
    if (member.session !== undefined) this.#sessions.delete(member.session);
  }

  /** Gives a member the name they wish for, or that of a guest; why not, if it is not the one they wished for. */
  name(member: Member, wish?: Wish): Refusal | undefined {
    const fault = wish && this.#refuse(member, wish);
    member.name = wish && !fault
      ? normalizeName(wish.name)
      : guestName(member.guest = ++this.#guests);
    this.#names.set(nameKey(member.name), member);
    return fault;
  }

  /** Gives a member, whose name belongs to somebody else, that of a guest. */
  demote(member: Member): void {
    this.#names.delete(nameKey(member.name));
    member.name = guestName(member.guest ??= ++this.#guests);
    this.#names.set(nameKey(member.name), member);
  }

  /** Whether a name belongs to somebody else, or looks as if it did. */
  isRefused({ account, connection }: Member, name: string): boolean {
    const { limitLoopback } = this.#limits;
    const isAtHome = () =>
      !limitLoopback && connection !== undefined && isLoopback(connection.host);
    return this.#owned.refuses(name, { account, isAtHome });
  }

  /** Why somebody may not have a name: it is banned. */
  refuseBanned(
    { name, account }: { name: string; account: string | undefined },
    ref: string,
  ): Refusal | undefined {
    const ban = this.#bans.find({ name, account });
    const reason = ban && `that name is banned${conditions(ban)}`;
    return reason === undefined ? undefined : refusal("banned", reason, ref);
  }

  /** Gives a member another name; why not, if they keep the one they have. */
  rename(member: Member, wish: Wish): Refusal | undefined {
    const fault = this.#refuse(member, wish);
    if (fault) return fault;
    this.#names.delete(nameKey(member.name));
    member.name = normalizeName(wish.name);
    this.#names.set(nameKey(member.name), member);
    return undefined;
  }

  #refuse(member: Member, { name, ref }: Wish): Refusal | undefined {
    const wished = normalizeName(name);
    const isOwnGuestName = member.guest !== undefined &&
      wished === guestName(member.guest);
    const fault = isOwnGuestName ? undefined : nameFault(wished);
    if (fault) return refusal("name-invalid", fault, ref);
    if (wished === member.name) {
      return refusal("name-taken", "you have that name already", ref);
    }
    if (!isOwnGuestName && this.isRefused(member, wished)) {
      return refusal("name-owned", "that name belongs to somebody", ref);
    }
    const owner = this.find(wished);
    if (owner && owner !== member) {
      return refusal("name-taken", "that name is taken", ref);
    }
    const { account } = member;
    return this.refuseBanned({ name: wished, account }, ref);
  }
}

/** The address from which somebody is connected, or was a moment ago. */
export function hostOf(member: Member): string | undefined {
  return member.connection?.host ?? member.lostFrom;
}

/** Where somebody sits in a room, if they do. */
export function seatIn(member: Member, room: Room): Seat | undefined {
  return member.seats.find((seat) => seat.room === room);
}

/** Passes on what somebody else says to one member; it is no answer, and they need not have read it to be heard. */
export function passOn(member: Member, event: ChatEvent | Batch): void {
  catchUp(member);
  const batch = event instanceof Batch ? event : Batch.of(event);
  member.connection?.outbox.add(batch);
}

/** Tells one member, after everything that was said before in their rooms. */
export function tell(member: Member, event: ChatEvent | Batch): void {
  catchUp(member);
  member.connection?.outbox.tell(event);
}

function catchUp(member: Member): void {
  for (const seat of member.seats) seat.room.catchUp(seat);
}

/** What is told to whoever asked for something that is not done. */
export function refusal(
  code: Refusal["code"],
  reason: string,
  ref: string,
): Refusal {
  return { type: "refused", code, reason, ref };
}
