/**
 * What is said on one connection before somebody may come in: the server asks for its password, and heeds nothing
 * else. Who stands here is no member, and the hub knows nothing of them. Knows no socket.
 *
 * A session begins with a gate, where one is needed, instead of a {@linkcode Dialogue}; both are spoken to in the same
 * way.
 */

import { getLogger } from "@logtape/logtape";
import { type Hello, PEACEFUL, type Refusal } from "../message.ts";
import { foreignProtocol } from "../wire/foreign.ts";
import * as json from "../wire/json.ts";
import * as text from "../wire/text.ts";
import {
  type Ending,
  foreign,
  hash,
  type Line,
  tooManyBadFrames,
} from "./dialogue.ts";
import type { Entry } from "./entry.ts";
import type { Hub } from "./hub.ts";
import type { Limits } from "./limits.ts";
import type { Proof } from "./logins.ts";
import type { Wish } from "./members.ts";
import type { Owned } from "./owned.ts";
import type { Dialect, Tally } from "./tally.ts";

const log = getLogger(["chat", "entry"]);

/** The connection of somebody who has not come in yet. */
export interface Doorway extends Line {
  /** What counts as one with the address from which it comes. */
  readonly network: { readonly name: string };
  /**
   * Lets them in; whatever comes from now on is not said to the gate any more.
   *
   * @returns when the next line may be heeded
   */
  admit(admitted: Admitted): Promise<void> | void;
}

/** How somebody has come in. */
export interface Admitted {
  /** Whether it is a person. */
  isPerson: boolean;
  /** The line that is the first that they say: the hello of a program. */
  line?: string | undefined;
  /** The name that they have proven to own, and how they want it to be written. */
  login?: { wish: Wish; proven: Owned };
}

/** What is said to whoever has not logged in where everybody has to. */
const ONLY_REGISTERED = "this server knows only registered names";

/** What a gate obeys. */
export interface GateOptions {
  readonly entry: Entry;
  readonly hub: Pick<Hub, "check" | "isLoggedIn">;
  readonly limits: Readonly<
    Pick<
      Limits,
      | "entryMs"
      | "wrongPasswordMs"
      | "maxWrongPasswords"
      | "maxBadFrames"
      | "registeredOnly"
    >
  >;
  readonly tally: Tally;
}

/** Where somebody stands until they have given the password. */
export class Gate {
  /** They have no name, and count for no dialect, before they have come in. */
  readonly name: string | undefined = undefined;
  readonly dialect: Dialect = "none";
  readonly #line: Doorway;
  readonly #options: GateOptions;
  #hasSpoken = false;
  #isProgram = false;
  #isTelnet = false;
  #isAsked = false;
  /** Whether the password of the server was given, or there is none. */
  #knowsPassword: boolean;
  #hasLeft = false;
  #wrong = 0;
  #badFrames = 0;
  /** Runs while an answer is waited for. */
  #patience: ReturnType<typeof setTimeout> | undefined;
  /** Ends the wait after a wrong answer at once. */
  #hurry: (() => void) | undefined;

  constructor(line: Doorway, options: GateOptions) {
    this.#line = line;
    this.#options = options;
    this.#knowsPassword = !options.entry.isGuarded;
    this.#await();
  }

