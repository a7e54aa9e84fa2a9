/** chat-client in a pipe, as a process, with a room in this one. */

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { Link, LinkError } from "../lib/client/link.ts";
import { talkInPipe } from "../lib/client/pipe.ts";
import { FINAL, PEACEFUL } from "../lib/message.ts";
import { ChatServer } from "../lib/server/listen.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "./assert.ts";
import { connect, FakeServer } from "./far_end.ts";
import {
  Bot,
  CLIENT_ARGS,
  clientProgram,
  type Frame,
  noReset,
  Program,
  Room,
  testUnless,
  Visitor,
  welcomeFrame,
  without,
} from "./fixtures.ts";

const welcome = (name: string, others = "1 other is here") =>
  `-- welcome, you are ${name}; ${others}; /help lists the commands`;

/** What a server says last to whoever quits. */
const BYE = "-- bye: you quit";

Deno.test("chat-client says the lines of its input whatever they begin with, skips the blank ones, prints what arrives, and exits 0", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await using client = clientProgram("bob", String(room.server.port));
  await client.write("one\n\ntwo\r\n/who\n \t\n//x\n/quit\nlast, no end");
  assertEquals(await client.result(), {
    code: 0,
    out: [welcome("bob"), BYE],
    errors: [],
  });
  assertEquals(await ann.heard(), [
    "[bob] entered room",
    "<bob> one",
    "<bob> two",
    "<bob> /who",
    "<bob> //x",
    "<bob> /quit",
    "<bob> last, no end",
    "[bob] is offline",
  ]);
});

Deno.test("chat-client prints what was said before, and what is said while its input is open", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await ann.send("early\n");
  await ann.heard();
  await using client = clientProgram("bob", String(room.server.port));
  const [first, head, message, now] = [
    await client.out.next(),
    await client.out.next(),
    await client.out.next(),
    await client.out.next(),
  ];
  assertEquals([first, head, now], [
    welcome("bob"),
    "-- 1 earlier message",
    "-- now",
  ]);
  assertMatch(message!, /^\d\d:\d\d <ann> early$/);
  await ann.send("hello\n");
  assertEquals(await client.out.next(), "<ann> hello");
  await client.write("hi\n");
  await ann.until("<bob> hi");
});

Deno.test("chat-client --linger goes on printing after the end of input, and only then quits", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await using patient = clientProgram(
    "bob",
    "--linger",
    "3600",
    String(room.server.port),
  );
  // A line without an end is sent when the input has ended.
  await patient.write("hi");
  await patient.closeInput();
  await ann.until("<bob> hi");
  for (let i = 0; i < 100; i++) {
    await ann.send(`still there ${i}?\n`);
    await patient.out.until(`<ann> still there ${i}?`);
  }
  assertEquals(await ann.heard(), []);

  await using brief = clientProgram(
    "carl",
    "--linger",
    "0.01",
    String(room.server.port),
  );
  assertEquals((await brief.result()).code, 0);
  await ann.until("[carl] is offline");
});

Deno.test("chat-client has every one of many lines delivered, in order", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await using client = clientProgram("bob", String(room.server.port));
  const lines = Array.from(
    { length: 20_000 },
    (_, i) => `line ${i} ${"x".repeat(i % 90)}`,
  );
  const done = client.write(lines.join("\n")).then(() => client.result());
  await ann.until("[bob] entered room");
  for (const line of lines) assertEquals(await ann.line(), `<bob> ${line}`);
  assertEquals((await done).code, 0);
});

Deno.test("chat-client exits 1 when a line is refused, names it, and says the others", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await using client = clientProgram("bob", String(room.server.port));
  await client.write(
    `one\n\n${"y".repeat(1025)}\n${"z".repeat(8193)}\ntwo\n`,
  );
  const { code, out, errors } = await client.result();
  assertEquals(code, 1);
  assertEquals(errors.toSorted(), [
    `chat-client: line 3: refused, 1025 bytes are too long, a message has at most 1024: ${
      "y".repeat(60)
    }…`,
    "chat-client: line 4: too long to be sent",
  ]);
  assertEquals(out, [welcome("bob"), BYE]);
  assertEquals(await ann.heard(), [
    "[bob] entered room",
    "<bob> one",
    "<bob> two",
    "[bob] is offline",
  ]);
});

