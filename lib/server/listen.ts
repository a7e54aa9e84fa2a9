/**
 * A room that listens, with TLS or without or both: every connection becomes a session, once there is room for it and
 * its handshake is done. Owns the set of sessions, so that stopping can end them all.
 */

import { getLogger } from "@logtape/logtape";
import { type Address, formatAddress } from "../address.ts";
import { describe } from "../fault.ts";
import { VERSION } from "../version.ts";
import { render } from "../wire/text.ts";
import { type Accounts, MemoryAccounts } from "./accounts.ts";
import {
  Admission,
  isLoopback,
  type Network,
  type TurnedAway,
} from "./admission.ts";
import { addressOf } from "./bind.ts";
import { type CredentialFiles, readCredentials } from "./credentials.ts";
import { type Conn, Encryption, NotTls } from "./encryption.ts";
import { Entrance } from "./entrance.ts";
import { Entry, type EntryPassword } from "./entry.ts";
import { warningsOf } from "./exposure.ts";
import { type Greeting, Hub } from "./hub.ts";
import { openOwnership } from "./logins.ts";
import { type Log, MemoryLog } from "./log.ts";
import type { OperatingOptions } from "./operating.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import type { Cost } from "./passwords.ts";
import { Turns } from "./turns.ts";
import { Pulse } from "./pulse.ts";
import { Renewal } from "./renewal.ts";
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

/** Where and how to listen with TLS. */
export interface TlsOptions {
  /** 0 takes a free one. */
  port: number;
  files: CredentialFiles;
}

/** How to listen. At least one of `port` and `tls` is said. */
export interface ListenOptions {
  host: string;
  /** The port without TLS, if there is to be one; 0 takes a free one. */
  port?: number;
  tls?: TlsOptions;
}

/** Where a connection comes from. */
interface Origin {
  address: string;
  host: string;
  network: Network;
}

/** What a server speaks TLS with. */
interface Tls {
  entrance: Entrance;
  encryption: Encryption;
  renewal: Renewal;
}

/** A room that listens. */
export class ChatServer {
  readonly #plain: Entrance | undefined;
  readonly #tls: Tls | undefined;
  readonly #pulse: Pulse | undefined;
  readonly #limits: Limits;
  readonly #greeting: Greeting;
  readonly #turns: Turns;
  readonly #hub: Hub;
  readonly #surroundings: Surroundings;
  readonly #sessions = new Set<Session>();
  readonly #admission: Admission;
  /** Those of whose handshake nothing is known yet, and until when. */
  readonly #handshakes = new Map<AbortController, Promise<void>>();
  /** Those who are being told that they cannot come in. */
  readonly #refusing = new Set<Promise<void>>();
  readonly #looking: ReturnType<typeof setInterval>;
  readonly #accepting: Promise<unknown>;
  #stopping: Promise<void> | undefined;
  /** Called when the last session has gone. */
  #onEmpty: (() => void) | undefined;

