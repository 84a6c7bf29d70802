/**
 * One clock for all processes of a machine (CLOCK_MONOTONIC), ms: what one sends and another receives can be
 * subtracted. Bun's own clocks begin with each process. Linux with glibc only.
 */
import { dlopen, ptr } from "bun:ffi";

const CLOCK_MONOTONIC = 1;

export function monotonicClock(): () => number {
  const libc = dlopen("libc.so.6", {
    clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
  });
  const time = new BigInt64Array(2);
  const words = new Int32Array(time.buffer);
  const at = ptr(time);
  const { clock_gettime } = libc.symbols;
  return () => {
    clock_gettime(CLOCK_MONOTONIC, at);
    return (words[0] as number) * 1000 + (words[2] as number) / 1e6;
  };
}
