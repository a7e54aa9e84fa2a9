import {
  type ClientOptions,
  clientOptions,
  readArguments,
} from "../lib/client/options.ts";
import { quote, type Source, UsageError } from "../lib/flags.ts";
import { DEFAULT_LIMITS } from "../lib/server/limits.ts";
import {
  readArguments as readServerArguments,
  type ServerOptions,
  serverOptions as optionsOf,
  serverSettings,
} from "../lib/server/options.ts";
import { VERSION } from "../lib/version.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "./assert.ts";

/** The limits that are set by flags. */
const {
  maxAnswerBytes: _answer,
  holdMs: _hold,
  maxBadFrames: _bad,
  directMemoryMs: _direct,
  confirmMs: _confirm,
  firstLineMs: _first,
  handshakeMs: _handshake,
  lookCertificateMs: _certificate,
  triesMs: _tries,
  maxTriers: _triers,
  entryMs: _entry,
  wrongPasswordMs: _wrong,
  maxWrongPasswords: _wrongs,
  maxChecks: _checks,
  maxAccounts: _accounts,
  maxRegistrations: _registrations,
  registrationsMs: _registering,
  partingMs: _parting,
  maxRefusing: _refusing,
  lookMs: _look,
  acceptPauseMs: _pause,
  acceptQuietMs: _quiet,
  ...SET_LIMITS
} = DEFAULT_LIMITS;

/** What the server is told by a command line, and then by other places. */
function serverOptions(
  args: readonly string[],
  ...others: Source[]
): Readonly<ServerOptions> | { print: string } {
  const line = readServerArguments(args);
  if ("print" in line) return line;
  return optionsOf(serverSettings([line, ...others]));
}

Deno.test("serverOptions() listens on 127.0.0.1:5000 unless told otherwise", () => {
  assertEquals(serverOptions([]), {
    host: "127.0.0.1",
    port: 5000,
    data: "",
    historyDays: 30,
    historyMessages: 2048,
    log: "text",
    motd: "",
    operators: [],
    limits: SET_LIMITS,
  });
  const rest = [
    "--history-days",
    "0",
    "--history-messages=9",
    "--replay=0",
    "--motd=day.txt",
    "--operators= Ann,bob,",
  ];
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
      historyMessages: 9,
      log: "json",
      motd: "day.txt",
      operators: ["Ann", "bob"],
      limits: { ...SET_LIMITS, replay: 0 },
    });
  }
});

Deno.test("serverOptions() gives options and limits that nobody can change", () => {
  assert(Object.isFrozen(serverOptions([])));
  assert(Object.isFrozen(DEFAULT_LIMITS));
});

Deno.test("The limits are those of the design", () => {
  assertEquals(DEFAULT_LIMITS, {
    rate: 4,
    burst: 10,
    maxMessageBytes: 1024,
    maxLineBytes: 8192,
    maxWaitingBytes: 98304,
    maxAnswerBytes: 16_384,
    replay: 20,
    holdMs: 10_000,
    maxRooms: 1000,
    maxRoomsJoined: 20,
    maxAnnounced: 500,
    maxConnections: 10_000,
    maxPerAddress: 32,
    limitLoopback: false,
    maxRefusing: 100,
    pingMs: 30_000,
    silentMs: 75_000,
    stuckMs: 60_000,
    lookMs: 1000,
    maxBadFrames: 10,
    directMemoryMs: 600_000,
    confirmMs: 30_000,
    firstLineMs: 150,
    handshakeMs: 20_000,
    lookCertificateMs: 5000,
    maxTries: 3,
    triesMs: 60_000,
    maxTriers: 10_000,
    entryMs: 60_000,
    wrongPasswordMs: 1000,
    maxWrongPasswords: 3,
    registeredOnly: false,
    maxChecks: 100,
    maxAccounts: 100_000,
    maxRegistrations: 5,
    registrationsMs: 3_600_000,
    partingMs: 2000,
    acceptPauseMs: 200,
    acceptQuietMs: 60_000,
  });
});

