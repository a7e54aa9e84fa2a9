/**
 * The hub: members, their names and sessions, and what they ask for. A command goes in, events come out. It must
 * not know about sockets or dialects.
 */

import { describe } from "../fault.ts";
import {
  type ChatEvent,
  type Command,
  FINAL,
  guestName,
  type Hello,
  LOBBY,
  MAX_HISTORY,
  MAX_LISTED,
  nameFault,
  nameKey,
  normalizeName,
  type Refusal,
  utf8Length,
} from "../message.ts";
import { type Log, LogError } from "./log.ts";
import type { Limits } from "./options.ts";
import type { Batch, Outbox, Turns } from "./outbox.ts";
import { Reading } from "./reading.ts";
import type { Room, Seat, Sitter, Start } from "./room.ts";
import { Rooms, TooManyRooms } from "./rooms.ts";

/** How many names of members or rooms are on one page: the longest ones take less than 16 KiB. */
const PAGE_NAMES = 100;

/** How many direct messages are remembered at most. */
const MAX_TOLD = 100_000;

/** How many messages of history are shown if nobody says how many. */
const DEFAULT_HISTORY = 20;

/** The connection through which a member speaks and hears. */
export interface Connection {
  readonly outbox: Outbox;
  /** Ends it; the member is told why. */
  end(reason: string): void;
}

/** Somebody who is here, or who may come back within moments. Only the hub changes what stands here. */
export interface Member extends Sitter {
  /** What they are called; empty until they have entered. */
  name: string;
  /** The number of the guest name that is theirs and nobody else's. */
  guest?: number;
  /** By what a program is known again: a hash of its secret. */
  session?: string;
  /** None while it is lost, and when they have left. */
  connection: Connection | undefined;
  /** The last message of the lobby when they arrived. */
  readonly arrivedAt: number;
  readonly seats: Map<Room, Seat>;
  /** Who told them something last. */
  correspondent?: Member;
  /** Runs while their connection is lost. */
  hold?: ReturnType<typeof setTimeout>;
}

/** What members ask the hub for. The other commands are between them and their session. */
export type Request = Exclude<Command, { type: "quit" | "help" | "ping" }>;

type Asking<T extends Request["type"]> = Command & { type: T };

/** What the hub needs to know of the limits. */
export type HubLimits = Pick<
  Limits,
  | "maxMessageBytes"
  | "replay"
  | "holdMs"
  | "maxRooms"
  | "maxRoomsJoined"
  | "directMemoryMs"
>;

/** The members and their rooms. */
export class Hub {
  readonly #limits: HubLimits;
  readonly #server: string;
  readonly #rooms: Rooms;
  readonly #reading: Reading;
  readonly #members = new Set<Member>();
  readonly #names = new Map<string, Member>();
  readonly #sessions = new Map<string, Member>();
  /** The direct messages that sessions have sent, and when, oldest first. */
  readonly #told = new Map<string, number>();
  #guests = 0;

  private constructor(
    turns: Turns,
    log: Log,
    rooms: Rooms,
    options: { limits: HubLimits; server: string },
  ) {
    this.#rooms = rooms;
    this.#reading = new Reading(log, turns);
    this.#limits = options.limits;
    this.#server = options.server;
  }

  /**
   * Opens the lobby.
   *
   * @param options `server` is what the server calls itself
   * @throws {LogError}
   */
  static async open(
    turns: Turns,
    log: Log,
    options: { limits: HubLimits; server: string },
  ): Promise<Hub> {
    const rooms = await Rooms.open(turns, log, options.limits.maxRooms);
    return new Hub(turns, log, rooms, options);
  }

