/**
 * Synthetic worlds of neighbours that are asked for fragments: the prior that the scorer is trained
 * on before it has seen a swarm. A world draws how far, lossy, busy, lazy and short-lived its
 * neighbours are; worlds differ widely, so that what is learnt is how the features hang together
 * and not one network's habits. Only operations that IEEE 754 fixes to the bit are used (no exp, no
 * log): the same seed gives the same traces, and weights, everywhere.
 */
import type { Random } from "../../base/prng.ts";

export interface PriorWorld {
  /** Medians of the RTT within the region and beyond, ms. */
  readonly nearMs: number;
  readonly farMs: number;
  readonly sameRegionShare: number;
  /** Mean loss of one direction, 0..1, and mean jitter, ms. */
  readonly loss: number;
  readonly jitterMs: number;
  /** Median uplink, bit/s. */
  readonly uplinkBps: number;
  /**
   * Share of time that a willing neighbour's uplink is busy, and the median queue meanwhile, ms.
   */
  readonly busyShare: number;
  readonly busyQueueMs: number;
  /** Share of neighbours that answer late, and that never do. */
  readonly slowShare: number;
  readonly neverShare: number;
  /** Neighbours that vanish, and NAT bindings that die for a while, per neighbour and minute. */
  readonly leavesPerMinute: number;
  readonly natDropsPerMinute: number;
  /** Chance that a map was stale: the neighbour no longer has the fragment. */
  readonly staleShare: number;
}

/**
 * "familiar" worlds are trained on. "foreign" ones are outside of what training draws, in distance,
 * loss and laziness: they are only for judging.
 */
export type WorldKind = "familiar" | "foreign";

export function drawWorld(kind: WorldKind, random: Random): PriorWorld {
  const isForeign = kind === "foreign";
  const share = (max: number): number => max * random.next() * random.next();
  return {
    nearMs: isForeign ? between(random, 45, 80) : between(random, 12, 40),
    farMs: isForeign ? between(random, 130, 220) : between(random, 40, 120),
    sameRegionShare: between(random, 0.1, 0.7),
    loss: isForeign ? between(random, 0.12, 0.2) : share(0.12),
    jitterMs: between(random, 1, isForeign ? 25 : 10),
    uplinkBps: between(random, 1_500_000, 8_000_000),
    busyShare: share(0.5),
    busyQueueMs: between(random, 40, 250),
    slowShare: isForeign ? between(random, 0.3, 0.5) : share(0.35),
    neverShare: share(0.25),
    leavesPerMinute: between(random, 0, 0.3),
    natDropsPerMinute: share(0.5),
    staleShare: share(0.1),
  };
}

export function between(random: Random, from: number, to: number): number {
  return from + (to - from) * random.next();
}

/** Log-logistic with shape 2 (a median and a heavy tail, cut at 30 medians), for want of exp. */
export function heavy(random: Random, median: number): number {
  const u = random.next();
  return median * Math.min(30, Math.sqrt(u / (1 - u)));
}

/** Log-logistic with shape 4: half of the draws within ± 30 % of the median. */
export function spread(random: Random, median: number): number {
  const u = Math.max(random.next(), 1e-6);
  return median * Math.sqrt(Math.sqrt(u / (1 - u)));
}
