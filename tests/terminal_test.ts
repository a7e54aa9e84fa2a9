/** chat-client at a terminal: the real program on a pseudo-terminal, seen through xterm. */

import { ChatServer } from "../lib/server/listen.ts";
import { assert, assertEquals } from "./assert.ts";
import {
  Bot,
  CLIENT_ARGS,
  Program,
  Room,
  soon,
  testUnless,
  Visitor,
  welcomeFrame,
  without,
} from "./fixtures.ts";
import { Glass } from "./glass.ts";

// script of util-linux; that of macOS takes other flags.
const missing = Deno.build.os === "linux"
  ? without("script", "stty")
  : "it takes script of util-linux";

function terminalTest(name: string, fn: () => Promise<void>): void {
  testUnless(missing, name, fn);
}

/** A pseudo-terminal in which a shell starts chat-client, and says afterwards how it ended and in what state. */
class Desk implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #keyboard: WritableStreamDefaultWriter<Uint8Array>;
  readonly #glass: Glass;
  readonly #showing: Promise<void>;
  #changed = Promise.withResolvers<void>();
  /** The client's process id: the first line that the shell prints. */
  #client: number | undefined;

  constructor(
    port: number,
    columns: number,
    rows: number,
    flags: readonly string[] = [],
  ) {
    this.#glass = new Glass(columns, rows);
    const client = [Deno.execPath(), ...CLIENT_ARGS, ...flags, String(port)]
      .map((word) => `'${word}'`).join(" ");
    const session = `stty cols ${columns} rows ${rows}; before=$(stty -g); ` +
      `sh -c 'echo pid $$; tty; exec "$@"' sh ${client}; code=$?; ` +
      `[ "$(stty -g)" = "$before" ] && echo "exit $code, sane" || { stty sane; echo "exit $code, NOT sane"; }`;
    this.#process = new Deno.Command("script", {
      args: ["--quiet", "--flush", "--command", session, "/dev/null"],
      env: {
        USER: "ann",
        TERM: "xterm-256color",
        SHELL: "/bin/sh",
        NO_COLOR: "1",
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#keyboard = this.#process.stdin.getWriter();
    this.#showing = this.#show();
  }

  async #show(): Promise<void> {
    for await (const bytes of this.#process.stdout) {
      this.#glass.write(bytes);
      await this.#glass.settled();
      this.#client ??=
        Number(/^pid (\d+)$/.exec(this.#glass.lines()[0] ?? "")?.[1]) ||
        undefined;
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
    this.#changed.resolve();
  }

  async type(keys: string): Promise<void> {
    await this.#keyboard.write(new TextEncoder().encode(keys));
  }

  /** Waits until the lines of the terminal are like this, from the begin of its scrollback. */
  async until(isSo: (lines: string[]) => boolean): Promise<string[]> {
    for (;;) {
      const changed = this.#changed.promise;
      const lines = this.#glass.lines();
      if (isSo(lines)) return lines;
      await soon(
        changed,
        () => `the terminal shows ${JSON.stringify(lines, null, 1)}`,
      );
    }
  }

  /** Waits until the last line is this. */
  async untilLast(line: string): Promise<string[]> {
    return await this.until((lines) => lines.at(-1) === line);
  }

  /** The screen, row by row. */
  screen(): string[] {
    return this.#glass.screen();
  }

  /** Sends the client a signal. */
  kill(signal: Deno.Signal): void {
    Deno.kill(this.#client!, signal);
  }

  /** Makes the terminal wider or narrower, and waits until the client has drawn its input for that. */
  async resize(columns: number): Promise<void> {
    await this.#glass.resize(columns, this.#glass.size().rows);
    const [, name] = await this.until(([, name]) =>
      name?.startsWith("/dev/") ?? false
    );
    await new Deno.Command("stty", {
      args: ["-F", name!, "cols", String(columns)],
    }).output();
    await this.until(() => this.#glass.isDrawn);
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

const WELCOME =
  "-- welcome, you are ann; 1 other is here; /help lists the commands";

/** A client at a desk, welcomed, and bob in the same room. */
async function desk(
  room: Room,
  columns = 80,
  rows = 12,
  flags: readonly string[] = [],
): Promise<{ ann: Desk; bob: Visitor }> {
  const bob = await room.enter("bob");
  const ann = new Desk(room.server.port, columns, rows, flags);
  await ann.until((lines) =>
    lines.at(-1) === "you>" && lines.at(-2) === WELCOME
  );
  await bob.until("[ann] entered room");
  return { ann, bob };
}

/** A client at a desk, and a server that has welcomed it and does nothing more by itself. */
async function deskWithServer(): Promise<{ ann: Desk; server: Bot }> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const ann = new Desk(listener.addr.port, 100, 8);
  const server = new Bot(new Visitor(await listener.accept()));
  listener.close();
  await server.until("hello");
  const lobby = { room: "lobby", log: "a", seq: 0, count: 2 };
  await server.send(welcomeFrame("ann", { rooms: [lobby] }));
  await ann.until((lines) =>
    lines.at(-1) === "you>" && lines.at(-2) === WELCOME
  );
  return { ann, server };
}

terminalTest(
  "chat-client sends what is typed at Enter, and prints what arrives above the prompt",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room);
    await using _ann = ann;
    using _bob = bob;
    await ann.type("hello\r");
    assertEquals(await bob.line(), "<ann> hello");
    await bob.send("hi ann\n");
    assertEquals(
      (await ann.until((lines) =>
        lines.includes("<bob> hi ann") && lines.at(-1) === "you>"
      )).slice(2),
      [
        WELCOME,
        "you> hello",
        "<bob> hi ann",
        "you>",
      ],
    );
  },
);

terminalTest(
  "chat-client never garbles the line being typed while messages arrive",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room, 30, 10);
    await using _ann = ann;
    using _bob = bob;
    const draft =
      "a draft that is longer than two rows of this terminal, 日本語 too";
    const sent: string[] = [];
    for (const [i, character] of [...draft].entries()) {
      await ann.type(character);
      sent.push(`message ${i} which is longer than a row of it`);
      await bob.send(`${sent.at(-1)}\n`);
    }
    // To the middle of the line, and on.
    await ann.type("\x01\x1b[C\x1b[C");
    for (let i = 0; i < 200; i++) {
      sent.push(`more ${i}`);
      await bob.send(`more ${i}\n`);
    }
    const last = `<bob> ${sent.at(-1)}`;
    const shown = await ann.until((lines) =>
      lines.includes(last) && lines.at(-1) === ", 日本語 too"
    );
    assertEquals(
      shown.filter((line) => line.startsWith("<bob>")),
      sent.map((text) => `<bob> ${text}`),
    );
    const input = shown.slice(shown.indexOf(last) + 1);
    assertEquals(input, [
      "you> a draft that is longer t",
      "han two rows of this terminal",
      ", 日本語 too",
    ]);
    await ann.type("!\r");
    assertEquals(
      await bob.line(),
      `<ann> ${draft.slice(0, 2)}!${draft.slice(2)}`,
    );
  },
);

terminalTest(
  "chat-client shows a pasted text as one line, and sends its lines as messages",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room);
    await using _ann = ann;
    using _bob = bob;
    await ann.type("\x1b[200~one\ntwo\n\nthree\x1b[201~");
    await ann.untilLast("you> one⏎two⏎⏎three");
    assertEquals(await bob.heard(), []);
    await ann.type("\r");
    assertEquals([await bob.line(), await bob.line(), await bob.line()], [
      "<ann> one",
      "<ann> two",
      "<ann> three",
    ]);
    assertEquals((await ann.untilLast("you>")).slice(3), [
      "you> one",
      "you> two",
      "you> three",
      "you>",
    ]);
  },
);

