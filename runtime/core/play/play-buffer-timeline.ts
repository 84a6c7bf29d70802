/**
 * When a frame is played. Four clocks meet here, each with its own zero:
 *
 *   dts ──(jumps and wraps taken out)──> media time ──(+ play offset)──> local clock
 *   capture clock ──(CaptureClock)──> local clock
 *
 * The *base* is media time told as local capture time at its earliest: the least of capture − media
 * over some seconds, so that an encoder's jitter does not shake the play-out. A frame is played at
 * media + offset, where offset = base + target. The target follows the lags that deliveries really
 * had. The offset is never set anew while things go well: it slides, by stretching time by at most
 * 2 %.
 */
import { serialDiff } from "../../base/serial.ts";
import { type Ms, ms } from "../../base/time.ts";
import type { SegmentHeader } from "../../wire/segment.ts";
import { LagHistogram, WindowMin } from "../time/arrival-stats.ts";
import type { CaptureClock } from "../time/clock-estimate.ts";

export interface TimelineOptions {
  readonly targetMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  /**
   * Somebody answers urgent requests: then the target leaves room for that round trip beyond the 99th percentile of
   * lags; without, for one usual repair more beyond the 99.9th.
   */
  readonly isCompensated?: boolean;
}

/** Stretching that nobody hears. */
const STRETCH = 0.02;
/**
 * Further away than this the offset is set at once: time stamps or the clock have changed
 * altogether.
 */
const SLIDE_MS_MAX = 1500;
/** The target sinks at this rate at most, ms per ms. */
const SHRINK = 0.005;
/**
 * Timestamps that leave the capture clock by more than this, and did so from one frame to the next,
 * have jumped.
 */
const JUMP_MS = 1000;
/** Timestamp runs remembered: frames from before and after a jump come mixed. */
const RUNS_MAX = 4;
/** Sound and picture may be interleaved this badly without either being late. */
const INTERLEAVE_MS_MAX = 300;
const WINDOW_MS = 10_000;
/** A join is not the weather: lags count from this long after the play point was set. */
const SETTLE_MS = 2000;
const ADAPT_EVERY_MS = 100;
const HALF_LIFE_MS = 40_000;
/** Headroom over the 99th percentile of lags, and beyond the 99.9th: one repair more takes that. */
const MARGIN_P99_MS = 60;
const BEYOND_P999 = 1.35;
/** A round with a neighbour fits between what is usual and asking the edge. */
const PULL_ROUND_MS = 80;
/**
 * Lags before the target may rise on their account, and before it may sink below where it began.
 */
const SAMPLES_TO_RISE = 30;
const SAMPLES_TO_SINK = 300;
/** Kept ahead of the fastest delivery even when the clocks claim that there is no time for it. */
const SLACK_MS_MIN = 100;
/**
 * Everything late for this long, and this often: the path is another one, and the play point
 * follows it at once.
 */
const LATE_RUN_MS = 1000;
const LATE_RUN_MIN = 8;

interface Run {
  dtsMs: number;
  media: number;
}

export class PlayTimeline {
  readonly #clock: CaptureClock;
  readonly #options: TimelineOptions;
  readonly #runs: Run[] = [];
  /* Capture time unwrapped: `#captureMs` at `#captureUnits`, both of the header seen last. */
  #captureUnits = 0;
  #captureMs = 0;
  readonly #leastCapture = new WindowMin(WINDOW_MS);
  readonly #leastWhole = new WindowMin(WINDOW_MS);
  readonly #lags = new LagHistogram(HALF_LIFE_MS);
  #hasLive = false;
  #offset = Number.NaN;
  #target: number;
  #targetMin: number;
  #adaptedAt = Number.NEGATIVE_INFINITY;
  #slackMs = SLACK_MS_MIN;
  #at = 0;
  #startedAt = Number.POSITIVE_INFINITY;
  #lateSince: Ms | undefined;
  #lateCount = 0;
  #lateLeast = 0;
  /** What an urgent request takes, ms. */
  answerMs = 50;

  constructor(clock: CaptureClock, options: TimelineOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#target = options.targetMs;
    this.#targetMin = options.targetMs;
  }

  /**
   * Media time of a frame, ms. `previous` is that of the frame before it in sequence, which it is
   * not played before (within bounds), NaN if unknown.
   */
  mediaOf(now: Ms, header: SegmentHeader, previous: number): number {
    const captureMs = this.#unwrapCapture(header.captureUnits);
    const run = this.#runOf(header.dtsMs, captureMs);
    run.media += serialDiff(header.dtsMs, run.dtsMs);
    run.dtsMs = header.dtsMs;
    const isBehind = previous > run.media;
    const media = isBehind ? Math.min(previous, run.media + INTERLEAVE_MS_MAX) : run.media;
    this.#leastCapture.add(now, captureMs - run.media);
    return media;
  }

