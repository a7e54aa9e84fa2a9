/**
 * Plain text as a link speaks it with a server that has nothing else: lines go as they are, and nobody says what
 * becomes of them. Knows no command and no socket, and of frames only that the answer to a hello may come late.
 */

import {
  type ChatEvent,
  clean,
  MAX_LINE_BYTES,
  MAX_UNACKNOWLEDGED,
  PEACEFUL,
  utf8Length,
} from "../message.ts";
import { readBye } from "../wire/text.ts";
import type { Connection, Lost } from "./connection.ts";
import type { Arrival, SayOptions } from "./conversation.ts";
import {
  type Dialect,
  type DialectOptions,
  farewell,
  LetGo,
  Mistaken,
  noFarewell,
  tryFrame,
  type Turn,
} from "./dialect.ts";
import type { Pending } from "./said.ts";
import { sleep } from "./waiting.ts";

/** A hello that was said, and not answered in time. */
export interface Unanswered {
  /** What only the hello has told the server, and nobody is to be shown, nor a part of it. */
  secret: string;
  /** For how long a server that stays silent may still answer, in ms. */
  answerMs: number;
  /** How to go on if it is answered after all; `isForeign` if there was text before. */
  frames(isForeign: boolean): Dialect;
}

interface Line {
  readonly text: string;
  readonly label: string;
  /** Whether it is never said again. */
  readonly isSecret: boolean;
}

/** A conversation in lines of text. */
export class PlainLines implements Dialect {
  readonly isText = true;
  readonly login = undefined;
  readonly rooms: string[] = [];
  readonly pending: Pending[] = [];
  readonly name: string;
  readonly #options: DialectOptions;
  readonly #maxLines: number;
  /** What is in no line that is shown. */
  readonly #secrets: string[];
  /** What to go on with after a late answer, as long as there can be one. */
  #frames: Unanswered["frames"] | undefined;
  /** Whether a late answer came after something else. */
  #wasForeign = false;
  /**
   * A server that has said nothing may be a chat-server that is only slow: nothing is done then that could not be
   * made good. One that answers as a chat-server does is.
   */
  #server: "foreign" | "silent" | "slow" = "foreign";
  /** What is not written yet. */
  readonly #waiting: Line[] = [];
  /** What was written, and not understood if the server is only slow. */
  readonly #written: Line[] = [];
  #forgotten = 0;
  #connection: Connection | undefined;
  /** The connection to which what waits is being written. */
  #writingTo: Connection | undefined;
  #hasBegun = false;
  /** Whether nothing has come but what a server says before it lets anybody in. */
  #isAtTheGate = false;
  #bye: string | undefined;

  constructor(options: DialectOptions) {
    this.name = options.name;
    this.#options = options;
    // A short one is a part of too many other words.
    this.#secrets = [options.login ?? "", options.password ?? ""]
      .filter(({ length }) => length >= PART_LENGTH);
    this.#maxLines = options.maxUnacknowledged ?? MAX_UNACKNOWLEDGED;
  }

  get unacknowledged(): number {
    return this.#waiting.length;
  }

  get free(): number {
    const kept = this.#server === "foreign" ? 0 : this.#written.length;
    return this.#maxLines - this.#waiting.length - kept;
  }

  get isDone(): boolean {
    return this.#waiting.length === 0 && this.#server === "foreign";
  }

  find(): undefined {
    return undefined;
  }

  people(): string[] {
    return [];
  }

  isJoining(): boolean {
    return false;
  }

  fault(text: string): string | undefined {
    return utf8Length(text) > MAX_LINE_BYTES
      ? "too long to be sent"
      : undefined;
  }

  say(text: string, { label = text, isSecret = false }: SayOptions): string {
    if (this.free <= 0) {
      throw new RangeError(`${this.#maxLines} lines wait already`);
    }
    this.#waiting.push({ text: clean(text), label, isSecret });
    if (this.#waiting.length + this.#written.length > this.#maxLines) {
      this.#written.shift();
      this.#forgotten++;
    }
    void this.#write();
    return "";
  }

  tell(): never {
    throw new TypeError("plain text has no direct messages");
  }

  reply(): never {
    throw new TypeError("plain text has no direct messages");
  }

  ask(): boolean {
    return false;
  }

  begin(connection: Connection): Promise<Turn> {
    const arrivals = this.#hasBegun ? [{ show: [], notice: this.#again }] : [];
    this.#use(connection);
    return Promise.resolve({ arrivals, dialect: this });
  }

