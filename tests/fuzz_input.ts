/**
 * What nobody should send: bytes that are nasty by themselves or beside each other, frames that are nearly right, and
 * good conversations that were damaged. Knows how it is made, and not what becomes of it.
 */

import fc from "fast-check";
import { concat } from "../lib/lines.ts";

const encoder = new TextEncoder();

/** Everything that anybody says or hears in the conversations of docs/protocol.md: a session each. */
const SESSIONS = await goodSessions();

async function goodSessions(): Promise<Uint8Array[]> {
  const docs = await Deno.readTextFile(
    new URL("../docs/protocol.md", import.meta.url),
  );
  const sessions: Uint8Array[] = [];
  for (const [, block] of docs.matchAll(/^```text\n(.*?)\n```$/gms)) {
    const said = Map.groupBy(
      block!.matchAll(/^(\w+[<>]) (.*)$/gm),
      ([, whose]) => whose,
    );
    for (const lines of said.values()) {
      const text = lines.map(([, , line]) => `${line}\n`).join("");
      sessions.push(encoder.encode(text));
    }
  }
  if (sessions.length === 0) throw new Error("no conversation in the docs");
  return sessions;
}

/** The secrets of the sessions that are begun in them. */
export const SECRETS: readonly string[] = [
  ...new Set(
    SESSIONS.flatMap((session) =>
      new TextDecoder().decode(session).match(/(?<="session":")[^"]+/g) ?? []
    ),
  ),
];

/** What has a meaning to telnet, to UTF-8, to a terminal, or to another protocol. */
const NASTY: readonly Uint8Array[] = [
  // Negotiation, whole and in parts.
  [255],
  [255, 255],
  [255, 251, 1],
  [255, 253, 6],
  [255, 254],
  [255, 241],
  [255, 244, 255, 253, 6],
  [255, 250],
  [255, 240],
  [255, 250, 24, 0, 120, 10, 255, 255, 255, 240],
  [255, 236],
  // UTF-8: cut off, overlong, surrogates, beyond the last character, a lone continuation.
  [0xc3],
  [0xe2, 0x82],
  [0xf0, 0x9f, 0x98],
  [0xc0, 0x80],
  [0xc0, 0x8a],
  [0xe0, 0x80, 0x9b],
  [0xf0, 0x80, 0x80, 0x8a],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0x80],
  [0x9b],
  // A TLS hello.
  [0x16, 0x03, 0x01, 0x02, 0x00],
].map((bytes) => Uint8Array.from(bytes)).concat(
  [
    ...["\n", "\r", "\r\n", "\n\r", "\0", "\r\0", "\t", "\v", "\f", "\b"],
    ...["\x1b[2J", "\x1b]0;x\x07", "\u009b31m", "\u0085", "\x7f", "\ufffd"],
    ...["\u202e", "\u2066", "\u2028", "\u2029", "\ufeff", "e\u0301", "😀"],
    ...["GET / HTTP/1.1\r\n", "SSH-2.0-x\r\n", " ", "\u3000", "x"],
    ...["/", "//", "/me ", "/nick ", "/msg ", "/join ", "/quit\n", "/who "],
    ...["-- ", "-- bye: ", "<ann> ", "* ", "[ann] is offline", "14:03 <a> "],
    ...["/nick \u202eann\n", "/history 1000\n", "/reply ", "/help\n", "\n-- "],
    ...["{", "}", "[", '"', "\\", "\\u000a", "\\u001b[2J", "\\ud800", "1e400"],
    ...['{"type":"hello"', '{"type":"hello","v":1}\n', ',"type":"bye"', "null"],
    ...['"__proto__":', "-0", "\\u2028", '\\u009b"', '"text":"', "\\n-- "],
  ].map((text) => encoder.encode(text)),
);

/** As much as a message or a line may have, and a little less or more. */
const EDGE = fc.tuple(
  fc.constantFrom(1024, 8192),
  fc.integer({ min: -8, max: 8 }),
  fc.constantFrom("x", "é", "\x1b", "[", "\r"),
).map(([size, more, text]) =>
  encoder.encode(text.repeat((size + more) / encoder.encode(text).length))
);

const PIECE = fc.oneof(
  { weight: 40, arbitrary: fc.constantFrom(...NASTY) },
  { weight: 10, arbitrary: fc.uint8Array({ maxLength: 8 }) },
  { weight: 10, arbitrary: fc.string({ unit: "binary" }).map(encode) },
  { weight: 1, arbitrary: EDGE },
);

