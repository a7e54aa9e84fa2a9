/**
 * A line that is typed and not shown, at a terminal in raw mode: keys edit it as any other. Knows no terminal.
 */

import { InputLine } from "./input_line.ts";
import { KeyReader } from "./keys.ts";

/** What has become of such a line: nobody wants to say it, if there is no text. */
export interface Unseen {
  text: string | undefined;
}

/** What a terminal has to do so that something can be typed unseen. */
export interface Keyboard {
  /** Whether keys come at once, and are not shown. */
  setRaw(isRaw: boolean): void;
  /** What is typed next; nothing if there is no more. */
  read(): Promise<string | undefined>;
  print(text: string): Promise<void>;
}

/** A line of which nothing is shown. */
export class UnseenLine {
  readonly #keys = new KeyReader();
  readonly #line = new InputLine();

  /** Takes what a terminal sends; what follows the end of the line is given up. */
  push(input: string): Unseen | undefined {
    for (const key of this.#keys.push(input)) {
      const name = "name" in key ? key.name : undefined;
      const { text } = this.#line;
      if (name === "enter") return { text };
      if (name === "interrupt") return { text: undefined };
      if (name === "end-of-input" && text === "") return { text: undefined };
      this.#line.apply(key);
    }
    return undefined;
  }
}

/**
 * Asks for a line that is not shown. Whatever happens, the terminal is given back as it was.
 *
 * @returns nothing if somebody does not want to say it, or there is no more input
 */
export async function askUnseen(
  question: string,
  keyboard: Keyboard,
): Promise<string | undefined> {
  const line = new UnseenLine();
  keyboard.setRaw(true);
  try {
    await keyboard.print(question);
    for (let typed; (typed = await keyboard.read()) !== undefined;) {
      const unseen = line.push(typed);
      if (unseen) return unseen.text;
    }
    return undefined;
  } finally {
    keyboard.setRaw(false);
    await keyboard.print("\n");
  }
}
