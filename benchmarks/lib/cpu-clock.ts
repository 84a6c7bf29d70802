/**
 * CPU time of the calling thread, ns: what other programs on a shared machine do to the wall clock does not show in it.
 * Undefined where it cannot be had (no Linux with glibc, or a runtime without FFI).
 */
import { dlopen, ptr } from "bun:ffi";

const CLOCK_THREAD_CPUTIME_ID = 3;

export function threadCpuClock(): (() => number) | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const libc = dlopen("libc.so.6", {
      clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
    });
    const time = new BigInt64Array(2);
    const words = new Int32Array(time.buffer);
    const at = ptr(time);
    const { clock_gettime } = libc.symbols;
    return () => {
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, at);
      return (words[0] as number) * 1e9 + (words[2] as number);
    };
  } catch {
    return undefined;
  }
}
