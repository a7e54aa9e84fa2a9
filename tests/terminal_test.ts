/** chat-client at a terminal: the real program on a pseudo-terminal, seen through xterm. */

import { colorOf } from "../lib/client/look.ts";
import { ChatServer } from "../lib/server/listen.ts";
import { assert, assertEquals } from "./assert.ts";
import { Desk, type DeskOptions, noDesk } from "./desk.ts";
import {
  Bot,
  CLIENT_ARGS,
  type Frame,
  Program,
  Room,
  shellFault,
  SourcesCopy,
  testUnless,
  Visitor,
  welcomeFrame,
} from "./fixtures.ts";

function terminalTest(name: string, fn: () => Promise<void>): void {
  testUnless(noDesk, name, fn);
}

const WELCOME =
  "00:00 -- welcome, you are ann; 1 other is here; /help lists the commands";
const PROMPT = "lobby ann>";

/** A client at a desk, welcomed, and bob in the same room. */
async function desk(
  room: Room,
  options: DeskOptions = {},
): Promise<{ ann: Desk; bob: Visitor }> {
  const bob = await room.enter("bob");
  const ann = Desk.client(room.server.port, options);
  await ann.until((lines) =>
    lines.at(-1) === PROMPT && lines.at(-2)?.endsWith("commands") === true
  );
  await bob.until("[ann] entered room");
  return { ann, bob };
}

/** A client at a desk, and a server that has welcomed it and does nothing more by itself. */
async function deskWithServer(
  options: DeskOptions = {},
  fields: Partial<Frame> = {},
): Promise<{ ann: Desk; server: Bot }> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const ann = Desk.client(listener.addr.port, options);
  const server = new Bot(new Visitor(await listener.accept()));
  listener.close();
  await server.until("hello");
  const members = ["ann", "bob"];
  const lobby = { room: "lobby", log: "a", seq: 0, count: 2, members };
  await server.send(welcomeFrame("ann", { rooms: [lobby], ...fields }));
  await ann.untilLast(PROMPT);
  return { ann, server };
}

let seq = 0;

/** What a server says when somebody has said something. */
function message(text: string, fields: Partial<Frame> = {}): Frame {
  const time = new Date().toISOString();
  const head = { type: "message", room: "lobby", seq: ++seq, time };
  return { ...head, from: "bob", text, ...fields };
}

/** What follows the first line that is this. */
function after(lines: readonly string[], line: string): string[] {
  assert(lines.includes(line), lines.join("\n"));
  return lines.slice(lines.indexOf(line) + 1);
}

terminalTest(
  "chat-client sends what is typed at Enter, and prints what is said, with its time, above the prompt",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room);
    await using _ann = ann;
    using _bob = bob;
    await ann.type("hello\r");
    assertEquals(await bob.line(), "<ann> hello");
    await bob.send("hi ann\n/me waves\n/msg ann psst\n");
    await ann.untilRows("00:00 [bob -> you] psst", PROMPT);
    assertEquals(ann.rows.slice(2), [
      WELCOME,
      "00:00 <ann> hello",
      "00:00 <bob> hi ann",
      "00:00 * bob waves",
      "00:00 [bob -> you] psst",
      PROMPT,
      "",
      "",
      "",
      "",
    ]);
    const time = /^(\d\d):(\d\d) <bob>/m.exec(ann.glass.rows().join("\n"))!;
    assert(Number(time[1]) < 24 && Number(time[2]) < 60);
  },
);

for (
  const [columns, rows] of [[80, 24], [40, 12], [30, 8]] as const
) {
  terminalTest(
    `chat-client on ${columns}x${rows} loses none of 3,000 messages, and keeps what is typed meanwhile, in every position`,
    async () => {
      await using room = await Room.open();
      const { ann, bob } = await desk(room, { columns, rows });
      await using _ann = ann;
      using _bob = bob;
      const draft = columns === 30
        ? "wrapped 日本語 e\u0301 👨‍👩‍👧 over four rows of this terminal, and not more of it"
        : "a draft with 日本語, e\u0301 and 👨‍👩‍👧 that is longer than two rows of eighty cells, so that it is wrapped: ok";
      const characters = [...new Intl.Segmenter().segment(draft)]
        .map(({ segment }) => segment);
      const total = 3000;
      let sent = 0;
      const some = Math.floor(total / (2 * characters.length + 1));
      const say = async (count: number) => {
        const lines = Array.from({ length: count }, () => `m ${sent++}\n`);
        await bob.send(lines.join(""));
      };
      for (const character of characters) {
        await ann.type(character);
        await say(some);
      }
      // Through all of it, to its begin.
      for (const _ of characters) {
        await ann.type("\x1b[D");
        await say(some);
      }
      await say(total - sent);
      const last = `00:00 <bob> m ${total - 1}`;
      const lines = await ann.until((lines) => lines.includes(last));
      assertEquals(
        lines.filter((line) => line.includes("<bob>")),
        Array.from({ length: total }, (_, i) => `00:00 <bob> m ${i}`),
      );
      await ann.type("\x05!");
      const shown = await ann.until((lines) => lines.at(-1)!.endsWith("!"));
      // Below the last message there is the input, and nothing else.
      assertEquals(
        after(shown, last).join("").replaceAll(" ", ""),
        `${PROMPT}${draft}!`.replaceAll(" ", ""),
      );
      await ann.type("\r");
      assertEquals(await bob.line(), `<ann> ${draft}!`);
      await ann.untilLast(PROMPT);
    },
  );
}

terminalTest(
  "chat-client draws an input of several rows row by row, with the cursor in its place",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room, { columns: 30, rows: 12 });
    await using _ann = ann;
    using _bob = bob;
    await ann.type("0123456789012345678 the second row of it; 日本語 x");
    await bob.send("hi\n");
    const input = [
      "lobby ann> 012345678901234567",
      "8 the second row of it; 日本",
      "語 x",
    ];
    await ann.untilRows("00:00 <bob> hi", ...input);
    assertEquals(ann.glass.cursor()[0], 4);
    await ann.type("\x01");
    await bob.send("more\n");
    await ann.untilRows("00:00 <bob> more", ...input);
    assertEquals(ann.glass.cursor()[0], 11);
  },
);

