/**
 * Clients of all kinds, who come, talk, take other names, change rooms and go, for as long as they are asked to. They
 * keep to docs/protocol.md, and tell a ledger what they have said, what was acknowledged, and what they see. They do
 * not know why a connection breaks.
 */

import { Socket } from "node:net";
import { Link, LinkError } from "../lib/client/link.ts";
import { type ChatEvent, LOBBY } from "../lib/message.ts";
import * as json from "../lib/wire/json.ts";
import type { Network } from "./faults.ts";
import {
  Bot,
  clientProgram,
  type Frame,
  noReset,
  soon,
  Visitor,
} from "./fixtures.ts";
import { Ear, type Ledger, type Said, Seen } from "./ledger.ts";

const ROOMS = [LOBBY, "dev", "ops", "tea", "müsli", "lisbon"];

/** How many things somebody does before they go, and come back. */
const ACTIONS = 12;

/** How many lines a script says. */
const SCRIPT_LINES = 50;

/** How many connections are broken at a time. */
const BROKEN = 10;

/** Where a crowd is, and for how long. */
export interface Town {
  /** A way to the server that is cut when the server is killed, and only then. */
  steady: Network;
  /** One that is cut at any time. */
  shaky: Network;
  ledger: Ledger;
  random: () => number;
  /** Whether processes are killed. */
  isDeadly: boolean;
  /** Whether those who talk have talked enough. */
  isEnough(): boolean;
  /** Whether they are all gone. */
  isOver(): boolean;
  /** Resolves when some more was said, or it is over. */
  pulse(): Promise<void>;
}

/** One kind of client, of whom one is called `name`, and nobody else is. */
export type Kind = (town: Town, name: string) => Promise<void>;

/** Those who talk, until it is enough. */
export const TALKERS: Record<string, Kind> = {
  link: talkThroughLink,
  bot: talkAsBot,
  netcat: (town, name) => talkAsPerson(town, name, ""),
  // What telnet says of itself: it may send a window size, and echoes.
  telnet: (town, name) => talkAsPerson(town, name, TELNET),
  script: talkAsScript,
};

/** Those who are only a burden, until it is over. */
export const BURDENS: Record<string, Kind> = {
  slow: readNothing,
  broken: breakConnections,
};

const TELNET = Uint8Array.of(
  255,
  251,
  31,
  255,
  250,
  31,
  0,
  80,
  0,
  24,
  255,
  240,
);

/** The connection has ended, as connections do here. */
class Gone extends Error {}

/** Whatever goes wrong with a connection: it has ended. */
function gone(): never {
  throw new Gone();
}

async function somePort({ steady, shaky, random }: Town): Promise<number> {
  const network = pick(random, [steady, shaky]);
  await network.untilThere();
  return network.port;
}

function pick<T>(random: () => number, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!;
}

async function talkThroughLink(town: Town, name: string): Promise<void> {
  for (let visit = 1; !town.isEnough(); visit++) {
    const visitor = `${name}.${visit}`;
    try {
      const link = await Link.connect({
        host: "127.0.0.1",
        port: await somePort(town),
        name: visitor,
        firstDelayMs: 1,
        maxDelayMs: 20,
        foreignMs: 3_600_000,
      });
      await visitThroughLink(town, visitor, link);
    } catch (error) {
      // Not even welcome: the server is down just now.
      if (!(error instanceof LinkError)) throw error;
    }
  }
}

async function visitThroughLink(
  town: Town,
  name: string,
  link: Link,
): Promise<void> {
  const { random, ledger } = town;
  const waiting = new Map<string, Said>();
  const heard = hearLink(link, ledger, name, waiting);
  // It is looked at when all is said.
  heard.catch(() => {});
  const left = new Set<string>();
  for (let i = 0; i < ACTIONS && !town.isEnough(); i++) {
    const room = pick(random, ROOMS);
    const stays = link.rooms.filter((room) => !left.has(room));
    const chance = random();
    if (chance < 0.1) {
      link.ask({ type: "nick", name: `${link.name}.${i}`, ref: "nick" });
    } else if (chance < 0.2 && !left.has(room)) {
      await soon(link.join(room), () => `${name} waits to join ${room}`);
    } else if (chance < 0.25 && room !== LOBBY && stays.includes(room)) {
      left.add(room);
      link.ask({ type: "leave", room, ref: "leave" });
    } else {
      const said = ledger.write(name, pick(random, stays));
      waiting.set(link.say(said.text, { room: said.room }), said);
      // Some things are said before the last was heard.
      if (random() < 0.3) continue;
      const acknowledged = link.untilAcknowledged();
      await soon(acknowledged, () => `${name} waits for its acks`);
    }
  }
  link.end();
  await soon(heard, () => `${name} waits to be let go`);
}

async function hearLink(
  link: Link,
  ledger: Ledger,
  name: string,
  waiting: Map<string, Said>,
): Promise<void> {
  const seen = new Seen(ledger, name);
  for await (const arrivals of link.receive()) {
    for (const { event } of arrivals) {
      if (event) take(event, { ledger, name, waiting });
      if (event) seen.take(event, link.name);
    }
  }
}

