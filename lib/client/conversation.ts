/**
 * The conversation, which outlives the connection that it goes through: who one is, in which rooms, how far
 * they were read, and what was said and not acknowledged yet. Pure: frames in, what is to be shown out. Knows
 * no socket, no terminal, and not whether there is a connection now.
 */

import {
  type ChatEvent,
  clean,
  type Command,
  type Hello,
  LOBBY,
  MAX_LINE_BYTES,
  MAX_UNACKNOWLEDGED,
  type Message,
  nameFault,
  nameKey,
  normalizeName,
  type Refusal,
  type RoomState,
  type Since,
  utf8Length,
} from "../message.ts";
import { write } from "../wire/json.ts";
import { People } from "./people.ts";
import { Reading } from "./reading.ts";
import { type Line, type Pending, Said, type Spoken } from "./said.ts";

/** What can be asked of a server in a frame. */
export type Request = Exclude<Command, { type: "help" }>;

/** Something that has arrived, or happened to the connection. */
export interface Arrival {
  /** What the server said; there is none where something happened at this end. */
  event?: ChatEvent;
  /** What is to be shown of it; what was said earlier is one block. */
  show: readonly ChatEvent[];
  /** Whether it was said at this end, and comes to its place now. */
  own?: boolean;
  /** A line of a server that speaks plain text. */
  line?: string;
  /** Whether that line asks for the password of the server. */
  asksPassword?: boolean;
  /** What has to be pointed out besides. */
  notice?: string;
  /** A message of ours that was not taken. */
  refused?: { reason: string; text: string; label: string };
}

/** How something is said. */
export interface SayOptions {
  /** Where; in the lobby by default. */
  room?: string;
  /** Whether it is something that one does. By default it is not. */
  action?: boolean;
  /** What it is called if it is refused: its text by default. */
  label?: string;
  /**
   * Whether it answers a server of plain text that asks for a password, and is for that connection alone. By default
   * it is not.
   */
  isSecret?: boolean;
}

/** A registered name, and what shows that it is one's own. */
export interface Login {
  name: string;
  password: string;
}

/** All with defaults. */
export interface ConversationOptions {
  /** The password of the name that one wants to be called, if it is registered: none by default. */
  login?: string;
  /** How many messages may be not acknowledged: {@linkcode MAX_UNACKNOWLEDGED} by default. */
  maxUnacknowledged?: number;
  /** For how long after a welcome nobody is announced who was there before, in ms: 10,000 by default. */
  returningMs?: number;
  /** The time, in ms: that of the clock by default. */
  now?: () => number;
}

/** What has to be remembered of requests that were neither refused nor visibly done. */
const MAX_LABELS = 100;

/** What is asked for about one's own name, and changes with what one can log in. */
type OfLogin = Request & {
  type: "register" | "login" | "password" | "unregister";
};

/** The codes with which the server answers what a hello asks for. */
const NAME_REFUSALS: readonly Refusal["code"][] = [
  "login-wrong",
  "name-invalid",
  "name-owned",
  "name-taken",
  "too-many-tries",
];

/** A name by which one is not known: what asking for it leads to is told. */
interface Wish {
  name: string;
  refused?: string;
}

/** One end of a conversation with a server. */
export class Conversation {
  readonly #session = newSession();
  readonly #maxUnacknowledged: number;
  readonly #now: () => number;
  readonly #rooms = new Map<string, Reading>();
  readonly #people: People;
  readonly #said = new Said();
  /** The rooms that one has asked to be let into. */
  readonly #joining = new Map<string, Request & { type: "join" }>();
  readonly #labels = new Map<string, string>();
  #lastId = 0;
  #name = "";
  #wish: Wish | undefined;
  /** With what the server has let one log in, or is to. */
  #login: Login | undefined;
  #isLoggedIn = false;
  /** What is asked for about it, and not answered yet. */
  readonly #ofLogin = new Map<string, OfLogin>();
  #isWelcome = false;
  /** The message of the day that was shown last. */
  #motd: string | undefined;

  /** @param name what to be called; empty if the server is to choose */
  constructor(name: string, options: ConversationOptions = {}) {
    const wish = normalizeName(name);
    if (wish !== "") this.#wish = { name: wish };
    const { login: password } = options;
    if (password !== undefined) this.#login = { name: wish, password };
    this.#maxUnacknowledged = options.maxUnacknowledged ?? MAX_UNACKNOWLEDGED;
    this.#now = options.now ?? Date.now;
    this.#people = new People(options.returningMs ?? 10_000, this.#now);
  }

