/**
 * What a link needs of the dialect that it speaks, whichever that is; how a frame is told from a line of text, and
 * which farewells are for good. Knows neither who says it nor through what.
 */

import { type ChatEvent, isFinal } from "../message.ts";
import { read } from "../wire/json.ts";
import { type Connection, Lost } from "./connection.ts";
import type {
  Arrival,
  ConversationOptions,
  Login,
  Request,
  SayOptions,
} from "./conversation.ts";
import type { Pending, Spoken } from "./said.ts";

/** What can be asked of a server besides saying something and quitting. */
export type Question = Exclude<Request, Spoken | { type: "quit" }>;

/** What every dialect is told. */
export interface DialectOptions extends ConversationOptions {
  /** What to be called; empty if the server is to choose. */
  name: string;
  /** The password of the server, if it asks for one; by default there is none to say. */
  password?: string;
  /** How long connecting may take until the server has said its welcome, in ms. */
  welcomeMs: number;
  /** Called when something is sent that has waited, or can be done that could not, and nothing has arrived. */
  onChange(): void;
}

/** What comes of the begin of a connection, or of its loss, and how it goes on. */
export interface Turn {
  arrivals: Arrival[];
  /** The dialect that is spoken from now on. */
  dialect: Dialect;
}

/** One end of a conversation: what has to be kept outlives each of its connections. */
export interface Dialect {
  /** Whether it is plain text: nothing is acknowledged, and nothing can be asked for. */
  readonly isText: boolean;
  /** What one is called; in plain text, what one wanted to be called. */
  readonly name: string;
  /** With what one has logged in, if one has; in plain text that is not known. */
  readonly login: Login | undefined;
  /** The rooms that one is in; none in plain text. */
  readonly rooms: string[];
  /** What was said and has not come to its place in the conversation yet; in plain text that is not known. */
  readonly pending: Pending[];
  /** How much was said and not acknowledged; in plain text, not sent. */
  readonly unacknowledged: number;
  /** How much more can be said before some of that is. */
  readonly free: number;
  /** Whether {@linkcode quit} would lose nothing. */
  readonly isDone: boolean;
  /** The room of this name that one is in, as the server writes it. */
  find(room: string): string | undefined;
  /** Who is in the room, as far as the server has told. */
  people(room: string): string[];
  /** Whether one has asked to be let into the room, and was not answered yet. */
  isJoining(room: string): boolean;
  /** Why this cannot be said, if it cannot. */
  fault(text: string): string | undefined;
  /**
   * Says something, as soon as there is a connection.
   *
   * @throws {RangeError} if too much waits
   */
  say(text: string, options: SayOptions): string;
  /**
   * Tells somebody something.
   *
   * @throws {RangeError} if too much waits
   * @throws {TypeError} in plain text
   */
  tell(to: string, text: string, label: string): string;
  /**
   * Replies to whoever told something under this name.
   *
   * @throws {RangeError} if too much waits
   * @throws {TypeError} in plain text
   */
  reply(to: string, text: string, label: string): string;
  /** Asks for something else, and returns whether it can be asked for. */
  ask(request: Question): boolean;
  /**
   * Introduces this end on a new connection, and has said there what waits.
   *
   * @throws {Lost} if it is not welcome
   */
  begin(connection: Connection): Promise<Turn>;
  /** What these lines tell; and the loss that they announce, if they do. */
  take(lines: readonly string[]): { arrivals: Arrival[]; lost?: Lost };
  /** The loss, where nothing more comes. */
  ended(): Lost;
  /** The connection is lost. */
  lose(): Turn;
  /** Says that nothing more will be said; the server should close. */
  quit(): void;
  /** Leaves a connection, and closes it when the server has, or after so many ms. */
  leave(connection: Connection, ms: number): Promise<void>;
}

/** The server speaks another dialect after all: this connection is of no use, and another one is. */
export class Mistaken extends Lost {}

/** The server lets nobody in who does not know its password, and this end does not. */
export class Denied extends Lost {
  /** Whether it was told one. */
  readonly wasWrong: boolean;

  constructor(reason: string, wasWrong: boolean) {
    super(reason, true);
    this.wasWrong = wasWrong;
  }
}

/** The server has let one go, because a line has asked it to. */
export class LetGo extends Lost {}

/** The loss that a farewell announces. After some there is no use in coming back. */
export function farewell(reason: string): Lost {
  return new Lost(reason, isFinal(reason));
}

/** The loss of a connection that the server has closed without a farewell. */
export function noFarewell(): Lost {
  return new Lost("the server closed the connection");
}

/** What a line tells if it is a frame, where it may as well be text. */
export function tryFrame(line: string): ChatEvent | undefined {
  try {
    return read(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
