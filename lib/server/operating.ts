/**
 * What operators do: who they are, what they ask for, and what everybody else is refused because of that. Knows
 * neither sockets nor dialects, and not how somebody has proven to own a name.
 */

import { getLogger } from "@logtape/logtape";
import { describe } from "../fault.ts";
import {
  type Ban,
  type ChatEvent,
  type Command,
  isGuestName,
  MAX_REASON_BYTES,
  MAX_TOPIC_BYTES,
  nameKey,
  normalizeName,
  type Refusal,
  SENT_AWAY,
  utf8Length,
} from "../message.ts";
import { isLoopback, networkOf } from "./admission.ts";
import {
  Bans,
  conditions,
  holdsLoopback,
  readTarget,
  type Suspect,
  type Target,
  untilWhen,
} from "./bans.ts";
import type { Limits } from "./limits.ts";
import { LogError } from "./log.ts";
import {
  hostOf,
  type Member,
  type Members,
  passOn,
  refusal,
  tell,
} from "./members.ts";
import { MemoryOrders, type Orders, type RoomOrder } from "./orders.ts";
import { Batch } from "./outbox.ts";
import { pages, tellPages } from "./pages.ts";
import type { Room } from "./room.ts";
import type { Rooms } from "./rooms.ts";
import type { Seating } from "./seating.ts";
import type { Drop } from "./tally.ts";

const log = getLogger(["chat", "operators"]);

/** What operators ask for; a topic also others do. */
export type Order = Extract<Command, {
  type:
    | "kick"
    | "ban"
    | "unban"
    | "bans"
    | "mute"
    | "unmute"
    | "slow"
    | "topic"
    | "announce"
    | "reload";
}>;

type Ordering<T extends Order["type"]> = Command & { type: T };

/** What binds what operators do. */
export type OperatingLimits = Readonly<
  Pick<Limits, "confirmMs" | "maxMessageBytes">
>;

/** Whom operators have power over, and what that rests on. */
export interface OperatingOptions {
  /** The names of the operators; nobody is one by default. */
  operators?: readonly string[];
  /** Where it is kept what they order: in memory by default. */
  orders?: Orders;
  /** Has the settings read again; by default there are none. */
  reload?: () => Promise<void>;
  /** The time, in ms since 1970: the system's by default. */
  now?: () => number;
}

/** How many bans are on one page: with the longest reasons it is about 16 KiB. */
const PAGE_BANS = 20;

/** Where operators do what they do. */
export interface OperatingHouse {
  members: Members;
  rooms: Rooms;
  seating: Seating;
  /** Who is banned: what was ordered before is added to it. */
  bans: Bans;
}

/** Does what operators ask for, and says what others may not do because of that. */
export class Operating {
  readonly #members: Members;
  readonly #rooms: Rooms;
  readonly #seating: Seating;
  readonly #limits: OperatingLimits;
  readonly #orders: Orders;
  readonly #reload: (() => Promise<void>) | undefined;
  readonly #now: () => number;
  readonly #bans: Record<Ban["kind"], Bans>;
  #operators: ReadonlySet<string> = new Set();
  /** What operators have asked for that would hit themselves, and when. */
  readonly #unconfirmed = new WeakMap<Member, { asked: string; at: number }>();

  private constructor(
    house: OperatingHouse,
    limits: OperatingLimits,
    options: OperatingOptions,
  ) {
    this.#members = house.members;
    this.#rooms = house.rooms;
    this.#seating = house.seating;
    this.#limits = limits;
    this.#orders = options.orders ?? new MemoryOrders();
    this.#reload = options.reload;
    this.#now = options.now ?? Date.now;
    this.#bans = { ban: house.bans, mute: new Bans(this.#now) };
    this.appoint(options.operators ?? []);
  }

  /**
   * Goes on from what was ordered before.
   *
   * @throws {LogError}
   */
  static async open(
    house: OperatingHouse,
    limits: OperatingLimits,
    options: OperatingOptions,
  ): Promise<Operating> {
    const operating = new Operating(house, limits, options);
    const { bans, rooms } = await operating.#orders.load();
    for (const ban of bans) {
      const { kind } = ban;
      await operating.#bans[kind].prepare();
      operating.#bans[kind].add(ban);
    }
    for (const order of rooms) house.rooms.order(order);
    return operating;
  }

  /** From now on these names are those of operators, and no others. */
  appoint(operators: readonly string[]): void {
    this.#operators = new Set(operators.map(nameKey));
  }

  /** Whether somebody is an operator: who is only called like one is none. */
  isOperator({ account }: Member): boolean {
    return account !== undefined && this.#operators.has(account);
  }

