import { setImmediate } from "node:timers";
import type { ChatEvent } from "../lib/message.ts";
import { Batch, Outbox, type Sink } from "../lib/server/outbox.ts";
import { Turns } from "../lib/server/turns.ts";
import { assert, assertEquals, assertStrictEquals } from "./assert.ts";

const decoder = new TextDecoder();

/** The simplest dialect, which counts how often it is asked. */
function countingRender() {
  const count = { calls: 0 };
  const render = (event: ChatEvent) => {
    count.calls++;
    return `${event.type === "message" ? event.text : event.type}\n`;
  };
  return { render, count };
}

const said = (text: string): ChatEvent => ({
  type: "message",
  room: "lobby",
  seq: 1,
  time: 0,
  from: "x",
  text,
  action: false,
});

/** A sink that takes everything at once, and remembers it. */
class OpenSink implements Sink {
  readonly writes: Uint8Array[] = [];
  write(bytes: Uint8Array): Promise<number> {
    this.writes.push(bytes);
    return Promise.resolve(bytes.length);
  }
  get text(): string {
    return this.writes.map((bytes) => decoder.decode(bytes)).join("");
  }
}

/** A sink that takes nothing until it is told how much. */
class StuckSink implements Sink {
  offered: Uint8Array | undefined;
  taken = "";
  #answer = Promise.withResolvers<number>();
  write(bytes: Uint8Array): Promise<number> {
    this.offered = bytes;
    return this.#answer.promise;
  }
  async take(count: number): Promise<void> {
    this.taken += decoder.decode(this.offered!.subarray(0, count));
    const answer = this.#answer;
    this.#answer = Promise.withResolvers();
    answer.resolve(count);
    await answer.promise;
  }
  fail(error: Error): void {
    this.#answer.reject(error);
  }
}

function outboxOn(sink: Sink, turns: Turns, maxBytes = 1000) {
  const full = { times: 0 };
  const outbox = new Outbox(sink, turns, {
    maxBytes,
    onFull: () => {
      full.times++;
      outbox.cut({ type: "bye", reason: "" });
    },
  });
  return { outbox, full };
}

Deno.test("Batch encodes once per dialect, and gives everybody who said nothing the same bytes", () => {
  const turns = new Turns();
  const batch = new Batch();
  const [author, reader, other] = [0, 1, 2].map(() =>
    outboxOn(new OpenSink(), turns).outbox
  );
  for (const text of ["a", "b", "c"]) {
    batch.add(said(text), text === "b" ? author : undefined);
  }
  const { render, count } = countingRender();

  const bytes = batch.bytes(render, 0, 3, reader!);
  assertEquals(decoder.decode(bytes), "a\nb\nc\n");
  assertStrictEquals(batch.bytes(render, 0, 3, other!), bytes);
  assertEquals(decoder.decode(batch.bytes(render, 0, 3, author!)), "a\nc\n");
  assertEquals(decoder.decode(batch.bytes(render, 1, 3, other!)), "b\nc\n");
  assertEquals(count.calls, 3);
});

Deno.test("Batch leaves out what its reader said, in any stretch of any batch", () => {
  const turns = new Turns();
  const authors = [0, 1, 2].map(() => outboxOn(new OpenSink(), turns).outbox);
  const { render } = countingRender();
  const pattern = [0, 0, 1, 2, 1, 0, 2, 2, 1, 0];
  for (let length = 0; length <= pattern.length; length++) {
    const batch = new Batch();
    pattern.slice(0, length).forEach((author, i) =>
      batch.add(said(String(i)), authors[author])
    );
    for (let from = 0; from <= length; from++) {
      for (let to = from; to <= length; to++) {
        authors.forEach((reader, who) => {
          const expected = pattern.map((author, i) =>
            author === who ? "" : `${i}\n`
          ).slice(from, to).join("");
          assertEquals(
            decoder.decode(batch.bytes(render, from, to, reader)),
            expected,
          );
        });
      }
    }
  }
});

