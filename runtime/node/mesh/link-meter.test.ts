import { expect, test } from "bun:test";
import { ms } from "../../base/time.ts";
import { LinkMeter } from "./link-meter.ts";

test("round trips are smoothed, and what they vary by", () => {
  const meter = new LinkMeter();
  for (let i = 0; i < 50; i++) meter.pong(meter.ping(ms(i * 100)), 38 + (i % 2) * 4);
  expect(meter.rttMs).toBeCloseTo(40, 0);
  expect(meter.jitterMs).toBeGreaterThan(1);
  expect(meter.jitterMs).toBeLessThan(3);
  expect(meter.loss()).toBeLessThan(0.011);
});

test("of pings and their answers half are lost on the way there", () => {
  const meter = new LinkMeter();
  for (let i = 0; i < 1032; i++) {
    const number = meter.ping(ms(i * 100));
    if (i % 4 !== 0) meter.pong(number, 40);
  }
  expect(meter.loss()).toBeCloseTo(1 - Math.sqrt(0.75), 1);
});

test("silence counts pings in a row that should have been answered by now", () => {
  const meter = new LinkMeter();
  for (let i = 0; i < 10; i++) meter.pong(meter.ping(ms(i * 100)), 40);
  for (let i = 10; i < 13; i++) meter.ping(ms(i * 100));
  expect(meter.silent(ms(1010))).toBe(0);
  expect(meter.silent(ms(1250))).toBe(2);
  expect(meter.silent(ms(1500))).toBe(3);
  meter.pong(13, 300);
  expect(meter.silent(ms(1500))).toBe(0);
});

test("media's own losses count where there is enough of it, and bad ones show at once", () => {
  const meter = new LinkMeter();
  for (let i = 0; i < 400; i++) meter.settled(i % 20 === 0);
  expect(meter.loss()).toBeCloseTo(0.05, 1);
  for (let i = 0; i < 10; i++) meter.settled(true);
  expect(meter.recentLoss).toBeGreaterThan(0.4);
  expect(meter.loss()).toBeLessThan(0.12);
});
