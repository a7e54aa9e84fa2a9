/**
 * The rooms that somebody is in, and the end of a turn: what was said in it is stored, all of it at once, and only
 * then shown and acknowledged. Knows neither names nor commands.
 */

import { getLogger } from "@logtape/logtape";
import { describe } from "../fault.ts";
import { type ChatEvent, LOBBY, MAX_LISTED, nameKey } from "../message.ts";
import type { Log, Origin, Place } from "./log.ts";
import type { Limits } from "./limits.ts";
import type { RoomOrder } from "./orders.ts";
import { Batch } from "./outbox.ts";
import { Room, type Said, type Seat, type Unstored } from "./room.ts";
import { Slow } from "./slow.ts";
import type { Turns } from "./turns.ts";

const log = getLogger(["chat", "rooms"]);

/** What binds the rooms. */
export type RoomsLimits = Readonly<Pick<Limits, "maxRooms">>;

/** There are as many rooms as there may be. */
export class TooManyRooms extends Error {
  override name = "TooManyRooms";
}

/** All rooms. */
export class Rooms {
  readonly lobby: Room;
  readonly #turns: Turns;
  readonly #log: Log;
  readonly #limits: RoomsLimits;
  readonly #rooms = new Map<string, Room>();
  readonly #opening = new Map<string, Promise<Room>>();
  /** What operators have said of rooms, also of those where nobody is. */
  readonly #orders = new Map<string, RoomOrder>();
  /** Why nothing can be stored at the moment. */
  #fault: string | undefined;
  /** The rooms in which something has happened in this turn. */
  #stirred = new Set<Room>();

  private constructor(
    lobby: Room,
    turns: Turns,
    log: Log,
    limits: RoomsLimits,
  ) {
    this.lobby = lobby;
    this.#turns = turns;
    this.#log = log;
    this.#limits = limits;
    this.#rooms.set(nameKey(lobby.name), lobby);
  }

  /**
   * Opens the lobby.
   *
   * @throws {LogError}
   */
  static async open(
    turns: Turns,
    log: Log,
    limits: RoomsLimits,
  ): Promise<Rooms> {
    const lobby = new Room(await log.open(LOBBY));
    return new Rooms(lobby, turns, log, limits);
  }

  /** How many there are. */
  get size(): number {
    return this.#rooms.size;
  }

  /** The room of that name, in whichever case, if there is one. */
  get(name: string): Room | undefined {
    return this.#rooms.get(nameKey(name));
  }

  /**
   * The room of that name, made if there is none, for somebody who is about to sit down in it. It is kept until
   * {@linkcode entered} is called.
   *
   * @throws {LogError}
   * @throws {TooManyRooms}
   */
  async enter(name: string): Promise<Room> {
    const room = this.get(name) ?? await this.#opened(name);
    room.expected++;
    return room;
  }

  /** Who was about to sit down in the room has done so, or will not. */
  entered(room: Room): void {
    room.expected--;
    this.stir(room);
  }

  /** From now on this holds in a room, also when it is opened again. */
  order(order: RoomOrder): void {
    const key = nameKey(order.room);
    if (order.topic === "" && order.slowSeconds === 0) this.#orders.delete(key);
    else this.#orders.set(key, order);
    const room = this.get(order.room);
    if (room) obey(room, order);
  }

