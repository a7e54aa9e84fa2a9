// deno-lint-ignore-file no-console -- it says where it listens
/**
 * A chat server that does not do what it should: `loses`, `repeats` or `closes`, as it is told. What the benchmark must
 * notice. An honest one, if it is told nothing.
 */

const [lie] = Deno.args;
/** How many of the messages that are measured it lies about. */
const LIES = 3;
const members = new Set<Deno.Conn>();
let lies = 0;

async function attend(conn: Deno.Conn): Promise<void> {
  members.add(conn);
  let begun = "";
  for await (const text of conn.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (begun + text).split("\n");
    begun = lines.pop()!;
    for (const line of lines) await passOn(`${line}\n`, conn);
  }
  members.delete(conn);
}

async function passOn(line: string, author: Deno.Conn): Promise<void> {
  const others = [...members].filter((member) => member !== author);
  // Other marks call everybody before anything is measured.
  const isLie = /^\^[0-9a-f]{16}/.test(line) && lie !== undefined &&
    lies < LIES;
  if (isLie) lies++;
  if (isLie && lie === "loses") others.pop();
  if (isLie && lie === "repeats") others.push(others[0]!);
  if (isLie && lie === "closes") {
    const victim = others.pop()!;
    members.delete(victim);
    victim.close();
  }
  const bytes = new TextEncoder().encode(line);
  for (const other of others) await other.write(bytes);
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(`Listening on 127.0.0.1:${listener.addr.port}`);
for await (const conn of listener) attend(conn).catch(() => {});
