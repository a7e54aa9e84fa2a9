/**
 * One connection: its reader task, its pace, its beginning and its end. Owns the socket; knows neither what the
 * lines mean nor in which dialect they are.
 */

import { getLogger } from "@logtape/logtape";
import { splitAddress } from "../address.ts";
import { describe } from "../fault.ts";
import { LineReader, REFUSE_TIMING_MARK } from "../lines.ts";
import { PEACEFUL } from "../message.ts";
import type { Network } from "./admission.ts";
import { Dialogue, type Ending, foreign } from "./dialogue.ts";
import type { Conn } from "./encryption.ts";
import type { Entry } from "./entry.ts";
import { type Admitted, type Doorway, Gate } from "./gate.ts";
import type { Hub } from "./hub.ts";
import type { Limits } from "./limits.ts";
import { Outbox, type OutboxOwner } from "./outbox.ts";
import { Pace } from "./pace.ts";
import type { Dialect, Drop } from "./tally.ts";
import type { Turns } from "./turns.ts";
import { Vigil } from "./vigil.ts";

const log = getLogger(["chat", "session"]);

/**
 * How much is read at once: little from whoever is silent, because there may be 10,000 of them, and more from whoever
 * has more to say, because each read is a turn of its own. 2 KiB each would be 20 MB, and 64 KiB 600 MB.
 */
const READ_BYTES = { least: 256, most: 4096 };

/** What all sessions have in common. */
export interface Surroundings {
  hub: Hub;
  turns: Turns;
  limits: Readonly<Limits>;
  /** What is asked of those who want to come in. */
  entry: Entry;
  /** Called when nothing is left of a session. */
  onGone(session: Session): void;
}

/** A connection, from the moment it is accepted until nothing of it is left. */
export class Session implements Doorway, OutboxOwner {
  /** Where it comes from, for the operator's log. */
  readonly address: string;
  /** What counts as one with it. */
  readonly network: Network;
  readonly outbox: Outbox;
  readonly #conn: Conn;
  readonly #surroundings: Surroundings;
  readonly #lines: LineReader;
  #dialogue: Dialogue | Gate;
  /** How fast it speaks, if that is bounded, and whether the other side is there, while there is something to see. */
  #pace: Pace | undefined;
  #vigil: Vigil | undefined;
  /** How often something has come, and whether it is waited for that something comes. */
  #reads = 0;
  #isListening = false;
  /** Until it is greeted without having said anything. */
  #silence: ReturnType<typeof setTimeout> | undefined;
  /** Lets whoever speaks too fast go on at once. */
  #hurry: (() => void) | undefined;
  #timingMarks = 0;
  #answering = false;
  #hasInputEnded = false;
  #onInputEnded: (() => void) | undefined;
  #parting: Promise<void> | undefined;

  /**
   * @param conn the connection, which belongs to the session from now on
   * @param from the address from which it comes, and what counts as one with it
   */
  constructor(
    conn: Conn,
    { address, network }: { address: string; network: Network },
    surroundings: Surroundings,
  ) {
    const { hub, turns, limits, entry } = surroundings;
    this.address = address;
    this.#conn = conn;
    this.network = network;
    this.#surroundings = surroundings;
    this.#lines = new LineReader(limits.maxLineBytes);
    this.outbox = new Outbox(conn, turns, this);
    this.#dialogue = entry.isGuarded || limits.registeredOnly
      ? new Gate(this, { entry, hub, limits, tally: turns.tally })
      : new Dialogue(this, surroundings);
    turns.tally.sessions++;
  }

