/** What is measured and served for Prometheus is what was done; and the dashboard asks for nothing else. */

import dashboard from "../docs/grafana.json" with { type: "json" };
import { UsageError } from "../lib/flags.ts";
import { EntryPassword } from "../lib/server/entry.ts";
import { ChatServer } from "../lib/server/listen.ts";
import type { Log } from "../lib/server/log.ts";
import { MemoryLog } from "../lib/server/log.ts";
import { Metrics } from "../lib/server/metrics.ts";
import { type Limits } from "../lib/server/limits.ts";
import {
  readArguments,
  serverOptions,
  serverSettings,
} from "../lib/server/options.ts";
import { VERSION } from "../lib/version.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "./assert.ts";
import {
  Bot,
  listening,
  Program,
  Room,
  SERVER_ARGS,
  serverProgram,
  soon,
  testUnless,
  Visitor,
  without,
} from "./fixtures.ts";
import { House, SlowLog } from "./house.ts";

const SESSION = "0123456789abcdef0123456789abcdef";
const LOOPBACK = { host: "127.0.0.1", port: 0 };
const windows = Deno.build.os === "windows"
  ? "signals are different on Windows"
  : undefined;

/** What a server says of itself, by name and labels as they stand there: `chat_drops_total{reason="slow"}`. */
class Scrape {
  readonly types = new Map<string, string>();
  readonly values = new Map<string, number>();

  /** Reads the text format of Prometheus, and takes nothing that is not in it. */
  constructor(text: string) {
    assert(text.endsWith("\n"), "the last line has no end");
    const helped = new Set<string>();
    for (const line of text.split("\n")) {
      const comment = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
      const label = '[a-z_]+="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
      const sample = new RegExp(
        `^(([a-z_]+)(?:\\{${label}(?:,${label})*\\})?) ([0-9.e+-]+)$`,
      ).exec(line);
      if (comment) {
        const [, kind, name = "", rest = ""] = comment;
        if (kind === "HELP") helped.add(name);
        else this.types.set(name, rest);
      } else if (sample) {
        const [, key = "", name = "", value = ""] = sample;
        const family = name.replace(/_(bucket|sum|count)$/, "");
        assert(
          this.types.has(name) || this.types.get(family) === "histogram",
          line,
        );
        assert(helped.has(name) || helped.has(family), line);
        assert(!this.values.has(key), `twice: ${line}`);
        assert(Number.isFinite(Number(value)), line);
        this.values.set(key, Number(value));
      } else assertEquals(line, "");
    }
  }

  get(key: string): number {
    const value = this.values.get(key);
    if (value === undefined) throw new Error(`there is no ${key}`);
    return value;
  }

  /** The names of all time series. */
  names(): Set<string> {
    return new Set([...this.values.keys()].map((key) => key.split("{")[0]!));
  }
}

/** Where a server serves its metrics. */
class Endpoint {
  readonly port: number;

  constructor(port: number) {
    this.port = port;
  }

  /** Of a program that was started with `--metrics`: the first thing that its log says. */
  static async of(server: Program): Promise<Endpoint> {
    const line = await server.errors.next();
    const [, port] =
      / info metrics are served url=http:\/\/[^ ]+:(\d+)\/metrics$/.exec(
        line ?? "",
      ) ?? [];
    if (!port) throw new Error(`it serves no metrics, and says ${line}`);
    return new Endpoint(Number(port));
  }

