/**
 * Bytes to lines: where a line ends, how long it may get, what is telnet negotiation, and which characters
 * are never passed on. Owns nothing but the line that has not ended yet; knows no command and no socket.
 */

import { clean, MAX_LINE_BYTES } from "./message.ts";

const LF = 10;
const CR = 13;
const IAC = 255;
const SUBNEGOTIATION = 250;
const SUBNEGOTIATION_END = 240;
const WILL = 251;
const WONT = 252;
const DO = 253;
const DONT = 254;
const TIMING_MARK = 6;

/** How a handshake of TLS begins: what kind of record it is, and the version. */
const TLS_HANDSHAKE = [0x16, 0x03];

/** The answer to a telnet timing mark (RFC 860): it is refused, which is all that it takes. */
export const REFUSE_TIMING_MARK: Uint8Array = Uint8Array.of(
  IAC,
  WONT,
  TIMING_MARK,
);

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What has begun before anything has come: an empty array of its own would take 200 bytes in each reader. */
const NOTHING = new Uint8Array();

/**
 * Cuts what a connection sends into clean lines; in whichever pieces the bytes come, the lines are the same.
 *
 * A line ends with LF or CR LF. Telnet negotiation is taken out and remembered. Invalid UTF-8 becomes U+FFFD.
 */
export class LineReader {
  /** True once the other side has negotiated as telnet does. */
  telnet = false;
  /** How often the other side has asked for a timing mark. */
  get timingMarks(): number {
    return this.#negotiation?.timingMarks ?? 0;
  }

  /** True once the input has turned out to begin as TLS does; everything after is ignored. */
  isTls = false;
  /** True once a line grew beyond the limit before its end came; everything after is ignored. */
  overflowed = false;

  /** How long a line may get without an end, in bytes. */
  maxBytes: number;

  /** As soon as there may be any. */
  #negotiation: Negotiation | undefined;
  /** How many of the first bytes are those of TLS; none is looked at any more once one is not. */
  #tlsBytes: number | undefined = 0;
  #begun: Uint8Array<ArrayBuffer> = NOTHING;
  #begunBytes = 0;

  /** @param maxBytes how long a line may get without an end */
  constructor(maxBytes: number = MAX_LINE_BYTES) {
    this.maxBytes = maxBytes;
  }

  /** The lines that end in `bytes`, which may be reused afterwards. */
  push(bytes: Uint8Array): string[] {
    if (this.#tlsBytes !== undefined) this.#lookForTls(bytes);
    if (this.isTls) return [];
    if (this.#negotiation?.open || bytes.includes(IAC)) {
      this.#negotiation ??= new Negotiation();
      bytes = this.#negotiation.remove(bytes, this.maxBytes);
      this.telnet ||= this.#negotiation.seen;
    }
    const isShort = this.#begunBytes + bytes.length <= this.maxBytes;
    if (isShort && !this.overflowed && !this.#negotiation) {
      return this.#cut(bytes);
    }
    const lines: string[] = [];
    let start = 0;
    while (!this.overflowed) {
      const end = bytes.indexOf(LF, start);
      const part = bytes.subarray(start, end < 0 ? bytes.length : end);
      if (this.#isTooLong(part)) {
        this.overflowed = true;
        this.#begun = NOTHING;
      } else if (end < 0) {
        this.#keep(part);
        break;
      } else {
        lines.push(this.#finish(part));
        start = end + 1;
      }
    }
    this.overflowed ||= this.#negotiation?.overflowed ?? false;
    return lines;
  }

  /** The line that was begun when the input ended, if there is one: it counts as said. */
  end(): string[] {
    if (this.overflowed || this.isTls) return [];
    const rest = this.#negotiation?.end() ?? NOTHING;
    if (this.#isTooLong(rest)) {
      this.overflowed = true;
      return [];
    }
    return this.#begunBytes + rest.length > 0 ? [this.#finish(rest)] : [];
  }

  /** The lines that end in `bytes`, of which none can be too long: all of them decoded at once. */
  #cut(bytes: Uint8Array): string[] {
    const end = bytes.lastIndexOf(LF);
    if (end < 0) {
      this.#keep(bytes);
      return [];
    }
    // An end of line is one in UTF-8, whatever stands around it.
    const text = decoder.decode(this.#withBegun(bytes.subarray(0, end)));
    if (end + 1 < bytes.length) this.#keep(bytes.subarray(end + 1));
    return text.split("\n").map(clean);
  }

  #lookForTls(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (this.#tlsBytes === TLS_HANDSHAKE.length) break;
      if (byte !== TLS_HANDSHAKE[this.#tlsBytes!]) {
        this.#tlsBytes = undefined;
        return;
      }
      this.#tlsBytes!++;
    }
    this.isTls = this.#tlsBytes === TLS_HANDSHAKE.length;
  }

  #isTooLong(part: Uint8Array): boolean {
    const length = this.#begunBytes + part.length;
    // A CR at the end may belong to the end of the line.
    const last = part.at(-1) ?? this.#begun[this.#begunBytes - 1];
    return length - (last === CR ? 1 : 0) > this.maxBytes;
  }

