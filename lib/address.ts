/** Where something listens. */

/** A host, by name or number, and a port. */
export interface Address {
  host: string;
  port: number;
}

/** An address as people write it: `127.0.0.1:5000`, `[::1]:5000`. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
