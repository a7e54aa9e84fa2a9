import { clientOptions } from "../lib/client/options.ts";
import { quote, UsageError } from "../lib/flags.ts";
import { DEFAULT_LIMITS, serverOptions } from "../lib/server/options.ts";
import { VERSION } from "../lib/version.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "./assert.ts";

Deno.test("serverOptions() listens on 127.0.0.1:5000 unless told otherwise", () => {
  assertEquals(serverOptions([]), {
    host: "127.0.0.1",
    port: 5000,
    data: "",
    historyDays: 30,
    log: "text",
    limits: { replay: 20 },
  });
  const rest = ["--history-days", "0", "--replay=0"];
  for (
    const args of [
      ["-H", "::1", "-p", "0", "--log", "json", "-d", "chat", ...rest],
      ["--host", "::1", "--port", "0", "--log=json", "--data=chat", ...rest],
      ["-H=::1", "-p0", "--log", "json", "-d=chat", ...rest],
    ]
  ) {
    assertEquals(serverOptions(args), {
      host: "::1",
      port: 0,
      data: "chat",
      historyDays: 0,
      log: "json",
      limits: { replay: 0 },
    });
  }
});

Deno.test("serverOptions() gives options and limits that nobody can change", () => {
  assert(Object.isFrozen(serverOptions([])));
  assert(Object.isFrozen(DEFAULT_LIMITS));
});

Deno.test("The limits are those of the design", () => {
  assertEquals(DEFAULT_LIMITS, {
    maxMessageBytes: 1024,
    maxLineBytes: 8192,
    maxWaitingBytes: 98304,
    maxAnswerBytes: 16_384,
    replay: 20,
    holdMs: 10_000,
    maxRooms: 1000,
    maxRoomsJoined: 20,
    maxBadFrames: 10,
    directMemoryMs: 600_000,
    firstLineMs: 150,
    partingMs: 2000,
    acceptPauseMs: 200,
    acceptQuietMs: 60_000,
  });
});

Deno.test("serverOptions() says in one line what is wrong with a command line", () => {
  const wrong: [string[], string][] = [
    [["--prot", "1"], "unknown flag --prot"],
    [["--prot=1"], "unknown flag --prot"],
    [["-x"], "unknown flag -x"],
    [["--no-port"], "unknown flag --no-port"],
    ...[["--data="], ["--data", ""], ["-d", ""]].map((
      args,
    ): [string[], string] => [
      args,
      "--data needs a value: folder to keep the messages in (default: in memory)",
    ]),
    [["data", ""], 'unexpected argument "data"'],
    [[""], 'unexpected argument ""'],
    [
      ["--history-days", "x"],
      '--history-days "x" will not do: it is a whole number from 0 to 36500',
    ],
    [
      ["--replay", "1001"],
      '--replay "1001" will not do: it is a whole number from 0 to 1000',
    ],
    [
      ["--port", "65536"],
      '--port "65536" will not do: a port is a whole number from 0 to 65535',
    ],
    [["--port", "-1"], "unknown flag -1"],
    [
      ["--port=-1"],
      '--port "-1" will not do: a port is a whole number from 0 to 65535',
    ],
    [
      ["--port", "5e3"],
      '--port "5e3" will not do: a port is a whole number from 0 to 65535',
    ],
    [
      ["-p", "x\n\x1b[2J"],
      '--port "x\\n\\u001b[2J" will not do: a port is a whole number from 0 to 65535',
    ],
    [["--port"], "--port needs a value: port to listen on; 0 takes a free one"],
    [["--host="], "--host needs a value: address to listen on"],
    [["--log", "xml"], '--log "xml" will not do: it is one of text, json'],
    [["--_", "x"], "unknown flag --_"],
    [["--_=x"], "unknown flag --_"],
    [
      ["--host", "a\nb"],
      '--host "a\\nb" will not do: it is a name or an address, without blanks',
    ],
    [
      ["--port", "100000"],
      '--port "100000" will not do: a port is a whole number from 0 to 65535',
    ],
    [["extra"], 'unexpected argument "extra"'],
    [["--", "extra"], 'unexpected argument "extra"'],
  ];
  for (const [args, message] of wrong) {
    assertEquals(
      assertThrows(() => serverOptions(args), UsageError).message,
      message,
    );
  }
});