// What is typed into an empty line, and what stands there then, with `|` where the cursor is.
const KEYS: readonly (readonly [string, string, string])[] = [
  ["Left and Right", "abc\x1b[D\x1b[D\x1b[CX", "abX|c"],
  ["Ctrl-B and Ctrl-F", "abc\x02\x02\x06X", "abX|c"],
  ["Alt-B and Alt-F", "one two three\x1bb\x1bbX\x1bfY", "one XtwoY| three"],
  [
    "Ctrl-Left and Ctrl-Right",
    "one two three\x1b[1;5D\x1b[1;5DX\x1b[1;5CY",
    "one XtwoY| three",
  ],
  ["Home and End", "bc\x1b[Ha\x1b[Fd", "abcd|"],
  ["Ctrl-A and Ctrl-E", "bc\x01a\x05d", "abcd|"],
  ["Ctrl-D", "abc\x01\x04", "|bc"],
  ["Delete", "abc\x01\x1b[3~", "|bc"],
  ["Ctrl-H and Backspace", "abc\b\x7f", "a|"],
  ["Ctrl-W", "one two-three\x17", "one |"],
  ["Alt-Backspace", "one two-three\x1b\x7f", "one two-|"],
  ["Alt-D", "one two\x01\x1bd", "| two"],
  ["Ctrl-U", "abc\x02\x15", "|c"],
  ["Ctrl-K", "abc\x02\x02\x0b", "a|"],
  ["Ctrl-Y", "one two\x17\x01\x19", "two|one "],
  ["Ctrl-T", "abc\x14\x01\x06\x14", "ca|b"],
  ["Ctrl-_", "one\x15two\x1f\x1f", "one|"],
  ["Ctrl-C", "one\x03two", "two|"],
  ["what is typed, grapheme by grapheme", "x👨‍👩‍👧e\u0301y\x1b[D\x7f\x7f", "x|y"],
];

terminalTest("chat-client obeys every key that edits the line", async () => {
  await using room = await Room.open();
  const { ann, bob } = await desk(room, { columns: 60 });
  await using _ann = ann;
  using _bob = bob;
  for (const [name, keys, expected] of KEYS) {
    // What follows goes where the cursor is.
    await ann.type(`\x05\x15${keys}|\r`);
    assertEquals(await bob.line(), `<ann> ${expected}`, name);
  }
});

terminalTest(
  "chat-client recalls what was sent with Up, Down, Ctrl-P and Ctrl-N, keeps the line that was not, and searches with Ctrl-R",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room, { columns: 60 });
    await using _ann = ann;
    using _bob = bob;
    await ann.type("first line\rsecond line\rthird\rnot sent");
    await ann.untilLast(`${PROMPT} not sent`);
    for (
      const [key, line] of [
        ["\x1b[A", "third"],
        ["\x10", "second line"],
        ["\x1bOA", "first line"],
        ["\x1b[A", "first line"],
        ["\x1b[B", "second line"],
        ["\x0e", "third"],
        ["\x1bOB", "not sent"],
        ["\x0e", "not sent"],
      ] as const
    ) {
      await ann.type(`${key}`);
      await ann.untilLast(`${PROMPT} ${line}`);
    }
    await ann.type("\x12line");
    await ann.untilLast("(search: line) second line");
    await ann.type("\x12");
    await ann.untilLast("(search: line) first line");
    await ann.type("\x12zzz");
    await ann.untilLast("(search, nothing has: linezzz) not sent");
    await ann.type("\x07");
    await ann.untilLast(`${PROMPT} not sent`);
    await bob.take(3);
    await ann.type("\x12sec\r");
    assertEquals(await bob.line(), "<ann> second line");
  },
);

terminalTest(
  "chat-client says at Ctrl-C in an empty line how to quit, and quits at Ctrl-D only there",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room);
    await using _ann = ann;
    using _bob = bob;
    await ann.type("draft\x03\x03");
    await ann.untilRows("00:00 -- Ctrl-D or /quit leaves", PROMPT);
    await ann.type("ab\x01\x04\r");
    assertEquals(await bob.line(), "<ann> b");
    await ann.type("\x04");
    assertEquals((await ann.untilExit()).at(-1), "exit 0, sane");
  },
);

terminalTest(
  "chat-client draws the screen anew at Ctrl-L, whatever others have written on it",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room);
    await using _ann = ann;
    using _bob = bob;
    await bob.send("one\ntwo\n");
    await ann.type("half");
    await ann.untilRows("00:00 <bob> two", `${PROMPT} half`);
    const device = await ann.device();
    const garbage = "\\033[5;5Hgarbage\\r\\nall over";
    shellFault('printf "$1" >"$2"', garbage, device);
    await ann.until((lines) => lines.join("\n").includes("all over"));
    await ann.type("\x0c");
    const rows = [
      WELCOME,
      "00:00 <bob> one",
      "00:00 <bob> two",
      `${PROMPT} half`,
      ...Array(8).fill(""),
    ];
    await ann.until(() => ann.rows.join("\n") === rows.join("\n"));
  },
);

terminalTest(
  "chat-client clears the screen at /clear, and Ctrl-L does not bring back what was there",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room);
    await using _ann = ann;
    using _bob = bob;
    for (
      const [keys, typed] of [["/clear\rx", "x"], ["\x0cy", "xy"]] as const
    ) {
      await ann.type(keys);
      await ann.untilLast(`${PROMPT} ${typed}`);
      assertEquals(ann.rows.join(""), `${PROMPT} ${typed}`);
    }
    // What was there is in the scrollback.
    const lines = await ann.until(() => true);
    assert(lines.includes(WELCOME), lines.join("\n"));
  },
);

