/**
 * One room: who sits in it, what is being said in it, and how far each of them has heard. Knows neither names
 * nor commands nor where messages are stored.
 */

import type { ChatEvent, Message, RoomState } from "../message.ts";
import { MAX_LISTED } from "../message.ts";
import type { Extent, NewMessage, Origin, Place } from "./log.ts";
import { Batch, type Outbox } from "./outbox.ts";

/** The order in which names are listed. */
const ALPHABET = new Intl.Collator();

/** Who sits in a room. */
export interface Sitter {
  readonly name: string;
  /**
   * Whether it is a program: it hears its own messages, and is told that they are stored. A person at a terminal
   * has seen what they typed.
   */
  readonly isProgram: boolean;
}

/** Somebody's place in a room. */
export class Seat {
  readonly room: Room;
  readonly sitter: Sitter;
  /** Where what they hear goes; nowhere while their connection is lost. */
  outbox: Outbox | undefined;
  /** How many events of the room's batch they have been given already, or were there before them. */
  seen: number;
  /**
   * The last message that they were shown, while they are reading on from the log. They hear who comes and goes,
   * and no message, until they have caught up.
   */
  behind: number | undefined;
  /** Whether the others were told that they have come. */
  isAnnounced = false;
  /** Whether they had read up to there, and want to know what is not kept of the rest. */
  resumes: boolean;

  constructor(room: Room, sitter: Sitter, outbox: Outbox, start: Start) {
    this.room = room;
    this.sitter = sitter;
    this.outbox = outbox;
    this.seen = room.said;
    this.behind = start.behind;
    this.resumes = start.resumes;
  }
}

/** From where somebody reads on who comes into a room. */
export type Start = { behind: number; resumes: boolean };

/** A message that is said and not stored yet, and whoever wants to know what came of it. */
export interface Unstored {
  message: NewMessage;
  /** The event that it is, once it has a place. */
  event: ChatEvent & Message;
  /** Where in the batch that is. */
  index: number;
  seat: Seat;
  ref: string;
}

/** All that was said in a room in one turn. */
export interface Said {
  room: Room;
  batch: Batch;
  unstored: readonly Unstored[];
}

/** A room. */
export class Room {
  readonly name: string;
  /** The identity of its log. */
  readonly log: string;
  /** The last message that is stored and may be shown. */
  seq: number;
  /** How many are about to sit down in it. */
  expected = 0;
  readonly #seats = new Set<Seat>();
  #batch = new Batch();
  #unstored: Unstored[] = [];
  #isStoring = false;
  #names: readonly string[] | undefined;

  constructor({ room, log, seq }: Extent) {
    this.name = room;
    this.log = log;
    this.seq = seq;
  }

  /** How many sit in it. */
  get count(): number {
    return this.#seats.size;
  }

  /** How many events were said in this turn. */
  get said(): number {
    return this.#batch.length;
  }

  /** Who sits in it, in the order of the alphabet; nobody, if they are too many to be listed. */
  names(): readonly string[] {
    // Sorting takes a while, and many ask: until somebody comes, goes or is renamed, it is done once.
    return this.#names ??= this.count > MAX_LISTED
      ? []
      : [...this.#seats].map(({ sitter }) => sitter.name)
        .sort(ALPHABET.compare);
  }

  /** The room as one finds it who comes in; without names where they would be more than `maxNames`. */
  state(maxNames: number = MAX_LISTED): RoomState {
    const { name: room, log, seq, count } = this;
    const state = { room, log, seq, count };
    return count > maxNames ? state : { ...state, members: this.names() };
  }

  /** Somebody has come, gone or been renamed: the names have to be listed anew. */
  rosterChanged(): void {
    this.#names = undefined;
  }

  /** Lets somebody sit down. They hear who comes and goes from now on. */
  sit(sitter: Sitter, outbox: Outbox, start: Start): Seat {
    const seat = new Seat(this, sitter, outbox, start);
    this.#seats.add(seat);
    this.rosterChanged();
    return seat;
  }

  /** Whether somebody still sits there. */
  has(seat: Seat): boolean {
    return this.#seats.has(seat);
  }

  /** Lets somebody go; they have been given all that was said up to now. */
  stand(seat: Seat): void {
    this.catchUp(seat);
    this.#seats.delete(seat);
    this.rosterChanged();
  }

  /** They go on through another connection, and read on from `start`. */
  move(seat: Seat, outbox: Outbox, start: Start): void {
    seat.outbox = outbox;
    seat.seen = this.said;
    Object.assign(seat, start);
  }

  /** Their connection is lost: they keep their seat, and hear nothing. */
  lose(seat: Seat): void {
    this.catchUp(seat);
    seat.outbox = undefined;
  }

  /** Tells everybody something that is not stored. */
  announce(event: ChatEvent): void {
    this.#batch.add(event);
  }

  /** Says a message; it is shown once it is stored. */
  say(
    seat: Seat,
    { text, action, ref }: { text: string; action: boolean; ref: string },
    origin?: Origin,
  ): void {
    const said = { room: this.name, from: seat.sitter.name, text, action };
    // The number and the time are filled in when it is stored.
    const event = { type: "message" as const, ...said, seq: 0, time: 0 };
    this.#unstored.push({
      message: origin ? { ...said, origin } : said,
      event,
      index: this.said,
      seat,
      ref,
    });
    this.#batch.saidAt ??= performance.now();
    this.#batch.add(event, seat.sitter.isProgram ? undefined : seat.outbox);
  }

  /** What was said in the room before this moment goes into the outbox before anything else does. */
  catchUp(seat: Seat): void {
    const { behind, outbox, seen } = seat;
    if (behind === undefined) outbox?.add(this.#batch, seen);
    else {
      // The messages are read from the log, once they are there.
      for (const { from, to } of this.#batch.announcements(seen)) {
        outbox?.add(this.#batch, from, to);
      }
    }
    seat.seen = this.said;
  }

  /** Lets somebody who has read all of the log hear what is said, if that is so. */
  goLive(seat: Seat): boolean {
    // What is being stored just now will be in the log, and not be said again.
    if (this.#isStoring || seat.seen > 0 || seat.behind !== this.seq) {
      return false;
    }
    seat.behind = undefined;
    return true;
  }

  /** Ends the turn: everybody gets the batch, to be written once it is sealed. */
  endTurn(): Said {
    const said = { room: this, batch: this.#batch, unstored: this.#unstored };
    for (const seat of this.#seats) {
      this.catchUp(seat);
      seat.seen = 0;
    }
    this.#batch = new Batch();
    this.#unstored = [];
    if (said.unstored.length === 0) said.batch.seal();
    else this.#isStoring = true;
    return said;
  }

  /** The messages of a turn are stored, or could not be: `places` says where, in the order of `said.unstored`. */
  settle({ batch, unstored }: Said, places: readonly Place[]): void {
    for (const [i, { event, index }] of unstored.entries()) {
      const place = places[i];
      if (!place || place.repeated) batch.drop(index);
      else {
        event.seq = this.seq = place.seq;
        event.time = place.time;
      }
    }
    batch.seal();
    this.#isStoring = false;
  }
}
