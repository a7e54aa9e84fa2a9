/** Passwords and logins in chat-client: to whom they are told, and that nobody else ever sees them. */

import { hideSecrets, withoutSecret } from "../lib/client/hidden.ts";
import { graphemes } from "../lib/client/input_line.ts";
import { PasswordError } from "../lib/client/link.ts";
import { Logins } from "../lib/client/logins.ts";
import { assert, assertEquals, assertRejects } from "./assert.ts";
import { Desk, noDesk } from "./desk.ts";
import { connect, Ear, failure, FakeServer } from "./far_end.ts";
import {
  type Bot,
  CLIENT_ARGS,
  Folder,
  type Frame,
  Program,
  testUnless,
  welcomeFrame,
  without,
} from "./fixtures.ts";

const NEEDED: Frame = {
  type: "error",
  code: "password-needed",
  message: "a password is needed",
};
const WRONG: Frame = {
  type: "error",
  code: "password-wrong",
  message: "wrong password",
};
const LOGIN_WRONG: Frame = {
  type: "error",
  code: "login-wrong",
  message: "wrong name or password",
};
const noModes = without("stat");

/** The next connection, at which the password is asked for; and what its two hellos say of it. */
async function asking(server: FakeServer): Promise<[Bot, unknown[]]> {
  const bot = await server.accept();
  const first = await bot.frame();
  await bot.send(NEEDED);
  const second = await bot.frame();
  return [bot, [first?.["password"], second?.["password"]]];
}

/** What the client asks for as the next frame of this type; it is answered that it is done. */
async function grant(bot: Bot, type: string): Promise<Frame> {
  const asked = (await bot.until(type)).at(-1)!;
  await bot.send({ type: "done", id: asked["id"], message: `${type} is done` });
  return asked;
}

Deno.test("A link tells a server its password only once it has asked, and at once when it comes back", async () => {
  using server = new FakeServer();
  const connecting = connect(server, { password: "sesame" });
  const [bot, told] = await asking(server);
  assertEquals(told, [undefined, "sesame"]);
  await bot.send(welcomeFrame("ann"));
  const link = await connecting;
  const ear = new Ear(link);
  bot.close();
  const [again, hello] = await server.welcome();
  assertEquals(hello["password"], "sesame");
  await ear.notice();
  link.close();
  await ear.end;
  again.close();
});

Deno.test("A link never tells its password to a server that does not ask, also when it comes back", async () => {
  using server = new FakeServer();
  const connecting = connect(server, { password: "sesame" });
  const [bot, hello] = await server.welcome();
  assertEquals(hello["password"], undefined);
  const link = await connecting;
  const ear = new Ear(link);
  bot.close();
  const [, second] = await server.welcome();
  assertEquals(second["password"], undefined);
  link.close();
  await ear.end;
});

Deno.test("Link.connect() says whether the password of the server is lacking or wrong", async () => {
  using server = new FakeServer();
  const lacking = connect(server);
  await (await server.accept()).send(NEEDED);
  const none = await assertRejects(() => lacking, PasswordError);
  assertEquals(none.wasWrong, false);
  assert(none.message.endsWith(": the server asks for a password"));

  const guessing = connect(server, { password: "guess" });
  const [bot] = await asking(server);
  await bot.send(WRONG);
  const wrong = await assertRejects(() => guessing, PasswordError);
  assertEquals(wrong.wasWrong, true);
  assert(!wrong.message.includes("guess"));

  // One that asks for ever is not answered for ever.
  const again = connect(server, { password: "guess" });
  const [deaf] = await asking(server);
  await deaf.send(NEEDED);
  assertEquals(
    (await assertRejects(() => again, PasswordError)).wasWrong,
    true,
  );
});

Deno.test("A link ends for good if the password of the server is another one when it comes back", async () => {
  using server = new FakeServer();
  const connecting = connect(server, { password: "sesame" });
  const [bot] = await asking(server);
  await bot.send(welcomeFrame("ann"));
  const ear = new Ear(await connecting);
  bot.close();
  const second = await server.accept();
  await second.frame();
  await second.send(WRONG);
  assertEquals(
    await failure(ear),
    `connection lost (127.0.0.1:${server.port}: the server does not take this password)`,
  );
});

