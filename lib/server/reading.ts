/**
 * Reading a room's log to one member, in pages: what was said earlier, and what they have missed. A page waits
 * until the one before is written, so that asking for much costs the asker's time, and nobody's memory.
 */

import { type Message, utf8Length } from "../message.ts";
import type { Log } from "./log.ts";
import { Batch, type Outbox } from "./outbox.ts";
import type { Turns } from "./turns.ts";
import type { Seat } from "./room.ts";

/** How large a page may be, in bytes. */
const PAGE_BYTES = 16 * 1024;

/** How large one may be if more is said meanwhile: half of what may wait for whoever reads it. */
const BUSY_PAGE_BYTES = 48 * 1024;

/** How many messages are read for one page: as many as fit, if they are short. */
const PAGE_MESSAGES = 128;
const BUSY_PAGE_MESSAGES = 512;

/** What a message takes in a page besides what it takes as JSON, in bytes. */
const FRAME_BYTES = 64;

/** Reads logs to members. */
export class Reading {
  readonly #log: Log;
  readonly #turns: Turns;
  /** The last page that is on its way to each. */
  readonly #pages = new WeakMap<Outbox, Promise<void>>();

  constructor(log: Log, turns: Turns) {
    this.#log = log;
    this.#turns = turns;
  }

  /**
   * Tells what was said earlier: the last `limit` messages up to `upTo`, and that there are none only if `sayNone`.
   *
   * @throws {LogError}
   */
  async recount(
    outbox: Outbox,
    name: string,
    { upTo, limit, sayNone }: {
      upTo: number;
      limit: number;
      sayNone: boolean;
    },
  ): Promise<void> {
    const { room, first } = await this.#log.open(name);
    let after = Math.max(upTo - limit, first - 1, 0);
    let total: number | undefined = Math.max(0, upTo - after);
    if (total === 0 && !sayNone) return;
    while (!outbox.isEnded) {
      const messages = (await this.#page(room, after, 0))
        .filter(({ seq }) => seq <= upTo);
      after = messages.at(-1)?.seq ?? upTo;
      const more = after < upTo;
      outbox.tell({
        type: "history",
        room,
        time: Date.now(),
        messages,
        ...(total === undefined ? {} : { total }),
        more,
      });
      await outbox.answered();
      if (!more) return;
      total = undefined;
    }
  }

  /**
   * Reads on to somebody who is behind, from what they were shown last, until they have caught up and hear what
   * is said.
   *
   * @throws {LogError}
   */
  async readOn(seat: Seat): Promise<void> {
    const { room, outbox } = seat;
    if (!outbox) return;
    let head = room.seq;
    // They may leave at any time, be lost, or come back through another connection and begin anew.
    const isThere = () =>
      room.has(seat) && seat.outbox === outbox && !outbox.isEnded;
    const readPage = async () => {
      const since = seat.behind;
      if (since === undefined || !isThere()) return;
      // In a room in which much is said, pages grow: more than is said meanwhile, or it would never end. Where that
      // is too much for anybody, it ends when less is said.
      const meanwhile = room.seq - head;
      head = room.seq;
      let messages;
      try {
        messages = await this.#page(room.name, since, 2 * meanwhile);
      } catch (error) {
        // With its last member, the room may be gone.
        if (isThere()) throw error;
      }
      if (!messages || !isThere()) return;
      const first = messages[0]?.seq ?? head + 1;
      if (seat.resumes && first > since + 1) {
        const gap = { from: since + 1, to: first - 1 };
        outbox.tell({ type: "gap", room: room.name, ...gap });
      }
      seat.behind = messages.at(-1)?.seq ?? head;
      seat.resumes = true;
      outbox.turnPage(Batch.of(...messages.map(asEvent)));
    };
    while (seat.behind !== undefined && isThere() && !room.goLive(seat)) {
      // If they have read all of it, something is being said just now.
      if (seat.behind >= room.seq) await this.#turns.ended();
      else await this.#inTurn(outbox, readPage);
    }
  }

  /** Does this once all pages before it are written: one at a time, in however many rooms somebody reads on. */
  #inTurn(outbox: Outbox, readPage: () => Promise<void>): Promise<void> {
    const before = this.#pages.get(outbox) ?? Promise.resolve();
    const page = before.then(() => outbox.answered()).then(readPage);
    // Who waits for it next does not mind how it ends.
    this.#pages.set(outbox, page.catch(() => {}));
    return page;
  }

  /** The messages after `since` that fit in a page: in a larger one as long as they are not `least`. */
  async #page(room: string, since: number, least: number): Promise<Message[]> {
    const limit = Math.min(Math.max(PAGE_MESSAGES, least), BUSY_PAGE_MESSAGES);
    const messages = await this.#log.read(room, { since, limit });
    let bytes = 0;
    const end = messages.findIndex((message, i) => {
      bytes += FRAME_BYTES + utf8Length(JSON.stringify(message));
      return i > 0 && bytes > (i < least ? BUSY_PAGE_BYTES : PAGE_BYTES);
    });
    return end < 0 ? messages : messages.slice(0, end);
  }
}

function asEvent(message: Message): { type: "message" } & Message {
  return { type: "message", ...message };
}
