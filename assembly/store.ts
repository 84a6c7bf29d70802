/**
 * The segment buffer: a window of fragment numbers as a ring of cells, with two rings of bits beside it.
 *
 *        floor      oldest                                  next
 *   - - - +----------+-----+-----+-----+-----+-----+-----+---+ - - -
 *    old  |          |  x  |  x  |     |  x  |     |  x  |   |  to come: moves the window
 *   - - - +----------+-----+-----+-----+-----+-----+-----+---+ - - -
 *   present bits        1     1     0     1     0     1
 *   head bits           1     0     0     0     1     0        a segment begins here of which something is present
 *
 * one cell (16 B); its second half is of the segment that begins there:
 *
 *   0      4            8                                12     14      16
 *   +------+------------+----------+----------+----------+------+-------+
 *   | slot | arrived    | index 12 | total 12 | flags 8  | have | total |
 *   +------+------------+----------+----------+----------+------+-------+
 *
 * Segments present never overlap, so only one can begin before the floor and end behind it: the struct keeps that one.
 */
import {
  MAX_STORES,
  STATUS_FULL,
  STORE_CAPACITY_MAX,
  STORE_CAPACITY_MIN,
  TICKS_PER_MS,
} from "./abi";
import { Bits } from "./bits";
import { Heap } from "./heap";
import { GENERATION_MASK, HANDLE_BITS, HANDLE_MASK, Payload } from "./payload";

const STORE_BYTES: u32 = 64;
const TAG_LIVE: u32 = 0x570e2000;
const TAG_DEAD: u32 = 0x0dd52000;

@unmanaged
export class Cell {
  slot: u32;
  /** 100 µs ticks, modulo 2^32. */
  arrived: u32;
  info: u32;
  have: u16;
  total: u16;
}

@unmanaged
export class Store {
  tag: u32;
  cells: u32;
  present: u32;
  heads: u32;
  mask: u32;
  floor: u32;
  oldest: u32;
  next: u32;
  count: u32;
  /** The segment that begins before the floor; total 0 if there is none. */
  straddleFirst: u32;
  straddleTotal: u16;
  straddleHave: u16;
  /** The window has a place: `floor` and `next` are real. */
  placed: bool;
  spare8: u8;
  spare16: u16;
  /** Latest arrival, ticks since the clock's zero. */
  latest: f64;
}

let storesOpen: u32 = 0;

export class Stores {
  static open(capacity: u32): i32 {
    assert(
      capacity >= STORE_CAPACITY_MIN && capacity <= STORE_CAPACITY_MAX && popcnt(capacity) == 1,
      "store capacity",
    );
    if (storesOpen == MAX_STORES) return STATUS_FULL;
    const ptr = Heap.takeBytes(STORE_BYTES);
    if (ptr == 0) return STATUS_FULL;
    const cells = Heap.takeBytes(Stores.cellBytes(capacity));
    const bits = cells ? Heap.takeBytes(Stores.bitBytes(capacity)) : 0;
    if (bits == 0) {
      if (cells) Heap.giveBytes(cells, Stores.cellBytes(capacity));
      Heap.giveBytes(ptr, STORE_BYTES);
      return STATUS_FULL;
    }
    storesOpen++;
    const generation = (load<u32>(ptr) + 1) & GENERATION_MASK;
    memory.fill(ptr, 0, STORE_BYTES);
    memory.fill(bits, 0, Stores.bitBytes(capacity));
    const s = changetype<Store>(ptr);
    s.tag = TAG_LIVE | generation;
    s.cells = <u32>cells;
    s.present = <u32>bits;
    s.heads = <u32>bits + (capacity >> 3);
    s.mask = capacity - 1;
    s.latest = -Infinity;
    return <i32>((<u32>ptr >> 3) | (generation << HANDLE_BITS));
  }

  static close(handle: i32): void {
    const s = Stores.of(handle);
    Evict.before(s, s.next);
    Heap.giveBytes(s.cells, Stores.cellBytes(s.mask + 1));
    Heap.giveBytes(s.present, Stores.bitBytes(s.mask + 1));
    s.tag = TAG_DEAD | (s.tag & GENERATION_MASK);
    storesOpen--;
    Heap.giveBytes(changetype<usize>(s), STORE_BYTES);
  }