Deno.test("Batch leaves out what its reader said also where characters take more than a byte", () => {
  const batch = new Batch();
  const [own, other] = [1, 2].map(() =>
    outboxOn(new OpenSink(), new Turns()).outbox
  );
  const { render } = countingRender();
  batch.add(said("\u00e4\u{1f600}"), own);
  batch.add(said("\u5b57"), other);
  batch.add(said("c"), own);
  assertEquals(decoder.decode(batch.bytes(render, 0, 3, own!)), "\u5b57\n");
  assertEquals(
    decoder.decode(batch.bytes(render, 0, 3, other!)),
    "\u00e4\u{1f600}\nc\n",
  );
});

Deno.test("Batch leaves out what was dropped, and the other events keep their places", () => {
  const batch = new Batch();
  const [own, other] = [1, 2].map(() =>
    outboxOn(new OpenSink(), new Turns()).outbox
  );
  const { render } = countingRender();
  for (const text of ["a", "b", "c"]) batch.add(said(text), own);
  batch.add(said("d"));
  batch.drop(1);
  batch.seal();
  const bytes = (from: number, reader: Outbox) =>
    decoder.decode(batch.bytes(render, from, batch.length, reader));
  assertEquals(bytes(0, other!), "a\nc\nd\n");
  assertEquals(bytes(1, other!), "c\nd\n");
  assertEquals(bytes(0, own!), "d\n");
});

Deno.test("Batch knows where it has something else than messages", () => {
  const batch = new Batch();
  const left: ChatEvent = { type: "left", room: "lobby", name: "ann" };
  for (
    const event of [left, said("a"), left, left, said("b"), said("c"), left]
  ) {
    batch.add(event);
  }
  const from = (from: number) =>
    [...batch.announcements(from)].map(({ from, to }) => [from, to]);
  assertEquals(from(0), [[0, 1], [2, 4], [6, 7]]);
  assertEquals(from(3), [[3, 4], [6, 7]]);
  assertEquals(from(7), []);
});

Deno.test("Outbox writes nothing of a batch before it is sealed, nor what came after it", async () => {
  const turns = new Turns();
  const sink = new OpenSink();
  const { outbox } = outboxOn(sink, turns);
  outbox.open(countingRender().render);
  const batch = new Batch();
  batch.add(said("b"));
  outbox.tell(said("a"));
  outbox.add(batch);
  outbox.tell(said("c"));
  const ended = outbox.end();
  await turns.ended();
  assertEquals(sink.text, "a\n");
  batch.seal();
  turns.write(outbox);
  await ended;
  assertEquals(sink.text, "a\nb\nc\n");
});

Deno.test("Outbox writes all that came in one turn with one write, in order", async () => {
  const turns = new Turns();
  const sink = new OpenSink();
  const { outbox } = outboxOn(sink, turns);
  outbox.open(countingRender().render);
  outbox.tell(said("a"));
  outbox.tell(said("b"));
  assertEquals(sink.writes.length, 0);
  await turns.ended();
  assertEquals(sink.text, "a\nb\n");
  assertEquals(sink.writes.length, 1);
});

Deno.test("Outbox only collects until it is opened", async () => {
  const turns = new Turns();
  const sink = new OpenSink();
  const { outbox } = outboxOn(sink, turns);
  outbox.tell(said("a"));
  await turns.ended();
  assertEquals(sink.text, "");
  outbox.open(countingRender().render);
  outbox.tell(said("b"));
  await turns.ended();
  assertEquals(sink.text, "a\nb\n");
});

Deno.test("Outbox goes on where a write stopped, and nobody else waits for it", async () => {
  const turns = new Turns();
  const stuck = new StuckSink();
  const open = new OpenSink();
  const { outbox: slow } = outboxOn(stuck, turns);
  const { outbox: quick } = outboxOn(open, turns);
  const { render } = countingRender();
  for (const outbox of [slow, quick]) outbox.open(render);
  for (const text of ["abc", "def"]) {
    for (const outbox of [slow, quick]) outbox.tell(said(text));
    await turns.ended();
  }
  assertEquals(open.text, "abc\ndef\n");
  assertEquals(decoder.decode(stuck.offered), "abc\n");
  await stuck.take(2);
  assertEquals(decoder.decode(stuck.offered), "c\n");
  await stuck.take(2);
  await turns.ended();
  assertEquals(decoder.decode(stuck.offered), "def\n");
  await stuck.take(4);
  assertEquals(stuck.taken, "abc\ndef\n");
});

