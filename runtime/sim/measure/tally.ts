/**
 * What all viewers together have lived through, over the whole run or a part of it. Definitions:
 * docs/SIMULATOR.md.
 */
import { Histogram } from "./histogram.ts";

export class Tally {
  /** Capture → play-out of frames played live, by the world's clock. */
  readonly delay = new Histogram();
  /** Join → first frame handed on. */
  readonly firstFrame = new Histogram();
  framesDue = 0;
  /** Due, but absent or played without a frame they need. */
  framesSkipped = 0;
  stalledMs = 0;
  watchedMs = 0;
  /** Bytes of media played in time, as encoded. */
  demandBytes = 0;
  viewersJoined = 0;
  viewersNeverStarted = 0;
}

/** The whole run and what comes after its warm-up, side by side. */
export class Tallies {
  readonly whole = new Tally();
  readonly afterWarmup = new Tally();
  readonly warmupMs: number;

  constructor(warmupMs: number) {
    this.warmupMs = warmupMs;
  }

  /** Those that something at `atMs` counts for. */
  at(atMs: number): readonly Tally[] {
    return atMs < this.warmupMs ? [this.whole] : [this.whole, this.afterWarmup];
  }

  /** Adds the span [fromMs, untilMs) to a sum of times, to each its part. */
  addSpan(field: "stalledMs" | "watchedMs", fromMs: number, untilMs: number): void {
    if (untilMs <= fromMs) return;
    this.whole[field] += untilMs - fromMs;
    this.afterWarmup[field] += Math.max(0, untilMs - Math.max(fromMs, this.warmupMs));
  }
}
