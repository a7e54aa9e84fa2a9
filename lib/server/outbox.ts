/**
 * What waits to be written, and when it is written: the batch that a room collects in a turn, the outbox of
 * one member, and the turns that empty outboxes in slices. Owns no socket (an outbox writes to a `Sink`) and
 * knows neither rooms nor dialects (an outbox is given a `Render`).
 *
 * Nothing here waits for one socket while another has something to be written.
 */

import { setImmediate } from "node:timers";
import { concat } from "../lines.ts";
import type { ChatEvent, Render } from "../message.ts";
import { Tally } from "./tally.ts";

/** Where an outbox writes. As with `Deno.Conn`, fewer bytes may be taken than were given. */
export interface Sink {
  write(bytes: Uint8Array): Promise<number>;
}

/** The events of a batch as one dialect writes them: event `i` is `bytes` from `starts[i]` to `starts[i + 1]`. */
interface Encoded {
  bytes: Uint8Array;
  starts: number[];
}

const encoder = new TextEncoder();

/**
 * The events that a room collects in one turn. They are encoded once per dialect, however many members read
 * them, and every member who caused none of them is given the same `Uint8Array`.
 *
 * Nothing of a batch is written before it is sealed: until then it is not known which of its messages will be
 * stored, and what their numbers are.
 */
export class Batch {
  readonly #events: (ChatEvent | undefined)[] = [];
  readonly #authored = new Map<Outbox, number[]>();
  readonly #encoded = new Map<Render, Encoded>();
  #messagesBefore: number[] | undefined;
  #sealed = false;
  /** When the first of its messages was said, by `performance.now()`; not said of messages read from a log. */
  saidAt: number | undefined;

  /** A sealed batch of these events. */
  static of(...events: ChatEvent[]): Batch {
    const batch = new Batch();
    for (const event of events) batch.add(event);
    batch.seal();
    return batch;
  }

  /** How many events it holds. */
  get length(): number {
    return this.#events.length;
  }

  /** Whether it may be written. */
  get isSealed(): boolean {
    return this.#sealed;
  }

  /** Where in the stretch from `from` on there is something else than messages. */
  *announcements(from: number): Generator<{ from: number; to: number }> {
    for (let to = from; to < this.length; from = ++to) {
      while (to < this.length && this.#events[to]?.type !== "message") to++;
      if (from < to) yield { from, to };
    }
  }

  /** Adds an event for everybody but its author. */
  add(event: ChatEvent, author?: Outbox): void {
    if (author) {
      const own = this.#authored.get(author);
      if (own) own.push(this.length);
      else this.#authored.set(author, [this.length]);
    }
    this.#events.push(event);
  }

  /** Takes an event out; the others keep their places. */
  drop(index: number): void {
    this.#events[index] = undefined;
  }

  /** From now on nothing changes, and it may be written. */
  seal(): void {
    this.#sealed = true;
  }

  /** The events from `from` up to `to`, without those that `reader` is the author of. */
  bytes(render: Render, from: number, to: number, reader: Outbox): Uint8Array {
    const { bytes, starts } = this.#encode(render);
    const runs: Uint8Array[] = [];
    let start = from;
    for (const own of this.#authored.get(reader) ?? []) {
      if (own < start) continue;
      if (own >= to) break;
      runs.push(bytes.subarray(starts[start], starts[own]));
      start = own + 1;
    }
    if (start === 0 && to === this.length) return bytes;
    runs.push(bytes.subarray(starts[start], starts[to]));
    return runs.length === 1 ? runs[0]! : concat(runs);
  }

  /** How many messages {@linkcode bytes} would hold; only of a sealed batch. */
  messages(from: number, to: number, reader: Outbox): number {
    const before = this.#messagesBefore ??= this.#countMessages();
    let count = before[to]! - before[from]!;
    for (const own of this.#authored.get(reader) ?? []) {
      if (own >= from && own < to) count -= before[own + 1]! - before[own]!;
    }
    return count;
  }

  /** How many messages there are before each event, and before the end. */
  #countMessages(): number[] {
    let count = 0;
    const before = [count];
    for (const event of this.#events) {
      before.push(event?.type === "message" ? ++count : count);
    }
    return before;
  }

  #encode(render: Render): Encoded {
    let encoded = this.#encoded.get(render);
    if (!encoded) {
      const starts = [0];
      const pieces = this.#events.map((event) => {
        const piece = encoder.encode(event ? render(event) : "");
        starts.push(starts.at(-1)! + piece.length);
        return piece;
      });
      encoded = { bytes: concat(pieces), starts };
      this.#encoded.set(render, encoded);
    }
    return encoded;
  }
}

