/** When members are written to: in rounds, in slices, and between them the sockets are looked at. */

import { setImmediate } from "node:timers";
import type { Limits } from "../lib/server/limits.ts";
import { tell } from "../lib/server/members.ts";
import { Pulse } from "../lib/server/pulse.ts";
import { Turns } from "../lib/server/turns.ts";
import { assert, assertEquals, assertStrictEquals } from "./assert.ts";
import { soon } from "./fixtures.ts";
import { House, type Reader, SlowLog } from "./house.ts";

/** One go of the event loop. */
const go = () => new Promise<void>((resolve) => setImmediate(resolve));

/** So many people in one room, who have heard of each other. */
async function crowd(
  house: House,
  count: number,
  first = 0,
): Promise<Reader[]> {
  const readers: Reader[] = [];
  for (let i = first; i < first + count; i++) {
    readers.push(await house.enter(`m${i}`));
  }
  await house.settle();
  for (const reader of readers) reader.heard();
  return readers;
}

/** A house whose rounds a test can stop after their next slice, and have go on. */
async function pausing(
  { limits, log }: { limits?: Partial<Limits>; log?: SlowLog } = {},
) {
  let slice: PromiseWithResolvers<() => void> | undefined;
  const turns = new Turns((go) => {
    if (slice) slice.resolve(go);
    else setImmediate(go);
    slice = undefined;
  });
  const house = await House.open(log, limits, turns);
  const stopped = () => (slice = Promise.withResolvers()).promise;
  return { house, stopped };
}

/** How many of them have been written something. */
function written(readers: readonly Reader[]): number {
  return readers.filter(({ writes }) => writes.length > 0).length;
}

Deno.test("Who is written to is given all that is new by then, and nobody waits longer than for one round", async () => {
  const { house, stopped } = await pausing();
  const [ann, bob, ...others] = await crowd(house, 302);
  house.say(ann!, "first");
  const goOn = await stopped();
  assert(written(others) <= 100, "not a slice");
  house.say(bob!, "second");
  goOn();
  await house.settle();
  const pieces = others.map(({ writes }) => writes.length);
  // The first slice was written before the second was said, the last ones were not.
  assertEquals([pieces[0], pieces.at(-1)], [2, 1]);
  for (const reader of others) {
    assertEquals(reader.heard(), ["<m0> first", "<m1> second"]);
  }
  assertEquals([ann!.heard(), bob!.heard()], [["<m1> second"], [
    "<m0> first",
  ]]);
});

Deno.test("Those who are given several turns at once are given the same bytes", async () => {
  const { house, stopped } = await pausing();
  const [ann, ...others] = await crowd(house, 302);
  house.say(ann!, "first");
  const goOn = await stopped();
  house.say(ann!, "second");
  goOn();
  await house.settle();
  const [last, before] = [others.at(-1)!, others.at(-2)!];
  assertStrictEquals(last.writes[0], before.writes[0]);
  assertEquals(last.heard(), ["<m0> first", "<m0> second"]);
});

Deno.test("A round misses nobody, whoever comes, leaves or is slow while it goes on", async () => {
  const house = await House.open();
  const [ann, ...others] = await crowd(house, 350);
  const stuck = others[200]!;
  stuck.isStuck = true;
  for (let i = 1; i <= 20; i++) {
    house.say(ann!, `line ${i}`);
    await go();
    // One of those who were written to, and one of those who were not yet.
    for (const leaver of [others.shift()!, others.pop()!]) {
      house.hub.part(leaver.member, leaver.connection, true);
    }
    void house.enter(`new${i}`);
  }
  await house.settle();
  const lines = Array.from({ length: 20 }, (_, i) => `<m0> line ${i + 1}`);
  for (const reader of others) {
    if (reader === stuck) continue;
    const heard = reader.heard().filter((line) => line.startsWith("<"));
    assertEquals(heard, lines);
  }
  assertEquals(stuck.writes.length, 1);
});

Deno.test("A round in which many sit down misses nobody who was there before", async () => {
  // Nobody is told of them, so that no other round makes up for this one.
  const { house, stopped } = await pausing({ limits: { maxAnnounced: 1 } });
  const first = await crowd(house, 100);
  house.say(first[0]!, "hi");
  await house.settle();
  // The next round begins behind them, and ends with them.
  const others = await crowd(house, 202, 100);
  for (const reader of first) reader.heard();
  house.say(others[0]!, "hello");
  const goOn = await stopped();
  for (let i = 0; i < 150; i++) void house.enter(`new${i}`);
  goOn();
  await house.settle();
  assertEquals([written(first), written(others)], [100, 201]);
});

