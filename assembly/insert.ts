/** Filing a fragment: is it new, does it agree with what is known of its segment, is the segment whole now. */
import {
  INSERTED_COMPLETED,
  INSERTED_FRESH,
  MAX_FRAGMENTS,
  STATUS_CONFLICT,
  STATUS_DUPLICATE,
  STATUS_MALFORMED,
  STATUS_OLD,
} from "./abi";
import { Bits } from "./bits";
import { Payload } from "./payload";
import { Evict, Store, Stores } from "./store";

export class Insert {
  static fragment(
    store: i32,
    number: u32,
    index: u32,
    total: u32,
    flags: u32,
    slot: i32,
    nowMs: f64,
  ): i32 {
    const s = Stores.of(store);
    const payload = Payload.at(slot);
    assert(flags <= 0xff, "fragment flags");
    if (total - 1 >= MAX_FRAGMENTS || index >= total) return STATUS_MALFORMED;
    const ahead = <i32>(number - s.next);
    if (s.placed && ahead < <i32>(s.floor - s.next)) return STATUS_OLD;
    const info = index | (total << 12) | (flags << 24);
    if (ahead < 0 && Stores.has(s, number)) {
      const same = ((Stores.cell(s, number).info ^ info) & 0xffffff) == 0;
      return same ? STATUS_DUPLICATE : STATUS_CONFLICT;
    }
    const first = number - index;
    if (s.count && !Insert.agrees(s, first, total)) return STATUS_CONFLICT;
    if (ahead >= 0 || !s.placed) Insert.moveWindow(s, number + 1);
    if (s.count == 0 || <i32>(number - s.oldest) < 0) s.oldest = number;
    s.count++;
    const ticks = Stores.ticks(nowMs);
    if (ticks > s.latest) s.latest = ticks;
    const cell = Stores.cell(s, number);
    cell.slot = slot;
    cell.arrived = <u32>(<i64>ticks);
    cell.info = info;
    Payload.retainAt(payload);
    Bits.set(s.present, number & s.mask);
    return Insert.count(s, first, total) == total ? INSERTED_COMPLETED : INSERTED_FRESH;
  }

  static moveWindow(s: Store, next: u32): void {
    const floor = next - (s.mask + 1);
    if (s.placed) {
      Evict.before(s, floor);
    } else {
      s.floor = floor;
      s.placed = true;
    }
    s.next = next;
  }

  /** One more fragment of the segment at `first`: how many it has now. */
  @inline static count(s: Store, first: u32, total: u32): u32 {
    if (<i32>(first - s.floor) < 0) {
      s.straddleFirst = first;
      s.straddleTotal = <u16>total;
      return <u32>++s.straddleHave;
    }
    const head = Stores.cell(s, first);
    if (Bits.get(s.heads, first & s.mask)) return <u32>++head.have;
    Bits.set(s.heads, first & s.mask);
    head.total = <u16>total;
    head.have = 1;
    return 1;
  }

  /**
   * Whether [first, first + total) is a segment already known or overlaps none. Everything is counted from `next`, so
   * that the arithmetic cannot wrap: known segments begin before it and end less than MAX_FRAGMENTS behind it.
   */
  static agrees(s: Store, first: u32, total: u32): bool {
    const from = <i32>(first - s.next);
    if (from >= <i32>MAX_FRAGMENTS) return true;
    const floor = <i32>(s.floor - s.next);
    if (from >= floor && from < 0 && Bits.get(s.heads, first & s.mask)) {
      return <u32>Stores.cell(s, first).total == total;
    }
    const end = from + <i32>total;
    if (s.straddleTotal) {
      const straddle = <i32>(s.straddleFirst - s.next);
      if (straddle == from) return <u32>s.straddleTotal == total;
      if (from < straddle + <i32>s.straddleTotal && straddle < end) return false;
    }
    return !Insert.overlapsBefore(s, from, floor) && !Insert.overlapsAfter(s, from, end, floor);
  }

  /** Does the nearest segment that begins earlier reach past `from`? */
  @inline static overlapsBefore(s: Store, from: i32, floor: i32): bool {
    const upTo = min(from, 0);
    if (upTo <= floor) return false;
    const span = <u32>(upTo - floor);
    const back = Bits.previousSet(s.heads, s.mask, s.next + upTo, min(span, MAX_FRAGMENTS));
    if (back == 0) return false;
    const head = upTo - <i32>back;
    return head + <i32>Stores.cell(s, s.next + head).total > from;
  }

  /** Does another segment begin inside? */
  @inline static overlapsAfter(s: Store, from: i32, end: i32, floor: i32): bool {
    const low = max(from + 1, floor);
    const high = min(end, 0);
    if (low >= high) return false;
    const span = <u32>(high - low);
    return Bits.nextSet(s.heads, s.mask, s.next + low, span) < span;
  }
}
