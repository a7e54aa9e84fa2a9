/** Whom chat-client trusts, with real certificates and real TLS; and that nothing is said before it does. */

import { KnownServers } from "../lib/client/known_servers.ts";
import type { Link, LinkError, LinkOptions } from "../lib/client/link.ts";
import type { Trust } from "../lib/client/secure.ts";
import type { Credentials } from "../lib/server/credentials.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "./assert.ts";
import {
  Authority,
  CertificateFolder,
  expired,
  fingerprintOf,
  inDays,
  LOOPBACK,
  notYetValid,
  ofAnotherHost,
  selfSigned,
  selfSignedAuthority,
} from "./certificates.ts";
import { Desk, noDesk } from "./desk.ts";
import { connect, Ear, failure, FakeServer } from "./far_end.ts";
import {
  CLIENT_ARGS,
  Folder,
  Program,
  testUnless,
  without,
} from "./fixtures.ts";
import { SecureServer } from "./secure_server.ts";

/** Why only self-signed certificates for their own host can be trusted without an authority, if that is so. */
const onlySimple = /^2\.[0-8]\./.test(Deno.version.deno)
  ? "before 2.9 Deno does not check whether a server has the key"
  : undefined;

const nowhere = () => new KnownServers("");

/** A folder of the client's, and the file of known servers in it. */
async function ownFolder(text = ""): Promise<Folder & { file: string }> {
  const folder = await Folder.make();
  const file = `${folder.path}/deno-chat/known_servers`;
  if (text !== "") {
    await Deno.mkdir(`${folder.path}/deno-chat`);
    await Deno.writeTextFile(file, text);
  }
  return Object.assign(folder, { file });
}

/** Connects, trusting so far nobody but whom `trust` says. */
function connectSecurely(
  server: { port: number },
  trust: Partial<Trust> = {},
  options: Partial<LinkOptions> = {},
): Promise<Link> {
  return connect(server, { trust: { known: nowhere(), ...trust }, ...options });
}

/** Why there is no link; nothing has been said to the server. */
async function refusal(
  credentials: Credentials,
  trust: Partial<Trust> = {},
  options: Partial<LinkOptions> = {},
): Promise<string> {
  await using server = new SecureServer(credentials);
  const link = connectSecurely(server, trust, options);
  const { message, name } = await assertRejects(() => link, Error);
  assertEquals(name, "LinkError" satisfies LinkError["name"]);
  assertEquals(server.heard, []);
  const { host = "127.0.0.1" } = options;
  const [, reason] = message.split(
    `cannot connect to ${host}:${server.port}: `,
  );
  return (reason ?? message).replaceAll(`:${server.port}`, ":PORT");
}

/** A link to a server that says welcome; it is left in peace. */
async function assertTrusted(
  credentials: Credentials,
  trust: Partial<Trust>,
  options: Partial<LinkOptions> = {},
): Promise<void> {
  await using server = new SecureServer(credentials);
  const connecting = connectSecurely(server, trust, options);
  const visitor = await server.welcome();
  const link = await connecting;
  const ear = new Ear(link);
  const leaving = link.leave();
  // What is said last arrives.
  assertEquals(await visitor.line(), '{"type":"quit"}');
  await visitor.halfClose();
  await leaving;
  await ear.end;
  assertEquals(server.heard.length, 1);
}

Deno.test("An authority is trusted for the names and numbers that it vouches for", async () => {
  const authority = await Authority.make();
  const signed = await authority.sign();
  for (const host of ["127.0.0.1", "localhost"]) {
    await assertTrusted(signed, { authority: authority.cert }, { host });
  }
});

testUnless(
  onlySimple,
  "A self-signed certificate in the file of authorities is trusted, however it is marked",
  async () => {
    for (
      const made of [await selfSigned(LOOPBACK), await selfSignedAuthority()]
    ) {
      await assertTrusted(made, { authority: made.cert });
    }
    const elsewhere = await selfSigned(["a.example"], { isAuthority: true });
    assertEquals(
      await refusal(elsewhere, { authority: elsewhere.cert }),
      "its certificate is for another host",
    );
  },
);

