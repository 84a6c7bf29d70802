/** What an edge may send of one stream beside its pushes, and how wide the tree must be for what it may send in all. */
import type { Ms } from "../../base/time.ts";
import type { Compensation } from "../edge-swarm/compensation.ts";
import type { EdgeSwarm } from "../edge-swarm/edge-swarm.ts";
import { type EgressCap, paramsWithin } from "../edge-swarm/egress-cap.ts";
import type { SwarmParams } from "../swarm-params.ts";
import type { Outlet } from "./outlet.ts";

/** The edge's cap, and what the viewers of all its streams want, bit/s. */
export interface SpendingCap {
  readonly egress: EgressCap;
  readonly demandBps: number;
}

interface Spender {
  readonly outlet: Outlet;
  readonly swarm: EdgeSwarm;
  readonly compensation: Compensation;
  readonly params: SwarmParams;
}

/** `rate`: fragments/s of the stream. */
export function spend(
  now: Ms,
  everyMs: number,
  { outlet, swarm, compensation, params }: Spender,
  rate: number,
  cap: SpendingCap | undefined,
): void {
  const { bitrateBps, receivers } = outlet;
  let ceiling = Number.POSITIVE_INFINITY;
  if (cap !== undefined) {
    const { egress } = cap;
    const demandBps = bitrateBps * receivers.size;
    const fragmentBits = bitrateBps / Math.max(1, rate);
    ceiling = egress.compensationRate(demandBps, cap.demandBps, fragmentBits);
    const planBps = egress.planBps(demandBps, cap.demandBps);
    swarm.plan(now, paramsWithin(planBps, receivers.size, bitrateBps, params), planBps);
    swarm.mayBurst = egress.isCalm;
  }
  compensation.tick(now, everyMs, receivers.size, rate, ceiling);
}