Deno.test("A link comes back with what it has logged in, registered or changed last, and not with what is given up", async () => {
  using server = new FakeServer();
  const connecting = connect(server, { name: "ann" });
  let [bot, hello] = await server.welcome();
  const link = await connecting;
  const ear = new Ear(link);
  assertEquals([hello["login"], link.login], [undefined, undefined]);
  const done = () =>
    ear.next(({ event }) => event?.type === "done" ? event.text : undefined);
  const comeBack = async (name: string): Promise<unknown[]> => {
    bot.close();
    bot = await server.accept();
    hello = (await bot.frame())!;
    await bot.send(welcomeFrame(name));
    await ear.next(({ event }) => event?.type === "welcome" || undefined);
    return [hello["name"], hello["login"]];
  };

  link.ask({ type: "register", password: "one", ref: "/register" });
  await grant(bot, "register");
  assertEquals(await done(), "register is done");
  assertEquals(link.login, { name: "ann", password: "one" });
  assertEquals(await comeBack("ann"), ["ann", "one"]);

  link.ask({ type: "password", password: "two", ref: "/password" });
  await grant(bot, "password");
  await done();
  assertEquals(await comeBack("ann"), ["ann", "two"]);

  link.ask({ type: "login", name: "bob", password: "three", ref: "/login" });
  await grant(bot, "login");
  await done();
  assertEquals(link.login, { name: "bob", password: "three" });
  assertEquals(await comeBack("bob"), ["bob", "three"]);

  // What is refused, or never answered, changes nothing.
  link.ask({ type: "password", password: "four", ref: "/password" });
  const { id } = (await bot.until("password")).at(-1)!;
  await bot.send({ ...LOGIN_WRONG, id });
  await ear.next(({ event }) => event?.type === "refused" || undefined);
  link.ask({ type: "password", password: "five", ref: "/password" });
  await bot.until("password");
  assertEquals(await comeBack("bob"), ["bob", "three"]);

  link.ask({ type: "unregister", ref: "/unregister" });
  await grant(bot, "unregister");
  await done();
  assertEquals(link.login, undefined);
  assertEquals(await comeBack("bob"), ["bob", undefined]);
  link.close();
  await ear.end;
});

Deno.test("A link whose login is not taken any more goes on as a guest, says so, and does not try again", async () => {
  using server = new FakeServer();
  const connecting = connect(server, { name: "ann", login: "old" });
  const bot = await server.accept();
  assertEquals((await bot.frame())?.["login"], "old");
  await bot.send(LOGIN_WRONG, welcomeFrame("guest1"));
  const link = await connecting;
  const ear = new Ear(link);
  assertEquals(
    await ear.notice(),
    'the name "ann" was refused, wrong name or password; you are guest1',
  );
  assertEquals(link.login, undefined);
  bot.close();
  const [, hello] = await server.welcome();
  assertEquals(hello["login"], undefined);
  link.close();
  await ear.end;
});

Deno.test("What may be shown of a line ends where a password begins, however it is written", () => {
  const shown: [string, string][] = [
    ["/login bob pw x", "/login bob ••••"],
    ["/LOGIN  Bob  pw", "/LOGIN  Bob  ••"],
    ["/login bob", "/login bob"],
    ["/register pw", "/register ••"],
    ["/registerpw", "/register••"],
    ["/password e\u0301a", "/password ••"],
    ["  /password pw", "  /password ••"],
    ["/ login bob pw", "/ login bob ••"],
    ["/passwrod pw", "/passwrod ••"],
    ["hi\n/login bob pw\nho", "hi\n/login bob ••\nho"],
    ["//login bob pw", "//login bob pw"],
    ["say /login bob pw", "say /login bob pw"],
    ["/me waves", "/me waves"],
  ];
  for (const [line, seen] of shown) {
    assertEquals(hideSecrets(graphemes(line)).join(""), seen, line);
  }
  assertEquals(withoutSecret("/login bob pw"), "/login bob …");
  assertEquals(withoutSecret("/login bob"), "/login bob");
});

const SERVER = "chat://127.0.0.1:5000";