Deno.test("Outbox is full when more than the limit is left of what was offered, and not before", async () => {
  const turns = new Turns();
  const stuck = new StuckSink();
  const { outbox, full } = outboxOn(stuck, turns, 10);
  outbox.open(countingRender().render);
  // Much more than the limit, but not offered before.
  outbox.tell(said("x".repeat(99)));
  await turns.ended();
  await stuck.take(95);
  // 5 bytes left, and 5 more: just the limit.
  outbox.tell(said("abcd"));
  await turns.ended();
  assertEquals(full.times, 0);
  outbox.tell(said(""));
  await turns.ended();
  assertEquals(full.times, 1);
  // Nor is it full again while nothing is taken.
  for (let i = 0; i < 3; i++) {
    outbox.tell(said("x".repeat(50)));
    await turns.ended();
  }
  // What was offered stays whole, then comes the last word instead of what was left.
  await stuck.take(5);
  await turns.ended();
  await stuck.take(4);
  assertEquals(stuck.taken, `${"x".repeat(99)}\nbye\n`);
  outbox.tell(said("more"));
  await turns.ended();
  assertEquals(full.times, 1);
  assertEquals(stuck.taken, `${"x".repeat(99)}\nbye\n`);
});

Deno.test("Outbox counts how often something is taken, while something is offered", async () => {
  const turns = new Turns();
  const stuck = new StuckSink();
  const { outbox } = outboxOn(stuck, turns);
  outbox.open(countingRender().render);
  assertEquals(outbox.taken, undefined);
  outbox.tell(said("abc"));
  await turns.ended();
  assertEquals(outbox.taken, 0);
  await stuck.take(1);
  assertEquals(outbox.taken, 1);
  await stuck.take(2);
  assertEquals(outbox.taken, 2);
  await stuck.take(1);
  await turns.ended();
  assertEquals(outbox.taken, undefined);
});

Deno.test("Outbox is idle only when it may write, and nothing waits that came before", async () => {
  const turns = new Turns();
  const sink = new StuckSink();
  const { outbox } = outboxOn(sink, turns);
  const { render } = countingRender();
  assertEquals(outbox.idle, undefined);
  outbox.open(render);
  assertStrictEquals(outbox.idle, render);
  outbox.tell(said("a"));
  assertEquals(outbox.idle, undefined, "something waits");
  await turns.ended();
  assertEquals(outbox.idle, undefined, "something was offered");
  outbox.tell(said("b"));
  await turns.ended();
  await sink.take(2);
  // What has come since is ready, and not offered before the next turn.
  assertEquals(outbox.idle, undefined, "something waits that was made ready");
  await turns.ended();
  await sink.take(2);
  assertStrictEquals(outbox.idle, render);
  outbox.cut({ type: "bye", reason: "" });
  assertEquals(outbox.idle, undefined, "it takes nothing more");
  assertEquals(sink.taken, "a\nb\n");
});

Deno.test("Outbox.end() resolves when all is written, and takes nothing more", async () => {
  const turns = new Turns();
  const stuck = new StuckSink();
  const { outbox } = outboxOn(stuck, turns);
  outbox.open(countingRender().render);
  outbox.tell(said("a"));
  const events: string[] = [];
  const ended = outbox.end().then(() => events.push("ended"));
  outbox.tell(said("b"));
  await turns.ended();
  assertEquals(events, []);
  await stuck.take(2);
  await ended;
  assertEquals(stuck.taken, "a\n");
});

