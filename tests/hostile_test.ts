/** What strangers do to a server, on purpose or not: other protocols, members who never read, connections in masses. */

import { once } from "node:events";
import { connect } from "node:net";
import { foreignProtocol } from "../lib/wire/foreign.ts";
import { assert, assertEquals } from "./assert.ts";
import {
  listening,
  noReset,
  Room,
  serverProgram,
  soon,
  testUnless,
  Visitor,
} from "./fixtures.ts";
import { lostOf, tried } from "./reliability.ts";
import { openServer, Vitals } from "./vitals.ts";

const TLS_HELLO = Uint8Array.of(
  ...[0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x0a, 0xff, 0xfb],
);

const refusal = (protocol: string) =>
  `-- bye: this is a chat server, which does not speak ${protocol}`;

Deno.test("foreignProtocol() knows HTTP and SSH by their first line, and nothing else for one of them", () => {
  for (
    const line of [
      "GET / HTTP/1.1",
      "POST /say?x=y%20z HTTP/1.0",
      "OPTIONS * HTTP/1.1",
      "M-SEARCH * HTTP/1.1",
      "PRI * HTTP/2.0",
      "CONNECT example.org:443 HTTP/1.1",
      "GET /with a blank HTTP/1.1",
      "GET  /  HTTP/1.1 ",
      "GET\t/\tHTTP/1.1",
      "GET / HTTP/",
      "FOO_BAR1 / HTTP/3",
    ]
  ) assertEquals(foreignProtocol(line), "HTTP", line);
  for (const line of ["SSH-2.0-OpenSSH_9.2", "SSH-1.5-x", "SSH-"]) {
    assertEquals(foreignProtocol(line), "SSH", line);
  }
  for (
    const line of [
      "",
      "GET",
      "GET it?",
      "GET / http/1.1",
      "get / HTTP/1.1",
      " GET / HTTP/1.1",
      "GET HTTP/1.1",
      "I like HTTP/2",
      // A person in a hurry.
      "WHY is HTTP/2 better than HTTP/1?",
      "ssh-2.0",
      "my SSH-key",
      '{"type":"hello","v":1}',
      "/nick GET",
    ]
  ) assertEquals(foreignProtocol(line), undefined, line);
});

Deno.test("A first line of another protocol gets one line and a close, and nobody else sees anything of it", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  for (
    const [protocol, hello] of [
      ["HTTP", "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nhi all\n/me waves\n"],
      ["HTTP", "GET / HTTP/1.1\r\n\r\n"],
      ["SSH", "SSH-2.0-OpenSSH_9.2\r\n"],
      ["TLS", TLS_HELLO],
      ["TLS", Uint8Array.of(...TLS_HELLO, 10, 65, 10, 66, 10)],
    ] as const
  ) {
    using stranger = await room.connect();
    await stranger.send(hello);
    assertEquals(await stranger.rest(), [refusal(protocol)]);
  }
  assertEquals(await ann.heard(), []);
  assertEquals(room.server.tally.drops.foreign, 5);
});

Deno.test("A protocol is known in whichever pieces it comes", async () => {
  await using room = await Room.open();
  for (
    const [protocol, hello] of [["TLS", TLS_HELLO.subarray(0, 2)]] as const
  ) {
    using stranger = await room.connect();
    for (const byte of hello) {
      await stranger.send(Uint8Array.of(byte));
      // Another connection's answer: by then the byte has come.
      using other = await room.connect();
      await other.send("/quit\n");
      await other.rest();
    }
    assertEquals(await stranger.rest(), [refusal(protocol)]);
  }
  using browser = await room.connect();
  for (const piece of ["GET / HT", "TP/1", ".1", "\r", "\n"]) {
    await browser.send(piece);
    using other = await room.connect();
    await other.send("/quit\n");
    await other.rest();
  }
  assertEquals(await browser.rest(), [refusal("HTTP")]);
});

Deno.test("Who was greeted before their first line came is refused all the same", async () => {
  await using room = await Room.open({ firstLineMs: 0 });
  using ann = await room.enter("ann");
  for (
    const [protocol, hello] of [["HTTP", "GET / HTTP/1.1\n"], [
      "TLS",
      TLS_HELLO,
    ]] as const
  ) {
    using stranger = await room.connect();
    await stranger.until(/^-- welcome, you are guest\d+;/);
    await stranger.send(hello);
    assertEquals((await stranger.rest()).at(-1), refusal(protocol));
    assertEquals(
      (await ann.until(/is offline$/)).filter((line) => line.includes("<")),
      [],
    );
  }
});

Deno.test("Only the first line is judged, and no control character anywhere", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  using bob = await room.enter("bob");
  await bob.send(
    "GET / HTTP/1.1\nSSH-2.0-x\n\x16\x03\x01 hm\n\x00\x01\x02\x03\x16\x1b[2J ok\n",
  );
  assertEquals(await ann.until("<bob> [2J ok"), [
    "[bob] entered room",
    "<bob> GET / HTTP/1.1",
    "<bob> SSH-2.0-x",
    "<bob>  hm",
  ]);
  // Neither bytes that only begin as TLS does.
  for (
    const [i, begin] of ["\x16\x04", "\x16", "\x03\x16", "\x16\n"].entries()
  ) {
    using visitor = await room.connect();
    await visitor.send(`${begin}hi ${i}\n`);
    await ann.until(new RegExp(`^<guest\\d+> hi ${i}$`));
  }
});

/** Somebody who hears one speaker, and keeps whatever else comes. */
class Listener implements Disposable {
  readonly others: string[] = [];
  readonly #conn: Deno.Conn;
  readonly #message: (i: number) => string;
  readonly #decoder = new TextDecoder();
  readonly #buffer = new Uint8Array(64 * 1024);
  #begun = "";
  /** How many messages have come. */
  heard = 0;

