/**
 * The text dialect: what people with telnet, netcat or any line-based program write and read. Pure: a line
 * gives a command, an event gives lines. Knows no socket and no hub.
 */

import {
  type Ban,
  type ChatEvent,
  type Command,
  MAX_BAN_SECONDS,
  MAX_HISTORY,
  MAX_LISTED,
  MAX_SLOW_SECONDS,
  type Message,
  type Refusal,
  SOME_HISTORY,
} from "../message.ts";

/** How a command is written. */
export interface Usage {
  name: string;
  argument?: string;
  help: string;
}

interface TextCommand extends Usage {
  /** Whether the command means something without its argument too. */
  optional?: true;
  /** Nothing, if the argument is not as it has to be. */
  command(argument: string, ref: string): Command | undefined;
}

const COMMANDS: readonly TextCommand[] = [
  {
    name: "nick",
    argument: "NAME",
    help: "take another name",
    command: (name, ref) => ({ type: "nick", name, ref }),
  },
  {
    name: "me",
    argument: "TEXT",
    help: "say what you are doing",
    command: (text, ref) => ({ type: "say", text, action: true, ref }),
  },
  {
    name: "msg",
    argument: "NAME TEXT",
    help: "say something to one person only",
    command: (argument, ref) => {
      const [, to, text] = /^(\S+)\s+(.+)$/su.exec(argument) ?? [];
      return to !== undefined && text !== undefined
        ? { type: "tell", to, text, ref }
        : undefined;
    },
  },
  {
    name: "reply",
    argument: "TEXT",
    help: "say something to whoever wrote to you last",
    command: (text, ref) => ({ type: "reply", text, ref }),
  },
  {
    name: "who",
    argument: "[ROOM]",
    optional: true,
    help: "who is here, or in another room",
    command: (room, ref) => ({ type: "who", ...roomOf(room), ref }),
  },
  {
    name: "rooms",
    help: "which rooms there are",
    command: (_, ref) => ({ type: "rooms", ref }),
  },
  {
    name: "join",
    argument: "ROOM",
    help: "go to another room, or make it",
    command: (room, ref) => ({ type: "join", room, ref }),
  },
  {
    name: "leave",
    argument: "[ROOM]",
    optional: true,
    help: "leave the room you are in, or another one",
    command: (room, ref) => ({ type: "leave", ...roomOf(room), ref }),
  },
  {
    name: "history",
    argument: `[1-${MAX_HISTORY}]`,
    optional: true,
    help: `the last messages; ${SOME_HISTORY} if you do not say how many`,
    command: (argument, ref) => {
      const limit = argument === "" ? SOME_HISTORY : Number(argument);
      return /^\d*$/.test(argument) && limit >= 1 && limit <= MAX_HISTORY
        ? { type: "history", limit, ref }
        : undefined;
    },
  },
  {
    name: "register",
    argument: "PASSWORD",
    help: "make the name you have yours",
    command: (password, ref) => ({ type: "register", password, ref }),
  },
  {
    name: "login",
    argument: "NAME PASSWORD",
    help: "take the name that is yours",
    command: (argument, ref) => {
      const [, name, password] = /^(\S+)\s+(.+)$/su.exec(argument) ?? [];
      return name !== undefined && password !== undefined
        ? { type: "login", name, password, ref }
        : undefined;
    },
  },
  {
    name: "password",
    argument: "PASSWORD",
    help: "another password for the name that is yours",
    command: (password, ref) => ({ type: "password", password, ref }),
  },
  {
    name: "unregister",
    help: "give up the name that is yours",
    command: (_, ref) => ({ type: "unregister", ref }),
  },
  {
    name: "help",
    help: "this list",
    command: (_, ref) => ({ type: "help", ref }),
  },
  {
    name: "quit",
    help: "leave the server",
    command: (_, ref) => ({ type: "quit", ref }),
  },
  {
    name: "topic",
    argument: "[TEXT]",
    optional: true,
    help: "what your room is about, which operators say",
    command: (text, ref) => ({
      type: "topic",
      ...(text !== "" && { text: text === "-" ? "" : text }),
      ref,
    }),
  },
  {
    name: "kick",
    argument: "NAME [REASON]",
    help: "operators: send somebody away",
    command: (argument, ref) => {
      const [name, reason] = split(argument);
      return { type: "kick", name, ...(reason && { reason }), ref };
    },
  },
  {
    name: "ban",
    argument: "TARGET [DURATION] [REASON]",
    help: "operators: keep somebody out, for 2h, 7d, or good",
    command: (argument, ref) => lasting("ban", argument, ref),
  },
  {
    name: "unban",
    argument: "TARGET",
    help: "operators: let them in again",
    command: (target, ref) => ({ type: "unban", target, ref }),
  },
  {
    name: "bans",
    help: "operators: who is banned or muted",
    command: (_, ref) => ({ type: "bans", ref }),
  },
  {
    name: "mute",
    argument: "TARGET [DURATION] [REASON]",
    help: "operators: let them read, and not speak",
    command: (argument, ref) => lasting("mute", argument, ref),
  },
  {
    name: "unmute",
    argument: "TARGET",
    help: "operators: let them speak again",
    command: (target, ref) => ({ type: "unmute", target, ref }),
  },
  {
    name: "slow",
    argument: "SECONDS",
    help: "operators: a message of each in so many seconds",
    command: (argument, ref) => {
      const seconds = Number(argument);
      return /^\d{1,9}$/.test(argument) && seconds <= MAX_SLOW_SECONDS
        ? { type: "slow", seconds, ref }
        : undefined;
    },
  },
  {
    name: "announce",
    argument: "TEXT",
    help: "operators: say something in all rooms",
    command: (text, ref) => ({ type: "announce", text, ref }),
  },
  {
    name: "reload",
    help: "operators: read the server's settings again",
    command: (_, ref) => ({ type: "reload", ref }),
  },
];

