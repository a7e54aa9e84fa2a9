/**
 * Where the server's settings come from: the command line, a file, and the message of the day, which is a file of its
 * own. Reads them; what they mean is in the table of options.ts. Knows neither sockets nor rooms.
 */

import { readConfig, readText } from "../config.ts";
import { type Source, sourceOf, UsageError, valuesOf } from "../flags.ts";
import { clean } from "../message.ts";
import { CONFIG, serverSettings, SETTINGS, type Settings } from "./options.ts";

/** The longest message of the day, in bytes of UTF-8: with 20 earlier messages it fits on a screen or two. */
const MAX_MOTD_BYTES = 4096;

/** What the server is told. */
export interface Told {
  settings: Settings;
  /** The message of the day, line by line; empty if there is none. */
  motd: readonly string[];
  /** Whether some of it stands in a file, which may have changed when it is read again. */
  isInFiles: boolean;
}

/**
 * Reads what the server is told: each setting is as the command line has it, or else the file that is named there.
 *
 * @throws {UsageError}
 */
export async function readSettings(commandLine: Source): Promise<Told> {
  const { config } = valuesOf(CONFIG, [commandLine]);
  const sources = config === ""
    ? [commandLine]
    : [commandLine, await readConfig(SETTINGS, config)];
  const settings = serverSettings(sources);
  return {
    settings,
    motd: await readMotd(settings.motd, sources),
    isInFiles: config !== "" || settings.motd !== "",
  };
}

async function readMotd(
  path: string,
  sources: readonly Source[],
): Promise<string[]> {
  if (path === "") return [];
  try {
    return motdLines(await readText(path, MAX_MOTD_BYTES));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const label = sourceOf("motd", sources)?.label("motd");
    throw new UsageError(`${label} ${error.message}`);
  }
}

/** The lines of a text, without what steers a terminal; blank ones at its end do not count. */
function motdLines(text: string): string[] {
  const lines = text.split(/\r?\n/).map(clean);
  return lines.slice(0, lines.findLastIndex((line) => line.trim() !== "") + 1);
}
