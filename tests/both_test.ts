/** Both programs together, over TLS and with passwords, as somebody uses them who lets friends in. */

import { Logins } from "../lib/client/logins.ts";
import { assert, assertEquals, assertMatch } from "./assert.ts";
import {
  Bot,
  CLIENT_ARGS,
  clientProgram,
  Folder,
  listening,
  Program,
  serverProgram,
  testUnless,
  Visitor,
} from "./fixtures.ts";

/** A folder with what `chat-server cert` has made, and a password. */
class Keys implements AsyncDisposable {
  readonly folder: Folder;
  readonly fingerprint: string;

  private constructor(folder: Folder, fingerprint: string) {
    this.folder = folder;
    this.fingerprint = fingerprint;
  }

  static async make(): Promise<Keys> {
    const folder = await Folder.make();
    await using program = serverProgram("cert", `${folder.path}/tls`);
    const { code, out } = await program.result();
    const [fingerprint = ""] = /SHA256:\S{43}/.exec(out.join("\n")) ?? [];
    assertEquals([code, fingerprint.length], [0, 50], out.join("\n"));
    const options = { mode: 0o600 };
    await Deno.writeTextFile(`${folder.path}/password`, "sesame\n", options);
    return new Keys(folder, fingerprint);
  }

  get cert(): string {
    return `${this.folder.path}/tls/cert.pem`;
  }

  /** The flags of both programs for the server's password. */
  get password(): string[] {
    return ["--password-file", `${this.folder.path}/password`];
  }

  /** A server with nothing but TLS. */
  serve(port = 0, ...flags: string[]): Program {
    return serverProgram(
      ...["--port", "off", "--tls-port", String(port)],
      ...["--tls-cert", this.cert],
      ...["--tls-key", `${this.folder.path}/tls/key.pem`],
      ...flags,
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.folder[Symbol.asyncDispose]();
  }
}

Deno.test("Clients that trust the server by its fingerprint or a file, one of them logged in, talk over TLS, once past the password", async () => {
  await using keys = await Keys.make();
  await using server = keys.serve(0, ...keys.password);
  const port = await listening(server);
  const url = `chats://localhost:${port}`;
  const pin = ["--tls-fingerprint", keys.fingerprint];
  const ca = ["--tls-ca", keys.cert];

  // Cat makes her name hers, and stores the login as /remember does.
  {
    const caCerts = [await Deno.readTextFile(keys.cert)];
    const where = { hostname: "localhost", port, caCerts };
    using cat = new Bot(new Visitor(await Deno.connectTls(where)));
    await cat.hello({ name: "cat", password: "sesame" });
    await cat.send({ type: "register", password: "cat's own" });
    await cat.until("done");
  }
  await using home = await Folder.make();
  const logins = new Logins(`${home.path}/deno-chat/logins.json`, url);
  await logins.remember({ name: "cat", password: "cat's own" });

  await using ann = clientProgram("ann", ...pin, ...keys.password, url);
  assertMatch((await ann.out.next())!, /^-- welcome, you are ann; /);
  await using bob = new Program(
    Deno.execPath(),
    [...CLIENT_ARGS, "--json", ...ca, url],
    { USER: "bob", CHAT_PASSWORD: "sesame" },
  );
  assertEquals(JSON.parse((await bob.out.next())!).name, "bob");
  await using cat = new Program(
    Deno.execPath(),
    [...CLIENT_ARGS, "--login", ...ca, ...keys.password, url],
    { USER: "cat", XDG_CONFIG_HOME: home.path },
  );
  await cat.out.until(/^-- welcome, you are cat; /);
  await ann.out.until("[cat] entered room");

  const said = [[ann, "ann"], [bob, "bob"], [cat, "cat"]] as const;
  for (const [program, name] of said) {
    await program.write(`${name} was here\n`);
    for (const [other] of said) {
      if (other === program) continue;
      if (other === bob) {
        await other.out.until(new RegExp(`"${name} was here"`));
      } else await other.out.until(`<${name}> ${name} was here`);
    }
  }
  for (const [program] of said) {
    await program.closeInput();
    assertEquals(await program.exit(), 0);
    assertEquals(await program.errors.rest(), []);
  }

  await using stranger = clientProgram("dan", ...ca, url);
  assertEquals(await stranger.result(), {
    code: 1,
    out: [],
    errors: [
      `chat-client: localhost:${port}: the server asks for a password: --password-file FILE or the variable CHAT_PASSWORD says it`,
    ],
  });
});

testUnless(
  Deno.build.os === "windows" ? "Windows has no SIGTERM" : undefined,
  "A client does not follow a server that comes back with another certificate, and says so loudly",
  async () => {
    await using keys = await Keys.make();
    await using first = keys.serve();
    const port = await listening(first);
    await using ann = clientProgram(
      "ann",
      ...["--tls-fingerprint", keys.fingerprint, "--retry", "600"],
      `chats://localhost:${port}`,
    );
    assertMatch((await ann.out.next())!, /^-- welcome, you are ann; /);
    await using others = await Keys.make();
    first.signal("SIGTERM");
    assertEquals(await first.exit(), 0);
    await using second = others.serve(port);
    await listening(second);
    assertEquals(await ann.exit(), 1);
    const last = (await ann.errors.rest()).at(-1)!;
    const [met, pinned] = [others.fingerprint, keys.fingerprint];
    assert(last.includes(`IS NOT THE ONE THAT IS TRUSTED. It is ${met}`), last);
    assert(last.includes(`and not ${pinned} (--tls-fingerprint)`), last);
    second.signal("SIGTERM");
    assertEquals(await second.exit(), 0);
    // Not a word was said to it.
    const log = (await second.errors.rest()).join("\n");
    assert(!log.includes("entered"), log);
  },
);
