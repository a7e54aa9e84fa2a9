/**
 * What is said on one connection: in which dialect, by whom, and what each line asks for. Knows no socket, and not
 * what the hub does with a command.
 */

import { createHash } from "node:crypto";
import { getLogger } from "@logtape/logtape";
import {
  type Command,
  FINAL,
  type Hello,
  PEACEFUL,
  type Refusal,
  type Render,
} from "../message.ts";
import { foreignProtocol } from "../wire/foreign.ts";
import * as json from "../wire/json.ts";
import * as text from "../wire/text.ts";
import type { Hub } from "./hub.ts";
import { loggedIn } from "./logins.ts";
import { type Connection, type Member, tell, type Wish } from "./members.ts";
import type { Owned } from "./owned.ts";
import type { Limits } from "./limits.ts";
import type { Turns } from "./turns.ts";
import type { Dialect, Drop } from "./tally.ts";

const log = getLogger(["chat", "session"]);

/** How a connection ends. */
export interface Ending {
  /** For the operator's log. */
  why: string;
  /** What the member is told last. */
  farewell?: string;
  /** Whether they will not come back. */
  quits?: boolean;
  /** As what it counts, if the server ends it. */
  drop?: Drop;
}

/** The connection on which it is said. */
export interface Line extends Connection {
  /** Where it comes from, for the operator's log. */
  readonly address: string;
  /** Ends it. */
  part(ending: Ending): void;
}

/** What a dialogue takes part in. */
export interface DialogueOptions {
  readonly hub: Hub;
  readonly turns: Turns;
  readonly limits: Readonly<Pick<Limits, "maxBadFrames">>;
}

/** The conversation of one connection, from its first line to its last. */
export class Dialogue {
  readonly #line: Line;
  readonly #options: DialogueOptions;
  #member: Member;
  /** Whether the first line has come, which says whether this is a person or a program. */
  #hasSpoken: boolean;
  #isProgram = false;
  #isTelnet = false;
  #saidHello = false;
  #entered = false;
  #hasLeft = false;
  /** Until a person who enters has been shown what was said before. */
  #entering: Promise<void> | undefined;
  #badFrames = 0;
  /** Whether it is being found out who they are. */
  #isProving = false;
  #proven: Owned | undefined;

  /**
   * Begins with nothing said; from now on nothing is missed that others say.
   *
   * @param known what is known of them already: whether they are a person, and which name they have proven to own
   */
  constructor(
    line: Line,
    options: DialogueOptions,
    { isPerson = false, proven }: { isPerson?: boolean; proven?: Owned } = {},
  ) {
    this.#line = line;
    this.#hasSpoken = isPerson;
    this.#proven = proven;
    this.#options = options;
    this.#member = options.hub.arrive(line);
  }

