/**
 * Opening a socket that is encrypted, to a server that is the one that is meant: because an authority says so, or
 * because somebody has decided to trust its certificate. Nothing is sent before that is known, and what is given
 * is the connection of which it is known. Knows nothing of what is said, and asks nobody.
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { isIP } from "node:net";
import {
  checkServerIdentity,
  connect,
  type PeerCertificate,
  type TLSSocket,
} from "node:tls";
import { type Address, formatAddress } from "../address.ts";
import { describe } from "../fault.ts";
import { Lost, type Socket } from "./connection.ts";
import type { Known, KnownServers } from "./known_servers.ts";
import { NodeSocket } from "./node_socket.ts";
import { openTcp } from "./socket.ts";
import { unlessAborted } from "./waiting.ts";

/** Whom to trust, besides the authorities that Deno knows. */
export interface Trust {
  /** Certificates of further authorities, or of the server itself, in PEM. */
  authority?: string;
  /** The only certificate that will do: `SHA256:` and base64 without padding, of its DER. */
  fingerprint?: string;
  /** What was decided before. */
  known: KnownServers;
}

/** A server whose certificate nobody vouches for, and of which nobody has decided anything yet. */
export class Stranger extends Lost {
  readonly fingerprint: string;

  constructor(fingerprint: string, message: string) {
    super(message, true);
    this.fingerprint = fingerprint;
  }
}

/** Why a certificate is not accepted. */
interface Refusal {
  why: string;
  /** Whether only the issuer is not known, which somebody may decide to make good. */
  isStrange: boolean;
}

/**
 * Before 2.9, node:tls on Deno takes a certificate for granted that it was told not to reject: whoever has seen it
 * once could present it without having its key.
 */
const CHECKS_KEY = !/^2\.[0-8]\./.test(Deno.version.deno);

/**
 * Opens an encrypted socket to a server that is trusted.
 *
 * @throws {Stranger} if the certificate is trusted neither by an authority nor by anybody's decision
 * @throws {Lost} if there is no connection, or another certificate than the one that is trusted, which is final
 * @throws {Error} if what was decided before cannot be read
 */
export async function openSecure(
  address: Address,
  { authority, fingerprint, known }: Trust,
  signal: AbortSignal,
): Promise<Socket> {
  const pin = fingerprint
    ? { fingerprint, where: "--tls-fingerprint" }
    : await decided(known, address);
  const conn = await openTcp(address, signal);
  const { hostname } = conn.remoteAddr;
  const strict = await openStrict(conn, address, authority, signal);
  if (!("why" in strict)) {
    if (!fingerprint) return strict;
    // Of such a connection Deno does not tell the certificate.
    strict.close();
  } else if (!pin && !strict.isStrange) {
    throw new Lost(strict.why);
  }
  const seen = await look(address, hostname, signal);
  try {
    const certificate = certificateOf(seen);
    const met = fingerprintOf(certificate.raw);
    if (pin && pin.fingerprint !== met) throw changed(address, pin, met);
    const isOwnAuthority = authority !== undefined &&
      isAmong(certificate.raw, authority);
    if (!pin && isOwnAuthority) checkByHand(address, certificate);
    const socket = await proven(address, seen, certificate.raw, signal);
    if (pin || isOwnAuthority) return socket;
    socket.close();
    throw new Stranger(
      met,
      `nobody known vouches for its certificate; if whoever runs it says that it is the right one, --tls-fingerprint ${met} trusts it`,
    );
  } catch (error) {
    seen.destroy();
    throw error;
  }
}

/**
 * What somebody has decided.
 *
 * @throws {Lost}
 */
async function decided(
  known: KnownServers,
  address: Address,
): Promise<Known | undefined> {
  try {
    return await known.find(address);
  } catch (error) {
    throw new Lost(describe(error), true);
  }
}

/** Goes on with a connection on which the certificate, its issuer and its name are verified first. */
async function openStrict(
  conn: Deno.TcpConn,
  { host }: Address,
  authority: string | undefined,
  signal: AbortSignal,
): Promise<Socket | Refusal> {
  const caCerts = authority === undefined ? {} : { caCerts: [authority] };
  const secure = await Deno.startTls(conn, { hostname: host, ...caCerts });
  try {
    await unlessAborted(secure.handshake(), signal);
    return strictSocket(secure);
  } catch (error) {
    secure.close();
    return refusal(describe(error));
  }
}

function strictSocket(conn: Deno.TlsConn): Socket {
  return {
    async read(buffer) {
      try {
        return await conn.read(buffer);
      } catch (error) {
        if (!(error instanceof Deno.errors.UnexpectedEof)) throw error;
        // Without the farewell of TLS, anybody can have cut it.
        throw new Error("it was cut off");
      }
    },
    write: (bytes) => conn.write(bytes),
    closeWrite: () => conn.closeWrite(),
    close: () => conn.close(),
  };
}

/**
 * What it means that a handshake has failed.
 *
 * @throws {Lost} if it is not the certificate
 */
