/**
 * What an edge may send in all, when its operator says so (docs/SWARM.md, "Cap"): the push tree is
 * planned for a part of it, so that deaths and repairs find air. More children a slot come first,
 * then joins are refused; a push never is.
 */
import type { Ms } from "../../base/time.ts";
import { RateMeter } from "../rate-meter.ts";
import type { SwarmParams } from "../swarm-params.ts";

/** The push tree is planned for this share of the cap; compensation takes at most the other. */
const PLAN_SHARE = 0.7;
const COMPENSATION_SHARE = 0.15;
/** A viewer for whom there is room in slots is let in up to this share: it should cost nothing. */
const PLAN_SHARE_FREE = 0.9;
/** Start bursts are given below this share: they are as large as two seconds of all sub-streams. */
const CALM_SHARE = 0.4;
/** Those who give nothing are let in at the edge's cost up to this share: the rest is for those who carry others. */
const PLAN_SHARE_CONSUMERS = 0.3;
/** More children than this no slot gets: the last one would wait too long for each fragment. */
const CHILDREN_CEILING = 120;
/** Rooms from this size on have slots, and unproven uplinks count this many times the usual guess. */
const SMALL_ROOM = 2;
const UPLINK_HOPE = 2;
/** What a fragment costs beyond its media: heads, IP and UDP, acknowledgements. */
const OVERHEAD = 1.08;

export class EgressCap {
  readonly maxBps: number;
  readonly #meter = new RateMeter();
  #bytes = 0;
  #rateBps = 0;

  constructor(maxBps: number) {
    this.maxBps = maxBps;
  }

  /** Called with the edge's ticks: all bytes it has sent so far. */
  tick(now: Ms, bytesOut: number): void {
    this.#meter.count(now, bytesOut - this.#bytes);
    this.#bytes = bytesOut;
    this.#rateBps = this.#meter.bytesPerSecond(now) * 8;
  }

  /** bit/s sent in the last seconds. */
  get rateBps(): number {
    return this.#rateBps;
  }

  /** More is sent than may be: nothing is begun that can be left. */
  get isFull(): boolean {
    return this.#rateBps > this.maxBps;
  }

  /** So little is sent that a joiner may have its start burst from here; else its parents give it. */
  get isCalm(): boolean {
    return this.#rateBps < this.maxBps * CALM_SHARE;
  }

  /** Whether a viewer that costs `joinBps` is one too many beside `pushBps` of pushes. */
  isShortFor(joinBps: number, pushBps: number, isGiver = true): boolean {
    const paid = isGiver ? PLAN_SHARE : PLAN_SHARE_CONSUMERS;
    const share = joinBps === 0 ? PLAN_SHARE_FREE : paid;
    return this.isFull || pushBps + joinBps > this.maxBps * share;
  }

  /**
   * bit/s that the push tree of one stream may take, of `demandBps` among `demandBpsAll` on the
   * edge.
   */
  planBps(demandBps: number, demandBpsAll: number): number {
    const part = demandBpsAll > 0 ? demandBps / demandBpsAll : 1;
    return this.maxBps * PLAN_SHARE * part;
  }

  /** Fragments/s of compensation for one stream, likewise. */
  compensationRate(demandBps: number, demandBpsAll: number, fragmentBits: number): number {
    const part = demandBpsAll > 0 ? demandBps / demandBpsAll : 1;
    return (this.maxBps * COMPENSATION_SHARE * part) / Math.max(1, fragmentBits * OVERHEAD);
  }
}

/**
 * How the tree is built when `viewers` of a stream are to be fed within `planBps`: as many children
 * a slot as that takes, within reason and never fewer than usual; small rooms too have slots; and
 * uplinks not yet seen at work are thought larger, since the edge cannot stand in meanwhile.
 */
export function paramsWithin(
  planBps: number,
  viewers: number,
  bitrateBps: number,
  params: SwarmParams,
): SwarmParams {
  const slots = Math.max(1, Math.floor(planBps / Math.max(1, bitrateBps * OVERHEAD)));
  const needed = bitrateBps > 0 ? Math.ceil((viewers * params.slotReliefAbove) / slots) : 0;
  return {
    ...params,
    childrenMax: Math.max(params.childrenMax, Math.min(CHILDREN_CEILING, needed)),
    smallRoom: Math.min(params.smallRoom, SMALL_ROOM),
    uplinkGuessBps: params.uplinkGuessBps * UPLINK_HOPE,
  };
}
