/**
 * The JSON dialect: what chat-client and other programs write and read, one object a line. Pure: each frame
 * has one schema, by which the server reads it and the client writes it, or the other way round. Knows no
 * socket and no hub.
 */

import * as v from "valibot";
import {
  type Ban,
  type ChatEvent,
  clean,
  type Command,
  type Hello,
  MAX_BAN_SECONDS,
  MAX_HISTORY,
  MAX_PASSWORD_LENGTH,
  MAX_SLOW_SECONDS,
  type Message,
  type Refusal,
  type Since,
} from "../message.ts";

/** What a client sends. */
type Request = Sent<v.InferInput<typeof REQUESTS[keyof typeof REQUESTS]>>;

/** What a server sends. */
type Report = Sent<v.InferInput<typeof REPORTS[keyof typeof REPORTS]>>;

/** Frames are written from what may not be changed. */
type Sent<T> = T extends object ? { readonly [K in keyof T]: Sent<T[K]> } : T;

const VERSION = 1;

/** The codes that are known here. A newer server may have others. */
const CODES: Readonly<Record<Refusal["code"], true>> = {
  "away": true,
  "bad-frame": true,
  "banned": true,
  "confirm": true,
  "hello-expected": true,
  "login-wrong": true,
  "muted": true,
  "name-invalid": true,
  "name-owned": true,
  "name-taken": true,
  "name-unknown": true,
  "not-registered": true,
  "password-invalid": true,
  "not-operator": true,
  "password-needed": true,
  "password-wrong": true,
  "room-invalid": true,
  "room-kept": true,
  "room-unknown": true,
  "slow": true,
  "storage": true,
  "too-long": true,
  "too-many-rooms": true,
  "too-many-tries": true,
  "unknown-command": true,
  "usage": true,
};

// The client does nothing of its own on this one but to show the reason.
const UNKNOWN_CODE = "usage";

/** Escapes can hold what was removed from the line that they came in. */
function plain(text: string): string {
  return clean(text).toWellFormed();
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function object<const E extends v.ObjectEntries>(
  entries: E,
): v.ObjectSchema<E, (issue: v.ObjectIssue) => string> {
  return v.object(
    entries,
    (issue) =>
      issue.expected === "Object" ? "it is not an object" : "it is missing",
  );
}

const string = v.string("it is not a string");
const flag = v.exactOptional(v.boolean("it is not true or false"), false);
const word = v.pipe(string, v.transform(plain));

const id = v.exactOptional(v.pipe(
  string,
  v.regex(
    /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,64}$/u,
    "an id has 1 to 64 characters, all of them visible",
  ),
));

const version = v.literal(VERSION, `the version here is ${VERSION}`);

const oneLine = v.regex(/^[^\n\r\u2028\u2029]*$/, "a message is one line");

const text = v.pipe(
  string,
  oneLine,
  v.transform(plain),
  v.regex(/\S/, "a message is not blank"),
);

const whole = v.pipe(
  v.number("it is not a number"),
  v.safeInteger("it is not a whole number"),
  v.minValue(0, "it is less than 0"),
);

const limit = v.pipe(
  whole,
  v.minValue(1, "it is less than 1"),
  v.maxValue(MAX_HISTORY, `it is more than ${MAX_HISTORY}`),
);

const time = v.pipe(
  string,
  v.isoTimestamp("it is no time"),
  v.transform(Date.parse),
  // It knows fewer forms than the check before it, and gives NaN for the others.
  v.number("it is no time"),
);

const list = <const T extends v.GenericSchema>(item: T) =>
  v.array(item, "it is not a list");

const seq = v.pipe(whole, v.transform((seq): Since => ({ seq })));
const place = object({ log: v.exactOptional(word), seq: whole });
const placeOrSeq = v.lazy((value) => typeof value === "number" ? seq : place);

