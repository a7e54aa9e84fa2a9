/**
 * Metrics for Prometheus, and whether the server is well, over HTTP. Only this file knows prom-client and HTTP. It
 * reads what there is to say when it is asked; nothing of the chat knows of it, or waits for it.
 */

import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { type Address, formatAddress } from "../address.ts";
import { describe } from "../fault.ts";
import type { Message } from "../message.ts";
import { VERSION } from "../version.ts";
import { isLoopback } from "./admission.ts";
import { addressOf, bind } from "./bind.ts";
import type { Census, ChatServer } from "./listen.ts";
import type { Extent, Log, NewMessage, Origin, Place, Range } from "./log.ts";
import type { Tally } from "./tally.ts";

const log = getLogger(["chat", "metrics"]);

/** How often it is looked how late the event loop is, in ms. */
const LOOK_MS = 100;

/** How long to wait before serving again when that has failed, in ms. */
const AGAIN_MS = 1000;

/** From a fast disk to one that hangs, in seconds. */
const APPEND_BUCKETS = [
  ...[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01],
  ...[0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
];

/** From at once to as long as a member may take nothing, in seconds. */
const LAG_BUCKETS = [
  ...[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1],
  ...[0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
];

/** How long metrics must have been served before it is news that they cannot be, in ms. */
const QUIET_MS = 60_000;

/** Measures a server, and serves what it has counted. */
export class Metrics {
  readonly #address: Address;
  readonly #registry = new Registry();
  readonly #closing = new AbortController();
  #serving: Promise<void> | undefined;
  #looking: ReturnType<typeof setTimeout> | undefined;

  /** @param address where to serve; port 0 takes a free one */
  constructor(address: Address) {
    this.#address = address;
  }

  /** The same log, of which it is measured how long it takes to store what is said. */
  measured(log: Log): Log {
    return new MeasuredLog(log, this.#registry);
  }

  /**
   * Serves what `server` has counted, and whether it is well, until {@linkcode close}. The log says where.
   *
   * @returns where it serves
   * @throws {BindError}
   */
  serve(server: ChatServer): Deno.NetAddr {
    const { signal } = this.#closing;
    const scrape = this.#scraper(server);
    const serve = (where: { hostname: string; port: number }) =>
      Deno.serve(
        { ...where, signal, onListen() {}, onError },
        (request) => answer(request, server, scrape),
      );
    const http = bind(this.#address, serve);
    const { addr } = http;
    this.#serving = this.#goOn(http, () => serve(addr));
    this.#measure(server.tally);
    const address = formatAddress(addressOf(addr));
    log.info("metrics are served", { url: `http://${address}/metrics` });
    if (!isLoopback(addr.hostname)) {
      log.warn("anybody who reaches this machine can read the metrics", {
        address,
      });
    }
    return addr;
  }

  /** Measures and serves nothing any more. */
  async close(): Promise<void> {
    clearTimeout(this.#looking);
    this.#closing.abort();
    await this.#serving;
  }

  /** Deno.serve gives up when file descriptors run out, and ends the process if nobody minds: it is begun again. */
  async #goOn(
    first: Deno.HttpServer,
    serve: () => Deno.HttpServer,
  ): Promise<void> {
    const { signal } = this.#closing;
    let http: Deno.HttpServer | undefined = first;
    let failedAt = -Infinity;
    while (!signal.aborted) {
      try {
        http ??= serve();
        await http.finished;
      } catch (error) {
        // As long as descriptors are scarce, it fails again and again.
        const now = performance.now();
        if (now - failedAt > QUIET_MS) {
          const reason = describe(error);
          log.error("metrics cannot be served for now", { reason });
        }
        failedAt = now;
        http = undefined;
        await delay(AGAIN_MS, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** What reads all metrics, and gives them as Prometheus wants them. */
  #scraper(server: ChatServer): () => Promise<Response> {
    let census = server.census();
    for (const reading of readingsOf(server.tally)) {
      register(reading, () => reading.read(census), this.#registry);
    }
    return async () => {
      // Everybody who is here is looked at once, however many metrics tell of them.
      census = server.census();
      const text = await this.#registry.metrics();
      const headers = { "content-type": this.#registry.contentType };
      return new Response(text, { headers });
    };
  }

  /** Begins to measure what would be measured in vain if nobody asked for it. */
  #measure(tally: Tally): void {
    const registers = [this.#registry];
    const delivery = new Histogram({
      name: "chat_delivery_lag_seconds",
      help:
        "How long it took from a message's being said until a member's socket had taken it, once a write",
      buckets: LAG_BUCKETS,
      registers,
    });
    tally.onLag = (ms) => delivery.observe(ms / 1000);
    const loop = new Histogram({
      name: "chat_event_loop_lag_seconds",
      help: `How late a timer was, every ${LOOK_MS} ms`,
      buckets: LAG_BUCKETS,
      registers,
    });
    const look = () => {
      const due = performance.now() + LOOK_MS;
      this.#looking = setTimeout(() => {
        loop.observe(Math.max(0, performance.now() - due) / 1000);
        look();
      }, LOOK_MS);
    };
    look();
  }
}

/** A number, or one for each value of a label. */
type Amount = number | Readonly<Record<string, number>>;

/** What is counted anyway, and read when it is asked for. */
interface Reading {
  name: string;
  help: string;
  label?: string;
  read(census: Census): Amount;
}

function readingsOf(tally: Tally): Reading[] {
  return [
    {
      name: "chat_info",
      help: "The version of chat-server",
      label: "version",
      read: () => ({ [VERSION]: 1 }),
    },
    {
      name: "chat_connections",
      help:
        "Connections, those that are ending included; none as long as the dialect is not known",
      label: "dialect",
      read: ({ connections }) => connections,
    },
    {
      name: "chat_connections_opened_total",
      help: "Connections that were let in",
      read: () => tally.sessions,
    },
    {
      name: "chat_tls_connections_opened_total",
      help: "Those of them that are encrypted",
      read: () => tally.encrypted,
    },
    {
      name: "chat_drops_total",
      help: "Connections that the server has ended or not let in",
      label: "reason",
      read: () => tally.drops,
    },
    {
      name: "chat_wrong_passwords_total",
      help: "Wrong passwords of the server that were given",
      read: () => tally.wrongPasswords,
    },
    {
      name: "chat_members",
      help:
        "Members who have entered, those included who have just lost the connection",
      read: ({ members }) => members,
    },
    {
      name: "chat_rooms",
      help: "Rooms with somebody in them, and the lobby",
      read: ({ rooms }) => rooms,
    },
    {
      name: "chat_deliveries_total",
      help: "Messages written to members, each once for each of them",
      read: () => tally.deliveries,
    },
    {
      name: "chat_read_bytes_total",
      help: "Bytes read from members",
      read: () => tally.bytesRead,
    },
    {
      name: "chat_written_bytes_total",
      help: "Bytes that members' sockets have taken",
      read: () => tally.bytesWritten,
    },
    {
      name: "chat_outbox_bytes",
      help: "Bytes that wait until members' sockets take them",
      read: ({ waitingBytes }) => waitingBytes,
    },
    {
      name: "process_cpu_seconds_total",
      help: "Processor time used",
      read: () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      },
    },
    {
      name: "process_resident_memory_bytes",
      help: "Memory used",
      read: () => Deno.memoryUsage().rss,
    },
    {
      name: "process_heap_bytes",
      help: "Memory used by what JavaScript has made",
      read: () => Deno.memoryUsage().heapUsed,
    },
    {
      name: "process_start_time_seconds",
      help: "When the process was started, since 1970",
      read: () => performance.timeOrigin / 1000,
    },
  ];
}

/** A counter if its name says so, else a gauge. */
function register(
  { name, help, label }: Reading,
  read: () => Amount,
  registry: Registry,
): void {
  const Metric = name.endsWith("_total") ? Counter : Gauge;
  new Metric({
    name,
    help,
    labelNames: label ? [label] : [],
    registers: [registry],
    collect() {
      this.reset();
      const amount = read();
      if (typeof amount === "number") this.inc(amount);
      else {
        for (const [value, n] of Object.entries(amount)) {
          this.inc({ [label!]: value }, n);
        }
      }
    },
  });
}

function answer(
  request: Request,
  server: ChatServer,
  scrape: () => Promise<Response>,
): Promise<Response> | Response {
  // A client may call the host as it likes, and then there is no URL.
  const pathname = URL.parse(request.url)?.pathname;
  if (pathname !== "/metrics" && pathname !== "/healthz") {
    return new Response("there are /metrics and /healthz\n", { status: 404 });
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    const headers = { allow: "GET, HEAD" };
    return new Response("GET and HEAD will do\n", { status: 405, headers });
  }
  return pathname === "/metrics" ? scrape() : health(server);
}

function health({ isStopping, warnings }: ChatServer): Response {
  const status = isStopping ? "stopping" : "ok";
  return Response.json({ status, version: VERSION, warnings }, {
    status: isStopping ? 503 : 200,
  });
}

function onError(error: unknown): Response {
  log.error("metrics cannot be told", { reason: describe(error) });
  return new Response("a fault of this server\n", { status: 500 });
}

/** A log of which it is measured how long it takes to store what is said. */
class MeasuredLog implements Log {
  readonly #log: Log;
  readonly #messages: Counter;
  readonly #failures: Counter;
  readonly #seconds: Histogram;

  constructor(log: Log, registry: Registry) {
    this.#log = log;
    const registers = [registry];
    this.#messages = new Counter({
      name: "chat_messages_total",
      help: "Messages stored",
      registers,
    });
    this.#failures = new Counter({
      name: "chat_log_append_failures_total",
      help: "Times that what was said in a turn could not be stored",
      registers,
    });
    this.#seconds = new Histogram({
      name: "chat_log_append_seconds",
      help: "How long it took to store what was said in a turn, or to fail to",
      buckets: APPEND_BUCKETS,
      registers,
    });
  }

  async append(messages: readonly NewMessage[]): Promise<Place[]> {
    const start = performance.now();
    try {
      const places = await this.#log.append(messages);
      this.#messages.inc(places.filter(({ repeated }) => !repeated).length);
      return places;
    } catch (error) {
      this.#failures.inc();
      throw error;
    } finally {
      this.#seconds.observe((performance.now() - start) / 1000);
    }
  }

  open(room: string): Promise<Extent> {
    return this.#log.open(room);
  }

  find(origin: Origin): Promise<Place | undefined> {
    return this.#log.find(origin);
  }

  read(room: string, range: Range): Promise<Message[]> {
    return this.#log.read(room, range);
  }

  stored(limit: number): Promise<string[]> {
    return this.#log.stored(limit);
  }

  release(room: string): Promise<void> {
    return this.#log.release(room);
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}
