/**
 * TLS for connections that were accepted: what comes from one is passed on to a TLS end of Deno's, through a
 * connection of the server to itself. Knows certificates as text; neither who comes nor what is said.
 *
 * Deno could listen for TLS itself. But what it accepts so cannot be closed against the will of the other side: before
 * the handshake, and as long as something is not taken, `close()` leaves the socket open, and whoever never answers
 * keeps it for ever (2.6 to 2.9; node:tls is no better there). Here the socket is ours. So it is closed like any other,
 * keeps alive, and is told in plain words if it does not speak TLS; and a new certificate takes no new port.
 */

import { formatAddress } from "../address.ts";
import { describe } from "../fault.ts";
import { addressOf } from "./bind.ts";
import { type Credentials, CredentialsError } from "./credentials.ts";
import { acceptAll } from "./entrance.ts";
import type { Limits } from "./limits.ts";

/** How much is passed on at once: little for whoever is silent, up to what one record of TLS holds. */
const PASS_BYTES = { least: 512, most: 16_384 };

/** The first byte of whoever speaks TLS: a handshake. */
const HANDSHAKE = 22;

/** What a session needs of a connection. */
export type Conn = Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close">;

/** Somebody has not said anything that TLS begins with. */
export class NotTls extends Error {
  override name = "NotTls";
}

/** Makes encrypted connections of those that were accepted. */
export class Encryption {
  readonly #limits: Readonly<Limits>;
  #loopback: Loopback;

  /** @throws {CredentialsError} */
  constructor(credentials: Credentials, limits: Readonly<Limits>) {
    this.#limits = limits;
    this.#loopback = new Loopback(credentials, limits);
  }

  /**
   * Shows this certificate to whoever comes from now on.
   *
   * @throws {CredentialsError} the one before is still shown
   */
  renew(credentials: Credentials): void {
    const before = this.#loopback;
    this.#loopback = new Loopback(credentials, this.#limits);
    before.close();
  }

  /**
   * Waits for the handshake. Aborting `signal` ends the waiting and closes `outer`, which otherwise is the caller's
   * until there is an encrypted connection that it then belongs to.
   *
   * @throws {NotTls}
   * @throws {Error} the handshake failed, or `signal` was aborted
   */
  async accept(outer: Deno.TcpConn, signal: AbortSignal): Promise<Conn> {
    signal.addEventListener("abort", () => close(outer));
    const buffer = new Uint8Array(PASS_BYTES.least);
    const count = await outer.read(buffer);
    if (count === null) throw new Error("it ended before it began");
    if (buffer[0] !== HANDSHAKE) throw new NotTls("it is not TLS");
    const [inner, tls] = await this.#connect(signal);
    const conn = new EncryptedConn(outer, inner, tls);
    conn.pass(buffer.subarray(0, count));
    try {
      await tls.handshake();
      return conn;
    } catch (error) {
      await conn.abandon();
      throw error;
    }
  }

  /** Takes no more; who is there stays. */
  close(): void {
    this.#loopback.close();
  }

  async #connect(signal: AbortSignal): Promise<[Deno.TcpConn, Deno.TlsConn]> {
    const loopback = this.#loopback;
    try {
      return await loopback.connect(signal);
    } catch (error) {
      if (loopback === this.#loopback) throw error;
      // The certificate was renewed meanwhile.
      return this.#connect(signal);
    }
  }
}

/**
 * Connects the server to its TLS ends with one certificate. Accepts all the time: what other programs of this machine
 * connect, which have no business here, fills no queue.
 */
class Loopback {
  readonly #listener: Deno.TlsListener;
  /** Who waits to be accepted, by where they connect from. */
  readonly #expected = new Map<string, PromiseWithResolvers<Deno.TlsConn>>();
  /** Who was accepted while somebody connects, and may be them: where from is known only when they have connected. */
  readonly #early = new Map<string, Deno.TlsConn>();
  #connecting = 0;
  #isClosed = false;