  /** Traps unless the store is open. */
  @inline static of(handle: i32): Store {
    const s = changetype<Store>(<usize>((<u32>handle & HANDLE_MASK) << 3));
    assert(s.tag == (TAG_LIVE | (<u32>handle >> HANDLE_BITS)), "store handle");
    return s;
  }

  @inline static cell(s: Store, number: u32): Cell {
    return changetype<Cell>(<usize>s.cells + (number & s.mask) * offsetof<Cell>());
  }

  /** Whether fragment `number` is here. */
  @inline static has(s: Store, number: u32): bool {
    if (s.count == 0) return false;
    return number - s.oldest < s.next - s.oldest && Bits.get(s.present, number & s.mask);
  }

  @inline static ticks(nowMs: f64): f64 {
    return floor(nowMs * TICKS_PER_MS);
  }

  @inline static cellBytes(capacity: u32): u32 {
    return capacity * offsetof<Cell>();
  }

  @inline static bitBytes(capacity: u32): u32 {
    return capacity >> 2;
  }
}

export class Evict {
  static evictBefore(store: i32, number: u32): u32 {
    return Evict.before(Stores.of(store), number);
  }

  /** The floor goes just behind the last one evicted. Ages stay below 2^32 ticks (five days). */
  static evictOlder(store: i32, arrivedMs: f64): u32 {
    const s = Stores.of(store);
    if (s.count == 0) return 0;
    const ageMin = s.latest - Stores.ticks(arrivedMs);
    const latest = <u32>(<i64>s.latest);
    let number = s.oldest;
    let left = s.count;
    let floor = number;
    while (left && <f64>(latest - Stores.cell(s, number).arrived) > ageMin) {
      floor = ++number;
      if (--left) number += Bits.nextSet(s.present, s.mask, number, s.next - number);
    }
    return left == s.count ? 0 : Evict.before(s, floor);
  }

  /** Raises the floor to `number`; comparisons are relative to `next`, as everywhere here. */
  static before(s: Store, number: u32): u32 {
    if (!s.placed) s.next = number;
    const to = <i32>(number - s.next);
    if (s.placed && to <= <i32>(s.floor - s.next)) return 0;
    let evicted: u32 = 0;
    let at = s.oldest;
    while (s.count && <i32>(at - s.next) < to) {
      Evict.one(s, at);
      evicted++;
      at++;
      if (s.count && !Bits.get(s.present, at & s.mask)) {
        at += Bits.nextSet(s.present, s.mask, at, s.next - at);
      }
    }
    s.oldest = at;
    if (s.count) Evict.keepStraddle(s, number);
    s.floor = number;
    s.placed = true;
    return evicted;
  }

  static one(s: Store, number: u32): void {
    const cell = Stores.cell(s, number);
    Payload.release(cell.slot);
    Bits.clear(s.present, number & s.mask);
    s.count--;
    const first = number - (cell.info & 0xfff);
    if (<i32>(first - s.floor) < 0) {
      if (--s.straddleHave == 0) s.straddleTotal = 0;
      return;
    }
    const head = Stores.cell(s, first);
    if (--head.have == 0) Bits.clear(s.heads, first & s.mask);
  }

  /** The segment that begins before the new floor and still has fragments moves from its head cell into the struct. */
  static keepStraddle(s: Store, newFloor: u32): void {
    const span = newFloor - s.floor;
    let back: u32 = 1;
    /* Mostly the window moves by one. */
    if (span != 1) back = Bits.previousSet(s.heads, s.mask, newFloor, span);
    else if (!Bits.get(s.heads, s.floor & s.mask)) return;
    if (back == 0) return;
    const first = newFloor - back;
    const head = Stores.cell(s, first);
    s.straddleFirst = first;
    s.straddleTotal = head.total;
    s.straddleHave = head.have;
    Bits.clear(s.heads, first & s.mask);
  }
}
