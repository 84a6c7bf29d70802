import { expect, test } from "bun:test";
import fc from "fast-check";
import { ms, NEVER } from "../../base/time.ts";
import { type HeapMember, TimerHeap } from "./timer-heap.ts";

function member(): HeapMember {
  return { heapIndex: -1, heapDeadline: 0 };
}

test("names the earliest, whatever was set, moved and removed", () => {
  const step = fc.record({
    who: fc.nat(11),
    at: fc.oneof(fc.nat(100), fc.constant(Number.POSITIVE_INFINITY)),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new TimerHeap<HeapMember>();
      const members = Array.from({ length: 12 }, member);
      const model = new Map<HeapMember, number>();
      for (const { who, at } of steps) {
        const one = members[who] as HeapMember;
        heap.set(one, ms(at));
        if (at === Number.POSITIVE_INFINITY) model.delete(one);
        else model.set(one, at);
        const earliest = Math.min(Number.POSITIVE_INFINITY, ...model.values());
        expect(heap.next() as number).toBe(earliest);
        const due = heap.due(ms(50));
        if (earliest <= 50) expect(model.get(due as HeapMember)).toBe(earliest);
        else expect(due).toBeUndefined();
      }
    }),
  );
});

test("an empty heap never wakes anybody", () => {
  const heap = new TimerHeap<HeapMember>();
  expect(heap.next()).toBe(NEVER);
  heap.remove(member());
  expect(heap.due(ms(1e9))).toBeUndefined();
});
