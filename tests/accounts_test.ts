/** Names that belong to somebody, from the first /register to the last ghost. */

import {
  type Account,
  type Accounts,
  MemoryAccounts,
} from "../lib/server/accounts.ts";
import { LogError, MemoryLog } from "../lib/server/log.ts";
import { OwnedNames } from "../lib/server/owned.ts";
import {
  passwordFault,
  Passwords,
  TooManyChecks,
} from "../lib/server/passwords.ts";
import { SqliteAccounts } from "../lib/server/sqlite_accounts.ts";
import { SqliteLog } from "../lib/server/sqlite_log.ts";
import { assert, assertEquals, assertRejects } from "./assert.ts";
import { EntryPassword } from "../lib/server/entry.ts";
import { Dialogue } from "../lib/server/dialogue.ts";
import { DEFAULT_LIMITS, type Limits } from "../lib/server/limits.ts";
import {
  Bot,
  CHEAP,
  listening,
  noSmallDisk,
  Room,
  serverProgram,
  SmallDisk,
  testUnless,
  Visitor,
} from "./fixtures.ts";
import type { Request } from "../lib/server/requests.ts";
import { House, type Reader } from "./house.ts";

const SECRET = "correct horse";
const OTHER = "battery staple";
const REGISTERED =
  "-- ann is yours now: /login ann PASSWORD takes it, wherever you are; this server forgets it when it ends";
const OWNED = (line: string) =>
  `-- refused (that name belongs to somebody): ${line}`;

/** Accounts that take as long, or fail, as a test says. */
class SlowAccounts extends MemoryAccounts {
  fault: string | undefined;
  finding: Promise<void> | undefined;
  adding: Promise<void> | undefined;

  override async find(name: string): Promise<Account | undefined> {
    const account = await super.find(name);
    await this.finding;
    return account;
  }

  override async add(account: Account): Promise<boolean> {
    await this.adding;
    if (this.fault !== undefined) throw new LogError(this.fault);
    return await super.add(account);
  }
}

async function house(
  accounts: Accounts = new MemoryAccounts(),
): Promise<House> {
  return await House.open(new MemoryLog(), {}, undefined, { accounts });
}

/** Asks for something, and waits until it is done and told. */
async function ask(
  house: House,
  reader: Reader,
  request: Request,
): Promise<void> {
  await house.ask(reader, request);
  await house.settle();
}

const register = (house: House, reader: Reader, password = SECRET) =>
  ask(house, reader, { type: "register", password, ref: "/register" });
const login = (house: House, reader: Reader, name: string, password = SECRET) =>
  ask(house, reader, { type: "login", name, password, ref: "/login" });
const nick = (house: House, reader: Reader, name: string) =>
  ask(house, reader, { type: "nick", name, ref: `/nick ${name}` });

/** Somebody who owns `name`, and has it. */
async function owner(house: House, name: string): Promise<Reader> {
  const reader = await house.enter(name);
  await register(house, reader);
  reader.heard();
  return reader;
}

Deno.test("A registered name is taken with its password, and not without, by whoever comes later", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await ann.send(`/register ${SECRET}\n`);
  assertEquals(await ann.heard(), [REGISTERED]);
  await ann.send("/quit\n");
  await ann.rest();
  using bob = await room.connect();
  await bob.send("/nick Ann\n");
  assertEquals(await bob.line(), OWNED("/nick Ann"));
  await bob.until(/^-- welcome, you are guest1;/);
  await bob.send(`/LOGIN  ANN  ${SECRET} \n`);
  assertEquals(await bob.heard(), [
    "[guest1] is now [ANN]",
    "-- you are logged in as ANN",
  ]);
  await bob.send(`/password ${OTHER}\n/nick bob\n/nick ann\n/unregister\n`);
  assertEquals(await bob.heard(), [
    "-- ann has another password now",
    "[ANN] is now [bob]",
    "[bob] is now [ann]",
    "-- ann belongs to nobody now",
  ]);
  await bob.send(`/nick bob\n/password ${OTHER}\n`);
  assertEquals(await bob.heard(), [
    "[ann] is now [bob]",
    "-- refused (you are not logged in): /password",
  ]);
  using carl = await room.enter("ann");
  await carl.heard();
});

