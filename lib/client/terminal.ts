/**
 * The client at a terminal: keys edit the line, Enter sends it, what arrives is printed above it. Owns the
 * terminal: whatever happens, it is given back as it was.
 */

// @ts-types="../std/colors.d.ts"
import { dim } from "@std/fmt/colors";
import { Composer } from "./composer.ts";
import { type Key, KeyReader, MARK_PASTES, UNMARK_PASTES } from "./keys.ts";
import type { Link } from "./link.ts";
import {
  BELL,
  clock,
  layout,
  leadOfSaid,
  leadToSomebody,
  note,
  type Paragraph,
} from "./look.ts";
import { promptOf } from "./prompt.ts";
import type { Spoken } from "./said.ts";
import { type Canvas, type Draft, isSame, Screen } from "./screen.ts";
import { canStopItself, endSignal, onSignal, stopItself } from "./signals.ts";
import {
  areCalls,
  ENTRY,
  type Item,
  type Keeper,
  type Secret,
  Talk,
  UNSEEN,
} from "./talk.ts";
import { Window } from "./window.ts";

/** How a person wants to be shown things. */
export interface TerminalOptions {
  /** Whether they do not want to know who comes and goes. */
  quiet: boolean;
  /** Whether the terminal rings for what is meant for them. */
  bell: boolean;
  /** Whether another program waits for this one, so that this one must not stop alone. */
  isWaitedFor: boolean;
  /** Who keeps a login for this person if they say so. */
  keeper: Keeper;
}

/** How often the size is looked at where no signal tells that it has changed, in ms. */
const SIZE_POLL_MS = 250;

/** How long a terminal may take to say where its cursor is, in ms. */
const ANSWER_MS = 200;

/** So many own messages are shown while they wait; more are counted. */
const MAX_PENDING = 2;

/**
 * Talks until the person quits.
 *
 * @returns the exit code: 0, or what belongs to the signal that ended it
 * @throws {LinkError} if the link was lost
 */
export async function talkInTerminal(
  link: Link,
  options: TerminalOptions,
): Promise<number> {
  const terminal = new Terminal(link, options);
  const listening = new AbortController();
  const signalled = endSignal(listening.signal);
  let receiving, code;
  try {
    try {
      terminal.open(listening.signal);
      receiving = terminal.printArrivals();
      const typing = terminal.obeyKeys();
      code = await Promise.race([receiving, typing, signalled]);
    } finally {
      listening.abort();
      terminal.close();
    }
    if (code === undefined) await receiving;
  } finally {
    terminal.tellOfPending();
  }
  return code ?? 0;
}

class Terminal {
  readonly #link: Link;
  readonly #options: TerminalOptions;
  readonly #talk: Talk;
  readonly #window: Window;
  readonly #screen = new Screen(CANVAS);
  readonly #composer: Composer;
  /** What a password is being typed for. */
  #secret: Secret | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOpen = false;
  #isPaused = false;
  readonly #stopsItself: boolean;