Deno.test("What an authority vouches for is refused when it is too late, too early or for another host, and nobody is asked", async () => {
  const authority = await Authority.make();
  const reasons: [Credentials, string][] = [
    [
      await authority.sign(LOOPBACK, { from: inDays(-9), until: inDays(-1) }),
      "its certificate has expired",
    ],
    [
      await authority.sign(LOOPBACK, { from: inDays(1) }),
      "its certificate is not valid yet; is this machine's clock right?",
    ],
    [
      await authority.sign(["elsewhere.example"]),
      "its certificate is for another host",
    ],
    [await expired(), "its certificate has expired"],
    [
      await notYetValid(),
      "its certificate is not valid yet; is this machine's clock right?",
    ],
  ];
  const onStranger = () => Promise.reject(new Error("somebody is asked"));
  for (const [credentials, reason] of reasons) {
    const trust = { authority: authority.cert };
    assertEquals(await refusal(credentials, trust, { onStranger }), reason);
  }
});

Deno.test("A certificate for which nobody vouches is refused with its fingerprint, where nobody says otherwise", async () => {
  const made = await selfSigned(LOOPBACK);
  const met = await fingerprintOf(made.cert);
  const asked: string[] = [];
  const onStranger = (fingerprint: string) => {
    asked.push(fingerprint);
    return Promise.resolve(false);
  };
  for (const options of [{}, { onStranger }]) {
    assertEquals(
      await refusal(made, {}, options),
      `nobody known vouches for its certificate; if whoever runs it says that it is the right one, --tls-fingerprint ${met} trusts it`,
    );
  }
  assertEquals(asked, [met]);
});

/** What somebody can decide to trust. */
const strange: [string, string | undefined, () => Promise<Credentials>][] = [
  ["self-signed", undefined, () => selfSigned(LOOPBACK)],
  ["marked as an authority", onlySimple, selfSignedAuthority],
  ["for another host", onlySimple, ofAnotherHost],
  [
    "of an unknown authority",
    onlySimple,
    async () => (await Authority.make()).sign(),
  ],
];

for (const [kind, missing, make] of strange) {
  testUnless(
    missing,
    `What somebody has decided to trust is not asked about again: ${kind}`,
    async () => {
      await using folder = await ownFolder();
      const made = await make();
      const met = await fingerprintOf(made.cert);
      await using server = new SecureServer(made);
      const asked: string[] = [];
      for (const _ of ["first", "again"]) {
        const known = new KnownServers(folder.file);
        const connecting = connectSecurely(server, { known }, {
          async onStranger(fingerprint) {
            asked.push(fingerprint);
            const { port } = server;
            // Nothing was said to it until now.
            assertEquals(server.heard, []);
            assertEquals(
              await known.trust({ host: "127.0.0.1", port }, fingerprint),
              undefined,
            );
            return true;
          },
        });
        const visitor = await server.welcome();
        const link = await connecting;
        const ear = new Ear(link);
        link.say("hi");
        assertMatch((await visitor.line())!, /"text":"hi"/);
        link.close();
        await ear.end;
      }
      assertEquals(asked, [met]);
      assertEquals(
        await Deno.readTextFile(folder.file),
        `127.0.0.1:${server.port} ${met}\n`,
      );
    },
  );
}

