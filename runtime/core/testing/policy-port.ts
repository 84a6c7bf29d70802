/** A port that writes down what a queue does, with a path of fixed figures: for tests of single decisions. */
import type { Ms } from "../../base/time.ts";
import {
  type QueuedSegment,
  SendClass,
  type SendItem,
  type SendPort,
} from "../sending/send-queue.ts";

export class RecordingPort implements SendPort {
  rttMs = 100;
  loss = 0;
  copies = 1;
  /** Taken by `sendFragment` and `sendBundle` instead of the size, when set. */
  result: number | undefined;
  readonly sent: SendItem[] = [];
  /** Fragment numbers of each datagram. */
  readonly datagrams: number[][] = [];
  readonly sentAt: number[] = [];
  readonly gone: [stream: number, first: number, count: number][] = [];

  srttMs(): number {
    return this.rttMs;
  }
  minRttMs(): number {
    return this.rttMs;
  }
  lossRate(): number {
    return this.loss;
  }
  bytesInFlight(): number {
    return 0;
  }
  repairCopies(): number {
    return this.copies;
  }

  sendFragment(now: Ms, item: SendItem): number {
    if (this.result !== undefined) return this.result;
    this.sent.push({ ...item });
    this.sentAt.push(now);
    this.datagrams.push([item.number]);
    return 21 + item.bytes;
  }

  sendBundle(now: Ms, items: readonly SendItem[], count: number): number {
    if (this.result !== undefined) return this.result;
    let bytes = 11;
    const numbers: number[] = [];
    for (const item of items.slice(0, count)) {
      this.sent.push({ ...item });
      this.sentAt.push(now);
      numbers.push(item.number);
      bytes += 12 + item.bytes;
    }
    this.datagrams.push(numbers);
    return bytes;
  }

  sendGone(_now: Ms, stream: number, first: number, count: number): void {
    this.gone.push([stream, first, count]);
  }
}

/** A segment of full fragments to push, with what differs. */
export function segment(
  first: number,
  total: number,
  fields: Partial<QueuedSegment> = {},
): QueuedSegment {
  return {
    stream: 1,
    first,
    total,
    fragmentBytes: 1152,
    lastBytes: 1152,
    flags: 3,
    sequence: first,
    dependsOn: 0,
    deadlineMs: 1000,
    sendClass: SendClass.push,
    subStreams: 1,
    mask: 1,
    ...fields,
  };
}
