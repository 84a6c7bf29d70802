/**
 * Datagrams on their way to the system: each one's head and payload are copied behind each other
 * into a place of a fixed buffer, so that the node's memory may change as soon as `add` returns.
 * Places and their views are reused; a batch in steady use allocates nothing.
 */
import { assert } from "../base/assert.ts";
import type { HotPath } from "../core/hot-path.ts";
import type { Transmit } from "../core/outbox.ts";
import type { Address } from "../wire/address.ts";

/** Longest UDP payload that can be added; the protocol's own limit is 1,200 B. */
export const DATAGRAM_BYTES_MAX = 1472;
const BATCH_DATAGRAMS = 64;

export class DatagramBatch {
  readonly capacity: number;
  /** All places, one behind the other. */
  readonly bytes: Uint8Array;
  readonly #views: Uint8Array[] = [];
  readonly #to: Address[] = [];
  #count = 0;

  constructor(capacity = BATCH_DATAGRAMS) {
    this.capacity = capacity;
    this.bytes = new Uint8Array(capacity * DATAGRAM_BYTES_MAX);
  }

  /** Where the i-th datagram begins in `bytes`. */
  placeOf(i: number): number {
    return i * DATAGRAM_BYTES_MAX;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === this.capacity;
  }

  /** The i-th datagram's bytes and destination, i < count; valid until the next `clear`. */
  data(i: number): Uint8Array {
    return this.#views[i] as Uint8Array;
  }

  to(i: number): Address {
    return this.#to[i] as Address;
  }

  /** Gathers a transmit of a node from its hot path. */
  addTransmit(transmit: Transmit, hot: HotPath): void {
    const { headPtr, headLength, slot } = transmit;
    const tail = slot === 0 ? 0 : hot.payloadLength(slot);
    const at = this.#place(transmit.to, headLength + tail);
    this.bytes.set(hot.bytes.subarray(headPtr, headPtr + headLength), at);
    if (slot === 0) return;
    const ptr = hot.payloadPtr(slot);
    this.bytes.set(hot.bytes.subarray(ptr, ptr + tail), at + headLength);
  }

  add(to: Address, data: Uint8Array): void {
    this.bytes.set(data, this.#place(to, data.length));
  }

  clear(): void {
    this.#count = 0;
  }

  /** Takes the next place for `length` bytes and gives its offset. */
  #place(to: Address, length: number): number {
    assert(!this.isFull, "datagram batch: full");
    assert(length <= DATAGRAM_BYTES_MAX, "datagram batch: datagram too long");
    const i = this.#count++;
    const at = this.placeOf(i);
    this.#to[i] = to;
    if (this.#views[i]?.length !== length) this.#views[i] = this.bytes.subarray(at, at + length);
    return at;
  }
}
