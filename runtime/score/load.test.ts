import { expect, test } from "bun:test";
import fc from "fast-check";
import { type LoadFeatures, loadOf } from "./load.ts";

const IDLE: LoadFeatures = {
  cpu: 0.05,
  uploadShare: 0.05,
  queueMs: 0,
  limitKnown: true,
  natOpen: true,
  metered: false,
  consumeOnly: false,
  wireless: false,
};

test("who must not or will not upload is fully loaded", () => {
  expect(loadOf({ ...IDLE, consumeOnly: true })).toBe(1);
  expect(loadOf({ ...IDLE, metered: true })).toBe(1);
});

test("an idle, wired, open node has room", () => {
  expect(loadOf(IDLE)).toBeLessThan(0.2);
});

test("one full resource is enough to be full", () => {
  for (const full of [{ cpu: 1 }, { uploadShare: 1 }, { queueMs: 200 }]) {
    expect(loadOf({ ...IDLE, ...full })).toBeGreaterThan(0.9);
  }
});

test("load is within 0..1 and never falls as things get worse", () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const some: fc.Arbitrary<LoadFeatures> = fc.record({
    cpu: share,
    uploadShare: share,
    queueMs: fc.double({ min: 0, max: 2000, noNaN: true }),
    limitKnown: fc.boolean(),
    natOpen: fc.boolean(),
    metered: fc.boolean(),
    consumeOnly: fc.boolean(),
    wireless: fc.boolean(),
  });
  fc.assert(
    fc.property(some, some, (one, other) => {
      const worse: LoadFeatures = {
        cpu: Math.max(one.cpu, other.cpu),
        uploadShare: Math.max(one.uploadShare, other.uploadShare),
        queueMs: Math.max(one.queueMs, other.queueMs),
        limitKnown: one.limitKnown && other.limitKnown,
        natOpen: one.natOpen && other.natOpen,
        metered: one.metered || other.metered,
        consumeOnly: one.consumeOnly || other.consumeOnly,
        wireless: one.wireless || other.wireless,
      };
      const load = loadOf(one);
      return load >= 0 && load <= 1 && loadOf(worse) >= load;
    }),
    { seed: 1, numRuns: 1000 },
  );
});