Deno.test("chat-client reads its input as the server will", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await using client = clientProgram("bob", String(room.server.port));
  await client.write("\ufeffo\x01ne\n\x07\ntwo\x1b[2J\n");
  assertEquals((await client.result()).code, 0);
  assertEquals((await ann.heard()).slice(1, -1), [
    "<bob> one",
    "<bob> two[2J",
  ]);
});

Deno.test("chat-client is called as its user is logged in, or as --name says", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await using bob = clientProgram("bob", String(room.server.port));
  assertEquals((await bob.result()).out, [welcome("bob"), BYE]);
  await using carl = clientProgram(
    "bob",
    "--name",
    "Carl",
    String(room.server.port),
  );
  assertEquals((await carl.result()).out, [welcome("Carl"), BYE]);
  const joined = (await ann.heard()).filter((line) =>
    line.endsWith("entered room")
  );
  assertEquals(joined, ["[bob] entered room", "[Carl] entered room"]);
});

Deno.test("chat-client comes as a guest, with a notice, when its name is refused", async () => {
  await using room = await Room.open();
  using _ann = await room.enter("ann");
  await using client = clientProgram("ANN", String(room.server.port));
  const { code, out, errors } = await client.result();
  const guest = /you are (guest\d)/.exec(out[0] ?? "")?.[1] ?? "no guest";
  assertEquals({ code, out, errors }, {
    code: 0,
    out: [welcome(guest), BYE],
    errors: [
      `chat-client: the name "ANN" was refused, that name is taken; you are ${guest}`,
    ],
  });
});

Deno.test("chat-client finds the login name in LOGNAME and USERNAME, too", async () => {
  await using room = await Room.open();
  for (const variable of ["LOGNAME", "USERNAME"]) {
    const env = {
      USER: "",
      LOGNAME: "",
      USERNAME: "",
      [variable]: variable.toLowerCase(),
    };
    await using client = new Program(Deno.execPath(), [
      ...CLIENT_ARGS,
      String(room.server.port),
    ], env);
    assertEquals(
      (await client.result()).out[0],
      welcome(variable.toLowerCase(), "nobody else is here"),
    );
  }
});

Deno.test("chat-client comes as a guest, with a notice, when its name is none", async () => {
  await using room = await Room.open();
  await using client = clientProgram(
    "bob",
    "--name",
    "a\x1b b\nc",
    String(room.server.port),
  );
  await client.write("hi\n");
  const why = "a name has only letters, digits and _ - .";
  assertEquals(await client.result(), {
    code: 0,
    out: [welcome("guest1", "nobody else is here"), BYE],
    errors: [
      `chat-client: the name "a\\u001b b\\nc" was refused, ${why}; you are guest1`,
    ],
  });
});

Deno.test("chat-client comes as a guest when its user has no login name", async () => {
  await using room = await Room.open();
  await using client = clientProgram("", String(room.server.port));
  await client.write("hi\n");
  assertEquals(await client.result(), {
    code: 0,
    out: [welcome("guest1", "nobody else is here"), BYE],
    errors: [],
  });
});

Deno.test("chat-client finds localhost", async () => {
  await using room = await Room.open();
  await using client = clientProgram("bob", `localhost:${room.server.port}`);
  assertEquals((await client.result()).out, [
    welcome("bob", "nobody else is here"),
    BYE,
  ]);
});

Deno.test("chat-client finds localhost where only ::1 listens", async () => {
  const server = await ChatServer.start({ host: "::1", port: 0 });
  await using client = clientProgram("bob", `localhost:${server.port}`);
  assertEquals((await client.result()).out, [
    welcome("bob", "nobody else is here"),
    BYE,
  ]);
  await server.stop();
});

Deno.test("chat-client says in one line that it cannot connect, and exits 1", async () => {
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = String(free.addr.port);
  free.close();
  await using client = clientProgram("bob", port);
  assertEquals(await client.result(), {
    code: 1,
    out: [],
    errors: [
      `chat-client: cannot connect to 127.0.0.1:${port}: nobody listens there`,
    ],
  });
});

Deno.test("chat-client says in one line what is wrong with its flags, and exits 2", async () => {
  await using client = clientProgram("bob", "--port", "1");
  assertEquals(await client.result(), {
    code: 2,
    out: [],
    errors: ["chat-client: unknown flag --port (--help tells more)"],
  });
});

