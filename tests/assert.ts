/** `@std/assert` with its types, in one place. */

// @ts-types="../lib/std/assert.d.ts"
export * from "@std/assert";
