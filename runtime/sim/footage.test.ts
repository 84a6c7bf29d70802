import { describe, expect, test } from "bun:test";
import { FrameKind } from "../wire/frame.ts";
import { FOOTAGE_480P, Footage, fragmentsKept, makeTrace, parseTrace } from "./footage.ts";

describe("footage", () => {
  test("has the rates and sizes of its model", () => {
    const trace = makeTrace(FOOTAGE_480P, 5, 1);
    expect(trace.loopMs).toBe(10_000);
    const of = (kind: number) => trace.frames.filter((frame) => frame.kind === kind);
    expect(of(FrameKind.key).length).toBe(5);
    expect(of(FrameKind.audio).length).toBe(430);
    for (const { bytes } of of(FrameKind.key))
      expect(Math.abs(bytes / 40_000 - 1)).toBeLessThan(0.101);
    const total = trace.frames.reduce((sum, { bytes }) => sum + bytes, 0);
    expect((total * 8) / 10_000).toBeGreaterThan(750); /* kbit/s */
    expect((total * 8) / 10_000).toBeLessThan(850);
  });

  test("goes on after its loop with rising times, without new configurations, never the same body", () => {
    const footage = new Footage(makeTrace(FOOTAGE_480P, 1, 1), 9);
    const bodies = new Set<string>();
    let last = 0;
    let configs = 0;
    for (let i = 0; i < 700; i++) {
      const due = footage.nextMs;
      const frame = footage.take();
      expect(frame.dtsMs).toBe(due);
      expect(due).toBeGreaterThanOrEqual(last);
      last = due;
      bodies.add(Bun.hash(frame.body).toString());
      if (frame.kind <= FrameKind.videoConfig) configs++;
    }
    expect(configs).toBe(2);
    expect(bodies.size).toBe(700);
    expect(last).toBeGreaterThan(10_000);
  });

  test("reads a trace and says what is wrong with one", () => {
    const key = { dtsMs: 0, kind: "key", bytes: 5000 };
    const good = {
      loopMs: 1000,
      frames: [key, { dtsMs: 40, kind: "inter", bytes: 900, ptsOffsetMs: 80 }],
    };
    expect(parseTrace(good).frames[1]).toEqual({
      dtsMs: 40,
      kind: FrameKind.inter,
      bytes: 900,
      ptsOffsetMs: 80,
    });
    expect(() => parseTrace({ ...good, loopMs: 40 })).toThrow("loop");
    expect(() => parseTrace({ ...good, frames: [{ ...key, kind: "picture" }] })).toThrow();
    expect(() => parseTrace({ ...good, frames: [{ ...key, dtsMs: 90 }, key] })).toThrow("after");
  });
});

test("viewers keep as many fragments as the footage needs, a power of two", () => {
  const of = (groupMs: number, scale: number): number =>
    fragmentsKept(
      makeTrace({ ...FOOTAGE_480P, groupMs, interBytes: FOOTAGE_480P.interBytes * scale }, 4, 1),
    );
  expect(of(2000, 1)).toBe(1024);
  expect(of(10_000, 1)).toBe(4096);
  expect(of(2000, 6)).toBe(4096);
  expect(fragmentsKept({ loopMs: 1000, frames: [] })).toBe(256);
});
