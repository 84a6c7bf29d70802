/**
 * What a node wants done, in order: datagrams and events, until the driver polls them. Packet heads are written into
 * the hot path's header arena, so a driver can hand them to the system without another copy; the arena starts over
 * whenever the box has been drained, which the Node contract asks for after every mutation.
 */
import { assert } from "../../base/assert.ts";
import type { Address } from "../../wire/address.ts";
import { Fan, HEADER_ARENA_BYTES, type HotPath } from "../hot-path/hot-path.ts";
import { type Cargo, Train } from "./train.ts";

/**
 * A datagram to send: `head` bytes and, when `slot` is not 0, the payload of that slot right behind them. Both lie in
 * the hot path's memory; the driver gathers or copies them (or, in the simulator, retains the slot) before the next
 * poll.
 */
export interface Transmit {
  readonly kind: "transmit";
  to: Address;
  headPtr: number;
  headLength: number;
  slot: number;
  /** Of a node with several lines, the one it is to leave by (0 when absent). */
  line?: number;
}

export type Output<Event> = Transmit | { readonly kind: "event"; readonly event: Event };

/** The arena's end is kept for bytes on their way in (`scratchPtr`). */
const SCRATCH_BYTES = 2048;
const ROOM_BYTES = HEADER_ARENA_BYTES - SCRATCH_BYTES;
/** Datagrams that may wait for the driver: the arena filled with the smallest heads. */
const QUEUE_MAX = 16384;

export class Outbox<Event> {
  readonly #hot: HotPath;
  #queue: (QueuedDatagram | Train | Event)[] = [];
  #head = 0;
  #used = 0;
  readonly #transmit: Transmit;
  #lastSlot = 0;
  readonly #pool: QueuedDatagram[] = [];
  readonly #trains: Train[] = [];
  /** What the trains carry, its references held. */
  readonly #cargos: Cargo[] = [];
  datagrams = 0;
  bytes = 0;

  constructor(hot: HotPath) {
    this.#hot = hot;
    this.#transmit = {
      kind: "transmit",
      to: { family: 4, ip: "0.0.0.0", port: 0 },
      headPtr: 0,
      headLength: 0,
      slot: 0,
      line: 0,
    };
  }

  /** Where incoming bytes may be laid for the hot path to read, up to 2 KiB. */
  get scratchPtr(): number {
    return this.#hot.headerArenaPtr + ROOM_BYTES;
  }

  /** Whether a head of `bytes` still fits before the box is drained. */
  hasRoom(bytes: number): boolean {
    return this.#used + bytes <= ROOM_BYTES && this.#queue.length < QUEUE_MAX;
  }

  /** Pointer to write a head of at most `bytes` at; `commit` it with its true length. */
  reserve(bytes: number): number {
    assert(this.hasRoom(bytes), "outbox: no room, check hasRoom first");
    return this.#hot.headerArenaPtr + this.#used;
  }

  /** Queues the head written at the reserved place and, behind it, the payload of `slot` (0 = none). */
  commit(to: Address, headLength: number, slot: number, line = 0): void {
    const entry = this.#pool.pop() ?? new QueuedDatagram();
    entry.to = to;
    entry.headPtr = this.#hot.headerArenaPtr + this.#used;
    entry.headLength = headLength;
    entry.slot = slot;
    entry.line = line;
    if (slot !== 0) this.#hot.payloadRetain(slot);
    this.#used += headLength;
    this.#queue.push(entry);
    this.datagrams++;
    this.bytes += headLength + (slot === 0 ? 0 : this.#hot.payloadLength(slot));
  }

  /** Queues a small packet given as bytes; dropped when there is no room (it is unreliable by nature). */
  send(to: Address, packet: Uint8Array, line = 0): void {
    if (!this.hasRoom(packet.length)) return;
    this.#hot.bytes.set(packet, this.reserve(packet.length));
    this.commit(to, packet.length, 0, line);
  }

  /* ---------------------------------------------------------------- trains */

  /** How many heads of trains fit before the box is drained. */
  get roomForHeads(): number {
    const heads = Math.floor((ROOM_BYTES - this.#used) / Fan.headBytes);
    return this.#queue.length < QUEUE_MAX - Fan.receiversMax ? heads : 0;
  }

  /** `cargo` holds references, which are given back when the box is drained. */
  hold(cargo: Cargo): void {
    this.#cargos.push(cargo);
  }

  /** Queues a train of `count` heads written at the reserved place, `bytes` with its payloads. */
  commitTrain(
    to: Address,
    count: number,
    bits: number,
    cargo: Cargo,
    bytes: number,
    line: number,
  ): void {
    const train = this.#trains.pop() ?? new Train();
    train.to = to;
    train.line = line;
    train.headPtr = this.#hot.headerArenaPtr + this.#used;
    train.bits = bits;
    train.cargo = cargo;
    this.#used += count * Fan.headBytes;
    this.#queue.push(train);
    this.datagrams += count;
    this.bytes += bytes;
  }

  /** The next thing if that is a train, as a whole. Reused: take what you need before the next call. */
  pollTrain(): Train | undefined {
    const next = this.#queue[this.#head];
    if (!(next instanceof Train)) return undefined;
    this.#head++;
    this.#trains.push(next);
    return next;
  }

  event(event: Event): void {
    this.#queue.push(event);
  }

  poll(): Output<Event> | undefined {
    this.#releaseLast();
    if (this.#head === this.#queue.length) {
      this.#reset();
      return undefined;
    }
    const next = this.#queue[this.#head] as QueuedDatagram | Train | Event;
    if (next instanceof Train) return this.#firstOf(next);
    this.#head++;
    if (!(next instanceof QueuedDatagram)) return { kind: "event", event: next };
    this.#transmit.to = next.to;
    this.#transmit.headPtr = next.headPtr;
    this.#transmit.headLength = next.headLength;
    this.#transmit.slot = next.slot;
    this.#transmit.line = next.line;
    this.#lastSlot = next.slot;
    this.#pool.push(next);
    return this.#transmit;
  }

  /** A train's next datagram. */
  #firstOf(train: Train): Transmit {
    const i = 31 - Math.clz32(train.bits & -train.bits);
    this.#transmit.to = train.to;
    this.#transmit.headPtr = train.headPtr;
    this.#transmit.headLength = Fan.headBytes;
    this.#transmit.slot = train.cargo.slots[i] as number;
    this.#transmit.line = train.line;
    train.bits &= train.bits - 1;
    train.headPtr += Fan.headBytes;
    if (train.bits === 0) this.pollTrain();
    return this.#transmit;
  }

  #reset(): void {
    this.#queue.length = 0;
    this.#head = 0;
    this.#used = 0;
    for (let cargo = this.#cargos.pop(); cargo !== undefined; cargo = this.#cargos.pop()) {
      cargo.release(this.#hot);
    }
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  #releaseLast(): void {
    if (this.#lastSlot === 0) return;
    this.#hot.payloadRelease(this.#lastSlot);
    this.#lastSlot = 0;
  }
}

class QueuedDatagram {
  to!: Address;
  headPtr = 0;
  headLength = 0;
  slot = 0;
  line = 0;
}
