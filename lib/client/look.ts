/**
 * How things look in a terminal: times, colours, and text wrapped by words under itself. Pure; knows widths and
 * colours, but no cursor.
 */

// @ts-types="../std/colors.d.ts"
import { bold, dim, inverse, rgb8 } from "@std/fmt/colors";
import stringWidth from "string-width";
import { type ChatEvent, type Message, nameKey } from "../message.ts";
import { render } from "../wire/text.ts";
import { graphemes } from "./input_line.ts";
import { type Item, mention } from "./talk.ts";

/** What makes a terminal ring. */
export const BELL = "\x07";

/** Something that is shown, whatever the width. */
export interface Paragraph {
  /** When it happened, in ms since 1970. */
  time: number;
  /** What stands before the text, such as `<bob> `. */
  lead: string;
  /** Whose name is in the lead. */
  name?: string;
  text: string;
  /** Whether it was said at this end. */
  isOwn?: boolean;
  /** Whether it is of little importance. */
  isFaint?: boolean;
  /** Whether nobody else sees it. */
  isPrivate?: boolean;
  /** The name that is to be found in the text. */
  mentioned?: string;
}

/**
 * Colours of the 256 that have a contrast of at least 4:1 with white and with black, and are far enough from
 * grey. tests/look_test.ts computes that.
 */
export const NAME_COLORS: readonly number[] = [
  ...[27, 28, 29, 30, 31, 62, 63, 64, 97, 98],
  ...[99, 129, 130, 131, 132, 133, 161, 162, 163, 164],
];

/** Which of {@linkcode NAME_COLORS} a name has: always the same, in whichever case it is written. */
export function colorOf(name: string): number {
  // FNV-1a, 32 bits.
  let hash = 0x811c9dc5;
  for (const character of nameKey(name)) {
    hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193);
  }
  return NAME_COLORS[(hash >>> 0) % NAME_COLORS.length]!;
}

/** A name in its colour. */
export function inColor(name: string): string {
  return rgb8(name, colorOf(name));
}

/**
 * What an item looks like; what was said earlier is several.
 *
 * @param now in ms since 1970
 * @param name what one is called oneself
 */
export function paragraphs(item: Item, now: number, name: string): Paragraph[] {
  switch (item.type) {
    case "note":
      return [note(item.text, now)];
    case "room":
      return [note(`you are in ${item.room}`, now)];
    case "line": {
      const { text, isOwn, calls } = item;
      const mentioned = calls ? { mentioned: name } : {};
      return [{
        time: now,
        lead: isOwn ? "> " : "",
        text,
        isOwn,
        ...mentioned,
      }];
    }
    case "event": {
      const { event, isOwn } = item;
      if (event.type === "history") return earlier(event, now, name);
      if (event.type === "message") return [said(event, isOwn, name)];
      if (event.type === "told") return [told(event)];
      return render(event).split("\n").slice(0, -1).map((line) =>
        note(line.replace(/^-- /, ""), now)
      );
    }
  }
}

/** What stands before something that somebody says, or does. */
export function leadOfSaid(name: string, isAction: boolean): string {
  return isAction ? `* ${name} ` : `<${name}> `;
}

/** What stands before something that one has told somebody. */
export function leadToSomebody(name: string): string {
  return `[you -> ${name}] `;
}

/** What this end, or the server, has to say. */
export function note(text: string, time: number): Paragraph {
  return { time, lead: "-- ", text };
}

/** A paragraph in rows for a terminal that is so many cells wide. */
export function layout(paragraph: Paragraph, columns: number): string[] {
  const { time, isFaint } = paragraph;
  const lead = expanded(paragraph.lead);
  const stamp = `${clock(time)} `;
  const first = stringWidth(stamp) + stringWidth(lead);
  // A long name must not leave a column of single letters.
  const indent = first <= columns / 2 ? first : Math.min(6, columns >> 2);
  const text = expanded(paragraph.text);
  const [head = "", ...others] = wrap(text, columns - first, columns - indent);
  const rows = [
    `${dim(stamp)}${expanded(paintLead(paragraph))}${paint(head, paragraph)}`,
    ...others.map((row) => `${" ".repeat(indent)}${paint(row, paragraph)}`),
  ];
  return isFaint ? rows.map(dim) : rows;
}

