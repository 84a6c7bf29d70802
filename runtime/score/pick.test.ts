import { describe, expect, test } from "bun:test";
import { Prng } from "../base/prng.ts";
import { drawWeighted } from "./pick.ts";

describe("drawing by weight", () => {
  test("follows the cubes of the weights", () => {
    const random = new Prng(1);
    const counts = [0, 0, 0];
    for (let i = 0; i < 90_000; i++) {
      const at = drawWeighted([1, 2, 0], 3, random);
      counts[at] = (counts[at] as number) + 1;
    }
    expect(counts[2]).toBe(0);
    expect(Math.abs((counts[0] as number) / 90_000 - 1 / 9)).toBeLessThan(0.004);
  });

  test("looks at the first `count` only", () => {
    const random = new Prng(2);
    for (let i = 0; i < 100; i++) expect(drawWeighted([0, 1, 1000], 2, random)).toBe(1);
  });

  test("finds nobody among none, and among those worth nothing", () => {
    const random = new Prng(3);
    expect(drawWeighted([], 0, random)).toBe(-1);
    expect(drawWeighted([0, -1, Number.NaN], 3, random)).toBe(-1);
  });

  test("skips what is not a weight", () => {
    const random = new Prng(4);
    for (let i = 0; i < 100; i++) expect(drawWeighted([Number.NaN, 0.001, -5], 3, random)).toBe(1);
  });
});
