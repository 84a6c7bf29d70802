import { expect, test } from "bun:test";
import { AssertionError, assert, unreachable } from "./assert.ts";

test("an assertion stops a broken invariant with its message", () => {
  expect(() => assert(true, "fine")).not.toThrow();
  expect(() => assert(false, "3 of 2 slots")).toThrow(new AssertionError("3 of 2 slots"));
  expect(() => unreachable("x" as never)).toThrow(AssertionError);
});
