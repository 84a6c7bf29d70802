/**
 * The figures of a run from those of its processes: each sends counters at three moments and its
 * tallies; added up they are what the simulator's report is made of, by the same definitions.
 */
import type { HistogramParts } from "../../runtime/sim/measure/histogram.ts";
import { Tally } from "../../runtime/sim/measure/tally.ts";
import { type Figures, figuresOf } from "../../runtime/sim/report/report.ts";
import type { Snapshot } from "../../runtime/sim/report/snapshot.ts";
import type { Simulation } from "../../runtime/sim/scenario/simulation.ts";

/** `Snapshot` as it travels between processes. */
export type SnapshotParts = Omit<Snapshot, "uploads"> & {
  readonly uploads: readonly (readonly [number, number])[];
};

const SUMS = [
  "framesDue",
  "framesSkipped",
  "stalledMs",
  "watchedMs",
  "demandBytes",
  "viewersJoined",
  "viewersNeverStarted",
] as const;

export type TallyParts = { readonly [K in (typeof SUMS)[number]]: number } & {
  readonly delay: HistogramParts;
  readonly firstFrame: HistogramParts;
};

/** One process's share of a run. */
export interface RunParts {
  readonly begin: SnapshotParts;
  readonly warm: SnapshotParts;
  readonly end: SnapshotParts;
  readonly whole: TallyParts;
  readonly afterWarmup: TallyParts;
  readonly watchers: readonly {
    readonly id: number;
    readonly consumeOnly: boolean;
    readonly joinMs: number;
    /** null = to the end. */
    readonly leftMs: number | null;
  }[];
  readonly fresh: number;
  readonly duplicates: number;
  readonly superNodes: number;
  readonly neighboursMax: number;
  readonly faults: readonly string[];
  /** How late this process handled what was due. */
  readonly lateMs: HistogramParts;
  readonly cpuSeconds: number;
  readonly refusals: number;
}

export function exportTally(tally: Tally): TallyParts {
  const sums = Object.fromEntries(SUMS.map((name) => [name, tally[name]]));
  const { delay, firstFrame } = tally;
  return { ...sums, delay: delay.export(), firstFrame: firstFrame.export() } as TallyParts;
}

function mergedTally(parts: readonly TallyParts[]): Tally {
  const tally = new Tally();
  for (const part of parts) {
    for (const name of SUMS) tally[name] += part[name];
    tally.delay.merge(part.delay);
    tally.firstFrame.merge(part.firstFrame);
  }
  return tally;
}

function mergedSnapshot(parts: readonly SnapshotParts[]): Snapshot {
  const sum = (of: (part: SnapshotParts) => number) =>
    parts.reduce((total, part) => total + of(part), 0);
  return {
    atMs: parts[0]?.atMs ?? 0,
    edgeToPeers: sum((part) => part.edgeToPeers),
    peerControlBytes: sum((part) => part.peerControlBytes),
    pushed: sum((part) => part.pushed),
    pulled: sum((part) => part.pulled),
    compensated: sum((part) => part.compensated),
    started: sum((part) => part.started),
    /* Every process knows all that was published. */
    publishedBytes: Math.max(...parts.map((part) => part.publishedBytes)),
    presentMs: sum((part) => part.presentMs),
    uploads: new Map(parts.flatMap((part) => part.uploads)),
  };
}

/** Of the whole run, and of what came after the warm-up. */
export function figuresOfParts(parts: readonly RunParts[]): {
  readonly whole: Figures;
  readonly afterWarmup: Figures;
} {
  const watchers = parts.flatMap((part) =>
    part.watchers.map(({ id, consumeOnly, joinMs, leftMs }) => ({
      viewer: { consumeOnly },
      meter: { joinMs },
      node: { id },
      leftMs: leftMs ?? Number.POSITIVE_INFINITY,
    })),
  );
  const people = { watchers } as unknown as Simulation;
  const [begin, warm, end] = (["begin", "warm", "end"] as const).map((moment) =>
    mergedSnapshot(parts.map((part) => part[moment])),
  ) as [Snapshot, Snapshot, Snapshot];
  const whole = mergedTally(parts.map((part) => part.whole));
  const afterWarmup = mergedTally(parts.map((part) => part.afterWarmup));
  return {
    whole: figuresOf(people, whole, begin, end),
    afterWarmup: figuresOf(people, afterWarmup, warm, end),
  };
}
