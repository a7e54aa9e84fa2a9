import fc from "fast-check";
import { LineReader } from "../lib/lines.ts";
import { clean, MAX_LINE_BYTES } from "../lib/message.ts";
import { assert, assertEquals } from "./assert.ts";

const bytes = (...values: (number | string)[]) =>
  Uint8Array.from(
    values.flatMap((value) =>
      typeof value === "string" ? [...new TextEncoder().encode(value)] : [value]
    ),
  );

/** What a reader makes of `input` when it comes in pieces that are cut at `cuts`. */
function read(
  input: Uint8Array,
  cuts: readonly number[] = [],
  maxBytes: number = MAX_LINE_BYTES,
) {
  const reader = new LineReader(maxBytes);
  const lines: string[] = [];
  let from = 0;
  for (const cut of [...cuts, input.length].sort((a, b) => a - b)) {
    const to = Math.min(cut, input.length);
    // The buffer is overwritten afterwards, as the session's is.
    const piece = input.slice(from, to);
    lines.push(...reader.push(piece));
    piece.fill(63);
    from = to;
  }
  lines.push(...reader.end());
  return { lines, telnet: reader.telnet, overflowed: reader.overflowed };
}

const everyByte = (input: Uint8Array) => Array.from(input, (_, i) => i);

Deno.test("LineReader gives the same lines in whatever pieces the bytes come", () => {
  const interesting = fc.constantFrom(
    10,
    13,
    255,
    250,
    240,
    251,
    253,
    241,
    0xc3,
    0xa9,
    0xf0,
    0x9f,
    0x98,
    0x80,
    97,
    9,
    27,
  );
  const stream = fc.array(fc.oneof(interesting, fc.nat(255)), {
    maxLength: 300,
  }).map((b) => Uint8Array.from(b));
  fc.assert(
    fc.property(
      stream,
      fc.array(fc.nat(300)),
      fc.integer({ min: 1, max: 40 }),
      (input, cuts, maxBytes) => {
        const whole = read(input, [], maxBytes);
        assertEquals(read(input, cuts, maxBytes), whole);
        assertEquals(read(input, everyByte(input), maxBytes), whole);
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("LineReader gives back any lines of clean text, whether they end in LF or CR LF", () => {
  const line = fc.string({ unit: "grapheme", maxLength: 50 }).map(clean);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(line, fc.constantFrom("\n", "\r\n"))),
      (lines) => {
        const input = bytes(lines.map(([text, end]) => text + end).join(""));
        assertEquals(
          read(input).lines,
          lines.map(([text]) => text),
        );
      },
    ),
  );
});

Deno.test("LineReader never lets a control character or a bidirectional override through", () => {
  // The characters in question all lie below U+2070.
  const unit = fc.integer({ min: 0, max: 0x2070 }).map((code) =>
    String.fromCodePoint(code)
  );
  const input = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string({ unit }).map((text) => bytes(text)),
  );
  fc.assert(fc.property(input, (input) => {
    for (const line of read(input).lines) {
      for (const character of line) {
        const code = character.codePointAt(0)!;
        const control = code < 32 && code !== 9 || code >= 127 && code <= 159;
        const override = code >= 0x202a && code <= 0x202e ||
          code >= 0x2066 && code <= 0x2069;
        assert(
          !control && !override && code !== 0x2028 && code !== 0x2029,
          `U+${code.toString(16)}`,
        );
      }
    }
  }));
});

Deno.test("LineReader reads many lines of one piece, and keeps what has no end yet", () => {
  const reader = new LineReader();
  assertEquals(reader.push(bytes("one\ntwo\r\n\nthr")), ["one", "two", ""]);
  assertEquals(reader.push(bytes("ee\nfour")), ["three"]);
  assertEquals(reader.end(), ["four"]);
  assertEquals(reader.end(), []);
});

Deno.test("LineReader joins a character of UTF-8 that came in two pieces", () => {
  assertEquals(read(bytes("é😀\n"), [1, 3, 4]).lines, ["é😀"]);
});

Deno.test("LineReader makes U+FFFD of invalid UTF-8", () => {
  assertEquals(
    read(bytes("a", 0xc3, "b", 0xe2, 0x82, "\n", 0xf8, "\n")).lines,
    ["a\ufffdb\ufffd", "\ufffd"],
  );
});

Deno.test("LineReader removes C0 but TAB, DEL, C1, bidirectional overrides and separators", () => {
  const input =
    "\x00a\x07\tb\x1b[31m\x7fc\u0085\u009b\u202e\u2066d\u2028\u2029\re\n";
  assertEquals(read(bytes(input)).lines, ["a\tb[31mcde"]);
});

Deno.test("LineReader takes telnet negotiation out wherever it stands, and remembers it", () => {
  const [IAC, WILL, DO, SB, SE, NOP] = [255, 251, 253, 250, 240, 241];
  const cases: [Uint8Array, string[]][] = [
    [bytes(IAC, WILL, 10, "hi\n"), ["hi"]],
    [bytes("h", IAC, DO, 3, "i\r\n"), ["hi"]],
    [bytes("hi\r", IAC, NOP, "\n"), ["hi"]],
    [bytes("h", IAC, SB, 24, 0, "x\n", IAC, IAC, IAC, SE, "i\n"), ["hi"]],
    // In the middle of a character.
    [bytes(0xc3, IAC, NOP, 0xa9, "\n"), ["é"]],
    // Never ended.
    [bytes("hi\n", IAC, SB, 1, 2), ["hi"]],
  ];
  for (const [input, lines] of cases) {
    for (const cuts of [[], everyByte(input)]) {
      assertEquals(read(input, cuts), {
        lines,
        telnet: true,
        overflowed: false,
      });
    }
  }
});

Deno.test("LineReader knows every command of telnet", () => {
  for (let command = 241; command <= 254; command++) {
    if (command === 250) continue;
    const input = command > 250
      ? bytes("a", 255, command, 1, "b\n")
      : bytes("a", 255, command, "b\n");
    assertEquals(read(input), {
      lines: ["ab"],
      telnet: true,
      overflowed: false,
    }, String(command));
  }
});

Deno.test("LineReader never tires of subnegotiations that do end", () => {
  const resized = [255, 250, 31, 0, 80, 0, 24, 255, 240];
  const input = bytes(...Array(2000).fill(resized).flat(), "hi\n");
  assertEquals(read(input), { lines: ["hi"], telnet: true, overflowed: false });
});

Deno.test("LineReader counts the timing marks it is asked for", () => {
  const reader = new LineReader();
  reader.push(bytes("a", 255, 253, 6, 255, 253, 1, 255, 251, 6, 255));
  reader.push(bytes(253, 6, "\n"));
  assertEquals(reader.timingMarks, 2);
});

Deno.test("LineReader removes byte order marks", () => {
  assertEquals(read(bytes("\ufeff/w\ufeffho\n")).lines, ["/who"]);
});

Deno.test("LineReader takes a 255 that begins no negotiation for invalid text", () => {
  const cases: [Uint8Array, string[]][] = [
    [bytes(255, "\n"), ["\ufffd"]],
    [bytes("a", 255, "b\n"), ["a\ufffdb"]],
    [bytes("a", 255, 255, "b\n"), ["a\ufffdb"]],
    [bytes("a", 255), ["a\ufffd"]],
  ];
  for (const [input, lines] of cases) {
    for (const cuts of [[], everyByte(input)]) {
      assertEquals(read(input, cuts), {
        lines,
        telnet: false,
        overflowed: false,
      });
    }
  }
});

Deno.test("LineReader knows by the first two bytes that the input is TLS, in whichever pieces they come, and gives no line of it", () => {
  const hello = [0x16, 0x03, 0x01, 0x0a, 0xff, 0xfb, 0x0a];
  for (const pieces of [[hello], hello.map((byte) => [byte])]) {
    const reader = new LineReader();
    const lines = pieces.flatMap((piece) =>
      reader.push(Uint8Array.from(piece))
    );
    assertEquals([lines, reader.isTls, reader.end()], [[], true, []]);
  }
  for (
    const text of [
      "\x16",
      "\x16\x16\x03",
      "\x16\x04",
      " \x16\x03",
      "\n\x16\x03",
    ]
  ) {
    const reader = new LineReader();
    const lines = [...text].flatMap((byte) =>
      reader.push(new TextEncoder().encode(byte))
    );
    lines.push(...reader.push(new TextEncoder().encode("hi\n")));
    assertEquals([lines.at(-1)?.trim(), reader.isTls], ["hi", false]);
  }
});

Deno.test("LineReader keeps a line of 8,192 bytes and gives up one of 8,193", () => {
  const longest = "x".repeat(8192);
  assertEquals(read(bytes("a\n", longest, "\nb\n")), {
    lines: ["a", longest, "b"],
    telnet: false,
    overflowed: false,
  });
  assertEquals(read(bytes("a\n", longest, "x\nb\n")), {
    lines: ["a"],
    telnet: false,
    overflowed: true,
  });
});

Deno.test("LineReader counts a 255 that might have begun negotiation when the input ends", () => {
  const [longest, longer] = ["x".repeat(8191), "x".repeat(8192)];
  assertEquals(read(bytes(longest, 255)).lines, [`${longest}\ufffd`]);
  assertEquals(read(bytes("a\n", longer, 255)), {
    lines: ["a"],
    telnet: false,
    overflowed: true,
  });
});

Deno.test("LineReader does not count the CR of an end of line", () => {
  const longest = "x".repeat(8192);
  for (const cuts of [[], [8192], [8193], [8194]]) {
    assertEquals(read(bytes(longest, "\r\nb\n"), cuts).lines, [longest, "b"]);
    assertEquals(read(bytes(longest, "\r\r\nb\n"), cuts).overflowed, true);
    assertEquals(read(bytes(longest, "\rx\nb\n"), cuts).overflowed, true);
  }
});

Deno.test("LineReader gives up a telnet subnegotiation that does not end", () => {
  const endless = bytes("a\n", 255, 250, "x".repeat(8193), 255, 240, "b\n");
  assertEquals(read(endless), { lines: ["a"], telnet: true, overflowed: true });
  assertEquals(read(endless, everyByte(endless)), {
    lines: ["a"],
    telnet: true,
    overflowed: true,
  });
});
