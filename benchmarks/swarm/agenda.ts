/**
 * What is to happen to datagrams of this process and when: one queue and one timer for all its
 * sockets, because a timer for each datagram would cost more than the datagram. Says how late it
 * was, which tells whether the machine could carry the run.
 */
import { EventQueue } from "../../runtime/sim/event-queue.ts";
import { Histogram } from "../../runtime/sim/measure/histogram.ts";

/** What is due this soon is done now: timers are no finer. */
const EARLY_MS = 0.5;

export class Agenda {
  readonly lateMs = new Histogram();
  readonly #queue = new EventQueue();
  readonly #actions: ((() => void) | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #idle: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  /** `onIdle` is called when all that was due is done. */
  constructor(onIdle: () => void) {
    this.#idle = onIdle;
  }

  now(): number {
    return performance.now();
  }

  at(timeMs: number, action: () => void): void {
    const slot = this.#free.pop() ?? this.#actions.length;
    this.#actions[slot] = action;
    this.#queue.push(Math.max(timeMs, this.#queue.time), 0, slot);
    this.#arm();
  }

  #arm(): void {
    const next = this.#queue.peek();
    if (next >= this.#armedFor) return;
    clearTimeout(this.#timer);
    this.#armedFor = next;
    const waitMs = Math.max(0, Math.round(next - this.now()));
    this.#timer = setTimeout(() => {
      this.#armedFor = Number.POSITIVE_INFINITY;
      this.#run();
    }, waitMs);
  }

  #run(): void {
    while (this.#queue.peek() <= this.now() + EARLY_MS) {
      this.#queue.pop();
      this.lateMs.add(Math.max(0, this.now() - this.#queue.time));
      const slot = this.#queue.argument;
      const action = this.#actions[slot] as () => void;
      this.#actions[slot] = undefined;
      this.#free.push(slot);
      action();
    }
    this.#idle();
    if (this.#queue.size > 0) this.#arm();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#armedFor = Number.NEGATIVE_INFINITY;
  }
}
