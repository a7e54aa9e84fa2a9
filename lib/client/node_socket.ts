/** A socket of node:tls as a connection wants one. */

import type { TLSSocket } from "node:tls";
import type { Socket } from "./connection.ts";

/** Reads and writes through node:tls, with a promise for each. */
export class NodeSocket implements Socket {
  readonly #socket: TLSSocket;
  #error: Error | undefined;
  #hasEnded = false;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    const wake = () => {
      this.#waiting?.resolve();
      this.#waiting = undefined;
    };
    socket.on("readable", wake);
    socket.on("error", (error) => {
      this.#error = error;
      wake();
    });
    for (const event of ["end", "close"]) {
      socket.on(event, () => {
        this.#hasEnded = true;
        wake();
      });
    }
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    for (;;) {
      const ready = this.#socket.readableLength;
      if (ready > 0) {
        const bytes = this.#socket.read(Math.min(ready, buffer.length));
        buffer.set(bytes);
        return bytes.length;
      }
      if (this.#error) throw this.#error;
      if (this.#hasEnded || this.#socket.destroyed) return null;
      // Who leaves reads on to the end, while another read is still under way.
      this.#waiting ??= Promise.withResolvers();
      const { promise } = this.#waiting;
      // Without bytes to take, it tells a stream that there is somebody to read them.
      this.#socket.read(0);
      await promise;
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#socket.write(
      bytes,
      (error) => error ? reject(error) : resolve(bytes.length),
    );
    return promise;
  }

  closeWrite(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.once("close", resolve);
    this.#socket.end(resolve);
    return promise;
  }

  close(): void {
    this.#error ??= new Deno.errors.Interrupted("operation canceled");
    this.#socket.destroy();
  }
}
