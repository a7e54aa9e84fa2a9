/** Files of the client's own: who may read them, and what becomes of them when writing fails. */

import {
  readPrivateFile,
  writePrivateFile,
} from "../lib/client/private_file.ts";
import { assertEquals, assertRejects } from "./assert.ts";
import { Folder } from "./fixtures.ts";

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