  /** Keeps what has no end yet in one growing buffer: an array for each read would take a hundred times as much. */
  #keep(part: Uint8Array): void {
    const length = this.#begunBytes + part.length;
    if (length > this.#begun.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#begun.length));
      larger.set(this.#begun.subarray(0, this.#begunBytes));
      this.#begun = larger;
    }
    this.#begun.set(part, this.#begunBytes);
    this.#begunBytes = length;
  }

  #finish(last: Uint8Array): string {
    return clean(decoder.decode(this.#withBegun(last)));
  }

  /** What has begun before, and `bytes`; then nothing has begun any more. */
  #withBegun(bytes: Uint8Array): Uint8Array {
    if (this.#begunBytes === 0) return bytes;
    this.#keep(bytes);
    const whole = this.#begun.subarray(0, this.#begunBytes);
    this.#begun = NOTHING;
    this.#begunBytes = 0;
    return whole;
  }
}

/**
 * Takes telnet negotiation (RFC 854) out of a stream of bytes. A 255 that begins no telnet command is left
 * alone: it is then just a byte that UTF-8 does not have.
 */
class Negotiation {
  /** True once there was any. */
  seen = false;
  /** How many timing marks were asked for. */
  timingMarks = 0;
  /** True once a subnegotiation grew beyond the limit before its end came; what follows is not looked at. */
  overflowed = false;
  #state: "text" | "iac" | "do" | "option" | "sub" | "sub-iac" = "text";
  #subBytes = 0;

  /** True while a command has begun and not ended, so that the next byte belongs to it. */
  get open(): boolean {
    return this.#state !== "text";
  }

  /** `bytes` without negotiation, of which no part may be longer than `maxBytes`. */
  remove(bytes: Uint8Array, maxBytes: number): Uint8Array {
    // One byte more than came: a 255 that was held back may turn out to be text.
    const text = new Uint8Array(bytes.length + 1);
    let length = 0;
    for (const byte of bytes) {
      switch (this.#state) {
        case "text":
          if (byte === IAC) this.#state = "iac";
          else text[length++] = byte;
          break;
        case "iac":
          if (byte === SUBNEGOTIATION) this.#begin("sub");
          else if (byte === DO) this.#begin("do");
          else if (byte >= WILL && byte <= DONT) this.#begin("option");
          else if (byte > SUBNEGOTIATION_END && byte < SUBNEGOTIATION) {
            this.#begin("text");
          } else {
            // Twice 255 is one 255 as text.
            text[length++] = IAC;
            if (byte !== IAC) text[length++] = byte;
            this.#state = "text";
          }
          break;
        case "do":
          if (byte === TIMING_MARK) this.timingMarks++;
          this.#state = "text";
          break;
        case "option":
          this.#state = "text";
          break;
        case "sub":
          if (byte === IAC) this.#state = "sub-iac";
          this.#subBytes++;
          break;
        case "sub-iac":
          this.#state = byte === SUBNEGOTIATION_END ? "text" : "sub";
          this.#subBytes = this.#state === "text" ? 0 : this.#subBytes + 1;
          break;
      }
      if (this.#subBytes > maxBytes) {
        this.overflowed = true;
        break;
      }
    }
    return text.subarray(0, length);
  }

  /** What was held back as the possible begin of a command, now that nothing follows. */
  end(): Uint8Array {
    const held = this.#state === "iac" ? [IAC] : [];
    this.#state = "text";
    return Uint8Array.from(held);
  }

  #begin(state: "sub" | "do" | "option" | "text"): void {
    this.seen = true;
    this.#state = state;
  }
}

/** All of `parts` in one array. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
