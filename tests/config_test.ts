/** What the server is told: by its command line, by a file, and in the message of the day. */

import { parseConfig } from "../lib/config.ts";
import { UsageError } from "../lib/flags.ts";
import {
  readArguments,
  serverOptions,
  serverSettings,
  SETTINGS,
} from "../lib/server/options.ts";
import { readSettings, type Told } from "../lib/server/settings.ts";
import { assert, assertEquals, assertRejects } from "./assert.ts";
import { serverProgram } from "./fixtures.ts";

/** Reads what a command line, and files that are named there, say. */
function told(...args: string[]): Promise<Told> {
  const line = readArguments(args);
  assert(!("print" in line));
  return readSettings(line);
}

/** A new file in a folder that goes with it. */
async function file(
  content: string | Uint8Array,
): Promise<{ path: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/file`;
  const bytes = typeof content === "string"
    ? new TextEncoder().encode(content)
    : content;
  await Deno.writeFile(path, bytes);
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

Deno.test("readSettings() takes each setting from the command line, or else from the file", async () => {
  await using config = await file(JSON.stringify({
    host: "::1",
    port: 6000,
    data: "messages",
    "history-days": "7",
    "history-messages": 9,
    log: "json",
    rate: 0.5,
    "max-message": 300,
    "limit-loopback": true,
    ping: "1.5",
  }));
  const { settings, motd, isInFiles } = await told(
    ...["--config", config.path, "--port=7000", "--no-limit-loopback"],
  );
  const { limits, ...rest } = serverOptions(settings);
  assertEquals(rest, {
    host: "::1",
    port: 7000,
    data: "messages",
    historyDays: 7,
    historyMessages: 9,
    log: "json",
    motd: "",
    operators: [],
  });
  const { rate, maxMessageBytes, limitLoopback, pingMs, burst } = limits;
  assertEquals(
    { rate, maxMessageBytes, limitLoopback, pingMs, burst },
    {
      rate: 0.5,
      maxMessageBytes: 300,
      limitLoopback: false,
      pingMs: 1500,
      burst: 10,
    },
  );
  assertEquals([motd, isInFiles], [[], true]);
});

Deno.test("readSettings() knows whether there is a file to be read again", async () => {
  await using empty = await file("{}");
  for (
    const [args, isInFiles] of [
      [["--port", "0"], false],
      [["--config", empty.path], true],
      [["--motd", empty.path], true],
    ] as const
  ) {
    assertEquals((await told(...args)).isInFiles, isInFiles, args.join(" "));
  }
});

Deno.test("readSettings() names the file and the key of what is wrong, in one line", async () => {
  const wrong: [unknown, string][] = [
    [{ config: "x" }, '"config": it is no setting'],
    [{ maxRooms: 1 }, '"maxRooms": it is no setting'],
    [{ "max-rooms": true }, '"max-rooms": it is not a number'],
    [
      { "max-rooms": 0 },
      '"max-rooms": "0" will not do: it is a whole number from 1 to 1000000',
    ],
    [{ "limit-loopback": 1 }, '"limit-loopback": it is not true or false'],
    [{ log: "xml" }, '"log": "xml" will not do: it is one of text, json'],
    [{ motd: "" }, '"motd": it is empty'],
    [[], "it is not an object"],
  ];
  for (const [content, message] of wrong) {
    await using config = await file(JSON.stringify(content));
    const error = await assertRejects(
      () => told("--config", config.path),
      UsageError,
    );
    assertEquals(error.message, `${config.path}: ${message}`);
  }
  await using config = await file('{"max-message": 4096}');
  const error = await assertRejects(
    () => told("--config", config.path),
    UsageError,
  );
  assertEquals(
    error.message,
    `max-line 8192 is too little for max-message 4096 in ${config.path}: ` +
      "a frame can take 8704 bytes",
  );
});

Deno.test("readSettings() takes the message of the day line by line, without what steers a terminal", async () => {
  const days: [string, string[]][] = [
    ["", []],
    ["\n \n\t\n", []],
    ["one", ["one"]],
    ["\n one\t1 \r\n\r\ntwo\n\n \r\n", ["", " one\t1 ", "", "two"]],
    ["\ufeffa\x1b[2J\x9b\u202eb\u2028c\rd\0\n", ["a[2Jbcd"]],
    [`${"é".repeat(2047)}\n\n`, ["é".repeat(2047)]],
  ];
  for (const [text, lines] of days) {
    await using day = await file(text);
    assertEquals((await told("--motd", day.path)).motd, lines);
    await using config = await file(JSON.stringify({ motd: day.path }));
    assertEquals((await told("--config", config.path)).motd, lines);
  }
});

Deno.test("readSettings() says in one line why there can be no such message of the day, and who has said it", async () => {
  await using long = await file("x".repeat(4097));
  await using latin = await file(new Uint8Array([0x65, 0xe9]));
  const folder = long.path.replace(/\/file$/, "");
  const wrong: [string, string][] = [
    [long.path, "it cannot be read: it has over 4096 bytes"],
    [latin.path, "it is not UTF-8"],
    [`${folder}/none`, "there is no such file"],
    [folder, "it cannot be read: it is a folder"],
  ];
  for (const [path, reason] of wrong) {
    const error = await assertRejects(() => told("--motd", path), UsageError);
    assertEquals(error.message, `--motd ${path}: ${reason}`);
    await using config = await file(JSON.stringify({ motd: path }));
    const other = await assertRejects(
      () => told("--config", config.path),
      UsageError,
    );
    assertEquals(other.message, `${config.path}: "motd": ${path}: ${reason}`);
  }
});

Deno.test("readSettings() reads no file without an end", async () => {
  await using long = await file(" ".repeat(1024 * 1024 + 1));
  const error = await assertRejects(
    () => told("--config", long.path),
    UsageError,
  );
  assertEquals(
    error.message,
    `${long.path}: it cannot be read: it has over 1048576 bytes`,
  );
});

Deno.test("chat-server says in one line what is wrong with its files, and exits 2", async () => {
  await using config = await file('{"max-rooms": "many"}');
  for (
    const [flags, message] of [
      [
        ["--config", config.path],
        `${config.path}: "max-rooms": "many" will not do: it is a whole number from 1 to 1000000`,
      ],
      [
        ["--motd", `${config.path}.none`],
        `--motd ${config.path}.none: there is no such file`,
      ],
    ] as const
  ) {
    await using server = serverProgram(...flags);
    assertEquals(await server.result(), {
      code: 2,
      out: [],
      errors: [`chat-server: ${message} (--help tells more)`],
    });
  }
});

Deno.test("chat-server tells its version and its flags whatever its file says", async () => {
  await using config = await file("{");
  for (const flag of ["--help", "--version"]) {
    await using server = serverProgram("--config", config.path, flag);
    const { code, errors } = await server.result();
    assertEquals({ code, errors }, { code: 0, errors: [] });
  }
});

Deno.test("The README's file for the server is one", async () => {
  const readme = await Deno.readTextFile(
    new URL("../README.md", import.meta.url),
  );
  const [, section = ""] = readme.split("### The server's file\n");
  const [, example = ""] = /```json\n([^`]+)```/.exec(section) ?? [];
  const settings = serverSettings([
    parseConfig(SETTINGS, "README.md", example),
  ]);
  const { limits, ...rest } = serverOptions(settings);
  assertEquals(rest, {
    host: "192.0.2.7",
    port: 5000,
    data: "/var/lib/chat",
    historyDays: 30,
    historyMessages: 2048,
    log: "text",
    motd: "/etc/chat/motd",
    operators: [],
  });
  assertEquals([limits.maxMessageBytes, limits.limitLoopback], [512, true]);
});
