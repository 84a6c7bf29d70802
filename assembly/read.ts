/** What a store holds: fragments, whole segments, holes, maps. */
import { MAX_HOLES } from "./abi";
import { Bits } from "./bits";
import { Heap } from "./heap";
import { Cell, Stores } from "./store";

export class Read {
  static fragmentSlot(store: i32, number: u32): i32 {
    const s = Stores.of(store);
    return Stores.has(s, number) ? Stores.cell(s, number).slot : 0;
  }

  static fragmentInfo(handle: i32, number: u32): bool {
    const s = Stores.of(handle);
    if (!Stores.has(s, number)) return false;
    const info = Stores.cell(s, number).info;
    const out = Heap.outPtr();
    store<u32>(out, info & 0xfff);
    store<u32>(out, (info >> 12) & 0xfff, 4);
    store<u32>(out, info >> 24, 8);
    return true;
  }

  static segmentSlots(handle: i32, first: u32): u32 {
    const s = Stores.of(handle);
    const at = first & s.mask;
    /* A head's bit is only set inside the window, where something of its segment is present. */
    if (first - s.floor >= s.next - s.floor || !Bits.get(s.heads, at)) return 0;
    const head = Stores.cell(s, first);
    const total = <u32>head.total;
    if (<u32>head.have != total) return 0;
    const end = at + total;
    const size = s.mask + 1;
    let to = Heap.outPtr();
    let from = changetype<usize>(head);
    /* The ring's end comes at most once. */
    let left = end > size ? size - at : total;
    const rest = total - left;
    for (; left >= 4; left -= 4) {
      store<u32>(to, load<u32>(from));
      store<u32>(to, load<u32>(from, 16), 4);
      store<u32>(to, load<u32>(from, 32), 8);
      store<u32>(to, load<u32>(from, 48), 12);
      to += 16;
      from += 4 * offsetof<Cell>();
    }
    for (; left != 0; left--) {
      store<u32>(to, load<u32>(from));
      to += 4;
      from += offsetof<Cell>();
    }
    from = s.cells;
    for (left = rest; left != 0; left--) {
      store<u32>(to, load<u32>(from));
      to += 4;
      from += offsetof<Cell>();
    }
    return total;
  }

  static holes(handle: i32, from: u32, to: u32, limit: u32): u32 {
    const s = Stores.of(handle);
    const most = min(limit, MAX_HOLES);
    const out = Heap.outPtr();
    let left = <i32>(to - from);
    let number = from;
    const below = <i64>(<i32>(s.floor - s.next)) - <i64>(<i32>(from - s.next));
    if (s.placed && below > 0) {
      if (below >= <i64>left) return 0;
      number += <u32>below;
      left -= <i32>below;
    }
    let found: u32 = 0;
    while (left > 0 && found < most) {
      if (s.count && number - s.oldest < s.next - s.oldest) {
        const span = min(<u32>left, s.next - number);
        const filled = Bits.nextClear(s.present, s.mask, number, span);
        number += filled;
        left -= filled;
        if (filled == span) continue;
      }
      store<u32>(out + (found << 2), number);
      found++;
      number++;
      left--;
    }
    return found;
  }

  static mapBuild(handle: i32, from: u32, bits: u32, ptr: usize): u32 {
    const s = Stores.of(handle);
    const bytes = (bits + 7) >> 3;
    for (let at: u32 = 0; at < bits; at += 64) {
      const number = from + at;
      const low = <i32>(s.oldest - number);
      const high = min(<i32>(s.next - number), <i32>(bits - at));
      let word: u64 = 0;
      if (s.count && low < 64 && high > 0) {
        word = Bits.word64(s.present, s.mask, number);
        if (low > 0) word &= u64.MAX_VALUE << (<u64>low);
        if (high < 64) word &= ((<u64>1) << (<u64>high)) - 1;
      }
      const left = bytes - (at >> 3);
      const to = ptr + (at >> 3);
      if (left >= 8) {
        store<u64>(to, word);
      } else {
        for (let i: u32 = 0; i < left; i++) store<u8>(to + i, <u8>(word >> ((<u64>i) << 3)));
      }
    }
    return bytes;
  }

  @inline static oldest(handle: i32): u32 {
    const s = Stores.of(handle);
    return s.count ? s.oldest : s.next;
  }

  @inline static next(handle: i32): u32 {
    return Stores.of(handle).next;
  }
}
