/**
 * What delivery has been like lately: how long things took (a histogram that forgets), and the
 * least of a window. Both cost the same however much arrives.
 */
import { assert } from "../../base/assert.ts";
import type { Ms } from "../../base/time.ts";

const BUCKET_MS = 10;
/** The last bucket holds everything above, 3 s. */
const BUCKETS = 300;
/** Weights grow instead of old counts being decayed; beyond this all are scaled down together. */
const WEIGHT_MAX = 2 ** 24;

/** Lags whose weight halves every `halfLifeMs`. */
export class LagHistogram {
  readonly #halfLifeMs: number;
  readonly #buckets = new Float64Array(BUCKETS);
  #total = 0;
  #weight = 1;
  #at: number | undefined;

  constructor(halfLifeMs: number) {
    assert(halfLifeMs > 0, "lag histogram: half-life");
    this.#halfLifeMs = halfLifeMs;
  }

  /** `lagMs` below 0 counts as 0. */
  add(now: Ms, lagMs: number): void {
    if (this.#at !== undefined && now > this.#at) {
      this.#weight *= 2 ** ((now - this.#at) / this.#halfLifeMs);
      if (this.#weight > WEIGHT_MAX) this.#rescale();
    }
    this.#at = Math.max(now, this.#at ?? now);
    const bucket = Math.min(BUCKETS - 1, Math.max(0, Math.floor(lagMs / BUCKET_MS)));
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + this.#weight;
    this.#total += this.#weight;
  }

  /** How many samples of now what is remembered amounts to. */
  get samples(): number {
    return this.#total / this.#weight;
  }

  /** The lag that a share `p` (0..1) stays below, ms, rounded up to 10; 0 without samples. */
  quantile(p: number): number {
    let rest = this.#total * (1 - p);
    for (let i = BUCKETS - 1; i >= 0; i--) {
      const weight = this.#buckets[i] as number;
      if (weight > 0 && weight > rest) return (i + 1) * BUCKET_MS;
      rest -= weight;
    }
    return 0;
  }

  clear(): void {
    this.#buckets.fill(0);
    this.#total = 0;
  }

  #rescale(): void {
    this.#total = 0;
    for (let i = 0; i < BUCKETS; i++) {
      const weight = (this.#buckets[i] as number) / this.#weight;
      this.#buckets[i] = weight < 1e-6 ? 0 : weight;
      this.#total += this.#buckets[i] as number;
    }
    this.#weight = 1;
  }
}

/**
 * Least value of the last `windowMs`, give or take half; of the last values there were when nothing
 * came since.
 */
export class WindowMin {
  readonly #halfMs: number;
  #since = 0;
  #current = Number.POSITIVE_INFINITY;
  #previous = Number.POSITIVE_INFINITY;

  constructor(windowMs: number) {
    this.#halfMs = windowMs / 2;
  }

  add(now: Ms, value: number): void {
    if (this.isEmpty) this.#since = now;
    if (now - this.#since >= this.#halfMs) {
      this.#previous = this.#current;
      this.#current = value;
      this.#since = now;
    } else if (value < this.#current) this.#current = value;
  }

  get isEmpty(): boolean {
    return this.#current === Number.POSITIVE_INFINITY;
  }

  /** +Infinity while empty. */
  get value(): number {
    return Math.min(this.#current, this.#previous);
  }

  /** Forgets everything but `value`. */
  reset(now: Ms, value: number): void {
    this.#since = now;
    this.#current = value;
    this.#previous = Number.POSITIVE_INFINITY;
  }
}
