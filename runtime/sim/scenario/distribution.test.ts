import { describe, expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import { sample } from "./distribution.ts";
import type { Distribution } from "./schema.ts";

const COUNT = 20_000;

function draws(distribution: Distribution): number[] {
  const random = new Prng(11);
  return Array.from({ length: COUNT }, () => sample(distribution, random)).sort((a, b) => a - b);
}

function at(values: readonly number[], share: number): number {
  return values[Math.floor(values.length * share)] as number;
}

describe("a distribution", () => {
  test("meets its median, mean or bounds", () => {
    expect(new Set(draws(7))).toEqual(new Set([7]));
    const uniform = draws({ uniform: [2, 4] });
    expect(uniform[0]).toBeCloseTo(2, 1);
    expect(uniform.at(-1)).toBeCloseTo(4, 1);
    expect(at(draws({ lognormal: { median: 4, sigma: 0.7 } }), 0.5)).toBeCloseTo(4, 0);
    const exponential = draws({ exponential: { mean: 10 } });
    expect(exponential.reduce((a, b) => a + b, 0) / COUNT / 10).toBeCloseTo(1, 1);
    const pareto = draws({ pareto: { median: 60, alpha: 1.5 } });
    expect(at(pareto, 0.5) / 60).toBeCloseTo(1, 1);
    expect(at(pareto, 0.999)).toBeGreaterThan(1500); /* 60 × (0.5 / 0.001)^(1 / 1.5) = 3,780 */
  });

  test("runs through its percentiles", () => {
    const values = draws({ percentiles: { 10: 1, 50: 4, 90: 20, 100: 50 } });
    expect(at(values, 0.05)).toBe(1);
    expect(at(values, 0.5)).toBeCloseTo(4, 0);
    expect(at(values, 0.7)).toBeCloseTo(12, 0);
    expect(values.at(-1)).toBeLessThanOrEqual(50);
  });
});
