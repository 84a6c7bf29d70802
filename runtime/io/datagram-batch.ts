/**
 * Datagrams on their way to the system. Heads are copied into fixed places, because the node's arena starts over before
 * the batch leaves; a payload stays where it is, held by a reference, for a system call to gather it from there, and is
 * copied behind its head only for a socket that wants the bytes in one piece. Places and their views are reused; a
 * batch in steady use allocates nothing.
 *
 *   bytes:  | head, payload if asked for (1,472 B) | head … |        hot path's memory:  … | payload | …
 */
import { assert } from "../base/assert.ts";
import type { HotPath } from "../core/hot-path/hot-path.ts";
import type { Transmit } from "../core/session/outbox.ts";
import type { Address } from "../wire/address.ts";

/** Longest UDP payload that can be added; the protocol's own limit is 1,200 B. */
export const DATAGRAM_BYTES_MAX = 1472;
const BATCH_DATAGRAMS = 64;
/** Up to here a loop copies faster than a call does. */
const SMALL_HEAD = 64;

export class DatagramBatch {
  readonly capacity: number;
  /** All places, one behind the other. */
  readonly bytes: Uint8Array;
  readonly #views: Uint8Array[] = [];
  readonly #to: Address[] = [];
  readonly #heads: Int32Array;
  readonly #bodies: Int32Array;
  /** Payload of each datagram, 0 = it lies behind its head. */
  readonly #slots: Int32Array;
  #hot: HotPath | undefined;
  #count = 0;

  constructor(capacity = BATCH_DATAGRAMS) {
    this.capacity = capacity;
    this.bytes = new Uint8Array(capacity * DATAGRAM_BYTES_MAX);
    this.#heads = new Int32Array(capacity);
    this.#bodies = new Int32Array(capacity);
    this.#slots = new Int32Array(capacity);
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === this.capacity;
  }

  /** The hot path whose memory the payloads lie in; undefined as long as there are none. */
  get hot(): HotPath | undefined {
    return this.#hot;
  }

  /* Of the i-th datagram, i < count; valid until the next `clear`. */

  to(i: number): Address {
    return this.#to[i] as Address;
  }

  length(i: number): number {
    return (this.#heads[i] as number) + (this.#bodies[i] as number);
  }

  /** Where it begins in `bytes`, and how much of it lies there at least. */
  placeOf(i: number): number {
    return i * DATAGRAM_BYTES_MAX;
  }

  headLength(i: number): number {
    return this.#heads[i] as number;
  }

  /** Bytes that lie in the hot path's memory, at `bodyPtr`. */
  bodyLength(i: number): number {
    return this.#bodies[i] as number;
  }

  bodyPtr(i: number): number {
    const slot = this.#slots[i] as number;
    return slot === 0 ? 0 : (this.#hot as HotPath).payloadPtr(slot);
  }

  /** All its bytes in one piece. */
  data(i: number): Uint8Array {
    if ((this.#bodies[i] as number) > 0) this.#join(i);
    const length = this.#heads[i] as number;
    const at = this.placeOf(i);
    if (this.#views[i]?.length !== length) this.#views[i] = this.bytes.subarray(at, at + length);
    return this.#views[i] as Uint8Array;
  }

  /* ---------------------------------------------------------------- filling */

  /** Takes over a transmit of a node; its payload is held until `clear`. */
  addTransmit(transmit: Transmit, hot: HotPath): void {
    const { headPtr, headLength, slot } = transmit;
    const tail = slot === 0 ? 0 : hot.payloadLength(slot);
    const i = this.#place(transmit.to, headLength + tail);
    const { bytes } = this;
    const source = hot.bytes;
    const at = this.placeOf(i);
    if (headLength <= SMALL_HEAD) {
      for (let k = 0; k < headLength; k++) bytes[at + k] = source[headPtr + k] as number;
    } else bytes.set(source.subarray(headPtr, headPtr + headLength), at);
    this.#heads[i] = headLength;
    if (slot === 0) return;
    assert(this.#hot === undefined || this.#hot === hot, "datagram batch: two memories");
    this.#hot = hot;
    hot.payloadRetain(slot);
    this.#slots[i] = slot;
    this.#bodies[i] = tail;
  }

  add(to: Address, data: Uint8Array): void {
    const i = this.#place(to, data.length);
    this.bytes.set(data, this.placeOf(i));
    this.#heads[i] = data.length;
  }

  clear(): void {
    for (let i = 0; i < this.#count; i++) this.#letGo(i);
    this.#count = 0;
  }

  /** Takes the next place for `length` bytes. */
  #place(to: Address, length: number): number {
    assert(!this.isFull, "datagram batch: full");
    assert(length <= DATAGRAM_BYTES_MAX, "datagram batch: datagram too long");
    const i = this.#count++;
    this.#to[i] = to;
    return i;
  }

  /** Copies the payload behind the head. */
  #join(i: number): void {
    const hot = this.#hot as HotPath;
    const ptr = this.bodyPtr(i);
    const head = this.#heads[i] as number;
    const body = this.#bodies[i] as number;
    this.bytes.set(hot.bytes.subarray(ptr, ptr + body), this.placeOf(i) + head);
    this.#letGo(i);
    this.#heads[i] = head + body;
  }

  #letGo(i: number): void {
    const slot = this.#slots[i] as number;
    if (slot === 0) return;
    (this.#hot as HotPath).payloadRelease(slot);
    this.#slots[i] = 0;
    this.#bodies[i] = 0;
  }
}