terminalTest(
  "chat-client keeps a line that is too long to be sent in the input",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room, 100, 12);
    await using _ann = ann;
    using _bob = bob;
    await ann.type(`\x1b[200~${"x".repeat(8193)}\x1b[201~\r`);
    await ann.until((lines) =>
      lines.includes(
        "-- too long to be sent",
      )
    );
    await ann.type("\x15short\r");
    assertEquals(await bob.line(), "<ann> short");
  },
);

terminalTest(
  "chat-client cleans what arrives before it comes to the terminal",
  async () => {
    const { ann, server } = await deskWithServer();
    await using _ann = ann;
    using _server = server;
    await server.send({
      type: "message",
      room: "lobby",
      seq: 1,
      time: "2026-01-02T03:04:05.678Z",
      from: "eve\x1b[2J",
      text: "\x1b[2J\x1b[H\x1b]0;title\x07one\rtwo\b\u009b5mthree\u202e",
    });
    const shown = "<eve[2J> [2J[H]0;titleonetwo5mthree";
    const lines = await ann.until((lines) =>
      lines.includes(shown) && lines.at(-1) === "you>"
    );
    assertEquals(lines.slice(3), [shown, "you>"]);
  },
);

for (
  const [keys, how] of [["\x04", "Ctrl-D"], ["\x03", "Ctrl-C"], [
    "/quit\r",
    "/quit",
  ]] as const
) {
  terminalTest(
    `chat-client leaves at ${how}, has what was sent before delivered, and gives the terminal back`,
    async () => {
      await using room = await Room.open();
      const { ann, bob } = await desk(room);
      await using _ann = ann;
      using _bob = bob;
      await ann.type(`last\r${keys}`);
      const lines = await ann.until((lines) =>
        lines.at(-1)!.startsWith("exit")
      );
      assertEquals(lines.at(-1), "exit 0, sane");
      assertEquals([await bob.line(), await bob.line()], [
        "<ann> last",
        "[ann] is offline",
      ]);
    },
  );
}