  /** Somebody who has not said anything is taken for a person, and asked. */
  greet(): void {
    if (!this.#hasSpoken && !this.#hasLeft) this.#ask();
  }

  /** From now on lines end as telnet wants them to. */
  speakTelnet(): void {
    this.#isTelnet = true;
    this.#open();
  }

  /** Takes a line for an answer, or for a hello; resolves when the next line may be heeded, if that is not at once. */
  heed(line: string): Promise<void> | void {
    if (this.#hasLeft) return;
    if (!this.#hasSpoken) {
      this.#hasSpoken = true;
      const protocol = foreignProtocol(line);
      if (protocol) return this.#end(foreign(protocol));
      this.#isProgram = json.isHello(line);
      if (this.#isProgram) this.#open();
    }
    return this.#isProgram ? this.#heedFrame(line) : this.#heedLine(line);
  }

  /** They go, whatever is being waited for; what they are told last is the last that they are told. */
  leave({ farewell }: Ending): void {
    this.#close();
    this.#hurry?.();
    if (farewell === undefined) return;
    this.#open();
    this.#line.outbox.tell({ type: "bye", reason: farewell });
  }

  #heedLine(line: string): Promise<void> | void {
    const isBlank = line.trim() === "";
    if (isBlank || !this.#isAsked) this.#ask();
    if (isBlank) return;
    const said = text.parse(line);
    if (said?.type === "quit") return this.#quit();
    if (!this.#knowsPassword) return this.#judge(line);
    // They may have been asked when that was still needed.
    if (!this.#options.limits.registeredOnly) {
      return this.#admit({ isPerson: true, line });
    }
    if (said?.type === "login") return this.#prove(said);
    // A /login that is not as it has to be.
    if (said?.type === "refused") this.#line.outbox.tell(said);
    else this.#ask();
  }

  #heedFrame(line: string): Promise<void> | void {
    const said = json.parse(line);
    if (said.type === "refused") return this.#refuseFrame(said);
    this.#badFrames = 0;
    if (said.type === "quit") return this.#quit();
    if (said.type !== "hello") {
      return this.#refuse("hello-expected", "say hello first", said.ref);
    }
    if (this.#knowsPassword) return this.#admitProgram(line, said);
    if (said.password === undefined) {
      const reason = "a hello needs the password of this server";
      return this.#refuse("password-needed", reason);
    }
    return this.#judge(said.password, line, said);
  }

  /** Who has given the password comes in, if they need not log in, or as soon as they have. */
  #admitProgram(line: string, hello: Hello): Promise<void> | void {
    const { hub, limits } = this.#options;
    const { name, login: password, session } = hello;
    const isKnown = session !== undefined && hub.isLoggedIn(hash(session));
    if (!limits.registeredOnly || isKnown) {
      return this.#admit({ isPerson: false, line });
    }
    if (name !== undefined && password !== undefined) {
      return this.#prove({ name, password, ref: "" }, line);
    }
    const reason = `${ONLY_REGISTERED}: a hello needs name and login`;
    this.#refuse("not-registered", reason);
  }

  /** Lets in whoever knows the password of a registered name. */
  async #prove(proof: Proof, hello?: string): Promise<void> {
    clearTimeout(this.#patience);
    const { hub, limits } = this.#options;
    const proven = await hub.check(this.#line.host, proof);
    if (this.#hasLeft) return;
    if (!("code" in proven)) {
      const login = { wish: { name: proof.name, ref: proof.ref }, proven };
      return this.#admit({ isPerson: hello === undefined, line: hello, login });
    }
    this.#line.outbox.tell(proven);
    const isWrong = proven.code === "login-wrong";
    if (isWrong && ++this.#wrong >= limits.maxWrongPasswords) {
      return this.#endAsWrong();
    }
    this.#await();
  }

  #admit(admitted: Admitted): Promise<void> | void {
    this.#close();
    return this.#line.admit(admitted);
  }

  /**
   * A wrong answer is answered late; a right one is not, and it would be no use: whoever does not wait for the answer
   * has had their try all the same.
   */
  async #judge(answer: string, line?: string, hello?: Hello): Promise<void> {
    clearTimeout(this.#patience);
    const { entry, limits, tally } = this.#options;
    const { network, address } = this.#line;
    const verdict = entry.judge(answer, network.name, performance.now());
    if (verdict === "right") {
      this.#knowsPassword = true;
      if (line !== undefined && hello) {
        this.#await();
        return this.#admitProgram(line, hello);
      }
      if (!limits.registeredOnly) {
        return this.#admit({ isPerson: true });
      }
      this.#await();
      return this.#ask();
    }
    if (verdict !== "wrong") return this.#refuseTry(verdict.waitMs);
    tally.wrongPasswords++;
    log.warn("wrong password", { address });
    await this.#wait(limits.wrongPasswordMs);
    if (this.#hasLeft) return;
    const reason = "wrong password";
    if (this.#isProgram) this.#refuse("password-wrong", reason);
    else this.#notice(reason);
    if (++this.#wrong >= limits.maxWrongPasswords) return this.#endAsWrong();
    this.#await();
    if (!this.#isProgram) this.#ask();
  }

  #endAsWrong(): void {
    const farewell = "too many wrong passwords";
    this.#end({ why: farewell, farewell, drop: "wrong-password" });
  }

  #refuseTry(waitMs: number): void {
    const seconds = Math.ceil(waitMs / 1000);
    const farewell =
      `too many wrong passwords came from your address, come again in ${seconds} s`;
    if (this.#isProgram) this.#refuse("too-many-tries", farewell);
    const drop = "wrong-password";
    this.#end({
      why: "too many wrong passwords from its address",
      farewell,
      drop,
    });
  }

  #refuseFrame(refusal: Refusal): void {
    this.#line.outbox.tell(refusal);
    if (++this.#badFrames < this.#options.limits.maxBadFrames) return;
    this.#end(tooManyBadFrames());
  }

  #refuse(code: Refusal["code"], reason: string, ref = ""): void {
    this.#line.outbox.tell({ type: "refused", code, reason, ref });
  }

  #quit(): void {
    const farewell = PEACEFUL.quit;
    this.#end({ why: "quit", farewell, quits: true });
  }

  #ask(): void {
    this.#isAsked = true;
    this.#open();
    this.#notice(
      this.#knowsPassword
        ? `${ONLY_REGISTERED}: /login NAME PASSWORD`
        : "password?",
    );
  }

  #notice(words: string): void {
    this.#line.outbox.tell({ type: "notice", text: words });
  }

  /** Waits for an answer, but not for ever. */
  #await(): void {
    const { entryMs } = this.#options.limits;
    this.#patience = setTimeout(() => {
      const farewell = `no password came for ${entryMs / 1000} s`;
      const drop = "no-password";
      this.#end({ why: "no password", farewell, drop });
    }, entryMs);
  }

  async #wait(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#hurry = resolve;
    await promise;
    clearTimeout(timer);
  }

  /** Ends the connection. Nobody here waits until it has ended: it would not, as long as nothing more is read. */
  #end(ending: Ending): void {
    this.#line.part(ending);
  }

  /** Nothing more is heeded here, or waited for. */
  #close(): void {
    this.#hasLeft = true;
    clearTimeout(this.#patience);
  }

  #open(): void {
    const person = this.#isTelnet ? text.renderTelnet : text.render;
    this.#line.outbox.open(this.#isProgram ? json.render : person);
  }
}