  /** Why nobody may come in from an address, if that is so. */
  bannedFrom(host: string): string | undefined {
    const bans = this.#bans.ban;
    const ban = bans.size > 0 && bans.find({ host });
    return ban ? `${SENT_AWAY.banned}${conditions(ban)}` : undefined;
  }

  /** Why a member may not say anything just now, to a room or to somebody, or take another name. */
  refuseMuted(member: Member, ref: string): Refusal | undefined {
    const mutes = this.#bans.mute;
    if (mutes.size === 0) return undefined;
    const mute = mutes.find(suspect(member));
    return mute && refusal("muted", `you are muted${conditions(mute)}`, ref);
  }

  /** Why a member may not say anything in a room just now; if they may, they have. */
  refuseToSay(member: Member, room: Room, ref: string): Refusal | undefined {
    const muted = this.refuseMuted(member, ref);
    if (muted || !room.slow) return muted;
    if (this.isOperator(member)) return undefined;
    const host = hostOf(member);
    // Whoever comes through this machine may be anybody.
    const isShared = host === undefined || isLoopback(host);
    const waitMs = room.slow.take(
      member,
      isShared ? undefined : networkOf(host),
      this.#now(),
      (other) => this.#members.has(other),
    );
    if (waitMs === 0) return undefined;
    const left = Math.ceil(waitMs / 1000);
    const reason = `one message in ${room.slow.seconds} s here, wait ${left} s`;
    return refusal("slow", reason, ref);
  }

  /**
   * Does what an operator asks for. Everybody else is told the same, whatever they have asked for and whether it is
   * there or not.
   *
   * @returns when they have been told what came of it
   */
  handle(member: Member, order: Order): Promise<void> | void {
    if (order.type === "topic" && order.text === undefined) {
      return this.#tellTopic(member, order);
    }
    if (!this.isOperator(member)) {
      log.info("refused to who is no operator", {
        ...actor(member),
        asked: order.type,
      });
      const reason = "only operators may do that";
      return tell(member, refusal("not-operator", reason, order.ref));
    }
    switch (order.type) {
      case "kick":
        return this.#kick(member, order);
      case "ban":
      case "mute":
        return this.#ban(member, order);
      case "unban":
      case "unmute":
        return this.#lift(member, order);
      case "bans":
        return this.#list(member);
      case "slow":
        return this.#slow(member, order);
      case "topic":
        return this.#setTopic(member, order);
      case "announce":
        return this.#announce(member, order);
      case "reload":
        return this.#readAgain(member, order);
    }
  }

