/**
 * What is kept per session and direction. An idle session costs this struct (312 B) and, once it has sent something,
 * the smallest window ring (48 B).
 *
 *   0     tag, ring address, ring capacity, next packet number
 *   16    base, oldest unsettled, largest acknowledged, packets sent
 *   32    bytes and packets in flight
 *   40    RTT: smoothed, variance, minimum, latest; RACK's RTT; guard, ms        (f64 each)
 *   88    last packet or probe at, loss rate, last settled at, largest lateness seen, when the largest ACKed was sent
 *   128   guard in packets, loss samples, calm packets, largest displacement seen, probes, flags
 *   144   receiver: largest, first, clock at largest (f64), fresh packets, four interval minima, their mask
 *   184   receiver: bitmap of the last 1,024 packet numbers
 *   312
 */
import { MAX_SESSIONS, STATUS_FULL } from "./abi";
import { CLASS_SESSION, Heap } from "./heap";
import { GENERATION_MASK, HANDLE_BITS, HANDLE_MASK } from "./payload";
import { Ring } from "./ring";

export const GUARD_PACKETS_MIN: u16 = 1;
export const GUARD_MS_MIN: f64 = 5;
const INITIAL_RTT_MS: f64 = 100;

export const RECEIVE_WINDOW: u32 = 1024;
const SESSION_BYTES: u32 = 312;

const TAG_LIVE: u32 = 0x5e551000;
const TAG_DEAD: u32 = 0x0dd51000;

@unmanaged
export class Session {
  tag: u32;
  ring: u32;
  /** Entries the ring has room for: 0 or a power of two. */
  capacity: u32;
  next: u32;
  /** Oldest packet the ring still knows: unsettled, or lost and remembered. */
  base: u32;
  oldest: u32;
  largestAcked: u32;
  /** Packets ever sent, saturating at 2^31. */
  sent: u32;
  bytesInFlight: u32;
  packetsInFlight: u32;
  srtt: f64;
  rttVar: f64;
  minRtt: f64;
  latestRtt: f64;
  rackRtt: f64;
  guardMs: f64;
  /** The last packet or probe: the tail probe's timeout counts from here. */
  probeFrom: f64;
  lossRate: f64;
  settledAt: f64;
  /** Of packets acknowledged after a later one, since the guard was last looked at. */
  seenMs: f64;
  /** When the largest acknowledged packet was sent. */
  largestAt: f64;
  guardPackets: u16;
  lossSamples: u16;
  calmPackets: u16;
  seenPackets: u16;
  probes: u8;
  /** Whether anything was acknowledged: `largestAcked` and the RTT are real. */
  acked: bool;
  /** The newest packet is a repair: nothing behind it would show its loss. */
  repairLast: bool;
  spare8: u8;
  spare32: u32;
  receivedLargest: u32;
  receivedFirst: u32;
  receivedLargestAt: f64;
  ackPending: u32;
  minimum0: u32;
  minimum1: u32;
  minimum2: u32;
  minimum3: u32;
  /** Bit i: `minimum<i>` is set. */
  minimaMask: u8;
  /** Anything received at all. */
  received: bool;
  /** The window no longer reaches back to the first packet number. */
  mature: bool;
  spare: u8;
}

/** Offset of the receive bitmap in the struct. */
export const RECEIVE_BITMAP_AT: u32 = 184;

let sessionsOpen: u32 = 0;

export class Sessions {
  static init(): void {
    assert(offsetof<Session>() <= RECEIVE_BITMAP_AT, "session layout");
    Heap.define(CLASS_SESSION, SESSION_BYTES);
  }

  static open(firstSent: u32, firstReceived: u32): i32 {
    if (sessionsOpen == MAX_SESSIONS) return STATUS_FULL;
    const ptr = Heap.take(CLASS_SESSION);
    if (ptr == 0) return STATUS_FULL;
    sessionsOpen++;
    const generation = (load<u32>(ptr) + 1) & GENERATION_MASK;
    memory.fill(ptr, 0, SESSION_BYTES);
    const s = changetype<Session>(ptr);
    s.tag = TAG_LIVE | generation;
    s.next = firstSent;
    s.base = firstSent;
    s.oldest = firstSent;
    s.srtt = INITIAL_RTT_MS;
    s.rttVar = INITIAL_RTT_MS / 2;
    s.minRtt = INITIAL_RTT_MS;
    s.latestRtt = INITIAL_RTT_MS;
    s.guardPackets = GUARD_PACKETS_MIN;
    s.guardMs = GUARD_MS_MIN;
    s.receivedFirst = firstReceived;
    s.receivedLargest = firstReceived - 1;
    return <i32>((<u32>ptr >> 3) | (generation << HANDLE_BITS));
  }

  static close(handle: i32): void {
    const s = Sessions.of(handle);
    if (s.capacity) Ring.release(s);
    s.tag = TAG_DEAD | (s.tag & GENERATION_MASK);
    sessionsOpen--;
    Heap.give(CLASS_SESSION, changetype<usize>(s));
  }

  /** Traps unless the session is open. */
  @inline static of(handle: i32): Session {
    const s = changetype<Session>(<usize>((<u32>handle & HANDLE_MASK) << 3));
    assert(s.tag == (TAG_LIVE | (<u32>handle >> HANDLE_BITS)), "session handle");
    return s;
  }
}
