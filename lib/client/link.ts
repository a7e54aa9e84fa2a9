/**
 * The link to the server: connecting, sending lines, receiving them, and ending so that nothing is lost. Owns
 * the socket and knows the dialect; must not know whether a person or a pipe is at this end.
 */

import { type Address, formatAddress } from "../address.ts";
import { describe } from "../fault.ts";
import { LineReader } from "../lines.ts";
import {
  MAX_LINE_BYTES,
  nameFault,
  normalizeName,
  utf8Length,
} from "../message.ts";
import {
  parse,
  readBye,
  readRefusal,
  readRename,
  readWelcome,
} from "../wire/text.ts";

/** There is no link, or there is none any more; the message says why, in one line. */
export class LinkError extends Error {
  override name = "LinkError";
}

/** A line from the server, and what it means for this end. */
export interface Arrival {
  line: string;
  /** Something that has to be pointed out besides. */
  notice?: string;
  /** Why a line that was sent was refused, and which. */
  refusal?: string;
}

/** How long a line from the server may be, in bytes: the names of 500 members fit. */
const MAX_ARRIVING_BYTES = 256 * 1024;

const encoder = new TextEncoder();

/** A connection to a server. */
export class Link {
  readonly #conn: Deno.TcpConn;
  readonly #lines = new LineReader(MAX_ARRIVING_BYTES);
  readonly #wish: string;
  /** The line that asked for the name, until it is known what came of it. */
  #asked: string | undefined;
  #wishRefused: string | undefined;
  #name: string | undefined;
  #sending: Promise<void> = Promise.resolve();
  #hasSent = false;
  #ended = false;
  #bye: ReturnType<typeof readBye>;
  /** Runs while a server that should close is waited for, and not while what came from it is dealt with. */
  readonly #patience: Patience;

  private constructor(conn: Deno.TcpConn, wish: string, closingMs: number) {
    this.#conn = conn;
    this.#wish = wish;
    // A closed connection ends the read that is under way.
    this.#patience = new Patience(closingMs, () => this.#close());
  }

  /**
   * Connects, and asks for a name.
   *
   * @param name what to be called; the server gives a guest's name if it is empty or refused
   * @param closingMs how long the server may take to close after {@linkcode end}
   * @throws {LinkError}
   */
  static async connect(
    address: Address,
    name: string,
    closingMs: number,
  ): Promise<Link> {
    const conn = await connect(address);
    const wish = normalizeName(name);
    const link = new Link(conn, wish, closingMs);
    if (wish === "") return link;
    link.#wishRefused = nameFault(wish);
    if (!link.#wishRefused) await link.send(link.#asked = `/nick ${wish}`);
    return link;
  }

  /** Whether the server has said that it took all that was sent, or nothing was. Known when {@linkcode receive} ends. */
  get isConfirmed(): boolean {
    return !this.#hasSent || this.#bye !== undefined;
  }

  /**
   * Sends one line; lines go out in the order of the calls. Resolves when the system has taken it.
   *
   * @throws {LinkError}
   */
  send(line: string): Promise<void> {
    this.#hasSent = true;
    return this.#sending = this.#sending.then(() =>
      this.#write(encoder.encode(`${line}\n`))
    );
  }

  /**
   * What the server says, a few lines at a time and clean of control characters, until it closes. The
   * connection is closed when this ends.
   *
   * @throws {LinkError} if the link is lost, or closed before all that was sent was taken
   */
  async *receive(): AsyncGenerator<Arrival[]> {
    try {
      yield* this.#arrivals();
    } finally {
      this.#close();
    }
    this.#checkFarewell();
  }

