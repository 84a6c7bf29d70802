import { describe, expect, test } from "bun:test";
import { Ring } from "./uplink-ring.ts";

describe("ring", () => {
  test("keeps order while it grows and turns", () => {
    const ring = new Ring<number>();
    const out: (number | undefined)[] = [];
    for (let i = 0; i < 1000; i++) {
      ring.push(i);
      if (i % 3 === 0) out.push(ring.shift());
    }
    while (ring.length > 0) out.push(ring.shift());
    expect(out).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(ring.shift()).toBeUndefined();
  });
});
