/**
 * One synthetic neighbour: what it really is, hidden, and what the asking peer has measured of it.
 * An answer takes the request's trip, the neighbour's queue, its mood, and one repair round for
 * each loss; it never comes from one that is gone, unreachable, unwilling, or no longer has the
 * fragment.
 */
import type { Random } from "../../base/prng.ts";
import { HIT_RATE_UNKNOWN, type NeighbourFeatures, smoothHitRate } from "../../score/features.ts";
import { between, heavy, type PriorWorld, spread } from "./prior-world.ts";

type Mood = "willing" | "slow" | "never";

/** Bits of one answer: a fragment with its headers. */
const ANSWER_BITS = 1200 * 8;
const SMOOTHING = 1 / 8;
const REPAIRS_MAX = 4;
/** A repair is noticed this long after the round trip, ms. */
const REPAIR_SLACK_MS = 25;
const MINUTE_MS = 60_000;

export class PriorNeighbour {
  readonly #world: PriorWorld;
  readonly #random: Random;
  readonly #baseRttMs: number;
  readonly #loss: number;
  readonly #uplinkBps: number;
  readonly #mood: Mood;
  readonly #moodMs: number;
  readonly #bornMs: number;
  readonly #leavesMs: number;
  readonly #isSameRegion: boolean;
  /** Whether its uplink is busy, its queue meanwhile, and when that changes. */
  #isBusy = false;
  #queueMs = 0;
  #changesMs: number;
  #unreachableUntilMs = 0;
  #hasAnswered = false;
  /** What the asking peer knows. */
  readonly #known: NeighbourFeatures;

  constructor(world: PriorWorld, random: Random, nowMs: number) {
    this.#world = world;
    this.#random = random;
    this.#isSameRegion = random.next() < world.sameRegionShare;
    this.#baseRttMs = spread(random, this.#isSameRegion ? world.nearMs : world.farMs);
    this.#loss = Math.min(0.6, world.loss * heavy(random, 1));
    this.#uplinkBps = Math.max(300_000, spread(random, world.uplinkBps));
    const draw = random.next();
    const { neverShare, slowShare } = world;
    this.#mood = draw < neverShare ? "never" : draw < neverShare + slowShare ? "slow" : "willing";
    this.#moodMs = this.#mood === "slow" ? heavy(random, 250) : 0;
    this.#bornMs = nowMs;
    const lifeMs = MINUTE_MS / Math.max(0.001, world.leavesPerMinute);
    this.#leavesMs = nowMs + heavy(random, lifeMs);
    this.#changesMs = nowMs + random.next() * 5000;
    const rttMs = this.#sampleRttMs();
    this.#known = {
      rttMs,
      rttVarMs: rttMs / 4,
      lossRate: 0,
      hitRate: HIT_RATE_UNKNOWN,
      answerMs: rttMs,
      ageMs: 0,
      sameRegion: this.#isSameRegion,
      spareBps: 0,
      inFlight: 0,
    };
    this.#hearMap();
  }

  /** The session is given up some seconds after the neighbour went. */
  isForgotten(nowMs: number): boolean {
    return nowMs > this.#leavesMs + 3000;
  }

  /** Its features as of now; the same object each time. */
  featuresAt(nowMs: number): NeighbourFeatures {
    this.#known.ageMs = nowMs - this.#bornMs;
    return this.#known;
  }

  /** Lets `gapMs` pass up to now: load and reachability change, probes and maps arrive. */
  advance(nowMs: number, gapMs: number): void {
    const { busyShare, busyQueueMs, natDropsPerMinute } = this.#world;
    if (nowMs >= this.#changesMs) {
      this.#isBusy = this.#random.next() < busyShare;
      this.#queueMs = this.#isBusy ? heavy(this.#random, busyQueueMs) : 0;
      this.#changesMs = nowMs + heavy(this.#random, 2500);
    }
    if (this.#random.next() < (natDropsPerMinute * gapMs) / MINUTE_MS) {
      this.#unreachableUntilMs = nowMs + between(this.#random, 1000, 20_000);
    }
    /* A probe or a map passes about twice a second. */
    if (this.#random.next() < gapMs / 500 && this.#isReachable(nowMs)) this.#hear();
  }

  /** Asks for a fragment: after how long the answer comes, ms; infinity when it does not. */
  ask(nowMs: number): number {
    this.#known.inFlight++;
    const isAnswered =
      this.#mood !== "never" &&
      this.#isReachable(nowMs) &&
      this.#random.next() >= this.#world.staleShare;
    if (!isAnswered) return Number.POSITIVE_INFINITY;
    const serviceMs = (ANSWER_BITS / this.#uplinkBps) * 1000 * this.#known.inFlight;
    const queueMs = this.#queueMs * between(this.#random, 0.5, 1.5);
    let answerMs = this.#sampleRttMs() + serviceMs + queueMs;
    if (this.#mood === "slow") answerMs += spread(this.#random, this.#moodMs);
    for (let trip = 0; trip < 2; trip++) {
      for (let round = 0; round < REPAIRS_MAX && this.#random.next() < this.#loss; round++) {
        /* A lost request is not repaired: it is made again of another one. */
        if (trip === 0) return Number.POSITIVE_INFINITY;
        answerMs += this.#baseRttMs + REPAIR_SLACK_MS;
      }
    }
    return answerMs;
  }

  /** What became of one request, when it was answered or given up; late answers teach nothing. */
  resolve(served: boolean, answerMs: number): void {
    const known = this.#known;
    known.inFlight--;
    known.hitRate = smoothHitRate(known.hitRate, served);
    if (!served) return;
    const gain = this.#hasAnswered ? SMOOTHING : 1;
    this.#hasAnswered = true;
    known.answerMs += (answerMs - known.answerMs) * gain;
  }

  #isReachable(nowMs: number): boolean {
    return nowMs < this.#leavesMs && nowMs >= this.#unreachableUntilMs;
  }

  #sampleRttMs(): number {
    return this.#baseRttMs + heavy(this.#random, this.#world.jitterMs);
  }

  /** RFC 9002 §5.3 for the RTT; loss over some thirty packets. */
  #hear(): void {
    const known = this.#known;
    const sampleMs = this.#sampleRttMs() + this.#queueMs * this.#random.next();
    known.rttVarMs += (Math.abs(known.rttMs - sampleMs) - known.rttVarMs) / 4;
    known.rttMs += (sampleMs - known.rttMs) * SMOOTHING;
    const isLost = this.#random.next() < this.#loss;
    known.lossRate += ((isLost ? 1 : 0) - known.lossRate) / 32;
    this.#hearMap();
  }

  /** What its map claims: an estimate of its own; one that never answers claims much. */
  #hearMap(): void {
    const usedShare = this.#isBusy ? between(this.#random, 0.8, 1) : this.#random.next() * 0.6;
    const claimed = this.#mood === "never" ? 1 : 1 - usedShare;
    this.#known.spareBps = this.#uplinkBps * claimed * between(this.#random, 0.7, 1.3);
  }
}
