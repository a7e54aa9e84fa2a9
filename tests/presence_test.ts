import { type Passing, Presence } from "../lib/client/presence.ts";
import { assertEquals } from "./assert.ts";

/** What is told of those who do this, such as `+bob` who enters, `-bob` who leaves, and `!bob` who is offline. */
function told(ways: string): string {
  return presenceOf(ways).text;
}

function presenceOf(ways: string): Presence {
  const presence = new Presence();
  for (const way of ways.split(" ")) {
    const type = TYPES[way.slice(0, 1)];
    if (type) presence.add({ type, room: "lobby", name: way.slice(1) });
  }
  return presence;
}

const TYPES: Record<string, Passing["type"]> = {
  "+": "joined",
  "-": "left",
  "!": "offline",
};

Deno.test("Presence.text says who came and went, those together who did the same", () => {
  assertEquals(told("+bob"), "bob entered");
  assertEquals(told("-bob"), "bob left");
  assertEquals(told("!bob"), "bob is offline");
  assertEquals(
    told("!dan +bob -eve +carol !fay -gus"),
    "bob, carol entered; eve, gus left; dan, fay are offline",
  );
  assertEquals(told("+bob +carol !dan"), "bob, carol entered; dan is offline");
});

Deno.test("Presence.text is empty if nobody came or went", () => {
  assertEquals(new Presence().text, "");
});

Deno.test("Presence.text says in one word what somebody did who did several things", () => {
  assertEquals(told("+bob -bob"), "bob came and went");
  assertEquals(told("+bob !bob"), "bob came and went");
  assertEquals(told("+bob !bob +bob"), "bob entered");
  assertEquals(told("-bob +bob"), "bob is back");
  assertEquals(told("!bob +bob !bob"), "bob is offline");
  assertEquals(told("!bob +bob -bob"), "bob left");
  assertEquals(told("-bob !eve +eve +bob"), "bob, eve are back");
  assertEquals(
    told("+a -a +b !b !c +c -d +d -e"),
    "c, d are back; e left; a, b came and went",
  );
});

Deno.test("Presence.text names twenty who did the same, and counts the others", () => {
  const names = Array.from({ length: 22 }, (_, i) => `n${i + 1}`);
  const entering = (count: number) =>
    told(names.slice(0, count).map((name) => `+${name}`).join(" "));
  const twenty = names.slice(0, 20).join(", ");
  assertEquals(entering(20), `${twenty} entered`);
  assertEquals(entering(21), `${twenty} and 1 other entered`);
  assertEquals(entering(22), `${twenty} and 2 others entered`);
});

Deno.test("Presence.rename() tells of somebody under their new name", () => {
  const presence = presenceOf("+guest1 -eve");
  presence.rename("guest1", "bob");
  presence.rename("dan", "gus");
  assertEquals(presence.text, "bob entered; eve left");
  presence.rename("bob", "rob");
  presence.add({ type: "offline", room: "lobby", name: "rob" });
  assertEquals(presence.text, "eve left; rob came and went");
});

Deno.test("Presence.has() knows of whom is told, by their last name", () => {
  const presence = presenceOf("+bob !eve");
  presence.rename("bob", "rob");
  const names = ["bob", "rob", "eve", "dan"];
  assertEquals(names.filter((name) => presence.has(name)), ["rob", "eve"]);
});
