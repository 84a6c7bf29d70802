/**
 * The peers a peer has a session with: parents, children and plain neighbours alike. What each has (its last MAP),
 * how well it has served, and who is let in, asked for, or gives way to somebody better (docs/SWARM.md, Neighbours).
 */
import type { Random } from "../../base/prng.ts";
import { type Ms, ms, NEVER } from "../../base/time.ts";
import { ACK_PEER, type Session } from "../../core/session/session.ts";
import { HIT_RATE_UNKNOWN, type NeighbourFeatures, smoothHitRate } from "../../score/features.ts";
import type { Scorer } from "../../score/scorer.ts";
import type { MapPacket, PeerRef } from "../../wire/swarm.ts";
import { nodeKey } from "../edge-swarm/member.ts";
import type { SwarmParams } from "../swarm-params.ts";

/** Weight of the latest answer in the mean time to answer. */
const ANSWER_GAIN = 1 / 8;
/** Scores are worked out anew this often at most. */
const SCORE_MS = 250;
/** The edge is asked for more peers this often while that brings some, ever more seldom while it does not. */
const WANT_MS = 3000;
const WANT_MS_MAX = 12_000;
/** Asked for by who has enough: somebody better may be among them. */
const WANT_BETTER = 4;
/** Maps come at least this often, so that they keep a session alive by themselves. */
const GOSSIP_MS_MAX = ACK_PEER.keepaliveMs - 100;
/** Candidates remembered. */
const CANDIDATES_MAX = 64;

/** As what a session began: to exchange maps over, or to feed us, or to be fed by us. */
export type NeighbourRole = "mesh" | "parent" | "child";

export class Neighbour {
  readonly session: Session;
  readonly key: string;
  readonly region: number;
  readonly since: Ms;
  gossipAt: Ms;
  readonly role: NeighbourRole;
  /** Maps are exchanged with it: not with a super node's many children, nor by them with it. */
  isMeshed = true;
  /** Index under which it sends the current run; 0 = not said yet. */
  index = 0;
  /** What it said it has: the `mapRun` fragments before `mapBase`, and `mapBase + i` where bit i is set. */
  mapBase = 0;
  mapRun = 0;
  mapBits: Uint8Array = NO_BITS;
  mapAt: Ms = ms(Number.NEGATIVE_INFINITY);
  spareBps = 0;
  hitRate = HIT_RATE_UNKNOWN;
  answerMs = 0;
  inFlight = 0;
  score = 0.5;
  scoredAt: Ms = ms(Number.NEGATIVE_INFINITY);

  constructor(
    session: Session,
    key: string,
    region: number,
    role: NeighbourRole,
    now: Ms,
    gossipAt: Ms,
  ) {
    this.session = session;
    this.role = role;
    this.key = key;
    this.region = region;
    this.since = now;
    this.gossipAt = gossipAt;
  }

  has(number: number): boolean {
    const bit = (number - this.mapBase) | 0;
    if (bit < 0) return -bit <= this.mapRun;
    if (bit >= this.mapBits.length * 8) return false;
    return (((this.mapBits[bit >>> 3] as number) >>> (bit & 7)) & 1) === 1;
  }

  handleMap(now: Ms, map: MapPacket): void {
    this.mapBase = map.base;
    this.mapRun = map.run;
    if (this.mapBits.length === map.bits.length) this.mapBits.set(map.bits);
    else this.mapBits = map.bits.slice();
    this.spareBps = map.spareBps;
    this.mapAt = now;
  }

  /** What became of one request. */
  handleOutcome(isServed: boolean, tookMs: number): void {
    this.hitRate = smoothHitRate(this.hitRate, isServed);
    const gain = this.answerMs === 0 ? 1 : ANSWER_GAIN;
    if (isServed) this.answerMs += (tookMs - this.answerMs) * gain;
    this.scoredAt = ms(Number.NEGATIVE_INFINITY);
  }

  features(now: Ms, ownRegion: number, into: Mutable<NeighbourFeatures>): NeighbourFeatures {
    const rttMs = this.session.srttMs();
    into.rttMs = rttMs;
    into.rttVarMs = this.session.rttVarMs();
    into.lossRate = this.session.lossRate();
    into.hitRate = this.hitRate;
    into.answerMs = this.answerMs === 0 ? rttMs : this.answerMs;
    into.ageMs = now - this.since;
    into.sameRegion = this.region !== 0 && this.region === ownRegion;
    into.spareBps = this.spareBps;
    into.inFlight = this.inFlight;
    return into;
  }
}

