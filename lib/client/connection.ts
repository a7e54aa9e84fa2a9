/**
 * One connection: lines in, text out, and noticing that nobody is there any more. Knows no dialect, and not
 * what happens before or after this connection.
 */

import { describe } from "../fault.ts";
import { LineReader } from "../lines.ts";
import { Patience, sleep, unlessAborted } from "./waiting.ts";

/** What a connection goes through. */
export interface Socket {
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  /** Ends what is being written. */
  closeWrite(): Promise<void>;
  /** Ends what is being read and written. */
  close(): void;
}

/** How long silence lasts until something is done about it. */
export interface ConnectionOptions {
  /** After how much silence the other side is asked whether it is there, in ms. */
  pingMs: number;
  /** After how much silence the connection is given up, in ms. */
  silentMs: number;
  /** How long the other side may take to close, once it should, in ms. */
  closingMs: number;
}

/** There is no connection, or none any more; the message says why, in one line. */
export class Lost extends Error {
  override name = "Lost";
  /** Whether there is no use in another one. */
  readonly isFinal: boolean;

  constructor(reason: string, isFinal = false) {
    super(reason);
    this.isFinal = isFinal;
  }
}

/** How long a line may be, in bytes: the names of 500 members fit. */
const MAX_ARRIVING_BYTES = 256 * 1024;

const encoder = new TextEncoder();

/** A connection that has been made. */
export class Connection {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #lines = new LineReader(MAX_ARRIVING_BYTES);
  readonly #buffer = new Uint8Array(64 * 1024);
  readonly #patience: Patience;
  #outgoing = "";
  /** Whether all is written, once it is, or nothing more ever will be. */
  #writing: Promise<boolean> | undefined;
  /** What was read and not taken. */
  #ahead: Promise<string[] | undefined> | undefined;
  readonly #closed = new AbortController();
  #isFinishing = false;
  /** Whether anything has come. */
  hasHeard = false;
  /** What is sent to be answered, if silence counts. */
  #ping: string | undefined;
  #isSilent = false;
  #pinging: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#patience = new Patience(options.closingMs, () => this.close());
  }

  /** Aborted when it is closed at this end. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /**
   * From now on silence counts.
   *
   * @param ping what is sent to be answered
   */
  watch(ping: string): void {
    this.#ping = ping;
    this.#pingLater();
  }

  /** Sends text after all that was sent before. That it cannot be sent is found out by reading. */
  send(text: string): void {
    if (text === "") return;
    this.#outgoing += text;
    this.#writing ??= this.#write();
  }

  /** Whether all that was sent is written, once that is known. */
  async written(): Promise<boolean> {
    return await this.#writing ?? true;
  }

  /** Ends what is sent, once all of it is written; what comes can still be read. */
  async halfClose(): Promise<void> {
    await this.#writing;
    try {
      await this.#socket.closeWrite();
    } catch {
      // It is lost already, which is found out by reading.
    }
  }

  /** Sends text as the last thing, and closes when the other side has, or after so many ms. */
  async finish(text: string, ms: number): Promise<void> {
    this.#isFinishing = true;
    this.send(text);
    const timer = setTimeout(() => this.close(), ms);
    // On Deno 2.6, closing does not end a write that is under way.
    await unlessAborted(this.written(), this.closed).catch(() => {});
    // Closing with something unread would reset the connection, and take with it what was not read at the other end.
    while (await this.#discard());
    clearTimeout(timer);
    this.close();
  }

  /**
   * The next lines, clean of control characters; none may be whole yet.
   *
   * @returns `undefined` if there are no more
   * @throws {Lost}
   */
  read(): Promise<string[] | undefined> {
    const next = this.#ahead ?? this.#readLines();
    this.#ahead = undefined;
    return next;
  }

  /** Whether within so many ms anything comes, or the end does; either is what is read next. */
  async comes(ms: number): Promise<boolean> {
    this.#ahead ??= this.#readLines();
    const known = new AbortController();
    const late = async () => {
      await sleep(ms, known.signal);
      // Where this end was too busy to look, it has come in time.
      await sleep(0, known.signal);
      return false;
    };
    const come = this.#ahead.then(() => true, () => true);
    try {
      return await Promise.race([come, late()]);
    } finally {
      known.abort();
    }
  }

  /** Gives back lines that were read: they are what is read next. */
  unread(lines: string[]): void {
    this.#ahead = Promise.resolve(lines);
  }

  /** From now on the other side should close, or show that it gets on, within the time that it has for that. */
  hurry(): void {
    this.#patience.demand();
  }

  close(): void {
    this.#closed.abort();
    clearTimeout(this.#pinging);
    try {
      this.#socket.close();
    } catch {
      // Closed already.
    }
  }

  async #readLines(): Promise<string[] | undefined> {
    let count;
    do count = await this.#readBytes(); while (this.#isFinishing && count);
    this.hasHeard ||= count !== null;
    // A line without its end may have been cut off.
    if (count === null) return undefined;
    this.#pingLater();
    const lines = this.#lines.push(this.#buffer.subarray(0, count));
    if (this.#lines.overflowed) {
      throw new Lost("the server sent a line without end", true);
    }
    return lines;
  }

  async #readBytes(): Promise<number | null> {
    const { silentMs, closingMs } = this.#options;
    // Only while it is waited for: what is done with the lines may take as long as it likes.
    const silence = this.#ping === undefined ? undefined : setTimeout(() => {
      this.#isSilent = true;
      this.close();
    }, silentMs);
    this.#patience.wait();
    try {
      return await this.#socket.read(this.#buffer);
    } catch (error) {
      throw new Lost(
        this.#patience.isOver
          ? `the server has not answered everything within ${
            closingMs / 1000
          } s`
          : this.#isSilent
          ? `nothing came for ${silentMs / 1000} s`
          : describe(error),
      );
    } finally {
      clearTimeout(silence);
      this.#patience.rest();
    }
  }

  async #discard(): Promise<boolean> {
    try {
      return await this.#socket.read(new Uint8Array(64 * 1024)) !== null;
    } catch {
      return false;
    }
  }

  async #write(): Promise<boolean> {
    try {
      while (this.#outgoing !== "") {
        let bytes = encoder.encode(this.#outgoing);
        this.#outgoing = "";
        while (bytes.length > 0) {
          bytes = bytes.subarray(await this.#socket.write(bytes));
        }
      }
      this.#writing = undefined;
      return true;
    } catch {
      // Nothing more is written, and reading ends, too.
      return false;
    }
  }

  #pingLater(): void {
    clearTimeout(this.#pinging);
    const ping = this.#ping;
    if (ping === undefined || this.#closed.signal.aborted) return;
    this.#pinging = setTimeout(() => {
      this.send(ping);
      this.#pingLater();
    }, this.#options.pingMs);
  }
}
