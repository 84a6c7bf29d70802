/** When each segment is whole at each edge: delays, those around faults apart, and what never came. */
import { Histogram } from "../measure/histogram.ts";

/** Segments born within this after a fault count as born around it. */
const AROUND_MS = 2000;

interface Born {
  readonly atMs: number;
  readonly edge: string;
  arrived: number;
}

export class EdgeDelays {
  readonly whole = new Histogram();
  readonly afterWarmup = new Histogram();
  readonly aroundFaults = new Histogram();
  readonly #born = new Map<string, Born>();
  readonly #warmMs: number;
  readonly #faultsMs: readonly number[];
  readonly #copies: () => number;

  /** `copies`: edges that want each stream at present, its own not counted. */
  constructor(warmMs: number, faultsMs: readonly number[], copies: () => number) {
    this.#warmMs = warmMs;
    this.#faultsMs = faultsMs;
    this.#copies = copies;
  }

  /** A segment is whole at an edge; the first to have it is where it begins. */
  note(edge: string, key: string, atMs: number): void {
    const born = this.#born.get(key);
    if (born === undefined) {
      this.#born.set(key, { atMs, edge, arrived: 0 });
      return;
    }
    if (edge === born.edge) return;
    const delayMs = atMs - born.atMs;
    this.whole.add(delayMs);
    if (born.atMs >= this.#warmMs) this.afterWarmup.add(delayMs);
    if (this.#isAround(born.atMs)) this.aroundFaults.add(delayMs);
    born.arrived++;
    if (born.arrived >= this.#copies()) this.#born.delete(key);
  }

  #isAround(atMs: number): boolean {
    return this.#faultsMs.some((faultMs) => atMs >= faultMs - 500 && atMs < faultMs + AROUND_MS);
  }

  /** Copies that have not come of segments born in a span of world time. */
  missing(fromMs: number, untilMs: number, isAlive: (edge: string) => boolean): number {
    const copies = this.#copies();
    let missing = 0;
    for (const { atMs, edge, arrived } of this.#born.values()) {
      if (atMs >= fromMs && atMs < untilMs && isAlive(edge))
        missing += Math.max(0, copies - arrived);
    }
    return missing;
  }
}