for (
  const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129], [
    "SIGQUIT",
    131,
  ]] as const
) {
  terminalTest(
    `chat-client gives the terminal back on ${signal}, and what was being typed stays on it`,
    async () => {
      await using room = await Room.open();
      const { ann, bob } = await desk(room);
      await using _ann = ann;
      using _bob = bob;
      await ann.type("half a li");
      await ann.untilLast("you> half a li");
      ann.kill(signal);
      const lines = await ann.until((lines) =>
        lines.at(-1)!.startsWith("exit")
      );
      assertEquals(lines.slice(-2), ["you> half a li", `exit ${code}, sane`]);
      // It has quit, or its name would be held.
      assertEquals(await bob.line(), "[ann] is offline");
    },
  );
}

terminalTest(
  "chat-client gives the terminal back when the link is lost for good, and says so in one line",
  async () => {
    const room = await Room.open();
    const { ann, bob } = await desk(room, 80, 12, ["--no-reconnect"]);
    await using _ann = ann;
    bob.close();
    await ann.type("half a li");
    await ann.untilLast("you> half a li");
    await room.server.stop();
    const lines = await ann.until((lines) => lines.at(-1)!.startsWith("exit"));
    assertEquals(lines.slice(-4), [
      "-- bye: the server is stopping",
      "you> half a li",
      "chat-client: connection lost (the server is stopping)",
      "exit 1, sane",
    ]);
  },
);

