/** What deno.json, the README and the CI promise. */

import config from "../deno.json" with { type: "json" };
import { assert, assertEquals, assertMatch } from "./assert.ts";
import {
  CLIENT_ARGS,
  listening,
  Program,
  SERVER_ARGS,
  SourcesCopy,
} from "./fixtures.ts";
import { trialsByFile } from "./reliability.ts";

const read = (file: string) =>
  Deno.readTextFile(new URL(`../${file}`, import.meta.url));
const commands = Object.fromEntries(
  Object.entries(config.tasks).map(([name, { command }]) => [name, command]),
);

Deno.test("deno.json has the tasks, each with the permissions it needs and no more", () => {
  assertEquals(Object.keys(commands).sort(), [
    "bench",
    "check",
    "client",
    "compile",
    "dev",
    "fuzz",
    "profile",
    "reliability",
    "screenshot",
    "server",
    "soak",
    "test",
  ]);
  for (const [name, command] of Object.entries(commands)) {
    assert(!/(^| )(-A|--allow-all)( |$)/.test(command), name);
  }
  // In a task, Deno 2.6 takes a star that is not quoted for a file.
  const flags = (args: string[]) =>
    args.filter((word) => word !== "--quiet")
      .map((word) => word.includes("*") ? `'${word}'` : word).join(" ");
  assertEquals(commands["server"], `deno ${flags(SERVER_ARGS)}`);
  assertEquals(commands["client"], `deno ${flags(CLIENT_ARGS)}`);
  assertEquals(
    commands["dev"],
    `deno ${flags(SERVER_ARGS).replace("run ", "run --watch ")}`,
  );
});

Deno.test("deno.json is strict, needs no node_modules, and has a lock", async () => {
  const strict = [
    "strict",
    "exactOptionalPropertyTypes",
    "noImplicitOverride",
    "noUncheckedIndexedAccess",
    "noUnusedLocals",
    "noUnusedParameters",
  ] as const;
  for (const option of strict) {
    assertEquals(config.compilerOptions[option], true, option);
  }
  assertEquals(config.nodeModulesDir, "none");
  assertEquals(
    commands["check"],
    "deno fmt --check && deno lint && deno check",
  );
  const lock = JSON.parse(await read("deno.lock"));
  for (const specifier of Object.values(config.imports)) {
    const name = /^npm:((?:@[^/]+\/)?[^@/]+@[^/]+)/.exec(specifier)?.[1];
    assert(lock.specifiers[`npm:${name}`], specifier);
  }
});

Deno.test("CI checks, tests and compiles on Linux, macOS and Windows", async () => {
  const workflow = await read(".github/workflows/ci.yml");
  for (const system of ["ubuntu", "macos", "windows"]) {
    assert(workflow.includes(`${system}-latest`), system);
  }
  for (const task of ["check", "test", "compile"]) {
    assert(workflow.includes(`run: deno task ${task}\n`), task);
  }
});

Deno.test("The compiled programs get the permissions that deno.json gives them, and no more", async () => {
  const script = await read("scripts/compile.ts");
  const permissions = (args: string[]) =>
    args.filter((word) => word.startsWith("--allow"));
  const given = [...script.matchAll(/permissions: \[([^\]]*)\]/g)];
  assertEquals(
    given.map(([, list]) =>
      [...list!.matchAll(/"([^"]+)"/g)].map(([, flag]) => flag)
    ),
    [permissions(SERVER_ARGS), permissions(CLIENT_ARGS)],
  );
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

Deno.test("docs/reliability.md has everything that is tried, and nothing was lost", async () => {
  const rows = [
    ...(await read("docs/reliability.md"))
      .matchAll(/^\| (.+?) +\| +(\d.+?) +\| (\S+) +\|$/gm),
  ];
  const named = [...(await trialsByFile()).values()].flat();
  assertEquals(rows.map(([, what]) => what).sort(), named.sort());
  for (const [, what, , lost] of rows) assertEquals(lost, "nothing", what);
});

Deno.test("deno task dev starts the server again when a file changes", async () => {
  await using copy = await SourcesCopy.make();
  const words = commands["dev"]!.replace(
    "server.ts",
    `${copy.folder}/server.ts --port 0`,
  ).split(" ").slice(1);
  await using dev = new Program(Deno.execPath(), words);
  await listening(dev);
  // The server may listen before anybody looks at its files.
  const touch = () =>
    Deno.writeTextFileSync(`${copy.folder}/lib/message.ts`, "\n", {
      append: true,
    });
  const touching = setInterval(touch, 1000);
  touch();
  await listening(dev).finally(() => clearInterval(touching));
});
