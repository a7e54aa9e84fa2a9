/** TLS on the server: real certificates, real files, foreign clients. */

import { Buffer } from "node:buffer";
import { warningsOf } from "../lib/server/exposure.ts";
import type { Limits } from "../lib/server/limits.ts";
import { ChatServer } from "../lib/server/listen.ts";
import type { OperatingOptions } from "../lib/server/operating.ts";
import { MemoryOrders } from "../lib/server/orders.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "./assert.ts";
import {
  Authority,
  CertificateFolder,
  expired,
  fingerprintOf,
} from "./certificates.ts";
import {
  Bot,
  listening,
  noReset,
  Program,
  serverProgram,
  soon,
  testUnless,
  Visitor,
  without,
} from "./fixtures.ts";

const noOpenssl = without("openssl");

/** What openssl says of a certificate. */
async function x509(file: string, ...what: string[]): Promise<string> {
  await using openssl = new Program("openssl", [
    "x509",
    "-in",
    file,
    "-noout",
    ...what,
  ]);
  const { code, out, errors } = await openssl.result();
  assertEquals(code, 0, errors.join("\n"));
  return out.map((line) => line.trim()).join("\n");
}

/** A folder that goes with the test. */
async function folderOf(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir();
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

testUnless(
  noOpenssl,
  "chat-server cert makes a certificate that is no authority, and a key that only its owner can read",
  async () => {
    await using folder = await folderOf();
    const dir = `${folder.path}/new/tls`;
    await using server = serverProgram("cert", dir);
    const { code, out, errors } = await server.result();
    assertEquals([code, errors], [0, []]);
    const fingerprint = await fingerprintOf(
      await Deno.readTextFile(`${dir}/cert.pem`),
    );
    assertEquals(out, [
      `made a certificate with fingerprint ${fingerprint}; use it with ` +
      `--tls-port PORT --tls-cert ${dir}/cert.pem --tls-key ${dir}/key.pem`,
    ]);
    assertMatch(fingerprint, /^SHA256:[A-Za-z0-9+/]{43}$/);
    // The same as openssl makes of it.
    const bytes = Buffer.from(fingerprint.slice(7), "base64");
    assertMatch(
      (await x509(`${dir}/cert.pem`, "-fingerprint", "-sha256")).replaceAll(
        ":",
        "",
      ).toLowerCase(),
      new RegExp(`=${bytes.toString("hex")}$`),
    );
    const text = await x509(`${dir}/cert.pem`, "-text");
    assert(text.includes("X509v3 Basic Constraints: critical\nCA:FALSE"), text);
    assert(
      text.includes(
        "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
      ),
      text,
    );
    assert(text.includes("NIST CURVE: P-256"), text);
    const { mode } = await Deno.stat(`${dir}/key.pem`);
    assertEquals(mode! & 0o777, 0o600);
  },
);

testUnless(
  noOpenssl,
  "chat-server cert takes names and addresses",
  async () => {
    await using folder = await folderOf();
    const names = [
      "chat.example",
      "*.chat.example",
      "192.0.2.7",
      "2001:db8::7",
    ];
    await using server = serverProgram("cert", folder.path, ...names);
    assertEquals(await server.exit(), 0);
    const text = await x509(`${folder.path}/cert.pem`, "-text");
    assert(
      text.includes(
        "DNS:chat.example, DNS:*.chat.example, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7",
      ),
      text,
    );
  },
);

Deno.test("chat-server cert replaces nothing, and leaves no half of a pair", async () => {
  for (const there of ["cert.pem", "key.pem"]) {
    await using folder = await folderOf();
    await Deno.writeTextFile(`${folder.path}/${there}`, "mine");
    await using server = serverProgram("cert", folder.path);
    const { code, out, errors } = await server.result();
    assertEquals({ code, out, errors }, {
      code: 1,
      out: [],
      errors: [
        `chat-server: cannot make a certificate in ${folder.path}: ` +
        `${folder.path}/${there} exists, and is not replaced`,
      ],
    });
    const files = await Array.fromAsync(Deno.readDir(folder.path));
    assertEquals(files.map(({ name }) => name), [there]);
    assertEquals(await Deno.readTextFile(`${folder.path}/${there}`), "mine");
  }
});

Deno.test("chat-server cert says what it needs", async () => {
  for (
    const [args, error] of [
      [[], "cert needs DIR, the folder to put the certificate in"],
      [
        ["x", "a b"],
        '"a b" will not do: it is the name of a machine or its address',
      ],
    ] as const
  ) {
    await using server = serverProgram("cert", ...args);
    const { code, errors } = await server.result();
    assertEquals({ code, errors }, {
      code: 2,
      errors: [`chat-server: ${error} (--help tells more)`],
    });
  }
});

Deno.test("chat-server without the task loads nothing that makes certificates", async () => {
  await using info = new Program(Deno.execPath(), [
    "info",
    "--json",
    "server.ts",
  ]);
  const { out } = await info.result();
  const { modules }: {
    modules: {
      specifier: string;
      dependencies?: { specifier: string; isDynamic?: boolean }[];
    }[];
  } = JSON.parse(out.join("\n"));
  const loads = modules.flatMap(({ specifier, dependencies = [] }) =>
    dependencies.flatMap((each) =>
      each.specifier.endsWith("/certificate.ts")
        ? [[specifier.replace(/^.*\//, ""), each.isDynamic]]
        : []
    )
  );
  assertEquals(loads, [["server.ts", true]]);
});

/** A server in this process that listens with TLS, and a certificate for it. */
class TlsRoom implements AsyncDisposable {
  readonly server: ChatServer;
  readonly certificate: CertificateFolder;

  private constructor(server: ChatServer, certificate: CertificateFolder) {
    this.server = server;
    this.certificate = certificate;
  }

  static async open(
    limits: Partial<Limits> = {},
    options: OperatingOptions = {},
  ): Promise<TlsRoom> {
    const certificate = await CertificateFolder.make(await authority.sign());
    const { cert, key } = certificate;
    const server = await ChatServer.start({
      host: "127.0.0.1",
      port: 0,
      tls: { port: 0, files: { cert, key } },
      ...options,
      // Nothing happens because time goes by, unless a limit says so.
      limits: {
        firstLineMs: NEVER,
        partingMs: NEVER,
        holdMs: NEVER,
        handshakeMs: NEVER,
        lookCertificateMs: NEVER,
        ...limits,
      },
    });
    return new TlsRoom(server, certificate);
  }

  get port(): number {
    return this.server.tlsPort!;
  }

  /** A raw socket at the port for TLS. */
  connect(): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: "127.0.0.1", port: this.port });
  }

  visitor(): Promise<Visitor> {
    return encrypted(this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await soon(this.server.stop(), () => "a connection does not end");
    await this.certificate[Symbol.asyncDispose]();
  }
}

const NEVER = 3_600_000;
const authority = await Authority.make();
const encoder = new TextEncoder();

/** Somebody who trusts the authority, and whoever else `caCerts` has. */
async function encrypted(
  port: number,
  caCerts: string[] = [authority.cert],
): Promise<Visitor> {
  const conn = await Deno.connectTls({ hostname: "localhost", port, caCerts });
  try {
    await conn.handshake();
    return new Visitor(conn);
  } catch (error) {
    conn.close();
    throw error;
  }
}

Deno.test("Members with TLS and without, people and programs, are in one room", async () => {
  await using room = await TlsRoom.open();
  using ann = await Visitor.connect(room.server.port);
  await ann.enter("ann");
  using bob = await room.visitor();
  await bob.enter("bob");
  using bot = new Bot(await room.visitor());
  const welcome = await bot.hello({ name: "bot" });
  assertEquals(welcome.type, "welcome");
  await bot.send({ type: "say", id: "1", room: "lobby", text: "hi" });
  await bot.until("ack");
  await bob.send("日本語\n");
  await bob.heard();
  await ann.send("back\n");
  await ann.heard();
  assertEquals((await bob.heard()).slice(-1), ["<ann> back"]);
  const said = (await bot.heard()).filter(({ type }) => type === "message");
  assertEquals(said.map(({ from, text }) => [from, text]), [
    ["bob", "日本語"],
    ["ann", "back"],
  ]);
  assertEquals(room.server.tally.encrypted, 2);
  assertEquals(room.server.connections, 3);
});

Deno.test("Whoever is banned is told so after the handshake, and nothing in plain text", async () => {
  const orders = new MemoryOrders();
  const ban = { kind: "ban", by: "op", since: 0 } as const;
  await orders.ban([{ ...ban, target: "127.0.0.0/8" }]);
  await using room = await TlsRoom.open({}, { orders });
  using ann = await room.visitor();
  assertEquals(await ann.rest(), ["-- bye: you are banned"]);
  using plain = new Visitor(await room.connect());
  await plain.send("hello?\n");
  assertEquals(await plain.rest(), []);
  using silent = new Visitor(await room.connect());
  await silent.halfClose();
  assertEquals(await silent.rest(), []);
  assertEquals(room.server.tally.drops.banned, 3);
  assertEquals(room.server.tally.sessions, 0);
});

Deno.test("Whoever ends their input with TLS is told that all was taken", async () => {
  await using room = await TlsRoom.open();
  using ann = await room.visitor();
  await ann.enter("ann");
  await ann.send("last words");
  await ann.halfClose();
  assertEquals(await ann.rest(), ["-- bye: end of input"]);
});

Deno.test("What 200 members with TLS are told arrives whole and in order", async () => {
  await using room = await TlsRoom.open();
  const visitors = await Promise.all(
    Array.from({ length: 200 }, () => room.visitor()),
  );
  await Promise.all(visitors.map((each, i) => each.enter(`m${i}`)));
  using ann = await room.visitor();
  await ann.enter("ann");
  const lines = Array.from(
    { length: 100 },
    (_, i) => `${i} ${"x".repeat(900)}`,
  );
  await ann.send(lines.map((line) => `${line}\n`).join(""));
  await ann.heard();
  await Promise.all(visitors.map(async (visitor) => {
    const heard = [];
    while (heard.length < lines.length) {
      const line = await visitor.line();
      if (line?.startsWith("<ann> ")) heard.push(line.slice(6));
    }
    assertEquals(heard, lines);
    visitor.close();
  }));
});

testUnless(
  noReset && "before 2.9, closing a connection does not end a write",
  "Whoever with TLS does not read is dropped, and their connection is gone",
  async () => {
    await using room = await TlsRoom.open({ partingMs: 50, replay: 0 });
    using ann = await Visitor.connect(room.server.port);
    await ann.enter("ann");
    const conn = await Deno.connectTls({
      hostname: "localhost",
      port: room.port,
      caCerts: [authority.cert],
    });
    await conn.write(encoder.encode("/nick deaf\n"));
    await ann.until("[deaf] entered room");
    const line = `${"x".repeat(1000)}\n`.repeat(100);
    let isDropped = false;
    const dropped = ann.until("[deaf] is offline").then(() => isDropped = true);
    while (!isDropped) await ann.send(line);
    await dropped;
    assertEquals(room.server.tally.drops.slow, 1);
    // Deno's own TLS would keep the connection until all of it is taken, and these would wait for ever.
    const gone = async () => {
      for (;;) await conn.write(new Uint8Array(65_536));
    };
    const lost = gone().catch((error) => error);
    assert(await soon(lost, () => "the connection stays") instanceof Error);
    conn.close();
  },
);

Deno.test("A handshake that does not come in time ends, and counts for its address until then", async () => {
  await using room = await TlsRoom.open({
    limitLoopback: true,
    maxPerAddress: 2,
    rate: 0,
    partingMs: 1000,
  });
  const buffer = new Uint8Array(100);
  const silent = await room.connect();
  const halfway = await room.connect();
  // The beginning of a handshake, and nothing more.
  await halfway.write(Uint8Array.of(22, 3, 1, 2, 0));
  {
    using third = await Visitor.connect(room.server.port);
    assertEquals(await third.rest(), [
      "-- bye: your address has 2 connections already",
    ]);
  }
  room.server.limit({ handshakeMs: 1, maxPerAddress: 3 });
  const late = await room.connect();
  const end = late.read(buffer).catch(() => null);
  assertEquals(await soon(end, () => "it is not ended"), null);
  assertEquals(room.server.tally.drops.handshake, 1);
  // Nobody waited for those two.
  room.server.limit({ handshakeMs: NEVER });
  using ann = await room.visitor();
  await ann.enter("ann");
  for (const conn of [silent, halfway, late]) conn.close();
});

Deno.test("A handshake under way does not keep the server from stopping", async () => {
  const room = await TlsRoom.open();
  const silent = await room.connect();
  const halfway = await room.connect();
  await halfway.write(Uint8Array.of(22, 3, 1, 2, 0));
  using ann = await room.visitor();
  await ann.enter("ann");
  const stopped = room[Symbol.asyncDispose]();
  assertEquals(await ann.rest(), ["-- bye: the server is stopping"]);
  ann.close();
  await stopped;
  for (const conn of [silent, halfway]) conn.close();
});

/** The ports that this process listens at, which only a program without Deno's restrictions may look up. */
async function ownPorts(): Promise<number[]> {
  await using find = new Program("sh", [
    "-c",
    'ls -l "/proc/$1/fd"; cat "/proc/$1/net/tcp"',
    "sh",
    String(Deno.pid),
  ]);
  const { out } = await find.result();
  const inodes = out.flatMap((line) =>
    /socket:\[(\d+)\]/.exec(line)?.[1] ?? []
  );
  // As in: 0: 0100007F:1F90 00000000:0000 0A and then six columns, the last of which is the inode.
  return out.map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode = ""]) =>
      state === "0A" && inodes.includes(inode)
    )
    .map(([, local = ""]) => parseInt(local.split(":")[1] ?? "", 16));
}

