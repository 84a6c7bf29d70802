import { describe, expect, test } from "bun:test";
import { ms } from "../base/time.ts";
import { RateMeter } from "./rate-meter.ts";
import { streamIdOf } from "./stream-id.ts";

describe("a rate meter", () => {
  test("knows nothing before half a second has passed", () => {
    const meter = new RateMeter();
    expect(meter.bytesPerSecond(ms(0))).toBe(0);
    meter.count(ms(100), 1000);
    expect(meter.bytesPerSecond(ms(400))).toBe(0);
    expect(meter.bytesPerSecond(ms(600))).toBe(2000);
  });

  test("shows a steady rate, whatever the clock's zero, and forgets in four seconds", () => {
    for (const zero of [0, -86_400_000, 1e12]) {
      const meter = new RateMeter();
      for (let at = 0; at < 10_000; at += 10) meter.count(ms(zero + at), 1000);
      expect(meter.bytesPerSecond(ms(zero + 10_000))).toBeCloseTo(100_000, 0);
      expect(meter.bytesPerSecond(ms(zero + 12_000))).toBeWithin(30_000, 60_000);
      expect(meter.bytesPerSecond(ms(zero + 14_000))).toBe(0);
      expect(meter.bytesPerSecond(ms(zero + 1e6))).toBe(0);
    }
  });
});

test("a stream's id is that of its name", () => {
  expect(streamIdOf("live/a")).toEqual(streamIdOf("live/a"));
  expect(streamIdOf("live/a")).not.toEqual(streamIdOf("live/b"));
  expect(Buffer.from(streamIdOf("abc")).toString("hex")).toBe("ba7816bf8f01cfea");
});
