/**
 * What the sending policy and a session say to each other. The session owns the wire (packet numbers, headers, the
 * send window); the queue owns what goes next, what is repaired and what is given up. Sizes are body bytes of a
 * fragment unless called UDP payload bytes; deadlines are when the bytes must have *arrived*, in this node's clock.
 */
import type { Ms } from "../../base/time.ts";

/** Order of sending: the lower goes first. */
export const SendClass = { repair: 0, push: 1, pull: 2, burst: 3 } as const;
export type SendClass = (typeof SendClass)[keyof typeof SendClass];

/** Wire flag (docs/WIRE.md, fragment header): this fragment was sent before. */
export const FLAG_RESENT = 1 << 4;
/** Wire flag: this segment begins a group. */
export const FLAG_GROUP_START = 1 << 3;
/** Low bits of the wire flags. */
export const PRIORITY_MASK = 7;
export const Priority = { config: 0, audio: 1, key: 2, reference: 3, disposable: 4 } as const;

/** What `transmit` returns besides bytes: nothing went, since things were dropped; the window or outbox is full. */
export const Sent = { nothing: 0, full: -1 } as const;

/** One fragment to put on the wire. Items are reused: a port takes what it needs during the call. */
export interface SendItem {
  stream: number;
  /** Running number of the fragment in its epoch, u32. */
  number: number;
  index: number;
  total: number;
  /** As they go on the wire, `FLAG_RESENT` included from attempt 1 on. */
  flags: number;
  /** Bytes of the body; for a repair an upper bound (the port knows better). */
  bytes: number;
  /** 0 first sending; copies of one repair round share a number. To be handed to `packetSent`. */
  attempt: number;
  deadlineMs: number;
  sendClass: SendClass;
  /** Not before this time (copies are spaced); 0 = at once. */
  notBeforeMs: number;
}

/** A segment to send, whole or the sub-streams of it that the receiver subscribed. Copied by the queue. */
export interface QueuedSegment {
  stream: number;
  /** Number of its first fragment. */
  first: number;
  /** Fragments of the segment, 1..4095. */
  total: number;
  /** Body bytes of a fragment that is not the last, and of the last. */
  fragmentBytes: number;
  lastBytes: number;
  /** Wire flags: priority, group start, phase. */
  flags: number;
  /** Sequence number of the segment in its epoch, u32. */
  sequence: number;
  /** How many sequence numbers back the segment lies that it needs; 0 = none. */
  dependsOn: number;
  deadlineMs: number;
  sendClass: SendClass;
  /** Sub-streams to send: bit k = fragments whose number mod `subStreams` is k. `subStreams` 1 = everything. ≤ 32. */
  subStreams: number;
  mask: number;
}

/** Implemented by the session. */
export interface SendPort {
  srttMs(): number;
  minRttMs(): number;
  /** Share of settled packets that were lost, 0..1. */
  lossRate(): number;
  bytesInFlight(): number;
  /** Rule of docs/WIRE.md §3: 0 hopeless, 1 another round fits after this one, 2 or 3 in the last round. */
  repairCopies(now: Ms, deadlineMs: number): number;
  /** Puts one fragment on the wire: UDP payload bytes sent; 0 = no longer held; −1 = the packet window is full. */
  sendFragment(now: Ms, item: SendItem): number;
  /** `count` ≥ 2 small fragments in one datagram, their bodies ≤ `BUNDLE_BODY_BYTES` with heads. Same results. */
  sendBundle(now: Ms, items: readonly SendItem[], count: number): number;
  /** Fragments [first, first + count) of the stream will not come from here any more. */
  sendGone(now: Ms, stream: number, first: number, count: number): void;
}

/**
 * Who hears what became of a queue's fragments, in place of the queue itself repairing them: between edges a loss is
 * repaired on another path.
 */
export interface Settler {
  handleAcked(stream: number, number: number): void;
  handleLost(now: Ms, stream: number, number: number): void;
  /** Waited too long, or no longer held: not sent. */
  handleDropped(now: Ms, stream: number, first: number, count: number): void;
}

/** What one parsed ACK says to the rate controllers. */
export interface AckSample {
  /** UDP payload bytes newly acknowledged, and newly declared lost. */
  bytesAcked: number;
  bytesLost: number;
  /** RTT without the ack delay, ms; NaN when `largest` is not new. */
  rttMs: number;
  /**
   * Receiver's clock when `largest` arrived minus this node's when it was sent, ms, any constant offset; NaN =
   * none.
   */
  oneWayMs: number;
  /** Receiver's clock when `largest` arrived, ms (unwrapped); NaN = none: arrival of the ACK is used instead. */
  receiverMs: number;
}

/** Fragment headers and lengths included: 12 B a fragment. */
export const BUNDLE_BODY_BYTES = 1152 + 10;
export const BUNDLE_ENTRY_BYTES = 12;
export const BUNDLE_ENTRIES_MAX = 32;

/** Makes the item a fragment pushed for the first time. */
export function fillFragment(
  item: SendItem,
  stream: number,
  number: number,
  index: number,
  total: number,
  flags: number,
  bytes: number,
  deadlineMs: number,
): void {
  item.stream = stream;
  item.number = number;
  item.index = index;
  item.total = total;
  item.flags = flags;
  item.bytes = bytes;
  item.attempt = 0;
  item.deadlineMs = deadlineMs;
  item.sendClass = SendClass.push;
  item.notBeforeMs = 0;
}
