import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Prng } from "../../base/prng.ts";
import { ms } from "../../base/time.ts";
import { HOT_PATHS, testHotPath } from "../../wasm/testing.ts";
import { FrameKind, type MediaFrame } from "../../wire/frame.ts";
import { type HotPath, Inserted, Status } from "../hot-path/hot-path.ts";
import { CaptureClock } from "../time/clock-estimate.ts";
import { type CutSegment, SegmentCutter } from "./segment-cutter.ts";
import { type FragmentPlace, SegmentIndex } from "./segment-index.ts";

interface Fragment {
  readonly place: FragmentPlace;
  readonly slot: number;
}

/** A stream cut beforehand: `frames` of up to `sizeMax` bytes, a key every `group`, captured every `everyMs`. */
function cutStream(
  hot: HotPath,
  frames: number,
  sizeMax: number,
  group: number,
  everyMs: number,
): { segments: CutSegment[]; fragments: Fragment[]; bodies: Uint8Array[] } {
  const random = new Prng(9);
  const cutter = new SegmentCutter(hot);
  const segments: CutSegment[] = [];
  const bodies: Uint8Array[] = [];
  for (let i = 0; i < frames; i++) {
    const body = new Uint8Array(1 + random.below(sizeMax));
    random.fill(body);
    const kind = i % group === 0 ? FrameKind.key : FrameKind.inter;
    const frame: MediaFrame = { kind, dtsMs: i * everyMs, ptsOffsetMs: 0, body };
    segments.push(...cutter.cut(ms(i * everyMs), frame));
    bodies.push(body);
  }
  const fragments = segments.flatMap(({ first, total, flags, slots }) =>
    slots.map((slot, index) => ({ place: { number: first + index, index, total, flags }, slot })),
  );
  return { segments, fragments, bodies };
}

function localClock(): CaptureClock {
  const clock = new CaptureClock();
  clock.setLocal(ms(0));
  return clock;
}

const OPTIONS = { retainMs: 3000, groupMsMax: 12_000 };