// Rooms have any names, such as `constructor`, which records of valibot leave out, and `__proto__`.
const since = v.pipe(
  v.custom<Readonly<Record<string, Since | number>>>(
    isObject,
    "it is not an object",
  ),
  v.transform((rooms) => new Map<unknown, unknown>(Object.entries(rooms))),
  v.map(word, placeOrSeq),
  v.transform((rooms): Record<string, Since> => {
    const record: Record<string, Since> = Object.create(null);
    for (const [room, since] of rooms) record[room] = since;
    return record;
  }),
);

const session = v.pipe(
  string,
  v.regex(/^[0-9a-f]{32}$/i, "it is not 32 hexadecimal digits"),
  v.toLowerCase(),
);

// What is wrong with it never says what it is.
const password = v.pipe(
  word,
  v.check(
    (text) => text !== "" && [...text].length <= MAX_PASSWORD_LENGTH,
    `a password has 1 to ${MAX_PASSWORD_LENGTH} characters`,
  ),
);
/** What lasts so many seconds, or for good. */
const lasting = <const T extends "ban" | "mute">(type: T) =>
  v.pipe(
    object({
      type: v.literal(type),
      id,
      target: word,
      seconds: v.exactOptional(v.pipe(
        whole,
        v.minValue(1, "it is less than 1"),
        v.maxValue(MAX_BAN_SECONDS, `it is more than ${MAX_BAN_SECONDS}`),
      )),
      reason: v.exactOptional(word),
    }),
    v.transform(({ seconds, ...asked }) => ({
      ...asked,
      ...(seconds !== undefined && { ms: 1000 * seconds }),
    })),
  );

/** A frame that a client sends, by its type. */
const REQUESTS = {
  hello: object({
    type: v.literal("hello"),
    v: version,
    name: v.exactOptional(word),
    password: v.exactOptional(password),
    login: v.exactOptional(password),
    session: v.exactOptional(session),
    since: v.exactOptional(since),
  }),
  say: object({ type: v.literal("say"), id, room: word, text, action: flag }),
  tell: object({ type: v.literal("tell"), id, to: word, text }),
  reply: object({ type: v.literal("reply"), id, to: word, text }),
  join: object({ type: v.literal("join"), id, room: word }),
  leave: object({ type: v.literal("leave"), id, room: word }),
  nick: object({ type: v.literal("nick"), id, name: word }),
  who: object({ type: v.literal("who"), id, room: word }),
  rooms: object({ type: v.literal("rooms"), id }),
  history: object({
    type: v.literal("history"),
    id,
    room: word,
    before: v.exactOptional(whole),
    limit: v.exactOptional(limit),
  }),
  register: object({ type: v.literal("register"), id, password }),
  login: object({ type: v.literal("login"), id, name: word, password }),
  password: object({ type: v.literal("password"), id, password }),
  unregister: object({ type: v.literal("unregister"), id }),
  ping: object({ type: v.literal("ping"), id }),
  pong: object({ type: v.literal("pong"), id }),
  quit: object({ type: v.literal("quit"), id }),
  kick: object({
    type: v.literal("kick"),
    id,
    name: word,
    reason: v.exactOptional(word),
  }),
  ban: lasting("ban"),
  mute: lasting("mute"),
  unban: object({ type: v.literal("unban"), id, target: word }),
  unmute: object({ type: v.literal("unmute"), id, target: word }),
  bans: object({ type: v.literal("bans"), id }),
  slow: object({
    type: v.literal("slow"),
    id,
    room: word,
    seconds: v.pipe(
      whole,
      v.maxValue(MAX_SLOW_SECONDS, `it is more than ${MAX_SLOW_SECONDS}`),
    ),
  }),
  topic: object({
    type: v.literal("topic"),
    id,
    room: word,
    text: v.exactOptional(v.pipe(string, oneLine, v.transform(plain))),
  }),
  announce: object({ type: v.literal("announce"), id, text }),
  reload: object({ type: v.literal("reload"), id }),
};

