/** Where chat-client's settings come from: real files, real variables, the real program. */

import { type ClientOptions, SETTINGS } from "../lib/client/options.ts";
import { configPath, readSettings } from "../lib/client/settings.ts";
import { parseConfig } from "../lib/config.ts";
import { UsageError } from "../lib/flags.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "./assert.ts";
import {
  CLIENT_ARGS,
  Program,
  Room,
  shellFault,
  testUnless,
  without,
} from "./fixtures.ts";

/** A folder in which somebody keeps settings, and which goes with them. */
class Home implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<Home> {
    return new Home(await Deno.makeTempDir());
  }

  /** Somebody who lives here, whose name is ann, and who has said nothing else. */
  get env(): Record<string, string> {
    return {
      USER: "ann",
      TERM: "xterm",
      HOME: this.folder,
      APPDATA: this.folder,
      XDG_CONFIG_HOME: "",
      CHAT_CONFIG: "",
      DENO_DIR: DENO_DIR,
    };
  }

  /** Where config.json is looked for. */
  get path(): string {
    return configPath(Deno.build.os, (name) => this.env[name] ?? "");
  }

  /** Writes config.json there, or another file. */
  async write(
    content: string | Uint8Array,
    path: string = this.path,
  ): Promise<string> {
    await Deno.mkdir(path.replace(/[\\/][^\\/]*$/, ""), { recursive: true });
    const bytes = typeof content === "string"
      ? new TextEncoder().encode(content)
      : content;
    await Deno.writeFile(path, bytes);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Deno keeps the packages in the home of whoever starts it, unless it is told where. */
const DENO_DIR: string = JSON.parse(
  new TextDecoder().decode(
    new Deno.Command(Deno.execPath(), { args: ["info", "--json"] })
      .outputSync().stdout,
  ),
).denoDir;

const PERMISSIONS = CLIENT_ARGS.slice(0, -1);

/** What chat-client is told by flags and variables, with its permissions or these. */
async function settings(
  env: Record<string, string>,
  flags: readonly string[] = [],
  permissions: readonly string[] = PERMISSIONS,
): Promise<ClientOptions> {
  await using program = new Program(Deno.execPath(), [
    ...permissions,
    "-",
    ...flags,
  ], env);
  await program.write(
    `import { readSettings } from "./lib/client/settings.ts";
     console.log(JSON.stringify(await readSettings(Deno.args)));`,
  );
  const { out, errors } = await program.result();
  assertEquals(errors, []);
  return JSON.parse(out.join("\n"));
}

const DEFAULTS: ClientOptions = {
  host: "127.0.0.1",
  port: 5000,
  name: "ann",
  lingerMs: 0,
  reconnect: true,
  retryMs: 60_000,
  tls: false,
  tlsCa: "",
  tlsFingerprint: "",
  passwordFile: "",
  login: false,
  text: false,
  json: false,
  plain: false,
  quiet: false,
  bell: false,
};

Deno.test("configPath() is in the platform's configuration folder", () => {
  const path = (os: typeof Deno.build.os, env: Record<string, string>) =>
    configPath(os, (name) => env[name] ?? "");
  const home = { HOME: "/home/ann", APPDATA: "C:\\Users\\ann\\AppData" };
  const xdg = { ...home, XDG_CONFIG_HOME: "/etc/ann" };
  const inHome = "/home/ann/.config/deno-chat/config.json";
  assertEquals(path("linux", home), inHome);
  assertEquals(path("freebsd", home), inHome);
  assertEquals(path("linux", xdg), "/etc/ann/deno-chat/config.json");
  for (const relative of ["etc", "./etc", "~/etc"]) {
    assertEquals(path("linux", { ...home, XDG_CONFIG_HOME: relative }), inHome);
  }
  assertEquals(
    path("linux", { XDG_CONFIG_HOME: "/etc/ann" }),
    "/etc/ann/deno-chat/config.json",
  );
  assertEquals(
    path("darwin", xdg),
    "/home/ann/Library/Application Support/deno-chat/config.json",
  );
  assertEquals(
    path("windows", xdg),
    "C:\\Users\\ann\\AppData\\deno-chat\\config.json",
  );
  for (const os of ["linux", "darwin", "windows"] as const) {
    assertEquals(path(os, {}), "");
  }
});

Deno.test("parseConfig() takes numbers as numbers and as strings, and switches as booleans", () => {
  const source = parseConfig(
    SETTINGS,
    "c.json",
    '{"retry": 60, "linger": "0.5", "bell": false, "server": "[::1]:5000"}',
  );
  assertEquals(
    ["retry", "linger", "bell", "server", "name", "quiet"].map((name) =>
      source.get(name)
    ),
    ["60", "0.5", false, "[::1]:5000", undefined, undefined],
  );
});

Deno.test("parseConfig() names the file and the key of what is wrong, in one line", () => {
  const seconds = "it is a number of seconds, such as 2 or 0.5";
  const wrong: [string, string][] = [
    ['{"bel": true}', '"bel": it is no setting'],
    ['{"config": "x"}', '"config": it is no setting'],
    ['{"help": true}', '"help": it is no setting'],
    ['{"reconnect": true}', '"reconnect": it is no setting'],
    ['{"__proto__": {}}', '"__proto__": it is no setting'],
    ['{"constructor": 1}', '"constructor": it is no setting'],
    ['{"\\u001b[2J\x9b": 1}', '"\\u001b[2J\\u009b": it is no setting'],
    ['{"bell": 1}', '"bell": it is not true or false'],
    ['{"bell": "true"}', '"bell": it is not true or false'],
    ['{"no-reconnect": null}', '"no-reconnect": it is not true or false'],
    ['{"name": 7}', '"name": it is not a string'],
    ['{"name": ""}', '"name": it is empty'],
    ['{"server": 6000}', '"server": it is not a string'],
    [
      '{"server": "a:0"}',
      '"server": "a:0" will not do: a port is a whole number from 1 to 65535',
    ],
    ['{"retry": true}', '"retry": it is not a number'],
    ['{"retry": [1]}', '"retry": it is not a number'],
    ['{"retry": ""}', '"retry": it is empty'],
    ['{"retry": -1}', `"retry": "-1" will not do: ${seconds}`],
    ['{"retry": 1e400}', `"retry": "Infinity" will not do: ${seconds}`],
    ['{"retry": "\x9b"}', `"retry": "\\u009b" will not do: ${seconds}`],
    ["[]", "it is not an object"],
    ['["bell"]', "it is not an object"],
    ["null", "it is not an object"],
    ['"bell"', "it is not an object"],
    ["", "it is no JSON: Unexpected end of JSON input"],
    [
      '{\n  "bell": true\n  "quiet": true\n}',
      "it is no JSON: Expected ',' or '}' after property value in JSON at position 19 (line 3 column 3)",
    ],
    [
      '{\n"bell":\x1b\x9bon}',
      'it is no JSON: Unexpected token \'\', "{ "bell":on}" is not valid JSON',
    ],
  ];
  for (const [text, message] of wrong) {
    assertEquals(
      assertThrows(() => parseConfig(SETTINGS, "/h/c.json", text), UsageError)
        .message,
      `/h/c.json: ${message}`,
    );
  }
  assertEquals(
    assertThrows(() => parseConfig(SETTINGS, "\x1b.json", "[]"), UsageError)
      .message,
    '"\\u001b.json": it is not an object',
  );
});

Deno.test("readSettings() says in one line why a file cannot be read", async () => {
  await using home = await Home.make();
  const { folder } = home;
  const utf16 = new Uint8Array([0xff, 0xfe, 0x7b, 0, 0x7d, 0]);
  const wrong: [string, string][] = [
    [`${folder}/none.json`, "there is no such file"],
    [folder, "it cannot be read: it is a folder"],
    [await home.write(utf16, `${folder}/utf-16.json`), "it is not UTF-8"],
  ];
  for (const [path, message] of wrong) {
    const error = await assertRejects(
      () => readSettings(["--config", path]),
      UsageError,
    );
    assertEquals(error.message, `${path}: ${message}`);
  }
});

testUnless(
  without("chmod") ??
    (shellFault(
      'f=$(mktemp); chmod 0 "$f"; ! cat "$f"; fault=$?; rm -f "$f"; exit $fault',
    ) &&
      "whoever runs this may read everything"),
  "readSettings() says in one line that a file may not be read",
  async () => {
    await using home = await Home.make();
    const path = await home.write("{}");
    await Deno.chmod(path, 0);
    const error = await assertRejects(
      () => readSettings(["--config", path]),
      UsageError,
    );
    assertEquals(
      error.message,
      `${path}: it cannot be read: Permission denied`,
    );
    await using client = new Program(Deno.execPath(), CLIENT_ARGS, home.env);
    assertEquals(await client.result(), {
      code: 2,
      out: [],
      errors: [`chat-client: ${error.message} (--help tells more)`],
    });
  },
);

Deno.test("readSettings() takes a file that begins with a byte order mark", async () => {
  await using home = await Home.make();
  const path = await home.write('\ufeff{"retry": 5}', `${home.folder}/bom`);
  const options = await readSettings(["--config", path]);
  assert("retryMs" in options);
  assertEquals(options.retryMs, 5000);
});

Deno.test("chat-client goes where its command line, its environment and config.json say, in this order", async () => {
  await using home = await Home.make();
  const { env } = home;
  assertEquals(await settings(env), DEFAULTS);

  await home.write(`{
    "server": "example.org:6000",
    "name": "carl",
    "linger": 0.25,
    "no-reconnect": true,
    "retry": "3",
    "quiet": true,
    "plain": true,
    "bell": true
  }`);
  const kept = {
    ...DEFAULTS,
    host: "example.org",
    port: 6000,
    name: "carl",
    lingerMs: 250,
    reconnect: false,
    retryMs: 3000,
    quiet: true,
    plain: true,
    bell: true,
  };
  assertEquals(await settings(env), kept);

  const variables = {
    ...env,
    CHAT_SERVER: "[::1]:7000",
    CHAT_NAME: "bob",
    CHAT_LINGER: "",
    CHAT_NO_RECONNECT: "off",
    CHAT_RETRY: "2",
    CHAT_QUIET: "0",
    CHAT_JSON: "Yes",
  };
  const varied = {
    ...kept,
    host: "::1",
    port: 7000,
    name: "bob",
    reconnect: true,
    retryMs: 2000,
    quiet: false,
    json: true,
  };
  assertEquals(await settings(variables), varied);

  const flags = ["there", "--no-reconnect", "--retry=1", "--no-bell"];
  assertEquals(await settings(variables, flags), {
    ...varied,
    host: "there",
    port: 5000,
    reconnect: false,
    retryMs: 1000,
    bell: false,
  });
});

Deno.test("chat-client takes the file that --config names, or else CHAT_CONFIG", async () => {
  await using home = await Home.make();
  await home.write('{"name": "default"}');
  const one = await home.write('{"name": "one"}', `${home.folder}/one.json`);
  const two = await home.write('{"bell": true}', `${home.folder}/two.json`);
  const env = { ...home.env, CHAT_CONFIG: one };
  assertEquals(await settings(env), { ...DEFAULTS, name: "one" });
  assertEquals(await settings(env, [`--config=${two}`]), {
    ...DEFAULTS,
    bell: true,
  });
});

Deno.test("chat-client is plain where TERM is dumb, unless something says otherwise", async () => {
  await using home = await Home.make();
  const env = { ...home.env, TERM: "dumb" };
  assertEquals(await settings(env), { ...DEFAULTS, plain: true });
  assertEquals(await settings(env, ["--no-plain"]), DEFAULTS);
  assertEquals(await settings({ ...env, CHAT_PLAIN: "0" }), DEFAULTS);
  await home.write('{"plain": false}');
  assertEquals(await settings(env), DEFAULTS);
});

Deno.test("chat-client takes what it may not read for what is not there", async () => {
  await using home = await Home.make();
  await home.write('{"name": "carl"}');
  const env = { ...home.env, CHAT_RETRY: "2" };
  const permissions = ["run", "--quiet", "--no-prompt", "--allow-env"];
  assertEquals(await settings(env, [], permissions), {
    ...DEFAULTS,
    retryMs: 2000,
  });
  const none = ["run", "--quiet", "--no-prompt"];
  assertEquals(await settings(env, [], none), { ...DEFAULTS, name: "" });
});

Deno.test("chat-client finds no file where there is no home", async () => {
  await using home = await Home.make();
  const { env } = home;
  const none = `${home.folder}/none`;
  for (const folder of [none, ""]) {
    const options = await settings({ ...env, HOME: folder, APPDATA: folder });
    assertEquals(options, DEFAULTS);
  }
  const file = await home.write("{", none);
  assertEquals(await settings({ ...env, XDG_CONFIG_HOME: file }), DEFAULTS);
});

testUnless(
  Deno.build.os === "linux" ? undefined : "only Linux follows XDG",
  "chat-client finds config.json in XDG_CONFIG_HOME",
  async () => {
    await using home = await Home.make();
    const folder = `${home.folder}/xdg`;
    await home.write('{"name": "carl"}', `${folder}/deno-chat/config.json`);
    const env = { ...home.env, XDG_CONFIG_HOME: folder };
    assertEquals(await settings(env), { ...DEFAULTS, name: "carl" });
  },
);

Deno.test("chat-client joins as config.json says", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await using home = await Home.make();
  const server = `127.0.0.1:${room.server.port}`;
  await home.write(JSON.stringify({ server, name: "carl" }));
  await using client = new Program(Deno.execPath(), CLIENT_ARGS, home.env);
  assertEquals(await client.result(), {
    code: 0,
    out: [
      "-- welcome, you are carl; 1 other is here; /help lists the commands",
      "-- bye: you quit",
    ],
    errors: [],
  });
  assertEquals(await ann.line(), "[carl] entered room");
});

