import {
  type Act,
  Composer,
  type ComposerOptions,
} from "../lib/client/composer.ts";
import { KeyReader } from "../lib/client/keys.ts";
import { assertEquals } from "./assert.ts";

/** A composer that offers these people, where somebody begins to type them, and refuses what has `bad` in it. */
function composing(options: Partial<ComposerOptions> = {}): Composer {
  const people = ["al", "alice", "bob"];
  return new Composer({
    complete(before) {
      const word = /\S*$/.exec(before)?.[0] ?? "";
      return {
        start: before.length - word.length,
        candidates: people.filter((name) => name.startsWith(word))
          .map((name) => `${name} `),
      };
    },
    fault: (lines) =>
      lines.some((line) => line.includes("bad")) ? "too bad" : undefined,
    ...options,
  });
}

/** What is to be done because these keys are pressed. */
function press(composer: Composer, input: string): Act[] {
  return new KeyReader().push(input)
    .flatMap((key) => composer.press(key) ?? []);
}

/** What stands in the line, with `|` where the cursor is, behind what is asked. */
function shown({ question = "", before, after }: Composer): string {
  return `${question}${before.join("")}|${after.join("")}`;
}

/** What stands in the line after these keys, once these lines were sent. */
function typed(sent: readonly string[], input: string): string {
  const composer = composing();
  for (const line of sent) press(composer, `${line}\r`);
  assertEquals(press(composer, input), []);
  return shown(composer);
}

const paste = (text: string) => `\x1b[200~${text}\x1b[201~`;

const LEFT = "\x1b[D",
  UP = "\x1b[A",
  DOWN = "\x1b[B",
  BACK = "\x7f",
  SHIFT_TAB = "\x1b[Z",
  UNDO = "\x1f",
  YANK = "\x19",
  SEARCH = "\x12",
  CANCEL = "\x07",
  INTERRUPT = "\x03",
  ERASE_BEFORE = "\x15";

Deno.test("Composer sends the whole line at Enter, wherever the cursor is, and empties it", () => {
  const composer = composing();
  assertEquals(press(composer, `hi bob${LEFT}\r`), [
    { type: "send", lines: ["hi bob"] },
  ]);
  assertEquals(shown(composer), "|");
  assertEquals(press(composer, `${UNDO}a\n`), [{ type: "send", lines: ["a"] }]);
});

Deno.test("Composer sends nothing for blanks, and removes them", () => {
  const composer = composing();
  assertEquals(press(composer, "\r \u3000 \r"), []);
  assertEquals(shown(composer), "|");
  assertEquals(press(composer, UP), []);
  assertEquals(shown(composer), "|");
});

Deno.test("Composer keeps a line that cannot be sent, and says why", () => {
  const composer = composing();
  assertEquals(press(composer, `so bad${LEFT}\r`), [
    { type: "refuse", reason: "too bad" },
  ]);
  assertEquals(shown(composer), "so ba|d");
  assertEquals(press(composer, `${BACK}${BACK}\r`), [
    { type: "send", lines: ["so d"] },
  ]);
});

Deno.test("Composer asks whether all lines together can be sent", () => {
  const asked: unknown[] = [];
  const composer = composing({
    fault(lines) {
      asked.push(lines);
      return undefined;
    },
  });
  press(composer, `${paste("a\n\n b \n")}\r`);
  assertEquals(asked, [["a", " b "]]);
});

Deno.test("Composer clears the line at Ctrl-C, and says of an empty one how to quit", () => {
  const composer = composing();
  assertEquals(press(composer, `hi bob${LEFT}${INTERRUPT}`), []);
  assertEquals(shown(composer), "|");
  assertEquals(press(composer, INTERRUPT), [{ type: "hint" }]);
  press(composer, UNDO);
  assertEquals(shown(composer), "hi bo|b");
});