Deno.test(
  "A certificate other than the one that is trusted is refused loudly, and nobody is asked",
  async () => {
    const [made, other] = [await selfSigned(LOOPBACK), await expired()];
    await using server = new SecureServer(made);
    const met = await fingerprintOf(made.cert);
    const trusted = await fingerprintOf(other.cert);
    const text =
      `# mine\nexample.org:5001 ${met}\n127.0.0.1:${server.port} ${trusted}\n`;
    await using folder = await ownFolder(text);
    const known = new KnownServers(folder.file);
    const link = connectSecurely(server, { known }, {
      onStranger: () => Promise.reject(new Error("somebody is asked")),
    });
    const { message } = await assertRejects(() => link, Error);
    assertEquals(
      message,
      `cannot connect to 127.0.0.1:${server.port}: ` +
        `THE CERTIFICATE OF 127.0.0.1:${server.port} IS NOT THE ONE THAT IS TRUSTED. ` +
        `It is ${met}, and not ${trusted} (line 3 of ${folder.file}). ` +
        "Either somebody is between you and the server, or it has a new one; " +
        "ask whoever runs it, and only then forget the one that is trusted",
    );
    assertEquals(server.heard, []);
    assertEquals(await Deno.readTextFile(folder.file), text);
  },
);

Deno.test("A certificate that an authority vouches for takes the place of one that was trusted", async () => {
  const authority = await Authority.make();
  await using server = new SecureServer(await authority.sign());
  const before = await fingerprintOf((await selfSigned(LOOPBACK)).cert);
  await using folder = await ownFolder(`127.0.0.1:${server.port} ${before}\n`);
  const connecting = connectSecurely(server, {
    known: new KnownServers(folder.file),
    authority: authority.cert,
  });
  await server.welcome();
  (await connecting).close();
});

testUnless(
  onlySimple,
  "With a fingerprint no name, date or authority counts",
  async () => {
    const authority = await Authority.make();
    const signed = await authority.sign();
    for (const made of [signed, await expired(), await ofAnotherHost()]) {
      await assertTrusted(made, {
        fingerprint: await fingerprintOf(made.cert),
      });
    }
    const fingerprint = await fingerprintOf(signed.cert);
    const other = await authority.sign();
    assertMatch(
      await refusal(other, { fingerprint, authority: authority.cert }),
      /IS NOT THE ONE THAT IS TRUSTED.* \(--tls-fingerprint\)/,
    );
  },
);

/** The key that belongs to a certificate, with which nothing can be signed: what is public of it, and another secret. */
async function forgedKey(victim: Credentials): Promise<string> {
  const other = await selfSigned(LOOPBACK);
  const [key, secret] = [victim.key, other.key].map((pem) =>
    Uint8Array.fromBase64(pem.replace(/-----[A-Z ]+-----|\n/g, ""))
  );
  // PKCS #8 of a P-256 key: 36 bytes, then the secret, 32 bytes.
  key!.set(secret!.subarray(36, 68), 36);
  return `-----BEGIN PRIVATE KEY-----\n${
    key!.toBase64()
  }\n-----END PRIVATE KEY-----\n`;
}

/** `openssl s_server` with these files, on a port of its own, once it listens. */
async function opensslServer(
  cert: string,
  key: string,
): Promise<Program & { port: number }> {
  const server = new Program("openssl", [
    ...["s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-key", key],
  ]);
  for (let line; (line = await server.out.next()) !== undefined;) {
    const port = /^ACCEPT \S+:(\d+)/.exec(line)?.[1];
    if (port) return Object.assign(server, { port: Number(port) });
  }
  throw new Error(`no server: ${await server.errors.rest()}`);
}

testUnless(
  without("openssl"),
  "Who has a trusted certificate, and not its key, is refused",
  async () => {
    const victim = await selfSigned(LOOPBACK);
    const fingerprint = await fingerprintOf(victim.cert);
    await using files = await CertificateFolder.make({
      cert: victim.cert,
      key: await forgedKey(victim),
    });
    await using server = await opensslServer(files.cert, files.key);
    const { port } = server;
    await using folder = await ownFolder(`127.0.0.1:${port} ${fingerprint}\n`);
    const known = new KnownServers(folder.file);
    for (const trust of [{ known }, { fingerprint }]) {
      const { message } = await assertRejects(
        () => connectSecurely(server, trust),
        Error,
      );
      assertMatch(message, /it does not have the key of its certificate/);
    }
    server.signal("SIGTERM");
    assert(!(await server.out.rest()).join().includes("hello"));
  },
);