Deno.test("A guest's name is not registered, nor with a bad password, nor twice, and no refusal shows a password", async () => {
  await using room = await Room.open();
  using guest = await room.connect();
  await guest.send("\n/register correct horse\n");
  assertEquals(
    (await guest.heard()).at(-1),
    "-- refused (a guest's name cannot be registered, /nick takes another): /register",
  );
  await guest.send("/nick barbara.\n/register 1234567\n/register Barbara.\n");
  await guest.send(`/register ${"x".repeat(257)}\n/register ${SECRET}\n`);
  await guest.send(`/register ${OTHER}\n`);
  assertEquals((await guest.heard()).slice(1), [
    "-- refused (a password has 8 to 256 characters): /register",
    "-- refused (a password is not the name): /register",
    "-- refused (a password has 8 to 256 characters): /register",
    "-- barbara. is yours now: /login barbara. PASSWORD takes it, wherever you are; this server forgets it when it ends",
    "-- refused (that name is yours already): /register",
  ]);
});

Deno.test("A program logs in with its hello before anybody sees it, and enters as a guest where it is refused", async () => {
  await using room = await Room.open();
  using ann = await room.program({ name: "ann" });
  await ann.send({ type: "register", id: "1", password: SECRET });
  const [done] = await ann.heard();
  assertEquals(done?.type, "done");
  assertEquals(done?.["id"], "1");
  using other = await room.program({ name: "bob" });
  await ann.heard();
  using wrong = await room.connect();
  await wrong.send(
    `${JSON.stringify({ type: "hello", v: 1, name: "ann", login: OTHER })}\n`,
  );
  const [error, welcome] = [await wrong.line(), await wrong.line()];
  assertEquals(JSON.parse(error!).code, "login-wrong");
  assertEquals(JSON.parse(welcome!).name, "guest1");
  await other.heard();
  using right = await room.program({ name: "Ann", login: SECRET });
  assertEquals((await other.heard()).map(({ type, name }) => [type, name]), [
    ["left", "ann"],
    ["joined", "Ann"],
  ]);
  assertEquals((await ann.rest()).at(-1), {
    type: "bye",
    reason: "this name goes on in another connection",
  });
  await right.send({ type: "unregister", id: "2" });
  assertEquals((await right.heard()).at(-1)?.type, "done");
});

Deno.test("An owner gets the name back from a session that is waited for, and one that comes back is still logged in", async () => {
  const here = await house();
  const session = "0".repeat(32);
  const bob = await here.enter("bob");
  const ann = await here.program({ name: "ann" }, { session });
  await register(here, ann);
  here.hub.part(ann.member, ann.connection, false);
  const back = await here.program({ name: "ann" }, { session });
  await here.settle();
  back.events();
  await ask(here, back, { type: "password", password: OTHER, ref: "1" });
  assertEquals(back.events().map(({ type }) => type), ["done"]);
  here.hub.part(back.member, back.connection, false);
  await here.quiet(bob);
  const other = await here.enter("carl");
  await here.quiet(bob, other);
  await login(here, other, "ann", OTHER);
  await here.settle();
  assertEquals(bob.heard(), ["[ann] is offline", "[carl] is now [ann]"]);
  assertEquals(other.heard().at(-1), "-- you are logged in as ann");
  here.hub.dismiss();
});

