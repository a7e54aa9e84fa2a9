/** The executables: that they are made, that they talk, and how making them fails. */

import { CompileError, extractRuntime, fileName } from "../scripts/compile.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "./assert.ts";
import {
  listening,
  Program,
  SourcesCopy,
  testUnless,
  Visitor,
  without,
} from "./fixtures.ts";

const ROOT = new URL("../", import.meta.url);
const EXE = Deno.build.os === "windows" ? ".exe" : "";
const SERVER = `dist/chat-server${EXE}`;
const CLIENT = `dist/chat-client${EXE}`;

const FROM_NPM =
  "Deno's runtime cannot be downloaded here: taking compiler and runtime from npm instead";

/** Whether this network made the first test below take that way. */
let tookNpm = false;

/** What `deno task compile` runs, with the permissions it has there. */
function compile(flags: string[], env: Record<string, string> = {}): Program {
  const permissions = [
    "--no-lock",
    "--no-prompt",
    "--allow-read",
    "--allow-write=.",
    "--allow-run",
  ];
  return new Program(Deno.execPath(), [
    "run",
    "--quiet",
    ...permissions,
    "scripts/compile.ts",
    ...flags,
  ], env);
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(
      Deno.readDir(new URL(folder, ROOT)),
      ({ name }) => name,
    )).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

Deno.test("deno task compile makes both programs, and leaves nothing else", async () => {
  await Deno.remove(new URL("dist", ROOT), { recursive: true }).catch(() => {});
  await using program = compile([]);
  const { code, out, errors } = await program.result();
  assertEquals({ code, errors }, { code: 0, errors: [] });
  assertEquals(out.slice(-2), [SERVER, CLIENT]);
  // Where Deno's own site cannot be reached, one line says which way was taken instead.
  tookNpm = out.length > 2;
  assertEquals(out.slice(0, -2), tookNpm ? [FROM_NPM] : []);
  assertEquals(await filesIn("dist"), [
    `chat-client${EXE}`,
    `chat-server${EXE}`,
  ]);
  assertEquals(
    (await filesIn(".")).filter((name) => name.startsWith(".compile-")),
    [],
  );
});

/** A compiled server on a free port. */
async function start(
  ...flags: string[]
): Promise<{ server: Program; port: number }> {
  const server = new Program(SERVER, ["--port", "0", ...flags]);
  return { server, port: await listening(server) };
}

Deno.test("The compiled server holds a conversation between two compiled clients and a raw socket", async () => {
  const { server, port } = await start();
  await using _server = server;
  using raw = await Visitor.connect(port);
  await raw.enter("raw");
  await using ann = new Program(CLIENT, [String(port)], { USER: "ann" });
  assertEquals(await raw.line(), "[ann] entered room");
  assertEquals(
    await ann.out.next(),
    "-- welcome, you are ann; 1 other is here; /help lists the commands",
  );
  await using bob = new Program(
    CLIENT,
    ["--name", "bob", `127.0.0.1:${port}`],
    { USER: "ann" },
  );
  assertEquals(
    [await raw.line(), await ann.out.next()],
    Array(2).fill("[bob] entered room"),
  );
  await bob.out.next();

  await ann.write("hello, 日本語\n");
  assertEquals(
    [await raw.line(), await bob.out.next()],
    Array(2).fill("<ann> hello, 日本語"),
  );
  await raw.send("/me waves\r\n");
  assertEquals(
    [await ann.out.next(), await bob.out.next()],
    Array(2).fill("* raw waves"),
  );
  await bob.write("/nick rob\nbye\n");
  await bob.closeInput();
  assertEquals(await bob.exit(), 0);
  const heard = ["<bob> /nick rob", "<bob> bye", "[bob] is offline"];
  assertEquals([await raw.line(), await raw.line(), await raw.line()], heard);
  assertEquals([
    await ann.out.next(),
    await ann.out.next(),
    await ann.out.next(),
  ], heard);
});

