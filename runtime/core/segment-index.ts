/**
 * The segments of one stream epoch that a node knows, beside the hot path's fragment store.
 */
import type { Ms } from "../base/time.ts";
import type { SegmentHeader } from "../wire/segment.ts";
import type { CaptureClock } from "./clock-estimate.ts";
import type { HotPath } from "./hot-path.ts";

export interface SegmentIndexOptions {
  /** How long media is kept, ms since it arrived. */
  readonly retainMs: number;
  /** The group that joiners start from is kept longer than that, up to this, ms. */
  readonly groupMsMax: number;
  /** Fragments the store holds: a power of two, 64..32768; default 4096. */
  readonly capacity?: number;
  /** Tells capture times in the local clock; without it `capturedAt` goes by arrival. */
  readonly clock?: CaptureClock;
}

/** A fragment's place; the same fields as on the wire. */
export interface FragmentPlace {
  readonly number: number;
  readonly index: number;
  readonly total: number;
  readonly flags: number;
}

/** One segment of which at least one fragment came in. */
export interface Segment {
  /** Number of its first fragment. */
  readonly first: number;
  readonly total: number;
  /** Wire flags of the fragment that came first. */
  readonly flags: number;
  readonly isGroupStart: boolean;
  /** When its first fragment to come came. */
  readonly arrivedAt: Ms;
  /** When it was whole; `NEVER` until then. */
  readonly wholeAt: Ms;
  /** Known once fragment 0 came. */
  readonly header: SegmentHeader | undefined;
}

export declare class SegmentIndex {
  constructor(hot: HotPath, options: SegmentIndexOptions);
  /** Handle of the hot path's store. */
  readonly store: number;
  /** See `SegmentIndexOptions.clock`. */
  clock: CaptureClock | undefined;
  /** `Inserted.fresh|completed` or a negative `Status`; the caller keeps its reference to `slot`. */
  insert(now: Ms, place: FragmentPlace, slot: number): number;
  /** The upstream has fragments up to `frontier` (exclusive) at local time `at`. */
  handleFrontier(at: Ms, frontier: number): void;
  get isEmpty(): boolean;
  /** Lowest fragment number kept, and one past the highest seen. */
  oldest(): number;
  next(): number;
  /** One past the newest fragment known to exist (seen, announced by its segment's total, or told). */
  frontier(): number;
  /** First fragment of the newest group begun; `next()` when there is none. */
  groupStart(): number;
  /** First fragment of the newest group begun at least `ageMs` ago by capture (or the oldest kept). */
  groupStartBefore(now: Ms, ageMs: number): number;
  segment(first: number): Segment | undefined;
  /** The segment that holds fragment `number`, when any fragment of it is here. */
  segmentOf(number: number): Segment | undefined;
  segmentBySequence(sequence: number): Segment | undefined;
  header(first: number): SegmentHeader | undefined;
  /** Segments known from fragment `from` on, in order. */
  segmentsFrom(from: number): Iterable<Segment>;
  /** A fresh copy of a whole segment's body (without its header); undefined while it is not whole. */
  takeBody(first: number): Uint8Array | undefined;
  /** Missing fragment numbers in [from, to) to `hot.out[0..n)`; returns n ≤ limit. */
  holes(from: number, to: number, limit: number): number;
  /** When a fragment was captured, in the local clock; told from its neighbours while it is unknown. */
  capturedAt(number: number, now: Ms): Ms;
  /** now − capturedAt, ms. */
  ageOf(number: number, now: Ms): number;
  /** Drops what need not be kept. Returns how many fragments went. */
  evict(now: Ms): number;
  /** Drops the oldest segment; false when empty. */
  evictOldest(): boolean;
  close(): void;
}
