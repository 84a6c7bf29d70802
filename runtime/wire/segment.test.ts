import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FrameKind } from "./frame.ts";
import { FRAGMENTS_MAX } from "./packet.ts";
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  expandClock,
  FLAG_GROUP_START,
  FLAG_RESENT,
  flagPhase,
  flagPriority,
  fragmentsOf,
  makeFlags,
  Phase,
  Priority,
  priorityOf,
  SEGMENT_BODY_BYTES_MAX,
  SEGMENT_HEADER_BYTES,
  toClockUnits,
  withPhase,
} from "./segment.ts";
import { segmentHeaders, u32s } from "./testing/arbitraries.ts";

describe("segment header", () => {
  test("comes back as it was written", () => {
    fc.assert(
      fc.property(segmentHeaders, fc.nat(9), (header, at) => {
        const buf = new Uint8Array(64);
        expect(encodeSegmentHeader(buf, at, header)).toBe(at + SEGMENT_HEADER_BYTES);
        expect(decodeSegmentHeader(buf, at)).toEqual(header);
      }),
    );
  });

  test("refuses unknown kinds, authenticators and sizes out of bounds", () => {
    const buf = new Uint8Array(SEGMENT_HEADER_BYTES);
    const fresh = () =>
      encodeSegmentHeader(buf, 0, {
        kind: FrameKind.key,
        sequence: 1,
        dtsMs: 2,
        ptsOffsetMs: -3,
        captureUnits: 4,
        dependsOn: 5,
        size: 6,
      });
    const broken = (at: number, value: number) => {
      fresh();
      buf[at] = value;
      return decodeSegmentHeader(buf);
    };
    expect(broken(0, 4)).toBeDefined();
    expect(broken(0, 7)).toBeUndefined();
    expect(broken(0, 0x14)).toBeUndefined();
    expect(broken(1, 1)).toBeUndefined();
    expect(broken(22, 0)).toBeUndefined();
    expect(broken(19, 1)).toBeUndefined();
    fresh();
    expect(decodeSegmentHeader(buf.subarray(0, 22))).toBeUndefined();
    expect(decodeSegmentHeader(buf, 1)).toBeUndefined();
  });

  test("any bytes give a header that encodes to the same bytes, or nothing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const header = decodeSegmentHeader(bytes);
        if (header === undefined) return;
        const again = new Uint8Array(SEGMENT_HEADER_BYTES);
        encodeSegmentHeader(again, 0, header);
        expect([...again]).toEqual([...bytes.subarray(0, SEGMENT_HEADER_BYTES)]);
      }),
    );
  });

  test("the largest segment has fragments to spare", () => {
    expect(fragmentsOf(SEGMENT_BODY_BYTES_MAX)).toBe(911);
    expect(fragmentsOf(SEGMENT_BODY_BYTES_MAX)).toBeLessThanOrEqual(FRAGMENTS_MAX);
    expect(fragmentsOf(1129)).toBe(1);
    expect(fragmentsOf(1130)).toBe(2);
  });
});

describe("flags", () => {
  test("keep priority, phase and marks apart", () => {
    for (const priority of Object.values(Priority)) {
      for (const phase of Object.values(Phase)) {
        for (const isStart of [false, true]) {
          const flags = makeFlags(priority, isStart, phase);
          expect(flagPriority(flags | FLAG_RESENT)).toBe(priority);
          expect(flagPhase(flags | FLAG_RESENT)).toBe(phase);
          expect((flags & FLAG_GROUP_START) !== 0).toBe(isStart);
          const pulled = withPhase(flags, Phase.pull);
          expect(flagPhase(pulled)).toBe(Phase.pull);
          expect(flagPriority(pulled)).toBe(priority);
        }
      }
    }
  });

  test("rank configurations before audio before pictures others need", () => {
    const ranks = [
      FrameKind.videoConfig,
      FrameKind.audio,
      FrameKind.key,
      FrameKind.inter,
      FrameKind.disposable,
    ].map(priorityOf);
    expect(ranks).toEqual([0, 1, 2, 3, 4]);
    expect(priorityOf(FrameKind.audioConfig)).toBe(Priority.config);
    expect(priorityOf(FrameKind.metadata)).toBe(Priority.config);
  });
});

describe("clock units", () => {
  test("name the same instant again when expanded near it", () => {
    const times = fc.double({ min: 0, max: 1e12, noNaN: true });
    const drift = fc.double({ min: -2e8, max: 2e8, noNaN: true });
    fc.assert(
      fc.property(times, drift, (ms, apart) => {
        expect(Math.abs(expandClock(toClockUnits(ms), ms + apart) - ms)).toBeLessThanOrEqual(0.051);
      }),
    );
  });

  test("wrap after 2^32 and are never negative", () => {
    expect(toClockUnits(429_496_729.6)).toBe(0);
    expect(toClockUnits(-0.1)).toBe(0xffff_ffff);
    expect(expandClock(0xffff_ffff, 0)).toBe(-0.1);
    expect(expandClock(1, 429_496_729.5)).toBe(429_496_729.7);
    fc.assert(
      fc.property(fc.double({ min: -1e12, max: 1e12, noNaN: true }), u32s, (ms, units) => {
        const wire = toClockUnits(ms);
        expect(wire).toBe(wire >>> 0);
        expect(toClockUnits(expandClock(units, ms))).toBe(units);
      }),
    );
  });
});
