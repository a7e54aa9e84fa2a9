/**
 * docs/protocol.md says what is: its conversations happen as they stand there, and it leaves out no command, frame,
 * refusal or limit that the code has.
 */

import {
  type ChatEvent,
  FINAL,
  MAX_HISTORY,
  MAX_LISTED,
  MAX_NAME_LENGTH,
  MAX_UNACKNOWLEDGED,
  type Message,
  PEACEFUL,
  type Refusal,
  SENT_AWAY,
} from "../lib/message.ts";
import { EntryPassword } from "../lib/server/entry.ts";
import { LogError, MemoryLog } from "../lib/server/log.ts";
import { DEFAULT_LIMITS } from "../lib/server/limits.ts";
import { MemoryOrders } from "../lib/server/orders.ts";
import { VERSION } from "../lib/version.ts";
import { read, type write } from "../lib/wire/json.ts";
import { assert, assertEquals } from "./assert.ts";
import { Bot, type Frame, Room, type Visitor } from "./fixtures.ts";

const docs = await Deno.readTextFile(
  new URL("../docs/protocol.md", import.meta.url),
);

/** What stands below a heading, up to the next one. */
function section(heading: string): string {
  const lines = docs.split("\n");
  const start = lines.findIndex((line) => line.replace(/^#+ /, "") === heading);
  assert(start >= 0, `no heading ${heading}`);
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => /^#+ /.test(line));
  return rest.slice(0, end < 0 ? rest.length : end).join("\n");
}

/** The cells of a section's tables, by the code in the first of them. */
function table(heading: string): Map<string, string[]> {
  const rows = section(heading).matchAll(/^\| `([^`]+)` +\| (.*) \|$/gm);
  return new Map([...rows].map(([, key, rest]) => [key!, rest!.split(" | ")]));
}

/** The lines of a section's code. */
function code(heading: string): string[] {
  const blocks = section(heading).matchAll(/^```text\n(.*?)\n```$/gms);
  return [...blocks].flatMap(([, lines]) => lines!.split("\n"));
}

/** The names that stand in a cell as code. */
const named = (cell: string | undefined) =>
  [...(cell ?? "").matchAll(/`"?(\w+)/g)].map(([, name]) => name!);

/** The values of a line that differ from run to run, and what kind of value each is; a time of day has no name. */
const VARYING =
  /(?<="(log|server|time|since)":")[^"]*|^(?:\d{4}-\d\d-\d\d )?\d\d:\d\d(?= [<*])/g;

/** What the transcript writes for the values of this run: the same for the same one, wherever it stands. */
class Values {
  readonly #begun = Date.now();
  readonly #logs = new Map<string, string>();
  readonly #times = new Map<string, string>();

  /** A line as it is to be sent in this run. */
  toSend(line: string): string {
    return line.replace(
      VARYING,
      (value, kind) => kind === "log" ? this.#logs.get(value) ?? value : value,
    );
  }

  /** A line that came in this run as the transcript writes it, if that can be `expected`. */
  asWritten(line: string, expected: string): string {
    const written = expected.match(VARYING) ?? [];
    let next = 0;
    return line.replace(VARYING, (value, kind) => {
      const wanted = written[next++];
      return wanted !== undefined && this.#fits(kind, wanted, value)
        ? wanted
        : value;
    });
  }

  #fits(kind: string | undefined, wanted: string, value: string): boolean {
    switch (kind) {
      case "server":
        return /^chat-server \d+\.\d+\.\d+$/.test(wanted) &&
          value === `chat-server ${VERSION}`;
      case "log":
        return [wanted, value].every((log) => /^[0-9a-f]{16}$/.test(log)) &&
          isBound(this.#logs, wanted, value) &&
          new Set(this.#logs.values()).size === this.#logs.size;
      case "time":
      case "since":
        return [wanted, value].every(isUtc) &&
          this.#isNow(Date.parse(value)) &&
          isBound(this.#times, wanted, value);
      default: {
        const [hour = NaN, minute = NaN] = value.slice(-5).split(":")
          .map(Number);
        const at = value.length > 5
          ? Date.parse(value.replace(" ", "T"))
          : new Date().setHours(hour, minute, 0, 0);
        return this.#isNow(at, 60_000);
      }
    }
  }

  #isNow(time: number, slack = 0): boolean {
    return time >= this.#begun - slack && time <= Date.now();
  }
}

/** Whether `key` stands for `value`, from now on if it has stood for nothing. */
function isBound(
  map: Map<string, string>,
  key: string,
  value: string,
): boolean {
  if (!map.has(key)) map.set(key, value);
  return map.get(key) === value;
}

function isUtc(time: string): boolean {
  const at = new Date(time);
  return !isNaN(at.getTime()) && at.toISOString() === time;
}

/** Does and requires what a transcript says, line by line; `heard` is what somebody has been sent and not read. */
async function replay(
  lines: readonly string[],
  room: Room,
  heard: (visitor: Visitor) => Promise<unknown[]>,
): Promise<void> {
  assert(lines.length > 0);
  using stack = new DisposableStack();
  const here = new Map<string, Visitor>();
  const values = new Values();
  const get = (name: string) => {
    const visitor = here.get(name);
    assert(visitor, `${name} has no connection`);
    return visitor;
  };
  for (const line of lines) {
    const [, sender, sent] = /^(\w+)> (.+)$/.exec(line) ?? [];
    const [, reader, expected] = /^(\w+)< (.+)$/.exec(line) ?? [];
    const [, left] = /^\(the server closes (\w+)'s connection\)$/.exec(line) ??
      [];
    const [, lost] = /^\((\w+) loses the connection\)$/.exec(line) ?? [];
    const [, seconds] = /^\(nothing is said for (\d+) s\)$/.exec(line) ?? [];
    if (sender && sent) {
      room.server.limit({ pingMs: DEFAULT_LIMITS.pingMs });
      if (!here.has(sender)) {
        here.set(sender, stack.use(await room.connect()));
      }
      await get(sender).send(`${values.toSend(sent)}\n`);
    } else if (reader && expected) {
      const came = await get(reader).line() ?? "(the connection is closed)";
      assertEquals(
        `${reader}< ${values.asWritten(came, expected)}`,
        line,
      );
    } else if (seconds) {
      assertEquals(1000 * Number(seconds), DEFAULT_LIMITS.pingMs);
      // Any silence will do now.
      room.server.limit({ pingMs: 0 });
    } else if (left) {
      assertEquals(await get(left).rest(), [], line);
      get(left).close();
      here.delete(left);
    } else {
      // What was on its way is lost.
      assert(lost, `what is this? ${line}`);
      get(lost).close();
      here.delete(lost);
    }
  }
  // After the first round all that was sent has been heeded, after the second all of it has been heard.
  for (let round = 0; round < 2; round++) {
    for (const [name, visitor] of here) {
      assertEquals(await heard(visitor), [], name);
    }
  }
}

Deno.test("The conversation in text happens as docs/protocol.md has it", async () => {
  await using room = await Room.open({}, new MemoryLog({ keep: 2 }));
  const lines = code("A conversation in text");
  await replay(lines, room, (visitor) => visitor.heard());
});

Deno.test("The conversation in JSON happens as docs/protocol.md has it", async () => {
  const operators = ["alice"];
  await using room = await Room.open(
    { lookMs: 1 },
    new MemoryLog({ keep: 2 }),
    { operators },
  );
  const lines = code("A conversation in JSON");
  await replay(lines, room, (visitor) => new Bot(visitor).heard());
});

/** The frames that a client sends. That these are all is checked with the types. */
const REQUESTS: Record<Parameters<typeof write>[0]["type"], true> = {
  hello: true,
  say: true,
  tell: true,
  reply: true,
  join: true,
  leave: true,
  nick: true,
  who: true,
  rooms: true,
  history: true,
  register: true,
  login: true,
  password: true,
  unregister: true,
  kick: true,
  ban: true,
  unban: true,
  bans: true,
  mute: true,
  unmute: true,
  slow: true,
  topic: true,
  announce: true,
  reload: true,
  ping: true,
  pong: true,
  quit: true,
};

/** As which frame a program is told of each event, if it is. */
const REPORTS: Record<ChatEvent["type"], string | undefined> = {
  welcome: "welcome",
  message: "message",
  ack: "ack",
  done: "done",
  topic: "topic",
  slow: "slow",
  announced: "announced",
  bans: "bans",
  joined: "joined",
  left: "left",
  offline: "left",
  renamed: "renamed",
  told: "told",
  members: "members",
  rooms: "rooms",
  history: "history",
  gap: "gap",
  anew: "anew",
  ping: "ping",
  pong: "pong",
  refused: "error",
  bye: "bye",
  help: undefined,
  notice: undefined,
};

/** The names of a frame's fields, and of those of the objects in its lists. */
function fields(frame: object): string[] {
  return Object.entries(frame).flatMap(([name, value]) => {
    const items: unknown[] = Array.isArray(value) ? value : [];
    const objects = items.filter((item) =>
      typeof item === "object" && item !== null
    );
    return [name, ...objects.flatMap(fields)];
  });
}

Deno.test("docs/protocol.md has every frame of both directions and no other, and every field and frame of its conversation", () => {
  const directions = [
    ["What a client sends", ">", Object.keys(REQUESTS)],
    [
      "What the server sends",
      "<",
      [...new Set(Object.values(REPORTS))].filter((type) => type),
    ],
  ] as const;
  for (const [heading, arrow, types] of directions) {
    const rows = table(heading);
    assertEquals([...rows.keys()].sort(), [...types].sort(), heading);
    const frames = code("A conversation in JSON")
      .filter((line) => /^\w+(.)/.exec(line)?.[1] === arrow)
      .map((line): Frame => JSON.parse(line.slice(line.indexOf("{"))));
    assertEquals(
      [...new Set(frames.map(({ type }) => type))].sort(),
      [...types].sort(),
    );
    for (const frame of frames) {
      const known = ["type", ...named(rows.get(frame.type)?.[0])];
      if (arrow === ">") known.push("id");
      assertEquals(
        fields(frame).filter((field) => !known.includes(field)),
        [],
        `${heading}: ${frame.type}`,
      );
    }
  }
});

Deno.test("A message is the same wherever it stands in docs/protocol.md", () => {
  const messages = new Map<string, Message>();
  for (const line of code("A conversation in JSON")) {
    if (!/^\w+</.test(line)) continue;
    const event = read(line.slice(line.indexOf("{")));
    const said = event?.type === "message"
      ? [event]
      : event?.type === "history"
      ? event.messages
      : [];
    for (const { room, seq, time, from, text, action } of said) {
      const message = { room, seq, time, from, text, action };
      const key = `${room} ${seq}`;
      assertEquals(message, messages.get(key) ?? message, line);
      messages.set(key, message);
    }
  }
  assert(messages.size > 0);
});

Deno.test("docs/protocol.md has every command that /help lists, and no other", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await ann.send("/help\n");
  const usages = (await ann.heard()).flatMap((line) =>
    /^-- (\/[a-z].*?) {2}/.exec(line)?.[1] ?? []
  );
  assert(usages.length > 0);
  assertEquals(
    ["The text dialect", "Operators"].flatMap((heading) => [
      ...table(heading).keys(),
    ]).filter((key) => key.startsWith("/")).sort(),
    usages.sort(),
  );
});

const say = (text: string, room = "lobby"): Frame => ({
  type: "say",
  id: "x",
  room,
  text,
});

/** What a server with a password says to programs that come with none, and with a wrong one twice. */
const AT_THE_GATE = [
  "password-needed",
  "password-wrong",
  "too-many-tries",
] as const satisfies readonly Refusal["code"][];

/** What is refused so: a frame of somebody called `ann`, or a line. That these are all is checked with the types. */
const REFUSED: Record<
  Exclude<Refusal["code"], typeof AT_THE_GATE[number]>,
  Frame | string
> = {
  "away": { type: "tell", id: "x", to: "bob", text: "psst" },
  "bad-frame": { type: "say", id: "x", text: "hi" },
  "banned": { type: "nick", id: "x", name: "Eve" },
  "confirm": "/password x",
  "hello-expected": { type: "hello", v: 1 },
  "login-wrong": { type: "login", id: "x", name: "cy", password: "wrong" },
  "muted": "hi",
  "name-invalid": { type: "nick", id: "x", name: "a b" },
  "name-owned": { type: "nick", id: "x", name: "CARL" },
  "name-taken": { type: "nick", id: "x", name: "BOB" },
  "name-unknown": { type: "tell", id: "x", to: "ann", text: "psst" },
  "not-operator": { type: "kick", id: "x", name: "bob" },
  "not-registered": { type: "unregister", id: "x" },
  "password-invalid": { type: "register", id: "x", password: "short" },
  "room-invalid": { type: "join", id: "x", room: "you" },
  "room-kept": { type: "leave", id: "x", room: "lobby" },
  "room-unknown": say("hi", "dev"),
  "slow": say("hi", "r1"),
  "storage": say("too much"),
  "too-long": say("x".repeat(1025)),
  "too-many-rooms": { type: "join", id: "x", room: "one-more" },
  "unknown-command": "/whois ann",
  "usage": "/msg ann",
};

Deno.test("docs/protocol.md has every refusal with a reason as the server gives it", async () => {
  const rows = table("Refusals");
  assertEquals(
    [...rows.keys()].sort(),
    [...Object.keys(REFUSED), ...AT_THE_GATE].sort(),
  );
  const log = new MemoryLog();
  const append = log.append.bind(log);
  log.append = (messages) =>
    messages.some(({ text }) => text === "too much")
      ? Promise.reject(new LogError("the disk is full"))
      : append(messages);
  const orders = new MemoryOrders();
  const since = Date.now();
  const ban = { by: "op", since, reason: "spam" };
  await orders.ban([
    { ...ban, kind: "ban", target: "eve" },
    { ...ban, kind: "mute", target: "person" },
  ]);
  await orders.order({ room: "r1", topic: "", slowSeconds: 30 });
  await using room = await Room.open({}, log, { orders, now: () => since });
  using bob = await room.program({ name: "bob", session: "0".repeat(32) });
  await bob.visitor.halfClose();
  assertEquals((await bob.rest()).at(-1)?.["reason"], PEACEFUL.endOfInput);
  using ann = await room.program({ name: "ann" });
  for (let i = 1; i < 20; i++) await ann.send({ type: "join", room: `r${i}` });
  await ann.send(say("hi", "r1"));
  await ann.heard();
  using carl = await room.program({ name: "carl" });
  await carl.send({ type: "register", password: "correct horse" });
  assertEquals((await carl.heard()).at(-1)?.type, "done");
  using person = await room.enter("person");
  await person.heard();
  for (const [code, asked] of Object.entries(REFUSED)) {
    if (asked === "/password x") continue;
    const [reasons = ""] = rows.get(code)!;
    const known = [...reasons.matchAll(/`([^`]+)`/g)].map(([, reason]) =>
      reason!
    );
    const isKnown = (given: string) =>
      known.some((reason) =>
        reason.endsWith("...")
          ? given.startsWith(reason.slice(0, -3))
          : given === reason
      );
    if (typeof asked === "string") {
      await person.send(`${asked}\n`);
      const line = await person.line() ?? "";
      const reason = /^-- refused \((.*?)\): /.exec(line)?.[1] ?? "";
      assert(isKnown(reason), `${code}: ${line}`);
    } else {
      await ann.send(asked);
      const [error] = (await ann.heard()).filter(({ type }) =>
        type === "error"
      );
      assertEquals(error?.["code"], code);
      assert(isKnown(`${error?.["message"]}`), JSON.stringify(error));
    }
  }
});

Deno.test("docs/protocol.md has every refusal of a server with a password, with its reason", async () => {
  const rows = table("Refusals");
  const limits = { maxTries: 1, wrongPasswordMs: 0 };
  const password = new EntryPassword("sesame");
  await using room = await Room.open(limits, undefined, { password });
  using bot = await Bot.connect(room.server.port);
  await bot.send({ type: "hello", v: 1 });
  for (const code of AT_THE_GATE) {
    const error = await bot.frame();
    assertEquals(error?.["code"], code);
    const [, reason = ""] = /`([^`]+)`/.exec(rows.get(code)![0]!) ?? [];
    const [head = ""] = reason.split("...");
    assert(head !== "" && `${error?.["message"]}`.startsWith(head), reason);
    await bot.send({ type: "hello", v: 1, password: "open" });
  }
});

const isSentAway = (reason: string) =>
  Object.values(SENT_AWAY).some((begin) => reason.startsWith(begin));

Deno.test("docs/protocol.md has every last and every peaceful reason to say bye, and says of no other that it is one", () => {
  const final = [...table("How a connection ends")]
    .filter(([, cells]) => cells.at(-1)?.trim() === "no");
  assertEquals(
    final.map(([reason]) => reason).filter((reason) => !isSentAway(reason))
      .sort(),
    Object.values<string>({ ...PEACEFUL, ...FINAL }).sort(),
  );
  for (const begin of Object.values(SENT_AWAY)) {
    assert(final.some(([reason]) => reason.startsWith(begin)), begin);
  }
});

Deno.test("docs/protocol.md has the limits as they are", () => {
  const plain = docs.replace(/\s+/g, " ");
  const number = (amount: number) => amount.toLocaleString("en");
  const {
    maxMessageBytes,
    maxLineBytes,
    maxWaitingBytes,
    maxAnswerBytes,
    replay,
    holdMs,
    maxRooms,
    maxRoomsJoined,
    maxBadFrames,
    directMemoryMs,
    confirmMs,
    firstLineMs,
    partingMs,
    handshakeMs: ____handshake,
    lookCertificateMs: ____certificate,
    acceptPauseMs: _,
    acceptQuietMs: __,
    lookMs: ___,
    maxRefusing: ____,
    maxTriers: _____,
    entryMs,
    wrongPasswordMs,
    maxWrongPasswords,
    registeredOnly,
    maxChecks: ______,
    maxAccounts,
    maxRegistrations,
    registrationsMs,
    maxTries,
    triesMs,
    rate,
    burst,
    maxAnnounced,
    maxConnections,
    maxPerAddress,
    limitLoopback,
    pingMs,
    silentMs,
    stuckMs,
    ...others
  } = DEFAULT_LIMITS;
  assertEquals(others, {}, "limits that this test does not know");
  assert(!limitLoopback && !registeredOnly);
  assertEquals(triesMs, 60_000);
  assertEquals(registrationsMs, 3_600_000);
  // The reason of the bye says so in words.
  assertEquals(maxBadFrames, 10);
  for (
    const phrase of [
      `| ${number(maxMessageBytes)} bytes of UTF-8`,
      `| ${number(maxLineBytes)} bytes; a longer one`,
      `\`a line has at most ${maxLineBytes} bytes\``,
      `| the last ${replay} (\`--replay\`); 1 to ${number(MAX_HISTORY)} |`,
      `you get the last ${replay} up to`,
      `| ${number(maxRooms)} with somebody in them; ${maxRoomsJoined} for one`,
      `| ${MAX_LISTED} members, or none if they are more; the first ${MAX_LISTED} `,
      `| ${burst} at once, then ${rate} a second (\`--burst\`, \`--rate\`)`,
      `| ${number(maxConnections)} in all (\`--max-connections\`), ` +
      `${maxPerAddress} from one address`,
      `| ${maxRegistrations} an hour from one address, ${
        number(maxAccounts)
      } in all`,
      `| ${maxTries} a minute from one address`,
      `answered after ${wrongPasswordMs / 1000} s; ${maxWrongPasswords} end`,
      `| for ${entryMs / 1000} s;`,
      `| in rooms of up to ${maxAnnounced} members (\`--max-announced\`)`,
      `after ${pingMs / 1000} s of silence`,
      `after ${silentMs / 1000} s of silence`,
      `for ${stuckMs / 1000} s`,
      `| ${number(maxAnswerBytes)} bytes; then`,
      `| ${number(maxWaitingBytes)} bytes, left`,
      `\`more than ${maxWaitingBytes} bytes wait`,
      `| ${directMemoryMs / 60_000} minutes, `,
      `again within ${confirmMs / 1000} s`,
      `after ${firstLineMs} ms of silence`,
      `name and rooms for ${holdMs / 1000} s,`,
      `waits up to ${partingMs / 1000} s for`,
      `A name has 1 to ${MAX_NAME_LENGTH} letters`,
      `keep at most ${number(MAX_UNACKNOWLEDGED)} of them`,
    ]
  ) {
    assert(plain.includes(phrase), phrase);
  }
});
