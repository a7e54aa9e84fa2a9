/**
 * What the tests talk through: a room in this process, visitors on real sockets, and real programs. Everything
 * waits for an event; a watchdog ends what waits in vain, and says for what.
 */

import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
// @ts-types="../lib/std/text_line_stream.d.ts"
import { TextLineStream } from "@std/streams/text-line-stream";
import type { Accounts } from "../lib/server/accounts.ts";
import type { EntryPassword } from "../lib/server/entry.ts";
import { ChatServer } from "../lib/server/listen.ts";
import { type Log, MemoryLog } from "../lib/server/log.ts";
import type { Limits } from "../lib/server/limits.ts";
import type { OperatingOptions } from "../lib/server/operating.ts";
import type { Cost } from "../lib/server/passwords.ts";

const WATCHDOG_MS = 60_000;

/** Passwords that take no time; what they usually cost is the same code. */
export const CHEAP: Cost = { log2N: 4, r: 1, p: 1 };

// Whoever runs the tests may have settings of their own; what the tests start finds none of them.
for (const name of Object.keys(Deno.env.toObject())) {
  if (name.startsWith("CHAT_")) Deno.env.delete(name);
}
// Whatever runs the tests waits for them, and not for the programs that they start.
Deno.env.delete("INIT_CWD");
Deno.env.set(
  "CHAT_CONFIG",
  fileURLToPath(new URL("no_settings.json", import.meta.url)),
);
// Nor the servers that they trust, and their logins. On macOS that would take another HOME, where Deno has its cache.
for (const name of ["XDG_CONFIG_HOME", "APPDATA"]) {
  Deno.env.set(name, fileURLToPath(new URL("nowhere", import.meta.url)));
}

