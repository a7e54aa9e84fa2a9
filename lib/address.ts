/** Where something listens. */

/** A host, by name or number, and a port. */
export interface Address {
  host: string;
  port: number;
}

/** Whether this may be the name or the number of a machine: it has no blanks and no control characters. */
export function isHost(text: string): boolean {
  return /^[^\s\p{Cc}]+$/u.test(text);
}

/** What an address looks like: the host, then the port if there is one. */
const FORMS = [
  /^([^:[\]]*)(?::([^:]*))?$/,
  /^\[([^[\]]+)\](?::(.*))?$/,
  // More than one colon without brackets is an IPv6 address on its own.
  /^([^[\]]*:[^[\]]*:[^[\]]*)$/,
];

/**
 * Takes `HOST`, `HOST:PORT`, `:PORT`, `[HOST]` or `[HOST]:PORT` apart, and judges neither: the host may be empty.
 *
 * @returns nothing, if it is none of these
 */
export function splitAddress(
  text: string,
): { host: string; port: string | undefined } | undefined {
  const [, host, port] =
    FORMS.map((form) => form.exec(text)).find((match) => match) ?? [];
  return host === undefined ? undefined : { host, port };
}

/** An address as people write it: `127.0.0.1:5000`, `[::1]:5000`. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