Deno.test("A name that looks like a registered one is nobody's, in any alphabet, width and case", async () => {
  const imitations: Record<string, string[]> = {
    // All Cyrillic; full width; a capital I, a one, a small l.
    alice: [
      "аӏісе",
      "ａｌｉｃｅ",
      "aIice",
      "a1ice",
      "A1ICE",
      "ALlCE",
      "al\u0131ce",
      // A dot above a letter that has one; also a capital with it, which is small so.
      "ali\u0307ce",
      "al\u0130ce",
      "ALI\u0307CE",
      "al\u0131\u0307ce",
    ],
    jo: ["j\u0307o", "J\u0307o"],
    ALICE: ["аӏісе", "a1ice", "AL1CE"],
    mike: ["rnike", "RNIKE", "MlKE"],
    rnorag: ["morag"],
    straße: ["STRASSE", "strasse"],
    σοφος: ["σοφος", "σοφοσ", "ΣΟΦΟΣ"],
    bob: ["b0b", "B0B"],
    lan: ["Ian", "1an"],
    paypal: ["раураӏ"],
  };
  for (const [name, others] of Object.entries(imitations)) {
    const here = await house();
    await owner(here, name);
    for (const other of others) {
      const reader = await here.enter(other);
      assertEquals(reader.heard()[0], OWNED(`/nick ${other}`), name);
      await nick(here, reader, other);
      assertEquals(reader.heard(), [OWNED(`/nick ${other}`)], name);
      const program = await here.program({ name: other });
      await here.settle();
      assertEquals(program.events()[0]?.type, "refused", other);
    }
    // What is only near it is free.
    for (const other of [`${name}2`, "carol"]) {
      const reader = await here.enter(other);
      assert(!reader.heard()[0]!.includes("refused"), other);
      here.hub.part(reader.member, reader.connection, true);
    }
    here.hub.dismiss();
  }
});

Deno.test("Two names that look alike are not both registered", async () => {
  const here = await house();
  const mike = await here.enter("mike");
  const rnike = await here.enter("rnike");
  // Both at once: whoever has asked first.
  const both = [register(here, mike), register(here, rnike)];
  await Promise.all(both);
  await here.settle();
  assertEquals(mike.heard().at(-1)?.startsWith("-- mike is yours now"), true);
  assertEquals(rnike.heard().at(-1), OWNED("/register"));
  // Also where only the capitals of one look like the other.
  await owner(here, "all");
  const ali = await here.enter("ali");
  await register(here, ali);
  assertEquals(ali.heard().at(-1), OWNED("/register"));
  // Until it is given up.
  await ask(here, mike, { type: "unregister", ref: "" });
  await register(here, rnike);
  assert(rnike.heard().at(-1)!.startsWith("-- rnike is yours now"));
});

Deno.test("A wrong name is refused as a wrong password is: with the same words, and after as much work", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await ann.send(`/register ${SECRET}\n`);
  await ann.heard();
  using bob = await room.enter("bob");
  for (const name of ["ann", "nobody", "a b\u0007"]) {
    await bob.send(`/login ${name} ${OTHER}\n`);
    assertEquals(await bob.heard(), [
      "-- refused (wrong name or password): /login",
    ]);
  }
  // The fourth of this minute is not even checked, also if it is right.
  await bob.send(`/login ann ${SECRET}\n`);
  const [refused] = await bob.heard();
  assert(refused?.includes("too many wrong passwords came from your address"));
});

Deno.test("A password is checked against nobody's where there is none, with the same cost", async () => {
  const passwords = new Passwords({ maxChecks: 0 }, CHEAP);
  const kept = await passwords.hash(SECRET);
  assert(await passwords.check(SECRET, kept));
  assert(!await passwords.check(OTHER, kept));
  // Two are checked at a time and none may wait: so that of a name that nobody has takes one of the two places.
  const both = [passwords.check(SECRET, undefined), passwords.check("", kept)];
  await assertRejects(() => passwords.check(SECRET, kept), TooManyChecks);
  assertEquals(await Promise.all(both), [false, false]);
  assert(await passwords.check(SECRET, kept));
});

Deno.test("What is kept of a password has its cost in it, says nothing of it, and is never the same", async () => {
  const limits = { maxChecks: 100 };
  const dear = new Passwords(limits);
  const kept = await dear.hash("Ｐａss word\u00e9");
  assertEquals(kept.split("$").slice(0, 4), ["scrypt", "15", "8", "1"]);
  const cheap = new Passwords(limits, CHEAP);
  // Another keyboard writes it in another form.
  assert(await cheap.check(" Pass worde\u0301 ", kept));
  assert(!await cheap.check("pass word\u00e9", kept));
  assert(await cheap.hash(SECRET) !== await cheap.hash(SECRET));
  const waiting = Array.from({ length: 20 }, () => cheap.check(SECRET, kept));
  assertEquals(new Set(await Promise.all(waiting)), new Set([false]));
});