Deno.test("serverOptions() says in one line what is wrong with a command line", () => {
  const wrong: [string[], string][] = [
    [["--prot", "1"], "unknown flag --prot"],
    [
      ["--operators", "ann,b b"],
      '--operators "ann,b b" will not do: "b b": ' +
      "a name has only letters, digits and _ - .",
    ],
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
    [
      ["--rate=-1"],
      '--rate "-1" will not do: it is a number from 0 to 1000000',
    ],
    [
      ["--rate", "1e3"],
      '--rate "1e3" will not do: it is a number from 0 to 1000000',
    ],
    [
      ["--stuck", "0.5"],
      '--stuck "0.5" will not do: it is a number from 1 to 86400',
    ],
    [["--limit-loopback=yes"], "--limit-loopback takes no value"],
    [
      ["--max-line", "2559"],
      "max-line 2559 is too little for max-message 1024: a frame can take 2560 bytes",
    ],
    [
      ["--ping", "80"],
      "silence 75 is too little for ping 80: there is no time to answer",
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
    const lines = help.print.split("\n");
    assertEquals(lines.filter((line) => line.length > 80), []);
    const words = help.print.replaceAll(/\s+/g, " ");
    for (
      const row of [
        "-H, --host HOST address to listen on (default 127.0.0.1) ",
        "-p, --port PORT port to listen on; 0 takes a free one (default 5000) ",
        "--log FORMAT format of the log on stderr: text or json (default text) ",
        "-h, --help this text",
        "--version which version this is",
      ]
    ) assert(words.includes(row), row);
  }
  assertEquals(serverOptions(["--version"]), {
    print: `chat-server ${VERSION}`,
  });
  assertEquals(readArguments(["--version"]), {
    print: `chat-client ${VERSION}`,
  });
  const help = readArguments(["--help"]);
  assert(
    "print" in help &&
      help.print.startsWith("Usage: chat-client [options] [HOST] [PORT]\n"),
  );
  assertMatch(help.print, /--linger SECONDS [^(]*\(default 0\)/);
  assertMatch(help.print, /--name NAME /);
  assertMatch(help.print, /\n {6}--no-reconnect {2,}give up [^\n(]*\n/);
  assertMatch(help.print, /--retry SECONDS [^(]*\(default 60\)/);
  assertMatch(help.print, /\n\n[^\n]* taken back by --no-NAME, [^\n]*$/);
});

Deno.test("--help says of every limit what it is by default, and why there is one", () => {
  const help = serverOptions(["--help"]);
  assert("print" in help);
  const words = help.print.replaceAll(/\s+/g, " ");
  for (
    const [flag, reason, value] of [
      ["rate", "nobody floods a room", 4],
      ["burst", "to paste is not to flood", 10],
      ["max-message", "it fits on a screen", 1024],
      ["max-line", "what has no end fills no memory", 8192],
      ["max-waiting", "who reads slowly costs the others nothing", 98304],
      ["max-connections", "each takes memory and a file descriptor", 10000],
      ["max-per-address", "nobody takes all places", 32],
      ["limit-loopback", "for a proxy on it; scripts at home are spared", ""],
      ["registered-only", "whoever is here stays", ""],
      ["max-tries", "nobody guesses, not even from this machine", 3],
      ["ping", "whether it is still there", 30],
      ["silence", "the dead keep no names", 75],
      ["stuck", "who only reads along is never thrown out", 60],
      ["max-announced", "9,000 who join would be 40 million lines", 500],
      ["max-rooms", "memory is bounded", 1000],
      ["max-joined", "the same", 20],
    ] as const
  ) {
    const tail = value === "" ? "" : `[^(]*\\(default ${value}\\)`;
    assertMatch(words, new RegExp(` --${flag} [^(]*${reason}${tail}`));
  }
});

Deno.test("serverOptions() sets every limit that has a flag", () => {
  const args = {
    "rate": "0.5",
    "burst": "2",
    "max-message": "300",
    "max-line": "1112",
    "max-waiting": "65536",
    "max-connections": "5",
    "max-per-address": "6",
    "max-tries": "13",
    "ping": "1.5",
    "silence": "7",
    "stuck": "8",
    "max-announced": "9",
    "max-rooms": "10",
    "max-joined": "11",
    "replay": "12",
  };
  const options = serverOptions([
    ...Object.entries(args).map(([name, value]) => `--${name}=${value}`),
    "--limit-loopback",
    "--registered-only",
  ]);
  assert("limits" in options);
  assertEquals(options.limits, {
    rate: 0.5,
    burst: 2,
    maxMessageBytes: 300,
    maxLineBytes: 1112,
    maxWaitingBytes: 65_536,
    maxConnections: 5,
    maxPerAddress: 6,
    limitLoopback: true,
    registeredOnly: true,
    maxTries: 13,
    pingMs: 1500,
    silentMs: 7000,
    stuckMs: 8000,
    maxAnnounced: 9,
    maxRooms: 10,
    maxRoomsJoined: 11,
    replay: 12,
  });
});

Deno.test("serverSettings() takes every setting from the first place that says it", () => {
  const file = place("file", {
    port: "6000",
    "max-message": "300",
    "limit-loopback": true,
    motd: "day.txt",
  });
  const options = serverOptions(
    ["--max-message=400", "--no-limit-loopback"],
    file,
  );
  assert("limits" in options);
  assertEquals(options, {
    ...options,
    host: "127.0.0.1",
    port: 6000,
    motd: "day.txt",
    limits: { ...SET_LIMITS, maxMessageBytes: 400, limitLoopback: false },
  });
});

Deno.test("serverSettings() says of limits that contradict each other in which file they are", () => {
  const file = (said: Record<string, string>) => ({
    ...place("c.json", said),
    file: "c.json",
  });
  const wrong: [string[], Record<string, string>, string][] = [
    [
      [],
      { "max-message": "4096" },
      "max-line 8192 is too little for max-message 4096 in c.json: a frame can take 8704 bytes",
    ],
    [
      ["--max-message=4096"],
      { "max-line": "8000", "max-message": "64" },
      "max-line 8000 in c.json is too little for max-message 4096: a frame can take 8704 bytes",
    ],
    [
      ["--silence=20"],
      { ping: "20.5" },
      "silence 20 is too little for ping 20.5 in c.json: there is no time to answer",
    ],
  ];
  for (const [args, said, message] of wrong) {
    assertEquals(
      assertThrows(() => serverOptions(args, file(said)), UsageError).message,
      message,
    );
  }
  assert(
    "limits" in
      serverOptions(["--max-line=9000"], file({ "max-message": "4096" })),
  );
});

/** A place that says these settings. */
function place(name: string, said: Record<string, string | boolean>): Source {
  return { get: (key) => said[key], label: (key) => `${name} ${key}` };
}

/** What the client is told by a command line, and then by other places. */
function told(
  args: readonly string[],
  ...others: Source[]
): Readonly<ClientOptions> {
  const line = readArguments(args);
  assert(!("print" in line));
  return clientOptions([line, ...others]);
}

const DEFAULTS = {
  host: "127.0.0.1",
  port: 5000,
  name: "",
  lingerMs: 0,
  reconnect: true,
  retryMs: 60_000,
  tls: false,
  tlsCa: "",
  tlsFingerprint: "",
  passwordFile: "",
  login: false,
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
    const address = { ...DEFAULTS, host, port };
    assertEquals(told(args), address, args.join(" "));
    if (args.length === 0) continue;
    assertEquals(told([], place("file", { server: args.join(" ") })), address);
  }
});

Deno.test("clientOptions() says in one line what is wrong with a command line", () => {
  const wrong: [string[], string][] = [
    [["--nmae", "x"], "unknown flag --nmae"],
    [["a", "1", "b"], 'unexpected argument "b"'],
    [
      ["a:1", "2"],
      'the address "a:1 2" will not do: it is a host, a port or both, such as [::1]:5000',
    ],
    [
      ["[::1]:1", "2"],
      'the address "[::1]:1 2" will not do: it is a host, a port or both, such as [::1]:5000',
    ],
    [
      [":5000"],
      'the address ":5000" will not do: it is a host, a port or both, such as [::1]:5000',
    ],
    [
      ["[::1"],
      'the address "[::1" will not do: it is a host, a port or both, such as [::1]:5000',
    ],
    [
      ["a 1", "2"],
      'the address "a 1 2" will not do: it is a host, a port or both, such as [::1]:5000',
    ],
    [
      ["a\tb"],
      'the address "a\\tb" will not do: it is a host, a port or both, such as [::1]:5000',
    ],
    [
      ["a\nb", "1"],
      'the address "a\\nb 1" will not do: it is a host, a port or both, such as [::1]:5000',
    ],
    [
      ["1e3", "1e3"],
      'the address "1e3 1e3" will not do: a port is a whole number from 1 to 65535',
    ],
    [
      ["a b"],
      'the address "a b" will not do: a port is a whole number from 1 to 65535',
    ],
    [
      ["a:"],
      'the address "a:" will not do: a port is a whole number from 1 to 65535',
    ],
    [
      ["a", ""],
      'the address "a " will not do: a port is a whole number from 1 to 65535',
    ],
    [
      ["a", "0"],
      'the address "a 0" will not do: a port is a whole number from 1 to 65535',
    ],
    [
      ["a:65536"],
      'the address "a:65536" will not do: a port is a whole number from 1 to 65535',
    ],
    [[""], "the address needs a value: where to connect to"],
    [
      ["--linger=-1"],
      '--linger "-1" will not do: it is a number of seconds, such as 2 or 0.5',
    ],
    [["--no-reconnect=false"], "--no-reconnect takes no value"],
    [["--reconnect=true"], "--reconnect takes no value"],
    [["--bell=1"], "--bell takes no value"],
    [["--no-bell=1"], "--no-bell takes no value"],
    [["--no-retry"], "unknown flag --no-retry"],
    [["--no-no-reconnect"], "unknown flag --no-no-reconnect"],
    [["--server", "a"], "unknown flag --server"],
    [
      ["--text", "--json"],
      "text and json do not go together: a server of plain text tells no events",
    ],
    [
      ["--text", "--password-file", "pw"],
      "password-file and text do not go together: in plain text, the first line that you say answers who asks for a password",
    ],
    [
      ["--retry"],
      "--retry needs a value: in a pipe: try for so long to connect again",
    ],
    [
      ["--linger", "soon"],
      '--linger "soon" will not do: it is a number of seconds, such as 2 or 0.5',
    ],
  ];
  for (const [args, message] of wrong) {
    assertEquals(
      assertThrows(() => told(args), UsageError).message,
      message,
    );
  }
});

Deno.test("clientOptions() takes every setting from the first place that says it", () => {
  const places = [
    place("environment", { name: "bob", retry: "2", bell: "on", plain: "no" }),
    place("file", {
      server: "example.org:6000",
      name: "carl",
      retry: "3",
      linger: "0.25",
      "no-reconnect": true,
      quiet: true,
      bell: false,
    }),
    place("machine", { name: "login", plain: true }),
  ];
  const options = {
    ...DEFAULTS,
    host: "example.org",
    port: 6000,
    name: "bob",
    lingerMs: 250,
    reconnect: false,
    retryMs: 2000,
    quiet: true,
    bell: true,
  };
  assertEquals(told([], ...places), options);
  assertEquals(
    told(
      ["7000", "--name", "007", "--retry=0.5", "--no-bell", "--reconnect"],
      ...places,
    ),
    {
      ...options,
      host: "127.0.0.1",
      port: 7000,
      name: "007",
      retryMs: 500,
      bell: false,
      reconnect: true,
    },
  );
  assertEquals(told([], ...places.slice(2)), {
    ...DEFAULTS,
    name: "login",
    plain: true,
  });
});

Deno.test("clientOptions() encrypts where a flag or the address says so, and then the port is 5001", () => {
  const places: [string[], Partial<ClientOptions>][] = [
    [["--tls"], { tls: true, port: 5001 }],
    [["--tls", "6000"], { tls: true, port: 6000 }],
    [["chats://a.example"], { tls: true, host: "a.example", port: 5001 }],
    [["chats://a.example/"], { tls: true, host: "a.example", port: 5001 }],
    [["chats://[::1]:6000"], { tls: true, host: "::1", port: 6000 }],
    [["--tls", "chats://a", "7"], { tls: true, host: "a", port: 7 }],
    [["chat://a.example"], { host: "a.example" }],
    [["--no-tls", "chat://a:7"], { host: "a", port: 7 }],
  ];
  for (const [args, options] of places) {
    assertEquals(told(args), { ...DEFAULTS, ...options }, args.join(" "));
  }
  const server = place("file", { server: "chats://a.example:7" });
  assertEquals([told([], server).tls, told(["b"], server).tls], [true, false]);
});

Deno.test("clientOptions() does not take what contradicts itself about TLS", () => {
  const fingerprint = `SHA256:${"a".repeat(43)}`;
  const wrong: [string[], string][] = [
    [
      ["--no-tls", "chats://a"],
      "an address that begins with chats:// and no-tls contradict each other",
    ],
    [
      ["--tls", "chat://a"],
      "an address that begins with chat:// and tls contradict each other",
    ],
    [["--tls-ca", "a.pem"], "tls-ca is of no use without tls"],
    [
      ["--tls-fingerprint", fingerprint],
      "tls-fingerprint is of no use without tls",
    ],
    [
      ["--tls", "--tls-ca", "a.pem", "--tls-fingerprint", fingerprint],
      "tls-ca and tls-fingerprint do not go together: with a fingerprint no authority counts",
    ],
    [
      ["--tls", "--tls-fingerprint", `${fingerprint}=`],
      `--tls-fingerprint "${fingerprint}=" will not do: a fingerprint is SHA256: and 43 letters, digits, + and /`,
    ],
  ];
  for (const [args, message] of wrong) {
    assertEquals(
      assertThrows(() => told(args), UsageError).message,
      message,
    );
  }
});

Deno.test("clientOptions() gives options that nobody can change", () => {
  assert(Object.isFrozen(told([])));
});

Deno.test("clientOptions() takes the last word about a switch, wherever it stands", () => {
  const last: [string[], Partial<ClientOptions>][] = [
    [["--no-reconnect"], { reconnect: false }],
    [["--no-reconnect", "there"], { reconnect: false, host: "there" }],
    [["there", "--no-reconnect"], { reconnect: false, host: "there" }],
    [["--reconnect"], {}],
    [["--no-reconnect", "--reconnect"], {}],
    [["--reconnect", "there", "--no-reconnect"], {
      reconnect: false,
      host: "there",
    }],
    ...(["bell", "quiet", "plain", "text", "json"] as const).flatMap((
      name,
    ): [string[], Partial<ClientOptions>][] => [
      [[`--${name}`], { [name]: true }],
      [[`--no-${name}`], {}],
      [[`--${name}`, `--no-${name}`], {}],
      [[`--no-${name}`, `--${name}`], { [name]: true }],
    ]),
  ];
  for (const [args, options] of last) {
    assertEquals(told(args), { ...DEFAULTS, ...options }, args.join(" "));
  }
});

Deno.test("clientOptions() takes a switch in words, of any case", () => {
  const bell = (word: string) =>
    told([], place("variable", { bell: word })).bell;
  assertEquals(
    ["1", "true", "yes", "on", "On", "TRUE"].map(bell),
    Array(6).fill(true),
  );
  assertEquals(
    ["0", "false", "no", "off", "oFF", "No"].map(bell),
    Array(6).fill(false),
  );
});

Deno.test("clientOptions() names the place in which something is wrong", () => {
  const words = "it is true or false, 1 or 0, yes or no, on or off";
  const wrong: [Record<string, string>, string][] = [
    [{ bell: "" }, `here bell "" will not do: ${words}`],
    [{ bell: "yess" }, `here bell "yess" will not do: ${words}`],
    [{ "no-reconnect": "2" }, `here no-reconnect "2" will not do: ${words}`],
    [
      { retry: "x" },
      'here retry "x" will not do: it is a number of seconds, such as 2 or 0.5',
    ],
    [
      { server: "a:0" },
      'here server "a:0" will not do: a port is a whole number from 1 to 65535',
    ],
    [{ server: "" }, "here server needs a value: where to connect to"],
  ];
  for (const [said, message] of wrong) {
    assertEquals(
      assertThrows(() => told([], place("here", said)), UsageError).message,
      message,
    );
  }
});

Deno.test("clientOptions() does not take text and json together, wherever they are said", () => {
  const json = place("file", { json: true });
  assertEquals(
    assertThrows(() => told(["--text"], json), UsageError).message,
    "text and json do not go together: a server of plain text tells no events",
  );
  assertEquals(told(["--text", "--no-json"], json), {
    ...DEFAULTS,
    text: true,
  });
});

Deno.test("quote() leaves nothing that steers a terminal", () => {
  assertEquals(
    quote('a"b\x1b[2J\x7f\x9b\u202e\u2066\u2028\ufeffé日🎉'),
    '"a\\"b\\u001b[2J\\u007f\\u009b\\u202e\\u2066\\u2028\\ufeffé日🎉"',
  );
});
