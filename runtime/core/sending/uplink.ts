/**
 * The node's one uplink (one per line at an edge) above all its sessions: who sends next, and when. Queues stand in
 * one ring per class of sending and take turns; a queue that its own path holds back sleeps in a heap until its time.
 * The uplink's own rate is either unlimited (a server; then a poll does nothing but drain the rings), capped by the
 * user, or learnt: many sessions too small to measure anything alone show a full uplink by delays that rise together.
 */
import { type Ms, ms, NEVER } from "../../base/time.ts";
import { TimerHeap } from "../time/timer-heap.ts";
import { RateControl } from "./rate-control.ts";
import type { SendQueue } from "./send-queue.ts";
import { RunPool } from "./send-queue-run.ts";
import {
  type AckSample,
  BUNDLE_ENTRIES_MAX,
  SendClass,
  type SendItem,
} from "./send-queue-types.ts";
import type { ShedPlan } from "./shedding.ts";
import { Ring } from "./uplink-ring.ts";
import { SharedDelay } from "./uplink-shared.ts";

export interface UplinkOptions {
  /** Rate to start with, bit/s; Infinity = send until congestion is seen. */
  readonly rateBpsInitial: number;
  /** Never more than this, bit/s of UDP payload (a viewer's upload cap); Infinity = no cap. */
  readonly rateBpsMax: number;
}

/** Packets in one turn while the uplink itself is not the limit: a driver sends them in one system call. */
const TURN_PACKETS = 16;
const CLASSES = [SendClass.repair, SendClass.push, SendClass.pull, SendClass.burst] as const;

export class Uplink {
  /** For queues only: pools and scratch that all share. */
  readonly runs = new RunPool();
  readonly items: readonly SendItem[] = Array.from({ length: BUNDLE_ENTRIES_MAX }, newItem);
  readonly plan: ShedPlan = { arrivalMs: 0, bytesPerMs: 0, bytesAhead: 0 };

  readonly #rate: RateControl;
  readonly #shared = new SharedDelay();
  readonly #rings: readonly Ring<SendQueue>[] = CLASSES.map(() => new Ring<SendQueue>());
  readonly #asleep = new TimerHeap<SendQueue>();
  /** Places taken in the rings. */
  #waiting = 0;
  /** Something waits for the uplink's own rate. */
  #isHeldBack = false;
  bytesSent = 0;

  constructor(options: UplinkOptions) {
    this.#rate = new RateControl(options.rateBpsInitial, options.rateBpsMax);
  }

  /** bit/s the node may send; 0 = not limited so far. */
  get rateBps(): number {
    return this.#rate.limitBps;
  }

  /** Congestion of the uplink itself has been seen: `rateBps` is an estimate, not the cap. */
  get isLimited(): boolean {
    return this.#rate.mode !== "free";
  }

  /** It has no rate to keep: what a session's own path allows may go at once. */
  get isFree(): boolean {
    return this.#rate.paceBps === Number.POSITIVE_INFINITY;
  }

  /** Queueing delay that stands in front of all sessions, ms. */
  get queueMs(): number {
    return this.#shared.standingMs;
  }

  /** What one of the queues now waiting may count on, bit/s. */
  get shareBps(): number {
    const rings = this.#rings;
    const waiting = (rings[SendClass.push] as Ring<SendQueue>).length;
    return this.#rate.planBps / Math.max(1, waiting);
  }

