import { expect, test } from "bun:test";
import { alternating } from "./order.ts";

test("every subject comes equally often, and is first in turn", () => {
  expect(alternating(["a", "b", "c"], 1)).toEqual(["a", "b", "c"]);
  expect(alternating(["a", "b"], 2)).toEqual(["a", "b", "b", "a"]);
  const firsts = new Set<string>();
  const all = alternating(["a", "b", "c"], 6);
  for (let i = 0; i < all.length; i += 3) firsts.add(all[i] as string);
  expect(firsts.size).toBe(3);
  for (const name of ["a", "b", "c"]) expect(all.filter((each) => each === name).length).toBe(6);
});
