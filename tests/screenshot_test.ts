/** The pictures in docs/: that they are what the programs of today look like, and how a picture is drawn. */

import config from "../deno.json" with { type: "json" };
import { pictureOf } from "../scripts/picture.ts";
import { assert, assertEquals, assertRejects } from "./assert.ts";
import { noDesk } from "./desk.ts";
import { Program, testUnless } from "./fixtures.ts";
import { Glass } from "./glass.ts";

const FILES = ["terminal.svg", "lost_connection.svg"];

function read(file: string): Promise<string> {
  return Deno.readTextFile(new URL(`../docs/${file}`, import.meta.url));
}

/** The picture of a terminal to which this was written. */
async function drawing(
  written: string,
  columns = 20,
  title = "a picture",
): Promise<string> {
  const glass = new Glass(columns, 4);
  glass.write(written);
  await glass.settled();
  const shown = { cells: glass.cells(), cursor: glass.cursor() };
  return pictureOf(shown, title);
}

const CHARACTERS: Readonly<Record<string, string>> = {
  "&lt;": "<",
  "&gt;": ">",
  "&amp;": "&",
};

/** What a reader makes of what stands between tags. */
function textOf(escaped: string): string {
  return escaped.replace(/&\w+;/g, (entity) => CHARACTERS[entity] ?? entity);
}

/** The rows of text in a picture. */
function rowsOf(svg: string): string[] {
  return Array.from(
    svg.matchAll(/<text [^>]*>(.*)<\/text>/g),
    ([, spans = ""]) => textOf(spans.replace(/<[^>]*>/g, "")),
  );
}

/** What a picture has between its frame and its end. */
function drawn(svg: string): string[] {
  const lines = svg.trimEnd().split("\n");
  return lines.slice(lines.findIndex((line) => line.startsWith("<g ")) + 1, -2);
}

/** Where a picture is no well-formed XML, if it is not. */
function faultOf(xml: string): string | undefined {
  const piece =
    /<(?<name>[a-z]+)(?: [a-zA-Z:-]+="[^"<&]*")*(?<empty>\/?)>|<\/(?<end>[a-z]+)>|(?:[\n\x20-%'-;=?-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]|&(?:amp|lt|gt);)+/uy;
  const open: string[] = [];
  while (piece.lastIndex < xml.length) {
    const at = piece.lastIndex;
    const { name, empty, end } = piece.exec(xml)?.groups ?? {};
    if (piece.lastIndex <= at || (end && open.pop() !== end)) {
      return xml.slice(at, at + 40);
    }
    if (name && !empty) open.push(name);
  }
  return open.at(-1);
}