/** A tab would move the cursor by who knows how much. */
function expanded(text: string): string {
  return text.replaceAll("\t", "    ");
}

/** The hour and the minute of a time in ms since 1970, such as `14:03`. */
export function clock(time: number): string {
  const date = new Date(time);
  return [date.getHours(), date.getMinutes()]
    .map((number) => String(number).padStart(2, "0")).join(":");
}

const WEEKDAY = new Intl.DateTimeFormat("en", { weekday: "long" });

/** The day of a time in ms since 1970, such as `Monday, 2026-11-23`. */
export function dayOf(time: number): string {
  const date = new Date(time);
  const numbers = [date.getMonth() + 1, date.getDate()]
    .map((number) => String(number).padStart(2, "0"));
  return `${WEEKDAY.format(date)}, ${
    [date.getFullYear(), ...numbers].join("-")
  }`;
}

function said(
  { from, text, action, time }: Message,
  isOwn: boolean,
  me: string,
): Paragraph {
  const lead = leadOfSaid(from, action);
  const mentioned = isOwn ? {} : { mentioned: me };
  return { time, lead, name: from, text, isOwn, ...mentioned };
}

function told(
  { from, to, text, time, own }: ChatEvent & { type: "told" },
): Paragraph {
  const [lead, name] = own
    ? [leadToSomebody(to), to]
    : [`[${from} -> you] `, from];
  return { time, lead, name, text, isOwn: own, isPrivate: true };
}

function earlier(
  { messages, total, more, time }: ChatEvent & { type: "history" },
  now: number,
  me: string,
): Paragraph[] {
  if (total === 0) return [note("no earlier messages", now)];
  const begin = messages[0]?.time ?? time;
  const count = `${total} earlier ${total === 1 ? "message" : "messages"}`;
  return [
    ...(total === undefined ? [] : [note(count, begin)]),
    ...messages.map((message) => said(message, false, me)),
    ...(more ? [] : [note("now", now)]),
  ];
}

function paintLead(
  { lead, name, isOwn, isPrivate }: Paragraph,
): string {
  if (name === undefined) return lead;
  if (isOwn && !isPrivate) return bold(lead);
  // The name may also be a part of `you`, or of the arrow.
  const at = isOwn ? lead.lastIndexOf(name) : lead.indexOf(name);
  const rest = lead.slice(at + name.length);
  const painted = `${lead.slice(0, at)}${inColor(name)}${rest}`;
  return isPrivate ? bold(painted) : painted;
}

function paint(row: string, { mentioned }: Paragraph): string {
  return mentioned
    ? row.replace(mention(mentioned), (name) => bold(inverse(name)))
    : row;
}

/** A letter of a script that is written without blanks. */
const WIDE = String.raw`\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}`;

/** What a row may end between: blanks, links, wide letters with what must not begin a row after them, and words. */
const PIECE = new RegExp(
  [
    String.raw`\s+`,
    String.raw`(?<link>[^\s${WIDE}]*[a-z0-9]://\S+)`,
    String.raw`[${WIDE}][\p{M}\p{Lm}\p{Po}\p{Pe}\p{Pf}]*`,
    String.raw`[^\s${WIDE}]+`,
  ].join("|"),
  "giu",
);

/**
 * Wraps a text by words. A link is never divided: if it is longer than a row, the terminal wraps it, and it can
 * still be copied. Other words that are longer than a row are divided where it ends; wide letters, which are
 * written without blanks, between any two of them.
 *
 * @param first how many cells the first row has, not more than the others
 * @param others how many the others have
 */
export function wrap(text: string, first: number, others: number): string[] {
  const rows = [""];
  const most = Math.max(1, others);
  let left = first;
  const begin = () => {
    rows.push("");
    left = most;
  };
  const put = (piece: string, cells: number) => {
    rows[rows.length - 1] += piece;
    left -= cells;
  };
  for (const [piece, link] of text.matchAll(PIECE)) {
    const cells = stringWidth(piece);
    if (cells <= left) put(piece, cells);
    else if (piece.trim() === "") left = 0;
    else {
      if (left < most) begin();
      if (cells <= left || link) put(piece, cells);
      else {
        for (const character of graphemes(piece)) {
          const width = stringWidth(character);
          if (width > left && rows.at(-1) !== "") begin();
          put(character, width);
        }
      }
    }
  }
  return rows.map((row) => row.trimEnd());
}
