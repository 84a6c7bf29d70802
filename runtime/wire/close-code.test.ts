import { describe, expect, test } from "bun:test";
import { CloseCode, closeCodeFromWire, closeCodeOf, closeName } from "./close-code.ts";

describe("close codes", () => {
  test("have one name each, and unknown ones are read as not wanted", () => {
    for (const code of Object.values(CloseCode)) {
      expect(closeCodeOf(closeName(code))).toBe(code);
      expect(closeCodeFromWire(code)).toBe(code);
    }
    expect(new Set(Object.values(CloseCode).map(closeName)).size).toBe(12);
    expect(closeCodeFromWire(12)).toBe(CloseCode.notWanted);
    expect(closeCodeFromWire(65_535)).toBe(CloseCode.notWanted);
  });
});
