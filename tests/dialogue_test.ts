/** One connection's lines without a socket, at moments that come by chance otherwise. */

import { Dialogue } from "../lib/server/dialogue.ts";
import { Hub } from "../lib/server/hub.ts";
import { DEFAULT_LIMITS } from "../lib/server/limits.ts";
import { Turns } from "../lib/server/turns.ts";
import { assertEquals } from "./assert.ts";
import { Reader, SlowLog } from "./house.ts";

/** A hub whose log takes as long as a test says, and somebody who has just connected to it. */
async function newcomer() {
  const [turns, log] = [new Turns(), new SlowLog()];
  const greeting = { server: "here", motd: [] };
  const limits = DEFAULT_LIMITS;
  const hub = await Hub.open(turns, log, { limits, greeting });
  const { connection } = new Reader(hub, turns);
  const line = { ...connection, address: "somewhere", part() {} };
  return { log, hub, dialogue: new Dialogue(line, { hub, turns, limits }) };
}

Deno.test("Dialogue heeds nothing more of whoever has left while they were shown what was said before", async () => {
  const { log, hub, dialogue } = await newcomer();
  const shown = log.hold("open");
  const entering = dialogue.heed("/nick bob");
  await shown.reached;
  const renaming = dialogue.heed("/nick ghost");
  dialogue.leave({ why: "gone" });
  shown.release();
  await Promise.all([entering, renaming]);
  assertEquals(hub.count.members, 0);
});

Deno.test("Dialogue greets no program as a person while it comes in, and nobody who has left", async () => {
  const { log, dialogue } = await newcomer();
  const opened = log.hold("open");
  const entering = dialogue.heed(
    '{"type":"hello","v":1,"since":{"dev":1}}',
  );
  await opened.reached;
  await dialogue.greet();
  assertEquals(dialogue.name, undefined);
  opened.release();
  await entering;
  assertEquals(dialogue.name, "guest1");

  const { dialogue: left } = await newcomer();
  left.leave({ why: "gone" });
  await left.greet();
  assertEquals(left.name, undefined);
});
