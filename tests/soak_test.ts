/** A short run of what `deno task soak` does; the seed is another one each time, and a failure names it. */

import { assert, assertEquals } from "./assert.ts";
import { anySeed } from "./random.ts";
import { soak } from "./soak.ts";

Deno.test("A crowd of all kinds of clients, a server that is killed and connections that are cut lose, repeat and leave nothing", async () => {
  const seed = anySeed();
  const enough = 400;
  try {
    const { acknowledged, kills, cuts, faults } = await soak({
      seed,
      clients: 24,
      isEnough: ({ isDeadly, acknowledged, kills }) =>
        acknowledged >= enough && (!isDeadly || kills >= 2),
    });
    assertEquals(faults, []);
    assert(acknowledged >= 3 * enough);
    assert(kills >= 2 && cuts > 0);
  } catch (error) {
    throw new Error(`with the seed ${seed}`, { cause: error });
  }
});