/** A stretch of a batch that waits in an outbox. It becomes bytes when it is written, not before. */
interface Stretch {
  batch: Batch;
  from: number;
  to: number;
}

/** What an outbox needs to know besides where it writes. */
export interface OutboxOptions {
  /** How many bytes may be left after a write was offered to the sink; asked each time. */
  readonly maxBytes: number;
  /** Called when more than that is left; calls `cut` or `end`, and is not called again. */
  onFull(): void;
}

/**
 * What one member has not been sent yet. Closed at first: it only collects, because it is not known yet in
 * which dialect to write; `open` begins the writing.
 */
export class Outbox {
  readonly #sink: Sink;
  readonly #turns: Turns;
  readonly #options: OutboxOptions;
  #render: Render | undefined;
  #stretches: Stretch[] = [];
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #waitingMessages = 0;
  /** When the first of them was said, if that is known. */
  #waitingSince: number | undefined;
  #offered: Uint8Array | undefined;
  /** How often the sink has taken something. */
  #taken = 0;
  #refusing = false;
  #emptied: PromiseWithResolvers<void> | undefined;
  /** How many bytes of answers are not written yet, and how many of them were offered. */
  #answerBytes = 0;
  #answerBytesOffered = 0;
  /** The same of pages that nobody has asked for. */
  #pageBytes = 0;
  #pageBytesOffered = 0;
  #answered: PromiseWithResolvers<void> | undefined;

  constructor(sink: Sink, turns: Turns, options: OutboxOptions) {
    this.#sink = sink;
    this.#turns = turns;
    this.#options = options;
  }

