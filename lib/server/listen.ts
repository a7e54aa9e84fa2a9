/**
 * The listening socket and the accept loop: every connection becomes a session. Owns the set of sessions, so
 * that stopping can end them all.
 */

import { getLogger } from "@logtape/logtape";
import { type Address, formatAddress } from "../address.ts";
import { describe } from "../fault.ts";
import { VERSION } from "../version.ts";
import { render } from "../wire/text.ts";
import { type Accounts, MemoryAccounts } from "./accounts.ts";
import { Admission, isLoopback, type TurnedAway } from "./admission.ts";
import { addressOf, bind } from "./bind.ts";
import { Entry, type EntryPassword } from "./entry.ts";
import { type Greeting, Hub } from "./hub.ts";
import { openOwnership } from "./logins.ts";
import { type Log, MemoryLog } from "./log.ts";
import type { OperatingOptions } from "./operating.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import type { Cost } from "./passwords.ts";
import { Turns } from "./turns.ts";
import { Pulse } from "./pulse.ts";
import { Session, type Surroundings } from "./session.ts";
import type { Dialect, Tally } from "./tally.ts";
import { Tries } from "./tries.ts";

const log = getLogger(["chat", "listen"]);

/** Who is here at one moment. */
export interface Census {
  /** How many connections there are, those that are ending included, by their dialect. */
  connections: Record<Dialect, number>;
  /** How many bytes wait to be written to them. */
  waitingBytes: number;
  rooms: number;
  members: number;
}

/** A room that listens. */
export class ChatServer {
  /** Where it listens, as `127.0.0.1:5000` or `[::1]:5000`. */
  readonly address: string;
  /** The port it listens on. */
  readonly port: number;

  readonly #listener: Deno.TcpListener;
  readonly #pulse: Pulse | undefined;
  readonly #limits: Limits;
  readonly #greeting: Greeting;
  readonly #turns: Turns;
  readonly #hub: Hub;
  readonly #surroundings: Surroundings;
  readonly #sessions = new Set<Session>();
  readonly #admission: Admission;
  /** Those who are being told that they cannot come in. */
  readonly #refusing = new Set<Promise<void>>();
  readonly #looking: ReturnType<typeof setInterval>;
  readonly #accepting: Promise<void>;
  #stopping: Promise<void> | undefined;
  /** Called when the last session has gone. */
  #onEmpty: (() => void) | undefined;

  private constructor({
    listener,
    pulse,
    greeting,
    limits,
    turns,
    tries,
    hub,
    password,
  }: {
    listener: Deno.TcpListener;
    pulse: Pulse | undefined;
    greeting: Greeting;
    limits: Limits;
    turns: Turns;
    tries: Tries;
    hub: Hub;
    password: EntryPassword | undefined;
  }) {
    this.#listener = listener;
    this.#pulse = pulse;
    this.#limits = limits;
    this.#greeting = greeting;
    this.#turns = turns;
    this.#hub = hub;
    const onGone = (session: Session) => this.#forget(session);
    const entry = new Entry(tries, password);
    this.#surroundings = { hub, turns, limits, entry, onGone };
    this.#admission = new Admission(limits);
    this.address = formatAddress(addressOf(listener.addr));
    this.port = listener.addr.port;
    this.#warn();
    this.#looking = setInterval(() => this.#look(), limits.lookMs);
    this.#accepting = this.#accept();
  }

  /**
   * Listens, and accepts connections until {@linkcode stop}.
   *
   * @param options where to listen (port 0 takes a free one), the message of the day, line by line, the password
   * without which nobody comes in, and what the rooms' messages, the registered names, and what operators order, are
   * stored in: memory, if nothing is said. All of these are the caller's to close, once the server has stopped. And
   * what it costs to check a member's password, if it is not the usual.
   * @throws {BindError}
   * @throws {LogError}
   */
  static async start(
    options: {
      host: string;
      port: number;
      log?: Log;
      accounts?: Accounts;
      passwordCost?: Cost;
      limits?: Partial<Limits>;
      motd?: readonly string[];
      password?: EntryPassword | undefined;
    } & OperatingOptions,
  ): Promise<ChatServer> {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const listener = bind(options, (where) => Deno.listen(where));
    const pulse = await Pulse.open();
    try {
      const turns = new Turns(pulse && ((go) => pulse.wait(go)));
      const log = options.log ?? new MemoryLog();
      const greeting = {
        server: `chat-server ${VERSION}`,
        motd: options.motd ?? [],
      };
      const tries = new Tries(limits);
      const ownership = await openOwnership(limits, {
        accounts: options.accounts ?? new MemoryAccounts(),
        tries,
        cost: options.passwordCost,
      });
      const hub = await Hub.open(turns, log, {
        ...options,
        limits,
        greeting,
        ownership,
      });
      warnOfLoss(options);
      const { password } = options;
      return new ChatServer({
        ...{ listener, pulse, greeting, limits, turns, tries, hub, password },
      });
    } catch (error) {
      listener.close();
      await pulse?.close();
      throw error;
    }
  }

  /** How many connections there are, those that are ending included. */
  get connections(): number {
    return this.#sessions.size;
  }

  /** Whether it has been told to stop. */
  get isStopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** What has been counted since it was started. */
  get tally(): Tally {
    return this.#turns.tally;
  }

