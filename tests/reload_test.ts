/** Settings that change while chat-server runs: real files, real signals, real terminals that are closed. */

import type { Source } from "../lib/flags.ts";
import { Reloading } from "../lib/server/reload.ts";
import { readSettings } from "../lib/server/settings.ts";
import { assert, assertEquals } from "./assert.ts";
import { noDesk } from "./desk.ts";
import {
  listening,
  noReset,
  Program,
  SERVER_ARGS,
  serverProgram,
  shellFault,
  soon,
  testUnless,
  Visitor,
  without,
} from "./fixtures.ts";

const noHangup = Deno.build.os === "windows"
  ? "Windows has no SIGHUP"
  : undefined;

/** A folder with the files of a server, which goes with them. */
class Files implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(config: Record<string, unknown>): Promise<Files> {
    const files = new Files(await Deno.makeTempDir());
    await files.configure(config);
    return files;
  }

  get config(): string {
    return `${this.folder}/config.json`;
  }

  get motd(): string {
    return `${this.folder}/motd`;
  }

  async configure(settings: Record<string, unknown>): Promise<void> {
    await Deno.writeTextFile(this.config, JSON.stringify(settings));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Has the server read its settings again, and gives what it says of that: the last line says how it ended. */
async function reload(server: Program): Promise<string[]> {
  server.signal("SIGHUP");
  const said: string[] = [];
  for (;;) {
    const line = await server.errors.next();
    assert(line !== undefined, said.join("\n"));
    if (/ (connected|entered|left) /.test(line)) continue;
    said.push(line.replace(/^\S+ /, ""));
    if (/read again|nothing is changed/.test(line)) return said;
  }
}

/** What a newcomer is shown of the message of the day. */
async function motdOf(port: number): Promise<string[]> {
  using newcomer = await Visitor.connect(port);
  const lines = await newcomer.heard();
  return lines.filter((line) => line.startsWith("-- |"));
}

const refused = (bytes: number, max: number) =>
  `-- refused (${bytes} bytes are too long, a message has at most ${max})`;

/** The longest message that somebody may say. */
async function sayLong(visitor: Visitor, bytes: number): Promise<string[]> {
  await visitor.send(`${"x".repeat(bytes)}\n`);
  return (await visitor.heard()).map((line) => line.replace(/: x+…?$/, ""));
}

testUnless(
  noHangup,
  "SIGHUP changes the limits of those who are there and of those who come, and no limit that is not in the file",
  async () => {
    await using files = await Files.make({ "max-message": 300 });
    const flags = ["--config", files.config, "--max-rooms=2"];
    await using server = serverProgram("--port", "0", ...flags);
    const port = await listening(server);
    using ann = await Visitor.connect(port);
    await ann.enter("ann");
    assertEquals(await sayLong(ann, 301), [refused(301, 300)]);

    await files.configure({ "max-message": 100, "max-rooms": 1, replay: 0 });
    assertEquals(await reload(server), [
      'info the settings were read again changed="max-message 300 -> 100, replay 20 -> 0"',
    ]);
    using bob = await Visitor.connect(port);
    await bob.enter("bob");
    await ann.heard();
    for (const visitor of [ann, bob]) {
      assertEquals(await sayLong(visitor, 101), [refused(101, 100)]);
    }
    await ann.send("/join dev\n");
    await ann.until(/^-- you are in dev/);
    await bob.send("/join ops\n");
    await bob.until("-- refused (there are 2 rooms already): /join ops");

    await files.configure({});
    assertEquals(await reload(server), [
      'info the settings were read again changed="max-message 100 -> 1024, replay 0 -> 20"',
    ]);
    assertEquals(await sayLong(ann, 1024), []);
    assertEquals(await sayLong(bob, 1025), [refused(1025, 1024)]);
    assertEquals(await reload(server), [
      "info the settings were read again changed=nothing",
    ]);
  },
);

testUnless(
  noHangup,
  "SIGHUP changes the message of the day for those who come, also to that of another file, or to none",
  async () => {
    await using files = await Files.make({});
    await Deno.writeTextFile(files.motd, "one\n");
    await files.configure({ motd: files.motd });
    await using server = serverProgram(
      ...["--port", "0", "--config", files.config],
    );
    const port = await listening(server);
    using ann = await Visitor.connect(port);
    await ann.enter("ann");
    assertEquals(await motdOf(port), ["-- | one"]);
    const read = (changed: string) => [
      `info the settings were read again changed=${changed}`,
    ];
    await Deno.writeTextFile(files.motd, "two\n\nlines\n");
    assertEquals(await reload(server), read("motd"));
    const heard = (await ann.heard()).join("\n");
    assert(!heard.includes("two"), heard);
    assertEquals(await motdOf(port), ["-- | two", "-- |", "-- | lines"]);
    const other = `${files.motd}.2`;
    await Deno.writeTextFile(other, "three");
    await files.configure({ motd: other });
    assertEquals(await reload(server), read("motd"));
    assertEquals(await motdOf(port), ["-- | three"]);
    await Deno.copyFile(other, files.motd);
    await files.configure({ motd: files.motd });
    assertEquals(await reload(server), read("nothing"));
    await files.configure({});
    assertEquals(await reload(server), read("motd"));
    assertEquals(await motdOf(port), []);
  },
);

testUnless(
  noHangup,
  "SIGHUP reads the file of --motd again, without --config, too",
  async () => {
    await using files = await Files.make({});
    await Deno.writeTextFile(files.motd, "");
    await using server = serverProgram("--port", "0", "--motd", files.motd);
    const port = await listening(server);
    await Deno.writeTextFile(files.motd, "new");
    assertEquals(await reload(server), [
      "info the settings were read again changed=motd",
    ]);
    assertEquals(await motdOf(port), ["-- | new"]);
  },
);

testUnless(
  noHangup,
  "SIGHUP leaves what takes a restart as it was, and the log names it each time",
  async () => {
    await using files = await Files.make({ "history-messages": 9 });
    await using server = serverProgram(
      ...["--port", "0", "--config", files.config],
    );
    const port = await listening(server);
    const data = `${files.folder}/data`;
    const settings = { port: 1, host: "::1", data, log: "json" };
    await files.configure({ ...settings, "history-days": 1, burst: 3 });
    const warnings = [
      "warning a setting takes a restart setting=host from=127.0.0.1 to=::1",
      `warning a setting takes a restart setting=data from="" to=${data}`,
      "warning a setting takes a restart setting=history-days from=30 to=1",
      "warning a setting takes a restart setting=history-messages from=9 to=2048",
      "warning a setting takes a restart setting=log from=text to=json",
    ];
    for (const changed of ['"burst 10 -> 3"', "nothing"]) {
      assertEquals(await reload(server), [
        ...warnings,
        `info the settings were read again changed=${changed}`,
      ]);
    }
    using visitor = await Visitor.connect(port);
    await visitor.enter("ann");
  },
);

testUnless(
  noHangup,
  "A file that will not do changes nothing, and the log says why and names the key",
  async () => {
    const good = { "max-message": 300 };
    await using files = await Files.make({});
    const { folder, config, motd } = files;
    await Deno.writeTextFile(motd, "one");
    await files.configure({ ...good, motd });
    await using server = serverProgram("--port", "0", "--config", config);
    const port = await listening(server);
    using ann = await Visitor.connect(port);
    await ann.enter("ann");
    await ann.heard();
    await Deno.writeTextFile(motd, "two");
    const bad: [() => Promise<unknown>, string][] = [
      ...([
        [{ maxMessage: 200 }, '"maxMessage": it is no setting'],
        [{ "max-message": true }, '"max-message": it is not a number'],
        [
          { "max-message": 63 },
          '"max-message": "63" will not do: it is a whole number from 64 to 16384',
        ],
        [
          { "max-message": 200, motd: `${folder}/none` },
          `"motd": ${folder}/none: there is no such file`,
        ],
        [
          { "max-message": 200, motd: folder },
          `"motd": ${folder}: it cannot be read: it is a folder`,
        ],
      ] as const).map((
        [settings, reason],
      ): [() => Promise<unknown>, string] => [
        () => files.configure({ motd, ...settings }),
        `${config}: ${reason}`,
      ]),
      [
        () => files.configure({ "max-message": 4096, motd }),
        `max-line 8192 is too little for max-message 4096 in ${config}: a frame can take 8704 bytes`,
      ],
      [
        () => Deno.writeTextFile(config, "{"),
        `${config}: it is no JSON: Expected property name or '}' in JSON at position 1 (line 1 column 2)`,
      ],
      [() => Deno.remove(config), `${config}: there is no such file`],
      [
        () => Deno.mkdir(config),
        `${config}: it cannot be read: it is a folder`,
      ],
    ];
    for (const [spoil, reason] of bad) {
      await spoil();
      assertEquals(await reload(server), [
        "error the settings will not do, nothing is changed " +
        `reason=${JSON.stringify(reason)}`,
      ]);
      assertEquals(await sayLong(ann, 301), [refused(301, 300)]);
      assertEquals(await motdOf(port), ["-- | one"]);
      await ann.until(/ is offline$/);
    }
    await Deno.remove(config);
    await files.configure({ ...good, motd });
    assertEquals(await reload(server), [
      "info the settings were read again changed=motd",
    ]);
  },
);

testUnless(
  without("chmod") ??
    (shellFault(
      'f=$(mktemp); chmod 0 "$f"; ! cat "$f"; fault=$?; rm -f "$f"; exit $fault',
    ) &&
      "whoever runs this may read everything"),
  "A file that may not be read changes nothing, and the log says so",
  async () => {
    await using files = await Files.make({});
    const { config } = files;
    await using server = serverProgram("--port", "0", "--config", config);
    await listening(server);
    await Deno.chmod(config, 0);
    const reason = `${config}: it cannot be read: Permission denied`;
    assertEquals(await reload(server), [
      `error the settings will not do, nothing is changed reason="${reason}"`,
    ]);
  },
);

testUnless(
  noHangup,
  "SIGHUP without --config, --motd and --password-file ends nothing, and the log says that there is nothing to read",
  async () => {
    await using server = serverProgram("--port", "0");
    const port = await listening(server);
    assertEquals(await reload(server), [
      "info there is nothing to read again: no --config, no --motd, no --password-file, no --tls-cert",
    ]);
    using ann = await Visitor.connect(port);
    await ann.enter("ann");
  },
);

testUnless(
  noHangup,
  "After many SIGHUPs in a row the settings are those of the last one",
  async () => {
    await using files = await Files.make({});
    await using server = serverProgram(
      ...["--port", "0", "--config", files.config],
    );
    await listening(server);
    for (let burst = 101; burst <= 120; burst++) {
      await files.configure({ burst });
      server.signal("SIGHUP");
    }
    await server.errors.until(/ read again changed="burst \d+ -> 120"$/);
  },
);

Deno.test("Reloading.again() reads the settings once what was read before is applied", async () => {
  await using files = await Files.make({ burst: 1 });
  const happened: string[] = [];
  const commandLine: Source = {
    get(name) {
      if (name !== "config") return undefined;
      happened.push("reads");
      return files.config;
    },
    label: (name) => name,
  };
  const told = await readSettings(commandLine);
  const reloading = new Reloading(commandLine, told, {
    limit: () => void happened.push("limits"),
    greet: () => void happened.push("greets"),
    appoint: () => void happened.push("appoints"),
    guard: () => void happened.push("guards"),
    renew: () => Promise.resolve(),
  });
  happened.length = 0;
  await Promise.all([reloading.again(), reloading.again()]);
  const steps = happened.filter((step, i) => step !== happened[i - 1]);
  const once = ["reads", "limits", "greets", "appoints", "guards"];
  assertEquals(steps, [...once, ...once]);
});

testUnless(
  without("mkfifo") ??
    (noReset && "before 2.9, Deno does nothing else while it opens a pipe"),
  "Reloading.again() gives up a file that takes too long, and reads it anew when it is asked again",
  async () => {
    await using files = await Files.make({ burst: 1 });
    const commandLine: Source = {
      get: (name) => name === "config" ? files.config : undefined,
      label: (name) => name,
    };
    const bursts: unknown[] = [];
    const told = await readSettings(commandLine);
    const reloading = new Reloading(commandLine, told, {
      limit: ({ burst }) => void bursts.push(burst),
      greet() {},
      appoint() {},
      guard() {},
      renew: () => Promise.resolve(),
    }, 50);
    // Nobody ever writes to it.
    await Deno.remove(files.config);
    assertEquals(shellFault('mkfifo "$1"', files.config), undefined);
    await reloading.again();
    assertEquals(bursts, []);
    const fifo = `${files.folder}/fifo`;
    await Deno.rename(files.config, fifo);
    await files.configure({ burst: 7 });
    while (bursts.length === 0) await reloading.again();
    assertEquals(bursts, [7]);
    // Whoever waits for it has waited long enough.
    assertEquals(shellFault('echo > "$1"', fifo), undefined);
  },
);

testUnless(
  without("mkfifo"),
  "SIGHUP to a server that is starting has it read its settings again once it has started",
  async () => {
    await using files = await Files.make({});
    const { folder } = files;
    const config = `${folder}/fifo`;
    assertEquals(shellFault('mkfifo "$1"', config), undefined);
    await using server = serverProgram("--port", "0", "--config", config);
    // It can be opened once the server has opened it.
    using first = await Deno.open(config, { write: true });
    server.signal("SIGHUP");
    await first.write(new TextEncoder().encode('{"burst": 1}'));
    first.close();
    const port = await listening(server);
    await Deno.writeTextFile(config, '{"burst": 2}');
    await server.errors.until(/ read again changed="burst 1 -> 2"$/);
    using ann = await Visitor.connect(port);
    await ann.enter("ann");
  },
);

testUnless(
  noHangup,
  "SIGHUP to a server that is stopping does not end it any other way",
  async () => {
    await using files = await Files.make({});
    await using server = serverProgram(
      ...["--port", "0", "--config", files.config],
    );
    using ann = await Visitor.connect(await listening(server));
    await ann.enter("ann");
    server.signal("SIGTERM");
    await ann.until("-- bye: the server is stopping");
    try {
      server.signal("SIGHUP");
    } catch {
      // On a slow machine it may have stopped already.
    }
    await ann.halfClose();
    assertEquals(await server.exit(), 0);
  },
);

testUnless(
  noDesk,
  "chat-server goes on when its terminal is closed, and has read its settings again",
  async () => {
    await using files = await Files.make({});
    await Deno.writeTextFile(files.motd, "one");
    const command = [Deno.execPath(), ...SERVER_ARGS, "--port=0", "--motd"]
      .map((word) => `'${word}'`).join(" ");
    const line = `echo pid $$; exec ${command} '${files.motd}'`;
    await using terminal = new Program("script", [
      ...["--quiet", "--flush", "--command", line, "/dev/null"],
    ], { SHELL: "/bin/sh" });
    const pid = Number((await terminal.out.next())?.match(/^pid (\d+)/)?.[1]);
    try {
      const [, port] = /^Chat server listening on .+:(\d+)/.exec(
        await terminal.out.next() ?? "",
      ) ?? [];
      using ann = await Visitor.connect(Number(port));
      await ann.enter("ann");
      await Deno.writeTextFile(files.motd, "two");
      terminal.signal("SIGKILL");
      await terminal.exit();
      const change = async () => {
        while (!(await motdOf(Number(port))).includes("-- | two"));
      };
      await soon(change(), () => "the message of the day stays as it was");
      await ann.heard();
      await ann.send("/who\n");
      await ann.until(/^-- \d+ here: ann/);
      Deno.kill(pid, "SIGTERM");
      await ann.until("-- bye: the server is stopping");
      await ann.rest();
    } finally {
      killIfThere(pid);
    }
  },
);

function killIfThere(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
