/** Sets of small numbers as bits of a u32. */

/** How many bits are set. */
export function bitCount(mask: number): number {
  let count = 0;
  for (let bits = mask >>> 0; bits !== 0; bits &= bits - 1) count++;
  return count;
}
