/** What goes on from second to second, for the progress line and the charts. */
import { HostRole, ROLES } from "../network/host-role.ts";
import { LEAD_MS, type Simulation } from "../scenario/simulation.ts";
import { ratio, round, type SeriesPoint } from "./report.ts";

interface Sums {
  readonly atMs: number;
  readonly egress: number;
  readonly demand: number;
  readonly delayMs: number;
  readonly frames: number;
  readonly due: number;
  readonly skipped: number;
  readonly stalledMs: number;
  readonly viewerMs: number;
}

const NOTHING: Sums = {
  atMs: LEAD_MS,
  egress: 0,
  demand: 0,
  delayMs: 0,
  frames: 0,
  due: 0,
  skipped: 0,
  stalledMs: 0,
  viewerMs: 0,
};

export class SeriesRecorder {
  readonly points: SeriesPoint[] = [];
  readonly #simulation: Simulation;
  #last: Sums = NOTHING;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** To be called once a virtual second. */
  take(): SeriesPoint {
    const { tree, edge } = this.#simulation;
    const sums = this.#sums();
    const last = this.#last;
    this.#last = sums;
    const spanMs = sums.atMs - last.atMs;
    const mbps = (bytes: number): number => round(ratio(bytes * 8, spanMs) / 1000, 3);
    const point: SeriesPoint = {
      second: round((sums.atMs - LEAD_MS) / 1000, 3),
      viewers: this.#simulation.viewers,
      edgeEgressMbps: mbps(sums.egress - last.egress),
      demandMbps: mbps(sums.demand - last.demand),
      delayMsMean: round(ratio(sums.delayMs - last.delayMs, sums.frames - last.frames), 1),
      skippedRatio: round(ratio(sums.skipped - last.skipped, sums.due - last.due), 5),
      stallRatio: round(ratio(sums.stalledMs - last.stalledMs, sums.viewerMs - last.viewerMs), 5),
      superNodes: tree.holders(sums.atMs, edge.id).size,
    };
    this.points.push(point);
    return point;
  }

  #sums(): Sums {
    const { world, tallies, present } = this.#simulation;
    const { delay, framesDue, framesSkipped, stalledMs, demandBytes } = tallies.whole;
    const viewerMs = this.#last.viewerMs + present.size * (world.nowMs - this.#last.atMs);
    return {
      atMs: world.nowMs,
      egress: world.network.bytesByRoles[HostRole.edge * ROLES + HostRole.peer] ?? 0,
      demand: demandBytes,
      delayMs: delay.mean * delay.count,
      frames: delay.count,
      due: framesDue,
      skipped: framesSkipped,
      stalledMs,
      viewerMs,
    };
  }
}
