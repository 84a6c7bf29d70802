import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Prng } from "./prng.ts";

describe("seeded randomness", () => {
  test("is the same for the same seed and another for another", () => {
    const draw = (seed: number) => {
      const prng = new Prng(seed);
      return Array.from({ length: 8 }, () => prng.uint32());
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(draw(0).some((n) => n !== 0)).toBe(true);
  });

  test("stays in its ranges", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 2 ** 32 }), (seed, bound) => {
        const prng = new Prng(seed);
        const word = prng.uint32();
        expect(word).toBe(word >>> 0);
        const share = prng.next();
        expect(share >= 0 && share < 1).toBe(true);
        const value = prng.below(bound);
        expect(Number.isInteger(value) && value >= 0 && value < bound).toBe(true);
      }),
    );
  });

  test("is spread evenly enough: each of 16 bins within 5 sigma", () => {
    const prng = new Prng(7);
    const bins = new Array<number>(16).fill(0);
    const draws = 160_000;
    for (let i = 0; i < draws; i++) {
      const bin = prng.below(16);
      bins[bin] = (bins[bin] as number) + 1;
    }
    const sigma = Math.sqrt(draws * (1 / 16) * (15 / 16));
    for (const count of bins) expect(Math.abs(count - draws / 16)).toBeLessThan(5 * sigma);
  });

  test("fills bytes", () => {
    const bytes = new Uint8Array(256);
    new Prng(3).fill(bytes);
    expect(new Set(bytes).size).toBeGreaterThan(100);
  });
});