  get(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.port}${path}`, init);
  }

  async scrape(): Promise<Scrape> {
    return new Scrape(await (await this.get("/metrics")).text());
  }

  /** What is said once `holds`: a server knows only after its clients that they have read something. */
  async until(what: string, holds: (scrape: Scrape) => boolean) {
    const found = async () => {
      for (;;) {
        const scrape = await this.scrape();
        if (holds(scrape)) return scrape;
      }
    };
    return await soon(found(), () => what);
  }
}

/** A room in this process that is measured. */
class MeasuredRoom implements AsyncDisposable {
  readonly room: Room;
  readonly endpoint: Endpoint;
  readonly #metrics: Metrics;

  private constructor(room: Room, endpoint: Endpoint, metrics: Metrics) {
    this.room = room;
    this.endpoint = endpoint;
    this.#metrics = metrics;
  }

  static async open(
    limits: Partial<Limits> = {},
    log: Log = new MemoryLog(),
  ): Promise<MeasuredRoom> {
    const metrics = new Metrics(LOOPBACK);
    const room = await Room.open(limits, metrics.measured(log));
    const { port } = metrics.serve(room.server);
    return new MeasuredRoom(room, new Endpoint(port), metrics);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.room[Symbol.asyncDispose]();
    await soon(this.#metrics.close(), () => "the metrics do not end");
  }
}

const bytesOf = (lines: readonly string[]) =>
  new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")).length;

/** Lets nothing else in this process happen for so long. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

Deno.test("Who is here, what is said and what is heard is counted, to the byte", async () => {
  await using measured = await MeasuredRoom.open();
  const { room, endpoint } = measured;
  using silent = await room.connect();
  using ann = await room.connect();
  const lines = ["/nick ann", "hello", "/me wäves"] as const;
  await ann.send(`${lines[0]}\n`);
  const heard = await ann.take(1);
  using bot = new Bot(await room.connect());
  const hello = { type: "hello", v: 1, name: "bot", session: SESSION };
  const say = { type: "say", id: "a", room: "lobby", text: "hi" };
  await bot.send(hello);
  const frames = await bot.until("welcome");
  await bot.send(say);
  frames.push(...await bot.until("ack"));
  heard.push(...await ann.take(2));
  // A repeat is acknowledged, and not stored again.
  await bot.send(say);
  frames.push(...await bot.until("ack"));
  for (const line of lines.slice(1)) {
    await ann.send(`${line}\n`);
    frames.push(...await bot.until("message"));
  }
  assertEquals(heard.slice(1), ["[bot] entered room", "<bot> hi"]);
  assertEquals(frames.map(({ type }) => type), [
    ...["welcome", "message", "ack", "ack", "message", "message"],
  ]);

  const written = bytesOf([
    ...heard.map(String),
    ...frames.map((frame) => JSON.stringify(frame)),
  ]);
  const scrape = await endpoint.until(
    "all is written",
    (scrape) => scrape.get("chat_written_bytes_total") >= written,
  );
  const counted = {
    'chat_connections{dialect="text"}': 1,
    'chat_connections{dialect="json"}': 1,
    'chat_connections{dialect="none"}': 1,
    "chat_connections_opened_total": 3,
    "chat_members": 2,
    "chat_rooms": 1,
    "chat_messages_total": 3,
    // Those of ann to bot, that of bot to both.
    "chat_deliveries_total": 4,
    "chat_read_bytes_total": bytesOf([
      ...lines,
      ...[hello, say, say].map((frame) => JSON.stringify(frame)),
    ]),
    "chat_written_bytes_total": written,
    "chat_outbox_bytes": 0,
    "chat_delivery_lag_seconds_count": 4,
    // The repeat, too, is offered to the log.
    "chat_log_append_seconds_count": 4,
    "chat_log_append_failures_total": 0,
    [`chat_info{version="${VERSION}"}`]: 1,
  };
  for (const [key, value] of Object.entries(counted)) {
    assertEquals(scrape.get(key), value, key);
  }

  // telnet's timing mark is answered past the outbox, with three bytes.
  await ann.send(new Uint8Array([255, 253, 6]));
  const answered = await endpoint.until(
    "the mark is answered",
    (scrape) => scrape.get("chat_written_bytes_total") > written,
  );
  assertEquals(answered.get("chat_written_bytes_total"), written + 3);
  await ann.send("/quit\n");
  await ann.rest();
  ann.close();
  await bot.send({ type: "join", room: "den" });
  await bot.until("joined");
  silent.close();
  const left = await endpoint.until(
    "two are gone",
    (scrape) =>
      scrape.get('chat_connections{dialect="text"}') +
          scrape.get('chat_connections{dialect="none"}') === 0,
  );
  assertEquals(left.get("chat_connections_opened_total"), 3);
  assertEquals(left.get("chat_members"), 1);
  assertEquals(left.get("chat_rooms"), 2);
  bot.close();
});

Deno.test("What is missed and read from the log is delivered, and is not late", async () => {
  await using measured = await MeasuredRoom.open();
  const { room, endpoint } = measured;
  using bot = await room.program({ name: "bot" });
  for (const text of ["one", "two", "three"]) {
    await bot.send({ type: "say", id: text, room: "lobby", text });
    await bot.until("ack");
  }
  using late = await room.program({ since: { lobby: 1 } });
  const frames = await late.heard();
  assertEquals(frames.map(({ text }) => text), ["two", "three"]);
  const scrape = await endpoint.until(
    "all is written",
    (scrape) => scrape.get("chat_deliveries_total") >= 5,
  );
  assertEquals(scrape.get("chat_deliveries_total"), 5);
  assertEquals(scrape.get("chat_delivery_lag_seconds_count"), 3);
  for (const each of [bot, late]) each.close();
});

Deno.test("Whom the server ends is counted once, by the reason", async () => {
  const log = new MemoryLog();
  log.stored = () => Promise.reject(new TypeError("a fault"));
  await using measured = await MeasuredRoom.open({}, log);
  const { room, endpoint } = measured;
  using ann = await room.enter("ann");

  using endless = await room.connect();
  await endless.send("x".repeat(9000));
  await endless.until(/^-- bye/);
  const before = await endpoint.scrape();
  await endless.send("x".repeat(9000));
  await endpoint.until(
    "the rest is read",
    (scrape) =>
      scrape.get("chat_read_bytes_total") >=
        before.get("chat_read_bytes_total") + 9000,
  );
  endless.close();

  using bot = await room.program();
  await bot.visitor.send("{}\n".repeat(20));
  await bot.until("bye");
  bot.close();

  using faulty = await room.program();
  await faulty.send({ type: "rooms" });
  await faulty.rest();
  faulty.close();

  const { port } = room.server;
  using slow = await Deno.connect({ hostname: "127.0.0.1", port });
  await slow.write(new TextEncoder().encode("/nick slow\n"));
  await ann.until("[slow] entered room");
  do await ann.send(`${"x".repeat(1000)}\n`.repeat(100)); while (
    !(await ann.heard()).includes("[slow] is offline")
  );

  const { values } = await endpoint.scrape();
  const drops = [...values].filter(([key, value]) =>
    key.startsWith("chat_drops_total") && value > 0
  );
  assertEquals(Object.fromEntries(drops), {
    'chat_drops_total{reason="slow"}': 1,
    'chat_drops_total{reason="endless-line"}': 1,
    'chat_drops_total{reason="bad-frames"}': 1,
    'chat_drops_total{reason="fault"}': 1,
  });
  ann.close();
});

Deno.test("What waits to be written is said until it is", async () => {
  await using measured = await MeasuredRoom.open({
    maxWaitingBytes: 1_000_000_000,
  });
  const { room, endpoint } = measured;
  using ann = await room.enter("ann");
  const { port } = room.server;
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode("/nick busy\n"));
  await ann.until("[busy] entered room");
  let waiting = 0;
  while (waiting === 0) {
    await ann.send(`${"x".repeat(1000)}\n`.repeat(100));
    await ann.heard();
    waiting = (await endpoint.scrape()).get("chat_outbox_bytes");
  }
  await ann.send("that is all\n");
  using busy = new Visitor(conn);
  await busy.until("<ann> that is all");
  await endpoint.until(
    "nothing waits",
    (scrape) => scrape.get("chat_outbox_bytes") === 0,
  );
  ann.close();
});

Deno.test("How long it takes to store and to deliver is measured, and what cannot be stored is counted", async () => {
  const log = new SlowLog();
  await using measured = await MeasuredRoom.open({}, log);
  const { room, endpoint } = measured;
  using ann = await room.enter("ann");
  using bob = await room.enter("bob");
  await ann.heard();
  const storing = log.hold("append");
  await ann.send("hi\n");
  await storing.reached;
  block(300);
  storing.release();
  await bob.until("<ann> hi");
  log.fault = "the disk is full";
  await ann.send("lost\n");
  await ann.until(/could not be stored/);
  const scrape = await endpoint.until(
    "it is delivered",
    (scrape) => scrape.get("chat_delivery_lag_seconds_count") > 0,
  );
  for (const what of ["log_append", "delivery_lag"]) {
    const sum = scrape.get(`chat_${what}_seconds_sum`);
    assert(sum >= 0.3 && sum < 60, `${what}: ${sum}`);
    const quick = scrape.get(`chat_${what}_seconds_bucket{le="0.25"}`);
    const all = scrape.get(`chat_${what}_seconds_bucket{le="+Inf"}`);
    assert(all > quick, what);
  }
  assertEquals(scrape.get("chat_log_append_seconds_count"), 2);
  assertEquals(scrape.get("chat_log_append_failures_total"), 1);
  assertEquals(scrape.get("chat_messages_total"), 1);
  assertEquals(scrape.get("chat_deliveries_total"), 1);
  for (const each of [ann, bob]) each.close();
});

Deno.test("What is said in one turn is as late as what was said first", async () => {
  const house = await House.open();
  const ann = await house.enter("ann");
  const bob = await house.enter("bob");
  await house.quiet(ann, bob);
  const lags: number[] = [];
  house.turns.tally.onLag = (ms) => lags.push(ms);
  house.say(ann, "one");
  block(50);
  house.say(ann, "two");
  await house.settle();
  assertEquals(bob.heard(), ["<ann> one", "<ann> two"]);
  assertEquals(lags.length, 1);
  assert(lags[0]! >= 50);
});

Deno.test("An event loop that is late is noticed", async () => {
  await using measured = await MeasuredRoom.open();
  const { endpoint } = measured;
  block(400);
  const scrape = await endpoint.until(
    "it was looked twice",
    (scrape) => scrape.get("chat_event_loop_lag_seconds_count") >= 2,
  );
  assert(scrape.get("chat_event_loop_lag_seconds_sum") >= 0.3);
});

Deno.test("/healthz says 200, and 503 from the beginning of the end to the last moment", async () => {
  const metrics = new Metrics(LOOPBACK);
  await using room = await Room.open({}, metrics.measured(new MemoryLog()));
  const { port } = metrics.serve(room.server);
  const endpoint = new Endpoint(port);
  using ann = await room.enter("ann");
  const health = async () => {
    const response = await endpoint.get("/healthz");
    assertEquals(response.headers.get("content-type"), "application/json");
    return [response.status, await response.json()];
  };
  assertEquals(await health(), [200, {
    status: "ok",
    version: VERSION,
    warnings: [],
  }]);
  const stopped = room.server.stop();
  const stopping = [503, {
    status: "stopping",
    version: VERSION,
    warnings: [],
  }];
  assertEquals(await health(), stopping);
  assertEquals((await endpoint.scrape()).get("chat_members"), 0);
  await ann.rest();
  ann.close();
  await stopped;
  assertEquals(await health(), stopping);
  await metrics.close();
  const refused = await endpoint.get("/healthz").catch((error) => error);
  assert(refused instanceof TypeError);
});

Deno.test("/healthz warns of a port that the network reaches in plain text, as it is guarded now", async () => {
  const server = await ChatServer.start({ host: "0.0.0.0", port: 0 });
  const metrics = new Metrics(LOOPBACK);
  try {
    const endpoint = new Endpoint(metrics.serve(server).port);
    const warnings = async () =>
      (await (await endpoint.get("/healthz")).json()).warnings;
    assertEquals(await warnings(), [
      "anybody who reaches this machine can join: there is neither TLS nor a password",
    ]);
    const why =
      "can be read on the way, there is no TLS at a port that the network reaches";
    server.limit({ registeredOnly: true });
    assertEquals(await warnings(), [`logins ${why}`]);
    server.guard(new EntryPassword("a password"));
    assertEquals(await warnings(), [`passwords ${why}`]);
  } finally {
    await server.stop();
    await metrics.close();
  }
});

Deno.test("The log of a server that the network reaches in plain text begins with what is not safe", async () => {
  const open = "anybody who reaches this machine can join: there is " +
    "neither TLS nor a password";
  const readable = "logins can be read on the way, there is no TLS at a port " +
    "that the network reaches";
  for (
    const [flags, warning] of [
      [[], open],
      [["--registered-only"], readable],
    ] as const
  ) {
    await using server = serverProgram(
      ...["--host", "0.0.0.0", "--port", "0", ...flags],
    );
    const port = await listening(server);
    const line = await server.errors.next();
    assert(
      line?.endsWith(` warning ${warning} address=0.0.0.0:${port}`),
      line,
    );
  }
});

Deno.test({
  name: "Metrics leave no timer and no socket when they are closed",
  sanitizeOps: true,
  sanitizeResources: true,
  fn: async () => {
    await using _measured = await MeasuredRoom.open();
  },
});

Deno.test("There is nothing else to ask for, and nothing that strangers ask is an error in the log", async () => {
  await using measured = await MeasuredRoom.open();
  const { endpoint, room } = measured;
  const answer = async (path: string, init?: RequestInit) => {
    const response = await endpoint.get(path, init);
    return [response.status, await response.text()];
  };
  const none = [404, "there are /metrics and /healthz\n"];
  for (const path of ["/", "/metrics/", "/Metrics", "//metrics"]) {
    assertEquals(await answer(path), none, path);
  }
  for (const path of ["/metrics", "/healthz"]) {
    const refused = await endpoint.get(path, { method: "POST", body: "x" });
    assertEquals(refused.status, 405);
    assertEquals(refused.headers.get("allow"), "GET, HEAD");
    await refused.body?.cancel();
    assertEquals(await answer(path, { method: "HEAD" }), [200, ""]);
  }
  const metrics = await endpoint.get("/metrics?x");
  assertEquals(
    metrics.headers.get("content-type"),
    "text/plain; version=0.0.4; charset=utf-8",
  );
  await metrics.body?.cancel();
  using rude = await Visitor.connect(endpoint.port);
  await rude.send(
    "GET /metrics HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n",
  );
  assertMatch((await rude.line())!, /^HTTP\/1\.1 40[04] /);
  room.server.census = () => {
    throw new Error("a fault");
  };
  assertEquals(await answer("/metrics"), [500, "a fault of this server\n"]);
});

const flag = (value: string) => {
  const line = readArguments(["--metrics", value]);
  if ("print" in line) return undefined;
  return serverOptions(serverSettings([line])).metrics;
};

Deno.test("--metrics takes a port of the loopback, or a host and a port", () => {
  assertEquals(flag("9100"), { host: "127.0.0.1", port: 9100 });
  assertEquals(flag(":9100"), { host: "127.0.0.1", port: 9100 });
  assertEquals(flag("0"), { host: "127.0.0.1", port: 0 });
  assertEquals(flag("0.0.0.0:9100"), { host: "0.0.0.0", port: 9100 });
  assertEquals(flag("[::1]:9100"), { host: "::1", port: 9100 });
  assertEquals(flag("example.org:65535"), { host: "example.org", port: 65535 });
  const form = "it is a port, or a host and a port, such as 9100 or [::1]:9100";
  const range = "a port is a whole number from 0 to 65535";
  const wrong: [string, string][] = [
    ["localhost", form],
    ["::1", form],
    ["[::1]", form],
    ["a b:1", form],
    ["http://a:1", form],
    ["65536", range],
    [":", range],
    ["a:", range],
    ["a:1e3", range],
  ];
  for (const [value, reason] of wrong) {
    const error = assertThrows(() => flag(value), UsageError);
    assertEquals(error.message, `--metrics "${value}" will not do: ${reason}`);
  }
});

Deno.test("chat-server listens for nobody but members unless it is told to", async () => {
  const start = (...flags: string[]) =>
    new Program(Deno.execPath(), [
      ...SERVER_ARGS.map((word) =>
        word === "--allow-net" ? "--allow-net=127.0.0.1:0" : word
      ),
      ...["--port", "0", ...flags],
    ]);
  await using server = start();
  await listening(server);
  // So another address would have been noticed.
  await using other = start("--metrics", "9100");
  const { code, errors } = await other.result();
  assertEquals(code, 1);
  assertMatch(errors.join("\n"), /127\.0\.0\.1:9100/);
});

Deno.test("chat-server says in one line that metrics cannot be served, and exits 1", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${taken.addr.port}`;
  await using server = serverProgram("--port", "0", "--metrics", address);
  assertEquals(await server.result(), {
    code: 1,
    out: [],
    errors: [
      `chat-server: cannot listen on ${address}: the address is in use`,
    ],
  });
});