Deno.test("--help names every flag with its default, and --version says which", () => {
  for (const args of [["--help"], ["-h"], ["--port", "1", "--help"]]) {
    const help = serverOptions(args);
    assert("print" in help);
    for (
      const row of [
        "-H, --host HOST +address to listen on \\(default 127.0.0.1\\)",
        "-p, --port PORT +port to listen on; 0 takes a free one \\(default 5000\\)",
        "--log FORMAT +format of the log on stderr: text or json \\(default text\\)",
        "-h, --help +this text",
        "--version +which version this is",
      ]
    ) assertMatch(help.print, new RegExp(row));
  }
  assertEquals(serverOptions(["--version"]), {
    print: `chat-server ${VERSION}`,
  });
  assertEquals(clientOptions(["--version"], ""), {
    print: `chat-client ${VERSION}`,
  });
  const help = clientOptions(["--help"], "");
  assert(
    "print" in help &&
      help.print.startsWith("Usage: chat-client [options] [HOST] [PORT]\n"),
  );
  assertMatch(help.print, /--linger SECONDS .*\(default 0\)/);
  assertMatch(help.print, /--name NAME /);
  assertMatch(help.print, /\n {6}--no-reconnect {2,}give up [^\n(]*\n/);
  assertMatch(help.print, /--retry SECONDS .*\(default 60\)/);
});

const DEFAULTS = {
  host: "127.0.0.1",
  port: 5000,
  name: "",
  lingerMs: 0,
  reconnect: true,
  retryMs: 60_000,
  text: false,
  json: false,
  plain: false,
  quiet: false,
  bell: false,
};

Deno.test("clientOptions() reads an address in every way that people write one", () => {
  const addresses: [string[], string, number][] = [
    [[], "127.0.0.1", 5000],
    [["example.org"], "example.org", 5000],
    [["6000"], "127.0.0.1", 6000],
    [["example.org", "6000"], "example.org", 6000],
    [["example.org:6000"], "example.org", 6000],
    [["192.0.2.7:6000"], "192.0.2.7", 6000],
    [["[::1]:6000"], "::1", 6000],
    [["[::1]"], "::1", 5000],
    [["[::1]", "6000"], "::1", 6000],
    [["::1"], "::1", 5000],
    [["2001:db8::7", "6000"], "2001:db8::7", 6000],
  ];
  for (const [args, host, port] of addresses) {
    assertEquals(clientOptions(args, "ann"), {
      ...DEFAULTS,
      host,
      port,
      name: "ann",
    }, args.join(" "));
  }
});

Deno.test("clientOptions() says in one line what is wrong with a command line", () => {
  const wrong: [string[], string][] = [
    [["--nmae", "x"], "unknown flag --nmae"],
    [["a", "1", "b"], 'unexpected argument "b"'],
    [["a:1", "2"], '"a:1 2" is no address'],
    [["[::1]:1", "2"], '"[::1]:1 2" is no address'],
    [[":5000"], '":5000" is no address'],
    [["[::1"], '"[::1" is no address'],
    [[""], '"" is no address'],
    [["a b"], '"a b" is no address'],
    [["a\nb", "1"], '"a\\nb 1" is no address'],
    [
      ["1e3", "1e3"],
      'port "1e3" will not do: a port is a whole number from 1 to 65535',
    ],
    [
      ["--linger=-1"],
      '--linger "-1" will not do: it is a number of seconds, such as 2 or 0.5',
    ],
    [["--no-reconnect=false"], "--no-reconnect takes no value"],
    [["--reconnect"], "unknown flag --reconnect"],
    [
      ["--retry"],
      "--retry needs a value: in a pipe: try for so long to connect again",
    ],
    [["a:"], 'port "" will not do: a port is a whole number from 1 to 65535'],
    [
      ["a", "0"],
      'port "0" will not do: a port is a whole number from 1 to 65535',
    ],
    [
      ["a:65536"],
      'port "65536" will not do: a port is a whole number from 1 to 65535',
    ],
    [
      ["--linger", "soon"],
      '--linger "soon" will not do: it is a number of seconds, such as 2 or 0.5',
    ],
  ];
  for (const [args, message] of wrong) {
    assertEquals(
      assertThrows(() => clientOptions(args, "ann"), UsageError).message,
      message,
    );
  }
});

Deno.test("clientOptions() takes the login name unless a name is given", () => {
  const name = (args: string[]) => {
    const options = clientOptions(args, "login");
    return "name" in options ? options.name : undefined;
  };
  assertEquals(name([]), "login");
  assertEquals(name(["--name", "007"]), "007");
  assertEquals(clientOptions(["--linger", "0.25"], ""), {
    ...DEFAULTS,
    lingerMs: 250,
  });
});

Deno.test("clientOptions() takes --no-reconnect without a value, and --retry with one", () => {
  const options = (...args: string[]) => {
    const options = clientOptions(args, "ann");
    return "name" in options
      ? [options.reconnect, options.retryMs, options.host]
      : [];
  };
  assertEquals(options("--retry", "0.5"), [true, 500, "127.0.0.1"]);
  assertEquals(options("--no-reconnect"), [false, 60_000, "127.0.0.1"]);
  assertEquals(options("--no-reconnect", "there"), [false, 60_000, "there"]);
  assertEquals(options("there", "--no-reconnect"), [false, 60_000, "there"]);
});

Deno.test("quote() leaves nothing that steers a terminal", () => {
  assertEquals(
    quote('a"b\x1b[2J\x7f\x9b\u202e\u2066\u2028\ufeffé日🎉'),
    '"a\\"b\\u001b[2J\\u007f\\u009b\\u202e\\u2066\\u2028\\ufeffé日🎉"',
  );
});