  constructor(link: Link, options: TerminalOptions) {
    this.#link = link;
    this.#options = options;
    this.#stopsItself = canStopItself();
    this.#talk = new Talk(link, options);
    this.#window = new Window(this.#talk.room);
    this.#composer = new Composer({
      complete: (before) => this.#talk.complete(before),
      fault: (lines) => this.#talk.fault(lines),
    });
  }

  /** Takes the terminal, until {@linkcode close}. */
  open(until: AbortSignal): void {
    this.#isOpen = true;
    // A fault that nobody expects ends the program without a word to whoever waits for it.
    for (const fault of ["error", "unhandledrejection"]) {
      globalThis.addEventListener(fault, () => this.close(), {
        signal: until,
      });
    }
    whenResized(() => this.#draw(), until);
    onSignal("SIGCONT", () => this.#resume(), until);
    // Where the program may not stop itself, only the terminal can stop it, and not if this is listened to.
    if (this.#stopsItself || this.#options.isWaitedFor) {
      onSignal("SIGTSTP", () => this.#suspend(), until);
    }
    this.#take();
    this.#draw();
  }

  /** Gives the terminal back as it was; what was being typed stays on it. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#timer);
    whileThere(() => {
      this.#screen.print(this.#rows(this.#window.end()), this.#draft());
      this.#screen.end();
    });
    giveBack();
  }

  /** Says which messages were not acknowledged: nobody knows what has become of them. */
  tellOfPending(): void {
    const pending = this.#link.pending.filter((line) => !line.isAcknowledged);
    const rows = this.#rows(
      pending.map(({ spoken }) =>
        note(`not acknowledged: ${spoken.text}`, Date.now())
      ),
    );
    whileThere(() => this.#screen.print(rows, this.#draft()));
  }

  async printArrivals(): Promise<void> {
    for await (const arrivals of this.#link.receive()) {
      if (arrivals.some(({ asksPassword }) => asksPassword)) this.#ask(ENTRY);
      if (this.#secret === ENTRY && !this.#link.isText) {
        this.#secret = undefined;
        this.#composer.giveUpUnseen();
      }
      this.#show(arrivals.flatMap((arrival) => this.#talk.take(arrival)));
    }
  }

  /** Does what the keys say until they say to quit, or there are no more. */
  async obeyKeys(): Promise<void> {
    const reader = new KeyReader();
    const input = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
    for await (const typed of input) {
      // Somebody types though the program was to be stopped: they want it to go on.
      if (this.#isPaused) this.#resume();
      else {
        for (const key of reader.push(typed)) {
          if (this.#obey(key)) return this.#link.end();
        }
        this.#draw();
      }
    }
    this.#link.end();
  }

  /** Does what a key says; returns whether that is to quit. */
  #obey(key: Key): boolean {
    if ("column" in key) {
      this.#screen.locate(key.row, key.column);
      return false;
    }
    const act = this.#composer.press(key);
    switch (act?.type) {
      case undefined:
        return false;
      case "send":
        return this.#send(act.lines);
      case "answer":
        this.#answer(act.secret);
        return false;
      case "refuse":
        this.#tell(act.reason);
        return false;
      case "hint":
        this.#tell("Ctrl-D or /quit leaves");
        return false;
      case "room":
        this.#show(this.#talk.goTo(String(act.number)));
        return false;
      case "redraw":
        this.#redraw();
        return false;
      case "suspend":
        this.#suspend();
        return false;
      case "quit":
        return true;
    }
  }

  /** Does what lines say; returns whether that is to quit. */
  #send(lines: readonly string[]): boolean {
    const { items, wish, secret } = this.#talk.obey(lines);
    if (secret) this.#ask(secret);
    this.#show(items);
    if (wish === "remember" || wish === "forget") {
      void this.#talk.keep(wish).then((items) => this.#show(items));
    }
    if (wish === "clear") {
      this.#window.clear();
      this.#screen.clear(this.#draft());
    }
    return wish === "quit";
  }

  #ask(secret: Secret): void {
    // What is being typed answers this, too.
    if (this.#secret === secret) return;
    this.#secret = secret;
    this.#composer.askUnseen(UNSEEN);
  }

  #answer(password: string | undefined): void {
    const secret = this.#secret;
    this.#secret = undefined;
    if (!secret || password === undefined) return;
    this.#show(this.#talk.answer(secret, password));
  }

  #tell(text: string): void {
    this.#show([{ type: "note", text }]);
  }

  #show(items: readonly Item[]): void {
    const { name, rooms } = this.#link;
    const { room } = this.#talk;
    this.#print(this.#window.show(items, { room, rooms, name }));
    if (this.#options.bell && areCalls(items)) CANVAS.write(BELL);
  }

  #print(paragraphs: readonly Paragraph[]): void {
    if (paragraphs.length === 0) return this.#draw();
    this.#screen.print(this.#rows(paragraphs), this.#draft());
    this.#drawLater();
  }

  #draw(): void {
    this.#screen.draw(this.#draft());
    this.#drawLater();
  }

  #redraw(): void {
    this.#screen.redraw(this.#rows(this.#window.recent), this.#draft());
  }

  #rows(paragraphs: readonly Paragraph[]): string[] {
    const { columns } = CANVAS.size();
    return paragraphs.flatMap((paragraph) => layout(paragraph, columns));
  }

  /** What changes by itself: the time until the next try, and the minute. */
  #drawLater(): void {
    clearTimeout(this.#timer);
    if (!this.#isOpen) return;
    const delaysMs = [
      ...(this.#link.isConnected ? [] : [this.#secondLeftMs]),
      ...(this.#window.presence ? [this.#window.minuteLeftMs] : []),
    ];
    if (delaysMs.length === 0) return;
    const delayMs = Math.max(1, Math.min(...delaysMs));
    this.#timer = setTimeout(() => this.#print(this.#window.pass()), delayMs);
  }

  get #secondLeftMs(): number {
    return ((this.#link.retryInMs ?? 0) % 1000) + 1;
  }

  #draft(): Draft {
    const { before, after, question } = this.#composer;
    const { presence } = this.#window;
    const prompt = question ?? this.#prompt;
    const above = [
      ...(presence ? [presenceLine(presence)] : []),
      ...this.#pendingLines,
    ];
    return { above, prompt, before, after };
  }

  get #prompt(): string {
    const { name, rooms, isText, isConnected } = this.#link;
    const { retryInMs, unacknowledged: waiting } = this.#link;
    return promptOf({
      room: isText ? undefined : this.#talk.room,
      name,
      rooms,
      unread: this.#window.unread,
      absence: isConnected || !this.#isOpen
        ? undefined
        : { retryInMs, waiting },
    }, CANVAS.size().columns);
  }

  /** What was said and has no place yet: it moves to its place as soon as the server has given it one. */
  get #pendingLines(): Draft["above"] {
    const { pending } = this.#link;
    const { room } = this.#talk;
    const more = pending.length - MAX_PENDING;
    const shown = pending.slice(-MAX_PENDING).map((
      { spoken, isAcknowledged },
    ) => ({
      text: `  …   ${leadOf(spoken, this.#link.name, room)}${spoken.text}`,
      ...(!isAcknowledged && { paint: dim }),
    }));
    if (more <= 0) return shown;
    return [{ text: `  …   ${more} more before this`, paint: dim }, ...shown];
  }

  #suspend(): void {
    if (this.#isPaused || !this.#isOpen) return;
    if (Deno.build.os === "windows") {
      return this.#tell("Windows cannot suspend a program");
    }
    // That program would neither stop nor let the shell go on.
    if (this.#options.isWaitedFor) {
      return this.#tell(
        "what deno task or npm has started cannot be suspended",
      );
    }
    this.#isPaused = true;
    clearTimeout(this.#timer);
    this.#screen.pause();
    giveBack();
    if (this.#stopsItself) stopItself();
    else CANVAS.write("-- Ctrl-Z once more suspends, Enter goes on\r\n");
  }

  #resume(): void {
    if (!this.#isOpen) return;
    try {
      this.#take();
    } catch (error) {
      // In the background the terminal is another program's.
      if (!(error instanceof Error)) throw error;
      return;
    }
    this.#isPaused = false;
    this.#screen.resume(this.#draft());
    this.#drawLater();
  }

  #take(): void {
    Deno.stdin.setRaw(true);
    CANVAS.write(MARK_PASTES);
  }
}

