/**
 * Instantiates the hot path's module over a memory of its own: created here with initial = maximum, so that no view of
 * it is ever detached. Synchronous; the compiled module is kept, so further instances cost little.
 */

/** Exports of `assembly/index.ts`. u32 results arrive as signed numbers. */
export interface HotPathExports {
  init(): void;
  outPtr(): number;
  headerArenaPtr(): number;
  memoryUsed(): number;
  payloadAlloc(length: number): number;
  payloadPtr(slot: number): number;
  payloadLength(slot: number): number;
  payloadRetain(slot: number): void;
  payloadRelease(slot: number): void;
  payloadBytesUsed(): number;
  payloadBytesTotal(): number;
  sessionOpen(firstSent: number, firstReceived: number): number;
  sessionClose(session: number): void;
  packetSent(
    session: number,
    nowMs: number,
    kind: number,
    attempt: number,
    stream: number,
    key: number,
    size: number,
  ): number;
  fanHeads(receivers: number, fragments: number, kind: number, nowMs: number, ptr: number): number;
  bytesInFlight(session: number): number;
  packetsInFlight(session: number): number;
  ackParse(session: number, nowMs: number, ptr: number, length: number): number;
  lossCheck(session: number, nowMs: number): number;
  lossDeadline(session: number): number;
  tailProbeDue(session: number, nowMs: number): number;
  srttMs(session: number): number;
  rttVarMs(session: number): number;
  minRttMs(session: number): number;
  latestRttMs(session: number): number;
  lossRate(session: number): number;
  repairCopies(session: number, nowMs: number, deadlineMs: number): number;
  packetReceived(session: number, nowMs: number, number16: number): number;
  ackPending(session: number): number;
  ackBuild(session: number, nowMs: number, ptr: number): number;
  storeOpen(capacity: number): number;
  storeClose(store: number): void;
  fragmentInsert(
    store: number,
    number: number,
    index: number,
    total: number,
    flags: number,
    slot: number,
    nowMs: number,
  ): number;
  fragmentSlot(store: number, number: number): number;
  fragmentInfo(store: number, number: number): number;
  segmentSlots(store: number, first: number): number;
  holes(store: number, from: number, to: number, limit: number): number;
  mapBuild(store: number, from: number, bits: number, ptr: number): number;
  storeOldest(store: number): number;
  storeNext(store: number): number;
  evictBefore(store: number, number: number): number;
  evictOlder(store: number, arrivedMs: number): number;
}

export const MEMORY_MIB_DEFAULT = 64;
export const MEMORY_MIB_MIN = 2;
export const MEMORY_MIB_MAX = 1024;

const PAGES_PER_MIB = 16;

/** An assertion of the WASM side failed: misuse of a handle, or a bug. */
export class HotPathAbort extends Error {
  override readonly name = "HotPathAbort";
}

const compiled = new WeakMap<Uint8Array, WebAssembly.Module>();

/** @throws RangeError when `memoryMiB` is out of bounds. */
export function loadHotPath(
  wasmBytes: Uint8Array<ArrayBuffer>,
  memoryMiB: number,
): { exports: HotPathExports; memory: WebAssembly.Memory } {
  if (!(memoryMiB >= MEMORY_MIB_MIN && memoryMiB <= MEMORY_MIB_MAX)) {
    throw new RangeError(`memoryMiB must be ${MEMORY_MIB_MIN}..${MEMORY_MIB_MAX}: ${memoryMiB}`);
  }
  const pages = Math.floor(memoryMiB * PAGES_PER_MIB);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const abort = (message: number, file: number, line: number, column: number): never => {
    const text = stringAt(memory, message) || "assertion failed";
    throw new HotPathAbort(`${text} (${stringAt(memory, file)}:${line}:${column})`);
  };
  let module = compiled.get(wasmBytes);
  if (module === undefined) {
    module = new WebAssembly.Module(wasmBytes);
    compiled.set(wasmBytes, module);
  }
  const instance = new WebAssembly.Instance(module, { env: { memory, abort } });
  const exports = instance.exports as unknown as HotPathExports;
  exports.init();
  return { exports, memory };
}

/** A string constant of AssemblyScript: UTF-16, its length in bytes in the word before it. */
function stringAt(memory: WebAssembly.Memory, ptr: number): string {
  if (ptr === 0) return "";
  const view = new DataView(memory.buffer);
  const bytes = view.getUint32(ptr - 4, true);
  let text = "";
  for (let at = 0; at < bytes; at += 2) text += String.fromCharCode(view.getUint16(ptr + at, true));
  return text;
}
