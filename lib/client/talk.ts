/**
 * What a person at a terminal says and sees: what a typed line does, in which room that is, and which lines
 * tell what has arrived. Knows neither keys nor the screen.
 */

import {
  type ChatEvent,
  type Command,
  LOBBY,
  MAX_UNACKNOWLEDGED,
  nameKey,
} from "../message.ts";
import { parse, render } from "../wire/text.ts";
import { type Arrival, frameFault } from "./conversation.ts";
import type { Link } from "./link.ts";

/** What is needed of a link. */
export type Talkable = Pick<
  Link,
  | "name"
  | "rooms"
  | "find"
  | "isJoining"
  | "isConnected"
  | "unacknowledged"
  | "free"
  | "say"
  | "tell"
  | "reply"
  | "ask"
>;

/** A conversation of one person, who is in one of their rooms at a time. */
export class Talk {
  readonly #link: Talkable;
  #room: string = LOBBY;
  /** Where this person was before they wanted to join the room where they are now. */
  #before: string = LOBBY;
  /** What they were called who told this person something last. */
  #teller: string | undefined;

  constructor(link: Talkable) {
    this.#link = link;
  }

  /** The room in which is said what is typed: as soon as they want to be there, also if it is not sure yet. */
  get room(): string {
    return this.#room;
  }

  /** Why these lines cannot be obeyed, if they cannot: then none of them is. */
  fault(lines: readonly string[]): string | undefined {
    let messages = 0;
    for (const line of lines) {
      const command = parse(line);
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

  /**
   * Does what a line says.
   *
   * @returns what to show besides, and whether it is the wish to quit
   */
  obey(line: string): { show: string[]; quits: boolean } {
    const command = parse(line);
    if (command?.type === "quit") return { show: [], quits: true };
    return { show: command ? this.#obey(command) : [], quits: false };
  }

  /** The lines that tell what has arrived. */
  show({ event, show, notice }: Arrival): string[] {
    if (event) this.#follow(event);
    const lines = show.flatMap((event) => this.#lines(event));
    if (notice) lines.push(`-- ${notice}`);
    const { rooms } = this.#link;
    if (!rooms.includes(this.#room) && !this.#link.isJoining(this.#room)) {
      lines.push(
        this.#enter(rooms.includes(this.#before) ? this.#before : LOBBY),
      );
    }
    return lines;
  }

  #obey(command: Command | (ChatEvent & { type: "refused" })): string[] {
    const { ref } = command;
    const room = this.#room;
    switch (command.type) {
      case "refused":
      case "help":
        return this.#lines(command);
      case "say":
        this.#link.say(command.text, {
          room,
          action: command.action,
          label: ref,
        });
        return this.#waiting();
      case "tell":
        this.#link.tell(command.to, command.text, ref);
        return this.#waiting();
      case "reply":
        if (this.#teller === undefined) {
          return this.#refuse("nobody has written to you", ref);
        }
        this.#link.reply(this.#teller, command.text, ref);
        return this.#waiting();
      case "join": {
        const known = this.#link.find(command.room);
        if (known !== undefined) return [this.#enter(known)];
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
        return refused.length > 0 || stays ? refused : [this.#enter(LOBBY)];
      }
      case "who":
      case "history":
        return this.#ask({ room, ...command });
      case "rooms":
      case "nick":
      case "ping":
        return this.#ask(command);
      case "quit":
        return [];
    }
  }

  #enter(room: string): string {
    this.#room = room;
    return `-- you are in ${room}`;
  }

  #ask(request: Parameters<Talkable["ask"]>[0]): string[] {
    if (this.#link.ask(request)) return [];
    return this.#refuse("there is no connection", request.ref);
  }

  #refuse(reason: string, ref: string): string[] {
    return this.#lines({ type: "refused", code: "usage", reason, ref });
  }

  #waiting(): string[] {
    if (this.#link.isConnected) return [];
    return [`-- not connected, ${counted(this.#link.unacknowledged)}`];
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
        return frameFault({ room: this.#room, ...command });
      default:
        return frameFault(command);
    }
  }

  /** Keeps up with where this person wants to be, and who has told them something. */
  #follow(event: ChatEvent): void {
    switch (event.type) {
      case "joined":
        // As the room is called, however it was typed.
        if (nameKey(event.room) === nameKey(this.#room)) {
          this.#room = event.room;
        }
        break;
      case "told":
        this.#teller = event.from;
        break;
    }
  }

  #lines(event: ChatEvent): string[] {
    const lines = render(event).split("\n").slice(0, -1);
    // These are told once, whichever rooms one shares with somebody.
    const isOfNoRoom = event.type === "renamed" || event.type === "offline";
    const isElsewhere = !isOfNoRoom && "room" in event &&
      event.room !== undefined && event.room !== this.#room;
    return isElsewhere ? lines.map((line) => `${event.room}: ${line}`) : lines;
  }
}

function counted(waiting: number): string {
  return waiting === 1 ? "1 line waits" : `${waiting} lines wait`;
}
