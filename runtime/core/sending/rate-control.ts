/**
 * How fast one bottleneck may be sent to: rate-based and delay-aware. Used twice, for the path to one receiver and
 * for a node's shared uplink; both feed it intervals of about one round trip.
 *
 * Until congestion is really seen it is `free`: no estimate, only bursts are spread out. Congestion is a queue that
 * stands through whole intervals and grows, or loss together with a queue; loss alone (radio) changes nothing. Then
 * it is `limited`: while a queue stands, what comes out of the bottleneck *is* its capacity. A long queue is drained
 * at once by sending less for as long as that takes, a short one steered towards a small target (as LEDBAT does, RFC
 * 6817); without a queue the rate grows, faster the longer the calm, and only while it is used up: traffic limited by
 * the application never raises it. A queue that three drains do not empty is somebody else's (the idea of Copa, NSDI
 * 2018): then it is `competing` and does as TCP does, growth by segments and a cut per loss event, so that a TCP flow
 * keeps its share.
 */
import type { Ms } from "../../base/time.ts";

/** Queueing delay aimed at while limited. */
export const QUEUE_TARGET_MS = 20;
/** A queue standing longer than this through two intervals, and growing, is congestion. */
const ONSET_MS = 25;
/** Standing this long it is congestion whether it grows or not. */
const ONSET_SURE_MS = 60;
/** Loss above the path's usual, with a queue: the tail of a full buffer. */
const LOSS_EXCESS = 0.08;
const LOSS_PEAK_MS = 15;
const LOSS_STANDING_MS = 5;
/** Loss that no radio explains, without a queue to be seen (a policer): the circuit breaker, cf. RFC 8083. */
const LOSS_BREAKER = 0.4;
const LOSS_BREAKER_BYTES = 4_000;
const LOSS_BREAKER_INTERVALS = 4;
/** Pace of bursts as long as nothing is known, and how much faster than what is asked we always may go. */
const BURST_BPS = 20e6;
const BURST_FACTOR = 2.5;
/** What may leave in one go while free, bytes. */
const FREE_CREDIT_BYTES = 24_000;
/** What a late timer may catch up while limited. */
const LIMITED_CREDIT_MS = 4;
const LIMITED_CREDIT_BYTES = 2_400;
/** Growth per interval without a queue: added for each calm interval, at most. */
const GROWTH_STEP = 0.02;
const GROWTH_MAX = 0.12;
const GROWTH_WAIT = 2;
/** A queue that rose by more in one interval may be our doing already. */
const GROWING_MS = 1.5;
/** Of a capacity known before, what is believed while the rate is not used up. */
const UNSEEN_SHARE = 0.85;
/** Rate above or below what is delivered when the queue is off its target by 100 %. */
const GAIN = 0.05;
const STEER_FACTOR_MIN = 0.93;
/** A queue longer than this is drained, a shorter one steered. */
const DRAIN_FROM_MS = 50;
/** Share of the capacity used while a queue drains, for how long at most, and afterwards. */
const DRAIN_FACTOR = 0.6;
const DRAIN_MS_MAX = 800;
const AFTER_DRAIN = 0.97;
/** Drains in a row that did not drain: the queue is somebody else's. */
const STUCK_DRAINS = 3;
const COMPETING_CUT = 0.7;
const COMPETING_SEGMENTS = 2;
const LOSS_EVENT = 0.005;
const SEGMENT_BITS = 1200 * 8;
/** While limited the queue must have been empty this often, or the base delay may be stale. */
const PROBE_MS = 10_000;
export const RATE_BPS_MIN = 32_000;
/** Share of the rate that must have been sent, with something held back, for it to count as used up. */
const USED_UP = 0.85;
const DEMAND_TAU_MS = 1000;

export type RateMode = "free" | "limited" | "competing";

/** One interval of feedback. */
export interface RateInterval {
  durationMs: number;
  bytesAcked: number;
  bytesLost: number;
  /** Least and largest queueing delay in the interval, ms. */
  standingMs: number;
  peakMs: number;
  rttMs: number;
}

