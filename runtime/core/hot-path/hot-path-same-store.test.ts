/** Generated operations on receiving sides and on segment stores: the WASM and its twin agree. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  compare,
  firstNumber,
  type Operation,
  runs,
  type Side,
} from "../../wasm/testing-compare.ts";

/* Receiving. */

test("receiving sides agree on generated operations", () => {
  const step = fc.record({
    jump: fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: -5, max: 6 }) },
      { weight: 2, arbitrary: fc.integer({ min: -1100, max: 1100 }) },
      { weight: 1, arbitrary: fc.integer({ min: -0x8000, max: 0x7fff }) },
    ),
    waitMs: fc.double({ min: 0, max: 50, noNaN: true }),
    ack: fc.nat(6),
  });
  const steps = fc.array(step, { maxLength: 300, size: "max" });
  fc.assert(
    fc.property(firstNumber, steps, (firstReceived, list) => {
      let nowMs = 0;
      let number = firstReceived;
      const operations: Operation[] = [
        ({ hot, sessions }) => void sessions.push(hot.sessionOpenAt(0, firstReceived)),
      ];
      for (const { jump, waitMs, ack } of list) {
        nowMs += waitMs;
        const now = nowMs;
        number = (number + jump) & 0xffff;
        const number16 = number;
        operations.push(({ hot, session }) => {
          const result = hot.packetReceived(session, now, number16);
          const pending = hot.ackPending(session);
          const length = ack === 0 ? hot.ackBuild(session, now + 1, hot.headerArenaPtr) : 0;
          const at = hot.headerArenaPtr;
          return [result, pending, length, [...hot.bytes.subarray(at, at + length)]];
        });
      }
      compare(operations);
    }),
    runs(120),
  );
});

/* Stores. */

interface StoreStep {
  readonly what: number;
  readonly offset: number;
  readonly index: number;
  readonly total: number;
  readonly waitMs: number;
  readonly span: number;
}

/** Fragments of a plausible stream (segments of 7), and others that contradict it. */
const storeStep: fc.Arbitrary<StoreStep> = fc.record({
  what: fc.nat(19),
  offset: fc.oneof(
    { weight: 10, arbitrary: fc.integer({ min: -20, max: 12 }) },
    { weight: 3, arbitrary: fc.integer({ min: -200, max: 100 }) },
    { weight: 1, arbitrary: fc.integer({ min: -0x80000000, max: 0x7fffffff }) },
  ),
  index: fc.nat(8),
  total: fc.oneof(fc.nat(9), fc.nat(4100)),
  waitMs: fc.double({ min: 0, max: 20, noNaN: true }),
  span: fc.oneof(fc.nat(150), fc.nat(0xffffffff)),
});

function storeOperations(
  start: number,
  capacity: number,
  steps: readonly StoreStep[],
): Operation[] {
  let nowMs = 0;
  let head = start;
  const operations: Operation[] = [({ hot, stores }) => void stores.push(hot.storeOpen(capacity))];
  for (const step of steps) {
    nowMs += step.waitMs;
    const now = nowMs;
    if (step.what < 14) head = (head + 1) >>> 0;
    const number = (head + step.offset) >>> 0;
    operations.push((side) => [storeStepOn(side, step, number, now), storeState(side, number)]);
  }
  return operations;
}

function storeStepOn(side: Side, step: StoreStep, number: number, now: number): unknown {
  const { hot, store } = side;
  const insert = (index: number, total: number) => {
    const slot = hot.payloadAlloc(1 + (number % 1152));
    side.slots.push(slot);
    const result = hot.fragmentInsert(store, number, index, total, number & 0xff, slot, now);
    hot.payloadRelease(slot);
    return result;
  };
  if (step.what < 12) return insert(number % 7, 7);
  if (step.what < 15) return insert(step.index, step.total);
  if (step.what === 15) return hot.evictBefore(store, number);
  if (step.what === 16) return hot.evictOlder(store, now - step.waitMs * 5);
  if (step.what === 17) {
    const count = hot.holes(store, number, (number + step.span) >>> 0, 1 + (step.span % 200));
    return [...hot.out.subarray(0, count)];
  }
  const bits = step.span % 1500;
  const length = hot.mapBuild(store, number, bits, hot.headerArenaPtr);
  return [...hot.bytes.subarray(hot.headerArenaPtr, hot.headerArenaPtr + length)];
}

function storeState(side: Side, number: number): unknown[] {
  const { hot, store } = side;
  const segment = (number - (number % 7)) >>> 0;
  const count = hot.segmentSlots(store, segment);
  const slots = [...hot.out.subarray(0, count)].map((slot) => side.slotIndex(slot));
  const found = hot.fragmentInfo(store, number) ? [...hot.out.subarray(0, 3)] : [];
  return [
    hot.storeOldest(store),
    hot.storeNext(store),
    hot.payloadBytesUsed(),
    side.slotIndex(hot.fragmentSlot(store, number)),
    found,
    slots,
  ];
}

test("stores agree on generated operations", () => {
  const capacity = fc.constantFrom(64, 64, 128, 1024);
  const steps = fc.array(storeStep, { maxLength: 200, size: "max" });
  fc.assert(
    fc.property(firstNumber, capacity, steps, (start, size, list) => {
      compare(storeOperations(start, size, list));
    }),
    runs(150),
  );
});

test("a store that is closed gives every payload back, whatever happened to it", () => {
  const steps = fc.array(storeStep, { maxLength: 100, size: "max" });
  fc.assert(
    fc.property(firstNumber, steps, (start, list) => {
      const close: Operation = ({ hot, store }) => {
        hot.storeClose(store);
        expect(hot.payloadBytesUsed()).toBe(0);
      };
      compare([...storeOperations(start, 64, list), close]);
    }),
    runs(60),
  );
});
