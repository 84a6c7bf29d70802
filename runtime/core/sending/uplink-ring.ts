/** A first-in first-out ring that grows by doubling and never allocates per element. */
export class Ring<T> {
  #items: (T | undefined)[] = new Array<T | undefined>(16).fill(undefined);
  #head = 0;
  length = 0;

  push(item: T): void {
    const size = this.#items.length;
    if (this.length === size) {
      const head = this.#items.slice(this.#head);
      const items = head.concat(this.#items.slice(0, this.#head));
      this.#items = items.concat(new Array<T | undefined>(size).fill(undefined));
      this.#head = 0;
    }
    this.#items[(this.#head + this.length) & (this.#items.length - 1)] = item;
    this.length++;
  }

  /** The oldest item, undefined when empty. */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.length--;
    return item;
  }
}
