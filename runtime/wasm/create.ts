/**
 * The hot path that programs use. The module's bytes are part of the program text: `build-wasm` writes them as base64
 * into `build/hot-path-wasm.ts`, which every way of running (from source, bundled, compiled to one file) can import.
 */
import { HOT_PATH_WASM_BASE64 } from "../../build/hot-path-wasm.ts";
import type { InspectableHotPath } from "../core/hot-path/hot-path.ts";
import { createTwinHotPath } from "../core/hot-path/hot-path-twin.ts";
import { createWasmHotPath } from "./hot-path-wasm.ts";
import { MEMORY_MIB_DEFAULT } from "./load.ts";

export interface HotPathOptions {
  /** `wasm` is what ships; `twin` is its plain TypeScript oracle. */
  readonly kind?: "wasm" | "twin";
  /** Size of the whole memory, MiB, 2..1024; 64 by default. */
  readonly memoryMiB?: number;
}

let wasmBytes: Uint8Array<ArrayBuffer> | undefined;

export function createHotPath(options: HotPathOptions = {}): InspectableHotPath {
  const memoryMiB = options.memoryMiB ?? MEMORY_MIB_DEFAULT;
  if (options.kind === "twin") return createTwinHotPath({ memoryMiB });
  wasmBytes ??= Uint8Array.from(atob(HOT_PATH_WASM_BASE64), (char) => char.charCodeAt(0));
  return createWasmHotPath(wasmBytes, { memoryMiB });
}