Deno.test("chat-client has its lines delivered though the server stops, says so, and finds the next one", async () => {
  const first = await Room.open();
  const { port } = first.server;
  await using client = clientProgram("bob", String(port));
  await client.out.next();
  await client.write("one\n");
  await first.server.stop();
  assertEquals(await client.out.next(), "-- bye: the server is stopping");
  assertEquals(
    await client.errors.next(),
    "chat-client: connection lost (the server is stopping); trying again in 1 s",
  );
  await client.write("two\n");
  const second = await ChatServer.start({ host: "127.0.0.1", port });
  const { code, errors } = await client.result();
  // Whether the first line was acknowledged before the server stopped is not known.
  assertMatch(
    errors.at(-1)!,
    /^chat-client: connected again; (1 line|2 lines) sent$/,
  );
  assertEquals(code, 0);
  using ann = await Visitor.connect(port);
  await ann.send("/nick ann\n");
  const history = (await ann.until("-- now")).join("\n");
  assertMatch(history, /<bob> two$/);
  ann.close();
  await second.stop();
});

Deno.test("chat-client exits 1 when the connection is lost and not to be made again, or not in time", async () => {
  const ways = [
    ["--no-reconnect", ""],
    ["--retry=0", "; given up after 0 s"],
    ["--retry=0.1", "; given up after 0.1 s"],
  ] as const;
  for (const [flag, gaveUp] of ways) {
    const room = await Room.open();
    await using client = clientProgram("bob", flag, String(room.server.port));
    await client.out.next();
    await room.server.stop();
    assertEquals(await client.exit(), 1);
    const why = (await client.errors.rest()).at(-1)!;
    assert(why.endsWith(gaveUp), why);
    if (flag !== "--retry=0.1") {
      assertEquals(
        why,
        `chat-client: connection lost (the server is stopping)${gaveUp}`,
      );
    }
  }
});

/** A server that welcomes one program, and then does what it is told to. */
async function withServer(
  serve: (bot: Bot) => Promise<unknown>,
  use: (client: Program) => Promise<void>,
) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = listener.accept().then(async (conn) => {
    using bot = new Bot(new Visitor(conn));
    await bot.until("hello");
    await bot.send(welcomeFrame("bob"));
    await serve(bot);
  });
  try {
    await using client = clientProgram("bob", String(listener.addr.port));
    await client.out.until(welcome("bob", "nobody else is here"));
    await use(client);
    await serving;
  } finally {
    listener.close();
  }
}

function said(seq: number, text: string): Frame {
  const time = "2026-01-02T03:04:05.678Z";
  return { type: "message", room: "lobby", seq, time, from: "ann", text };
}

Deno.test("chat-client quits only when everything is acknowledged, and exits 0 also if the connection is lost then", async () => {
  const printed = Promise.withResolvers<void>();
  await withServer(async (bot) => {
    const { id } = (await bot.until("say")).at(-1)!;
    await bot.send(said(1, "wait"));
    await printed.promise;
    await bot.send({ type: "ping" });
    assertEquals(await bot.frame(), { type: "pong" });
    await bot.send({ type: "later" }, { type: "ack", id, seq: 2 });
    assertEquals(await bot.frame(), { type: "quit" });
  }, async (client) => {
    await client.write("hi\n");
    await client.closeInput();
    await client.out.until("<ann> wait");
    printed.resolve();
    assertEquals(await client.exit(), 0);
    assertEquals(await client.errors.rest(), []);
  });
});

Deno.test("chat-client exits 1 when its session goes on elsewhere, and prints the last words of the server", async () => {
  const reason = "this session goes on in another connection";
  await withServer(
    (bot) => bot.send({ type: "bye", reason }),
    async (client) => {
      assertEquals(await client.exit(), 1);
      assertEquals(await client.out.rest(), [`-- bye: ${reason}`]);
      assertEquals(await client.errors.rest(), [
        `chat-client: connection lost (${reason})`,
      ]);
    },
  );
});

Deno.test("chat-client cleans what a server sends of control characters", async () => {
  const hostile = "\x1b]52;c;aGk=\x07a\x1b[2J\u009b1mb\u202ec\rd\b\x7f\te";
  await withServer(async (bot) => {
    await bot.send(said(1, hostile));
    await bot.until("quit");
  }, async (client) => {
    assertEquals(await client.out.next(), "<ann> ]52;c;aGk=a[2J1mbcd\te");
    await client.closeInput();
    await client.exit();
  });
});

Deno.test("chat-client gives up on a server that sends a line without end", async () => {
  await withServer(async (bot) => {
    await bot.visitor.send("x".repeat(300 * 1024)).catch(() => {});
  }, async (client) => {
    assertEquals(await client.exit(), 1);
    assertEquals(await client.errors.rest(), [
      "chat-client: connection lost (the server sent a line without end)",
    ]);
  });
});