describe.each(HOT_PATHS)("segment index on %s", (kind) => {
  test("gives back every frame whose fragments came, in whatever order", () => {
    const hot = testHotPath(kind);
    const before = hot.payloadBytesUsed();
    const { segments, fragments, bodies } = cutStream(hot, 60, 8000, 20, 40);
    const index = new SegmentIndex(hot, OPTIONS);
    const random = new Prng(2);
    const shuffled = fragments
      .map((fragment) => ({ fragment, key: fragment.place.number + random.below(40) }))
      .sort((a, b) => a.key - b.key);
    let whole = 0;
    for (const { fragment } of shuffled) {
      const result = index.insert(ms(0), fragment.place, fragment.slot);
      expect(index.insert(ms(0), fragment.place, fragment.slot)).toBe(Status.duplicate);
      if (result === Inserted.completed) whole++;
      else expect(result).toBe(Inserted.fresh);
    }
    expect(whole).toBe(60);
    for (const [i, segment] of segments.entries()) {
      expect(index.header(segment.first)).toEqual(segment.header);
      expect(index.takeBody(segment.first)).toEqual(bodies[i] as Uint8Array);
      expect(index.segmentBySequence(i)?.first).toBe(segment.first);
    }
    expect([...index.segmentsFrom(0)].map((one) => one.first)).toEqual(
      segments.map((one) => one.first),
    );
    expect(index.groupStart()).toBe((segments[40] as CutSegment).first);
    index.close();
    for (const { slot } of fragments) hot.payloadRelease(slot);
    expect(hot.payloadBytesUsed()).toBe(before);
  });

  test("refuses what contradicts the store, the header or the order of frames", () => {
    const hot = testHotPath(kind);
    const { fragments } = cutStream(hot, 3, 1000, 10, 40);
    const [a, b, c] = fragments as [Fragment, Fragment, Fragment];
    const index = new SegmentIndex(hot, OPTIONS);
    expect(index.insert(ms(0), a.place, a.slot)).toBe(Inserted.completed);
    expect(index.insert(ms(0), { ...b.place, total: 2 }, b.slot)).toBe(Status.conflict);
    const full = hot.payloadAlloc(1152);
    hot.bytes.fill(0xff, hot.payloadPtr(full), hot.payloadPtr(full) + 1152);
    expect(index.insert(ms(0), { ...b.place, total: 2 }, full)).toBe(Status.conflict);
    expect(index.insert(ms(0), b.place, c.slot)).toBe(Inserted.completed);
    expect(index.insert(ms(0), c.place, b.slot)).toBe(Status.conflict);
    expect(index.insert(ms(0), { ...c.place, number: 1 }, c.slot)).toBeLessThan(0);
    expect(index.next()).toBe(2);
  });

  test("a last fragment of the wrong length never makes a segment whole", () => {
    const hot = testHotPath(kind);
    const { fragments } = cutStream(hot, 1, 1, 1, 40);
    const long = cutStream(hot, 2, 4000, 2, 40);
    const total = (long.segments[0] as CutSegment).total;
    expect(total).toBeGreaterThan(1);
    const last = long.fragments[total - 1] as Fragment;
    const wrong = (fragments[0] as Fragment).slot;
    const first = long.fragments[0] as Fragment;
    const inOrder = new SegmentIndex(hot, OPTIONS);
    expect(inOrder.insert(ms(0), first.place, first.slot)).toBe(Inserted.fresh);
    expect(inOrder.insert(ms(0), last.place, wrong)).toBe(Status.conflict);
    const reversed = new SegmentIndex(hot, OPTIONS);
    expect(reversed.insert(ms(0), last.place, wrong)).toBe(Inserted.fresh);
    expect(reversed.insert(ms(0), first.place, first.slot)).toBe(Status.conflict);
  });

  test("keeps the last seconds and the group a joiner starts with, up to a bound", () => {
    const hot = testHotPath(kind, 16);
    const { segments, fragments } = cutStream(hot, 800, 500, 200, 40);
    const index = new SegmentIndex(hot, { ...OPTIONS, clock: localClock() });
    const oldestAfter = (untilMs: number): number => {
      for (const { place, slot } of fragments) {
        const at = index.header(place.number)?.captureUnits;
        if (at === undefined && place.number * 40 < untilMs) {
          index.insert(ms(place.number * 40), place, slot);
        }
      }
      index.evict(ms(untilMs));
      return index.oldest();
    };
    /* groups of 8 s begin at segments 0, 200, 400, 600, all of one fragment */
    expect(segments.length).toBe(fragments.length);
    expect(oldestAfter(7000)).toBe(0);
    expect(oldestAfter(9000)).toBe(0);
    expect(index.groupStart()).toBe(200);
    expect(index.groupStartBefore(ms(9000), 1500)).toBe(0);
    expect(oldestAfter(10_000)).toBe(176);
    expect(index.groupStartBefore(ms(10_000), 1500)).toBe(200);
    expect(oldestAfter(15_500)).toBe(200);
    expect(oldestAfter(31_000)).toBe(600);
    index.evict(ms(37_100));
    expect(index.oldest()).toBe(628);
    expect(index.header(600)).toBeUndefined();
    expect(index.insert(ms(37_100), (fragments[610] as Fragment).place, 1)).toBe(Status.old);
  });

  test("tells capture times of holes from their neighbours, and never from the future", () => {
    const hot = testHotPath(kind);
    const { fragments } = cutStream(hot, 100, 500, 50, 40);
    const index = new SegmentIndex(hot, { ...OPTIONS, clock: localClock() });
    for (const { place, slot } of fragments) {
      const { number } = place;
      if ((number >= 30 && number < 40) || number >= 90) continue;
      index.insert(ms(number * 40 + 20), place, slot);
    }
    for (const number of [0, 29, 30, 35, 39, 40, 89, 93]) {
      expect(Math.abs(index.capturedAt(number, ms(4000)) - number * 40)).toBeLessThan(1);
    }
    expect(index.ageOf(35, ms(2000))).toBeCloseTo(600, 0);
    expect(index.capturedAt(1000, ms(4000))).toBe(ms(4000));
    index.handleFrontier(ms(3750), 100);
    expect(index.frontier()).toBe(100);
    expect(index.capturedAt(99, ms(5000))).toBeLessThanOrEqual(3750);
    expect(index.holes(25, 100, 100)).toBe(20);
    expect(index.holes(25, 100, 5)).toBe(5);
    expect(index.holes(0, 30, 100)).toBe(0);
  });

  test("counts the rest of a segment that has begun as known to exist", () => {
    const hot = testHotPath(kind);
    const index = new SegmentIndex(hot, OPTIONS);
    const slot = hot.payloadAlloc(1152);
    const place = { number: 10, index: 2, total: 6, flags: 2 };
    expect(index.insert(ms(0), place, slot)).toBe(Inserted.fresh);
    expect(index.frontier()).toBe(14);
    expect(index.next()).toBe(11);
    expect(index.segmentOf(13)?.first).toBe(8);
    expect(index.segmentOf(14)).toBeUndefined();
    expect(index.holes(8, index.frontier(), 10)).toBe(5);
  });

  test("goes on across the wrap of fragment and sequence numbers", () => {
    const hot = testHotPath(kind);
    const { fragments } = cutStream(hot, 40, 500, 10, 40);
    const index = new SegmentIndex(hot, { ...OPTIONS, capacity: 64 });
    const start = 0xffff_fff0;
    for (const { place, slot } of fragments) {
      const number = (start + place.number) >>> 0;
      expect(index.insert(ms(0), { ...place, number }, slot)).toBe(Inserted.completed);
    }
    expect(index.groupStart()).toBe((start + 30) >>> 0);
    expect(index.takeBody((start + 20) >>> 0)?.length).toBeGreaterThan(0);
    let count = 0;
    while (index.evictOldest()) count++;
    expect(count).toBe(40);
    expect(index.isEmpty).toBe(true);
    expect(index.next()).toBe((start + 40) >>> 0);
  });

  test("behaves as a map of fragments would under any operations", () => {
    const hot = testHotPath(kind);
    const { segments, fragments } = cutStream(hot, 150, 5000, 25, 40);
    const capacity = 64;
    const operation = fc.oneof(
      {
        weight: 12,
        arbitrary: fc.record({
          t: fc.constant("insert" as const),
          step: fc.integer({ min: -40, max: 30 }),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          t: fc.constant("evict" as const),
          step: fc.integer({ min: 0, max: 3000 }),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ t: fc.constant("oldest" as const), step: fc.constant(0) }),
      },
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const index = new SegmentIndex(hot, { retainMs: 1000, groupMsMax: 2000, capacity });
        const model = new IndexModel(segments, capacity);
        let position = 0;
        let now = 0;
        for (const { t, step } of operations) {
          if (t === "insert") {
            now += 5;
            position = Math.min(fragments.length - 1, Math.max(0, position + step));
            const { place, slot } = fragments[position] as Fragment;
            const result = index.insert(ms(now), place, slot);
            model.insert(place.number, result);
          } else if (t === "evict") {
            now += step;
            index.evict(ms(now));
            model.evicted(index);
          } else if (index.evictOldest()) model.evicted(index);
          model.check(index);
        }
        index.close();
      }),
      { numRuns: 60, seed: 4711 },
    );
  });
});