testUnless(
  Deno.build.os === "linux" ? undefined : "only Linux has /proc",
  "Other programs of the machine keep nobody out, however many connect to the inner port",
  async () => {
    await using room = await TlsRoom.open();
    const ports = [room.server.port, room.port];
    const inner = (await ownPorts()).filter((port) => !ports.includes(port));
    assertEquals(inner.length, 1);
    const strangers = await Promise.all(
      Array.from({ length: 600 }, () =>
        soon(
          Deno.connect({ hostname: "127.0.0.1", port: inner[0]! }),
          () => "the queue is full",
        )),
    );
    using ann = await room.visitor();
    await ann.enter("ann");
    const stopped = room.server.stop();
    assertEquals(await ann.rest(), ["-- bye: the server is stopping"]);
    ann.close();
    await soon(stopped, () => "the server does not stop");
    for (const stranger of strangers) stranger.close();
  },
);

Deno.test("Whoever comes while the certificate is renewed comes in", async () => {
  await using room = await TlsRoom.open();
  for (let i = 0; i < 10; i++) {
    const coming = Promise.all(
      Array.from({ length: 20 }, () => room.visitor()),
    );
    await room.certificate.put(await authority.sign());
    await room.server.renew();
    for (const visitor of await coming) visitor.close();
  }
});

