/**
 * What a person says and is told: what a typed line does, in which room that is, whom they ignore, and what there
 * is to show of what arrives. Knows neither keys nor how anything is shown.
 */

import {
  type ChatEvent,
  type Command,
  LOBBY,
  MAX_UNACKNOWLEDGED,
  nameFault,
  nameKey,
  normalizeName,
} from "../message.ts";
import { describe as describeFault } from "../fault.ts";
import {
  describe,
  HELP,
  isSecret,
  parse,
  type Usage,
  usage,
  USAGES,
} from "../wire/text.ts";
import { complete } from "./completion.ts";
import type { Completion } from "./composer.ts";
import { type Arrival, frameFault, type Login } from "./conversation.ts";
import { hasSecret, secretStart, withoutSecret } from "./hidden.ts";
import { Ignored } from "./ignored.ts";
import type { Link } from "./link.ts";

/** What is needed of a link. */
export type Talkable = Pick<
  Link,
  | "name"
  | "login"
  | "rooms"
  | "isText"
  | "find"
  | "people"
  | "isJoining"
  | "isConnected"
  | "unacknowledged"
  | "free"
  | "say"
  | "tell"
  | "reply"
  | "ask"
>;

/** Something to show. */
export type Item =
  | {
    type: "event";
    event: ChatEvent;
    /** Whether it was said at this end. */
    isOwn: boolean;
    /** Whether it is meant for this person: their name is in it, or nobody else sees it. */
    calls: boolean;
  }
  /** What this end has to say. */
  | { type: "note"; text: string }
  /** What is typed is said in this room from now on. */
  | { type: "room"; room: string }
  /** A line of a server that speaks plain text, or to it. */
  | { type: "line"; text: string; isOwn: boolean; calls: boolean };

/** What a line has led to. */
export interface Done {
  items: Item[];
  /** What is left to be done. */
  wish?: "quit" | "clear" | "remember" | "forget";
  /** What a password is needed for, which is to be typed unseen. */
  secret?: Secret;
}

/** A command that lacks its password. */
export type Secret =
  & { ref: string }
  & (
    | { type: "register" | "password" }
    | { type: "login"; name: string }
    /** The password of the server, which asks for it in plain text. */
    | { type: "entry" }
  );

/** What is to be answered to a server that asks for its password in plain text. */
export const ENTRY: Secret = { type: "entry", ref: "the password" };

/** What stands before a password that is typed unseen. */
export const UNSEEN = "password (not shown): ";

/** Keeps logins for whoever wants that. */
export interface Keeper {
  /** @returns where */
  remember(login: Login): Promise<string>;
  /** @returns whether there was one of this name */
  forget(name: string): Promise<boolean>;
}

/** How a person wants to be told things. */
export interface TalkOptions {
  /** Whether they do not want to know who comes and goes: they do by default. */
  quiet?: boolean;
  /** Whether their terminal edits the line itself and its cursor stays where it is: by default it does not. */
  plain?: boolean;
  /** Who keeps their login if they say so: nobody by default. */
  keeper?: Keeper;
}

interface OwnCommand extends Usage {
  obey(talk: Talk, argument: string): Done;
}

/** So many of those who have spoken last in a room are offered first. */
const MAX_SPEAKERS = 50;

const OWN_COMMANDS: readonly OwnCommand[] = [
  {
    name: "room",
    argument: "[ROOM]",
    help: "go to a room that you have joined, by name or number (Alt-1 to 9)",
    obey: (talk, room) => ({
      items: room === "" ? talk.listRooms() : talk.goTo(room),
    }),
  },
  {
    name: "ignore",
    argument: "NAME",
    help: "show nothing more of somebody",
    obey: (talk, name) => ({ items: talk.ignore(name) }),
  },
  {
    name: "unignore",
    argument: "NAME",
    help: "show them again",
    obey: (talk, name) => ({ items: talk.unignore(name) }),
  },
  {
    name: "ignored",
    help: "whom you ignore",
    obey: (talk) => ({ items: talk.listIgnored() }),
  },
];

/** What only means something where there is a place to keep logins. */
const KEEPER_COMMANDS: readonly OwnCommand[] = [
  {
    name: "remember",
    help: "store your login here, to be logged in when you come back",
    obey: (talk) => talk.wishToRemember(),
  },
  {
    name: "forget",
    help: "remove the login that is stored",
    obey: () => ({ items: [], wish: "forget" }),
  },
];

