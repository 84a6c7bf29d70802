/**
 * ACKs in, losses out. A packet behind the largest acknowledged is lost when more than `guardPackets` lie up to there,
 * or when one sent `guardMs` after it would have been acknowledged by now (RACK, RFC 8985 §6.2; from an RTT of 40 ms on
 * that is before the 9/8 RTT of RFC 9002 §6.1.2). One sent behind the largest is lost when the ACK waited so long for
 * it that it should have come. Lost packets are remembered for a while, so that a late ACK shows that the guard was too
 * small.
 */
import {
  ACK_BITMAP_AT,
  ACK_BITMAP_BYTES_MAX,
  ACK_CLOCK_AT,
  ACK_COUNT_AT,
  ACK_DELAY_AT,
  MAX_SETTLED,
  SETTLED_ACK_DELAY,
  SETTLED_ACKED,
  SETTLED_BYTES_ACKED,
  SETTLED_BYTES_LOST,
  SETTLED_CLOCK,
  SETTLED_ENTRIES,
  SETTLED_ENTRY_BYTES,
  SETTLED_LARGEST_IS_NEW,
  SETTLED_LARGEST_SENT,
  SETTLED_LOST,
  SETTLED_SPURIOUS,
  STATUS_MALFORMED,
  TICKS_PER_MS,
} from "./abi";
import { Heap } from "./heap";
import { Ring, Sent, STATE_ACKED, STATE_IN_FLIGHT, STATE_LOST } from "./ring";
import { Rtt } from "./rtt";
import { Session, Sessions } from "./session";

/** A lost packet is remembered this long and two RTTs after it was sent. */
const REMEMBER_MS: f64 = 500;
const PROBES_MAX: u8 = 6;

/** Settled packets listed so far in this call, and their bytes. */
let listed: u32 = 0;
let bytesListed: u32 = 0;
/** ACKs in this call of packets that were declared lost. */
let spurious: u32 = 0;
/**
 * What a packet is late against: the largest acknowledged before this call, if any was, and when something that now
 * came after as long a way was sent.
 */
let wasAcked: bool = false;
let largestBefore: u32 = 0;
let expectedSentAt: f64 = 0;

/** Round trips differ by this many times their mean deviation before a packet behind the largest is lost by waiting. */
const TAIL_VARIANCES: f64 = 2;

export class Loss {
  static ackParse(session: i32, nowMs: f64, ptr: usize, length: u32): i32 {
    const s = Sessions.of(session);
    if (!Loss.wellFormed(s, ptr, length)) return STATUS_MALFORMED;
    const out = Heap.outPtr();
    const largest = bswap<u32>(load<u32>(ptr));
    const delayTicks = <u32>bswap<u16>(load<u16>(ptr, ACK_DELAY_AT));
    const ackDelay = <f64>delayTicks / TICKS_PER_MS;
    Loss.clear(out);
    store<u32>(out, bswap<u32>(load<u32>(ptr, ACK_CLOCK_AT)), SETTLED_CLOCK);
    store<u32>(out, delayTicks, SETTLED_ACK_DELAY);

    wasAcked = s.acked;
    largestBefore = s.largestAcked;
    expectedSentAt = nowMs - s.rackRtt;
    let tailMs: f64 = -1;
    if (largest - s.base < s.next - s.base) {
      const isNew = Ring.entry(s, largest).state == STATE_IN_FLIGHT;
      Loss.settleAcked(s, out, largest, ptr + ACK_BITMAP_AT, load<u8>(ptr, ACK_COUNT_AT));
      if (isNew) Loss.largestAcked(s, out, largest, nowMs, ackDelay);
    }
    if (s.acked && largest == s.largestAcked) tailMs = ackDelay;
    store<u32>(out, listed, SETTLED_ACKED);
    store<u32>(out, bytesListed, SETTLED_BYTES_ACKED);
    store<u32>(out, spurious, SETTLED_SPURIOUS);
    const acked = listed;
    if (acked) s.probes = 0;
    if (spurious) Rtt.growGuard(s);
    Loss.detect(s, out, nowMs, tailMs);
    Rtt.calm(s, acked);
    Loss.trim(s, nowMs);
    return <i32>listed;
  }

