/** Short runs of what `deno task fuzz` does; the seed is another one each time, and a failure names it. */

import { fuzzFraming, fuzzJson, fuzzText } from "./fuzz.ts";
import { fuzzServer } from "./fuzz_server.ts";
import { anySeed } from "./random.ts";

const fuzzing = { seed: anySeed(), runs: 1000, withinMs: 20_000 };

Deno.test("Whatever bytes come in whichever pieces, the framing gives the lines that a plain description gives", () => {
  fuzzFraming(fuzzing);
});

Deno.test("Whatever line comes, the text dialect shows others nothing that steers a terminal or looks like something else", () => {
  fuzzText(fuzzing);
});

Deno.test("Whatever line comes, the JSON dialect shows others nothing that steers a terminal or looks like something else", () => {
  fuzzJson(fuzzing);
});

Deno.test("Whatever strangers send and however they go, the others talk on, and nothing of the strangers is left", async () => {
  await fuzzServer(fuzzing);
});