terminalTest(
  "chat-client keeps what is typed without a connection, and says it when it is connected again",
  async () => {
    const room = await Room.open();
    const { port } = room.server;
    const { ann, bob } = await desk(room, 100, 20);
    await using _ann = ann;
    bob.close();
    await ann.type("half");
    await ann.untilLast("you> half");
    await room.server.stop();
    await ann.until((lines) =>
      lines.at(-2) ===
        "-- connection lost (the server is stopping); trying again in 1 s" &&
      lines.at(-1) === "you> half"
    );
    await ann.type(" a line\r/who\r");
    await ann.until((lines) =>
      lines.includes("-- refused (there is no connection): /who")
    );
    const next = await ChatServer.start({ host: "127.0.0.1", port });
    const lines = await ann.until((lines) =>
      lines.includes("-- connected again; 1 line sent")
    );
    const typed = lines.indexOf("you> half a line");
    assertEquals(lines[typed + 1], "-- not connected, 1 line waits");
    using carl = await Visitor.connect(port);
    // Its line may be among those that were said before carl came.
    await carl.send("/nick carl\n");
    await carl.until(/<ann> half a line$/);
    await ann.type("and on\r");
    await carl.until("<ann> and on");
    await ann.type("\x04");
    await ann.until((lines) => lines.at(-1) === "exit 0, sane");
    carl.close();
    await next.stop();
  },
);

terminalTest(
  "chat-client is in several rooms, and names those that are not the current one",
  async () => {
    await using room = await Room.open();
    using dan = await room.enter("dan");
    await dan.send("/join dev\n");
    await dan.until(/^-- you are in dev/);
    const { ann, bob } = await desk(room, 80, 20);
    await using _ann = ann;
    using _bob = bob;
    await ann.type("/join dev\r");
    await dan.until("[ann] entered room");
    await ann.until((lines) =>
      lines.includes("-- you are in dev; 1 other is here")
    );
    await ann.type("hi dev\r/me waves\r");
    assertEquals(await dan.take(2), ["<ann> hi dev", "* ann waves"]);
    await bob.send("hi lobby\n/msg ann psst\n");
    await ann.until((lines) => lines.includes("[bob -> you] psst"));
    await ann.type("/reply well\r");
    await bob.until("[ann -> you] well");
    await dan.send("hi\n");
    await ann.until((lines) => lines.includes("<dan> hi"));
    await ann.type("/leave\r");
    await dan.until("[ann] left room");
    const lines = await ann.until((lines) =>
      lines.includes("-- you are in lobby") && lines.at(-1) === "you>"
    );
    assertEquals(lines.slice(lines.indexOf("you> /join dev")), [
      "you> /join dev",
      "-- you are in dev; 1 other is here",
      "you> hi dev",
      "you> /me waves",
      "lobby: <bob> hi lobby",
      "[bob -> you] psst",
      "you> /reply well",
      "<dan> hi",
      "you> /leave",
      "-- you are in lobby",
      "you>",
    ]);
    await ann.type("back\r");
    await bob.until("<ann> back");
  },
);

terminalTest(
  "chat-client marks what was said before it came",
  async () => {
    await using room = await Room.open();
    using bob = await room.enter("bob");
    await bob.send("one\n/me two\n");
    await bob.heard();
    await using ann = new Desk(room.server.port, 80, 12);
    const lines = await ann.until((lines) =>
      lines.includes("-- now") && lines.at(-1) === "you>"
    );
    assertEquals(
      lines.slice(2).map((line) => line.replace(/^\d\d:\d\d /, "00:00 ")),
      [
        WELCOME,
        "-- 2 earlier messages",
        "00:00 <bob> one",
        "00:00 * bob two",
        "-- now",
        "you>",
      ],
    );
  },
);

terminalTest(
  "chat-client never touches the terminal when it cannot connect",
  async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    await using ann = new Desk(port, 80, 8);
    const lines = await ann.until((lines) =>
      lines.at(-1)?.startsWith("exit") ?? false
    );
    assertEquals(lines.slice(2), [
      `chat-client: cannot connect to 127.0.0.1:${port}: nobody listens there`,
      "exit 1, sane",
    ]);
  },
);