  private constructor(
    { plain, tls, pulse, greeting, limits, turns, tries, hub, password }: {
      plain: Entrance | undefined;
      tls: Tls | undefined;
      pulse: Pulse | undefined;
      greeting: Greeting;
      limits: Limits;
      turns: Turns;
      tries: Tries;
      hub: Hub;
      password: EntryPassword | undefined;
    },
  ) {
    this.#plain = plain;
    this.#tls = tls;
    this.#pulse = pulse;
    this.#limits = limits;
    this.#greeting = greeting;
    this.#turns = turns;
    this.#hub = hub;
    const onGone = (session: Session) => this.#forget(session);
    const entry = new Entry(tries, password);
    this.#surroundings = { hub, turns, limits, entry, onGone };
    this.#admission = new Admission(limits);
    this.#warn();
    this.#looking = setInterval(() => this.#look(), limits.lookMs);
    this.#accepting = Promise.all([
      plain?.accept(limits, (conn) => this.#welcome(conn)),
      tls?.entrance.accept(
        limits,
        (conn) => this.#welcome(conn, tls.encryption),
      ),
    ]);
    // The other one is what stdout names.
    if (plain && tls) {
      log.info("listening with TLS", { address: tls.entrance.address });
    }
  }

  /**
   * Listens, and accepts connections until {@linkcode stop}.
   *
   * @param options where and how to listen, the message of the day, line by line, the password without which nobody
   * comes in, and what the rooms' messages, the registered names, and what operators order, are stored in: memory, if
   * nothing is said. All of these are the caller's to close, once the server has stopped. And what it costs to check a
   * member's password, if it is not the usual.
   * @throws {BindError}
   * @throws {CredentialsError}
   * @throws {LogError}
   */
  static async start(
    options: ListenOptions & {
      log?: Log;
      accounts?: Accounts;
      passwordCost?: Cost;
      limits?: Partial<Limits>;
      motd?: readonly string[];
      password?: EntryPassword | undefined;
    } & OperatingOptions,
  ): Promise<ChatServer> {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const opened = new Opened();
    try {
      const { host, port } = options;
      const tls = options.tls && await opened.tls(host, options.tls, limits);
      const plain = port === undefined ? undefined : opened.plain(host, port);
      const pulse = await opened.pulse();
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
      const parts = { plain, tls, pulse, greeting, limits, turns, tries };
      return new ChatServer({ ...parts, hub, password });
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  get #first(): Entrance {
    return (this.#plain ?? this.#tls?.entrance)!;
  }

  /** Where it listens, without TLS if it does so at all, as `127.0.0.1:5000` or `[::1]:5000`. */
  get address(): string {
    return this.#first.address;
  }

  /** The port of that. */
  get port(): number {
    return this.#first.at.port;
  }

  /** The port it listens on with TLS, if it does. */
  get tlsPort(): number | undefined {
    return this.#tls?.entrance.at.port;
  }

  /** What its operator should change, in a sentence each. */
  get warnings(): string[] {
    const fault = this.#tls?.renewal.fault;
    return [
      ...this.#exposure,
      ...(fault ? [`nobody should trust the certificate: ${fault}`] : []),
    ];
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

  /** Looks whether there is another certificate; the log says so. */
  async renew(): Promise<void> {
    await this.#tls?.renewal.look();
  }

  /** Changes limits, for those who are here already, too: at the latest from the next line that they say. */
  limit(limits: Partial<Limits>): void {
    const wasRegisteredOnly = this.#limits.registeredOnly;
    Object.assign(this.#limits, limits);
    if (wasRegisteredOnly !== this.#limits.registeredOnly) this.#warn();
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
    if (wasGuarded !== entry.isGuarded) this.#warn();
  }

  #warn(): void {
    for (const warning of this.#exposure) {
      log.warn(warning, { address: this.address });
    }
  }

  get #exposure(): string[] {
    const plain = this.#plain;
    return warningsOf({
      isPlainPublic: plain !== undefined && !isLoopback(plain.at.host),
      hasTls: this.#tls !== undefined,
      hasPassword: this.#surroundings.entry.isGuarded,
      isRegisteredOnly: this.#limits.registeredOnly,
    });
  }

  /** Accepts nobody more, tells everyone, and resolves when every connection is closed: soon. */
  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  async #stop(): Promise<void> {
    this.#plain?.close();
    this.#tls?.entrance.close();
    clearInterval(this.#looking);
    await this.#accepting;
    for (const waiting of this.#handshakes.keys()) waiting.abort();
    await Promise.all(this.#handshakes.values());
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
    await this.#tls?.renewal.close();
    this.#tls?.encryption.close();
    await this.#pulse?.close();
  }

  #welcome(conn: Deno.TcpConn, encryption?: Encryption): void {
    const remote = addressOf(conn.remoteAddr);
    const reason = this.#hub.bannedFrom(remote.host);
    if (reason !== undefined) {
      const banned = { drop: "banned", reason } as const;
      return this.#turnAway(conn, remote, banned, encryption);
    }
    const network = this.#admission.admit(remote.host);
    if ("drop" in network) {
      return this.#turnAway(conn, remote, network, encryption);
    }
    try {
      // A line is sent whole, so there is nothing to wait for; and who vanished is found out some day.
      conn.setNoDelay(true);
      conn.setKeepAlive(true);
    } catch {
      // Reset before it was accepted: the session finds out when it reads.
    }
    const { host } = remote;
    const from = { address: formatAddress(remote), host, network };
    if (!encryption) return this.#begin(conn, from);
    const waiting = new AbortController();
    const shaken = this.#shakeHands(conn, from, encryption, waiting)
      .finally(() => this.#handshakes.delete(waiting));
    this.#handshakes.set(waiting, shaken);
  }

  /** Lets in whoever speaks TLS. */
  async #shakeHands(
    conn: Deno.TcpConn,
    from: Origin,
    encryption: Encryption,
    waiting: AbortController,
  ): Promise<void> {
    const { handshakeMs } = this.#limits;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      waiting.abort();
    }, handshakeMs);
    try {
      const encrypted = await encryption.accept(conn, waiting.signal);
      const banned = this.#hub.bannedFrom(from.host);
      if (banned !== undefined) {
        close(encrypted);
        throw new Error(banned);
      }
      this.tally.encrypted++;
      this.#begin(encrypted, from);
    } catch (error) {
      const why = isLate
        ? `not within ${handshakeMs / 1000} s`
        : describe(error);
      log.info("no TLS handshake", { address: from.address, why });
      this.tally.drop("handshake");
      if (error instanceof NotTls) {
        this.#say(conn, "there is only TLS at this port");
      } else close(conn);
      this.#admission.leave(from.network);
    } finally {
      clearTimeout(timer);
    }
  }

  #begin(conn: Conn, from: Origin): void {
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
    encryption?: Encryption,
  ): void {
    this.tally.drop(drop);
    log.info("refused", { address: formatAddress(remote), why: reason });
    this.#say(conn, reason, encryption);
  }

  /** The last words to somebody who is not let in. */
  #say(conn: Deno.TcpConn, reason: string, encryption?: Encryption): void {
    const waits = this.#refusing.size < this.#limits.maxRefusing;
    // A handshake is too much for many.
    if (encryption && !waits) return close(conn);
    const told = this.#sayBye(conn, reason, waits, encryption).finally(() =>
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
    encryption?: Encryption,
  ): Promise<void> {
    const waiting = new AbortController();
    const timer = setTimeout(() => {
      waiting.abort();
      close(conn);
    }, this.#limits.partingMs);
    let to: Conn = conn;
    try {
      if (encryption) to = await encryption.accept(conn, waiting.signal);
      const farewell = render({ type: "bye", reason });
      await to.write(new TextEncoder().encode(farewell));
      await to.closeWrite();
      const buffer = new Uint8Array(2048);
      while (waits && await to.read(buffer) !== null);
    } catch {
      // They are gone, or do not go.
    }
    clearTimeout(timer);
    close(conn);
    close(to);
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

/** What a server has opened while it starts, to be closed if it cannot. */
class Opened {
  readonly #closings: (() => unknown)[] = [];

  plain(host: string, port: number): Entrance {
    const entrance = new Entrance({ host, port });
    this.#closings.push(() => entrance.close());
    return entrance;
  }

  /** @throws {CredentialsError} */
  async tls(
    host: string,
    { port, files }: TlsOptions,
    limits: Limits,
  ): Promise<Tls> {
    const credentials = await readCredentials(files);
    const encryption = new Encryption(credentials, limits);
    this.#closings.push(() => encryption.close());
    const entrance = new Entrance({ host, port });
    this.#closings.push(() => entrance.close());
    const everyMs = limits.lookCertificateMs;
    const renewal = new Renewal(files, credentials, encryption, everyMs);
    this.#closings.push(() => renewal.close());
    return { entrance, encryption, renewal };
  }

  async pulse(): Promise<Pulse | undefined> {
    const pulse = await Pulse.open();
    this.#closings.push(() => pulse?.close());
    return pulse;
  }

  async close(): Promise<void> {
    for (const close of this.#closings.reverse()) await close();
  }
}

function close(conn: Conn): void {
  try {
    conn.close();
  } catch {
    // Closed already.
  }
}
