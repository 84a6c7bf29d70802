/**
 * The hot path in plain TypeScript: the oracle that the WASM is tested against, and a stand-in where speed and
 * memory do not matter. Only payloads, results and packet headers live in `bytes`; the rest are ordinary objects.
 */
import { assert } from "../../base/assert.ts";
import {
  Fan,
  HEADER_ARENA_BYTES,
  type InspectableHotPath,
  MAX_SESSIONS,
  MAX_STORES,
  OUT_BYTES,
  Settled,
  Status,
} from "./hot-path.ts";
import { TwinFan } from "./hot-path-twin-fan.ts";
import { type AckParts, TwinReceiving } from "./hot-path-twin-receiving.ts";
import { type Outcome, TwinSending } from "./hot-path-twin-sending.ts";
import { TwinSlab } from "./hot-path-twin-slab.ts";
import { TwinStore } from "./hot-path-twin-store.ts";

export interface TwinOptions {
  /** Size of the memory that payloads come from, MiB; 64 by default. */
  readonly memoryMiB?: number;
}

export function createTwinHotPath(options: TwinOptions = {}): InspectableHotPath {
  return new TwinHotPath(Math.floor((options.memoryMiB ?? 64) * 1024 * 1024));
}

/** Rough figures for `memoryUsed`: what such an object costs in a JavaScript engine. */
const SESSION_BYTES = 1024;
const STORE_BYTES = 1024;

const ACK_FIXED_BYTES = 15;
const ACK_BITMAP_BYTES_MAX = 128;
const MAX_HOLES = 4096;
const NO_LIMIT = 0xffffffff;

interface TwinSession {
  readonly sending: TwinSending;
  readonly receiving: TwinReceiving;
}

class TwinHotPath implements InspectableHotPath {
  readonly kind = "twin";
  readonly bytes: Uint8Array;
  readonly outPtr = 64;
  readonly out: Int32Array;
  readonly outF64: Float64Array;
  readonly headerArenaPtr = 64 + OUT_BYTES;
  readonly #view: DataView;
  readonly #slab: TwinSlab;
  readonly #sessions = new Map<number, TwinSession>();
  readonly #stores = new Map<number, TwinStore>();
  #lastHandle = 0;

  constructor(bytes: number) {
    const buffer = new ArrayBuffer(bytes);
    this.bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.out = new Int32Array(buffer, this.outPtr, OUT_BYTES / 4);
    this.outF64 = new Float64Array(buffer, this.outPtr, OUT_BYTES / 8);
    this.#slab = new TwinSlab(this.headerArenaPtr + HEADER_ARENA_BYTES, bytes);
  }

  memoryUsed(): number {
    const objects = this.#sessions.size * SESSION_BYTES + this.#stores.size * STORE_BYTES;
    return objects + this.#slab.bytesUsed;
  }

  payloadAlloc(length: number): number {
    return this.#slab.alloc(length);
  }

  payloadPtr(slot: number): number {
    return this.#slab.ptr(slot);
  }

  payloadLength(slot: number): number {
    return this.#slab.length(slot);
  }

  payloadRetain(slot: number): void {
    this.#slab.retain(slot);
  }

  payloadRelease(slot: number): void {
    this.#slab.release(slot);
  }

  payloadBytesUsed(): number {
    return this.#slab.bytesUsed;
  }

  payloadBytesTotal(): number {
    return this.#slab.bytesTotal;
  }

  sessionOpen(): number {
    return this.sessionOpenAt(0, 0);
  }

