/** chat-client in tmux, which wraps anew what is drawn when it is resized, as xterm does not. */

import { assertEquals } from "./assert.ts";
import {
  CLIENT_ARGS,
  Room,
  shellFault,
  soon,
  testUnless,
  without,
} from "./fixtures.ts";

const missing = without("tmux", "stty");

/** A window of tmux in which a client runs, on a server of tmux of its own. */
class Pane implements AsyncDisposable {
  readonly #socket = `deno-chat-${crypto.randomUUID()}`;

  /** A pane of this size, with the client in it. */
  static async open(port: number, size: Size): Promise<Pane> {
    const pane = new Pane();
    const client = [Deno.execPath(), ...CLIENT_ARGS, "--quiet", String(port)]
      .map((word) => `'${word}'`).join(" ");
    await pane.#tmux(
      ...["-f", "/dev/null", "new-session", "-d"],
      ...["-x", String(size[0]), "-y", String(size[1])],
      ...["-e", "USER=ann", "-e", "NO_COLOR=1", client],
    );
    return pane;
  }

  async type(text: string): Promise<void> {
    await this.#tmux("send-keys", "-l", text);
  }

  async resize([columns, rows]: Size): Promise<void> {
    const size = ["-x", String(columns), "-y", String(rows)];
    await this.#tmux("resize-window", ...size);
    // tmux tells of it a quarter of a second later, if it is not the first time.
    const tty = (await this.#tmux("display", "-p", "#{pane_tty}")).trim();
    const isTold = () =>
      shellFault(
        '[ "$(stty -F "$1" size)" = "$2" ]',
        tty,
        `${rows} ${columns}`,
      ) === undefined;
    await repeat(
      () => Promise.resolve(isTold() || undefined),
      () => "a new size",
    );
  }

  /** Waits until its lines are like this, scrollback and all, without blanks and times; wrapped ones are joined. */
  async until(isSo: (lines: string[]) => boolean): Promise<string[]> {
    let lines: string[] = [];
    return await repeat(async () => {
      const shown = await this.#tmux("capture-pane", "-p", "-J", "-S", "-");
      lines = shown.split("\n").map(bare).filter((line) => line !== "");
      return isSo(lines) ? lines : undefined;
    }, () => JSON.stringify(lines, null, 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux("kill-server");
  }

  async #tmux(...args: string[]): Promise<string> {
    const { stdout } = await new Deno.Command("tmux", {
      args: ["-L", this.#socket, ...args],
    }).output();
    return new TextDecoder().decode(stdout);
  }
}

/** Does something until it gives something. */
async function repeat<T>(
  act: () => Promise<T | undefined>,
  what: () => string,
): Promise<T> {
  let isOver = false;
  const repeating = async () => {
    for (;;) {
      const given = await act();
      if (given !== undefined) return given;
      if (isOver) throw new Error(what());
    }
  };
  return await soon(repeating(), () => {
    isOver = true;
    return what();
  });
}

type Size = readonly [columns: number, rows: number];

function bare(line: string): string {
  return line.replaceAll(" ", "").replace(/^\d\d:\d\d/, "");
}

for (
  const [name, sizes] of [
    ["gentle", [[70, 20], [90, 24], [60, 16], [80, 24]]],
    ["sudden", [[40, 10], [120, 40], [33, 12], [100, 9], [50, 40]]],
    ["to next to nothing and back", [[80, 3], [80, 24], [80, 4], [80, 30]]],
  ] as const
) {
  for (const length of [20, 120, 600]) {
    testUnless(
      missing,
      `chat-client in tmux leaves nothing over and loses no message with ${length} characters typed and sizes that change: ${name}`,
      async () => {
        await using room = await Room.open();
        using bob = await room.enter("bob");
        await using pane = await Pane.open(room.server.port, [80, 24]);
        await pane.until((lines) => lines.at(-1) === "lobbyann>");
        // On a screen that is not full, tmux pushes what is at its top into the scrollback when lines become longer.
        const filled = Array.from({ length: 60 }, (_, i) => `filled ${i}`);
        await bob.send(filled.map((line) => `${line}\n`).join(""));
        await pane.until((lines) => lines.includes("<bob>filled59"));
        const typed = "abcdefghij".repeat(length / 10);
        await pane.type(`${typed}!`);
        await pane.until((lines) => lines.at(-1)!.endsWith("j!"));
        const said: string[] = [];
        for (const size of sizes) {
          await pane.resize(size);
          // What a tiny screen has pushed into the scrollback comes back, unless something is printed meanwhile.
          if (size[1] < 9) continue;
          said.push(`${size.join("x")}`);
          await bob.send(`${said.at(-1)}\n`);
          await pane.until((lines) =>
            lines.includes(`<bob>${said.at(-1)}`) &&
            lines.at(-1)!.endsWith("j!")
          );
        }
        await pane.resize([240, 40]);
        await bob.send("done\n");
        const lines = await pane.until((lines) =>
          lines.at(-2) === "<bob>done" && lines.at(-1)!.endsWith("j!")
        );
        const welcome =
          "--welcome,youareann;1otherishere;/helpliststhecommands";
        assertEquals(lines, [
          welcome,
          ...filled.map((text) => `<bob>${bare(text)}`),
          ...said.map((text) => `<bob>${text}`),
          "<bob>done",
          `lobbyann>${typed}!`,
        ]);
      },
    );
  }
}
