/**
 * What is counted on the way of a line: plain numbers, which cost next to nothing and mean nothing here. Knows
 * neither who counts nor who wants to know.
 */

/** In which dialect somebody speaks; `none` as long as that is not known. */
export type Dialect = "text" | "json" | "none";

/** Why the server has ended a connection, or has not taken it: what is no wish of the other side, and no loss. */
export type Drop =
  | "slow"
  | "stuck"
  | "silent"
  | "endless-line"
  | "bad-frames"
  | "foreign"
  | "no-password"
  | "wrong-password"
  | "full"
  | "address-full"
  | "banned"
  | "kicked"
  | "handshake"
  | "fault";

/** What has been counted since the server was started. */
export class Tally {
  /** How many connections have become sessions. */
  sessions = 0;
  /** How many of them speak TLS. */
  encrypted = 0;
  /** How many bytes sessions have read. */
  bytesRead = 0;
  /** How many bytes their sockets have taken. */
  bytesWritten = 0;
  /** How many times a message was written to a member: once for each who was sent it. */
  deliveries = 0;
  /** How many wrong passwords of the server were given. */
  wrongPasswords = 0;
  readonly drops: Record<Drop, number> = {
    "slow": 0,
    "stuck": 0,
    "silent": 0,
    "endless-line": 0,
    "bad-frames": 0,
    "foreign": 0,
    "no-password": 0,
    "wrong-password": 0,
    "full": 0,
    "address-full": 0,
    "banned": 0,
    "kicked": 0,
    "handshake": 0,
    "fault": 0,
  };
  /** Told with each write how long, in ms, it was since the first of its messages was said; if anybody asks. */
  onLag: ((ms: number) => void) | undefined;

  /** A connection is ended, or not taken. */
  drop(reason: Drop): void {
    this.drops[reason]++;
  }

  /** Messages were written, so many of them, the first of which was said at `saidAt` by `performance.now()`. */
  deliver(messages: number, saidAt: number | undefined): void {
    this.deliveries += messages;
    if (this.onLag && saidAt !== undefined) {
      this.onLag(performance.now() - saidAt);
    }
  }
}
