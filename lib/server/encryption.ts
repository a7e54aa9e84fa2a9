/**
 * TLS for connections that were accepted: what comes from one is passed on to a TLS end of Deno's, through a
 * connection of the server to itself. Knows certificates as text; neither who comes nor what is said.
 *
 * Deno could listen for TLS itself. But what it accepts so cannot be closed against the will of the other side: before
 * the handshake, and as long as something is not taken, `close()` leaves the socket open, and whoever never answers
 * keeps it for ever (2.6 to 2.9; node:tls is no better there). Here the socket is ours. So it is closed like any other,
 * keeps alive, and is told in plain words if it does not speak TLS; and a new certificate takes no new port.
 */

import { describe } from "../fault.ts";
import { type Credentials, CredentialsError } from "./credentials.ts";

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
  #listener: Deno.TlsListener;
  /** Connections are connected to their TLS ends one after the other, so that none takes another's. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @throws {CredentialsError} */
  constructor(credentials: Credentials) {
    this.#listener = listen(credentials);
  }

  /**
   * Shows this certificate to whoever comes from now on.
   *
   * @throws {CredentialsError} the one before is still shown
   */
  renew(credentials: Credentials): void {
    const listener = listen(credentials);
    void this.#inTurn(() => {
      this.#listener.close();
      this.#listener = listener;
    });
  }

  /**
   * Waits for the handshake. Closing `outer` ends the waiting; otherwise it is the caller's until there is an encrypted
   * connection, which it then belongs to.
   *
   * @throws {NotTls}
   * @throws {Error} the handshake failed, or `outer` was closed
   */
  async accept(outer: Deno.TcpConn): Promise<Conn> {
    const buffer = new Uint8Array(PASS_BYTES.least);
    const count = await outer.read(buffer);
    if (count === null) throw new Error("it ended before it began");
    if (buffer[0] !== HANDSHAKE) throw new NotTls("it is not TLS");
    const [inner, tls] = await this.#inTurn(() => this.#connect());
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
  async close(): Promise<void> {
    await this.#inTurn(() => this.#listener.close());
  }

  async #connect(): Promise<[Deno.TcpConn, Deno.TlsConn]> {
    const inner = await Deno.connect({
      hostname: this.#listener.addr.hostname,
      port: this.#listener.addr.port,
    });
    try {
      inner.setNoDelay(true);
      for (;;) {
        const tls = await this.#listener.accept();
        if (tls.remoteAddr.port === inner.localAddr.port) return [inner, tls];
        // Another program of this machine, which has no business here.
        tls.close();
      }
    } catch (error) {
      inner.close();
      throw error;
    }
  }

  #inTurn<T>(work: () => T | Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
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