for (
  const [columns, rows, typed] of [
    [80, 24, "half a line"],
    [60, 16, "word ".repeat(40)],
    [40, 12, "x".repeat(900)],
  ] as const
) {
  terminalTest(
    `chat-client leaves nothing over and loses no message when a terminal of ${columns}x${rows} is resized with ${typed.length} characters typed`,
    async () => {
      await using room = await Room.open();
      const { ann, bob } = await desk(room, { columns, rows });
      await using _ann = ann;
      using _bob = bob;
      await ann.type(typed);
      // It has no end of its own to wait for.
      await ann.type("!\x02");
      await ann.until((lines) => lines.at(-1)!.endsWith("!"));
      const said: string[] = [];
      for (
        const [columns, rows] of [
          [50, 10],
          [120, 40],
          [33, 9],
          [90, 24],
          [200, 30],
          [40, 16],
          [300, 30],
        ] as const
      ) {
        await ann.resize(columns, rows);
        said.push(`${columns} columns`);
        await bob.send(`${said.at(-1)}\n`);
        const last = `00:00 <bob> ${said.at(-1)}`;
        await ann.until((lines) =>
          lines.includes(last) && lines.at(-1)!.endsWith("!")
        );
      }
      const lines = await ann.until((lines) => lines.at(-1)!.endsWith("!"));
      const printed = said.map((text) => `00:00 <bob> ${text}`);
      const begin = lines.indexOf(printed[0]!);
      const end = begin + printed.length;
      const joined = (lines: string[]) => lines.join(" ").replace(/ +/g, " ");
      assertEquals(joined(lines.slice(2, begin)), WELCOME);
      assertEquals(lines.slice(begin, end), printed);
      assertEquals(
        lines.slice(end).join("").replaceAll(" ", ""),
        `${PROMPT}${typed}!`.replaceAll(" ", ""),
      );
    },
  );
}

terminalTest(
  "chat-client completes names, commands and rooms with Tab, cycles through several, and goes back with Shift-Tab",
  async () => {
    await using room = await Room.open();
    using _dan = await room.enter("dan");
    using bert = await room.enter("bert");
    const { ann, bob } = await desk(room);
    await using _ann = ann;
    using _bob = bob;
    await bert.send("/join development\n");
    await bert.until(/^-- you are in development/);
    await ann.until((lines) => lines.at(-1) === PROMPT);
    // Whoever has spoken last comes first.
    await bob.send("hi\n");
    await ann.until((lines) => lines.includes("00:00 <bob> hi"));
    const line = (text: string) => ann.untilLast(`${PROMPT} ${text}`);
    await ann.type("d\t");
    await line("dan:");
    await ann.type("yes");
    await line("dan: yes");
    await ann.type("\x15ask D\t!");
    await line("ask dan !");
    await ann.type("\x15/j\t");
    await line("/join");
    // The list of rooms is asked for now, and there the next time.
    await ann.type("dev\t");
    await ann.type("\x15/who\r");
    await ann.until((lines) =>
      lines.includes("00:00 -- 3 here: dan, bob, ann") ||
      lines.some((line) => line.startsWith("00:00 -- 3 here"))
    );
    await ann.type("/join dev\t");
    await line("/join development");
    await ann.type("\x15/r\t");
    await line("/reply");
    await ann.type("\t");
    await line("/rooms");
    await ann.type("\t");
    await line("/register");
    await ann.type("\t");
    await line("/reload");
    await ann.type("\t");
    await line("/room");
    await ann.type("\t");
    await line("/remember");
    await ann.type("\t");
    await line("/reply");
    await ann.type("\x1b[Z");
    await line("/remember");
  },
);

terminalTest(
  "chat-client shows a pasted text as one input, and sends its lines as messages",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room);
    await using _ann = ann;
    using _bob = bob;
    await ann.type("\x1b[200~one\ntwo\n\nthree\x1b[201~");
    await ann.untilLast(`${PROMPT} one⏎two⏎⏎three`);
    assertEquals(await bob.heard(), []);
    await ann.type("\r");
    assertEquals(await bob.take(3), ["<ann> one", "<ann> two", "<ann> three"]);
    await ann.untilRows(
      "00:00 <ann> one",
      "00:00 <ann> two",
      "00:00 <ann> three",
      PROMPT,
    );
  },
);

terminalTest(
  "chat-client asks before it sends more than five lines",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room);
    await using _ann = ann;
    using _bob = bob;
    const shown = "1⏎2⏎3⏎4⏎5⏎6";
    await ann.type(`\x1b[200~${shown.replaceAll("⏎", "\r")}\x1b[201~\r`);
    await ann.untilLast(`send 6 messages? (y/n) ${shown}`);
    await ann.type("n");
    await ann.untilLast(`${PROMPT} ${shown}`);
    assertEquals(await bob.heard(), []);
    await ann.type("\ry");
    assertEquals(
      await bob.take(6),
      ["1", "2", "3", "4", "5", "6"].map((line) => `<ann> ${line}`),
    );
    await ann.type("\x1b[200~1\n2\n3\n4\n5\x1b[201~\r");
    assertEquals(
      await bob.take(5),
      ["1", "2", "3", "4", "5"].map((line) => `<ann> ${line}`),
    );
  },
);

terminalTest(
  "chat-client keeps what cannot be sent in the input, and says why where it can be seen",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room, { columns: 100 });
    await using _ann = ann;
    using _bob = bob;
    await ann.type(`\x1b[200~${"x".repeat(8193)}\x1b[201~\r`);
    await ann.until(() => ann.rows.includes("00:00 -- too long to be sent"));
    await ann.type("\x15");
    await ann.untilLast(PROMPT);
    const many = Array.from({ length: 1001 }, (_, i) => `line ${i}`).join("\n");
    await ann.type(`\x1b[200~${many}\x1b[201~\ry`);
    await ann.until(() =>
      ann.rows.includes("00:00 -- not more than 1000 lines at once")
    );
    await ann.type("\x15short\r");
    assertEquals(await bob.line(), "<ann> short");
  },
);

terminalTest(
  "chat-client wraps what arrives by words, under itself, and leaves links whole",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room, { columns: 30, rows: 20 });
    await using _ann = ann;
    using _bob = bob;
    const link = "https://example.org/a/path/that/is/long?x=1";
    await bob.send(
      `one two three four five six seven\nsee ${link} ok\n日本語の文字列はここで折り返す\n`,
    );
    await ann.until((lines) => lines.at(-2)?.includes("す") === true);
    const from = ann.rows.findIndex((row) => row.startsWith("00:00 <bob>"));
    assertEquals(ann.rows.slice(from, from + 10), [
      "00:00 <bob> one two three four",
      "            five six seven",
      "00:00 <bob> see",
      "            https://example.or",
      "g/a/path/that/is/long?x=1",
      "            ok",
      "00:00 <bob> 日本語の文字列はこ",
      "            こで折り返す".replace("ここ", "こ"),
      PROMPT,
      "",
    ]);
    // To the terminal it is one line, and can be copied.
    assert(ann.glass.lines().includes(`            ${link}`));
  },
);