testUnless(
  without("openssl"),
  "A certificate that does not say its version is refused, as nobody checks its key",
  async () => {
    await using folder = await Folder.make();
    const [cert, key] = [`${folder.path}/cert.pem`, `${folder.path}/key.pem`];
    const script = 'cd "$0" && openssl req -newkey rsa:2048 -nodes' +
      " -keyout key.pem -subj /CN=localhost -out r.pem 2>/dev/null &&" +
      " openssl x509 -req -in r.pem -signkey key.pem -out cert.pem 2>/dev/null";
    await using making = new Program("sh", ["-c", script, folder.path]);
    assertEquals(await making.exit(), 0);
    const fingerprint = await fingerprintOf(await Deno.readTextFile(cert));
    await using server = await opensslServer(cert, key);
    const { message } = await assertRejects(
      () => connectSecurely(server, { fingerprint }),
      Error,
    );
    assertMatch(message, /its certificate will not do/);
    server.signal("SIGTERM");
    assert(!(await server.out.rest()).join().includes("hello"));
  },
);

Deno.test("A link that meets another certificate when it comes back ends for good, and asks nobody", async () => {
  const made = await selfSigned(LOOPBACK);
  const other = await selfSigned(LOOPBACK);
  const authority = await Authority.make();
  const signed = await authority.sign();
  const fingerprint = await fingerprintOf(made.cert);
  const onStranger = () => Promise.reject(new Error("somebody is asked"));
  const trusts: [Credentials, Partial<Trust>, RegExp][] = [
    [made, { fingerprint }, /IS NOT THE ONE THAT IS TRUSTED/],
    [signed, { authority: authority.cert }, /nobody known vouches for/],
  ];
  for (const [credentials, trust, reason] of trusts) {
    let port;
    let ear;
    {
      await using server = new SecureServer(credentials);
      port = server.port;
      const connecting = connectSecurely(server, trust, {
        onStranger,
        // So that the next server is there in time.
        firstDelayMs: 300,
      });
      await server.welcome();
      const link = await connecting;
      ear = new Ear(link);
      link.say("secret");
    }
    await using server = new SecureServer(other, port);
    assertMatch(await failure(ear), reason);
    assertEquals(server.heard, []);
  }
});

Deno.test("A server without TLS, and a client without it, are told what to do", async () => {
  using plain = new FakeServer();
  const connecting = connectSecurely(plain);
  const bot = await plain.accept();
  await bot.visitor.send("-- bye: this is a chat\n");
  const { message } = await assertRejects(() => connecting, Error);
  assertMatch(message, /: it speaks no TLS; without --tls\?$/);
  bot.close();

  const closing = connectSecurely(plain);
  await (await plain.accept()).visitor.halfClose();
  assertMatch(
    (await assertRejects(() => closing, Error)).message,
    /: it closed the connection where TLS begins; without --tls\?$/,
  );

  await using secure = new SecureServer(await selfSigned(LOOPBACK));
  const without = await assertRejects(() => connect(secure), Error);
  assertMatch(without.message, /: it speaks TLS; with --tls\?$/);
  assertEquals(secure.heard, []);
});

Deno.test("Where TLS begins, nobody is waited for longer than for a welcome", async () => {
  using silent = new FakeServer();
  const connecting = connectSecurely(silent, {}, { welcomeMs: 500 });
  const bot = await silent.accept();
  const { message } = await assertRejects(() => connecting, Error);
  assertMatch(message, /: no answer within 0.5 s$/);
  bot.close();
});

Deno.test("A trusted server that falls silent is given up", async () => {
  const made = await selfSigned(LOOPBACK);
  await using server = new SecureServer(made);
  const fingerprint = await fingerprintOf(made.cert);
  const connecting = connectSecurely(server, { fingerprint }, {
    silentMs: 300,
    pingMs: 100,
    reconnect: false,
  });
  const visitor = await server.welcome();
  const ear = new Ear(await connecting);
  assertEquals(await visitor.line(), '{"type":"ping"}');
  assertEquals(
    await failure(ear),
    "connection lost (nothing came for 0.3 s)",
  );
});