/** What only means something where the cursor can be moved. */
const SCREEN_COMMANDS: readonly OwnCommand[] = [
  {
    name: "clear",
    help: "clear the screen",
    obey: () => ({ items: [], wish: "clear" }),
  },
];

const KEYS =
  "Tab completes, Up and Ctrl-R recall, Alt-1 to 9 change rooms, Ctrl-L redraws, Ctrl-Z suspends, Ctrl-D quits";

/** A conversation of one person, who is in one of their rooms at a time. */
export class Talk {
  readonly #link: Talkable;
  readonly #isQuiet: boolean;
  readonly #isPlain: boolean;
  readonly #keeper: Keeper | undefined;
  #room: string = LOBBY;
  /** Where this person was before they wanted to join the room where they are now. */
  #before: string = LOBBY;
  /** What they were called who told this person something last. */
  #teller: string | undefined;
  readonly #ignored = new Ignored();
  readonly #commands: readonly OwnCommand[];
  /** Who has spoken in a room, the last one first. */
  readonly #speakers = new Map<string, string[]>();
  #knownRooms: readonly string[] = [];
  /** Which lists of rooms are on their way: those that only completion wants are not shown. */
  #listsAsked: { isShown: boolean }[] = [];

  constructor(link: Talkable, options: TalkOptions = {}) {
    this.#link = link;
    this.#isQuiet = options.quiet ?? false;
    this.#isPlain = options.plain ?? false;
    this.#keeper = options.keeper;
    this.#commands = [
      ...OWN_COMMANDS,
      ...(this.#keeper ? KEEPER_COMMANDS : []),
      ...(this.#isPlain ? [] : SCREEN_COMMANDS),
    ];
  }

  /** The room in which is said what is typed: as soon as they want to be there, also if it is not sure yet. */
  get room(): string {
    return this.#room;
  }

  /** Why these lines of one input cannot be obeyed, if they cannot: then none of them is. */
  fault(lines: readonly string[]): string | undefined {
    const secretFault = this.#secretFault(lines);
    if (secretFault) return secretFault;
    let messages = 0;
    for (const line of this.#meant(lines)) {
      const command = this.#parse(line);
      if (!command || command.type === "refused") continue;
      if (["say", "tell", "reply"].includes(command.type)) messages++;
      const fault = this.#frameFault(command);
      if (fault) return fault;
    }
    const { free, unacknowledged } = this.#link;
    if (messages <= free) return undefined;
    return unacknowledged === 0
      ? `not more than ${MAX_UNACKNOWLEDGED} lines at once`
      : `${counted(unacknowledged)} already`;
  }

  /** Does what the lines of one input say. */
  obey(lines: readonly string[]): Done {
    const items: Item[] = [];
    for (const line of this.#meant(lines)) {
      const done = this.#do(line);
      items.push(...done.items);
      if (done.wish || done.secret) return { ...done, items };
    }
    return { items };
  }

  /** Does what has waited for a password. */
  answer(secret: Secret, password: string): Item[] {
    if (secret.type === "entry") {
      // It may be another connection by now, at which nobody has asked.
      const { isText, isConnected } = this.#link;
      if (isText && isConnected) {
        this.#link.say(password, { label: secret.ref, isSecret: true });
      }
      return [];
    }
    const fault = this.#frameFault({ ...secret, password });
    if (fault) return [note(fault)];
    return this.#obey({ ...secret, password });
  }

  /** Stores the login that one has, or removes what is stored; says what has come of it. */
  async keep(wish: "remember" | "forget"): Promise<Item[]> {
    const { login, name } = this.#link;
    try {
      if (wish === "forget") {
        const ofWhom = login?.name ?? name;
        const wasStored = await this.#keeper?.forget(ofWhom);
        const what = wasStored ? "no longer stored" : "not stored";
        return [note(`the login of ${ofWhom} is ${what}`)];
      }
      if (!login || !this.#keeper) return [note(NO_LOGIN)];
      const path = await this.#keeper.remember(login);
      return [note(`the login of ${login.name} is stored in ${path}`)];
    } catch (error) {
      return [note(describeFault(error))];
    }
  }

  /** Asks for the login that one has to be stored. */
  wishToRemember(): Done {
    return this.#link.login
      ? { items: [], wish: "remember" }
      : { items: [note(NO_LOGIN)] };
  }

  /** Why these lines would say a password to everybody, if they would. */
  #secretFault(lines: readonly string[]): string | undefined {
    if (this.#link.isText && lines.length > 1) return undefined;
    if (lines.length > 1) {
      return lines.some(isSecret)
        ? "several lines are text, and one of them would say a password aloud"
        : undefined;
    }
    const [line = ""] = lines;
    return isSecret(line) && !line.startsWith("/")
      ? "nothing stands before the slash of a command: it would be said aloud"
      : undefined;
  }

  /** Several lines were pasted: whatever they begin with, they are text. */
  #meant(lines: readonly string[]): readonly string[] {
    const isText = lines.length > 1 && !this.#link.isText;
    return isText
      ? lines.map((line) => line.startsWith("/") ? `/${line}` : line)
      : lines;
  }

  #do(line: string): Done {
    const own = this.#readOwn(line);
    if (own) return this.#obeyOwn(own, line);
    const secret = this.#link.isText ? undefined : lackingSecret(line);
    if (secret) return { items: [], secret };
    const command = this.#parse(line);
    if (!command) return { items: [] };
    switch (command.type) {
      case "quit":
        return { items: [], wish: "quit" };
      case "help":
        return { items: this.#help(command) };
      default:
        return {
          items: [
            ...this.#link.isText ? this.#sayLine(line) : this.#obey(command),
            ...this.#isPlain && hasSecret(line) ? [note(SEEN)] : [],
          ],
        };
    }
  }

  /** What there is to show of what has arrived. */
  take({ event, show, own = false, line, notice }: Arrival): Item[] {
    const items = event && this.#isUnasked(event)
      ? []
      : show.flatMap((event) => this.#items(event, own));
    if (event) this.#follow(event);
    if (line !== undefined) {
      const calls = mentions(line, this.#link.name);
      items.push({ type: "line", text: line, isOwn: false, calls });
    }
    if (notice) items.push(note(notice));
    const { rooms, isText } = this.#link;
    const isHere = rooms.includes(this.#room) ||
      this.#link.isJoining(this.#room);
    if (!isHere && !isText) {
      items.push(
        ...this.#enter(rooms.includes(this.#before) ? this.#before : LOBBY),
      );
    }
    return items;
  }

  /** What the end of a line can go on with. */
  complete(typed: string): Completion {
    const { rooms, isConnected } = this.#link;
    // Asked for again each time; what it answers is there the next time.
    const isUnderWay = this.#listsAsked.some(({ isShown }) => !isShown);
    if (/^\/\w+\s/.test(typed) && isConnected && !isUnderWay) {
      this.#askForRooms(false, "");
    }
    return complete(typed, {
      commands: [...USAGES, ...this.#commands],
      people: /^\/unignore\s/i.test(typed) ? this.#ignored.names : this.#people,
      rooms: /^\/room\s/i.test(typed) ? rooms : [...rooms, ...this.#knownRooms],
    });
  }

  /** Who is here and may be meant, whoever has spoken last first. */
  get #people(): string[] {
    const present = this.#link.people(this.#room);
    // In a large room the server does not say who is there.
    const speakers = (this.#speakers.get(this.#room) ?? []).filter((name) =>
      present.length === 0 || present.includes(name)
    );
    return [...speakers, ...present].filter((name) =>
      name !== this.#link.name && !this.#ignored.has(name)
    );
  }

  /** Goes to a room that one is in, by its name or its number. */
  goTo(which: string): Item[] {
    const { rooms } = this.#link;
    const number = /^\d{1,3}$/.test(which) ? rooms[Number(which) - 1] : "";
    const room = this.#link.find(which) ?? number;
    return room ? this.#enter(room) : [
      note(`you are in no room ${which}; /room lists yours`),
    ];
  }

  /** The rooms that one is in. */
  listRooms(): Item[] {
    const rooms = this.#link.rooms.map((room, i) => `${i + 1} ${room}`);
    return [note(`your rooms: ${rooms.join(", ")}`)];
  }

  /** From now on nothing of somebody is shown. */
  ignore(name: string): Item[] {
    const fault = nameKey(name) === nameKey(this.#link.name)
      ? "that is you"
      : nameFault(normalizeName(name));
    if (fault) return [note(fault)];
    this.#ignored.add(name);
    return [note(`${name} is ignored`)];
  }

  /** From now on somebody is shown again. */
  unignore(name: string): Item[] {
    const given = this.#ignored.remove(name);
    return [
      note(
        given === undefined
          ? `${name} was not ignored`
          : `${given} is no longer ignored`,
      ),
    ];
  }

  /** Whose words are not shown. */
  listIgnored(): Item[] {
    const { names } = this.#ignored;
    const text = names.length === 0
      ? "nobody is ignored"
      : `ignored: ${names.join(", ")}`;
    return [note(text)];
  }

  #parse(line: string): ReturnType<typeof parse> {
    const command = this.#readOwn(line) ? undefined : parse(line);
    if (!command || !this.#link.isText) return command;
    // Nearly all commands are the server's own.
    return command.type === "quit" || command.type === "help"
      ? command
      : { type: "say", text: line, action: false, ref: withoutSecret(line) };
  }

  #obeyOwn({ command, argument }: OwnLine, line: string): Done {
    const isMissing = argument === "" && command.argument === "NAME";
    if (!isMissing) return command.obey(this, argument);
    return { items: this.#refuse(`usage: ${usage(command)}`, line) };
  }

  #help(command: Command & { type: "help" }): Item[] {
    const { isText } = this.#link;
    const lines = describe(
      isText ? this.#commands : [...HELP, ...this.#commands],
    ).map((line) => line.slice("-- ".length));
    if (!this.#isPlain) lines.push(KEYS);
    return [...(isText ? this.#sayLine(command.ref) : []), ...lines.map(note)];
  }

  #sayLine(line: string): Item[] {
    const text = withoutSecret(line);
    if (text === line) this.#link.say(line);
    else this.#link.say(line, { label: text });
    return [{ type: "line", text, isOwn: true, calls: false }];
  }

  #obey(
    command: Command | (ChatEvent & { type: "refused" }),
  ): Item[] {
    const { ref } = command;
    const room = this.#room;
    switch (command.type) {
      case "refused":
        return this.#items(command, false);
      case "say":
        this.#link.say(command.text, {
          room,
          action: command.action,
          label: ref,
        });
        return [];
      case "tell":
        this.#link.tell(command.to, command.text, ref);
        return [];
      case "reply":
        if (this.#teller === undefined) {
          return this.#refuse("nobody has written to you", ref);
        }
        this.#link.reply(this.#teller, command.text, ref);
        return [];
      case "join": {
        const known = this.#link.find(command.room);
        if (known !== undefined) return this.#enter(known);
        if (this.#link.isConnected) {
          this.#before = room;
          this.#room = command.room;
        }
        return this.#ask(command);
      }
      case "leave": {
        const left = command.room ?? room;
        const refused = this.#ask({ ...command, room: left });
        const stays = left === LOBBY || nameKey(left) !== nameKey(room);
        return refused.length > 0 || stays ? refused : this.#enter(LOBBY);
      }
      case "who":
      case "history":
      case "slow":
      case "topic":
        return this.#ask({ room, ...command });
      case "rooms":
        return this.#askForRooms(true, ref);
      case "nick":
      case "register":
      case "login":
      case "password":
      case "unregister":
      case "ping":
      case "kick":
      case "ban":
      case "unban":
      case "bans":
      case "mute":
      case "unmute":
      case "announce":
      case "reload":
        return this.#ask(command);
      case "help":
      case "pong":
      case "quit":
        return [];
    }
  }

  #enter(room: string): Item[] {
    this.#room = room;
    return [{ type: "room", room }];
  }

  #ask(request: Parameters<Talkable["ask"]>[0]): Item[] {
    if (this.#link.ask(request)) return [];
    return this.#refuse("there is no connection", request.ref);
  }

  #askForRooms(isShown: boolean, ref: string): Item[] {
    const refused = this.#ask({ type: "rooms", ref });
    if (refused.length === 0) this.#listsAsked.push({ isShown });
    return refused;
  }

  #refuse(reason: string, ref: string): Item[] {
    return this.#items({ type: "refused", code: "usage", reason, ref }, false);
  }

