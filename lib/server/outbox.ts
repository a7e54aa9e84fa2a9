/**
 * What waits to be written: the batch that a room collects in a turn, and the outbox of one member. Owns no socket
 * (an outbox writes to a `Sink`) and knows neither rooms nor dialects (an outbox is given a `Render`), nor when it is
 * written.
 */

import { concat } from "../lines.ts";
import { type ChatEvent, type Render, utf8Length } from "../message.ts";
import type { Turns } from "./turns.ts";

/** Where an outbox writes. As with `Deno.Conn`, fewer bytes may be taken than were given. */
export interface Sink {
  write(bytes: Uint8Array): Promise<number>;
}

/** The events of a batch as one dialect writes them. */
interface Encoded {
  bytes: Uint8Array;
  texts: readonly string[];
  /** Event `i` is `bytes` from `starts[i]` to `starts[i + 1]`; looked up where not all of them are written. */
  starts: number[] | undefined;
}

/** What many members are given unchanged. */
export interface Share {
  bytes: Uint8Array;
  /** How many messages it holds. */
  messages: number;
  /** When the first of them was said, if that is known. */
  saidAt: number | undefined;
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

  /** Where between `from` and `end` there is something else than messages. */
  *announcements(
    from: number,
    end = this.length,
  ): Generator<{ from: number; to: number }> {
    for (let to = from; to < end; from = ++to) {
      while (to < end && this.#events[to]?.type !== "message") to++;
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
  bytes(render: Render, from: number, to: number, reader?: Outbox): Uint8Array {
    const encoded = this.#encode(render);
    const { bytes } = encoded;
    const all = reader && this.#authored.get(reader);
    if (!all && from === 0 && to === this.length) return bytes;
    const starts = encoded.starts ??= startsOf(encoded);
    const runs: Uint8Array[] = [];
    let start = from;
    for (const own of all ?? []) {
      if (own < start) continue;
      if (own >= to) break;
      if (own > start) runs.push(bytes.subarray(starts[start], starts[own]));
      start = own + 1;
    }
    runs.push(bytes.subarray(starts[start], starts[to]));
    return runs.length === 1 ? runs[0]! : concat(runs);
  }

  /** How many messages {@linkcode bytes} would hold; only of a sealed batch. */
  messages(from: number, to: number, reader?: Outbox): number {
    const before = this.#messagesBefore ??= this.#countMessages();
    let count = before[to]! - before[from]!;
    for (const own of (reader && this.#authored.get(reader)) ?? []) {
      if (own >= from && own < to) count -= before[own + 1]! - before[own]!;
    }
    return count;
  }

  /** The events from `from` up to `to`, for `reader`, or whoever is the author of none of them; only if it is sealed. */
  share(render: Render, from: number, to: number, reader?: Outbox): Share {
    const bytes = this.bytes(render, from, to, reader);
    const messages = this.messages(from, to, reader);
    const saidAt = messages > 0 ? this.saidAt : undefined;
    return { bytes, messages, saidAt };
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
      const texts = this.#events.map((event) => event ? render(event) : "");
      const bytes = encoder.encode(texts.join(""));
      encoded = { bytes, texts, starts: undefined };
      this.#encoded.set(render, encoded);
    }
    return encoded;
  }
}

function startsOf({ bytes, texts }: Encoded): number[] {
  let start = 0;
  const starts = [start];
  for (const text of texts) starts.push(start += text.length);
  if (start === bytes.length) return starts;
  // Not all of it is ASCII, where a character is a byte.
  start = 0;
  return [start, ...texts.map((text) => start += utf8Length(text))];
}

/** A stretch of a batch that waits in an outbox. It becomes bytes when it is written, not before. */
interface Stretch {
  batch: Batch;
  from: number;
  to: number;
}

/** What an outbox holds most of the time: an empty list of its own would take 64 bytes in each. */
const NOTHING: never[] = [];

/** Whose outbox it is. */
export interface OutboxOwner {
  /** How many bytes may be left after a write was offered to the sink; asked each time. */
  readonly maxBytes: number;
  /** Called when more than that is left; calls `cut` or `end`, and is not called again. */
  onFull(): void;
}

/** How much of something is not written yet, and how much of that was offered to the sink. */
class Owed {
  bytes = 0;
  #offered = 0;

  offer(): void {
    this.#offered = this.bytes;
  }

  written(): void {
    this.bytes -= this.#offered;
    this.#offered = 0;
  }
}

/**
 * What one member has not been sent yet. Closed at first: it only collects, because it is not known yet in
 * which dialect to write; `open` begins the writing.
 */
export class Outbox {
  readonly #sink: Sink;
  readonly #turns: Turns;
  readonly #owner: OutboxOwner;
  #render: Render | undefined;
  #stretches: Stretch[] = NOTHING;
  /** What is ready to be offered once the sink has taken what it was offered. */
  #waiting: Share[] = NOTHING;
  #waitingBytes = 0;
  #offered: Share | undefined;
  /** How often the sink has taken something. */
  #taken = 0;
  #refusing = false;
  #emptied: PromiseWithResolvers<void> | undefined;
  /** The answers to this member, and the pages that nobody has asked for. */
  #answers: Owed | undefined;
  #pages: Owed | undefined;
  #answered: PromiseWithResolvers<void> | undefined;

  constructor(sink: Sink, turns: Turns, owner: OutboxOwner) {
    this.#sink = sink;
    this.#turns = turns;
    this.#owner = owner;
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

  /** As what it writes, if that can be written at once: it has begun to write, and nothing waits. */
  get idle(): Render | undefined {
    const isBusy = this.#refusing || this.#offered || this.#hasMore;
    return isBusy ? undefined : this.#render;
  }

  /** How often something was taken of what it has offered; `undefined` while nothing is offered. */
  get taken(): number | undefined {
    return this.#offered && this.#taken;
  }

  /** Adds a stretch of a batch, to be written once the batch is sealed. */
  add(batch: Batch, from = 0, to = batch.length): void {
    if (this.#refusing || from >= to) return;
    if (this.#stretches === NOTHING) this.#stretches = [];
    this.#stretches.push({ batch, from, to });
    if (this.#render) this.#turns.write(this);
  }

  /** Adds an event that answers this member; a batch of one, if many will be told the same. */
  tell(event: ChatEvent | Batch): void {
    if (this.#refusing) return;
    const batch = event instanceof Batch ? event : Batch.of(event);
    (this.#answers ??= new Owed()).bytes += this.#bytesOf(batch);
    this.add(batch);
  }

  /** Adds a page of what others have said, which is waited for like an answer. */
  turnPage(page: Batch): void {
    if (this.#refusing) return;
    (this.#pages ??= new Owed()).bytes += this.#bytesOf(page);
    this.add(page);
  }

  /** How many bytes wait to be written, those that the sink was offered included. */
  get waitingBytes(): number {
    return this.#waitingBytes + (this.#offered?.bytes.length ?? 0);
  }

  /** How many bytes of answers to this member are not written yet. */
  get answerBytes(): number {
    return this.#answers?.bytes ?? 0;
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
    if (this.#offered || (this.#render && this.#hasMore)) {
      this.#emptied ??= Promise.withResolvers();
      await this.#emptied.promise;
    }
  }

  /** Offers what waits to the sink. */
  flush(): void {
    if (!this.#render) return;
    this.#prepare(this.#render);
    if (this.#offered) {
      // It was offered some time ago, and the sink has not taken it since.
      if (this.#refusing) return;
      if (this.waitingBytes > this.#owner.maxBytes) this.#owner.onFull();
    } else if (this.#waiting.length > 0) {
      const share = join(this.#waiting);
      this.#forgetWaiting();
      this.#answers?.offer();
      this.#pages?.offer();
      this.offer(share);
    } else if (this.#stretches.length === 0) {
      this.#emptied?.resolve();
    }
  }

  /** Offers to the sink what many are given; only when it is {@linkcode idle}. */
  offer(share: Share): void {
    this.#offered = share;
    // Nobody waits for it; so without an async function, which costs twice as much.
    this.#sink.write(share.bytes).then(
      (taken) => this.#took(share, taken),
      () => this.#lose(),
    );
  }

  /** Makes bytes of the stretches whose batches are sealed, up to the first that is not. */
  #prepare(render: Render): void {
    if (this.#stretches.length === 0) return;
    if (this.#waiting === NOTHING) this.#waiting = [];
    const open = this.#stretches.findIndex(({ batch }) => !batch.isSealed);
    const ready = open < 0 ? this.#stretches : this.#stretches.slice(0, open);
    this.#stretches = open < 0 ? NOTHING : this.#stretches.slice(open);
    for (const { batch, from, to } of ready) {
      const share = batch.share(render, from, to, this);
      if (share.bytes.length === 0) continue;
      this.#waiting.push(share);
      this.#waitingBytes += share.bytes.length;
    }
    if (open >= 0) this.#turns.writeOnceHandedOut(this);
  }

  #took(share: Share, taken: number): void {
    const { tally } = this.#turns;
    const { bytes, messages, saidAt } = share;
    tally.bytesWritten += taken;
    this.#taken++;
    if (taken < bytes.length) {
      return this.offer({ ...share, bytes: bytes.subarray(taken) });
    }
    this.#offered = undefined;
    if (messages > 0) tally.deliver(messages, saidAt);
    this.#answers?.written();
    this.#pages?.written();
    if (this.#isAnswered) this.#endWaiting();
    this.#goOn();
  }

  /** The connection is gone. Whoever reads from it learns the same, and says why. */
  #lose(): void {
    this.#offered = undefined;
    this.#forget();
    this.#refuse();
    this.#goOn();
  }

  #goOn(): void {
    if (this.#hasMore) this.#turns.write(this);
    else this.#emptied?.resolve();
  }

  get #hasMore(): boolean {
    return this.#stretches.length + this.#waiting.length > 0;
  }

  get #isAnswered(): boolean {
    return !this.#answers?.bytes && !this.#pages?.bytes;
  }

  /** How much it is to write; nothing as long as it is not known how. */
  #bytesOf(batch: Batch): number {
    if (!this.#render) return 0;
    return batch.bytes(this.#render, 0, batch.length, this).length;
  }

  #forget(): void {
    this.#stretches = NOTHING;
    this.#forgetWaiting();
  }

  #forgetWaiting(): void {
    this.#waiting = NOTHING;
    this.#waitingBytes = 0;
  }

  #refuse(): void {
    this.#refusing = true;
    this.#endWaiting();
  }

  #endWaiting(): void {
    this.#answered?.resolve();
    this.#answered = undefined;
    this.#answers = undefined;
    this.#pages = undefined;
  }
}

/** All of them as one. */
export function join(shares: readonly Share[]): Share {
  const [first, ...others] = shares;
  if (first && others.length === 0) return first;
  return {
    bytes: concat(shares.map(({ bytes }) => bytes)),
    messages: shares.reduce((sum, { messages }) => sum + messages, 0),
    saidAt: shares.find(({ saidAt }) => saidAt !== undefined)?.saidAt,
  };
}