  get #turns(): Turns {
    return this.#surroundings.turns;
  }

  get #limits(): Readonly<Limits> {
    return this.#surroundings.limits;
  }

  get host(): string {
    return splitAddress(this.address)?.host ?? "";
  }

  /** In which dialect it speaks. */
  get dialect(): Dialect {
    return this.#dialogue.dialect;
  }

  /** How many bytes may wait to be written. */
  get maxBytes(): number {
    return this.#limits.maxWaitingBytes;
  }

  /** More than that wait. */
  onFull(): void {
    const reason = `more than ${this.maxBytes} bytes wait for you to read them`;
    this.#giveUp("slow", "reads too slowly", reason);
  }

  /** Reads until the connection has ended, one way or the other. Never throws. */
  async run(): Promise<void> {
    log.info("connected", { address: this.address });
    this.#awaitFirstLine();
    let ending: Ending | undefined;
    let buffer = new Uint8Array(READ_BYTES.least);
    try {
      // One async function for all of it: each that waits for the next line takes half a KiB.
      while (!ending) {
        let count;
        this.#isListening = true;
        try {
          count = await this.#conn.read(buffer);
        } catch (error) {
          ending = { why: `connection lost (${describe(error)})` };
          break;
        } finally {
          this.#isListening = false;
        }
        this.#reads++;
        if (count === null) {
          await this.#hearLast();
          ending = { why: PEACEFUL.endOfInput };
        } else {
          await this.#hear(buffer.subarray(0, count));
          buffer = fitting(buffer, count);
        }
      }
    } catch (error) {
      ending = { why: "a fault of this server", drop: "fault" };
      log.error("fault", { address: this.address, error });
    }
    await this.#end(ending);
  }

  async #end(ending: Ending): Promise<void> {
    clearTimeout(this.#silence);
    this.#hasInputEnded = true;
    this.#onInputEnded?.();
    // Who has ended their input learns from the farewell that all of it was taken, or before it what was not.
    const hasEntered = this.#dialogue.name !== undefined;
    if (hasEntered && ending.why === PEACEFUL.endOfInput) {
      ending.farewell = ending.why;
      await this.#turns.ended();
    }
    await this.part(ending);
    this.#surroundings.onGone(this);
  }

  /**
   * Looks whether the other side is still there: a program is asked, whoever gives no sign for too long is given up.
   *
   * @param now the time, in ms
   */
  look(now: number): void {
    if (this.#parting) return;
    // Whoever is at a terminal may be silent for as long as they like.
    const isDue = this.dialect === "json" && this.#isListening;
    const heard = isDue ? this.#reads : undefined;
    const { taken } = this.outbox;
    if (taken === undefined && heard === undefined) {
      this.#vigil = undefined;
      return;
    }
    const { silentMs, stuckMs } = this.#limits;
    this.#vigil ??= new Vigil(this.#limits);
    switch (this.#vigil.look(now, { taken, heard })) {
      case "ping":
        return this.outbox.tell({ type: "ping" });
      case "silent":
        return this.#giveUp(
          "silent",
          "silent",
          `nothing came from you for ${silentMs / 1000} s`,
        );
      case "stuck":
        return this.#giveUp(
          "stuck",
          "stuck",
          `you took nothing for ${stuckMs / 1000} s`,
        );
    }
  }

  /** Ends the conversation; the member is told why. */
  end(reason: string, drop?: Drop): void {
    void this.part({ why: reason, farewell: reason, ...(drop && { drop }) });
  }

  /**
   * Ends the conversation: the member leaves, what waits for them is written, and the connection is closed.
   *
   * Half-closed first, and read until the other side has closed too: closing with input unread would reset
   * the connection, and a reset can overtake the last words. All that within `partingMs`.
   */
  part(ending: Ending): Promise<void> {
    return this.#parting ??= this.#part(ending);
  }

  async #part(ending: Ending): Promise<void> {
    const { name } = this.#dialogue;
    const who = { ...(name !== undefined && { name }), address: this.address };
    log.info("left", { ...who, why: ending.why });
    if (ending.drop) this.#turns.tally.drop(ending.drop);
    this.#hurry?.();
    this.#dialogue.leave(ending);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#limits.partingMs);
    await Promise.race([late, this.#finish()]);
    clearTimeout(timer);
    this.#conn.close();
  }

  async #finish(): Promise<void> {
    await this.outbox.end();
    try {
      await this.#conn.closeWrite();
    } catch {
      // The other side is gone already.
    }
    if (this.#hasInputEnded) return;
    await new Promise<void>((resolve) => this.#onInputEnded = resolve);
  }

  /** Lets in whoever has given the password; a person who says nothing more is greeted as somebody who has just come. */
  admit({ isPerson, line, login }: Admitted): Promise<void> | void {
    // Who stood at the gate was no member yet whom a ban could end.
    const banned = this.#surroundings.hub.bannedFrom(this.host);
    if (banned !== undefined) return this.end(banned, "banned");
    const dialogue = new Dialogue(this, this.#surroundings, {
      isPerson,
      ...(login && { proven: login.proven }),
    });
    this.#dialogue = dialogue;
    if (this.#lines.telnet) dialogue.speakTelnet();
    if (line !== undefined) return dialogue.heed(line);
    if (login) return dialogue.enterAs(login.wish, login.proven);
    this.#awaitFirstLine();
  }

  /** Somebody at telnet waits to be greeted; a program speaks first, and is then greeted in its dialect. */
  #awaitFirstLine(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#silence = undefined;
      this.#dialogue.greet();
    }, this.#limits.firstLineMs);
  }

  /** Heeds what has come, and resolves when more may be read. */
  async #hear(bytes: Uint8Array): Promise<void> {
    this.#turns.tally.bytesRead += bytes.length;
    this.#lines.maxBytes = this.#limits.maxLineBytes;
    if (!this.#parting) await this.#heed(this.#lines.push(bytes));
    if (this.#lines.overflowed) this.#refuseEndlessLine();
    if (this.#lines.isTls) void this.part(foreign("TLS"));
    // Read once a turn: whoever sends fast then fills batches, and not the others' outboxes.
    await this.#turns.ended();
  }

  /** Heeds a last line without an end. */
  async #hearLast(): Promise<void> {
    await this.#heed(this.#lines.end());
    if (this.#lines.overflowed) this.#refuseEndlessLine();
  }

  async #heed(lines: readonly string[]): Promise<void> {
    if (this.#lines.timingMarks > this.#timingMarks) this.#answerTimingMarks();
    if (this.#lines.telnet) this.#dialogue.speakTelnet();
    for (const line of lines) {
      if (this.#isPaced) await this.#keepPace();
      if (this.#parting) return;
      const heeded = this.#dialogue.heed(line);
      if (heeded) await heeded;
      // One read can ask for megabytes of answers. Who asks for many waits for them, and nobody else does.
      if (this.outbox.answerBytes >= this.#limits.maxAnswerBytes) {
        await this.outbox.answered();
      }
    }
  }

  get #isPaced(): boolean {
    const { rate, limitLoopback } = this.#limits;
    return rate > 0 && (limitLoopback || !this.network.isLoopback);
  }

  /** Waits until one more line may be heard. Meanwhile nothing is read, and what is said waits at the other end. */
  async #keepPace(): Promise<void> {
    while (this.#isPaced && !this.#parting) {
      this.#pace ??= new Pace(this.#limits);
      const waitMs = this.#pace.take(performance.now());
      if (waitMs === 0) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      // The limits may have changed before it is over.
      const timer = setTimeout(resolve, Math.min(waitMs, this.#limits.lookMs));
      this.#hurry = resolve;
      await promise;
      clearTimeout(timer);
    }
  }

  /**
   * telnet sends a timing mark after Ctrl-C, and shows nothing until it is answered. The answer may stand
   * anywhere between the bytes of the outbox. One at a time, so that asking a lot fills nothing.
   */
  async #answerTimingMarks(): Promise<void> {
    if (this.#answering) return;
    this.#answering = true;
    try {
      while (this.#lines.timingMarks > this.#timingMarks) {
        this.#timingMarks++;
        let answer = REFUSE_TIMING_MARK;
        while (answer.length > 0) {
          const taken = await this.#conn.write(answer);
          this.#turns.tally.bytesWritten += taken;
          answer = answer.subarray(taken);
        }
      }
    } catch {
      // The connection is gone: whoever reads from it says so.
    }
    this.#answering = false;
  }

  #refuseEndlessLine(): void {
    const farewell = `a line has at most ${this.#limits.maxLineBytes} bytes`;
    void this.part({ why: "endless line", farewell, drop: "endless-line" });
  }

  /** Who does not take what waits for them is told why, if they take anything more, and nothing else. */
  #giveUp(drop: Drop, why: string, reason: string): void {
    this.outbox.cut({ type: "bye", reason });
    void this.part({ why, drop });
  }
}

/** A buffer for the next read: larger if this one was full, smaller if it is far too large. */
function fitting(
  buffer: Uint8Array<ArrayBuffer>,
  count: number,
): Uint8Array<ArrayBuffer> {
  const { least, most } = READ_BYTES;
  if (count === buffer.length && count < most) return new Uint8Array(most);
  if (count < least && buffer.length > least) return new Uint8Array(least);
  return buffer;
}