  /** A new member, who misses nothing from now on, but whom nobody sees before they enter. */
  arrive(connection: Connection): Member {
    const member = newcomer(connection, this.#rooms.lobby.seq);
    this.#members.add(member);
    return member;
  }

  /**
   * A person enters the lobby, under the name they wish for or that of a guest, and is shown what was said before
   * they came, and since.
   *
   * @returns when they have been shown all of that
   */
  async enter(member: Member, wish?: Asking<"nick">): Promise<void> {
    const { arrivedAt, connection } = member;
    if (!connection) return;
    const refusal = this.#name(member, wish);
    const start = { behind: arrivedAt, resumes: false };
    const seat = this.#sit(member, this.#rooms.lobby, connection.outbox, start);
    if (refusal) this.tell(member, refusal);
    this.tell(member, this.#welcome(member));
    await this.#show(member, seat, arrivedAt);
  }

  /**
   * A program enters, or comes back: a session that is known goes on with its name and in its rooms. It is shown
   * what it has missed.
   *
   * @param member who has arrived, and may have entered as a person
   * @param session by what the program is known again, if it wants to be
   * @returns who it is now
   */
  async hello(
    member: Member,
    hello: Hello,
    session?: string,
  ): Promise<Member> {
    const { rooms, refusals } = await this.#enterAll(hello, session);
    const { connection } = member;
    if (connection) {
      this.#leave(member);
      member = this.#resume(connection, session) ??
        this.#begin(connection, hello, session, refusals);
      const anew = this.#sitAll(member, connection.outbox, rooms, hello);
      for (const event of [...refusals, this.#welcome(member), ...anew]) {
        this.tell(member, event);
      }
      for (const seat of member.seats.values()) void this.#readOn(member, seat);
    }
    for (const room of rooms) this.#rooms.entered(room);
    return member;
  }

  /**
   * Does what a member asks for; whatever comes of it is told to whom it concerns.
   *
   * @returns when the member has been told all of it, if that takes longer than this call
   */
  handle(member: Member, command: Request): Promise<void> | void {
    switch (command.type) {
      case "say":
        return this.#say(member, command);
      case "tell":
        return this.#tellSomebody(member, this.#find(command.to), command);
      case "reply":
        return this.#reply(member, command);
      case "join":
        return this.#join(member, command);
      case "leave":
        return this.#leaveRoom(member, command);
      case "rooms":
        return this.#listRooms(member, command);
      case "nick":
        return this.#rename(member, command);
      case "who":
        return this.#listMembers(member, command);
      case "history":
        return this.#recount(member, command);
    }
  }

  /** Tells one member, after everything that was said before in their rooms. */
  tell(member: Member, event: ChatEvent | Batch): void {
    for (const [room, seat] of member.seats) room.catchUp(seat);
    member.connection?.outbox.tell(event);
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
    if (quits || member.session === undefined) return this.#leave(member);
    for (const [room, seat] of member.seats) room.lose(seat);
    member.connection = undefined;
    member.hold = setTimeout(() => this.#leave(member), this.#limits.holdMs);
  }

  /** Takes everybody out at once: they are sent what was said up to now, and told nothing of each other. */
  dismiss(): void {
    for (const member of this.#members) {
      clearTimeout(member.hold);
      for (const [room, seat] of member.seats) room.stand(seat);
      member.seats.clear();
      member.connection = undefined;
    }
    this.#members.clear();
    this.#names.clear();
    this.#sessions.clear();
  }

  #leave(member: Member): void {
    if (!this.#members.delete(member)) return;
    clearTimeout(member.hold);
    for (const [room, seat] of member.seats) {
      room.stand(seat);
      const { name } = member;
      this.#rooms.announce(room, { type: "offline", room: room.name, name });
    }
    member.seats.clear();
    member.connection = undefined;
    if (member.name !== "") this.#names.delete(nameKey(member.name));
    if (member.session !== undefined) this.#sessions.delete(member.session);
  }

  /** The member of a session that is known goes on in `connection`; the one that it had ends. */
  #resume(connection: Connection, session?: string): Member | undefined {
    const member = session === undefined
      ? undefined
      : this.#sessions.get(session);
    if (!member) return undefined;
    clearTimeout(member.hold);
    const stale = member.connection;
    member.connection = connection;
    stale?.end(FINAL.replaced);
    return member;
  }

  /** A program that is not known enters, under the name it wishes for or that of a guest. */
  #begin(
    connection: Connection,
    { name }: Hello,
    session: string | undefined,
    refusals: ChatEvent[],
  ): Member {
    const member: Member = {
      ...newcomer(connection, this.#rooms.lobby.seq),
      isProgram: true,
      ...(session === undefined ? {} : { session }),
    };
    this.#members.add(member);
    if (session !== undefined) this.#sessions.set(session, member);
    const wish = name === undefined ? undefined : { name, ref: "" };
    const refusal = this.#name(member, wish);
    if (refusal) refusals.push(refusal);
    return member;
  }

  /** The rooms that a program was in, and where it cannot be in one of them any more, why. */
  async #enterAll(
    { since = {} }: Hello,
    session?: string,
  ): Promise<{ rooms: Room[]; refusals: ChatEvent[] }> {
    const known = session === undefined
      ? undefined
      : this.#sessions.get(session);
    const names = [LOBBY, ...Object.keys(since)];
    for (const { name } of known?.seats.keys() ?? []) names.push(name);
    const rooms = new Set<Room>();
    const refusals: ChatEvent[] = [];
    for (const name of new Map(names.map((n) => [nameKey(n), n])).values()) {
      if (rooms.size === this.#limits.maxRoomsJoined) {
        refusals.push(this.#tooManyJoined(""));
        break;
      }
      const room = await this.#enterRoom(name, "");
      if ("code" in room) refusals.push(room);
      else rooms.add(room);
    }
    return { rooms: [...rooms], refusals };
  }

  /**
   * Seats a program in all of `rooms`, in each where it had stopped reading.
   *
   * @returns of which rooms the log is not the one that it had read
   */
  #sitAll(
    member: Member,
    outbox: Outbox,
    rooms: readonly Room[],
    { since = {} }: Hello,
  ): ChatEvent[] {
    const read = new Map(
      Object.entries(since).map(([room, since]) => [nameKey(room), since]),
    );
    const anew: ChatEvent[] = [];
    for (const room of new Set([...rooms, ...member.seats.keys()])) {
      const { name, log, seq } = room;
      const since = read.get(nameKey(name));
      const isSame = since && since.seq <= seq &&
        (since.log === undefined || since.log === log);
      if (since && !isSame) anew.push({ type: "anew", room: name, log });
      const start = isSame
        ? { behind: since.seq, resumes: true }
        : this.#fromReplay(room);
      const seat = member.seats.get(room);
      if (seat) room.move(seat, outbox, start);
      else this.#sit(member, room, outbox, start);
    }
    return anew;
  }

  /** Where who comes anew begins to read. */
  #fromReplay({ seq }: Room): Start {
    return { behind: Math.max(0, seq - this.#limits.replay), resumes: false };
  }

  #sit(member: Member, room: Room, outbox: Outbox, start: Start): Seat {
    const { name } = member;
    this.#rooms.announce(room, { type: "joined", room: room.name, name });
    const seat = room.sit(member, outbox, start);
    member.seats.set(room, seat);
    return seat;
  }

  #stand(member: Member, seat: Seat): void {
    const { room } = seat;
    room.stand(seat);
    member.seats.delete(room);
    const { name } = member;
    this.#rooms.announce(room, { type: "left", room: room.name, name });
  }

  /** The welcome: the rooms and who is there, as long as the names are not too many. */
  #welcome(member: Member): ChatEvent {
    let names = MAX_LISTED;
    const rooms = [...member.seats.keys()].map((room) => {
      const state = room.state(names);
      names -= state.members?.length ?? 0;
      return state;
    });
    return { type: "welcome", name: member.name, server: this.#server, rooms };
  }

  /** Shows a person who has come into a room what was said up to `upTo`, marked as earlier, and what was since. */
  async #show(member: Member, seat: Seat, upTo: number): Promise<void> {
    await this.#tellHistory(member, {
      room: seat.room,
      upTo,
      limit: this.#limits.replay,
      sayNone: false,
      ref: `/join ${seat.room.name}`,
    });
    await this.#readOn(member, seat);
  }

  async #readOn(member: Member, seat: Seat): Promise<void> {
    try {
      await this.#reading.readOn(seat);
    } catch (error) {
      // Going on would leave out what they have missed.
      member.connection?.end(`the history cannot be read: ${describe(error)}`);
    }
  }

  #say(member: Member, { room, text, action, ref }: Asking<"say">): void {
    const refusal = this.#refuseText(text, ref);
    if (refusal) return this.tell(member, refusal);
    const seat = this.#seatIn(member, room);
    if (!seat) return this.tell(member, notIn(room, ref));
    const { session } = member;
    this.#rooms.say(
      seat,
      { text, action, ref },
      session === undefined || ref === "" ? undefined : { session, id: ref },
    );
  }

  #reply(member: Member, { text, ref }: Asking<"reply">): void {
    const { correspondent } = member;
    if (correspondent) {
      return this.#tellSomebody(member, correspondent, { text, ref });
    }
    const reason = "nobody has told you anything yet";
    this.tell(member, refuse("name-unknown", reason, ref));
  }

  #tellSomebody(
    member: Member,
    receiver: Member | undefined,
    { text, ref }: { text: string; ref: string },
  ): void {
    const refusal = this.#refuseText(text, ref) ??
      this.#refuseReceiver(member, receiver, ref);
    if (refusal) return this.tell(member, refusal);
    if (!receiver) return;
    const told = { from: member.name, to: receiver.name, text };
    if (this.#isNews(member, ref)) {
      receiver.correspondent = member;
      const event = { type: "told", ...told, time: Date.now() } as const;
      this.tell(receiver, { ...event, own: false });
      if (!member.isProgram) this.tell(member, { ...event, own: true });
    }
    if (member.isProgram && ref !== "") this.tell(member, { type: "ack", ref });
  }

  #refuseReceiver(
    member: Member,
    receiver: Member | undefined,
    ref: string,
  ): Refusal | undefined {
    if (!receiver || !this.#members.has(receiver)) {
      return refuse("name-unknown", "nobody of that name is here", ref);
    }
    if (receiver === member) return refuse("name-unknown", "that is you", ref);
    if (!receiver.connection) {
      const reason = `${receiver.name} has lost the connection just now`;
      return refuse("away", reason, ref);
    }
    return undefined;
  }

  /** Whether a direct message has not been told before; from now on it has. */
  #isNews({ session }: Member, ref: string): boolean {
    if (session === undefined || ref === "") return true;
    const now = performance.now();
    for (const [key, at] of this.#told) {
      const isOld = now - at > this.#limits.directMemoryMs;
      if (!isOld && this.#told.size < MAX_TOLD) break;
      this.#told.delete(key);
    }
    const key = `${session} ${ref}`;
    if (this.#told.has(key)) return false;
    this.#told.set(key, now);
    return true;
  }

  async #join(
    member: Member,
    { room: name, ref }: Asking<"join">,
  ): Promise<void> {
    const room = await this.#enterRoom(name, ref);
    if ("code" in room) return this.tell(member, room);
    const seated = this.#joinEntered(member, room, ref);
    this.#rooms.entered(room);
    await seated;
  }

  #joinEntered(member: Member, room: Room, ref: string): Promise<void> | void {
    const { connection, isProgram, name } = member;
    // The connection may have been lost while the room was opened.
    if (!connection) return;
    const state = () => room.state();
    if (member.seats.has(room)) {
      return this.tell(member, {
        type: "joined",
        room: room.name,
        name,
        state: state(),
      });
    }
    if (isProgram && member.seats.size >= this.#limits.maxRoomsJoined) {
      return this.tell(member, this.#tooManyJoined(ref));
    }
    if (!isProgram) {
      for (const seat of member.seats.values()) this.#stand(member, seat);
    }
    const upTo = room.seq;
    const start = isProgram
      ? this.#fromReplay(room)
      : { behind: upTo, resumes: false };
    const seat = this.#sit(member, room, connection.outbox, start);
    this.tell(member, {
      type: "joined",
      room: room.name,
      name,
      state: state(),
    });
    if (!isProgram) return this.#show(member, seat, upTo);
    void this.#readOn(member, seat);
  }

  #leaveRoom(
    member: Member,
    { room, ref }: Asking<"leave">,
  ): Promise<void> | void {
    const seat = this.#seatIn(member, room);
    if (!seat) return this.tell(member, notIn(room, ref));
    if (seat.room === this.#rooms.lobby) {
      const reason = "the lobby cannot be left";
      return this.tell(member, refuse("room-kept", reason, ref));
    }
    if (!member.isProgram) {
      return this.#join(member, { type: "join", room: LOBBY, ref });
    }
    this.#stand(member, seat);
    const { name } = member;
    this.tell(member, { type: "left", room: seat.room.name, name });
  }

  async #listRooms(member: Member, { ref }: Asking<"rooms">): Promise<void> {
    let all;
    try {
      all = await this.#rooms.list();
    } catch (error) {
      return this.tell(member, cannotRead(error, ref));
    }
    const count = all.length;
    await this.#tellPages(
      member,
      pages(all.slice(0, MAX_LISTED)).map(
        (rooms, i, { length }) => ({
          type: "rooms",
          count,
          rooms,
          more: i + 1 < length,
        }),
      ),
    );
  }

  #listMembers(
    member: Member,
    { room: name, ref }: Asking<"who">,
  ): Promise<void> | void {
    const room = name === undefined
      ? this.#seatIn(member)?.room
      : this.#rooms.get(name);
    if (!room) {
      return this.tell(
        member,
        refuse("room-unknown", "there is no such room", ref),
      );
    }
    const { count } = room;
    const event = { type: "members", room: room.name, count } as const;
    if (!member.isProgram) {
      return this.tell(member, { ...event, names: room.names(), more: false });
    }
    return this.#tellPages(
      member,
      pages(room.names()).map(
        (names, i, { length }) => ({ ...event, names, more: i + 1 < length }),
      ),
    );
  }

  #recount(
    member: Member,
    { room: name, before, limit, ref }: Asking<"history">,
  ): Promise<void> | void {
    const seat = this.#seatIn(member, name);
    if (!seat) return this.tell(member, notIn(name, ref));
    const { room } = seat;
    return this.#tellHistory(member, {
      room,
      upTo: Math.min(room.seq, (before ?? Infinity) - 1),
      limit: Math.min(limit ?? DEFAULT_HISTORY, MAX_HISTORY),
      sayNone: true,
      ref,
    });
  }

  async #tellHistory(
    member: Member,
    { room, upTo, limit, sayNone, ref }: {
      room: Room;
      upTo: number;
      limit: number;
      sayNone: boolean;
      ref: string;
    },
  ): Promise<void> {
    const outbox = member.connection?.outbox;
    if (!outbox || (limit === 0 && !sayNone)) return;
    try {
      await this.#reading.recount(outbox, room.name, { upTo, limit, sayNone });
    } catch (error) {
      this.tell(member, cannotRead(error, ref));
    }
  }

  #rename(member: Member, command: Asking<"nick">): void {
    const refusal = this.#refuseName(member, command);
    if (refusal) return this.tell(member, refusal);
    const from = member.name;
    const to = normalizeName(command.name);
    this.#names.delete(nameKey(from));
    this.#names.set(nameKey(to), member);
    member.name = to;
    for (const room of member.seats.keys()) {
      room.rosterChanged();
      this.#rooms.announce(room, {
        type: "renamed",
        room: room.name,
        from,
        to,
      });
    }
  }

  /** Gives a member the name they wish for, or that of a guest; why not, if it is not the one they wished for. */
  #name(
    member: Member,
    wish?: { name: string; ref: string },
  ): Refusal | undefined {
    const refusal = wish && this.#refuseName(member, wish);
    member.name = wish && !refusal
      ? normalizeName(wish.name)
      : guestName(member.guest = ++this.#guests);
    this.#names.set(nameKey(member.name), member);
    return refusal;
  }

  #refuseName(
    member: Member,
    { name, ref }: { name: string; ref: string },
  ): Refusal | undefined {
    const wished = normalizeName(name);
    const isOwnGuestName = member.guest !== undefined &&
      wished === guestName(member.guest);
    const fault = isOwnGuestName ? undefined : nameFault(wished);
    if (fault) return refuse("name-invalid", fault, ref);
    if (wished === member.name) {
      return refuse("name-taken", "you have that name already", ref);
    }
    const owner = this.#find(wished);
    return owner && owner !== member
      ? refuse("name-taken", "that name is taken", ref)
      : undefined;
  }

  #refuseText(text: string, ref: string): Refusal | undefined {
    const bytes = utf8Length(text);
    const { maxMessageBytes } = this.#limits;
    if (bytes <= maxMessageBytes) return undefined;
    const reason =
      `${bytes} bytes are too long, a message has at most ${maxMessageBytes}`;
    return refuse("too-long", reason, ref);
  }

  #tooManyJoined(ref: string): Refusal {
    const reason = `one can be in ${this.#limits.maxRoomsJoined} rooms`;
    return refuse("too-many-rooms", reason, ref);
  }

  /** The room of that name, which is kept until it is said that it was entered; why not, if it cannot be. */
  async #enterRoom(name: string, ref: string): Promise<Room | Refusal> {
    const fault = nameFault(normalizeName(name));
    if (fault) return refuse("room-invalid", fault, ref);
    try {
      return await this.#rooms.enter(normalizeName(name));
    } catch (error) {
      return error instanceof TooManyRooms
        ? refuse("too-many-rooms", error.message, ref)
        : cannotRead(error, ref);
    }
  }

  /** Where a member sits in the room of that name, or in the only one where they are. */
  #seatIn(member: Member, name?: string): Seat | undefined {
    if (name === undefined) return [...member.seats.values()].at(0);
    const room = this.#rooms.get(name);
    return room && member.seats.get(room);
  }

  #find(name: string): Member | undefined {
    return this.#names.get(nameKey(name));
  }

  /** Tells a long answer, each page of it once the one before is written. */
  async #tellPages(
    member: Member,
    events: readonly ChatEvent[],
  ): Promise<void> {
    const outbox = member.connection?.outbox;
    for (const event of events) {
      this.tell(member, event);
      await outbox?.answered();
    }
  }
}

/** Somebody with a connection and without a name. */
function newcomer(connection: Connection, arrivedAt: number): Member {
  const seats = new Map<Room, Seat>();
  return { name: "", isProgram: false, connection, arrivedAt, seats };
}

function refuse(code: Refusal["code"], reason: string, ref: string): Refusal {
  return { type: "refused", code, reason, ref };
}

function notIn(room: string | undefined, ref: string): Refusal {
  return refuse("room-unknown", `you are not in ${room ?? "any room"}`, ref);
}

/** @throws what is not the log's fault */
function cannotRead(error: unknown, ref: string): Refusal {
  if (!(error instanceof LogError)) throw error;
  return refuse("storage", `the history cannot be read: ${error.message}`, ref);
}

/** `items` in pages; one that is empty, if there are none. */
function pages<T>(items: readonly T[]): T[][] {
  const pages: T[][] = [];
  for (let from = 0; from === 0 || from < items.length; from += PAGE_NAMES) {
    pages.push(items.slice(from, from + PAGE_NAMES));
  }
  return pages;
}