testUnless(
  windows,
  "chat-server --metrics says in the log where they are, and ends as always, also while somebody asks for ever",
  async () => {
    // Not quiet: Deno itself says nothing on its own account.
    await using server = new Program(Deno.execPath(), [
      ...SERVER_ARGS.filter((word) => word !== "--quiet"),
      ...["--port", "0", "--metrics", "0.0.0.0:0"],
    ]);
    const port = await listening(server);
    const endpoint = await Endpoint.of(server);
    assertMatch(
      (await server.errors.next())!,
      / warning anybody who reaches this machine can read the metrics address=0\.0\.0\.0:\d+$/,
    );
    using ann = await Visitor.connect(port);
    await ann.enter("ann");
    using asking = await Visitor.connect(endpoint.port);
    await asking.send("GET /metrics HTTP/1.1\r\n");
    await ann.send("hi\n");
    await ann.heard();
    const scrape = await endpoint.scrape();
    assertEquals(scrape.get("chat_members"), 1);
    assertEquals(scrape.get("chat_messages_total"), 1);
    server.signal("SIGTERM");
    assertMatch((await ann.rest()).at(-1)!, /^-- bye/);
    ann.close();
    assertEquals(await server.exit(), 0);
    assertEquals(await server.out.rest(), []);
  },
);

