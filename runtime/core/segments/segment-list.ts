/**
 * Segments in the order of their fragments, as an array that grows at its end and shrinks at its
 * beginning. A segment that comes late is put in its place, which is never far from the end.
 */
import { serialDiff } from "../../base/serial.ts";
import { type Ms, NEVER } from "../../base/time.ts";
import { FLAG_GROUP_START, type SegmentHeader } from "../../wire/segment.ts";

/** One segment of which at least one fragment came in. */
export interface Segment {
  /** Number of its first fragment. */
  readonly first: number;
  readonly total: number;
  /** One past its last fragment. */
  readonly end: number;
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

export class SegmentRecord implements Segment {
  readonly first: number;
  readonly total: number;
  readonly flags: number;
  readonly arrivedAt: Ms;
  wholeAt: Ms = NEVER;
  header: SegmentHeader | undefined = undefined;

  constructor(first: number, total: number, flags: number, arrivedAt: Ms) {
    this.first = first;
    this.total = total;
    this.flags = flags;
    this.arrivedAt = arrivedAt;
  }

  get end(): number {
    return (this.first + this.total) >>> 0;
  }

  get isGroupStart(): boolean {
    return (this.flags & FLAG_GROUP_START) !== 0;
  }
}

/** How far to look for a neighbour whose header is known. */
const NEIGHBOURS_MAX = 64;
/** Segments over which the pace of fragments is taken. */
const PACE_SEGMENTS = 64;

export class SegmentList {
  #items: SegmentRecord[] = [];
  #head = 0;
  /* Those of `#items` that begin a group, in order. */
  #groups: SegmentRecord[] = [];

  get size(): number {
    return this.#items.length - this.#head;
  }

  get(i: number): SegmentRecord {
    return this.#items[this.#head + i] as SegmentRecord;
  }

  get first(): SegmentRecord | undefined {
    return this.#items[this.#head];
  }

  get last(): SegmentRecord | undefined {
    return this.size === 0 ? undefined : this.#items[this.#items.length - 1];
  }

  get lastWithHeader(): SegmentRecord | undefined {
    return this.#withHeader(this.size - 1, -1, this.size);
  }

  get groupCount(): number {
    return this.#groups.length;
  }

  group(i: number): SegmentRecord | undefined {
    return this.#groups[i];
  }

  at(first: number): SegmentRecord | undefined {
    const segment = this.beforeOrAt(first);
    return segment?.first === first ? segment : undefined;
  }

  /** The last segment that begins at fragment `number` or before. */
  beforeOrAt(number: number): SegmentRecord | undefined {
    const i = this.#place(number);
    return i < 0 ? undefined : this.get(i);
  }

  *from(number: number): Generator<SegmentRecord, void, undefined> {
    let i = this.#place(number);
    if (i < 0 || this.get(i).first !== number) i++;
    for (; i < this.size; i++) yield this.get(i);
  }

  /** Binary search by sequence number among the headers known. */
  bySequence(sequence: number): SegmentRecord | undefined {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      const known = this.#indexWithHeader(middle, 1, high);
      if (known < 0) {
        high = middle;
        continue;
      }
      const segment = this.get(known);
      const difference = serialDiff((segment.header as SegmentHeader).sequence, sequence);
      if (difference === 0) return segment;
      if (difference < 0) low = known + 1;
      else high = middle;
    }
    return undefined;
  }

  /** Whether `sequence` at fragment `first` lies between those of the nearest headers known. */
  fitsSequence(first: number, sequence: number): boolean {
    const i = this.#place(first);
    const before = this.#withHeader(i, -1, NEIGHBOURS_MAX)?.header;
    const after = this.#withHeader(i + 1, 1, NEIGHBOURS_MAX)?.header;
    if (before !== undefined && serialDiff(sequence, before.sequence) <= 0) return false;
    return after === undefined || serialDiff(after.sequence, sequence) > 0;
  }

  /**
   * Capture time of fragment `number` in the publisher's units: its segment's, or between those of
   * its neighbours by number, or onwards from the newest at the pace of the last ones. Undefined
   * while no header is known.
   */
  captureOf(number: number): number | undefined {
    const i = this.#place(number);
    const before = this.#withHeader(i, -1, NEIGHBOURS_MAX);
    if (before !== undefined && serialDiff(number, before.end) < 0) return captureUnits(before);
    const after = this.#withHeader(i + 1, 1, NEIGHBOURS_MAX);
    if (before === undefined) return after === undefined ? undefined : captureUnits(after);
    const from = captureUnits(before);
    const steps = serialDiff(number, before.first);
    if (after === undefined) return (from + Math.round(steps * this.#pace())) >>> 0;
    const span = serialDiff(captureUnits(after), from);
    return (from + Math.round((span * steps) / serialDiff(after.first, before.first))) >>> 0;
  }

  add(segment: SegmentRecord): SegmentRecord {
    insertInOrder(this.#items, this.#head, segment);
    if (segment.isGroupStart) insertInOrder(this.#groups, 0, segment);
    return segment;
  }

  /** Forgets segments that begin before fragment `number`. */
  dropBefore(number: number): void {
    while (this.size > 0 && serialDiff(this.get(0).first, number) < 0) this.#head++;
    let groups = 0;
    while (serialDiff(this.#groups[groups]?.first ?? number, number) < 0) groups++;
    if (groups > 0) this.#groups.splice(0, groups);
    if (this.#head < 64 || this.#head * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }

  /*
   * Index of the last segment that begins at `number` or before, −1 if none. Most questions are
   * about the newest.
   */
  #place(number: number): number {
    let low = 0;
    let high = this.size;
    if (high > 0 && serialDiff(number, this.get(high - 1).first) >= 0) return high - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (serialDiff(this.get(middle).first, number) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #indexWithHeader(from: number, step: 1 | -1, end: number): number {
    for (let i = from; i >= 0 && i < end && i < this.size; i += step) {
      if (this.get(i).header !== undefined) return i;
    }
    return -1;
  }

  #withHeader(from: number, step: 1 | -1, steps: number): SegmentRecord | undefined {
    for (let i = from, n = 0; i >= 0 && i < this.size && n < steps; i += step, n++) {
      if (this.get(i).header !== undefined) return this.get(i);
    }
    return undefined;
  }

  /* Capture units that go by from one fragment to the next, lately. */
  #pace(): number {
    const to = this.lastWithHeader;
    const from = this.#withHeader(Math.max(0, this.size - PACE_SEGMENTS), 1, NEIGHBOURS_MAX);
    if (to === undefined || from === undefined || to === from) return 0;
    const units = serialDiff(captureUnits(to), captureUnits(from));
    return Math.max(0, units) / serialDiff(to.first, from.first);
  }
}

function captureUnits(segment: SegmentRecord): number {
  return (segment.header as SegmentHeader).captureUnits;
}

function insertInOrder(items: SegmentRecord[], from: number, segment: SegmentRecord): void {
  let at = items.length;
  while (at > from && serialDiff((items[at - 1] as SegmentRecord).first, segment.first) > 0) at--;
  if (at === items.length) items.push(segment);
  else items.splice(at, 0, segment);
}
