import { expect, test } from "bun:test";
import { bitCount } from "./bits.ts";

test("counts the bits of a mask, the sign bit among them", () => {
  expect([0, 1, 0b1011, 0xffff, 0x8000_0001, -1].map(bitCount)).toEqual([0, 1, 3, 16, 2, 32]);
});