  /** @param message what the speaker says as the message of that number, as others see it */
  constructor(conn: Deno.Conn, message: (i: number) => string) {
    this.#conn = conn;
    this.#message = message;
  }

  /** Reads until so many messages have come, each of them once and in order. */
  async hear(count: number): Promise<void> {
    while (this.heard < count) {
      const bytes = await soon(
        this.#conn.read(this.#buffer),
        () => `message ${this.heard + 1} does not come`,
      );
      assert(bytes !== null, "the connection has ended");
      const text = this.#buffer.subarray(0, bytes);
      const lines = (this.#begun + this.#decoder.decode(text, { stream: true }))
        .split("\n");
      this.#begun = lines.pop()!;
      for (const line of lines) {
        if (!line.startsWith("<")) this.others.push(line);
        // A difference between long texts takes long to be shown.
        else assert(line === this.#message(++this.heard), line);
      }
    }
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

Deno.test("Of 500 members 50 never read: they are dropped and told apart, and all others hear everything, in order", async () => {
  const [members, deaf] = [500, 50];
  await using server = serverProgram("--port", "0");
  const port = await listening(server);
  const long = "x".repeat(1000);
  const message = (i: number) => `<speaker> ${i} ${long}`;
  using stack = new DisposableStack();
  const enter = async (name: string) => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(new TextEncoder().encode(`/nick ${name}\n`));
    return conn;
  };
  for (let i = 1; i <= deaf; i++) stack.use(await enter(`deaf${i}`));
  const listeners: Listener[] = [];
  for (let i = deaf + 1; i < members; i++) {
    const listener = new Listener(await enter(`m${i}`), message);
    listeners.push(stack.use(listener));
  }
  using speaker = await Visitor.connect(port);
  await speaker.enter("speaker");
  // Everybody is there, whatever order they came in.
  let here = "";
  do {
    await speaker.send("/who\n");
    here = (await speaker.heard()).findLast((line) => line.startsWith("-- "))!;
  } while (!here.startsWith(`-- ${members} here: `));

  let said = 0;
  const gone = new Set<string>();
  while (gone.size < deaf) {
    const from = said + 1;
    said += 50;
    const texts = Array.from(
      { length: 50 },
      (_, i) => message(from + i).slice("<speaker> ".length),
    );
    await speaker.send(`${texts.join("\n")}\n`);
    await Promise.all(listeners.map((listener) => listener.hear(said)));
    for (const line of await speaker.heard()) {
      const [, name] = /^\[(\w+)\] is offline$/.exec(line) ?? [];
      if (name) gone.add(name);
    }
  }
  assertEquals([...gone].filter((name) => !name.startsWith("deaf")), []);
  const reasons: string[] = [];
  while (reasons.length < deaf) {
    const line = await server.errors.next() ?? "";
    const [, left] = / left (.*)$/.exec(line) ?? [];
    if (left) reasons.push(left.replace(/ address=\S+/, ""));
  }
  assertEquals(
    reasons.sort(),
    [...gone].map((name) => `name=${name} why="reads too slowly"`).sort(),
  );
  const deliveries = said * listeners.length;
  tried({
    what: "Of 500 members 50 never read, until they are dropped",
    times: { messages: said, deliveries },
    lost: deliveries - listeners.reduce((sum, { heard }) => sum + heard, 0),
  });
});

/** Comes, begins to say something, and resets the connection. */
async function hitAndRun(port: number, text: string): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(text);
  socket.resetAndDestroy();
  await once(socket, "close");
}

testUnless(
  noReset,
  "20,000 connections that are reset leave nothing behind",
  async () => {
    await using server = openServer("--port", "0");
    using vitals = await Vitals.of(server);
    const port = await listening(server);
    using ann = await Visitor.connect(port);
    await ann.enter("ann");
    using bob = await Visitor.connect(port);
    await bob.enter("bob");
    const said: string[] = [];
    const hello = JSON.stringify({ type: "hello", v: 1, name: "bot" });
    const texts = [
      "",
      "/nick x\n",
      `${hello}\n`,
      "half a li",
      "hi\n",
      "GET / HTTP/1.1\n",
    ];
    const hitAndRunTimes = async (times: number) => {
      const some = Array.from({ length: 50 }, async (_, from) => {
        for (let i = from; i < times; i += 50) {
          await hitAndRun(port, texts[i % texts.length]!);
          if (i % 100 === 0) {
            said.push(`line ${said.length + 1}`);
            await ann.send(`${said.at(-1)}\n`);
          }
        }
      });
      await Promise.all(some);
      // Whoever was announced is gone again.
      let here = "";
      do {
        await ann.send("/who\n");
        here = (await ann.heard()).findLast((line) => line.startsWith("-- "))!;
      } while (here !== "-- 2 here: ann, bob");
      return await vitals.untilDescriptors(descriptors);
    };
    const { descriptors } = await vitals.look();
    const before = await hitAndRunTimes(10_000);
    const after = await hitAndRunTimes(20_000);
    // A session has several thousand bytes, and memory varies by some hundred thousand.
    const leftBytes = after.heapBytes - before.heapBytes;
    assert(leftBytes < 1_000_000, `${leftBytes} bytes are left`);
    const heard = (await bob.heard()).flatMap((line) =>
      /^<ann> (.*)$/.exec(line)?.[1] ?? []
    );
    assertEquals(heard, said);
    tried({
      what:
        "Two members talk while connections are reset right after they were made",
      times: { resets: 30_000, messages: said.length },
      lost: lostOf(said, heard),
    });
  },
);