Deno.test("passwordFault() wants 8 to 256 characters that are not the name", () => {
  assertEquals(passwordFault("12345678", "ann"), undefined);
  assertEquals(passwordFault("😀".repeat(256), "ann"), undefined);
  for (const bad of ["", "1234567", " 1234567 ", "😀".repeat(257)]) {
    assertEquals(
      passwordFault(bad, "ann"),
      "a password has 8 to 256 characters",
    );
  }
  assertEquals(
    passwordFault("ANNABELL", "Annabell"),
    "a password is not the name",
  );
});

Deno.test("Whoever is renamed or leaves while a password is checked gets what they have asked for, or nothing", async () => {
  const accounts = new SlowAccounts();
  const here = await house(accounts);
  const ann = await owner(here, "ann");
  const bob = await here.enter("bob");
  const carl = await here.enter("carl");
  const checked = Promise.withResolvers<void>();
  accounts.finding = checked.promise;
  const all = [login(here, bob, "ann"), login(here, carl, "ann")];
  await nick(here, bob, "robert");
  here.hub.part(carl.member, carl.connection, true);
  await here.quiet(ann, bob, carl);
  checked.resolve();
  await Promise.all(all);
  await here.settle();
  assertEquals(ann.ended, "this name goes on in another connection");
  assertEquals(bob.heard(), [
    "[ann] is offline",
    "[robert] is now [ann]",
    "-- you are logged in as ann",
  ]);
  assertEquals(carl.heard(), []);
  assertEquals(here.hub.count.members, 1);
});

Deno.test("Whoever has left while their password is checked takes the name from nobody", async () => {
  const accounts = new SlowAccounts();
  const here = await house(accounts);
  const ann = await owner(here, "ann");
  const bob = await here.enter("bob");
  const checked = Promise.withResolvers<void>();
  accounts.finding = checked.promise;
  const late = login(here, bob, "ann");
  here.hub.part(bob.member, bob.connection, true);
  checked.resolve();
  await late;
  assertEquals([ann.ended, ann.member.name], [undefined, "ann"]);
  assertEquals(here.hub.count.members, 1);
});

Deno.test("Whoever has not said anything else is not greeted as a guest while their password is checked", async () => {
  const accounts = new SlowAccounts();
  const here = await house(accounts);
  await owner(here, "ann");
  const reader = here.arrive();
  const checked = Promise.withResolvers<void>();
  accounts.finding = checked.promise;
  const line = { ...reader.connection, address: "somewhere", part() {} };
  const { hub, turns } = here;
  const dialogue = new Dialogue(line, { hub, turns, limits: DEFAULT_LIMITS });
  const entering = dialogue.heed(`/login ann ${SECRET}`);
  await dialogue.greet();
  checked.resolve();
  await entering;
  await here.settle();
  const heard = reader.heard();
  assert(heard[0]?.startsWith("-- welcome, you are ann;"), heard[0]);
});

Deno.test("A session of a guest that goes on with a password is logged in", async () => {
  const here = await house();
  await owner(here, "ann");
  const session = "0".repeat(32);
  const bot = await here.program({ name: "ann", login: OTHER }, { session });
  here.hub.part(bot.member, bot.connection, false);
  const back = await here.program({ name: "ann", login: SECRET }, { session });
  assertEquals([back.member.name, back.member.account], ["guest1", "ann"]);
  here.hub.dismiss();
});

Deno.test("Of two who log in at once the later has the name, and the other's connection ends", async () => {
  const here = await house();
  await owner(here, "ann");
  const bob = await here.enter("bob");
  const carl = await here.enter("carl");
  await Promise.all([login(here, bob, "ann"), login(here, carl, "ann")]);
  const [there] = [bob, carl].filter(({ ended }) => ended === undefined);
  const [gone] = [bob, carl].filter((reader) => reader !== there);
  assertEquals(gone?.ended, "this name goes on in another connection");
  assertEquals(there?.member.name, "ann");
  assertEquals(there?.heard().at(-1), "-- you are logged in as ann");
  assertEquals(here.hub.count.members, 1);
});