  /** Counts who is here. */
  census(): Census {
    const connections = { text: 0, json: 0, none: 0 };
    let waitingBytes = 0;
    for (const session of this.#sessions) {
      connections[session.dialect]++;
      waitingBytes += session.outbox.waitingBytes;
    }
    return { connections, waitingBytes, ...this.#hub.count };
  }

  /** Changes limits, for those who are here already, too: at the latest from the next line that they say. */
  limit(limits: Partial<Limits>): void {
    Object.assign(this.#limits, limits);
  }

  /** Changes the message of the day for those who come from now on. */
  greet(motd: readonly string[]): void {
    this.#greeting.motd = motd;
  }

  /** From now on these registered names are those of operators, and no others. */
  appoint(operators: readonly string[]): void {
    this.#hub.appoint(operators);
  }

  /** Asks those who come from now on for another password, or for none. */
  guard(password: EntryPassword | undefined): void {
    const { entry } = this.#surroundings;
    const wasGuarded = entry.isGuarded;
    entry.guard(password);
    if (wasGuarded) this.#warn();
  }

  #warn(): void {
    if (this.#surroundings.entry.isGuarded) return;
    if (isLoopback(this.#listener.addr.hostname)) return;
    log.warn(
      "anybody who reaches this machine can join: there is no password and no encryption",
      { address: this.address },
    );
  }

  /** Accepts nobody more, tells everyone, and resolves when every connection is closed: soon. */
  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  async #stop(): Promise<void> {
    this.#listener.close();
    clearInterval(this.#looking);
    await this.#accepting;
    this.#hub.dismiss();
    const why = "the server is stopping";
    for (const session of this.#sessions) {
      void session.part({ why, farewell: why });
    }
    if (this.#sessions.size > 0) {
      await new Promise<void>((resolve) => this.#onEmpty = resolve);
    }
    await Promise.all(this.#refusing);
    // What was said last is stored, also if nobody is left to hear it.
    await this.#turns.ended();
    await this.#pulse?.close();
  }

  async #accept(): Promise<void> {
    let failedAt = -Infinity;
    let isFailing = false;
    while (!this.#stopping) {
      try {
        const conn = await this.#listener.accept();
        if (isFailing) log.info("connections are accepted again");
        isFailing = false;
        this.#welcome(conn);
      } catch (error) {
        if (this.#stopping) return;
        // Who resets a connection before it is accepted is gone; the next one may be waiting already.
        if (isGone(error)) continue;
        // Out of file descriptors, most likely.
        // Those who are here go on; who comes waits in the queue of the system.
        const now = performance.now();
        if (now - failedAt > this.#limits.acceptQuietMs) {
          log.error("cannot accept connections", { reason: describe(error) });
          isFailing = true;
        }
        failedAt = now;
        await pause(this.#limits.acceptPauseMs);
      }
    }
  }

  #welcome(conn: Deno.TcpConn): void {
    const remote = addressOf(conn.remoteAddr);
    const reason = this.#hub.bannedFrom(remote.host);
    if (reason !== undefined) {
      return this.#turnAway(conn, remote, { drop: "banned", reason });
    }
    const network = this.#admission.admit(remote.host);
    if ("drop" in network) return this.#turnAway(conn, remote, network);
    try {
      // A line is sent whole, so there is nothing to wait for; and who vanished is found out some day.
      conn.setNoDelay(true);
      conn.setKeepAlive(true);
    } catch {
      // Reset before it was accepted: the session finds out when it reads.
    }
    const from = { address: formatAddress(remote), network };
    const session = new Session(conn, from, this.#surroundings);
    this.#sessions.add(session);
    void session.run();
  }

  #forget(session: Session): void {
    this.#sessions.delete(session);
    this.#admission.leave(session.network);
    if (this.#sessions.size === 0) this.#onEmpty?.();
  }

  /** Tells somebody why there is no room for them; where that are many, it does not wait until they have gone. */
  #turnAway(
    conn: Deno.TcpConn,
    remote: Address,
    { reason, drop }: TurnedAway,
  ): void {
    this.tally.drop(drop);
    log.info("refused", { address: formatAddress(remote), why: reason });
    const waits = this.#refusing.size < this.#limits.maxRefusing;
    const told = this.#sayBye(conn, reason, waits).finally(() =>
      this.#refusing.delete(told)
    );
    this.#refusing.add(told);
  }

  /**
   * As a session parts: closing with something unread would reset the connection, and may take with it what was said.
   *
   * @param waits whether to wait until they have gone
   */
  async #sayBye(
    conn: Deno.TcpConn,
    reason: string,
    waits: boolean,
  ): Promise<void> {
    const timer = setTimeout(() => conn.close(), this.#limits.partingMs);
    try {
      const farewell = render({ type: "bye", reason });
      await conn.write(new TextEncoder().encode(farewell));
      await conn.closeWrite();
      const buffer = new Uint8Array(2048);
      while (waits && await conn.read(buffer) !== null);
    } catch {
      // They are gone, or do not go.
    }
    clearTimeout(timer);
    try {
      conn.close();
    } catch {
      // Closed already.
    }
  }

  #look(): void {
    const now = performance.now();
    for (const session of this.#sessions) session.look(now);
  }
}

/** Who relies on bans should know that they do not last. */
function warnOfLoss({ operators = [], orders }: OperatingOptions): void {
  if (operators.length === 0 || orders?.lasts) return;
  log.warn("bans, mutes and topics end with the server: there is no --data");
}

/** Whether a connection ended before it was accepted. */
function isGone(error: unknown): boolean {
  const { ConnectionAborted, ConnectionReset, NotConnected } = Deno.errors;
  return [ConnectionAborted, ConnectionReset, NotConnected].some((gone) =>
    error instanceof gone
  );
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
