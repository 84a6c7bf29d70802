/**
 * Unpredictable randomness for real nodes: connection ids and the cookies' secret come from it.
 * Drawn from the system in blocks, because a call for four bytes costs a hundred times what four
 * bytes of a block cost.
 */
import type { Random } from "../base/prng.ts";

const BLOCK_WORDS = 1024;
/** Most that `crypto.getRandomValues` fills at once (W3C Web Cryptography API, §10.1.1). */
const FILL_BYTES_MAX = 65_536;

class SystemRandom implements Random {
  readonly #block = new Uint32Array(BLOCK_WORDS);
  #used = BLOCK_WORDS;

  uint32(): number {
    if (this.#used === BLOCK_WORDS) {
      crypto.getRandomValues(this.#block);
      this.#used = 0;
    }
    const value = this.#block[this.#used] as number;
    this.#block[this.#used++] = 0;
    return value;
  }

  next(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  fill(target: Uint8Array): void {
    for (let at = 0; at < target.length; at += FILL_BYTES_MAX) {
      const piece = target.subarray(at, at + FILL_BYTES_MAX);
      piece.set(crypto.getRandomValues(new Uint8Array(piece.length)));
    }
  }
}

export const systemRandom: Random = new SystemRandom();
