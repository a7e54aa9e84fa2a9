/** Files of the client's own: who may read them, and what becomes of them when writing fails. */

import { KnownServers } from "../lib/client/known_servers.ts";
import { Logins } from "../lib/client/logins.ts";
import {
  changePrivateFile,
  readPrivateFile,
  writePrivateFile,
} from "../lib/client/private_file.ts";
import { assertEquals, assertRejects } from "./assert.ts";
import { Folder, Program } from "./fixtures.ts";

async function modeOf(path: string): Promise<number> {
  return ((await Deno.stat(path)).mode ?? 0) & 0o777;
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
}

Deno.test({
  name: "writePrivateFile() makes a folder and a file for one person only",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await Folder.make();
    const path = `${folder.path}/deno-chat/secrets`;
    assertEquals(await readPrivateFile(path), "");
    await writePrivateFile(path, "one\n");
    assertEquals(
      [await modeOf(`${folder.path}/deno-chat`), await modeOf(path)],
      [0o700, 0o600],
    );
    assertEquals(await readPrivateFile(path), "one\n");
    // Whoever could read the one of before cannot read the next.
    await Deno.chmod(path, 0o644);
    await writePrivateFile(path, "two\n");
    assertEquals([await readPrivateFile(path), await modeOf(path)], [
      "two\n",
      0o600,
    ]);
    assertEquals(
      await namesIn(`${folder.path}/deno-chat`),
      ["secrets"],
    );
  },
});

Deno.test({
  name: "writePrivateFile() writes what a link points to",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await Folder.make();
    const [path, kept] = [`${folder.path}/secrets`, `${folder.path}/kept`];
    await Deno.writeTextFile(kept, "one\n");
    await Deno.symlink(kept, path);
    await writePrivateFile(path, "two\n");
    assertEquals(await Deno.readTextFile(kept), "two\n");
    assertEquals((await Deno.lstat(path)).isSymlink, true);
  },
});

Deno.test("writePrivateFile() leaves nothing behind when it fails", async () => {
  await using folder = await Folder.make();
  const path = `${folder.path}/secrets`;
  // No file can take the place of a folder.
  await Deno.mkdir(path);
  await assertRejects(() => writePrivateFile(path, "one\n"), Error);
  assertEquals(
    await namesIn(folder.path),
    ["secrets"],
  );
});

Deno.test("readPrivateFile() says which file it cannot read, and why", async () => {
  await using folder = await Folder.make();
  const path = `${folder.path}/secrets`;
  await Deno.writeFile(path, new Uint8Array([0xff, 0xfe]));
  await assertRejects(
    () => readPrivateFile(path),
    Error,
    `${path}: it is not UTF-8`,
  );
});

Deno.test("changePrivateFile() loses nothing of what several processes decide at the same moment", async () => {
  await using folder = await Folder.make();
  const path = `${folder.path}/new/known_servers`;
  const module = import.meta.resolve("../lib/client/known_servers.ts");
  const fingerprint = `SHA256:${"a".repeat(43)}`;
  const script = (host: string) => `
    import { KnownServers } from ${JSON.stringify(module)};
    const known = new KnownServers(${JSON.stringify(path)});
    console.log("ready");
    for await (const _ of Deno.stdin.readable) break;
    const reason = await known.trust({ host: "${host}", port: 1 }, "${fingerprint}");
    if (reason) throw new Error(reason);`;
  const hosts = Array.from({ length: 8 }, (_, i) => `host${i}`);
  const programs = hosts.map((host) =>
    new Program(Deno.execPath(), ["eval", "--quiet", "--no-lock", script(host)])
  );
  try {
    for (const { out } of programs) assertEquals(await out.next(), "ready");
    await Promise.all(programs.map((program) => program.write("\n")));
    for (const program of programs) {
      const { code, errors } = await program.result();
      assertEquals({ code, errors }, { code: 0, errors: [] });
    }
  } finally {
    for (const program of programs) await program[Symbol.asyncDispose]();
  }
  const lines = (await readPrivateFile(path)).trimEnd().split("\n");
  assertEquals(lines.sort(), hosts.map((host) => `${host}:1 ${fingerprint}`));
  assertEquals(await namesIn(`${folder.path}/new`), ["known_servers"]);
});

Deno.test("Logins and KnownServers lose nothing of what is decided at the same moment", async () => {
  await using folder = await Folder.make();
  const [logins, servers] = ["logins.json", "known_servers"].map((name) =>
    `${folder.path}/${name}`
  );
  const names = Array.from({ length: 8 }, (_, i) => `ann${i}`);
  const fingerprint = `SHA256:${"a".repeat(43)}`;
  await new Logins(logins!, "x").remember({ name: "bob", password: "old" });
  await Promise.all([
    new Logins(logins!, "x").forget("bob"),
    ...names.flatMap((name) => [
      new Logins(logins!, "x").remember({ name, password: name }),
      new KnownServers(servers!).trust({ host: name, port: 1 }, fingerprint),
    ]),
  ]);
  const kept = new Logins(logins!, "x");
  for (const name of names) assertEquals(await kept.find(name), name);
  assertEquals(await kept.find("bob"), undefined);
  const known = new KnownServers(servers!);
  for (const host of names) {
    const found = await known.find({ host, port: 1 });
    assertEquals(found?.fingerprint, fingerprint);
  }
});

Deno.test("changePrivateFile() takes over from whoever has died, waits only so long for others, and leaves no lock", async () => {
  await using folder = await Folder.make();
  const path = `${folder.path}/secrets`;
  const lock = `${path}.lock`;
  const add = (text: string) => `${text}one\n`;
  await Deno.writeTextFile(lock, "");
  await assertRejects(
    () => changePrivateFile(path, add, { waitMs: 1, staleMs: 3_600_000 }),
    Error,
    `${lock} is there: another client changes the file`,
  );
  assertEquals(await namesIn(folder.path), ["secrets.lock"]);
  const longAgo = new Date(Date.now() - 60_000);
  await Deno.utime(lock, longAgo, longAgo);
  assertEquals(await changePrivateFile(path, add, { waitMs: 0 }), true);
  assertEquals(await changePrivateFile(path, (text) => text), false);
  await assertRejects(
    () =>
      changePrivateFile(path, () => {
        throw new Error("it is malformed");
      }),
    Error,
    "it is malformed",
  );
  assertEquals(await readPrivateFile(path), "one\n");
  assertEquals(await namesIn(folder.path), ["secrets"]);
});
