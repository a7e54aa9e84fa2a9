/**
 * Names that belong to somebody: registering them, proving that one is theirs, taking them back, giving them up.
 * Knows neither sockets nor dialects, and not how passwords are kept.
 */

import { getLogger } from "@logtape/logtape";
import {
  type ChatEvent,
  clean,
  type Command,
  FINAL,
  guestName,
  MAX_NAME_LENGTH,
  nameFault,
  nameKey,
  normalizeName,
  type Refusal,
} from "../message.ts";
import type { Accounts } from "./accounts.ts";
import { isLoopback, networkOf } from "./admission.ts";
import type { Limits } from "./limits.ts";
import { LogError } from "./log.ts";
import { hostOf, type Member, type Members, refusal, tell } from "./members.ts";
import { type Owned, OwnedNames } from "./owned.ts";
import {
  type Cost,
  passwordFault,
  Passwords,
  TooManyChecks,
} from "./passwords.ts";
import type { Seating } from "./seating.ts";
import { Tries, type TriesLimits } from "./tries.ts";

const log = getLogger(["chat", "accounts"]);

/** What somebody asks for who owns a name, or wants to. */
export type Claim = Command & {
  type: "register" | "login" | "password" | "unregister";
};

type Claiming<T extends Claim["type"]> = Claim & { type: T };

/** Somebody's name and its password, as they say it. */
export type Proof = Omit<Claiming<"login">, "type">;

/** What binds how names are registered. */
export type LoginsLimits =
  & Readonly<
    Pick<Limits, "limitLoopback" | "maxAccounts" | "maxChecks">
  >
  & Readonly<Pick<Limits, "maxRegistrations" | "registrationsMs">>
  & TriesLimits;

/** What it takes to know whose a name is. */
export interface Ownership {
  accounts: Accounts;
  owned: OwnedNames;
  passwords: Passwords;
  /** Wrong passwords, by network. */
  tries: Tries;
  /** Names that were registered, by network. */
  registrations: Tries;
}

/**
 * What is known when a server starts.
 *
 * @param options how accounts are kept, what else counts wrong passwords, and what making one costs
 * @throws {LogError}
 */
export async function openOwnership(
  limits: LoginsLimits,
  { accounts, tries = new Tries(limits), cost }: {
    accounts: Accounts;
    tries?: Tries;
    cost?: Cost | undefined;
  },
): Promise<Ownership> {
  const owned = new OwnedNames();
  const names = await accounts.names();
  if (names.length > 0) await owned.prepare();
  for (const name of names) owned.add(name);
  const registrations = new Tries({
    get maxTries() {
      return limits.maxRegistrations;
    },
    get triesMs() {
      return limits.registrationsMs;
    },
    get maxTriers() {
      return limits.maxTriers;
    },
  });
  const passwords = new Passwords(limits, cost);
  return { accounts, owned, passwords, tries, registrations };
}

/** Does what those ask for who own a name. */
export class Logins {
  readonly #members: Members;
  readonly #seating: Seating;
  readonly #limits: LoginsLimits;
  readonly #ownership: Ownership;
  /** Passwords that are being checked, by network, and when the next of them has been. */
  readonly #checks = new Map<
    string,
    { running: number; ended: PromiseWithResolvers<void> }
  >();
  /** How many wait for one of those. */
  #waiting = 0;
  /** Takes somebody out at once, of whom the others are told that they are offline. */
  readonly #dismiss: (member: Member) => void;

  constructor(
    members: Members,
    seating: Seating,
    { limits, ownership, dismiss }: {
      limits: LoginsLimits;
      ownership: Ownership;
      dismiss: (member: Member) => void;
    },
  ) {
    this.#members = members;
    this.#seating = seating;
    this.#limits = limits;
    this.#ownership = ownership;
    this.#dismiss = dismiss;
  }

  /** Does what somebody asks for, who is told what came of it. */
  async handle(member: Member, claim: Claim): Promise<void> {
    const done = await this.#refusing(claim.ref, () => this.#do(member, claim));
    tell(
      member,
      typeof done === "string"
        ? { type: "done", text: done, ref: claim.ref }
        : done,
    );
  }

  /**
   * Whether somebody knows the password of a name; why not, if they are not believed. A name that nobody has
   * registered takes as long, and is refused in the same words.
   *
   * @param host the address from which they say it
   */
  check(host: string, proof: Proof): Promise<Owned | Refusal> {
    return this.#refusing(proof.ref, () => this.#check(host, proof));
  }

