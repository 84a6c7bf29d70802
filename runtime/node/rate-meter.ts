/**
 * Bytes a second over the last seconds, in eight buckets of half a second, the running one not counted; and fragments
 * a second by how a stream moves on.
 */
import { serialDiff } from "../base/serial.ts";
import type { Ms } from "../base/time.ts";

const BUCKET_MS = 500;
const BUCKETS = 8;

export class RateMeter {
  readonly #bytes = new Float64Array(BUCKETS);
  #bucket = 0;
  #first = -1;

  count(now: Ms, bytes: number): void {
    this.#advance(now);
    const at = this.#bucket % BUCKETS;
    this.#bytes[at] = (this.#bytes[at] ?? 0) + bytes;
  }

  /** Mean over the full buckets of the last 3.5 s. */
  bytesPerSecond(now: Ms): number {
    this.#advance(now);
    const full = Math.min(BUCKETS - 1, this.#bucket - this.#first);
    if (full <= 0) return 0;
    let sum = 0;
    for (let i = 1; i <= full; i++) sum += this.#bytes[(this.#bucket - i) % BUCKETS] ?? 0;
    return sum / ((full * BUCKET_MS) / 1000);
  }

  #advance(now: Ms): void {
    const bucket = Math.floor(now / BUCKET_MS) + BUCKETS * 1e9; /* positive for any clock offset */
    if (this.#first < 0) {
      this.#first = bucket;
      this.#bucket = bucket;
    }
    if (bucket <= this.#bucket) return;
    const steps = Math.min(BUCKETS, bucket - this.#bucket);
    for (let i = 1; i <= steps; i++) this.#bytes[(this.#bucket + i) % BUCKETS] = 0;
    if (bucket - this.#bucket > BUCKETS) this.#bytes.fill(0);
    this.#bucket = bucket;
  }
}

/** Smoothing of the fragment rate, a tick. */
const FRONTIER_GAIN = 0.1;

/** Fragments/s of a stream, smoothed, by how its frontier moves on. */
export class FrontierRate {
  perSecond = 0;
  #frontier: number | undefined;

  /** `frontier`: number of the next fragment, undefined between two runs; `everyMs` since the last call. */
  tick(frontier: number | undefined, everyMs: number): void {
    const before = this.#frontier;
    this.#frontier = frontier;
    if (frontier === undefined || before === undefined) return;
    const rate = (Math.max(0, serialDiff(frontier, before)) * 1000) / everyMs;
    this.perSecond += (rate - this.perSecond) * FRONTIER_GAIN;
  }
}
