/** Certificates for tests: good ones, and every kind that nobody should trust. */

import "reflect-metadata/lite";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import {
  alternativeNames,
  fingerprintOf,
  keyOf,
  selfSigned,
} from "../lib/server/certificate.ts";
import type { Credentials } from "../lib/server/credentials.ts";

export { fingerprintOf, selfSigned };

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY = 86_400_000;

/** The names of this machine that tests connect to. */
export const LOOPBACK: readonly string[] = ["localhost", "127.0.0.1", "::1"];

/** So many days from now, or ago if that is negative. */
export function inDays(days: number): Date {
  return new Date(Date.now() + days * DAY);
}

/** Self-signed, and it was good until yesterday. */
export function expired(): Promise<Credentials> {
  return selfSigned(LOOPBACK, { from: inDays(-30), until: inDays(-1) });
}

/** Self-signed, and good from tomorrow on. */
export function notYetValid(): Promise<Credentials> {
  return selfSigned(LOOPBACK, { from: inDays(1), until: inDays(30) });
}

/** Self-signed, for another machine. */
export function ofAnotherHost(): Promise<Credentials> {
  return selfSigned(["elsewhere.example"]);
}

/** Self-signed, and marked as an authority. */
export function selfSignedAuthority(): Promise<Credentials> {
  return selfSigned(LOOPBACK, { isAuthority: true });
}

/** What a certificate of an authority may say other than usual. */
export interface LeafOptions {
  /** From when it is good; yesterday. */
  from?: Date;
  /** Until when; in 30 days. */
  until?: Date;
}

/** An authority of its own, which nobody trusts unless they are told to. */
export class Authority {
  /** Its certificate, in PEM. */
  readonly cert: string;
  readonly #certificate: X509Certificate;
  readonly #keys: CryptoKeyPair;

  private constructor(certificate: X509Certificate, keys: CryptoKeyPair) {
    this.cert = `${certificate.toString("pem")}\n`;
    this.#certificate = certificate;
    this.#keys = keys;
  }

  static async make(): Promise<Authority> {
    const keys = await newKeys();
    const usages = KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign;
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: [{ CN: ["An authority for tests"] }],
      notBefore: inDays(-1),
      notAfter: inDays(30),
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(usages, true),
      ],
    });
    return new Authority(certificate, keys);
  }

  /** A certificate for these names, with the authority's behind it, and the key to it. */
  async sign(
    names: readonly string[] = LOOPBACK,
    { from = inDays(-1), until = inDays(30) }: LeafOptions = {},
  ): Promise<Credentials> {
    const keys = await newKeys();
    const certificate = await X509CertificateGenerator.create({
      subject: [{ CN: [names[0] ?? ""] }],
      issuer: this.#certificate.subject,
      notBefore: from,
      notAfter: until,
      signingKey: this.#keys.privateKey,
      publicKey: keys.publicKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        alternativeNames(names),
      ],
    });
    const cert = `${certificate.toString("pem")}\n${this.cert}`;
    return { cert, key: await keyOf(keys) };
  }
}

/** A folder with cert.pem and key.pem, which goes with them. */
export class CertificateFolder implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(credentials: Credentials): Promise<CertificateFolder> {
    const made = new CertificateFolder(await Deno.makeTempDir());
    await made.put(credentials);
    return made;
  }

  get cert(): string {
    return `${this.folder}/cert.pem`;
  }

  get key(): string {
    return `${this.folder}/key.pem`;
  }

  /** The flags with which chat-server takes them. */
  get flags(): string[] {
    return ["--tls-cert", this.cert, "--tls-key", this.key];
  }

  /** Replaces what is in the files. */
  async put({ cert, key }: Credentials): Promise<void> {
    await Deno.writeTextFile(this.cert, cert);
    await Deno.writeTextFile(this.key, key, { mode: 0o600 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

function newKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}