testUnless(
  noModes,
  "Logins are stored for one server and one name, where only their owner can read them",
  async () => {
    await using home = await Folder.make();
    const path = `${home.path}/deno-chat/logins.json`;
    const logins = new Logins(path, SERVER);
    assertEquals(await logins.find("ann"), undefined);
    assertEquals(await logins.forget("ann"), false);
    await logins.remember({ name: "Ann", password: "one" });
    const mode = async (path: string) =>
      ((await Deno.stat(path)).mode ?? 0) & 0o777;
    assertEquals(await mode(path), 0o600);
    assertEquals(await mode(`${home.path}/deno-chat`), 0o700);

    await logins.remember({ name: "bob", password: "two" });
    await logins.remember({ name: "ann", password: "three" });
    assertEquals(await logins.find("ANN"), "three");
    assertEquals(await logins.find("bob"), "two");
    for (
      const other of [
        "chats://127.0.0.1:5000",
        "chat://127.0.0.1:5001",
        "chat://localhost:5000",
      ]
    ) {
      assertEquals(await new Logins(path, other).find("ann"), undefined, other);
    }
    assertEquals(await logins.forget("Bob"), true);
    assertEquals(await logins.find("bob"), undefined);
    assertEquals(await logins.find("ann"), "three");
  },
);

testUnless(
  noModes,
  "A file of logins that others can read, or that is malformed, is neither used nor overwritten",
  async () => {
    await using home = await Folder.make();
    const path = `${home.path}/logins.json`;
    const logins = new Logins(path, SERVER);
    const refused = async (content: string, reason: string) => {
      const before = await Deno.readTextFile(path);
      for (
        const use of [
          () => logins.find("ann"),
          () => logins.remember({ name: "ann", password: "two" }),
          () => logins.forget("ann"),
        ]
      ) {
        const { message } = await assertRejects(use, Error);
        assert(message.includes(reason), message);
        assert(!message.includes("sesame"), message);
      }
      assertEquals(before, content);
      assertEquals(await Deno.readTextFile(path), content);
    };
    await logins.remember({ name: "ann", password: "sesame" });
    const good = await Deno.readTextFile(path);
    await Deno.chmod(path, 0o640);
    await refused(good, "others can read it");
    await Deno.chmod(path, 0o600);
    for (
      const bad of ['[{"password":"sesame"', '{"sesame":1}', '[{"name":"ann"}]']
    ) {
      await Deno.writeTextFile(path, bad);
      await refused(bad, "no list of logins");
    }
  },
);

/** chat-client in a pipe, for somebody who lives in this folder. */
function inPipe(
  home: Folder,
  port: number,
  flags: readonly string[],
  env: Record<string, string> = {},
): Program {
  const args = [...CLIENT_ARGS, "--name", "ann", ...flags, String(port)];
  return new Program(Deno.execPath(), args, {
    USER: "ann",
    XDG_CONFIG_HOME: home.path,
    ...env,
  });
}

/** Lets a client in that knows the password, and lets it go; gives what it has said the password is. */
async function letIn(server: FakeServer): Promise<unknown> {
  const [bot, told] = await asking(server);
  await bot.send(welcomeFrame("ann"));
  await bot.until("quit");
  await bot.send({ type: "bye", reason: "you quit" });
  bot.close();
  return told[1];
}

testUnless(
  noModes,
  "chat-client in a pipe takes the server's password from --password-file, or else CHAT_PASSWORD, or else what config.json names",
  async () => {
    await using home = await Folder.make();
    using server = new FakeServer();
    const file = `${home.path}/pw`;
    await Deno.writeTextFile(file, " opén sesame \r\nanother\n", {
      mode: 0o600,
    });
    const variable = { CHAT_PASSWORD: "variable" };
    const config = `${home.path}/config.json`;
    await Deno.writeTextFile(config, JSON.stringify({ "password-file": file }));
    const given: [string[], Record<string, string>, string][] = [
      [["--password-file", file], variable, " opén sesame "],
      [[], { ...variable, CHAT_PASSWORD_FILE: file }, " opén sesame "],
      [["--config", config], {}, " opén sesame "],
      [["--config", config], variable, "variable"],
      [["--json"], variable, "variable"],
    ];
    for (const [flags, env, password] of given) {
      await using client = inPipe(home, server.port, flags, env);
      const ended = client.result();
      assertEquals(await letIn(server), password);
      const { code, out, errors } = await ended;
      assertEquals([code, errors], [0, []]);
      assert(!out.join("\n").includes(password.trim()), out.join("\n"));
    }

    await Deno.chmod(file, 0o644);
    await using seen = inPipe(home, server.port, ["--password-file", file]);
    const ended = seen.result();
    await letIn(server);
    const { code, errors } = await ended;
    assertEquals(code, 0);
    assertEquals(errors, [
      `chat-client: others can read ${file}: chmod 600 keeps it to yourself`,
    ]);
  },
);

