// deno-lint-ignore-file no-console -- it says where it listens
/**
 * A contestant of the benchmark: the obvious chat server in Deno. A set of connections, and for each line one awaited
 * write to each of them. It is to stay what everybody would write first.
 */

const members = new Set<Deno.Conn>();
let numbers = 0;

async function attend(conn: Deno.TcpConn): Promise<void> {
  conn.setNoDelay();
  const name = `guest${++numbers}`;
  members.add(conn);
  try {
    let begun = "";
    for await (
      const text of conn.readable.pipeThrough(new TextDecoderStream())
    ) {
      const lines = (begun + text).split("\n");
      begun = lines.pop()!;
      for (const line of lines) await passOn(`<${name}> ${line}\n`, conn);
    }
  } catch {
    // The connection was reset.
  }
  members.delete(conn);
}

async function passOn(line: string, author: Deno.Conn): Promise<void> {
  const bytes = new TextEncoder().encode(line);
  for (const member of members) {
    if (member === author) continue;
    try {
      for (let sent = 0; sent < bytes.length;) {
        sent += await member.write(bytes.subarray(sent));
      }
    } catch {
      members.delete(member);
    }
  }
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(`Listening on 127.0.0.1:${listener.addr.port}`);
for await (const conn of listener) void attend(conn);
