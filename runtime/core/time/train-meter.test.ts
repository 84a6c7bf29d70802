import { expect, test } from "bun:test";
import { ms } from "../../base/time.ts";
import { TrainMeter } from "./train-meter.ts";

function after(packets: number, gapMs: number, lost: readonly number[] = []): number {
  const meter = new TrainMeter();
  for (let i = 0; i < packets; i++) {
    if (!lost.includes(i)) meter.handle(ms(1000 + i * gapMs), 1, 1000);
  }
  return meter.rateBps;
}

test("reads the narrowest link's rate from the spread of a train", () => {
  expect(after(16, 8)).toBe(1_000_000);
  expect(after(16, 1)).toBe(8_000_000);
});

test("a loss within the train lowers the estimate by its share", () => {
  expect(after(16, 8, [4])).toBeCloseTo(1_000_000 * (14 / 15), -1);
});

test("says nothing of a few packets, and the least of a spread that is too short", () => {
  expect(after(3, 8)).toBe(0);
  expect(after(16, 0)).toBe(30_000_000);
});

test("a later train replaces an earlier one", () => {
  const meter = new TrainMeter();
  for (let i = 0; i < 8; i++) meter.handle(ms(i), 1, 1000);
  for (let i = 0; i < 8; i++) meter.handle(ms(5000 + i * 8), 2, 1000);
  expect(meter.rateBps).toBe(1_000_000);
});