Deno.test("Whoever speaks no TLS at its port is told so, and what is none is no handshake", async () => {
  await using room = await TlsRoom.open();
  using plain = await Visitor.connect(room.port);
  await plain.send("/nick ann\n");
  assertEquals(await plain.rest(), ["-- bye: there is only TLS at this port"]);
  const garbage = await room.connect();
  await garbage.write(Uint8Array.of(22, 3, 3, 0, 5, 1, 0, 0, 1, 4));
  const buffer = new Uint8Array(100);
  // An alert: 21, of the second level, fatal.
  const count = await garbage.read(buffer);
  assertEquals([count, buffer[0], buffer[5]], [7, 21, 2]);
  garbage.close();
  using ann = await room.visitor();
  await ann.enter("ann");
  assertEquals(room.server.tally.drops.handshake, 2);
});

Deno.test("Whoever is refused at the port for TLS is told why with TLS", async () => {
  await using room = await TlsRoom.open({ maxConnections: 1 });
  using ann = await room.visitor();
  await ann.enter("ann");
  using bob = await room.visitor();
  assertEquals(await bob.rest(), [
    "-- bye: the server is full, it has 1 connection",
  ]);
});

Deno.test("A certificate that is renewed is shown to whoever comes, and nobody is dropped", async () => {
  await using room = await TlsRoom.open({ lookCertificateMs: 5 });
  using ann = await room.visitor();
  await ann.enter("ann");
  const other = await Authority.make();
  const renewed = await other.sign();
  // A key that is not the one to the certificate, and half a certificate, as it is while it is written.
  await Deno.writeTextFile(room.certificate.key, renewed.key);
  await Deno.writeTextFile(room.certificate.cert, renewed.cert.slice(0, 200));
  (await encrypted(room.port)).close();
  // Replaced as certbot does it.
  await Deno.writeTextFile(`${room.certificate.cert}.new`, renewed.cert);
  await Deno.rename(`${room.certificate.cert}.new`, room.certificate.cert);
  const seen = async () => {
    for (;;) {
      const visitor = await encrypted(room.port, [other.cert]).catch(() => {});
      if (visitor) return visitor;
    }
  };
  using bob = await soon(seen(), () => "nobody is shown the new one");
  await bob.enter("bob");
  assertEquals(await ann.line(), "[bob] entered room");
  await ann.send("still here\n");
  assertEquals(await bob.line(), "<ann> still here");
  await assertRejects(
    () => encrypted(room.port),
    Error,
    "invalid peer certificate",
  );
});