/** How the commands are written. */
export const USAGES: readonly Usage[] = COMMANDS;

function roomOf(argument: string): { room?: string } {
  return argument === "" ? {} : { room: argument };
}

/**
 * The beginning of a line that may hold a password: also of one that is not quite a command, because somebody has
 * mistyped it, forgotten a blank, or put one before it.
 */
const SECRET = /^\s*\/\s*(?:register|login|password|reg|log|pas)/i;

/** Whether a line may hold a password, so that it is neither shown nor kept, and never said to anybody. */
export function isSecret(line: string): boolean {
  return secretHead(line) !== undefined;
}

/** What may be shown of a line that holds a password. */
function secretHead(line: string): string | undefined {
  // Full-width letters come from keyboards on which people also type passwords.
  return /^\s*[/\uff0f]/.test(line)
    ? SECRET.exec(line.normalize("NFKC"))?.[0].trim()
    : undefined;
}

/** The first word, and what follows it. */
function split(argument: string): [word: string, rest: string] {
  const [, word = "", rest = ""] = /^(\S+)\s*(.*)$/su.exec(argument) ?? [];
  return [word, rest];
}

/** What lasts until it is taken back, or as long as the second word says if that is a duration. */
function lasting(
  type: "ban" | "mute",
  argument: string,
  ref: string,
): Command | undefined {
  const [target, rest] = split(argument);
  const [word, others] = split(rest);
  const seconds = readDuration(word);
  if (seconds === undefined) {
    return { type, target, ...(rest && { reason: rest }), ref };
  }
  return seconds > 0 && seconds <= MAX_BAN_SECONDS
    ? {
      type,
      target,
      ms: 1000 * seconds,
      ...(others && { reason: others }),
      ref,
    }
    : undefined;
}

const SECONDS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 60 * 60,
  d: 24 * 60 * 60,
  w: 7 * 24 * 60 * 60,
};

/** How many seconds `30m`, `2h` or `1d12h` are; nothing, if it is no duration. */
function readDuration(word: string): number | undefined {
  if (!/^(?:\d+[smhdw])+$/i.test(word)) return undefined;
  return Array.from(
    word.toLowerCase().matchAll(/(\d+)(\w)/g),
    ([, amount, unit = ""]) => Number(amount) * (SECONDS[unit] ?? 0),
  ).reduce((all, seconds) => all + seconds);
}

