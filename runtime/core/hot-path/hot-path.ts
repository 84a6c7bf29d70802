/**
 * The border to the hot path: RUDP retransmission, loss bitmap and segment buffer. Two implementations stand behind it
 * and pass one suite: the WASM of `assembly/` (what ships) and its plain TypeScript twin (the tests' oracle).
 *
 * One instance serves many sessions, stores and nodes; everything is named by small integer handles (> 0). All bytes
 * live in one memory that is created once and never grown, so `bytes` stays valid for the instance's life and system
 * calls may gather from it. Times are milliseconds (f64) of the calling node's clock. Packet numbers, fragment numbers
 * and keys are unsigned 32-bit with serial arithmetic. Results larger than a number are written to the out area at
 * `outPtr` and hold until the next call.
 *
 * Every fallible call returns a negative status (`Status`) and changes nothing; misuse (an unknown handle) traps.
 */
export interface HotPath {
  readonly kind: "wasm" | "twin";
  /** The whole memory. Never detached. */
  readonly bytes: Uint8Array;
  /** Results area, `OUT_BYTES` long, 8-byte aligned. */
  readonly outPtr: number;
  /** `bytes` at `outPtr` as 32-bit words; unsigned values by `>>> 0`. */
  readonly out: Int32Array;
  /** The same area as f64 (index = byte offset / 8). */
  readonly outF64: Float64Array;
  /** A region of `HEADER_ARENA_BYTES` for packet headers and small packets that a driver gathers from. */
  readonly headerArenaPtr: number;

  /* Payload slab: bodies of fragments, stored once, reference-counted. */

  /** A slot of `length` bytes (1..MAX_BODY_BYTES) with one reference, or `Status.full`. */
  payloadAlloc(length: number): number;
  /** Byte offset of the slot's content in `bytes`. */
  payloadPtr(slot: number): number;
  payloadLength(slot: number): number;
  payloadRetain(slot: number): void;
  /** Drops one reference; the last one frees the slot. */
  payloadRelease(slot: number): void;
  /** Bytes of slab memory in use, headers and rounding included: 128, 448 or 1,160 a slot. */
  payloadBytesUsed(): number;
  /** Bytes of slab memory in all; in the WASM, which shares its memory, what sessions and stores took is left out. */
  payloadBytesTotal(): number;

  /* Session, sending side: the window of packets sent and not yet settled. */

  /** A session handle, or `Status.full`. Both directions start at packet number 0. */
  sessionOpen(): number;
  sessionClose(session: number): void;
  /**
   * Records a packet as sent and gives its packet number (u32), never reused. `kind` and `attempt` (0..255), `stream`
   * (0..65535) and `key` (u32) come back when it is acknowledged or lost. `size` is UDP payload bytes (≤ 65535).
   * `Status.window` when the oldest unsettled packet lies `MAX_IN_FLIGHT` back, `Status.full` when the window cannot
   * grow for want of memory.
   */
  packetSent(
    session: number,
    nowMs: number,
    kind: number,
    attempt: number,
    stream: number,
    key: number,
    size: number,
  ): number;
  /**
   * Fan-out: `fragments` fragments to `receivers` sessions at once. Both tables stand in the out area (see `Fan`),
   * which is read and added to, not cleared. For each receiver the fragments it wants are recorded as by `packetSent`
   * (`kind`, attempt 0, its stream index, the fragment's number as key) and the heads of their DATA packets
   * (docs/WIRE.md §1) written one behind the other from `bytes[ptr]` on, receiver after receiver. Where a window has
   * no room for a fragment, that receiver gets those before it only. Returns the number of heads written.
   */
  fanHeads(receivers: number, fragments: number, kind: number, nowMs: number, ptr: number): number;
  bytesInFlight(session: number): number;
  packetsInFlight(session: number): number;
  /**
   * Takes the ACK body (docs/WIRE.md, from `largest` to the end of the bitmap) at `bytes[ptr, ptr+length)`: updates
   * RTT, settles packets, detects losses. Returns the number of settled packets, listed in the out area (see
   * `Settled`), or `Status.malformed` (also for a packet number never sent) with no change.
   *
   * A packet behind the largest acknowledged one is lost when more than the guard's number of packets lie up to
   * there, or once one sent the guard's time later would have been acknowledged by now (RFC 8985 §6.2, with the ACK
   * delay taken off). One sent after the largest is lost when the ACK waited, after the largest had come, for longer
   * than the sending of the two lies apart, the guard's time, and two mean deviations of the RTT. The guard starts
   * with 1 packet and 5 ms. When a packet declared lost is acknowledged after all (within 500 ms and two RTTs of its
   * sending), it grows to the largest displacement seen, at most 64 packets and half the RTT. After each 2,048
   * acknowledged packets it is halved, but not below the largest displacement among them.
   */
  ackParse(session: number, nowMs: number, ptr: number, length: number): number;
  /** Losses by time: as `ackParse`, without an ACK. */
  lossCheck(session: number, nowMs: number): number;
  /** When `lossCheck` or the tail probe is due next; +Infinity when nothing is in flight. */
  lossDeadline(session: number): number;
  /**
   * True once when the tail probe is due: nothing newer reveals the loss of what was sent last. The caller then
   * sends an ack-eliciting packet at once. Backs off ×2 while unanswered, up to ×64 (RFC 9002 §6.2). Behind a repair
   * (`attempt` > 0) it is due after the guard's time already, once.
   */
  tailProbeDue(session: number, nowMs: number): boolean;
  /**
   * Smoothed RTT, ms; `INITIAL_RTT_MS` before the first sample, as are `minRttMs` and `latestRttMs`. (RFC 9002 §5,
   * but for the first sample, which is freed of the ACK delay too.)
   */
  srttMs(session: number): number;
  rttVarMs(session: number): number;
  minRttMs(session: number): number;
  latestRttMs(session: number): number;
  /** Share of settled packets that were lost: the mean of the first 200, then smoothed over as many. */
  lossRate(session: number): number;
  /**
   * How many copies of a lost fragment to send now: 0 when no copy can arrive by `deadlineMs`, 1 while a further round
   * still fits after this one, 2 in the last round (3 from a loss rate of 15 %). docs/WIRE.md, last-round copies.
   */
  repairCopies(session: number, nowMs: number, deadlineMs: number): number;