/** Heeds what was acknowledged and refused. */
function take(
  event: ChatEvent,
  { ledger, name, waiting }: {
    ledger: Ledger;
    name: string;
    waiting: Map<string, Said>;
  },
): void {
  if (event.type === "ack") {
    const said = waiting.get(event.ref);
    if (said) ledger.acknowledge(said, event.seq);
    waiting.delete(event.ref);
  } else if (event.type === "refused" && event.code !== "name-taken") {
    ledger.faults.push(`${name} was refused: ${event.reason}`);
  }
}

/** A bot that loses nothing, as docs/protocol.md has it: it has one session, for as long as it talks. */
async function talkAsBot(town: Town, name: string): Promise<void> {
  const memory = new BotMemory(town, name);
  for (;;) {
    try {
      using bot = await Bot.connect(await somePort(town)).catch(gone);
      return await attendAsBot(town, bot, memory);
    } catch (error) {
      if (!(error instanceof Gone)) throw error;
    }
  }
}

/** What a bot remembers from one connection to the next. */
class BotMemory {
  readonly name: string;
  readonly ledger: Ledger;
  readonly seen: Seen;
  readonly session: string;
  /** What was not acknowledged yet, by its id. */
  readonly waiting = new Map<string, Said>();
  lastId = 0;
  /** What it is called now. */
  called: string;

  constructor({ ledger, random }: Town, name: string) {
    this.name = name;
    this.called = name;
    this.ledger = ledger;
    this.seen = new Seen(ledger, name);
    this.session = Array.from(
      { length: 32 },
      () => Math.floor(random() * 16).toString(16),
    ).join("");
  }

  get hello(): Frame {
    const { called: name, session, seen: { since } } = this;
    return { type: "hello", v: 1, name, session, since };
  }

  /** What is to be said, again or for the first time. */
  get says(): Frame[] {
    return Array.from(
      this.waiting,
      ([id, { room, text }]) => ({ type: "say", id, room, text }),
    );
  }

  take(event: ChatEvent): void {
    if (event.type === "welcome") this.called = event.name;
    if (event.type === "renamed" && event.from === this.called) {
      this.called = event.to;
    }
    take(event, this);
    this.seen.take(event, this.called);
  }
}

async function attendAsBot(
  town: Town,
  bot: Bot,
  memory: BotMemory,
): Promise<void> {
  const { ledger, random } = town;
  const send = (...frames: Frame[]) => bot.send(...frames).catch(gone);
  let isWelcome = false;
  const until = async (isIt: (event: ChatEvent) => boolean) => {
    for (;;) {
      const event = await nextEvent(bot, isWelcome);
      isWelcome ||= event.type === "welcome";
      // What comes before that is not meant for a program.
      if (!isWelcome) continue;
      memory.take(event);
      if (isIt(event)) return;
    }
  };
  const { says } = memory;
  await send(memory.hello, ...says);
  await until(({ type }) => type === "welcome");
  for (;;) {
    while (memory.waiting.size > 0) await until(({ type }) => type === "ack");
    if (town.isEnough()) break;
    const room = pick(random, ROOMS);
    const chance = random();
    const id = String(++memory.lastId);
    if (chance < 0.1) {
      const name = `${memory.name}.${id}`;
      await send({ type: "nick", name }, { type: "ping", id });
      await until(({ type }) => type === "pong");
    } else if (chance < 0.2) {
      await send({ type: "join", room });
      await until((event) => event.type === "joined" && !!event.state);
    } else if (chance < 0.25) {
      if (room === LOBBY || !memory.seen.rooms.includes(room)) continue;
      await send({ type: "leave", room });
      await until(({ type }) => type === "left" && !memory.seen.since[room]);
    } else {
      const said = ledger.write(memory.name, pick(random, memory.seen.rooms));
      memory.waiting.set(id, said);
      // Some things are said before the last is acknowledged.
      if (random() < 0.5) await send(memory.says.at(-1)!);
      else await send(...memory.says);
    }
  }
  await send({ type: "quit" });
  await until(({ type }) => type === "bye");
}

async function nextEvent(bot: Bot, isWelcome: boolean): Promise<ChatEvent> {
  for (;;) {
    const line = await bot.visitor.line() ?? gone();
    try {
      const event = json.read(line);
      if (event) return event;
    } catch (error) {
      // A server that is very busy may have greeted a guest first.
      if (!isWelcome) continue;
      // Only what was cut off is no frame.
      await bot.visitor.line() ?? gone();
      throw error;
    }
  }
}

/** Somebody at a terminal, of whom only a farewell says that all was taken. */
async function talkAsPerson(
  town: Town,
  name: string,
  negotiation: string | Uint8Array,
): Promise<void> {
  for (let visit = 1; !town.isEnough(); visit++) {
    try {
      using visitor = await Visitor.connect(await somePort(town)).catch(gone);
      const said: Said[] = [];
      await visitAsPerson(town, visitor, { name, visit, negotiation, said });
      for (const one of said) town.ledger.acknowledge(one);
    } catch (error) {
      if (!(error instanceof Gone)) throw error;
    }
  }
}

