/** The lines that were sent, to be found again, and what was typed while looking through them. Pure. */

/** So many lines are remembered. */
const MAX_LINES = 1000;

/** A line that was searched for. */
export interface Found {
  /** What it begins with, up to the end of what was searched for. */
  before: string;
  /** The rest of it. */
  after: string;
  /** How many lines are older. */
  older: number;
}

/** What was typed before. */
export class InputHistory {
  readonly #lines: string[] = [];
  /** What has become of a line since it was recalled; behind the last one, the line that was not sent. */
  readonly #changed = new Map<number, string>();
  #at = 0;

  /** Remembers a line that was sent. */
  add(line: string): void {
    if (line !== this.#lines.at(-1)) this.#lines.push(line);
    if (this.#lines.length > MAX_LINES) this.#lines.shift();
    this.leave();
  }

  /** What was typed and changed among the lines is given up; what is typed next is behind the last one. */
  leave(): void {
    this.#changed.clear();
    this.#at = this.#lines.length;
  }

  /** The line before the one that is shown, which has become `current`; there may be none. */
  older(current: string): string | undefined {
    return this.go(this.#at - 1, current);
  }

  /** The line after the one that is shown, which has become `current`; there may be none. */
  newer(current: string): string | undefined {
    return this.go(this.#at + 1, current);
  }

  /** The line to which `to` are older, instead of the one that is shown, which has become `current`. */
  go(to: number, current: string): string | undefined {
    if (to < 0 || to > this.#lines.length) return undefined;
    this.#changed.set(this.#at, current);
    this.#at = to;
    return this.#changed.get(to) ?? this.#lines[to] ?? "";
  }

  /**
   * The latest line that has `part` in it, in whichever case; none, if `part` is empty.
   *
   * @param before how many of the oldest lines are looked at: all by default
   */
  find(part: string, before: number = this.#lines.length): Found | undefined {
    if (part === "") return undefined;
    const wanted = new RegExp(RegExp.escape(part), "iu");
    for (let older = before - 1; older >= 0; older--) {
      const line = this.#lines[older] ?? "";
      const match = wanted.exec(line);
      if (!match) continue;
      const end = match.index + match[0].length;
      return { before: line.slice(0, end), after: line.slice(end), older };
    }
    return undefined;
  }
}
