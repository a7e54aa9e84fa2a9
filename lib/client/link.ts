/**
 * The link to the server: connecting, connecting again when the connection is lost, and ending without loss. Owns
 * the socket; what is said through it is the dialect's. Must not know whether a person or a pipe is at this end.
 */

import { type Address, formatAddress } from "../address.ts";
import { Connection, Lost } from "./connection.ts";
import type {
  Arrival,
  ConversationOptions,
  Login,
  SayOptions,
} from "./conversation.ts";
import {
  Denied,
  type Dialect,
  LetGo,
  Mistaken,
  type Question,
} from "./dialect.ts";
import { Frames } from "./frames.ts";
import { PlainLines } from "./plain_lines.ts";
import type { Pending } from "./said.ts";
import { openSecure, Stranger, type Trust } from "./secure.ts";
import { openPlain } from "./socket.ts";
import { Backoff, sleep } from "./waiting.ts";

/** There is no link, or there is none any more; the message says why, in one line. */
export class LinkError extends Error {
  override name = "LinkError";
}

/** The server asks for its password, and was told none, or a wrong one. */
export class PasswordError extends LinkError {
  override name = "PasswordError";
  /** Whether it was told one. */
  readonly wasWrong: boolean;

  constructor(message: string, wasWrong: boolean) {
    super(message);
    this.wasWrong = wasWrong;
  }
}

/** Where to connect to, as whom, and how patiently. */
export interface LinkOptions extends Address, ConversationOptions {
  /** What to be called; empty if the server is to choose. */
  name: string;
  /** Whom to trust; without it, the connection is not encrypted. */
  trust?: Trust;
  /**
   * Whether to trust the certificate with this fingerprint, which nobody vouches for: it is trusted if it is known
   * after that. Asked while the first connection is made; no by default, and always when it is made again.
   */
  onStranger?: (fingerprint: string) => Promise<boolean>;
  /** The password of the server: said only once the server has asked for it. None by default. */
  password?: string;
  /** Whether to speak plain text, as to any line-based chat, and to say no hello: by default it is not. */
  text?: boolean;
  /**
   * For how long the first connection waits for a welcome before it takes the server for one that speaks text only,
   * in ms: 1000 by default. A welcome that comes later still counts.
   */
  foreignMs?: number;
  /** Whether a lost connection is made again: yes by default. */
  reconnect?: boolean;
  /** For how long to begin such tries after a loss, in ms: for ever by default. */
  retryMs?: number;
  /** How long to wait before the first try, in ms: 1000 by default. The next waits twice as long, and so on. */
  firstDelayMs?: number;
  /** How long to wait at most, in ms: 60,000 by default. */
  maxDelayMs?: number;
  /** From 0 to 1: which part of the second half of a delay is waited. By default it is random. */
  random?: () => number;
  /** How long connecting may take until the server has said its welcome, in ms: 10,000 by default. */
  welcomeMs?: number;
  /** How long the server may take to say farewell after {@linkcode Link.end}, in ms: 10,000 by default. */
  closingMs?: number;
  /** How long {@linkcode Link.leave} may take, in ms: 1000 by default. */
  leavingMs?: number;
  /** After how much silence the server is asked whether it is there, in ms: 30,000 by default. */
  pingMs?: number;
  /** After how much silence the connection is lost, in ms: 75,000 by default. */
  silentMs?: number;
}

const DEFAULTS = {
  onStranger: () => Promise.resolve(false),
  text: false,
  foreignMs: 1000,
  reconnect: true,
  retryMs: Infinity,
  firstDelayMs: 1000,
  maxDelayMs: 60_000,
  random: Math.random,
  welcomeMs: 10_000,
  closingMs: 10_000,
  leavingMs: 1000,
  pingMs: 30_000,
  silentMs: 75_000,
};

/** A conversation with a server, through one connection after the other. */
export class Link {
  readonly #options: Required<
    Omit<LinkOptions, keyof ConversationOptions | "trust" | "password">
  >;
  readonly #trust: Trust | undefined;
  #dialect: Dialect;
  readonly #now: () => number;
  /** Where it is welcome; there is none between two connections. */
  #connection: Connection | undefined;
  #connectedAt = 0;
  readonly #backoff: Backoff;
  #retryAt: number | undefined;
  #begun: Arrival[] = [];
  #isEnding = false;
  #hasQuit = false;
  /** Aborted when there is not going to be another connection. */
  readonly #over = new AbortController();
  #hasFinished = false;
  #changed: PromiseWithResolvers<void> | undefined;

