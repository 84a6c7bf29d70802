import { describe, expect, test } from "bun:test";
import { ms } from "../../base/time.ts";
import { SWARM_PARAMS } from "../swarm-params.ts";
import { EgressCap, paramsWithin } from "./egress-cap.ts";

const MBPS = 1_000_000;

/** Sends at a rate for some seconds, told to the cap four times a second. */
function send(cap: EgressCap, bps: number, seconds: number): void {
  for (let i = 1; i <= seconds * 4; i++) cap.tick(ms(i * 250), (bps / 8) * (i / 4));
}

describe("an edge's egress cap", () => {
  test("measures what is sent", () => {
    const cap = new EgressCap(10 * MBPS);
    send(cap, 8 * MBPS, 5);
    expect(cap.rateBps / MBPS).toBeCloseTo(8, 1);
    expect(cap.isFull).toBe(false);
    const other = new EgressCap(7 * MBPS);
    send(other, 8 * MBPS, 5);
    expect(other.isFull).toBe(true);
  });

  test("lets viewers in up to the plan", () => {
    const cap = new EgressCap(10 * MBPS);
    expect(cap.isShortFor(1 * MBPS, 5 * MBPS)).toBe(false);
    expect(cap.isShortFor(1 * MBPS, 6.5 * MBPS)).toBe(true);
    expect(cap.isShortFor(0, 6.9 * MBPS)).toBe(false);
    expect(cap.isShortFor(0, 20 * MBPS)).toBe(true);
  });

  test("keeps most of what it may spend for those who carry others", () => {
    const cap = new EgressCap(10 * MBPS);
    expect(cap.isShortFor(1 * MBPS, 2.5 * MBPS, false)).toBe(true);
    expect(cap.isShortFor(1 * MBPS, 2.5 * MBPS, true)).toBe(false);
    expect(cap.isShortFor(0, 6.9 * MBPS, false)).toBe(false);
    send(cap, 3 * MBPS, 5);
    expect(cap.isCalm).toBe(true);
    const busy = new EgressCap(10 * MBPS);
    send(busy, 5 * MBPS, 5);
    expect(busy.isCalm).toBe(false);
  });

  test("divides the plan among streams by their demand", () => {
    const cap = new EgressCap(10 * MBPS);
    expect(cap.planBps(30 * MBPS, 40 * MBPS)).toBeCloseTo(5.25 * MBPS, 0);
    expect(cap.planBps(0, 0)).toBeCloseTo(7 * MBPS, 0);
    expect(cap.compensationRate(MBPS, MBPS, 8000)).toBeCloseTo(1.5e6 / 8640, 1);
  });

  test("asks for more children a slot the tighter it is, within reason", () => {
    const bitrate = 0.8 * MBPS;
    const children = (planBps: number, bps = bitrate) =>
      paramsWithin(planBps, 1000, bps, SWARM_PARAMS).childrenMax;
    expect(children(800 * MBPS)).toBe(SWARM_PARAMS.childrenMax);
    expect(children(17 * MBPS)).toBe(66);
    expect(children(1 * MBPS)).toBe(120);
    expect(children(MBPS, 0)).toBe(SWARM_PARAMS.childrenMax);
  });

  test("lets small rooms carry themselves", () => {
    expect(paramsWithin(MBPS, 3, 0.8 * MBPS, SWARM_PARAMS).smallRoom).toBe(2);
  });
});