Deno.test("Composer quits at Ctrl-D in an empty line, and erases a character in any other", () => {
  const composer = composing();
  assertEquals(press(composer, `ab${LEFT}\x04\x04`), []);
  assertEquals(shown(composer), "a|");
  assertEquals(press(composer, `${BACK}\x04`), [{ type: "quit" }]);
});

Deno.test("Composer goes to rooms, redraws and suspends, and leaves the line alone", () => {
  const composer = composing();
  assertEquals(press(composer, `ab${LEFT}\x1b2\x0c\x1a`), [
    { type: "room", number: 2 },
    { type: "redraw" },
    { type: "suspend" },
  ]);
  assertEquals(shown(composer), "a|b");
});

Deno.test("Composer lets the terminal speak at any time", () => {
  const cursor = "\x1b[1;1R";
  assertEquals(typed(["one"], `a${cursor}b`), "ab|");
  assertEquals(typed(["one"], `${SEARCH}o${cursor}n`), "(search: on) on|e");
  assertEquals(typed([], `a\t${cursor}\t`), "alice |");
  assertEquals(
    typed([], `${paste("1\n2\n3\n4\n5\n6")}\r${cursor}`),
    "send 6 messages? (y/n) 1\n2\n3\n4\n5\n6|",
  );
});

// What was sent before.

Deno.test("Composer recalls what was sent, and keeps what was not", () => {
  const sent = ["one", "two"];
  assertEquals(typed(sent, `draft${UP}`), "two|");
  assertEquals(typed(sent, `draft${UP}${UP}`), "one|");
  assertEquals(typed(sent, `draft${UP}${UP}${UP}`), "one|");
  assertEquals(typed(sent, `draft${UP}${UP}${DOWN}`), "two|");
  assertEquals(typed(sent, `draft${UP}${DOWN}`), "draft|");
  assertEquals(typed(sent, `draft${LEFT}${DOWN}`), "draf|t");
  assertEquals(typed(sent, `draft\x10\x10\x0e`), "two|");
});

Deno.test("Composer keeps what has become of a recalled line, until one is sent", () => {
  const composer = composing();
  press(composer, `one\rtwo\r${UP}${UP}, changed${DOWN}${UP}`);
  assertEquals(shown(composer), "one, changed|");
  assertEquals(press(composer, `${DOWN}!\r`), [
    { type: "send", lines: ["two!"] },
  ]);
  assertEquals(press(composer, `${UP}${UP}${UP}`), []);
  assertEquals(shown(composer), "one|");
});

Deno.test("Composer begins at the last line again after Ctrl-C, and after a line without anything in it", () => {
  const sent = ["one", "two", "three"];
  assertEquals(typed(sent, `${UP}${UP}${INTERRUPT}${UP}`), "three|");
  assertEquals(typed(sent, `${UP}${UP}${INTERRUPT}${DOWN}`), "|");
  assertEquals(typed(sent, `${UP}${UP}${ERASE_BEFORE}\r${UP}`), "three|");
});

Deno.test("Composer undoes that a line was recalled", () => {
  assertEquals(typed(["one"], `draft${LEFT}${UP}${UNDO}`), "draf|t");
});

Deno.test("Composer recalls several lines as they were pasted", () => {
  assertEquals(typed([paste("a\n\nb")], UP), "a\n\nb|");
});

// Searching.

const SENT = ["say hi to bob", "bob is here", "Bob again", "hi"];

Deno.test("Composer searches backwards, and shows the line cut behind what was found", () => {
  assertEquals(typed(SENT, `draft${SEARCH}`), "(search: ) draft|");
  assertEquals(typed(SENT, `draft${SEARCH}b`), "(search: b) B|ob again");
  assertEquals(typed(SENT, `draft${SEARCH}bob `), "(search: bob ) Bob |again");
  assertEquals(
    typed(SENT, `draft${SEARCH}bob i`),
    "(search: bob i) bob i|s here",
  );
});

