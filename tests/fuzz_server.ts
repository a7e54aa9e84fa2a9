/**
 * A real server among strangers who send what nobody should, and go in every way that there is, while two honest
 * members talk. Whatever it does to the strangers, the two notice nothing, and nothing of them is left.
 */

import { Socket } from "node:net";
import fc from "fast-check";
import { type ChatEvent, LOBBY } from "../lib/message.ts";
import * as json from "../lib/wire/json.ts";
import { assert, assertEquals } from "./assert.ts";
import {
  Bot,
  listening,
  noReset,
  type Program,
  soon,
  Visitor,
} from "./fixtures.ts";
import { assertHarmless, type Fuzzing } from "./fuzz.ts";
import { CUTS, INPUT, piecesOf, SECRETS } from "./fuzz_input.ts";
import { lostOf } from "./reliability.ts";
import { openServer, Vitals } from "./vitals.ts";

/** How many strangers are there at a time. */
const CROWD = 10;

/** How many come before it is looked how much the server holds: code grows warm, and tables find their size. */
const WARM_UP = 600;

/**
 * What may be left of a stranger, in bytes. A session that is not let go of leaves many times as much; what varies by
 * itself is {@linkcode NOISE_BYTES}.
 */
const LEFT_BYTES = 500;

/** How much the memory of a server varies for which nothing has changed. */
const NOISE_BYTES = 300_000;

/** How much the system may leave a process more than it needs, for a while. */
const RESIDENT_NOISE_BYTES = 32 * 1024 * 1024;

/** Somebody who comes, sends this in these pieces, and goes in one of these ways. */
interface Stranger {
  input: Uint8Array;
  cuts: number[];
  way: "ends the input" | "closes" | "resets" | "never reads";
}

const STRANGERS = fc.record<Stranger>({
  input: INPUT,
  cuts: CUTS,
  way: fc.constantFrom("ends the input", "closes", "resets", "never reads"),
});

/** What came of it. */
export interface Outcome {
  /** How many strangers there were. */
  strangers: number;
  /** How much the honest members have said. */
  said: number;
  /** How much of that did not come, came twice, or came in another place. */
  lost: number;
  /** How much more memory the server had in use at the end than after the first of them. */
  leftBytes: number;
}

/**
 * Lets strangers come to a server, a few at a time.
 *
 * @throws an error that names the strangers who were there
 */
export async function fuzzServer(fuzzing: Fuzzing): Promise<Outcome> {
  const data = await Deno.makeTempDir();
  try {
    await using server = openServer("--port", "0", "--data", data);
    const outcome = await receiveStrangers(fuzzing, server);
    server.signal("SIGTERM");
    assertEquals(await server.exit(), 0);
    for (const line of await server.errors.rest()) {
      assert(!/^\S+ (error|fatal) |\bfault\b/.test(line), line);
      assertHarmless(line);
    }
    return outcome;
  } finally {
    await Deno.remove(data, { recursive: true });
  }
}

async function receiveStrangers(
  { seed, runs, withinMs }: Fuzzing,
  server: Program,
): Promise<Outcome> {
  const end = performance.now() + withinMs;
  using vitals = await Vitals.of(server);
  const port = await listening(server);
  using pair = await Pair.meet(port);
  await pair.exchange();
  const alone = await vitals.look();
  let strangers = 0;

  const receive = async (count: number) => {
    while (strangers < count && performance.now() < end) {
      const crowd = fc.sample(STRANGERS, {
        seed: (seed + strangers) | 0,
        numRuns: Math.min(CROWD, count - strangers),
      });
      try {
        await endure(crowd, port, pair);
      } catch (error) {
        const who = `strangers ${strangers + 1} and on of seed ${seed}`;
        const message = `among ${who}: ${fc.stringify(crowd)}`;
        throw new Error(message, { cause: error });
      }
      strangers += crowd.length;
    }
    await untilGone(port);
    return await vitals.untilDescriptors(alone.descriptors);
  };
  const before = await receive(WARM_UP);
  const after = await receive(WARM_UP + runs);

  const counted = strangers - Math.min(strangers, WARM_UP);
  const leftBytes = after.heapBytes - before.heapBytes;
  assert(
    leftBytes < NOISE_BYTES + LEFT_BYTES * counted,
    `${leftBytes} bytes are left of ${counted} strangers`,
  );
  const { residentBytes = 0 } = after;
  const grownBytes = residentBytes - (before.residentBytes ?? 0);
  assert(
    grownBytes < RESIDENT_NOISE_BYTES,
    `the process is ${grownBytes} bytes larger after ${counted} strangers`,
  );
  const { said, lost } = pair;
  assertEquals(lost, 0);
  return { strangers, said, lost, leftBytes };
}

async function endure(
  crowd: readonly Stranger[],
  port: number,
  pair: Pair,
): Promise<void> {
  const visits = crowd.map((stranger) => visit(stranger, port, pair));
  await soon(Promise.all(visits), () => "a stranger is not let go");
  await pair.exchange();
}

