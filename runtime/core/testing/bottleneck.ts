/**
 * A virtual clock and a link with a bottleneck, for tests of the sending policy: a rate, a tail-drop queue, a one-way
 * delay, random or bursty loss behind the queue, and jitter. Everything follows from the seed.
 */
import { Prng } from "../../base/prng.ts";
import { type Ms, ms } from "../../base/time.ts";

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class VirtualClock {
  now: Ms = ms(0);
  readonly #heap: Event[] = [];
  #order = 0;

  at(time: number, run: () => void): void {
    const event = { at: Math.max(time, this.now), order: this.#order++, run };
    const heap = this.#heap;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(event, heap[parent] as Event)) break;
      heap[i] = heap[parent] as Event;
      i = parent;
    }
    heap[i] = event;
  }

  runUntil(end: number): void {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.at > end) break;
      this.#pop();
      this.now = ms(first.at);
      first.run();
    }
    this.now = ms(end);
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event))
        child++;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[i] = heap[child] as Event;
      i = child;
    }
    heap[i] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

export interface LinkOptions {
  /** bit/s of IP packets; Infinity = none. */
  rateBps?: number;
  queueBytes?: number;
  delayMs: number;
  /** Share of packets lost at random. */
  loss?: number;
  /** Gilbert-Elliott: chance to go bad and to recover, per packet; all is lost while bad. Instead of `loss`. */
  burst?: { readonly bad: number; readonly good: number };
  jitterMs?: number;
}

const IP_UDP_BYTES = 28;

export class Link {
  readonly options: LinkOptions;
  readonly #clock: VirtualClock;
  readonly #random: Prng;
  #freeAt = 0;
  #isBad = false;
  packets = 0;
  bytes = 0;
  lost = 0;
  dropped = 0;
  /** Queueing delay summed over packets, and the largest, ms. */
  queueMsSum = 0;
  queueMsMax = 0;

  constructor(clock: VirtualClock, options: LinkOptions, seed: number) {
    this.#clock = clock;
    this.options = options;
    this.#random = new Prng(seed);
  }

  /** Waiting bytes at this moment. */
  get queued(): number {
    const rate = this.options.rateBps ?? Number.POSITIVE_INFINITY;
    return rate === Number.POSITIVE_INFINITY
      ? 0
      : (Math.max(0, this.#freeAt - this.#clock.now) * rate) / 8000;
  }

  /** Takes a packet of `udpBytes`; `deliver` runs when and if it arrives. */
  send(udpBytes: number, deliver: () => void): void {
    const { rateBps = Number.POSITIVE_INFINITY, queueBytes = Number.POSITIVE_INFINITY } =
      this.options;
    const bytes = udpBytes + IP_UDP_BYTES;
    this.packets++;
    this.bytes += bytes;
    if (this.queued + bytes > queueBytes) {
      this.dropped++;
      return;
    }
    const waited = Math.max(0, this.#freeAt - this.#clock.now);
    this.queueMsSum += waited;
    this.queueMsMax = Math.max(this.queueMsMax, waited);
    this.#freeAt = this.#clock.now + waited + (bytes * 8000) / rateBps;
    if (this.#isLost()) {
      this.lost++;
      return;
    }
    const jitter = (this.options.jitterMs ?? 0) * this.#random.next();
    this.#clock.at(this.#freeAt + this.options.delayMs + jitter, deliver);
  }

  #isLost(): boolean {
    const { loss = 0, burst } = this.options;
    if (burst === undefined) return loss > 0 && this.#random.next() < loss;
    this.#isBad = this.#isBad ? this.#random.next() >= burst.good : this.#random.next() < burst.bad;
    return this.#isBad;
  }
}
