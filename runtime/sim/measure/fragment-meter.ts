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

interface Seen {
  readonly bits: Uint32Array;
  /** One past the highest number seen. */
  next: number;
}

export class FragmentMeter {
  fresh = 0;
  duplicates = 0;
  readonly #seen = new Map<number, Seen>();

  /** A DATA or BUNDLE packet, perhaps without its bodies. */
  handleMedia(host: number, data: Uint8Array): void {
    let seen = this.#seen.get(host);
    if (seen === undefined) {
      seen = { bits: new Uint32Array(WINDOW / 32), next: 0 };
      this.#seen.set(host, seen);
    }
    const isBundle = data[0] === PacketType.BUNDLE;
    for (let at = NUMBERED_BYTES; at + FRAGMENT_HEADER_BYTES <= data.length; ) {
      this.#count(seen, u32(data, at + NUMBER_AT));
      if (!isBundle || at + BUNDLE_ITEM_BYTES > data.length) return;
      at += BUNDLE_ITEM_BYTES + u16(data, at + FRAGMENT_HEADER_BYTES);
    }
  }

  forget(host: number): void {
    this.#seen.delete(host);
  }

  #count(seen: Seen, number: number): void {
    const { bits } = seen;
    if (number >= seen.next) {
      /* What the window leaves behind makes room for the numbers that come. */
      const from = Math.max(seen.next, number - WINDOW + 1);
      for (let n = from; n < number; n++) clear(bits, n);
      seen.next = number + 1;
      clear(bits, number);
    } else if (number < seen.next - WINDOW) {
      this.fresh++;
      return;
    }
    const word = (number % WINDOW) >> 5;
    const bit = 1 << (number & 31);
    if (((bits[word] as number) & bit) !== 0) this.duplicates++;
    else this.fresh++;
    bits[word] = (bits[word] as number) | bit;
  }
}

function clear(bits: Uint32Array, number: number): void {
  const word = (number % WINDOW) >> 5;
  bits[word] = (bits[word] as number) & ~(1 << (number & 31));
}