  /** What one is called; empty before the first welcome. */
  get name(): string {
    return this.#name;
  }

  /** With what one has logged in, if one has. */
  get login(): Login | undefined {
    return this.#isLoggedIn ? this.#login : undefined;
  }

  /** The rooms that one is in, as the server writes them. */
  get rooms(): string[] {
    return [...this.#rooms.keys()];
  }

  /** How many messages are not acknowledged. */
  get unacknowledged(): number {
    return this.#said.waiting;
  }

  /** What was said and has not come to its place in the conversation yet. */
  get pending(): Pending[] {
    return this.#said.pending;
  }

  /** How many more can be said before some are acknowledged. */
  get free(): number {
    return this.#maxUnacknowledged - this.#said.waiting;
  }

  /** The room of this name that one is in, as the server writes it. */
  find(room: string): string | undefined {
    const key = nameKey(room);
    return this.rooms.find((name) => nameKey(name) === key);
  }

  /** Who is in a room that one is in, as far as the server has told. */
  people(room: string): string[] {
    return this.#people.names(room);
  }

  /** Whether one has asked to be let into the room, and was not answered yet. */
  isJoining(room: string): boolean {
    return this.#joining.has(nameKey(room));
  }

  /** What to say first in a connection. */
  hello(): Hello {
    // Whoever is logged in comes back as that, also if they have taken another name since.
    const name = this.#login?.name ?? this.#name;
    if (name !== "") this.#wish = { name };
    const fault = this.#wish && nameFault(this.#wish.name);
    // The name of a guest belongs to its session, and cannot be asked for.
    if (this.#name !== "" && fault) this.#wish = undefined;
    if (this.#wish && fault) this.#wish.refused = fault;
    const since: Readonly<Record<string, Since>> = Object.fromEntries(
      Array.from(this.#rooms, ([room, { since }]) => [room, since]),
    );
    return {
      type: "hello",
      ...(this.#wish && !fault && { name: this.#wish.name }),
      ...(this.#login && !fault && { login: this.#login.password }),
      session: this.#session,
      ...(this.#rooms.size > 0 && { since }),
    };
  }

  /** What to say after the welcome and before anything newer: all that was asked for and not answered. */
  open(): Request[] {
    return [...this.#joining.values(), ...this.#said.unacknowledged];
  }

  /**
   * Says something in a room.
   *
   * @throws {RangeError} if too much is not acknowledged
   */
  say(text: string, options: SayOptions = {}): Request {
    const { room = LOBBY, action = false, label = text } = options;
    return this.#speak({
      type: "say",
      room: this.find(room) ?? room,
      text: plain(text),
      action,
      ref: this.#newMessageId(),
    }, label);
  }

  /**
   * Tells somebody something.
   *
   * @throws {RangeError} if too much is not acknowledged
   */
  tell(to: string, text: string, label: string = text): Request {
    const ref = this.#newMessageId();
    return this.#speak({ type: "tell", to, text: plain(text), ref }, label);
  }

  /**
   * Replies to whoever told something under this name, whatever they are called now.
   *
   * @throws {RangeError} if too much is not acknowledged
   */
  reply(to: string, text: string, label: string = text): Request {
    const ref = this.#newMessageId();
    return this.#speak({ type: "reply", to, text: plain(text), ref }, label);
  }

  /** Asks for something else. What `request` has as `ref` it is called if it is refused. */
  ask(request: Exclude<Request, Spoken>): Request {
    const asked = { ...request, ref: this.#newId() };
    this.#labels.set(asked.ref, request.ref);
    for (const ref of this.#labels.keys()) {
      if (this.#labels.size <= MAX_LABELS) break;
      this.#labels.delete(ref);
    }
    if (asked.type === "join") this.#joining.set(nameKey(asked.room), asked);
    if (isOfLogin(asked)) this.#ofLogin.set(asked.ref, asked);
    return asked;
  }

  /** What the server says. */
  take(event: ChatEvent): Arrival[] {
    if (event.type === "welcome") return this.#enter(event);
    if (event.type === "refused") return this.#refuse(event);
    // It was said to somebody who had not introduced themselves.
    if (!this.#isWelcome) return [];
    if (event.type === "message") return this.#read(event);
    if (event.type === "ack") return [{ event, ...this.#acknowledge(event) }];
    const skipped = this.#skip(event);
    return [...skipped, { event, show: this.#note(event) ? [event] : [] }];
  }

  /** The connection is lost. */
  lose(): Arrival[] {
    this.#isWelcome = this.#isLoggedIn = false;
    this.#ofLogin.clear();
    return this.rooms.flatMap((room) => {
      const show = this.#earlier(room);
      return show.length > 0 ? [{ show }] : [];
    });
  }

  /** Gives away what is not acknowledged: there is nobody here who would do that. */
  giveUp(): Line[] {
    return this.#said.giveUp();
  }

  #newId(): string {
    return String(++this.#lastId);
  }

  #newMessageId(): string {
    if (this.free > 0) return this.#newId();
    throw new RangeError(`${this.unacknowledged} messages wait already`);
  }

  #speak(spoken: Spoken, label: string): Spoken {
    this.#said.add({ spoken, label });
    return spoken;
  }

  #enter(event: ChatEvent & { type: "welcome" }): Arrival[] {
    const wasCalled = this.#name;
    const isFirst = wasCalled === "";
    this.#isWelcome = true;
    this.#isLoggedIn = this.#login !== undefined &&
      this.#wish?.refused === undefined;
    this.#name = event.name;
    this.#people.begin();
    const gone = new Set(this.#rooms.keys());
    for (const state of event.rooms) {
      gone.delete(state.room);
      this.#joining.delete(nameKey(state.room));
      this.#comeInto(state);
    }
    const isNews = this.#isNewMotd(event);
    const show = isFirst || isNews ? [event] : [];
    const arrivals: Arrival[] = [{ event, show }];
    for (const room of gone) {
      arrivals.push(...this.#said.skip(room, Infinity).map(this.#inPlace));
      this.#leave(room);
    }
    if (!isFirst) {
      const changes = [
        "connected again",
        ...(event.name === wasCalled ? [] : [`you are ${event.name}`]),
        ...this.#saidAgain(),
        ...Array.from(gone, (room) => `you are no longer in ${room}`),
      ];
      arrivals.push({ show: [], notice: changes.join("; ") });
    }
    if (this.#wish?.name === event.name) this.#wish = undefined;
    return [...arrivals, ...this.#tellOfWish()];
  }

  /** Whether the welcome has a message of the day that is not the last one that was shown. */
  #isNewMotd({ motd = [] }: ChatEvent & { type: "welcome" }): boolean {
    const text = motd.join("\n");
    if (motd.length === 0 || text === this.#motd) return false;
    this.#motd = text;
    return true;
  }

  /** How much is said now that was said before, but perhaps not heard. */
  #saidAgain(): string[] {
    const { waiting } = this.#said;
    if (waiting === 0) return [];
    return [waiting === 1 ? "1 line sent" : `${waiting} lines sent`];
  }

  /** Comes into a room, perhaps again. */
  #comeInto(state: RoomState): void {
    const reading = this.#rooms.get(state.room);
    if (reading) reading.resume(state);
    else this.#rooms.set(state.room, new Reading(state));
    this.#people.find(state.room, state.members ?? []);
  }

  #leave(room: string): void {
    this.#rooms.delete(room);
    this.#people.forget(room);
  }

  #refuse(event: ChatEvent & { type: "refused" }): Arrival[] {
    const { code, reason, ref } = event;
    // The name that the hello asks for is refused before the welcome or after it, and has no id.
    if (NAME_REFUSALS.includes(code) && ref === "" && this.#wish) {
      this.#wish.refused = reason;
      this.#isLoggedIn = false;
      if (code === "login-wrong") this.#login = undefined;
      return [{ event, show: [] }, ...this.#tellOfWish()];
    }
    if (!this.#isWelcome) return [];
    const line = this.#said.refuse(ref);
    const label = line?.label ?? this.#labels.get(ref) ?? "";
    this.#labels.delete(ref);
    this.#ofLogin.delete(ref);
    for (const [key, asked] of this.#joining) {
      if (asked.ref === ref) this.#joining.delete(key);
    }
    const show = [{ ...event, ref: label }];
    if (!line) return [{ event, show }];
    return [{
      event,
      show,
      refused: { reason, text: line.spoken.text, label },
    }];
  }

  /** Once it is known that a name was refused, and what one is called instead. */
  #tellOfWish(): Arrival[] {
    const { name, refused } = this.#wish ?? {};
    if (!this.#isWelcome || !refused) return [];
    this.#wish = undefined;
    const notice = `the name ${
      JSON.stringify(name)
    } was refused, ${refused}; you are ${this.#name}`;
    return [{ show: [], notice }];
  }

  /** What was asked for about one's own name is done. */
  #settle(ref: string): void {
    const asked = this.#ofLogin.get(ref);
    this.#ofLogin.delete(ref);
    switch (asked?.type) {
      case "login":
        this.#login = { name: asked.name, password: asked.password };
        break;
      case "register":
        this.#login = { name: this.#name, password: asked.password };
        break;
      case "password": {
        const { name } = this.#login ?? { name: this.#name };
        this.#login = { name, password: asked.password };
        break;
      }
      case "unregister":
        this.#login = undefined;
        break;
    }
    this.#isLoggedIn = this.#login !== undefined;
  }

  #read(event: ChatEvent & { type: "message" }): Arrival[] {
    const reading = this.#rooms.get(event.room);
    const age = reading?.take(event) ?? "new";
    if (age === "known") return [];
    const earlier = age === "new" || reading?.hasAllEarlier
      ? this.#earlier(event.room)
      : [];
    if (age !== "new") return [{ event, show: earlier }];
    if (!this.#said.recognize(event, this.#name)) {
      return [{ event, show: [...earlier, event] }];
    }
    return [
      ...(earlier.length > 0 ? [{ show: earlier }] : []),
      { event, show: [event], own: true },
    ];
  }

  #acknowledge(
    { ref, seq }: ChatEvent & { type: "ack" },
  ): Omit<Arrival, "event"> {
    const readTo = (room: string) => this.#rooms.get(room)?.since.seq;
    const unseen = this.#said.acknowledge(ref, seq, readTo);
    return unseen ? this.#inPlace(unseen) : { show: [] };
  }

  /** What was said and would be seen in a room that is left, or in a part of a log that is not there any more. */
  #skip(event: ChatEvent): Arrival[] {
    const isOver = event.type === "anew" ||
      (event.type === "left" && event.name === this.#name);
    const to = isOver ? Infinity : event.type === "gap" ? event.to : 0;
    if (to === 0 || !("room" in event)) return [];
    return this.#said.skip(event.room, to).map(this.#inPlace);
  }

  /** A message of one's own that is not going to be seen in a log. */
  #inPlace = (spoken: Spoken): Omit<Arrival, "event"> => {
    const { text } = spoken;
    const [from, time] = [this.#name, this.#now()];
    if (spoken.type !== "say") {
      const { to } = spoken;
      const told = { from, to: to ?? "", text, time, own: true };
      return { show: [{ type: "told", ...told }], own: true };
    }
    const { room = LOBBY, action } = spoken;
    const message = { room, seq: 0, time, from, text, action };
    return { show: [{ type: "message", ...message }], own: true };
  };

  /** What has come of the time before one was in the room, as one block. */
  #earlier(room: string): ChatEvent[] {
    const messages: Message[] = this.#rooms.get(room)?.takeEarlier() ?? [];
    if (messages.length === 0) return [];
    return [{
      type: "history",
      room,
      time: this.#now(),
      messages,
      total: messages.length,
      more: false,
    }];
  }

  /**
   * Takes note of what an event changes.
   *
   * @returns whether it is to be shown
   */
  #note(event: ChatEvent): boolean {
    switch (event.type) {
      case "pong":
        return false;
      case "done":
        this.#settle(event.ref);
        return true;
      case "told":
        return !event.own;
      case "joined":
        if (event.name !== this.#name) {
          return this.#people.come(event.room, event.name);
        }
        if (event.state) this.#comeInto(event.state);
        this.#joining.delete(nameKey(event.room));
        return true;
      case "offline":
        return this.#people.vanish(event.room, event.name);
      case "left":
        this.#people.leave(event.room, event.name);
        if (event.name !== this.#name) return true;
        this.#leave(event.room);
        return false;
      case "renamed":
        if (event.from === this.#name) this.#name = event.to;
        return this.#people.rename(event.room, event.from, event.to);
      case "gap":
        this.#rooms.get(event.room)?.skip(event.to);
        return true;
      case "anew":
        this.#rooms.get(event.room)?.anew(event.log);
        return true;
      default:
        return true;
    }
  }
}

function isOfLogin(request: Request): request is OfLogin {
  const types: readonly Request["type"][] = [
    ...["register", "login", "password", "unregister"] as const,
  ];
  return types.includes(request.type);
}

/** Why this must not be sent, if it must not: the server would close the connection on a frame of that size. */
export function frameFault(request: Request): string | undefined {
  // Whatever its id will be.
  const frame = write({ ...request, ref: "9".repeat(16) }).trimEnd();
  return utf8Length(frame) > MAX_LINE_BYTES ? "too long to be sent" : undefined;
}

/** `text` as the server will store it. */
function plain(text: string): string {
  return clean(text).toWellFormed();
}

/** 128 random bits, in hexadecimal digits. */
function newSession(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}
