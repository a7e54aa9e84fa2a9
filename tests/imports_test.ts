/** The rules of ARCHITECTURE.md about who imports whom, and who prints, exits and touches sockets. */

import { assert, assertEquals } from "./assert.ts";

const ROOT = new URL("../", import.meta.url).href;

interface Module {
  specifier: string;
  dependencies?: {
    specifier: string;
    code?: { specifier: string };
    type?: { specifier: string };
  }[];
}

/** Every file of ours, and the files of ours and the packages that it imports. */
async function importsOfOurs(): Promise<Map<string, string[]>> {
  const imports = new Map<string, string[]>();
  for (const entry of ["server.ts", "client.ts", "scripts/compile.ts"]) {
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", entry],
      stderr: "inherit",
    }).output();
    assert(success, entry);
    const { modules }: { modules: Module[] } = JSON.parse(
      new TextDecoder().decode(stdout),
    );
    for (const { specifier, dependencies = [] } of modules) {
      if (!specifier.startsWith(ROOT)) continue;
      const edges = dependencies.flatMap(({ code, type }) => [code, type])
        .flatMap((edge) => edge ? [edge.specifier.replace(ROOT, "")] : []);
      imports.set(specifier.replace(ROOT, ""), edges);
    }
  }
  return imports;
}

const imports = await importsOfOurs();
const ours = (file: string) =>
  (imports.get(file) ?? []).filter((edge) =>
    /^[a-z]+[/.]/.test(edge) && !edge.includes(":")
  );
const filesIn = (folder: string) =>
  [...imports.keys()].filter((file) => file.startsWith(folder));

/** The files of lib/ that are meant for both programs. */
const SHARED = [
  "lib/message.ts",
  "lib/lines.ts",
  "lib/flags.ts",
  "lib/config.ts",
  "lib/version.ts",
  "lib/address.ts",
  "lib/fault.ts",
];

Deno.test("Every file of lib/ is part of a program", async () => {
  const found: string[] = [];
  const walk = async (folder: string) => {
    for await (
      const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))
    ) {
      if (isDirectory) await walk(`${folder}/${name}`);
      else found.push(`${folder}/${name}`);
    }
  };
  await walk("lib");
  assertEquals(found.filter((file) => !imports.has(file)), []);
});

Deno.test("message.ts imports nothing of ours", () => {
  assertEquals(ours("lib/message.ts"), []);
});

Deno.test("lines.ts and wire/ import message.ts at most", () => {
  for (const file of ["lib/lines.ts", ...filesIn("lib/wire/")]) {
    assertEquals(
      ours(file).filter((edge) => edge !== "lib/message.ts"),
      [],
      file,
    );
  }
});

