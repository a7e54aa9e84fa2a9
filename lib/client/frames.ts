/**
 * The JSON dialect as a link speaks it: hello and welcome first, frames after that, and a server that has no
 * welcome to say. What outlives a connection is the conversation's. Knows no sockets.
 */

import { type ChatEvent, type Hello, LOBBY } from "../message.ts";
import { read, write } from "../wire/json.ts";
import { readBye } from "../wire/text.ts";
import { type Connection, Lost } from "./connection.ts";
import {
  type Arrival,
  Conversation,
  frameFault,
  type Login,
  type Request,
  type SayOptions,
} from "./conversation.ts";
import {
  Denied,
  type Dialect,
  type DialectOptions,
  farewell,
  noFarewell,
  type Question,
  tryFrame,
  type Turn,
} from "./dialect.ts";
import { PlainLines } from "./plain_lines.ts";
import type { Line, Pending } from "./said.ts";

const PING = write({ type: "ping", ref: "" });
const PONG = write({ type: "pong", ref: "" });
const QUIT = write({ type: "quit", ref: "" });

/** A conversation in frames. */
export class Frames implements Dialect {
  readonly isText = false;
  readonly #options: DialectOptions;
  readonly #conversation: Conversation;
  /** For how long to wait for the welcome, as long as the server may be of another kind. */
  #foreignMs: number | undefined;
  /** Where one is welcome. */
  #connection: Connection | undefined;
  /** Whether the server has asked for its password: one that has not is never told it. */
  #isAsked = false;

  /**
   * @param foreignMs how long to wait for the first welcome before the server is taken for one that speaks text
   * only, in ms; it never is, if that is not said
   */
  constructor(options: DialectOptions, foreignMs?: number) {
    this.#options = options;
    this.#conversation = new Conversation(options.name, options);
    this.#foreignMs = foreignMs;
  }

  get name(): string {
    return this.#conversation.name;
  }

  get login(): Login | undefined {
    return this.#conversation.login;
  }

  get rooms(): string[] {
    return this.#conversation.rooms;
  }

  get pending(): Pending[] {
    return this.#conversation.pending;
  }

  get unacknowledged(): number {
    return this.#conversation.unacknowledged;
  }

  get free(): number {
    return this.#conversation.free;
  }

  get isDone(): boolean {
    return this.unacknowledged === 0;
  }

  find(room: string): string | undefined {
    return this.#conversation.find(room);
  }

  people(room: string): string[] {
    return this.#conversation.people(room);
  }

  isJoining(room: string): boolean {
    return this.#conversation.isJoining(room);
  }

  fault(text: string): string | undefined {
    return frameFault({
      type: "say",
      room: LOBBY,
      text,
      action: false,
      ref: "",
    });
  }

  say(text: string, options: SayOptions): string {
    return this.#send(this.#conversation.say(text, options));
  }

  tell(to: string, text: string, label: string): string {
    return this.#send(this.#conversation.tell(to, text, label));
  }

  reply(to: string, text: string, label: string): string {
    return this.#send(this.#conversation.reply(to, text, label));
  }

  ask(request: Question): boolean {
    this.#send(this.#conversation.ask(request));
    return true;
  }

