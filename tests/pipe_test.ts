/** chat-client in a pipe, as a process, with a room in this one. */

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { Link, LinkError } from "../lib/client/link.ts";
import { talkInPipe } from "../lib/client/pipe.ts";
import { ChatServer } from "../lib/server/listen.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "./assert.ts";
import {
  CLIENT_ARGS,
  clientProgram,
  noReset,
  Program,
  Room,
  testUnless,
  without,
} from "./fixtures.ts";

const welcome = (name: string, others = "1 other is here") =>
  `-- welcome, you are ${name}; ${others}; /help lists the commands`;

/** What a server says last when it has taken everything. */
const BYE = "-- bye: end of input";

Deno.test("chat-client sends the lines of its input, skips the empty ones, prints what arrives, and exits 0", async () => {
  await using room = new Room();
  using ann = await room.enter("ann");
  await using client = clientProgram("bob", String(room.server.port));
  await client.write("one\n\ntwo\r\n/who\n\nlast without an end");
  assertEquals(await client.result(), {
    code: 0,
    out: [welcome("bob"), "-- 2 here: ann, bob", BYE],
    errors: [],
  });
  assertEquals(await ann.heard(), [
    "[bob] entered room",
    "<bob> one",
    "<bob> two",
    "<bob> last without an end",
    "[bob] is offline",
  ]);
});

Deno.test("chat-client prints while its input is open", async () => {
  await using room = new Room();
  using ann = await room.enter("ann");
  await using client = clientProgram("bob", String(room.server.port));
  assertEquals(await client.out.next(), welcome("bob"));
  await ann.send("hello\n");
  assertEquals(await client.out.next(), "<ann> hello");
  await client.write("hi\n");
  await ann.until("<bob> hi");
});

