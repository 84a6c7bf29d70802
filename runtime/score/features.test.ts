import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  encodeNeighbour,
  HIT_RATE_UNKNOWN,
  NEIGHBOUR_INPUTS,
  type NeighbourFeatures,
  smoothHitRate,
} from "./features.ts";

const inputs = new Float64Array(NEIGHBOUR_INPUTS);

test("inputs are finite and within −1..1, whatever was measured", () => {
  const measure = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true, max: 1e12 });
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const features: fc.Arbitrary<NeighbourFeatures> = fc.record({
    rttMs: measure,
    rttVarMs: measure,
    lossRate: share,
    hitRate: share,
    answerMs: measure,
    ageMs: measure,
    sameRegion: fc.boolean(),
    spareBps: measure,
    inFlight: fc.nat(),
  });
  fc.assert(
    fc.property(features, measure, (some, budgetMs) => {
      encodeNeighbour(some, budgetMs, inputs);
      return inputs.every((input) => input >= -1 && input <= 1);
    }),
    { seed: 1, numRuns: 1000 },
  );
});

test("room of another size is refused", () => {
  const none = {
    rttMs: 0,
    rttVarMs: 0,
    lossRate: 0,
    hitRate: HIT_RATE_UNKNOWN,
    answerMs: 0,
    ageMs: 0,
    sameRegion: false,
    spareBps: 0,
    inFlight: 0,
  };
  encodeNeighbour(none, 0, inputs);
  expect(() => encodeNeighbour(none, 0, new Float64Array(3))).toThrow("room for each input");
});

test("the hit rate forgets within some dozen requests", () => {
  let hitRate = 1;
  for (let i = 0; i < 12; i++) hitRate = smoothHitRate(hitRate, false);
  expect(hitRate).toBeLessThan(0.25);
  for (let i = 0; i < 12; i++) hitRate = smoothHitRate(hitRate, true);
  expect(hitRate).toBeGreaterThan(0.75);
  expect(hitRate).toBeLessThan(1);
});
