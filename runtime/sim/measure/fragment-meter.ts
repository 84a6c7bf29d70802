/**
 * Which fragments have reached each viewer before, by the world's eye: what comes a second time was
 * sent in vain. Numbers further back than the window count as fresh; so does a new epoch, which
 * begins at 0.
 */
import {
  BUNDLE_ITEM_BYTES,
  FRAGMENT_HEADER_BYTES,
  NUMBERED_BYTES,
  PacketType,
  u16,
  u32,
} from "../../wire/packet.ts";

/** Fragments remembered a viewer: some 30 s of 800 kbit/s. A power of two. */
const WINDOW = 4096;
const NUMBER_AT = 2;

/** A viewer's words: one past the highest number seen, then a bit a number. */
const WORDS = 1 + WINDOW / 32;

export class FragmentMeter {
  fresh = 0;
  duplicates = 0;
  /** By host: all viewers in one memory, since every packet asks. */
  #seen = new Uint32Array(WORDS * 64);

  /** A DATA or BUNDLE packet, perhaps without its bodies. */
  handleMedia(host: number, data: Uint8Array): void {
    if ((host + 1) * WORDS > this.#seen.length) this.#grow(host);
    const isBundle = data[0] === PacketType.BUNDLE;
    for (let at = NUMBERED_BYTES; at + FRAGMENT_HEADER_BYTES <= data.length; ) {
      this.#count(host * WORDS, u32(data, at + NUMBER_AT));
      if (!isBundle || at + BUNDLE_ITEM_BYTES > data.length) return;
      at += BUNDLE_ITEM_BYTES + u16(data, at + FRAGMENT_HEADER_BYTES);
    }
  }

  /** Nothing more will be asked of the host. */
  forget(host: number): void {
    this.#seen.fill(0, host * WORDS, (host + 1) * WORDS);
  }

  #grow(host: number): void {
    const seen = new Uint32Array(2 * (host + 1) * WORDS);
    seen.set(this.#seen);
    this.#seen = seen;
  }

  /** `base`: where the host's words begin. */
  #count(base: number, number: number): void {
    const seen = this.#seen;
    const next = seen[base] as number;
    if (number >= next) {
      /* What the window leaves behind makes room for the numbers that come. */
      const from = Math.max(next, number - WINDOW + 1);
      for (let n = from; n <= number; n++) {
        const at = wordOf(base, n);
        seen[at] = (seen[at] as number) & ~(1 << (n & 31));
      }
      seen[base] = number + 1;
    } else if (number < next - WINDOW) {
      this.fresh++;
      return;
    }
    const at = wordOf(base, number);
    const bit = 1 << (number & 31);
    if (((seen[at] as number) & bit) !== 0) this.duplicates++;
    else this.fresh++;
    seen[at] = (seen[at] as number) | bit;
  }
}

function wordOf(base: number, number: number): number {
  return base + 1 + ((number % WINDOW) >> 5);
}
