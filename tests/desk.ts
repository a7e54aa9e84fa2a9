/** A person at a terminal: the real client on a pseudo-terminal, seen through xterm. */

import { CLIENT_ARGS, soon, without } from "./fixtures.ts";
import { Glass } from "./glass.ts";

/** Why there are no pseudo-terminals here, if there are none: the `script` of macOS takes other flags. */
export const noDesk = Deno.build.os === "linux"
  ? without("script", "stty")
  : "it takes script of util-linux";

/** All with defaults. */
export interface DeskOptions {
  /** 80 by default. */
  columns?: number;
  /** 12 by default. */
  rows?: number;
  /** What the client is started with, besides the port. */
  flags?: readonly string[];
  /** What is different in the environment. */
  env?: Readonly<Record<string, string>>;
  /** The client's entry file: by default that of the project. */
  entry?: string;
}

/** A pseudo-terminal, and somebody who types there and sees what it shows. */
export class Desk implements AsyncDisposable {
  /** What one sees. */
  readonly glass: Glass;
  /** All that was written to the terminal. */
  raw = "";
  readonly #options: DeskOptions;
  readonly #process: Deno.ChildProcess;
  readonly #keyboard: WritableStreamDefaultWriter<Uint8Array>;
  readonly #showing: Promise<void>;
  #changed = Promise.withResolvers<void>();
  #hasEnded = false;
  /** The client's process id: the first line that the shell prints. */
  #client: number | undefined;

  private constructor(
    options: DeskOptions,
    session: (command: (port: number) => string) => string,
  ) {
    this.#options = options;
    const { columns = 80, rows = 12, env = {} } = options;
    this.glass = new Glass(columns, rows);
    const size = `stty cols ${columns} rows ${rows}`;
    const line = `${size}; ${session((port) => this.command(port))}`;
    this.#process = new Deno.Command("script", {
      args: ["--quiet", "--flush", "--command", line, "/dev/null"],
      env: {
        USER: "ann",
        TERM: "xterm-256color",
        SHELL: "/bin/sh",
        NO_COLOR: "1",
        ...env,
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#keyboard = this.#process.stdin.getWriter();
    this.glass.onAnswer = (answer) => void this.type(answer);
    this.#showing = this.#show();
  }

  /** A client that a shell starts, which says afterwards how it ended and in what state. */
  static client(port: number, options: DeskOptions = {}): Desk {
    return new Desk(options, (command) =>
      `before=$(stty -g); ` +
      `sh -c 'echo pid $$; tty; exec "$@"' sh ${command(port)}; code=$?; ` +
      `[ "$(stty -g)" = "$before" ] && echo "exit $code, sane" || { stty sane; echo "exit $code, NOT sane"; }`);
  }

  /** A shell with job control, in which nothing has been started yet. */
  static shell(options: DeskOptions = {}): Desk {
    return new Desk(options, () => `PS1='$ ' exec bash --norc --noprofile -i`);
  }

  /** The command that starts a client. */
  command(port: number): string {
    const { flags = [], entry = "client.ts" } = this.#options;
    const args = CLIENT_ARGS.map((word) => word === "client.ts" ? entry : word);
    return [Deno.execPath(), ...args, ...flags, String(port)]
      .map((word) => `'${word}'`).join(" ");
  }

  async #show(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.#process.stdout) {
      this.raw += decoder.decode(bytes, { stream: true });
      this.glass.write(bytes);
      await this.glass.settled();
      this.#client ??= Number(/^pid (\d+)/.exec(this.raw)?.[1]) || undefined;
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
    this.#hasEnded = true;
    this.#changed.resolve();
  }

  async type(keys: string): Promise<void> {
    await this.#keyboard.write(new TextEncoder().encode(keys));
  }

  /** The rows of the screen, times masked. */
  get rows(): string[] {
    return this.glass.rows().map(masked);
  }

  /** The last row of the screen that is not empty. */
  get lastRow(): string {
    return this.rows.findLast((row) => row !== "") ?? "";
  }

  /** Waits until the lines of the terminal are like this, from the begin of its scrollback; times are masked. */
  async until(isSo: (lines: string[]) => boolean): Promise<string[]> {
    const lines = () => this.glass.lines().map(masked);
    const wait = async () => {
      for (;;) {
        const changed = this.#changed.promise;
        if (isSo(lines())) return lines();
        if (this.#hasEnded) {
          throw new Error(`ended with ${JSON.stringify(lines(), null, 1)}`);
        }
        await changed;
      }
    };
    return await soon(
      wait(),
      () => `the terminal shows ${JSON.stringify(lines(), null, 1)}`,
    );
  }

  /** Waits until the last row that is not empty is this. */
  async untilLast(row: string | RegExp): Promise<string[]> {
    return await this.until(() =>
      typeof row === "string" ? this.lastRow === row : row.test(this.lastRow)
    );
  }

  /** Waits until the last rows of the screen that are not empty are these. */
  async untilRows(...rows: string[]): Promise<void> {
    await this.until(() => {
      const all = this.rows;
      while (all.at(-1) === "") all.pop();
      return all.slice(-rows.length).join("\n") === rows.join("\n");
    });
  }

  /** Waits until the client has ended; gives all lines, and what the shell says of it is the last. */
  async untilExit(): Promise<string[]> {
    return await this.untilLast(/^exit /);
  }

  /** Waits until something was written to the terminal that matches. */
  async untilRaw(pattern: RegExp): Promise<void> {
    await this.until(() => pattern.test(this.raw));
  }

  /** Sends the client a signal. */
  kill(signal: Deno.Signal): void {
    Deno.kill(this.#client!, signal);
  }

  /** The pseudo-terminal's file. */
  async device(): Promise<string> {
    await this.until(([, name]) => name?.startsWith("/dev/") ?? false);
    return this.glass.lines()[1]!;
  }

  /** Gives the terminal another size, and waits until the client has drawn its input for that. */
  async resize(columns: number, rows: number): Promise<void> {
    await this.glass.resize(columns, rows);
    const before = this.raw.length;
    const size = ["cols", String(columns), "rows", String(rows)];
    await new Deno.Command("stty", {
      args: ["-F", await this.device(), ...size],
    }).output();
    await this.until(() => this.raw.includes("\x1b[J", before));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Its input ends, and with it what holds the pseudo-terminal.
    for (const pid of [this.#client, this.#process.pid]) {
      try {
        if (pid) Deno.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
    await this.#keyboard.abort().catch(() => {});
    await this.#process.status;
    await soon(this.#showing, () => "somebody holds the pseudo-terminal");
  }
}

/** A line without the time at which it is shown. */
function masked(line: string): string {
  return line.replace(/^\d\d:\d\d /, "00:00 ");
}
