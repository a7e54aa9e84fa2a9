/** The accept loop, and what is left when a server has stopped. */

import { once } from "node:events";
import { connect } from "node:net";
import { BindError } from "../lib/server/bind.ts";
import { ChatServer } from "../lib/server/listen.ts";
import { assert, assertEquals, assertRejects } from "./assert.ts";
import {
  listening,
  noReset,
  Room,
  serverProgram,
  testUnless,
  Visitor,
} from "./fixtures.ts";

Deno.test("ChatServer says why it cannot listen", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  const error = await assertRejects(
    () => ChatServer.start({ host: "127.0.0.1", port }),
    BindError,
  );
  assertEquals(
    error.message,
    `cannot listen on 127.0.0.1:${port}: the address is in use`,
  );
  taken.close();
  const unknown = await assertRejects(
    () => ChatServer.start({ host: "no-such-host.invalid", port: 0 }),
    BindError,
  );
  assert(
    unknown.message.startsWith("cannot listen on no-such-host.invalid:0: "),
    unknown.message,
  );
});

Deno.test({
  name:
    "ChatServer leaves no timer, no socket and nothing under way when it has stopped",
  sanitizeOps: true,
  sanitizeResources: true,
  fn: async () => {
    const room = await Room.open();
    const ann = await room.enter("ann");
    const bob = await room.enter("bob");
    const silent = await room.connect();
    await ann.send("hi\n/who\n/x\n/quit\n");
    await ann.rest();
    await bob.send("x".repeat(9000));
    await bob.until(/^-- bye/);
    bob.close();
    const stopped = room.server.stop();
    for (const visitor of [silent, ann]) {
      await visitor.rest();
      visitor.close();
    }
    await stopped;
  },
});

Deno.test("ChatServer sends without delay, and finds out some day who has vanished", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: listener.addr.port,
  });
  (await listener.accept()).close();
  conn.close();
  listener.close();
  const calls: { port: number; call: string }[] = [];
  const prototype: Deno.TcpConn = Object.getPrototypeOf(conn);
  const { setNoDelay, setKeepAlive } = prototype;
  prototype.setNoDelay = function (on) {
    calls.push({ port: this.localAddr.port, call: `no delay ${on}` });
  };
  prototype.setKeepAlive = function (on) {
    calls.push({ port: this.localAddr.port, call: `keep alive ${on}` });
  };
  try {
    await using room = await Room.open();
    using _ann = await room.enter("ann");
    const { port } = room.server;
    assertEquals(
      calls.flatMap((each) => each.port === port ? each.call : []),
      ["no delay true", "keep alive true"],
    );
  } finally {
    Object.assign(prototype, { setNoDelay, setKeepAlive });
  }
});

testUnless(
  noReset,
  "Connections that are reset at once keep nobody out, and are no news",
  async () => {
    await using server = serverProgram("--port", "0");
    const port = await listening(server);
    for (let i = 0; i < 300; i++) {
      const socket = connect(port, "127.0.0.1", () => socket.resetAndDestroy());
      await once(socket, "close");
    }
    using ann = await Visitor.connect(port);
    await ann.enter("ann");
    assertEquals(
      server.errors.seen.filter((line) => line.includes("cannot accept")),
      [],
    );
  },
);
