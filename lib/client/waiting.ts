/** Waiting: for a server to answer, until the next try, and how either is broken off. Knows no connection. */

/** All in ms. */
export interface BackoffOptions {
  /** The first delay. */
  firstDelayMs: number;
  /** The longest: each is twice as long as the one before, up to this. */
  maxDelayMs: number;
  /** From 0 to 1: how much of the second half of a delay is waited. */
  random: () => number;
}

/** The delays between tries. */
export class Backoff {
  readonly #options: BackoffOptions;
  #delayMs: number;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#delayMs = options.firstDelayMs;
  }

  /** The next delay, before chance shortens it. */
  get upToMs(): number {
    return this.#delayMs;
  }

  /** The next delay. */
  next(): number {
    const { maxDelayMs, random } = this.#options;
    const delayMs = this.#delayMs * (1 + random()) / 2;
    this.#delayMs = Math.min(2 * this.#delayMs, maxDelayMs);
    return delayMs;
  }

  /** What came of the last try has lasted so long: if that is longer than the next delay, all is well again. */
  lasted(ms: number): void {
    if (ms >= this.#delayMs) this.#delayMs = this.#options.firstDelayMs;
  }
}

/** Patience that is used up while {@linkcode wait}ing, once it is {@linkcode demand}ed. */
export class Patience {
  /** True once it has lasted as long as it may. */
  isOver = false;
  readonly #onOver: () => void;
  readonly #ms: number;
  #leftMs: number;
  #demanded = false;
  #waiting = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #startedAt = 0;

  constructor(ms: number, onOver: () => void) {
    this.#ms = ms;
    this.#leftMs = ms;
    this.#onOver = onOver;
  }

  /** From now on waiting costs patience, and there is all of it. */
  demand(): void {
    const wasWaiting = this.#waiting;
    this.rest();
    this.#leftMs = this.#ms;
    this.#demanded = true;
    if (wasWaiting) this.wait();
  }

  /** Somebody is waited for, until {@linkcode rest}. */
  wait(): void {
    this.#waiting = true;
    this.#start();
  }

  /** Nobody is waited for. */
  rest(): void {
    this.#waiting = false;
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#leftMs = Math.max(
      0,
      this.#leftMs - (performance.now() - this.#startedAt),
    );
  }

  #start(): void {
    if (!this.#demanded || !this.#waiting || this.#timer !== undefined) return;
    this.#startedAt = performance.now();
    this.#timer = setTimeout(() => {
      this.isOver = true;
      this.#onOver();
    }, this.#leftMs);
  }
}

/** Resolves after so many milliseconds, or as soon as `signal` is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", done);
    resolve();
  };
  // The moment may have passed; a negative number would be warned of.
  const timer = setTimeout(done, Math.max(0, ms));
  signal.addEventListener("abort", done);
  if (signal.aborted) done();
  return promise;
}

/** `promise`, or a failure as soon as `signal` is aborted. */
export function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const { promise: either, resolve, reject } = Promise.withResolvers<T>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  promise.then(resolve, reject).finally(() =>
    signal.removeEventListener("abort", abort)
  );
  if (signal.aborted) abort();
  return either;
}
