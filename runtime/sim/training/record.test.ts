import { expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import { createScorer } from "../../score/scorer.ts";
import { overheard } from "./record.ts";
import type { OutcomeRecord } from "./trace.ts";

const FEATURES = {
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

test("an overheard scorer scores and learns as ever, and tells", () => {
  const told: OutcomeRecord[] = [];
  const plain = createScorer("mlp", new Prng(1));
  const heard = overheard(createScorer("mlp", new Prng(1)), (record) => told.push(record));
  expect(heard.kind).toBe("mlp");
  for (let i = 0; i < 5; i++) {
    expect(heard.score(FEATURES, 70)).toBe(plain.score(FEATURES, 70));
    plain.learn(FEATURES, 70, false);
    heard.learn(FEATURES, 70, false);
  }
  expect(told.length).toBe(5);
  expect(told[0]).toEqual({ ...FEATURES, budgetMs: 70, served: false });
});