Deno.test("Composer goes to older lines at each Ctrl-R, and stays at the oldest that has it", () => {
  const search = (times: number) =>
    typed(SENT, `${SEARCH}bob${SEARCH.repeat(times)}`);
  assertEquals(search(1), "(search: bob) bob| is here");
  assertEquals(search(2), "(search: bob) say hi to bob|");
  assertEquals(search(3), "(search: bob) say hi to bob|");
});

Deno.test("Composer stays at what was found while that has what is typed, or else goes on to older lines", () => {
  const older = `${SEARCH}bob${SEARCH}`;
  assertEquals(typed(SENT, `${older} `), "(search: bob ) bob |is here");
  assertEquals(
    typed(["here", "bob hid", ...SENT], `${SEARCH}h${SEARCH}i`),
    "(search: hi) say hi| to bob",
  );
});

Deno.test("Composer finds what only newer lines have, too", () => {
  assertEquals(
    typed(SENT, `${SEARCH}bob${SEARCH} a`),
    "(search: bob a) Bob a|gain",
  );
});

Deno.test("Composer shows what stood there where nothing is found, and says so", () => {
  assertEquals(
    typed(SENT, `dr${LEFT}${SEARCH}bobx`),
    "(search, nothing has: bobx) d|r",
  );
  assertEquals(
    typed(SENT, `dr${LEFT}${SEARCH}bobx${SEARCH}`),
    "(search, nothing has: bobx) d|r",
  );
  assertEquals(
    typed(SENT, `dr${LEFT}${SEARCH}bobx${BACK}`),
    "(search: bob) Bob| again",
  );
});

Deno.test("Composer searches for less at Backspace, a character at a time, down to nothing", () => {
  assertEquals(
    typed(SENT, `draft${SEARCH}hi${BACK}${BACK}`),
    "(search: ) draft|",
  );
  assertEquals(typed(SENT, `${SEARCH}${BACK}${BACK}`), "(search: ) |");
  assertEquals(
    typed(["cafe", "cafe\u0301"], `${SEARCH}fe\u0301${BACK}`),
    "(search: f) caf|e\u0301",
  );
});

Deno.test("Composer gives back the line as it was at Ctrl-G and Ctrl-C, with nothing to undo", () => {
  for (const key of [CANCEL, INTERRUPT]) {
    assertEquals(typed(SENT, `one${LEFT}${SEARCH}bob${key}`), "on|e");
    assertEquals(typed(SENT, `one${LEFT}${SEARCH}bob${key}${UNDO}`), "|");
    assertEquals(typed(SENT, `one${SEARCH}zzz${key}${UP}`), "hi|");
  }
});

Deno.test("Composer takes any other key for the line that was found", () => {
  assertEquals(typed(SENT, `draft${SEARCH}is${LEFT}`), "bob i|s here");
  assertEquals(typed(SENT, `draft${SEARCH}is\x01x`), "x|bob is here");
  assertEquals(typed(SENT, `draft${SEARCH}is${UNDO}`), "draft|");
  assertEquals(typed(SENT, `draft${SEARCH}zz\x01x`), "x|draft");
  const composer = composing();
  press(composer, SENT.map((line) => `${line}\r`).join(""));
  assertEquals(press(composer, `draft${SEARCH}is\r`), [
    { type: "send", lines: ["bob is here"] },
  ]);
  assertEquals(press(composer, `${SEARCH}is\x1b3`), [
    { type: "room", number: 3 },
  ]);
  assertEquals(shown(composer), "bob is| here");
});

Deno.test("Composer goes up and down from the line that was found, and keeps what was not sent", () => {
  assertEquals(typed(SENT, `draft${SEARCH}is${UP}`), "say hi to bob|");
  assertEquals(typed(SENT, `draft${SEARCH}is${DOWN}`), "Bob again|");
  assertEquals(
    typed(SENT, `draft${SEARCH}is${DOWN}${DOWN}${DOWN}`),
    "draft|",
  );
});

