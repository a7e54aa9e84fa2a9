/** `deno task profile`: how a CPU profile is summed up, and that one is made. */

import { pathToFileURL } from "node:url";
import config from "../deno.json" with { type: "json" };
import { noCompiler } from "../scripts/bench/cc.ts";
import {
  type CallFrame,
  type CpuProfile,
  summarize,
} from "../scripts/cpu_profile.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "./assert.ts";
import { Program, testUnless } from "./fixtures.ts";

const ROOT = "file:///home/alice/chat/";

/** What may run, by its number. */
const FRAMES: readonly CallFrame[] = [
  { functionName: "(root)", url: "", lineNumber: -1 },
  { functionName: "(idle)", url: "", lineNumber: -1 },
  { functionName: "(program)", url: "", lineNumber: -1 },
  { functionName: "(garbage collector)", url: "", lineNumber: -1 },
  { functionName: "op_write", url: "", lineNumber: -1 },
  { functionName: "write", url: "ext:deno_net/01_net.js", lineNumber: 9 },
  { functionName: "flush", url: `${ROOT}lib/server/outbox.ts`, lineNumber: 99 },
  { functionName: "", url: `${ROOT}lib/server/outbox.ts`, lineNumber: 4 },
  {
    functionName: "log",
    url: "file:///home/alice/.cache/deno/npm/a.registry/log/1.2.3/log.js",
    lineNumber: 0,
  },
];
const IDLE = 1;
const PROGRAM = 2;
const COLLECTOR = 3;
const NATIVE = 4;
const EXT = 5;
const FLUSH = 6;
const ANONYMOUS = 7;
const PACKAGE = 8;

/** A profile that begins at 1,000 us, of what ran for so many us each. */
function profileOf(...ran: [frame: number, us: number][]): CpuProfile {
  const lengths = ran.map(([, us]) => us);
  const endTime = lengths.reduce((sum, us) => sum + us, 1000);
  return {
    nodes: FRAMES.map((callFrame, id) => ({ id, callFrame })),
    startTime: 1000,
    endTime,
    samples: ran.map(([frame]) => frame),
    timeDeltas: [0, ...lengths.slice(0, -1)],
  };
}

Deno.test("summarize() gives each function the time until the next look, and leaves idleness out", () => {
  const profile = profileOf(
    [FLUSH, 100],
    [NATIVE, 700],
    [FLUSH, 200],
    [IDLE, 4000],
    [EXT, 50],
  );
  const { wallUs, busyUs, functions } = summarize(profile, ROOT);
  assertEquals({ wallUs, busyUs }, { wallUs: 5050, busyUs: 1050 });
  assertEquals(functions, [
    { what: "op_write", us: 700 },
    { what: "flush lib/server/outbox.ts:100", us: 300 },
    { what: "write ext:deno_net/01_net.js:10", us: 50 },
  ]);
});

Deno.test("summarize() says whose code it was", () => {
  const profile = profileOf(
    [IDLE, 1],
    [PROGRAM, 2],
    [COLLECTOR, 3],
    [NATIVE, 4],
    [EXT, 5],
    [FLUSH, 6],
    [PACKAGE, 7],
  );
  assertEquals(summarize(profile, ROOT).owners, [
    { what: "packages", us: 7 },
    { what: "ours", us: 6 },
    { what: "runtime", us: 5 },
    { what: "native", us: 4 },
    { what: "collector", us: 3 },
    { what: "program", us: 2 },
    { what: "idle", us: 1 },
  ]);
});

Deno.test("summarize() adds up by file, and names what has no name", () => {
  const profile = profileOf(
    [FLUSH, 5],
    [ANONYMOUS, 6],
    [PACKAGE, 2],
    [NATIVE, 9],
  );
  const { files, functions } = summarize(profile, ROOT);
  assertEquals(files, [
    { what: "lib/server/outbox.ts", us: 11 },
    { what: "npm:log/1.2.3/log.js", us: 2 },
  ]);
  assert(
    functions.some(({ what }) => what === "(anonymous) lib/server/outbox.ts:5"),
  );
});

Deno.test("summarize() counts only what ran in the time that is asked for", () => {
  const profile = profileOf([FLUSH, 100], [NATIVE, 100], [PACKAGE, 100]);
  const { wallUs, busyUs, functions } = summarize(profile, ROOT, 1050, 1210);
  assertEquals({ wallUs, busyUs }, { wallUs: 160, busyUs: 160 });
  assertEquals(functions.map(({ us }) => us), [100, 50, 10]);
});

