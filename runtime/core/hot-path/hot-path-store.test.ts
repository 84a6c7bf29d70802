import { describe, expect, test } from "bun:test";
import { HOT_PATHS, testHotPath } from "../../wasm/testing.ts";
import { Inserted, MAX_FRAGMENTS, Status } from "./hot-path.ts";

for (const kind of HOT_PATHS) {
  describe(`segment store, ${kind}`, () => {
    const opened = (capacity = 64) => {
      const hot = testHotPath(kind);
      const store = hot.storeOpen(capacity);
      /** Files a fragment with a payload that only the store keeps. */
      const file = (number: number, index: number, total: number, nowMs = 0, flags = 0) => {
        const slot = hot.payloadAlloc(10);
        const result = hot.fragmentInsert(store, number, index, total, flags, slot, nowMs);
        hot.payloadRelease(slot);
        return result;
      };
      const holes = (from: number, to: number, limit = 4096) => {
        const count = hot.holes(store, from, to, limit);
        return [...hot.out.subarray(0, count)].map((number) => number >>> 0);
      };
      const bounds = () => [hot.storeOldest(store), hot.storeNext(store)];
      return { hot, store, file, holes, bounds };
    };

    test("gives whole segments in order, whatever the order of arrival", () => {
      const { hot, store, file } = opened();
      expect(file(102, 2, 4)).toBe(Inserted.fresh);
      expect(file(100, 0, 4)).toBe(Inserted.fresh);
      expect(hot.segmentSlots(store, 100)).toBe(0);
      expect(file(103, 3, 4)).toBe(Inserted.fresh);
      expect(file(101, 1, 4)).toBe(Inserted.completed);
      const expected = [100, 101, 102, 103].map((number) => hot.fragmentSlot(store, number));
      expect(hot.segmentSlots(store, 100)).toBe(4);
      expect([...hot.out.subarray(0, 4)]).toEqual(expected);
      expect(hot.segmentSlots(store, 101)).toBe(0);
    });

    test("completes a segment of one fragment at once", () => {
      const { hot, store, file } = opened();
      expect(file(0, 0, 1)).toBe(Inserted.completed);
      expect(hot.segmentSlots(store, 0)).toBe(1);
      expect(hot.segmentSlots(store, 1)).toBe(0);
    });

    test("keeps what the wire said of a fragment", () => {
      const { hot, store, file } = opened();
      file(7, 3, 9, 0, 0xa5);
      expect(hot.fragmentInfo(store, 7)).toBe(true);
      expect([...hot.out.subarray(0, 3)]).toEqual([3, 9, 0xa5]);
      hot.out[0] = 77;
      expect(hot.fragmentInfo(store, 8)).toBe(false);
      expect(hot.out[0]).toBe(77);
      expect(hot.fragmentSlot(store, 8)).toBe(0);
    });

    test("holds the largest segment there is", () => {
      const { hot, store, file } = opened(8192);
      for (let i = 1; i < MAX_FRAGMENTS; i++) {
        expect(file(5000 + i, i, MAX_FRAGMENTS)).toBe(Inserted.fresh);
      }
      expect(file(5000, 0, MAX_FRAGMENTS)).toBe(Inserted.completed);
      expect(hot.segmentSlots(store, 5000)).toBe(MAX_FRAGMENTS);
    });

    test("refuses duplicates, contradictions and nonsense, and keeps no reference", () => {
      const { hot, store, file, bounds } = opened();
      file(10, 2, 5); // 8..12
      file(20, 0, 3); // 20..22
      const used = hot.payloadBytesUsed();
      expect(file(10, 2, 5)).toBe(Status.duplicate);
      expect(file(10, 1, 5)).toBe(Status.conflict);
      expect(file(11, 3, 6)).toBe(Status.conflict);
      expect(file(11, 0, 1)).toBe(Status.conflict);
      expect(file(8, 0, 1)).toBe(Status.conflict);
      expect(file(7, 0, 2)).toBe(Status.conflict);
      expect(file(12, 0, 2)).toBe(Status.conflict);
      expect(file(14, 0, 7)).toBe(Status.conflict);
      expect(file(22, 2, 4)).toBe(Status.conflict);
      expect(file(300, 299, 300)).toBe(Status.conflict);
      expect(file(30, 3, 3)).toBe(Status.malformed);
      expect(file(30, 0, 0)).toBe(Status.malformed);
      expect(file(30, 0, MAX_FRAGMENTS + 1)).toBe(Status.malformed);
      expect(hot.payloadBytesUsed()).toBe(used);
      expect(bounds()).toEqual([10, 21]);
      expect(file(13, 0, 7)).toBe(Inserted.fresh);
      expect(file(7, 0, 1)).toBe(Inserted.completed);
      expect(file(23, 0, 1)).toBe(Inserted.completed);
      expect(hot.fragmentSlot(store, 13)).not.toBe(0);
    });

    test("moves the window with the newest number and evicts the oldest", () => {
      const { hot, store, file, bounds } = opened(64);
      for (let number = 0; number < 64; number++) file(number, 0, 1);
      expect(bounds()).toEqual([0, 64]);
      file(70, 0, 1);
      expect(bounds()).toEqual([7, 71]);
      expect(hot.fragmentSlot(store, 6)).toBe(0);
      expect(file(6, 0, 1)).toBe(Status.old);
      expect(hot.payloadBytesUsed()).toBe(58 * 128);
      file(1_000_000, 0, 1);
      expect(bounds()).toEqual([1_000_000, 1_000_001]);
      expect(hot.payloadBytesUsed()).toBe(128);
    });

    test("takes fragments before the first one it saw", () => {
      const { file, bounds } = opened(64);
      file(100, 0, 1);
      expect(file(37, 0, 1)).toBe(Inserted.completed);
      expect(file(36, 0, 1)).toBe(Status.old);
      expect(bounds()).toEqual([37, 101]);
    });

    test("evicts by number, for good", () => {
      const { hot, store, file, bounds } = opened();
      for (let number = 10; number < 20; number++) file(number, 0, 1);
      expect(hot.evictBefore(store, 14)).toBe(4);
      expect(hot.evictBefore(store, 14)).toBe(0);
      expect(hot.evictBefore(store, 3)).toBe(0);
      expect(bounds()).toEqual([14, 20]);
      expect(file(13, 0, 1)).toBe(Status.old);
      expect(hot.evictBefore(store, 40)).toBe(6);
      expect(bounds()).toEqual([20, 20]);
      expect(file(39, 0, 1)).toBe(Status.old);
      expect(file(40, 0, 1)).toBe(Inserted.completed);
      expect(hot.payloadBytesUsed()).toBe(128);
    });

    test("evicts by age, from the oldest on", () => {
      const { hot, store, file, bounds } = opened();
      for (let i = 0; i < 10; i++) file(i, 0, 1, 1000 + 10 * i);
      file(20, 0, 1, 1000);
      expect(hot.evictOlder(store, 1000)).toBe(0);
      expect(hot.evictOlder(store, 1050.05)).toBe(5);
      expect(hot.evictOlder(store, 1050.1)).toBe(1);
      expect(bounds()).toEqual([6, 21]);
      expect(hot.evictOlder(store, Number.NEGATIVE_INFINITY)).toBe(0);
      expect(hot.evictOlder(store, Number.POSITIVE_INFINITY)).toBe(5);
      expect(hot.evictOlder(store, Number.POSITIVE_INFINITY)).toBe(0);
      expect(hot.payloadBytesUsed()).toBe(0);
    });

    test("evicting by age leaves room for what is missing behind the last one evicted", () => {
      const { hot, store, file } = opened();
      file(0, 0, 1, 0);
      file(7, 0, 1, 10);
      expect(hot.evictOlder(store, 10)).toBe(1);
      expect(file(0, 0, 1, 11)).toBe(Status.old);
      expect(file(1, 0, 1, 11)).toBe(Inserted.completed);
    });

    test("remembers a segment whose beginning was evicted", () => {
      const { hot, store, file } = opened();
      for (const number of [10, 11, 13]) file(number, number - 10, 5);
      expect(hot.evictBefore(store, 12)).toBe(2);
      expect(file(12, 2, 5)).toBe(Inserted.fresh);
      expect(file(14, 4, 6)).toBe(Status.conflict);
      expect(file(14, 0, 1)).toBe(Status.conflict);
      expect(file(14, 4, 5)).toBe(Inserted.fresh);
      expect(hot.segmentSlots(store, 10)).toBe(0);
      expect(file(15, 0, 2)).toBe(Inserted.fresh);
      expect(hot.evictBefore(store, 16)).toBe(4);
      expect(file(16, 1, 2)).toBe(Inserted.fresh);
    });

    test("forgets a segment with its last fragment", () => {
      const { hot, store, file } = opened();
      file(10, 2, 8);
      hot.evictBefore(store, 11);
      expect(file(12, 0, 2)).toBe(Inserted.fresh);
    });

    test("never completes a segment larger than its window", () => {
      const { file } = opened(64);
      for (let i = 0; i < 100; i++) expect(file(i, i, 100)).toBe(Inserted.fresh);
    });

    test("lists holes within the window and beyond it", () => {
      const { hot, store, file, holes } = opened(64);
      expect(holes(0, 3)).toEqual([0, 1, 2]);
      for (const number of [10, 11, 15]) file(number, 0, 1);
      expect(holes(9, 18)).toEqual([9, 12, 13, 14, 16, 17]);
      expect(holes(9, 18, 2)).toEqual([9, 12]);
      expect(holes(10, 12)).toEqual([]);
      expect(holes(18, 9)).toEqual([]);
      expect(holes(10, 10)).toEqual([]);
      hot.evictBefore(store, 11);
      expect(holes(0, 14)).toEqual([12, 13]);
      expect(holes(0, 11)).toEqual([]);
      expect(holes(0, 1_000_000).length).toBe(4096);
      expect(holes(0, 1_000_000, 100_000).length).toBe(4096);
    });

    test("draws maps of any place and length", () => {
      const { hot, store, file } = opened(64);
      for (const number of [10, 11, 13, 20, 73]) file(number, 0, 1);
      const map = (from: number, bits: number) => {
        hot.bytes.fill(0xee, hot.headerArenaPtr, hot.headerArenaPtr + 64);
        const length = hot.mapBuild(store, from, bits, hot.headerArenaPtr);
        expect(hot.bytes[hot.headerArenaPtr + length]).toBe(0xee);
        return [...hot.bytes.slice(hot.headerArenaPtr, hot.headerArenaPtr + length)];
      };
      expect(map(10, 4)).toEqual([0b1011]);
      expect(map(10, 3)).toEqual([0b011]);
      expect(map(5, 17)).toEqual([0b01100000, 0b10000001, 0]);
      expect(map(5, 0)).toEqual([]);
      expect(map(10, 70)).toEqual([0b1011, 0b100, 0, 0, 0, 0, 0, 0b10000000, 0]);
      expect(map(0xffffffff, 13)).toEqual([0, 0b11000]);
      expect(map(74, 80)).toEqual(new Array(10).fill(0));
    });

    test("carries on over the wrap of fragment numbers", () => {
      const { hot, store, file, holes, bounds } = opened(64);
      file(0xfffffffe, 0, 4);
      file(0xffffffff, 1, 4);
      file(1, 3, 4);
      expect(bounds()).toEqual([0xfffffffe, 2]);
      expect(holes(0xfffffffd, 4)).toEqual([0xfffffffd, 0, 2, 3]);
      expect(file(0, 2, 4)).toBe(Inserted.completed);
      expect(hot.segmentSlots(store, 0xfffffffe)).toBe(4);
      expect(hot.evictBefore(store, 0)).toBe(2);
      expect(file(0xffffffff, 1, 4)).toBe(Status.old);
      expect(bounds()).toEqual([0, 2]);
      expect(file(64, 0, 1)).toBe(Inserted.completed);
      expect(bounds()).toEqual([1, 65]);
    });

    test("begins where it is told to", () => {
      const { hot, store, file, bounds } = opened(64);
      expect(bounds()).toEqual([0, 0]);
      expect(hot.evictBefore(store, 500)).toBe(0);
      expect(bounds()).toEqual([500, 500]);
      expect(file(499, 0, 1)).toBe(Status.old);
      expect(file(501, 1, 2)).toBe(Inserted.fresh);
      expect(file(500, 0, 2)).toBe(Inserted.completed);
    });

    test("shares payloads with its caller and drops its own reference", () => {
      const { hot, store } = opened();
      const slot = hot.payloadAlloc(100);
      const other = hot.storeOpen(64);
      hot.fragmentInsert(store, 1, 0, 1, 0, slot, 0);
      hot.fragmentInsert(other, 9, 0, 1, 0, slot, 0);
      hot.payloadRelease(slot);
      hot.storeClose(store);
      expect(hot.payloadLength(slot)).toBe(100);
      expect(hot.fragmentSlot(other, 9)).toBe(slot);
      hot.storeClose(other);
      expect(hot.payloadBytesUsed()).toBe(0);
      expect(() => hot.payloadLength(slot)).toThrow("payload slot");
      expect(() => hot.storeNext(store)).toThrow("store handle");
      expect(() => hot.storeOpen(100)).toThrow("store capacity");
      expect(() => hot.storeOpen(32)).toThrow("store capacity");
    });
  });
}