/** A server program that listens with TLS; the port of that stands in its log. */
async function startTls(
  ...flags: string[]
): Promise<{ server: Program; port: number; tlsPort: number }> {
  const server = serverProgram("--port", "0", "--tls-port", "0", ...flags);
  const port = await listening(server);
  for (;;) {
    const line = await server.errors.next();
    const tlsPort = /listening with TLS address=.*:(\d+)$/.exec(line ?? "");
    if (tlsPort) return { server, port, tlsPort: Number(tlsPort[1]) };
    assert(line !== undefined, "it does not listen with TLS");
  }
}

testUnless(
  Deno.build.os === "windows" ? "Windows has no SIGHUP" : undefined,
  "SIGHUP has chat-server look at the certificate, of which it says once what is wrong",
  async () => {
    await using certificate = await CertificateFolder.make(
      await authority.sign(),
    );
    const { server, tlsPort } = await startTls(...certificate.flags);
    await using _server = server;
    using ann = await encrypted(tlsPort);
    await ann.enter("ann");
    const other = await Authority.make();
    const renewed = await other.sign();
    await Deno.writeTextFile(certificate.key, renewed.key);
    server.signal("SIGHUP");
    await server.errors.until(
      /error the certificate is not renewed, the one before is shown reason="the key is not the one to the certificate"$/,
    );
    await server.errors.until(/settings were read again/);
    server.signal("SIGHUP");
    const again = await server.errors.until(/settings were read again/);
    assertEquals(again.filter((line) => line.includes("not renewed")), []);
    await certificate.put(renewed);
    server.signal("SIGHUP");
    const between = await server.errors.until(/the certificate was renewed/);
    assertEquals(between.filter((line) => line.includes("not renewed")), []);
    using bob = await encrypted(tlsPort, [other.cert]);
    await bob.enter("bob");
    assertEquals(await ann.line(), "[bob] entered room");
  },
);