Deno.test("Outbox.end() resolves when the sink fails, and at once when there is nothing to write", async () => {
  const turns = new Turns();
  const stuck = new StuckSink();
  const { outbox } = outboxOn(stuck, turns);
  outbox.open(countingRender().render);
  outbox.tell(said("a"));
  await turns.ended();
  outbox.tell(said("b"));
  stuck.fail(new Error("reset"));
  await outbox.end();

  await outboxOn(new OpenSink(), turns).outbox.end();
  const { outbox: silent } = outboxOn(new OpenSink(), turns);
  silent.tell(said("never opened, so nobody knows how to say it"));
  await silent.end();
});

Deno.test("Outbox.end() waits for a write that is under way", async () => {
  const turns = new Turns();
  const stuck = new StuckSink();
  const { outbox } = outboxOn(stuck, turns);
  outbox.open(countingRender().render);
  outbox.tell(said("a"));
  await turns.ended();
  let ended = false;
  const end = outbox.end().then(() => ended = true);
  await turns.ended();
  assertEquals(ended, false);
  await stuck.take(2);
  await end;
});

Deno.test("Outbox.answered() waits for the answers, and not for what everybody is told", async () => {
  const turns = new Turns();
  const stuck = new StuckSink();
  const { outbox } = outboxOn(stuck, turns);
  outbox.open(countingRender().render);
  const batch = new Batch();
  batch.add(said("to all"));
  batch.seal();
  outbox.add(batch);
  await outbox.answered();
  outbox.tell(said("a"));
  assertEquals(outbox.answerBytes, 2);
  await turns.ended();
  let answered = false;
  const waiting = outbox.answered().then(() => answered = true);
  // What comes while the answer is being written is no part of it.
  outbox.tell(said("b"));
  await stuck.take(9);
  await turns.ended();
  assertEquals([answered, outbox.answerBytes], [false, 2]);
  await stuck.take(2);
  await waiting;
  assertEquals(outbox.answerBytes, 0);
  assertEquals(stuck.taken, "to all\na\nb\n");
});

Deno.test("Outbox.answered() waits for pages, which are no answers", async () => {
  const turns = new Turns();
  const stuck = new StuckSink();
  const { outbox } = outboxOn(stuck, turns);
  outbox.open(countingRender().render);
  outbox.turnPage(Batch.of(said("page")));
  outbox.tell(said("a"));
  assertEquals(outbox.answerBytes, 2);
  await turns.ended();
  let answered = false;
  const waiting = outbox.answered().then(() => answered = true);
  outbox.turnPage(Batch.of(said("next")));
  await stuck.take(7);
  await turns.ended();
  assertEquals([answered, outbox.answerBytes], [false, 0]);
  await stuck.take(5);
  await waiting;
  assertEquals(stuck.taken, "page\na\nnext\n");
});

Deno.test("Outbox.answered() resolves when the sink fails or nothing more is taken", async () => {
  for (const how of ["fail", "end", "cut"] as const) {
    const turns = new Turns();
    const stuck = new StuckSink();
    const { outbox } = outboxOn(stuck, turns);
    outbox.open(countingRender().render);
    outbox.tell(said("a"));
    await turns.ended();
    const waiting = outbox.answered();
    if (how === "fail") stuck.fail(new Error("reset"));
    else if (how === "end") void outbox.end();
    else outbox.cut({ type: "bye", reason: "" });
    await waiting;
  }
});

Deno.test("Turns write to at most 100 outboxes before the event loop gets its turn", async () => {
  const turns = new Turns();
  const { render } = countingRender();
  const perTurn: number[] = [];
  let written = 0;
  const sink: Sink = {
    write: (bytes) => (written++, Promise.resolve(bytes.length)),
  };
  for (let i = 0; i < 250; i++) {
    const { outbox } = outboxOn(sink, turns);
    outbox.open(render);
    outbox.tell(said("a"));
  }
  let ended = false;
  const end = turns.ended().then(() => ended = true);
  while (!ended) {
    const before = written;
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (written > before) perTurn.push(written - before);
  }
  await end;
  assertEquals(perTurn.reduce((sum, count) => sum + count, 0), 250);
  assert(perTurn.every((count) => count <= 100), String(perTurn));
});

