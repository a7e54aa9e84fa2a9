// deno-lint-ignore-file no-console -- it says where it listens
/**
 * A contestant of the benchmark: the obvious chat server in Node. A set of sockets, and for each line one write to each
 * of them. It is to stay what everybody would write first.
 */

import { createServer } from "node:net";

const members = new Set();
let numbers = 0;

const server = createServer({ noDelay: true }, (socket) => {
  const name = `guest${++numbers}`;
  let begun = "";
  members.add(socket);
  socket.setEncoding("utf8");
  socket.on("data", (text) => {
    const lines = (begun + text).split("\n");
    begun = lines.pop();
    for (const line of lines) {
      for (const member of members) {
        if (member !== socket) member.write(`<${name}> ${line}\n`);
      }
    }
  });
  socket.on("error", () => {});
  socket.on("close", () => members.delete(socket));
});

server.listen(0, "127.0.0.1", () => {
  console.log(`Listening on 127.0.0.1:${server.address().port}`);
});