Deno.test("Who catches up in the middle of a round hears everything once", async () => {
  const log = new SlowLog();
  const { house, stopped } = await pausing({ log });
  const [ann] = await crowd(house, 302);
  house.say(ann!, "one");
  await house.settle();
  const read = log.hold("read");
  const bot = await house.program();
  await read.reached;
  house.say(ann!, "two");
  const goOn = await stopped();
  read.release();
  for (let i = 0; i < 10; i++) await go();
  goOn();
  await house.settle();
  house.say(ann!, "three");
  await house.settle();
  assertEquals(bot.messages(), ["1 one", "2 two", "3 three"]);
});

Deno.test("Whoever is answered does not wait for the end of a round", async () => {
  const { house, stopped } = await pausing();
  const [ann, bob] = await crowd(house, 402);
  house.say(ann!, "hi");
  const goOn = await stopped();
  bob!.heard();
  tell(bob!.member, { type: "gap", room: "lobby", from: 1, to: 1 });
  goOn();
  const goOnAgain = await stopped();
  assertEquals(bob!.heard(), ["-- 1 message is no longer kept"]);
  goOnAgain();
  await house.settle();
});

Deno.test("A small room does not wait for the round of a large one", async () => {
  const house = await House.open();
  const [ann] = await crowd(house, 600);
  const [carl, dora] = [await house.enter("carl"), await house.enter("dora")];
  for (const reader of [carl, dora]) {
    await house.ask(reader, { type: "join", room: "dev", ref: "" });
  }
  await house.settle();
  dora.heard();
  house.say(ann!, "to many");
  house.say(carl, "to one");
  let goes = 0;
  while (dora.writes.length === 0) {
    await go();
    goes++;
  }
  assertEquals(dora.heard(), ["<carl> to one"]);
  // The large one takes six slices.
  assert(goes <= 4, `${goes}`);
  await house.settle();
});

Deno.test("Turns.ended() waits until those who are written to last are", async () => {
  const house = await House.open();
  const [ann, ...others] = await crowd(house, 450);
  house.say(ann!, "hi");
  await house.turns.ended();
  assertEquals(written(others), others.length);
});

Deno.test("Turns have the event loop breathe between slices, and only there", async () => {
  let breaths = 0;
  const turns = new Turns((go) => {
    breaths++;
    setImmediate(go);
  });
  const house = await House.open(undefined, {}, turns);
  const [ann] = await crowd(house, 250);
  breaths = 0;
  house.say(ann!, "hi");
  await turns.ended();
  assertEquals(breaths, 2);
  const small = await House.open(undefined, {}, turns);
  const [bob] = await crowd(small, 3);
  breaths = 0;
  small.say(bob!, "hi");
  await turns.ended();
  assertEquals(breaths, 0);
});

Deno.test("Pulse.wait() lets the sockets be looked at", async () => {
  const pulse = await Pulse.open();
  assert(pulse);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using speaker = await Deno.connect({
    hostname: "127.0.0.1",
    port: listener.addr.port,
  });
  using hearer = await listener.accept();
  for (let round = 0; round < 20; round++) {
    let hasHeard = false;
    const hearing = hearer.read(new Uint8Array(1)).then(() => hasHeard = true);
    await new Promise<void>((resolve) => pulse.wait(resolve));
    await speaker.write(Uint8Array.of(1));
    let beats = 0;
    while (!hasHeard) {
      await new Promise<void>((resolve) => pulse.wait(resolve));
      beats++;
    }
    // Without it, it takes up to 61 goes of the event loop.
    assert(beats <= 3, `${beats}`);
    await hearing;
  }
  await pulse.close();
});

Deno.test("Pulse.close() calls whoever waits, and whoever waits afterwards", async () => {
  const pulse = await Pulse.open();
  assert(pulse);
  const waits = () => new Promise<void>((resolve) => pulse.wait(resolve));
  const waiting = waits();
  await pulse.close();
  await soon(waiting, () => "nobody is called");
  await soon(waits(), () => "nobody is called afterwards");
});
