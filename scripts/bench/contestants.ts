/**
 * Who takes part in the benchmark: how each is started, and what it does not do. Must not know what is measured.
 */

import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };
import { compile, noCompiler } from "./cc.ts";

/** A contestant cannot be started here; the message says why. */
export class Missing extends Error {
  override name = "Missing";
}

/** A process that is to be started. */
export interface Launch {
  command: string;
  args: string[];
  /** The line, on stdout or stderr, with which it says that it listens; its group is the port. */
  announces: RegExp;
}

/** Gets one process ready; each has files and a port of its own. */
export type Launcher = () => Promise<Launch>;

/** A chat server. */
export interface Contestant {
  /** For command lines. */
  id: string;
  /** For people. */
  name: string;
  /** What it does not do that chat-server does, or in what else it is another. */
  about: string;
  /** Whether it is chat-server, and has goals. */
  isOurs?: boolean;
  /** Whether it was compiled to one executable. */
  isCompiled?: boolean;
  dialect: "lines" | "irc";
  /** Whether half of its members are programs, who speak JSON. */
  hasPrograms?: boolean;
  /** How many messages each sender has for it in the burst: as many as it carries in some seconds. */
  burst: number;
  /** How many ms apart members have to come, five at a time, if it accepts them more slowly than others. */
  apart?: number;
  /** How many members it can carry, and why no more. */
  most?: { members: number; why: string };
  /**
   * Finds out whether it can be started here.
   *
   * @param folder where it may write; it is the caller's to remove
   * @throws {Missing}
   */
  prepare(folder: string): Promise<Launcher>;
}

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What `deno task server` runs. */
const FROM_SOURCE = [
  ...config.tasks.server.command.split(" ").slice(1, -1),
  "--quiet",
  `${ROOT}server.ts`,
];

/** The C reference, which all others are compared with. */
export const REFERENCE: Contestant = {
  id: "c",
  name: "C reference",
  about:
    "on epoll, batches as chat-server does; no commands, names but numbers, UTF-8, history, pace, log; one room",
  dialect: "lines",
  burst: 4000,
  async prepare(folder) {
    const missing = await noCompiler();
    if (missing) throw new Missing(missing);
    const command = await compile("epoll.c", folder);
    return () => Promise.resolve({ command, args: [], announces: LISTENING });
  },
};

/** chat-server as its task runs it. */
export const PLAIN: Contestant = {
  id: "chat-server",
  name: "chat-server",
  about: "from source",
  isOurs: true,
  dialect: "lines",
  burst: 4000,
  prepare: () => fromSource([]),
};

/** chat-server with all that it has. */
export const EVERYTHING: Contestant = {
  ...PLAIN,
  id: "everything",
  name: "chat-server, everything on",
  about:
    "from source, with --data and --metrics; half of the members speak JSON",
  hasPrograms: true,
  prepare: (folder) =>
    fromSource(["--metrics", "127.0.0.1:0"], `${folder}/everything`),
};

/** chat-server as {@linkcode PLAIN}, for whom there may be one room more than a thousand. */
export const ROOMY: Contestant = {
  ...PLAIN,
  prepare: () => fromSource(["--max-rooms", "1001"]),
};

/** All of them, as they are shown. */
export const CONTESTANTS: readonly Contestant[] = [
  REFERENCE,
  PLAIN,
  {
    ...PLAIN,
    id: "data",
    name: "chat-server --data",
    about: "from source, messages are kept on disk",
    prepare: (folder) => fromSource([], `${folder}/data`),
  },
  {
    ...PLAIN,
    id: "compiled",
    name: "chat-server compiled",
    about: "one executable",
    isCompiled: true,
    prepare: (folder) => compiled(folder),
  },
  {
    ...PLAIN,
    id: "compiled-data",
    name: "chat-server compiled --data",
    about: "one executable, messages are kept on disk",
    isCompiled: true,
    prepare: (folder) => compiled(folder, `${folder}/compiled-data`),
  },
  EVERYTHING,
  {
    id: "deno",
    name: "Deno, the obvious program",
    about: "one awaited write a member and message; drops nobody who is slow",
    dialect: "lines",
    burst: 400,
    prepare: () =>
      rival(Deno.execPath(), [
        ...["run", "--quiet", "--no-prompt", "--allow-net"],
        file("rival_deno.ts"),
      ]),
  },
  {
    id: "node",
    name: "Node, the obvious program",
    about:
      "one write a member and message; keeps all that a slow reader does not take",
    dialect: "lines",
    burst: 400,
    async prepare() {
      await output("node", ["--version"]);
      return rival("node", [file("rival_node.mjs")]);
    },
  },
  {
    id: "python",
    name: "Python, select()",
    about:
      "passes on chunks, not lines, so that messages run into each other, and names nobody; waits for whoever is slow",
    dialect: "lines",
    burst: 4000,
    most: { members: 1000, why: "select() knows 1,024 descriptors" },
    async prepare() {
      // What is found first may be a script that looks for another one.
      const which = "import sys; print(sys.executable)";
      const python = await output("python3", ["-c", which]);
      return rival(python, [file("rival_select.py")]);
    },
  },
  {
    id: "ncat",
    // Its queue holds 10, and everybody is told of everybody who comes; whom there is no place for tries for a minute.
    apart: 40,
    name: "ncat --chat",
    about:
      "passes on chunks, not lines, so that messages run into each other, and names nobody but by a number",
    dialect: "lines",
    burst: 4000,
    most: { members: 1000, why: "select() knows 1,024 descriptors" },
    async prepare() {
      await output("ncat", ["--version"]);
      return () => {
        const port = freePort();
        return Promise.resolve({
          command: "ncat",
          args: [
            ...["-v", "-l", "-k", "--chat", "--max-conns", "1020"],
            ...["127.0.0.1", String(port)],
          ],
          announces: /Listening on 127\.0\.0\.1:(\d+)/,
        });
      };
    },
  },
  {
    id: "ngircd",
    name: "ngIRCd",
    about:
      "speaks IRC, in C; penalties and look-ups are off; it keeps no history",
    dialect: "irc",
    burst: 4000,
    most: {
      members: 1000,
      why:
        "it tells everybody who comes of everybody: 9,000 take more than two minutes",
    },
    async prepare(folder) {
      await output("ngircd", ["--version"]);
      return () => ngircd(folder);
    },
  },
];