/** `promise`, unless it takes so long that something must be wrong. */
export async function soon<T>(
  promise: Promise<T>,
  what: () => string,
): Promise<T> {
  const dog = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => dog.reject(new Error(`in vain: ${what()}`)),
    WATCHDOG_MS,
  );
  try {
    return await Promise.race([promise, dog.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A test that needs something which not every machine has; `missing` says what, if it is not there. */
export function testUnless(
  missing: string | undefined,
  name: string,
  fn: () => Promise<void>,
): void {
  // deno-lint-ignore no-console -- a skipped test says why
  if (missing) console.log(`skipped, because ${missing}: ${name}`);
  Deno.test({ name, ignore: missing !== undefined, fn });
}

/** Why there are no such programs here, if one of them is missing. */
export function without(...programs: string[]): string | undefined {
  if (Deno.build.os === "windows") return "it is written for a Unix shell";
  const isMissing = (program: string) =>
    !new Deno.Command("sh", {
      args: ["-c", `command -v ${program}`],
      stdout: "null",
    }).outputSync().success;
  const missing = programs.filter(isMissing);
  return missing.length > 0
    ? `there is no ${missing.join(", ")} here`
    : undefined;
}

/** Why connections cannot be reset here, if they cannot: `resetAndDestroy` came with 2.9. */
export const noReset = "resetAndDestroy" in Socket.prototype
  ? undefined
  : "this Deno cannot reset a connection";

/** Runs a line of shell; gives what it complains of, if it fails. */
export function shellFault(
  script: string,
  ...args: string[]
): string | undefined {
  const { success, stderr } = new Deno.Command("sh", {
    args: ["-c", script, "sh", ...args],
  }).outputSync();
  return success
    ? undefined
    : new TextDecoder().decode(stderr).trim() || "it fails";
}

/** Why no small disk can be made here, if it cannot. */
export const noSmallDisk = Deno.build.os !== "linux"
  ? "only Linux has tmpfs"
  : shellFault(
      'd=$(mktemp -d) && mount -t tmpfs tmpfs "$d" && umount "$d" && rmdir "$d"',
    ) === undefined
  ? undefined
  : "no tmpfs can be mounted";

/** A folder of its own, which goes with all that is in it. */
export class Folder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Folder> {
    return new Folder(await Deno.makeTempDir());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** A disk of 1 MiB. */
export class SmallDisk implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<SmallDisk> {
    const path = await Deno.makeTempDir();
    const fault = shellFault('mount -t tmpfs -o size=1m tmpfs "$1"', path);
    if (fault) throw new Error(fault);
    return new SmallDisk(path);
  }

  /** Leaves so many KiB. */
  async fill(freeKiB = 0): Promise<void> {
    const [filler, rest] = [`${this.path}/filler`, `${this.path}/rest`];
    await Deno.writeFile(filler, new Uint8Array(freeKiB * 1024));
    shellFault('cat /dev/zero >"$1"', rest);
    await Deno.remove(filler);
  }

  /** Takes away what {@linkcode fill} has put there. */
  async empty(): Promise<void> {
    await Deno.remove(`${this.path}/rest`);
  }

  /** Mounts it anew with other options, such as `ro`. */
  remount(options: string): void {
    const fault = shellFault('mount -o "remount,$2" "$1"', this.path, options);
    if (fault) throw new Error(fault);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const fault = shellFault('umount "$1"', this.path);
    if (fault) throw new Error(fault);
    await Deno.remove(this.path);
  }
}

/** A server in this process, on a free port of the loopback. */
export class Room implements AsyncDisposable {
  readonly server: ChatServer;

  private constructor(server: ChatServer) {
    this.server = server;
  }

  /** In tests nothing happens because time goes by, unless a limit says so. */
  static async open(
    limits: Partial<Limits> = {},
    log: Log = new MemoryLog(),
    options: OperatingOptions & {
      accounts?: Accounts;
      password?: EntryPassword;
    } = {},
  ): Promise<Room> {
    const never = 3_600_000;
    const server = await ChatServer.start({
      host: "127.0.0.1",
      port: 0,
      log,
      passwordCost: CHEAP,
      ...options,
      limits: {
        firstLineMs: never,
        partingMs: never,
        holdMs: never,
        entryMs: never,
        ...limits,
      },
    });
    return new Room(server);
  }

  /** Somebody who has connected and not said anything. */
  connect(): Promise<Visitor> {
    return Visitor.connect(this.server.port);
  }

  /** A program that has said hello with these fields, and has been welcomed. */
  async program(fields: Record<string, unknown> = {}): Promise<Bot> {
    const bot = new Bot(await this.connect());
    await bot.hello(fields);
    return bot;
  }

  /** Somebody who has entered under this name, and has been told so. */
  async enter(name: string): Promise<Visitor> {
    const visitor = await this.connect();
    await visitor.enter(name);
    return visitor;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await soon(this.server.stop(), () => "a connection does not end");
  }
}

/** Lines that arrive, to be waited for one by one. */
export class Lines {
  readonly #arrived: string[] = [];
  readonly #seen: string[] = [];
  #waiting: PromiseWithResolvers<void> | undefined;
  #ended = false;

  constructor(source: AsyncIterable<string>) {
    this.#collect(source);
  }

  /** All lines up to now, those that were waited for included. */
  get seen(): string[] {
    return [...this.#seen, ...this.#arrived];
  }

  /** The next line; `undefined` when there will be no more. */
  async next(): Promise<string | undefined> {
    while (this.#arrived.length === 0 && !this.#ended) {
      this.#waiting ??= Promise.withResolvers();
      await soon(
        this.#waiting.promise,
        () =>
          `waited for a line after ${JSON.stringify(this.#seen.slice(-20))}`,
      );
    }
    const line = this.#arrived.shift();
    if (line !== undefined) this.#seen.push(line);
    return line;
  }

  /** The lines before the one that is, or contains, `mark`. */
  async until(mark: string | RegExp): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.next();
      if (line === undefined) {
        throw new Error(
          `ended without ${mark}, after ${
            JSON.stringify(this.#seen.slice(-20))
          }`,
        );
      }
      if (typeof mark === "string" ? line === mark : mark.test(line)) {
        return lines;
      }
      lines.push(line);
    }
  }

  /** All lines that are still to come. */
  async rest(): Promise<string[]> {
    const lines: string[] = [];
    for (let line; (line = await this.next()) !== undefined;) lines.push(line);
    return lines;
  }

  async #collect(source: AsyncIterable<string>): Promise<void> {
    try {
      for await (const line of source) {
        this.#arrived.push(line);
        this.#wake();
      }
    } catch {
      // A connection that was reset has ended, too.
    }
    this.#ended = true;
    this.#wake();
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}

const encoder = new TextEncoder();

/** Somebody with a raw socket. */
export class Visitor implements Disposable {
  readonly conn: Deno.TcpConn | Deno.TlsConn;
  readonly #lines: Lines;
  #marks = 0;

  constructor(conn: Deno.TcpConn | Deno.TlsConn) {
    this.conn = conn;
    this.#lines = new Lines(splitAtLf(conn));
  }

  static async connect(port: number): Promise<Visitor> {
    return new Visitor(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** The server's port. */
  get port(): number {
    return this.conn.remoteAddr.port;
  }

  /** Sends text or bytes as they are. */
  async send(what: string | Uint8Array): Promise<void> {
    let bytes = typeof what === "string" ? encoder.encode(what) : what;
    while (bytes.length > 0) {
      bytes = bytes.subarray(await this.conn.write(bytes));
    }
  }

  /**
   * Takes a name as the first thing, and reads the welcome. On a machine that is very busy, a server that waits for
   * it only so long may have welcomed a guest.
   */
  async enter(name: string): Promise<void> {
    await this.send(`/nick ${name}\n`);
    await this.#lines.until(
      new RegExp(
        `^-- welcome, you are ${name};|^\\[guest\\d+\\] is now \\[${name}\\]$`,
      ),
    );
  }

  /** The next line, without its LF. */
  line(): Promise<string | undefined> {
    return this.#lines.next();
  }

  /** The next `count` lines. */
  async take(count: number): Promise<(string | undefined)[]> {
    const lines = [];
    for (let i = 0; i < count; i++) lines.push(await this.line());
    return lines;
  }

  /** The lines before `mark`. */
  until(mark: string | RegExp): Promise<string[]> {
    return this.#lines.until(mark);
  }

  /** All lines up to the end of the connection. */
  rest(): Promise<string[]> {
    return this.#lines.rest();
  }

  /**
   * What has arrived up to now: all that the server had said before it read this, and nothing later. The
   * barrier is a command that the server refuses.
   */
  async heard(): Promise<string[]> {
    const mark = `/barrier-${++this.#marks}`;
    await this.send(`${mark}\n`);
    return await this.until(new RegExp(`^-- refused .*: ${mark}\\r?$`));
  }

  /** Ends the input, as `nc -N` does. */
  async halfClose(): Promise<void> {
    await this.conn.closeWrite();
  }

  close(): void {
    try {
      this.conn.close();
    } catch {
      // Closed already.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A frame of the JSON dialect. */
export type Frame = { type: string } & Record<string, unknown>;

/** What a server says to a client that has said hello, and is alone in the lobby unless `fields` say otherwise. */
export function welcomeFrame(name: string, fields: Partial<Frame> = {}): Frame {
  const lobby = { room: "lobby", log: "a", seq: 0, count: 1, members: [name] };
  const type = "welcome";
  return { type, v: 1, name, server: "test", rooms: [lobby], ...fields };
}

/** Somebody with a raw socket who speaks JSON. */
export class Bot implements Disposable {
  readonly visitor: Visitor;
  #marks = 0;

  constructor(visitor: Visitor) {
    this.visitor = visitor;
  }

  static async connect(port: number): Promise<Bot> {
    return new Bot(await Visitor.connect(port));
  }

  /** Sends frames, in one write. */
  async send(...frames: Frame[]): Promise<void> {
    const lines = frames.map((frame) => `${JSON.stringify(frame)}\n`);
    await this.visitor.send(lines.join(""));
  }

  /** Says hello, and reads up to the welcome, which it gives. */
  async hello(fields: Record<string, unknown> = {}): Promise<Frame> {
    await this.send({ type: "hello", v: 1, ...fields });
    const before = await this.until("welcome");
    return before.at(-1)!;
  }

  /** The next frame; `undefined` when there will be no more. */
  async frame(): Promise<Frame | undefined> {
    const line = await this.visitor.line();
    return line === undefined ? undefined : JSON.parse(line);
  }

  /** The frames up to the next of this type, which is the last of them. */
  async until(type: string): Promise<Frame[]> {
    const frames: Frame[] = [];
    for (;;) {
      const frame = await this.frame();
      if (!frame) {
        throw new Error(`ended without ${type}: ${JSON.stringify(frames)}`);
      }
      frames.push(frame);
      if (frame.type === type) return frames;
    }
  }

  /** What has arrived up to now: all that the server had said before it read this. */
  async heard(): Promise<Frame[]> {
    const id = `barrier-${++this.#marks}`;
    await this.send({ type: "ping", id });
    const frames: Frame[] = [];
    for (;;) {
      const [...more] = await this.until("pong");
      const pong = more.pop();
      frames.push(...more);
      if (pong?.["id"] === id) return frames;
    }
  }

  /** Waits until there are only so many members, this one included, in whichever rooms; it has to be in the lobby. */
  async untilOnly(count: number): Promise<void> {
    for (;;) {
      await this.send({ type: "who", room: "lobby" });
      const members = (await this.until("members")).at(-1)!;
      if (Number(members["count"]) > count) {
        // Whoever is still there will be offline some time; what is held for those who may come back, after 10 s.
        await this.until("left");
        continue;
      }
      // Who is in another room only is a person, and goes with the connection.
      await this.send({ type: "rooms" });
      const { rooms } = (await this.until("rooms")).at(-1)!;
      const [fullest, next] = rooms as { count: number }[];
      if (fullest?.count === count && !next?.count) return;
    }
  }

  /** All frames up to the end of the connection. */
  async rest(): Promise<Frame[]> {
    return (await this.visitor.rest()).map((line) => JSON.parse(line));
  }

  close(): void {
    this.visitor.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Lines as netcat would show them: only LF ends one, and nothing is removed. */
async function* splitAtLf(conn: Deno.Conn): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(64 * 1024);
  let begun = "";
  for (let count; (count = await conn.read(buffer)) !== null;) {
    const lines =
      (begun + decoder.decode(buffer.subarray(0, count), { stream: true }))
        .split("\n");
    begun = lines.pop() ?? "";
    yield* lines;
  }
  if (begun !== "") yield begun;
}

/** A real program: its lines on stdout and stderr, its input, its end. */
export class Program implements AsyncDisposable {
  readonly out: Lines;
  readonly errors: Lines;
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  constructor(
    command: string,
    args: readonly string[],
    env: Record<string, string> = {},
  ) {
    this.#process = new Deno.Command(command, {
      args: [...args],
      env: { NO_COLOR: "1", ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.out = new Lines(textLines(this.#process.stdout));
    this.errors = new Lines(textLines(this.#process.stderr));
  }

  get pid(): number {
    return this.#process.pid;
  }

  async write(text: string): Promise<void> {
    await this.#input.write(encoder.encode(text));
  }

  /** Ends the program's input. */
  async closeInput(): Promise<void> {
    await this.#input.close();
  }

  signal(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** The exit code, once it has ended. */
  async exit(): Promise<number> {
    const { code } = await soon(
      this.#process.status,
      () =>
        `waited for the end of process ${this.pid}, which said ${
          JSON.stringify(this.errors.seen.slice(-5))
        }`,
    );
    return code;
  }

  /** What it printed and how it ended, when it needs no input. */
  async result(): Promise<{ code: number; out: string[]; errors: string[] }> {
    await this.closeInput().catch(() => {});
    const [out, errors, code] = await Promise.all([
      this.out.rest(),
      this.errors.rest(),
      this.exit(),
    ]);
    return { code, out, errors };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#input.abort().catch(() => {});
    await Promise.all([
      this.#process.status,
      this.out.rest(),
      this.errors.rest(),
    ]);
  }
}

function textLines(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): ReadableStream<string> {
  return stream.pipeThrough(new TextDecoderStream()).pipeThrough(
    new TextLineStream(),
  );
}

/** How deno.json runs the programs. */
export const SERVER_ARGS = [
  "run",
  "--quiet",
  "--no-prompt",
  "--v8-flags=--max-semi-space-size=2,--heap-growing-percent=5",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env=CHAT_PASSWORD",
  "server.ts",
];
export const CLIENT_ARGS = [
  "run",
  "--quiet",
  "--no-prompt",
  "--v8-flags=--optimize-for-size",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env=USER,LOGNAME,USERNAME,TERM,HOME,XDG_CONFIG_HOME,APPDATA,INIT_CWD,CHAT_*",
  "client.ts",
];

/** chat-server from source. */
export function serverProgram(...flags: string[]): Program {
  return new Program(Deno.execPath(), [...SERVER_ARGS, ...flags]);
}

/** chat-client from source, for somebody whose login name is `login`. */
export function clientProgram(login: string, ...flags: string[]): Program {
  return new Program(Deno.execPath(), [...CLIENT_ARGS, ...flags], {
    USER: login,
  });
}

/** Where a server listens, by its one line on stdout. */
export async function listening(server: Program): Promise<number> {
  const line = await server.out.next();
  const port = /^Chat server listening on .+:(\d+)$/.exec(line ?? "")?.[1];
  if (!port) {
    throw new Error(
      `no server: ${line} ${JSON.stringify(await server.errors.rest())}`,
    );
  }
  return Number(port);
}

const ROOT = new URL("../", import.meta.url);

/** All files below a folder of the project, as paths from its root. */
async function filesBelow(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (
    const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))
  ) {
    const path = `${folder}/${name}`;
    files.push(...isDirectory ? await filesBelow(path) : [path]);
  }
  return files;
}

/** A copy of all that the programs are made from, in a folder of its own that goes with it. */
export class SourcesCopy implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<SourcesCopy> {
    const folder = await Deno.makeTempDir();
    const files = [
      "deno.json",
      "deno.lock",
      "server.ts",
      "client.ts",
      "scripts/compile.ts",
      ...await filesBelow("lib"),
    ];
    for (const file of files) {
      await Deno.mkdir(`${folder}/${file}`.replace(/\/[^/]*$/, ""), {
        recursive: true,
      });
      await Deno.copyFile(new URL(file, ROOT), `${folder}/${file}`);
    }
    return new SourcesCopy(folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}