Deno.test("Whoever has given up a name, or changed its password, leaves nobody else logged in", async () => {
  const accounts = new SlowAccounts();
  const here = await house(accounts);
  const ann = await owner(here, "ann");
  await nick(here, ann, "other");
  const bob = await here.enter("bob");
  await login(here, bob, "ann");
  await ask(here, bob, { type: "password", password: OTHER, ref: "" });
  await here.settle();
  ann.heard();
  await ask(here, ann, { type: "unregister", ref: "/unregister" });
  assertEquals(ann.heard(), [
    "-- refused (you are not logged in): /unregister",
  ]);
  // A check of the name that was, which ends when it belongs to somebody else, proves nothing.
  const checked = Promise.withResolvers<void>();
  accounts.finding = checked.promise;
  const late = login(here, ann, "ann", OTHER);
  await ask(here, bob, { type: "unregister", ref: "" });
  await register(here, bob, "another one");
  checked.resolve();
  await late;
  assertEquals(
    ann.heard().at(-1),
    "-- refused (wrong name or password): /login",
  );
});

Deno.test("Who knows the old password does not get in by a check that began before there was another", async () => {
  const accounts = new SlowAccounts();
  const here = await house(accounts);
  const ann = await owner(here, "ann");
  const bob = await here.enter("bob");
  await here.quiet(ann, bob);
  const checked = Promise.withResolvers<void>();
  accounts.finding = checked.promise;
  const late = login(here, bob, "ann");
  await ask(here, ann, { type: "password", password: OTHER, ref: "" });
  checked.resolve();
  await late;
  assertEquals(bob.heard(), ["-- refused (wrong name or password): /login"]);
  assertEquals(ann.heard(), ["-- ann has another password now"]);
  await login(here, bob, "ann", OTHER);
  assertEquals(bob.heard().at(-1), "-- you are logged in as ann");
});

Deno.test("Many who are right log in from one address at once, and of those who are wrong only three are heard", async () => {
  const here = await house();
  const names = ["ann", "bob", "cy", "dora", "eve", "fay", "gus", "hal"];
  const readers: Reader[] = [];
  for (const name of names) {
    await owner(here, name);
    readers.push(await here.enter(`${name}-too`));
  }
  const loginAll = async (password: string) => {
    await Promise.all(
      readers.map((reader, i) => login(here, reader, names[i]!, password)),
    );
    return readers.map((reader) =>
      reader.heard().findLast((line) => line.startsWith("-- ")) ?? ""
    );
  };
  assertEquals(
    await loginAll(SECRET),
    names.map((name) => `-- you are logged in as ${name}`),
  );
  const wrong = await loginAll(OTHER);
  const heard = "-- refused (wrong name or password): /login";
  assertEquals(wrong.filter((line) => line === heard).length, 3);
  assertEquals(
    wrong.filter((line) => line.startsWith("-- refused (too many wrong"))
      .length,
    names.length - 3,
  );
});

Deno.test("A name that is being registered belongs to whoever asked, and to nobody if it cannot be stored", async () => {
  const accounts = new SlowAccounts();
  const here = await house(accounts);
  const ann = await here.enter("ann");
  const added = Promise.withResolvers<void>();
  accounts.adding = added.promise;
  accounts.fault = "the disk is full";
  const registering = register(here, ann);
  // Until the table of look-alikes is there, and the name claimed.
  while (ann.member.name === "ann") {
    await here.settle();
    const other = await here.enter("Ann");
    if (other.heard()[0]?.includes("belongs to somebody")) break;
    here.hub.part(other.member, other.connection, true);
  }
  await nick(here, ann, "x");
  added.resolve();
  await registering;
  await here.quiet(ann);
  await nick(here, ann, "ann");
  await here.settle();
  assertEquals(ann.heard(), ["[x] is now [ann]"]);
  accounts.fault = undefined;
  await register(here, ann);
  assertEquals(ann.heard(), [REGISTERED]);
});

Deno.test("Names that are reserved are registered only from this machine, and look-alikes by nobody", async () => {
  const owned = new OwnedNames();
  const stranger = { account: undefined, isAtHome: () => false };
  const athome = { account: undefined, isAtHome: () => true };
  await owned.reserve(["root"]);
  assert(owned.refuses("ROOT", stranger));
  assert(!owned.refuses("root", athome));
  assert(owned.refuses("r00t", athome));
  assert(!owned.isLikeAnother("root"));
  owned.add("root");
  assert(owned.refuses("root", athome));
  assert(!owned.refuses("Root", { ...stranger, account: "root" }));
  await owned.reserve([]);
  assert(owned.refuses("r00t", stranger));
  owned.remove(owned.find("root")!);
  assert(!owned.refuses("r00t", stranger));
});