  /* Session, receiving side: the loss bitmap and the ACKs made of it. */

  /**
   * Notes an ack-eliciting packet by the low 16 bits of its number. Returns `Received.fresh` or `Received.gap`
   * (fresh, and it skips numbers: acknowledge at once), or `Status.duplicate`, `Status.old` (behind the window of
   * 1,024 numbers).
   */
  packetReceived(session: number, nowMs: number, number16: number): number;
  /** Fresh packets since the last `ackBuild`. */
  ackPending(session: number): number;
  /**
   * Writes an ACK body at `bytes[ptr]` and returns its length, at most `MAX_ACK_BYTES`; 0 before the first packet.
   * It says "no limit" for what the receiver can take; a caller with a limit overwrites bytes 10..13.
   */
  ackBuild(session: number, nowMs: number, ptr: number): number;

  /* Segment buffer: one store per (node, stream epoch). */

  /** A store for `capacity` fragments (a power of two, 64..32768), or `Status.full`. */
  storeOpen(capacity: number): number;
  /** Releases every payload it holds. */
  storeClose(store: number): void;
  /**
   * Files fragment `number`, which is `index` of `total` of its segment, with its wire `flags`. On `Inserted.fresh`
   * and `Inserted.completed` (its segment is whole now) the store has taken a reference of its own to `slot`; the
   * caller keeps and must release its own. `Status.duplicate`, `Status.old` (before the window), `Status.conflict`
   * (its segment overlaps one that a fragment here belongs to and is not the same), `Status.malformed` (`index` ≥
   * `total`, or `total` not in 1..MAX_FRAGMENTS). A number past the window moves the window and evicts the oldest.
   *
   * The window begins `capacity` before the highest number seen, or where evictions have moved it if that is later. It
   * has no place until the first fragment or `evictBefore`. Arrival times count in whole 100 µs.
   */
  fragmentInsert(
    store: number,
    number: number,
    index: number,
    total: number,
    flags: number,
    slot: number,
    nowMs: number,
  ): number;
  /** The fragment's payload slot (no new reference), or 0. */
  fragmentSlot(store: number, number: number): number;
  /** Writes index, total and flags to out[0..2]. False, and nothing written, if absent. */
  fragmentInfo(store: number, number: number): boolean;
  /**
   * The slots of the whole segment whose first fragment is `first`, in order, to out[0..n); returns n, or 0 while any
   * fragment is missing. n ≤ MAX_FRAGMENTS.
   */
  segmentSlots(store: number, first: number): number;
  /**
   * Missing fragment numbers in [from, to) to out[0..n), at most `limit` (≤ 4096); returns n. What lies before the
   * window could not be filed any more and does not count as missing.
   */
  holes(store: number, from: number, to: number, limit: number): number;
  /** Bit i (LSB first) of bytes[ptr…] = fragment `from + i` is here, for i in [0, bits). Returns bytes written. */
  mapBuild(store: number, from: number, bits: number, ptr: number): number;
  /** Lowest number kept, and one past the highest seen; equal when empty. u32, 0 while the window has no place. */
  storeOldest(store: number): number;
  storeNext(store: number): number;
  /** Evicts everything before `number`, where the window begins from now on. Returns how many fragments went. */
  evictBefore(store: number, number: number): number;
  /** Evicts from the oldest on while it arrived before `arrivedMs`, as `evictBefore`. Returns how many went. */
  evictOlder(store: number, arrivedMs: number): number;
}