  #frameFault(command: Command): string | undefined {
    switch (command.type) {
      case "help":
        return undefined;
      case "reply":
        return frameFault({ ...command, to: this.#teller ?? "" });
      case "say":
      case "leave":
      case "who":
      case "history":
      case "slow":
      case "topic":
        return frameFault({ room: this.#room, ...command });
      default:
        return frameFault(command);
    }
  }

  /** Keeps up with where this person wants to be, who has told them something, and who is who. */
  #follow(event: ChatEvent): void {
    switch (event.type) {
      case "welcome":
        this.#listsAsked = [];
        break;
      case "joined":
        // As the room is called, however it was typed.
        if (nameKey(event.room) === nameKey(this.#room)) {
          this.#room = event.room;
        }
        break;
      case "told":
        if (!this.#ignored.has(event.from)) this.#teller = event.from;
        break;
      case "message":
        this.#hear(event.room, event.from);
        break;
      case "renamed":
        this.#ignored.rename(event.from, event.to);
        for (const names of this.#speakers.values()) {
          const at = names.indexOf(event.from);
          if (at >= 0) names[at] = event.to;
        }
        break;
      case "offline":
        this.#ignored.vanish(event.name);
        break;
      case "rooms":
        this.#knownRooms = event.rooms.map(({ room }) => room);
        break;
    }
  }

  /** This program's own command, if the line is one. */
  #readOwn(line: string): OwnLine | undefined {
    const [, word, argument = ""] = /^\/(\w+)\s*(.*)$/su.exec(line) ?? [];
    const command = this.#commands.find(({ name }) =>
      name === word?.toLowerCase()
    );
    return command && { command, argument: argument.trim() };
  }

  #hear(room: string, name: string): void {
    const before = this.#speakers.get(room) ?? [];
    const others = before.filter((other) => other !== name);
    this.#speakers.set(room, [name, ...others].slice(0, MAX_SPEAKERS));
  }

  /** Whether it is a list of rooms that this person has not asked for. */
  #isUnasked(event: ChatEvent): boolean {
    if (event.type !== "rooms") return false;
    const isShown = this.#listsAsked[0]?.isShown ?? true;
    if (!event.more) this.#listsAsked.shift();
    return !isShown;
  }

