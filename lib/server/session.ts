/**
 * One connection: its reader task, its dialect, its beginning and its end. Owns the socket; knows how a line
 * becomes a command, but not what the hub does with it.
 */

import { createHash } from "node:crypto";
import { getLogger } from "@logtape/logtape";
import { describe } from "../fault.ts";
import { LineReader, REFUSE_TIMING_MARK } from "../lines.ts";
import {
  type ChatEvent,
  type Command,
  FINAL,
  type Hello,
  PEACEFUL,
  type Refusal,
  type Render,
} from "../message.ts";
import * as json from "../wire/json.ts";
import * as text from "../wire/text.ts";
import type { Hub } from "./hub.ts";
import { type Connection, type Member, tell } from "./members.ts";
import type { Limits } from "./options.ts";
import { Outbox, type Turns } from "./outbox.ts";

const log = getLogger(["chat", "session"]);

/** 2 KiB is plenty for chat: 64 KiB each would be 600 MB for 9,000 connections. */
const READ_BYTES = 2048;

/** A connection, from the moment it is accepted until nothing of it is left. */
export class Session {
  readonly #conn: Deno.Conn;
  readonly #address: string;
  readonly #hub: Hub;
  readonly #turns: Turns;
  readonly #limits: Readonly<Limits>;
  readonly #lines: LineReader;
  readonly #outbox: Outbox;
  readonly #connection: Connection;
  #member: Member;
  readonly #inputEnded = Promise.withResolvers<void>();
  /** Whether the first line has come, which says whether this is a person or a program. */
  #hasSpoken = false;
  #isProgram = false;
  #saidHello = false;
  #entered = false;
  /** Until a person who enters has been shown what was said before. */
  #entering: Promise<void> | undefined;
  #badFrames = 0;
  #timingMarks = 0;
  #answering = false;
  #parting: Promise<void> | undefined;