  #kick(member: Member, { name, reason, ref }: Ordering<"kick">): void {
    const fault = tooLong(reason, MAX_REASON_BYTES, ref);
    if (fault) return tell(member, fault);
    const whom = this.#members.find(name);
    if (!whom || whom === member) {
      const why = whom ? "that is you" : "nobody of that name is here";
      return tell(member, refusal("name-unknown", why, ref));
    }
    log.info("operator kicks", {
      ...actor(member),
      whom: whom.name,
      ...why(reason),
    });
    const colon = reason === undefined ? "" : `: ${reason}`;
    const farewell = `${SENT_AWAY.kicked} by ${member.name}${colon}`;
    this.#expel(whom, farewell, "kicked");
    tell(member, { type: "done", text: `${whom.name} is kicked`, ref });
  }

  async #ban(
    member: Member,
    order: Ordering<"ban" | "mute">,
  ): Promise<void> {
    const { type: kind, ms, reason, ref } = order;
    const target = readTarget(order.target);
    if (typeof target === "string") {
      return tell(member, refusal("usage", target, ref));
    }
    await this.#bans[kind].prepare();
    const fault = tooLong(reason, MAX_REASON_BYTES, ref) ??
      this.#confirm(member, target, order);
    if (fault) return tell(member, fault);

    const since = this.#now();
    const { network, spared } = this.#networkWith(member, target);
    const said = {
      by: member.name,
      ...why(reason),
      since,
      ...(ms !== undefined && { until: since + ms }),
    };
    const bans: Ban[] = [
      { kind, target: target.text, ...said },
      ...(network
        ? [{ kind, target: network, with: target.text, ...said }]
        : []),
    ];
    for (const ban of bans) this.#bans[kind].add(ban);
    const whom = bans.map(({ target }) => target).join(", ");
    const hit = this.#hit(kind, bans);
    log.info(`operator ${kind}s`, {
      ...actor(member),
      whom,
      ...(ms === undefined ? { lasts: "for good" } : { seconds: ms / 1000 }),
      ...why(reason),
      hit: hit.length,
    });
    // After the server has been started anew, another guest has that name.
    const lasting = bans.filter(({ target }) => !isGuestName(target));
    const kept = await this.#keep(() => this.#orders.ban(lasting));
    const text = `${kind === "ban" ? "banned" : "muted"} ${
      untilWhen(bans[0]?.until)
    }: ${whom}${spared}; ${counted(hit.length)} ${
      kind === "ban" ? "ended" : "silenced"
    }${kept}`;
    tell(member, { type: "done", text, ref });
  }

  /** Ends, or tells, all who are here and banned or muted by one of these. */
  #hit(kind: Ban["kind"], added: readonly Ban[]): Member[] {
    const hit: Member[] = [];
    for (const member of [...this.#members]) {
      const ban = this.#bans[kind].find(suspect(member));
      // Whom another one mutes for longer has been told.
      if (!ban || (kind === "mute" && !added.includes(ban))) continue;
      hit.push(member);
      if (kind === "ban") {
        const farewell = `${SENT_AWAY.banned}${conditions(ban)}`;
        this.#expel(member, farewell, "banned");
      } else if (member.seats.length > 0) {
        tell(member, refusal("muted", `you are muted${conditions(ban)}`, ""));
      }
    }
    return hit;
  }

  async #lift(
    member: Member,
    order: Ordering<"unban" | "unmute">,
  ): Promise<void> {
    const { type, ref } = order;
    const target = readTarget(order.target);
    if (typeof target === "string") {
      return tell(member, refusal("usage", target, ref));
    }
    const kind = type === "unban" ? "ban" : "mute";
    const lifted = this.#bans[kind].remove(target);
    const participle = kind === "ban" ? "banned" : "muted";
    if (lifted.length === 0) {
      const reason = `${target.text} is not ${participle}; /bans lists who is`;
      return tell(member, refusal("name-unknown", reason, ref));
    }
    const whom = lifted.map(({ target }) => target).join(", ");
    log.info(`operator ${type}s`, { ...actor(member), whom });
    const kept = await this.#keep(() => this.#orders.lift(lifted));
    const text = `no longer ${participle}: ${whom}${kept}`;
    tell(member, { type: "done", text, ref });
  }

  #list(member: Member): Promise<void> {
    const all = [...this.#bans.ban.list(), ...this.#bans.mute.list()];
    const event = { type: "bans", count: all.length } as const;
    return tellPages(
      member,
      pages(all, PAGE_BANS).map(([bans, more]) => ({ ...event, bans, more })),
    );
  }

  #tellTopic(member: Member, { room: name, ref }: Ordering<"topic">): void {
    const room = this.#room(member, name, ref);
    if ("code" in room) return tell(member, room);
    tell(member, { type: "topic", room: room.name, text: room.topic });
  }

  #setTopic(member: Member, order: Ordering<"topic">): Promise<void> | void {
    const { text = "", ref } = order;
    const room = this.#room(member, order.room, ref);
    if ("code" in room) return tell(member, room);
    const fault = tooLong(text, MAX_TOPIC_BYTES, ref);
    if (fault) return tell(member, fault);
    const by = member.name;
    log.info("operator says the topic", {
      ...actor(member),
      room: room.name,
      topic: text,
    });
    const event = { type: "topic", room: room.name, text, by } as const;
    return this.#order(member, room, { topic: text }, event);
  }

  #slow(member: Member, order: Ordering<"slow">): Promise<void> | void {
    const { seconds, ref } = order;
    const room = this.#room(member, order.room, ref);
    if ("code" in room) return tell(member, room);
    const by = member.name;
    log.info("operator slows", { ...actor(member), room: room.name, seconds });
    const event = { type: "slow", room: room.name, seconds, by } as const;
    return this.#order(member, room, { slowSeconds: seconds }, event);
  }

  /** Says something of a room, and tells everybody there, and whoever has said it. */
  async #order(
    member: Member,
    { name: room, topic, slow }: Room,
    change: Partial<RoomOrder>,
    event: ChatEvent,
  ): Promise<void> {
    const before = { room, topic, slowSeconds: slow?.seconds ?? 0 };
    const order = { ...before, ...change };
    this.#rooms.order(order);
    const ordered = this.#rooms.get(room);
    if (ordered) this.#rooms.announce(ordered, event);
    if (!member.seats.some((seat) => seat.room === ordered)) {
      tell(member, event);
    }
    const kept = await this.#keep(() => this.#orders.order(order));
    if (kept === "") return;
    tell(member, { type: "done", text: `done in ${room}${kept}`, ref: "" });
  }

  #announce(member: Member, { text, ref }: Ordering<"announce">): void {
    const fault = tooLong(text, this.#limits.maxMessageBytes, ref);
    if (fault) return tell(member, fault);
    log.info("operator announces", { ...actor(member), text });
    // One for all, so that it is encoded once.
    const batch = Batch.of({ type: "announced", from: member.name, text });
    for (const other of this.#members) {
      if (other.seats.length > 0) passOn(other, batch);
    }
  }

  async #readAgain(
    member: Member,
    { ref }: Ordering<"reload">,
  ): Promise<void> {
    log.info("operator reloads", actor(member));
    await this.#reload?.();
    const text = "the settings were read again; the log says what came of it";
    tell(member, { type: "done", text, ref });
  }

  /** What would hit the operator themselves, or this machine, has to be said twice. */
  #confirm(
    member: Member,
    target: Target,
    { ref, ...asked }: Ordering<"ban" | "mute">,
  ): Refusal | undefined {
    const { network } = target;
    const isOwn = this.#bans[asked.type].isMeant(suspect(member), target);
    if (!isOwn && !(network && holdsLoopback(network))) return undefined;
    const request = JSON.stringify(asked);
    const now = this.#now();
    const before = this.#unconfirmed.get(member);
    this.#unconfirmed.delete(member);
    const { confirmMs } = this.#limits;
    if (before?.asked === request && now - before.at <= confirmMs) {
      return undefined;
    }
    this.#unconfirmed.set(member, { asked: request, at: now });
    const whom = isOwn ? "you" : "everybody on the server's own machine";
    const what = `this would ${asked.type} ${whom}, ${
      untilWhen(
        asked.ms === undefined ? undefined : now + asked.ms,
      )
    }`;
    const reason = `${what}: say it again within ${confirmMs / 1000} s`;
    return refusal("confirm", reason, ref);
  }

  /**
   * From where somebody is here who is banned by name: they would come back under another one. Not if others would be
   * hit that are not meant: the operator, or all who come through this machine.
   */
  #networkWith(
    member: Member,
    { text, network }: Target,
  ): { network?: string; spared: string } {
    const whom = network ? undefined : this.#members.whoIs(text);
    const host = whom && hostOf(whom);
    if (host === undefined || isLoopback(host)) return { spared: "" };
    const name = networkOf(host);
    const own = hostOf(member);
    return own !== undefined && networkOf(own) === name
      ? { spared: ` (but not ${name}, from where you come, too)` }
      : { network: name, spared: "" };
  }

  /** Takes somebody out at once, who cannot take up the session again. */
  #expel(member: Member, reason: string, drop: Drop): void {
    const { connection } = member;
    this.#seating.leaveAll(member);
    this.#members.remove(member);
    connection?.end(reason, drop);
  }

  /** The room of that name, or the one where somebody is. */
  #room(
    member: Member,
    name: string | undefined,
    ref: string,
  ): Room | Refusal {
    const room = name === undefined
      ? member.seats[0]?.room
      : this.#rooms.get(normalizeName(name));
    const reason = `nobody is in ${name}`;
    return room ?? refusal("room-unknown", reason, ref);
  }

  /** Keeps what holds already; what to say of it, if that is not possible. */
  async #keep(keep: () => Promise<void>): Promise<string> {
    try {
      await keep();
      return "";
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      const reason = describe(error);
      log.error("an order is not kept", { reason });
      return `; it could not be stored, and ends with the server: ${reason}`;
    }
  }
}

/** Who somebody is to whom bans may apply. */
function suspect(member: Member): Suspect {
  const { name, account } = member;
  return { name: name || undefined, account, host: hostOf(member) };
}

/** Who has ordered something, for the log. */
function actor(member: Member): Record<string, string> {
  const { name, account } = member;
  return {
    by: name,
    ...(account !== undefined && account !== nameKey(name) && { account }),
    from: hostOf(member) ?? "nowhere",
  };
}

function why(reason: string | undefined): { reason?: string } {
  return reason === undefined || reason === "" ? {} : { reason };
}

function tooLong(
  text: string | undefined,
  most: number,
  ref: string,
): Refusal | undefined {
  const bytes = utf8Length(text ?? "");
  if (bytes <= most) return undefined;
  const reason = `${bytes} bytes are too long, at most ${most} will do here`;
  return refusal("too-long", reason, ref);
}

function counted(members: number): string {
  return `${members} ${members === 1 ? "member" : "members"}`;
}
