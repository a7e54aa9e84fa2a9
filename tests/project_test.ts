/** What deno.json, the README and the CI promise. */

import config from "../deno.json" with { type: "json" };
import { assert, assertEquals, assertMatch } from "./assert.ts";
import { CLIENT_ARGS, listening, Program, SERVER_ARGS } from "./fixtures.ts";

const read = (file: string) =>
  Deno.readTextFile(new URL(`../${file}`, import.meta.url));
const commands = Object.fromEntries(
  Object.entries(config.tasks).map(([name, { command }]) => [name, command]),
);

Deno.test("deno.json has the tasks, each with the permissions it needs and no more", () => {
  assertEquals(Object.keys(commands).sort(), [
    "check",
    "client",
    "compile",
    "dev",
    "server",
    "test",
  ]);
  for (const [name, command] of Object.entries(commands)) {
    assert(!/(^| )(-A|--allow-all)( |$)/.test(command), name);
  }
  const flags = (args: string[]) =>
    args.filter((word) => word !== "--quiet").join(" ");
  assertEquals(commands["server"], `deno ${flags(SERVER_ARGS)}`);
  assertEquals(commands["client"], `deno ${flags(CLIENT_ARGS)}`);
  assertEquals(
    commands["dev"],
    `deno ${flags(SERVER_ARGS).replace("run ", "run --watch ")}`,
  );
});

Deno.test("The compiled programs get the permissions that deno.json gives them, and no more", async () => {
  const script = await read("scripts/compile.ts");
  const permissions = (args: string[]) =>
    args.filter((word) => word.startsWith("--allow"));
  for (const args of [SERVER_ARGS, CLIENT_ARGS]) {
    const list = permissions(args).map((flag) => `"${flag}"`).join(", ");
    assert(script.includes(`permissions: [${list}]`), list);
  }
  assert(!/"(-A|--allow-all)"/.test(script));
});

Deno.test("The README's two commands are tasks, and CI runs the one for the tests", async () => {
  const readme = await read("README.md");
  const found = [...readme.matchAll(/^npx -y deno@2\.9\.6 task (\w+)$/gm)].map((
    [, task],
  ) => task);
  assertEquals(found.slice(0, 2), ["server", "test"]);
  assertMatch(await read(".ci/run"), /^npx -y deno@2\.9\.6 task test\b/m);
});

Deno.test("The README names every flag of both programs", async () => {
  const readme = await read("README.md");
  for (const program of ["server.ts", "client.ts"]) {
    const args = program === "server.ts" ? SERVER_ARGS : CLIENT_ARGS;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [...args, "--help"],
    }).output();
    for (
      const [flag] of new TextDecoder().decode(stdout).matchAll(/--[a-z]+/g)
    ) {
      assert(readme.includes(flag), `${program} ${flag}`);
    }
  }
});

Deno.test("ARCHITECTURE.md names every file of lib/ and every dependency", async () => {
  const architecture = await read("ARCHITECTURE.md");
  for (const folder of ["lib", "lib/wire", "lib/server", "lib/client"]) {
    for await (
      const { name, isFile } of Deno.readDir(
        new URL(`../${folder}`, import.meta.url),
      )
    ) {
      if (isFile) assert(architecture.includes(name), name);
    }
  }
  for (const name of Object.keys(config.imports)) {
    assert(architecture.includes(name), name);
  }
});

Deno.test("deno task dev starts the server again when a file changes", async () => {
  const copy = await Deno.makeTempDir();
  try {
    for (const file of ["deno.json", "deno.lock", "server.ts"]) {
      await Deno.copyFile(
        new URL(`../${file}`, import.meta.url),
        `${copy}/${file}`,
      );
    }
    for (const file of await filesBelow("lib")) {
      await Deno.mkdir(`${copy}/${file}`.replace(/\/[^/]*$/, ""), {
        recursive: true,
      });
      await Deno.copyFile(
        new URL(`../${file}`, import.meta.url),
        `${copy}/${file}`,
      );
    }
    const words = commands["dev"]!.replace(
      "server.ts",
      `${copy}/server.ts --port 0`,
    ).split(" ").slice(1);
    await using dev = new Program(Deno.execPath(), words);
    await listening(dev);
    await Deno.writeTextFile(`${copy}/lib/message.ts`, "\n", { append: true });
    await listening(dev);
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
});

async function filesBelow(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (
    const { name, isDirectory } of Deno.readDir(
      new URL(`../${folder}`, import.meta.url),
    )
  ) {
    const path = `${folder}/${name}`;
    files.push(...isDirectory ? await filesBelow(path) : [path]);
  }
  return files;
}