  /**
   * @param conn the connection, which belongs to the session from now on
   * @param address whose it is, for the operator's log
   */
  constructor(
    conn: Deno.Conn,
    address: string,
    hub: Hub,
    turns: Turns,
    limits: Readonly<Limits>,
  ) {
    this.#conn = conn;
    this.#address = address;
    this.#hub = hub;
    this.#turns = turns;
    this.#limits = limits;
    this.#lines = new LineReader(limits.maxLineBytes);
    this.#outbox = new Outbox(conn, turns, {
      get maxBytes() {
        return limits.maxWaitingBytes;
      },
      onFull: () => this.#dropSlowReader(),
    });
    this.#connection = {
      outbox: this.#outbox,
      end: (reason) => void this.part(reason, { type: "bye", reason }),
    };
    this.#member = hub.arrive(this.#connection);
  }

  /** Reads until the connection has ended, one way or the other. Never throws. */
  async run(): Promise<void> {
    log.info("connected", { address: this.#address });
    // Somebody at telnet waits to be greeted; a program speaks first, and is then greeted in its dialect.
    const silence = setTimeout(() => this.#enter(), this.#limits.firstLineMs);
    let why;
    try {
      why = await this.#read();
    } catch (error) {
      why = "a fault of this server";
      log.error("fault", { address: this.#address, error });
    }
    clearTimeout(silence);
    this.#inputEnded.resolve();
    // Who has ended their input learns from the farewell that all of it was taken, or before it what was not.
    let farewell: ChatEvent | undefined;
    if (this.#entered && why === PEACEFUL.endOfInput) {
      farewell = { type: "bye", reason: why };
      await this.#turns.ended();
    }
    await this.part(why, farewell);
  }

  /**
   * Ends the conversation: the member leaves, what waits for them is written, and the connection is closed.
   *
   * Half-closed first, and read until the other side has closed too: closing with input unread would reset
   * the connection, and a reset can overtake the last words. All that within `partingMs`.
   *
   * @param why for the operator's log
   * @param farewell what the member is told last
   * @param quits whether the member will not come back
   */
  part(why: string, farewell?: ChatEvent, quits = false): Promise<void> {
    return this.#parting ??= this.#part(why, farewell, quits);
  }

  async #part(
    why: string,
    farewell: ChatEvent | undefined,
    quits: boolean,
  ): Promise<void> {
    // Who has not entered has no name yet.
    const who = this.#entered ? { name: this.#member.name } : {};
    log.info("left", { ...who, address: this.#address, why });
    this.#hub.part(this.#member, this.#connection, quits);
    if (farewell) {
      this.#outbox.open(this.#render);
      this.#outbox.tell(farewell);
    }
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
      try {
        count = await this.#conn.read(buffer);
      } catch (error) {
        return `connection lost (${describe(error)})`;
      }
      if (count === null) {
        await this.#hear(this.#lines.end());
        return PEACEFUL.endOfInput;
      }
      this.#lines.maxBytes = this.#limits.maxLineBytes;
      if (!this.#parting) {
        await this.#hear(this.#lines.push(buffer.subarray(0, count)));
      }
      if (this.#lines.overflowed) this.#refuseEndlessLine();
      // Read once a turn: whoever sends fast then fills batches, and not the others' outboxes.
      await this.#turns.ended();
    }
  }

  async #hear(lines: readonly string[]): Promise<void> {
    if (this.#lines.timingMarks > this.#timingMarks) this.#answerTimingMarks();
    if (this.#entered && this.#lines.telnet) this.#outbox.open(this.#render);
    for (const line of lines) {
      // Who has just come in hears what was said before, and then what comes of their own lines.
      if (this.#entering) await this.#entering;
      if (this.#parting) return;
      const obeyed = this.#obey(line);
      if (obeyed) await obeyed;
      // 2 KiB can ask for megabytes of answers. Who asks for many waits for them, and nobody else does.
      if (this.#outbox.answerBytes >= this.#limits.maxAnswerBytes) {
        await this.#outbox.answered();
      }
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
          answer = answer.subarray(await this.#conn.write(answer));
        }
      }
    } catch {
      // The connection is gone: whoever reads from it says so.
    }
    this.#answering = false;
  }

  /** Does what a line asks for; resolves when the next line may be heeded, if that is not at once. */
  #obey(line: string): Promise<void> | void {
    if (!this.#hasSpoken && json.isHello(line)) {
      this.#isProgram = true;
      this.#outbox.open(this.#render);
    }
    this.#hasSpoken = true;
    return this.#isProgram ? this.#obeyFrame(line) : this.#obeyLine(line);
  }

  #obeyLine(line: string): Promise<void> | void {
    const said = text.parse(line);
    if (this.#entered) return said && this.#do(said);
    if (said?.type === "nick") return this.#enter(said);
    return this.#enter().then(() => said && this.#do(said));
  }

  #obeyFrame(line: string): Promise<void> | void {
    const said = json.parse(line);
    if (said.type === "refused") return this.#refuseFrame(said);
    this.#badFrames = 0;
    if (said.type === "hello") return this.#welcome(said);
    if (this.#saidHello) return this.#do(said);
    return this.#expectHello("say hello first", said.ref);
  }

  #do(said: Command | Refusal): Promise<void> | void {
    switch (said.type) {
      case "quit":
        return this.#quit();
      case "help":
        return tell(this.#member, { type: "help" });
      case "ping":
        return tell(this.#member, { type: "pong", ref: said.ref });
      case "refused":
        return tell(this.#member, said);
      default:
        return this.#hub.handle(this.#member, said);
    }
  }

  /** Leaves once it is known what came of all that was said before. */
  async #quit(): Promise<void> {
    await this.#turns.ended();
    void this.part("quit", { type: "bye", reason: PEACEFUL.quit }, true);
  }

  #refuseFrame(refusal: Refusal): void {
    tell(this.#member, refusal);
    if (++this.#badFrames < this.#limits.maxBadFrames) return;
    const reason = FINAL.badFrames;
    void this.part(reason, { type: "bye", reason }, true);
  }

  #expectHello(reason: string, ref: string): void {
    const code = "hello-expected";
    tell(this.#member, { type: "refused", code, reason, ref });
  }

  async #enter(wish?: Command & { type: "nick" }): Promise<void> {
    if (this.#entered || this.#isProgram || this.#parting) return;
    this.#entered = true;
    this.#outbox.open(this.#render);
    this.#entering = this.#hub.enter(this.#member, wish);
    log.info("entered", { name: this.#member.name, address: this.#address });
    await this.#entering;
    this.#entering = undefined;
  }

  async #welcome(hello: Hello): Promise<void> {
    if (this.#saidHello) {
      return this.#expectHello("you have said hello already", "");
    }
    this.#saidHello = true;
    const { session } = hello;
    this.#member = await this.#hub.hello(
      this.#member,
      hello,
      session === undefined ? undefined : hash(session),
    );
    this.#entered = true;
    log.info("entered", { name: this.#member.name, address: this.#address });
  }

  get #render(): Render {
    if (this.#isProgram) return json.render;
    return this.#lines.telnet ? text.renderTelnet : text.render;
  }

  #refuseEndlessLine(): void {
    const reason = `a line has at most ${this.#limits.maxLineBytes} bytes`;
    void this.part("endless line", { type: "bye", reason });
  }

  #dropSlowReader(): void {
    const reason =
      `more than ${this.#limits.maxWaitingBytes} bytes wait for you to read them`;
    this.#outbox.cut({ type: "bye", reason });
    void this.part("reads too slowly");
  }
}

/** What is kept of a session's secret. */
function hash(secret: string): string {
  return createHash("sha256").update(secret).digest("hex").slice(0, 32);
}
