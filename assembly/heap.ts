/**
 * All dynamic memory. The region behind the static data is cut once into 64 KiB pages; a page holds objects of one
 * size class, or is part of a run that holds one large object. Nothing is ever grown, moved or collected.
 *
 *   __heap_base                                                                    end of memory
 *   +-----------+--------------+------------+---------+--------+--------+-- … --+---------+
 *   | out area  | header arena | page table | (align) | page 0 | page 1 |       | page n-1|
 *   +-----------+--------------+------------+---------+--------+--------+-- … --+---------+
 *     128 KiB      256 KiB       16 B a page             64 KiB each
 *
 * A page with room hangs in its class's list; a full one hangs nowhere; an empty one goes back at once. A free object
 * keeps its first word (its owner's tag and generation) and has the next free object's address in the second.
 */
import { HEADER_ARENA_BYTES, OUT_BYTES } from "./abi";

const PAGE_SHIFT: u32 = 16;
const PAGE_BYTES: u32 = 1 << PAGE_SHIFT;
const NO_PAGE: u32 = 0xffff;

/** Exact classes first, then 16, 24, 32, 48 … 24576, 32768: every power of two and the step half-way to the next. */
export const CLASS_PAYLOAD_SMALL: u32 = 0;
export const CLASS_PAYLOAD_MEDIUM: u32 = 1;
export const CLASS_PAYLOAD_LARGE: u32 = 2;
export const CLASS_SESSION: u32 = 3;
const CLASS_GENERAL: u32 = 4;
const GENERAL_SHIFT_MIN: u32 = 4;
const GENERAL_BYTES_MAX: u32 = 32768;
const CLASS_COUNT: u32 = 27;

const PAGE_FREE: u16 = 0xffff;
const PAGE_RUN: u16 = 0xfffe;

@unmanaged
class Page {
  sizeClass: u16;
  used: u16;
  /** Objects handed out at least once; behind them the page is untouched. */
  carved: u16;
  next: u16;
  previous: u16;
  spare: u16;
  /** Address of the first free object, or 0. */
  free: u32;
}

@unmanaged
class SizeClass {
  bytes: u32;
  perPage: u32;
  /** First page with room, or NO_PAGE. */
  head: u32;
}

const classes: usize = memory.data(336, 8);

let pageTable: usize = 0;
let pagesAt: usize = 0;
let pageCount: u32 = 0;
let pagesFree: u32 = 0;
let pagesOfPayload: u32 = 0;
/** No page before this one is free. */
let firstMaybeFree: u32 = 0;
let objectBytes: u64 = 0;

export class Heap {
  @inline static outPtr(): usize {
    return (__heap_base + 63) & ~63;
  }

  @inline static arenaPtr(): usize {
    return Heap.outPtr() + OUT_BYTES;
  }

  /** Divides the memory; once, before anything else. */
  static init(): void {
    assert(pageTable == 0, "the heap is divided once");
    pageTable = Heap.arenaPtr() + HEADER_ARENA_BYTES;
    const end = (<usize>memory.size()) << PAGE_SHIFT;
    assert(end > pageTable + PAGE_BYTES, "memory is too small");
    pageCount = <u32>((end - pageTable) / (PAGE_BYTES + offsetof<Page>()));
    pagesAt = (pageTable + pageCount * offsetof<Page>() + 63) & ~63;
    if (pagesAt + ((<usize>pageCount) << PAGE_SHIFT) > end) pageCount--;
    pagesFree = pageCount;
    for (let i: u32 = 0; i < pageCount; i++) Heap.page(i).sizeClass = PAGE_FREE;
    for (let i: u32 = CLASS_GENERAL; i < CLASS_COUNT; i++) {
      const step = i - CLASS_GENERAL;
      const power = (<u32>1) << (GENERAL_SHIFT_MIN + (step >> 1));
      Heap.define(i, step & 1 ? power + (power >> 1) : power);
    }
  }

  static define(sizeClass: u32, bytes: u32): void {
    assert(sizeClass < CLASS_COUNT && (bytes & 7) == 0, "size class");
    const c = Heap.sizeClass(sizeClass);
    c.bytes = bytes;
    c.perPage = PAGE_BYTES / bytes;
    c.head = NO_PAGE;
  }

  /** An object of an exact class, contents arbitrary; 0 when memory is full. */
  static take(sizeClass: u32): usize {
    const c = Heap.sizeClass(sizeClass);
    if (c.head == NO_PAGE && !Heap.addPage(sizeClass)) return 0;
    const index = c.head;
    const page = Heap.page(index);
    let ptr: usize = page.free;
    if (ptr) {
      page.free = load<u32>(ptr, 4);
    } else {
      ptr = pagesAt + ((<usize>index) << PAGE_SHIFT) + <usize>page.carved * c.bytes;
      page.carved++;
    }
    page.used++;
    if (<u32>page.used == c.perPage) Heap.unlink(c, page);
    objectBytes += c.bytes;
    return ptr;
  }

