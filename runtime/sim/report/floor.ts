/**
 * What the edge must send at the very least in a given world: the viewers' demand with its headers
 * and repairs, less all that their uplinks could carry if each gave the 80 % it may and not a byte
 * were misplaced; and, however large their uplinks, a copy for each super node of a tree of two
 * layers whose every slot has all the children it may.
 */
import type { Simulation } from "../scenario/simulation.ts";
import { ratio, round } from "./report.ts";
import type { Snapshot } from "./snapshot.ts";

/** Of its uplink a viewer gives at most this (DESIGN §6 and the promise to its owner). */
const UPLINK_SHARE_MAX = 0.8;
/** IP, UDP and DATA head over the bytes of a full fragment. */
const OVERHEAD = (28 + 21) / 1152;

export function egressFloor(
  simulation: Simulation,
  from: Snapshot,
  until: Snapshot,
): { readonly egressFloorRatio: number; readonly egressByFloor: number } {
  const { watchers, scenario, tallies } = simulation;
  const bytesPerMs = ratio(until.publishedBytes - from.publishedBytes, until.atMs - from.atMs);
  const { loss } = scenario.network;
  const lossShare = "percent" in loss ? loss.percent / 100 : 0;
  let demand = 0;
  let supply = 0;
  for (const { viewer, meter, leftMs } of watchers) {
    const presentMs = Math.min(leftMs, until.atMs) - meter.joinMs;
    demand += presentMs * bytesPerMs;
    if (viewer.consumeOnly || viewer.isSlow) continue;
    const { rateBps } = viewer.access.up;
    const bytes = rateBps === 0 ? Number.POSITIVE_INFINITY : rateBps / 8000;
    supply += presentMs * bytes * UPLINK_SHARE_MAX;
  }
  const needed = (demand * (1 + OVERHEAD)) / (1 - lossShare);
  const tree = needed / (1 + simulation.swarm.childrenMax);
  const floor = ratio(Math.max(tree, needed - supply), demand);
  const egress = ratio(until.edgeToPeers - from.edgeToPeers, tallies.whole.demandBytes);
  return { egressFloorRatio: round(floor, 5), egressByFloor: round(ratio(egress, floor), 3) };
}