/** What an index must say, kept as a plain set of fragment numbers. */
class IndexModel {
  readonly #segments: CutSegment[];
  readonly #capacity: number;
  readonly #here = new Set<number>();
  #next = 0;

  constructor(segments: CutSegment[], capacity: number) {
    this.#segments = segments;
    this.#capacity = capacity;
  }

  insert(number: number, result: number): void {
    if (this.#here.has(number)) {
      expect([Status.duplicate, Status.old] as number[]).toContain(result);
      return;
    }
    if (result < 0) {
      expect(result).toBe(Status.old);
      return;
    }
    this.#here.add(number);
    this.#next = Math.max(this.#next, number + 1);
    for (const one of this.#here) if (one < this.#next - this.#capacity) this.#here.delete(one);
    const segment = this.#segmentOf(number);
    expect(result === Inserted.completed).toBe(this.#isWhole(segment));
  }

  /** Eviction drops from the oldest on, and nothing else. */
  evicted(index: SegmentIndex): void {
    const oldest = index.oldest();
    for (const one of this.#here) if (one < oldest) this.#here.delete(one);
  }

  check(index: SegmentIndex): void {
    if (this.#here.size > 0) expect(index.oldest()).toBe(Math.min(...this.#here));
    const known = new Set([...index.segmentsFrom(0)].map((segment) => segment.first));
    for (const segment of this.#segments) {
      const { first, total, header } = segment;
      const has = this.#count(segment) > 0;
      if (known.has(first)) expect(has).toBe(true);
      else if (has)
        expect(first).toBeLessThan(Math.max(index.oldest(), this.#next - this.#capacity));
      const isWhole = known.has(first) && this.#isWhole(segment);
      expect(index.takeBody(first)?.length).toBe(isWhole ? header.size : undefined);
      if (known.has(first)) expect(index.segment(first)?.total).toBe(total);
    }
  }

  #count({ first, total }: CutSegment): number {
    let count = 0;
    for (let i = 0; i < total; i++) if (this.#here.has(first + i)) count++;
    return count;
  }

  #isWhole(segment: CutSegment): boolean {
    return this.#count(segment) === segment.total;
  }

  #segmentOf(number: number): CutSegment {
    return this.#segments.findLast((segment) => segment.first <= number) as CutSegment;
  }
}