  private constructor(options: LinkOptions) {
    this.#options = { ...DEFAULTS, ...options };
    this.#trust = options.trust;
    this.#backoff = new Backoff(this.#options);
    // Durations only: somebody may set the clock meanwhile.
    this.#now = options.now ?? (() => performance.now());
    const { text, foreignMs, welcomeMs } = this.#options;
    const onChange = () => this.#heed();
    const dialectOptions = { ...options, welcomeMs, onChange };
    this.#dialect = text
      ? new PlainLines(dialectOptions)
      : new Frames(dialectOptions, foreignMs);
  }

  /**
   * Connects, and waits for the server's welcome; or goes without, if the server speaks plain text.
   *
   * @throws {PasswordError} if the server asks for a password that is not the one of the options
   * @throws {LinkError}
   */
  static async connect(options: LinkOptions): Promise<Link> {
    const link = new Link(options);
    try {
      link.#begun = await link.#openAsking();
    } catch (error) {
      if (error instanceof Denied) {
        throw new PasswordError(error.message, error.wasWrong);
      }
      throw error instanceof Lost ? new LinkError(error.message) : error;
    }
    return link;
  }

  /** What one is called; in plain text, what one wanted to be called. */
  get name(): string {
    return this.#dialect.name;
  }

  /**
   * Whether plain text is spoken: lines go as they are, nothing is acknowledged, and there are no rooms. It can turn
   * out that a server speaks JSON after all.
   */
  get isText(): boolean {
    return this.#dialect.isText;
  }

  /** With what one has logged in, if one has. */
  get login(): Login | undefined {
    return this.#dialect.login;
  }

  /** The rooms that one is in; none in plain text. */
  get rooms(): string[] {
    return this.#dialect.rooms;
  }

  /** The room of this name that one is in, as the server writes it. */
  find(room: string): string | undefined {
    return this.#dialect.find(room);
  }

  /** Whether one has asked to be let into the room, and was not answered yet. */
  isJoining(room: string): boolean {
    return this.#dialect.isJoining(room);
  }

  /** Who is in the room, as far as the server has told. */
  people(room: string): string[] {
    return this.#dialect.people(room);
  }