terminalTest(
  "chat-client shows own messages faintly until they are acknowledged, and then in their place",
  async () => {
    const { ann, server } = await deskWithServer({ env: { NO_COLOR: "" } });
    await using _ann = ann;
    using _server = server;
    await ann.type("one\rtwo\r/msg bob three\r");
    const waiting = [
      "  …   1 more before this",
      "  …   <ann> two",
      "  …   [you -> bob] three",
      PROMPT,
    ];
    await ann.untilRows(...waiting);
    const row = (text: string) => ann.rows.indexOf(text);
    assert(ann.glass.isDim(row("  …   <ann> two"), 8));
    const [one, two, three] = (await server.until("tell")).slice(-3);
    await server.send(
      message("first", { seq: 1 }),
      { type: "ack", id: one!["id"], seq: 2 },
      { type: "ack", id: two!["id"], seq: 3 },
    );
    await ann.untilRows("00:00 <bob> first", ...waiting);
    assert(!ann.glass.isDim(row("  …   <ann> two"), 8));
    await server.send(
      message("one", { seq: 2, from: "ann" }),
      message("two", { seq: 3, from: "ann" }),
      { type: "ack", id: three!["id"] },
    );
    await ann.untilRows(
      "00:00 <bob> first",
      "00:00 <ann> one",
      "00:00 <ann> two",
      "00:00 [you -> bob] three",
      PROMPT,
    );
    assert(!ann.glass.isDim(row("00:00 <ann> one"), 8));
  },
);

terminalTest(
  "chat-client gives everybody a colour of their own, highlights one's name, and marks direct messages",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room, { env: { NO_COLOR: "" } });
    await using _ann = ann;
    using _bob = bob;
    await bob.send("hi Ann, or anna\n/msg ann psst\n");
    await ann.untilRows("00:00 [bob -> you] psst", PROMPT);
    const row = ann.rows.indexOf("00:00 <bob> hi Ann, or anna");
    const style = (column: number, y = row) => ann.glass.style(y, column);
    for (const column of [7, 9]) {
      assertEquals(style(column).color, colorOf("bob"));
    }
    assertEquals(style(6).color, undefined);
    assert(style(15).isInverse && style(17).isInverse);
    assert(!style(18).isInverse && !style(23).isInverse);
    assertEquals(style(7, row + 1), {
      color: colorOf("bob"),
      isBold: true,
      isInverse: false,
    });
    assert(!style(20, row + 1).isBold);
  },
);

terminalTest(
  "chat-client writes no colours where NO_COLOR is set, and rings only where it is asked to",
  async () => {
    for (
      const [flags, rings] of [[[], 0], [["--bell"], 2]] as const
    ) {
      await using room = await Room.open();
      const { ann, bob } = await desk(room, { flags });
      await using _ann = ann;
      using _bob = bob;
      await bob.send("hi\nhi ann\n");
      await ann.untilRows("00:00 <bob> hi ann", PROMPT);
      await bob.send("/msg ann psst\n");
      await ann.untilRows("00:00 [bob -> you] psst", PROMPT);
      // deno-lint-ignore no-control-regex
      assert(!/\x1b\[[\d;]*m/.test(ann.raw), JSON.stringify(ann.raw));
      await ann.type("\x04");
      await ann.untilExit();
      assertEquals(ann.raw.split("\x07").length - 1, rings);
    }
  },
);

terminalTest("chat-client shows a new day in a line of its own", async () => {
  const { ann, server } = await deskWithServer({ env: { TZ: "UTC" } });
  await using _ann = ann;
  using _server = server;
  await server.send(
    message("late", { time: "2026-01-02T23:59:00.000Z" }),
    message("early", { time: "2026-01-03T00:01:00.000Z" }),
  );
  await ann.until((lines) => lines.at(-2)?.endsWith("early") === true);
  assertEquals(ann.glass.lines().slice(-6, -1), [
    ann.glass.lines().at(-6)!,
    "23:59 -- Friday, 2026-01-02",
    "23:59 <bob> late",
    "00:01 -- Saturday, 2026-01-03",
    "00:01 <bob> early",
  ]);
});

terminalTest(
  "chat-client merges who comes and goes within a minute into one line, in which it is told before they speak",
  async () => {
    const minute = () => Math.floor(Date.now() / 60_000);
    const merged = "00:00 -- bob, carol entered; dan is offline";
    for (let begun = NaN; begun !== minute();) {
      begun = minute();
      const members = ["ann", "dan", "eve"];
      const lobby = { room: "lobby", log: "a", seq: 0, count: 3, members };
      const { ann, server } = await deskWithServer({}, { rooms: [lobby] });
      await using _ann = ann;
      using _server = server;
      const head = { room: "lobby" };
      await server.send(
        { type: "joined", name: "bob", ...head },
        { type: "left", name: "dan", offline: true, ...head },
        { type: "joined", name: "carol", ...head },
        message("hi", { from: "eve", seq: 1 }),
      );
      await ann.untilLast(PROMPT);
      const shown = await ann.until((lines) =>
        lines.some((line) => line.includes("carol"))
      );
      await server.send(message("hello", { from: "carol", seq: 2 }));
      const lines = await ann.until((lines) =>
        lines.includes("00:00 <carol> hello") && lines.at(-1) === PROMPT
      );
      if (minute() !== begun) continue;
      assert(shown.at(-1)!.startsWith(merged), shown.at(-1));
      assertEquals(lines.slice(-4), [
        "00:00 <eve> hi",
        merged,
        "00:00 <carol> hello",
        PROMPT,
      ]);
    }
  },
);

terminalTest(
  "chat-client --quiet hides who comes and goes, and nothing else",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room, { flags: ["--quiet"] });
    await using _ann = ann;
    using _bob = bob;
    using carl = await room.enter("carl");
    await carl.send("/nick carla\nhi\n/quit\n");
    await carl.rest();
    await bob.send("done\n");
    const lines = await ann.until((lines) =>
      lines.at(-2) === "00:00 <bob> done"
    );
    assertEquals(after(lines, WELCOME), [
      "00:00 -- [carl] is now [carla]",
      "00:00 <carla> hi",
      "00:00 <bob> done",
      PROMPT,
    ]);
  },
);

