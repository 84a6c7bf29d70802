/**
 * The payload slab: bodies of fragments, stored once and reference-counted. Three sizes, so that an audio frame does
 * not take the room of a full fragment.
 *
 *   0                   2       4                8
 *   +-------------------+-------+----------------+------------------------- … --+
 *   | magic 12 | gen. 4 | length| references     | body (120, 440 or 1,152 B)   |
 *   +-------------------+-------+----------------+------------------------- … --+
 *
 * A handle is the address / 8 with the slot's generation in the 4 bits above; a slot that was freed, and most that were
 * freed and taken again, no longer answer to it.
 */
import { MAX_BODY_BYTES, STATUS_FULL } from "./abi";
import { CLASS_PAYLOAD_LARGE, CLASS_PAYLOAD_MEDIUM, CLASS_PAYLOAD_SMALL, Heap } from "./heap";

const HEADER_BYTES: u32 = 8;
const SMALL_BODY: u32 = 120;
const MEDIUM_BODY: u32 = 440;

const TAG_LIVE: u32 = 0x9a10;
const TAG_DEAD: u32 = 0x0dd0;

export const HANDLE_BITS: u32 = 27;
export const HANDLE_MASK: u32 = (1 << HANDLE_BITS) - 1;
export const GENERATION_MASK: u32 = 15;

let bytesUsed: u32 = 0;

export class Payload {
  static init(): void {
    Heap.define(CLASS_PAYLOAD_SMALL, HEADER_BYTES + SMALL_BODY);
    Heap.define(CLASS_PAYLOAD_MEDIUM, HEADER_BYTES + MEDIUM_BODY);
    Heap.define(CLASS_PAYLOAD_LARGE, HEADER_BYTES + MAX_BODY_BYTES);
  }

  static alloc(length: u32): i32 {
    assert(length - 1 < MAX_BODY_BYTES, "payload length");
    const sizeClass = Payload.classOf(length);
    const ptr = Heap.take(sizeClass);
    if (ptr == 0) return STATUS_FULL;
    const generation = (load<u32>(ptr) + 1) & GENERATION_MASK;
    store<u32>(ptr, TAG_LIVE | generation | (length << 16));
    store<u32>(ptr, 1, 4);
    bytesUsed += Heap.sizeClass(sizeClass).bytes;
    return <i32>((<u32>ptr >> 3) | (generation << HANDLE_BITS));
  }

  /** Address of the slot's header; traps unless the slot is live. */
  @inline static at(slot: i32): usize {
    const ptr = <usize>((<u32>slot & HANDLE_MASK) << 3);
    assert(load<u16>(ptr) == <u16>(TAG_LIVE | (<u32>slot >> HANDLE_BITS)), "payload slot");
    return ptr;
  }

  @inline static ptr(slot: i32): u32 {
    return <u32>Payload.at(slot) + HEADER_BYTES;
  }

  @inline static length(slot: i32): u32 {
    return load<u16>(Payload.at(slot), 2);
  }

  @inline static retain(slot: i32): void {
    Payload.retainAt(Payload.at(slot));
  }

  /** As `retain`, of the header `at` has found. */
  @inline static retainAt(ptr: usize): void {
    store<u32>(ptr, load<u32>(ptr, 4) + 1, 4);
  }

  static release(slot: i32): void {
    const ptr = Payload.at(slot);
    const references = load<u32>(ptr, 4) - 1;
    if (references != 0) return store<u32>(ptr, references, 4);
    const sizeClass = Payload.classOf(load<u16>(ptr, 2));
    store<u32>(ptr, TAG_DEAD | (load<u32>(ptr) & GENERATION_MASK));
    bytesUsed -= Heap.sizeClass(sizeClass).bytes;
    Heap.give(sizeClass, ptr);
  }

  @inline static bytesUsed(): u32 {
    return bytesUsed;
  }

  @inline static classOf(length: u32): u32 {
    if (length > MEDIUM_BODY) return CLASS_PAYLOAD_LARGE;
    return length > SMALL_BODY ? CLASS_PAYLOAD_MEDIUM : CLASS_PAYLOAD_SMALL;
  }
}