/** What a clean line asks for; a blank line asks for nothing. */
export function parse(line: string): Command | Refusal | undefined {
  if (line.trim() === "") return undefined;
  const secret = secretHead(line);
  if (secret !== undefined && !line.startsWith("/")) {
    const reason = "nothing stands before the slash of a command";
    return refuse("usage", reason, secret);
  }
  if (line.startsWith("//")) {
    return { type: "say", text: line.slice(1), action: false, ref: line };
  }
  if (!line.startsWith("/")) {
    return { type: "say", text: line, action: false, ref: line };
  }

  const ref = secret ?? line;
  const [, word = "", rest = ""] = /^\/(\S*)\s*(.*)$/su.exec(line) ?? [];
  const command = COMMANDS.find(({ name }) => name === word.toLowerCase());
  if (!command) {
    return refuse("unknown-command", "unknown command, /help lists them", ref);
  }
  const argument = rest.trimEnd();
  const isMissing = argument === "" && command.argument && !command.optional;
  return (isMissing ? undefined : command.command(argument, ref)) ??
    refuse("usage", `usage: ${usage(command)}`, ref);
}

/** An event as lines that end in LF. */
export function render(event: ChatEvent): string {
  return lines(event).map((line) => `${line}\n`).join("");
}

/** An event as lines that end in CR LF, as telnet wants them. */
export function renderTelnet(event: ChatEvent): string {
  return lines(event).map((line) => `${line}\r\n`).join("");
}

/** Why the server closes, or `undefined` if the line is no farewell. No other member can imitate one. */
export function readBye(line: string): string | undefined {
  return /^-- bye: (.*)$/su.exec(line)?.[1];
}

function lines(event: ChatEvent): string[] {
  switch (event.type) {
    case "message":
      return [said(event)];
    case "joined":
      return event.state
        ? [
          `-- you are in ${event.room}; ${others(event.state.count - 1)}`,
          ...topicOf(event.state),
        ]
        : [`[${event.name}] entered room`];
    case "left":
      return [`[${event.name}] left room`];
    case "offline":
      return [`[${event.name}] is offline`];
    case "renamed":
      return [`[${event.from}] is now [${event.to}]`];
    case "told":
      return [
        event.own
          ? `[you -> ${event.to}] ${event.text}`
          : `[${event.from} -> you] ${event.text}`,
      ];
    case "welcome":
      return [
        `-- welcome, you are ${event.name}; ${
          others((event.rooms[0]?.count ?? 1) - 1)
        }; /help lists the commands`,
        ...topicOf(event.rooms[0]),
        // Whatever a line of it says, it is not taken for a refusal or a farewell.
        ...(event.motd ?? []).map((line) => `-- | ${line}`.trimEnd()),
      ];
    case "members":
      if (event.count === 0) return ["-- nobody is there"];
      return [
        event.count > MAX_LISTED
          ? `-- ${event.count} here, too many to list`
          : `-- ${event.count} here: ${page(event.names, event.more)}`,
      ];
    case "rooms":
      return [rooms(event)];
    case "history":
      return history(event);
    case "gap": {
      const count = event.to - event.from + 1;
      return [
        `-- ${messages(count)} ${count === 1 ? "is" : "are"} no longer kept`,
      ];
    }
    case "done":
    case "notice":
      return [`-- ${event.text}`];
    case "anew":
      return [`-- the history of ${event.room} has begun anew`];
    case "ack":
    case "ping":
    case "pong":
      return [];
    case "help":
      return describe(HELP);
    case "topic":
      return [event.text ? `-- topic: ${event.text}` : "-- there is no topic"];
    case "slow":
      return [
        event.seconds === 0
          ? `-- ${event.by} lets everybody speak freely again`
          : `-- ${event.by} asks for one message in ${event.seconds} s`,
      ];
    case "announced":
      return [`-- announcement from ${event.from}: ${event.text}`];
    case "bans":
      return event.count === 0
        ? ["-- nobody is banned or muted"]
        : event.bans.map(banned);
    case "bye":
      return [`-- bye: ${event.reason}`];
    case "refused":
      return [
        event.ref === ""
          ? `-- refused (${event.reason})`
          : `-- refused (${event.reason}): ${shorten(event.ref)}`,
      ];
  }
}

