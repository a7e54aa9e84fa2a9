/**
 * A long time in the life of a server: a crowd of all kinds of clients, connections that are cut, the server killed
 * and started again; and then the books are examined. Knows what must hold in the end, not how anybody talks.
 */

import { assert } from "./assert.ts";
import { BURDENS, type Kind, TALKERS, type Town } from "./crowd.ts";
import { Folder, Network, Server } from "./faults.ts";
import { Bot } from "./fixtures.ts";
import { Ledger } from "./ledger.ts";
import { randomFrom } from "./random.ts";
import { openServer, Vitals } from "./vitals.ts";

/** A part of it. */
export interface Stage {
  /** Whether the server is killed now and then. */
  isDeadly: boolean;
  /** How much was acknowledged in it. */
  acknowledged: number;
  kills: number;
  /** For how long it has gone on, in ms. */
  ms: number;
}

/** How large it is, and how long it takes. */
export interface Soaking {
  seed: number;
  clients: number;
  /** Whether a part is long enough. There are three: only the server of the first one is killed. */
  isEnough(stage: Readonly<Stage>): boolean;
}

/** What came of it. */
export interface Outcome {
  kills: number;
  cuts: number;
  /** How many messages were acknowledged. */
  acknowledged: number;
  /** What was lost, or was not as it should be, in words. */
  faults: string[];
  /** How much more memory the server had in use after the third part than after the second. */
  leftBytes: number;
}

/** How many of a hundred clients are of which kind; of each there is at least one. */
const SHARES: Record<string, number> = {
  link: 40,
  bot: 25,
  netcat: 13,
  telnet: 10,
  slow: 8,
  broken: 3,
  script: 1,
};

/** After how many messages for each client something happens: the server is killed, slow readers go. */
const PULSE = 3;

/** How much the memory of a server varies that has been through the same thing twice. */
const NOISE_BYTES = 600_000;
const RESIDENT_NOISE_BYTES = 64 * 1024 * 1024;

/**
 * Has a crowd talk in a server's rooms, three times: while the server is killed now and then; while it is not; and once
 * more, after which it must hold no more than before.
 */
export async function soak(soaking: Soaking): Promise<Outcome> {
  const random = randomFrom(soaking.seed);
  const ledger = new Ledger(random);
  await using folder = await Folder.make();
  using steady = new Network();
  // From 100 bytes, in the middle of a hello, up to where everybody of a crowd has said a lot; and each size as likely
  // as its double. In peace not before the welcome: a name is kept for 10 s for whoever never heard of it.
  let leastBytes = 100;
  const mostBytes = 10_000 * soaking.clients;
  using shaky = new Network(() =>
    Math.floor(leastBytes * (mostBytes / leastBytes) ** random())
  );
  const flags = ["--data", folder.path, "--log", "json"];
  await using server = new Server([steady, shaky], flags, openServer);
  await server.start();
  const place = { server, steady, shaky, ledger, random };
  const crowd = new Crowd(soaking, place);

  await crowd.gather({ isDeadly: true });
  await server.end("SIGKILL");
  await server.start();
  leastBytes = 200 * soaking.clients;
  let leftBytes;
  {
    using vitals = await Vitals.of(server.program);
    using observer = await Bot.connect(server.port);
    await observer.hello({ name: "observer" });
    await observer.send({ type: "say", room: "lobby", text: "here" });
    await observer.heard();
    const { descriptors } = await vitals.look();
    const gather = async () => {
      await crowd.gather({ isDeadly: false });
      await observer.untilOnly(1);
      return await vitals.untilDescriptors(descriptors);
    };
    const before = await gather();
    const after = await gather();
    leftBytes = after.heapBytes - before.heapBytes;
    assert(leftBytes < NOISE_BYTES, `${leftBytes} bytes are left of a crowd`);
    const { residentBytes = 0 } = after;
    const grownBytes = residentBytes - (before.residentBytes ?? 0);
    assert(
      grownBytes < RESIDENT_NOISE_BYTES,
      `the process is ${grownBytes} bytes larger after a crowd`,
    );
  }
  await server.end("SIGTERM");

  ledger.audit(await folder.storedInAll());
  const { acknowledged, faults } = ledger;
  const { kills } = crowd;
  return { kills, cuts: shaky.cuts, acknowledged, faults, leftBytes };
}

/** Where a crowd is, whenever it gathers. */
type Place = Pick<Town, "steady" | "shaky" | "ledger" | "random"> & {
  server: Server;
};

/** The same crowd, again and again: where it is, and how long it stays. */
class Crowd {
  readonly #soaking: Soaking;
  readonly #place: Place;
  /** How often the server was killed. */
  kills = 0;
  #gatherings = 0;

  constructor(soaking: Soaking, place: Place) {
    this.#soaking = soaking;
    this.#place = place;
  }

  /** Everybody comes, talks until it is enough, and goes. */
  async gather({ isDeadly }: { isDeadly: boolean }): Promise<void> {
    const { server, ledger } = this.#place;
    const begun = { at: performance.now(), with: ledger.acknowledged };
    const killsBefore = this.kills;
    const gathering = ++this.#gatherings;
    let isOver = false;
    let pulse = Promise.withResolvers<void>();
    let beat = begun.with;
    const town: Town = {
      ...this.#place,
      isDeadly,
      isOver: () => isOver,
      isEnough: () => {
        const { acknowledged } = ledger;
        if (acknowledged >= beat + PULSE * this.#soaking.clients) {
          beat = acknowledged;
          pulse.resolve();
          pulse = Promise.withResolvers();
        }
        return isOver || this.#soaking.isEnough({
          isDeadly,
          acknowledged: acknowledged - begun.with,
          kills: this.kills - killsBefore,
          ms: performance.now() - begun.at,
        });
      },
      pulse: () => isOver ? Promise.resolve() : pulse.promise,
    };
    const all = (kinds: Record<string, Kind>) =>
      Object.entries(kinds).flatMap(([name, kind]) => {
        const share = SHARES[name] ?? 0;
        const count = Math.ceil(share * this.#soaking.clients / 100);
        return Array.from(
          { length: count },
          (_, i) => kind(town, `${name}${gathering}-${i + 1}`),
        );
      });
    const killing = async () => {
      while (isDeadly && !isOver) {
        await town.pulse();
        if (isOver) return;
        await server.end("SIGKILL");
        await server.start();
        this.kills++;
      }
    };
    const end = () => {
      isOver = true;
      pulse.resolve();
    };
    const burdens = Promise.all([...all(BURDENS), killing()]);
    // It is looked at when those who talk are gone.
    burdens.catch(end);
    try {
      await Promise.all(all(TALKERS));
    } catch (error) {
      const words = server.program.errors.seen.slice(-5).join("\n");
      throw new Error(`the server has said last:\n${words}`, { cause: error });
    } finally {
      end();
    }
    await burdens;
  }
}
