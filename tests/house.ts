/** The hub without sockets: who is told what, with a log that takes as long as a test says. */

import type { ChatEvent, Hello, Message } from "../lib/message.ts";
import { Hub } from "../lib/server/hub.ts";
import {
  type Extent,
  type Log,
  LogError,
  MemoryLog,
  type Place,
} from "../lib/server/log.ts";
import { type Accounts, MemoryAccounts } from "../lib/server/accounts.ts";
import { openOwnership } from "../lib/server/logins.ts";
import type { Connection, Member } from "../lib/server/members.ts";
import { DEFAULT_LIMITS, type Limits } from "../lib/server/limits.ts";
import type { OperatingOptions } from "../lib/server/operating.ts";
import { Outbox, type Sink } from "../lib/server/outbox.ts";
import { Turns } from "../lib/server/turns.ts";
import type { Request } from "../lib/server/requests.ts";
import { CHEAP } from "./fixtures.ts";
import * as json from "../lib/wire/json.ts";
import * as text from "../lib/wire/text.ts";

/** Somebody who reads everything at once, or nothing any more. */
export class Reader implements Sink {
  readonly writes: Uint8Array[] = [];
  readonly connection: Connection;
  member: Member;
  /** Why the hub has ended the connection, if it has. */
  ended: string | undefined;
  isStuck = false;

  /** @param host from where it comes */
  constructor(hub: Hub, turns: Turns, host = "127.0.0.1") {
    const outbox = new Outbox(this, turns, {
      maxBytes: 1_000_000,
      onFull: () => {},
    });
    this.connection = {
      outbox,
      host,
      end: (reason) => this.ended = reason,
    };
    this.member = hub.arrive(this.connection);
  }

  write(bytes: Uint8Array): Promise<number> {
    this.writes.push(bytes);
    return this.isStuck ? new Promise(() => {}) : Promise.resolve(bytes.length);
  }

  /** The lines that were written since the last time. */
  heard(): string[] {
    const text = this.writes.splice(0).map((bytes) =>
      new TextDecoder().decode(bytes)
    ).join("");
    return text.split("\n").slice(0, -1);
  }

  /** What a program was told since the last time. */
  events(): ChatEvent[] {
    return this.heard().flatMap((line) => json.read(line) ?? []);
  }

  /** The messages that a program was told since the last time: their numbers and texts. */
  messages(): string[] {
    return this.events().flatMap((event) =>
      event.type === "message" ? `${event.seq} ${event.text}` : []
    );
  }
}

/** A hub, and what it takes to have one. */
export class House {
  readonly turns: Turns;
  readonly hub: Hub;

  private constructor(turns: Turns, hub: Hub) {
    this.turns = turns;
    this.hub = hub;
  }

  static async open(
    log: Log = new MemoryLog(),
    limits: Partial<Limits> = {},
    turns = new Turns(),
    { accounts = new MemoryAccounts(), ...operating }:
      & OperatingOptions
      & { accounts?: Accounts } = {},
  ): Promise<House> {
    const all = { ...DEFAULT_LIMITS, ...limits };
    const options = {
      ...operating,
      limits: all,
      greeting: { server: "here", motd: [] },
      ownership: await openOwnership(all, { accounts, cost: CHEAP }),
    };
    return new House(turns, await Hub.open(turns, log, options));
  }

  arrive(host?: string): Reader {
    return new Reader(this.hub, this.turns, host);
  }

  /** A person, who has been shown what was said before; the owner of `account`, if that is said. */
  async enter(name: string, host?: string, account?: string): Promise<Reader> {
    const reader = this.arrive(host);
    reader.member.account = account;
    reader.connection.outbox.open(text.render);
    await this.hub.enter(reader.member, { name, ref: `/nick ${name}` });
    return reader;
  }

  /** A program, which reads on by itself. */
  async program(
    fields: Partial<Hello> = {},
    { session, reader = this.arrive() }: {
      session?: string;
      reader?: Reader;
    } = {},
  ): Promise<Reader> {
    reader.connection.outbox.open(json.render);
    const hello = { type: "hello" as const, ...fields };
    reader.member = await this.hub.hello(reader.member, hello, session);
    return reader;
  }

  ask({ member }: Reader, request: Request): Promise<void> | void {
    return this.hub.handle(member, request);
  }

  say(reader: Reader, text: string): void {
    void this.ask(reader, { type: "say", text, action: false, ref: text });
  }

  /** Lets everything happen that waits for nothing but turns. */
  async settle(): Promise<void> {
    for (let i = 0; i < 10; i++) await this.turns.ended();
  }

  /** Lets the turn end, and forgets what everybody was told in it. */
  async quiet(...readers: Reader[]): Promise<void> {
    await this.turns.ended();
    for (const reader of readers) reader.heard();
  }
}

/** A call that waits in a {@linkcode SlowLog}. */
export interface Hold {
  /** Resolves when the call has come. */
  readonly reached: Promise<void>;
  release(): void;
}

type Call = "append" | "open" | "read";

/** A log that takes its time or fails when a test says so, as one on another machine might. */
export class SlowLog extends MemoryLog {
  /** Why nothing can be stored or read. */
  fault: string | undefined;
  /** How often each was called. */
  readonly calls = { append: 0, open: 0, read: 0 };
  readonly #holds: Record<Call, (() => Promise<void>)[]> = {
    append: [],
    open: [],
    read: [],
  };

  /** Has the next call wait; the one after that, if the next one is to wait already. */
  hold(call: Call): Hold {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.#holds[call].push(() => {
      reached.resolve();
      return released.promise;
    });
    return { reached: reached.promise, release: released.resolve };
  }

  override async append(...args: Parameters<Log["append"]>): Promise<Place[]> {
    await this.#pass("append");
    return await super.append(...args);
  }

  override async open(...args: Parameters<Log["open"]>): Promise<Extent> {
    await this.#pass("open");
    return await super.open(...args);
  }

  override async read(...args: Parameters<Log["read"]>): Promise<Message[]> {
    await this.#pass("read");
    return await super.read(...args);
  }

  async #pass(call: Call): Promise<void> {
    this.calls[call]++;
    await this.#holds[call].shift()?.();
    if (this.fault !== undefined && call !== "open") {
      throw new LogError(this.fault);
    }
  }
}
