/** The benchmark: what the load generator counts, what becomes of whoever fails, and the tables. No claim about time. */

import { fileURLToPath } from "node:url";
import config from "../deno.json" with { type: "json" };
import { compile, noCompiler } from "../scripts/bench/cc.ts";
import { contender } from "../scripts/bench/contender.ts";
import {
  compete,
  type Contest,
  features,
  resultOf,
  withRatios,
} from "../scripts/bench/contest.ts";
import {
  type Contestant,
  CONTESTANTS,
  EVERYTHING,
  type Launcher,
  PLAIN,
  REFERENCE,
} from "../scripts/bench/contestants.ts";
import type { Row } from "../scripts/bench/results.ts";
import {
  Failed,
  type Load,
  median,
  type Report,
} from "../scripts/bench/rows.ts";
import { tables } from "../scripts/bench/table.ts";
import { assert, assertEquals, assertRejects } from "./assert.ts";
import { Program, testUnless, Visitor, without } from "./fixtures.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const noLoad = await noCompiler();

/** A folder with the compiled load generator, and whoever is measured. */
class Workshop implements AsyncDisposable {
  readonly folder: string;
  readonly #generator: string;

  private constructor(folder: string, generator: string) {
    this.folder = folder;
    this.#generator = generator;
  }

  static async open(): Promise<Workshop> {
    const folder = await Deno.makeTempDir();
    return new Workshop(folder, await compile("load.c", folder));
  }