  /** Opens a room once, however many ask for it at the same time. */
  #opened(name: string): Promise<Room> {
    const key = nameKey(name);
    const opening = this.#opening.get(key) ??
      this.#open(name, key).finally(() => this.#opening.delete(key));
    this.#opening.set(key, opening);
    return opening;
  }

  async #open(name: string, key: string): Promise<Room> {
    const { maxRooms } = this.#limits;
    if (this.#rooms.size + this.#opening.size >= maxRooms) {
      throw new TooManyRooms(`there are ${maxRooms} rooms already`);
    }
    const room = new Room(await this.#log.open(name));
    const order = this.#orders.get(key);
    if (order) obey(room, order);
    this.#rooms.set(key, room);
    return room;
  }

  /**
   * The rooms with somebody in them, and how many, the fullest first; then those of which only messages are kept,
   * up to {@linkcode MAX_LISTED}.
   *
   * @throws {LogError}
   */
  async list(): Promise<{ room: string; count: number }[]> {
    const stored = await this.#log.stored(MAX_LISTED);
    const open = [...this.#rooms.values()]
      .filter((room) => room.count > 0 || room === this.lobby)
      .map(({ name, count }) => ({ room: name, count }))
      .sort((a, b) => b.count - a.count);
    const isOpen = new Set(open.map(({ room }) => room));
    return [
      ...open,
      ...stored.filter((room) => !isOpen.has(room))
        .map((room) => ({ room, count: 0 })),
    ];
  }

  /** Tells everybody in a room something that is not stored. */
  announce(room: Room, event: ChatEvent): void {
    room.announce(event);
    this.stir(room);
  }

  /** Says a message: it is stored at the end of the turn, and then shown. */
  say(
    seat: Seat,
    message: { text: string; action: boolean; ref: string },
    origin?: Origin,
  ): void {
    seat.room.say(seat, message, origin);
    this.stir(seat.room);
  }

  /**
   * Where a message stands that was stored, if it was.
   *
   * @throws {LogError}
   */
  find(origin: Origin): Promise<Place | undefined> {
    return this.#log.find(origin);
  }

  /** Something has happened in a room, be it only that somebody has left it. */
  stir(room: Room): void {
    this.#stirred.add(room);
    this.#turns.handOut(this.#endTurn);
  }

  #endTurn = (turn: number): Promise<void> | undefined => {
    const stirred = [...this.#stirred];
    this.#stirred = new Set();
    const said = stirred.map((room) => room.endTurn(turn));
    const unsettled = said.filter(({ unstored }) => unstored.length > 0);
    return unsettled.length === 0
      ? this.#show(stirred)
      : this.#store(unsettled).then(() => this.#show(stirred));
  };

  /** What was said is written to those who are there: first where it was said first, for those who are in many rooms. */
  #show(stirred: readonly Room[]): Promise<void> | undefined {
    for (const room of stirred) this.#turns.begin(room);
    // Only now, because somebody may have said something and left in the same turn.
    return this.#releaseEmpty(stirred);
  }

  async #store(said: readonly Said[]): Promise<void> {
    const unstored = said.flatMap(({ unstored }) => unstored);
    let places: readonly Place[] = [];
    let reason: string | undefined;
    try {
      places = await this.#log.append(unstored.map(({ message }) => message));
      if (this.#fault) log.info("what is said is stored again");
    } catch (error) {
      reason = describe(error);
      // Once, and not in every turn of a full disk.
      if (reason !== this.#fault) {
        log.error("cannot store what is said", { reason });
      }
    }
    this.#fault = reason;
    let from = 0;
    for (const of of said) {
      of.room.settle(of, places.slice(from, from += of.unstored.length));
    }
    if (reason === undefined) acknowledge(unstored, places);
    else refuse(unstored, reason);
  }

  #releaseEmpty(rooms: readonly Room[]): Promise<void> | undefined {
    const empty = rooms.filter((room) =>
      room.count === 0 && room.expected === 0 && room.said === 0 &&
      room !== this.lobby &&
      this.get(room.name) === room
    );
    if (empty.length === 0) return undefined;
    for (const { name } of empty) this.#rooms.delete(nameKey(name));
    // All at once: a room that is opened again meanwhile must be opened after it was released.
    const releasing = empty.map(({ name }) => this.#release(name));
    return Promise.all(releasing).then(() => {});
  }

  async #release(room: string): Promise<void> {
    try {
      await this.#log.release(room);
    } catch (error) {
      // It stays listed, and nothing else comes of it.
      log.error("cannot forget a room", { room, reason: describe(error) });
    }
  }
}

function obey(room: Room, { topic, slowSeconds }: RoomOrder): void {
  room.topic = topic;
  if (slowSeconds === 0) room.slow = undefined;
  else if (room.slow) room.slow.seconds = slowSeconds;
  else room.slow = new Slow(slowSeconds);
}

function refuse(unstored: readonly Unstored[], cause: string): void {
  const reason = `it could not be stored: ${cause}`;
  for (const { seat, ref } of unstored) {
    tell(seat, { type: "refused", code: "storage", reason, ref });
  }
}

/** Tells the programs that their messages are stored, each of them once for all of its messages. */
function acknowledge(
  unstored: readonly Unstored[],
  places: readonly Place[],
): void {
  const acks = new Map<Seat, ChatEvent[]>();
  for (const [i, { seat, ref }] of unstored.entries()) {
    const place = places[i];
    if (!place || ref === "" || !seat.sitter.isProgram) continue;
    const ack = { type: "ack", ref, seq: place.seq } as const;
    const own = acks.get(seat);
    if (own) own.push(ack);
    else acks.set(seat, [ack]);
  }
  for (const [seat, own] of acks) tell(seat, Batch.of(...own));
}

/** Tells somebody what has come of their messages, after what was stored with them. */
function tell(seat: Seat, event: ChatEvent | Batch): void {
  seat.room.catchUpSealed(seat);
  seat.outbox?.tell(event);
}
