/**
 * Which of a node's many sessions wants to be woken first: a binary heap of deadlines in which each member knows its
 * place, so moving one costs O(log n). A node with ten thousand sessions asks for its minimum after every datagram.
 */
import { type Ms, NEVER } from "../../base/time.ts";

export interface HeapMember {
  /** Place in the heap, −1 while outside. Owned by the heap. */
  heapIndex: number;
  /** Deadline it was filed under. Owned by the heap. */
  heapDeadline: number;
}

export class TimerHeap<T extends HeapMember> {
  readonly #items: T[] = [];

  /** Earliest deadline, or NEVER. */
  next(): Ms {
    return (this.#items[0]?.heapDeadline ?? NEVER) as Ms;
  }

  /** The member with the earliest deadline if that is at or before `now`. It stays in the heap: `set` it anew. */
  due(now: Ms): T | undefined {
    const first = this.#items[0];
    return first !== undefined && first.heapDeadline <= now ? first : undefined;
  }

  /** Files or moves `item`; NEVER takes it out. */
  set(item: T, deadline: Ms): void {
    if (deadline === NEVER) return this.remove(item);
    const before = item.heapDeadline;
    item.heapDeadline = deadline;
    if (item.heapIndex < 0) {
      item.heapIndex = this.#items.length;
      this.#items.push(item);
      this.#up(item.heapIndex);
    } else if (deadline < before) this.#up(item.heapIndex);
    else if (deadline > before) this.#down(item.heapIndex);
  }

  remove(item: T): void {
    const at = item.heapIndex;
    if (at < 0) return;
    const last = this.#items.pop() as T;
    item.heapIndex = -1;
    if (last === item) return;
    this.#place(last, at);
    this.#up(at);
    this.#down(last.heapIndex);
  }

  #place(item: T, at: number): void {
    this.#items[at] = item;
    item.heapIndex = at;
  }

  #up(start: number): void {
    let at = start;
    const item = this.#items[at] as T;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = this.#items[parent] as T;
      if (above.heapDeadline <= item.heapDeadline) break;
      this.#place(above, at);
      at = parent;
    }
    this.#place(item, at);
  }

  #down(start: number): void {
    let at = start;
    const item = this.#items[at] as T;
    const size = this.#items.length;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      const right = child + 1;
      if (right < size && this.#deadline(right) < this.#deadline(child)) child = right;
      if (this.#deadline(child) >= item.heapDeadline) break;
      this.#place(this.#items[child] as T, at);
      at = child;
    }
    this.#place(item, at);
  }

  #deadline(at: number): number {
    return (this.#items[at] as T).heapDeadline;
  }
}
