/**
 * chat-client for a picture: no time goes by for it, so that the picture is always the same. Must not know what is
 * played.
 */

const now = Number(Deno.env.get("CHAT_NOW"));
Date.now = () => now;
performance.now = () => 0;

// The longest delay there is.
const NEVER_MS = 2 ** 31 - 1;
globalThis.setTimeout = new Proxy(setTimeout, {
  apply: (start) => start(() => {}, NEVER_MS),
});

await import("../client.ts");
