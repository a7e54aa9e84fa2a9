// deno-lint-ignore-file no-console -- an entry file prints
/**
 * chat-client: settings in, a link to a server, and a conversation at the terminal or in a pipe. Only here does
 * the client print errors or exit.
 */

import { type Address, formatAddress } from "./lib/address.ts";
import { describe } from "./lib/fault.ts";
import { failure } from "./lib/flags.ts";
import { MAX_PASSWORD_LENGTH } from "./lib/message.ts";
import { Link, PasswordError } from "./lib/client/link.ts";
import { Logins } from "./lib/client/logins.ts";
import type { ClientOptions } from "./lib/client/options.ts";
import { talkInPipe } from "./lib/client/pipe.ts";
import { type PlainOptions, talkPlainly } from "./lib/client/plain.ts";
import {
  isStartedByTask,
  ownFile,
  readPassword,
  readSettings,
  readTrust,
} from "./lib/client/settings.ts";
import type { Trust } from "./lib/client/secure.ts";
import { endSignal } from "./lib/client/signals.ts";
import { talkInTerminal } from "./lib/client/terminal.ts";
import { askUnseen } from "./lib/client/unseen.ts";

/** So many wrong passwords are tried: a server takes no more of them in a minute. */
const MAX_WRONG = 3;

/** Somebody wants the program to end, while they are asked for something. */
class Stopped extends Error {
  override name = "Stopped";
  readonly code: number;

  /** @param code with which it ends */
  constructor(code: number) {
    super("you did not want to say it");
    this.code = code;
  }
}

async function main(): Promise<number> {
  const options = await readSettings(Deno.args);
  if ("print" in options) {
    console.log(options.print);
    return 0;
  }
  const isTerminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  // Frames are for programs, wherever they go.
  const isPerson = isTerminal && !options.json;
  const scheme = options.tls ? "chats" : "chat";
  const server = `${scheme}://${formatAddress(options)}`;
  const keeper = new Logins(ownFile("logins.json"), server);
  const link = await connect(options, keeper, isPerson);
  try {
    if (isPerson && !options.plain) {
      const isWaitedFor = isStartedByTask();
      return await talkInTerminal(link, { ...options, isWaitedFor, keeper });
    }
    const talking = isPerson
      ? talkAsPerson(link, { ...options, keeper })
      : talk(link, options);
    return await Promise.race([talking, endSignal()]);
  } finally {
    // A signal may have come while something was typed unseen.
    showKeys();
    // However it ended: whoever comes back has the name at once.
    await link.leave();
  }
}

/** Connects, with the passwords that are known, and asks whoever is at the terminal for those that are not. */
async function connect(
  options: ClientOptions,
  logins: Logins,
  isPerson: boolean,
): Promise<Link> {
  const { retryMs, login: mustLogIn, ...where } = options;
  const trust = await readTrust(options);
  const said = await readPassword(options.passwordFile);
  if (said.notice) complain(said.notice);
  const login = await readLogin(options, logins);
  let { password } = said;
  for (let wrong = 0;;) {
    try {
      const link = await Link.connect({
        ...where,
        ...(trust ? { trust } : {}),
        // Whoever sits at a terminal can quit, and answer.
        ...(isPerson
          ? trust ? { onStranger: (met) => ask(options, trust, met) } : {}
          : { retryMs }),
        ...(password === undefined ? {} : { password }),
        ...(login === undefined ? {} : { login }),
      });
      if (isPerson || !mustLogIn || link.login) return link;
      await link.leave();
      throw new Error(`${options.name} cannot log in with this password`);
    } catch (error) {
      if (!(error instanceof PasswordError)) throw error;
      if (error.wasWrong) wrong++;
      if (wrong === MAX_WRONG) throw error;
      if (!canAsk()) {
        throw new Error(
          `${error.message}: --password-file FILE or the variable CHAT_PASSWORD says it`,
        );
      }
      if (error.wasWrong) complain("that is not the password");
      password = await askPassword(
        `Password of the server ${formatAddress(options)}: `,
      );
    }
  }
}

