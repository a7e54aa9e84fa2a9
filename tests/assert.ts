/** `@std/assert` with its types, in one place. */

// @ts-types="./std/assert.d.ts"
export * from "@std/assert";