Deno.test("Composer searches again for what was searched for before, at a second Ctrl-R", () => {
  const found = "(search: is) bob is| here";
  assertEquals(typed(SENT, `${SEARCH}is${CANCEL}${SEARCH}${SEARCH}`), found);
  assertEquals(
    typed(SENT, `${SEARCH}is\x01${ERASE_BEFORE}${SEARCH}${SEARCH}`),
    found,
  );
  assertEquals(
    typed(SENT, `${SEARCH}is${CANCEL}${SEARCH}${CANCEL}${SEARCH}${SEARCH}`),
    found,
  );
  assertEquals(typed(SENT, `${SEARCH}${SEARCH}${SEARCH}`), "(search: ) |");
});

Deno.test("Composer redraws and suspends while it searches", () => {
  const composer = composing();
  press(composer, "one\r");
  assertEquals(press(composer, `${SEARCH}o\x0c\x1an`), [
    { type: "redraw" },
    { type: "suspend" },
  ]);
  assertEquals(shown(composer), "(search: on) on|e");
});

Deno.test("Composer searches for what is pasted, and asks in one line", () => {
  assertEquals(
    typed([paste("a b\n\tc"), "x"], `${SEARCH}${paste("B\n\tC")}`),
    "(search: B  C) a b\n\tc|",
  );
  assertEquals(
    typed([], `${SEARCH}${paste("a\nb")}`),
    "(search, nothing has: a b) |",
  );
});

// Completion.

Deno.test("Composer offers one after the other at Tab, and goes back at Shift-Tab", () => {
  assertEquals(typed([], "hi a\t"), "hi al |");
  assertEquals(typed([], "hi a\t\t"), "hi alice |");
  assertEquals(typed([], "hi a\t\t\t"), "hi al |");
  assertEquals(typed([], `hi a\t\t${SHIFT_TAB}`), "hi al |");
  assertEquals(typed([], `hi a\t${SHIFT_TAB}`), "hi alice |");
  assertEquals(typed([], `hi a${SHIFT_TAB}`), "hi alice |");
  assertEquals(typed([], `hi a${SHIFT_TAB}${SHIFT_TAB}`), "hi al |");
});

Deno.test("Composer leaves the line alone where there is nothing to offer", () => {
  assertEquals(typed([], `hi z\t\t${SHIFT_TAB}`), "hi z|");
  assertEquals(typed([], `ab${LEFT}z\t${UNDO}`), "a|b");
});

Deno.test("Composer completes in the middle of a line, and doubles no blank there", () => {
  assertEquals(typed([], `hi b!${LEFT}\t`), "hi bob |!");
  const there = " there".length;
  assertEquals(typed([], `hi b there${LEFT.repeat(there)}\t`), "hi bob |there");
  assertEquals(
    typed([], `hi a  there${LEFT.repeat(there + 1)}\t\t`),
    "hi alice | there",
  );
});

Deno.test("Composer begins anew to complete after any other key", () => {
  assertEquals(typed([], "a\tb\t"), "al bob |");
  assertEquals(typed([], `a\t${LEFT}\t`), "al |");
  assertEquals(typed([], `a\t${BACK}\t\t`), "alice |");
});

Deno.test("Composer undoes what was offered", () => {
  assertEquals(typed([], `hi a\t${UNDO}`), "hi a|");
  assertEquals(typed([], `hi a\t\t${UNDO}`), "hi al |");
});

Deno.test("Composer completes the line that was found", () => {
  assertEquals(typed(["hi al", "x"], `${SEARCH}hi a\t\t`), "hi alice |l");
});

// Pastes.

Deno.test("Composer shows several lines as one input, and sends each of them", () => {
  const composer = composing();
  press(composer, `> ${paste("one\r\ntwo\n\n three\n")}`);
  assertEquals(shown(composer), "> one\ntwo\n\n three\n|");
  assertEquals(press(composer, "\r"), [
    { type: "send", lines: ["> one", "two", " three"] },
  ]);
});

