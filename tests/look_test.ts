// @ts-types="../lib/std/colors.d.ts"
import { getColorEnabled, setColorEnabled } from "@std/fmt/colors";
import fc from "fast-check";
import stringWidth from "string-width";
import { graphemes } from "../lib/client/input_line.ts";
import {
  clock,
  colorOf,
  dayOf,
  inColor,
  layout,
  NAME_COLORS,
  note,
  type Paragraph,
  paragraphs,
  wrap,
} from "../lib/client/look.ts";
import type { Item } from "../lib/client/talk.ts";
import type { ChatEvent, Message } from "../lib/message.ts";
import { assert, assertEquals } from "./assert.ts";

/** What comes of it with colours, or without, also where NO_COLOR says that there are none. */
function colored<T>(isColored: boolean, act: () => T): T {
  const wasColored = getColorEnabled();
  const noColor = Object.getOwnPropertyDescriptor(Deno, "noColor") ?? {};
  Object.defineProperty(Deno, "noColor", { value: false, configurable: true });
  try {
    setColorEnabled(isColored);
    return act();
  } finally {
    setColorEnabled(wasColored);
    Object.defineProperty(Deno, "noColor", noColor);
  }
}

const rows = (paragraph: Paragraph, columns: number): string[] =>
  colored(false, () => layout(paragraph, columns));
const painted = (paragraph: Paragraph): string[] =>
  colored(true, () => layout(paragraph, 80));

const TIME = new Date(2026, 10, 23, 14, 3).getTime();
const BOLD = "\x1b[1m", DIM = "\x1b[2m", PLAIN = "\x1b[22m";
const INVERSE = "\x1b[7m", UPRIGHT = "\x1b[27m";
const STAMP = `${DIM}14:03 ${PLAIN}`;

function inItsColor(name: string): string {
  return `\x1b[38;5;${colorOf(name)}m${name}\x1b[39m`;
}

// Colours.

/** Red, green and blue of one of the 256 colours that is neither one of the first 16 nor a grey, each up to 255. */
function rgbOf(color: number): number[] {
  const levels = [0, 95, 135, 175, 215, 255];
  const number = color - 16;
  return [Math.floor(number / 36), Math.floor(number / 6) % 6, number % 6]
    .map((index) => levels[index] ?? NaN);
}