  /** From now on somebody is known as the owner of a name; whether it still is as they have proven, and not banned. */
  trust(member: Member, proven: Owned): boolean {
    const { name } = proven;
    if (this.#ownership.owned.find(name) !== proven) return false;
    if (this.#refuseBanned(proven, "")) return false;
    member.account = nameKey(name);
    return true;
  }

  /** Has the name be free that somebody is known to own, whoever has it. */
  reclaim(member: Member, name: string): void {
    const other = this.#members.find(name);
    if (!other || other === member) return;
    if (other.account === nameKey(name)) {
      const { connection } = other;
      this.#dismiss(other);
      connection?.end(FINAL.nameReclaimed);
      return;
    }
    const from = other.name;
    this.#members.demote(other);
    this.#seating.renamed(other, from);
    tell(other, refusal("name-owned", `${from} belongs to somebody else`, ""));
  }

  #do(member: Member, claim: Claim): Promise<string | Refusal> {
    switch (claim.type) {
      case "register":
        return this.#register(member, claim);
      case "login":
        return this.#login(member, claim);
      case "password":
        return this.#change(member, claim);
      case "unregister":
        return this.#unregister(member, claim);
    }
  }

  async #register(
    member: Member,
    { password, ref }: Claiming<"register">,
  ): Promise<string | Refusal> {
    const { name, connection } = member;
    if (!connection) return gone(ref);
    const { host } = connection;
    const { accounts, owned, passwords, registrations } = this.#ownership;
    await owned.prepare();
    const fault = this.#cannotRegister(member, name, ref) ??
      badPassword(password, name, ref);
    if (fault) return fault;
    const isBound = this.#limits.limitLoopback || !isLoopback(host);
    const now = performance.now();
    const waitMs = isBound ? registrations.take(networkOf(host), now) : 0;
    if (waitMs > 0) {
      const reason = `your address has registered enough names, ${
        again(waitMs)
      }`;
      return refusal("too-many-tries", reason, ref);
    }
    // From now on, so that nobody else gets it meanwhile; and it is theirs whatever they are called then.
    const claimed = owned.add(name);
    let isAdded = false;
    try {
      const hash = await passwords.hash(password);
      isAdded = await accounts.add({ name, hash });
    } finally {
      if (!isAdded) {
        owned.remove(claimed);
        registrations.giveBack(networkOf(host), now);
      }
    }
    if (!isAdded) return belongsToAnother(ref);
    member.account = nameKey(name);
    log.info("registered", { name, address: host });
    return `${name} is yours now: /login ${name} PASSWORD takes it, wherever you are${
      accounts.lasts ? "" : "; this server forgets it when it ends"
    }`;
  }