  sessionOpenAt(firstSent: number, firstReceived: number): number {
    if (this.#sessions.size === MAX_SESSIONS) return Status.full;
    this.#lastHandle++;
    this.#sessions.set(this.#lastHandle, {
      sending: new TwinSending(firstSent),
      receiving: new TwinReceiving(firstReceived),
    });
    return this.#lastHandle;
  }

  sessionClose(session: number): void {
    assert(this.#sessions.delete(session), "session handle");
  }

  packetSent(
    session: number,
    nowMs: number,
    kind: number,
    attempt: number,
    stream: number,
    key: number,
    size: number,
  ): number {
    const { sending } = this.#session(session);
    assert((kind | attempt) >>> 8 === 0, "packet field out of range");
    assert((stream | size) >>> 16 === 0, "packet field out of range");
    return sending.send({ sentAt: nowMs, kind, attempt, stream, key, size });
  }

  fanHeads(receivers: number, fragments: number, kind: number, nowMs: number, ptr: number): number {
    assert(receivers <= Fan.receiversMax && fragments <= Fan.fragmentsMax, "fan-out too large");
    assert(kind >>> 8 === 0, "packet field out of range");
    const fan = new TwinFan(this.out, this.outF64, this.#view);
    let at = ptr;
    for (let i = 0; i < receivers; i++) {
      const handle = fan.sessionOf(i);
      at = fan.send(i, this.#session(handle).sending, fragments, kind, nowMs, at);
      fan.setDeadline(i, this.lossDeadline(handle));
    }
    return (at - ptr) / Fan.headBytes;
  }

  bytesInFlight(session: number): number {
    return this.#session(session).sending.bytesInFlight;
  }

  packetsInFlight(session: number): number {
    return this.#session(session).sending.packetsInFlight;
  }

  ackParse(session: number, nowMs: number, ptr: number, length: number): number {
    const { sending } = this.#session(session);
    const ack = this.#readAck(ptr, length);
    if (ack === undefined) return Status.malformed;
    const outcome = sending.acknowledge(nowMs, ack);
    if (outcome === undefined) return Status.malformed;
    this.#writeOutcome(outcome);
    this.out[Settled.receiverClock] = ack.clock;
    this.out[Settled.ackDelay] = ack.delayTicks;
    return outcome.acked.length + outcome.lost.length;
  }

  lossCheck(session: number, nowMs: number): number {
    const outcome = this.#session(session).sending.checkLosses(nowMs);
    this.#writeOutcome(outcome);
    return outcome.lost.length;
  }

  lossDeadline(session: number): number {
    return this.#session(session).sending.deadline();
  }

  tailProbeDue(session: number, nowMs: number): boolean {
    return this.#session(session).sending.probeDue(nowMs);
  }

  srttMs(session: number): number {
    return this.#session(session).sending.srtt;
  }

  rttVarMs(session: number): number {
    return this.#session(session).sending.rttVar;
  }

  minRttMs(session: number): number {
    return this.#session(session).sending.minRtt;
  }

  latestRttMs(session: number): number {
    return this.#session(session).sending.latestRtt;
  }

  lossRate(session: number): number {
    return this.#session(session).sending.lossRate;
  }

  repairCopies(session: number, nowMs: number, deadlineMs: number): number {
    return this.#session(session).sending.copies(nowMs, deadlineMs);
  }

  packetReceived(session: number, nowMs: number, number16: number): number {
    return this.#session(session).receiving.receive(nowMs, number16);
  }

  ackPending(session: number): number {
    return this.#session(session).receiving.pending;
  }

  ackBuild(session: number, nowMs: number, ptr: number): number {
    const ack = this.#session(session).receiving.acknowledge(nowMs);
    return ack === undefined ? 0 : this.#writeAck(ack, ptr);
  }

  storeOpen(capacity: number): number {
    assert(capacity >= 64 && capacity <= 32768, "store capacity");
    assert((capacity & (capacity - 1)) === 0, "store capacity");
    if (this.#stores.size === MAX_STORES) return Status.full;
    this.#lastHandle++;
    this.#stores.set(this.#lastHandle, new TwinStore(capacity, this.#slab));
    return this.#lastHandle;
  }

  storeClose(store: number): void {
    this.#store(store).close();
    this.#stores.delete(store);
  }

  fragmentInsert(
    store: number,
    number: number,
    index: number,
    total: number,
    flags: number,
    slot: number,
    nowMs: number,
  ): number {
    const target = this.#store(store);
    this.#slab.check(slot);
    assert(flags >>> 8 === 0, "fragment flags");
    return target.insert(number, index, total, flags, slot, nowMs);
  }

  fragmentSlot(store: number, number: number): number {
    return this.#store(store).fragment(number)?.slot ?? 0;
  }

  fragmentInfo(store: number, number: number): boolean {
    const fragment = this.#store(store).fragment(number);
    if (fragment === undefined) return false;
    this.out.set([fragment.index, fragment.total, fragment.flags]);
    return true;
  }

  segmentSlots(store: number, first: number): number {
    const slots = this.#store(store).segment(first);
    this.out.set(slots);
    return slots.length;
  }

  holes(store: number, from: number, to: number, limit: number): number {
    const numbers = this.#store(store).holes(from, to, Math.min(limit, MAX_HOLES));
    this.out.set(numbers);
    return numbers.length;
  }

  mapBuild(store: number, from: number, bits: number, ptr: number): number {
    const source = this.#store(store);
    const length = Math.ceil(bits / 8);
    this.bytes.fill(0, ptr, ptr + length);
    for (let i = 0; i < bits; i++) {
      if (!source.has((from + i) >>> 0)) continue;
      const at = ptr + (i >> 3);
      this.bytes[at] = (this.bytes[at] ?? 0) | (1 << (i & 7));
    }
    return length;
  }

  storeOldest(store: number): number {
    return this.#store(store).oldest;
  }

  storeNext(store: number): number {
    return this.#store(store).next;
  }

  evictBefore(store: number, number: number): number {
    return this.#store(store).evictBefore(number);
  }

  evictOlder(store: number, arrivedMs: number): number {
    return this.#store(store).evictOlder(arrivedMs);
  }

  #session(handle: number): TwinSession {
    const session = this.#sessions.get(handle);
    assert(session !== undefined, "session handle");
    return session;
  }

  #store(handle: number): TwinStore {
    const store = this.#stores.get(handle);
    assert(store !== undefined, "store handle");
    return store;
  }

  #readAck(ptr: number, length: number): AckParts | undefined {
    if (length < ACK_FIXED_BYTES) return undefined;
    const count = this.#view.getUint8(ptr + 14);
    if (count > ACK_BITMAP_BYTES_MAX || length !== ACK_FIXED_BYTES + count) return undefined;
    return {
      largest: this.#view.getUint32(ptr),
      delayTicks: this.#view.getUint16(ptr + 4),
      clock: this.#view.getUint32(ptr + 6),
      bitmap: this.bytes.slice(ptr + ACK_FIXED_BYTES, ptr + length),
    };
  }

  #writeAck(ack: AckParts, ptr: number): number {
    this.#view.setUint32(ptr, ack.largest);
    this.#view.setUint16(ptr + 4, ack.delayTicks);
    this.#view.setUint32(ptr + 6, ack.clock);
    this.#view.setUint32(ptr + 10, NO_LIMIT);
    this.#view.setUint8(ptr + 14, ack.bitmap.length);
    this.bytes.set(ack.bitmap, ptr + ACK_FIXED_BYTES);
    return ACK_FIXED_BYTES + ack.bitmap.length;
  }

  #writeOutcome(outcome: Outcome): void {
    const out = this.out;
    out.fill(0, 0, Settled.entriesAt / 4);
    out[Settled.acked] = outcome.acked.length;
    out[Settled.lost] = outcome.lost.length;
    out[Settled.bytesAcked] = outcome.acked.reduce((sum, packet) => sum + packet.size, 0);
    out[Settled.bytesLost] = outcome.lost.reduce((sum, packet) => sum + packet.size, 0);
    out[Settled.spurious] = outcome.spurious;
    out[Settled.largestIsNew] = outcome.largestSentAt === undefined ? 0 : 1;
    this.outF64[Settled.largestSentF64] = outcome.largestSentAt ?? 0;
    let at = Settled.entriesAt;
    for (const packet of [...outcome.acked, ...outcome.lost]) {
      const { kind, attempt, stream, key, size, number, sentAt } = packet;
      out.set([kind, attempt, stream, key, size, number], at / 4);
      this.outF64[at / 8 + 3] = sentAt;
      at += Settled.entryBytes;
    }
  }
}
