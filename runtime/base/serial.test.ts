import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { expandSerial16, serialAdd, serialAfter, serialDiff } from "./serial.ts";

const u32s = fc.integer({ min: 0, max: 0xffff_ffff });

describe("serial numbers", () => {
  test("compare across the wrap", () => {
    expect(serialDiff(2, 0xffff_fffe)).toBe(4);
    expect(serialDiff(0xffff_fffe, 2)).toBe(-4);
    expect(serialAfter(0, 0xffff_ffff)).toBe(true);
    expect(serialAfter(0xffff_ffff, 0)).toBe(false);
    expect(serialAfter(5, 5)).toBe(false);
  });

  test("add and subtract undo each other within half the span", () => {
    const steps = fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(u32s, steps, (a, n) => {
        expect(serialDiff(serialAdd(a, n), a)).toBe(n);
        expect(serialAfter(serialAdd(a, n), a)).toBe(n > 0);
      }),
    );
  });

  test("come back from their low half near what was seen", () => {
    expect(expandSerial16(0xa82f, 0xa82e_ffff & 0xffff)).toBe(0xa82f);
    expect(expandSerial16(1, 0xffff_fffe)).toBe(1);
    expect(expandSerial16(0xffff, 0x1_0000)).toBe(0xffff);
    const steps = fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 });
    fc.assert(
      fc.property(u32s, steps, (near, n) => {
        const number = serialAdd(near, n);
        expect(expandSerial16(number & 0xffff, near)).toBe(number);
      }),
    );
  });
});