  /** What comes of a load on a contestant. */
  async carry(contestant: Contestant, load: Load): Promise<Report> {
    const launcher = await contestant.prepare(this.folder);
    const { signal } = new AbortController();
    return await contender(contestant, launcher, this.#generator, signal)
      .carry(load);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** A server that is told how to lie, if it is to. */
function liar(...lie: string[]): Contestant {
  const file = fileURLToPath(new URL("liar.ts", import.meta.url));
  const launch = {
    command: Deno.execPath(),
    args: ["run", "--quiet", "--no-prompt", "--allow-net", file, ...lie],
    announces: /Listening on 127\.0\.0\.1:(\d+)/,
  };
  const launcher: Launcher = () => Promise.resolve(launch);
  return { ...PLAIN, name: "liar", prepare: () => Promise.resolve(launcher) };
}

for (const contestant of [REFERENCE, PLAIN]) {
  testUnless(
    noLoad,
    `load.c counts everything that ${contestant.name} delivers, as fast as it goes and at a rate`,
    async () => {
      await using workshop = await Workshop.open();
      const fast = await workshop.carry(contestant, {
        members: 5,
        senders: 2,
        messages: 300,
      });
      assertEquals(fast.sent, 600);
      assertEquals([fast.expected, fast.deliveries], [2400, 2400]);
      const paced = await workshop.carry(contestant, {
        members: 5,
        rate: 50,
        seconds: 1,
      });
      assertEquals(paced.sent, 50);
      assertEquals([paced.expected, paced.deliveries], [200, 200]);
      assert(paced.p50 > 0 && paced.p50 <= paced.p99 && paced.p99 <= paced.max);
      assert(paced.processorSeconds > 0 && paced.memory > 0);
    },
  );
}

testUnless(
  noLoad,
  "Half of the members of everything-on speak JSON, who hear themselves",
  async () => {
    await using workshop = await Workshop.open();
    const { expected, deliveries } = await workshop.carry(EVERYTHING, {
      members: 6,
      messages: 10,
    });
    assertEquals([expected, deliveries], [10 * (3 * 6 + 3 * 5), 330]);
  },
);

testUnless(
  noLoad,
  "Members of other rooms hear nothing; where there is one room, it is noticed that they do",
  async () => {
    await using workshop = await Workshop.open();
    const load = { members: 3, messages: 20, idle: 4, rooms: 2 };
    const { expected, deliveries } = await workshop.carry(PLAIN, load);
    assertEquals([expected, deliveries], [120, 120]);
    await assertRejects(
      () => workshop.carry(REFERENCE, load),
      Failed,
      "more than there should be",
    );
  },
);

testUnless(
  noLoad,
  "The deaf are dropped when there is much to hear, and it is counted; of little, nobody is",
  async () => {
    await using workshop = await Workshop.open();
    const load = { members: 3, senders: 1, messages: 1, bytes: 1000, deaf: 2 };
    const much = await workshop.carry(PLAIN, { ...load, before: 8000 });
    assertEquals([much.expected, much.deliveries], [2, 2]);
    assertEquals(much.dropped, 2);
    const little = await workshop.carry(PLAIN, { ...load, before: 80 });
    assertEquals(little.dropped, 0);
  },
);

testUnless(
  noLoad,
  "A server that loses messages, says them twice or closes connections has failed; an honest one has not",
  async () => {
    await using workshop = await Workshop.open();
    const load = { members: 4, senders: 2, messages: 20, patience: 1 };
    const { deliveries } = await workshop.carry(liar(), load);
    assertEquals(deliveries, 120);
    for (
      const [lie, words] of [
        ["loses", "of 120"],
        ["repeats", "more than there should be"],
        ["closes", "closes connections"],
      ] as const
    ) {
      await assertRejects(
        () => workshop.carry(liar(lie), load),
        Failed,
        words,
      );
    }
  },
);

testUnless(
  noLoad,
  "A server that does not start has failed, with what it said last",
  async () => {
    await using workshop = await Workshop.open();
    const broken: Contestant = {
      ...PLAIN,
      prepare: () =>
        Promise.resolve(() =>
          Promise.resolve({
            command: Deno.execPath(),
            args: ["eval", "console.error('no luck'); Deno.exit(1)"],
            announces: /:(\d+)$/,
          })
        ),
    };
    await assertRejects(
      () => workshop.carry(broken, { members: 2, messages: 1 }),
      Failed,
      "does not start: no luck",
    );
  },
);

testUnless(
  noLoad,
  "The C reference gives everybody everything but their own lines, in order",
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      await using server = new Program(await compile("epoll.c", folder), []);
      const port = Number((await server.out.next())?.split(":")[1]);
      using alice = await Visitor.connect(port);
      using bob = await Visitor.connect(port);
      using carol = await Visitor.connect(port);
      const numbers = Array.from({ length: 500 }, (_, i) => i);
      const say = async (visitor: Visitor, who: string) => {
        for (const i of numbers) await visitor.send(`${who}${i}\n`);
      };
      // Whoever is accepted has heard it.
      const here = async (listener: Visitor, other: Visitor) => {
        await other.send("here\n");
        await listener.until(/here$/);
      };
      await here(alice, bob);
      await here(alice, carol);
      await here(bob, carol);
      await here(carol, alice);
      await here(bob, alice);
      await Promise.all([say(alice, "a"), say(bob, "b")]);
      const heard = async (listener: Visitor, count: number) => {
        const words: string[] = [];
        while (words.length < count) {
          const [, word = ""] = (await listener.line())!.split(" ");
          if (word !== "here") words.push(word);
        }
        return words;
      };
      const by = (words: string[], who: string) =>
        words.filter((word) => word.startsWith(who));
      const [a, b] = ["a", "b"].map((who) => numbers.map((i) => `${who}${i}`));
      assertEquals(await heard(alice, 500), b);
      assertEquals(await heard(bob, 500), a);
      const both = await heard(carol, 1000);
      assertEquals([by(both, "a"), by(both, "b")], [a, b]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

Deno.test("The median is the value in the middle, and ratios are to the C reference", () => {
  assertEquals(median([30, 1, 2]), 2);
  assertEquals(median([4, 1, 2, 30]), 3);
  const results = withRatios([
    resultOf(REFERENCE, [4, 2, 8], undefined),
    resultOf(PLAIN, [6, 5, 7], undefined),
    resultOf({ name: "nobody" }, [3], "loses 3 of 100"),
  ]);
  assertEquals(results, [
    { contestant: "C reference", rounds: [4, 2, 8], median: 4, ratio: 1 },
    { contestant: "chat-server", rounds: [6, 5, 7], median: 6, ratio: 1.5 },
    { contestant: "nobody", rounds: [3], skipped: "loses 3 of 100" },
  ]);
});

/** A report of somebody whose server takes `us` for a delivery. */
const report = (us: number): Report => ({
  sent: 1,
  expected: 1,
  deliveries: 1,
  closed: 0,
  seconds: 1,
  p50: 1,
  p99: 1,
  max: 1,
  processorSeconds: us / 1e6,
  memory: 1,
  dropped: 0,
});

/** What is measured where nobody is started; `carry` is told who it is and how often. */
function contestOf(
  only: string[],
  carry: (contestant: Contestant, time: number) => number,
): { contest: Contest; log: string[] } {
  const log: string[] = [];
  const times = new Map<Contestant, number>();
  const contest: Contest = {
    rounds: 3,
    isQuick: false,
    only,
    folder: "",
    log: (line) => void log.push(line),
    contend: (contestant) => ({
      contestant,
      start: () => Promise.reject(new Error("nobody starts")),
      carry: async () => {
        const time = (times.get(contestant) ?? 0) + 1;
        times.set(contestant, time);
        return await Promise.resolve(report(carry(contestant, time)));
      },
    }),
  };
  return { contest, log };
}

Deno.test("Contestants take turns, and who fails once ends nothing but their own part", async () => {
  const { contest, log } = contestOf(
    ["calm/chat-server", "calm/data", "calm/deno"],
    ({ id }, time) => {
      if (id === "data" && time === 2) throw new Failed("loses 3 of 100");
      return id === "deno" ? 10 * time : time;
    },
  );
  const rows = await compete(contest);
  assertEquals(rows.map(({ id }) => id), ["calm"]);
  assertEquals(
    rows[0]!.results.map(({ median, skipped }) => median ?? skipped),
    [
      2,
      "loses 3 of 100",
      20,
    ],
  );
  assertEquals(log, [
    "round 1, calm: chat-server: 1.00 us",
    "round 1, calm: chat-server --data: 1.00 us",
    "round 1, calm: Deno, the obvious program: 10.00 us",
    "round 2, calm: chat-server: 2.00 us",
    "round 2, calm: chat-server --data: loses 3 of 100",
    "round 2, calm: Deno, the obvious program: 20.00 us",
    "round 3, calm: chat-server: 3.00 us",
    "round 3, calm: Deno, the obvious program: 30.00 us",
  ]);
});

Deno.test("Whoever cannot have so many members is skipped with the reason, and nobody is measured without a load", async () => {
  const { contest } = contestOf(["stadium/python", "idle/ncat"], () => 1);
  const rows = await compete(contest);
  const skipped = rows.map(({ id, results }) => [
    id,
    ...results.map(({ contestant, skipped }) => `${contestant}: ${skipped}`),
  ]);
  const why = "select() knows 1,024 descriptors";
  const both = [`Python, select(): ${why}`, `ncat --chat: ${why}`];
  assertEquals(skipped, [["stadium", ...both], ["idle", ...both]]);
  const nothing = contestOf(["calm/chat-server"], () => 1).contest;
  const [row] = await compete({ ...nothing, noLoad: "there is no cc here" });
  assertEquals(row!.results[0]!.skipped, "there is no cc here");
});

testUnless(
  noLoad,
  "chat-server is told whether it meets the goal, and nobody else is",
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      const { contest } = contestOf(
        ["calm/c", "calm/chat-server", "calm/data", "calm/deno"],
        ({ id }) => ({ c: 10, "chat-server": 14, data: 14.1 })[id] ?? 1,
      );
      const [row] = await compete({ ...contest, folder });
      assertEquals(row!.results.map(({ goal }) => goal), [
        undefined,
        "met",
        "missed",
        undefined,
      ]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

/** A row in which chat-server is at `plain`, and with all that it has at `everything`. */
const rowOf = (id: string, plain: number, everything: number): Row => ({
  id,
  title: "Something",
  unit: "ms",
  better: "less",
  results: [
    resultOf(PLAIN, [plain], undefined),
    resultOf(EVERYTHING, [everything], undefined),
  ],
  notes: [],
});

Deno.test("All features may cost 15 % in the paced rows, and 40 % in the first", () => {
  const rows = [
    rowOf("burst", 10, 6),
    rowOf("crowd", 100, 115),
    rowOf("stadium", 100, 116),
    rowOf("idle", 1, 2),
  ];
  assertEquals(
    features(rows).map(({ row, ratio, goal }) => [row, ratio, goal]),
    [["burst", 0.6, "met"], ["crowd", 1.15, "met"], [
      "stadium",
      1.16,
      "missed",
    ]],
  );
  assertEquals(features([rowOf("burst", 10, 5.9)])[0]!.goal, "missed");
});

Deno.test("The tables have medians, ratios, rounds, goals, and why somebody is missing", () => {
  const row: Row = {
    id: "burst",
    title: "As fast as they can",
    unit: "million deliveries/s",
    better: "more",
    goal: "at least 1.5x the C reference",
    results: [
      ...withRatios([
        resultOf(REFERENCE, [30.44, 29, 31], undefined),
        resultOf(PLAIN, [9.8, 9.876, 10], undefined),
      ]).map((result, i) => i === 1 ? { ...result, goal: "missed" } : result),
      resultOf({ name: "ncat --chat" }, [], "there is no ncat here"),
    ] as Row["results"],
    notes: ["Node had less to do."],
  };
  const text = tables({
    date: "2026-11-23",
    machine: "a machine",
    rounds: 3,
    rows: [row],
    features: [{
      row: "burst",
      ratio: 0.5,
      limit: "at least 0.6x",
      goal: "missed",
    }],
    growth: [
      { members: 10, idleRooms: 0, idleMembers: 0, usPerDelivery: 2.345 },
      { members: 100, idleRooms: 1000, idleMembers: 8900, usPerDelivery: 1 },
    ],
  });
  assertEquals(text.split("\n"), [
    "As fast as they can (more is better; goal: at least 1.5x the C reference)",
    "             million deliveries/s   ratio  goal    rounds",
    "C reference                  30.4   1.00x          30.4 29.0 31.0",
    "chat-server                  9.88  0.324x  missed  9.80 9.88 10.0",
    "ncat --chat                     -                  there is no ncat here",
    "Node had less to do.",
    "",
    "chat-server with --data, metrics and two dialects, over the same without",
    "burst  0.500x  goal: at least 0.6x  missed",
    "",
    "chat-server's processor time per delivery as there are more members, and more rooms where nobody talks",
    "members  idle rooms  people in them  us per delivery",
    "     10           0               0             2.35",
    "    100       1,000           8,900             1.00",
  ]);
});

Deno.test("Everybody who takes part says what they are, and has an id and a name of their own", () => {
  for (const field of ["id", "name"] as const) {
    const all = CONTESTANTS.map((contestant) => contestant[field]);
    assertEquals(new Set(all).size, all.length);
  }
  for (const { about } of CONTESTANTS) assert(about.length > 0);
});

/** `deno task bench` with more flags. */
function bench(flags: string[], env: Record<string, string> = {}): Program {
  const [, ...words] = config.tasks.bench.command.split(" ");
  return new Program(Deno.execPath(), [...words, ...flags], env);
}

/** The folders that a benchmark works in while it runs. */
function leftFolders(): string[] {
  return [...Deno.readDirSync(ROOT)].map(({ name }) => name)
    .filter((name) => name.startsWith(".bench-"));
}

testUnless(
  noLoad,
  "deno task bench prints the tables for a part, and leaves nothing",
  async () => {
    await using run = bench([
      ...["--only", "calm/c,calm/chat-server,start/c"],
      ...["--rounds", "1", "--seconds", "1"],
    ]);
    const { code, out, errors } = await run.result();
    assertEquals([code, errors], [0, []]);
    const text = out.join("\n");
    for (
      const line of [
        /^round 1, calm: C reference: \d+\.\d\d us$/m,
        /^100 members, 100 messages\/s .*goal: at most 1.4x the C reference\)$/m,
        /^C reference +\d\S+ +1.00x +\d\S+$/m,
        /^chat-server +\d\S+ +\d\S+x +(met|missed) +\d\S+$/m,
        /^From its start until it listens/m,
        /^Who they are\nC reference +on epoll, .*\nchat-server +from source$/m,
      ]
    ) assert(line.test(text), `${line} in ${text}`);
    assert(!text.includes("results.json"), text);
    assertEquals(leftFolders(), []);
  },
);

testUnless(
  without("sh"),
  "Where nothing is installed, the rest is measured, reasons are given, and that is no error",
  async () => {
    await using run = bench(
      ["--only", "burst/c,start/chat-server,start/ncat", "--rounds", "1"],
      { PATH: "/nowhere" },
    );
    const { code, out, errors } = await run.result();
    assertEquals([code, errors], [0, []]);
    const text = out.join("\n");
    const noC = noLoad?.includes("Linux") ? noLoad : "there is no cc here";
    assert(text.includes(`What needs a load is skipped: ${noC}.`), text);
    assert(
      /^C reference +- +(there is no cc here|they are .*)$/m.test(text),
      text,
    );
    assert(/^ncat --chat +- +there is no ncat here$/m.test(text), text);
    assert(/^chat-server +\d/m.test(text), text);
  },
);

Deno.test("deno task bench refuses what is no row and no contestant", async () => {
  await using run = bench(["--only", "burst,nobody"]);
  const { code, errors } = await run.result();
  assertEquals(code, 2);
  assert(
    errors[0]!.startsWith('bench: --only "burst,nobody" will not do: '),
    errors[0],
  );
});

testUnless(
  noLoad ?? without("ps"),
  "Ctrl-C ends the benchmark and whatever it has started",
  async () => {
    await using run = bench([
      ...["--only", "burst/c,calm/c,calm/chat-server"],
      ...["--rounds", "1", "--seconds", "100"],
    ]);
    await run.out.until(/^round 1, burst: C reference/);
    run.signal("SIGINT");
    assertEquals(await run.exit(), 130);
    assertEquals(leftFolders(), []);
    const { stdout } = await new Deno.Command("ps", { args: ["-eo", "args"] })
      .output();
    const running = new TextDecoder().decode(stdout).split("\n")
      .filter((line) => line.includes(`${ROOT}.bench-`));
    assertEquals(running, []);
  },
);