testUnless(
  noModes,
  "chat-client in a pipe says how to give a password that is lacking or wrong, and takes none as a flag",
  async () => {
    await using home = await Folder.make();
    using server = new FakeServer();
    const where = `127.0.0.1:${server.port}`;
    const how = "--password-file FILE or the variable CHAT_PASSWORD says it";
    {
      await using client = inPipe(home, server.port, []);
      await (await server.accept()).send(NEEDED);
      assertEquals(await client.result(), {
        code: 1,
        out: [],
        errors: [
          `chat-client: ${where}: the server asks for a password: ${how}`,
        ],
      });
    }
    {
      const env = { CHAT_PASSWORD: "guess" };
      await using client = inPipe(home, server.port, [], env);
      const [bot] = await asking(server);
      await bot.send(WRONG);
      assertEquals(await client.result(), {
        code: 1,
        out: [],
        errors: [
          `chat-client: ${where}: the server does not take this password: ${how}`,
        ],
      });
    }
    for (const flags of [["--password", "sesame"], ["--password=sesame"]]) {
      await using client = inPipe(home, server.port, flags);
      const { code, errors } = await client.result();
      assertEquals(code, 2);
      assert(errors[0]?.includes("--password-file FILE"), errors[0]);
      assert(!errors.join("\n").includes("sesame"));
    }
    const empty = `${home.path}/empty`;
    await Deno.writeTextFile(empty, "\nsesame\n", { mode: 0o600 });
    for (
      const [file, reason] of [
        [empty, "its first line is empty"],
        [`${home.path}/none`, "there is no such file"],
      ]
    ) {
      await using client = inPipe(home, 1, ["--password-file", file!]);
      assertEquals(await client.result(), {
        code: 2,
        out: [],
        errors: [`chat-client: ${file}: ${reason} (--help tells more)`],
      });
    }
  },
);

testUnless(
  noModes,
  "chat-client logs in with what is stored for the server and the name, and --login insists on it",
  async () => {
    await using home = await Folder.make();
    using server = new FakeServer();
    const where = `127.0.0.1:${server.port}`;
    {
      await using client = inPipe(home, server.port, ["--login"]);
      const { code, errors } = await client.result();
      assertEquals(code, 1);
      assertEquals(errors, [
        `chat-client: no password of ann at ${where} is stored: at a terminal, /remember does it`,
      ]);
    }
    const path = `${home.path}/deno-chat/logins.json`;
    const logins = new Logins(path, `chat://${where}`);
    await logins.remember({ name: "ann", password: "mine" });
    {
      await using client = inPipe(home, server.port, []);
      const ended = client.result();
      const [bot, hello] = await server.welcome();
      assertEquals([hello["name"], hello["login"]], ["ann", "mine"]);
      await bot.until("quit");
      bot.close();
      await ended;
    }
    await using client = inPipe(home, server.port, ["--login"]);
    const bot = await server.accept();
    await bot.frame();
    await bot.send(LOGIN_WRONG, welcomeFrame("guest1"));
    await bot.until("quit");
    bot.close();
    const { code, errors } = await client.result();
    assertEquals(code, 1);
    assertEquals(errors, [
      "chat-client: ann cannot log in with this password",
    ]);
    await Deno.chmod(path, 0o644);
    await using warned = inPipe(home, server.port, []);
    const end = await warned.result();
    assertEquals(end.code, 1);
    assert(end.errors[0]?.includes("others can read it"), end.errors[0]);
  },
);

function deskTest(name: string, fn: () => Promise<void>): void {
  testUnless(noDesk, name, fn);
}

/** Nothing that was written to the terminal has any of this in it. */
function assertUnseen({ raw }: Desk, ...secrets: string[]): void {
  for (const secret of secrets) assert(!raw.includes(secret), secret);
}

