/**
 * The settings read again while the server runs: all of them are checked first, then what can change does, and the
 * log says what came of it. Knows no signals and no sockets.
 */

import { getLogger } from "@logtape/logtape";
import { describe } from "../fault.ts";
import { type Source, UsageError } from "../flags.ts";
import type { EntryPassword } from "./entry.ts";
import { LIMITS, type Limits } from "./limits.ts";
import { serverOptions, type Settings } from "./options.ts";
import { readSettings, type Told, warnOfExposure } from "./settings.ts";

const log = getLogger(["chat", "settings"]);

/** What can be changed of a server that runs. */
export interface Changeable {
  limit(limits: Partial<Limits>): void;
  greet(motd: readonly string[]): void;
  appoint(operators: readonly string[]): void;
  guard(password: EntryPassword | undefined): void;
  /** Looks whether there is another certificate. Never throws: the log says so. */
  renew(): Promise<void>;
}

/** How long files may take to be read, in ms: one on a machine that is gone, or a pipe, may take for ever. */
const PATIENCE_MS = 10_000;

/** The settings that name files, which are read again. */
const FILES = ["motd", "password-file"];

/** The settings of a server that runs. */
export class Reloading {
  readonly #commandLine: Source;
  readonly #server: Changeable;
  /** What the server was started with. */
  readonly #started: Settings;
  /** What it was told last. */
  #told: Told;
  readonly #patienceMs: number;
  #turn: Promise<void> = Promise.resolve();

  /**
   * @param told what the server was started with
   * @param patienceMs how long it may take to read the settings, in ms
   */
  constructor(
    commandLine: Source,
    told: Told,
    server: Changeable,
    patienceMs: number = PATIENCE_MS,
  ) {
    this.#patienceMs = patienceMs;
    this.#commandLine = commandLine;
    this.#server = server;
    this.#started = told.settings;
    this.#told = told;
  }

  /** Reads the settings again, once whoever has asked for that before is done. Never throws: the log says why not. */
  again(): Promise<void> {
    return this.#turn = this.#turn.then(() => this.#reload());
  }

  async #reload(): Promise<void> {
    if (!this.#told.isInFiles) {
      return log.info(
        "there is nothing to read again: no --config, no --motd, no --password-file, no --tls-cert",
      );
    }
    await this.#server.renew();
    try {
      this.#apply(await this.#read());
    } catch (error) {
      log.error("the settings will not do, nothing is changed", {
        reason: describe(error),
      });
    }
  }

  /** @throws {UsageError} also if it takes too long; what is read then comes too late */
  async #read(): Promise<Told> {
    const late = Promise.withResolvers<never>();
    const seconds = this.#patienceMs / 1000;
    const timer = setTimeout(
      () => late.reject(new UsageError(`they take more than ${seconds} s`)),
      this.#patienceMs,
    );
    try {
      return await Promise.race([
        readSettings(this.#commandLine),
        late.promise,
      ]);
    } finally {
      clearTimeout(timer);
    }
  }

  #apply(told: Told): void {
    const before = this.#told;
    this.#told = told;
    const { limits, operators } = serverOptions(told.settings);
    this.#server.limit(limits);
    this.#server.greet(told.motd);
    this.#server.appoint(operators);
    this.#server.guard(told.password);
    warnOfExposure(told);
    for (const { name, from, to } of differences(this.#started, told)) {
      if (changesAtOnce(name) || FILES.includes(name)) continue;
      log.warn("a setting takes a restart", { setting: name, from, to });
    }
    const changed = changes(before, told).join(", ") || "nothing";
    log.info("the settings were read again", { changed });
  }
}

/** Whether a setting holds as soon as it is read again. */
function changesAtOnce(name: string): boolean {
  return name in LIMITS || name === "operators";
}

/** What has changed while the server runs: from what to what, the message of the day and the password. */
function changes(before: Told, after: Told): string[] {
  const settings = differences(before.settings, after)
    .filter(({ name }) => changesAtOnce(name))
    .map(({ name, from, to }) => `${name} ${shown(from)} -> ${shown(to)}`);
  const isGreeting = before.motd.join("\n") === after.motd.join("\n");
  const isKnown = before.password?.equals(after.password) ?? !after.password;
  return [
    ...settings,
    ...(isGreeting ? [] : ["motd"]),
    ...(isKnown ? [] : [after.password ? "password" : "no password any more"]),
  ];
}

function shown(value: unknown): string {
  return value === "" ? "none" : String(value);
}

/** The settings that are not as they were. */
function differences(
  before: Settings,
  { settings }: Told,
): { name: string; from: unknown; to: unknown }[] {
  const was = new Map<string, unknown>(Object.entries(before));
  return Object.entries(settings)
    .map(([name, to]) => ({ name, from: was.get(name), to }))
    .filter(({ from, to }) => from !== to);
}
