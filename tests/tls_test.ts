/** TLS on the server: real certificates, real files, foreign clients. */

import { Buffer } from "node:buffer";
import { fingerprintOf } from "./certificates.ts";
import { assert, assertEquals, assertMatch } from "./assert.ts";
import { Program, serverProgram, testUnless, without } from "./fixtures.ts";

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
