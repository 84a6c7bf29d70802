/** The twin's payload slab: three sizes of slots in one growing row, freed slots kept in a list per size. */
import { assert } from "../../base/assert.ts";
import { MAX_BODY_BYTES, Status } from "./hot-path.ts";

const SLOT_HEADER_BYTES = 8;
const SLOT_BODIES = [120, 440, MAX_BODY_BYTES] as const;

interface Slot {
  readonly ptr: number;
  readonly sizeIndex: number;
  length: number;
  references: number;
}

export class TwinSlab {
  bytesUsed = 0;
  readonly bytesTotal: number;
  readonly #slots = new Map<number, Slot>();
  readonly #free: number[][] = SLOT_BODIES.map(() => []);
  readonly #end: number;
  #unused: number;
  #lastHandle = 0;

  /** Slots come from bytes `start` to `end` of the memory. */
  constructor(start: number, end: number) {
    this.#unused = start;
    this.#end = end;
    this.bytesTotal = end - start;
  }

  alloc(length: number): number {
    assert(length >= 1 && length <= MAX_BODY_BYTES, "payload length");
    const sizeIndex = SLOT_BODIES.findIndex((body) => length <= body);
    const bytes = slotBytes(sizeIndex);
    let ptr = this.#free[sizeIndex]?.pop();
    if (ptr === undefined) {
      if (this.#unused + bytes > this.#end) return Status.full;
      ptr = this.#unused;
      this.#unused += bytes;
    }
    this.#lastHandle++;
    this.#slots.set(this.#lastHandle, { ptr, sizeIndex, length, references: 1 });
    this.bytesUsed += bytes;
    return this.#lastHandle;
  }

  ptr(handle: number): number {
    return this.#slot(handle).ptr + SLOT_HEADER_BYTES;
  }

  length(handle: number): number {
    return this.#slot(handle).length;
  }

  retain(handle: number): void {
    this.#slot(handle).references++;
  }

  release(handle: number): void {
    const slot = this.#slot(handle);
    slot.references--;
    if (slot.references > 0) return;
    this.#slots.delete(handle);
    this.#free[slot.sizeIndex]?.push(slot.ptr);
    this.bytesUsed -= slotBytes(slot.sizeIndex);
  }

  /** @throws AssertionError unless the slot is live. */
  check(handle: number): void {
    this.#slot(handle);
  }

  #slot(handle: number): Slot {
    const slot = this.#slots.get(handle);
    assert(slot !== undefined, "payload slot");
    return slot;
  }
}

function slotBytes(sizeIndex: number): number {
  return SLOT_HEADER_BYTES + (SLOT_BODIES[sizeIndex] ?? 0);
}