testUnless(
  without("ps"),
  "chat-client refuses a line of its input that has no end, and does not keep it",
  async () => {
    await using room = await Room.open();
    using ann = await room.enter("ann");
    await using client = clientProgram("bob", String(room.server.port));
    const chunk = "x".repeat(1_000_000);
    for (let i = 0; i < 100; i++) await client.write(chunk);
    await client.write("\nshort\n");
    await ann.until("<bob> short");
    const { stdout } = await new Deno.Command("ps", {
      args: ["-o", "rss=", "-p", String(client.pid)],
    }).output();
    const kilobytes = Number(new TextDecoder().decode(stdout));
    assert(kilobytes > 0 && kilobytes < 200_000, `${kilobytes} kB`);
    const { code, errors } = await client.result();
    assertEquals({ code, errors }, {
      code: 1,
      errors: ["chat-client: line 1: too long to be sent"],
    });
  },
);

Deno.test("talkInPipe() stops reading its input while too much is not acknowledged", async () => {
  await using room = await Room.open();
  const link = await Link.connect({
    host: "127.0.0.1",
    port: room.server.port,
    name: "bob",
    maxUnacknowledged: 10,
    foreignMs: 3_600_000,
  });
  using ann = await room.enter("ann");
  // One line at a time, and one that waits in each stream on the way.
  let read = 0;
  const input = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (++read > 2000) controller.close();
      else controller.enqueue(new TextEncoder().encode(`${read}\n`));
    },
  });
  let readMeanwhile: number | undefined;
  const allTaken = await talkInPipe(link, {
    input,
    print: async () => {
      // No acknowledgement is heeded while this takes.
      for (let last = -1; readMeanwhile === undefined;) {
        if (last === read) readMeanwhile = read;
        last = read;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    notify: () => {},
    lingerMs: 0,
    json: false,
  });
  assertEquals(allTaken, true);
  assert(readMeanwhile && readMeanwhile < 100, String(readMeanwhile));
  assertEquals((await ann.heard()).length, 2001);
});