  /** After each parsed ACK, losses already reported to the queue. The sample may be reused. */
  handleAck(now: Ms, queue: SendQueue, sample: Readonly<AckSample>): void {
    const queueMs = queue.handleAck(now, sample, this.#shared.standingMs);
    const interval = this.#shared.handleSample(now, queue, sample, queueMs, queue.port.srttMs());
    if (interval !== undefined) this.#rate.handleInterval(now, interval);
  }

  /** Bytes (UDP payload) that a session sent by itself: ACKs, control, probes. */
  countSent(now: Ms, bytes: number): void {
    this.bytesSent += bytes;
    this.#rate.noteSent(now, bytes);
  }

  /** Bytes that went to many at once (session/fan-out.ts). */
  countFanned(now: Ms, bytes: number): void {
    this.bytesSent += bytes;
    this.#rate.noteDemand(now, bytes);
  }

  /** Sends what may go now. */
  poll(now: Ms): void {
    this.#wake(now);
    this.#isHeldBack = false;
    if (this.#waiting === 0) return;
    for (const sendClass of CLASSES) {
      if (!this.#drain(now, sendClass)) {
        this.#isHeldBack = true;
        return;
      }
    }
  }

  /** When to poll next. */
  pollTimeout(): Ms {
    const asleep = this.#asleep.next();
    return this.#isHeldBack ? ms(Math.min(asleep, this.#rate.nextAt)) : asleep;
  }

  /* ---------------------------------------------------------------- for queues */

  noteDemand(now: Ms, bytes: number): void {
    this.#rate.noteDemand(now, bytes);
  }

  /** Nobody waits, and a packet may leave now. */
  mayPass(now: Ms): boolean {
    return this.#waiting === 0 && this.#rate.allows(now);
  }

  /** A packet of media left without waiting. */
  notePassed(now: Ms, bytes: number): void {
    this.bytesSent += bytes;
    if (this.#rate.paceBps !== Number.POSITIVE_INFINITY) this.#rate.noteSent(now, bytes);
  }

  /** `queue` has something of the class. */
  ready(queue: SendQueue, sendClass: SendClass): void {
    const bit = 1 << sendClass;
    if ((queue.ringBits & bit) !== 0) return;
    queue.ringBits |= bit;
    this.#waiting++;
    (this.#rings[sendClass] as Ring<SendQueue>).push(queue);
  }

  forget(queue: SendQueue): void {
    this.#asleep.remove(queue);
    /* Rings skip closed queues when their turn comes. */
  }

  /* ---------------------------------------------------------------- turns */

  #wake(now: Ms): void {
    for (;;) {
      const queue = this.#asleep.due(now);
      if (queue === undefined) return;
      this.#asleep.remove(queue);
      for (const sendClass of CLASSES) {
        if (queue.readyAt(now, sendClass) < NEVER) this.ready(queue, sendClass);
      }
    }
  }

  /** Gives every queue of the class its turns. False when the uplink's own rate stops it. */
  #drain(now: Ms, sendClass: SendClass): boolean {
    const ring = this.#rings[sendClass] as Ring<SendQueue>;
    while (ring.length > 0) {
      if (!this.#rate.allows(now)) return false;
      const queue = ring.shift() as SendQueue;
      this.#waiting--;
      queue.ringBits &= ~(1 << sendClass);
      if (queue.isClosed) continue;
      const again = this.#turn(now, queue, sendClass);
      if (again === 0) this.ready(queue, sendClass);
      else if (again < NEVER) this.#sleep(queue, again);
    }
    return true;
  }

  /** Sends a turn's packets. 0 = it has more to send at once; a time = not before; NEVER = nothing is left. */
  #turn(now: Ms, queue: SendQueue, sendClass: SendClass): Ms {
    const isFree = this.#rate.paceBps === Number.POSITIVE_INFINITY;
    const packets = isFree ? TURN_PACKETS : 1;
    for (let i = 0; i < packets; i++) {
      const at = queue.readyAt(now, sendClass);
      if (at > now) return at;
      const sent = queue.transmit(now, sendClass);
      if (sent > 0) {
        this.bytesSent += sent;
        if (!isFree) this.#rate.noteSent(now, sent);
      }
    }
    const at = queue.readyAt(now, sendClass);
    return at <= now ? ms(0) : at;
  }

  #sleep(queue: SendQueue, at: Ms): void {
    if (queue.heapIndex < 0 || at < queue.heapDeadline) this.#asleep.set(queue, at);
  }
}

function newItem(): SendItem {
  return {
    stream: 0,
    number: 0,
    index: 0,
    total: 0,
    flags: 0,
    bytes: 0,
    attempt: 0,
    deadlineMs: 0,
    sendClass: SendClass.push,
    notBeforeMs: 0,
  };
}