/** What a room's log has of one message. */
const message = { seq: whole, time, from: word, text: word, action: flag };

const state = {
  log: word,
  seq: whole,
  count: whole,
  members: v.exactOptional(list(word)),
  topic: v.exactOptional(word),
};

const joined = object({ type: v.literal("joined"), room: word, name: word });
const youJoined = v.pipe(
  object({ ...joined.entries, ...state }),
  v.transform(({ type, name, ...state }) => ({
    type,
    room: state.room,
    name,
    state,
  })),
);

/** A frame that a server sends, by its type, and how it becomes an event. */
const REPORTS = {
  welcome: v.pipe(
    object({
      type: v.literal("welcome"),
      v: version,
      name: word,
      server: word,
      rooms: list(object({ room: word, ...state })),
      motd: v.exactOptional(list(word)),
    }),
    v.transform(({ v: _, ...event }) => event),
  ),
  message: object({ type: v.literal("message"), room: word, ...message }),
  ack: v.pipe(
    object({ type: v.literal("ack"), id, seq: v.exactOptional(whole) }),
    v.transform(({ id = "", ...event }) => ({ ...event, ref: id })),
  ),
  done: v.pipe(
    object({ type: v.literal("done"), message: word, id }),
    v.transform(({ type, message, id = "" }) => ({
      type,
      text: message,
      ref: id,
    })),
  ),
  joined: v.lazy((frame) =>
    isObject(frame) && "log" in frame ? youJoined : joined
  ),
  left: v.pipe(
    object({ type: v.literal("left"), room: word, name: word, offline: flag }),
    v.transform(({ room, name, offline }) => ({
      type: offline ? "offline" as const : "left" as const,
      room,
      name,
    })),
  ),
  renamed: object({
    type: v.literal("renamed"),
    room: word,
    from: word,
    to: word,
  }),
  told: v.pipe(
    object({ type: v.literal("told"), from: word, to: word, text: word, time }),
    v.transform((event) => ({ ...event, own: false })),
  ),
  members: v.pipe(
    object({
      type: v.literal("members"),
      room: word,
      count: whole,
      members: list(word),
      more: flag,
    }),
    v.transform(({ members, ...event }) => ({ ...event, names: members })),
  ),
  rooms: object({
    type: v.literal("rooms"),
    count: whole,
    rooms: list(object({ room: word, count: whole })),
    more: flag,
  }),
  history: v.pipe(
    object({
      type: v.literal("history"),
      room: word,
      time,
      messages: list(object(message)),
      total: v.exactOptional(whole),
      more: flag,
    }),
    v.transform((event) => ({
      ...event,
      messages: event.messages.map((message) => ({
        room: event.room,
        ...message,
      })),
    })),
  ),
  gap: object({ type: v.literal("gap"), room: word, from: whole, to: whole }),
  anew: object({ type: v.literal("anew"), room: word, log: word }),
  ping: object({ type: v.literal("ping") }),
  pong: v.pipe(
    object({ type: v.literal("pong"), id }),
    v.transform(({ type, id = "" }) => ({ type, ref: id })),
  ),
  topic: object({
    type: v.literal("topic"),
    room: word,
    text: word,
    by: v.exactOptional(word),
  }),
  slow: object({
    type: v.literal("slow"),
    room: word,
    seconds: whole,
    by: word,
  }),
  announced: object({ type: v.literal("announced"), from: word, text: word }),
  bans: object({
    type: v.literal("bans"),
    count: whole,
    bans: list(object({
      kind: v.picklist(["ban", "mute"], "it is neither ban nor mute"),
      target: word,
      with: v.exactOptional(word),
      by: word,
      reason: v.exactOptional(word),
      since: time,
      until: v.exactOptional(time),
    })),
    more: flag,
  }),
  bye: object({ type: v.literal("bye"), reason: word }),
  error: v.pipe(
    object({ type: v.literal("error"), code: string, message: word, id }),
    v.transform(({ code, message, id = "" }): Refusal => ({
      type: "refused",
      code: isCode(code) ? code : UNKNOWN_CODE,
      reason: message,
      ref: id,
    })),
  ),
};