/** The password of the name that somebody wants to have, if they have stored it, or want to log in. */
async function readLogin(
  options: ClientOptions,
  logins: Logins,
): Promise<string | undefined> {
  const { name, login, text } = options;
  if (text || name === "") return undefined;
  const stored = await logins.find(name);
  if (stored !== undefined || !login) return stored;
  const whose = `${name} at ${formatAddress(options)}`;
  if (canAsk()) return await askPassword(`Password of ${whose}: `);
  throw new Error(
    `no password of ${whose} is stored: at a terminal, /remember does it`,
  );
}

/** Whether somebody is there who can be asked. */
function canAsk(): boolean {
  return Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
}

/**
 * Asks for a password, which is not shown.
 *
 * @throws {Stopped}
 */
async function askPassword(question: string): Promise<string> {
  const listening = new AbortController();
  const signalled = endSignal(listening.signal);
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4096);
  const read = async () => {
    const count = await Deno.stdin.read(buffer);
    return count === null
      ? undefined
      : decoder.decode(buffer.subarray(0, count), { stream: true });
  };
  const print = async (text: string) => {
    await Deno.stderr.write(new TextEncoder().encode(text));
  };
  try {
    for (;;) {
      const password = await Promise.race([
        askUnseen(question, { setRaw, read, print }),
        signalled,
      ]);
      if (password === undefined) throw new Stopped(128 + 2);
      if (typeof password === "number") throw new Stopped(password);
      const { length } = [...password];
      if (length > 0 && length <= MAX_PASSWORD_LENGTH) return password;
      complain(`a password has 1 to ${MAX_PASSWORD_LENGTH} characters`);
    }
  } finally {
    listening.abort();
    showKeys();
  }
}

let areKeysShown = true;

/** Has the terminal give keys at once, and not show them; or lines, and show what is typed. */
function setRaw(isRaw: boolean): void {
  areKeysShown = !isRaw;
  Deno.stdin.setRaw(isRaw);
}

/** Gives the terminal back where something is still being typed unseen. */
function showKeys(): void {
  if (areKeysShown) return;
  try {
    setRaw(false);
    Deno.stderr.writeSync(new TextEncoder().encode("\n"));
  } catch (error) {
    // That it has gone is no fault.
    if (!(error instanceof Error)) throw error;
  }
}

/** Asks whether to trust a certificate from now on. */
async function ask(
  address: Address,
  { known }: Trust,
  fingerprint: string,
): Promise<boolean> {
  console.log(
    `Nobody known vouches for the certificate of ${formatAddress(address)}:
${fingerprint}
Whoever runs the server can say whether that is the right one.`,
  );
  if (!await askYes("Trust it from now on? [y/N] ")) return false;
  const fault = await known.trust(address, fingerprint);
  if (fault) complain(`trusted for this time only: ${fault}`);
  return true;
}

/** Asks what only `y` or `yes` agrees to; confirm() would take `yes` for no. */
async function askYes(question: string): Promise<boolean> {
  await writeOut(question);
  const buffer = new Uint8Array(4096);
  // A terminal gives one line at a time.
  const count = await Deno.stdin.read(buffer);
  const answer = new TextDecoder().decode(buffer.subarray(0, count ?? 0));
  // What is said next begins a line, also after Ctrl-D.
  if (!answer.endsWith("\n")) await writeOut("\n");
  return /^y(es)?$/i.test(answer.trim());
}

async function talk(link: Link, options: ClientOptions): Promise<number> {
  const allTaken = await talkInPipe(link, {
    ...options,
    input: Deno.stdin.readable,
    print: writeOut,
    notify: complain,
  });
  return allTaken ? 0 : 1;
}

async function talkAsPerson(
  link: Link,
  options: Omit<PlainOptions, "input" | "print" | "setRaw">,
): Promise<number> {
  const input = Deno.stdin.readable;
  await talkPlainly(link, { ...options, input, print: writeOut, setRaw });
  return 0;
}

async function writeOut(text: string): Promise<void> {
  try {
    let bytes = new TextEncoder().encode(text);
    while (bytes.length > 0) {
      bytes = bytes.subarray(await Deno.stdout.write(bytes));
    }
  } catch (error) {
    throw new Error(`cannot write what arrived: ${describe(error)}`);
  }
}

function complain(what: string): void {
  console.error(`chat-client: ${what}`);
}

function fail(error: unknown): number {
  if (error instanceof Stopped) return error.code;
  const { line, code } = failure(error);
  complain(line);
  return code;
}

Deno.exit(await main().catch(fail));