  /**
   * Goes on where a hello was not answered.
   *
   * @param heard the lines that have come there
   */
  takeOver(
    connection: Connection,
    { secret, answerMs, frames }: Unanswered,
    heard: readonly string[],
  ): Arrival[] {
    this.#secrets.push(...partsOf(secret));
    this.#frames = frames;
    this.#server = "silent";
    this.#use(connection);
    void sleep(answerMs, connection.closed).then(() => this.#trust());
    const notice =
      "this server speaks plain text: nothing is acknowledged, and commands are its own";
    return [{ show: [], notice }, ...this.take(heard).arrivals];
  }

  take(lines: readonly string[]): { arrivals: Arrival[]; lost?: Lost } {
    const answer = this.#frames
      ? lines.findIndex((line, i) => this.#isAnswer(line, lines.slice(0, i)))
      : -1;
    if (answer >= 0) {
      this.#wasForeign = this.#server === "foreign";
      this.#server = "slow";
      // A name is refused before the welcome.
      const before = lines.slice(0, answer).filter((line) => !tryFrame(line));
      return { arrivals: this.#show(before), lost: new Mistaken(LATE) };
    }
    const last = lines.at(-1);
    if (last !== undefined) {
      this.#trust();
      this.#bye = readBye(last);
    }
    return { arrivals: this.#show(lines) };
  }

  // Anybody can say what looks like a farewell, where lines are shown as they are: only the last line is one.
  ended(): Lost {
    if (this.#bye === undefined) return noFarewell();
    const isPeaceful = Object.values<string>(PEACEFUL).includes(this.#bye);
    return isPeaceful ? new LetGo(this.#bye) : farewell(this.#bye);
  }

  lose(): Turn {
    this.#connection = undefined;
    const dialect = this.#server === "slow"
      ? this.#frames?.(this.#wasForeign)
      : undefined;
    // On another connection no hello is said that could be answered.
    this.#frames = undefined;
    this.#server = "foreign";
    const written = this.#written.splice(0);
    // Whoever is there next may not have asked for it, and may tell everybody.
    const waiting = this.#waiting.splice(0).filter(({ isSecret }) => !isSecret);
    if (!dialect) {
      this.#waiting.push(...waiting);
      return { arrivals: [], dialect: this };
    }
    const lines = [...written, ...waiting];
    const lost = this.#forgotten === 0
      ? ""
      : `; the first ${this.#forgotten} of the lines that were said are lost`;
    return {
      arrivals: [
        { show: [], notice: `${LATE}: connecting again${lost}` },
        ...lines.flatMap((line) => sayAgain(line, dialect)),
      ],
      dialect,
    };
  }

  quit(): void {
    void this.#connection?.halfClose();
  }

  leave(connection: Connection, ms: number): Promise<void> {
    const isWriting = this.#writingTo === connection;
    const rest = this.#waiting.splice(isWriting ? 1 : 0);
    connection.send(rest.map(({ text }) => `${text}\n`).join(""));
    void connection.halfClose();
    return connection.finish("", ms);
  }

  get #again(): string {
    const waiting = this.#waiting.length;
    if (waiting === 0) return "connected again";
    return `connected again; ${
      waiting === 1 ? "1 line" : `${waiting} lines`
    } sent`;
  }

  #use(connection: Connection): void {
    this.#hasBegun = this.#isAtTheGate = true;
    this.#bye = undefined;
    this.#connection = connection;
    void this.#write();
  }

  /** Whether a chat-server answers a hello so, after such lines of the same time. */
  #isAnswer(line: string, before: readonly string[]): boolean {
    const event = tryFrame(line);
    if (event?.type === "welcome") return true;
    return event?.type === "refused" && GATE_CODES.includes(event.code) &&
      this.#isAtTheGate && before.every(asks);
  }

  /** It is no chat-server. */
  #trust(): void {
    if (this.#server !== "silent") return;
    this.#server = "foreign";
    this.#options.onChange();
  }

  #show(lines: readonly string[]): Arrival[] {
    return lines
      .filter((line) => !this.#secrets.some((secret) => line.includes(secret)))
      .map((line) => {
        // Later anybody may say that, who would like to be told a password.
        this.#isAtTheGate &&= asks(line);
        const asksPassword = this.#isAtTheGate && line === ASKS;
        return { show: [], line, ...(asksPassword && { asksPassword }) };
      });
  }

  /** Writes what waits, a line at a time: a foreign server may take what it reads at once for one line. */
  async #write(): Promise<void> {
    const connection = this.#connection;
    if (!connection || this.#writingTo === connection) return;
    this.#writingTo = connection;
    for (let line; (line = this.#waiting[0]);) {
      connection.send(`${line.text}\n`);
      const isWritten = await connection.written();
      // It is said again on the next one.
      if (!isWritten || this.#connection !== connection) return;
      this.#waiting.shift();
      if (!line.isSecret) this.#written.push(line);
      this.#options.onChange();
    }
    this.#writingTo = undefined;
  }
}

/** How much of a secret may be shown, in characters, less one: rooms cut lines that are too long for them. */
const PART_LENGTH = 10;

/** All parts of that length, one of which is in each piece of the text that is not shorter. */
function partsOf(text: string): string[] {
  const count = Math.max(1, text.length - PART_LENGTH + 1);
  return Array.from(
    { length: count },
    (_, i) => text.slice(i, i + PART_LENGTH),
  );
}

/** What chat-server says to people who have to know its password, first and after a wrong one. */
const ASKS = "-- password?";
const ASKS_AGAIN = "-- wrong password";

function asks(line: string): boolean {
  return line === ASKS || line === ASKS_AGAIN;
}

/** How chat-server refuses the hello of whom it does not let in yet. */
const GATE_CODES: readonly (ChatEvent & { type: "refused" })["code"][] = [
  "password-needed",
  "password-wrong",
  "not-registered",
  "too-many-tries",
];

const LATE = "the server was only slow, and speaks JSON";

/** Says in frames what was said to a server that has not understood it. */
function sayAgain({ text, label }: Line, frames: Dialect): Arrival[] {
  if (text.trim() === "") return [];
  // A command may hold what is not for everybody.
  const reason = text.startsWith("/")
    ? "it was sent before the server had answered"
    : frames.fault(text);
  if (reason === undefined) {
    frames.say(text, { label });
    return [];
  }
  return [{
    show: [{ type: "refused", code: "usage", reason, ref: label }],
    refused: { reason, text, label },
  }];
}