/** What the core of the server may import, of ours: nobody there knows sockets or dialects, nor whom they serve. */
const CORE: Record<string, string[]> = {
  "lib/server/bans.ts": ["lib/message.ts", "lib/server/looks.ts"],
  "lib/server/backup.ts": [
    "lib/fault.ts",
    "lib/server/database.ts",
    "lib/server/log.ts",
  ],
  "lib/server/database.ts": ["lib/fault.ts", "lib/server/log.ts"],
  "lib/server/hub.ts": [
    "lib/message.ts",
    "lib/server/accounts.ts",
    "lib/server/bans.ts",
    "lib/server/limits.ts",
    "lib/server/log.ts",
    "lib/server/logins.ts",
    "lib/server/members.ts",
    "lib/server/operating.ts",
    "lib/server/outbox.ts",
    "lib/server/owned.ts",
    "lib/server/reading.ts",
    "lib/server/requests.ts",
    "lib/server/room.ts",
    "lib/server/rooms.ts",
    "lib/server/seating.ts",
    "lib/server/turns.ts",
  ],
  "lib/server/log.ts": ["lib/message.ts"],
  "lib/server/members.ts": [
    "lib/message.ts",
    "lib/server/admission.ts",
    "lib/server/bans.ts",
    "lib/server/limits.ts",
    "lib/server/outbox.ts",
    "lib/server/owned.ts",
    "lib/server/room.ts",
    "lib/server/tally.ts",
  ],
  "lib/server/operating.ts": [
    "lib/fault.ts",
    "lib/message.ts",
    "lib/server/admission.ts",
    "lib/server/bans.ts",
    "lib/server/limits.ts",
    "lib/server/log.ts",
    "lib/server/members.ts",
    "lib/server/orders.ts",
    "lib/server/outbox.ts",
    "lib/server/pages.ts",
    "lib/server/room.ts",
    "lib/server/rooms.ts",
    "lib/server/seating.ts",
    "lib/server/tally.ts",
  ],
  "lib/server/orders.ts": ["lib/message.ts"],
  "lib/server/outbox.ts": [
    "lib/lines.ts",
    "lib/message.ts",
    "lib/server/turns.ts",
  ],
  "lib/server/pages.ts": ["lib/message.ts", "lib/server/members.ts"],
  "lib/server/reading.ts": [
    "lib/message.ts",
    "lib/server/log.ts",
    "lib/server/outbox.ts",
    "lib/server/room.ts",
    "lib/server/turns.ts",
  ],
  "lib/server/requests.ts": [
    "lib/message.ts",
    "lib/server/limits.ts",
    "lib/server/log.ts",
    "lib/server/logins.ts",
    "lib/server/members.ts",
    "lib/server/operating.ts",
    "lib/server/pages.ts",
    "lib/server/room.ts",
    "lib/server/rooms.ts",
    "lib/server/seating.ts",
    "lib/server/told.ts",
  ],
  "lib/server/room.ts": [
    "lib/message.ts",
    "lib/server/log.ts",
    "lib/server/outbox.ts",
    "lib/server/slow.ts",
    "lib/server/turns.ts",
  ],
  "lib/server/rooms.ts": [
    "lib/fault.ts",
    "lib/message.ts",
    "lib/server/limits.ts",
    "lib/server/log.ts",
    "lib/server/orders.ts",
    "lib/server/outbox.ts",
    "lib/server/room.ts",
    "lib/server/slow.ts",
    "lib/server/turns.ts",
  ],
  "lib/server/seating.ts": [
    "lib/fault.ts",
    "lib/message.ts",
    "lib/server/limits.ts",
    "lib/server/log.ts",
    "lib/server/members.ts",
    "lib/server/outbox.ts",
    "lib/server/reading.ts",
    "lib/server/room.ts",
    "lib/server/rooms.ts",
  ],
  "lib/server/slow.ts": ["lib/server/room.ts"],
  "lib/server/sqlite_log.ts": [
    "lib/fault.ts",
    "lib/message.ts",
    "lib/server/database.ts",
    "lib/server/log.ts",
  ],
  "lib/server/sqlite_orders.ts": [
    "lib/fault.ts",
    "lib/message.ts",
    "lib/server/database.ts",
    "lib/server/log.ts",
    "lib/server/orders.ts",
  ],
  "lib/server/accounts.ts": [
    "lib/message.ts",
  ],
  "lib/server/logins.ts": [
    "lib/message.ts",
    "lib/server/accounts.ts",
    "lib/server/admission.ts",
    "lib/server/limits.ts",
    "lib/server/log.ts",
    "lib/server/members.ts",
    "lib/server/owned.ts",
    "lib/server/passwords.ts",
    "lib/server/seating.ts",
    "lib/server/tries.ts",
  ],
  "lib/server/lookalikes.ts": [
    "lib/message.ts",
    "lib/std/unicode_confusables.d.ts",
  ],
  "lib/server/looks.ts": [
    "lib/message.ts",
    "lib/server/lookalikes.ts",
  ],
  "lib/server/owned.ts": [
    "lib/message.ts",
    "lib/server/looks.ts",
  ],
  "lib/server/passwords.ts": [
    "lib/message.ts",
    "lib/server/limits.ts",
  ],
  "lib/server/sqlite_accounts.ts": [
    "lib/fault.ts",
    "lib/message.ts",
    "lib/server/accounts.ts",
    "lib/server/database.ts",
    "lib/server/log.ts",
  ],
  "lib/server/tally.ts": [],
  "lib/server/told.ts": [
    "lib/server/limits.ts",
  ],
  "lib/server/turns.ts": [
    "lib/server/outbox.ts",
    "lib/server/tally.ts",
  ],
};

Deno.test("The hub, the rooms, the outbox and the logs know no sockets, no dialect and not who uses them", () => {
  for (const [file, allowed] of Object.entries(CORE)) {
    assertEquals([...new Set(ours(file))].sort(), allowed, file);
  }
});

Deno.test("Only server.ts knows where messages, orders and accounts are kept", () => {
  for (const store of ["sqlite_log", "sqlite_orders", "sqlite_accounts"]) {
    assertEquals(
      [...imports.keys()].filter((file) =>
        ours(file).includes(`lib/server/${store}.ts`)
      ),
      ["server.ts"],
      store,
    );
  }
});

Deno.test("What the client remembers and decides knows no connection", () => {
  const pure = ["conversation", "people", "reading", "said", "waiting"];
  for (const name of pure) {
    assertEquals(
      ours(`lib/client/${name}.ts`).filter((edge) =>
        edge.startsWith("lib/client/") &&
        !pure.some((name) => edge === `lib/client/${name}.ts`)
      ),
      [],
      name,
    );
  }
});

