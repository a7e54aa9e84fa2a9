/**
 * One room: who sits in it, what is being said in it, and how far each of them has heard. Knows neither names
 * nor commands nor where messages are stored.
 */

import type { ChatEvent, Message, Render, RoomState } from "../message.ts";
import { MAX_LISTED } from "../message.ts";
import type { Extent, NewMessage, Origin, Place } from "./log.ts";
import { Batch, join, type Outbox, type Share } from "./outbox.ts";
import type { Slow } from "./slow.ts";
import type { Round } from "./turns.ts";

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
  /** How many of the room's events they have been given, or were there before them. */
  seen: number;
  /** The last event that they have caused and are not shown, by its number; none in those that are ahead of them. */
  spoke = -1;
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
    this.seen = room.end;
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

/** A batch that is stored, or is just being, and whose events not everybody has been given. */
interface Handed {
  batch: Batch;
  /** The number of its first event. */
  start: number;
  /** The turn in which it was collected. */
  turn: number;
  /** After how many visits everybody has been given it, once it may be given. */
  servedAt?: number;
}

/**
 * A room. Whoever sits in it is visited in a round, which begins anew whenever there is news, and goes on from where it
 * is: so nobody waits longer than for one round, and whoever is visited is given all that is new by then at once.
 */
export class Room implements Round {
  readonly name: string;
  /** The identity of its log. */
  readonly log: string;
  /** The last message that is stored and may be shown. */
  seq: number;
  /** How many are about to sit down in it. */
  expected = 0;
  /** What it is about; empty if nobody has said so. */
  topic = "";
  /** None where everybody may speak as they like. */
  slow: Slow | undefined;
  readonly #seats = new Set<Seat>();
  /** What is being said, from event `#start` on. */
  #batch = new Batch();
  #start = 0;
  #unstored: Unstored[] = [];
  #isStoring = false;
  /** What was said before, and not everybody has been given; of it everything up to event `#sealed` may be written. */
  #handed: Handed[] = [];
  #sealed = 0;
  /** Who is visited next. */
  #round: Iterator<Seat> = this.#seats.values();
  #visits = 0;
  /** After so many visits nobody has anything to be given. */
  #roundEnd = 0;
  /** What those are given who were all given the same before. */
  readonly #shares = new Map<Render, { from: number; share: Share }>();
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

  /** How many events there were in all. */
  get end(): number {
    return this.#start + this.said;
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
    const { name: room, log, seq, count, topic } = this;
    const state = { room, log, seq, count, ...(topic && { topic }) };
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
    // They sit down at the end of the round.
    this.#visits--;
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
    seat.seen = this.end;
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
    if (seat.sitter.isProgram) return this.#batch.add(event);
    seat.spoke = this.end;
    this.#batch.add(event, seat.outbox);
  }

  /** What was said in the room before this moment goes into the outbox before anything else does. */
  catchUp(seat: Seat): void {
    this.#catchUp(seat, this.end);
  }

  /** The same, but only of what is stored, or need not be. */
  catchUpSealed(seat: Seat): void {
    this.#catchUp(seat, this.#sealed);
  }

  #catchUp(seat: Seat, end: number): void {
    const { behind, outbox, seen } = seat;
    if (seen >= end) return;
    seat.seen = end;
    if (!outbox) return;
    const current = { batch: this.#batch, start: this.#start };
    for (const { batch, start } of [...this.#handed, current]) {
      const all = {
        from: Math.max(0, seen - start),
        to: Math.min(batch.length, end - start),
      };
      // Who is behind reads the messages from the log, once they are there.
      const stretches = behind === undefined
        ? [all]
        : batch.announcements(all.from, all.to);
      for (const { from, to } of stretches) outbox.add(batch, from, to);
    }
  }

  /** Lets somebody who has read all of the log hear what is said, if that is so. */
  goLive(seat: Seat): boolean {
    // What is being said or stored just now will be in the log, and not be said again to whoever was told of it.
    if (this.#isStoring || seat.seen > this.#sealed) return false;
    if (seat.behind !== this.seq) return false;
    this.catchUpSealed(seat);
    seat.behind = undefined;
    return true;
  }

  /** Ends the turn: what was said in it can be stored, and is then shown. */
  endTurn(turn: number): Said {
    const said = { room: this, batch: this.#batch, unstored: this.#unstored };
    const start = this.#start;
    this.#start = this.end;
    this.#batch = new Batch();
    this.#unstored = [];
    if (said.batch.length > 0) {
      this.#handed.push({ batch: said.batch, start, turn });
    }
    if (said.unstored.length === 0) this.#seal(said.batch);
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
    this.#isStoring = false;
    this.#seal(batch);
  }

  #seal(batch: Batch): void {
    batch.seal();
    this.#sealed = this.#start;
    this.#roundEnd = this.#visits + this.count;
    const last = this.#handed.at(-1);
    if (last?.batch === batch) last.servedAt = this.#roundEnd;
    this.#shares.clear();
  }

  get isOver(): boolean {
    return this.#visits >= this.#roundEnd;
  }

  get unwritten(): number | undefined {
    return this.#handed[0]?.turn;
  }

  write(most: number): number {
    let written = 0;
    while (written < most && !this.isOver) {
      this.#visits++;
      const seat = this.#next();
      if (seat && seat.seen < this.#sealed) {
        this.#serve(seat);
        written++;
      }
    }
    this.#forgetServed();
    return written;
  }

  #next(): Seat | undefined {
    const next = this.#round.next();
    if (!next.done) return next.value;
    this.#round = this.#seats.values();
    return this.#round.next().value;
  }

  #serve(seat: Seat): void {
    const { outbox, behind, seen, spoke } = seat;
    const render = outbox?.idle;
    if (render && behind === undefined && spoke < seen) {
      seat.seen = this.#sealed;
      const share = this.#share(render, seen);
      if (share.bytes.length > 0) outbox.offer(share);
    } else {
      this.catchUpSealed(seat);
    }
  }

  /** All that may be written from event `from` on, for those who have caused none of it. */
  #share(render: Render, from: number): Share {
    const last = this.#shares.get(render);
    if (last?.from === from) return last.share;
    const share = join(
      this.#handed.filter(({ batch, start }) =>
        batch.isSealed && start + batch.length > from
      )
        .map(({ batch, start }) =>
          batch.share(render, Math.max(0, from - start), batch.length)
        ),
    );
    this.#shares.set(render, { from, share });
    return share;
  }

  #forgetServed(): void {
    const first = this.#handed.findIndex(({ servedAt = Infinity }) =>
      servedAt > this.#visits
    );
    this.#handed.splice(0, first < 0 ? this.#handed.length : first);
  }
}