function encode(text: string): Uint8Array {
  return encoder.encode(text);
}

const SOUP = fc.array(PIECE, { maxLength: 40 }).map(concat);

/** A good session in which here and there something is missing or too much. */
const DAMAGED = fc.tuple(
  fc.constantFrom(...SESSIONS),
  fc.array(
    fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      without: fc.nat(20),
      piece: PIECE,
    }),
    { maxLength: 6 },
  ),
).map(([session, wounds]) =>
  wounds.reduce((bytes, { at, without, piece }) => {
    const from = Math.floor(at * bytes.length);
    return concat([
      bytes.subarray(0, from),
      piece,
      bytes.subarray(from + without),
    ]);
  }, session)
);

const TYPES = [
  ...["hello", "say", "tell", "reply", "join", "leave", "nick", "who", "rooms"],
  ...["history", "ping", "pong", "quit", "welcome", "message", "ack", "bye"],
  ...["joined", "left", "renamed", "told", "members", "gap", "anew", "error"],
  ...["register", "login", "password", "unregister", "done"],
  ...["kick", "ban", "unban", "bans", "mute", "unmute", "slow", "topic"],
  ...["announce", "announced", "reload"],
];

const KEY = fc.constantFrom(
  ...["type", "v", "id", "room", "text", "name", "to", "from", "session"],
  ...["since", "before", "limit", "action", "seq", "time", "reason", "rooms"],
  ...["login", "password", "target", "seconds", "by", "until", "bans"],
  ...["__proto__", "constructor", "toString", "", "t\\u0079pe", "\\ud800"],
);

/** A value as JSON has it, or nearly. */
const VALUE = fc.oneof(
  { weight: 10, arbitrary: fc.json({ maxDepth: 2 }) },
  {
    weight: 10,
    arbitrary: fc.string({ unit: "binary", maxLength: 80 })
      .map((text) => JSON.stringify(text)),
  },
  {
    weight: 20,
    arbitrary: fc.constantFrom(...TYPES, "lobby", "ann", "bob")
      .map((word) => `"${word}"`),
  },
  {
    weight: 20,
    arbitrary: fc.constantFrom(
      ...["1", "0", "-1", "-0", "1e400", "1e308", "9007199254740993", "0.5"],
      ...["true", "null", "{}", "[]", '""', '" "', '"\\ud800"', '"\\u0000x"'],
      ...['"\\u001b[31mred"', '"\\n-- bye: you quit"', '"a\\u2028b"', "NaN"],
      ...['"\\u202egnp.exe"', '"guest1"', '"../lobby"', '"\\u009b2J"', "01"],
      ...['{"__proto__":{"polluted":1}}', '{"lobby":3,"lobby":{"seq":-1}}'],
      ...['{"lobby":{"log":"\\u0007","seq":1e300}}', '"5e5e5e5e5e5e5e5e"'],
    ),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 4100 }).map((depth) =>
      "[".repeat(depth)
    ),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 1300 }).map((depth) =>
      '{"a":'.repeat(depth) + "1" + "}".repeat(depth)
    ),
  },
);

/** Frames of which some are nearly right. Keys come twice. */
const FRAMES = fc.array(
  fc.tuple(
    fc.constantFrom(...TYPES),
    fc.array(fc.tuple(KEY, VALUE), { maxLength: 6 }),
    fc.constantFrom("\n", "\r\n", "}\n", ""),
  ).map(([type, fields, end]) =>
    `{${
      [["type", `"${type}"`], ...fields]
        .map(([key, value]) => `"${key}":${value}`).join(",")
    }}${end}`
  ),
  { maxLength: 8 },
).map((frames) => encode('{"type":"hello","v":1}\n' + frames.join("")));

/** What one connection may send. */
export const INPUT: fc.Arbitrary<Uint8Array> = fc.oneof(SOUP, DAMAGED, FRAMES);

/** Where `input` is cut into the pieces in which it comes. */
export const CUTS: fc.Arbitrary<number[]> = fc.array(
  fc.double({ min: 0, max: 1, noNaN: true }),
  { maxLength: 8 },
);

/** `input` in pieces. */
export function piecesOf(
  input: Uint8Array,
  cuts: readonly number[],
): Uint8Array[] {
  const at = [0, ...cuts.map((cut) => Math.floor(cut * input.length))]
    .sort((a, b) => a - b);
  return at.map((from, i) => input.slice(from, at[i + 1]));
}
