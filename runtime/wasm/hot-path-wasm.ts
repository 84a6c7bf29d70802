/**
 * The WASM hot path behind the contract of `core/hot-path/hot-path.ts`. The methods only turn signed
 * results into unsigned ones and 0/1 into booleans; nothing here allocates per call.
 */
import { type InspectableHotPath, OUT_BYTES } from "../core/hot-path/hot-path.ts";
import { type HotPathExports, loadHotPath, MEMORY_MIB_DEFAULT } from "./load.ts";

export interface WasmHotPathOptions {
  /** Size of the whole memory, MiB, 2..1024. */
  readonly memoryMiB?: number;
}

export function createWasmHotPath(
  wasmBytes: Uint8Array<ArrayBuffer>,
  options: WasmHotPathOptions = {},
): InspectableHotPath {
  const loaded = loadHotPath(wasmBytes, options.memoryMiB ?? MEMORY_MIB_DEFAULT);
  return new WasmHotPath(loaded.exports, loaded.memory);
}

class WasmHotPath implements InspectableHotPath {
  readonly kind = "wasm";
  readonly bytes: Uint8Array;
  readonly outPtr: number;
  readonly out: Int32Array;
  readonly outF64: Float64Array;
  readonly headerArenaPtr: number;
  readonly #wasm: HotPathExports;

  constructor(wasm: HotPathExports, memory: WebAssembly.Memory) {
    this.#wasm = wasm;
    this.outPtr = wasm.outPtr();
    this.headerArenaPtr = wasm.headerArenaPtr();
    this.bytes = new Uint8Array(memory.buffer);
    this.out = new Int32Array(memory.buffer, this.outPtr, OUT_BYTES / 4);
    this.outF64 = new Float64Array(memory.buffer, this.outPtr, OUT_BYTES / 8);
  }

  memoryUsed(): number {
    return this.#wasm.memoryUsed();
  }

  payloadAlloc(length: number): number {
    return this.#wasm.payloadAlloc(length);
  }

  payloadPtr(slot: number): number {
    return this.#wasm.payloadPtr(slot);
  }

  payloadLength(slot: number): number {
    return this.#wasm.payloadLength(slot);
  }

  payloadRetain(slot: number): void {
    this.#wasm.payloadRetain(slot);
  }

  payloadRelease(slot: number): void {
    this.#wasm.payloadRelease(slot);
  }

  payloadBytesUsed(): number {
    return this.#wasm.payloadBytesUsed() >>> 0;
  }

  payloadBytesTotal(): number {
    return this.#wasm.payloadBytesTotal();
  }

  sessionOpen(): number {
    return this.#wasm.sessionOpen(0, 0);
  }

  sessionOpenAt(firstSent: number, firstReceived: number): number {
    return this.#wasm.sessionOpen(firstSent, firstReceived);
  }

  sessionClose(session: number): void {
    this.#wasm.sessionClose(session);
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
    return this.#wasm.packetSent(session, nowMs, kind, attempt, stream, key, size);
  }

  fanHeads(receivers: number, fragments: number, kind: number, nowMs: number, ptr: number): number {
    return this.#wasm.fanHeads(receivers, fragments, kind, nowMs, ptr);
  }

  bytesInFlight(session: number): number {
    return this.#wasm.bytesInFlight(session);
  }

  packetsInFlight(session: number): number {
    return this.#wasm.packetsInFlight(session);
  }

  ackParse(session: number, nowMs: number, ptr: number, length: number): number {
    return this.#wasm.ackParse(session, nowMs, ptr, length);
  }

  lossCheck(session: number, nowMs: number): number {
    return this.#wasm.lossCheck(session, nowMs);
  }

  lossDeadline(session: number): number {
    return this.#wasm.lossDeadline(session);
  }

  tailProbeDue(session: number, nowMs: number): boolean {
    return this.#wasm.tailProbeDue(session, nowMs) !== 0;
  }

  srttMs(session: number): number {
    return this.#wasm.srttMs(session);
  }

  rttVarMs(session: number): number {
    return this.#wasm.rttVarMs(session);
  }

  minRttMs(session: number): number {
    return this.#wasm.minRttMs(session);
  }

  latestRttMs(session: number): number {
    return this.#wasm.latestRttMs(session);
  }

  lossRate(session: number): number {
    return this.#wasm.lossRate(session);
  }

  repairCopies(session: number, nowMs: number, deadlineMs: number): number {
    return this.#wasm.repairCopies(session, nowMs, deadlineMs);
  }

  packetReceived(session: number, nowMs: number, number16: number): number {
    return this.#wasm.packetReceived(session, nowMs, number16);
  }

  ackPending(session: number): number {
    return this.#wasm.ackPending(session) >>> 0;
  }

  ackBuild(session: number, nowMs: number, ptr: number): number {
    return this.#wasm.ackBuild(session, nowMs, ptr);
  }

  storeOpen(capacity: number): number {
    return this.#wasm.storeOpen(capacity);
  }

  storeClose(store: number): void {
    this.#wasm.storeClose(store);
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
    return this.#wasm.fragmentInsert(store, number, index, total, flags, slot, nowMs);
  }

  fragmentSlot(store: number, number: number): number {
    return this.#wasm.fragmentSlot(store, number);
  }

  fragmentInfo(store: number, number: number): boolean {
    return this.#wasm.fragmentInfo(store, number) !== 0;
  }

  segmentSlots(store: number, first: number): number {
    return this.#wasm.segmentSlots(store, first);
  }

  holes(store: number, from: number, to: number, limit: number): number {
    return this.#wasm.holes(store, from, to, limit);
  }

  mapBuild(store: number, from: number, bits: number, ptr: number): number {
    return this.#wasm.mapBuild(store, from, bits, ptr);
  }

  storeOldest(store: number): number {
    return this.#wasm.storeOldest(store) >>> 0;
  }

  storeNext(store: number): number {
    return this.#wasm.storeNext(store) >>> 0;
  }

  evictBefore(store: number, number: number): number {
    return this.#wasm.evictBefore(store, number);
  }

  evictOlder(store: number, arrivedMs: number): number {
    return this.#wasm.evictOlder(store, arrivedMs);
  }
}
