/**
 * The text dialect: what people with telnet, netcat or any line-based program write and read. Pure: a line
 * gives a command, an event gives lines. Knows no socket and no hub.
 */

import {
  type ChatEvent,
  type Command,
  MAX_MEMBERS_LISTED,
  PEACEFUL,
  type Refusal,
} from "../message.ts";

interface TextCommand {
  name: string;
  argument?: string;
  help: string;
  command(argument: string, ref: string): Command;
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
    name: "who",
    help: "who is here",
    command: (_, ref) => ({ type: "who", ref }),
  },
  {
    name: "help",
    help: "this list",
    command: (_, ref) => ({ type: "help", ref }),
  },
  { name: "quit", help: "leave", command: (_, ref) => ({ type: "quit", ref }) },
];

/** What a clean line asks for; a blank line asks for nothing. */
export function parse(line: string): Command | Refusal | undefined {
  if (line.trim() === "") return undefined;
  if (line.startsWith("//")) {
    return { type: "say", text: line.slice(1), action: false, ref: line };
  }
  if (!line.startsWith("/")) {
    return { type: "say", text: line, action: false, ref: line };
  }

  const [, word = "", rest = ""] = /^\/(\S*)\s*(.*)$/su.exec(line) ?? [];
  const command = COMMANDS.find(({ name }) => name === word.toLowerCase());
  if (!command) {
    return refuse("unknown-command", "unknown command, /help lists them", line);
  }
  const argument = rest.trimEnd();
  if (command.argument && argument === "") {
    return refuse("usage", `usage: ${usage(command)}`, line);
  }
  return command.command(argument, line);
}

/** An event as lines that end in LF. */
export function render(event: ChatEvent): string {
  return lines(event).map((line) => `${line}\n`).join("");
}

/** An event as lines that end in CR LF, as telnet wants them. */
export function renderTelnet(event: ChatEvent): string {
  return lines(event).map((line) => `${line}\r\n`).join("");
}

/** The name that a server's welcome gives, or `undefined` if the line is no welcome. */
export function readWelcome(line: string): string | undefined {
  return /^-- welcome, you are ([^;]+);/.exec(line)?.[1];
}

/** The reason and the line of a refusal, or `undefined` if the line is none. No other member can imitate one. */
export function readRefusal(
  line: string,
): { reason: string; ref: string } | undefined {
  const [, reason, ref] = /^-- refused \((.*?)\): (.*)$/su.exec(line) ?? [];
  return reason !== undefined && ref !== undefined
    ? { reason, ref }
    : undefined;
}

/** Why the server closes, and whether it has taken all that was said; `undefined` if the line is no farewell. */
export function readBye(
  line: string,
): { reason: string; peaceful: boolean } | undefined {
  const reason = /^-- bye: (.*)$/su.exec(line)?.[1];
  if (reason === undefined) return undefined;
  return { reason, peaceful: Object.values<string>(PEACEFUL).includes(reason) };
}

/** Who is called what now, or `undefined` if the line does not say so. */
export function readRename(
  line: string,
): { from: string; to: string } | undefined {
  const [, from, to] = /^\[([^\]]+)\] is now \[([^\]]+)\]$/u.exec(line) ?? [];
  return from !== undefined && to !== undefined ? { from, to } : undefined;
}

function lines(event: ChatEvent): string[] {
  switch (event.type) {
    case "joined":
      return [`[${event.name}] entered room`];
    case "offline":
      return [`[${event.name}] is offline`];
    case "message":
      return [
        event.action
          ? `* ${event.from} ${event.text}`
          : `<${event.from}> ${event.text}`,
      ];
    case "renamed":
      return [`[${event.from}] is now [${event.to}]`];
    case "welcome":
      return [
        `-- welcome, you are ${event.name}; ${
          others(event.others)
        }; /help lists the commands`,
      ];
    case "members":
      return [
        event.count > MAX_MEMBERS_LISTED
          ? `-- ${event.count} here, too many to list`
          : `-- ${event.count} here: ${event.names.join(", ")}`,
      ];
    case "help":
      return help();
    case "bye":
      return [`-- bye: ${event.reason}`];
    case "refused":
      return [`-- refused (${event.reason}): ${shorten(event.ref)}`];
  }
}

function others(count: number): string {
  if (count === 0) return "nobody else is here";
  return count === 1 ? "1 other is here" : `${count} others are here`;
}

function help(): string[] {
  const rows = [
    ...COMMANDS.map((command) => [usage(command), command.help] as const),
    ["//TEXT", "say a line that begins with a slash"] as const,
  ];
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `-- ${left.padEnd(width)}  ${right}`);
}

function usage(command: TextCommand): string {
  return command.argument
    ? `/${command.name} ${command.argument}`
    : `/${command.name}`;
}

function refuse(code: Refusal["code"], reason: string, ref: string): Refusal {
  return { type: "refused", code, reason, ref };
}

/** Enough of a line to recognise it by. */
function shorten(line: string): string {
  const characters = [...line];
  return characters.length > 60 ? `${characters.slice(0, 60).join("")}…` : line;
}