const FIVE = "1\n2\n3\n4\n5";
const SIX = `${FIVE}\n6`;
const ASKED = `send 6 messages? (y/n) ${SIX}|`;

function asking(): Composer {
  const composer = composing();
  assertEquals(press(composer, `old\r`).length, 1);
  assertEquals(press(composer, `${paste(SIX)}\r`), []);
  assertEquals(shown(composer), ASKED);
  return composer;
}

Deno.test("Composer sends five lines without a question, and asks before it sends six", () => {
  const composer = composing();
  assertEquals(press(composer, `${paste(`${FIVE}\n\n \n`)}\r`), [
    { type: "send", lines: FIVE.split("\n") },
  ]);
  asking();
});

Deno.test("Composer sends what it has asked about at y, Y and Enter", () => {
  for (const yes of ["y", "Y", "\r"]) {
    const composer = asking();
    assertEquals(press(composer, yes), [
      { type: "send", lines: SIX.split("\n") },
    ]);
    assertEquals(shown(composer), "|");
    press(composer, UP);
    assertEquals(shown(composer), `${SIX}|`);
  }
});

Deno.test("Composer keeps what it has asked about at n, N, Ctrl-C and Ctrl-G", () => {
  for (const no of ["n", "N", INTERRUPT, CANCEL]) {
    const composer = asking();
    assertEquals(press(composer, no), []);
    assertEquals(shown(composer), `${SIX}|`);
    assertEquals(press(composer, "\r"), []);
    assertEquals(shown(composer), ASKED);
  }
});

Deno.test("Composer takes any other key for no, and does what it is for", () => {
  const after = (input: string) => {
    const composer = asking();
    assertEquals(press(composer, input), []);
    return shown(composer);
  };
  assertEquals(after(BACK), `${FIVE}\n|`);
  assertEquals(after(UP), "old|");
  assertEquals(after(paste("y\nn")), `${SIX}y\nn|`);
  assertEquals(after("yes"), `${SIX}yes|`);
  assertEquals(after(`${SEARCH}ol`), "(search: ol) ol|d");
  assertEquals(press(asking(), "\x1b4"), [{ type: "room", number: 4 }]);
  assertEquals(after("\x04"), `${SIX}|`);
});

Deno.test("Composer redraws and suspends while it asks", () => {
  const composer = asking();
  assertEquals(press(composer, "\x0c\x1a"), [
    { type: "redraw" },
    { type: "suspend" },
  ]);
  assertEquals(shown(composer), ASKED);
});

Deno.test("Composer does not ask about what cannot be sent", () => {
  const composer = composing();
  assertEquals(press(composer, `${paste(`${SIX}\nbad`)}\r`), [
    { type: "refuse", reason: "too bad" },
  ]);
  assertEquals(composer.question, undefined);
});

Deno.test("Composer says so if what it has asked about cannot be sent any more", () => {
  const reasons: string[] = [];
  const composer = composing({ fault: () => reasons[0] });
  press(composer, `${paste(SIX)}\r`);
  reasons.push("no more");
  assertEquals(press(composer, "y"), [{ type: "refuse", reason: "no more" }]);
  assertEquals(shown(composer), `${SIX}|`);
});

Deno.test("Composer yanks what was erased before a line was sent", () => {
  assertEquals(typed([`two${ERASE_BEFORE}one`], YANK), "two|");
});

Deno.test("Composer shows dots instead of a password, in any case and wherever the cursor is, and sends it", () => {
  const composer = composing();
  press(composer, `/LOGIN bob s3cret${LEFT}${LEFT}`);
  assertEquals(shown(composer), "/LOGIN bob ••••|••");
  press(composer, "/register x\x7f\x7f");
  assertEquals(press(composer, "\r"), [
    { type: "send", lines: ["/LOGIN bob s3cr/registeret"] },
  ]);
});

