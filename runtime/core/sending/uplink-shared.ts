/**
 * What the delays of all sessions have in common. One interval takes, from each session that was acknowledged, its
 * least queueing delay; the lower quartile of these stands at the node's own uplink, since a queue at some receiver's
 * end raises that one only. With a single active session nothing is shared: its own path control does all.
 */
import type { Ms } from "../../base/time.ts";
import type { RateInterval } from "./rate-control.ts";
import type { SendQueue } from "./send-queue.ts";
import type { AckSample } from "./send-queue-types.ts";

const INTERVAL_MS_MIN = 100;
const INTERVAL_MS_MAX = 1000;
const SAMPLES_MIN = 8;
const GAP_FACTOR = 1.2;
const SESSIONS_MIN = 2;
/** Sessions looked at in one interval; of a server's thousands the first so many stand for all. */
const SESSIONS_MAX = 64;

export class SharedDelay {
  /** Queueing delay of the shared uplink in the last interval, ms. */
  standingMs = 0;
  readonly #delays = new Float64Array(SESSIONS_MAX);
  #sessions = 0;
  #samples = 0;
  #id = 0;
  #startedAt = 0;
  #rttMs = 0;
  #gapMs = 0;
  readonly #interval: RateInterval = {
    durationMs: 0,
    bytesAcked: 0,
    bytesLost: 0,
    standingMs: 0,
    peakMs: 0,
    rttMs: 0,
  };

  /** Adds an ACK; returns the interval when it closes one (valid until the next call). */
  handleSample(
    now: Ms,
    queue: SendQueue,
    sample: Readonly<AckSample>,
    queueMs: number,
    srttMs: number,
  ): Readonly<RateInterval> | undefined {
    const interval = this.#interval;
    if (this.#samples === 0) {
      interval.bytesAcked = 0;
      interval.bytesLost = 0;
    }
    interval.bytesAcked += sample.bytesAcked;
    interval.bytesLost += sample.bytesLost;
    this.#samples++;
    this.#rttMs = this.#rttMs === 0 ? srttMs : this.#rttMs + (srttMs - this.#rttMs) / 16;
    if (!Number.isNaN(queueMs)) this.#note(queue, queueMs);
    const gapMs = queue.ackGapMs;
    this.#gapMs += (gapMs - this.#gapMs) / 64;
    const durationMs = now - this.#startedAt;
    /* Long enough for most sessions to be heard of: sparse ACKs come together or not at all. */
    const neededMs = Math.max(INTERVAL_MS_MIN, this.#rttMs, GAP_FACTOR * this.#gapMs);
    if (durationMs < neededMs && durationMs < INTERVAL_MS_MAX) return undefined;
    if (this.#samples < SAMPLES_MIN && durationMs < INTERVAL_MS_MAX) return undefined;
    interval.durationMs = durationMs;
    const sorted = this.#delays.subarray(0, this.#sessions).sort();
    interval.standingMs = quartile(sorted, 1);
    interval.peakMs = quartile(sorted, 3);
    interval.rttMs = this.#rttMs;
    this.standingMs = interval.standingMs;
    this.#startedAt = now;
    this.#samples = 0;
    this.#sessions = 0;
    this.#id++;
    return interval;
  }

  #note(queue: SendQueue, queueMs: number): void {
    if (queue.sharedInterval === this.#id) {
      if (queueMs < (this.#delays[queue.sharedAt] as number))
        this.#delays[queue.sharedAt] = queueMs;
      return;
    }
    if (this.#sessions === SESSIONS_MAX) return;
    queue.sharedInterval = this.#id;
    queue.sharedAt = this.#sessions;
    this.#delays[this.#sessions++] = queueMs;
  }
}

/** The n-th quartile of sorted delays; 0 of too few sessions. */
function quartile(sorted: Float64Array, n: number): number {
  return sorted.length < SESSIONS_MIN ? 0 : (sorted[(sorted.length * n) >> 2] as number);
}