  /** In which dialect they speak, which is clear with the first line, or when they are greeted. */
  get dialect(): Dialect {
    if (this.#isProgram) return "json";
    return this.#entered ? "text" : "none";
  }

  /** What the member is called; who has not entered has no name yet. */
  get name(): string | undefined {
    return this.#entered ? this.#member.name : undefined;
  }

  /** Somebody who has not said anything is taken for a person, and greeted. */
  async greet(): Promise<void> {
    if (!this.#isProving) await this.#enter();
  }

  /** Somebody enters who has proven which name they own. */
  async enterAs({ name, ref }: Wish, proven: Owned): Promise<void> {
    await this.#enter({ name, ref }, proven);
    tell(this.#member, loggedIn(this.#member, ref));
  }

  /** From now on lines end as telnet wants them to. */
  speakTelnet(): void {
    this.#isTelnet = true;
    this.#open();
  }

  /** Does what a line asks for; resolves when the next line may be heeded, if that is not at once. */
  heed(line: string): Promise<void> | void {
    // Who has just come in hears what was said before, and then what comes of their own lines.
    if (this.#entering) return this.#entering.then(() => this.heed(line));
    if (this.#hasLeft) return;
    if (!this.#hasSpoken) {
      this.#hasSpoken = true;
      const protocol = foreignProtocol(line);
      if (protocol) return this.#refuse(protocol);
      this.#isProgram = json.isHello(line);
      if (this.#isProgram) this.#open();
    }
    return this.#isProgram ? this.#heedFrame(line) : this.#heedLine(line);
  }

  /** The member leaves; what they are told last is the last that they are told. */
  leave({ farewell, quits = false }: Ending): void {
    this.#hasLeft = true;
    this.#options.hub.part(this.#member, this.#line, quits);
    if (farewell === undefined) return;
    this.#open();
    this.#line.outbox.tell({ type: "bye", reason: farewell });
  }

  #refuse(protocol: string): void {
    this.#line.part(foreign(protocol));
  }

  #heedLine(line: string): Promise<void> | void {
    const said = text.parse(line);
    if (this.#entered) return said && this.#do(said);
    if (said?.type === "nick") return this.#enter(said);
    if (said?.type === "login") return this.#logIn(said);
    return this.#enter().then(() => said && this.#do(said));
  }

  #heedFrame(line: string): Promise<void> | void {
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
      case "pong":
        return;
      case "refused":
        return tell(this.#member, said);
      default:
        return this.#options.hub.handle(this.#member, said);
    }
  }

  /** Leaves once it is known what came of all that was said before. */
  async #quit(): Promise<void> {
    await this.#options.turns.ended();
    const farewell = PEACEFUL.quit;
    this.#line.part({ why: "quit", farewell, quits: true });
  }

  #refuseFrame(refusal: Refusal): void {
    tell(this.#member, refusal);
    if (++this.#badFrames < this.#options.limits.maxBadFrames) return;
    this.#line.part(tooManyBadFrames());
  }

  #expectHello(reason: string, ref: string): void {
    const code = "hello-expected";
    tell(this.#member, { type: "refused", code, reason, ref });
  }

  /** Whoever says first who they are is never seen as a guest, unless they are not believed. */
  async #logIn(proof: Command & { type: "login" }): Promise<void> {
    this.#isProving = true;
    const proven = await this.#options.hub.check(this.#line.host, proof);
    this.#isProving = false;
    if (this.#hasLeft) return;
    if (!("code" in proven)) return this.enterAs(proof, proven);
    await this.#enter();
    tell(this.#member, proven);
  }

  async #enter(wish?: Wish, proven?: Owned): Promise<void> {
    if (this.#entered || this.#isProgram || this.#hasLeft) return;
    this.#entered = true;
    this.#open();
    this.#entering = this.#options.hub.enter(this.#member, wish, proven);
    this.#logEntered();
    await this.#entering;
    this.#entering = undefined;
  }

  async #welcome(hello: Hello): Promise<void> {
    if (this.#saidHello) {
      return this.#expectHello("you have said hello already", "");
    }
    this.#saidHello = true;
    const { session } = hello;
    this.#member = await this.#options.hub.hello(
      this.#member,
      hello,
      session === undefined ? undefined : hash(session),
      this.#proven,
    );
    this.#entered = true;
    this.#logEntered();
  }

  #logEntered(): void {
    const { address } = this.#line;
    log.info("entered", { name: this.#member.name, address });
  }

  /** What was collected for the member is written from now on, in the dialect that they speak. */
  #open(): void {
    this.#line.outbox.open(this.#render);
  }

  get #render(): Render {
    if (this.#isProgram) return json.render;
    return this.#isTelnet ? text.renderTelnet : text.render;
  }
}

/** How it ends with whoever speaks a protocol that is none of ours. */
export function foreign(protocol: string): Ending {
  return {
    why: `speaks ${protocol}`,
    farewell: `this is a chat server, which does not speak ${protocol}`,
    drop: "foreign",
  };
}

/** How it ends with a program that makes no sense. */
export function tooManyBadFrames(): Ending {
  const farewell = FINAL.badFrames;
  return { why: farewell, farewell, quits: true, drop: "bad-frames" };
}

/** What is kept of a session's secret. */
export function hash(secret: string): string {
  return createHash("sha256").update(secret).digest("hex").slice(0, 32);
}
