/**
 * The hub: who is in the room, what they are called, and who is told what. A command goes in, events come
 * out. This is the only place where one event becomes many. It must not know about sockets or dialects.
 */

import {
  type ChatEvent,
  type Command,
  guestName,
  MAX_MEMBERS_LISTED,
  nameFault,
  nameKey,
  normalizeName,
  type Refusal,
  utf8Length,
} from "../message.ts";
import type { Limits } from "./options.ts";
import { Batch, type Outbox, type Turns } from "./outbox.ts";

/** The order in which names are listed. */
const ALPHABET = new Intl.Collator();

/** Somebody in the room. Only the hub changes what stands here. */
export interface Member {
  /** What they are called; empty until they have entered. */
  name: string;
  /** The number of the guest name that is theirs and nobody else's. */
  guest?: number;
  /** How many events of the room's batch are in the outbox already, or were said before they came. */
  seen: number;
  readonly outbox: Outbox;
}

/** What members ask the hub for. The other commands are between them and their session. */
export type Request = Exclude<Command, { type: "quit" | "help" }>;

/** The room and its members. */
export class Hub {
  readonly #turns: Turns;
  readonly #limits: Pick<Limits, "maxMessageBytes">;
  readonly #members = new Set<Member>();
  readonly #names = new Map<string, Member>();
  #batch = new Batch();
  #guests = 0;
  /** The answer to "who is here", until somebody comes, goes or is renamed: making it takes a while. */
  #membersAnswer: Batch | undefined;

  constructor(turns: Turns, limits: Pick<Limits, "maxMessageBytes">) {
    this.#turns = turns;
    this.#limits = limits;
  }

  /** A new member, who misses nothing from now on, but whom nobody sees before they {@linkcode enter}. */
  arrive(outbox: Outbox): Member {
    const member: Member = { name: "", outbox, seen: this.#batch.length };
    this.#members.add(member);
    return member;
  }

  /**
   * Gives `member` the name they wish for, or that of a guest, and tells the others.
   *
   * @returns what the member has to be told before anything else
   */
  enter(member: Member, wish?: Command & { type: "nick" }): ChatEvent[] {
    const refusal = wish && this.#refuseName(member, wish);
    member.name = wish && !refusal
      ? normalizeName(wish.name)
      : guestName(member.guest = ++this.#guests);
    this.#setName(nameKey(member.name), member);
    this.#broadcast({ type: "joined", name: member.name }, member);
    const welcome: ChatEvent = {
      type: "welcome",
      name: member.name,
      others: this.#names.size - 1,
    };
    return refusal ? [refusal, welcome] : [welcome];
  }

  /** Does what a member asks for; whatever comes of it is told to whom it concerns. */
  handle(member: Member, command: Request): void {
    switch (command.type) {
      case "say":
        return this.#say(member, command);
      case "nick":
        return this.#rename(member, command);
      case "who":
        return this.tell(
          member,
          this.#membersAnswer ??= Batch.of(this.#membersEvent()),
        );
    }
  }

  /** Tells one member, after everything that was said in the room before. */
  tell(member: Member, event: ChatEvent | Batch): void {
    this.#catchUp(member);
    member.outbox.tell(event);
  }

  /** Takes a member out of the room: they are sent what was said up to now, and the others are told. */
  leave(member: Member): void {
    if (!this.#members.delete(member)) return;
    this.#catchUp(member);
    if (member.name === "") return;
    this.#setName(nameKey(member.name));
    this.#broadcast({ type: "offline", name: member.name });
  }

  /** Takes everybody out at once: they are sent what was said up to now, and told nothing of each other. */
  dismiss(): void {
    for (const member of this.#members) this.#catchUp(member);
    this.#members.clear();
    this.#names.clear();
  }

  #say(member: Member, { text, action, ref }: Command & { type: "say" }): void {
    const bytes = utf8Length(text);
    const { maxMessageBytes } = this.#limits;
    if (bytes > maxMessageBytes) {
      const reason =
        `${bytes} bytes are too long, a message has at most ${maxMessageBytes}`;
      return this.tell(member, {
        type: "refused",
        code: "too-long",
        reason,
        ref,
      });
    }
    this.#broadcast(
      { type: "message", from: member.name, text, action },
      member,
    );
  }

  #rename(member: Member, command: Command & { type: "nick" }): void {
    const refusal = this.#refuseName(member, command);
    if (refusal) return this.tell(member, refusal);
    const from = member.name;
    const to = normalizeName(command.name);
    this.#setName(nameKey(from));
    this.#setName(nameKey(to), member);
    member.name = to;
    this.#broadcast({ type: "renamed", from, to });
  }

  #refuseName(
    member: Member,
    { name, ref }: Command & { type: "nick" },
  ): Refusal | undefined {
    const wished = normalizeName(name);
    const isOwnGuestName = member.guest !== undefined &&
      wished === guestName(member.guest);
    const fault = isOwnGuestName ? undefined : nameFault(wished);
    if (fault) {
      return { type: "refused", code: "name-invalid", reason: fault, ref };
    }
    if (wished === member.name) {
      const reason = "you have that name already";
      return { type: "refused", code: "name-taken", reason, ref };
    }
    const owner = this.#names.get(nameKey(wished));
    if (owner && owner !== member) {
      return {
        type: "refused",
        code: "name-taken",
        reason: "that name is taken",
        ref,
      };
    }
    return undefined;
  }

  #membersEvent(): ChatEvent {
    const count = this.#names.size;
    const listed = count > MAX_MEMBERS_LISTED ? [] : [...this.#names.values()];
    const names = listed.map(({ name }) => name).sort(ALPHABET.compare);
    return { type: "members", count, names };
  }

  /** Whose name this key is; nobody's if `member` is not given. */
  #setName(key: string, member?: Member): void {
    if (member) this.#names.set(key, member);
    else this.#names.delete(key);
    this.#membersAnswer = undefined;
  }

  #broadcast(event: ChatEvent, author?: Member): void {
    this.#batch.add(event, author?.outbox);
    this.#turns.handOut(this.#handOut);
  }

  /** At the end of a turn, everybody gets the room's batch. */
  #handOut = (): void => {
    const batch = this.#batch;
    this.#batch = new Batch();
    for (const member of this.#members) {
      member.outbox.add(batch, member.seen);
      member.seen = 0;
    }
  };

  /** What was said in the room before this moment goes into the outbox before anything else does. */
  #catchUp(member: Member): void {
    member.outbox.add(this.#batch, member.seen);
    member.seen = this.#batch.length;
  }
}
