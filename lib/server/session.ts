/**
 * One connection: its reader task, its pace, its beginning and its end. Owns the socket; knows neither what the
 * lines mean nor in which dialect they are.
 */

import { getLogger } from "@logtape/logtape";
import { type Address, formatAddress } from "../address.ts";
import { describe } from "../fault.ts";
import { LineReader, REFUSE_TIMING_MARK } from "../lines.ts";
import { PEACEFUL } from "../message.ts";
import { isLoopback } from "./admission.ts";
import { Dialogue, type Ending } from "./dialogue.ts";
import type { Hub } from "./hub.ts";
import type { Limits } from "./limits.ts";
import { Outbox, type Turns } from "./outbox.ts";
import { Pace } from "./pace.ts";
import type { Dialect, Drop } from "./tally.ts";
import { Vigil } from "./vigil.ts";

const log = getLogger(["chat", "session"]);

/** 2 KiB is plenty for chat: 64 KiB each would be 600 MB for 9,000 connections. */
const READ_BYTES = 2048;

/** A connection, from the moment it is accepted until nothing of it is left. */
export class Session {
  readonly #conn: Deno.Conn;
  readonly #address: string;
  readonly #isLocal: boolean;
  readonly #turns: Turns;
  readonly #limits: Readonly<Limits>;
  readonly #lines: LineReader;
  readonly #outbox: Outbox;
  readonly #dialogue: Dialogue;
  readonly #pace: Pace;
  readonly #vigil: Vigil;
  /** How often something has come, and whether it is waited for that something comes. */
  #reads = 0;
  #isListening = false;
  /** Lets whoever speaks too fast go on at once. */
  #hurry: (() => void) | undefined;
  #timingMarks = 0;
  #answering = false;
  readonly #inputEnded = Promise.withResolvers<void>();
  #parting: Promise<void> | undefined;

  /**
   * @param conn the connection, which belongs to the session from now on
   * @param remote where it comes from
   */
  constructor(
    conn: Deno.Conn,
    remote: Address,
    hub: Hub,
    turns: Turns,
    limits: Readonly<Limits>,
  ) {
    this.#conn = conn;
    this.#address = formatAddress(remote);
    this.#isLocal = isLoopback(remote.host);
    this.#turns = turns;
    this.#limits = limits;
    this.#pace = new Pace(limits);
    this.#vigil = new Vigil(limits);
    this.#lines = new LineReader(limits.maxLineBytes);
    this.#outbox = new Outbox(conn, turns, {
      get maxBytes() {
        return limits.maxWaitingBytes;
      },
      onFull: () => this.#dropSlowReader(),
    });
    const end = (ending: Ending) => void this.part(ending);
    this.#dialogue = new Dialogue({
      outbox: this.#outbox,
      end: (reason) => end({ why: reason, farewell: reason }),
    }, { hub, turns, limits, address: this.#address, end });
    turns.tally.sessions++;
  }

  /** In which dialect it speaks. */
  get dialect(): Dialect {
    return this.#dialogue.dialect;
  }

  /** How many bytes wait to be written. */
  get waitingBytes(): number {
    return this.#outbox.waitingBytes;
  }

  /** Reads until the connection has ended, one way or the other. Never throws. */
  async run(): Promise<void> {
    log.info("connected", { address: this.#address });
    // Somebody at telnet waits to be greeted; a program speaks first, and is then greeted in its dialect.
    const { firstLineMs } = this.#limits;
    const silence = setTimeout(() => this.#dialogue.greet(), firstLineMs);
    let ending: Ending;
    try {
      ending = { why: await this.#read() };
    } catch (error) {
      ending = { why: "a fault of this server", drop: "fault" };
      log.error("fault", { address: this.#address, error });
    }
    clearTimeout(silence);
    this.#inputEnded.resolve();
    // Who has ended their input learns from the farewell that all of it was taken, or before it what was not.
    const hasEntered = this.#dialogue.name !== undefined;
    if (hasEntered && ending.why === PEACEFUL.endOfInput) {
      ending.farewell = ending.why;
      await this.#turns.ended();
    }
    await this.part(ending);
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
    const { taken } = this.#outbox;
    const { silentMs, stuckMs } = this.#limits;
    switch (this.#vigil.look(now, { taken, heard })) {
      case "ping":
        return this.#outbox.tell({ type: "ping" });
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
    const who = { ...(name !== undefined && { name }), address: this.#address };
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
    await this.#outbox.end();
    try {
      await this.#conn.closeWrite();
    } catch {
      // The other side is gone already.
    }
    await this.#inputEnded.promise;
  }

  /** Reads until the input has ended, and says why it has. */
  async #read(): Promise<string> {
    const buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      let count;
      this.#isListening = true;
      try {
        count = await this.#conn.read(buffer);
      } catch (error) {
        return `connection lost (${describe(error)})`;
      } finally {
        this.#isListening = false;
      }
      this.#reads++;
      if (count === null) {
        await this.#hear(this.#lines.end());
        if (this.#lines.overflowed) this.#refuseEndlessLine();
        return PEACEFUL.endOfInput;
      }
      this.#turns.tally.bytesRead += count;
      this.#lines.maxBytes = this.#limits.maxLineBytes;
      if (!this.#parting) {
        await this.#hear(this.#lines.push(buffer.subarray(0, count)));
      }
      if (this.#lines.overflowed) this.#refuseEndlessLine();
      if (this.#lines.isTls) this.#dialogue.refuse("TLS");
      // Read once a turn: whoever sends fast then fills batches, and not the others' outboxes.
      await this.#turns.ended();
    }
  }

  async #hear(lines: readonly string[]): Promise<void> {
    if (this.#lines.timingMarks > this.#timingMarks) this.#answerTimingMarks();
    if (this.#lines.telnet) this.#dialogue.speakTelnet();
    for (const line of lines) {
      if (this.#isPaced) await this.#keepPace();
      if (this.#parting) return;
      const heeded = this.#dialogue.heed(line);
      if (heeded) await heeded;
      // 2 KiB can ask for megabytes of answers. Who asks for many waits for them, and nobody else does.
      if (this.#outbox.answerBytes >= this.#limits.maxAnswerBytes) {
        await this.#outbox.answered();
      }
    }
  }

  get #isPaced(): boolean {
    const { rate, limitLoopback } = this.#limits;
    return rate > 0 && (limitLoopback || !this.#isLocal);
  }

  /** Waits until one more line may be heard. Meanwhile nothing is read, and what is said waits at the other end. */
  async #keepPace(): Promise<void> {
    while (this.#isPaced && !this.#parting) {
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

  #dropSlowReader(): void {
    const { maxWaitingBytes } = this.#limits;
    const reason =
      `more than ${maxWaitingBytes} bytes wait for you to read them`;
    this.#giveUp("slow", "reads too slowly", reason);
  }

  /** Who does not take what waits for them is told why, if they take anything more, and nothing else. */
  #giveUp(drop: Drop, why: string, reason: string): void {
    this.#outbox.cut({ type: "bye", reason });
    void this.part({ why, drop });
  }
}
