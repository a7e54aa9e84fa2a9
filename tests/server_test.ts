/** chat-server as a process: what it prints, how it fails, how it stops. */

import { once } from "node:events";
import { connect } from "node:net";
import { assert, assertEquals, assertMatch } from "./assert.ts";
import {
  Lines,
  listening,
  noReset,
  Program,
  SERVER_ARGS,
  serverProgram,
  soon,
  testUnless,
  Visitor,
  without,
} from "./fixtures.ts";

const unixOnly = Deno.build.os === "windows"
  ? "one process cannot signal another on Windows"
  : undefined;

testUnless(
  unixOnly,
  "chat-server prints exactly one line on stdout, once it can be connected to",
  async () => {
    await using server = serverProgram("--port", "0");
    const line = await server.out.next();
    assertMatch(line ?? "", /^Chat server listening on 127\.0\.0\.1:\d+$/);
    using visitor = await Visitor.connect(Number(line!.split(":")[1]));
    await visitor.enter("ann");
    await visitor.send("/quit\n");
    await visitor.rest();
    server.signal("SIGINT");
    assertEquals(await server.exit(), 0);
    assertEquals(await server.out.rest(), []);
  },
);

Deno.test("chat-server listens on the address it is told", async () => {
  await using server = serverProgram("-H", "::1", "-p", "0");
  const line = await server.out.next();
  const port = Number(
    /^Chat server listening on \[::1\]:(\d+)$/.exec(line ?? "")?.[1],
  );
  using visitor = new Visitor(await Deno.connect({ hostname: "::1", port }));
  await visitor.enter("ann");
  assertEquals(
    server.errors.seen.filter((line) => line.includes("warning")),
    [],
  );
});

Deno.test("chat-server --help and --version print to stdout and exit 0", async () => {
  for (
    const [flag, first] of [["--help", /^Usage: chat-server \[options\]$/], [
      "--version",
      /^chat-server \d/,
    ]]
  ) {
    await using server = serverProgram(flag as string);
    const { code, out, errors } = await server.result();
    assertEquals({ code, errors }, { code: 0, errors: [] });
    assertMatch(out[0] ?? "", first as RegExp);
  }
});

Deno.test("chat-server says in one line what is wrong with its flags, and exits 2", async () => {
  for (
    const [flags, error] of [
      [["--prot", "1"], "chat-server: unknown flag --prot (--help tells more)"],
      [
        ["--port", "x"],
        'chat-server: --port "x" will not do: a port is a whole number from 0 to 65535 (--help tells more)',
      ],
    ] as const
  ) {
    await using server = serverProgram(...flags);
    assertEquals(await server.result(), { code: 2, out: [], errors: [error] });
  }
});

testUnless(
  Deno.build.os === "linux" ? undefined : "elsewhere Deno allows it",
  "chat-server says in its own words that Deno lets it use nothing in /dev, and exits 2",
  async () => {
    await using server = serverProgram("--port", "0", "--config", "/dev/stdin");
    const reason = "Deno lets no program use what is in /dev, /proc or /sys";
    const error = `chat-server: /dev/stdin: it cannot be read: ${reason}`;
    assertEquals(await server.result(), {
      code: 2,
      out: [],
      errors: [`${error} (--help tells more)`],
    });
  },
);

Deno.test("chat-server says in one line that a port is in use, or an address not ours, and exits 1", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    await using second = serverProgram("--port", String(taken.addr.port));
    const where = `127.0.0.1:${taken.addr.port}`;
    assertEquals(await second.result(), {
      code: 1,
      out: [],
      errors: [`chat-server: cannot listen on ${where}: the address is in use`],
    });
  } finally {
    taken.close();
  }
  // From a block that is reserved for documentation, so no machine has it.
  await using stranger = serverProgram("--host", "192.0.2.1", "--port", "0");
  assertEquals(await stranger.result(), {
    code: 1,
    out: [],
    errors: [
      "chat-server: cannot listen on 192.0.2.1:0: the address is not one of this machine's",
    ],
  });
});

testUnless(
  unixOnly,
  "chat-server logs on stderr who connected from where, and who left and why",
  async () => {
    await using server = serverProgram("--port", "0");
    using visitor = await Visitor.connect(await listening(server));
    const { hostname, port } = visitor.conn.localAddr as Deno.NetAddr;
    await visitor.enter("ann");
    await visitor.send("/nick anna\n/quit\n");
    await visitor.rest();
    visitor.close();
    using other = await Visitor.connect(visitor.port);
    const stranger = `127.0.0.1:${(other.conn.localAddr as Deno.NetAddr).port}`;
    await other.halfClose();
    await other.rest();
    server.signal("SIGINT");
    await server.exit();
    const lines = await server.errors.rest();
    const texts = lines.map((line) => {
      const text = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info (.*)$/.exec(
        line,
      )
        ?.[1];
      assert(text, line);
      return text;
    });
    const address = `${hostname}:${port}`;
    assertEquals(texts, [
      `connected address=${address}`,
      `entered name=ann address=${address}`,
      `left name=anna address=${address} why=quit`,
      `connected address=${stranger}`,
      `left address=${stranger} why="end of input"`,
    ]);
  },
);