/** What a room is about, if that is said. */
function topicOf(state: { topic?: string } | undefined): string[] {
  return state?.topic ? [`-- topic: ${state.topic}`] : [];
}

/** Who is banned or muted, for how long, by whom and why. */
function banned(ban: Ban): string {
  const { kind, target, by, reason, until } = ban;
  const whose = ban.with === undefined ? "" : ` (of ${ban.with})`;
  const end = until === undefined ? "for good" : `until ${dayAndMinute(until)}`;
  return `-- ${kind === "ban" ? "banned" : "muted"}: ${target}${whose}, ` +
    `${end}, by ${by}${reason === undefined ? "" : `: ${reason}`}`;
}

function dayAndMinute(time: number): string {
  const { day, minute } = localTime(time);
  return `${day} ${minute}`;
}

function said({ from, text, action }: Message): string {
  return action ? `* ${from} ${text}` : `<${from}> ${text}`;
}

function rooms({ count, rooms, more }: ChatEvent & { type: "rooms" }): string {
  const listed = page(
    rooms.map(({ room, count }) => `${room} (${count})`),
    more,
  );
  // What the pages before this one have listed is not known here, but that all of them list so many at most.
  const unlisted = more ? 0 : count - Math.max(MAX_LISTED, rooms.length);
  return `-- ${count} ${count === 1 ? "room" : "rooms"}: ${listed}${
    unlisted > 0 ? `, and ${unlisted} more` : ""
  }`;
}

/** A part of a list, and a sign that it goes on in the next line. */
function page(items: readonly string[], more: boolean): string {
  return [...items, ...(more ? ["..."] : [])].join(", ");
}

function history(event: ChatEvent & { type: "history" }): string[] {
  const { total, more } = event;
  if (total === 0) return ["-- no earlier messages"];
  const now = localTime(event.time);
  return [
    ...(total === undefined ? [] : [`-- ${messages(total, "earlier ")}`]),
    ...event.messages.map((message) => {
      const { day, minute } = localTime(message.time);
      const when = day === now.day ? minute : `${day} ${minute}`;
      return `${when} ${said(message)}`;
    }),
    ...(more ? [] : ["-- now"]),
  ];
}

/** When that is where the server is, as `2026-11-22` and `14:03`. */
function localTime(time: number): { day: string; minute: string } {
  const date = new Date(time);
  const two = (number: number) => String(number).padStart(2, "0");
  return {
    day: `${date.getFullYear()}-${two(date.getMonth() + 1)}-${
      two(date.getDate())
    }`,
    minute: `${two(date.getHours())}:${two(date.getMinutes())}`,
  };
}

function messages(count: number, which = ""): string {
  return `${count} ${which}${count === 1 ? "message" : "messages"}`;
}

function others(count: number): string {
  if (count === 0) return "nobody else is here";
  return count === 1 ? "1 other is here" : `${count} others are here`;
}

/** The commands, and what is not quite one, as /help lists them. */
export const HELP: readonly Usage[] = [
  ...COMMANDS,
  { name: "/TEXT", help: "say a line that begins with a slash" },
];

/** A line for each of these commands. */
export function describe(commands: readonly Usage[]): string[] {
  const width = Math.max(...commands.map((command) => usage(command).length));
  return commands.map((command) =>
    `-- ${usage(command).padEnd(width)}  ${command.help}`
  );
}

/** How a command is written, in short. */
export function usage({ name, argument }: Usage): string {
  return argument ? `/${name} ${argument}` : `/${name}`;
}

function refuse(code: Refusal["code"], reason: string, ref: string): Refusal {
  return { type: "refused", code, reason, ref };
}

/** Enough of a line to recognise it by. */
export function shorten(line: string): string {
  const characters = [...line];
  return characters.length > 60 ? `${characters.slice(0, 60).join("")}…` : line;
}