async function visit(
  { input, cuts, way }: Stranger,
  port: number,
  pair: Pair,
): Promise<void> {
  const pieces = piecesOf(input, cuts);
  if (way === "resets" && !noReset) return await reset(port, pieces);
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    for (const piece of pieces) {
      let rest = piece;
      while (rest.length > 0) rest = rest.subarray(await conn.write(rest));
    }
    if (way === "never reads") await pair.exchange();
    if (way !== "ends the input") return;
    await conn.closeWrite();
    const buffer = new Uint8Array(4096);
    while (await conn.read(buffer) !== null);
  } catch (error) {
    // The server may have sent the stranger away.
    if (!isGone(error)) throw error;
  }
}

function isGone(error: unknown): boolean {
  const { BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected } =
    Deno.errors;
  return [BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected]
    .some((gone) => error instanceof gone);
}

/** Sends all and resets the connection, which only sockets of Node can do. */
function reset(port: number, pieces: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve) => {
    const socket = new Socket();
    // The server may have sent the stranger away.
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.connect(port, "127.0.0.1", () => {
      for (const piece of pieces) socket.write(piece);
      socket.write("", () => socket.resetAndDestroy());
    });
  });
}

/** Resolves when only the two are left. */
async function untilGone(port: number): Promise<void> {
  // What is held for those who may come back is freed at once.
  for (const session of SECRETS) {
    using bot = await Bot.connect(port);
    await bot.hello({ session });
    await quit(bot);
  }
  using observer = await Bot.connect(port);
  await observer.hello();
  await observer.untilOnly(3);
  await quit(observer);
}

async function quit(bot: Bot): Promise<void> {
  await bot.send({ type: "quit" });
  await bot.until("bye");
}

const [ANN, BEA] = ["honest-ann", "honest-bea"];

/** What somebody at a terminal is shown who asks for nothing: what others do. Nobody can say a line with `--`. */
const SHOWN = new RegExp(
  [
    "^\\[\\S+\\] (entered room|left room|is offline|is now \\[\\S+\\])$",
    `^\\[\\S+ -> you\\] .+$`,
    "^(<\\S+>|\\* \\S+) .+$",
  ].join("|"),
  "u",
);

/** Two who talk with each other: ann, who has a terminal, and bea, who is a program. */
class Pair implements Disposable {
  readonly #ann: Visitor;
  readonly #bea: Bot;
  readonly #said: Record<string, string[]> = { [ANN]: [], [BEA]: [] };
  /** What each has heard of the other, as the other one has said it. */
  readonly #heard: Record<string, string[]> = { [ANN]: [], [BEA]: [] };
  #exchanging = Promise.resolve();

  private constructor(ann: Visitor, bea: Bot) {
    this.#ann = ann;
    this.#bea = bea;
  }

  static async meet(port: number): Promise<Pair> {
    const ann = await Visitor.connect(port);
    await ann.enter(ANN);
    const bea = await Bot.connect(port);
    await bea.hello({ name: BEA, session: "be".repeat(16) });
    await ann.until(`[${BEA}] entered room`);
    return new Pair(ann, bea);
  }

  /** How much the two have said. */
  get said(): number {
    return this.#said[ANN]!.length + this.#said[BEA]!.length;
  }

  /** How much of that has not come, or not as it should. */
  get lost(): number {
    return lostOf(this.#said[ANN]!, this.#heard[BEA]!) +
      lostOf(this.#said[BEA]!, this.#heard[ANN]!);
  }

  /** Each says something that the other hears, and then the other way round. */
  exchange(): Promise<void> {
    return this.#exchanging = this.#exchanging.then(() => this.#exchange());
  }

  [Symbol.dispose](): void {
    this.#ann.close();
    this.#bea.close();
  }

  async #exchange(): Promise<void> {
    const id = `${this.#said[ANN]!.length + 1}`;
    const [byAnn, byBea] = [`ann's ${id}`, `bea's ${id}`];
    this.#said[ANN]!.push(byAnn);
    await this.#ann.send(`${byAnn}\n`);
    await this.#beaHears((event) =>
      event.type === "message" && event.text === byAnn
    );
    this.#said[BEA]!.push(byBea);
    await this.#bea.send({ type: "say", id, room: LOBBY, text: byBea });
    await this.#annHears(`<${BEA}> ${byBea}`);
    await this.#beaHears(({ type }) => type === "ack");
  }

  async #annHears(expected: string): Promise<void> {
    for (;;) {
      const line = await this.#ann.line();
      assert(line !== undefined, "ann's connection has ended");
      assertHarmless(line);
      assert(SHOWN.test(line), `ann is shown ${JSON.stringify(line)}`);
      const [, text] = line.split(`<${BEA}> `);
      if (line.startsWith(`<${BEA}> `)) this.#heard[ANN]!.push(text!);
      if (line === expected) return;
    }
  }

  async #beaHears(isIt: (event: ChatEvent) => boolean): Promise<ChatEvent> {
    for (;;) {
      const line = await this.#bea.visitor.line();
      assert(line !== undefined, "bea's connection has ended");
      assertHarmless(line);
      const event = json.read(line);
      assert(event, `bea is told ${line}`);
      assertHarmless(event);
      if (event.type === "message" && event.from === ANN) {
        this.#heard[BEA]!.push(event.text);
      }
      if (isIt(event)) return event;
    }
  }
}