testUnless(
  unixOnly,
  "chat-server --log json writes one JSON object a line",
  async () => {
    await using server = serverProgram("--port", "0", "--log", "json");
    using visitor = await Visitor.connect(await listening(server));
    const { port } = visitor.conn.localAddr as Deno.NetAddr;
    await visitor.enter("ann");
    await visitor.send("/quit\n");
    await visitor.rest();
    visitor.close();
    server.signal("SIGINT");
    await server.exit();
    const records = (await server.errors.rest()).map((line) =>
      JSON.parse(line)
    );
    const address = `127.0.0.1:${port}`;
    const fields = records.map(({ "@timestamp": time, ...rest }) => {
      assertMatch(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      return rest;
    });
    const common = { level: "INFO", logger: "chat.session", address };
    assertEquals(fields, [
      { ...common, message: "connected" },
      { ...common, message: "entered", name: "ann" },
      { ...common, message: "left", name: "ann", why: "quit" },
    ]);
  },
);

testUnless(
  noReset,
  "chat-server logs why a connection was lost or ended",
  async () => {
    await using server = serverProgram("--port", "0");
    const port = await listening(server);
    const bob = connect(port, "127.0.0.1");
    bob.write("/nick bob\n");
    await once(bob, "data");
    bob.resetAndDestroy();
    await server.errors.until(
      / info left name=bob address=\S+ why="connection lost \(.+\)"$/,
    );
    using endless = await Visitor.connect(port);
    await endless.send("x".repeat(8193));
    await server.errors.until(/ info left address=\S+ why="endless line"$/);
    using carl = await Visitor.connect(port);
    await carl.enter("carl");
    using slow = await Deno.connect({ hostname: "127.0.0.1", port });
    await slow.write(new TextEncoder().encode("/nick slow\n"));
    await carl.until("[slow] entered room");
    do await carl.send(`${"x".repeat(1000)}\n`.repeat(100)); while (
      !(await carl.heard()).includes("[slow] is offline")
    );
    await server.errors.until(
      / info left name=slow address=\S+ why="reads too slowly"$/,
    );
  },
);

testUnless(
  unixOnly,
  "chat-server warns when it can be reached from other machines",
  async () => {
    await using server = serverProgram("--host", "0.0.0.0", "--port", "0");
    await server.out.next();
    server.signal("SIGINT");
    await server.exit();
    const lines = await server.errors.rest();
    assertEquals(lines.length, 1);
    assertMatch(
      lines[0]!,
      / warning anybody who reaches this machine can join: .* address=0\.0\.0\.0:\d+$/,
    );
  },
);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  testUnless(
    unixOnly,
    `chat-server tells everyone, drains, closes and exits 0 on ${signal}`,
    async () => {
      await using server = serverProgram("--port", "0");
      const port = await listening(server);
      using ann = await Visitor.connect(port);
      await ann.enter("ann");
      using bob = await Visitor.connect(port);
      await bob.enter("bob");
      const line = `${"x".repeat(1000)}\n`;
      await bob.send(line.repeat(300));
      await bob.heard();
      server.signal(signal);
      assertEquals(await bob.rest(), ["-- bye: the server is stopping"]);
      assertEquals(await ann.rest(), [
        "[bob] entered room",
        ...Array(300).fill(`<bob> ${"x".repeat(1000)}`),
        "-- bye: the server is stopping",
      ]);
      for (const visitor of [ann, bob]) visitor.close();
      assertEquals(await server.exit(), 0);
      const log = await server.errors.rest();
      assertEquals(
        log.filter((line) => line.endsWith('why="the server is stopping"'))
          .length,
        2,
      );
    },
  );
}

Deno.test("chat-server loses no line of its log in a crowd", async () => {
  const crowd = 1500;
  await using server = serverProgram("--port", "0");
  const port = await listening(server);
  const visits = Array.from({ length: 50 }, async (_, i) => {
    for (let n = i; n < crowd; n += 50) await visit(port, `visitor${n}`);
  });
  await Promise.all(visits);
  const lines: string[] = [];
  while (lines.length < 3 * crowd) lines.push((await server.errors.next())!);
  for (const what of ["connected", "entered", "left"]) {
    assertEquals(
      lines.filter((line) => line.includes(` info ${what} `)).length,
      crowd,
      what,
    );
  }
});

