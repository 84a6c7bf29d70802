import { expect, test } from "bun:test";
import { CaptureClock, parseCaptureMark } from "./capture-clock.ts";

test("finds the capture time of a presented frame from the first frame's decoding time", () => {
  const clock = new CaptureClock();
  expect(clock.capturedAt(0)).toBeUndefined();
  for (let i = 0; i < 10; i++) {
    clock.add({ dtsMs: 5_000 + i * 40, ptsMs: 5_080 + i * 40, capturedAtEpochMs: 1e12 + i * 41 });
  }
  expect(clock.capturedAt(80)).toBe(1e12);
  expect(clock.capturedAt(80 + 9 * 40 + 5)).toBe(1e12 + 9 * 41);
});

test("frames sent in decoding order are found by presentation order", () => {
  const clock = new CaptureClock();
  clock.add({ dtsMs: 0, ptsMs: 80, capturedAtEpochMs: 1_000 });
  clock.add({ dtsMs: 40, ptsMs: 200, capturedAtEpochMs: 1_040 });
  clock.add({ dtsMs: 80, ptsMs: 120, capturedAtEpochMs: 1_080 });
  clock.add({ dtsMs: 120, ptsMs: 160, capturedAtEpochMs: 1_120 });
  expect(clock.capturedAt(120)).toBe(1_080);
  expect(clock.capturedAt(200)).toBe(1_040);
});

test("says nothing far from every mark, and forgets with a new player", () => {
  const clock = new CaptureClock();
  clock.add({ dtsMs: 0, ptsMs: 0, capturedAtEpochMs: 1_000 });
  expect(clock.capturedAt(500)).toBe(1_500);
  expect(clock.capturedAt(5_000)).toBeUndefined();
  clock.reset();
  expect(clock.capturedAt(0)).toBeUndefined();
});

test("keeps a bounded number of marks", () => {
  const clock = new CaptureClock();
  for (let i = 0; i < 10_000; i++) {
    clock.add({ dtsMs: i * 40, ptsMs: i * 40, capturedAtEpochMs: i * 40 });
  }
  expect(clock.capturedAt(0)).toBeUndefined();
  expect(clock.capturedAt(9_999 * 40)).toBe(9_999 * 40);
});

test("reads only its own script tag", () => {
  expect(parseCaptureMark({ onShoal: { dtsMs: 1, capturedAtEpochMs: 2 } })).toEqual({
    dtsMs: 1,
    ptsMs: 1,
    capturedAtEpochMs: 2,
  });
  for (const other of [null, undefined, {}, { onMetaData: {} }, { onShoal: { dtsMs: "1" } }, 7]) {
    expect(parseCaptureMark(other)).toBeUndefined();
  }
});