testUnless(
  without("sh"),
  "A crowd that asks for metrics and never finishes takes descriptors from newcomers, nothing from members, and metrics are served again when it has gone",
  async () => {
    await using server = new Program("sh", [
      ...["-c", 'ulimit -n 100; exec "$@"', "sh", Deno.execPath()],
      ...[...SERVER_ARGS, "--port", "0", "--metrics", "0"],
    ]);
    const port = await listening(server);
    const endpoint = await Endpoint.of(server);
    using ann = await Visitor.connect(port);
    await ann.enter("ann");
    using bob = await Visitor.connect(port);
    await bob.enter("bob");
    const crowd: Deno.Conn[] = [];
    const fill = async () => {
      for (;;) crowd.push(await Deno.connect({ port: endpoint.port }));
    };
    // Without descriptors Deno listens no more.
    await soon(fill().catch(() => {}), () => "there are descriptors for all");
    await ann.send("still here\n");
    await bob.until("<ann> still here");
    for (const conn of crowd) conn.close();
    await server.errors.until(
      / error metrics cannot be served for now reason=/,
    );
    const isServed = () =>
      endpoint.scrape().then(() => true, (error) => {
        assert(error instanceof TypeError);
        return false;
      });
    const served = async () => {
      while (!await isServed());
    };
    await soon(served(), () => "metrics are not served again");
    assertEquals(
      server.errors.seen.filter((line) => line.includes("cannot be served"))
        .length,
      1,
    );
  },
);