  /**
   * A segment became whole; `isLive` unless it came in the start burst or is the backlog of an
   * outage.
   */
  handleWhole(now: Ms, media: number, isLive: boolean): void {
    if (!isLive) {
      if (!this.#hasLive) this.#leastWhole.add(now, now - media);
      return;
    }
    if (this.#hasLive) this.#leastWhole.add(now, now - media);
    else this.#leastWhole.reset(now, now - media);
    this.#hasLive = true;
    if (now - this.#startedAt >= SETTLE_MS) {
      this.#lags.add(now, now - media - this.#leastWhole.value);
    }
    if (this.isSet) this.#followLateness(now, media);
  }

  /**
   * Sets the play point to live − target at once. `anyway`: without a capture clock, by arrivals
   * alone.
   */
  start(now: Ms, anyway: boolean): boolean {
    if (this.#leastCapture.isEmpty || !(this.#clock.ready || anyway)) return false;
    this.#offset = this.#base(now) + this.#target;
    this.#at = now;
    this.#startedAt = now;
    return true;
  }

  get isSet(): boolean {
    return !Number.isNaN(this.#offset);
  }

  /** Lets the offset slide towards its target. */
  advance(now: Ms): void {
    const elapsedMs = now - this.#at;
    if (elapsedMs <= 0 || !this.isSet) return;
    this.#at = now;
    const base = this.#base(now);
    this.#target = Math.max(this.#targetMin, this.#target - SHRINK * elapsedMs);
    if (now - this.#adaptedAt >= ADAPT_EVERY_MS) this.#adapt(now, base);
    const wanted = Math.max(base + this.#target, this.#arrival() + this.#slackMs);
    const change = wanted - this.#offset;
    const step = STRETCH * elapsedMs;
    if (Math.abs(change) > SLIDE_MS_MAX) this.#offset = wanted;
    else this.#offset += Math.max(-step, Math.min(step, change));
  }

  /** Play time of a media time, local clock. */
  playAt(media: number): Ms {
    return ms(media + this.#offset);
  }

  /** Media time that is played at a local time. */
  mediaAt(now: Ms): number {
    return now - this.#offset;
  }

  /** Capture → play-out at `now` (without: when last advanced), ms. */
  playoutMs(now = ms(this.#at)): number {
    return this.isSet ? this.#offset - this.#base(now) : this.#target;
  }

  get targetMs(): number {
    return this.#target;
  }

  /*
   * Local capture time of media time 0, at its earliest. Nothing arrives before it was captured,
   * whatever clocks say.
   */
  #base(now: Ms): number {
    if (!this.#clock.ready) return this.#leastWhole.value;
    const shift = this.#clock.toLocal(this.#captureUnits, now) - this.#captureMs;
    return Math.min(this.#leastCapture.value + shift, this.#leastWhole.value);
  }

  /*
   * Local time at which media time 0 was whole at the fastest; only live deliveries say anything.
   */
  #arrival(): number {
    return this.#hasLive ? this.#leastWhole.value : Number.NEGATIVE_INFINITY;
  }

  /* What the target must not sink below, by the lags of late. */
  #adapt(now: Ms, base: number): void {
    this.#adaptedAt = now;
    const { minMs, maxMs, targetMs } = this.#options;
    const { samples } = this.#lags;
    if (samples < SAMPLES_TO_RISE) return;
    const p99 = this.#lags.quantile(0.99) + MARGIN_P99_MS;
    const p999 = this.#lags.quantile(0.999) * BEYOND_P999;
    const { isCompensated } = this.#options;
    const spreadMs =
      isCompensated === true ? p99 + PULL_ROUND_MS + this.answerMs : Math.max(p99, p999);
    this.#slackMs = Math.max(SLACK_MS_MIN, Math.min(minMs, spreadMs));
    const least = samples < SAMPLES_TO_SINK ? targetMs : minMs;
    this.#targetMin = Math.min(maxMs, Math.max(least, this.#arrival() - base + spreadMs));
  }

  /*
   * When all has been late for a while, stretching would take for ever: the picture stands anyway.
   */
  #followLateness(now: Ms, media: number): void {
    const lag = now - media;
    if (lag <= this.#offset) {
      this.#lateSince = undefined;
      return;
    }
    if (this.#lateSince === undefined) {
      this.#lateSince = now;
      this.#lateCount = 0;
      this.#lateLeast = lag;
    }
    this.#lateCount++;
    this.#lateLeast = Math.min(this.#lateLeast, lag);
    if (this.#lateCount < LATE_RUN_MIN || now - this.#lateSince < LATE_RUN_MS) return;
    this.#lateSince = undefined;
    this.#leastWhole.reset(now, this.#lateLeast);
    this.#lags.clear();
    const { minMs } = this.#options;
    this.#offset = Math.max(this.#base(now) + this.#target, this.#lateLeast + minMs);
  }

  #unwrapCapture(units: number): number {
    this.#captureMs += serialDiff(units, this.#captureUnits) / 10;
    this.#captureUnits = units;
    return this.#captureMs;
  }

  /* The run whose timestamps agree best with the capture clock; a new one when none does. */
  #runOf(dtsMs: number, captureMs: number): Run {
    const live = captureMs - this.#leastCapture.value;
    let best: Run | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const run of this.#runs) {
      const stepMs = serialDiff(dtsMs, run.dtsMs);
      const awayMs = Math.abs(run.media + stepMs - live);
      if (awayMs >= least || (awayMs > JUMP_MS && Math.abs(stepMs) > JUMP_MS)) continue;
      least = awayMs;
      best = run;
    }
    if (best !== undefined) return best;
    const media = this.#runs.length === 0 ? captureMs : live;
    const fresh = { dtsMs, media };
    this.#runs.push(fresh);
    if (this.#runs.length > RUNS_MAX) this.#runs.shift();
    return fresh;
  }
}