/** The frames that hold a secret. */
const SECRETS: readonly unknown[] = ["hello", "register", "login", "password"];

/**
 * Whether a connection's first line is a hello, so that it speaks this dialect. So is taken what holds a secret and
 * must not be said aloud: a hello that is cut off, and a password that comes before the hello.
 */
export function isHello(line: string): boolean {
  if (!/^\s*\{/.test(line)) return false;
  const type = decode(line)?.type ??
    /^\s*\{\s*"type"\s*:\s*"(\w+)"/.exec(line)?.[1];
  return SECRETS.includes(type);
}

/**
 * What a client's frame asks for. A bad one is refused: the reason names the field, `ref` is the frame's id if
 * that is good.
 */
export function parse(line: string): Command | Hello | Refusal {
  const checked = check(REQUESTS, line);
  if ("fault" in checked) {
    const { fault, ref } = checked;
    return { type: "refused", code: "bad-frame", reason: fault, ref };
  }
  if (checked.frame.type === "hello") {
    const { v: _, ...hello } = checked.frame;
    return hello;
  }
  const { id = "", ...asked } = checked.frame;
  return { ...asked, ref: id };
}

/**
 * What a server's frame tells, for the client; `undefined` if it is of a type that only newer servers have.
 *
 * @throws {SyntaxError} if it is not as the protocol has it; the message names the field
 */
export function read(line: string): ChatEvent | undefined {
  const checked = check(REPORTS, line);
  if ("frame" in checked) return checked.frame;
  if (checked.unknown) return undefined;
  throw new SyntaxError(checked.fault);
}

/** An event as a server's frame, one line with its end; nothing if this dialect does not have it. */
export function render(event: ChatEvent): string {
  const frame = report(event);
  return frame ? `${JSON.stringify(frame)}\n` : "";
}

/**
 * What a client asks for as a frame, one line with its end.
 *
 * @throws {TypeError} if it does not say for which room or to whom, where a frame has to
 */
export function write(
  said: Hello | Exclude<Command, { type: "help" }>,
): string {
  return `${JSON.stringify(request(said))}\n`;
}

/** A line's frame, or what is wrong with it. */
type Checked<T> =
  | { frame: T }
  | { fault: string; ref: string; unknown: boolean };

function check<T extends Readonly<Record<string, v.GenericSchema>>>(
  schemas: T,
  line: string,
): Checked<v.InferOutput<T[keyof T]>> {
  const frame = decode(line);
  const bad = (fault: string, unknown = false) => {
    const { success, output } = v.safeParse(id, frame?.id);
    return { fault, ref: success ? output : "", unknown };
  };
  if (!frame) return bad("a frame is a JSON object");
  const { type } = frame;
  if (type === undefined) return bad('"type": it is missing');
  if (typeof type !== "string") return bad('"type": it is not a string');
  const schema = Object.hasOwn(schemas, type) ? schemas[type] : undefined;
  if (!schema) return bad('"type": there is no frame of this type', true);
  const result = v.safeParse(schema, frame, { abortEarly: true });
  return result.success
    ? { frame: result.output }
    : bad(faultOf(result.issues[0]));
}

function decode(line: string): Record<string, unknown> | undefined {
  try {
    const frame: unknown = JSON.parse(line);
    return isObject(frame) ? frame : undefined;
  } catch {
    return undefined;
  }
}

/** What is wrong, and in which field, whose name may hold whatever a stranger calls a room. */
function faultOf({ path, message }: v.BaseIssue<unknown>): string {
  const field = plain((path ?? []).map(({ key }) => String(key)).join("."));
  return `"${[...field].slice(0, 80).join("")}": ${message}`;
}

function isCode(code: string): code is Refusal["code"] {
  return Object.hasOwn(CODES, code);
}

function request(
  said: Hello | Exclude<Command, { type: "help" }>,
): Request {
  if (said.type === "hello") {
    const { type, ...hello } = said;
    return { type, v: VERSION, ...hello };
  }
  const { ref, ...asked } = said;
  const head = { type: asked.type, ...idOf(ref) };
  switch (asked.type) {
    case "say": {
      const { action, ...rest } = asked;
      const room = roomOf(asked);
      return { ...head, ...rest, room, ...(action && { action }) };
    }
    case "reply": {
      const { to } = asked;
      if (to === undefined) throw new TypeError('"reply" to nobody');
      return { ...head, ...asked, to };
    }
    case "ban":
    case "mute": {
      const { ms, type, ...rest } = asked;
      const seconds = ms === undefined ? undefined : Math.ceil(ms / 1000);
      return { ...head, type, ...rest, ...(seconds && { seconds }) };
    }
    case "leave":
    case "who":
    case "history":
    case "slow":
    case "topic":
      return { ...head, ...asked, room: roomOf(asked) };
    default:
      return { ...head, ...asked };
  }
}

function roomOf({ type, room }: { type: string; room?: string }): string {
  if (room === undefined) throw new TypeError(`"${type}" without a room`);
  return room;
}

function report(event: ChatEvent): Report | undefined {
  const { type } = event;
  switch (type) {
    case "message":
      return { type, room: event.room, ...entry(event) };
    case "ack":
    case "pong": {
      const { type, ref, ...rest } = event;
      return { type, ...idOf(ref), ...rest };
    }
    case "done":
      return { type, message: event.text, ...idOf(event.ref) };
    case "joined": {
      const { room, name, state } = event;
      return { type, room, name, ...state };
    }
    case "left":
      return event;
    case "offline":
      return { ...event, type: "left", offline: true };
    case "told": {
      const { from, to, text, own } = event;
      return own ? undefined : { type, from, to, text, time: iso(event.time) };
    }
    case "welcome": {
      const { type, ...fields } = event;
      return { type, v: VERSION, ...fields };
    }
    case "members": {
      const { room, count, names, more } = event;
      return { type, room, count, members: names, ...(more && { more }) };
    }
    case "rooms": {
      const { count, rooms, more } = event;
      return { type, count, rooms, ...(more && { more }) };
    }
    case "history": {
      const { room, messages, total, more } = event;
      return {
        type,
        room,
        time: iso(event.time),
        messages: messages.map(entry),
        ...(total !== undefined && { total }),
        ...(more && { more }),
      };
    }
    case "refused": {
      const { code, reason, ref } = event;
      return { type: "error", code, message: reason, ...idOf(ref) };
    }
    case "bans": {
      const { count, bans, more } = event;
      return { type, count, bans: bans.map(listed), ...(more && { more }) };
    }
    case "topic":
    case "slow":
    case "announced":
    case "ping":
    case "renamed":
    case "gap":
    case "anew":
    case "bye":
      return event;
    case "help":
    case "notice":
      return undefined;
  }
}

/** A message as it stands in a frame that names the room by itself. */
function entry({ seq, time, from, text, action }: Message) {
  return { seq, time: iso(time), from, text, ...(action && { action }) };
}

/** A ban as it stands in a list. */
function listed({ since, until, ...ban }: Ban) {
  return {
    ...ban,
    since: iso(since),
    ...(until !== undefined && { until: iso(until) }),
  };
}

function idOf(ref: string): { id?: string } {
  return ref === "" ? {} : { id: ref };
}

/** The last time that was written: all that is said in a turn has the same. */
const lastIso = { time: NaN, text: "" };

function iso(time: number): string {
  if (time !== lastIso.time) {
    lastIso.text = new Date(time).toISOString();
    lastIso.time = time;
  }
  return lastIso.text;
}
