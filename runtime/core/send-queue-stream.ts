/**
 * What a queue remembers of one outgoing stream: which segments it sent and by when they are wanted (a lost packet is
 * known by fragment number only), which references it dropped (whatever needs them is not worth sending), and how much
 * the stream asks for per group of pictures.
 */
import type { Ms } from "../base/time.ts";
import { type Run, SEQUENCE_UNKNOWN } from "./send-queue-run.ts";
import { Priority, type SendClass } from "./send-queue-types.ts";

const SENT_FIRST = 32;
const SENT_MAX = 1024;
/** Dropped references remembered; dependencies reach back a few frames only. */
const DROPPED_MAX = 64;

export class OutgoingStream {
  readonly stream: number;
  /* Ring of segments sent, newest at (#sentAt − 1): typed arrays, for a viewer costs 16 B a segment. */
  #first = new Uint32Array(SENT_FIRST);
  #total = new Uint16Array(SENT_FIRST);
  #flags = new Uint8Array(SENT_FIRST);
  #class = new Uint8Array(SENT_FIRST);
  #deadline = new Float64Array(SENT_FIRST);
  #sentAt = 0;
  /** Sequence numbers of dropped references. */
  readonly #dropped: number[] = [];
  /** Without sequences: a reference was dropped, and no group has begun since. */
  #isBroken = false;
  #brokenFrom = 0;
  /** A segment given up of which fragments may still come in: its first number. */
  #goneFirst = -1;
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
    if (run.isKey && run.next === 0) {
      if (now - this.#groupAt > 100) {
        this.groupMs = now - this.#groupAt;
        this.groupBps = (this.#groupBytes * 8000) / this.groupMs;
      }
      this.#groupAt = now;
      this.#groupBytes = 0;
    } else if (Number.isNaN(this.#groupAt)) this.#groupAt = now;
    this.#groupBytes += run.bytesLeft;
  }

  /* ---------------------------------------------------------------- sent segments */

  noteSent(now: Ms, run: Run): void {
    const size = this.#first.length;
    const newest = (this.#sentAt - 1) & (size - 1);
    if (this.#sentAt > 0 && this.#first[newest] === run.first && this.#class[newest] === run.sendClass)
      return;
    const at = this.#sentAt & (size - 1);
    if (this.#sentAt >= size && (this.#deadline[at] as number) > now && size < SENT_MAX) {
      this.#grow();
      this.noteSent(now, run);
      return;
    }
    this.#first[at] = run.first;
    this.#total[at] = run.total;
    this.#flags[at] = run.flags;
    this.#class[at] = run.sendClass;
    this.#deadline[at] = run.deadlineMs;
    this.#sentAt++;
  }

  #grow(): void {
    const size = this.#first.length;
    const turn = this.#sentAt & (size - 1);
    this.#first = rotated(this.#first, new Uint32Array(size * 2), turn);
    this.#total = rotated(this.#total, new Uint16Array(size * 2), turn);
    this.#flags = rotated(this.#flags, new Uint8Array(size * 2), turn);
    this.#class = rotated(this.#class, new Uint8Array(size * 2), turn);
    this.#deadline = rotated(this.#deadline, new Float64Array(size * 2), turn);
    this.#sentAt = size;
  }

  /** Place of the segment that holds fragment `number`, −1 if it is not remembered. */
  find(number: number): number {
    const size = this.#first.length;
    const oldest = Math.max(0, this.#sentAt - size);
    for (let i = this.#sentAt - 1; i >= oldest; i--) {
      const at = i & (size - 1);
      if ((number - (this.#first[at] as number)) >>> 0 < (this.#total[at] as number)) return at;
    }
    return -1;
  }

  firstAt(at: number): number {
    return this.#first[at] as number;
  }
  totalAt(at: number): number {
    return this.#total[at] as number;
  }
  flagsAt(at: number): number {
    return this.#flags[at] as number;
  }
  classAt(at: number): SendClass {
    return this.#class[at] as SendClass;
  }
  deadlineAt(at: number): number {
    return this.#deadline[at] as number;
  }

  /* ---------------------------------------------------------------- dropped references */

  /** A key frame is let in: what was lost before it matters no more. */
  noteKey(): void {
    this.#dropped.length = 0;
    this.#isBroken = false;
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

/** `from` with its oldest entry (at `turn`) first, in the larger `to`. */
function rotated<T extends Uint32Array | Uint16Array | Uint8Array | Float64Array>(
  from: T,
  to: T,
  turn: number,
): T {
  for (let i = 0; i < from.length; i++) {
    to[i] = from[(turn + i) & (from.length - 1)] as number;
  }
  return to;
}
