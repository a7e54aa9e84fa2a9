/** The other end of an encrypted link: a server with any certificate, which says what a test tells it to. */

import type { Credentials } from "../lib/server/credentials.ts";
import { soon, Visitor, welcomeFrame } from "./fixtures.ts";

/** Who has said something, and that. */
export interface Spoken {
  visitor: Visitor;
  line: string;
}

/** A server behind TLS. Who says nothing has only looked at its certificate. */
export class SecureServer implements AsyncDisposable {
  /** All first lines that anybody has said. */
  readonly heard: string[] = [];
  readonly #listener: Deno.TlsListener;
  readonly #accepting: Promise<void>;
  readonly #visitors: Visitor[] = [];
  readonly #spoken: Spoken[] = [];
  #waiting = Promise.withResolvers<void>();

  constructor({ cert, key }: Credentials, port = 0) {
    this.#listener = Deno.listenTls({
      hostname: "127.0.0.1",
      port,
      cert,
      key,
    });
    this.#accepting = this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** The next who says something. */
  async spoken(): Promise<Spoken> {
    for (let next;;) {
      if ((next = this.#spoken.shift())) return next;
      await soon(this.#waiting.promise, () => "nobody says anything");
    }
  }

  /** The next who says hello, once welcomed. */
  async welcome(): Promise<Visitor> {
    const { visitor } = await this.spoken();
    await visitor.send(`${JSON.stringify(welcomeFrame("ann"))}\n`);
    return visitor;
  }

  async #accept(): Promise<void> {
    try {
      for (;;) void this.#listen(await this.#listener.accept());
    } catch {
      // It is closed.
    }
  }

  async #listen(conn: Deno.TlsConn): Promise<void> {
    const visitor = new Visitor(conn);
    this.#visitors.push(visitor);
    const line = await visitor.line();
    if (line === undefined) return;
    this.heard.push(line);
    this.#spoken.push({ visitor, line });
    this.#waiting.resolve();
    this.#waiting = Promise.withResolvers();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const visitor of this.#visitors) visitor.close();
    // Only then can somebody else listen on its port.
    await this.#accepting;
  }
}
