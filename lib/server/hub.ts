/**
 * The hub: members come, ask for something, and go. A command goes in, events come out. It must not know about
 * sockets or dialects.
 */

import {
  type ChatEvent,
  FINAL,
  type Hello,
  LOBBY,
  MAX_LISTED,
  nameKey,
  type Refusal,
} from "../message.ts";
import { MemoryAccounts } from "./accounts.ts";
import { Bans } from "./bans.ts";
import type { Log } from "./log.ts";
import {
  type Connection,
  type Member,
  Members,
  seatIn,
  tell,
  type Wish,
} from "./members.ts";
import type { Limits } from "./limits.ts";
import { Operating, type OperatingOptions } from "./operating.ts";
import {
  Logins,
  type LoginsLimits,
  openOwnership,
  type Ownership,
  type Proof,
} from "./logins.ts";
import type { Outbox } from "./outbox.ts";
import type { Turns } from "./turns.ts";
import type { Owned } from "./owned.ts";
import { Reading } from "./reading.ts";
import { type Request, type RequestLimits, Requests } from "./requests.ts";
import type { Room } from "./room.ts";
import { Rooms, type RoomsLimits } from "./rooms.ts";
import { Seating, type SeatingLimits } from "./seating.ts";

/** What the hub needs to know of the limits. */
export type HubLimits =
  & Readonly<Pick<Limits, "holdMs" | "maxConnections">>
  & RoomsLimits
  & SeatingLimits
  & RequestLimits
  & LoginsLimits;

/** What newcomers are told of the server. It may change while the server runs. */
export interface Greeting {
  /** What the server calls itself. */
  server: string;
  /** The message of the day, line by line; empty if there is none. */
  motd: readonly string[];
}

/** What a hub is made with. */
export interface HubOptions extends OperatingOptions {
  limits: HubLimits;
  greeting: Readonly<Greeting>;
  /** Whose the names are; nobody's, if it is not said. */
  ownership?: Ownership;
}

/** The members and their rooms. */
export class Hub {
  readonly #limits: HubLimits;
  readonly #greeting: Readonly<Greeting>;
  readonly #rooms: Rooms;
  readonly #members: Members;
  readonly #seating: Seating;
  readonly #operating: Operating;
  readonly #ownership: Ownership;
  readonly #logins: Logins;
  readonly #requests: Requests;

