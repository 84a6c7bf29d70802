import { describe, expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import { ms } from "../../base/time.ts";
import { HOT_PATHS, testHotPath } from "../../wasm/testing.ts";
import { FrameKind, type MediaFrame } from "../../wire/frame.ts";
import {
  decodeSegmentHeader,
  FLAG_GROUP_START,
  flagPriority,
  toClockUnits,
} from "../../wire/segment.ts";
import { MAX_BODY_BYTES } from "../hot-path/hot-path.ts";
import { type CutSegment, SegmentCutter } from "./segment-cutter.ts";

function frame(kind: FrameKind, size: number, dtsMs = 0, fill = 1): MediaFrame {
  return { kind, dtsMs, ptsOffsetMs: 0, body: new Uint8Array(size).fill(fill) };
}

const CONFIGS = [
  frame(FrameKind.metadata, 300),
  frame(FrameKind.videoConfig, 40),
  frame(FrameKind.audioConfig, 7),
];

function kinds(segments: readonly CutSegment[]): FrameKind[] {
  return segments.map((segment) => segment.header.kind);
}

function isGroupStart(segment: CutSegment | undefined): boolean {
  return ((segment?.flags ?? 0) & FLAG_GROUP_START) !== 0;
}

describe.each(HOT_PATHS)("segment cutter on %s", (kind) => {
  test("cuts at 1,152 B with the header in front, and gives every byte once", () => {
    const hot = testHotPath(kind);
    const random = new Prng(5);
    const cutter = new SegmentCutter(hot);
    let next = 0;
    for (const size of [1, 1128, 1129, 1130, 2281, 2282, 40_000]) {
      const body = new Uint8Array(size);
      random.fill(body);
      const given = { kind: FrameKind.key, dtsMs: 77, ptsOffsetMs: -40, body };
      const [segment] = cutter.cut(ms(1000), given) as [CutSegment];
      expect(segment.first).toBe(next);
      next += segment.total;
      const bytes: number[] = [];
      for (const [i, slot] of segment.slots.entries()) {
        const length = hot.payloadLength(slot);
        const isLast = i === segment.total - 1;
        expect(length).toBe(isLast ? segment.lastBytes : MAX_BODY_BYTES);
        const ptr = hot.payloadPtr(slot);
        bytes.push(...hot.bytes.subarray(ptr, ptr + length));
        hot.payloadRelease(slot);
      }
      expect(decodeSegmentHeader(new Uint8Array(bytes))).toEqual(segment.header);
      expect(segment.header.captureUnits).toBe(toClockUnits(ms(1000)));
      expect(segment.header.ptsOffsetMs).toBe(-40);
      expect(Uint8Array.from(bytes.slice(23))).toEqual(body);
    }
    expect(cutter.next).toBe(next);
    expect(hot.payloadBytesUsed()).toBe(testHotPath(kind).payloadBytesUsed());
  });

  test("a group begins with the configurations, then the key frame", () => {
    const cutter = new SegmentCutter(testHotPath(kind));
    for (const config of CONFIGS) expect(cutter.cut(ms(0), config)).toEqual([]);
    for (const at of [0, 2000, 4000]) {
      const segments = cutter.cut(ms(at), frame(FrameKind.key, 100, at));
      expect(kinds(segments)).toEqual([2, 1, 0, 4] as FrameKind[]);
      expect(segments.map(isGroupStart)).toEqual([true, false, false, false]);
      expect(segments.map((one) => flagPriority(one.flags))).toEqual([0, 0, 0, 2]);
      expect(segments.map((one) => one.header.dtsMs)).toEqual([at, at, at, at]);
      expect(cutter.cut(ms(at), frame(FrameKind.audio, 10, at)).map(isGroupStart)).toEqual([false]);
    }
  });

  test("each picture depends on the reference before it, sound on nothing", () => {
    const cutter = new SegmentCutter(testHotPath(kind));
    const order = [
      FrameKind.key,
      FrameKind.audio,
      FrameKind.inter,
      FrameKind.disposable,
      FrameKind.audio,
      FrameKind.disposable,
      FrameKind.inter,
    ] as const;
    const depends = order.map((one) => cutter.cut(ms(0), frame(one, 10))[0]?.header.dependsOn);
    expect(depends).toEqual([0, 0, 2, 1, 0, 3, 4]);
  });

  test("a changed configuration goes right before its first frame, and an unchanged one not at all", () => {
    const cutter = new SegmentCutter(testHotPath(kind));
    for (const config of CONFIGS) cutter.cut(ms(0), config);
    cutter.cut(ms(0), frame(FrameKind.key, 10));
    cutter.cut(ms(0), frame(FrameKind.audioConfig, 7, 0, 1));
    expect(kinds(cutter.cut(ms(10), frame(FrameKind.audio, 10)))).toEqual([FrameKind.audio]);
    cutter.cut(ms(20), frame(FrameKind.audioConfig, 7, 0, 2));
    expect(kinds(cutter.cut(ms(20), frame(FrameKind.inter, 10)))).toEqual([FrameKind.inter]);
    const changed = cutter.cut(ms(30), frame(FrameKind.audio, 10));
    expect(kinds(changed)).toEqual([FrameKind.audioConfig, FrameKind.audio]);
    expect(changed.some(isGroupStart)).toBe(false);
    expect(kinds(cutter.cut(ms(40), frame(FrameKind.audio, 10)))).toEqual([FrameKind.audio]);
  });

  test("pictures before the first key frame are dropped, sound is not", () => {
    const cutter = new SegmentCutter(testHotPath(kind));
    for (const config of CONFIGS) cutter.cut(ms(0), config);
    expect(cutter.cut(ms(0), frame(FrameKind.inter, 10))).toEqual([]);
    expect(kinds(cutter.cut(ms(0), frame(FrameKind.audio, 10)))).toEqual([
      2, 1, 0, 3,
    ] as FrameKind[]);
    expect(cutter.cut(ms(0), frame(FrameKind.disposable, 10))).toEqual([]);
    expect(cutter.cut(ms(0), frame(FrameKind.key, 10)).map(isGroupStart)[0]).toBe(true);
  });

  test("sound alone makes a group every two seconds, across a wrap of its timestamps", () => {
    const cutter = new SegmentCutter(testHotPath(kind));
    cutter.cut(ms(0), frame(FrameKind.audioConfig, 7));
    const starts: number[] = [];
    for (let at = 0; at < 10_000; at += 20) {
      const dtsMs = (at - 5000) >>> 0;
      const segments = cutter.cut(ms(at), frame(FrameKind.audio, 10, dtsMs));
      if (isGroupStart(segments[0])) starts.push(at);
    }
    expect(starts).toEqual([0, 2000, 4000, 6000, 8000]);
  });

  test("goes by sound while the camera is off", () => {
    const cutter = new SegmentCutter(testHotPath(kind));
    cutter.cut(ms(0), frame(FrameKind.key, 10, 0));
    let starts = 0;
    for (let at = 20; at < 10_000; at += 20) {
      const segments = cutter.cut(ms(at), frame(FrameKind.audio, 10, at));
      if (!isGroupStart(segments[0])) continue;
      expect(at).toBeGreaterThanOrEqual(5000);
      starts++;
    }
    expect(starts).toBe(3);
  });

  test("a frame for which there is no memory is lost, and its dependants can tell", () => {
    const hot = testHotPath(kind, 2);
    const cutter = new SegmentCutter(hot);
    cutter.cut(ms(0), frame(FrameKind.key, 10));
    const held: number[] = [];
    for (let slot = hot.payloadAlloc(1152); slot > 0; slot = hot.payloadAlloc(1152))
      held.push(slot);
    hot.payloadRelease(held.pop() as number);
    const used = hot.payloadBytesUsed();
    expect(cutter.cut(ms(1), frame(FrameKind.inter, 5000))).toEqual([]);
    expect(hot.payloadBytesUsed()).toBe(used);
    expect(cutter.framesLost).toBe(1);
    const [after] = cutter.cut(ms(2), frame(FrameKind.inter, 10)) as [CutSegment];
    expect(after.header.sequence).toBe(2);
    expect(after.header.dependsOn).toBe(1);
    expect(after.first).toBe(1);
  });

  test("empty and oversized frames are lost, not sent", () => {
    const cutter = new SegmentCutter(testHotPath(kind));
    expect(cutter.cut(ms(0), frame(FrameKind.key, 0))).toEqual([]);
    expect(cutter.cut(ms(0), frame(FrameKind.key, 1_048_577))).toEqual([]);
    expect(cutter.framesLost).toBe(2);
  });
});