Deno.test("Turns hand out once, however often they are asked to in a turn", async () => {
  const turns = new Turns();
  let handedOut = 0;
  const handOut = () => void handedOut++;
  for (let i = 0; i < 5; i++) turns.handOut(handOut);
  await turns.ended();
  assertEquals(handedOut, 1);
  turns.handOut(handOut);
  await turns.ended();
  assertEquals(handedOut, 2);
});

Deno.test("Turns.ended() waits for what was said while an earlier turn was still being written", async () => {
  const turns = new Turns();
  const { render } = countingRender();
  const sink = new OpenSink();
  const { outbox: late } = outboxOn(sink, turns);
  late.open(render);
  await turns.ended();
  for (let i = 0; i < 150; i++) {
    const { outbox } = outboxOn(new OpenSink(), turns);
    outbox.open(render);
    outbox.tell(said("a"));
  }
  // After the first slice of the turn, before the second.
  await new Promise<void>((resolve) => setImmediate(resolve));
  late.tell(said("late"));
  await turns.ended();
  assertEquals(sink.text, "late\n");
});

Deno.test("Turns end when what is handed out is ready, and what is said meanwhile belongs to the next one", async () => {
  const turns = new Turns();
  const sink = new OpenSink();
  const { outbox } = outboxOn(sink, turns);
  outbox.open(countingRender().render);
  await turns.ended();
  const stored = Promise.withResolvers<void>();
  const batch = new Batch();
  batch.add(said("a"));
  const begun = Promise.withResolvers<void>();
  turns.handOut(() => {
    outbox.add(batch);
    begun.resolve();
    return stored.promise;
  });
  let ended = false;
  const end = turns.ended().then(() => ended = true);
  await begun.promise;
  outbox.tell(said("b"));
  const next = turns.ended();
  for (let i = 0; i < 10; i++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  assertEquals([sink.text, ended], ["", false]);
  batch.seal();
  stored.resolve();
  await end;
  await next;
  assertEquals(sink.text, "a\nb\n");
});

Deno.test("Outbox says how many bytes wait, those included that the sink was offered and has not taken", async () => {
  const turns = new Turns();
  const { render } = countingRender();
  const sink = new StuckSink();
  const { outbox } = outboxOn(sink, turns);
  outbox.open(render);
  outbox.tell(said("1234"));
  await turns.ended();
  outbox.tell(said("67"));
  await turns.ended();
  assertEquals(outbox.waitingBytes, 8);
  await sink.take(2);
  assertEquals(outbox.waitingBytes, 6);
  await sink.take(3);
  await turns.ended();
  assertEquals(outbox.waitingBytes, 3);
  assertEquals(turns.tally.bytesWritten, 5);
});

Deno.test("Outbox tells with each write how late the first message in it is that was said live", async () => {
  const turns = new Turns();
  const lags: number[] = [];
  // All that is said is hours old, so that it does not matter how long the test takes.
  const hours = (ms: number) => Math.floor(ms / 3_600_000);
  turns.tally.onLag = (ms) => lags.push(hours(ms));
  const { outbox } = outboxOn(new OpenSink(), turns);
  outbox.open(countingRender().render);
  const batch = (hoursAgo: number | undefined, ...events: ChatEvent[]) => {
    const batch = Batch.of(...events);
    if (hoursAgo !== undefined) {
      batch.saidAt = performance.now() - hoursAgo * 3_600_000;
    }
    return batch;
  };
  const bye: ChatEvent = { type: "bye", reason: "" };
  outbox.add(batch(undefined, said("from the log")));
  outbox.add(batch(5, said("one"), bye, said("two")));
  outbox.add(batch(4, said("three")));
  await turns.ended();
  outbox.add(batch(3, bye, said("four")), 0, 1);
  outbox.add(batch(2, said("five")));
  await turns.ended();
  outbox.add(batch(undefined, said("from the log")));
  await turns.ended();
  assertEquals(lags, [5, 2]);
  assertEquals(turns.tally.deliveries, 6);
});