Deno.test("summarize() refuses a profile that names what it does not have", () => {
  const profile = profileOf([99, 1]);
  assertThrows(() => summarize(profile, ROOT), SyntaxError, "node 99");
});

/** Why a profile cannot be made here, if it cannot: `--cpu-prof` is newer than 2.6. */
const noProfiler = new Deno.Command(Deno.execPath(), {
    args: ["run", "--cpu-prof", "--help"],
    stdout: "null",
    stderr: "null",
  }).outputSync().success
  ? undefined
  : "this Deno has no --cpu-prof";

/** Ten times as much work for one function as for the other, in turns: what else wants the processor changes that less. */
const WORK = `
function busy(times) {
  let sum = 0;
  for (let i = 0; i < times; i++) sum += Math.sqrt(i);
  return sum;
}
function lazy(times) {
  let sum = 0;
  for (let i = 0; i < times; i++) sum += Math.sqrt(i);
  return sum;
}
for (let i = 0; i < 20; i++) {
  busy(10_000_000);
  lazy(1_000_000);
}
`;

testUnless(
  noProfiler,
  "A function that works ten times as much as another has most of a real profile",
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${folder}/work.js`, WORK);
      await using program = new Program(Deno.execPath(), [
        ...["run", "--quiet", "--cpu-prof", "--cpu-prof-dir", folder],
        ...["--cpu-prof-name", "work.cpuprofile", `${folder}/work.js`],
      ]);
      assertEquals((await program.result()).code, 0);
      const profile = JSON.parse(
        await Deno.readTextFile(`${folder}/work.cpuprofile`),
      );
      const root = `${pathToFileURL(await Deno.realPath(folder))}/`;
      const { functions } = summarize(profile, root);
      const of = (what: string) =>
        functions.find((share) => share.what === what)?.us ?? 0;
      const [busy, lazy] = [of("busy work.js:2"), of("lazy work.js:7")];
      assert(busy > 3 * lazy && lazy > 0, `${busy} us and ${lazy} us`);
      assertEquals(functions[0]?.what, "busy work.js:2");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

/** The task with a load that is over soon. */
function profile(...flags: string[]): Program {
  const words = config.tasks.profile.command.split(" ").slice(1);
  const small = ["--members", "10", "--rate", "50", "--seconds", "1"];
  return new Program(Deno.execPath(), [...words, ...small, ...flags]);
}

testUnless(
  noProfiler ?? await noCompiler(),
  "deno task profile shows where a server's time goes, and keeps the profile",
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/chat.cpuprofile`;
      await using program = profile("--out", file);
      const { code, out, errors } = await program.result();
      assertEquals({ code, errors }, {
        code: 0,
        errors: [],
      });
      // 50 messages for the other 9.
      assertMatch(
        out[0]!,
        /^10 members, 50 messages\/s, [\d.]+ s: 450 deliveries, p99 [\d.]+ ms; [\d.]+ s of processor time in all threads$/,
      );
      const text = out.join("\n");
      const wall = /of ([\d.]+) s \([\d.]+ %\)\. Of that:/.exec(text)?.[1];
      // It is looked at the load, and not at what came before it.
      const took = / messages\/s, ([\d.]+) s:/.exec(text)?.[1];
      assert(Math.abs(Number(wall) - Number(took)) < 0.1, `${wall} s`);
      const owners = out.slice(
        out.findIndex((line) => line.endsWith("Of that:")) + 1,
        out.indexOf("by function, without what it calls:") - 1,
      ).map((line) => parseFloat(line));
      const sum = owners.reduce((sum, share) => sum + share, 0);
      assert(Math.abs(sum - 100) < 1, `${sum} %`);
      assert(out.includes(`The profile, arrivals and all, is in ${file}`));
      const kept: CpuProfile = JSON.parse(await Deno.readTextFile(file));
      assert(
        kept.nodes.some(({ callFrame }) =>
          callFrame.url.endsWith("/lib/server/outbox.ts")
        ),
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

testUnless(
  await noCompiler(),
  "deno task profile says in one line what it cannot do",
  async () => {
    const faults: [flags: string[], fault: RegExp, code: number][] = [
      [["--members", "1"], /--members "?1"? will not do: .* from 2 to 9000/, 2],
      [["--out", "/nowhere/at/all"], /nowhere/, 1],
    ];
    for (const [flags, fault, code] of faults) {
      await using program = profile(...flags);
      const result = await program.result();
      assertEquals({ code: result.code, out: result.out }, { code, out: [] });
      assertEquals(result.errors.length, 1, result.errors.join("\n"));
      assertMatch(result.errors[0]!, /^deno task profile: /);
      assertMatch(result.errors[0]!, fault);
    }
  },
);