  static give(sizeClass: u32, ptr: usize): void {
    const c = Heap.sizeClass(sizeClass);
    const index = <u32>((ptr - pagesAt) >> PAGE_SHIFT);
    const page = Heap.page(index);
    assert(index < pageCount && <u32>page.sizeClass == sizeClass, "freed into another class");
    store<u32>(ptr, page.free, 4);
    page.free = <u32>ptr;
    objectBytes -= c.bytes;
    const used = <u32>page.used;
    page.used = <u16>(used - 1);
    if (used == c.perPage) Heap.link(c, index);
    if (used == 1) {
      Heap.unlink(c, page);
      if (sizeClass <= CLASS_PAYLOAD_LARGE) pagesOfPayload--;
      Heap.givePages(index, 1);
    }
  }

  /** A block of at least `bytes` from the general classes or a run of pages; 0 when memory is full. */
  static takeBytes(bytes: u32): usize {
    if (bytes <= GENERAL_BYTES_MAX) return Heap.take(Heap.general(bytes));
    const count = (bytes + PAGE_BYTES - 1) >> PAGE_SHIFT;
    const first = Heap.takePages(count);
    if (first == NO_PAGE) return 0;
    for (let i: u32 = 0; i < count; i++) Heap.page(first + i).sizeClass = PAGE_RUN;
    objectBytes += count << PAGE_SHIFT;
    return pagesAt + ((<usize>first) << PAGE_SHIFT);
  }

  /** Gives back what `takeBytes` gave for the same number of bytes. */
  static giveBytes(ptr: usize, bytes: u32): void {
    if (bytes <= GENERAL_BYTES_MAX) return Heap.give(Heap.general(bytes), ptr);
    const count = (bytes + PAGE_BYTES - 1) >> PAGE_SHIFT;
    const first = <u32>((ptr - pagesAt) >> PAGE_SHIFT);
    assert(Heap.page(first).sizeClass == PAGE_RUN, "freed something else than a run");
    objectBytes -= count << PAGE_SHIFT;
    Heap.givePages(first, count);
  }

  /** Bytes of all live objects, each rounded up to its class. */
  @inline static bytesUsed(): f64 {
    return <f64>objectBytes;
  }

  /** Bytes that payloads hold or could still take, in whole pages. */
  @inline static payloadBytesTotal(): f64 {
    return <f64>((<u64>(pagesFree + pagesOfPayload)) << PAGE_SHIFT);
  }

  @inline static page(index: u32): Page {
    return changetype<Page>(pageTable + index * offsetof<Page>());
  }

  @inline static sizeClass(index: u32): SizeClass {
    return changetype<SizeClass>(classes + index * offsetof<SizeClass>());
  }

  /** Smallest general class that holds `bytes`. */
  @inline static general(bytes: u32): u32 {
    if (bytes <= 1 << GENERAL_SHIFT_MIN) return CLASS_GENERAL;
    const floorShift = 31 - clz<u32>(bytes - 1);
    const power = (<u32>1) << floorShift;
    const step = bytes <= power + (power >> 1) ? 1 : 2;
    return CLASS_GENERAL + ((floorShift - GENERAL_SHIFT_MIN) << 1) + step;
  }

  static addPage(sizeClass: u32): bool {
    const index = Heap.takePages(1);
    if (index == NO_PAGE) return false;
    const page = Heap.page(index);
    page.sizeClass = <u16>sizeClass;
    page.used = 0;
    page.carved = 0;
    page.free = 0;
    if (sizeClass <= CLASS_PAYLOAD_LARGE) pagesOfPayload++;
    Heap.link(Heap.sizeClass(sizeClass), index);
    return true;
  }

  /** First fit; the index of the first page, or NO_PAGE. */
  static takePages(count: u32): u32 {
    if (count > pagesFree) return NO_PAGE;
    let run: u32 = 0;
    for (let i = firstMaybeFree; i < pageCount; i++) {
      if (Heap.page(i).sizeClass != PAGE_FREE) {
        run = 0;
        continue;
      }
      if (++run < count) continue;
      const first = i + 1 - count;
      if (count == 1 || first == firstMaybeFree) firstMaybeFree = i + 1;
      pagesFree -= count;
      return first;
    }
    return NO_PAGE;
  }

  static givePages(first: u32, count: u32): void {
    for (let i: u32 = 0; i < count; i++) Heap.page(first + i).sizeClass = PAGE_FREE;
    pagesFree += count;
    if (first < firstMaybeFree) firstMaybeFree = first;
  }

  static link(c: SizeClass, index: u32): void {
    const page = Heap.page(index);
    page.next = <u16>c.head;
    page.previous = <u16>NO_PAGE;
    if (c.head != NO_PAGE) Heap.page(c.head).previous = <u16>index;
    c.head = index;
  }

  static unlink(c: SizeClass, page: Page): void {
    if (<u32>page.previous == NO_PAGE) c.head = page.next;
    else Heap.page(page.previous).next = page.next;
    if (<u32>page.next != NO_PAGE) Heap.page(page.next).previous = page.previous;
  }
}
