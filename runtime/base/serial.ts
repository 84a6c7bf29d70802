/** Serial-number arithmetic (RFC 1982) over unsigned 32-bit counters: packet, fragment and sequence numbers. */

/** a − b as a signed distance in −2^31 .. 2^31−1. */
export function serialDiff(a: number, b: number): number {
  return (a - b) | 0;
}

/** Whether a comes after b. */
export function serialAfter(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

/** (a + n) mod 2^32. */
export function serialAdd(a: number, n: number): number {
  return (a + n) >>> 0;
}

/**
 * The 32-bit number whose low 16 bits are `low` and which is nearest to `near` (RFC 9000, appendix A.3).
 * Right as long as the true number is within ±2^15 of `near`.
 */
export function expandSerial16(low: number, near: number): number {
  return (near + (((low - near) << 16) >> 16)) >>> 0;
}
