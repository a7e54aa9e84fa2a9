// The part of @std/assert that is used here: the npm package has no declarations of its own.

export function assert(condition: unknown, message?: string): asserts condition;
export function assertEquals<T>(actual: T, expected: T, message?: string): void;
export function assertNotEquals<T>(
  actual: T,
  expected: T,
  message?: string,
): void;
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  message?: string,
): asserts actual is T;
export function assertMatch(
  actual: string,
  expected: RegExp,
  message?: string,
): void;
export function assertStringIncludes(
  actual: string,
  expected: string,
  message?: string,
): void;
export function assertThrows<E extends Error>(
  run: () => unknown,
  type: new (...args: never[]) => E,
  includes?: string,
): E;
export function assertRejects<E extends Error>(
  run: () => PromiseLike<unknown>,
  type: new (...args: never[]) => E,
  includes?: string,
): Promise<E>;
export function fail(message?: string): never;
