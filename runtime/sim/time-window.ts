/**
 * A span of time shorter than any way from one host to another: what happens in it at one host
 * cannot matter to another before it is over. So the hosts have their turns one after the other,
 * each with all its events of the span (the conservative lookahead of Chandy and Misra, 1979): a
 * node with its sessions is fetched from memory once for several packets, which in a world of
 * thousands is what a packet costs most.
 *
 *   agenda   a1 b1 a2 c1 b2 a3 | c2 …          order of play   a1 a2 a3  b1 b2  c1 | c2 …
 */
import { assert } from "../base/assert.ts";
import type { EventQueue } from "./event-queue.ts";

const NONE = -1;
/** Words of an event: kind, argument, next of the same owner. */
const WORDS = 3;
const ARGUMENT = 1;
const NEXT = 2;

export class TimeWindow {
  /** The event taken by the last `take` that returned true. */
  time = 0;
  kind = 0;
  argument = 0;

  readonly #queue: EventQueue;
  #endMs = Number.NEGATIVE_INFINITY;
  /* The events of the window, in the order they were filed. */
  #times = new Float64Array(1024);
  #words = new Int32Array(1024 * WORDS);
  #count = 0;
  /** By owner: its first event that was not yet taken, and its last. */
  #heads = new Int32Array(64).fill(NONE);
  #tails = new Int32Array(64).fill(NONE);
  /** Owners in the order of their first event, and how many of them have had their turn. */
  readonly #owners: number[] = [];
  #turn = 0;
  #owner = NONE;

  constructor(queue: EventQueue) {
    this.#queue = queue;
  }

  /** As `EventQueue.push`: also for what is filed while the window is played. */
  push(time: number, kind: number, argument: number, owner: number): void {
    if (time >= this.#endMs) return this.#queue.push(time, kind, argument, owner);
    assert(owner === this.#owner, "time window: hosts are nearer to each other than was said");
    this.#insert(this.#file(time, kind, argument), owner);
  }

  /** Gathers the events before `endMs`, but none from the first of kind `breakKind` on. */
  open(endMs: number, breakKind: number): void {
    const queue = this.#queue;
    this.#count = 0;
    this.#owners.length = 0;
    this.#turn = 0;
    this.#endMs = endMs;
    while (queue.peek() < endMs && queue.peekKind() !== breakKind) {
      queue.pop();
      this.#append(this.#file(queue.time, queue.kind, queue.argument), queue.owner);
    }
    this.#endMs = Math.min(endMs, queue.peek());
  }

  /** Takes the next event into `time`, `kind` and `argument`; false when the window is over. */
  take(): boolean {
    let entry = this.#owner === NONE ? NONE : (this.#heads[this.#owner] as number);
    if (entry === NONE) {
      if (this.#turn === this.#owners.length) return this.#close();
      this.#owner = this.#owners[this.#turn++] as number;
      entry = this.#heads[this.#owner] as number;
    }
    const at = entry * WORDS;
    this.time = this.#times[entry] as number;
    this.kind = this.#words[at] as number;
    this.argument = this.#words[at + ARGUMENT] as number;
    this.#heads[this.#owner] = this.#words[at + NEXT] as number;
    return true;
  }

  #close(): false {
    this.#endMs = Number.NEGATIVE_INFINITY;
    this.#owner = NONE;
    return false;
  }

  #file(time: number, kind: number, argument: number): number {
    const entry = this.#count++;
    if (entry === this.#times.length) this.#grow();
    this.#times[entry] = time;
    const at = entry * WORDS;
    this.#words[at] = kind;
    this.#words[at + ARGUMENT] = argument;
    this.#words[at + NEXT] = NONE;
    return entry;
  }

  #append(entry: number, owner: number): void {
    if (owner >= this.#heads.length) this.#growOwners(owner);
    if (this.#heads[owner] === NONE) {
      this.#heads[owner] = entry;
      this.#owners.push(owner);
    } else this.#words[(this.#tails[owner] as number) * WORDS + NEXT] = entry;
    this.#tails[owner] = entry;
  }

  /** Puts an event behind those of the owner that are not later. */
  #insert(entry: number, owner: number): void {
    const time = this.#times[entry] as number;
    const words = this.#words;
    let before = NONE;
    let after = this.#heads[owner] as number;
    while (after !== NONE && (this.#times[after] as number) <= time) {
      before = after;
      after = words[after * WORDS + NEXT] as number;
    }
    words[entry * WORDS + NEXT] = after;
    if (before === NONE) this.#heads[owner] = entry;
    else words[before * WORDS + NEXT] = entry;
  }

  #grow(): void {
    const times = new Float64Array(this.#times.length * 2);
    times.set(this.#times);
    this.#times = times;
    const words = new Int32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
  }

  #growOwners(owner: number): void {
    for (const name of ["heads", "tails"] as const) {
      const before = name === "heads" ? this.#heads : this.#tails;
      const after = new Int32Array(Math.max(owner + 1, before.length * 2)).fill(NONE);
      after.set(before);
      if (name === "heads") this.#heads = after;
      else this.#tails = after;
    }
  }
}
