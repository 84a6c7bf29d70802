/**
 * Which of a node's many sessions wants to be woken first: a binary heap of deadlines in which each member knows its
 * place. A node asks for its minimum after every datagram, and nearly every datagram puts off its session's deadline:
 * a deadline that moves back is only noted, and the member sinks to its place when it has come to the top.
 */
import { assert } from "../../base/assert.ts";
import { type Ms, NEVER } from "../../base/time.ts";

export interface HeapMember {
  /** Place in the heap, −1 while outside. Owned by the heap. */
  heapIndex: number;
  /** Its deadline. Owned by the heap. */
  heapDeadline: number;
}

const FIRST_MEMBERS = 4;

export class TimerHeap<T extends HeapMember> {
  readonly #items: T[] = [];
  /**
   * By place: the deadline it is filed under, and the one it has by now, which is not earlier. Beside the members, so
   * that finding a place does not touch them.
   */
  #times: Float64Array | undefined;
  /** Deadline of the first; exact. */
  #next: number = NEVER;

  /** Earliest deadline, or NEVER. */
  next(): Ms {
    return this.#next as Ms;
  }

  /** The member with the earliest deadline if that is at or before `now`. It stays in the heap: `set` it anew. */
  due(now: Ms): T | undefined {
    return this.#next <= now ? this.#items[0] : undefined;
  }

  /** Files or moves `item`; NEVER takes it out. */
  set(item: T, deadline: Ms): void {
    if (deadline === NEVER) return this.remove(item);
    item.heapDeadline = deadline;
    const at = item.heapIndex;
    if (at < 0) {
      this.#place(item, this.#added(item), deadline, deadline);
      this.#up(item.heapIndex);
    } else {
      const times = this.#times as Float64Array;
      times[2 * at + 1] = deadline;
      if (deadline < (times[2 * at] as number)) {
        times[2 * at] = deadline;
        this.#up(at);
      } else if (at > 0) return;
    }
    this.#settle();
  }

  remove(item: T): void {
    const at = item.heapIndex;
    if (at < 0) return;
    const times = this.#times as Float64Array;
    const last = this.#items.pop() as T;
    item.heapIndex = -1;
    if (last !== item) {
      const from = 2 * this.#items.length;
      this.#place(last, at, times[from] as number, times[from + 1] as number);
      this.#up(at);
      this.#down(last.heapIndex);
    }
    this.#settle();
  }

  /** Lets the first sink to where its deadline belongs, until the first is where it belongs. */
  #settle(): void {
    if (this.#items.length === 0) {
      this.#next = NEVER;
      return;
    }
    const times = this.#times as Float64Array;
    while ((times[1] as number) > (times[0] as number)) {
      times[0] = times[1] as number;
      this.#down(0);
    }
    this.#next = times[0] as number;
  }

  /** Makes room for one more; its place. */
  #added(item: T): number {
    const at = this.#items.push(item) - 1;
    const room = this.#times?.length ?? 0;
    if (2 * at === room) {
      const times = new Float64Array(Math.max(2 * FIRST_MEMBERS, room * 2));
      if (this.#times !== undefined) times.set(this.#times);
      this.#times = times;
    }
    assert(item.heapIndex < 0, "timer heap: a member twice");
    return at;
  }

  #place(item: T, at: number, filed: number, deadline: number): void {
    const times = this.#times as Float64Array;
    this.#items[at] = item;
    times[2 * at] = filed;
    times[2 * at + 1] = deadline;
    item.heapIndex = at;
  }

  #move(from: number, to: number): void {
    const times = this.#times as Float64Array;
    const item = this.#items[from] as T;
    this.#place(item, to, times[2 * from] as number, times[2 * from + 1] as number);
  }

  #up(start: number): void {
    const times = this.#times as Float64Array;
    const item = this.#items[start] as T;
    const filed = times[2 * start] as number;
    const deadline = times[2 * start + 1] as number;
    let at = start;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((times[2 * parent] as number) <= filed) break;
      this.#move(parent, at);
      at = parent;
    }
    if (at !== start) this.#place(item, at, filed, deadline);
  }

  #down(start: number): void {
    const times = this.#times as Float64Array;
    const item = this.#items[start] as T;
    const filed = times[2 * start] as number;
    const deadline = times[2 * start + 1] as number;
    const size = this.#items.length;
    let at = start;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      const right = child + 1;
      if (right < size && (times[2 * right] as number) < (times[2 * child] as number))
        child = right;
      if ((times[2 * child] as number) >= filed) break;
      this.#move(child, at);
      at = child;
    }
    if (at !== start) this.#place(item, at, filed, deadline);
  }
}
