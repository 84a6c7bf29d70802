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

  /* Exports whose results need no conversion are the methods themselves. */
  readonly memoryUsed: HotPathExports["memoryUsed"];
  readonly payloadAlloc: HotPathExports["payloadAlloc"];
  readonly payloadPtr: HotPathExports["payloadPtr"];
  readonly payloadLength: HotPathExports["payloadLength"];
  readonly payloadRetain: HotPathExports["payloadRetain"];
  readonly payloadRelease: HotPathExports["payloadRelease"];
  readonly payloadBytesTotal: HotPathExports["payloadBytesTotal"];
  readonly sessionClose: HotPathExports["sessionClose"];
  readonly packetSent: HotPathExports["packetSent"];
  readonly fanHeads: HotPathExports["fanHeads"];
  readonly bytesInFlight: HotPathExports["bytesInFlight"];
  readonly packetsInFlight: HotPathExports["packetsInFlight"];
  readonly ackParse: HotPathExports["ackParse"];
  readonly lossCheck: HotPathExports["lossCheck"];
  readonly lossDeadline: HotPathExports["lossDeadline"];
  readonly srttMs: HotPathExports["srttMs"];
  readonly rttVarMs: HotPathExports["rttVarMs"];
  readonly minRttMs: HotPathExports["minRttMs"];
  readonly latestRttMs: HotPathExports["latestRttMs"];
  readonly lossRate: HotPathExports["lossRate"];
  readonly repairCopies: HotPathExports["repairCopies"];
  readonly packetReceived: HotPathExports["packetReceived"];
  readonly ackBuild: HotPathExports["ackBuild"];
  readonly storeOpen: HotPathExports["storeOpen"];
  readonly storeClose: HotPathExports["storeClose"];
  readonly fragmentInsert: HotPathExports["fragmentInsert"];
  readonly fragmentSlot: HotPathExports["fragmentSlot"];
  readonly segmentSlots: HotPathExports["segmentSlots"];
  readonly holes: HotPathExports["holes"];
  readonly mapBuild: HotPathExports["mapBuild"];
  readonly evictBefore: HotPathExports["evictBefore"];
  readonly evictOlder: HotPathExports["evictOlder"];

  constructor(wasm: HotPathExports, memory: WebAssembly.Memory) {
    this.#wasm = wasm;
    this.outPtr = wasm.outPtr();
    this.headerArenaPtr = wasm.headerArenaPtr();
    this.bytes = new Uint8Array(memory.buffer);
    this.out = new Int32Array(memory.buffer, this.outPtr, OUT_BYTES / 4);
    this.outF64 = new Float64Array(memory.buffer, this.outPtr, OUT_BYTES / 8);
    this.memoryUsed = wasm.memoryUsed;
    this.payloadAlloc = wasm.payloadAlloc;
    this.payloadPtr = wasm.payloadPtr;
    this.payloadLength = wasm.payloadLength;
    this.payloadRetain = wasm.payloadRetain;
    this.payloadRelease = wasm.payloadRelease;
    this.payloadBytesTotal = wasm.payloadBytesTotal;
    this.sessionClose = wasm.sessionClose;
    this.packetSent = wasm.packetSent;
    this.fanHeads = wasm.fanHeads;
    this.bytesInFlight = wasm.bytesInFlight;
    this.packetsInFlight = wasm.packetsInFlight;
    this.ackParse = wasm.ackParse;
    this.lossCheck = wasm.lossCheck;
    this.lossDeadline = wasm.lossDeadline;
    this.srttMs = wasm.srttMs;
    this.rttVarMs = wasm.rttVarMs;
    this.minRttMs = wasm.minRttMs;
    this.latestRttMs = wasm.latestRttMs;
    this.lossRate = wasm.lossRate;
    this.repairCopies = wasm.repairCopies;
    this.packetReceived = wasm.packetReceived;
    this.ackBuild = wasm.ackBuild;
    this.storeOpen = wasm.storeOpen;
    this.storeClose = wasm.storeClose;
    this.fragmentInsert = wasm.fragmentInsert;
    this.fragmentSlot = wasm.fragmentSlot;
    this.segmentSlots = wasm.segmentSlots;
    this.holes = wasm.holes;
    this.mapBuild = wasm.mapBuild;
    this.evictBefore = wasm.evictBefore;
    this.evictOlder = wasm.evictOlder;
  }

  payloadBytesUsed(): number {
    return this.#wasm.payloadBytesUsed() >>> 0;
  }

  sessionOpen(): number {
    return this.#wasm.sessionOpen(0, 0);
  }

  sessionOpenAt(firstSent: number, firstReceived: number): number {
    return this.#wasm.sessionOpen(firstSent, firstReceived);
  }

  tailProbeDue(session: number, nowMs: number): boolean {
    return this.#wasm.tailProbeDue(session, nowMs) !== 0;
  }

  ackPending(session: number): number {
    return this.#wasm.ackPending(session) >>> 0;
  }

  fragmentInfo(store: number, number: number): boolean {
    return this.#wasm.fragmentInfo(store, number) !== 0;
  }

  storeOldest(store: number): number {
    return this.#wasm.storeOldest(store) >>> 0;
  }

  storeNext(store: number): number {
    return this.#wasm.storeNext(store) >>> 0;
  }
}
