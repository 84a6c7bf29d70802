/**
 * What an edge gives out on request (docs/SWARM.md, "Census and meter"). Requests draw on one
 * bucket for the edge and one a peer; who finds them empty is told to come back later, each time
 * later. What many miss at once is a hole in the push tree: it is pushed again to the super nodes
 * above those who miss it, which costs a copy each, instead of a copy for each child.
 */
import type { Random } from "../../base/prng.ts";
import { type Ms, ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";
import type { SwarmParams } from "../swarm-params.ts";

/**
 * Seconds of its rate that the edge's bucket holds: a super node's death is a burst of requests.
 */
const BUCKET_SECONDS = 3;
/**
 * First wait of who was refused, its growth with each further refusal, ms; drawn from half to one
 * and a half of it.
 */
const RETRY_MS = 100;
const RETRY_MS_MAX = 2000;
/**
 * A super node that the edge has not heard of for so long may be dead: its children are answered
 * themselves, ms.
 */
const FEEDER_SILENT_MS = 400;
/** Fragments that the census knows at a time. */
const CENSUS_MAX = 4096;
/**
 * A pushed fragment has this long beyond the round trip to come through before it is asked for
 * again, ms.
 */
const AGAIN_MS = 60;

export const Judgement = { serve: 0, refuse: 1, wait: 2 } as const;
export type Judgement = (typeof Judgement)[keyof typeof Judgement];

interface Account {
  tokens: number;
  at: Ms;
  refusals: number;
  retryMs: number;
}

interface Missed {
  readonly since: Ms;
  readonly askers: Set<Session>;
  /** Super nodes it was pushed to again. */
  feeders: Set<Session> | undefined;
}

/** What the compensation must know of the push tree, and has done there. */
export interface PushTree {
  /**
   * The super node that feeds `child` the sub-stream of this fragment; undefined = the edge itself.
   */
  feederOf(child: Session, number: number): Session | undefined;
  pushAgain(now: Ms, feeder: Session, number: number): void;
}

export class Compensation {
  readonly #params: SwarmParams;
  readonly #random: Random;
  readonly #tree: PushTree;
  readonly #accounts = new Map<Session, Account>();
  readonly #census = new Map<number, Missed>();
  #viewers = 0;
  /** Fragments/s, and those saved up. */
  #rate = 0;
  #tokens = 0;
  served = 0;
  refused = 0;
  pushedAgain = 0;

  constructor(params: SwarmParams, random: Random, tree: PushTree) {
    this.#params = params;
    this.#random = random;
    this.#tree = tree;
  }

  /** Fragments/s that the edge gives out at most. */
  get rate(): number {
    return this.#rate;
  }

  /**
   * Called with the edge's ticks: refills the bucket by `everyMs`, at the share of what `viewers`
   * want of a stream of `fragmentsPerSecond`, at most `ceiling` fragments/s; what a single viewer
   * may ask for is always there.
   */
  tick(
    now: Ms,
    everyMs: number,
    viewers: number,
    fragmentsPerSecond: number,
    ceiling = Number.POSITIVE_INFINITY,
  ): void {
    const { compensateShare, compensatePerPeer, censusWindowMs } = this.#params;
    this.#viewers = viewers;
    const share = compensateShare * viewers * fragmentsPerSecond;
    this.#rate = Math.min(Math.max(share, compensatePerPeer), ceiling);
    const cap = this.#rate * BUCKET_SECONDS;
    this.#tokens = Math.min(cap, this.#tokens + (this.#rate * everyMs) / 1000);
    for (const [number, { since }] of this.#census) {
      if (now - since <= censusWindowMs) break;
      this.#census.delete(number);
    }
    for (const [session, account] of this.#accounts) {
      if (this.#refill(now, account) >= compensatePerPeer) this.#accounts.delete(session);
    }
  }

  /** What becomes of one fragment that `asker` asks for and the edge has. */
  judge(now: Ms, asker: Session, number: number): Judgement {
    const missed = this.#missed(now, number);
    missed.askers.add(asker);
    if (this.#isWidelyMissed(missed) && this.#pushAgain(now, asker, number, missed)) {
      return Judgement.wait;
    }
    const account = this.#account(now, asker);
    if (account.tokens < 1 || this.#tokens < 1) {
      if (account.retryMs === 0) account.retryMs = this.#nextRetryMs(account);
      this.refused++;
      return Judgement.refuse;
    }
    account.tokens--;
    this.#tokens--;
    account.refusals = 0;
    account.retryMs = 0;
    this.served++;
    return Judgement.serve;
  }

  /** When one that was refused just now may come back; the next refusal gets a longer wait. */
  takeRetryMs(asker: Session): number {
    const account = this.#accounts.get(asker);
    if (account === undefined || account.retryMs === 0) return RETRY_MS;
    const { retryMs } = account;
    account.retryMs = 0;
    return retryMs;
  }

  /** When one that was told to wait may ask again. */
  waitMs(asker: Session): number {
    return Math.round(2 * asker.srttMs() + AGAIN_MS * (0.5 + this.#random.next()));
  }

  #nextRetryMs(account: Account): number {
    const grown = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** Math.min(8, account.refusals++));
    return Math.round(grown * (0.5 + this.#random.next()));
  }

  #missed(now: Ms, number: number): Missed {
    const known = this.#census.get(number);
    if (known !== undefined && now - known.since <= this.#params.censusWindowMs) return known;
    this.#census.delete(number);
    if (this.#census.size >= CENSUS_MAX) {
      for (const oldest of this.#census.keys()) {
        this.#census.delete(oldest);
        break;
      }
    }
    const missed: Missed = { since: now, askers: new Set(), feeders: undefined };
    this.#census.set(number, missed);
    return missed;
  }

  #isWidelyMissed({ askers, feeders }: Missed): boolean {
    if (feeders !== undefined) return true;
    const { censusPeers, censusShare } = this.#params;
    return askers.size > Math.min(censusPeers, Math.max(2, censusShare * this.#viewers));
  }

  /**
   * Pushes it to the super nodes above those who asked. False when that does not help this asker:
   * the edge feeds it, its super node may be dead, or has had it already and the asker misses it
   * still.
   */
  #pushAgain(now: Ms, asker: Session, number: number, missed: Missed): boolean {
    const isFirst = missed.feeders === undefined;
    const feeders = missed.feeders ?? new Set();
    missed.feeders = feeders;
    const own = this.#tree.feederOf(asker, number);
    if (own === undefined || now - own.lastReceivedAt > FEEDER_SILENT_MS) return false;
    const isNew = !feeders.has(own);
    for (const one of isFirst ? missed.askers : [asker]) {
      const feeder = this.#tree.feederOf(one, number);
      if (feeder === undefined || feeders.has(feeder)) continue;
      feeders.add(feeder);
      this.pushedAgain++;
      this.#tree.pushAgain(now, feeder, number);
    }
    return isNew;
  }

  #account(now: Ms, asker: Session): Account {
    const known = this.#accounts.get(asker);
    if (known !== undefined) {
      this.#refill(now, known);
      return known;
    }
    const tokens = this.#params.compensatePerPeer;
    const account: Account = { tokens, at: now, refusals: 0, retryMs: 0 };
    this.#accounts.set(asker, account);
    return account;
  }

  #refill(now: Ms, account: Account): number {
    const { compensatePerPeer } = this.#params;
    const gained = (compensatePerPeer * Math.max(0, now - account.at)) / 1000;
    account.at = ms(now);
    account.tokens = Math.min(compensatePerPeer, account.tokens + gained);
    return account.tokens;
  }
}