  static lossCheck(session: i32, nowMs: f64): i32 {
    const s = Sessions.of(session);
    const out = Heap.outPtr();
    Loss.clear(out);
    const isBehind = s.acked && <i32>(s.largestAcked - s.oldest) > 0;
    s.settledAt = nowMs;
    if (isBehind) Loss.detect(s, out, nowMs, -1);
    if (isBehind || s.base != s.oldest) Loss.trim(s, nowMs);
    return <i32>listed;
  }

  /** When `lossCheck` or the tail probe is due. */
  static deadline(s: Session): f64 {
    let at = Infinity;
    if (s.acked) {
      const delay = s.rackRtt + s.guardMs;
      const behind = s.largestAcked - s.oldest;
      /* `oldest` may be ahead of `largestAcked`: then the difference is huge and nothing is behind. */
      if (<i32>behind > <i32>s.guardPackets) return s.settledAt;
      for (let i: i32 = <i32>behind; i > 0; i--) {
        const entry = Ring.entry(s, s.largestAcked - i);
        if (entry.state == STATE_IN_FLIGHT) at = min(at, entry.at + delay);
      }
    }
    return Loss.tailInFlight(s) ? min(at, Rtt.probeAt(s)) : at;
  }

  static tailProbeDue(session: i32, nowMs: f64): bool {
    const s = Sessions.of(session);
    if (!Loss.tailInFlight(s) || nowMs < Rtt.probeAt(s)) return false;
    if (s.repairLast) s.repairLast = false;
    else if (s.probes < PROBES_MAX) s.probes++;
    s.probeFrom = nowMs;
    return true;
  }

  /** Everything newer than the largest acknowledged is in flight. */
  @inline static tailInFlight(s: Session): bool {
    return s.acked ? s.next - s.largestAcked > 1 : s.sent != 0;
  }

  /** Exact length, `largest` sent, and no bit for a packet before the first. */
  static wellFormed(s: Session, ptr: usize, length: u32): bool {
    if (length < ACK_BITMAP_AT) return false;
    const count = <u32>load<u8>(ptr, ACK_COUNT_AT);
    if (count > ACK_BITMAP_BYTES_MAX || length != ACK_BITMAP_AT + count) return false;
    const behind = s.next - bswap<u32>(load<u32>(ptr));
    if (behind - 1 >= s.sent) return false;
    const earlier = s.sent - behind;
    if (count << 3 <= earlier) return true;
    const bitmap = ptr + ACK_BITMAP_AT;
    let at = earlier >> 3;
    if (load<u8>(bitmap + at) >> <u8>(earlier & 7)) return false;
    while (++at < count) if (load<u8>(bitmap + at)) return false;
    return true;
  }

  @inline static clear(out: usize): void {
    /* Stores, as filling is a call into the runtime. */
    for (let at: usize = 0; at < SETTLED_ENTRIES; at += 8) store<u64>(out + at, 0);
    listed = 0;
    bytesListed = 0;
    spurious = 0;
  }

  /** Settles what the bitmap covers of the window, oldest first. */
  static settleAcked(s: Session, out: usize, largest: u32, bitmap: usize, count: u32): void {
    const reach = min(count << 3, largest - s.base);
    for (let back = reach; back > 0; back--) {
      const bit = back - 1;
      if (!((load<u8>(bitmap + (bit >> 3)) >> <u8>(bit & 7)) & 1)) continue;
      Loss.acked(s, out, largest - back);
    }
    Loss.acked(s, out, largest);
  }

  @inline static acked(s: Session, out: usize, number: u32): void {
    const entry = Ring.entry(s, number);
    const state = entry.state;
    if (state == STATE_ACKED) return;
    entry.state = STATE_ACKED;
    const behind = <i32>(largestBefore - number);
    if (wasAcked && behind > 0) Rtt.reordered(s, behind, expectedSentAt - entry.at);
    if (state == STATE_LOST) {
      if (behind < 0) Rtt.reordered(s, 0, expectedSentAt - entry.at);
      spurious++;
      return;
    }
    Loss.list(s, out, number, entry);
    Rtt.settled(s, 0);
  }