deskTest(
  "chat-client asks for the server's password without showing it, again if it is wrong, and gives the terminal back",
  async () => {
    await using home = await Folder.make();
    using server = new FakeServer();
    const env = { XDG_CONFIG_HOME: home.path };
    await using ann = Desk.client(server.port, {
      env,
      flags: ["--name", "ann"],
    });
    await (await server.accept()).send(NEEDED);
    const question = `Password of the server 127.0.0.1:${server.port}:`;
    await ann.untilLast(question);
    await ann.type("firstguess\r");
    const [first, told] = await asking(server);
    assertEquals(told[1], "firstguess");
    await first.send(WRONG);
    await ann.until((lines) =>
      lines.filter((line) => line === question).length === 2
    );
    // Erased, pasted, and more than ASCII.
    await ann.type("abc\x15sesamexy\x7f\x7f\x1b[200~ñ\x1b[201~\r");
    const [second, right] = await asking(server);
    assertEquals(right[1], "sesameñ");
    await second.send(welcomeFrame("ann"));
    await ann.untilLast("lobby ann>");
    await ann.type("\x04");
    await second.until("quit");
    await second.send({ type: "bye", reason: "you quit" });
    assertEquals((await ann.untilExit()).at(-1), "exit 0, sane");
    assertUnseen(ann, "guess", "abc", "sesame");
  },
);

deskTest(
  "chat-client ends with 130 at Ctrl-C when it asks for a password, and with the signal's code, and shows keys again",
  async () => {
    await using home = await Folder.make();
    using server = new FakeServer();
    for (const end of ["key", "signal"]) {
      const env = { XDG_CONFIG_HOME: home.path };
      await using ann = Desk.client(server.port, { env });
      await (await server.accept()).send(NEEDED);
      await ann.untilLast(/^Password of the server /);
      if (end === "key") await ann.type("sesame\x03");
      else ann.kill("SIGTERM");
      const code = end === "key" ? 130 : 143;
      assertEquals((await ann.untilExit()).at(-1), `exit ${code}, sane`);
      assertUnseen(ann, "sesame");
    }
  },
);

deskTest(
  "chat-client gives up after three wrong passwords",
  async () => {
    await using home = await Folder.make();
    using server = new FakeServer();
    const env = { XDG_CONFIG_HOME: home.path, CHAT_PASSWORD: "stale" };
    await using ann = Desk.client(server.port, { env });
    for (const guess of ["stale", "two", "three"]) {
      if (guess !== "stale") {
        await ann.untilLast(/^Password of the server /);
        await ann.type(`${guess}\r`);
      }
      const [bot, told] = await asking(server);
      assertEquals(told[1], guess);
      await bot.send(WRONG);
    }
    const lines = await ann.untilExit();
    assertEquals(lines.slice(-2), [
      `chat-client: 127.0.0.1:${server.port}: the server does not take this password`,
      "exit 1, sane",
    ]);
  },
);

deskTest(
  "chat-client never shows what follows /register, /login and /password, and stores a login when told to",
  async () => {
    await using home = await Folder.make();
    using server = new FakeServer();
    const options = { env: { XDG_CONFIG_HOME: home.path }, columns: 100 };
    await using ann = Desk.client(server.port, options);
    const [bot] = await server.welcome();
    await ann.untilLast("lobby ann>");
    await ann.type("/remember\r");
    await ann.untilRows(
      "00:00 -- you are not logged in: /login NAME, or /register first",
      "lobby ann>",
    );
    await ann.type("/REGISTER sesame1");
    await ann.untilLast("lobby ann> /REGISTER •••••••");
    await ann.type("\r");
    assertEquals((await grant(bot, "register"))["password"], "sesame1");
    await ann.untilRows("00:00 -- register is done", "lobby ann>");
    await ann.type("/login Bob\r");
    await ann.untilLast("password (not shown):");
    await ann.type("sesame2");
    await ann.untilLast("password (not shown): •••••••");
    await ann.type("\r");
    const { name, password } = await grant(bot, "login");
    assertEquals([name, password], ["Bob", "sesame2"]);
    await ann.untilRows("00:00 -- login is done", "lobby ann>");
    await ann.type("\x1b[A\x1b[A\x1b[A");
    await ann.untilLast("lobby ann> /remember");
    await ann.type("\r");
    const path = `${home.path}/deno-chat/logins.json`;
    await ann.untilRows(
      `00:00 -- the login of Bob is stored in ${path}`,
      "lobby ann>",
    );
    // Said aloud it would be, if it were no command.
    await ann.type(" /login bob sesame3\r");
    await ann.untilLast("lobby ann>  /login bob •••••••");
    await ann.type("\x03hi\r");
    assertEquals((await bot.until("say")).at(-1)?.["text"], "hi");
    assertUnseen(ann, "sesame");
    assertEquals(
      await new Logins(path, `chat://127.0.0.1:${server.port}`).find("bob"),
      "sesame2",
    );
    await ann.type("/forget\r");
    await ann.until((lines) =>
      lines.includes("00:00 -- the login of Bob is no longer stored")
    );
    assertEquals(await Deno.readTextFile(path), "[]\n");
  },
);