  /** Begins to write what was collected, as `render` says. Another `render` may follow later. */
  open(render: Render): void {
    if (render === this.#render) return;
    this.#render = render;
    this.#turns.write(this);
  }

  /** Whether it takes anything more. */
  get isEnded(): boolean {
    return this.#refusing;
  }

  /** How often something was taken of what it has offered; `undefined` while nothing is offered. */
  get taken(): number | undefined {
    return this.#offered && this.#taken;
  }

  /** Adds a stretch of a batch, to be written at the end of the turn in which the batch is sealed. */
  add(batch: Batch, from = 0, to = batch.length): void {
    if (this.#refusing || from >= to) return;
    this.#stretches.push({ batch, from, to });
    if (this.#render) this.#turns.write(this);
  }

  /** Adds an event that answers this member; a batch of one, if many will be told the same. */
  tell(event: ChatEvent | Batch): void {
    if (this.#refusing) return;
    const batch = event instanceof Batch ? event : Batch.of(event);
    this.#answerBytes += this.#bytesOf(batch);
    this.add(batch);
  }

  /** Adds a page of what others have said, which is waited for like an answer. */
  turnPage(page: Batch): void {
    if (this.#refusing) return;
    this.#pageBytes += this.#bytesOf(page);
    this.add(page);
  }

  /** How many bytes wait to be written, those that the sink was offered included. */
  get waitingBytes(): number {
    return this.#waitingBytes + (this.#offered?.length ?? 0);
  }

  /** How many bytes of answers to this member are not written yet. */
  get answerBytes(): number {
    return this.#answerBytes;
  }

  /** Resolves when all of them are written, and all pages, or never will be. */
  async answered(): Promise<void> {
    if (this.#isAnswered || this.#refusing) return;
    this.#answered ??= Promise.withResolvers();
    await this.#answered.promise;
  }

  /** Forgets what was not yet offered to the sink, says `last`, and takes nothing more. */
  cut(last: ChatEvent): void {
    this.#forget();
    this.tell(last);
    this.#refuse();
  }

  /** Takes nothing more; resolves when all that was taken is written, or can never be. */
  async end(): Promise<void> {
    this.#refuse();
    if (
      this.#offered ||
      (this.#render && this.#stretches.length + this.#waiting.length > 0)
    ) {
      this.#emptied ??= Promise.withResolvers();
      await this.#emptied.promise;
    }
  }

  /** Offers what waits to the sink. Only `Turns` calls this. */
  flush(): void {
    if (!this.#render) return;
    const open = this.#stretches.findIndex(({ batch }) => !batch.isSealed);
    const ready = this.#stretches.splice(
      0,
      open < 0 ? this.#stretches.length : open,
    );
    for (const { batch, from, to } of ready) {
      const bytes = batch.bytes(this.#render, from, to, this);
      if (bytes.length > 0) this.#waiting.push(bytes);
      this.#waitingBytes += bytes.length;
      const messages = batch.messages(from, to, this);
      this.#waitingMessages += messages;
      if (messages > 0) this.#waitingSince ??= batch.saidAt;
    }

    if (this.#offered) {
      // It was offered a turn ago, and the sink has not taken it since.
      if (this.#refusing) return;
      if (this.waitingBytes > this.#options.maxBytes) this.#options.onFull();
    } else if (this.#waiting.length > 0) {
      const [only] = this.#waiting;
      const bytes = this.#waiting.length === 1 ? only! : concat(this.#waiting);
      const [messages, since] = [this.#waitingMessages, this.#waitingSince];
      this.#forgetBytes();
      this.#answerBytesOffered = this.#answerBytes;
      this.#pageBytesOffered = this.#pageBytes;
      this.#offer(bytes, messages, since);
    } else if (this.#stretches.length === 0) {
      this.#emptied?.resolve();
    }
  }

  async #offer(
    bytes: Uint8Array,
    messages: number,
    saidAt: number | undefined,
  ): Promise<void> {
    const { tally } = this.#turns;
    try {
      while (bytes.length > 0) {
        this.#offered = bytes;
        const taken = await this.#sink.write(bytes);
        tally.bytesWritten += taken;
        bytes = bytes.subarray(taken);
        this.#taken++;
      }
      if (messages > 0) tally.deliver(messages, saidAt);
      this.#answerBytes -= this.#answerBytesOffered;
      this.#pageBytes -= this.#pageBytesOffered;
      if (this.#isAnswered) this.#endWaiting();
    } catch {
      // The connection is gone. Whoever reads from it learns the same, and says why.
      this.#forget();
      this.#refuse();
    }
    this.#offered = undefined;
    if (this.#stretches.length + this.#waiting.length > 0) {
      this.#turns.write(this);
    } else this.#emptied?.resolve();
  }

  get #isAnswered(): boolean {
    return this.#answerBytes + this.#pageBytes === 0;
  }

  /** How much it is to write; nothing as long as it is not known how. */
  #bytesOf(batch: Batch): number {
    if (!this.#render) return 0;
    return batch.bytes(this.#render, 0, batch.length, this).length;
  }

  #forget(): void {
    this.#stretches = [];
    this.#forgetBytes();
  }

  #forgetBytes(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#waitingMessages = 0;
    this.#waitingSince = undefined;
  }

  #refuse(): void {
    this.#refusing = true;
    this.#endWaiting();
  }

  #endWaiting(): void {
    this.#answered?.resolve();
    this.#answered = undefined;
  }
}

/** How many outboxes are written in one go before the event loop gets its turn. */
const SLICE = 100;

/**
 * What is done at the end of a turn. If it takes longer than that (a log that is elsewhere), the turn ends when it
 * is done; what is said meanwhile belongs to the next turn.
 */
export type HandOut = () => Promise<void> | void;

/**
 * The rhythm of the server. In a turn, what is said collects; at its end it is stored and handed to the members,
 * and their outboxes are written.
 *
 * They are written in slices because Tokio lets one task complete 128 operations before it has to yield:
 * with 9,000 members and no slices the slowest delivery took 12 s, with slices of 100 it took 0.44 s.
 */
export class Turns {
  /** What its outboxes write, and its sessions read. */
  readonly tally = new Tally();
  #collected = new Set<HandOut>();
  #due = new Set<Outbox>();
  #end: PromiseWithResolvers<void> | undefined;
  #running = false;

  /** Calls `handOut` once at the end of this turn, however often it is asked to. */
  handOut(handOut: HandOut): void {
    this.#collected.add(handOut);
    this.#start();
  }

  /** Flushes `outbox` at the end of this turn. */
  write(outbox: Outbox): void {
    this.#due.add(outbox);
    this.#start();
  }

  /** Resolves when all that was said up to now has been offered to everybody. */
  ended(): Promise<void> {
    this.#end ??= Promise.withResolvers();
    this.#start();
    return this.#end.promise;
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => this.#finish());
  }

  async #finish(): Promise<void> {
    const collected = this.#collected;
    this.#collected = new Set();
    const handing = [...collected].flatMap((handOut) => handOut() ?? []);
    const due = [...this.#due];
    this.#due = new Set();
    const end = this.#end;
    this.#end = undefined;
    if (handing.length > 0) await Promise.all(handing);
    this.#write(due, 0, end);
  }

  #write(
    due: Outbox[],
    from: number,
    end: PromiseWithResolvers<void> | undefined,
  ): void {
    for (const outbox of due.slice(from, from + SLICE)) outbox.flush();
    if (from + SLICE < due.length) {
      setImmediate(() => this.#write(due, from + SLICE, end));
      return;
    }
    end?.resolve();
    this.#running = false;
    if (this.#collected.size + this.#due.size > 0 || this.#end) this.#start();
  }
}
