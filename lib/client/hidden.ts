/** Which part of what is typed is never shown: the password in a line that has one. Pure. */

import { isSecret } from "../wire/text.ts";

/** What is shown instead of each character that is not. */
const DOT = "•";

/**
 * What may be shown of such a line: the command, however it is mistyped, and the name that one logs in to.
 *
 * @example `/login bob `, `/register `, and of `/registerxyz` what somebody has forgotten the blank after
 */
const SHOWN =
  /^\s*\/\s*(?:login\s+\S+(?:\s+|$)|(?:login|register|password)\s*|\S+\s*)|^\s*\S+\s*/iu;

/**
 * Where the password begins in a line that is a command with one.
 *
 * @returns a place in UTF-16 code units, where the line ends if there is no password yet; `undefined` for other lines
 */
export function secretStart(line: string): number | undefined {
  return isSecret(line) ? SHOWN.exec(line)?.[0].length : undefined;
}

/** What stands before the first password in the lines of an input; `undefined` if there is none. */
export function beforeSecret(input: string): string | undefined {
  let at = 0;
  for (const line of input.split("\n")) {
    const start = secretStart(line);
    if (start !== undefined && start < line.length) {
      return input.slice(0, at + start);
    }
    at += line.length + 1;
  }
  return undefined;
}

/** Whether any line of an input has something in it that must not be shown. */
export function hasSecret(input: string): boolean {
  return beforeSecret(input) !== undefined;
}

/** The characters of an input as they may be shown. */
export function hideSecrets(characters: readonly string[]): string[] {
  const lines = characters.join("").split("\n");
  let [row, column] = [0, 0];
  return characters.map((character) => {
    if (character === "\n") {
      [row, column] = [row + 1, 0];
      return character;
    }
    column += character.length;
    const start = secretStart(lines[row] ?? "");
    return start !== undefined && column > start ? DOT : character;
  });
}

/** A line as it may be shown when it is sent: how long a password is, is nobody's business either. */
export function withoutSecret(line: string): string {
  const start = secretStart(line);
  return start === undefined || start === line.length
    ? line
    : `${line.slice(0, start)}…`;
}

/** Characters of which none may be shown. */
export function hideAll(characters: readonly string[]): string[] {
  return characters.map(() => DOT);
}
