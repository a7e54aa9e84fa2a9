/**
 * What members ask for, and what comes of it. Knows neither sockets nor dialects, and not how members come and go.
 */

import {
  type Command,
  LOBBY,
  MAX_HISTORY,
  MAX_LISTED,
  nameKey,
  type Refusal,
  SOME_HISTORY,
  utf8Length,
} from "../message.ts";
import type { Origin } from "./log.ts";
import {
  type Member,
  type Members,
  passOn,
  refusal,
  seatIn,
  tell,
} from "./members.ts";
import type { Limits } from "./limits.ts";
import type { Claim, Logins } from "./logins.ts";
import type { Seat } from "./room.ts";
import type { Rooms } from "./rooms.ts";
import type { Operating, OperatingLimits } from "./operating.ts";
import { pages, tellPages } from "./pages.ts";
import { cannotRead, type Seating } from "./seating.ts";
import { Told, type ToldLimits } from "./told.ts";

/** How many names of members or rooms are on one page: the longest ones take less than 16 KiB. */
const PAGE_NAMES = 100;

/** To how many of those who told somebody something they can reply. */
const MAX_CORRESPONDENTS = 20;

/** What members ask for. The other commands are between them and their session. */
export type Request = Exclude<
  Command,
  { type: "quit" | "help" | "ping" | "pong" }
>;

type Asking<T extends Request["type"]> = Command & { type: T };

/** What binds what members ask for. */
export type RequestLimits =
  & Readonly<Pick<Limits, "maxMessageBytes">>
  & OperatingLimits
  & ToldLimits;

/** How many bytes of UTF-8 one unit of a string can take. */
const MAX_BYTES_A_UNIT = 3;

/** Does what members ask for. */
export class Requests {
  readonly #members: Members;
  readonly #rooms: Rooms;
  readonly #seating: Seating;
  readonly #operating: Operating;
  readonly #limits: RequestLimits;
  readonly #told: Told;
  readonly #logins: Logins;

  constructor(
    members: Members,
    rooms: Rooms,
    seating: Seating,
    { operating, logins }: { operating: Operating; logins: Logins },
    limits: RequestLimits,
  ) {
    this.#members = members;
    this.#rooms = rooms;
    this.#seating = seating;
    this.#operating = operating;
    this.#limits = limits;
    this.#logins = logins;
    this.#told = new Told(limits);
  }

  /**
   * Does what a member asks for; whatever comes of it is told to whom it concerns.
   *
   * @returns when the member has been told all of it, if that takes longer than this call
   */
  handle(member: Member, request: Request): Promise<void> | void {
    switch (request.type) {
      case "say":
        return this.#say(member, request);
      case "tell":
        return this.#tell(member, this.#members.find(request.to), request);
      case "reply":
        return this.#reply(member, request);
      case "join":
        return this.#seating.join(member, request.room, request.ref);
      case "leave":
        return this.#leave(member, request);
      case "rooms":
        return this.#listRooms(member, request);
      case "nick":
        return this.#rename(member, request);
      case "who":
        return this.#listMembers(member, request);
      case "history":
        return this.#recount(member, request);
      case "register":
      case "login":
      case "password":
      case "unregister":
        return this.#claim(member, request);
      default:
        return this.#operating.handle(member, request);
    }
  }

