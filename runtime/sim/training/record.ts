/** Outcomes of the simulated peers' requests, for a trace: a scorer that does its work and is overheard. */
import type { Scorer } from "../../score/scorer.ts";
import type { OutcomeRecord } from "./trace.ts";

export type OnOutcome = (record: OutcomeRecord) => unknown;

/** Scores and learns as `scorer` does; each lesson is told to `onOutcome` too. */
export function overheard(scorer: Scorer, onOutcome: OnOutcome): Scorer {
  return {
    kind: scorer.kind,
    score: (features, budgetMs) => scorer.score(features, budgetMs),
    learn: (features, budgetMs, served) => {
      scorer.learn(features, budgetMs, served);
      onOutcome({ ...features, budgetMs, served });
    },
  };
}
