/**
 * Packets in flight, named by small integers. A packet is one record of one growing memory, with
 * its bytes among the rest when they are few, so that of a million of them each costs two lines of
 * the processor's cache; longer ones have their bytes elsewhere. A fragment's body is not copied
 * when sender and receiver share a hot path: the packet holds a reference to the slot instead, and
 * gives it back when it is freed.
 *
 *   0        4        8      12       16     20     24     28    32                  128
 *   +--------+--------+------+--------+------+------+------+-----+-------------------+
 *   | source | target | host | length | slot | long | tail | hot | bytes, up to 96   |
 *   +--------+--------+------+--------+------+------+------+-----+-------------------+
 */
import { assert } from "../../base/assert.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";

export const PACKET_BYTES_MAX = 1536;

const RECORD_BYTES = 128;
const RECORD_WORDS = RECORD_BYTES / 4;
/** Places in a record, words. */
const SOURCE = 0;
const TARGET = 1;
const HOST = 2;
const LENGTH = 3;
const SLOT = 4;
/** Item of the memory for longer packets, plus 1; 0 = the bytes are in the record. */
const LONG = 5;
/** Bytes of the slot's body. */
const TAIL = 6;
const HOT = 7;
/** Where the bytes begin, and how many have room. */
const BYTES_AT = 32;
const BYTES_MAX = RECORD_BYTES - BYTES_AT;

export class PacketPool {
  #capacity = 1024;
  #words = new Int32Array(this.#capacity * RECORD_WORDS);
  #bytes = new Uint8Array(this.#words.buffer);
  readonly #hots: HotPath[] = [];
  readonly #freePackets: number[] = [];
  #used = 0;
  readonly #long = new LongPackets();

  /** Packets in flight. */
  get size(): number {
    return this.#used - this.#freePackets.length;
  }

  /** A packet of `length` bytes, its content to be set by `write`. */
  allocate(source: number, target: number, host: number, length: number): number {
    assert(length <= PACKET_BYTES_MAX, "packet pool: packet too long");
    const packet = this.#freePackets.pop() ?? this.#grownBy1();
    const words = this.#words;
    const at = packet * RECORD_WORDS;
    words[at + SOURCE] = source;
    words[at + TARGET] = target;
    words[at + HOST] = host;
    words[at + LENGTH] = length;
    words[at + SLOT] = 0;
    words[at + TAIL] = 0;
    words[at + LONG] = length <= BYTES_MAX ? 0 : this.#long.take() + 1;
    return packet;
  }

  /** Copies `from[ptr, ptr+length)` to offset `at` of the packet. */
  write(packet: number, at: number, from: Uint8Array, ptr: number, length: number): void {
    const long = this.#word(packet, LONG);
    if (long !== 0) return this.#long.write(long - 1, at, from, ptr, length);
    const bytes = this.#bytes;
    const to = packet * RECORD_BYTES + BYTES_AT + at;
    for (let i = 0; i < length; i++) bytes[to + i] = from[ptr + i] as number;
  }

  /** The packet's tail lies in `slot` of `hot`: takes a reference. */
  holdSlot(packet: number, hot: HotPath, slot: number): void {
    hot.payloadRetain(slot);
    const at = packet * RECORD_WORDS;
    this.#words[at + SLOT] = slot;
    this.#words[at + TAIL] = hot.payloadLength(slot);
    this.#words[at + HOT] = this.#numberOf(hot);
  }

  /** A second packet like this one. */
  copy(packet: number): number {
    const length = this.length(packet);
    const ends = [this.source(packet), this.target(packet), this.host(packet)] as const;
    const twin = this.allocate(...ends, length);
    const bytes = new Uint8Array(length);
    this.read(packet, bytes);
    this.write(twin, 0, bytes, 0, length);
    const slot = this.slot(packet);
    if (slot !== 0) this.holdSlot(twin, this.#hots[this.#word(packet, HOT)] as HotPath, slot);
    return twin;
  }

  /** Copies the packet's own bytes (without its slot's) to the start of `target`. */
  read(packet: number, target: Uint8Array): void {
    const length = this.#word(packet, LENGTH);
    const long = this.#word(packet, LONG);
    if (long !== 0) return this.#long.read(long - 1, target, length);
    const bytes = this.#bytes;
    const from = packet * RECORD_BYTES + BYTES_AT;
    for (let i = 0; i < length; i++) target[i] = bytes[from + i] as number;
  }

  /** Index of the address it says it is from. */
  source(packet: number): number {
    return this.#word(packet, SOURCE);
  }

  /** Index of the address it was sent to, and the host that has that address. */
  target(packet: number): number {
    return this.#word(packet, TARGET);
  }

  host(packet: number): number {
    return this.#word(packet, HOST);
  }

  /** Of its own bytes, and of those in its slot. */
  length(packet: number): number {
    return this.#word(packet, LENGTH);
  }

  tailLength(packet: number): number {
    return this.#word(packet, TAIL);
  }

  slot(packet: number): number {
    return this.#word(packet, SLOT);
  }

  free(packet: number): void {
    const slot = this.slot(packet);
    if (slot !== 0) (this.#hots[this.#word(packet, HOT)] as HotPath).payloadRelease(slot);
    const long = this.#word(packet, LONG);
    if (long !== 0) this.#long.give(long - 1);
    this.#freePackets.push(packet);
  }

  #word(packet: number, place: number): number {
    return this.#words[packet * RECORD_WORDS + place] as number;
  }

  #numberOf(hot: HotPath): number {
    if (this.#hots[0] === hot) return 0;
    const at = this.#hots.indexOf(hot);
    return at < 0 ? this.#hots.push(hot) - 1 : at;
  }

  #grownBy1(): number {
    if (this.#used === this.#capacity) {
      this.#capacity *= 2;
      const words = new Int32Array(this.#capacity * RECORD_WORDS);
      words.set(this.#words);
      this.#words = words;
      this.#bytes = new Uint8Array(words.buffer);
    }
    return this.#used++;
  }
}

/** The bytes of packets too long for their record. */
class LongPackets {
  #bytes = new Uint8Array(PACKET_BYTES_MAX * 64);
  readonly #free: number[] = [];
  #used = 0;

  take(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if ((this.#used + 1) * PACKET_BYTES_MAX > this.#bytes.length) {
      const bytes = new Uint8Array(this.#bytes.length * 2);
      bytes.set(this.#bytes);
      this.#bytes = bytes;
    }
    return this.#used++;
  }

  give(item: number): void {
    this.#free.push(item);
  }

  write(item: number, at: number, from: Uint8Array, ptr: number, length: number): void {
    this.#bytes.set(from.subarray(ptr, ptr + length), item * PACKET_BYTES_MAX + at);
  }

  read(item: number, target: Uint8Array, length: number): void {
    const from = item * PACKET_BYTES_MAX;
    target.set(this.#bytes.subarray(from, from + length));
  }
}
