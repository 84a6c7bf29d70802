/**
 * A greedy TCP flow with CUBIC (RFC 9438) for fairness tests, at the level of segments: a window clocked by ACKs,
 * loss seen after three later ACKs, one cut per round trip. No slow-start subtleties, no delayed ACKs.
 */
import type { Link, VirtualClock } from "./bottleneck.ts";

const SEGMENT_BYTES = 1420;
const CUBIC_C = 0.4;
const CUBIC_BETA = 0.7;
const DUPLICATE_ACKS = 3;

export class TcpFlow {
  readonly #clock: VirtualClock;
  readonly #forward: Link;
  readonly #back: Link;
  readonly #sentAt = new Map<number, number>();
  #next = 0;
  #highestAcked = -1;
  #window = 10;
  #threshold = Number.POSITIVE_INFINITY;
  #windowMax = 0;
  #cutAt = Number.NEGATIVE_INFINITY;
  #recoverTo = -1;
  #rttMs = 100;
  #stopped = false;
  bytesDelivered = 0;

  constructor(clock: VirtualClock, forward: Link, back: Link) {
    this.#clock = clock;
    this.#forward = forward;
    this.#back = back;
  }

  start(): void {
    this.#fill();
  }

  stop(): void {
    this.#stopped = true;
  }

  #fill(): void {
    while (!this.#stopped && this.#sentAt.size < Math.floor(this.#window)) this.#send(this.#next++);
  }

  #send(number: number): void {
    const sentAt = this.#clock.now;
    this.#sentAt.set(number, sentAt);
    this.#forward.send(SEGMENT_BYTES, () => {
      this.bytesDelivered += SEGMENT_BYTES;
      this.#back.send(12, () => this.#handleAck(number));
    });
    this.#clock.at(sentAt + 1000, () => {
      if (this.#sentAt.get(number) === sentAt) this.#handleTimeout(number);
    });
  }

  #handleAck(number: number): void {
    const sentAt = this.#sentAt.get(number);
    if (sentAt === undefined) return;
    this.#sentAt.delete(number);
    const rtt = this.#clock.now - sentAt;
    this.#rttMs += (rtt - this.#rttMs) / 8;
    if (number > this.#highestAcked) this.#highestAcked = number;
    for (const other of this.#sentAt.keys()) {
      if (other > this.#highestAcked - DUPLICATE_ACKS) break;
      this.#sentAt.delete(other);
      this.#cut(other);
    }
    if (this.#window < this.#threshold) this.#window += 1;
    else this.#grow();
    this.#fill();
  }

  #cut(number: number): void {
    if (number <= this.#recoverTo) return;
    this.#recoverTo = this.#next - 1;
    this.#windowMax = this.#window;
    this.#window = Math.max(2, this.#window * CUBIC_BETA);
    this.#threshold = this.#window;
    this.#cutAt = this.#clock.now;
  }

  #grow(): void {
    const t = (this.#clock.now - this.#cutAt + this.#rttMs) / 1000;
    const k = Math.cbrt((this.#windowMax * (1 - CUBIC_BETA)) / CUBIC_C);
    const target = CUBIC_C * (t - k) ** 3 + this.#windowMax;
    const reno = this.#windowMax * CUBIC_BETA + 0.53 * ((t * 1000) / this.#rttMs);
    const goal = Math.min(Math.max(target, reno), this.#window * 1.5);
    this.#window += Math.max(0.01, goal - this.#window) / this.#window;
  }

  #handleTimeout(number: number): void {
    this.#sentAt.delete(number);
    this.#cut(number);
    this.#window = 2;
    this.#fill();
  }
}
