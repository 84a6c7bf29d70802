/**
 * Datagrams of one fan-out as they leave: to each receiver a train of heads that lie one behind the other, each with
 * the payload of a fragment that all receivers share. A driver that can gather takes a train as a whole; to any other
 * the outbox hands the same datagrams one by one.
 *
 *   heads, 21 B each:   | A: 0 | A: 1 | A: 3 | B: 0 | B: 1 | B: 2 | …        A, B: receivers
 *   cargo:              slot 0, slot 1, slot 2, slot 3                        A wants 1011, B 0111 (bit 0 last)
 */
import type { Address } from "../../wire/address.ts";
import { Fan, type HotPath } from "../hot-path/hot-path.ts";

/** The payloads of one fan-out; their references are held until the outbox is drained. */
export class Cargo {
  readonly slots = new Int32Array(Fan.fragmentsMax);
  /** Where each lies in the hot path's memory, and its length. */
  readonly ptrs = new Uint32Array(Fan.fragmentsMax);
  readonly lengths = new Int32Array(Fan.fragmentsMax);
  count = 0;

  add(hot: HotPath, slot: number): void {
    const i = this.count++;
    hot.payloadRetain(slot);
    this.slots[i] = slot;
    this.ptrs[i] = hot.payloadPtr(slot);
    this.lengths[i] = hot.payloadLength(slot);
  }

  release(hot: HotPath): void {
    for (let i = 0; i < this.count; i++) hot.payloadRelease(this.slots[i] as number);
    this.count = 0;
  }
}

export class Train {
  to!: Address;
  line = 0;
  /** The first head in the hot path's memory; the others follow. */
  headPtr = 0;
  /** Bit i: the cargo's i-th payload is in it. The lowest bit's goes first. */
  bits = 0;
  cargo!: Cargo;
}
