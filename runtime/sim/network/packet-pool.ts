/**
 * Packets in flight: their bytes in a few size classes of growing memory, everything else in typed
 * arrays, named by small integers. A fragment's body is not copied when sender and receiver share a
 * hot path: the packet holds a reference to the slot instead, and gives it back when it is freed.
 */
import { assert } from "../../base/assert.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";

/** Most packets carry a head of 21 B and a slot, or an ACK; the rest up to a whole datagram. */
const CLASS_BYTES = [64, 320, 1536] as const;
export const PACKET_BYTES_MAX = 1536;
const CLASS_BITS = 2;

export class PacketPool {
  #capacity = 1024;
  #sources = new Int32Array(this.#capacity);
  #targets = new Int32Array(this.#capacity);
  #receivers = new Int32Array(this.#capacity);
  #lengths = new Int32Array(this.#capacity);
  #slots = new Int32Array(this.#capacity);
  /** Index in its class's memory, shifted over the class. */
  #places = new Int32Array(this.#capacity);
  readonly #hots: (HotPath | undefined)[] = [];
  #freePackets: number[] = [];
  #used = 0;
  readonly #memories = CLASS_BYTES.map((bytes) => new ClassMemory(bytes));

  /** Packets in flight. */
  get size(): number {
    return this.#used - this.#freePackets.length;
  }

  /** A packet of `length` bytes, its content to be set by `write`. */
  allocate(source: number, target: number, host: number, length: number): number {
    assert(length <= PACKET_BYTES_MAX, "packet pool: packet too long");
    const packet = this.#freePackets.pop() ?? this.#grownBy1();
    const sizeClass = length <= CLASS_BYTES[0] ? 0 : length <= CLASS_BYTES[1] ? 1 : 2;
    this.#sources[packet] = source;
    this.#targets[packet] = target;
    this.#receivers[packet] = host;
    this.#lengths[packet] = length;
    this.#slots[packet] = 0;
    this.#places[packet] =
      ((this.#memories[sizeClass] as ClassMemory).take() << CLASS_BITS) | sizeClass;
    return packet;
  }

  /** Copies `from[ptr, ptr+length)` to offset `at` of the packet. */
  write(packet: number, at: number, from: Uint8Array, ptr: number, length: number): void {
    const place = this.#places[packet] as number;
    const memory = this.#memoryOf(place);
    memory.write((place >> CLASS_BITS) * memory.itemBytes + at, from, ptr, length);
  }

  /** The packet's tail lies in `slot` of `hot`: takes a reference. */
  holdSlot(packet: number, hot: HotPath, slot: number): void {
    hot.payloadRetain(slot);
    this.#slots[packet] = slot;
    this.#hots[packet] = hot;
  }

  /** A second packet like this one. */
  copy(packet: number): number {
    const length = this.length(packet);
    const ends = [this.source(packet), this.target(packet), this.host(packet)] as const;
    const twin = this.allocate(...ends, length);
    const place = this.#places[packet] as number;
    const memory = this.#memoryOf(place);
    this.write(twin, 0, memory.bytes, (place >> CLASS_BITS) * memory.itemBytes, length);
    const slot = this.slot(packet);
    if (slot !== 0) this.holdSlot(twin, this.#hots[packet] as HotPath, slot);
    return twin;
  }

  /** Copies the packet's own bytes (without its slot's) to the start of `target`. */
  read(packet: number, target: Uint8Array): void {
    const place = this.#places[packet] as number;
    const memory = this.#memoryOf(place);
    memory.read((place >> CLASS_BITS) * memory.itemBytes, target, this.length(packet));
  }

  /** Index of the address it says it is from. */
  source(packet: number): number {
    return this.#sources[packet] as number;
  }

  /** Index of the address it was sent to, and the host that has that address. */
  target(packet: number): number {
    return this.#targets[packet] as number;
  }

  host(packet: number): number {
    return this.#receivers[packet] as number;
  }

  length(packet: number): number {
    return this.#lengths[packet] as number;
  }

  slot(packet: number): number {
    return this.#slots[packet] as number;
  }

  free(packet: number): void {
    const slot = this.slot(packet);
    if (slot !== 0) (this.#hots[packet] as HotPath).payloadRelease(slot);
    this.#hots[packet] = undefined;
    const place = this.#places[packet] as number;
    this.#memoryOf(place).give(place >> CLASS_BITS);
    this.#freePackets.push(packet);
  }

  #memoryOf(place: number): ClassMemory {
    return this.#memories[place & ((1 << CLASS_BITS) - 1)] as ClassMemory;
  }

  #grownBy1(): number {
    if (this.#used === this.#capacity) {
      this.#capacity *= 2;
      this.#sources = grown(this.#sources);
      this.#targets = grown(this.#targets);
      this.#receivers = grown(this.#receivers);
      this.#lengths = grown(this.#lengths);
      this.#slots = grown(this.#slots);
      this.#places = grown(this.#places);
    }
    return this.#used++;
  }
}

/** Memory for items of one size. */
class ClassMemory {
  readonly itemBytes: number;
  bytes: Uint8Array;
  readonly #free: number[] = [];
  #used = 0;

  constructor(itemBytes: number) {
    this.itemBytes = itemBytes;
    this.bytes = new Uint8Array(itemBytes * 256);
  }

  take(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if ((this.#used + 1) * this.itemBytes > this.bytes.length) {
      const bytes = new Uint8Array(this.bytes.length * 2);
      bytes.set(this.bytes);
      this.bytes = bytes;
    }
    return this.#used++;
  }

  give(item: number): void {
    this.#free.push(item);
  }

  /* Heads are short: a loop beats making a view for `set`. */
  write(at: number, from: Uint8Array, ptr: number, length: number): void {
    const { bytes } = this;
    if (length > 64) bytes.set(from.subarray(ptr, ptr + length), at);
    else for (let i = 0; i < length; i++) bytes[at + i] = from[ptr + i] as number;
  }

  read(at: number, target: Uint8Array, length: number): void {
    const { bytes } = this;
    if (length > 64) target.set(bytes.subarray(at, at + length));
    else for (let i = 0; i < length; i++) target[i] = bytes[at + i] as number;
  }
}

function grown(from: Int32Array): Int32Array<ArrayBuffer> {
  const to = new Int32Array(from.length * 2);
  to.set(from);
  return to;
}