Deno.test("Composer keeps nothing of a password: not for Up, Ctrl-R, undo or yank", () => {
  for (const end of ["\r", INTERRUPT, ERASE_BEFORE]) {
    const composer = composing();
    press(composer, `hello${ERASE_BEFORE}before\r/register s3cret${end}`);
    assertEquals(shown(composer), "|", end);
    for (const keys of [UNDO, `${UNDO}${UNDO}`, YANK, `${UP}${DOWN}`]) {
      press(composer, keys);
      assertEquals(shown(composer), "|", end + keys);
    }
    press(composer, UP);
    assertEquals(shown(composer), "before|", end);
    press(composer, `${SEARCH}s3`);
    assertEquals(shown(composer), "(search, nothing has: s3) before|", end);
  }
});

Deno.test("Composer yanks what was erased where a password begins, and no part of a password anywhere", () => {
  const composer = composing();
  press(composer, `s3cret${ERASE_BEFORE}/register ${YANK}`);
  assertEquals(shown(composer), "/register ••••••|");
  press(composer, `\x17${YANK}`);
  assertEquals(shown(composer), "/register |");
  press(composer, "x\x7f\x7f\x7fr");
  assertEquals(shown(composer), "/register|");
  press(composer, " ");
  press(composer, `abc def\x17${INTERRUPT}${YANK}`);
  assertEquals(shown(composer), "|");
});

Deno.test("Composer does not leave a line with a password for another one, which would keep it", () => {
  const composer = composing();
  press(composer, `before\r/register s3cret`);
  for (const keys of [UP, DOWN, SEARCH, "\t", SHIFT_TAB]) {
    press(composer, keys);
    assertEquals(shown(composer), "/register ••••••|", JSON.stringify(keys));
  }
});

Deno.test("Composer neither shows nor sends what was a line with a password and is none any more, until it is emptied", () => {
  const composer = composing();
  press(composer, `/register s3cret\x01\x1b[3~`);
  assertEquals(shown(composer), `|${"•".repeat(15)}`);
  assertEquals(press(composer, "\r"), [{
    type: "refuse",
    reason: "this line has held a password: Ctrl-C empties it",
  }]);
  press(composer, `${INTERRUPT}hi`);
  assertEquals(shown(composer), "hi|");
  // A part of it would become the name.
  press(composer, `${ERASE_BEFORE}/login bob s3cret x\x01\x1bf\x1bd`);
  assertEquals(shown(composer), `••••••|${"•".repeat(9)}`);
});

Deno.test("Composer hides a password that is pasted among other lines", () => {
  const composer = composing();
  press(composer, paste("hi\n/login bob s3cret\nho"));
  assertEquals(shown(composer), "hi\n/login bob ••••••\nho|");
});

Deno.test("Composer takes what is asked for unseen, keeps nothing of it, and goes on with the line that was begun", () => {
  const composer = composing();
  press(composer, "before\rbegun");
  composer.askUnseen("password: ");
  press(composer, `s3crex${LEFT}\x1b[3~t${UP}${SEARCH}\t`);
  assertEquals(shown(composer), "password: ••••••|");
  assertEquals(press(composer, "\r"), [{ type: "answer", secret: "s3cret" }]);
  assertEquals(shown(composer), "begun|");
  composer.askUnseen("password: ");
  assertEquals(press(composer, paste("one\ntwo") + "\r"), [
    { type: "refuse", reason: "a password is one line" },
  ]);
  assertEquals(press(composer, `s3${INTERRUPT}`), [
    { type: "answer", secret: undefined },
  ]);
  composer.askUnseen("password: ");
  assertEquals(press(composer, "\x04"), [
    { type: "answer", secret: undefined },
  ]);
  assertEquals(press(composer, `${YANK}${UNDO}`), []);
  assertEquals(shown(composer), "|");
});