testUnless(
  noDesk,
  "deno task screenshot makes the pictures that docs/ has, with the permissions of deno.json",
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      const words = config.tasks.screenshot.command
        .replace("--allow-write=docs", `--allow-write=${folder}`)
        .split(" ").slice(1);
      await using program = new Program(Deno.execPath(), [...words, folder]);
      const paths = FILES.map((file) => `${folder}/${file}`);
      assertEquals(
        await program.result(),
        { code: 0, out: paths, errors: [] },
      );
      for (const [i, path] of paths.entries()) {
        const made = await Deno.readTextFile(path);
        const kept = await read(FILES[i]!);
        assertEquals(made, kept, "after a change, run deno task screenshot");
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

testUnless(
  noDesk,
  "deno task screenshot says what is missing where there is no pseudo-terminal",
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.symlink("/bin/sh", `${folder}/sh`);
      const words = config.tasks.screenshot.command.split(" ").slice(1);
      await using program = new Program(Deno.execPath(), words, {
        PATH: folder,
      });
      assertEquals(await program.result(), {
        code: 1,
        out: [],
        errors: [
          "screenshot: there is no terminal to take pictures of: there is no script, stty here",
        ],
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

Deno.test("docs/terminal.svg shows what was earlier, who comes, what wraps, what is one's own, and what is unread", async () => {
  const rows = rowsOf(await read("terminal.svg"));
  const seen = [
    "18:40 -- Monday, 2026-03-02",
    "18:41 <carol> then I copy all my photos to it before that",
    "14:02 -- nas, yuki entered; carol is offline",
    "14:03 <nas> backup finished: 41 GB in 3 hours, no errors; what was left out, and",
    "            why, is listed in https://nas.example/2026-03-03.html",
    "14:04 <bob> alice, are carol's photos in it?",
    "14:05 <alice> all of them, and they are wonderful",
    "14:05 <yuki> 写真をありがとう！ I am looking at them already",
    "14:07 [bob -> you] carol has her birthday on Friday",
    "lobby alice [2 dev:2!]> I could bake a ca ",
  ];
  assertEquals(rows.filter((row) => seen.includes(row)), seen);
  assertEquals(rows.at(-1), seen.at(-1));
});

Deno.test("docs/lost_connection.svg shows what waits until the next try", async () => {
  assertEquals(rowsOf(await read("lost_connection.svg")).slice(-4), [
    "21:30 -- connection lost (the server is stopping); trying again in 1 s",
    "  …   <alice> take your time, bob",
    "  …   <alice> I write on meanwhile",
    "lobby alice (next try in 1 s, 2 lines wait)> nothing of it is lo ",
  ]);
});

Deno.test("The pictures in docs/ are well-formed, small, without scripts, and part of the README", async () => {
  const readme = await Deno.readTextFile(
    new URL("../README.md", import.meta.url),
  );
  for (const file of FILES) {
    const svg = await read(file);
    assertEquals(faultOf(svg), undefined, file);
    assert(svg.length < 10_000, file);
    const elements = new Set(
      Array.from(svg.matchAll(/<([^\s/>]+)/g), ([, name]) => name),
    );
    assertEquals([...elements].sort(), [
      "g",
      "rect",
      "svg",
      "text",
      "title",
      "tspan",
    ]);
    assert(readme.includes(`](docs/${file})`), file);
  }
});

Deno.test("pictureOf() gives every part of a row its place, its colour and its weight", async () => {
  const dim = "\x1b[2m14:02 \x1b[22m";
  const name = "\x1b[1m[\x1b[38;5;31mbob\x1b[39m]\x1b[22m";
  assertEquals(drawn(await drawing(`${dim}${name} hi\r\n\r\n`)), [
    '<text y="27">' +
    '<tspan x="14" textLength="50.4" fill-opacity="0.6">14:02 </tspan>' +
    '<tspan x="64.4" textLength="8.4" font-weight="bold">[</tspan>' +
    '<tspan x="72.8" textLength="25.2" fill="#0087af" font-weight="bold">bob</tspan>' +
    '<tspan x="98" textLength="8.4" font-weight="bold">]</tspan>' +
    '<tspan x="106.4" textLength="25.2"> hi</tspan></text>',
    '<rect x="14" width="8.4" y="50" height="18" fill="#e8e8e8"/>',
    '<text y="63"><tspan x="14" textLength="8.4" fill="#080808"> </tspan></text>',
  ]);
});

Deno.test("pictureOf() draws what is inverse on a ground of its own, and the cursor where it is", async () => {
  const inverse = "\x1b[7;38;5;31mbob\x1b[0m";
  const dimmed = "\x1b[2;7mab\x1b[0m";
  const written = `${dimmed}\r\na ${inverse} xyz\x1b[2D`;
  assertEquals(drawn(await drawing(written)), [
    '<rect x="14" width="16.8" y="14" height="18" fill="#e8e8e8" fill-opacity="0.6"/>',
    '<text y="27"><tspan x="14" textLength="16.8" fill="#080808">ab</tspan></text>',
    '<rect x="30.8" width="25.2" y="32" height="18" fill="#0087af"/>',
    '<rect x="72.8" width="8.4" y="32" height="18" fill="#e8e8e8"/>',
    '<text y="45"><tspan x="14" textLength="16.8">a </tspan>' +
    '<tspan x="30.8" textLength="25.2" fill="#080808">bob</tspan>' +
    '<tspan x="56" textLength="16.8"> x</tspan>' +
    '<tspan x="72.8" textLength="8.4" fill="#080808">y</tspan>' +
    '<tspan x="81.2" textLength="8.4">z</tspan></text>',
  ]);
});

Deno.test("pictureOf() gives a wide character two cells, and is as wide as the screen", async () => {
  const svg = await drawing("写真 x\x1b[H", 10);
  assertEquals(drawn(svg).slice(1), [
    '<text y="27"><tspan x="14" textLength="16.8" fill="#080808">写</tspan>' +
    '<tspan x="30.8" textLength="16.8">真</tspan>' +
    '<tspan x="47.6" textLength="16.8"> x</tspan></text>',
  ]);
  assert(svg.includes(' width="112" height="46" viewBox="0 0 112 46">'));
});

Deno.test("pictureOf() shows everything as text, whatever strangers send", async () => {
  const hostile = `</text><script href="x">'&amp;']]><!-- \ufffe\ufdd0 &#0;`;
  const svg = await drawing(hostile, 80, hostile);
  assertEquals(faultOf(svg), undefined);
  const kept = hostile.replace("\ufffe", "\ufffd");
  assertEquals(rowsOf(svg), [`${kept} `]);
  const title = /<title>(.*)<\/title>/.exec(svg)?.[1];
  assertEquals(textOf(title ?? ""), kept);
  assert(!/<script|<!--|&#|]]>/.test(svg));
});

Deno.test("pictureOf() refuses a colour that terminals do not agree about", async () => {
  await assertRejects(() => drawing("\x1b[31mred"), RangeError, "1");
  await assertRejects(() => drawing("\x1b[38;5;240mgrey"), RangeError, "240");
});