function presenceLine(
  { time, lead, text }: Paragraph,
): Draft["above"][number] {
  return { text: `${clock(time)} ${lead}${text}`, paint: dim };
}

/** What stands before something of one's own that waits. */
function leadOf(spoken: Spoken, name: string, room: string): string {
  if (spoken.type !== "say") return leadToSomebody(spoken.to ?? "");
  const lead = leadOfSaid(name, spoken.action);
  return spoken.room === room ? lead : `${spoken.room}: ${lead}`;
}

/** Gives the terminal back as it was. */
function giveBack(): void {
  whileThere(() => CANVAS.write(UNMARK_PASTES));
  whileThere(() => Deno.stdin.setRaw(false));
}

/** Does what only matters as long as the terminal is there: that it has gone is no fault. */
function whileThere(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}

/** Does something whenever the terminal has another size. */
function whenResized(act: () => void, until: AbortSignal): void {
  if (onSignal("SIGWINCH", act, until)) return;
  let last = CANVAS.size();
  const timer = setInterval(() => {
    const size = CANVAS.size();
    if (!isSame(size, last)) act();
    last = size;
  }, SIZE_POLL_MS);
  until.addEventListener("abort", () => clearInterval(timer));
}

const encoder = new TextEncoder();

const CANVAS: Canvas = {
  write(text) {
    let bytes = encoder.encode(text);
    while (bytes.length > 0) {
      bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
    }
  },
  size() {
    const { columns, rows } = Deno.consoleSize();
    // Some pseudo-terminals say 0 for a size that nobody has set.
    return { columns: columns || 80, rows: rows || 24 };
  },
  later(act) {
    setTimeout(act, ANSWER_MS);
  },
};
