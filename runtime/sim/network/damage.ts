/** What a broken link does to a packet: some bits flip, or the end is missing. */
import type { Prng } from "../../base/prng.ts";

const FLIPS_MAX = 8;

/** A damaged copy of `bytes`, at least 1 B long if they were. */
export function damage(bytes: Uint8Array, random: Prng): Uint8Array {
  if (bytes.length > 1 && random.next() < 0.5) {
    return bytes.slice(0, 1 + random.below(bytes.length - 1));
  }
  const copy = bytes.slice();
  const flips = 1 + random.below(FLIPS_MAX);
  for (let i = 0; i < flips; i++) {
    const at = random.below(copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
  }
  return copy;
}