/** How all but some say that they listen. */
const LISTENING = /istening on 127\.0\.0\.1:(\d+)/;

function rival(command: string, args: string[]): Promise<Launcher> {
  const launch = { command, args, announces: LISTENING };
  return Promise.resolve(() => Promise.resolve(launch));
}

function fromSource(flags: string[], data?: string): Promise<Launcher> {
  const args = [...FROM_SOURCE, ...flags];
  return Promise.resolve(() => chatServer(Deno.execPath(), args, data));
}

async function compiled(folder: string, data?: string): Promise<Launcher> {
  const executable = await chatServerExecutable(folder);
  return () => chatServer(executable, [], data);
}

/** @param data where a new folder for the messages is made; without, they are kept in memory */
async function chatServer(
  command: string,
  args: string[],
  data: string | undefined,
): Promise<Launch> {
  const flags = ["--port", "0"];
  if (data !== undefined) {
    await Deno.remove(data, { recursive: true }).catch(() => {});
    flags.push("--data", data);
  }
  return { command, args: [...args, ...flags], announces: LISTENING };
}

/** The compiled chat-server: what is in dist/, if it is newer than the sources, or else a new one. */
async function chatServerExecutable(folder: string): Promise<string> {
  const name = Deno.build.os === "windows" ? "chat-server.exe" : "chat-server";
  const [existing, made] = [`${ROOT}dist/${name}`, `${folder}/${name}`];
  if (await changedAt(existing) > await sourcesChangedAt()) return existing;
  if (await changedAt(made) > 0) return made;
  try {
    await output(Deno.execPath(), [
      ...["run", "--quiet", "--no-lock", "--no-prompt"],
      ...["--allow-read", "--allow-write=.", "--allow-run"],
      ...["scripts/compile.ts", "--out", folder],
    ]);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new Missing(`it cannot be compiled here: ${error.message}`);
  }
  return made;
}

/** When the newest of the sources was changed, in ms. */
async function sourcesChangedAt(): Promise<number> {
  let newest = 0;
  const look = async (path: string) => {
    newest = Math.max(newest, await changedAt(path));
    const { isDirectory } = await Deno.stat(path);
    if (!isDirectory) return;
    for await (const { name } of Deno.readDir(path)) {
      await look(`${path}/${name}`);
    }
  };
  for (const path of ["server.ts", "lib", "deno.json", "scripts/compile.ts"]) {
    await look(`${ROOT}${path}`);
  }
  return newest;
}

/** When a file was changed, in ms; 0 if there is none. */
async function changedAt(path: string): Promise<number> {
  try {
    return (await Deno.stat(path)).mtime?.getTime() ?? 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

async function ngircd(folder: string): Promise<Launch> {
  const config = `${folder}/ngircd.conf`;
  await Deno.writeTextFile(
    config,
    `[Global]
Name = benchmark.invalid
Info = benchmark
Listen = 127.0.0.1
Ports = ${freePort()}
MotdPhrase = hello

[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxNickLength = 16
MaxPenaltyTime = 0
PingTimeout = 3600

[Options]
DNS = no
Ident = no
PAM = no
`,
  );
  // It does not ask for more descriptors than it is given.
  const script = 'ulimit -n "$(ulimit -Hn)"; exec ngircd -n -f "$0"';
  return {
    command: "sh",
    args: ["-c", script, config],
    announces: /listening on \[127\.0\.0\.1\]:(\d+)/,
  };
}

/** A port that nobody listens on; for those who cannot take one themselves. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

function file(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/**
 * What a program prints on stdout.
 *
 * @throws {Missing} if there is no such program, or it fails
 */
async function output(command: string, args: string[]): Promise<string> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, {
      args,
      cwd: ROOT,
      env: { NO_COLOR: "1" },
    }).output();
    const decoder = new TextDecoder();
    if (success) return decoder.decode(stdout).trim();
    const fault = decoder.decode(stderr).trim().split("\n").at(-1);
    throw new Missing(`${command} fails: ${fault}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Missing(`there is no ${command} here`);
  }
}