  #cannotRegister(
    member: Member,
    name: string,
    ref: string,
  ): Refusal | undefined {
    const { owned } = this.#ownership;
    if (member.guest !== undefined && name === guestName(member.guest)) {
      const reason = "a guest's name cannot be registered, /nick takes another";
      return refusal("name-invalid", reason, ref);
    }
    if (owned.find(name)) {
      return member.account === nameKey(name)
        ? refusal("name-owned", "that name is yours already", ref)
        : belongsToAnother(ref);
    }
    if (
      this.#members.isRefused(member, name) || owned.isLikeAnother(name)
    ) return belongsToAnother(ref);
    if (owned.size >= this.#limits.maxAccounts) {
      const reason = "this server keeps no more names";
      return refusal("storage", reason, ref);
    }
    return undefined;
  }

  async #login(
    member: Member,
    proof: Claiming<"login">,
  ): Promise<string | Refusal> {
    const { connection } = member;
    if (!connection) return gone(proof.ref);
    const proven = await this.check(connection.host, proof);
    if ("code" in proven) return proven;
    if (!this.#members.has(member)) return gone(proof.ref);
    if (!this.trust(member, proven)) return wrong(proof.ref);
    if (nameKey(member.name) !== member.account) {
      this.reclaim(member, proven.name);
      const from = member.name;
      const refused = this.#members.rename(member, proof);
      if (refused) return refused;
      this.#seating.renamed(member, from);
    }
    const address = connection.host;
    log.info("logged in", { name: member.name, address });
    return loggedIn(member, proof.ref).text;
  }

  async #check(
    host: string,
    { name, password, ref }: Proof,
  ): Promise<Owned | Refusal> {
    const { tries } = this.#ownership;
    const network = networkOf(host);
    const taken = await this.#take(network);
    if ("waitMs" in taken) {
      const reason = `too many wrong passwords came from your address, ${
        again(taken.waitMs)
      }`;
      return refusal("too-many-tries", reason, ref);
    }
    try {
      return await this.#judge(
        host,
        { name, password, ref },
        () => tries.giveBack(network, taken.at),
      );
    } finally {
      this.#ended(network);
    }
  }

  /** Whether somebody knows the password of a name; calls `giveBack` if they have not been wrong. */
  async #judge(
    host: string,
    { name, password, ref }: Proof,
    giveBack: () => void,
  ): Promise<Owned | Refusal> {
    const { accounts, owned, passwords } = this.#ownership;
    const wished = normalizeName(name);
    // What cannot be a name is not looked for, and takes as long.
    const isName = nameFault(wished) === undefined;
    const before = isName ? owned.find(wished) : undefined;
    let isRight = false;
    try {
      const account = before && await accounts.find(wished);
      isRight = await passwords.check(password, account?.hash);
    } catch (error) {
      giveBack();
      throw error;
    }
    // Somebody may have given it up meanwhile, and somebody else registered it.
    if (isRight && before && owned.find(wished) === before) {
      giveBack();
      return this.#refuseBanned(before, ref) ?? before;
    }
    log.warn("wrong name or password", { name: shown(name), address: host });
    return wrong(ref);
  }

  /**
   * Takes a try. Where all are taken by passwords that are just being checked, it is waited until one of them is: many
   * who are right may come from one address at once.
   *
   * @throws {TooManyChecks}
   */
  async #take(network: string): Promise<{ at: number } | { waitMs: number }> {
    for (;;) {
      const at = performance.now();
      const waitMs = this.#ownership.tries.take(network, at);
      const checks = this.#checks.get(network) ??
        { running: 0, ended: Promise.withResolvers<void>() };
      if (waitMs === 0) {
        checks.running++;
        this.#checks.set(network, checks);
        return { at };
      }
      if (checks.running === 0) return { waitMs };
      if (this.#waiting >= this.#limits.maxChecks) throw new TooManyChecks();
      this.#waiting++;
      await checks.ended.promise;
      this.#waiting--;
    }
  }

  /** A password from there has been checked. */
  #ended(network: string): void {
    const checks = this.#checks.get(network);
    if (!checks) return;
    checks.ended.resolve();
    checks.ended = Promise.withResolvers();
    if (--checks.running === 0) this.#checks.delete(network);
  }

  #refuseBanned({ name }: Owned, ref: string): Refusal | undefined {
    return this.#members.refuseBanned({ name, account: nameKey(name) }, ref);
  }

  async #change(
    member: Member,
    { password, ref }: Claiming<"password">,
  ): Promise<string | Refusal> {
    const { accounts, owned, passwords } = this.#ownership;
    const mine = this.#owned(member);
    if (!mine) return notLoggedIn(ref);
    const { name } = mine;
    const address = hostOf(member);
    const fault = badPassword(password, name, ref);
    if (fault) return fault;
    const hash = await passwords.hash(password);
    if (owned.find(name) !== mine) return notLoggedIn(ref);
    if (!await accounts.change({ name, hash })) return notLoggedIn(ref);
    // Whoever else knew the old one has to say the new one, also whose old one is just being checked.
    owned.remove(mine);
    owned.add(name);
    this.#logOut(mine, member);
    log.info("new password", { name, address });
    return `${name} has another password now`;
  }

  async #unregister(
    member: Member,
    { ref }: Claiming<"unregister">,
  ): Promise<string | Refusal> {
    const { accounts, owned } = this.#ownership;
    const mine = this.#owned(member);
    if (!mine) return notLoggedIn(ref);
    const { name } = mine;
    const address = hostOf(member);
    await accounts.remove(name);
    owned.remove(mine);
    this.#logOut(mine);
    log.info("unregistered", { name, address });
    return `${name} belongs to nobody now`;
  }

  #owned({ account }: Member): Owned | undefined {
    return account === undefined
      ? undefined
      : this.#ownership.owned.find(account);
  }

  #logOut({ name }: Owned, except?: Member): void {
    const key = nameKey(name);
    for (const member of this.#members) {
      if (member.account === key && member !== except) {
        member.account = undefined;
      }
    }
  }

  /** What fails because of the disk, or because too many ask, is refused. */
  async #refusing<T>(
    ref: string,
    work: () => Promise<T>,
  ): Promise<T | Refusal> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof TooManyChecks) {
        return refusal("too-many-tries", `${error.message}, come again`, ref);
      }
      if (!(error instanceof LogError)) throw error;
      const reason = `it could not be stored: ${error.message}`;
      return refusal("storage", reason, ref);
    }
  }
}

/** What is told to whoever has logged in. */
export function loggedIn(
  { name }: Member,
  ref: string,
): ChatEvent & { type: "done" } {
  return { type: "done", text: `you are logged in as ${name}`, ref };
}

function badPassword(
  password: string,
  name: string,
  ref: string,
): Refusal | undefined {
  const fault = passwordFault(password, name);
  return fault === undefined
    ? undefined
    : refusal("password-invalid", fault, ref);
}

function belongsToAnother(ref: string): Refusal {
  return refusal("name-owned", "that name belongs to somebody", ref);
}

function wrong(ref: string): Refusal {
  return refusal("login-wrong", "wrong name or password", ref);
}

function notLoggedIn(ref: string): Refusal {
  return refusal("not-registered", "you are not logged in", ref);
}

/** Nobody hears it. */
function gone(ref: string): Refusal {
  return refusal("away", "you have left", ref);
}

function again(waitMs: number): string {
  return `come again in ${Math.ceil(waitMs / 1000)} s`;
}

/** Whatever a stranger calls a name, for the operator's log. */
function shown(name: string): string {
  return [...clean(name)].slice(0, MAX_NAME_LENGTH).join("");
}
