/**
 * What must hold whatever is sent, for the framing and for both dialects. Each is fed with the same inputs for the
 * same seed; one for which it does not hold is made as small as it can be, and named.
 */

import fc from "fast-check";
import { LineReader } from "../lib/lines.ts";
import {
  type ChatEvent,
  type Command,
  MAX_LINE_BYTES,
  nameFault,
  normalizeName,
  type Refusal,
  type Render,
} from "../lib/message.ts";
import * as json from "../lib/wire/json.ts";
import * as text from "../lib/wire/text.ts";
import { assert, assertEquals } from "./assert.ts";
import { CUTS, INPUT, piecesOf } from "./fuzz_input.ts";

/** How much is tried, and what exactly. */
export interface Fuzzing {
  seed: number;
  /** How many inputs at most. */
  runs: number;
  /** For how long at most, in ms. */
  withinMs: number;
}

/** The first character of `text` that could steer a terminal or end a line, if there is one. */
export function steering(text: string): string | undefined {
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const steers = STEERING.some(([from, to]) => code >= from && code <= to);
    if (steers) return `U+${code.toString(16).padStart(4, "0")}`;
  }
  return undefined;
}

// Not by what the code under test has for that.
const STEERING = [
  [0x00, 0x08],
  [0x0a, 0x1f],
  [0x7f, 0x9f],
  [0x2028, 0x202e],
  [0x2066, 0x2069],
  [0xfeff, 0xfeff],
] as const;

/** Fails if there is a string anywhere in `value`, keys included, that steers or is not well formed. */
export function assertHarmless(value: unknown): void {
  if (typeof value === "string") {
    assertEquals(steering(value), undefined, JSON.stringify(value));
    assert(value.isWellFormed(), `not well formed: ${JSON.stringify(value)}`);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      assertHarmless(key);
      assertHarmless(item);
    }
  }
}

/**
 * Feeds the framing: whatever comes in whichever pieces gives the lines that a simple description of it gives, none
 * of which is too long or steers a terminal.
 *
 * @returns how many inputs there were
 * @throws an error that names the input, as small as it can be
 */
export function fuzzFraming(fuzzing: Fuzzing): number {
  const input = fc.record({
    input: INPUT,
    cuts: CUTS,
    maxBytes: fc.oneof(
      fc.constant(MAX_LINE_BYTES),
      fc.integer({ min: 1, max: 60 }),
    ),
  });
  return feed(input, fuzzing, ({ input, cuts, maxBytes }) => {
    const expected = describeLines(input, maxBytes);
    assertEquals(readLines([input], maxBytes), expected);
    assertEquals(readLines(piecesOf(input, cuts), maxBytes), expected);
    const bytes = Array.from(input, (byte) => Uint8Array.of(byte));
    assertEquals(readLines(bytes, maxBytes), expected);
    assertHarmless(expected.lines);
  });
}

/**
 * Feeds the text dialect: every line asks for something, is refused or says nothing, and what others are then shown is
 * one line that nobody takes for anything else.
 *
 * @returns how many inputs there were
 * @throws an error that names the input, as small as it can be
 */
export function fuzzText(fuzzing: Fuzzing): number {
  return feed(INPUT, fuzzing, (input) => {
    for (const line of linesOf(input)) {
      const asked = text.parse(line);
      assertHarmless(asked);
      if (!asked) {
        assertEquals(line.trim(), "");
        continue;
      }
      if (text.isSecret(line)) {
        // Only the command, and never to be said.
        assert(/^\/ *[a-z]+$/i.test(asked.ref.replace(/\s/g, " ")), asked.ref);
        assert(asked.type !== "say");
      } else assertEquals(asked.ref, line);
      for (const event of comingOf(asked)) assertShownAsItIs(event, text);
    }
  });
}

/**
 * Feeds the JSON dialect, what a server reads and what a client reads of it: every line is a frame or a fault, and
 * what others are then shown is one line that nobody takes for anything else.
 *
 * @returns how many inputs there were
 * @throws an error that names the input, as small as it can be
 */
export function fuzzJson(fuzzing: Fuzzing): number {
  return feed(INPUT, fuzzing, (input) => {
    for (const line of linesOf(input)) {
      const asked = json.parse(line);
      assertHarmless(asked);
      if (asked.type === "hello") assert(json.isHello(line));
      if (asked.type !== "refused" && asked.type !== "help") {
        const written = json.write(asked);
        const again = json.parse(written.trimEnd());
        assert(again.type !== "refused" && again.type !== "help");
        assertEquals(json.write(again), written);
      }
      if (asked.type !== "hello") {
        for (const event of comingOf(asked)) assertShownAsItIs(event, json);
      }
      assertHarmless(readAsClient(line));
    }
    assertEquals(Object.keys(Object.prototype), []);
    assert(!("polluted" in {}));
  });
}

function feed<T>(
  input: fc.Arbitrary<T>,
  { seed, runs, withinMs }: Fuzzing,
  holds: (input: T) => void,
): number {
  const result = fc.check(fc.property(input, holds), {
    seed,
    numRuns: runs,
    interruptAfterTimeLimit: withinMs,
    markInterruptAsFailure: false,
  });
  if (result.failed) {
    throw new Error(fc.defaultReportMessage(result), {
      cause: result.errorInstance,
    });
  }
  return result.numRuns;
}

interface Read {
  lines: string[];
  overflowed: boolean;
}

