/**
 * A certificate made for trying TLS, and for a server that nobody but its users has to know: self-signed, with its key
 * beside it. Knows files; the library that makes it is only loaded with this file.
 */

// What the library decorates its classes with; it has to be there first.
import "reflect-metadata/lite";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { Buffer } from "node:buffer";
import ipaddr from "ipaddr.js";
import { describe } from "../fault.ts";
import type { Credentials } from "./credentials.ts";

/** For how long a certificate is good, in days: more than some systems take from anybody. */
export const DAYS = 825;

/** P-256: every client knows it, and its keys are small. */
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

const MS_PER_HOUR = 3_600_000;
const MS_PER_DAY = 24 * MS_PER_HOUR;

/** A certificate cannot be made; the message says why, in one line. */
export class CertificateError extends Error {
  override name = "CertificateError";
}

/** What may be said of a certificate. */
export interface CertificateOptions {
  /** From when it is good; an hour ago, because not all clocks agree. */
  from?: Date;
  /** Until when; {@linkcode DAYS} later. */
  until?: Date;
  /** Whether it is marked as an authority, as nobody's certificate should be who is none; no. */
  isAuthority?: boolean;
}

/** What was made. */
export interface Made {
  cert: string;
  key: string;
  /** As ssh writes it, and as the client shows it. */
  fingerprint: string;
}

/** Makes a self-signed certificate for these names and addresses, the first of which it is called by. */
export async function selfSigned(
  names: readonly string[],
  { from = new Date(Date.now() - MS_PER_HOUR), until, isAuthority = false }:
    CertificateOptions = {},
): Promise<Credentials> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, [
    "sign",
    "verify",
  ]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [names[0] ?? ""] }],
    notBefore: from,
    notAfter: until ?? new Date(from.getTime() + DAYS * MS_PER_DAY),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(isAuthority, undefined, true),
      new KeyUsagesExtension(
        isAuthority
          ? KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign
          : KeyUsageFlags.digitalSignature,
        true,
      ),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      alternativeNames(names),
    ],
  });
  return { cert: pem(certificate.toString("pem")), key: await keyOf(keys) };
}

/** The names and addresses that a certificate is good for. */
export function alternativeNames(
  names: readonly string[],
): SubjectAlternativeNameExtension {
  const { IPv4, IPv6 } = ipaddr;
  return new SubjectAlternativeNameExtension(names.map((value) => {
    const isAddress = IPv4.isValidFourPartDecimal(value) ||
      IPv6.isValid(value);
    const type: "ip" | "dns" = isAddress ? "ip" : "dns";
    return { type, value };
  }));
}

/** The private key, as files have it. */
export async function keyOf(keys: CryptoKeyPair): Promise<string> {
  const der = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return pem(PemConverter.encode(der, "PRIVATE KEY"));
}

/** What identifies a certificate, as ssh writes it: SHA-256, in base64 without padding. */
export async function fingerprintOf(cert: string): Promise<string> {
  const [der] = PemConverter.decode(cert);
  const hash = await crypto.subtle.digest("SHA-256", der!);
  return `SHA256:${Buffer.from(hash).toString("base64").replace(/=+$/, "")}`;
}

/**
 * Makes a certificate and its key in a folder, which is made if there is none: cert.pem, and key.pem, which only its
 * owner can read, from the moment when it is there. Replaces nothing.
 *
 * @throws {CertificateError} there is one of them already, or they cannot be made
 */
export async function writeCertificate(
  folder: string,
  names: readonly string[],
): Promise<Made> {
  const cert = `${folder}/cert.pem`;
  const key = `${folder}/key.pem`;
  const made: string[] = [];
  const write = async (file: string, text: string, mode: number) => {
    // Not by its name if it is there: what it is then belongs to somebody else.
    using opened = await Deno.open(file, {
      write: true,
      createNew: true,
      mode,
    });
    made.push(file);
    await opened.write(new TextEncoder().encode(text));
    await opened.sync();
  };
  try {
    const credentials = await selfSigned(names);
    await Deno.mkdir(folder, { recursive: true });
    await write(key, credentials.key, 0o600);
    await write(cert, credentials.cert, 0o644);
    return { cert, key, fingerprint: await fingerprintOf(credentials.cert) };
  } catch (error) {
    // Half of a pair is of no use, and would be in the way of the next.
    for (const file of made) await Deno.remove(file).catch(() => {});
    const reason = error instanceof Deno.errors.AlreadyExists
      ? `${made.length === 0 ? key : cert} exists, and is not replaced`
      : describe(error);
    throw new CertificateError(
      `cannot make a certificate in ${folder}: ${reason}`,
    );
  }
}

/** A text as a file should end. */
function pem(text: string): string {
  return `${text.trimEnd()}\n`;
}