deskTest(
  "chat-client --plain takes the password of /login NAME unseen, and says so of one that was seen",
  async () => {
    await using home = await Folder.make();
    using server = new FakeServer();
    const flags = ["--plain"];
    const options = {
      env: { XDG_CONFIG_HOME: home.path },
      columns: 100,
      flags,
    };
    await using ann = Desk.client(server.port, options);
    const [bot] = await server.welcome();
    await ann.until((lines) => lines.some((line) => line.includes("welcome")));
    await ann.type("/login bob\n");
    await ann.untilLast("password (not shown):");
    await ann.type("sesame\r");
    assertEquals((await grant(bot, "login"))["password"], "sesame");
    await ann.untilLast("-- login is done");
    assertUnseen(ann, "sesame");
    await ann.type("hello\n");
    assertEquals((await bot.until("say")).at(-1)?.["text"], "hello");
    // The terminal shows keys again.
    await ann.until((lines) => lines.some((line) => line.includes("hello")));
    await ann.type("/password visible\n");
    await bot.until("password");
    await ann.untilLast(/^-- the terminal has shown the password/);
    await ann.type("/register\n");
    await ann.untilLast("password (not shown):");
    ann.kill("SIGTERM");
    await bot.until("quit");
    bot.close();
    assertEquals((await ann.untilExit()).at(-1), "exit 143, sane");
    assertUnseen(ann, "sesame");
  },
);

deskTest(
  "chat-client --text does not show the password that a chat-server asks for first, and believes nobody who asks later",
  async () => {
    await using home = await Folder.make();
    using server = new FakeServer();
    const env = { XDG_CONFIG_HOME: home.path };
    await using ann = Desk.client(server.port, { env, flags: ["--text"] });
    const { visitor } = await server.accept();
    await visitor.send("-- password?\n");
    await ann.untilLast("password (not shown):");
    await ann.type("sesame1\r");
    assertEquals(await visitor.line(), "sesame1");
    await visitor.send("-- wrong password\n-- password?\n");
    await ann.untilRows("00:00 -- password?", "password (not shown):");
    await ann.until((lines) => lines.includes("00:00 -- wrong password"));
    await ann.type("sesame2");
    await ann.untilLast("password (not shown): •••••••");
    await ann.type("\r");
    assertEquals(await visitor.line(), "sesame2");
    await visitor.send("-- welcome\n-- password?\n");
    await ann.untilRows("00:00 -- welcome", "00:00 -- password?", "ann>");
    assertUnseen(ann, "sesame");
  },
);

deskTest(
  "chat-client keeps what is typed of a password when it is asked again, and gives it up where the server speaks JSON",
  async () => {
    await using home = await Folder.make();
    using server = new FakeServer();
    const env = { XDG_CONFIG_HOME: home.path };
    await using ann = Desk.client(server.port, { env });
    const { visitor } = await server.accept();
    await visitor.line();
    await visitor.send("-- password?\n");
    await ann.untilLast("password (not shown):");
    await ann.type("sesa");
    await ann.untilLast("password (not shown): ••••");
    await visitor.send("-- wrong password\n-- password?\n");
    await ann.until((lines) => lines.includes("00:00 -- wrong password"));
    await ann.type("me1\r");
    assertEquals(await visitor.line(), "sesame1");
    await visitor.send("-- password?\n");
    await ann.untilLast("password (not shown):");
    await ann.type("sesame2");
    await ann.untilLast("password (not shown): •••••••");
    await visitor.send(`${JSON.stringify(welcomeFrame("ann"))}\n`);
    visitor.close();
    const [bot] = await server.welcome();
    await ann.untilLast("lobby ann>");
    await ann.type("hi\r");
    assertEquals((await bot.until("say")).at(-1)?.["text"], "hi");
    assertUnseen(ann, "sesame");
  },
);
