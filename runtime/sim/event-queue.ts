/**
 * The simulator's agenda: what happens when, in order of time and, at one time, in order of filing.
 * Nearly all events lie within two seconds of now (packets in flight, timers), so they wait in the
 * buckets of a wheel and only the bucket that is being played is kept sorted; what lies further off
 * waits in a heap. All in typed arrays: a million events a second pass through here, and none makes
 * an object.
 *
 *   near: heap of the bucket at hand    wheel: lists by 1/8 ms, 2 s ahead    far: heap of the rest
 */
import { assert } from "../base/assert.ts";

const TICKS_PER_MS = 8;
const WHEEL_TICKS = 16_384;
const NONE = -1;
/**
 * An event, 32 B:
 *
 *   0          8           16     20         24     28
 *   +----------+-----------+------+----------+------+------+
 *   | time f64 | order f64 | kind | argument | next | owner|
 *   +----------+-----------+------+----------+------+------+
 */
const FLOATS = 4;
const INTS = 8;
const ORDER = 1;
const KIND = 4;
const ARGUMENT = 5;
const NEXT = 6;
const OWNER = 7;

export class EventQueue {
  /** The event taken by the last `pop` that returned true. */
  time = 0;
  kind = 0;
  argument = 0;
  owner = 0;

  #capacity = 1024;
  /** One buffer, so that an event is one line of the processor's cache. */
  #floats = new Float64Array(this.#capacity * FLOATS);
  #ints = new Int32Array(this.#floats.buffer);
  #free = NONE;
  #used = 0;
  #filed = 0;
  readonly #buckets = new Int32Array(WHEEL_TICKS).fill(NONE);
  #inWheel = 0;
  #tick = 0;
  readonly #near = new IndexHeap();
  readonly #far = new IndexHeap();

  get size(): number {
    return this.#near.size + this.#inWheel + this.#far.size;
  }

  /**
   * Files an event. `time` must not lie before the last one taken; `owner` is whoever alone it
   * concerns.
   */
  push(time: number, kind: number, argument: number, owner = 0): void {
    assert(time >= this.time, "event queue: an event in the past");
    const entry = this.#allocate();
    const floats = this.#floats;
    const ints = this.#ints;
    floats[entry * FLOATS] = time;
    floats[entry * FLOATS + ORDER] = this.#filed++;
    ints[entry * INTS + KIND] = kind;
    ints[entry * INTS + ARGUMENT] = argument;
    ints[entry * INTS + OWNER] = owner;
    this.#file(entry);
  }

  /** Time of the next event, +Infinity when there is none. */
  peek(): number {
    if (this.#near.size === 0 && !this.#advance()) return Number.POSITIVE_INFINITY;
    return this.#floats[this.#near.first * FLOATS] as number;
  }

  /** Kind of the next event; there is one. */
  peekKind(): number {
    this.peek();
    return this.#ints[this.#near.first * INTS + KIND] as number;
  }

  /** Takes the next event into `time`, `kind` and `argument`; false when there is none. */
  pop(): boolean {
    if (this.#near.size === 0 && !this.#advance()) return false;
    const entry = this.#near.pop(this.#floats);
    const ints = this.#ints;
    this.time = this.#floats[entry * FLOATS] as number;
    this.kind = ints[entry * INTS + KIND] as number;
    this.argument = ints[entry * INTS + ARGUMENT] as number;
    this.owner = ints[entry * INTS + OWNER] as number;
    ints[entry * INTS + NEXT] = this.#free;
    this.#free = entry;
    return true;
  }

  #file(entry: number): void {
    const tick = tickOf(this.#floats[entry * FLOATS] as number);
    if (tick <= this.#tick) this.#near.push(entry, this.#floats);
    else if (tick < this.#tick + WHEEL_TICKS) {
      const bucket = tick % WHEEL_TICKS;
      this.#ints[entry * INTS + NEXT] = this.#buckets[bucket] as number;
      this.#buckets[bucket] = entry;
      this.#inWheel++;
    } else this.#far.push(entry, this.#floats);
  }

  /** Moves on to the next bucket that holds anything; false when nothing is left. */
  #advance(): boolean {
    while (this.#near.size === 0) {
      if (this.#inWheel > 0) this.#tick++;
      else if (this.#far.size > 0)
        this.#tick = tickOf(this.#floats[this.#far.first * FLOATS] as number);
      else return false;
      this.#pullFar();
      this.#pullBucket(this.#tick % WHEEL_TICKS);
    }
    return true;
  }

  #pullFar(): void {
    const horizon = this.#tick + WHEEL_TICKS;
    while (
      this.#far.size > 0 &&
      tickOf(this.#floats[this.#far.first * FLOATS] as number) < horizon
    ) {
      this.#file(this.#far.pop(this.#floats));
    }
  }

  #pullBucket(bucket: number): void {
    let entry = this.#buckets[bucket] as number;
    this.#buckets[bucket] = NONE;
    while (entry !== NONE) {
      const next = this.#ints[entry * INTS + NEXT] as number;
      this.#near.push(entry, this.#floats);
      this.#inWheel--;
      entry = next;
    }
  }

  #allocate(): number {
    const entry = this.#free;
    if (entry !== NONE) {
      this.#free = this.#ints[entry * INTS + NEXT] as number;
      return entry;
    }
    if (this.#used === this.#capacity) this.#grow();
    return this.#used++;
  }

  #grow(): void {
    this.#capacity *= 2;
    this.#floats = grown(this.#floats, new Float64Array(this.#capacity * FLOATS));
    this.#ints = new Int32Array(this.#floats.buffer);
  }
}

/** A binary heap of entries by (time, order), both kept elsewhere. */
class IndexHeap {
  size = 0;
  #entries = new Int32Array(64);

  get first(): number {
    return this.#entries[0] as number;
  }

  push(entry: number, floats: Float64Array): void {
    if (this.size === this.#entries.length) {
      this.#entries = grown(this.#entries, new Int32Array(this.size * 2));
    }
    const entries = this.#entries;
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = entries[parent] as number;
      if (!isBefore(entry, above, floats)) break;
      entries[at] = above;
      at = parent;
    }
    entries[at] = entry;
  }

  pop(floats: Float64Array): number {
    const entries = this.#entries;
    const first = entries[0] as number;
    const last = entries[--this.size] as number;
    const size = this.size;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      const right = child + 1;
      if (right < size && isBefore(entries[right] as number, entries[child] as number, floats)) {
        child = right;
      }
      if (!isBefore(entries[child] as number, last, floats)) break;
      entries[at] = entries[child] as number;
      at = child;
    }
    entries[at] = last;
    return first;
  }
}

function isBefore(a: number, b: number, floats: Float64Array): boolean {
  const timeA = floats[a * FLOATS] as number;
  const timeB = floats[b * FLOATS] as number;
  if (timeA !== timeB) return timeA < timeB;
  return (floats[a * FLOATS + ORDER] as number) < (floats[b * FLOATS + ORDER] as number);
}

function tickOf(time: number): number {
  return Math.floor(time * TICKS_PER_MS);
}

type Growable = Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

function grown<T extends Growable>(from: T, to: T): T {
  to.set(from);
  return to;
}
