/**
 * Millions of times in ms, kept as counts per millisecond: percentiles to 1 ms, mean and greatest
 * exactly.
 */

/** Longer ones share the last bin; their greatest is still exact. */
const BINS = 60_000;

export class Histogram {
  readonly #bins = new Uint32Array(BINS);
  count = 0;
  #sum = 0;
  #max = 0;

  add(ms: number): void {
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor(ms)));
    this.#bins[bin] = (this.#bins[bin] as number) + 1;
    this.count++;
    this.#sum += ms;
    if (ms > this.#max) this.#max = ms;
  }

  /** 0 when empty. */
  get mean(): number {
    return this.count === 0 ? 0 : this.#sum / this.count;
  }

  get max(): number {
    return this.#max;
  }

  /** The least whole ms that at least `share` of the values lie below; 0 when empty. */
  percentile(share: number): number {
    const rank = Math.ceil(this.count * share);
    let seen = 0;
    for (let bin = 0; bin < BINS && this.count > 0; bin++) {
      seen += this.#bins[bin] as number;
      if (seen >= rank) return Math.min(bin + 1, this.#max);
    }
    return this.#max;
  }

  /** For another process: bins that are not empty, as [bin, count], with what they leave out. */
  export(): HistogramParts {
    const bins: [number, number][] = [];
    for (const [bin, count] of this.#bins.entries()) if (count > 0) bins.push([bin, count]);
    return { bins, sum: this.#sum, max: this.#max };
  }

  /** Adds what another one exported. */
  merge({ bins, sum, max }: HistogramParts): void {
    for (const [bin, count] of bins) {
      this.#bins[bin] = (this.#bins[bin] as number) + count;
      this.count += count;
    }
    this.#sum += sum;
    this.#max = Math.max(this.#max, max);
  }
}

export interface HistogramParts {
  readonly bins: readonly (readonly [number, number])[];
  readonly sum: number;
  readonly max: number;
}
