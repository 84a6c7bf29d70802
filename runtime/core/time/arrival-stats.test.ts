import { describe, expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import { ms } from "../../base/time.ts";
import { LagHistogram, WindowMin } from "./arrival-stats.ts";

describe("lag histogram", () => {
  test("tells quantiles to within a bucket", () => {
    const random = new Prng(3);
    const lags = new LagHistogram(1e9);
    for (let i = 0; i < 20_000; i++) lags.add(ms(i), random.next() * 1000);
    for (const p of [0.1, 0.5, 0.9, 0.99]) {
      expect(Math.abs(lags.quantile(p) - p * 1000)).toBeLessThan(20);
    }
  });

  test("forgets by half-lives, for days", () => {
    const lags = new LagHistogram(1000);
    for (let i = 0; i < 100; i++) lags.add(ms(0), 2000);
    expect(lags.samples).toBeCloseTo(100, 5);
    for (let i = 0; i < 100; i++) lags.add(ms(10_000), 50);
    expect(lags.quantile(0.99)).toBe(60);
    expect(lags.samples).toBeCloseTo(100 + 100 / 1024, 2);
    lags.add(ms(86_400_000 * 3), 500);
    expect(lags.samples).toBeCloseTo(1, 5);
    expect(lags.quantile(0.5)).toBe(510);
  });

  test("takes what is out of range at the ends, and is empty after clear", () => {
    const lags = new LagHistogram(1000);
    lags.add(ms(0), -5);
    expect(lags.quantile(0.5)).toBe(10);
    lags.add(ms(0), 1e9);
    expect(lags.quantile(0.99)).toBe(3000);
    lags.clear();
    expect(lags.quantile(0.99)).toBe(0);
    expect(lags.samples).toBe(0);
  });
});

describe("window minimum", () => {
  test("remembers the least for half a window to a whole one", () => {
    const least = new WindowMin(1000);
    expect(least.isEmpty).toBe(true);
    for (let now = 0; now <= 3000; now += 10) {
      least.add(ms(now), now === 500 ? 1 : 7);
      if (now >= 500 && now <= 1000) expect(least.value).toBe(1);
      if (now > 1600) expect(least.value).toBe(7);
    }
    least.reset(ms(3000), 9);
    expect(least.value).toBe(9);
  });

  test("keeps the last value through a long silence", () => {
    const least = new WindowMin(1000);
    least.add(ms(0), 5);
    least.add(ms(60_000), 8);
    expect(least.value).toBe(5);
    least.add(ms(61_000), 8);
    expect(least.value).toBe(8);
  });
});
