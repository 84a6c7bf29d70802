/**
 * The receiving side of a session: which of the last 1,024 packets came, and the ACKs made of it (docs/WIRE.md §3).
 *
 * The bit of packet p is at ~p mod 1024, so that going up in the bitmap goes back in time, as the wire wants it:
 *
 *   bit           (−largest) mod 1024                 i places further on
 *   packet        largest − 1                         largest − 1 − i
 *
 * An ACK reaches back over all that came since the fourth-last one, the lowest packet of each of the last four
 * intervals being kept for that in a shift register, and over 32 packets: on a lossy path, where each gap has an ACK of
 * its own, four are soon lost.
 */
import {
  ACK_BITMAP_AT,
  ACK_CLOCK_AT,
  ACK_COUNT_AT,
  ACK_CREDIT_AT,
  ACK_DELAY_AT,
  RECEIVED_FRESH,
  RECEIVED_GAP,
  STATUS_DUPLICATE,
  STATUS_OLD,
  TICKS_PER_MS,
} from "./abi";
import { RECEIVE_BITMAP_AT, RECEIVE_WINDOW, Session, Sessions } from "./session";

const INDEX_MASK: u32 = RECEIVE_WINDOW - 1;
const NO_LIMIT: u32 = 0xffffffff;
const REACH_MIN: u32 = 32;

export class Receive {
  static packetReceived(session: i32, nowMs: f64, number16: u32): i32 {
    const s = Sessions.of(session);
    const ahead = <i32>(<i16>(number16 - s.receivedLargest));
    const number = s.receivedLargest + ahead;
    if (ahead <= 0) {
      if (ahead <= -(<i32>RECEIVE_WINDOW)) return STATUS_OLD;
      if (!s.mature && <i32>(number - s.receivedFirst) < 0) return STATUS_OLD;
      if (Receive.bit(s, number)) return STATUS_DUPLICATE;
    } else {
      Receive.advance(s, <u32>ahead);
      s.receivedLargestAt = nowMs;
      s.received = true;
    }
    Receive.setBit(s, number);
    s.ackPending++;
    if (!(s.minimaMask & 1) || <i32>(number - s.minimum0) < 0) {
      s.minimum0 = number;
      s.minimaMask |= 1;
    }
    return ahead > 1 ? RECEIVED_GAP : RECEIVED_FRESH;
  }

  @inline static ackPending(session: i32): u32 {
    return Sessions.of(session).ackPending;
  }

  static ackBuild(session: i32, nowMs: f64, ptr: usize): u32 {
    const s = Sessions.of(session);
    if (!s.received) return 0;
    const largest = s.receivedLargest;
    const waited = (nowMs - s.receivedLargestAt) * TICKS_PER_MS;
    /* No min and max, whose care for NaN costs more than the rest of the line. */
    const delay: u32 = waited >= 65535 ? 65535 : waited >= 1 ? <u32>waited : 0;
    const clock = <u32>(<i64>floor(s.receivedLargestAt * TICKS_PER_MS));
    store<u32>(ptr, bswap<u32>(largest));
    store<u16>(ptr, bswap<u16>(<u16>delay), ACK_DELAY_AT);
    store<u32>(ptr, bswap<u32>(clock), ACK_CLOCK_AT);
    store<u32>(ptr, NO_LIMIT, ACK_CREDIT_AT);
    const bits = min(Receive.reach(s), RECEIVE_WINDOW - 1);
    const count = (bits + 7) >> 3;
    store<u8>(ptr, <u8>count, ACK_COUNT_AT);
    Receive.writeBitmap(s, ptr + ACK_BITMAP_AT, count);
    if (s.ackPending) Receive.endInterval(s);
    return ACK_BITMAP_AT + count;
  }

  /** An ACK that says the same again ends none: its news still deserve four. */
  @inline static endInterval(s: Session): void {
    s.ackPending = 0;
    s.minimum3 = s.minimum2;
    s.minimum2 = s.minimum1;
    s.minimum1 = s.minimum0;
    s.minimaMask = (s.minimaMask << 1) & 15;
  }

  /** From the largest back to the lowest packet of the last four intervals, or 32 packets if there were so many. */
  static reach(s: Session): u32 {
    const largest = s.receivedLargest;
    const mask = s.minimaMask;
    let reach = s.mature ? REACH_MIN : min(REACH_MIN, largest - s.receivedFirst);
    if (mask & 1) reach = max(reach, largest - s.minimum0);
    if (mask & 2) reach = max(reach, largest - s.minimum1);
    if (mask & 4) reach = max(reach, largest - s.minimum2);
    if (mask & 8) reach = max(reach, largest - s.minimum3);
    return reach;
  }

  static writeBitmap(s: Session, ptr: usize, count: u32): void {
    const words = changetype<usize>(s) + RECEIVE_BITMAP_AT;
    const start = (0 - s.receivedLargest) & INDEX_MASK;
    const shift = <u64>(start & 63);
    for (let at: u32 = 0; at < count; at += 8) {
      const word = ((start >> 6) + (at >> 3)) & 15;
      let bits = load<u64>(words + (word << 3)) >> shift;
      if (shift) bits |= load<u64>(words + (((word + 1) & 15) << 3)) << (64 - shift);
      /* Bit 1,023 would be `largest` itself, which shares its place in the bitmap. */
      if (at == 120) bits &= 0x7fffffffffffffff;
      /* Whole words: what lies behind the count is within the room of the longest ACK. */
      if (count - at < 8) bits &= ((<u64>1) << ((<u64>(count - at)) << 3)) - 1;
      store<u64>(ptr + at, bits);
    }
  }

  /** Makes `receivedLargest + ahead` the largest, with all between not received. */
  static advance(s: Session, ahead: u32): void {
    const largest = s.receivedLargest;
    if (ahead >= RECEIVE_WINDOW) {
      memory.fill(changetype<usize>(s) + RECEIVE_BITMAP_AT, 0, RECEIVE_WINDOW >> 3);
    } else {
      for (let i: u32 = 1; i < ahead; i++) Receive.clearBit(s, largest + i);
    }
    s.receivedLargest = largest + ahead;
    if (s.receivedLargest - s.receivedFirst >= RECEIVE_WINDOW) s.mature = true;
  }

  @inline static byteOf(s: Session, index: u32): usize {
    return changetype<usize>(s) + RECEIVE_BITMAP_AT + (index >> 3);
  }

  @inline static bit(s: Session, number: u32): bool {
    const index = ~number & INDEX_MASK;
    return ((<u32>load<u8>(Receive.byteOf(s, index)) >> (index & 7)) & 1) != 0;
  }

  @inline static setBit(s: Session, number: u32): void {
    const index = ~number & INDEX_MASK;
    const at = Receive.byteOf(s, index);
    store<u8>(at, <u8>(<u32>load<u8>(at) | ((<u32>1) << (index & 7))));
  }

  @inline static clearBit(s: Session, number: u32): void {
    const index = ~number & INDEX_MASK;
    const at = Receive.byteOf(s, index);
    store<u8>(at, <u8>(<u32>load<u8>(at) & ~((<u32>1) << (index & 7))));
  }
}
