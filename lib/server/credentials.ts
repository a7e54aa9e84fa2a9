/**
 * A certificate and the key to it, in files: read, and judged before anybody is shown them. Knows neither sockets nor
 * when they are looked at.
 */

import { X509Certificate } from "node:crypto";
import { describe } from "../fault.ts";

/** A certificate, with those that vouch for it behind it, and the key to it, both in PEM. */
export interface Credentials {
  cert: string;
  key: string;
}

/** Where they are. */
export interface CredentialFiles {
  cert: string;
  key: string;
}

/** They will not do; the message says which file, and why, in one line. */
export class CredentialsError extends Error {
  override name = "CredentialsError";
}

/** How long reading may take, in ms: a pipe, or a file on a machine that is gone, may take for ever. */
const PATIENCE_MS = 10_000;

/**
 * Reads them. Whether one belongs to the other is known to whoever shows them.
 *
 * @throws {CredentialsError} a file cannot be read, or is not what it should be
 */
export async function readCredentials(
  files: CredentialFiles,
): Promise<Credentials> {
  const cert = await read("the certificate", files.cert);
  const key = await read("the key", files.key);
  judge("the certificate", files.cert, () => {
    if (!/-----BEGIN CERTIFICATE-----/.test(cert)) throw notPem();
    new X509Certificate(cert);
  });
  judge("the key", files.key, () => {
    if (/-----BEGIN ENCRYPTED |^Proc-Type: 4,/m.test(key)) {
      throw new Error("it is encrypted, and nobody is there to be asked");
    }
    if (!/-----BEGIN ([A-Z]+ )?PRIVATE KEY-----/.test(key)) throw notPem();
  });
  return { cert, key };
}

/** What is wrong with a certificate today, if something is; whoever is shown it then refuses it. */
export function untimely(
  { cert }: Credentials,
  now: number = Date.now(),
): string | undefined {
  const { validFrom, validTo } = new X509Certificate(cert);
  if (now > Date.parse(validTo)) return `it has expired on ${day(validTo)}`;
  if (now < Date.parse(validFrom)) {
    return `it is not good before ${day(validFrom)}`;
  }
  return undefined;
}

async function read(what: string, file: string): Promise<string> {
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    return await Deno.readTextFile(file, { signal });
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : error instanceof Deno.errors.PermissionDenied
      ? "it may not be read"
      : describe(error);
    throw new CredentialsError(`cannot read ${what} ${file}: ${reason}`);
  }
}

function judge(what: string, file: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw new CredentialsError(
      `${what} ${file} will not do: ${describe(error)}`,
    );
  }
}

function notPem(): Error {
  return new Error("it is not PEM");
}

function day(date: string): string {
  return new Date(date).toISOString().slice(0, 10);
}