  #items(event: ChatEvent, isOwn: boolean): Item[] {
    const item = (event: ChatEvent, calls = false): Item[] => [
      { type: "event", event, isOwn, calls },
    ];
    switch (event.type) {
      case "message":
        if (isOwn) return item(event);
        if (this.#ignored.has(event.from)) return [];
        return item(event, mentions(event.text, this.#link.name));
      case "told":
        if (isOwn) return item(event);
        return this.#ignored.has(event.from) ? [] : item(event, true);
      case "joined":
        if (event.state) return item(event);
        return this.#isHidden(event.name) ? [] : item(event);
      case "left":
      case "offline":
        return this.#isHidden(event.name) ? [] : item(event);
      case "renamed":
        return item(event);
      case "history": {
        const messages = event.messages.filter(({ from }) =>
          !this.#ignored.has(from)
        );
        return item({ ...event, messages });
      }
      default:
        return item(event);
    }
  }

  #isHidden(name: string): boolean {
    return this.#isQuiet || this.#ignored.has(name);
  }
}

const NO_LOGIN = "you are not logged in: /login NAME, or /register first";

const SEEN =
  "the terminal has shown the password; without it, /login NAME asks for it unseen";

/** The command that this line is, if nothing but a password is missing. */
function lackingSecret(line: string): Secret | undefined {
  const start = secretStart(line);
  if (start === undefined || start < line.length) return undefined;
  const [, word = "", name] = /^(\/\w+)(?:\s+(\S+))?\s*$/u.exec(line) ?? [];
  const type = word.slice(1).toLowerCase();
  if (type === "login" && name !== undefined) return { type, name, ref: word };
  return type === "register" || type === "password"
    ? { type, ref: word }
    : undefined;
}

interface OwnLine {
  command: OwnCommand;
  argument: string;
}

function note(text: string): Item {
  return { type: "note", text };
}

/** Whether one of these is meant for this person. */
export function areCalls(items: readonly Item[]): boolean {
  return items.some((item) => "calls" in item && item.calls);
}

/** Whether a text has somebody's name as a word of its own. */
export function mentions(text: string, name: string): boolean {
  return name !== "" && mention(name).test(text);
}

/** Somebody's name, as a word of its own. */
export function mention(name: string): RegExp {
  const letters = String.raw`[\p{L}\p{M}\p{N}_]`;
  return new RegExp(
    `(?<!${letters})${RegExp.escape(name)}(?!${letters})`,
    "giu",
  );
}

/** How many lines wait. */
export function counted(waiting: number): string {
  return waiting === 1 ? "1 line waits" : `${waiting} lines wait`;
}