/** The queries of the dashboard. */
const QUERIES = dashboard.panels.flatMap(({ targets }) => targets);

Deno.test("The dashboard has what Grafana needs to import it, and its panels do not overlap", () => {
  assertEquals(
    dashboard.__inputs.map(({ name, type, pluginId }) => [
      name,
      type,
      pluginId,
    ]),
    [["DS_PROMETHEUS", "datasource", "prometheus"]],
  );
  assertEquals(dashboard.id, null);
  assert(dashboard.schemaVersion >= 36 && dashboard.title !== "");
  const required = new Set(dashboard.__requires.map(({ id }) => id));
  const ids = new Set<number>();
  const cells = new Set<string>();
  for (
    const { id, type, title, gridPos, targets, fieldConfig } of dashboard.panels
  ) {
    assert(!ids.has(id), `${id} is there twice`);
    ids.add(id);
    assert(required.has(type), type);
    assert(title !== "" && targets.length > 0 && fieldConfig.defaults.unit);
    const { x, y, w, h } = gridPos;
    assert(x >= 0 && x + w <= 24, title);
    for (let cell = 0; cell < w * h; cell++) {
      const place = `${x + cell % w},${y + Math.floor(cell / w)}`;
      assert(!cells.has(place), `${title} lies upon another panel`);
      cells.add(place);
    }
    const refs = targets.map(({ refId }) => refId);
    assertEquals(refs.length, new Set(refs).size, title);
  }
  const sources = [
    ...dashboard.panels,
    ...QUERIES,
    ...dashboard.templating.list,
  ].map(({ datasource }) => datasource);
  for (const source of sources) {
    assertEquals(source, { type: "prometheus", uid: "${DS_PROMETHEUS}" });
  }
});