  static largestAcked(s: Session, out: usize, largest: u32, nowMs: f64, ackDelay: f64): void {
    const sentAt = Ring.entry(s, largest).at;
    store<u32>(out, 1, SETTLED_LARGEST_IS_NEW);
    store<f64>(out, sentAt, SETTLED_LARGEST_SENT);
    const adjusted = Rtt.sample(s, max(nowMs - sentAt, 0), ackDelay);
    if (s.acked && <i32>(largest - s.largestAcked) < 0) return;
    s.acked = true;
    s.largestAcked = largest;
    s.largestAt = sentAt;
    s.rackRtt = adjusted;
  }

  /** `tailMs`: how long the ACK waited after the largest came, and nothing behind it did; −1 = unknown. */
  static detect(s: Session, out: usize, nowMs: f64, tailMs: f64): void {
    s.settledAt = nowMs;
    if (!s.acked) return;
    const before = listed;
    const bytesBefore = bytesListed;
    const delay = s.rackRtt + s.guardMs;
    for (let back = <i32>(s.largestAcked - s.oldest); back > 0; back--) {
      const number = s.largestAcked - back;
      const entry = Ring.entry(s, number);
      if (entry.state != STATE_IN_FLIGHT) continue;
      if (back <= <i32>s.guardPackets && nowMs < entry.at + delay) continue;
      if (listed == MAX_SETTLED) break;
      Loss.lost(s, out, number, entry);
    }
    const waited = tailMs - s.guardMs - TAIL_VARIANCES * s.rttVar;
    if (waited >= 0) Loss.detectTail(s, out, waited);
    store<u32>(out, listed - before, SETTLED_LOST);
    store<u32>(out, bytesListed - bytesBefore, SETTLED_BYTES_LOST);
  }

  /** Packets behind the largest that were sent at most `waited` after it. */
  static detectTail(s: Session, out: usize, waited: f64): void {
    const sentBy = s.largestAt + waited;
    /* What lies before the base is settled, and no longer in the ring. */
    const before = s.largestAcked + 1;
    const first = <i32>(s.base - before) > 0 ? s.base : before;
    for (let number = first; number != s.next; number++) {
      const entry = Ring.entry(s, number);
      if (entry.at > sentBy || listed == MAX_SETTLED) return;
      if (entry.state == STATE_IN_FLIGHT) Loss.lost(s, out, number, entry);
    }
  }

  static lost(s: Session, out: usize, number: u32, entry: Sent): void {
    entry.state = STATE_LOST;
    Loss.list(s, out, number, entry);
    Rtt.settled(s, 1);
  }

  static list(s: Session, out: usize, number: u32, entry: Sent): void {
    const at = out + SETTLED_ENTRIES + listed * SETTLED_ENTRY_BYTES;
    const size = <u32>entry.size;
    store<u32>(at, entry.kind);
    store<u32>(at, entry.attempt, 4);
    store<u32>(at, entry.stream, 8);
    store<u32>(at, entry.key, 12);
    store<u32>(at, size, 16);
    store<u32>(at, number, 20);
    store<f64>(at, entry.at, 24);
    listed++;
    bytesListed += size;
    s.bytesInFlight -= size;
    s.packetsInFlight--;
  }

  /** Moves `oldest` to the next unsettled packet and forgets what lies before and is settled for good. */
  static trim(s: Session, nowMs: f64): void {
    const next = s.next;
    let number = s.oldest;
    while (number != next && Ring.entry(s, number).state != STATE_IN_FLIGHT) number++;
    s.oldest = number;
    if (s.base == number) return;
    const sentBefore = nowMs - (REMEMBER_MS + 2 * s.srtt);
    let base = s.base;
    while (base != number) {
      const entry = Ring.entry(s, base);
      if (entry.state == STATE_LOST && entry.at > sentBefore) break;
      base++;
    }
    if (base != s.base && base == next) Ring.shrink(s);
    s.base = base;
  }
}
