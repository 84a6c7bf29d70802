/**
 * A run of fragments of one segment waiting to be sent: a whole segment, its fragments of some sub-streams, or a
 * single fragment passed on before the segment is whole. Pooled: one exists per queued frame and receiver.
 */
import { MAX_BODY_BYTES } from "../hot-path/hot-path.ts";
import {
  PRIORITY_MASK,
  Priority,
  type QueuedSegment,
  SendClass,
  type SendItem,
} from "./send-queue-types.ts";

/** Head of a DATA packet (docs/WIRE.md §1). */
export const DATA_HEAD_BYTES = 21;
/** `sequence` of a run whose segment header we have not read. */
export const SEQUENCE_UNKNOWN = -1;
const POOL_MAX = 4096;

export class Run {
  stream = 0;
  /** Number of the segment's fragment 0, and fragments of the segment. */
  first = 0;
  total = 0;
  /** Indices still to consider: [next, end). */
  next = 0;
  end = 0;
  fragmentBytes = 0;
  lastBytes = 0;
  flags = 0;
  sequence = SEQUENCE_UNKNOWN;
  dependsOn = 0;
  deadlineMs = 0;
  sendClass: SendClass = SendClass.push;
  subStreams = 1;
  mask = 1;
  /** UDP payload bytes still to be sent. */
  bytesLeft = 0;
  hasBegun = false;
  /** Neither shed nor dropped for the sake of others: set when it is filed. */
  standsAlone = false;
  /** Marked by shedding; the queue sweeps it out. */
  isDoomed = false;

  get priority(): number {
    return this.flags & PRIORITY_MASK;
  }
  get isKey(): boolean {
    return (this.flags & PRIORITY_MASK) === Priority.key;
  }
  get isDisposable(): boolean {
    return (this.flags & PRIORITY_MASK) === Priority.disposable;
  }

  setSegment(segment: Readonly<QueuedSegment>): void {
    this.stream = segment.stream;
    this.first = segment.first;
    this.total = segment.total;
    this.fragmentBytes = segment.fragmentBytes;
    this.lastBytes = segment.lastBytes;
    this.flags = segment.flags;
    this.sequence = segment.sequence;
    this.dependsOn = segment.dependsOn;
    this.deadlineMs = segment.deadlineMs;
    this.sendClass = segment.sendClass;
    this.subStreams = segment.subStreams;
    this.mask = segment.mask;
    this.#begin(0, segment.total);
  }

  setFragment(
    stream: number,
    number: number,
    index: number,
    total: number,
    flags: number,
    bytes: number,
    deadlineMs: number,
    sendClass: SendClass,
  ): void {
    this.stream = stream;
    this.first = (number - index) >>> 0;
    this.total = total;
    this.fragmentBytes = index === total - 1 ? MAX_BODY_BYTES : bytes;
    this.lastBytes = bytes;
    this.flags = flags;
    this.sequence = SEQUENCE_UNKNOWN;
    this.dependsOn = 0;
    this.deadlineMs = deadlineMs;
    this.sendClass = sendClass;
    this.subStreams = 1;
    this.mask = 1;
    this.#begin(index, index + 1);
  }

  #begin(from: number, end: number): void {
    this.next = from;
    this.end = end;
    this.hasBegun = false;
    this.isDoomed = false;
    this.bytesLeft = 0;
    this.#skip();
    if (this.subStreams === 1) {
      const count = end - from;
      const tail = end === this.total ? this.lastBytes : this.fragmentBytes;
      if (count > 0) {
        this.bytesLeft = (count - 1) * this.fragmentBytes + tail + count * DATA_HEAD_BYTES;
      }
      return;
    }
    for (let index = this.next; index < end; index++) {
      if (this.#isWanted(index)) this.bytesLeft += this.bodyBytes(index) + DATA_HEAD_BYTES;
    }
  }

  get isDone(): boolean {
    return this.next >= this.end;
  }

  bodyBytes(index: number): number {
    return index === this.total - 1 ? this.lastBytes : this.fragmentBytes;
  }

  /** The fragment at `next` is sent or given up. */
  advance(): void {
    this.bytesLeft -= this.bodyBytes(this.next) + DATA_HEAD_BYTES;
    this.next++;
    this.hasBegun = true;
    this.#skip();
  }

  /** Takes in `other`, the fragment right behind this run's last, and returns true; else false. */
  extend(other: Run): boolean {
    const isNext =
      other.stream === this.stream &&
      other.first === this.first &&
      other.next === this.end &&
      other.sendClass === this.sendClass &&
      this.subStreams === 1 &&
      other.subStreams === 1;
    if (!isNext) return false;
    if (other.end === this.total) this.lastBytes = other.lastBytes;
    this.end = other.end;
    this.bytesLeft += other.bytesLeft;
    return true;
  }

  /** Describes the fragment at `next`. */
  fill(item: SendItem): void {
    item.stream = this.stream;
    item.number = (this.first + this.next) >>> 0;
    item.index = this.next;
    item.total = this.total;
    item.flags = this.flags;
    item.bytes = this.bodyBytes(this.next);
    item.attempt = 0;
    item.deadlineMs = this.deadlineMs;
    item.sendClass = this.sendClass;
    item.notBeforeMs = 0;
  }

  /** Nothing but the fragment at `next` is left. */
  get isSingle(): boolean {
    return this.bytesLeft === this.bodyBytes(this.next) + DATA_HEAD_BYTES;
  }

  #skip(): void {
    while (this.next < this.end && !this.#isWanted(this.next)) this.next++;
  }

  #isWanted(index: number): boolean {
    if (this.subStreams === 1) return true;
    return ((this.mask >>> (((this.first + index) >>> 0) % this.subStreams)) & 1) === 1;
  }
}

export class RunPool {
  readonly #free: Run[] = [];

  take(): Run {
    return this.#free.pop() ?? new Run();
  }

  give(run: Run): void {
    if (this.#free.length < POOL_MAX) this.#free.push(run);
  }
}