Deno.test("The server and the client never import each other, and what they share imports neither", () => {
  const within = (file: string, ...folders: string[]) =>
    folders.some((folder) => file.startsWith(folder));
  for (const file of filesIn("lib/server/")) {
    for (const edge of ours(file)) {
      assert(
        !within(edge, "lib/client/", "client.ts", "server.ts"),
        `${file}: ${edge}`,
      );
    }
  }
  for (const file of filesIn("lib/client/")) {
    for (const edge of ours(file)) {
      assert(
        !within(edge, "lib/server/", "client.ts", "server.ts"),
        `${file}: ${edge}`,
      );
    }
  }
  for (const file of [...SHARED, ...filesIn("lib/wire/")]) {
    for (const edge of ours(file)) {
      assert(!within(edge, "lib/server/", "lib/client/"), `${file}: ${edge}`);
    }
  }
});

/** Which files of lib/ have code that matches, comments aside. */
async function filesWith(pattern: RegExp): Promise<string[]> {
  const found: string[] = [];
  for (const file of filesIn("lib/")) {
    const source = await Deno.readTextFile(new URL(file, ROOT));
    const code = source.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    if (pattern.test(code)) found.push(file);
  }
  return found.sort();
}

Deno.test("Only metrics.ts knows prom-client and HTTP, and nothing but server.ts knows metrics.ts", async () => {
  assertEquals(await filesWith(/["']prom-client|npm:prom-client/), [
    "lib/server/metrics.ts",
  ]);
  assertEquals(await filesWith(/Deno\.(serve|Http)|fetch\(|node:https?/), [
    "lib/server/metrics.ts",
  ]);
  assertEquals(
    [...imports.keys()].filter((file) =>
      ours(file).includes("lib/server/metrics.ts")
    ),
    ["server.ts"],
  );
});

Deno.test("Only session.ts, listen.ts, entrance.ts, encryption.ts, pulse.ts, metrics.ts and the client's three files for them touch sockets", async () => {
  const sockets =
    /Deno\.(listen|connect|serve|Conn|TcpConn|TlsConn|Listener|TcpListener)|node:(net|tls|https?)/;
  assertEquals(await filesWith(sockets), [
    "lib/client/node_socket.ts",
    "lib/client/secure.ts",
    "lib/client/socket.ts",
    "lib/server/encryption.ts",
    "lib/server/entrance.ts",
    "lib/server/listen.ts",
    "lib/server/metrics.ts",
    "lib/server/pulse.ts",
  ]);
});

Deno.test("Only secure.ts does without the verification of a certificate", async () => {
  assertEquals(
    await filesWith(/rejectUnauthorized|unsafely|\.authorized/),
    ["lib/client/secure.ts"],
  );
});

Deno.test("pace.ts, tries.ts and vigil.ts know the limits, and no clock", async () => {
  const clocks = await filesWith(/performance\.|Date\.|setTimeout|setInterval/);
  for (const name of ["pace", "tries", "vigil"]) {
    const file = `lib/server/${name}.ts`;
    assertEquals(ours(file), ["lib/server/limits.ts"], file);
    assert(!clocks.includes(file), file);
  }
});

Deno.test("Only the entry files print or exit", async () => {
  assertEquals(await filesWith(/\bconsole\.|Deno\.exit/), []);
});

Deno.test("Only terminal.ts touches the terminal, and only signals.ts waits for signals", async () => {
  assertEquals(
    await filesWith(/Deno\.(stdin|stdout|stderr|consoleSize)/),
    ["lib/client/terminal.ts"],
  );
  assertEquals(
    await filesWith(/Deno\.addSignalListener/),
    ["lib/client/signals.ts"],
  );
});

Deno.test("Only settings.ts reads the environment", async () => {
  assertEquals(await filesWith(/Deno\.env/), [
    "lib/client/settings.ts",
    "lib/server/settings.ts",
  ]);
});

Deno.test("Only screen.ts moves the cursor, and only keys.ts and screen.ts know what terminals send and obey", async () => {
  assertEquals(await filesWith(/\\x1b/), [
    "lib/client/keys.ts",
    "lib/client/screen.ts",
  ]);
});

Deno.test("What a terminal shows and what its keys do is decided without a terminal, a link or a clock", async () => {
  const pure = [
    ...[
      "completion",
      "composer",
      "hidden",
      "input_history",
      "input_line",
      "keys",
    ],
    ...["look", "presence", "prompt", "screen", "window"],
  ].map((name) => `lib/client/${name}.ts`);
  const allowed = [...pure, "lib/client/talk.ts"];
  for (const file of pure) {
    assertEquals(
      ours(file).filter((edge) =>
        edge.startsWith("lib/client/") && !allowed.includes(edge)
      ),
      [],
      file,
    );
  }
  const impure = await filesWith(/\bDeno\.|setTimeout|setInterval/);
  assertEquals(pure.filter((file) => impure.includes(file)), []);
});

Deno.test("Only a room makes one event into many", async () => {
  assertEquals(await filesWith(/new Batch\(\)/), [
    "lib/server/outbox.ts",
    "lib/server/room.ts",
  ]);
});
