/** The other end of a link: a server that does what a test tells it to; and what the link hears of it. */

import type { Arrival } from "../lib/client/conversation.ts";
import { Link, LinkError, type LinkOptions } from "../lib/client/link.ts";
import { assertRejects } from "./assert.ts";
import { Bot, type Frame, soon, Visitor, welcomeFrame } from "./fixtures.ts";

/** A server; a test says what it says. */
export class FakeServer implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #bots: Bot[] = [];
  #isClosed = false;

  get port(): number {
    return this.#listener.addr.port;
  }

  /** The next connection. */
  async accept(): Promise<Bot> {
    const conn = await soon(this.#listener.accept(), () => "nobody connects");
    const bot = new Bot(new Visitor(conn));
    this.#bots.push(bot);
    return bot;
  }

  /** The next connection, once it has said hello and was welcomed; and that hello. */
  async welcome(fields: Partial<Frame> = {}): Promise<[Bot, Frame]> {
    const bot = await this.accept();
    const hello = await bot.frame();
    await bot.send(welcomeFrame("ann", fields));
    return [bot, hello!];
  }

  /** Ends its connections, and takes no more. */
  close(): void {
    for (const bot of this.#bots) bot.close();
    this.#listener.close();
    this.#isClosed = true;
  }

  [Symbol.dispose](): void {
    if (!this.#isClosed) this.close();
  }
}

/** Connects in no time, as far as the link is asked to wait; but it waits for a welcome as long as that takes. */
export function connect(
  server: { port: number },
  options: Partial<LinkOptions> = {},
): Promise<Link> {
  return Link.connect({
    host: "127.0.0.1",
    port: server.port,
    name: "ann",
    firstDelayMs: 1,
    maxDelayMs: 1,
    foreignMs: 3_600_000,
    ...options,
  });
}

/** All that a link receives. */
export class Ear {
  readonly #arrived: Arrival[] = [];
  #waiting = Promise.withResolvers<void>();
  /** How it ended. */
  readonly end: Promise<void>;

  constructor(link: Link) {
    this.end = this.#listen(link);
    // It is looked at when the test comes to that.
    this.end.catch(() => {});
  }

  /** What this gives of the arrivals that were not taken yet, once it is something. */
  async next<T>(look: (arrival: Arrival) => T | undefined): Promise<T> {
    for (;;) {
      while (this.#arrived.length > 0) {
        const found = look(this.#arrived.shift()!);
        if (found !== undefined) return found;
      }
      await soon(this.#waiting.promise, () => `nothing arrived: ${look}`);
    }
  }

  /** What was not taken. */
  get rest(): readonly Arrival[] {
    return this.#arrived;
  }

  /** The next notice. */
  notice(): Promise<string> {
    return this.next(({ notice }) => notice);
  }

  /** The next line of plain text. */
  line(): Promise<string> {
    return this.next(({ line }) => line);
  }

  /** The text of the next message, whether it is shown or not. */
  message(): Promise<string> {
    return this.next(({ event }) =>
      event?.type === "message" ? event.text : undefined
    );
  }

  async #listen(link: Link): Promise<void> {
    for await (const arrivals of link.receive()) {
      this.#arrived.push(...arrivals);
      this.#waiting.resolve();
      this.#waiting = Promise.withResolvers();
    }
  }
}

/** What `receive()` ends with. */
export async function failure({ end }: Ear): Promise<string> {
  const error = await assertRejects(
    () => soon(end, () => "the link does not end"),
    LinkError,
  );
  return error.message;
}
