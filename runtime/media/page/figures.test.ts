import { expect, test } from "bun:test";
import { bufferZones, formatBytes } from "./figures.ts";

test("the zones fill the bar, whatever the figures", () => {
  const zones = bufferZones({
    targetMs: 800,
    pullFromMs: 400,
    compensateFromMs: 600,
    fillMs: 720,
    holes: 0,
  });
  expect(zones).toEqual({ push: 50, pull: 25, compensation: 25, fill: 90 });
  for (const odd of [
    { targetMs: 0, pullFromMs: 0, compensateFromMs: 0, fillMs: 5, holes: 0 },
    { targetMs: 300, pullFromMs: 900, compensateFromMs: 100, fillMs: -5, holes: 0 },
  ]) {
    const { push, pull, compensation, fill } = bufferZones(odd);
    expect(push + pull + compensation).toBe(100);
    for (const part of [push, pull, compensation, fill]) {
      expect(part).toBeGreaterThanOrEqual(0);
      expect(part).toBeLessThanOrEqual(100);
    }
  }
});

test("bytes are shown with three digits", () => {
  expect([0, 999, 1_000, 15_340, 999_900, 2_340_000_000].map(formatBytes)).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "15.3 kB",
    "1000 kB",
    "2.3 GB",
  ]);
});
