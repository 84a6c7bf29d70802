/**
 * One session's queue of what is to be sent, and its repairs. See send-queue-types.ts for the words.
 */
import type { Ms } from "../base/time.ts";
import type { QueuedSegment, SendClass, SendPort } from "./send-queue-types.ts";
import type { Uplink } from "./uplink.ts";

export * from "./send-queue-types.ts";

export declare class SendQueue {
  constructor(port: SendPort, uplink: Uplink);
  /** A segment to push, answer or burst; the unit of dropping. Copied. */
  enqueueSegment(now: Ms, segment: Readonly<QueuedSegment>): void;
  /** One fragment: forwarding before the segment is whole, answers to pulls. `bytes` of its body. */
  enqueueFragment(
    now: Ms,
    stream: number,
    number: number,
    index: number,
    total: number,
    flags: number,
    bytes: number,
    deadlineMs: number,
    sendClass: SendClass,
  ): void;
  /** A packet with this fragment was acknowledged (also late, after it was declared lost). */
  handleAcked(stream: number, number: number): void;
  /** The packet that carried this fragment as `attempt` is lost; `bytes` are its UDP payload bytes. */
  handleLost(now: Ms, stream: number, number: number, attempt: number, bytes: number): void;
  /** The receiver has it from elsewhere: nothing more of it is sent. */
  handleHave(stream: number, number: number): void;
  /** The receiver wants nothing of this stream below `number` any more. */
  handleFrontier(stream: number, number: number): void;
  /** Forgets a stream: unsubscribed, or its index was given to another epoch. */
  dropStream(stream: number): void;
  /** Leaves the uplink. Nothing may be called afterwards. */
  close(): void;
  get queuedBytes(): number;
  /** bit/s this session may use; 0 = not limited so far. */
  get rateBps(): number;
  get segmentsDropped(): number;
  get fragmentsResent(): number;
}
