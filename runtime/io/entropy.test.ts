import { expect, test } from "bun:test";
import { systemRandom } from "./entropy.ts";

test("numbers are in range and do not repeat from block to block", () => {
  const seen = new Set<number>();
  for (let i = 0; i < 5000; i++) seen.add(systemRandom.uint32());
  expect(seen.size).toBeGreaterThan(4990); /* 5,000 draws of 2^32: fewer than one pair expected */
  for (let i = 0; i < 100; i++) {
    const value = systemRandom.next();
    expect(value >= 0 && value < 1).toBe(true);
    expect(systemRandom.below(7)).toBeLessThan(7);
  }
});

test("fills more than the system gives at once", () => {
  const bytes = new Uint8Array(70_000);
  systemRandom.fill(bytes);
  const counts = new Uint32Array(256);
  for (const byte of bytes) counts[byte] = (counts[byte] ?? 0) + 1;
  expect(Math.min(...counts)).toBeGreaterThan(150); /* 273 expected, deviation 16.5 */
});
