/**
 * Turns an encoder's frames into segments cut into fragments.
 */
import type { Ms } from "../base/time.ts";
import type { MediaFrame } from "../wire/frame.ts";
import type { SegmentHeader } from "../wire/segment.ts";
import type { HotPath } from "./hot-path.ts";

/** A segment in payload slots. The taker owns one reference to each slot and releases it. */
export interface CutSegment {
  readonly header: SegmentHeader;
  /** Number of its first fragment. */
  readonly first: number;
  readonly total: number;
  readonly slots: readonly number[];
  /** Bytes in the last slot; the others hold `MAX_BODY_BYTES`. */
  readonly lastBytes: number;
  /** Wire flags of its fragments: priority and group start, pushed. */
  readonly flags: number;
}

export declare class SegmentCutter {
  /** Fragment and sequence numbers begin at 0: one cutter an epoch. */
  constructor(hot: HotPath);
  /**
   * The segments that `frame` makes, in order: configurations first where a group begins. Empty for a configuration that
   * waits for its frame, for video before the first key frame, and when memory is full (the frame is lost; those that
   * need it say so by their sequence numbers).
   */
  cut(now: Ms, frame: MediaFrame): readonly CutSegment[];
  /** Number of the next fragment. */
  get next(): number;
  /** Frames lost because memory was full. */
  get framesLost(): number;
}
