/**
 * How far the log of one room was read: which messages are new, which are known, and which are only shown
 * because one has just come in. Pure; knows neither who says something nor how it is shown.
 */

import type { Message, RoomState, Since } from "../message.ts";

/** What a message is to whoever reads the room: read before, said before they came in, or news. */
export type Age = "known" | "earlier" | "new";

/** Reads the log of a room, from the moment when one comes in. */
export class Reading {
  #log = "";
  /** The last message that was read, or was there already. */
  #seq = 0;
  /** The last message that was there at the latest welcome. */
  #end = 0;
  /** What is shown of the time before; not there once something new has come. */
  #earlier: Message[] | undefined;

  constructor(state: Pick<RoomState, "log" | "seq">) {
    this.#begin(state);
  }

  /** From where to read on in another connection. */
  get since(): Since {
    return { log: this.#log, seq: this.#seq };
  }

  /** The room as another connection finds it: if this is not the log that was read, or less of it, all is new. */
  resume(state: Pick<RoomState, "log" | "seq">): void {
    if (state.log !== this.#log || state.seq < this.#seq) this.#begin(state);
    else this.#end = state.seq;
  }

  /** The log that was read is gone, and this one has taken its place. */
  anew(log: string): void {
    this.#begin({ log, seq: this.#end });
  }

  /** Reads a message. */
  take(message: Message): Age {
    const { seq } = message;
    if (this.#earlier && seq <= this.#end) {
      if (seq <= (this.#earlier.at(-1)?.seq ?? 0)) return "known";
      this.#earlier.push(message);
      return "earlier";
    }
    if (seq <= this.#seq) return "known";
    this.#seq = seq;
    return "new";
  }

  /** The messages up to this one are not kept any more. */
  skip(to: number): void {
    this.#seq = Math.max(this.#seq, to);
  }

  /** Whether all that is shown of the time before has come. */
  get hasAllEarlier(): boolean {
    return this.#earlier?.at(-1)?.seq === this.#end;
  }

  /**
   * What has come of the time before; it is given only once, and what still comes of it is new. If it has not
   * all come, it is read on from there.
   */
  takeEarlier(): Message[] {
    const earlier = this.#earlier ?? [];
    const last = earlier.at(-1);
    if (last && this.#seq === this.#end) this.#seq = last.seq;
    this.#earlier = undefined;
    return earlier;
  }

  #begin({ log, seq }: Pick<RoomState, "log" | "seq">): void {
    this.#log = log;
    this.#seq = this.#end = seq;
    this.#earlier = [];
  }
}
