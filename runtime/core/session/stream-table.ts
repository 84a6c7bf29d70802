/**
 * What a session knows under its stream indices. Nearly every session has one stream, and a peer has forty sessions:
 * the first entry stands in the table itself, only further ones make a map.
 */
export class StreamTable<T> {
  /** 0 = no entry here. */
  #index = 0;
  #value: T | undefined;
  #more: Map<number, T> | undefined;

  /** `index`: 1..65535. */
  get(index: number): T | undefined {
    return index === this.#index ? this.#value : this.#more?.get(index);
  }

  has(index: number): boolean {
    return (index === this.#index && index !== 0) || this.#more?.has(index) === true;
  }

  set(index: number, value: T): void {
    if (index === this.#index || (this.#index === 0 && this.#more?.has(index) !== true)) {
      this.#index = index;
      this.#value = value;
    } else {
      this.#more ??= new Map();
      this.#more.set(index, value);
    }
  }

  /** Whether there was such an entry. */
  delete(index: number): boolean {
    if (!this.has(index)) return false;
    if (index === this.#index) {
      this.#index = 0;
      this.#value = undefined;
    } else this.#more?.delete(index);
    if (this.#more?.size === 0) this.#more = undefined;
    return true;
  }

  clear(): void {
    this.#index = 0;
    this.#value = undefined;
    this.#more = undefined;
  }

  keys(): readonly number[] {
    const first = this.#index === 0 ? [] : [this.#index];
    return this.#more === undefined ? first : [...first, ...this.#more.keys()];
  }
}