/** The relative luminance of a colour, as WCAG 2 has it. */
function luminance(color: number): number {
  const [red = NaN, green = NaN, blue = NaN] = rgbOf(color).map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** The contrast of a colour to another one, of which the luminance is given. */
function contrast(color: number, other: number): number {
  const [dark = NaN, light = NaN] = [luminance(color), other].sort((a, b) =>
    a - b
  );
  return (light + 0.05) / (dark + 0.05);
}

Deno.test("NAME_COLORS are all that can be read on white and on black, and are not nearly grey", () => {
  const cube = Array.from({ length: 216 }, (_, i) => 16 + i);
  const saturation = (color: number) =>
    Math.max(...rgbOf(color)) - Math.min(...rgbOf(color));
  assertEquals(
    [...NAME_COLORS],
    cube.filter((color) =>
      contrast(color, 1) >= 4 && contrast(color, 0) >= 4 &&
      saturation(color) >= 80
    ),
  );
});

Deno.test("colorOf() gives a name always the same colour, however it is written", () => {
  assertEquals(["alice", "bob", "Zoë"].map(colorOf), [164, 31, 133]);
  assertEquals(colorOf("ALICE"), colorOf("alice"));
  assertEquals(colorOf("ａlice"), colorOf("alice"));
});

Deno.test("colorOf() gives names every colour there is", () => {
  const names = Array.from({ length: 500 }, (_, i) => `guest${i}`);
  const given = new Set(names.map(colorOf));
  assertEquals([...given].sort((a, b) => a - b), [...NAME_COLORS]);
});

Deno.test("inColor() colours a name, where there are colours", () => {
  assertEquals(colored(true, () => inColor("bob")), inItsColor("bob"));
  assertEquals(colored(false, () => inColor("bob")), "bob");
});

// Times.

Deno.test("clock() gives hour and minute, dayOf() the day", () => {
  assertEquals(clock(TIME), "14:03");
  assertEquals(dayOf(TIME), "Monday, 2026-11-23");
  const early = new Date(2027, 0, 2, 0, 0).getTime();
  assertEquals(clock(early), "00:00");
  assertEquals(dayOf(early), "Saturday, 2027-01-02");
});

// What an item looks like.

const NOW = TIME + 5000;

function message(more: Partial<Message> = {}): ChatEvent & Message {
  const known = { room: "lobby", seq: 1, time: TIME, from: "bob" };
  const text = "hi ann";
  return { type: "message", ...known, text, action: false, ...more };
}

/** What ann is shown of an event. */
function shown(event: ChatEvent, isOwn = false): Paragraph[] {
  return paragraphs({ type: "event", event, isOwn, calls: false }, NOW, "ann");
}

Deno.test("paragraphs() has a message with who said it when, and whom it may mention", () => {
  const said = { time: TIME, name: "bob", text: "hi ann", isOwn: false };
  assertEquals(shown(message()), [
    { ...said, lead: "<bob> ", mentioned: "ann" },
  ]);
  assertEquals(shown(message({ action: true })), [
    { ...said, lead: "* bob ", mentioned: "ann" },
  ]);
  assertEquals(shown(message(), true), [
    { ...said, lead: "<bob> ", isOwn: true },
  ]);
});

Deno.test("paragraphs() has a direct message with both ends of it", () => {
  const told = { type: "told", text: "psst", time: TIME } as const;
  const shared = { time: TIME, text: "psst", name: "bob", isPrivate: true };
  assertEquals(shown({ ...told, from: "bob", to: "ann", own: false }), [
    { ...shared, lead: "[bob -> you] ", isOwn: false },
  ]);
  assertEquals(shown({ ...told, from: "ann", to: "bob", own: true }, true), [
    { ...shared, lead: "[you -> bob] ", isOwn: true },
  ]);
});

Deno.test("paragraphs() has what was earlier message by message, marked at both ends", () => {
  const [one, two] = [message({ text: "one" }), message({ text: "two" })];
  const history = { type: "history", room: "lobby", time: NOW } as const;
  const texts = (
    event: Partial<typeof history> & { messages: Message[] } & {
      total?: number;
      more: boolean;
    },
  ) =>
    shown({ ...history, ...event }).map((
      { time, lead, text },
    ) => [time, `${lead}${text}`]);
  assertEquals(texts({ messages: [one], total: 2, more: true }), [
    [TIME, "-- 2 earlier messages"],
    [TIME, "<bob> one"],
  ]);
  assertEquals(texts({ messages: [two], more: false }), [
    [TIME, "<bob> two"],
    [NOW, "-- now"],
  ]);
  assertEquals(texts({ messages: [one], total: 1, more: false })[0], [
    TIME,
    "-- 1 earlier message",
  ]);
  assertEquals(texts({ messages: [], total: 0, more: false }), [
    [NOW, "-- no earlier messages"],
  ]);
  assertEquals(texts({ messages: [], total: 1, more: false }), [
    [NOW, "-- 1 earlier message"],
    [NOW, "-- now"],
  ]);
});

Deno.test("paragraphs() finds one's name in what was earlier", () => {
  const event = { type: "history", room: "lobby", time: NOW } as const;
  const messages = [message()];
  assertEquals(
    shown({ ...event, messages, total: 1, more: false })[1]?.mentioned,
    "ann",
  );
});

Deno.test("paragraphs() has anything else as a note, however many lines it has", () => {
  const texts = (event: ChatEvent) =>
    shown(event).map(({ time, lead, text }) => [time, `${lead}${text}`]);
  const room = "lobby";
  assertEquals(texts({ type: "renamed", room, from: "bob", to: "rob" }), [
    [NOW, "-- [bob] is now [rob]"],
  ]);
  assertEquals(texts({ type: "bye", reason: "you quit" }), [
    [NOW, "-- bye: you quit"],
  ]);
  assertEquals(texts({ type: "ack", ref: "1" }), []);
  const help = texts({ type: "help" });
  assert(help.length > 10);
  for (const [, line] of help) {
    assert(/^-- \//.test(String(line)), String(line));
  }
});

Deno.test("paragraphs() has notes, rooms and lines of plain text", () => {
  const text = "hi ann";
  const show = (item: Item) => paragraphs(item, NOW, "ann");
  assertEquals(show({ type: "note", text }), [note(text, NOW)]);
  assertEquals(show({ type: "room", room: "dev" }), [
    note("you are in dev", NOW),
  ]);
  assertEquals(show({ type: "line", text, isOwn: false, calls: false }), [
    { time: NOW, lead: "", text, isOwn: false },
  ]);
  assertEquals(show({ type: "line", text, isOwn: false, calls: true }), [
    { time: NOW, lead: "", text, isOwn: false, mentioned: "ann" },
  ]);
  assertEquals(show({ type: "line", text, isOwn: true, calls: false }), [
    { time: NOW, lead: "> ", text, isOwn: true },
  ]);
});

// How a paragraph is painted.

Deno.test("layout() gives the speaker's name its colour, and dims the time", () => {
  for (const paragraph of shown(message({ text: "hi" }))) {
    assertEquals(painted(paragraph), [`${STAMP}<${inItsColor("bob")}> hi`]);
  }
  const lead = "* bob ";
  assertEquals(painted({ time: TIME, lead, name: "bob", text: "waves" }), [
    `${STAMP}* ${inItsColor("bob")} waves`,
  ]);
});

Deno.test("layout() marks what one said oneself, and what nobody else sees", () => {
  const text = "hi";
  const own = { time: TIME, lead: "<ann> ", name: "ann", text, isOwn: true };
  assertEquals(painted(own), [`${STAMP}${BOLD}<ann> ${PLAIN}hi`]);
  const direct = { time: TIME, name: "o", text, isPrivate: true };
  assertEquals(painted({ ...direct, lead: "[o -> you] ", isOwn: false }), [
    `${STAMP}${BOLD}[${inItsColor("o")} -> you] ${PLAIN}hi`,
  ]);
  assertEquals(painted({ ...direct, lead: "[you -> o] ", isOwn: true }), [
    `${STAMP}${BOLD}[you -> ${inItsColor("o")}] ${PLAIN}hi`,
  ]);
});

Deno.test("layout() marks one's name wherever it is a word, and nowhere else", () => {
  const text = "ann, Ann and joanna, anna";
  const paragraph = { time: TIME, lead: "", text, mentioned: "ann" };
  const marked = (name: string) => `${BOLD}${INVERSE}${name}${UPRIGHT}${PLAIN}`;
  assertEquals(painted(paragraph), [
    `${STAMP}${marked("ann")}, ${marked("Ann")} and joanna, anna`,
  ]);
  assertEquals(painted({ time: TIME, lead: "", text }), [`${STAMP}${text}`]);
});

Deno.test("layout() dims every row of what is of little importance", () => {
  const paragraph = { ...note("one two", TIME), isFaint: true };
  const faint = colored(true, () => layout(paragraph, 15));
  assertEquals(faint, [
    `${DIM}${DIM}14:03 ${DIM}-- one${PLAIN}`,
    `${DIM}   two${PLAIN}`,
  ]);
});

Deno.test("layout() writes nothing but text where there are no colours", () => {
  const lead = "[bob -> you] ";
  const paragraph = {
    ...{ time: TIME, lead, name: "bob", text: "hi ann", mentioned: "ann" },
    ...{ isPrivate: true, isFaint: true },
  };
  assertEquals(rows(paragraph, 80), ["14:03 [bob -> you] hi ann"]);
});

// How a paragraph is wrapped.

Deno.test("layout() indents a text under itself", () => {
  const text = "one two three four";
  assertEquals(rows({ time: TIME, lead: "<bob> ", text }, 26), [
    "14:03 <bob> one two three",
    "            four",
  ]);
  assertEquals(rows({ time: TIME, lead: "<bob> ", text }, 24), [
    "14:03 <bob> one two",
    "            three four",
  ]);
});

Deno.test("layout() indents less behind a name that is longer than half the row", () => {
  const text = "one two three four";
  const lead = "<alexander> ";
  assertEquals(rows({ time: TIME, lead, text }, 30), [
    "14:03 <alexander> one two",
    "      three four",
  ]);
  assertEquals(rows({ time: TIME, lead, text }, 20), [
    "14:03 <alexander> ",
    "     one two three",
    "     four",
  ]);
  assertEquals(rows({ time: TIME, lead, text }, 8), [
    "14:03 <alexander> ",
    "  one",
    "  two",
    "  three",
    "  four",
  ]);
});

Deno.test("layout() takes four blanks for a tab", () => {
  assertEquals(rows({ time: TIME, lead: "", text: "a\tb" }, 80), [
    "14:03 a    b",
  ]);
});

Deno.test("layout() counts cells, in names too", () => {
  const text = "日本語 日本語 日本語";
  assertEquals(rows({ time: TIME, lead: "<日本> ", text }, 26), [
    "14:03 <日本> 日本語 日本語",
    "             日本語",
  ]);
});

Deno.test("wrap() fills rows with words, and leaves out the blanks where it divides", () => {
  assertEquals(wrap("one two three", 7, 7), ["one two", "three"]);
  assertEquals(wrap("one two three", 3, 9), ["one", "two three"]);
  assertEquals(wrap("one two  ", 7, 7), ["one two"]);
  assertEquals(wrap("one    two", 5, 5), ["one", "two"]);
  assertEquals(wrap("one   a", 5, 5), ["one", "a"]);
  assertEquals(wrap("  one  two", 10, 10), ["  one  two"]);
  assertEquals(wrap("", 7, 7), [""]);
  assertEquals(wrap("     ", 3, 3), [""]);
});

Deno.test("wrap() begins a new row for a word that only then is whole", () => {
  assertEquals(wrap("three", 2, 9), ["", "three"]);
  assertEquals(wrap("a three", 6, 9), ["a", "three"]);
  assertEquals(wrap("three", -3, 9), ["", "three"]);
});

Deno.test("wrap() divides a word that is longer than a row", () => {
  assertEquals(wrap("abcdefgh ij", 3, 3), ["abc", "def", "gh", "ij"]);
  assertEquals(wrap("x abcdef", 4, 4), ["x", "abcd", "ef"]);
  assertEquals(wrap("abcdef", 2, 4), ["", "abcd", "ef"]);
  assertEquals(wrap("ab", 0, 0), ["", "a", "b"]);
  assertEquals(wrap("e\u0301e\u0301e\u0301", 2, 2), [
    "e\u0301e\u0301",
    "e\u0301",
  ]);
});

Deno.test("wrap() never divides a link, with what stands around it", () => {
  const link = "https://example.com/a/long/path?of=many&parts";
  assertEquals(wrap(`see ${link} or not`, 10, 10), ["see", link, "or not"]);
  assertEquals(wrap(`(${link}), yes`, 10, 10), [`(${link}),`, "yes"]);
  assertEquals(wrap(link, 5, 10), ["", link]);
  assertEquals(wrap(`a ftp://b.c d`, 11, 11), ["a ftp://b.c", "d"]);
  assertEquals(wrap("HTTPS://EXAMPLE.COM", 5, 5), ["HTTPS://EXAMPLE.COM"]);
});

Deno.test("wrap() divides between wide letters, which have no blanks between them", () => {
  assertEquals(wrap("日本語です", 4, 4), ["日本", "語で", "す"]);
  assertEquals(wrap("日本語です", 5, 5), ["日本", "語で", "す"]);
  assertEquals(wrap("ab日本cd", 4, 4), ["ab日", "本cd"]);
  assertEquals(wrap("ab 日本語", 6, 6), ["ab 日", "本語"]);
  assertEquals(wrap("ab ひらが", 6, 6), ["ab ひ", "らが"]);
  assertEquals(wrap("ab カタカ", 6, 6), ["ab カ", "タカ"]);
});

Deno.test("wrap() begins no row with what belongs behind a wide letter", () => {
  assertEquals(wrap("日本。語", 4, 4), ["日", "本。", "語"]);
  assertEquals(wrap("「日本」", 6, 6), ["「日", "本」"]);
  assertEquals(wrap("コーヒー", 6, 6), ["コー", "ヒー"]);
  assertEquals(wrap("日本”語", 4, 4), ["日", "本”", "語"]);
});

Deno.test("wrap() divides wide letters before a link from it", () => {
  const link = "https://example.com/x";
  assertEquals(wrap(`日本語は${link} です`, 6, 6), [
    "日本語",
    "は",
    link,
    "です",
  ]);
});

Deno.test("wrap() puts into a row what is wider than it, if it is one character", () => {
  assertEquals(wrap("日本", 1, 1), ["日", "本"]);
  assertEquals(wrap("👨‍👩‍👧", 1, 1), ["👨‍👩‍👧"]);
});

const LINKS = ["https://example.com/path", "x+y://z", "(irc://a.b/c)."];
const TEXT = fc.array(
  fc.oneof(
    fc.string({
      unit: fc.constantFrom("a", "b", "é", "e\u0301", "👨‍👩‍👧", "-", "!"),
      maxLength: 12,
    }),
    fc.string({
      unit: fc.constantFrom("日", "本", "か", "。", "ー", "한"),
      maxLength: 6,
    }),
    fc.constantFrom(" ", "  ", "      ", "\u3000", "\t"),
    fc.constantFrom(...LINKS).map((link) => ` ${link} `),
  ),
  { maxLength: 12 },
).map((parts) => parts.join(""));
const CASE = fc.record({
  text: TEXT,
  others: fc.integer({ min: 0, max: 30 }),
  less: fc.integer({ min: 0, max: 35 }),
});

const withoutBlanks = (text: string) => text.replace(/\s/g, "");

Deno.test("wrap() loses nothing that can be seen, whatever the text and the widths", () => {
  fc.assert(fc.property(CASE, ({ text, others, less }) => {
    const rows = wrap(text, others - less, others);
    assertEquals(withoutBlanks(rows.join("")), withoutBlanks(text));
  }));
});

Deno.test("wrap() makes no row wider than it may be, unless it is one link or one character", () => {
  fc.assert(fc.property(CASE, ({ text, others, less }) => {
    const first = others - less;
    wrap(text, first, others).forEach((row, i) => {
      const most = Math.max(0, i === 0 ? first : others);
      const fits = stringWidth(row) <= most;
      const isOne = LINKS.includes(row) || graphemes(row).length === 1;
      assert(fits || isOne, JSON.stringify({ row, i, first, others }));
    });
  }));
});

Deno.test("wrap() leaves links whole, and words that fit into a row", () => {
  fc.assert(fc.property(CASE, ({ text, others, less }) => {
    const rows = wrap(text, others - less, others);
    for (const word of text.match(/\S+/gu) ?? []) {
      const isWhole = rows.some((row) => row.split(/\s/).includes(word));
      const hasToBe = LINKS.includes(word) ||
        (stringWidth(word) <= others && /^[a-zé!-]+$/.test(word));
      assert(isWhole || !hasToBe, JSON.stringify({ word, rows }));
    }
  }));
});

Deno.test("layout() makes no row wider than the terminal, if the name leaves room in it", () => {
  const columns = fc.integer({ min: 12, max: 40 });
  fc.assert(fc.property(TEXT, columns, (text, columns) => {
    const paragraph = { time: TIME, lead: "<bob> ", name: "bob", text };
    for (const row of rows(paragraph, columns)) {
      const hasLink = LINKS.some((link) => row.trim().endsWith(link));
      assert(stringWidth(row) <= columns || hasLink, JSON.stringify(row));
    }
  }));
});
