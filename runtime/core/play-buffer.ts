/**
 * The play buffer of one stream epoch: decides when each segment is played, skipped or still worth asking for.
 */
import type { Ms } from "../base/time.ts";
import type { MediaFrame } from "../wire/frame.ts";
import type { CaptureClock } from "./clock-estimate.ts";
import type { FragmentPlace, SegmentIndex } from "./segment-index.ts";

export interface PlayBufferOptions {
  /** Play-out delay to start with, ms; adapted between the bounds. */
  readonly targetMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** After a lost reference wait for the next key frame. */
  readonly strict: boolean;
}

/** A frame whose time has come. The object is new, and so is the body. */
export interface PlayedFrame {
  readonly frame: MediaFrame;
  readonly sequence: number;
  /** In the local clock. */
  readonly capturedAt: Ms;
  /** Its play time had passed when it came: for the decoder only. */
  readonly decodeOnly: boolean;
  /** A frame it needs was lost. */
  readonly damaged: boolean;
}

/** Fragments [first, first + count) that are missing and wanted. */
export interface MissingRange {
  readonly first: number;
  readonly count: number;
  /** `pull`: ask a neighbour; `compensate`: ask the edge, it is urgent. */
  readonly zone: "pull" | "compensate";
  /** When it must have arrived. */
  readonly deadline: Ms;
}

export declare class PlayBuffer {
  constructor(index: SegmentIndex, clock: CaptureClock, options: PlayBufferOptions);
  /** A fragment came in fresh (after `index.insert`). */
  handleFragment(now: Ms, place: FragmentPlace): void;
  /** The segment that begins with `first` is whole. */
  handleSegment(now: Ms, first: number): void;
  /** The epoch is over at fragment `next`: what is left is played out. */
  handleEnded(now: Ms, next: number): void;
  /** RTT to whoever answers compensation, ms: how early urgent requests must go. */
  edgeRttMs: number;
  /** The next frame due at `now`, until undefined. */
  pollFrame(now: Ms): PlayedFrame | undefined;
  /** Frames given up since the last call. */
  takeSkipped(): number;
  /** When `pollFrame` has something next; `NEVER` when only a segment can change that. */
  nextDue(): Ms;
  /** Whether the first frame was handed out. */
  get isStarted(): boolean;
  /** Ended, and nothing more will come out. */
  isFinished(now: Ms): boolean;
  /** First fragment that is still wanted: FEEDBACK's `wanted`. */
  wantedFrom(): number;
  /** What is missing, by zone: at most `limit` ranges. */
  holesToAsk(now: Ms, limit: number): readonly MissingRange[];
  /** Capture → play-out offset at present, ms (follows the target by stretching): FEEDBACK's play-out offset. */
  playoutMs(now: Ms): number;
  /** The target it moves to, ms. */
  get targetMs(): number;
  /** Ages at which pull and compensation begin, ms. */
  get pullFromMs(): number;
  get compensateFromMs(): number;
  framesPlayed: number;
  framesSkipped: number;
  framesDamaged: number;
  /** Frozen more than 100 ms past the next frame's due time. */
  stalledMs(now: Ms): number;
  /** Capture → play-out, smoothed, and the greatest. */
  delayMs: number;
  delayMsMax: number;
  /** Media whole without a gap ahead of the play point, ms. */
  fillMs(now: Ms): number;
  /** Fragments known to be missing between the play point and the frontier. */
  holeCount(): number;
}