testUnless(
  noReset,
  "chat-client says in one line that the connection was reset, and exits 1",
  async () => {
    const server = createServer((socket) => {
      socket.once("data", () => socket.resetAndDestroy());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await using client = clientProgram("bob", String(port));
    assertEquals(await client.exit(), 1);
    const [error, ...more] = await client.errors.rest();
    assertMatch(
      error ?? "",
      /^chat-client: cannot connect to 127\.0\.0\.1:\d+: .*reset/i,
    );
    assertEquals(more, []);
    server.close();
  },
);

testUnless(
  without("sh"),
  "chat-client says in one line that it cannot read its input",
  async () => {
    await using room = await Room.open();
    const client = new Deno.Command("sh", {
      args: [
        "-c",
        'exec "$@" < /',
        "sh",
        Deno.execPath(),
        ...CLIENT_ARGS,
        String(room.server.port),
      ],
      env: { USER: "bob", NO_COLOR: "1" },
    });
    const { code, stderr } = await client.output();
    assertEquals(code, 1);
    assertMatch(
      new TextDecoder().decode(stderr),
      /^chat-client: cannot read the input: [^\n]+\n$/,
    );
  },
);

testUnless(
  Deno.build.os === "windows" ? "there are no such signals" : undefined,
  "chat-client leaves the room at once when it is told to end",
  async () => {
    const long = `${"x".repeat(1000)}\n`.repeat(5000);
    for (
      const [signal, code, input] of [
        ["SIGINT", 130, "hi\n"],
        ["SIGTERM", 143, "hi\n"],
        ["SIGINT", 130, `hi\n${long}`],
      ] as const
    ) {
      await using room = await Room.open();
      using ann = await room.enter("ann");
      await using client = clientProgram("bob", String(room.server.port));
      await client.out.next();
      const written = client.write(input).catch(() => {});
      await ann.until("<bob> hi");
      client.signal(signal);
      assertEquals(await client.exit(), code);
      await written;
      // It has quit, or its name would be held.
      await ann.until("[bob] is offline");
    }
  },
);

testUnless(
  without("head"),
  "chat-client says in one line that nobody reads what it prints",
  async () => {
    await using room = await Room.open();
    using ann = await room.enter("ann");
    await using shell = new Program("sh", [
      "-c",
      '"$@" | head -n 1',
      "sh",
      Deno.execPath(),
      ...CLIENT_ARGS,
      String(room.server.port),
    ], { USER: "bob" });
    assertEquals(await shell.out.next(), welcome("bob"));
    // Until the pipe is found broken, some may still be written into it.
    let heard: string[];
    do {
      await ann.send("hello\n");
      heard = await ann.heard();
    } while (!heard.includes("[bob] is offline"));
    const [error, ...more] = await shell.errors.rest();
    assertMatch(error ?? "", /^chat-client: cannot write what arrived: /);
    assert(more.length === 0, more.join("\n"));
  },
);

Deno.test("chat-client --json prints what the server says as frames, but what answers its own pings", async () => {
  const welcomed = welcomeFrame("bob");
  const refusal = { code: "storage", message: "the disk is full" };
  const frames: Frame[] = [
    said(1, "one"),
    { type: "pong" },
    { type: "ack", id: "1", seq: 2 },
    said(2, "mine"),
    { type: "error", ...refusal, id: "2" },
    { type: "left", room: "lobby", name: "ann", offline: true },
    { type: "bye", reason: PEACEFUL.quit },
  ];
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using client = clientProgram(
    "bob",
    "--json",
    String(listener.addr.port),
  );
  using bot = new Bot(new Visitor(await listener.accept()));
  listener.close();
  await bot.until("hello");
  await bot.send(welcomed);
  await client.write(`mine\nyours\n${"z".repeat(8193)}\n`);
  await client.closeInput();
  await bot.until("say");
  await bot.until("say");
  await bot.send(...frames);
  await bot.until("quit");
  bot.close();
  const { code, out, errors } = await client.result();
  assertEquals(code, 1);
  assertEquals(
    out.map((line) => JSON.parse(line)),
    [welcomed, ...frames.filter(({ type }) => type !== "pong")],
  );
  assertEquals(errors.toSorted(), [
    "chat-client: line 2: refused, the disk is full: yours",
    "chat-client: line 3: too long to be sent",
  ]);
});

Deno.test("talkInPipe() prints as frames what was missed, once, and says elsewhere what happens to the connection", async () => {
  using server = new FakeServer();
  const connecting = connect(server);
  const [first] = await server.welcome();
  const link = await connecting;
  const notices: string[] = [];
  let out = "";
  const talking = talkInPipe(link, {
    input: new ReadableStream(),
    print: (lines) => {
      out += lines;
      return Promise.resolve();
    },
    notify: (notice) => void notices.push(notice),
    lingerMs: 0,
    json: true,
  });
  const failed = assertRejects(() => talking, LinkError);
  await first.send(said(1, "one"));
  first.close();
  const lobby = { room: "lobby", log: "a", seq: 2, count: 1 };
  const [second] = await server.welcome({ rooms: [lobby] });
  await second.send(said(1, "one"), said(2, "two"));
  await second.send({ type: "bye", reason: FINAL.replaced });
  await failed;
  const frames: Frame[] = out.trimEnd().split("\n")
    .map((line) => JSON.parse(line));
  assertEquals(frames, [
    welcomeFrame("ann"),
    said(1, "one"),
    welcomeFrame("ann", { rooms: [lobby] }),
    said(2, "two"),
    { type: "bye", reason: FINAL.replaced },
  ]);
  assertEquals(notices.slice(1), ["connected again"]);
});

testUnless(
  Deno.build.os === "linux"
    ? without("script")
    : "it takes script of util-linux",
  "chat-client --json prints frames at a terminal, too",
  async () => {
    await using room = await Room.open();
    const command = [
      Deno.execPath(),
      ...CLIENT_ARGS,
      "--json",
      String(room.server.port),
    ].map((word) => `'${word}'`).join(" ");
    await using terminal = new Program("script", [
      "--quiet",
      "--flush",
      "--return",
      "--command",
      `stty -echo; exec ${command}`,
      "/dev/null",
    ], { USER: "bob", SHELL: "/bin/sh" });
    const { type, name } = JSON.parse(await terminal.out.next() ?? "");
    assertEquals({ type, name }, { type: "welcome", name: "bob" });
    // Ctrl-D
    await terminal.write("hi\n\x04");
    assertEquals(await terminal.exit(), 0);
    const frames: Frame[] = (await terminal.out.rest())
      .map((line) => JSON.parse(line));
    assertEquals(
      frames.map(({ type }) => type).toSorted(),
      ["ack", "bye", "message"],
    );
  },
);
