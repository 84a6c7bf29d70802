import { describe, expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import { type Ms, ms } from "../../base/time.ts";
import { toClockUnits } from "../../wire/segment.ts";
import { CaptureClock, CLOCK_SPAN_MS, ClockEstimate, nearestClockMs } from "./clock-estimate.ts";

/** One round with a peer whose clock is `offset + drift` ahead; its true offset at the end is returned. */
function round(
  estimate: ClockEstimate,
  sent: number,
  upMs: number,
  heldMs: number,
  downMs: number,
  peer: (local: number) => number,
): Ms {
  const arrived = sent + upMs;
  const answered = arrived + heldMs;
  const back = ms(answered + downMs);
  estimate.addSample(ms(sent), toClockUnits(peer(arrived)), toClockUnits(peer(answered)), back);
  return back;
}

/** Distance of two offsets modulo the span of a wire clock. */
function apart(a: number, b: number): number {
  return Math.abs(nearestClockMs(a, b) - b);
}

describe("clock estimate", () => {
  test("is exact on a path as fast one way as the other", () => {
    const estimate = new ClockEstimate();
    expect(estimate.ready).toBe(false);
    const now = round(estimate, 1000, 20, 3, 20, (local) => local + 5000);
    expect(estimate.offsetMs).toBeCloseTo(5000, 0);
    expect(estimate.leastRttMs).toBeCloseTo(40, 0);
    expect(estimate.uncertaintyMs(now)).toBeCloseTo(20.2, 0);
    expect(estimate.toLocal(toClockUnits(ms(8000)), now)).toBeCloseTo(3000, 0);
    expect(estimate.toPeerUnits(ms(3000))).toBe(toClockUnits(ms(8000)));
  });

  test("holds the truth within its uncertainty: any offset of a day, 100 ppm of drift each, queues", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = new Prng(seed);
      const offset = (random.next() - 0.5) * 2 * 86_400_000;
      const rate = 1 + (random.next() - 0.5) * 4e-4;
      const origin = random.next() * CLOCK_SPAN_MS;
      const peer = (local: number): number => (local - origin) * rate + origin + offset;
      const estimate = new ClockEstimate();
      for (let i = 0; i < 60; i++) {
        const sent = origin + i * 1000;
        const [up, down] = [20 + random.next() ** 3 * 200, 20 + random.next() ** 3 * 200];
        const now = round(estimate, sent, up, random.next() * 5, down, peer);
        expect(apart(estimate.offsetMs, peer(now) - now)).toBeLessThan(estimate.uncertaintyMs(now));
        const then = ms(now - 500);
        const local = estimate.toLocal(toClockUnits(ms(peer(then))), now);
        expect(Math.abs(local - then)).toBeLessThan(estimate.uncertaintyMs(now) + 0.3);
      }
      expect(estimate.leastRttMs).toBeLessThan(160);
    }
  });

  test("the least RTT wins, until it is too old to be believed", () => {
    const estimate = new ClockEstimate();
    const peer = (local: number): number => local - 700;
    round(estimate, 0, 10, 0, 10, peer);
    round(estimate, 1000, 10, 0, 300, peer);
    expect(estimate.leastRttMs).toBeCloseTo(20, 0);
    for (let i = 2; i < 10; i++) round(estimate, i * 1000, 30, 0, 50, peer);
    expect(estimate.leastRttMs).toBeCloseTo(80, 0);
  });

  test("follows clocks through the wrap of the wire's 32 bits", () => {
    const estimate = new ClockEstimate();
    const peer = (local: number): number => local + CLOCK_SPAN_MS - 500;
    for (let i = 0; i < 10; i++) {
      const now = round(estimate, i * 200, 10, 0, 10, peer);
      expect(apart(estimate.offsetMs, -500)).toBeLessThan(1);
      const units = toClockUnits(ms(peer(now)));
      expect(Math.abs(estimate.toLocal(units, now) - now)).toBeLessThan(1);
    }
  });

  test("refuses timestamps that cannot belong together", () => {
    const estimate = new ClockEstimate();
    expect(estimate.addSample(ms(100), 50, 40, ms(110))).toBe(false);
    expect(estimate.addSample(ms(100), 50, 500, ms(110))).toBe(false);
    expect(estimate.ready).toBe(false);
    expect(() => estimate.toLocal(0, ms(0))).toThrow();
  });
});

describe("capture clock", () => {
  function known(offset: number): ClockEstimate {
    const estimate = new ClockEstimate();
    round(estimate, 0, 5, 0, 5, (local) => local + offset);
    return estimate;
  }

  test("adds up offsets and uncertainties along the path", () => {
    /* publisher's clock p; edge e = p + 4000; viewer v = e − 90000 */
    const edge = new CaptureClock();
    edge.told(ms(10), 0, 0, known(-4000));
    expect(edge.offsetMs(ms(10))).toBeCloseTo(4000, 0);
    const viewer = new CaptureClock();
    expect(viewer.ready).toBe(false);
    viewer.told(ms(10), edge.offsetMs(ms(10)), edge.uncertaintyMs(ms(10)), known(90_000));
    expect(viewer.ready).toBe(true);
    expect(viewer.offsetMs(ms(10))).toBeCloseTo(-86_000, 0);
    expect(viewer.uncertaintyMs(ms(10))).toBeCloseTo(10.4, 0);
    expect(viewer.toLocal(toClockUnits(ms(86_100)), ms(200))).toBeCloseTo(100, 0);
  });

  test("the publisher's own clock needs nobody", () => {
    const clock = new CaptureClock();
    clock.setLocal(ms(5));
    expect(clock.ready).toBe(true);
    expect(clock.toLocal(toClockUnits(ms(1234)), ms(1300))).toBe(ms(1234));
    expect(clock.uncertaintyMs(ms(9))).toBe(0);
  });

  test("slides to small changes and jumps to large ones", () => {
    const clock = new CaptureClock();
    const upstream = known(0);
    clock.told(ms(0), 100, 1, upstream);
    const before = clock.offsetMs(ms(0));
    clock.told(ms(0), 150, 1, upstream);
    expect(clock.offsetMs(ms(1000))).toBeCloseTo(before + 10, 1);
    expect(clock.offsetMs(ms(60_000))).toBeCloseTo(before + 50, 1);
    expect(clock.jumps).toBe(0);
    clock.told(ms(60_000), 5000, 1, upstream);
    expect(clock.offsetMs(ms(60_000))).toBeCloseTo(before + 4900, 1);
    expect(clock.jumps).toBe(1);
  });

  test("is not told nonsense", () => {
    const clock = new CaptureClock();
    expect(clock.told(ms(0), Number.NaN, 1, known(0))).toBe(false);
    expect(clock.told(ms(0), Number.POSITIVE_INFINITY, 1, known(0))).toBe(false);
    expect(clock.told(ms(0), 0, Number.NaN, known(0))).toBe(false);
    expect(clock.ready).toBe(false);
  });
});
