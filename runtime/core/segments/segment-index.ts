/**
 * The segments of one stream epoch that a node knows, beside the hot path's store of their
 * fragments: where each begins, what its header says, whether it is whole, where groups begin, and
 * what may be dropped. The store knows bytes and bits; this knows order and age.
 *
 *   fragments   …|0 1 2|3|4|5 6 7 8|·|·|11 12|…      · = nothing known: a hole whose age its neighbours tell
 *   segments      key   a i  inter       inter
 *
 * Kept is what came within `retainMs`, and from the start of the group that a joiner would be
 * given, up to `groupMsMax`.
 */
import { assert } from "../../base/assert.ts";
import { serialDiff } from "../../base/serial.ts";
import { type Ms, ms } from "../../base/time.ts";
import {
  decodeSegmentHeader,
  fragmentsOf,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from "../../wire/segment.ts";
import { type HotPath, Inserted, MAX_BODY_BYTES, Status } from "../hot-path/hot-path.ts";
import type { CaptureClock } from "../time/clock-estimate.ts";
import { type Segment, SegmentList, SegmentRecord } from "./segment-list.ts";

export type { Segment } from "./segment-list.ts";

export interface SegmentIndexOptions {
  /** How long media is kept, ms since it arrived. */
  readonly retainMs: number;
  /** The group that joiners start from is kept longer than that, up to this, ms. */
  readonly groupMsMax: number;
  /** Fragments the store holds: a power of two, 64..32768; default 8192 (12 s of 6 Mbit/s). */
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

const CAPACITY = 8192;
/**
 * A joiner starts from the group that was running this long ago, ms: the longest play-out delay.
 */
const JOIN_AGE_MS = 1500;
/** A frontier further ahead than this many fragments is not believed. */
const FRONTIER_AHEAD_MAX = 1 << 16;

export class SegmentIndex {
  /** Handle of the hot path's store. */
  readonly store: number;
  /** See `SegmentIndexOptions.clock`. */
  clock: CaptureClock | undefined;
  readonly hot: HotPath;
  readonly #options: SegmentIndexOptions;
  readonly #capacity: number;
  readonly #list = new SegmentList();
  /* What lies below was dropped, or never wanted. */
  #floor: number | undefined;
  #toldFrontier: number | undefined;
  #toldAt: Ms = ms(0);
  #isClosed = false;

  constructor(hot: HotPath, options: SegmentIndexOptions) {
    this.hot = hot;
    this.#options = options;
    this.#capacity = options.capacity ?? CAPACITY;
    this.clock = options.clock;
    this.store = hot.storeOpen(this.#capacity);
    assert(this.store > 0, "segment index: the hot path has no room for a store");
  }

  /**
   * Files a fragment: `Inserted.fresh` or `completed` (its segment is whole now), or a negative
   * `Status`: `conflict` when it contradicts what is known. The caller keeps its reference to
   * `slot`.
   */
  insert(now: Ms, place: FragmentPlace, slot: number): number {
    const { number, index, total, flags } = place;
    const first = (number - index) >>> 0;
    if (this.#floor !== undefined && serialDiff(first, this.#floor) < 0) return Status.old;
    const known = this.#list.at(first);
    let header = known?.header;
    if (index === 0 && header === undefined) {
      header = this.#decode(slot);
      if (header === undefined || fragmentsOf(header.size) !== total) return Status.conflict;
      if (!this.#list.fitsSequence(first, header.sequence)) return Status.conflict;
    }
    if (!this.#fits(first, total, header, index, slot)) return Status.conflict;
    const { store } = this;
    const result = this.hot.fragmentInsert(store, number, index, total, flags, slot, now);
    if (result !== Inserted.fresh && result !== Inserted.completed) return result;
    const segment = known ?? this.#list.add(new SegmentRecord(first, total, flags, now));
    segment.header = header;
    if (result === Inserted.completed) segment.wholeAt = now;
    this.#followWindow();
    return result;
  }

  /**
   * The upstream holds everything before fragment `frontier` by local time `at`. Nonsense is
   * ignored.
   */
  handleFrontier(at: Ms, frontier: number): void {
    if (!this.isEmpty && serialDiff(frontier, this.next()) > FRONTIER_AHEAD_MAX) return;
    if (this.#toldFrontier !== undefined && serialDiff(frontier, this.#toldFrontier) <= 0) return;
    this.#toldFrontier = frontier;
    this.#toldAt = at;
  }

  get isEmpty(): boolean {
    return this.#list.size === 0;
  }

  /** Lowest fragment number kept; `next()` when nothing is. */
  oldest(): number {
    return this.hot.storeOldest(this.store);
  }

  /** One past the highest fragment seen. */
  next(): number {
    return this.hot.storeNext(this.store);
  }

  /**
   * One past the newest fragment known to exist: seen, counted in a segment's total, or told by the
   * upstream.
   */
  frontier(): number {
    const newest = this.#list.last;
    const seen = newest === undefined ? this.next() : newest.end;
    const told = this.#toldFrontier;
    return told !== undefined && serialDiff(told, seen) > 0 ? told : seen;
  }

  /** First fragment of the newest group begun; `next()` when there is none. */
  groupStart(): number {
    return this.#list.group(this.#list.groupCount - 1)?.first ?? this.next();
  }

  /**
   * First fragment of the newest group begun at least `ageMs` ago, else of the oldest; `next()`
   * when there is none.
   */
  groupStartBefore(now: Ms, ageMs: number): number {
    for (let i = this.#list.groupCount - 1; i >= 0; i--) {
      const group = this.#list.group(i) as SegmentRecord;
      if (i === 0 || this.ageOf(group.first, now) >= ageMs) return group.first;
    }
    return this.next();
  }

  /** The segment that begins with fragment `first`, if any fragment of it is here. */
  segment(first: number): Segment | undefined {
    return this.#list.at(first);
  }

  /** The segment that holds fragment `number`, if any fragment of it is here. */
  segmentOf(number: number): Segment | undefined {
    const segment = this.#list.beforeOrAt(number);
    return segment !== undefined && serialDiff(number, segment.end) < 0 ? segment : undefined;
  }

  segmentBySequence(sequence: number): Segment | undefined {
    return this.#list.bySequence(sequence);
  }

  header(first: number): SegmentHeader | undefined {
    return this.#list.at(first)?.header;
  }

  /** Segments known that begin at fragment `from` or later, in order. */
  segmentsFrom(from: number): Generator<Segment, void, undefined> {
    return this.#list.from(from);
  }

  /**
   * A fresh copy of a whole segment's body (without its header); undefined while it is not whole.
   */
  takeBody(first: number): Uint8Array | undefined {
    const header = this.#list.at(first)?.header;
    if (header === undefined) return undefined;
    const hot = this.hot;
    const count = hot.segmentSlots(this.store, first);
    if (count === 0) return undefined;
    if (count === 1) {
      const ptr = hot.payloadPtr(hot.out[0] as number) + SEGMENT_HEADER_BYTES;
      return hot.bytes.slice(ptr, ptr + header.size);
    }
    const body = new Uint8Array(header.size);
    let at = 0;
    for (let i = 0; i < count; i++) {
      const slot = hot.out[i] as number;
      const ptr = hot.payloadPtr(slot);
      const from = i === 0 ? ptr + SEGMENT_HEADER_BYTES : ptr;
      const end = ptr + hot.payloadLength(slot);
      body.set(hot.bytes.subarray(from, end), at);
      at += end - from;
    }
    return body;
  }

  /**
   * Missing fragment numbers in [from, to) to `hot.out[0..n)`, none that were dropped; returns n ≤
   * limit.
   */
  holes(from: number, to: number, limit: number): number {
    const floor = this.#floor;
    const start = floor !== undefined && serialDiff(from, floor) < 0 ? floor : from;
    return serialDiff(to, start) <= 0 ? 0 : this.hot.holes(this.store, start, to, limit);
  }

  /**
   * When a fragment was captured, in the local clock; told from its neighbours while it is unknown.
   * Never after `now`.
   */
  capturedAt(number: number, now: Ms): Ms {
    const units = this.#list.captureOf(number);
    if (units === undefined) return now;
    let at = this.#toLocal(units, now);
    const told = this.#toldFrontier;
    if (told !== undefined && serialDiff(number, told) < 0 && this.#toldAt < at) at = this.#toldAt;
    return at < now ? at : now;
  }

  /** How long ago a fragment was captured, ms ≥ 0. */
  ageOf(number: number, now: Ms): number {
    return now - this.capturedAt(number, now);
  }

  /** Drops what need not be kept. Returns how many fragments went. */
  evict(now: Ms): number {
    const { retainMs, groupMsMax } = this.#options;
    const oldest = this.#list.first;
    if (oldest === undefined || now - oldest.arrivedAt < retainMs) return 0;
    const keep = this.groupStartBefore(now, JOIN_AGE_MS);
    let upTo: number | undefined;
    for (let i = 0; i < this.#list.size; i++) {
      const segment = this.#list.get(i);
      const ageMs = now - segment.arrivedAt;
      if (ageMs < retainMs) break;
      if (ageMs < groupMsMax && serialDiff(segment.first, keep) >= 0) break;
      upTo = segment.end;
    }
    return upTo === undefined ? 0 : this.#drop(upTo);
  }

  /** Drops the oldest segment, to make room when memory is full; false when there is none. */
  evictOldest(): boolean {
    const oldest = this.#list.first;
    if (oldest === undefined) return false;
    this.#drop(oldest.end);
    return true;
  }

  /** Gives the store back. Nothing may be called afterwards. */
  close(): void {
    if (!this.#isClosed) this.hot.storeClose(this.store);
    this.#isClosed = true;
  }

  #drop(upTo: number): number {
    this.#floor = upTo;
    this.#list.dropBefore(upTo);
    return this.hot.evictBefore(this.store, upTo);
  }

  /*
   * The store's window moves with the newest fragment; a segment that no longer lies in it entirely
   * is gone.
   */
  #followWindow(): void {
    const edge = (this.next() - this.#capacity) >>> 0;
    const oldest = this.#list.first as SegmentRecord;
    if (serialDiff(oldest.first, edge) >= 0) return;
    this.#list.dropBefore(edge);
    this.#floor = edge;
  }

  #decode(slot: number): SegmentHeader | undefined {
    const ptr = this.hot.payloadPtr(slot);
    if (this.hot.payloadLength(slot) < SEGMENT_HEADER_BYTES) return undefined;
    return decodeSegmentHeader(this.hot.bytes, ptr);
  }

  /*
   * Fragments are full but for the last, whose length the header tells; whichever of the two comes
   * later is checked.
   */
  #fits(
    first: number,
    total: number,
    header: SegmentHeader | undefined,
    index: number,
    slot: number,
  ): boolean {
    const hot = this.hot;
    if (index < total - 1 && hot.payloadLength(slot) !== MAX_BODY_BYTES) return false;
    if (header === undefined) return true;
    const lastBytes = SEGMENT_HEADER_BYTES + header.size - (total - 1) * MAX_BODY_BYTES;
    if (index === total - 1) return hot.payloadLength(slot) === lastBytes;
    if (index !== 0) return true;
    const last = hot.fragmentSlot(this.store, (first + total - 1) >>> 0);
    return last === 0 || hot.payloadLength(last) === lastBytes;
  }

  #toLocal(units: number, now: Ms): Ms {
    if (this.clock?.ready) return this.clock.toLocal(units, now);
    const newest = this.#list.lastWithHeader as SegmentRecord;
    const header = newest.header as SegmentHeader;
    return ms(newest.arrivedAt + serialDiff(units, header.captureUnits) / 10);
  }
}