terminalTest(
  "chat-client counts in the prompt down to the next try, and how many lines wait, and says them when it is connected again",
  async () => {
    const room = await Room.open();
    const { port } = room.server;
    const { ann, bob } = await desk(room, { columns: 100, rows: 20 });
    await using _ann = ann;
    bob.close();
    await ann.type("half");
    await ann.untilLast(`${PROMPT} half`);
    await room.server.stop();
    await ann.untilLast(/^lobby ann \(next try in \d s\)> half$/);
    await ann.type(" a line\r/who\rand\r");
    await ann.until((lines) =>
      lines.includes("00:00 -- refused (there is no connection): /who")
    );
    await ann.untilLast(
      /^lobby ann \((next try in \d s|connecting), 2 lines wait\)>$/,
    );
    const next = await ChatServer.start({ host: "127.0.0.1", port });
    const lines = await ann.until((lines) =>
      lines.includes("00:00 -- connected again; 2 lines sent") &&
      lines.includes("00:00 <ann> and") && ann.lastRow === PROMPT
    );
    assertEquals(
      lines.filter((line) => line.startsWith("00:00 <ann>")),
      ["00:00 <ann> half a line", "00:00 <ann> and"],
    );
    using carl = await Visitor.connect(port);
    // Its lines may be among those that were said before carl came.
    await carl.send("/nick carl\n");
    await carl.until(/<ann> and$/);
    await ann.type("and on\r");
    await carl.until("<ann> and on");
    await ann.type("\x04");
    await ann.until((lines) => lines.at(-1) === "exit 0, sane");
    carl.close();
    await next.stop();
  },
);

terminalTest(
  "chat-client counts down to the next try, second by second",
  async () => {
    const { ann, server } = await deskWithServer({ columns: 100 });
    await using _ann = ann;
    // Nobody listens any more.
    server.close();
    const next = (seconds: number) =>
      ann.until((lines) =>
        lines.at(-1) === `lobby ann (next try in ${seconds} s)>`
      );
    await next(2);
    await next(1);
  },
);

terminalTest(
  "chat-client shows what is unread in other rooms in the prompt, and the messages when one goes there",
  async () => {
    await using room = await Room.open();
    using dan = await room.enter("dan");
    await dan.send("/join dev\n");
    await dan.until(/^-- you are in dev/);
    const { ann, bob } = await desk(room, {
      columns: 80,
      rows: 24,
      flags: ["--quiet"],
    });
    await using _ann = ann;
    using _bob = bob;
    await ann.type("/join dev\r");
    await dan.until("[ann] entered room");
    await ann.untilRows(
      "00:00 -- you are in dev; 1 other is here",
      "dev ann>",
    );
    await ann.type("hi dev\r/me waves\r");
    assertEquals(await dan.take(2), ["<ann> hi dev", "* ann waves"]);
    await bob.send("hi lobby\n");
    await ann.untilLast("dev ann [1 lobby:1]>");
    await bob.send("hi ann\n/msg ann psst\n");
    await ann.untilRows("00:00 [bob -> you] psst", "dev ann [1 lobby:2!]>");
    await ann.type("/reply well\r");
    await bob.until("[ann -> you] well");
    await ann.untilRows("00:00 [you -> bob] well", "dev ann [1 lobby:2!]>");
    // Alt-1.
    await ann.type("\x1b1");
    await ann.untilRows(
      "00:00 -- you are in lobby",
      "00:00 <bob> hi lobby",
      "00:00 <bob> hi ann",
      PROMPT,
    );
    await dan.send("hi there\n");
    await ann.untilLast("lobby ann [2 dev:1]>");
    await ann.type("/room 3\r/room x\r/room\r/room dev\r");
    await ann.untilRows(
      "00:00 -- you are in no room 3; /room lists yours",
      "00:00 -- you are in no room x; /room lists yours",
      "00:00 -- your rooms: 1 lobby, 2 dev",
      "00:00 -- you are in dev",
      "00:00 <dan> hi there",
      "dev ann>",
    );
    await ann.type("/leave\r");
    await dan.until("[ann] left room");
    await ann.untilRows("00:00 -- you are in lobby", PROMPT);
    await ann.type("back\r");
    await bob.until("<ann> back");
  },
);

terminalTest(
  "chat-client marks what was said before it came",
  async () => {
    await using room = await Room.open();
    using bob = await room.enter("bob");
    await bob.send("one\n/me two\n");
    await bob.heard();
    await using ann = Desk.client(room.server.port);
    await ann.untilRows(
      WELCOME,
      "00:00 -- 2 earlier messages",
      "00:00 <bob> one",
      "00:00 * bob two",
      "00:00 -- now",
      PROMPT,
    );
  },
);

terminalTest(
  "chat-client has commands of its own beside the server's, and /help lists both",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room, { columns: 120, rows: 40 });
    await using _ann = ann;
    using _bob = bob;
    await ann.type("/help\r");
    const lines = await ann.until((lines) =>
      lines.some((line) => line.includes("Ctrl-D quits"))
    );
    for (
      const command of [
        ...["/nick NAME", "/msg NAME TEXT", "/join ROOM", "/help", "/quit"],
        ...["/room [ROOM]", "/ignore NAME", "/ignored", "/clear", "//TEXT"],
      ]
    ) {
      assert(
        lines.some((line) => line.startsWith(`00:00 -- ${command} `)),
        command,
      );
    }
    await ann.type("/ignore Bob\r/ignored\r/ignore\r");
    await ann.untilRows(
      "00:00 -- Bob is ignored",
      "00:00 -- ignored: Bob",
      "00:00 -- refused (usage: /ignore NAME): /ignore",
      PROMPT,
    );
    await bob.send("one\n/msg ann two\n/nick bert\nthree\n");
    await bob.heard();
    // What is ignored cannot be seen to come; what comes after it can.
    using carl = await room.enter("carl");
    await carl.send("after it\n");
    await ann.until((lines) => lines.includes("00:00 <carl> after it"));
    await ann.type("/unignore bert\r");
    await ann.untilRows("00:00 -- Bob is no longer ignored", PROMPT);
    await bob.send("four\n");
    const all = await ann.until((lines) => lines.includes("00:00 <bert> four"));
    for (const text of ["one", "two", "three"]) {
      assert(!all.some((line) => line.endsWith(`> ${text}`)), text);
    }
  },
);