Deno.test("What was registered is there after a restart, whether the server stopped or was killed", async () => {
  const data = await Deno.makeTempDir();
  try {
    let name = "ann";
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      await using server = serverProgram("--data", data);
      using ann = await Visitor.connect(await listening(server));
      await ann.enter(name);
      await ann.send(`/register ${SECRET}\n`);
      assertEquals(
        await ann.line(),
        `-- ${name} is yours now: /login ${name} PASSWORD takes it, wherever you are`,
      );
      server.signal(signal);
      await server.exit();
      name = "bea";
    }
    await using server = serverProgram("--data", data);
    using visitor = await Visitor.connect(await listening(server));
    await visitor.send(`/nick 4nn\n/nick BEA\n/login ann ${SECRET}\n`);
    await visitor.until(
      /^-- refused \(that name belongs to somebody\): \/nick BEA/,
    );
    await visitor.until(/^-- you are logged in as ann/);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
});

Deno.test("SqliteAccounts keeps what MemoryAccounts keeps, and says why it cannot", async () => {
  const folder = await Deno.makeTempDir();
  const log = await SqliteLog.open(folder, { historyDays: 0 });
  const accounts = SqliteAccounts.open(folder);
  try {
    for (const store of [accounts, new MemoryAccounts()]) {
      const ann = { name: "Ann", hash: "1" };
      assertEquals(await store.add(ann), true);
      assertEquals(await store.add({ name: "ANN", hash: "2" }), false);
      assertEquals(await store.find("ann"), ann);
      assertEquals(await store.change({ name: "Ann", hash: "3" }), true);
      assertEquals(await store.find("ann"), { name: "Ann", hash: "3" });
      assertEquals(await store.change({ name: "bob", hash: "" }), false);
      assertEquals(await store.names(), ["Ann"]);
      await store.remove("aNN");
      assertEquals(await store.find("ann"), undefined);
    }
  } finally {
    await accounts.close();
    await log.close();
  }
  await assertRejects(() => accounts.names(), LogError);
  await Deno.remove(folder, { recursive: true });
});

testUnless(
  noSmallDisk,
  "A name that the disk does not take is not registered, and everything else goes on",
  async () => {
    await using disk = await SmallDisk.make();
    const log = await SqliteLog.open(disk.path, { historyDays: 0 });
    const accounts = SqliteAccounts.open(disk.path);
    try {
      const here = await house(accounts);
      const ann = await here.enter("ann");
      ann.heard();
      await disk.fill();
      const hash = "x".repeat(8000);
      await assertRejects(() => accounts.add({ name: "b", hash }), LogError);
      await disk.empty();
      await register(here, ann);
      assert(ann.heard().at(-1)?.startsWith("-- ann is yours now"));
    } finally {
      await accounts.close();
      await log.close();
    }
  },
);

Deno.test("Whoever logs in with their first line is never seen as a guest", async () => {
  await using room = await Room.open();
  using ann = await room.enter("ann");
  await ann.send(`/register ${SECRET}\n/nick other\n`);
  await ann.heard();
  using bob = await room.connect();
  await bob.send(`/login Ann ${SECRET}\n`);
  await bob.until(/^-- welcome, you are Ann;/);
  await bob.until(/^-- you are logged in as Ann/);
  assertEquals(await ann.heard(), ["[Ann] entered room"]);
  using carl = await room.connect();
  await carl.send(`/login ann ${OTHER}\n`);
  await carl.until(/^-- welcome, you are guest1;/);
  await carl.until(/^-- refused \(wrong name or password\): \/login$/);
});

/** A room that knows only registered names, of which `ann` is one. */
async function onlyRegistered(
  options: { password?: EntryPassword } = {},
  limits: Partial<Limits> = {},
): Promise<Room> {
  const accounts = new MemoryAccounts();
  const hash = await new Passwords({ maxChecks: 9 }, CHEAP).hash(SECRET);
  await accounts.add({ name: "ann", hash });
  const all = { registeredOnly: true, ...limits };
  return await Room.open(all, new MemoryLog(), { accounts, ...options });
}

