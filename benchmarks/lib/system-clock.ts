/** The system's clocks as C programs read them (clock_gettime(2)); Linux with glibc only. */
import { dlopen, ptr } from "bun:ffi";

const CLOCK_MONOTONIC = 1;
const CLOCK_THREAD_CPUTIME_ID = 3;

/**
 * One clock for all processes of a machine, ms: what one sends and another receives can be subtracted. Bun's own clocks
 * begin with each process.
 */
export function monotonicClock(): () => number {
  const read = clock(CLOCK_MONOTONIC);
  return () => read() / 1e6;
}

/**
 * CPU time of the calling thread, ns: what other programs on a shared machine do to the wall clock does not show in it.
 * Undefined where it cannot be had (no Linux with glibc, or a runtime without FFI).
 */
export function threadCpuClock(): (() => number) | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    return clock(CLOCK_THREAD_CPUTIME_ID);
  } catch {
    return undefined;
  }
}

/** Reads a clock, ns. */
function clock(id: number): () => number {
  const libc = dlopen("libc.so.6", {
    clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
  });
  const time = new BigInt64Array(2);
  const words = new Int32Array(time.buffer);
  const at = ptr(time);
  const { clock_gettime } = libc.symbols;
  return () => {
    clock_gettime(id, at);
    return (words[0] as number) * 1e9 + (words[2] as number);
  };
}
