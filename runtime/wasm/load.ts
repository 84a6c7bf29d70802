/**
 * Instantiates the hot path's module over a memory of its own: created here with initial = maximum, so that no view of
 * it is ever detached. Synchronous; the compiled module is kept, so further instances cost little.
 */

import type { InspectableHotPath } from "../core/hot-path/hot-path.ts";

/** A method of the contract as WASM exports it: booleans are 0 and 1. */
type Exported<F> = F extends (...given: infer Given) => infer Result
  ? (...given: Given) => Result extends boolean ? number : Result
  : never;

/** What stands in the memory is no export, and what the binding makes of exports. */
type Made = "kind" | "bytes" | "out" | "outF64" | "outPtr" | "headerArenaPtr" | "sessionOpenAt";

/** Exports of `assembly/index.ts`. u32 results arrive as signed numbers. */
export type HotPathExports = {
  readonly [Name in Exclude<keyof InspectableHotPath, Made | "sessionOpen">]: Exported<
    InspectableHotPath[Name]
  >;
} & {
  init(): void;
  outPtr(): number;
  headerArenaPtr(): number;
  sessionOpen(firstSent: number, firstReceived: number): number;
};

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