  async begin(connection: Connection): Promise<Turn> {
    const hello = this.#conversation.hello();
    this.#introduce(connection, hello);
    const welcome = await this.#welcome(connection, hello);
    if ("foreign" in welcome) {
      // Whoever has been told the secret has it: it goes with this conversation.
      const { welcomeMs } = this.#options;
      const dialect = new PlainLines(this.#options);
      const refused = this.#conversation.giveUp().flatMap((line) =>
        sayPlainly(line, dialect)
      );
      const arrivals = dialect.takeOver(connection, {
        secret: secretOf(hello),
        answerMs: welcomeMs - (this.#foreignMs ?? 0),
        // What looked like a late welcome may have been somebody's joke: it does not say so for ever.
        frames: (isForeign) => {
          const { login, ...others } = this.#options;
          // Nor is a room told a login because of one.
          const options = isForeign || login === undefined
            ? others
            : this.#options;
          return new Frames(options, welcomeMs / 2);
        },
      }, welcome.foreign);
      return { arrivals: [...arrivals, ...refused], dialect };
    }
    this.#foreignMs = undefined;
    for (const request of this.#conversation.open()) {
      connection.send(write(request));
    }
    connection.watch(PING);
    this.#connection = connection;
    return { arrivals: welcome.arrivals, dialect: this };
  }

  take(lines: readonly string[]): { arrivals: Arrival[]; lost?: Lost } {
    const arrivals: Arrival[] = [];
    try {
      for (const line of lines) {
        const event = readFrame(line);
        if (event?.type === "ping") this.#connection?.send(PONG);
        else if (event) arrivals.push(...this.#conversation.take(event));
        if (event?.type === "bye") throw farewell(event.reason);
      }
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
      return { arrivals, lost: error };
    }
    return { arrivals };
  }

  ended(): Lost {
    return noFarewell();
  }

  lose(): Turn {
    this.#connection = undefined;
    return { arrivals: this.#conversation.lose(), dialect: this };
  }

  quit(): void {
    this.#connection?.send(QUIT);
  }

  leave(connection: Connection, ms: number): Promise<void> {
    return connection.finish(QUIT, ms);
  }

  #send(request: Request): string {
    this.#connection?.send(write(request));
    return request.ref;
  }

  /** Says hello, with the password of the server if it has asked for it. */
  #introduce(connection: Connection, hello: Hello): void {
    const { password } = this.#options;
    connection.send(
      this.#isAsked && password !== undefined
        ? write({ ...hello, password })
        : write(hello),
    );
  }

  /**
   * Says hello again, with the password.
   *
   * @throws {Denied} if there is none, or it was said already
   */
  #enter(connection: Connection, hello: Hello, wasWrong: boolean): void {
    const { password } = this.#options;
    if (password === undefined) {
      throw new Denied("the server asks for a password", false);
    }
    if (wasWrong || this.#isAsked) {
      throw new Denied("the server does not take this password", true);
    }
    this.#isAsked = true;
    this.#introduce(connection, hello);
  }

  /**
   * Waits for the welcome.
   *
   * @returns what is to be shown of it, or what has come from a server that does not know what a hello is
   * @throws {Lost} if there is no welcome
   */
  async #welcome(
    connection: Connection,
    hello: Hello,
  ): Promise<{ arrivals: Arrival[] } | { foreign: string[] }> {
    const foreignAt = performance.now() + (this.#foreignMs ?? Infinity);
    let mayBeForeign = this.#foreignMs !== undefined;
    const foreign: string[] = [];
    let reason = "it closed the connection";
    for (;;) {
      const leftMs = foreignAt - performance.now();
      if (mayBeForeign && (leftMs <= 0 || !await connection.comes(leftMs))) {
        return { foreign };
      }
      const lines = await connection.read();
      if (!lines) throw new Lost(reason);
      for (const [i, line] of lines.entries()) {
        const event = tryFrame(line);
        const bye = event?.type === "bye" ? event.reason : readBye(line);
        if (bye !== undefined) throw farewell(bye);
        if (event) mayBeForeign = false;
        if (event?.type === "refused") {
          reason = event.reason;
          const wasWrong = event.code === "password-wrong";
          if (wasWrong || event.code === "password-needed") {
            this.#enter(connection, hello, wasWrong);
          }
        }
        const arrivals = event ? this.#conversation.take(event) : [];
        if (event?.type === "welcome") {
          connection.unread(lines.slice(i + 1));
          return { arrivals };
        }
      }
      if (mayBeForeign) foreign.push(...lines);
    }
  }
}

/** What of a hello is for the server only, as it is written: the login and the session, one after the other. */
function secretOf(hello: Hello): string {
  const frame = write(hello).trimEnd();
  const from = ["login", "session"].map((field) =>
    frame.indexOf(`,"${field}":`)
  );
  return frame.slice(from.find((at) => at >= 0) ?? 0);
}

/** Says as a line what waited for a welcome that does not come. */
function sayPlainly({ spoken, label }: Line, lines: Dialect): Arrival[] {
  const { type, text } = spoken;
  if (type === "say" && !spoken.action) {
    lines.say(text, { label });
    return [];
  }
  const reason = "plain text does not have it";
  return [{
    show: [{ type: "refused", code: "usage", reason, ref: label }],
    refused: { reason, text, label },
  }];
}

/**
 * What a frame tells, if this end knows its type.
 *
 * @throws {Lost} if it is no frame
 */
function readFrame(line: string): ChatEvent | undefined {
  try {
    return read(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Lost(`the server sent a bad frame: ${error.message}`, true);
  }
}
