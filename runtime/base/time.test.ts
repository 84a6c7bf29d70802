import { expect, test } from "bun:test";
import { ms, NEVER } from "./time.ts";

test("never is later than any time", () => {
  expect(NEVER).toBeGreaterThan(ms(Number.MAX_VALUE));
  expect(Math.min(NEVER, ms(5))).toBe(5);
});
