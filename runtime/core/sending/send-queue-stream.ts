/**
 * What a queue remembers of one outgoing stream: which segments it sent and by when they are wanted (a lost packet is
 * known by fragment number only), which references it dropped (whatever needs them is not worth sending), and how
 * much the stream asks for per group of pictures.
 */
import type { Ms } from "../../base/time.ts";
import { type Run, SEQUENCE_UNKNOWN } from "./send-queue-run.ts";
import { Priority, type SendClass } from "./send-queue-types.ts";

const SENT_FIRST = 32;
const SENT_MAX = 1024;
/** Dropped references remembered; dependencies reach back a few frames only. */
const DROPPED_MAX = 64;

/*
 * A sent segment in the ring, three numbers (24 B):
 *
 *   0  number of its first fragment
 *   1  fragments of the segment × 2^16 + wire flags × 2^8 + class
 *   2  deadline, ms
 */
const WORDS = 3;
const NO_SEGMENT = -1;

export class OutgoingStream {
  readonly stream: number;
  /** Ring of segments sent, newest at (#sentAt − 1). */
  #sent = new Float64Array(SENT_FIRST * WORDS);
  #size = SENT_FIRST;
  #sentAt = 0;
  #newestFirst = NO_SEGMENT;
  /** Sequence numbers of dropped references. */
  readonly #dropped: number[] = [];
  /** Without sequences: a reference was dropped, and no group has begun since. */
  #isBroken = false;
  #brokenFrom = 0;
  /** A segment given up of which fragments may still come in: its first number. */
  #goneFirst = NO_SEGMENT;
  #groupAt = Number.NaN;
  #groupBytes = 0;
  /** What the last whole group asked for, bit/s, and its length, ms; 0 before. */
  groupBps = 0;
  groupMs = 0;

  constructor(stream: number) {
    this.stream = stream;
  }

  /* ---------------------------------------------------------------- demand */

  /** Counts a video run as offered; a key frame closes the group before it. */
  noteOffered(now: Ms, run: Run): void {
    this.noteDemand(now, run.isKey && run.next === 0, run.bytesLeft);
  }

  noteDemand(now: Ms, beginsGroup: boolean, bytes: number): void {
    if (beginsGroup) {
      if (now - this.#groupAt > 100) {
        this.groupMs = now - this.#groupAt;
        this.groupBps = (this.#groupBytes * 8000) / this.groupMs;
      }
      this.#groupAt = now;
      this.#groupBytes = 0;
    } else if (Number.isNaN(this.#groupAt)) this.#groupAt = now;
    this.#groupBytes += bytes;
  }

  /* ---------------------------------------------------------------- sent segments */

  noteSent(now: Ms, run: Run): void {
    this.noteSegment(now, run.first, run.total, run.flags, run.sendClass, run.deadlineMs);
  }

  /** A fragment of the segment goes out; `total` and so on are the segment's. */
  noteSegment(
    now: Ms,
    first: number,
    total: number,
    flags: number,
    sendClass: SendClass,
    deadlineMs: number,
  ): void {
    if (first === this.#newestFirst) return;
    this.#newestFirst = first;
    const isFull = this.#sentAt >= this.#size && this.deadlineAt(this.#at(this.#sentAt)) > now;
    if (isFull && this.#size < SENT_MAX) this.#grow();
    const at = this.#at(this.#sentAt++);
    this.#sent[at] = first;
    this.#sent[at + 1] = (total << 16) | (flags << 8) | sendClass;
    this.#sent[at + 2] = deadlineMs;
  }

  #at(count: number): number {
    return (count & (this.#size - 1)) * WORDS;
  }

  #grow(): void {
    const turn = this.#at(this.#sentAt);
    const sent = new Float64Array(this.#sent.length * 2);
    sent.set(this.#sent.subarray(turn), 0);
    sent.set(this.#sent.subarray(0, turn), this.#sent.length - turn);
    this.#sent = sent;
    this.#sentAt = this.#size;
    this.#size *= 2;
  }

  /** Whether the last segment begun is the one `run` belongs to. */
  isNewest(run: Run): boolean {
    return run.first === this.#newestFirst;
  }

  /** Place of the segment that holds fragment `number`, −1 if it is not remembered. */
  find(number: number): number {
    const oldest = Math.max(0, this.#sentAt - this.#size);
    for (let i = this.#sentAt - 1; i >= oldest; i--) {
      const at = this.#at(i);
      if ((number - this.firstAt(at)) >>> 0 < this.totalAt(at)) return at;
    }
    return -1;
  }

  firstAt(at: number): number {
    return this.#sent[at] as number;
  }
  totalAt(at: number): number {
    return (this.#sent[at + 1] as number) >> 16;
  }
  flagsAt(at: number): number {
    return ((this.#sent[at + 1] as number) >> 8) & 0xff;
  }
  classAt(at: number): SendClass {
    return ((this.#sent[at + 1] as number) & 0xff) as SendClass;
  }
  deadlineAt(at: number): number {
    return this.#sent[at + 2] as number;
  }

  /* ---------------------------------------------------------------- dropped references */

  /** A key frame is let in: what was lost before it matters no more. */
  noteKey(): void {
    this.#dropped.length = 0;
    this.#isBroken = false;
  }

  /** Nothing is given up that a fragment of the segment at `first` could need. */
  isIntact(first: number): boolean {
    return !this.#isBroken && this.#dropped.length === 0 && first !== this.#goneFirst;
  }

  /** Whether `run` is worth nothing, since what it needs, or a part of itself, was dropped. */
  isOrphan(run: Run): boolean {
    if (run.first === this.#goneFirst) return true;
    if (run.priority < Priority.reference) return false;
    if (run.sequence === SEQUENCE_UNKNOWN) {
      return this.#isBroken && ((run.first - this.#brokenFrom) | 0) > 0;
    }
    if (this.#dropped.length === 0 || run.dependsOn === 0) return false;
    return this.#dropped.includes((run.sequence - run.dependsOn) >>> 0);
  }

  /** `run` will not be sent, or not all of it. */
  noteDropped(run: Run): void {
    this.#goneFirst = run.first;
    if (run.isDisposable || run.priority < Priority.key) return;
    if (run.sequence === SEQUENCE_UNKNOWN) {
      if (!this.#isBroken) this.#brokenFrom = run.first;
      this.#isBroken = true;
      return;
    }
    if (this.#dropped.length === DROPPED_MAX) this.#dropped.shift();
    this.#dropped.push(run.sequence);
  }
}
