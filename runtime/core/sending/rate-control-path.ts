/**
 * The path to one receiver: turns ACK samples into intervals for its `RateControl`. Queueing delay is the one-way
 * delay above its least of the last 20–40 s; a queue on the way back does not count. What all sessions' delays have
 * in common is the node's uplink's business (uplink.ts) and is taken off.
 */
import type { Ms } from "../../base/time.ts";
import { RateControl, type RateInterval } from "./rate-control.ts";
import type { AckSample } from "./send-queue-types.ts";

/** Half the memory of the least delay: long against a video's pauses, short against clocks' drift (50 ppm: 2 ms). */
const BASE_HALF_MS = 20_000;
const INTERVAL_MS_MIN = 60;
const INTERVAL_SAMPLES = 3;
/** Paths with few ACKs: the interval closes with two samples after this long. */
const INTERVAL_SPARSE_MS = 1000;
/** Nothing arriving for so long, and for so many times what is usual, is a pause of the sender's. */
const PAUSE_MS = 60;
const PAUSE_FACTOR = 2.5;
const PATH_INITIAL_BPS = 20e6;

const interval: RateInterval = {
  durationMs: 0,
  bytesAcked: 0,
  bytesLost: 0,
  standingMs: 0,
  peakMs: 0,
  rttMs: 0,
};

export class PathControl {
  #rate: RateControl | undefined;
  #baseMs = Number.POSITIVE_INFINITY;
  #baseBeforeMs = Number.POSITIVE_INFINITY;
  #baseFrom = 0;
  /** Latest queueing delay, ms, and when it was told. */
  #queueMs = 0;
  #queuedAt = 0;
  #startedAt = Number.NaN;
  #sampleAt = Number.NaN;
  /** Usual time between ACKs that tell a delay, ms. */
  ackGapMs = 0;
  #bytesAcked = 0;
  #bytesLost = 0;
  #standingMs = Number.POSITIVE_INFINITY;
  #peakMs = 0;
  #samples = 0;

  /** The path's own; a session that asks for it never has none. */
  get rate(): RateControl {
    this.#rate ??= new RateControl(PATH_INITIAL_BPS, Number.POSITIVE_INFINITY);
    return this.#rate;
  }

  /** bit/s that may be used, 0 = not limited so far. */
  get limitBps(): number {
    return this.#rate?.limitBps ?? 0;
  }

  /**
   * Queueing delay a packet may meet now, ms. A queue empties as time goes by: of what was told last, so much is gone.
   * Else a sender that a long queue kept from sending would never hear that it is no more.
   */
  queueMsAt(now: Ms): number {
    return Math.max(0, this.#queueMs - (now - this.#queuedAt));
  }

  /** Returns the queueing delay of this sample, ms, NaN when it tells none. */
  handleAck(
    now: Ms,
    sample: Readonly<AckSample>,
    srttMs: number,
    minRttMs: number,
    sharedMs: number,
  ): number {
    this.#bytesAcked += sample.bytesAcked;
    this.#bytesLost += sample.bytesLost;
    if (Number.isNaN(sample.oneWayMs)) return Number.NaN;
    const queueMs = this.#queueing(now, sample.oneWayMs);
    this.#queueMs = queueMs;
    this.#queuedAt = now;
    if (queueMs < this.#standingMs) this.#standingMs = queueMs;
    if (queueMs > this.#peakMs) this.#peakMs = queueMs;
    this.#samples++;
    const at = Number.isNaN(sample.receiverMs) ? now : sample.receiverMs;
    if (this.#isAfterPause(at)) {
      /* A pause says nothing about the path: the interval begins anew. */
      this.#rate?.handlePause(now);
      return this.#begin(at, queueMs);
    }
    const durationMs = at - this.#startedAt;
    const isDue =
      this.#samples >= INTERVAL_SAMPLES && durationMs >= Math.max(INTERVAL_MS_MIN, minRttMs);
    if (!isDue && (this.#samples < 2 || durationMs < INTERVAL_SPARSE_MS)) return queueMs;
    interval.durationMs = durationMs;
    interval.bytesAcked = this.#bytesAcked;
    interval.bytesLost = this.#bytesLost;
    interval.standingMs = Math.max(0, this.#standingMs - sharedMs);
    interval.peakMs = Math.max(0, this.#peakMs - sharedMs);
    interval.rttMs = srttMs;
    this.#rate?.handleInterval(now, interval);
    return this.#begin(at, queueMs);
  }

  #isAfterPause(at: number): boolean {
    const gapMs = at - this.#sampleAt;
    this.#sampleAt = at;
    if (Number.isNaN(gapMs)) return true;
    const isPause = gapMs > PAUSE_MS && gapMs > PAUSE_FACTOR * this.ackGapMs;
    this.ackGapMs += (gapMs - this.ackGapMs) / 8;
    return isPause;
  }

  #begin(at: number, queueMs: number): number {
    this.#startedAt = at;
    this.#bytesAcked = 0;
    this.#bytesLost = 0;
    this.#standingMs = Number.POSITIVE_INFINITY;
    this.#peakMs = 0;
    this.#samples = 0;
    return queueMs;
  }

  #queueing(now: Ms, oneWayMs: number): number {
    if (now - this.#baseFrom > BASE_HALF_MS) {
      this.#baseBeforeMs = this.#baseMs;
      this.#baseMs = oneWayMs;
      this.#baseFrom = now;
    } else if (oneWayMs < this.#baseMs) this.#baseMs = oneWayMs;
    return oneWayMs - Math.min(this.#baseMs, this.#baseBeforeMs);
  }
}