/** A server that knows nothing of frames: it sends everybody's lines to the others, and greets. */
class PlainServer implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly visitor: Promise<Visitor>;

  constructor() {
    this.visitor = this.#listener.accept().then((conn) => new Visitor(conn));
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    (await this.visitor).close();
  }
}

for (const flags of [[], ["--text"]]) {
  terminalTest(
    `chat-client ${flags.join("")} talks with a server that speaks plain text`,
    async () => {
      await using server = new PlainServer();
      await using ann = Desk.client(server.port, { flags });
      using visitor = await server.visitor;
      if (flags.length === 0) {
        assert((await visitor.line())!.startsWith('{"type":"hello"'));
        await ann.until((lines) =>
          lines.some((line) => line.includes("speaks plain text"))
        );
      }
      await visitor.send("Welcome!\r\n<zed> hi ann\x1b[2J\n");
      await ann.untilRows("00:00 Welcome!", "00:00 <zed> hi ann[2J", "ann>");
      await ann.type("hello\r/nick al\r/ignored\r/help\r");
      assertEquals(
        [await visitor.line(), await visitor.line(), await visitor.line()],
        ["hello", "/nick al", "/help"],
      );
      const lines = await ann.until((lines) =>
        lines.some((line) => line.includes("Ctrl-D quits"))
      );
      assertEquals(after(lines, "00:00 <zed> hi ann[2J").slice(0, 4), [
        "00:00 > hello",
        "00:00 > /nick al",
        "00:00 -- nobody is ignored",
        "00:00 > /help",
      ]);
      await ann.type("last\r/quit\r");
      assertEquals(await visitor.rest(), ["last"]);
      visitor.close();
      assertEquals((await ann.untilExit()).at(-1), "exit 0, sane");
    },
  );
}

const HOSTILE: readonly string[] = [
  "\x1b]52;c;aGFja2Vk\x07clipboard",
  "\x1b]52;c;aGFja2Vk\x1b\\clipboard",
  "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
  "\x1b]0;a title\x07",
  "\x1b]2;a title\x1b\\",
  "\x1b[2J\x1b[H\x1b[3Jup and away",
  "\x1b[10A\x1b[5D\x1b[1;1Hover there",
  "\x1b7\x1b8\x1bM\x1bc\x1b[?1049h",
  "\x1b[?2004l\x1b[?25l\x1b(0lqk",
  "\x1bP1$r0m\x1b\\\x1b_app\x1b\\\x1b^pm\x1b\\",
  "\u009b2J\u009d0;title\u009c\u0090q\u009c",
  "over\rwritten",
  "back\b\b\b\bspace",
  "bell\x07\x00\x0b\x0c\x0e\x0f\x7f",
  "\u202eright to left\u202c\u2066isolated\u2069",
  "two\u2028lines\u2029here\u0085now",
  "tab\tstops\tmove",
  "\x1b[6n\x1b[c\x1b[5n asks",
  "\ufeffbom",
];

terminalTest(
  "chat-client lets nothing that strangers send change more than their own line",
  async () => {
    const { ann, server } = await deskWithServer({
      columns: 100,
      rows: 60,
      env: { NO_COLOR: "" },
    });
    await using _ann = ann;
    using _server = server;
    await ann.type("half a line");
    const plain = (text: string) =>
      text.replace(
        // deno-lint-ignore no-control-regex
        /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]/g,
        "",
      );
    const shown = (text: string) =>
      plain(text).replaceAll("\t", "    ").trimEnd();
    for (const text of HOSTILE) {
      await server.send(
        message(text),
        message("x", { from: text }),
        message(text, { action: true }),
        {
          type: "told",
          from: text,
          to: "ann",
          text,
          time: new Date().toISOString(),
        },
        { type: "error", code: "usage", message: text },
      );
      const name = shown(text);
      await ann.untilRows(
        `00:00 <bob> ${name}`,
        `00:00 <${name}> x`,
        `00:00 * bob ${name}`,
        `00:00 [${name} -> you] ${name}`,
        `00:00 -- refused (${name})`,
        `${PROMPT} half a line`,
      );
    }
    for (const [i, text] of HOSTILE.entries()) {
      await server.send({
        type: "renamed",
        room: "lobby",
        from: `a${i}`,
        to: text,
      });
      await ann.untilRows(
        `00:00 -- [a${i}] is now [${shown(text)}]`,
        `${PROMPT} half a line`,
      );
    }
    assertEquals(ann.glass.title, "");
    assertEquals(ann.glass.bells, 0);
    // The input is unharmed, and so is the keyboard.
    await ann.type("\x02\x02-\r");
    const [said] = (await server.until("say")).slice(-1);
    assertEquals(said!["text"], "half a li-ne");
  },
);

for (
  const [keys, how] of [["\x04", "Ctrl-D"], ["/quit\r", "/quit"]] as const
) {
  terminalTest(
    `chat-client leaves at ${how}, has what was sent before delivered, and gives the terminal back`,
    async () => {
      await using room = await Room.open();
      const { ann, bob } = await desk(room);
      await using _ann = ann;
      using _bob = bob;
      await ann.type(`last\r${keys}`);
      const lines = await ann.untilExit();
      assertEquals(lines.slice(-3), [
        "00:00 <ann> last",
        "00:00 -- bye: you quit",
        "exit 0, sane",
      ]);
      assertEquals(await bob.take(2), ["<ann> last", "[ann] is offline"]);
    },
  );
}

for (
  const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
    ["SIGQUIT", 131],
  ] as const
) {
  terminalTest(
    `chat-client gives the terminal back on ${signal}, and what was being typed stays on it`,
    async () => {
      await using room = await Room.open();
      const { ann, bob } = await desk(room);
      await using _ann = ann;
      using _bob = bob;
      await ann.type("half a li");
      await ann.untilLast(`${PROMPT} half a li`);
      ann.kill(signal);
      assertEquals((await ann.untilExit()).slice(-2), [
        `${PROMPT} half a li`,
        `exit ${code}, sane`,
      ]);
      // It has quit, or its name would be held.
      assertEquals(await bob.line(), "[ann] is offline");
      assertPastesUnmarked(ann);
    },
  );
}

