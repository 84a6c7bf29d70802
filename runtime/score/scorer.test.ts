import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Prng } from "../base/prng.ts";
import { HIT_RATE_UNKNOWN, type NeighbourFeatures } from "./features.ts";
import { createScorer, LEARNING, SCORE_MIN, SCORER_KINDS, TrainedScorer } from "./scorer.ts";
import { LINEAR_WEIGHTS, MLP_WEIGHTS } from "./weights.ts";

const GOOD: NeighbourFeatures = {
  rttMs: 30,
  rttVarMs: 4,
  lossRate: 0.01,
  hitRate: 0.95,
  answerMs: 40,
  ageMs: 30_000,
  sameRegion: true,
  spareBps: 2_000_000,
  inFlight: 0,
};
const FRESH: NeighbourFeatures = { ...GOOD, hitRate: HIT_RATE_UNKNOWN, answerMs: 30, ageMs: 0 };
const BUDGET_MS = 70;

const someFeatures: fc.Arbitrary<NeighbourFeatures> = fc.record({
  rttMs: fc.double({ min: 0, max: 5000, noNaN: true }),
  rttVarMs: fc.double({ min: 0, max: 5000, noNaN: true }),
  lossRate: fc.double({ min: 0, max: 1, noNaN: true }),
  hitRate: fc.double({ min: 0, max: 1, noNaN: true }),
  answerMs: fc.double({ min: 0, max: 5000, noNaN: true }),
  ageMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
  sameRegion: fc.boolean(),
  spareBps: fc.double({ min: 0, max: 1e10, noNaN: true }),
  inFlight: fc.integer({ min: 0, max: 1000 }),
});
const someBudget = fc.double({ min: 0, max: 5000, noNaN: true });

describe("every scorer", () => {
  for (const kind of SCORER_KINDS) {
    test(`${kind}: above 0 and at most 1, whatever it is told and taught`, () => {
      const scorer = createScorer(kind, new Prng(1));
      fc.assert(
        fc.property(someFeatures, someBudget, fc.boolean(), (features, budgetMs, served) => {
          const score = scorer.score(features, budgetMs);
          scorer.learn(features, budgetMs, served);
          return score >= SCORE_MIN && score <= 1;
        }),
        { seed: 1, numRuns: 2000 },
      );
    });
  }

  test("but random is pure", () => {
    for (const kind of ["mlp", "linear", "rtt"] as const) {
      const scorer = createScorer(kind, new Prng(1));
      const first = scorer.score(GOOD, BUDGET_MS);
      scorer.score(FRESH, 10);
      expect(scorer.score(GOOD, BUDGET_MS)).toBe(first);
    }
  });
});

describe("the network that ships", () => {
  const scorer = createScorer("mlp", new Prng(1));

  test("puts a proven neighbour before an unknown one, that before one that never answers", () => {
    const proven = scorer.score(GOOD, BUDGET_MS);
    const unknown = scorer.score(FRESH, BUDGET_MS);
    const dead = scorer.score({ ...GOOD, hitRate: 0.02, inFlight: 3 }, BUDGET_MS);
    expect(proven).toBeGreaterThan(unknown);
    expect(unknown).toBeGreaterThan(3 * dead);
  });

  test("has weights of its shape, all of them numbers", () => {
    expect(MLP_WEIGHTS.length).toBe(169);
    expect(LINEAR_WEIGHTS.length).toBe(13);
    expect([...MLP_WEIGHTS, ...LINEAR_WEIGHTS].every(Number.isFinite)).toBe(true);
  });
});