Deno.test("The compiled server keeps what was said on disk, backs it up, and the compiled client finds it again", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const first = await start("--data", folder);
    await using server = first.server;
    await using ann = new Program(CLIENT, [String(first.port)], {
      USER: "ann",
    });
    await ann.write("stays\n");
    await ann.closeInput();
    assertEquals(await ann.exit(), 0);
    await Deno.mkdir(`${folder}/copy`);
    const copy = `${folder}/copy/chat.db`;
    await using backup = new Program(SERVER, ["backup", folder, copy]);
    assertEquals(await backup.result(), {
      code: 0,
      out: [`1 message in 1 room copied to ${copy}`],
      errors: [],
    });
    server.signal("SIGKILL");
    await server.exit();

    for (const data of [folder, `${folder}/copy`]) {
      const second = await start("--data", data);
      await using _server = second.server;
      using raw = await Visitor.connect(second.port);
      await raw.enter("raw");
      assertEquals(await raw.line(), "-- 1 earlier message");
      assertMatch((await raw.line())!, /^\d\d:\d\d <ann> stays$/);
      assertEquals(await raw.line(), "-- now");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("The compiled client trusts what the compiled server has made, and talks to it over TLS", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using cert = new Program(SERVER, ["cert", folder]);
    const { code, out } = await cert.result();
    const [fingerprint = ""] = /SHA256:\S{43}/.exec(out[0] ?? "") ?? [];
    assertEquals([code, fingerprint.length], [0, 50]);
    const file = `${folder}/cert.pem`;
    await using server = new Program(SERVER, [
      ...["--port", "off", "--tls-port", "0"],
      ...["--tls-cert", file, "--tls-key", `${folder}/key.pem`],
    ]);
    const url = `chats://localhost:${await listening(server)}`;
    await using ann = new Program(CLIENT, ["--tls-ca", file, url], {
      USER: "ann",
    });
    await ann.out.next();
    await using bob = new Program(
      CLIENT,
      ["--tls-fingerprint", fingerprint, url],
      { USER: "bob" },
    );
    await bob.write("hello\n");
    await bob.closeInput();
    await ann.out.until("<bob> hello");
    assertEquals(await bob.exit(), 0);
    await using eve = new Program(CLIENT, [url], { USER: "eve" });
    assertEquals((await eve.result()).code, 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

testUnless(
  without("sh"),
  "The compiled server stops as the one from source does",
  async () => {
    const { server, port } = await start();
    await using _server = server;
    await using ann = new Program(CLIENT, ["--no-reconnect", String(port)], {
      USER: "ann",
    });
    await ann.out.next();
    server.signal("SIGTERM");
    assertEquals(await ann.exit(), 1);
    assertEquals(await ann.out.rest(), ["-- bye: the server is stopping"]);
    assertEquals(await server.exit(), 0);
  },
);

testUnless(
  without("nc", "telnet"),
  "The compiled server holds a conversation between a compiled client, nc and telnet",
  async () => {
    const { server, port } = await start();
    await using _server = server;
    await using ann = new Program(CLIENT, [String(port)], { USER: "ann" });
    await ann.out.next();
    await using netcat = new Program("nc", ["-N", "127.0.0.1", String(port)]);
    await netcat.write("/nick nc\n");
    assertEquals(await ann.out.next(), "[nc] entered room");
    await using telnet = new Program("telnet", ["127.0.0.1", String(port)]);
    await telnet.write("/nick tel\n");
    assertEquals(await ann.out.next(), "[tel] entered room");

    await ann.write("hello\n");
    await telnet.out.until("<ann> hello");
    await netcat.out.until("<ann> hello");
    await telnet.write("hi from telnet\n");
    await netcat.out.until("<tel> hi from telnet");
    assertEquals(await ann.out.next(), "<tel> hi from telnet");
    await netcat.write("hi\nlast");
    await netcat.closeInput();
    assertEquals(await netcat.exit(), 0);
    for (
      const line of ["<nc> hi", "<nc> last", "[nc] is offline"]
    ) assertEquals(await ann.out.next(), line);
    assertEquals(await telnet.out.until("[nc] is offline"), [
      "<nc> hi",
      "<nc> last",
    ]);
    await telnet.write("/quit\n");
    await telnet.out.until("-- bye: you quit");
    assertEquals(await ann.out.next(), "[tel] is offline");
  },
);

testUnless(
  without("nc"),
  "printf | nc -N has all it said delivered, and a port scan is not announced",
  async () => {
    const { server, port } = await start();
    await using _server = server;
    await using ann = new Program(CLIENT, [String(port)], { USER: "ann" });
    await ann.out.next();
    await using scan = new Program("nc", ["-z", "127.0.0.1", String(port)]);
    assertEquals(await scan.exit(), 0);
    await using netcat = new Program("nc", ["-N", "127.0.0.1", String(port)]);
    await netcat.write("hi");
    const { out } = await netcat.result();
    assertMatch(
      out.join("\n"),
      /^-- welcome, you are guest1; 1 other is here; [^\n]*\n-- bye: end of input$/,
    );
    for (
      const line of [
        "[guest1] entered room",
        "<guest1> hi",
        "[guest1] is offline",
      ]
    ) {
      assertEquals(await ann.out.next(), line);
    }
  },
);

Deno.test("The compiled programs say which version they are, and what is wrong with their flags", async () => {
  for (const file of [SERVER, CLIENT]) {
    await using version = new Program(file, ["--version"]);
    assertMatch(
      (await version.result()).out.join("\n"),
      /^chat-(server|client) \d+\.\d+\.\d+$/,
    );
    await using wrong = new Program(file, ["--frobnicate"]);
    const { code, errors } = await wrong.result();
    assertEquals(code, 2);
    assertMatch(
      errors.join("\n"),
      /^chat-(server|client): unknown flag --frobnicate \(--help tells more\)$/,
    );
  }
});

Deno.test("The executables have the permissions that they need, and no more", async () => {
  const needed = [
    [SERVER, {
      allow_net: [],
      allow_read: [],
      allow_write: [],
      allow_env: ["CHAT_PASSWORD"],
    }],
    [CLIENT, {
      allow_net: [],
      allow_read: [],
      allow_write: [],
      allow_env: [
        "USER",
        "LOGNAME",
        "USERNAME",
        "TERM",
        "HOME",
        "XDG_CONFIG_HOME",
        "APPDATA",
        "INIT_CWD",
        "CHAT_*",
      ],
    }],
  ] as const;
  for (const [file, permissions] of needed) {
    const bytes = await Deno.readFile(new URL(file, ROOT));
    const found = [
      ...new TextDecoder("latin1").decode(bytes).matchAll(
        /"permissions":(\{[^}]*\})/g,
      ),
    ];
    assertEquals(found.length, 1, file);
    const { prompt, ...flags } = JSON.parse(found[0]![1]!);
    // What may be imported says nothing here: everything is in the bundle.
    const allowed = Object.entries(flags).filter(([name, value]) =>
      name.startsWith("allow_") && name !== "allow_import" && value !== null
    );
    assertEquals<unknown>(Object.fromEntries(allowed), permissions);
    assertEquals(prompt, false);
  }
});

/** Compiles a copy of the sources after one of them was changed, and says what came of it. */
async function compileChanged(file: string, from: string | RegExp, to: string) {
  await using copy = await SourcesCopy.make();
  const text = await Deno.readTextFile(`${copy.folder}/${file}`);
  assert(text.search(from) >= 0, `${file} has no ${from}`);
  await Deno.writeTextFile(`${copy.folder}/${file}`, text.replace(from, to));
  await using program = new Program(Deno.execPath(), [
    ...[
      "run",
      "--quiet",
      "--no-lock",
      "--no-prompt",
      "--allow-read",
      "--allow-write",
      "--allow-run",
    ],
    `${copy.folder}/scripts/compile.ts`,
  ]);
  const { code, errors } = await program.result();
  const left = await Array.fromAsync(
    Deno.readDir(copy.folder),
    ({ name }) => name,
  );
  return {
    code,
    errors,
    left: left.filter((name) =>
      name === "dist" || name.startsWith(".compile-")
    ),
  };
}

Deno.test("A program that cannot be bundled is one clear line, and the other is not left alone in dist/", async () => {
  const { code, errors, left } = await compileChanged(
    "client.ts",
    "./lib/client/pipe.ts",
    "./lib/client/none.ts",
  );
  assertEquals({ code, left }, { code: 1, left: [] });
  assertMatch(errors.join("\n"), /^compile: cannot bundle client\.ts: [^\n]+$/);
});

Deno.test("A runtime from npm with another hash is one clear line, and leaves nothing in dist/", async () => {
  if (!tookNpm) {
    // deno-lint-ignore no-console -- a skipped test says why
    return console.log("skipped: here the runtime comes from Deno's own site");
  }
  const { code, errors, left } = await compileChanged(
    "scripts/compile.ts",
    /"[0-9a-f]{64}"/,
    `"${"0".repeat(64)}"`,
  );
  assertEquals({ code, left }, { code: 1, left: [] });
  assertMatch(
    errors.join("\n"),
    /^compile: the runtime from npm is not the expected one: its SHA-256 is [0-9a-f]{64}$/,
  );
});

Deno.test("deno task compile names the platforms it can compile for", async () => {
  await using program = compile(["--target"]);
  assertMatch(
    (await program.result()).errors.join("\n"),
    /^compile: --target needs a value: /,
  );
  await using wrong = compile(["--target", "x"]);
  const platforms =
    "x86_64-unknown-linux-gnu, aarch64-unknown-linux-gnu, x86_64-apple-darwin, aarch64-apple-darwin, " +
    "x86_64-pc-windows-msvc";
  assertEquals((await wrong.result()).errors, [
    `compile: --target "x" will not do: it is one of ${platforms} (--help tells more)`,
  ]);
});

Deno.test("An executable for Windows is called .exe", () => {
  assertEquals(
    fileName("chat-server", "x86_64-pc-windows-msvc"),
    "chat-server.exe",
  );
  assertEquals(
    fileName("chat-server", "x86_64-unknown-linux-gnu"),
    "chat-server",
  );
});

Deno.test("Compiling for an unsupported platform is one clear line", async () => {
  const before = await filesIn("dist");
  await using program = compile(["--target", "sparc-sun-solaris"]);
  const { code, out, errors } = await program.result();
  assertEquals({ code, out }, { code: 2, out: [] });
  assertMatch(
    errors.join("\n"),
    /^compile: --target "sparc-sun-solaris" will not do: it is one of x86_64-[^\n]*$/,
  );
  assertEquals(await filesIn("dist"), before);
});

Deno.test("A download that fails is one clear line, and leaves nothing half-written", async () => {
  const before = await filesIn("dist");
  const cache = await Deno.makeTempDir();
  try {
    // All that bundling takes is in the cache; of what compiling takes nothing is, and nobody listens where the
    // proxy should be.
    for (const entry of ["server.ts", "client.ts", "scripts/compile.ts"]) {
      const args = [
        "bundle",
        "--quiet",
        "--platform",
        "deno",
        "-o",
        `${cache}/bundle.js`,
        entry,
      ];
      await using bundling = new Program(Deno.execPath(), args, {
        DENO_DIR: cache,
      });
      assertEquals(await bundling.exit(), 0);
    }
    const nowhere = "http://127.0.0.1:9";
    await using program = compile([], {
      DENO_DIR: cache,
      HTTPS_PROXY: nowhere,
      HTTP_PROXY: nowhere,
    });
    const { code, errors } = await program.result();
    assertEquals(code, 1);
    assertMatch(errors.join("\n"), /^compile: cannot download [^\n]+: [^\n]+$/);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
  assertEquals(await filesIn("dist"), before);
  assertEquals(
    (await filesIn(".")).filter((name) => name.startsWith(".compile-")),
    [],
  );
});

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}

/** A program as `deno compile` makes it: runtime, what was appended, and the length of that. */
function compiled(runtime: string, appended: string): Uint8Array<ArrayBuffer> {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(
    0,
    BigInt(appended.length + 8),
    true,
  );
  return Uint8Array.from([
    ...new TextEncoder().encode(runtime + appended),
    ...length,
  ]);
}

Deno.test("extractRuntime() gives the head of a compiled program", async () => {
  const runtime = new TextEncoder().encode("the runtime");
  assertEquals(
    await extractRuntime(
      compiled("the runtime", "the program"),
      await sha256(runtime),
    ),
    runtime,
  );
});

Deno.test("extractRuntime() refuses what does not have the expected hash", async () => {
  const hash = await sha256(new TextEncoder().encode("the runtime"));
  const wrong = [
    compiled("another runtime", "the program"),
    new Uint8Array(),
    new TextEncoder().encode("short"),
    // A length that is larger than the file.
    new Uint8Array(20).fill(255),
  ];
  for (const program of wrong) {
    const error = await assertRejects(
      () => extractRuntime(program, hash),
      CompileError,
    );
    assertMatch(
      error.message,
      /^the runtime from npm is not the expected one: its SHA-256 is [0-9a-f]{64}$/,
    );
    assert(!error.message.includes(hash));
  }
});