  #say(
    member: Member,
    { room, text, action, ref }: Asking<"say">,
  ): Promise<void> | void {
    const fault = this.#refuseText(text, ref);
    if (fault) return tell(member, fault);
    const { session } = member;
    const origin = session === undefined || ref === ""
      ? undefined
      : { session, id: ref };
    const seat = this.#seatIn(member, room);
    if (!seat) return this.#refuseToSay(member, notIn(room, ref), origin);
    const refused = this.#operating.refuseToSay(member, seat.room, ref);
    if (refused) return this.#refuseToSay(member, refused, origin);
    return this.#rooms.say(seat, { text, action, ref }, origin);
  }

  #refuseToSay(
    member: Member,
    refused: Refusal,
    origin: Origin | undefined,
  ): Promise<void> | void {
    return origin
      ? this.#sayAgain(member, refused, origin)
      : tell(member, refused);
  }

  /** What was stored is acknowledged when it is said again, also to whoever has left the room since, or is muted. */
  async #sayAgain(
    member: Member,
    refused: Refusal,
    origin: Origin,
  ): Promise<void> {
    const { ref } = refused;
    try {
      const place = await this.#rooms.find(origin);
      const { seq } = place ?? {};
      tell(member, seq === undefined ? refused : { type: "ack", ref, seq });
    } catch (error) {
      tell(member, cannotRead(error, ref));
    }
  }

  #reply(member: Member, { to, text, ref }: Asking<"reply">): void {
    const { correspondents, session } = member;
    const receiver = to === undefined
      ? [...correspondents?.values() ?? []].at(-1)
      : correspondents?.get(nameKey(to));
    const isThere = receiver && this.#members.has(receiver);
    if (isThere || this.#told.has(session, ref)) {
      return this.#tell(member, receiver, { text, ref });
    }
    const reason = receiver
      ? "whoever told you that has left"
      : to === undefined
      ? "nobody has told you anything yet"
      : `it is not known who told you something as ${to}`;
    tell(member, refusal("name-unknown", reason, ref));
  }

  #tell(
    member: Member,
    receiver: Member | undefined,
    { text, ref }: { text: string; ref: string },
  ): void {
    const { session, isProgram } = member;
    // What was told is acknowledged, whatever has become of the receiver since.
    if (!this.#told.has(session, ref)) {
      const fault = this.#refuseText(text, ref) ??
        this.#operating.refuseMuted(member, ref);
      if (fault) return tell(member, fault);
      const reached = this.#reach(member, receiver, ref);
      if ("code" in reached) return tell(member, reached);
      remember(reached.correspondents ??= new Map(), member);
      const event = {
        type: "told",
        from: member.name,
        to: reached.name,
        text,
        time: Date.now(),
      } as const;
      passOn(reached, { ...event, own: false });
      if (!isProgram) tell(member, { ...event, own: true });
      this.#told.add(session, ref);
    }
    if (isProgram && ref !== "") tell(member, { type: "ack", ref });
  }

  /** Whoever can be told something now; why not, if they cannot. */
  #reach(
    member: Member,
    receiver: Member | undefined,
    ref: string,
  ): Member | Refusal {
    if (!receiver) {
      return refusal("name-unknown", "nobody of that name is here", ref);
    }
    if (receiver === member) return refusal("name-unknown", "that is you", ref);
    if (receiver.connection) return receiver;
    const reason = `${receiver.name} has lost the connection just now`;
    return refusal("away", reason, ref);
  }

  #leave(
    member: Member,
    { room, ref }: Asking<"leave">,
  ): Promise<void> | void {
    const seat = this.#seatIn(member, room);
    if (!seat) return tell(member, notIn(room, ref));
    if (seat.room === this.#rooms.lobby) {
      return tell(
        member,
        refusal("room-kept", "the lobby cannot be left", ref),
      );
    }
    if (!member.isProgram) return this.#seating.join(member, LOBBY, ref);
    this.#seating.stand(member, seat);
    tell(member, { type: "left", room: seat.room.name, name: member.name });
  }

  async #listRooms(member: Member, { ref }: Asking<"rooms">): Promise<void> {
    let all;
    try {
      all = await this.#rooms.list();
    } catch (error) {
      return tell(member, cannotRead(error, ref));
    }
    const event = { type: "rooms", count: all.length } as const;
    await tellPages(
      member,
      pages(all.slice(0, MAX_LISTED), PAGE_NAMES).map(([rooms, more]) => ({
        ...event,
        rooms,
        more,
      })),
    );
  }

  #listMembers(
    member: Member,
    { room: name }: Asking<"who">,
  ): Promise<void> | void {
    const room = name === undefined
      ? this.#seatIn(member)?.room
      : this.#rooms.get(name);
    // Nobody is in a room that is not open, whether messages are kept of it or not.
    const event = {
      type: "members",
      room: room?.name ?? name ?? LOBBY,
      count: room?.count ?? 0,
    } as const;
    const names = room?.names() ?? [];
    if (!member.isProgram) {
      return tell(member, { ...event, names, more: false });
    }
    return tellPages(
      member,
      pages(names, PAGE_NAMES).map(([names, more]) => ({
        ...event,
        names,
        more,
      })),
    );
  }

  #recount(
    member: Member,
    { room: name, before, limit, ref }: Asking<"history">,
  ): Promise<void> | void {
    const seat = this.#seatIn(member, name);
    if (!seat) return tell(member, notIn(name, ref));
    const { room } = seat;
    return this.#seating.recount(member, {
      room,
      upTo: Math.min(room.seq, (before ?? Infinity) - 1),
      limit: Math.min(limit ?? SOME_HISTORY, MAX_HISTORY),
      sayNone: true,
      ref,
    });
  }

  #rename(member: Member, wish: Asking<"nick">): void {
    const from = member.name;
    const fault = this.#operating.refuseMuted(member, wish.ref) ??
      this.#members.rename(member, wish);
    if (fault) return tell(member, fault);
    this.#seating.renamed(member, from);
  }

  /** Logging in gives another name, which whoever is muted cannot take. */
  #claim(member: Member, claim: Claim): Promise<void> | void {
    const fault = claim.type === "login"
      ? this.#operating.refuseMuted(member, claim.ref)
      : undefined;
    return fault ? tell(member, fault) : this.#logins.handle(member, claim);
  }

  #refuseText(text: string, ref: string): Refusal | undefined {
    const max = this.#limits.maxMessageBytes;
    // Most are so short that they need not be encoded to know.
    if (text.length * MAX_BYTES_A_UNIT <= max) return undefined;
    const bytes = utf8Length(text);
    if (bytes <= max) return undefined;
    const reason = `${bytes} bytes are too long, a message has at most ${max}`;
    return refusal("too-long", reason, ref);
  }

  /** Where a member sits in the room of that name, or in the only one where they are. */
  #seatIn(member: Member, name?: string): Seat | undefined {
    if (name === undefined) return member.seats[0];
    // Most write it as it is written.
    const seat = member.seats.find(({ room }) => room.name === name);
    if (seat) return seat;
    const room = this.#rooms.get(name);
    return room && seatIn(member, room);
  }
}

/** The one who has told something just now is the last. */
function remember(correspondents: Map<string, Member>, teller: Member): void {
  const key = nameKey(teller.name);
  correspondents.delete(key);
  correspondents.set(key, teller);
  for (const oldest of correspondents.keys()) {
    if (correspondents.size <= MAX_CORRESPONDENTS) break;
    correspondents.delete(oldest);
  }
}

function notIn(room: string | undefined, ref: string): Refusal {
  const reason = `you are not in ${room ?? "any room"}`;
  return refusal("room-unknown", reason, ref);
}