testUnless(
  noOpenssl,
  "openssl talks to chat-server, with TLS 1.2 and 1.3, and not with 1.1",
  async () => {
    await using certificate = await CertificateFolder.make(
      await authority.sign(),
    );
    const { server, port, tlsPort } = await startTls(...certificate.flags);
    await using _server = server;
    using ann = await Visitor.connect(port);
    await ann.enter("ann");
    await Deno.writeTextFile(`${certificate.folder}/ca.pem`, authority.cert);
    const client = (...flags: string[]) =>
      new Program("openssl", [
        "s_client",
        "-quiet",
        "-verify_return_error",
        "-CAfile",
        `${certificate.folder}/ca.pem`,
        "-connect",
        `127.0.0.1:${tlsPort}`,
        ...flags,
      ]);
    for (const version of ["-tls1_2", "-tls1_3"]) {
      await using openssl = client(version);
      await openssl.write("/nick eve\nhello\n");
      assertEquals(await ann.take(2), ["[eve] entered room", "<eve> hello"]);
      await ann.send("hi\n");
      await openssl.out.until("<ann> hi");
      await openssl.write("/quit\n");
      assertEquals(await ann.line(), "[eve] is offline");
    }
    await using old = client("-tls1_1", "-cipher", "ALL:@SECLEVEL=0");
    assert(await old.exit() !== 0);
    await server.errors.until(/no TLS handshake .*peer is incompatible/);
  },
);

Deno.test("chat-server listens with TLS only, and stdout names that port", async () => {
  await using certificate = await CertificateFolder.make(
    await authority.sign(),
  );
  const flags = ["--tls-port", "0", ...certificate.flags];
  await using server = serverProgram("--port", "off", ...flags);
  using ann = await encrypted(await listening(server));
  await ann.enter("ann");
  server.signal("SIGTERM");
  assertEquals(await ann.rest(), ["-- bye: the server is stopping"]);
  ann.close();
  assertEquals(await server.exit(), 0);
  assertEquals(await server.out.rest(), []);
});

