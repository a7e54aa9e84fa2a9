/** How often somebody may be wrong, without a clock. */

import { networkOf } from "../lib/server/admission.ts";
import { Tries, type TriesLimits } from "../lib/server/tries.ts";
import { assertEquals } from "./assert.ts";

const limits: TriesLimits = { maxTries: 3, triesMs: 60_000, maxTriers: 100 };

/** Takes as many tries at once, and gives how many there were. */
function takeAll(tries: Tries, network: string, now: number): number {
  let count = 0;
  while (tries.take(network, now) === 0) count++;
  return count;
}

Deno.test("Tries.take() gives each network three in any minute, and says when there is one more", () => {
  const tries = new Tries(limits);
  const at = [1000, 21_000, 41_000];
  for (const now of at) assertEquals(tries.take("a", now), 0);
  assertEquals(tries.take("a", 41_000), 20_000);
  assertEquals(tries.take("a", 60_999), 1);
  assertEquals(takeAll(tries, "b", 60_999), 3);
  assertEquals(takeAll(tries, "a", 61_000), 1);
  assertEquals(tries.take("a", 61_000), 20_000);
  assertEquals(takeAll(tries, "a", 81_000), 1);
  assertEquals(takeAll(tries, "a", 1_000_000), 3);
});

Deno.test("Tries.take() counts at once, and what is not given does not count", () => {
  const tries = new Tries(limits);
  assertEquals(takeAll(tries, "a", 0), 3);
  for (let now = 1; now < 60_000; now += 100) {
    assertEquals(tries.take("a", now), 60_000 - now);
  }
  assertEquals(takeAll(tries, "a", 60_000), 3);
});

Deno.test("Tries.giveBack() gives back that try and no other, and once", () => {
  const tries = new Tries(limits);
  for (const now of [0, 10, 20]) tries.take("a", now);
  tries.giveBack("a", 10);
  tries.giveBack("a", 10);
  tries.giveBack("b", 0);
  assertEquals(takeAll(tries, "a", 30), 1);
  assertEquals(tries.take("a", 30), 59_970);
  assertEquals(takeAll(tries, "a", 60_000), 1);

  tries.take("c", 60_000);
  tries.giveBack("c", 60_000);
  assertEquals(tries.size, 1);
});

Deno.test("Tries obeys limits that change", () => {
  const changing = { ...limits };
  const tries = new Tries(changing);
  assertEquals(takeAll(tries, "a", 0), 3);
  changing.maxTries = 5;
  assertEquals(takeAll(tries, "a", 10), 2);
  changing.maxTries = 1;
  assertEquals(tries.take("a", 20), 59_990);
  changing.triesMs = 5;
  assertEquals(takeAll(tries, "a", 20), 1);
});

Deno.test("Tries forgets whoever has not tried for a minute, and remembers only so many", () => {
  const tries = new Tries(limits);
  for (let i = 0; i < 50; i++) tries.take(`old ${i}`, 0);
  tries.take("new", 30_000);
  tries.take("old 0", 59_999);
  assertEquals(tries.size, 51);
  tries.take("newest", 60_000);
  assertEquals(tries.size, 3);

  assertEquals(takeAll(tries, "guesser", 60_000), 3);
  for (let i = 0; i < 98; i++) tries.take(`other ${i}`, 60_000);
  tries.take("old 0", 60_000);
  assertEquals(tries.size, 100);
  assertEquals(takeAll(tries, "guesser", 60_000), 0);
  for (let i = 0; i < 10_000; i++) tries.take(`flood ${i}`, 60_000);
  assertEquals(tries.size, 100);
});

Deno.test("Tries takes a /64 of IPv6 for one, and IPv4 written as IPv6 for the same", () => {
  const tries = new Tries(limits);
  const take = (host: string) => tries.take(networkOf(host), 0) === 0;
  const hosts = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::", "2001:db8:0:1::2"];
  assertEquals(hosts.map(take), [true, true, true]);
  assertEquals(take("2001:db8:0:1:1:2:3:4"), false);
  assertEquals(take("2001:db8:0:2::1"), true);
  const same = ["192.0.2.7", "::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"];
  assertEquals(same.map(take), [true, true, true, false]);
});