/** The last word about whether pastes are marked is that they are not. */
function assertPastesUnmarked(ann: Desk): void {
  assert(
    ann.raw.lastIndexOf("\x1b[?2004l") > ann.raw.lastIndexOf("\x1b[?2004h"),
  );
}

for (
  const [how, crash] of [
    ["an exception", 'setTimeout(() => { throw new Error("a crash"); });'],
    ["a promise", 'void Promise.reject(new Error("a crash"));'],
  ] as const
) {
  terminalTest(
    `chat-client gives the terminal back when it crashes, by ${how} that nobody expects`,
    async () => {
      await using copy = await SourcesCopy.make();
      const file = `${copy.folder}/lib/client/talk.ts`;
      const source = await Deno.readTextFile(file);
      const crashing = source.replace(
        "obey: (talk) => ({ items: talk.listIgnored() }),",
        `obey: () => { ${crash} return { items: [] }; },`,
      );
      assert(crashing !== source);
      await Deno.writeTextFile(file, crashing);
      await using room = await Room.open();
      const { ann, bob } = await desk(room, {
        columns: 200,
        entry: `${copy.folder}/client.ts`,
      });
      await using _ann = ann;
      using _bob = bob;
      await ann.type("/ignored\r");
      const lines = await ann.untilExit();
      assertEquals(lines.at(-1), "exit 1, sane");
      assert(lines.some((line) => line.includes("a crash")), lines.join("\n"));
      assertPastesUnmarked(ann);
    },
  );
}

terminalTest(
  "chat-client gives the terminal back when the link is lost for good, and says so in one line",
  async () => {
    const room = await Room.open();
    const { ann, bob } = await desk(room, { flags: ["--no-reconnect"] });
    await using _ann = ann;
    bob.close();
    await ann.type("half a li");
    await ann.untilLast(`${PROMPT} half a li`);
    await room.server.stop();
    const lines = await ann.untilExit();
    assertEquals(
      [
        lines.includes("00:00 -- bye: the server is stopping"),
        ...lines.slice(-3),
      ],
      [
        true,
        `${PROMPT} half a li`,
        "chat-client: connection lost (the server is stopping)",
        "exit 1, sane",
      ],
    );
  },
);

terminalTest(
  "chat-client never touches the terminal when it cannot connect",
  async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    await using ann = Desk.client(port);
    assertEquals((await ann.untilExit()).slice(2), [
      `chat-client: cannot connect to 127.0.0.1:${port}: nobody listens there`,
      "exit 1, sane",
    ]);
    assert(!ann.raw.includes("\x1b"));
  },
);

terminalTest(
  "chat-client tells of a refused name, and shows refusals",
  async () => {
    await using room = await Room.open();
    using _other = await room.enter("ann");
    await using ann = Desk.client(room.server.port, { columns: 100 });
    const lines = await ann.until((lines) =>
      /^lobby guest\d+>$/.test(lines.at(-1)!) && lines.length > 4
    );
    const guest = /guest\d+/.exec(lines.at(-1)!)![0];
    assertEquals(lines.slice(2), [
      WELCOME.replace("ann", guest),
      `00:00 -- the name "ann" was refused, that name is taken; you are ${guest}`,
      `lobby ${guest}>`,
    ]);
    await ann.type("/x\r/nick you\r");
    await ann.until((lines) =>
      lines.includes(
        "00:00 -- refused (unknown command, /help lists them): /x",
      ) &&
      lines.includes("00:00 -- refused (that name is reserved): /nick you")
    );
  },
);

terminalTest(
  "chat-client suspends at Ctrl-Z with the terminal as it was, and goes on at fg with nothing lost",
  async () => {
    await using room = await Room.open();
    using bob = await room.enter("bob");
    await using shell = Desk.shell({ columns: 100, rows: 24 });
    await shell.type(`before=$(stty -g); ${shell.command(room.server.port)}\r`);
    await shell.until((lines) => lines.at(-1) === PROMPT);
    await shell.type("half a line");
    await shell.untilLast(`${PROMPT} half a line`);
    await shell.type("\x1a");
    await shell.untilLast(/^\$$|^-- Ctrl-Z once more suspends, Enter goes on$/);
    // Before 2.9 Deno does not permit a program to stop itself.
    if (shell.lastRow !== "$") await shell.type("\x1a");
    await shell.untilLast("$");
    const suspended = shell.glass.lines();
    assert(suspended.some((line) => line.includes("Stopped")));
    // Nothing of the input is left over.
    assert(!suspended.some((line) => line.startsWith(PROMPT)));
    await shell.type('[ "$(stty -g)" = "$before" ] && echo as it was\r');
    await shell.until((lines) => lines.includes("as it was"));
    await bob.send("while it was stopped\n");
    await bob.heard();
    await shell.type("fg\r");
    await shell.until((lines) =>
      lines.includes("00:00 <bob> while it was stopped") &&
      lines.at(-1) === `${PROMPT} half a line`
    );
    await shell.type("!\r");
    await bob.until("<ann> half a line!");
    await shell.type("\x04");
    await shell.until((lines) => lines.at(-1) === "$");
    await shell.type('[ "$(stty -g)" = "$before" ] && echo sane\r');
    await shell.until((lines) => lines.includes("sane"));
  },
);

terminalTest(
  "chat-client does not suspend where another program waits for it, and says so",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room, { env: { INIT_CWD: "/" } });
    await using _ann = ann;
    using _bob = bob;
    ann.kill("SIGTSTP");
    await ann.type("half a line\x1a");
    const note =
      "00:00 -- what deno task or npm has started cannot be suspended";
    await ann.untilRows(note, note, `${PROMPT} half a line`);
    await ann.type("\r");
    assertEquals(await bob.line(), "<ann> half a line");
  },
);