  /** @throws {CredentialsError} */
  constructor(credentials: Credentials, limits: Readonly<Limits>) {
    this.#listener = listen(credentials);
    const isClosed = () => this.#isClosed;
    void acceptAll(this.#listener, limits, isClosed, (tls) => this.#take(tls));
  }

  /** @throws {Error} it was closed, or `signal` was aborted */
  async connect(signal: AbortSignal): Promise<[Deno.TcpConn, Deno.TlsConn]> {
    const { hostname, port } = this.#listener.addr;
    const accepted = Promise.withResolvers<Deno.TlsConn>();
    let inner: Deno.TcpConn;
    let from: string;
    this.#connecting++;
    try {
      inner = await Deno.connect({ hostname, port, signal });
      from = formatAddress(addressOf(inner.localAddr));
      this.#expected.set(from, accepted);
      const early = this.#early.get(from);
      if (early) accepted.resolve(early);
      this.#early.delete(from);
    } finally {
      if (--this.#connecting === 0) this.#dismiss();
    }
    const onAbort = () => accepted.reject(signal.reason);
    signal.addEventListener("abort", onAbort);
    try {
      inner.setNoDelay(true);
      if (signal.aborted) onAbort();
      if (this.#isClosed) this.#refuse(accepted);
      return [inner, await accepted.promise];
    } catch (error) {
      close(inner);
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#expected.delete(from);
    }
  }

  /** Takes no more; who has not been accepted is not. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listener.close();
    for (const accepted of this.#expected.values()) this.#refuse(accepted);
    this.#dismiss();
  }

  #take(tls: Deno.TlsConn): void {
    const from = formatAddress(addressOf(tls.remoteAddr as Deno.NetAddr));
    const expected = this.#expected.get(from);
    if (expected) return expected.resolve(tls);
    if (this.#connecting === 0 || this.#isClosed) return close(tls);
    const before = this.#early.get(from);
    if (before) close(before);
    this.#early.set(from, tls);
  }

  #refuse(accepted: PromiseWithResolvers<Deno.TlsConn>): void {
    accepted.reject(new Error("the server takes no more"));
  }

  #dismiss(): void {
    for (const tls of this.#early.values()) close(tls);
    this.#early.clear();
  }
}

function listen({ cert, key }: Credentials): Deno.TlsListener {
  try {
    return Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
  } catch (error) {
    const reason = describe(error);
    throw new CredentialsError(
      reason.includes("KeyMismatch")
        ? "the key is not the one to the certificate"
        : `the certificate and its key will not do: ${reason}`,
    );
  }
}

/** A connection of which all is encrypted that comes and goes. */
class EncryptedConn implements Conn {
  readonly #outer: Deno.TcpConn;
  readonly #inner: Deno.TcpConn;
  readonly #tls: Deno.TlsConn;
  /** Until all is passed on that goes out. */
  #outward: Promise<void> = Promise.resolve();

  constructor(outer: Deno.TcpConn, inner: Deno.TcpConn, tls: Deno.TlsConn) {
    this.#outer = outer;
    this.#inner = inner;
    this.#tls = tls;
  }

  /** Passes on, in both directions, until the connection ends; `first` is what has come already. */
  pass(first: Uint8Array): void {
    const onLost = () => {
      close(this.#outer);
      close(this.#inner);
    };
    void passOn(this.#outer, this.#inner, first).catch(onLost);
    this.#outward = passOn(this.#inner, this.#outer).catch(onLost);
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#tls.read(buffer).catch(explain);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#tls.write(bytes);
  }

  /** Says that nothing more comes, once all that was written is on its way. */
  async closeWrite(): Promise<void> {
    await this.#tls.closeWrite();
    await this.#outward;
  }

  /** Closes it, also if not all that was written is on its way. */
  close(): void {
    close(this.#outer);
    close(this.#inner);
    close(this.#tls);
  }

  /** Gives TLS up, once what it had to say of that is on its way. */
  async abandon(): Promise<void> {
    close(this.#tls);
    await this.#outward;
    close(this.#inner);
  }
}

/** Passes on what comes from one connection to the other, its end included. */
async function passOn(
  from: Deno.TcpConn,
  to: Deno.TcpConn,
  first: Uint8Array = new Uint8Array(0),
): Promise<void> {
  await writeAll(to, first);
  let buffer = new Uint8Array(PASS_BYTES.least);
  for (let count; (count = await from.read(buffer)) !== null;) {
    await writeAll(to, buffer.subarray(0, count));
    const { least, most } = PASS_BYTES;
    if (count === buffer.length && count < most) buffer = new Uint8Array(most);
    else if (count < least && buffer.length > least) {
      buffer = new Uint8Array(least);
    }
  }
  await to.closeWrite();
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) rest = rest.subarray(await conn.write(rest));
}

/** What it means that TLS did not end as it should, in less words than Deno has for it. */
function explain(error: unknown): never {
  if (error instanceof Deno.errors.UnexpectedEof) {
    throw new Error("it ended without a farewell", { cause: error });
  }
  throw error;
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Closed already.
  }
}