Deno.test("chat-client --linger goes on printing after the end of input, and only then half-closes", async () => {
  await using room = new Room();
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

Deno.test("chat-client sends exactly the lines of its input, and neither the empty ones nor those that are too long", async () => {
  const taken = Promise.withResolvers<string>();
  await withServer(async (conn) => {
    taken.resolve(await readAll(conn));
    await conn.closeWrite();
  }, async (port) => {
    await using client = clientProgram("bob", String(port));
    const longest = "é".repeat(4096);
    await client.write(`one\n\n\n${longest}\n\r\n${longest}x\n  two\n\n`);
    const { code, errors } = await client.result();
    assertEquals(await taken.promise, `/nick bob\none\n${longest}\n  two\n`);
    assertEquals(errors, [
      "chat-client: line 6: a line of more than 8192 bytes was not sent",
      "chat-client: this server does not say whether it has taken everything",
    ]);
    assertEquals(code, 1);
  });
});

Deno.test("chat-client has every one of many lines delivered, in order", async () => {
  await using room = new Room();
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

Deno.test("chat-client exits 1 when a line is refused, names it, and sends the others", async () => {
  await using room = new Room();
  using ann = await room.enter("ann");
  await using client = clientProgram("bob", String(room.server.port));
  await client.write(
    `one\n/frobnicate x\n${"y".repeat(1025)}\n${
      "z".repeat(8193)
    }\n/nick ann\ntwo\n`,
  );
  const { code, out, errors } = await client.result();
  assertEquals(code, 1);
  assertEquals(errors, [
    "chat-client: line 4: a line of more than 8192 bytes was not sent",
    "chat-client: refused, unknown command, /help lists them: /frobnicate x",
    `chat-client: refused, 1025 bytes are too long, a message has at most 1024: ${
      "y".repeat(60)
    }…`,
    "chat-client: refused, that name is taken: /nick ann",
  ]);
  assertEquals(out.length, 5);
  assertEquals(await ann.heard(), [
    "[bob] entered room",
    "<bob> one",
    "<bob> two",
    "[bob] is offline",
  ]);
});

Deno.test("chat-client is called as its user is logged in, or as --name says", async () => {
  await using room = new Room();
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
  await using room = new Room();
  using _ann = await room.enter("ann");
  await using client = clientProgram("ANN", String(room.server.port));
  assertEquals(await client.result(), {
    code: 0,
    out: ["-- refused (that name is taken): /nick ANN", welcome("guest1"), BYE],
    errors: [
      'chat-client: the name "ANN" was refused, that name is taken; you are guest1',
    ],
  });
});

Deno.test("chat-client takes only the first refusal of its name for that of its name", async () => {
  await using room = new Room();
  using _ann = await room.enter("ann");
  for (const login of ["ann", "bob"]) {
    await using client = clientProgram(login, String(room.server.port));
    await client.write(`/nick ${login}\n`);
    const { code, errors } = await client.result();
    assertEquals(code, 1);
    assertMatch(
      errors.at(-1)!,
      new RegExp(`^chat-client: refused, .*: /nick ${login}$`),
    );
  }
});

Deno.test("chat-client tells once that its name was refused", async () => {
  await using room = new Room();
  using ann = await room.enter("ann");
  await using client = clientProgram("ann", String(room.server.port));
  await ann.until("[guest1] entered room");
  await ann.send("1\n2\n");
  await client.out.until("<ann> 2");
  await client.closeInput();
  assertEquals((await client.errors.rest()).length, 1);
});

Deno.test("chat-client finds the login name in LOGNAME and USERNAME, too", async () => {
  await using room = new Room();
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
  await using room = new Room();
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
  await using room = new Room();
  await using client = clientProgram("", String(room.server.port));
  await client.write("hi\n");
  assertEquals(await client.result(), {
    code: 0,
    out: [welcome("guest1", "nobody else is here"), BYE],
    errors: [],
  });
});

Deno.test("chat-client does not take a refused name for a refused line, also after it was greeted as a guest", async () => {
  await withServer(async (conn) => {
    await conn.write(
      new TextEncoder().encode(
        `${
          welcome("guest1")
        }\n-- refused (that name is taken): /nick bob\n${BYE}\n`,
      ),
    );
    await readAll(conn);
    await conn.closeWrite();
  }, async (port) => {
    await using client = clientProgram("bob", String(port));
    assertEquals(await client.result(), {
      code: 0,
      out: [
        welcome("guest1"),
        "-- refused (that name is taken): /nick bob",
        BYE,
      ],
      errors: [
        'chat-client: the name "bob" was refused, that name is taken; you are guest1',
      ],
    });
  });
});

Deno.test("chat-client leaves at /quit, and sends nothing after it", async () => {
  await using room = new Room();
  using ann = await room.enter("ann");
  await using client = clientProgram(
    "bob",
    "--linger",
    "3600",
    String(room.server.port),
  );
  await client.write("one\n/quit\ntwo\n");
  assertEquals(await client.result(), {
    code: 0,
    out: [welcome("bob"), "-- bye: you quit"],
    errors: [],
  });
  assertEquals(await ann.heard(), [
    "[bob] entered room",
    "<bob> one",
    "[bob] is offline",
  ]);
});

Deno.test("chat-client finds localhost", async () => {
  await using room = new Room();
  await using client = clientProgram("bob", `localhost:${room.server.port}`);
  assertEquals((await client.result()).out, [
    welcome("bob", "nobody else is here"),
    BYE,
  ]);
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

Deno.test("chat-client prints the last words of a server that stops, says that the link is lost, and exits 1", async () => {
  const room = new Room();
  await using client = clientProgram("bob", String(room.server.port));
  await client.out.next();
  await room.server.stop();
  assertEquals(await client.exit(), 1);
  assertEquals(await client.out.rest(), ["-- bye: the server is stopping"]);
  assertEquals(await client.errors.rest(), [
    "chat-client: the server closed the connection: the server is stopping",
  ]);
});

/** A server that does what it is told to one connection. */
async function withServer(
  serve: (conn: Deno.TcpConn) => Promise<unknown>,
  use: (port: number) => Promise<void>,
) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = listener.accept().then(async (conn) => {
    await serve(conn);
    return conn;
  });
  try {
    await use(listener.addr.port);
  } finally {
    listener.close();
    (await serving).close();
  }
}

/** What comes until the end of input. */
async function readAll(conn: Deno.TcpConn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(1024);
  let text = "";
  for (let count; (count = await conn.read(buffer)) !== null;) {
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return text;
}

Deno.test("chat-client exits 1 when a server of ours closes without having taken everything", async () => {
  for (
    const [last, error] of [
      ["", "chat-client: the server closed the connection"],
      [
        "-- bye: the server is stopping\n",
        "chat-client: the server closed the connection: the server is stopping",
      ],
    ] as const
  ) {
    await withServer(async (conn) => {
      await conn.write(new TextEncoder().encode(`${welcome("bob")}\n`));
      await readAll(conn);
      await conn.write(new TextEncoder().encode(last));
      await conn.closeWrite();
    }, async (port) => {
      await using client = clientProgram("bob", String(port));
      await client.write("hi\n");
      const { code, errors } = await client.result();
      assertEquals({ code, errors }, { code: 1, errors: [error] });
    });
  }
});

Deno.test("chat-client points out that a server which is not ours may not have taken everything", async () => {
  await withServer(async (conn) => {
    await readAll(conn);
    await conn.closeWrite();
  }, async (port) => {
    await using client = clientProgram("bob", String(port));
    await client.write("hi\n");
    assertEquals(await client.result(), {
      code: 0,
      out: [],
      errors: [
        "chat-client: this server does not say whether it has taken everything",
      ],
    });
  });
});

Deno.test("chat-client reads its input as the server will, also where /quit is concerned", async () => {
  await using room = new Room();
  using ann = await room.enter("ann");
  await using client = clientProgram("bob", String(room.server.port));
  await client.write("one\n\ufeff/qu\x01it\ntwo\n");
  assertEquals(await client.result(), {
    code: 0,
    out: [welcome("bob"), "-- bye: you quit"],
    errors: [],
  });
  assertEquals(await ann.heard(), [
    "[bob] entered room",
    "<bob> one",
    "[bob] is offline",
  ]);
});

testUnless(
  without("ps"),
  "chat-client refuses a line of its input that has no end, and does not keep it",
  async () => {
    await using room = new Room();
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
      errors: [
        "chat-client: line 1: a line of more than 8192 bytes was not sent",
      ],
    });
  },
);

Deno.test("chat-client takes a refusal of its name that comes after it was taken for one of a line", async () => {
  await withServer(async (conn) => {
    const late = [
      "[guest1] is now [bob]",
      "-- refused (you have that name already): /nick bob",
      BYE,
    ];
    await conn.write(
      new TextEncoder().encode(`${[welcome("guest1"), ...late].join("\n")}\n`),
    );
    await readAll(conn);
    await conn.closeWrite();
  }, async (port) => {
    await using client = clientProgram("bob", String(port));
    const { code, errors } = await client.result();
    assertEquals({ code, errors }, {
      code: 1,
      errors: ["chat-client: refused, you have that name already: /nick bob"],
    });
  });
});

Deno.test("talkInPipe() does not hold against the server how long the printing takes", async () => {
  await using room = new Room();
  const closingMs = 3000;
  const link = await Link.connect(
    { host: "127.0.0.1", port: room.server.port },
    "bob",
    closingMs,
  );
  let printed = "";
  const allTaken = await talkInPipe(link, {
    input: ReadableStream.from([
      new TextEncoder().encode("/help\n".repeat(2000)),
    ]),
    print: async (lines) => {
      // Once it takes longer than the server has in all.
      if (printed === "") {
        await new Promise((resolve) => setTimeout(resolve, closingMs + 500));
      }
      printed += lines;
    },
    notify: () => {},
    lingerMs: 0,
  });
  assertEquals(allTaken, true);
  assertEquals(
    printed.split("\n").filter((line) => line.startsWith("-- /quit ")).length,
    2000,
  );
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
    await using client = clientProgram(
      "bob",
      String((server.address() as AddressInfo).port),
    );
    assertEquals(await client.exit(), 1);
    assertMatch(
      (await client.errors.rest()).join("\n"),
      /^chat-client: the connection is lost: [^\n]+$/,
    );
    server.close();
  },
);

testUnless(
  without("sh"),
  "chat-client says in one line that it cannot read its input",
  async () => {
    await using room = new Room();
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

Deno.test("chat-client finds localhost where only ::1 listens", async () => {
  const server = new ChatServer({ host: "::1", port: 0 });
  await using client = clientProgram("bob", `localhost:${server.port}`);
  assertEquals((await client.result()).out, [
    welcome("bob", "nobody else is here"),
    BYE,
  ]);
  await server.stop();
});

Deno.test("chat-client waits 10 s at most for a server that does not close", async () => {
  await withServer(readAll, async (port) => {
    await using client = clientProgram("bob", String(port));
    const error =
      "chat-client: the server has not answered everything within 10 s";
    assertEquals(await client.result(), { code: 1, out: [], errors: [error] });
  });
});

Deno.test("talkInPipe() fails when the server does not close in time", async () => {
  await withServer(readAll, async (port) => {
    const link = await Link.connect({ host: "127.0.0.1", port }, "", 1);
    const talking = talkInPipe(link, {
      input: ReadableStream.from([]),
      print: () => Promise.resolve(),
      notify: () => {},
      lingerMs: 0,
    });
    await assertRejects(() => talking, LinkError, "within 0.001 s");
  });
});

Deno.test("chat-client cleans what a server sends of control characters", async () => {
  const hostile = "\x1b]52;c;aGk=\x07a\x1b[2J\u009b1mb\u202ec\rd\b\x7f\te\n";
  await withServer(async (conn) => {
    await conn.write(
      new TextEncoder().encode(hostile + "\xff".repeat(3) + "\n"),
    );
    await conn.closeWrite();
    await readAll(conn);
  }, async (port) => {
    await using client = clientProgram("bob", String(port));
    await client.closeInput();
    assertEquals(await client.out.rest(), ["]52;c;aGk=a[2J1mbcd\te", "ÿÿÿ"]);
  });
});

Deno.test("chat-client gives up on a server that sends a line without end", async () => {
  await withServer(async (conn) => {
    const endless = new Uint8Array(300 * 1024).fill(120);
    for (let rest = endless; rest.length > 0;) {
      rest = rest.subarray(await conn.write(rest));
    }
    await readAll(conn).catch(() => {});
  }, async (port) => {
    await using client = clientProgram("bob", String(port));
    assertEquals(await client.exit(), 1);
    assertEquals(await client.errors.rest(), [
      "chat-client: the server sent a line without end",
    ]);
  });
});

testUnless(
  without("head"),
  "chat-client says in one line that nobody reads what it prints",
  async () => {
    await using room = new Room();
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