  /** Whether there is a connection now. */
  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  /**
   * How long until the next try to connect begins, in ms; `undefined` while there is a connection, or a try is under
   * way. Not every change of it is an arrival: whoever shows it looks again each second.
   */
  get retryInMs(): number | undefined {
    if (this.#retryAt === undefined) return undefined;
    return Math.max(0, this.#retryAt - this.#now());
  }

  /** What was said and has not come to its place in the conversation yet; nothing in plain text. */
  get pending(): Pending[] {
    return this.#dialect.pending;
  }

  /** How many messages were said and not acknowledged; in plain text, not sent. */
  get unacknowledged(): number {
    return this.#dialect.unacknowledged;
  }

  /** How many more can be said before some of those are acknowledged. */
  get free(): number {
    return this.#dialect.free;
  }

  /** Why this line cannot be said, if it cannot. */
  fault(text: string): string | undefined {
    return this.#dialect.fault(text);
  }

  /**
   * Says something in a room, now or as soon as there is a connection again. In plain text it is sent as it is.
   *
   * @returns by what it is acknowledged; nothing in plain text
   * @throws {RangeError} if too much is not acknowledged
   */
  say(text: string, options: SayOptions = {}): string {
    return this.#dialect.say(text, options);
  }

  /**
   * Tells somebody something, now or as soon as there is a connection again.
   *
   * @param label what it is called if it is refused: its text by default
   * @returns by what it is acknowledged
   * @throws {RangeError} if too much is not acknowledged
   * @throws {TypeError} in plain text
   */
  tell(to: string, text: string, label: string = text): string {
    return this.#dialect.tell(to, text, label);
  }

  /**
   * Replies to whoever told something under this name, whatever they are called now; now or as soon as there is a
   * connection again.
   *
   * @param label what it is called if it is refused: its text by default
   * @returns by what it is acknowledged
   * @throws {RangeError} if too much is not acknowledged
   * @throws {TypeError} in plain text
   */
  reply(to: string, text: string, label: string = text): string {
    return this.#dialect.reply(to, text, label);
  }

  /**
   * Asks the server for something else. If it is refused, it is called what `request` has as `ref`.
   *
   * @returns whether it is asked for: not without a connection, nor in plain text
   */
  ask(request: Question): boolean {
    return this.isConnected && this.#dialect.ask(request);
  }

  /**
   * Joins a room, and waits for the answer; {@linkcode receive} has to go on meanwhile. A connection that is
   * lost before the answer has come does not matter.
   *
   * @returns whether one is in the room now
   * @throws {LinkError} if the link is over before that
   */
  async join(room: string): Promise<boolean> {
    if (this.find(room) === undefined) {
      this.#dialect.ask({ type: "join", room, ref: `/join ${room}` });
    }
    while (this.isJoining(room)) await this.#change();
    return this.find(room) !== undefined;
  }

  /**
   * Waits until another message can be said; {@linkcode receive} has to go on meanwhile.
   *
   * @throws {LinkError} if the link is over before that
   */
  async untilFree(): Promise<void> {
    while (this.free <= 0) await this.#change();
  }

  /**
   * Waits until all that was said is acknowledged, or refused, in plain text sent; {@linkcode receive} has to go on
   * meanwhile.
   *
   * @throws {LinkError} if the link is over before that
   */
  async untilAcknowledged(): Promise<void> {
    while (this.unacknowledged > 0) await this.#change();
  }

  /**
   * What the server says, as much at a time as has come. Goes on through one connection after the other, and
   * ends after {@linkcode end} or {@linkcode close}, or when the server grants what a line of plain text has asked
   * for. Nothing is read, and no connection made, until it is asked for more.
   *
   * @throws {LinkError} if the link is lost for good, or ends before all that was said was acknowledged
   */
  async *receive(): AsyncGenerator<Arrival[]> {
    try {
      yield this.#begun.splice(0);
      for (;;) {
        const lost = yield* this.#hear();
        yield* this.#lose(lost);
        if (this.#isOver(lost)) return;
        if (!(yield* this.#return(lost))) return;
      }
    } finally {
      this.#hasFinished = true;
      this.#retryAt = undefined;
      await this.leave();
      this.#wake();
    }
  }

  /**
   * Says that nothing more will be said. Once all that was is acknowledged, the server is asked to let one go, and
   * its farewell ends {@linkcode receive}. In plain text the connection is half-closed once all is sent, and however
   * it ends after that is a good end: what became of the last lines is not known.
   */
  end(): void {
    this.#isEnding = true;
    if (!this.#connection) return this.#over.abort();
    this.#connection.hurry();
    this.#quitWhenDone();
  }

  /** Leaves at once, whatever is not acknowledged: the name is free. Ends {@linkcode receive}. */
  async leave(): Promise<void> {
    this.#over.abort();
    const connection = this.#connection;
    if (!connection || this.#hasQuit) return this.close();
    this.#hasQuit = true;
    await this.#dialect.leave(connection, this.#options.leavingMs);
  }

  /** Breaks it off, which ends {@linkcode receive}. */
  close(): void {
    this.#over.abort();
    this.#connection?.close();
  }

  #quitWhenDone(): void {
    if (!this.#isEnding || this.#hasQuit || !this.#dialect.isDone) return;
    this.#hasQuit = true;
    this.#dialect.quit();
  }

  /** Something has changed, without which somebody may be waiting. */
  #heed(): void {
    this.#wake();
    this.#quitWhenDone();
  }

  /** Resolves when something has changed; to be asked again after that. */
  #change(): Promise<void> {
    if (this.#hasFinished) {
      return Promise.reject(new LinkError("the link is over"));
    }
    this.#changed ??= Promise.withResolvers();
    return this.#changed.promise;
  }

  #wake(): void {
    this.#changed?.resolve();
    this.#changed = undefined;
  }

  /** What comes through this connection; returns how it was lost. */
  async *#hear(): AsyncGenerator<Arrival[], Lost> {
    const connection = this.#connection;
    try {
      for (;;) {
        const lines = await connection?.read();
        if (!lines) return this.#dialect.ended();
        const before = this.unacknowledged;
        const { arrivals, lost } = this.#dialect.take(lines);
        // A server that hears only so many lines a second takes its time, but it gets on.
        if (this.#isEnding && this.unacknowledged < before) connection?.hurry();
        this.#heed();
        if (arrivals.length > 0) yield arrivals;
        if (lost) return lost;
      }
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
      return error;
    }
  }

  /** Does without a connection from now on. */
  async *#lose(lost: Lost): AsyncGenerator<Arrival[], void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#backoff.lasted(this.#now() - this.#connectedAt);
    const { arrivals, dialect } = this.#dialect.lose();
    this.#dialect = dialect;
    const isMistaken = lost instanceof Mistaken;
    if (!isMistaken) connection?.close();
    try {
      if (arrivals.length > 0) yield arrivals;
      if (isMistaken && connection) await this.#giveUp(connection);
    } finally {
      connection?.close();
    }
  }

  /** Leaves a connection, so that the name is free for another one. */
  async #giveUp(connection: Connection): Promise<void> {
    const close = () => connection.close();
    this.#over.signal.addEventListener("abort", close);
    if (this.#over.signal.aborted) close();
    this.#hasQuit = false;
    await this.#dialect.leave(connection, this.#options.welcomeMs);
    this.#over.signal.removeEventListener("abort", close);
  }

  /**
   * Whether this is the end.
   *
   * @throws {LinkError} if it is no good one
   */
  #isOver(lost: Lost): boolean {
    const left = this.unacknowledged;
    const isOver = this.#over.signal.aborted;
    if (lost instanceof Mistaken && !isOver && (!this.#isEnding || left > 0)) {
      return false;
    }
    const isEnd = this.#isEnding || lost instanceof LetGo;
    if (isEnd && left > 0) {
      const lines = left === 1 ? "1 message was" : `${left} messages were`;
      const done = this.isText ? "sent" : "acknowledged";
      throw new LinkError(`${lines} not ${done}: ${lost.message}`);
    }
    if (isEnd || isOver) return true;
    if (lost.isFinal || !this.#options.reconnect) {
      throw new LinkError(lossOf(lost));
    }
    return false;
  }

  /** Connects again; returns whether that was done, and not the end. */
  async *#return(lost: Lost): AsyncGenerator<Arrival[], boolean> {
    const { retryMs } = this.#options;
    const lostAt = this.#now();
    const left = () => lostAt + retryMs - this.#now();
    for (let last = lost, reason = lossOf(lost), saidMs = 0;;) {
      if (!(last instanceof Mistaken)) {
        if (left() <= 0) {
          throw new LinkError(`${reason}; given up after ${retryMs / 1000} s`);
        }
        const { upToMs } = this.#backoff;
        const delayMs = Math.min(this.#backoff.next(), left());
        this.#retryAt = this.#now() + delayMs;
        // Where the delay does not grow any more, there is nothing new to say.
        if (upToMs !== saidMs) {
          const seconds = Math.ceil(delayMs / 1000);
          const notice = `${reason}; trying again in ${seconds} s`;
          yield [{ show: [], notice }];
        }
        saidMs = upToMs;
        await sleep(this.#retryAt - this.#now(), this.#over.signal);
        this.#retryAt = undefined;
      }
      try {
        if (!this.#over.signal.aborted) {
          const arrivals = await this.#open();
          this.#wake();
          yield arrivals;
          return true;
        }
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
        if (!this.#over.signal.aborted) last = error;
        reason = error.message;
      }
      if (this.#isOver(last)) return false;
    }
  }

  /** @throws {Lost} */
  async #openAsking(): Promise<Arrival[]> {
    try {
      return await this.#open();
    } catch (error) {
      if (!(error instanceof Stranger)) throw error;
      if (!await this.#options.onStranger(error.fingerprint)) throw error;
      // Whoever was asked has taken their time, and it may be another server by now: all is looked at again.
      return await this.#open();
    }
  }

  /**
   * Makes a connection, and has what is not acknowledged said again.
   *
   * @throws {Lost}
   */
  async #open(): Promise<Arrival[]> {
    const { welcomeMs } = this.#options;
    const trying = new AbortController();
    const giveUp = () => trying.abort();
    const timer = setTimeout(giveUp, welcomeMs);
    this.#over.signal.addEventListener("abort", giveUp);
    let connection: Connection | undefined;
    try {
      const socket = this.#trust
        ? await openSecure(this.#options, this.#trust, trying.signal)
        : await openPlain(this.#options, trying.signal);
      connection = new Connection(socket, this.#options);
      trying.signal.addEventListener("abort", () => connection?.close());
      if (trying.signal.aborted) connection.close();
      const { arrivals, dialect } = await this.#dialect.begin(connection);
      this.#dialect = dialect;
      this.#connection = connection;
      this.#connectedAt = this.#now();
      if (this.#isEnding) connection.hurry();
      return arrivals;
    } catch (error) {
      connection?.close();
      if (!(error instanceof Lost)) throw error;
      const reason = !trying.signal.aborted
        ? error.message
        : connection?.hasHeard
        ? "it does not speak as chat-server does"
        : `no answer within ${welcomeMs / 1000} s`;
      const where = formatAddress(this.#options);
      if (error instanceof Denied) {
        throw new Denied(`${where}: ${reason}`, error.wasWrong);
      }
      const message = `cannot connect to ${where}: ${reason}`;
      throw error instanceof Stranger
        ? new Stranger(error.fingerprint, message)
        : new Lost(message, error.isFinal);
    } finally {
      clearTimeout(timer);
      this.#over.signal.removeEventListener("abort", giveUp);
    }
  }
}

function lossOf(lost: Lost): string {
  return `connection lost (${lost.message})`;
}