Deno.test("KnownServers keeps what is in its file, whoever has written it", async () => {
  const fingerprint = `SHA256:${"a".repeat(43)}`;
  await using folder = await ownFolder(
    `# mine\n\nHome.example:5001  ${fingerprint}`,
  );
  const [one, two] = [folder.file, folder.file].map((path) =>
    new KnownServers(path)
  );
  const found = { fingerprint, where: `line 3 of ${folder.file}` };
  assertEquals(await one!.find({ host: "hoME.example", port: 5001 }), found);
  assertEquals(
    await one!.find({ host: "home.example", port: 5002 }),
    undefined,
  );
  const other = `SHA256:${"B".repeat(43)}`;
  assertEquals(await one!.trust({ host: "::1", port: 1 }, other), undefined);
  assertEquals(await two!.trust({ host: "A", port: 2 }, other), undefined);
  assertEquals(
    await Deno.readTextFile(folder.file),
    `# mine\n\nHome.example:5001  ${fingerprint}\n[::1]:1 ${other}\na:2 ${other}\n`,
  );
});

Deno.test("KnownServers says what is wrong with its file, and leaves it as it is", async () => {
  const fingerprint = `SHA256:${"a".repeat(43)}`;
  const wrong = ["home:1", `home:1 ${fingerprint}=`, `home:1 ${fingerprint} x`];
  for (const line of wrong) {
    const text = `# mine\n${line}\n`;
    await using folder = await ownFolder(text);
    const known = new KnownServers(folder.file);
    const fault = `line 2 of ${folder.file}: it is not HOST:PORT SHA256:...`;
    const address = { host: "127.0.0.1", port: 1 };
    await assertRejects(() => known.find(address), Error, fault);
    assertEquals(await known.trust(address, fingerprint), fault);
    assertEquals(await Deno.readTextFile(folder.file), text);
    // Whoever might have decided something is not asked again.
    const { message } = await assertRejects(
      () => connectSecurely({ port: 1 }, { known }),
      Error,
    );
    assertEquals(message, `cannot connect to 127.0.0.1:1: ${fault}`);
  }
});

/** chat-client in a pipe, with a folder of its own. */
function client(
  folder: Folder,
  env: Record<string, string>,
  ...flags: string[]
): Program {
  return new Program(Deno.execPath(), [...CLIENT_ARGS, ...flags], {
    USER: "ann",
    XDG_CONFIG_HOME: folder.path,
    ...env,
  });
}

Deno.test("chat-client in a pipe says what it says over TLS, and asks nobody", async () => {
  const made = await selfSigned(LOOPBACK);
  const met = await fingerprintOf(made.cert);
  await using server = new SecureServer(made);
  await using folder = await ownFolder();
  await using refused = client(folder, {}, "--tls", String(server.port));
  const { code, errors } = await refused.result();
  assertEquals([code, errors.length], [1, 1]);
  assertMatch(errors[0]!, /nobody known vouches for its certificate/);
  assertEquals(server.heard, []);

  await using trusted = client(
    folder,
    { CHAT_SERVER: `chats://localhost:${server.port}` },
    "--tls-fingerprint",
    met,
  );
  await trusted.write("one\n");
  await trusted.closeInput();
  const visitor = await server.welcome();
  const said = JSON.parse((await visitor.line())!);
  assertEquals(said.text, "one");
  const ack = { type: "ack", id: said.id, seq: 1 };
  await visitor.send(`${JSON.stringify(ack)}\n`);
  assertEquals(await visitor.line(), '{"type":"quit"}');
  await visitor.send('{"type":"bye","reason":"you quit"}\n');
  await visitor.halfClose();
  assertEquals(await trusted.exit(), 0);
});

