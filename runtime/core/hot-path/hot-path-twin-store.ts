/** The twin's segment store: maps of fragments and segments, numbers counted on without wrapping. */
import { serialDiff } from "../../base/serial.ts";
import { Inserted, MAX_FRAGMENTS, Status } from "./hot-path.ts";

export interface StoredFragment {
  readonly number: number;
  readonly index: number;
  readonly total: number;
  readonly flags: number;
  readonly slot: number;
  readonly arrivedTicks: number;
}

/** A segment of which at least one fragment is here. */
interface KnownSegment {
  readonly first: number;
  readonly total: number;
  have: number;
}

export interface SlotReferences {
  retain(slot: number): void;
  release(slot: number): void;
}

export class TwinStore {
  readonly #capacity: number;
  readonly #slots: SlotReferences;
  readonly #fragments = new Map<number, StoredFragment>();
  /** Every fragment number that a known segment covers, here or missing. */
  readonly #segments = new Map<number, KnownSegment>();
  #placed = false;
  #floor = 0;
  #next = 0;

  constructor(capacity: number, slots: SlotReferences) {
    this.#capacity = capacity;
    this.#slots = slots;
  }

  get next(): number {
    return this.#next >>> 0;
  }

  get oldest(): number {
    return this.#oldest() >>> 0;
  }

  insert(
    number32: number,
    index: number,
    total: number,
    flags: number,
    slot: number,
    nowMs: number,
  ): number {
    if (total < 1 || total > MAX_FRAGMENTS || index >= total) return Status.malformed;
    const number = this.#placed ? this.#unwrap(number32) : number32;
    if (this.#placed && number < this.#floor) return Status.old;
    const present = this.#fragments.get(number);
    if (present !== undefined) {
      const same = present.index === index && present.total === total;
      return same ? Status.duplicate : Status.conflict;
    }
    const first = number - index;
    if (!this.#agrees(number, first, total)) return Status.conflict;
    if (!this.#placed || number >= this.#next) this.#moveWindow(number + 1);
    const arrivedTicks = Math.floor(nowMs * 10);
    this.#fragments.set(number, { number, index, total, flags, slot, arrivedTicks });
    this.#slots.retain(slot);
    const segment = this.#segments.get(number) ?? this.#learn({ first, total, have: 0 });
    segment.have++;
    return segment.have === total ? Inserted.completed : Inserted.fresh;
  }

  fragment(number32: number): StoredFragment | undefined {
    return this.#fragments.get(this.#unwrap(number32));
  }

  /** Slots of the whole segment, or none. */
  segment(first32: number): number[] {
    const first = this.#unwrap(first32);
    const segment = this.#segments.get(first);
    if (segment?.first !== first || segment.have < segment.total) return [];
    return Array.from({ length: segment.total }, (_, i) => this.#slotAt(first + i));
  }

  /** u32 numbers. */
  holes(from32: number, to32: number, limit: number): number[] {
    const from = this.#unwrap(from32);
    const to = from + serialDiff(to32, from32);
    const found: number[] = [];
    const start = this.#placed ? Math.max(from, this.#floor) : from;
    for (let number = start; number < to && found.length < limit; number++) {
      if (!this.#fragments.has(number)) found.push(number >>> 0);
    }
    return found;
  }

  has(number32: number): boolean {
    return this.fragment(number32) !== undefined;
  }

  evictBefore(number32: number): number {
    if (!this.#placed) {
      this.#placed = true;
      this.#next = number32;
      this.#floor = number32;
      return 0;
    }
    return this.#raiseFloor(this.#unwrap(number32));
  }

  evictOlder(arrivedMs: number): number {
    const ticks = Math.floor(arrivedMs * 10);
    let floor = this.#floor;
    for (let number = floor; number < this.#next; number++) {
      const fragment = this.#fragments.get(number);
      if (fragment === undefined) continue;
      if (fragment.arrivedTicks >= ticks) break;
      floor = number + 1;
    }
    return this.#raiseFloor(floor);
  }

  close(): void {
    for (const fragment of this.#fragments.values()) this.#slots.release(fragment.slot);
    this.#fragments.clear();
  }

  #moveWindow(next: number): void {
    if (this.#placed) {
      this.#raiseFloor(next - this.#capacity);
    } else {
      this.#placed = true;
      this.#floor = next - this.#capacity;
    }
    this.#next = next;
  }

  #raiseFloor(floor: number): number {
    if (floor <= this.#floor) return 0;
    let evicted = 0;
    for (let number = this.#floor; number < Math.min(floor, this.#next); number++) {
      const fragment = this.#fragments.get(number);
      if (fragment === undefined) continue;
      this.#remove(fragment);
      evicted++;
    }
    this.#floor = floor;
    return evicted;
  }

  #remove(fragment: StoredFragment): void {
    this.#fragments.delete(fragment.number);
    this.#slots.release(fragment.slot);
    const segment = this.#segments.get(fragment.number);
    if (segment === undefined || --segment.have > 0) return;
    for (let i = 0; i < segment.total; i++) this.#segments.delete(segment.first + i);
  }

  #learn(segment: KnownSegment): KnownSegment {
    for (let i = 0; i < segment.total; i++) this.#segments.set(segment.first + i, segment);
    return segment;
  }

  #agrees(number: number, first: number, total: number): boolean {
    const known = this.#segments.get(number);
    if (known !== undefined) return known.first === first && known.total === total;
    for (let i = 0; i < total; i++) if (this.#segments.has(first + i)) return false;
    return true;
  }

  #slotAt(number: number): number {
    return this.#fragments.get(number)?.slot ?? 0;
  }

  #oldest(): number {
    let oldest = this.#placed ? this.#floor : this.#next;
    while (oldest < this.#next && !this.#fragments.has(oldest)) oldest++;
    return Math.min(oldest, this.#next);
  }

  /** The number nearest to the window's end whose remainder mod 2^32 this is. */
  #unwrap(number32: number): number {
    return this.#next + serialDiff(number32, this.#next >>> 0);
  }
}
