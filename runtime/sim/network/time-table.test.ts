import { expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import { TimeTable } from "./time-table.ts";

test("tells the last time of each of many numbers", () => {
  const random = new Prng(3);
  const table = new TimeTable();
  const expected = new Map<number, number>();
  for (let i = 0; i < 5000; i++) {
    const key = random.below(700);
    expect(table.get(key)).toBe(expected.get(key) ?? Number.NEGATIVE_INFINITY);
    table.set(key, i);
    expected.set(key, i);
  }
});
