/** When each segment is whole at each edge: delays, those around faults apart, and what never came. */
import { Histogram } from "../measure/histogram.ts";

/** Segments born from so long before a fault to so long after it count as born around it. */
const BEFORE_MS = 500;
const AFTER_MS = 2000;

interface Born {
  readonly atMs: number;
  /** Place of the edge where it begins. */
  readonly edge: number;
  /** 1 for each edge that has it, by place. */
  readonly has: Uint8Array;
  count: number;
}

export class EdgeDelays {
  readonly whole = new Histogram();
  readonly afterWarmup = new Histogram();
  readonly aroundFaults = new Histogram();
  readonly #born = new Map<string, Born>();
  readonly #edges: number;
  readonly #warmMs: number;
  readonly #faultsMs: readonly number[];

  /** Every one of `edges` wants every segment. */
  constructor(edges: number, warmMs: number, faultsMs: readonly number[]) {
    this.#edges = edges;
    this.#warmMs = warmMs;
    this.#faultsMs = faultsMs;
  }

  /** A segment is whole at the edge at a place; the first to have it is where it begins. */
  note(edge: number, key: string, atMs: number): void {
    const born = this.#born.get(key);
    if (born === undefined) {
      const has = new Uint8Array(this.#edges);
      has[edge] = 1;
      this.#born.set(key, { atMs, edge, has, count: 1 });
      return;
    }
    if (born.has[edge] === 1) return;
    born.has[edge] = 1;
    born.count++;
    const delayMs = atMs - born.atMs;
    this.whole.add(delayMs);
    if (born.atMs >= this.#warmMs) this.afterWarmup.add(delayMs);
    if (this.#isAround(born.atMs)) this.aroundFaults.add(delayMs);
    /* Once everybody has it nobody is heard of it again. */
    if (born.count === this.#edges) this.#born.delete(key);
  }

  #isAround(atMs: number): boolean {
    return this.#faultsMs.some((at) => atMs >= at - BEFORE_MS && atMs < at + AFTER_MS);
  }

  /** Copies that have not come, from living edges to living edges, of segments born in a span of world time. */
  missing(fromMs: number, untilMs: number, isAlive: (edge: number) => boolean): number {
    let missing = 0;
    for (const { atMs, edge, has } of this.#born.values()) {
      if (atMs < fromMs || atMs >= untilMs || !isAlive(edge)) continue;
      for (const [i, one] of has.entries()) if (one === 0 && isAlive(i)) missing++;
    }
    return missing;
  }
}