export class RateControl {
  mode: RateMode = "free";
  /** bit/s while not free. */
  #rateBps = 0;
  #capacityBps = 0;
  readonly #initialBps: number;
  readonly #maxBps: number;
  #burstBps = BURST_BPS;
  #demandBps = 0;
  #demandAt = 0;
  #nextAt = 0;
  #bytesSent = 0;
  #sentFrom = 0;
  #wasRefused = false;
  #lossUsual = 0;
  #ackedBefore = 0;
  #durationBefore = 0;
  #standingBefore = 0;
  #streak = 0;
  #calm = 0;
  #stuck = 0;
  #onsetBps = 0;
  /** What was delivered, smoothed, while nothing stood in a queue. */
  #calmBps = 0;
  /** Intervals of heavy loss in a row. */
  #heavy = 0;
  #emptyAt = 0;
  #drainUntil = 0;
  #drainFromMs = 0;
  #holdUntil = 0;

  constructor(initialBps: number, maxBps: number) {
    this.#initialBps = initialBps;
    this.#maxBps = maxBps;
  }

  /** bit/s that may be used, 0 = not limited so far. */
  get limitBps(): number {
    if (this.mode === "free") return this.#maxBps === Number.POSITIVE_INFINITY ? 0 : this.#maxBps;
    return Math.min(this.#rateBps, this.#maxBps);
  }

  /** The rate packets are spread at. */
  get paceBps(): number {
    if (this.mode !== "free") return Math.min(this.#rateBps, this.#maxBps);
    const floor = Math.max(this.#initialBps, 0);
    const pace = Math.max(Math.min(floor, this.#burstBps), this.#demandBps * BURST_FACTOR);
    return Math.min(floor === Number.POSITIVE_INFINITY ? floor : pace, this.#maxBps);
  }

  /** What planning may count on: the drain of a queue passes, the capacity stays. */
  get planBps(): number {
    if (this.mode === "free") return this.paceBps;
    return Math.min(Math.max(this.#rateBps, this.#capacityBps * 0.95), this.#maxBps);
  }

  /** Bytes that somebody wants sent. */
  noteDemand(now: Ms, bytes: number): void {
    if (now > this.#demandAt) {
      /* As exp(−t/τ), to the first term. */
      this.#demandBps /= 1 + (now - this.#demandAt) / DEMAND_TAU_MS;
      this.#demandAt = now;
    }
    this.#demandBps += (bytes * 8000) / DEMAND_TAU_MS;
  }

  /** Whether a packet may go now. */
  allows(now: Ms): boolean {
    if (this.#drainUntil > 0 && now >= this.#drainUntil) this.#endDrain();
    if (this.#nextAt <= now) return true;
    this.#wasRefused = true;
    return false;
  }

  /** When the next packet may go. */
  get nextAt(): Ms {
    return this.#nextAt as Ms;
  }

  noteSent(now: Ms, bytes: number): void {
    this.#bytesSent += bytes;
    const pace = this.paceBps;
    if (pace === Number.POSITIVE_INFINITY) return;
    const costMs = (bytes * 8000) / pace;
    const creditMs =
      this.mode === "free"
        ? (FREE_CREDIT_BYTES * 8000) / pace
        : Math.max(LIMITED_CREDIT_MS, (LIMITED_CREDIT_BYTES * 8000) / pace);
    this.#nextAt = Math.max(this.#nextAt, now - creditMs) + costMs;
  }

  /** The interval that was running is void. */
  handlePause(now: Ms): void {
    this.#sentFrom = now;
    this.#ackedBefore = 0;
    this.#durationBefore = 0;
    this.#bytesSent = 0;
    this.#wasRefused = false;
  }

  /** Takes one interval of feedback. */
  handleInterval(now: Ms, interval: Readonly<RateInterval>): void {
    const settled = interval.bytesAcked + interval.bytesLost;
    const loss = settled > 0 ? interval.bytesLost / settled : 0;
    const delivered = this.#deliveredBps(interval);
    const isUsedUp =
      this.#wasRefused && this.#bytesSent * 8000 > USED_UP * this.#rateBps * (now - this.#sentFrom);
    const isSpill = loss > this.#lossUsual + LOSS_EXCESS && interval.peakMs > LOSS_PEAK_MS;
    if (interval.standingMs < LOSS_STANDING_MS && !isSpill) {
      this.#lossUsual += 0.1 * (loss - this.#lossUsual);
    }
    if (interval.standingMs < QUEUE_TARGET_MS / 2) {
      this.#emptyAt = now;
      this.#calmBps += (delivered - this.#calmBps) / 8;
    }
    if (this.mode === "free") this.#watch(now, interval, isSpill, delivered);
    else if (this.mode === "limited") this.#steer(now, interval, delivered, isUsedUp);
    else this.#compete(now, interval, loss);
    this.#breakCircuit(interval, loss, delivered);
    this.#rateBps = Math.min(Math.max(this.#rateBps, RATE_BPS_MIN), this.#maxBps);
    this.#ackedBefore = interval.bytesAcked;
    this.#durationBefore = interval.durationMs;
    this.#standingBefore = interval.standingMs;
    this.#bytesSent = 0;
    this.#sentFrom = now;
    this.#wasRefused = false;
  }

  /** What came out of the bottleneck over this and the last interval, what the path usually loses added again. */
  #deliveredBps(interval: Readonly<RateInterval>): number {
    const bytes = interval.bytesAcked + this.#ackedBefore;
    const durationMs = interval.durationMs + this.#durationBefore;
    return (bytes * 8000) / Math.max(durationMs, 1) / (1 - Math.min(this.#lossUsual, 0.5));
  }

  /** Free: waits for a queue that stands and grows, or fills and spills. */
  #watch(now: Ms, interval: Readonly<RateInterval>, spills: boolean, delivered: number): void {
    const grows = interval.standingMs > this.#standingBefore + 2;
    const stands =
      interval.standingMs > ONSET_SURE_MS || (interval.standingMs > ONSET_MS && (grows || spills));
    if (spills) this.#burstBps = Math.max(this.#burstBps * 0.7, this.#demandBps * BURST_FACTOR);
    const isHot = stands || (spills && interval.standingMs > LOSS_STANDING_MS);
    const isSure = interval.standingMs > ONSET_SURE_MS && grows;
    this.#streak = isHot ? this.#streak + (isSure ? 2 : 1) : 0;
    if (this.#streak < 2) return;
    this.mode = "limited";
    this.#streak = 0;
    this.#emptyAt = now;
    this.#nextAt = Math.min(this.#nextAt, now);
    this.#drain(now, interval, delivered);
  }

  /** Takes what is delivered for the capacity, and sends less until the queue has drained to half its target. */
  #drain(now: Ms, interval: Readonly<RateInterval>, delivered: number): void {
    this.#capacityBps = delivered;
    this.#calm = 0;
    const excessMs = interval.standingMs - QUEUE_TARGET_MS / 2;
    this.#drainFromMs = interval.standingMs;
    this.#drainUntil = now + Math.min(Math.max(excessMs, 0) / (1 - DRAIN_FACTOR), DRAIN_MS_MAX);
    /* What this does is seen a round trip later, in an interval of its own. */
    this.#holdUntil = this.#drainUntil + interval.rttMs;
    this.#rateBps = delivered * DRAIN_FACTOR;
    if (this.#onsetBps === 0) this.#onsetBps = Math.max(delivered, this.#calmBps);
  }

  #endDrain(): void {
    this.#drainUntil = 0;
    this.#rateBps = Math.max(this.#capacityBps * AFTER_DRAIN, RATE_BPS_MIN);
  }

  #steer(now: Ms, interval: Readonly<RateInterval>, delivered: number, isUsedUp: boolean): void {
    const standing = interval.standingMs;
    if (now - interval.durationMs < this.#holdUntil) return;
    if (this.#drainFromMs > 0) {
      const isDefied = standing > QUEUE_TARGET_MS && standing > 0.6 * this.#drainFromMs;
      this.#stuck = isDefied ? this.#stuck + 1 : 0;
      this.#drainFromMs = 0;
      if (!isDefied) this.#onsetBps = 0;
    }
    if (this.#stuck >= STUCK_DRAINS) return this.#beginCompeting();
    if (standing > DRAIN_FROM_MS) {
      /* Only a bottleneck kept busy shows what it can do. */
      const known = isUsedUp ? 0 : Math.min(this.#capacityBps, this.#rateBps) * UNSEEN_SHARE;
      this.#drain(now, interval, Math.max(delivered, known));
    } else if (standing >= QUEUE_TARGET_MS / 2 && isUsedUp) {
      const excess = (QUEUE_TARGET_MS - standing) / QUEUE_TARGET_MS;
      this.#rateBps = Math.max(delivered * (1 + GAIN * excess), this.#rateBps * STEER_FACTOR_MIN);
      this.#capacityBps = Math.max(delivered, this.#capacityBps * STEER_FACTOR_MIN);
      this.#calm = 0;
      if (now - this.#emptyAt > PROBE_MS) this.#drain(now, interval, delivered);
    } else if (isUsedUp && standing < this.#standingBefore + GROWING_MS) this.#grow();
  }

  /** Quickly up to where the queue last stood, slowly past it, and the faster the longer nothing stands in the way. */
  #grow(): void {
    const isBelow = this.#rateBps < 0.93 * this.#capacityBps;
    if (!isBelow) this.#calm++;
    const steps = Math.max(1, this.#calm - GROWTH_WAIT);
    const growth = isBelow ? GROWTH_MAX : Math.min(GROWTH_MAX, GROWTH_STEP * steps);
    this.#rateBps *= 1 + growth;
  }

  #beginCompeting(): void {
    this.mode = "competing";
    this.#streak = 0;
    this.#stuck = 0;
    this.#rateBps = Math.max(this.#rateBps, this.#onsetBps * COMPETING_CUT);
    this.#onsetBps = 0;
  }

  /** As TCP: a few segments more per round trip, and one cut per loss event (its factor: RFC 9438). */
  #compete(now: Ms, interval: Readonly<RateInterval>, loss: number): void {
    this.#streak = interval.standingMs < QUEUE_TARGET_MS ? this.#streak + 1 : 0;
    if (this.#streak >= 2) {
      this.mode = "limited";
      this.#capacityBps = this.#rateBps;
      this.#emptyAt = now;
      this.#calm = 0;
      return;
    }
    const rttMs = Math.max(interval.rttMs, 10);
    if (loss > this.#lossUsual + LOSS_EVENT) {
      if (now < this.#holdUntil) return;
      this.#rateBps *= COMPETING_CUT;
      this.#holdUntil = now + 2 * rttMs;
    } else if (this.#wasRefused) {
      const spanMs = Math.max(now - this.#sentFrom, 1);
      const usedShare = Math.min(1, (this.#bytesSent * 8000) / (this.#rateBps * spanMs));
      const perRoundBps = (COMPETING_SEGMENTS * SEGMENT_BITS * 1000) / rttMs;
      this.#rateBps += perRoundBps * (spanMs / rttMs) * usedShare;
    }
    this.#capacityBps = this.#rateBps;
  }

  #breakCircuit(interval: Readonly<RateInterval>, loss: number, delivered: number): void {
    const isHeavy = loss > LOSS_BREAKER && interval.bytesLost > LOSS_BREAKER_BYTES;
    this.#heavy = isHeavy ? this.#heavy + 1 : 0;
    if (this.#heavy < LOSS_BREAKER_INTERVALS) return;
    if (this.mode === "free") this.mode = "limited";
    this.#capacityBps = delivered;
    this.#rateBps = delivered * 1.1;
    this.#calm = 0;
  }
}
