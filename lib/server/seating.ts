/**
 * Where members sit: coming into rooms, leaving them, and what somebody who comes in is shown of what was said.
 * Knows neither whose a name is nor sessions.
 */

import { describe } from "../fault.ts";
import { nameFault, normalizeName, type Refusal } from "../message.ts";
import { LogError } from "./log.ts";
import { type Member, refusal, seatIn, tell } from "./members.ts";
import type { Limits } from "./limits.ts";
import type { Outbox } from "./outbox.ts";
import type { Reading } from "./reading.ts";
import type { Room, Seat, Start } from "./room.ts";
import { type Rooms, TooManyRooms } from "./rooms.ts";

/** What binds who sits somewhere. */
export type SeatingLimits = Readonly<
  Pick<Limits, "replay" | "maxRoomsJoined" | "maxAnnounced">
>;

/** Lets members sit down and stand up. */
export class Seating {
  readonly #rooms: Rooms;
  readonly #reading: Reading;
  readonly #limits: SeatingLimits;

  constructor(rooms: Rooms, reading: Reading, limits: SeatingLimits) {
    this.#rooms = rooms;
    this.#reading = reading;
    this.#limits = limits;
  }

  /**
   * The room of that name, which is then kept for somebody who is about to sit down in it, until
   * {@linkcode Rooms.entered} is called; or why there cannot be one.
   */
  async open(name: string, ref: string): Promise<Room | Refusal> {
    const wished = normalizeName(name);
    const fault = nameFault(wished);
    if (fault) return refusal("room-invalid", fault, ref);
    try {
      return await this.#rooms.enter(wished);
    } catch (error) {
      return error instanceof TooManyRooms
        ? refusal("too-many-rooms", error.message, ref)
        : cannotRead(error, ref);
    }
  }

  /** Seats somebody who was not in the room; the others there are told, if they are not too many. */
  sit(member: Member, room: Room, outbox: Outbox, start: Start): Seat {
    const { name } = member;
    const isAnnounced = room.count < this.#limits.maxAnnounced;
    if (isAnnounced) {
      this.#rooms.announce(room, { type: "joined", room: room.name, name });
    }
    const seat = room.sit(member, outbox, start);
    seat.isAnnounced = isAnnounced;
    member.seats = [...member.seats, seat];
    return seat;
  }

  /** Somebody leaves a room, and the others there are told. */
  stand(member: Member, seat: Seat): void {
    this.#depart(member, seat, "left");
  }

  /** Somebody has another name now, and whoever shares a room with them is told; so are they. */
  renamed(member: Member, from: string): void {
    const to = member.name;
    for (const { room } of member.seats) {
      room.rosterChanged();
      this.#rooms.announce(room, {
        type: "renamed",
        room: room.name,
        from,
        to,
      });
    }
  }

  /** Somebody is gone, and whoever shares a room with them is told. */
  leaveAll(member: Member): void {
    for (const seat of member.seats) {
      this.#depart(member, seat, "offline");
    }
  }

  /** Somebody is gone, and nobody is told. */
  vanish(member: Member): void {
    for (const seat of member.seats) this.#unseat(member, seat);
  }

  /**
   * Does what `join` asks for. A person then leaves the room in which they were.
   *
   * @returns when they have been shown all that a person is shown first
   */
  async join(member: Member, name: string, ref: string): Promise<void> {
    const room = await this.open(name, ref);
    if ("code" in room) return tell(member, room);
    const joined = this.#join(member, room, ref);
    this.#rooms.entered(room);
    await joined;
  }

  #join(member: Member, room: Room, ref: string): Promise<void> | void {
    const { connection, isProgram, name } = member;
    // The connection may have been lost while the room was opened.
    if (!connection) return;
    const tellState = () => {
      const state = room.state();
      tell(member, { type: "joined", room: room.name, name, state });
    };
    if (seatIn(member, room)) return tellState();
    if (isProgram && member.seats.length >= this.#limits.maxRoomsJoined) {
      return tell(member, this.tooManyJoined(ref));
    }
    if (!isProgram) {
      for (const seat of member.seats) this.stand(member, seat);
    }
    const upTo = room.seq;
    const start = isProgram
      ? this.fromReplay(room)
      : { behind: upTo, resumes: false };
    const seat = this.sit(member, room, connection.outbox, start);
    tellState();
    if (!isProgram) return this.show(member, seat, upTo);
    // What they ask for next need not wait.
    void this.readOn(member, seat);
  }

  /** Where a program begins to read that comes anew. */
  fromReplay({ seq }: Room): Start {
    return { behind: Math.max(0, seq - this.#limits.replay), resumes: false };
  }

  /** Shows a person who has come into a room what was said up to `upTo`, marked as earlier, and what was since. */
  async show(member: Member, seat: Seat, upTo: number): Promise<void> {
    const { room } = seat;
    const limit = this.#limits.replay;
    if (limit > 0) {
      const ref = `/join ${room.name}`;
      await this.recount(member, { room, upTo, limit, sayNone: false, ref });
    }
    await this.readOn(member, seat);
  }

  /** Reads on to somebody until they have heard all that was said. */
  async readOn(member: Member, seat: Seat): Promise<void> {
    try {
      await this.#reading.readOn(seat);
    } catch (error) {
      // Going on would leave out what they have missed.
      member.connection?.end(`the history cannot be read: ${describe(error)}`);
    }
  }

  /** Tells somebody the last `limit` messages up to `upTo`; that there are none, only if `sayNone`. */
  async recount(
    member: Member,
    { room, ref, ...range }: {
      room: Room;
      upTo: number;
      limit: number;
      sayNone: boolean;
      ref: string;
    },
  ): Promise<void> {
    const outbox = member.connection?.outbox;
    if (!outbox) return;
    try {
      await this.#reading.recount(outbox, room.name, range);
    } catch (error) {
      tell(member, cannotRead(error, ref));
    }
  }

  /** What is said to a program that is in as many rooms as it may be. */
  tooManyJoined(ref: string): Refusal {
    const reason = `one can be in ${this.#limits.maxRoomsJoined} rooms`;
    return refusal("too-many-rooms", reason, ref);
  }

  /** Who was never announced is never said to be gone. */
  #depart(member: Member, seat: Seat, type: "left" | "offline"): void {
    const { room, isAnnounced } = seat;
    const isTold = isAnnounced && room.count <= this.#limits.maxAnnounced;
    this.#unseat(member, seat);
    if (!isTold) return this.#rooms.stir(room);
    this.#rooms.announce(room, { type, room: room.name, name: member.name });
  }

  #unseat(member: Member, seat: Seat): void {
    seat.room.stand(seat);
    member.seats = member.seats.filter((other) => other !== seat);
  }
}

/**
 * What is said to whoever wants to know what the log cannot tell.
 *
 * @throws what is not the log's fault
 */
export function cannotRead(error: unknown, ref: string): Refusal {
  if (!(error instanceof LogError)) throw error;
  const reason = `the history cannot be read: ${error.message}`;
  return refusal("storage", reason, ref);
}