function refusal(message: string): Refusal {
  const [, fault] = /^invalid peer certificate: (.*)/s.exec(message) ?? [];
  if (fault === undefined) throw new Lost(handshakeFault(message));
  if (/^UnknownIssuer|CaUsedAsEndEntity/.test(fault)) {
    return { why: "nobody known vouches for its certificate", isStrange: true };
  }
  const why = /^expired|^certificate expired/i.test(fault)
    ? "its certificate has expired"
    : /^NotValidYet|^certificate not valid yet/.test(fault)
    ? "its certificate is not valid yet; is this machine's clock right?"
    : /^NotValidForName|^certificate not valid for name/.test(fault)
    ? "its certificate is for another host"
    : /^BadSignature/.test(fault)
    ? "it does not have the key of its certificate"
    : `its certificate will not do (${fault})`;
  return { why, isStrange: false };
}

function handshakeFault(message: string): string {
  return /InvalidContentType|corrupt message/.test(message)
    ? "it speaks no TLS; without --tls?"
    : /end of file|eof/i.test(message)
    ? "it closed the connection where TLS begins; without --tls?"
    : message;
}

/** Makes a connection on which nothing is verified, to learn which certificate there is. */
async function look(
  { host, port }: Address,
  hostname: string,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const socket = connect({
    host: hostname,
    port,
    // An address is no name; without one, node:tls takes the host.
    ...(isIP(host) ? {} : { servername: host }),
    rejectUnauthorized: false,
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("secureConnect", resolve);
  socket.on("error", reject);
  socket.once("close", () => reject(new Error("it closed the connection")));
  try {
    await unlessAborted(promise, signal);
    return socket;
  } catch (error) {
    socket.destroy();
    const why = /CERT|certificate/.test(describe(error))
      ? "it does not have the key of its certificate"
      : handshakeFault(describe(error));
    throw new Lost(why);
  }
}

/** @throws {Lost} if there is none that a key can be proven by */
function certificateOf(socket: TLSSocket): PeerCertificate {
  const certificate = socket.getPeerCertificate();
  // Of the first version, Deno does not check that the server has the key.
  if (!certificate.raw || !isThirdVersion(certificate.raw)) {
    throw new Lost("its certificate will not do (it is not X.509 v3)", true);
  }
  return certificate;
}

/** Whether the certificate says which version it has, which the first does not. */
function isThirdVersion(der: Uint8Array): boolean {
  // A sequence begins with its tag and its length, which has a byte of its own where it is above 127.
  const behind = (at: number) => {
    const length = der[at + 1] ?? 0;
    return at + 2 + (length < 0x80 ? 0 : length & 0x7f);
  };
  const version = der.subarray(behind(behind(0)));
  return [0xa0, 3, 2, 1, 2].every((byte, i) => version[i] === byte);
}

/** The connection, once the server has proven to have the key of its certificate; it may be another one than that given. */
async function proven(
  address: Address,
  seen: TLSSocket,
  der: Uint8Array,
  signal: AbortSignal,
): Promise<Socket> {
  if (CHECKS_KEY) return new NodeSocket(seen);
  seen.destroy();
  const conn = await openTcp(address, signal);
  const strict = await openStrict(conn, address, pemOf(der), signal);
  if (!("why" in strict)) return strict;
  const version = `Deno ${Deno.version.deno}`;
  throw new Lost(
    `${version} cannot check such a certificate (${strict.why}); 2.9 can, and a self-signed one for this host with CA:FALSE will do`,
    true,
  );
}

/**
 * What openStrict() verifies, of a certificate marked as an authority, which Deno does not take for a server's.
 *
 * @throws {Lost}
 */
function checkByHand({ host }: Address, certificate: PeerCertificate): void {
  if (checkServerIdentity(host, certificate)) {
    throw new Lost("its certificate is for another host");
  }
  if (Date.parse(certificate.valid_to) < Date.now()) {
    throw new Lost("its certificate has expired");
  }
}

function changed(
  address: Address,
  pin: Known,
  met: string,
): Lost {
  return new Lost(
    [
      `THE CERTIFICATE OF ${
        formatAddress(address)
      } IS NOT THE ONE THAT IS TRUSTED.`,
      `It is ${met}, and not ${pin.fingerprint} (${pin.where}).`,
      "Either somebody is between you and the server, or it has a new one;",
      "ask whoever runs it, and only then forget the one that is trusted",
    ].join(" "),
    true,
  );
}

/** The fingerprint of a certificate, as ssh writes that of a key. */
function fingerprintOf(der: Uint8Array): string {
  const digest = createHash("sha256").update(der).digest("base64");
  return `SHA256:${digest.replace(/=+$/, "")}`;
}

function pemOf(der: Uint8Array): string {
  const lines = Buffer.from(der).toString("base64").replace(/.{64}/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

/** Whether this is one of the certificates of a file. */
function isAmong(der: Uint8Array, pem: string): boolean {
  const blocks = pem.matchAll(
    /-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g,
  );
  return [...blocks].some(([, base64 = ""]) =>
    Buffer.from(base64, "base64").equals(der)
  );
}