describe("both trained scorers, before and after learning", () => {
  const worse: { [K in keyof NeighbourFeatures]?: 1 | -1 } = {
    rttMs: 1,
    rttVarMs: 1,
    lossRate: 1,
    hitRate: -1,
    answerMs: 1,
    spareBps: -1,
    inFlight: 1,
  };

  for (const kind of ["mlp", "linear"] as const) {
    test(`${kind}: never like a neighbour more for being worse, or for less time`, () => {
      const scorer = createScorer(kind, new Prng(1));
      const taught = fc.boolean();
      fc.assert(
        fc.property(
          someFeatures,
          someFeatures,
          someBudget,
          someBudget,
          taught,
          (one, other, budgetMs, otherMs, served) => {
            scorer.learn(one, budgetMs, served);
            const low: NeighbourFeatures = { ...one };
            for (const [name, sign] of Object.entries(worse) as ["rttMs", 1 | -1][]) {
              const pair = [one[name], other[name]] as const;
              low[name] = sign === 1 ? Math.max(...pair) : Math.min(...pair);
            }
            const lowMs = Math.min(budgetMs, otherMs);
            /* Sums of nearly the same numbers differ by rounding. */
            return scorer.score(low, lowMs) <= scorer.score(one, budgetMs) + 1e-12;
          },
        ),
        { seed: 2, numRuns: 3000 },
      );
    });
  }
});

describe("learning from what happens", () => {
  for (const [kind, weights] of [
    ["mlp", MLP_WEIGHTS],
    ["linear", LINEAR_WEIGHTS],
  ] as const) {
    test(`${kind}: moves towards it`, () => {
      const scorer = new TrainedScorer(kind, weights);
      const before = scorer.score(GOOD, BUDGET_MS);
      for (let i = 0; i < 20; i++) scorer.learn(GOOD, BUDGET_MS, false);
      expect(scorer.score(GOOD, BUDGET_MS)).toBeLessThan(before);
    });

    test(`${kind}: never leaves the ball around the trained weights, nor touches them`, () => {
      const trained = weights.slice();
      const scorer = new TrainedScorer(kind, weights);
      const random = new Prng(3);
      for (let i = 0; i < 5000; i++) {
        const features = { ...GOOD, hitRate: random.next(), rttMs: 300 * random.next() };
        scorer.learn(features, 300 * random.next(), false);
        expect(scorer.drift).toBeLessThanOrEqual(LEARNING.radiusShare * 1.0001);
      }
      expect(scorer.drift).toBeGreaterThan(LEARNING.radiusShare / 10);
      expect(weights).toEqual(trained);
    });
  }

  test("comes back when the lies stop", () => {
    const scorer = createScorer("mlp", new Prng(1));
    for (let i = 0; i < 2000; i++) scorer.learn(GOOD, BUDGET_MS, false);
    expect(scorer.score(GOOD, BUDGET_MS)).toBeLessThan(0.5);
    for (let i = 0; i < 200; i++) scorer.learn(GOOD, BUDGET_MS, true);
    expect(scorer.score(GOOD, BUDGET_MS)).toBeGreaterThan(0.7);
  });

  test("is each peer's own", () => {
    const [one, other] = [createScorer("mlp", new Prng(1)), createScorer("mlp", new Prng(1))];
    for (let i = 0; i < 50; i++) one.learn(GOOD, BUDGET_MS, false);
    expect(other.score(GOOD, BUDGET_MS)).toBeGreaterThan(one.score(GOOD, BUDGET_MS));
  });
});

test("rtt knows distance only", () => {
  const scorer = createScorer("rtt", new Prng(1));
  const near = scorer.score(GOOD, BUDGET_MS);
  expect(scorer.score({ ...GOOD, rttMs: 60 }, BUDGET_MS)).toBeLessThan(near);
  expect(scorer.score({ ...GOOD, hitRate: 0, lossRate: 1 }, BUDGET_MS)).toBe(near);
});

test("random knows nothing", () => {
  const scores = (seed: number): number[] => {
    const scorer = createScorer("random", new Prng(seed));
    return Array.from({ length: 8 }, () => scorer.score(GOOD, BUDGET_MS));
  };
  expect(scores(1)).toEqual(scores(1));
  expect(new Set(scores(1)).size).toBe(8);
});
