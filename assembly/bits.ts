/**
 * Searches in a ring of bits: bit of number n at n mod capacity, capacity a power of two from 64 on. `mask` is the
 * capacity − 1 and `span` never exceeds the capacity.
 */
export class Bits {
  @inline static word(bits: usize, index: u32): u64 {
    return load<u64>(bits + ((index >> 6) << 3));
  }

  @inline static get(bits: usize, index: u32): bool {
    return ((<u32>load<u8>(bits + (index >> 3)) >> (index & 7)) & 1) != 0;
  }

  @inline static set(bits: usize, index: u32): void {
    const at = bits + (index >> 3);
    store<u8>(at, <u8>(<u32>load<u8>(at) | ((<u32>1) << (index & 7))));
  }

  @inline static clear(bits: usize, index: u32): void {
    const at = bits + (index >> 3);
    store<u8>(at, <u8>(<u32>load<u8>(at) & ~((<u32>1) << (index & 7))));
  }

  /** How far from `from` the first set bit is; `span` if there is none in [from, from + span). */
  static nextSet(bits: usize, mask: u32, from: u32, span: u32): u32 {
    let distance: u32 = 0;
    while (distance < span) {
      const index = (from + distance) & mask;
      const word = Bits.word(bits, index) >> (<u64>index & 63);
      if (word) return min(distance + <u32>ctz(word), span);
      distance += 64 - (index & 63);
    }
    return span;
  }

  /** As `nextSet`, for the first clear bit. */
  static nextClear(bits: usize, mask: u32, from: u32, span: u32): u32 {
    let distance: u32 = 0;
    while (distance < span) {
      const index = (from + distance) & mask;
      const word = ~Bits.word(bits, index) >> (<u64>index & 63);
      if (word) return min(distance + <u32>ctz(word), span);
      distance += 64 - (index & 63);
    }
    return span;
  }

  /** How far before `from` the nearest set bit is, 1..span; 0 if there is none. */
  static previousSet(bits: usize, mask: u32, from: u32, span: u32): u32 {
    let distance: u32 = 1;
    while (distance <= span) {
      const index = (from - distance) & mask;
      const word = Bits.word(bits, index) << (63 - (<u64>index & 63));
      if (word) {
        const found = distance + <u32>clz(word);
        return found <= span ? found : 0;
      }
      distance += (index & 63) + 1;
    }
    return 0;
  }

  /** 64 bits from `from` on, the first one lowest. */
  @inline static word64(bits: usize, mask: u32, from: u32): u64 {
    const index = from & mask;
    const shift = <u64>index & 63;
    const low = Bits.word(bits, index) >> shift;
    return shift ? low | (Bits.word(bits, (index + 64) & mask) << (64 - shift)) : low;
  }
}
