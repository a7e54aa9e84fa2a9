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

/** An address as people write it: `127.0.0.1:5000`, `[::1]:5000`. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
