/**
 * The figures of a run. Names and definitions are fixed (docs/SIMULATOR.md); numbers are rounded to
 * what they can bear.
 */
import type { Tally } from "../measure/tally.ts";
import type { Simulation } from "../scenario/simulation.ts";
import type { Snapshot, WorldSnapshot } from "./snapshot.ts";

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface Figures {
  readonly edgeEgressBytes: number;
  readonly demandBytes: number;
  readonly edgeEgressRatio: number;
  readonly phaseShare: {
    readonly push: number;
    readonly pull: number;
    readonly compensation: number;
  };
  readonly delayMs: {
    readonly mean: number;
    readonly p50: number;
    readonly p95: number;
    readonly p99: number;
    readonly max: number;
  };
  readonly stallRatio: number;
  readonly skippedRatio: number;
  readonly firstFrameMs: { readonly p50: number; readonly p95: number; readonly p99: number };
  readonly controlRatio: number;
  readonly uploadMbps: { readonly p50: number; readonly p95: number; readonly max: number };
  readonly viewersJoined: number;
  readonly viewersNeverStarted: number;
}

/** What only the simulator sees. */
export interface SimulatedFigures extends Figures {
  /** `controlRatio` by who is at the other end and kind of packet, e.g. "peer MAP"; largest first. */
  readonly controlByKind: Readonly<Record<string, number>>;
}

/** What varies over the run, for the charts: one entry a second. */
export interface SeriesPoint {
  readonly second: number;
  readonly viewers: number;
  readonly edgeEgressMbps: number;
  readonly demandMbps: number;
  readonly delayMsMean: number;
  readonly skippedRatio: number;
  readonly stallRatio: number;
  readonly superNodes: number;
}

export interface Report extends SimulatedFigures {
  readonly scenario: string;
  readonly seed: number;
  readonly commit: string;
  readonly options: unknown;
  readonly viewers: number;
  readonly virtualSeconds: number;
  readonly wallSeconds: number;
  readonly packets: number;
  /** What the edge must send at least, given its viewers' uplinks, by demand; the egress by that. */
  readonly egressFloorRatio: number;
  readonly egressByFloor: number;
  readonly duplicateRatio: number;
  readonly superNodes: number;
  /** Joins that the edge refused; each refused viewer tries again. */
  readonly joinsRefused: number;
  readonly afterWarmup: SimulatedFigures;
  readonly series: readonly SeriesPoint[];
  readonly checks: readonly Check[];
}

/** Figures of the span between two snapshots, with the tally of that span. */
export function figuresOf(
  simulation: Simulation,
  tally: Tally,
  from: Snapshot,
  until: Snapshot,
): Figures {
  const edgeEgressBytes = until.edgeToPeers - from.edgeToPeers;
  const [push, pull] = [until.pushed - from.pushed, until.pulled - from.pulled];
  const compensation = until.compensated - from.compensated;
  const media = push + pull + compensation;
  const { delay, firstFrame } = tally;
  return {
    edgeEgressBytes,
    demandBytes: tally.demandBytes,
    edgeEgressRatio: round(ratio(edgeEgressBytes, tally.demandBytes), 5),
    phaseShare: {
      push: round(ratio(push, media), 5),
      pull: round(ratio(pull, media), 5),
      compensation: round(ratio(compensation, media), 5),
    },
    delayMs: {
      mean: round(delay.mean, 2),
      p50: round(delay.percentile(0.5), 2),
      p95: round(delay.percentile(0.95), 2),
      p99: round(delay.percentile(0.99), 2),
      max: round(delay.max, 2),
    },
    stallRatio: round(ratio(tally.stalledMs, tally.watchedMs), 7),
    skippedRatio: round(ratio(tally.framesSkipped, tally.framesDue), 7),
    firstFrameMs: {
      p50: round(firstFrame.percentile(0.5), 1),
      p95: round(firstFrame.percentile(0.95), 1),
      p99: round(firstFrame.percentile(0.99), 1),
    },
    controlRatio: round(
      ratio(until.peerControlBytes - from.peerControlBytes, wouldReceive(from, until)),
      5,
    ),
    uploadMbps: uploadsOf(simulation, from, until),
    viewersJoined: tally.viewersJoined,
    viewersNeverStarted: tally.viewersNeverStarted,
  };
}

/** The same, and what takes the world to see. */
export function simulatedFiguresOf(
  simulation: Simulation,
  tally: Tally,
  from: WorldSnapshot,
  until: WorldSnapshot,
): SimulatedFigures {
  const figures = figuresOf(simulation, tally, from, until);
  return { ...figures, controlByKind: controlOf(from, until) };
}

/** Media bytes that those present would receive in the span. */
function wouldReceive(from: Snapshot, until: Snapshot): number {
  const perMs = ratio(until.publishedBytes - from.publishedBytes, until.atMs - from.atMs);
  return perMs * (until.presentMs - from.presentMs);
}

function controlOf(from: WorldSnapshot, until: WorldSnapshot): Record<string, number> {
  const media = wouldReceive(from, until);
  const shares: [string, number][] = [];
  for (const [kind, bytes] of until.controlByKind) {
    const share = round(ratio(bytes - (from.controlByKind.get(kind) ?? 0), media), 5);
    if (share > 0) shares.push([kind, share]);
  }
  shares.sort(([, a], [, b]) => b - a);
  return Object.fromEntries(shares);
}

/** What each viewer that may upload has sent, over the time it was there in the span. */
function uploadsOf(
  { watchers }: Simulation,
  from: Snapshot,
  until: Snapshot,
): { p50: number; p95: number; max: number } {
  const mbps: number[] = [];
  for (const { viewer, meter, node, leftMs } of watchers) {
    const presentMs = Math.min(leftMs, until.atMs) - Math.max(meter.joinMs, from.atMs);
    if (viewer.consumeOnly || presentMs < 1000) continue;
    const bytes = (until.uploads.get(node.id) ?? 0) - (from.uploads.get(node.id) ?? 0);
    mbps.push((bytes * 8) / presentMs / 1000);
  }
  mbps.sort((a, b) => a - b);
  const at = (share: number): number =>
    round(mbps[Math.min(mbps.length - 1, Math.floor(mbps.length * share))] ?? 0, 3);
  return { p50: at(0.5), p95: at(0.95), max: at(1) };
}

export function ratio(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
