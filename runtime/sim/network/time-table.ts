/**
 * When something last happened, by small whole numbers: a router's destinations. Open addressing in
 * one typed array, since every packet asks; what was once entered stays.
 */
const FIRST_ENTRIES = 4;
const EMPTY = -1;

export class TimeTable {
  /** Key and time of each entry, a power of two of them. */
  #entries = new Float64Array(FIRST_ENTRIES * 2).fill(EMPTY);
  #size = 0;

  /** Time entered last for `key` (≥ 0), −Infinity = never. */
  get(key: number): number {
    const at = this.#find(key);
    return this.#entries[at] === key ? (this.#entries[at + 1] as number) : Number.NEGATIVE_INFINITY;
  }

  set(key: number, time: number): void {
    const at = this.#find(key);
    if (this.#entries[at] !== key) {
      this.#entries[at] = key;
      this.#entries[at + 1] = time;
      if (++this.#size * 4 > this.#entries.length) this.#grow();
    } else this.#entries[at + 1] = time;
  }

  /** Place of the key, or the empty one where it would go. */
  #find(key: number): number {
    const entries = this.#entries;
    const mask = entries.length - 1;
    let at = (Math.imul(key, 0x9e3779b1) >>> 7) & mask & ~1;
    while (entries[at] !== key && entries[at] !== EMPTY) at = (at + 2) & mask;
    return at;
  }

  #grow(): void {
    const before = this.#entries;
    this.#entries = new Float64Array(before.length * 2).fill(EMPTY);
    for (let i = 0; i < before.length; i += 2) {
      if (before[i] === EMPTY) continue;
      const at = this.#find(before[i] as number);
      this.#entries[at] = before[i] as number;
      this.#entries[at + 1] = before[i + 1] as number;
    }
  }
}