/** Both implementations also tell tests what they cost and let sessions begin anywhere in number space. */
export interface InspectableHotPath extends HotPath {
  /** Bytes of all live objects, payloads included, as the implementation counts them. */
  memoryUsed(): number;
  /** `sessionOpen` with other first packet numbers, u32, sending and receiving. */
  sessionOpenAt(firstSent: number, firstReceived: number): number;
}

/** Negative results. */
export const Status = {
  /** Memory or the handle table is exhausted; evict by age and try again. */
  full: -1,
  window: -2,
  malformed: -3,
  duplicate: -4,
  old: -5,
  conflict: -6,
} as const;

export const Received = { fresh: 0, gap: 1 } as const;
export const Inserted = { fresh: 0, completed: 1 } as const;

/**
 * What `ackParse` and `lossCheck` leave in the out area:
 *
 *   word 0   acknowledged packets listed          word 4   spurious: ACKed after being declared lost
 *   word 1   lost packets listed                  word 5   receiver's clock at `largest`, 100 µs units (u32)
 *   word 2   bytes acknowledged                   word 6   `largest` is newly acknowledged: 1, else 0
 *   word 3   bytes lost                           word 7   ack delay, 100 µs units
 *   f64  4   when `largest` was sent, ms, if newly acknowledged, else 0
 *   byte 40  entries of 32 bytes, acknowledged ones first, both in the order of their packet numbers:
 *            i32 kind | i32 attempt | i32 stream | u32 key | i32 size | u32 packet number | f64 sent at, ms
 *
 * At most `MAX_SETTLED` entries a call; further losses are found by the next call, and `lossDeadline` is then now.
 */
export const Settled = {
  acked: 0,
  lost: 1,
  bytesAcked: 2,
  bytesLost: 3,
  spurious: 4,
  receiverClock: 5,
  largestIsNew: 6,
  ackDelay: 7,
  largestSentF64: 4,
  entriesAt: 40,
  entryBytes: 32,
} as const;

/**
 * Tables of `fanHeads` in the out area. Fragments from byte 0 on, 16 bytes each:
 *
 *   u32 number | index, total << 12, flags << 24 | UDP payload bytes of the packet | spare
 *
 * Receivers from byte 512 on, 32 bytes each; the last two fields are written by the call:
 *
 *   i32 session | u32 connection id, high | low | i32 stream index | u32 bit i: fragment i is wanted
 *   | i32 fragments taken, the first of those wanted | f64 lossDeadline from now on
 */
export const Fan = {
  fragmentsMax: 32,
  fragmentBytes: 16,
  receiversAt: 512,
  receiverBytes: 32,
  receiversMax: 1024,
  headBytes: 21,
} as const;

export const OUT_BYTES = 128 * 1024;
export const HEADER_ARENA_BYTES = 256 * 1024;
export const MAX_SETTLED = 3072;
export const MAX_IN_FLIGHT = 16384;
/** Bytes of a segment in one fragment; only the last fragment is shorter. */
export const MAX_BODY_BYTES = 1152;
/** Fragments of one segment: the 12 bits of the wire. */
export const MAX_FRAGMENTS = 4095;
/** ACK body: 15 fixed bytes and at most 128 of bitmap. */
export const MAX_ACK_BYTES = 143;
export const INITIAL_RTT_MS = 100;
export const MAX_SESSIONS = 524_288;
export const MAX_STORES = 65_536;