function readLines(pieces: readonly Uint8Array[], maxBytes: number): Read {
  const reader = new LineReader(maxBytes);
  const lines = pieces.flatMap((piece) => reader.push(piece));
  lines.push(...reader.end());
  return { lines, overflowed: reader.overflowed };
}

function linesOf(input: Uint8Array): string[] {
  return readLines([input], MAX_LINE_BYTES).lines;
}

/** Telnet's commands; a subnegotiation goes up to its end, or that of the input. */
const NEGOTIATION =
  /\xff(?:\xfa(?<sub>(?:[^\xff]|\xff(?!\xf0))*)(?<end>\xff\xf0)?|[\xfb-\xfe][^]?|[\xf1-\xf9]|(?<twice>\xff))/g;

/** The lines of a whole input, as slowly and plainly as possible: a character of `all` is a byte. */
function describeLines(input: Uint8Array, maxBytes: number): Read {
  // What begins as TLS does has none.
  if (input[0] === 0x16 && input[1] === 0x03) {
    return { lines: [], overflowed: false };
  }
  let all = Array.from(input, (byte) => String.fromCharCode(byte)).join("");
  let overflowed = false;
  for (const { index, groups } of all.matchAll(NEGOTIATION)) {
    // The 255 that may begin its end counts, too.
    const { sub = "", end } = groups ?? {};
    if (sub.length + (end ? 1 : 0) <= maxBytes) continue;
    all = all.slice(0, index);
    overflowed = true;
    break;
  }
  const lines = all.replace(NEGOTIATION, (...[, , , twice]) => twice ?? "")
    .split("\n");
  const rest = lines.pop() ?? "";
  if (!overflowed && rest !== "") lines.push(rest);
  const tooLong = [...lines, ...(overflowed ? [rest] : [])]
    .findIndex((line) => line.replace(/\r$/, "").length > maxBytes);
  if (tooLong >= 0) overflowed = true;
  return {
    lines: lines.slice(0, tooLong < 0 ? undefined : tooLong).map(plainText),
    overflowed,
  };
}

function plainText(latin1: string): string {
  const bytes = Uint8Array.from(latin1, (byte) => byte.charCodeAt(0));
  const decoded = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  return [...decoded].filter((character) => !steering(character)).join("");
}

/** What may come of what a member called mallory asks for, for others and for herself. */
function comingOf(asked: Command | Refusal): ChatEvent[] {
  const [room, name] = ["lobby", "mallory"];
  switch (asked.type) {
    case "say": {
      const { text, action } = asked;
      const [seq, time] = [1, 0];
      return [{ type: "message", room, seq, time, from: name, text, action }];
    }
    case "tell":
    case "reply": {
      const { text } = asked;
      const told = { type: "told", from: name, to: "bob", text, time: 0 };
      return [
        { ...told, type: "told", own: false },
        { ...told, type: "told", own: true },
      ];
    }
    case "nick": {
      const to = normalizeName(asked.name);
      if (nameFault(to)) return [];
      return [
        { type: "renamed", room, from: name, to },
        { type: "offline", room, name: to },
      ];
    }
    case "join":
    case "leave":
    case "who":
    case "history": {
      const reason = `you are not in ${asked.room ?? "any room"}`;
      const { ref } = asked;
      return [{ type: "refused", code: "room-unknown", reason, ref }];
    }
    case "refused":
      return [asked];
    case "ping":
      return [{ type: "pong", ref: asked.ref }];
    default:
      return [];
  }
}

/** With what the line of such an event begins, and the line of no other. */
const BEGINNINGS: Partial<Record<ChatEvent["type"], RegExp>> = {
  message: /^(<mallory>|\* mallory) /,
  told: /^\[(mallory -> you|you -> bob)\] /,
  renamed: /^\[mallory\] is now \[\S+\]$/,
  offline: /^\[\S+\] is offline$/,
  refused: /^-- refused \(/,
};

/** An answer is shown to mallory only, in the dialect that she speaks; everything else in both. */
function assertShownAsItIs(
  event: ChatEvent,
  spoken: typeof text | typeof json,
): void {
  const isAnswer = event.type === "refused" || event.type === "pong";
  if (!isAnswer || spoken === text) {
    assertShownAsText(event, text.render);
    assertShownAsText(event, text.renderTelnet);
  }
  if (!isAnswer || spoken === json) assertShownAsFrame(event);
}

function assertShownAsText(event: ChatEvent, render: Render): void {
  const rendered = render(event);
  const line = rendered.replace(/\r?\n$/, "");
  assertHarmless(line);
  assert(BEGINNINGS[event.type]?.test(line), `${event.type}: ${line}`);
  assertEquals(text.readBye(line), undefined, line);
  assert(!json.isHello(line), line);
  assertEquals(readAsClient(line), undefined, line);
}

function assertShownAsFrame(event: ChatEvent): void {
  const frame = json.render(event);
  if (event.type === "told" && event.own) return assertEquals(frame, "");
  const line = frame.replace(/\n$/, "");
  assertHarmless(line);
  assertEquals(readAsClient(line), event);
}

/** What a client makes of a line: nothing, if it is no frame. */
function readAsClient(line: string): ChatEvent | undefined {
  try {
    return json.read(line);
  } catch (error) {
    assert(error instanceof SyntaxError, String(error));
    assertHarmless(error.message);
    return undefined;
  }
}