Deno.test("The dashboard and docs/metrics.md ask for what a server says, and for all of it", async () => {
  await using measured = await MeasuredRoom.open();
  const { values, types } = await measured.endpoint.scrape();
  /** The labels of each time series; Prometheus adds two. */
  const labels = new Map<string, Set<string>>();
  for (const key of values.keys()) {
    const name = key.split("{")[0]!;
    const known = labels.get(name) ?? new Set(["instance", "job"]);
    for (const [, label] of key.matchAll(/([a-z_]+)="/g)) known.add(label!);
    labels.set(name, known);
  }
  const asked = new Set<string>();
  const page = await Deno.readTextFile(
    new URL("../docs/metrics.md", import.meta.url),
  );
  const [, alerts = ""] = /```yaml\n(groups:[\s\S]*?)```/.exec(page) ?? [];
  const rules = [...alerts.matchAll(/expr: (.+)/g)].map(([, expr]) => ({
    expr: expr!,
    legendFormat: "",
  }));
  assert(rules.length > 0);
  for (const { expr, legendFormat } of [...QUERIES, ...rules]) {
    const names = [...expr.matchAll(/\b(?:chat|process)_[a-z_]+/g)].map(String);
    assert(names.length > 0, expr);
    for (const name of names) {
      const known = labels.get(name);
      assert(known, `${name} in ${expr}`);
      asked.add(
        name.replace(
          /_(bucket|sum|count)$/,
          (end, _, at) => types.has(name) ? end : name.slice(at, at),
        ),
      );
      const used = [
        ...[...expr.matchAll(/[{,] *([a-z_]+)=/g)].map(([, label]) => label!),
        ...[...expr.matchAll(/by \(([a-z_, ]+)\)/g)]
          .flatMap(([, list]) => list!.split(", ")),
        ...[...legendFormat.matchAll(/{{([a-z_]+)}}/g)].map(([, label]) =>
          label!
        ),
      ];
      for (const label of used) assert(known.has(label), `${label} in ${expr}`);
    }
    // Only what grows has a rate.
    for (const [, name] of expr.matchAll(/(?:rate|increase)\(([a-z_]+)/g)) {
      assert(/_(total|bucket|count|sum)$/.test(name!), expr);
    }
    for (
      const [, name] of expr.matchAll(/histogram_quantile\(.*?rate\(([a-z_]+)/g)
    ) {
      assert(name!.endsWith("_bucket"), expr);
    }
  }
  assertEquals([...types.keys()].filter((name) => !asked.has(name)), []);
  const documented = [...page.matchAll(/^\| `([a-z_]+)`/gm)].map(([, name]) =>
    name!
  );
  assertEquals(documented.sort(), [...types.keys()].sort());
  for (const name of Object.keys(measured.room.server.tally.drops)) {
    assert(page.includes(`\`${name}\``), name);
  }
});