Deno.test("The README's config.json does what the README says", async () => {
  const readme = await Deno.readTextFile(
    new URL("../README.md", import.meta.url),
  );
  const [, example = ""] = /```json\n(\{\n[^`]+)```/.exec(readme) ?? [];
  await using home = await Home.make();
  await home.write(example);
  const options = {
    ...DEFAULTS,
    host: "chat.example.org",
    name: "alice",
    retryMs: 300_000,
    bell: true,
  };
  assertEquals(await settings(home.env), options);
  const variables = { ...home.env, CHAT_NAME: "al" };
  assertEquals(await settings(variables, ["--no-bell", "6000"]), {
    ...options,
    host: "127.0.0.1",
    port: 6000,
    name: "al",
    bell: false,
  });
});

Deno.test("chat-client says in one line what is wrong with its settings, and exits 2", async () => {
  await using home = await Home.make();
  const path = await home.write('{"bell": 1, "retry": 5}');
  const wrong: [Record<string, string>, string[], string][] = [
    [{}, [], `${path}: "bell": it is not true or false`],
    [{}, ["--no-bell"], `${path}: "bell": it is not true or false`],
    [
      { CHAT_CONFIG: `${home.folder}/none.json` },
      [],
      `${home.folder}/none.json: there is no such file`,
    ],
    [
      {
        CHAT_CONFIG: await home.write("{}", `${home.folder}/empty.json`),
        CHAT_RETRY: "x",
      },
      [],
      'CHAT_RETRY "x" will not do: it is a number of seconds, such as 2 or 0.5',
    ],
    [
      {
        CHAT_CONFIG: await home.write(
          '{"json": true}',
          `${home.folder}/json.json`,
        ),
        CHAT_TEXT: "1",
      },
      [],
      "text and json do not go together: a server of plain text tells no events",
    ],
  ];
  for (const [env, flags, message] of wrong) {
    await using client = new Program(
      Deno.execPath(),
      [...CLIENT_ARGS, ...flags],
      { ...home.env, ...env },
    );
    assertEquals(await client.result(), {
      code: 2,
      out: [],
      errors: [`chat-client: ${message} (--help tells more)`],
    });
  }
});

Deno.test("chat-client tells its version and its flags whatever its settings are", async () => {
  await using home = await Home.make();
  await home.write("{");
  const env = { ...home.env, CHAT_BELL: "x", CHAT_RETRY: "x" };
  for (const flag of ["--help", "--version"]) {
    await using client = new Program(
      Deno.execPath(),
      [...CLIENT_ARGS, flag],
      env,
    );
    const { code, out, errors } = await client.result();
    assertEquals({ code, errors }, { code: 0, errors: [] });
    assert(out[0]!.includes("chat-client"), out[0]);
  }
});

Deno.test("What the tests start has no settings of whoever runs them", async () => {
  const names = Object.keys(Deno.env.toObject());
  assertEquals(names.filter((name) => name.startsWith("CHAT_")), [
    "CHAT_CONFIG",
  ]);
  assertEquals(
    await Deno.readTextFile(Deno.env.get("CHAT_CONFIG")!),
    "{}\n",
  );
});