terminalTest(
  "chat-client goes on as it was when somebody stops it and lets it go on",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room);
    await using _ann = ann;
    using _bob = bob;
    await ann.type("half a line");
    await ann.untilLast(`${PROMPT} half a line`);
    ann.kill("SIGSTOP");
    // What a shell does with the terminal of a program that was stopped, and says.
    shellFault(
      'stty -F "$1" sane; printf "stopped\\r\\n" >"$1"',
      await ann.device(),
    );
    await ann.until((lines) => lines.join("\n").includes("stopped"));
    ann.kill("SIGCONT");
    await ann.untilLast(`${PROMPT} half a line`);
    await ann.type("\x02\x02-\r");
    assertEquals(await bob.line(), "<ann> half a li-ne");
  },
);

terminalTest(
  "chat-client keeps on the screen what waits, when it is left without a connection",
  async () => {
    const { ann, server } = await deskWithServer({ columns: 100 });
    await using _ann = ann;
    server.close();
    await ann.untilLast(/next try in/);
    await ann.type("precious\r/quit\r");
    const lines = await ann.untilExit();
    assert(lines.includes("00:00 -- not acknowledged: precious"));
    assertEquals(lines.at(-1), "exit 1, sane");
  },
);

terminalTest(
  "chat-client asks where it can be seen, also about a long paste",
  async () => {
    await using room = await Room.open();
    const { ann, bob } = await desk(room);
    await using _ann = ann;
    using _bob = bob;
    const many = Array.from({ length: 500 }, (_, i) => `line ${i}`).join("\n");
    await ann.type(`\x1b[200~${many}\x1b[201~\r`);
    await ann.until(() => ann.rows.includes("send 500 messages? (y/n) …"));
    await ann.type("n");
    await ann.until(() => ann.rows.includes("lobby ann> …"));
    assertEquals(await bob.heard(), []);
  },
);

terminalTest(
  "chat-client gives the terminal back before it waits for a server, 10 s at most, and says what was not acknowledged",
  async () => {
    const { ann, server } = await deskWithServer({ columns: 100 });
    await using _ann = ann;
    using _server = server;
    await ann.type("one\rhalf\x15\x04");
    await server.until("say");
    assertEquals((await ann.untilExit()).slice(-3), [
      "00:00 -- not acknowledged: one",
      "chat-client: 1 message was not acknowledged: the server has not answered everything within 10 s",
      "exit 1, sane",
    ]);
    assertEquals(await server.rest(), []);
  },
);

terminalTest(
  "chat-client notices a new size also where no signal tells of it, as on Windows",
  async () => {
    await using copy = await SourcesCopy.make();
    const file = `${copy.folder}/lib/client/terminal.ts`;
    const source = await Deno.readTextFile(file);
    // A signal that only Windows has.
    assert(source.includes('"SIGWINCH"'));
    await Deno.writeTextFile(file, source.replace('"SIGWINCH"', '"SIGBREAK"'));
    await using room = await Room.open();
    const { ann, bob } = await desk(room, {
      entry: `${copy.folder}/client.ts`,
    });
    await using _ann = ann;
    using _bob = bob;
    await ann.type("a line that is longer than one row of forty cells");
    await ann.untilLast(
      `${PROMPT} a line that is longer than one row of forty cells`,
    );
    await ann.resize(40, 12);
    await ann.untilRows(
      "lobby ann> a line that is longer than o",
      "ne row of forty cells",
    );
  },
);

for (
  const [how, options] of [
    ["--plain", { flags: ["--plain"] }],
    ["TERM=dumb", { env: { TERM: "dumb", NO_COLOR: "" } }],
  ] as const
) {
  terminalTest(
    `chat-client moves no cursor with ${how}, and all can be said and read`,
    async () => {
      await using room = await Room.open();
      using bob = await room.enter("bob");
      using dan = await room.enter("dan");
      await using ann = Desk.client(room.server.port, {
        ...options,
        columns: 90,
        rows: 30,
      });
      await ann.until((lines) =>
        lines.at(-1) ===
          "-- welcome, you are ann; 2 others are here; /help lists the commands"
      );
      await bob.until("[ann] entered room");
      await ann.type("hello\r");
      assertEquals(await bob.line(), "<ann> hello");
      await bob.send("hi ann\n/join dev\nin dev\n");
      await ann.until((lines) => lines.includes("[bob] left room"));
      await ann.type("/join dev\r");
      await ann.until((lines) =>
        lines.includes("-- you are in dev; 1 other is here")
      );
      await dan.until("[ann] entered room").catch(() => {});
      await dan.send("still here\n");
      await ann.until((lines) => lines.includes("lobby: <dan> still here"));
      await ann.type("/ignored\r/room 1\r/quit\r");
      const lines = await ann.untilExit();
      assertEquals(lines.at(-1), "exit 0, sane");
      for (
        const line of [
          "<bob> hi ann",
          "-- nobody is ignored",
          "-- you are in lobby",
        ]
      ) {
        assert(lines.includes(line), line);
      }
      // deno-lint-ignore no-control-regex
      assert(!/[\x1b\x07\b]/.test(ann.raw), JSON.stringify(ann.raw));
    },
  );
}

for (
  const [command, how] of [["echo hi | CLIENT", "its input is a pipe"], [
    "CLIENT | cat",
    "its output is",
  ]] as const
) {
  terminalTest(
    `chat-client is no terminal program when only ${how}`,
    async () => {
      await using room = await Room.open();
      using ann = await room.enter("ann");
      const client = [Deno.execPath(), ...CLIENT_ARGS, String(room.server.port)]
        .map((word) => `'${word}'`).join(" ");
      const line = `stty -echo; ${command.replace("CLIENT", client)}; echo end`;
      await using script = new Program("script", [
        "--quiet",
        "--flush",
        "--command",
        line,
        "/dev/null",
      ], {
        USER: "bob",
        SHELL: "/bin/sh",
      });
      await ann.until("[bob] entered room");
      if (how === "its output is") await script.write("hi\n");
      await ann.until("<bob> hi");
      if (how === "its output is") await script.write("\x04");
      assertEquals(
        (await script.out.until(/^end/)).map((line) => line.trimEnd()),
        [
          "-- welcome, you are bob; 1 other is here; /help lists the commands",
          "-- bye: you quit",
        ],
      );
    },
  );
}