const NO_BITS = new Uint8Array(0);
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class Neighbours {
  readonly #params: SwarmParams;
  readonly #random: Random;
  readonly #scorer: Scorer;
  readonly #byKey = new Map<string, Neighbour>();
  readonly list: Neighbour[] = [];
  readonly candidates = new Map<string, PeerRef>();
  readonly #features: Mutable<NeighbourFeatures> = {
    rttMs: 0,
    rttVarMs: 0,
    lossRate: 0,
    hitRate: 0,
    answerMs: 0,
    ageMs: 0,
    sameRegion: false,
    spareBps: 0,
    inFlight: 0,
  };
  ownRegion = 0;
  #meshed = 0;
  #parents = 0;
  #replaceAt: Ms | undefined;
  /** When the edge is next to be asked for peers. */
  wantAt: Ms = NEVER;
  #wantMs = WANT_MS;

  constructor(params: SwarmParams, random: Random, scorer: Scorer) {
    this.#params = params;
    this.#random = random;
    this.#scorer = scorer;
  }

  /** Neighbours that maps are exchanged with. */
  get meshed(): number {
    return this.#meshed;
  }

  /** Of those and of parents, how many more there may be. */
  get missing(): number {
    return Math.max(0, this.#params.neighboursMax - this.#meshed - this.#parents);
  }

  /** How often each of those gets a MAP: what counts is how many are sent in all. */
  get gossipMs(): number {
    const { gossipMs, mapsPerSecond } = this.#params;
    return Math.max(gossipMs, Math.min(GOSSIP_MS_MAX, (this.#meshed * 1000) / mapsPerSecond));
  }

  get isFull(): boolean {
    return this.missing === 0;
  }

  of(session: Session): Neighbour | undefined {
    const { attached } = session;
    return attached instanceof Neighbour ? attached : undefined;
  }

  withNode(key: string): Neighbour | undefined {
    return this.#byKey.get(key);
  }

  /** Enters a session; the caller has made sure that the node is not here yet. */
  add(now: Ms, session: Session, node: Uint8Array, region: number, role: NeighbourRole): Neighbour {
    const gossipAt = ms(now + this.#random.next() * this.#params.gossipMs);
    const neighbour = new Neighbour(session, nodeKey(node), region, role, now, gossipAt);
    neighbour.isMeshed = role === "mesh" && !this.isFull;
    if (neighbour.isMeshed) {
      this.#meshed++;
      this.#wantMs = WANT_MS;
    } else if (role === "parent") this.#parents++;
    this.#byKey.set(neighbour.key, neighbour);
    session.attached = neighbour;
    this.list.push(neighbour);
    this.candidates.delete(neighbour.key);
    return neighbour;
  }

  remove(session: Session): Neighbour | undefined {
    const neighbour = this.of(session);
    if (neighbour === undefined) return undefined;
    if (neighbour.isMeshed) {
      this.#meshed--;
      this.#wantMs = WANT_MS;
    } else if (neighbour.role === "parent") this.#parents--;
    session.attached = undefined;
    this.#byKey.delete(neighbour.key);
    const at = this.list.indexOf(neighbour);
    const last = this.list.pop() as Neighbour;
    if (last !== neighbour) this.list[at] = last;
    return neighbour;
  }

  addCandidates(refs: readonly PeerRef[]): void {
    for (const ref of refs) {
      const key = nodeKey(ref.node);
      if (this.#byKey.has(key)) continue;
      if (this.candidates.size >= CANDIDATES_MAX) return;
      this.candidates.set(key, ref);
    }
  }

  /** The edge has this peer in its swarm, and names some by itself. */
  handleWelcome(now: Ms): void {
    this.#wantMs = WANT_MS;
    this.wantAt = ms(now + WANT_MS);
  }

  /** How many peers to ask the edge for now; 0 = none. */
  toWant(now: Ms): number {
    this.wantAt = ms(now + this.#wantMs);
    this.#wantMs = Math.min(2 * this.#wantMs, WANT_MS_MAX);
    if (this.candidates.size > 0) return 0;
    return this.isFull ? WANT_BETTER : Math.min(this.missing, this.#params.candidates);
  }

  /** Takes a candidate to connect to, or undefined. */
  takeCandidate(): PeerRef | undefined {
    for (const [key, ref] of this.candidates) {
      this.candidates.delete(key);
      return ref;
    }
    return undefined;
  }

  /** Affinity, cached for a moment. */
  scoreOf(now: Ms, neighbour: Neighbour, budgetMs: number): number {
    if (now - neighbour.scoredAt > SCORE_MS) {
      const features = neighbour.features(now, this.ownRegion, this.#features);
      neighbour.score = this.#scorer.score(features, budgetMs);
      neighbour.scoredAt = now;
    }
    return neighbour.score;
  }

  /** What is known of a neighbour now, to be kept with a request until its outcome. */
  featuresOf(now: Ms, neighbour: Neighbour): NeighbourFeatures {
    return { ...neighbour.features(now, this.ownRegion, this.#features) };
  }

  /** One request is settled: the counters and the network learn from it; `features` of when it was asked. */
  handleOutcome(
    neighbour: Neighbour,
    features: NeighbourFeatures,
    budgetMs: number,
    isServed: boolean,
    tookMs: number,
  ): void {
    this.#scorer.learn(features, budgetMs, isServed);
    neighbour.handleOutcome(isServed, tookMs);
  }

  /**
   * Every `replaceMs`: plain neighbours (not `isBound`: parents and children stay) that are worse than the median by
   * the hysteresis give way when there are candidates to take their place.
   */
  toReplace(now: Ms, isBound: (neighbour: Neighbour) => boolean): Neighbour[] {
    const { replaceMs, replaceShare, replaceHysteresis } = this.#params;
    this.#replaceAt ??= ms(now + replaceMs * (0.5 + this.#random.next()));
    if (now < this.#replaceAt || this.candidates.size === 0) return [];
    this.#replaceAt = ms(now + replaceMs);
    const scored = this.list
      .filter((each) => !isBound(each) && now - each.since > replaceMs)
      .sort((a, b) => a.score - b.score);
    const median = scored[scored.length >> 1]?.score ?? 0;
    const count = Math.min(this.candidates.size, Math.ceil(scored.length * replaceShare));
    return scored.slice(0, count).filter((each) => each.score * replaceHysteresis < median);
  }
}