  private constructor(
    { rooms, members, seating }: {
      rooms: Rooms;
      members: Members;
      seating: Seating;
    },
    operating: Operating,
    { limits, greeting, ownership }: HubOptions & { ownership: Ownership },
  ) {
    this.#rooms = rooms;
    this.#limits = limits;
    this.#greeting = greeting;
    this.#members = members;
    this.#seating = seating;
    this.#operating = operating;
    this.#ownership = ownership;
    this.#logins = new Logins(members, seating, {
      limits,
      ownership,
      dismiss: (member) => this.#leave(member),
    });
    this.#requests = new Requests(
      members,
      rooms,
      seating,
      { operating, logins: this.#logins },
      limits,
    );
  }

  /**
   * Opens the lobby, and goes on from what operators have ordered before.
   *
   * @throws {LogError}
   */
  static async open(
    turns: Turns,
    log: Log,
    options: HubOptions,
  ): Promise<Hub> {
    const { limits, operators = [] } = options;
    const ownership = options.ownership ??
      await openOwnership(limits, { accounts: new MemoryAccounts() });
    await ownership.owned.reserve(operators);
    const bans = new Bans(options.now ?? Date.now);
    const { owned } = ownership;
    const members = new Members(limits, { owned, bans });
    const rooms = await Rooms.open(turns, log, limits);
    const seating = new Seating(rooms, new Reading(log, turns), limits);
    const house = { rooms, members, seating };
    return new Hub(
      house,
      await Operating.open({ ...house, bans }, limits, options),
      { ...options, ownership },
    );
  }

  /** From now on these names are those of operators, and no others. */
  appoint(operators: readonly string[]): void {
    this.#operating.appoint(operators);
    void this.#ownership.owned.reserve(operators);
  }

  /** Why nobody may come in from an address, if that is so. */
  bannedFrom(host: string): string | undefined {
    return this.#operating.bannedFrom(host);
  }

  /** How many rooms there are, and how many members, those included who have lost their connection just now. */
  get count(): { rooms: number; members: number } {
    return { rooms: this.#rooms.size, members: this.#members.entered };
  }

  /** A new member, who misses nothing from now on, but whom nobody sees before they enter. */
  arrive(connection: Connection): Member {
    return this.#members.add(connection, this.#rooms.lobby.seq);
  }

  /**
   * A person enters the lobby, under the name they wish for or that of a guest, and is shown what was said before
   * they came, and since.
   *
   * @param proven the name that they have proven to own, if they have
   * @returns when they have been shown all of that
   */
  async enter(member: Member, wish?: Wish, proven?: Owned): Promise<void> {
    const { arrivedAt, connection } = member;
    if (!connection) return;
    if (proven) this.#own(member, proven);
    const refusal = this.#members.name(member, wish);
    const start = { behind: arrivedAt, resumes: false };
    const { lobby } = this.#rooms;
    const seat = this.#seating.sit(member, lobby, connection.outbox, start);
    if (refusal) tell(member, refusal);
    tell(member, this.#welcome(member));
    await this.#seating.show(member, seat, arrivedAt);
  }

  /**
   * A program enters, or comes back: a session that is known goes on with its name and in its rooms. It is shown
   * what it has missed.
   *
   * @param member who has arrived, and may have entered as a person
   * @param session by what the program is known again, if it wants to be
   * @param proof the name that it has proven to own, if it has already
   * @returns who it is now
   */
  async hello(
    member: Member,
    hello: Hello,
    session?: string,
    proof?: Owned,
  ): Promise<Member> {
    const proven = proof ?? await this.#prove(member, hello, session);
    const { rooms, refusals } = await this.#enterAll(hello, session);
    const { connection, arrivedAt } = member;
    if (connection) {
      this.#leave(member);
      if (proven && "code" in proven) refusals.push(proven);
      member = this.#resume(connection, session, proven) ??
        this.#begin(connection, hello, session, { proven, refusals });
      const start = { outbox: connection.outbox, arrivedAt };
      const anew = this.#sitAll(member, start, rooms, hello);
      for (const event of [...refusals, this.#welcome(member), ...anew]) {
        tell(member, event);
      }
      for (const seat of member.seats) {
        void this.#seating.readOn(member, seat);
      }
    }
    for (const room of rooms) this.#rooms.entered(room);
    return member;
  }

  /** Whether somebody knows the password of a name, before they come in; why they are not believed, if they are not. */
  check(host: string, proof: Proof): Promise<Owned | Refusal> {
    return this.#logins.check(host, proof);
  }

  /** Whether a session is that of somebody who is logged in. */
  isLoggedIn(session: string): boolean {
    return this.#members.ofSession(session)?.account !== undefined;
  }

  /**
   * Does what a member asks for; whatever comes of it is told to whom it concerns.
   *
   * @returns when the member has been told all of it, if that takes longer than this call
   */
  handle(member: Member, request: Request): Promise<void> | void {
    return this.#requests.handle(member, request);
  }

  /**
   * A member's connection ends: they have been sent what was said up to now. A session that may be resumed is
   * waited for, and nobody is told; of anybody else the others are told that they are offline.
   *
   * @param quits whether the member will not come back
   */
  part(member: Member, connection: Connection, quits: boolean): void {
    // The session goes on in another connection.
    if (member.connection !== connection) return;
    const { holdMs, maxConnections } = this.#limits;
    // Whoever comes and is lost again and again must not fill the memory with those who are waited for.
    const isFull = this.#members.size > maxConnections;
    if (quits || isFull || member.session === undefined) {
      return this.#leave(member);
    }
    for (const seat of member.seats) seat.room.lose(seat);
    member.connection = undefined;
    member.lostFrom = connection.host;
    member.hold = setTimeout(() => this.#leave(member), holdMs);
  }

  /** Takes everybody out at once: they are sent what was said up to now, and told nothing of each other. */
  dismiss(): void {
    for (const member of [...this.#members]) {
      this.#seating.vanish(member);
      this.#members.remove(member);
    }
  }

  #leave(member: Member): void {
    if (this.#members.has(member)) this.#seating.leaveAll(member);
    this.#members.remove(member);
  }

  #own(member: Member, proven: Owned): void {
    if (!this.#logins.trust(member, proven)) return;
    this.#logins.reclaim(member, proven.name);
  }

  /** Who owns the name that a program has said with a password; why it is not believed; nothing, if it has said none. */
  async #prove(
    { connection }: Member,
    { name, login: password }: Hello,
    session?: string,
  ): Promise<Owned | Refusal | undefined> {
    if (!connection || name === undefined || password === undefined) {
      return undefined;
    }
    const known = this.#members.ofSession(session);
    // Its secret proves as much, and is checked at once when many come back.
    if (known?.account === nameKey(name)) return undefined;
    return await this.#logins.check(connection.host, {
      name,
      password,
      ref: "",
    });
  }

  /** The member of a session that is known goes on in `connection`; the one that it had ends. */
  #resume(
    connection: Connection,
    session: string | undefined,
    proven: Owned | Refusal | undefined,
  ): Member | undefined {
    const member = this.#members.ofSession(session);
    if (!member) return undefined;
    if (proven && !("code" in proven)) this.#logins.trust(member, proven);
    clearTimeout(member.hold);
    const stale = member.connection;
    member.connection = connection;
    member.lostFrom = undefined;
    stale?.end(FINAL.replaced);
    return member;
  }

  /** A program that is not known enters, under the name it wishes for or that of a guest. */
  #begin(
    connection: Connection,
    { name }: Hello,
    session: string | undefined,
    { proven, refusals }: {
      proven: Owned | Refusal | undefined;
      refusals: ChatEvent[];
    },
  ): Member {
    const { seq } = this.#rooms.lobby;
    const member = this.#members.add(connection, seq, { session });
    const isRefused = proven !== undefined && "code" in proven;
    if (proven && !isRefused) this.#own(member, proven);
    const wish = name === undefined || isRefused
      ? undefined
      : { name, ref: "" };
    const refusal = this.#members.name(member, wish);
    if (refusal) refusals.push(refusal);
    return member;
  }

  /** The rooms that a program was in, and where it cannot be in one of them any more, why. */
  async #enterAll(
    { since = {} }: Hello,
    session?: string,
  ): Promise<{ rooms: Room[]; refusals: ChatEvent[] }> {
    const known = this.#members.ofSession(session);
    // First where it still is: it can only be let into as many rooms as remain.
    const seated = (known?.seats ?? []).map(({ room }) => room.name);
    const names = [LOBBY, ...seated, ...Object.keys(since)];
    const rooms = new Set<Room>();
    const refusals: ChatEvent[] = [];
    for (const name of new Map(names.map((n) => [nameKey(n), n])).values()) {
      if (rooms.size === this.#limits.maxRoomsJoined) {
        refusals.push(this.#seating.tooManyJoined(""));
        break;
      }
      const room = await this.#seating.open(name, "");
      if ("code" in room) refusals.push(room);
      else rooms.add(room);
    }
    return { rooms: [...rooms], refusals };
  }

  /**
   * Seats a program in all of `rooms`, in each where it had stopped reading. Of the lobby it misses nothing since it
   * arrived.
   *
   * @returns of which rooms the log is not the one that it had read
   */
  #sitAll(
    member: Member,
    { outbox, arrivedAt }: { outbox: Outbox; arrivedAt: number },
    rooms: readonly Room[],
    { since = {} }: Hello,
  ): ChatEvent[] {
    const read = new Map(
      Object.entries(since).map(([room, since]) => [nameKey(room), since]),
    );
    const anew: ChatEvent[] = [];
    for (const room of new Set([...rooms, ...roomsOf(member)])) {
      const { name, log, seq } = room;
      const since = read.get(nameKey(name));
      const isSame = since && since.seq <= seq &&
        (since.log === undefined || since.log === log);
      if (since && !isSame) anew.push({ type: "anew", room: name, log });
      const start = isSame
        ? { behind: since.seq, resumes: true }
        : this.#seating.fromReplay(room);
      if (!since && room === this.#rooms.lobby) {
        start.behind = Math.min(start.behind, arrivedAt);
      }
      const seat = seatIn(member, room);
      if (seat) room.move(seat, outbox, start);
      else this.#seating.sit(member, room, outbox, start);
    }
    return anew;
  }

  /** The welcome: the rooms and who is there, as long as the names are not too many; and the message of the day. */
  #welcome(member: Member): ChatEvent {
    let names = MAX_LISTED;
    const rooms = roomsOf(member).map((room) => {
      const state = room.state(names);
      names -= state.members?.length ?? 0;
      return state;
    });
    const { server, motd } = this.#greeting;
    return {
      type: "welcome",
      name: member.name,
      server,
      rooms,
      ...(motd.length > 0 && { motd }),
    };
  }
}

function roomsOf(member: Member): Room[] {
  return member.seats.map(({ room }) => room);
}
