import { expect, test } from "bun:test";
import { EdgeDelays } from "./edge-delays.ts";

test("delays count from where a segment is whole first, once an edge", () => {
  const delays = new EdgeDelays(3, 1000, [2000]);
  delays.note(0, "a", 500);
  delays.note(1, "a", 520);
  delays.note(1, "a", 900);
  delays.note(2, "a", 540);
  delays.note(0, "b", 1600);
  delays.note(1, "b", 1700);
  expect([delays.whole.count, delays.whole.max]).toEqual([3, 100]);
  expect([delays.afterWarmup.count, delays.aroundFaults.count]).toEqual([1, 1]);
});

test("what a living edge has not got from a living one is missing, what a dead one lacks is not", () => {
  const delays = new EdgeDelays(4, 0, []);
  const segment = (key: string, atMs: number, edges: readonly number[]): void => {
    for (const edge of edges) delays.note(edge, key, atMs);
  };
  segment("everywhere", 100, [0, 1, 2, 3]);
  segment("not at 2", 200, [0, 1, 3]);
  segment("at 3 before it died, late at 1", 300, [0, 3, 2, 1]);
  segment("not at 1 and 3", 400, [0, 2]);
  segment("from 3", 500, [3]);
  segment("too late to tell", 900, [0]);
  const isAlive = (edge: number): boolean => edge !== 3;
  expect(delays.missing(0, 800, isAlive)).toBe(2);
  expect(delays.missing(0, 800, () => true)).toBe(1 + 2 + 3);
});