const ASKED =
  "-- this server knows only registered names: /login NAME PASSWORD";

Deno.test("Where only registered names are known, people log in before anything else", async () => {
  await using room = await onlyRegistered();
  using bob = await room.connect();
  await bob.send(`hi\n/nick bob\n/register ${SECRET}\n`);
  for (let i = 0; i < 4; i++) assertEquals(await bob.line(), ASKED);
  await bob.send(`/login ann ${OTHER}\n/login ann\n`);
  assertEquals(
    await bob.line(),
    "-- refused (wrong name or password): /login",
  );
  assertEquals(
    await bob.line(),
    "-- refused (usage: /login NAME PASSWORD): /login",
  );
  assertEquals(room.server.census().members, 0);
  // What comes while it is checked is heeded afterwards.
  await bob.send(`/login ann ${SECRET}\n/who\n`);
  await bob.until(/^-- welcome, you are ann; nobody else is here/);
  await bob.until(/^-- you are logged in as ann/);
  await bob.until(/^-- 1 here: ann/);
  using carl = await room.connect();
  await carl.send("/quit\n");
  await carl.until(/^-- bye: you quit/);
});

Deno.test("Where only registered names are known, three wrong passwords end a connection", async () => {
  await using room = await onlyRegistered({}, { maxTries: 10 });
  using bob = await room.connect();
  await bob.send(`/login ann 1\n/login bob 2\n/login ann 3\n/who\n`);
  assertEquals((await bob.rest()).slice(-2), [
    "-- refused (wrong name or password): /login",
    "-- bye: too many wrong passwords",
  ]);
});

Deno.test("Where only registered names are known, a hello logs in, or is said again, and a session that goes on needs no password", async () => {
  await using room = await onlyRegistered();
  using bot = new Bot(await room.connect());
  const session = "0".repeat(32);
  const hello = { type: "hello", v: 1, name: "ann", session };
  for (const login of [{}, { login: OTHER }]) {
    await bot.send({ ...hello, ...login });
  }
  await bot.send({ ...hello, login: SECRET });
  assertEquals(
    (await bot.until("welcome")).map(({ type, code, name }) => [
      type,
      code ?? name,
    ]),
    [
      ["error", "not-registered"],
      ["error", "login-wrong"],
      ["welcome", "ann"],
    ],
  );
  using back = new Bot(await room.connect());
  await back.send(hello);
  assertEquals((await back.until("welcome")).at(-1)?.["name"], "ann");
  // Whoever is not logged in proves nothing by a session.
  await back.send({ type: "unregister" });
  await back.until("done");
  using stranger = new Bot(await room.connect());
  await stranger.send(hello);
  assertEquals(
    (await stranger.until("error")).at(-1)?.["code"],
    "not-registered",
  );
});

Deno.test("The password of the server is asked for first, then a login, and whoever is here when that begins stays", async () => {
  const password = new EntryPassword("sesame");
  await using room = await onlyRegistered({ password }, {
    registeredOnly: false,
  });
  using old = new Bot(await room.connect());
  await old.hello({ name: "old", password: "sesame" });
  room.server.limit({ registeredOnly: true });
  using bob = await room.connect();
  await bob.send("sesame\n");
  assertEquals(await bob.line(), "-- password?");
  assertEquals(await bob.line(), ASKED);
  await bob.send(`/login ann ${SECRET}\n`);
  await bob.until(/^-- welcome, you are ann; 1 other is here/);
  using bot = new Bot(await room.connect());
  await bot.hello({ name: "ann", password: "sesame", login: SECRET });
  await bob.until(/^-- bye: this name goes on in another connection/);
  // Whoever was asked when it was still needed comes in with whatever they say.
  using carl = await room.connect();
  await carl.send("sesame\n");
  await carl.until(ASKED);
  room.server.limit({ registeredOnly: false });
  await carl.send("/nick carl\n/quit\n");
  await carl.until(/^-- welcome, you are carl;/);
  await carl.rest();
  await old.send({ type: "who", room: "lobby" });
  assertEquals((await old.until("members")).at(-1)?.["count"], 2);
});