terminalTest(
  "chat-client tells of a refused name, and shows refusals",
  async () => {
    await using room = await Room.open();
    using _other = await room.enter("ann");
    await using ann = new Desk(room.server.port, 100, 8);
    const refused = '-- the name "ann" was refused, that name is taken; ';
    const lines = await ann.until((lines) =>
      lines.some((line) => line.startsWith(refused)) &&
      lines.at(-1) === "you>"
    );
    const guest = /you are (guest\d+)/.exec(lines[2]!)?.[1] ?? "no guest";
    const notice = `${refused}you are ${guest}`;
    assertEquals(
      lines.slice(2),
      [
        WELCOME.replace("ann", guest),
        notice,
        "you>",
      ],
    );
    await ann.type("/x\r/nick you\r");
    const refusals = await ann.until((lines) =>
      lines.includes("-- refused (unknown command, /help lists them): /x") &&
      lines.includes("-- refused (that name is reserved): /nick you")
    );
    assert(!refusals.join().includes("chat-client:"));
  },
);

terminalTest(
  "chat-client draws its input anew when the terminal is resized",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room, 60, 10);
    await using _ann = ann;
    using _bob = bob;
    await ann.type("half a line");
    await ann.untilLast("you> half a line");
    for (const columns of [90, 40, 60]) {
      await ann.resize(columns);
      const text = `${columns} columns, and ${"x".repeat(columns)}`;
      await bob.send(`${text}\n`);
      await ann.until((lines) =>
        lines.includes(`<bob> ${text}`) && lines.at(-1) === "you> half a line"
      );
    }
    const shown = await ann.untilLast("you> half a line");
    assertEquals(shown.filter((line) => line.startsWith("you>")), [
      "you> half a line",
    ]);
    await ann.type("\x02\x02-\r");
    assertEquals(await bob.line(), "<ann> half a li-ne");
  },
);

terminalTest(
  "chat-client is not stopped with the terminal in raw mode",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room);
    await using _ann = ann;
    using _bob = bob;
    for (const signal of ["SIGTSTP", "SIGTTIN", "SIGTTOU"] as const) {
      ann.kill(
        signal,
      );
    }
    await ann.type("\x1ahi\r");
    assertEquals(await bob.line(), "<ann> hi");
  },
);

terminalTest(
  "chat-client quits at Ctrl-D only in an empty line; otherwise it deletes",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room);
    await using _ann = ann;
    using _bob = bob;
    await ann.type("ab\x01\x04\r");
    assertEquals(await bob.line(), "<ann> b");
  },
);

terminalTest(
  "chat-client gives the terminal back before it waits for a server, 10 s at most",
  async () => {
    const { ann, server } = await deskWithServer();
    await using _ann = ann;
    using _server = server;
    await ann.type("one\rhalf\x03");
    await server.until("say");
    // The terminal echoes again what is typed.
    const lines = await ann.until((lines) => lines.at(-1)!.startsWith("exit"));
    assertEquals(lines.slice(3), [
      "you> one",
      "you> half",
      "chat-client: 1 message was not acknowledged: the server has not answered everything within 10 s",
      "exit 1, sane",
    ]);
    assertEquals(await server.rest(), []);
  },
);

for (
  const [command, how] of [["echo hi | CLIENT", "its input is a pipe"], [
    "CLIENT | cat",
    "its output is",
  ]] as const
) {
  terminalTest(
    `chat-client is no terminal program when only ${how}`,
    async () => {
      await using room = await Room.open();
      using ann = await room.enter("ann");
      const client = [Deno.execPath(), ...CLIENT_ARGS, String(room.server.port)]
        .join(" ");
      const line = `stty -echo; ${command.replace("CLIENT", client)}; echo end`;
      await using script = new Program("script", [
        "--quiet",
        "--flush",
        "--command",
        line,
        "/dev/null",
      ], {
        USER: "bob",
        SHELL: "/bin/sh",
      });
      await ann.until("[bob] entered room");
      if (how === "its output is") await script.write("hi\n");
      await ann.until("<bob> hi");
      if (how === "its output is") await script.write("\x04");
      assertEquals(
        (await script.out.until(/^end/)).map((line) => line.trimEnd()),
        [
          "-- welcome, you are bob; 1 other is here; /help lists the commands",
          "-- bye: you quit",
        ],
      );
    },
  );
}
