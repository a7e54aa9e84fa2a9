/** What docs/running.md says, and the unit beside it. */

import { SqliteLog } from "../lib/server/sqlite_log.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
} from "./assert.ts";
import {
  Program,
  SERVER_ARGS,
  serverProgram,
  shellFault,
  testUnless,
  without,
} from "./fixtures.ts";

const read = (file: string) =>
  Deno.readTextFile(new URL(`../docs/${file}`, import.meta.url));
const page = await read("running.md");
const unit = await read("chat-server.service");

/** The one block of code in the page that has this line. */
function block(line: string): string {
  const blocks = [...page.matchAll(/^```\w*\n([^]*?)^```$/gm)]
    .map(([, code]) => code!)
    .filter((code) => code.split("\n").includes(line));
  assertEquals(blocks.length, 1, line);
  return blocks[0]!;
}

/** What systemd-analyze complains of in the unit, if that says something else in a place. */
async function complaints(from = "", to = ""): Promise<string[]> {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/chat-server.service`;
    // What it starts need not be installed here.
    const startable = unit
      .replaceAll(/^(Exec\w+=)\/\S+/gm, `$1${Deno.execPath()}`);
    assert(startable.includes(from), from);
    await Deno.writeTextFile(file, startable.replace(from, to));
    await using program = new Program("systemd-analyze", ["verify", file]);
    const { errors } = await program.result();
    // It also complains of the other units of the machine.
    return errors.filter((line) => line.includes("chat-server.service"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

testUnless(
  without("systemd-analyze"),
  "systemd understands every line of docs/chat-server.service",
  async () => {
    assertEquals(await complaints(), []);
    for (
      const [line, wrong] of [
        ["LimitNOFILE=", "LimitNOFILES="],
        ["Restart=on-failure", "Restart=on-fail"],
        ["@system-service", "@system-servic"],
      ] as const
    ) assertNotEquals(await complaints(line, wrong), [], wrong);
  },
);

Deno.test("docs/running.md and the unit name only flags that chat-server has", async () => {
  await using program = serverProgram("--help");
  const help = (await program.result()).out.join("\n");
  const flagsIn = (text: string) =>
    new Set([...text.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].map(([f]) => f));
  const others = ["--now", "--reference"];
  const known = flagsIn(help).union(new Set(others));
  const named = flagsIn(page + unit);
  assert(named.has("--data") && named.has("--log"));
  assertEquals([...named.difference(known)], []);
});

Deno.test("docs/running.md quotes the unit as it is", () => {
  const quoted = [...page.matchAll(/`([A-Z]\w+=\S+)`/g)].map(([, line]) =>
    line!
  );
  assert(quoted.length > 4);
  for (const line of quoted) assert(unit.includes(`\n${line}\n`), line);
});

testUnless(
  Deno.build.os === "linux" ? undefined : "chown is another elsewhere",
  "The commands of docs/running.md make a backup, keep it, and go back to it",
  async () => {
    const folder = await Deno.makeTempDir();
    const [state, backups] = [`${folder}/state`, `${folder}/backups`];
    const run = (script: string, copy: string) =>
      assertEquals(
        shellFault(
          script
            .replaceAll("/var/lib/chat-server", state)
            .replaceAll("/var/backups", backups)
            .replaceAll(
              "/usr/local/bin/chat-server",
              [
                Deno.execPath(),
                ...SERVER_ARGS,
              ].join(" "),
            )
            .replaceAll(/^systemctl .*$/gm, "")
            .replaceAll(/chat-\d{4}-\d\d-\d\d\.db/g, copy),
        ),
        undefined,
      );
    const say = async (text: string) => {
      const log = await SqliteLog.open(state, { historyDays: 0 });
      await log.open("lobby");
      await log.append([
        { room: "lobby", from: "ann", text, action: false },
      ]);
      const messages = await log.read("lobby", { since: 0, limit: 9 });
      await log.close();
      return messages.map(({ text }) => text);
    };
    try {
      await Deno.mkdir(backups);
      await say("before");
      run(block("#!/bin/sh"), "");
      const [{ name } = { name: "" }, ...more] = await Array.fromAsync(
        Deno.readDir(backups),
      );
      assertMatch(name, /^chat-\d{4}-\d\d-\d\d\.db$/);
      assertEquals(more, []);
      assertEquals(await say("after"), ["before", "after"]);
      run(block("systemctl stop chat-server"), name);
      assertEquals(await say("again"), ["before", "again"]);
      // What there was is not lost.
      await Deno.stat(`${state}/before/chat.db`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
