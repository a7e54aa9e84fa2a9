// deno-lint-ignore-file no-console -- an entry file prints
/**
 * The pictures in docs/: short conversations with a real server and the real client at a terminal, the same each
 * time. Must not know how a picture is drawn.
 */

import { failure, parseFlags } from "../lib/flags.ts";
import { MemoryLog } from "../lib/server/log.ts";
import { Desk, noDesk } from "../tests/desk.ts";
import { Room } from "../tests/fixtures.ts";
import { pictureOf } from "./picture.ts";

/** A picture, and what has to happen before it is taken. */
interface Picture {
  file: string;
  title: string;
  play(take: (alice: Desk) => Promise<void>): Promise<void>;
}

const PICTURES: readonly Picture[] = [
  { file: "terminal.svg", title: "A conversation in chat-client", play: talk },
  {
    file: "lost_connection.svg",
    title: "chat-client without a connection",
    play: loseConnection,
  },
];

async function main(args: readonly string[]): Promise<void> {
  const parsed = parseFlags({
    name: "deno task screenshot",
    usage: "[FOLDER]",
    about: "Puts pictures of chat-client into a folder; docs by default.",
    maxOperands: 1,
    flags: {},
  }, args);
  if ("print" in parsed) return console.log(parsed.print);
  if (noDesk) {
    throw new Error(`there is no terminal to take pictures of: ${noDesk}`);
  }
  const [folder = "docs"] = parsed.operands;
  for (const { file, title, play } of PICTURES) {
    const path = `${folder}/${file}`;
    await play(async ({ glass }) => {
      const shown = { cells: glass.cells(), cursor: glass.cursor() };
      await Deno.writeTextFile(path, pictureOf(shown, title));
    });
    console.log(path);
  }
}

/** Something of all that one sees while people talk. */
async function talk(take: (alice: Desk) => Promise<void>): Promise<void> {
  setClock("2026-03-02T18:40Z");
  await using room = await openRoom();
  using bob = await room.enter("bob");
  using carol = await room.enter("carol");
  using kim = await room.enter("kim");
  await kim.send("/join dev\n");
  await kim.heard();
  await bob.send("the new disk goes into the NAS tonight\n");
  await bob.heard();
  setClock("2026-03-02T18:41Z");
  await carol.send("then I copy all my photos to it before that\n");
  await carol.heard();

  setClock("2026-03-03T14:02Z");
  await using alice = alicesDesk(room);
  await shows(alice, "-- now");
  await alice.type("/join dev\r");
  await shows(alice, "-- you are in dev; 1 other is here");
  // Alt-1.
  await alice.type("\x1b1");
  await shows(alice, "-- you are in lobby");
  using nas = await room.enter("nas");
  using yuki = await room.enter("yuki");
  await carol.send("/quit\n");
  await carol.rest();
  await shows(alice, "-- nas, yuki entered; carol is offline");

  setClock("2026-03-03T14:03Z");
  await nas.send(
    "backup finished: 41 GB in 3 hours, no errors; what was left out, and why, is listed in https://nas.example/2026-03-03.html\n",
  );
  await shows(alice, "<nas> backup finished");
  setClock("2026-03-03T14:04Z");
  await bob.send("alice, are carol's photos in it?\n");
  await shows(alice, "<bob> alice, are");
  setClock("2026-03-03T14:05Z");
  await alice.type("all of them, and they are wonderful\r");
  await shows(alice, "<alice> all of them, and they are wonderful");
  await yuki.send("写真をありがとう！ I am looking at them already\n");
  await shows(alice, "<yuki> 写真をありがとう！");
  setClock("2026-03-03T14:07Z");
  await bob.send("/me is on the train, with nothing but telnet\n");
  await shows(alice, "* bob is on the train");
  await bob.send("/msg alice carol has her birthday on Friday\n");
  await shows(alice, "[bob -> you] carol has");
  await kim.send("the parser is done\nalice, do you look at it?\n");
  await alice.untilLast("lobby alice [2 dev:2!]>");
  // Ctrl-L: the program that started the client has written to the screen, too.
  await alice.type("\x0c");
  await alice.type("I could bake a ca");
  await endsIn(alice, "lobby alice [2 dev:2!]> I could bake a ca");
  await take(alice);
}

/** The server is stopped, and alice goes on. */
async function loseConnection(
  take: (alice: Desk) => Promise<void>,
): Promise<void> {
  setClock("2026-03-03T21:30Z");
  await using room = await openRoom();
  await using alice = alicesDesk(room);
  await shows(alice, "-- welcome, you are alice");
  using bob = await room.enter("bob");
  await bob.send("I move the server to the new disk, back in a minute\n");
  await shows(alice, "<bob> I move");
  const stopped = room.server.stop();
  await alice.untilLast("lobby alice (next try in 1 s)>");
  await alice.type("take your time, bob\rI write on meanwhile\r");
  await alice.type("\x0cnothing of it is lo");
  await endsIn(
    alice,
    "lobby alice (next try in 1 s, 2 lines wait)> nothing of it is lo",
  );
  await take(alice);
  bob.close();
  await stopped;
}

/** From now on this is the time, for the server and for clients that come. */
function setClock(time: string): void {
  const now = Date.parse(time);
  Date.now = () => now;
}

function openRoom(): Promise<Room> {
  return Room.open({}, new MemoryLog({ now: () => Date.now() }));
}

/** Alice comes into a room; for her the time stays what it is now. */
function alicesDesk(room: Room): Desk {
  return Desk.client(room.server.port, {
    columns: 84,
    rows: 20,
    flags: ["--name", "alice"],
    env: { NO_COLOR: "", TZ: "UTC", CHAT_NOW: String(Date.now()) },
    entry: "scripts/screenshot_client.ts",
  });
}

/** Waits until a line is shown that begins so, after its time. */
async function shows(desk: Desk, text: string): Promise<void> {
  await desk.until((lines) =>
    lines.some((line) => line.startsWith(`00:00 ${text}`))
  );
}

/** Waits until the last row is this, and the cursor behind it. */
async function endsIn(desk: Desk, row: string): Promise<void> {
  await desk.until(() =>
    desk.lastRow === row && desk.glass.cursor()[0] === row.length
  );
}

function fail(error: unknown): number {
  const { line, code } = failure(error);
  console.error(`screenshot: ${line}`);
  return code;
}

Deno.chdir(`${import.meta.dirname}/..`);
Deno.exit(await main(Deno.args).then(() => 0, fail));