Deno.test("chat-server says in one line why it cannot speak TLS", async () => {
  await using good = await CertificateFolder.make(await authority.sign());
  await using other = await CertificateFolder.make(await authority.sign());
  const { cert, key, folder } = good;
  const none = `${folder}/none.pem`;
  const text = `${folder}/text.pem`;
  await Deno.writeTextFile(text, "no PEM");
  const half = `${folder}/half.pem`;
  await Deno.writeTextFile(half, (await Deno.readTextFile(cert)).slice(0, 200));
  const tls = ["--tls-port", "0"];
  const fail: [flags: string[], code: number, error: RegExp][] = [
    [tls, 2, /^tls-port needs tls-cert as well/],
    [[...tls, "--tls-cert", cert], 2, /^tls-port needs tls-key as well/],
    [["--tls-key", key], 2, /^tls-key is good for nothing without tls-port/],
    [["--port", "off"], 2, /^port off needs tls-port, or nobody can connect/],
    [
      ["--port", "6001", "--tls-port", "6001", ...good.flags],
      2,
      /^port and tls-port cannot both be 6001/,
    ],
    [
      [...tls, "--tls-cert", none, "--tls-key", key],
      1,
      /^cannot read the certificate .*none\.pem: there is no such file$/,
    ],
    [
      [...tls, "--tls-cert", cert, "--tls-key", folder],
      1,
      /^cannot read the key .*: .+$/,
    ],
    [
      [...tls, "--tls-cert", text, "--tls-key", key],
      1,
      /^the certificate .*text\.pem will not do: it is not PEM$/,
    ],
    [
      [...tls, "--tls-cert", half, "--tls-key", key],
      1,
      /^the certificate .*half\.pem will not do: .+$/,
    ],
    [
      [...tls, "--tls-cert", cert, "--tls-key", cert],
      1,
      /^the key .*cert\.pem will not do: it is not PEM$/,
    ],
    [
      [...tls, "--tls-cert", cert, "--tls-key", other.key],
      1,
      /^the key is not the one to the certificate$/,
    ],
  ];
  for (const [flags, expected, error] of fail) {
    await using server = serverProgram(...flags);
    const { code, out, errors } = await server.result();
    assertEquals(
      [code, out, errors.length],
      [expected, [], 1],
      flags.join(" "),
    );
    assertMatch(errors[0]!.replace(/^chat-server: /, ""), error);
  }
});

Deno.test("chat-server starts with a certificate that has expired, and warns", async () => {
  await using certificate = await CertificateFolder.make(await expired());
  const { cert, key } = certificate;
  const server = await ChatServer.start({
    host: "127.0.0.1",
    tls: { port: 0, files: { cert, key } },
  });
  try {
    assertEquals(server.address, `127.0.0.1:${server.tlsPort}`);
    assertMatch(
      server.warnings.join("\n"),
      /^nobody should trust the certificate: it has expired on \d{4}-\d\d-\d\d$/,
    );
    // As soon as there is a good one, all is well.
    await certificate.put(await authority.sign());
    await server.renew();
    assertEquals(server.warnings, []);
  } finally {
    await server.stop();
  }
});

Deno.test("warningsOf() says what is missing at a port that the network reaches", () => {
  const isRegisteredOnly = false;
  const none = { hasTls: false, hasPassword: false, isRegisteredOnly };
  const both = { hasTls: true, hasPassword: true, isRegisteredOnly };
  const isPlainPublic = true;
  assertEquals(warningsOf({ ...none, isPlainPublic: false }), []);
  assertEquals(warningsOf({ ...both, isPlainPublic: false }), []);
  assertEquals(warningsOf({ ...none, isPlainPublic }), [
    "anybody who reaches this machine can join: there is neither TLS nor a password",
  ]);
  assertEquals(warningsOf({ ...none, hasTls: true, isPlainPublic }), [
    "what is said can be read on the way, there is no TLS at a port that the network reaches",
  ]);
  for (const hasTls of [true, false]) {
    for (const isRegisteredOnly of [true, false]) {
      const guarded = { hasPassword: true, hasTls, isRegisteredOnly };
      assertEquals(warningsOf({ ...guarded, isPlainPublic }), [
        "passwords can be read on the way, there is no TLS at a port that the network reaches",
      ]);
    }
    const registered = { ...none, hasTls, isRegisteredOnly: true };
    assertEquals(warningsOf({ ...registered, isPlainPublic: false }), []);
    assertEquals(warningsOf({ ...registered, isPlainPublic }), [
      "logins can be read on the way, there is no TLS at a port that the network reaches",
    ]);
  }
});