Deno.test("chat-client --text ends its input over TLS, and prints what is said after that", async () => {
  const made = await selfSigned(LOOPBACK);
  await using server = new SecureServer(made);
  await using files = await CertificateFolder.make(made);
  await using folder = await ownFolder();
  const ways = [
    ["--tls-ca", files.cert],
    ["--tls-fingerprint", await fingerprintOf(made.cert)],
  ];
  for (const flags of ways) {
    await using foreign = client(
      folder,
      {},
      ...["--text", `chats://localhost:${server.port}`, ...flags],
    );
    await foreign.write("one\ntwo\n");
    await foreign.closeInput();
    const { visitor, line } = await server.spoken();
    assertEquals([line, ...await visitor.rest()], ["one", "two"]);
    await visitor.send("three\n");
    await visitor.halfClose();
    assertEquals(await foreign.out.rest(), ["three"]);
    assertEquals(await foreign.exit(), 0);
  }
});

Deno.test("chat-client says in one line why it has no authority to trust", async () => {
  await using folder = await ownFolder();
  const empty = `${folder.path}/empty.pem`;
  await Deno.writeTextFile(empty, "nothing\n");
  const wrong: [string[], string][] = [
    [["--tls", "--tls-ca", empty], `${empty}: there is no certificate in PEM`],
    [["--tls", "--tls-ca", "none.pem"], "none.pem: there is no such file"],
  ];
  for (const [flags, message] of wrong) {
    await using program = client(folder, {}, ...flags);
    assertEquals(await program.result(), {
      code: 2,
      out: [],
      errors: [`chat-client: ${message} (--help tells more)`],
    });
  }
});

/** A person at a terminal who connects to an encrypted server for the first time. */
function newcomer(port: number, folder: Folder): Desk {
  return Desk.client(port, {
    columns: 120,
    flags: ["--tls"],
    env: { XDG_CONFIG_HOME: folder.path },
  });
}

testUnless(
  noDesk,
  "chat-client asks a person once whether to trust a certificate",
  async () => {
    const made = await selfSigned(LOOPBACK);
    const met = await fingerprintOf(made.cert);
    await using server = new SecureServer(made);
    await using folder = await ownFolder();
    for (const answer of ["\r", "nay\r", "\x04"]) {
      await using refusing = newcomer(server.port, folder);
      await refusing.untilLast("Trust it from now on? [y/N]");
      const lines = refusing.rows.filter((row) => row !== "");
      assertEquals(lines.slice(-4, -2), [
        `Nobody known vouches for the certificate of 127.0.0.1:${server.port}:`,
        met,
      ]);
      await refusing.type(answer);
      const end = await refusing.untilExit();
      // What it says begins a line.
      assertMatch(end.at(-2)!, /^chat-client: cannot connect /);
      assertEquals(end.at(-1), "exit 1, sane");
    }
    {
      await using trusting = newcomer(server.port, folder);
      await trusting.untilLast("Trust it from now on? [y/N]");
      assertEquals(server.heard, []);
      await trusting.type("yes\r");
      await server.welcome();
      await trusting.untilLast("lobby ann>");
    }
    assertEquals(
      await Deno.readTextFile(folder.file),
      `127.0.0.1:${server.port} ${met}\n`,
    );
    await using again = newcomer(server.port, folder);
    await server.welcome();
    await again.untilLast("lobby ann>");
  },
);

testUnless(
  noDesk,
  "chat-client that may not write trusts for this time only, and says so",
  async () => {
    await using server = new SecureServer(await selfSigned(LOOPBACK));
    await using folder = await ownFolder();
    // In the way of the folder that it would make.
    await Deno.symlink("nowhere", `${folder.path}/deno-chat`);
    await using trusting = newcomer(server.port, folder);
    await trusting.untilLast("Trust it from now on? [y/N]");
    await trusting.type("y\r");
    await server.welcome();
    const lines = await trusting.untilLast("lobby ann>");
    assert(
      lines.some((line) =>
        line.startsWith("chat-client: trusted for this time only: ")
      ),
    );
  },
);