  async *#arrivals(): AsyncGenerator<Arrival[]> {
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const count = await this.#read(buffer);
      const lines = count === null
        ? this.#lines.end()
        : this.#lines.push(buffer.subarray(0, count));
      if (lines.length > 0) yield lines.map((line) => this.#understand(line));
      if (this.#lines.overflowed) {
        throw new LinkError("the server sent a line without end");
      }
      if (count === null) return;
    }
  }

  /** @throws {LinkError} unless the server has closed in peace, and has taken all that was sent */
  #checkFarewell(): void {
    const closed = "the server closed the connection";
    if (this.#bye && !this.#bye.peaceful) {
      throw new LinkError(`${closed}: ${this.#bye.reason}`);
    }
    // A server of ours says when it has taken everything; of another one that cannot be expected.
    const isLost = !this.#ended || (this.#name !== undefined && !this.#bye);
    if (isLost) throw new LinkError(closed);
  }

  /**
   * Says that nothing more will be sent. The server takes all that was, writes its answers, and closes, which
   * ends {@linkcode receive}.
   *
   * @param last a line to send before that
   */
  async end(last?: string): Promise<void> {
    // From now on the server may close: first of all, so that it is not taken for a loss.
    this.#ended = true;
    this.#patience.demand();
    try {
      await (last === undefined ? this.#sending : this.send(last));
      await this.#conn.closeWrite();
    } catch {
      // The link is lost, and receive() says so.
    }
  }

  #close(): void {
    try {
      this.#conn.close();
    } catch {
      // Closed already, when the patience was over.
    }
  }

  #understand(line: string): Arrival {
    const refusal = readRefusal(line);
    const welcomed = readWelcome(line);
    this.#bye ??= readBye(line);
    if (refusal && refusal.ref === this.#asked) {
      // The server says so before its welcome, or after it if the request came late.
      this.#asked = undefined;
      this.#wishRefused = refusal.reason;
    } else if (refusal) {
      return { line, refusal: `refused, ${refusal.reason}: ${refusal.ref}` };
    }
    const rename = readRename(line);
    this.#name ??= welcomed;
    if (rename && rename.from === this.#name) this.#name = rename.to;
    if (this.#name === this.#wish) this.#asked = undefined;
    if (!this.#name || !this.#wishRefused) return { line };
    const wish = JSON.stringify(this.#wish);
    const notice =
      `the name ${wish} was refused, ${this.#wishRefused}; you are ${this.#name}`;
    this.#wishRefused = undefined;
    return { line, notice };
  }

  async #read(buffer: Uint8Array): Promise<number | null> {
    this.#patience.wait();
    try {
      return await this.#conn.read(buffer);
    } catch (error) {
      if (this.#ended && this.#bye?.peaceful) return null;
      throw this.#patience.isOver
        ? new LinkError(this.#patience.complaint)
        : lost(error);
    } finally {
      this.#patience.rest();
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      while (bytes.length > 0) {
        bytes = bytes.subarray(await this.#conn.write(bytes));
      }
    } catch (error) {
      throw lost(error);
    }
  }
}

/** How long a server is waited for, once it is time for it to close. */
class Patience {
  /** What to say when it is over. */
  readonly complaint: string;
  /** True once it has lasted as long as it may. */
  isOver = false;
  readonly #onOver: () => void;
  #leftMs: number;
  #demanded = false;
  #waiting = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #startedAt = 0;

  constructor(ms: number, onOver: () => void) {
    this.complaint = `the server has not answered everything within ${
      ms / 1000
    } s`;
    this.#leftMs = ms;
    this.#onOver = onOver;
  }

  /** From now on waiting costs patience. */
  demand(): void {
    this.#demanded = true;
    this.#start();
  }

  /** The server is waited for, until {@linkcode rest}. */
  wait(): void {
    this.#waiting = true;
    this.#start();
  }

  /** The server is not waited for. */
  rest(): void {
    this.#waiting = false;
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#leftMs = Math.max(
      0,
      this.#leftMs - (performance.now() - this.#startedAt),
    );
  }

  #start(): void {
    if (!this.#demanded || !this.#waiting || this.#timer !== undefined) return;
    this.#startedAt = performance.now();
    this.#timer = setTimeout(() => {
      this.isOver = true;
      this.#onOver();
    }, this.#leftMs);
  }
}

/** Why a line must not be sent, if it must not: the server would close the connection on it. */
export function sendFault(line: string): string | undefined {
  const bytes = utf8Length(line);
  return bytes > MAX_LINE_BYTES
    ? `a line of more than ${MAX_LINE_BYTES} bytes was not sent`
    : undefined;
}

/** Whether this line asks the server to end the conversation. */
export function isQuit(line: string): boolean {
  return parse(line)?.type === "quit";
}

async function connect(address: Address): Promise<Deno.TcpConn> {
  // Before 2.9, Deno tries only the first address of a name, and that of localhost may be ::1.
  const hosts = address.host === "localhost"
    ? ["127.0.0.1", "::1"]
    : [address.host];
  let reason = "";
  for (const hostname of hosts) {
    try {
      return await Deno.connect({ hostname, port: address.port });
    } catch (error) {
      reason ||= connectFault(error);
    }
  }
  throw new LinkError(`cannot connect to ${formatAddress(address)}: ${reason}`);
}

function connectFault(error: unknown): string {
  if (error instanceof Deno.errors.ConnectionRefused) {
    return "nobody listens there";
  }
  return describe(error);
}

function lost(error: unknown): LinkError {
  return new LinkError(`the connection is lost: ${describe(error)}`);
}
