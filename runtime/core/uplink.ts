/**
 * The node's one uplink (one per line at an edge) above all its sessions.
 */
import type { Ms } from "../base/time.ts";
import type { SendQueue } from "./send-queue.ts";
import type { AckSample } from "./send-queue-types.ts";

export interface UplinkOptions {
  /** Rate to start with, bit/s; Infinity = send until congestion is seen. */
  readonly rateBpsInitial: number;
  /** Never more than this, bit/s (a viewer's upload cap); Infinity = no cap. */
  readonly rateBpsMax: number;
}

export declare class Uplink {
  constructor(options: UplinkOptions);
  /** After each parsed ACK, losses already reported to the queue. The sample may be reused. */
  handleAck(now: Ms, queue: SendQueue, sample: Readonly<AckSample>): void;
  /** Bytes (UDP payload) that a session sent by itself: ACKs, control, probes. */
  countSent(now: Ms, bytes: number): void;
  /** Sends what may go now. */
  poll(now: Ms): void;
  /** When to poll next. */
  pollTimeout(): Ms;
  /** bit/s the node may send; 0 = not limited so far. */
  get rateBps(): number;
}