testUnless(
  unixOnly,
  "chat-server is told to stop twice as if once",
  async () => {
    await using server = serverProgram("--port", "0");
    using ann = await Visitor.connect(await listening(server));
    await ann.enter("ann");
    server.signal("SIGINT");
    await ann.until("-- bye: the server is stopping");
    // Not closed yet, because ann is still there.
    server.signal("SIGINT");
    server.signal("SIGTERM");
    ann.close();
    assertEquals(await server.exit(), 0);
  },
);

/** A server whose log goes into a pipe that nobody reads, and where it listens. */
async function unreadServer(): Promise<
  { process: Deno.ChildProcess; port: number }
> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [...SERVER_ARGS, "--port", "0"],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const out = new Lines(process.stdout.pipeThrough(new TextDecoderStream()));
  return {
    process,
    port: Number(/:(\d+)\n$/.exec(await out.next() ?? "")?.[1]),
  };
}

/** Comes and goes, which takes three lines of the log. */
async function visit(port: number, name: string): Promise<void> {
  using visitor = await Visitor.connect(port);
  await visitor.enter(name);
  await visitor.send("/quit\n");
  await visitor.rest();
}

testUnless(
  unixOnly,
  "chat-server goes on, and stops, while nobody reads its log",
  async () => {
    const { process, port } = await unreadServer();
    // A pipe takes 64 KiB, and three lines are more than 200 bytes.
    for (let i = 0; i < 700; i++) await visit(port, `visitor${i}`);
    process.kill("SIGTERM");
    const { code } = await soon(
      process.status,
      () => "the server does not stop",
    );
    await process.stderr.cancel();
    assertEquals(code, 0);
  },
);

testUnless(
  unixOnly,
  "chat-server goes on when nobody can read its log any more",
  async () => {
    const { process, port } = await unreadServer();
    await process.stderr.cancel();
    for (let i = 0; i < 100; i++) await visit(port, `visitor${i}`);
    process.kill("SIGTERM");
    assertEquals(
      (await soon(process.status, () => "the server does not stop")).code,
      0,
    );
  },
);

testUnless(
  Deno.build.os === "linux" ? undefined : "only Linux has /dev/full",
  "chat-server says in one line that it cannot say where it listens",
  async () => {
    await using shell = new Program("sh", [
      "-c",
      'exec "$@" > /dev/full',
      "sh",
      Deno.execPath(),
      ...SERVER_ARGS,
      "-p",
      "0",
    ]);
    const { code, errors } = await shell.result();
    assertEquals(code, 1);
    assertEquals(errors.length, 1);
    assertMatch(errors[0]!, /^chat-server: .*No space left on device/);
  },
);

testUnless(
  without("sh"),
  "chat-server goes on when its log cannot be written",
  async () => {
    await using shell = new Program("sh", [
      "-c",
      `exec "$0" run --quiet --no-prompt --allow-net server.ts --port 0 2>&-`,
      Deno.execPath(),
    ]);
    using visitor = await Visitor.connect(await listening(shell));
    await visitor.enter("ann");
    await visitor.send("/quit\n");
    assertEquals(await visitor.rest(), ["-- bye: you quit"]);
    shell.signal("SIGTERM");
    assertEquals(await shell.exit(), 0);
  },
);

testUnless(
  without("sh"),
  "chat-server goes on without file descriptors, says so once, and accepts again when there are some",
  async () => {
    await using server = new Program("sh", [
      "-c",
      'ulimit -n 100; exec "$@"',
      "sh",
      Deno.execPath(),
      ...SERVER_ARGS,
      "--port",
      "0",
    ]);
    const port = await listening(server);
    using ann = await Visitor.connect(port);
    await ann.enter("ann");
    using bob = await Visitor.connect(port);
    await bob.enter("bob");
    const crowd: Visitor[] = [];
    for (let i = 0; i < 150; i++) crowd.push(await Visitor.connect(port));
    const failure =
      /error cannot accept connections reason="Too many open files/;
    await server.errors.until(failure);
    await ann.send("still here\n");
    await bob.until("<ann> still here");
    // The last in the queue is accepted once others have gone.
    const last = crowd.pop()!;
    for (const visitor of crowd) visitor.close();
    await last.enter("last");
    await bob.until("[last] entered room");
    await server.errors.until(/ info connections are accepted again$/);
    last.close();
    server.signal("SIGTERM");
    await server.exit();
    assertEquals(
      (await server.errors.rest()).filter((line) => failure.test(line)),
      [],
    );
  },
);