async function visitAsPerson(
  town: Town,
  visitor: Visitor,
  { name, visit, negotiation, said }: {
    name: string;
    visit: number;
    negotiation: string | Uint8Array;
    said: Said[];
  },
): Promise<void> {
  const { ledger, random } = town;
  const ear = new Ear(ledger, name);
  const send = (line: string | Uint8Array) => visitor.send(line).catch(gone);
  const until = async (mark: string) => {
    for (;;) {
      const line = (await visitor.line() ?? gone()).replace(/\r$/, "");
      hearLine(line, ear, ledger, name);
      if (line.startsWith(mark)) return;
    }
  };
  await send(negotiation);
  await send(`/nick ${name}.${visit}\n`);
  await until("-- welcome, ");
  let room = LOBBY;
  for (let i = 0; i < ACTIONS && !town.isEnough(); i++) {
    const chance = random();
    if (chance < 0.1) await send(`/nick ${name}.${visit}.${i}\n`);
    else if (chance < 0.25) {
      room = pick(random, ROOMS);
      await send(`/join ${room}\n`);
      await until(`-- you are in ${room}; `);
    } else {
      // What the server still has of an earlier visit may come later.
      const one = ledger.write(`${name}.${visit}`, room);
      said.push(one);
      await send(`${one.text}\n`);
    }
    await send("/who\n");
    await until("-- ");
  }
  await visitor.halfClose().catch(gone);
  await until("-- bye: end of input");
}

function hearLine(line: string, ear: Ear, ledger: Ledger, name: string): void {
  const [, text] = /^<\S+> (.*)$/.exec(line) ?? [];
  if (text !== undefined) ear.hear(text);
  if (line.startsWith("-- you are in ")) ear.forget();
  if (line.startsWith("-- refused") && !line.includes("that name is taken")) {
    ledger.faults.push(`${name} was told ${line}`);
  }
}

/** A real chat-client in a pipe, which is killed now and then. */
async function talkAsScript(town: Town, name: string): Promise<void> {
  const { ledger, random, steady } = town;
  for (let run = 1; !town.isEnough(); run++) {
    await steady.untilThere();
    // It waits longer each time that it is cut.
    await using client = clientProgram(name, String(steady.port));
    const said = Array.from(
      { length: SCRIPT_LINES },
      () => ledger.write(`${name}.${run}`, LOBBY),
    );
    // One that finds no server at all gives up, and hears nothing of it.
    await client.write(said.map(({ text }) => `${text}\n`).join(""))
      .catch(() => {});
    if (town.isDeadly && random() < 0.2) {
      // It is killed here, once it has heard something, or has given up.
      await client.out.next();
      continue;
    }
    await client.closeInput().catch(() => {});
    // A server that is too busy to say welcome is taken for a foreign one, which acknowledges nothing, until it does.
    const code = await client.exit();
    const notices = await client.errors.rest();
    const dialect = notices.findLast((line) => /speaks/.test(line));
    if (code === 0 && !dialect?.includes("speaks plain text")) {
      for (const one of said) ledger.acknowledge(one);
    }
    for (const line of notices) {
      if (/: refused, /.test(line)) ledger.faults.push(`${name} says: ${line}`);
    }
  }
}

/** Asks for much, and reads nothing of it. */
async function readNothing(town: Town, name: string): Promise<void> {
  for (let visit = 1; !town.isOver(); visit++) {
    try {
      const port = await somePort(town);
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      const lines = [
        `{"type":"hello","v":1,"name":"${name}.${visit}"}`,
        ...ROOMS.map((room) => `{"type":"join","room":"${room}"}`),
        ...ROOMS.map((room) =>
          `{"type":"history","room":"${room}","limit":1000}`
        ),
      ];
      await conn.write(new TextEncoder().encode(`${lines.join("\n")}\n`));
      await town.pulse();
    } catch {
      // The server has gone, or has sent this one away.
    }
  }
}

/** Comes and says the first half of something, and goes or resets the connection. */
async function breakConnections(town: Town, name: string): Promise<void> {
  while (!town.isOver()) {
    const port = await somePort(town);
    for (let i = 0; i < BROKEN; i++) {
      await breakOne(
        port,
        pick(town.random, [
          `{"type":"hello","v":1,"name":"${name}","ses`,
          `/nick ${name}\nhalf a li`,
          '{"type":"hello","v":1}\n{"type":"say","room":"lobby","te',
          "",
        ]),
      );
    }
    await town.pulse();
  }
}

function breakOne(port: number, half: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = new Socket();
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.connect(port, "127.0.0.1", () =>
      socket.write(half, () => {
        if (noReset) socket.destroy();
        else socket.resetAndDestroy();
      }));
  });
}
