/**
 * Swarms to learn from: scenarios drawn at random, none of them one that ships, run with the production roles. What
 * becomes of each peer's requests is recorded while scorers of different kinds choose.
 */
import { Prng, type Random } from "../../base/prng.ts";
import { createScorer, type Scorer, TrainedScorer } from "../../score/scorer.ts";
import { FOOTAGE_480P, makeTrace } from "../footage.ts";
import { runScenario } from "../run.ts";
import { parseScenario } from "../scenario/load.ts";
import type { Scenario } from "../scenario/schema.ts";
import { between } from "./prior-world.ts";
import { overheard } from "./record.ts";
import type { OutcomeRecord } from "./trace.ts";

export interface SimWorlds {
  readonly seeds: readonly number[];
  readonly viewers: number;
  readonly seconds: number;
}

const MEMORY_MIB = 96;
const FOOTAGE_GROUPS = 8;
const PERCENTILES = { "0": 0.5, "10": 1, "25": 2, "50": 4, "75": 8, "90": 20, "100": 50 };
const NAT = { open: 0.1, fullCone: 0.2, restricted: 0.15, portRestricted: 0.4, symmetric: 0.15 };

/** The records of all worlds. Without weights, neighbours are chosen at random in one world and by RTT in the next. */
export function playSimWorlds(worlds: SimWorlds, mlp: Float32Array | undefined): OutcomeRecord[] {
  const records: OutcomeRecord[] = [];
  for (const [i, seed] of worlds.seeds.entries()) {
    const choose = (random: Random): Scorer =>
      mlp === undefined
        ? createScorer(i % 2 === 0 ? "random" : "rtt", random)
        : new TrainedScorer("mlp", mlp);
    runScenario({
      scenario: drawScenario(seed, worlds),
      trace: makeTrace(FOOTAGE_480P, FOOTAGE_GROUPS, seed),
      seed,
      hotKind: "wasm",
      memoryMiB: MEMORY_MIB,
      commit: "",
      scorerOf: (random) => overheard(choose(random), (record) => records.push(record)),
    });
  }
  return records;
}

/** Loss, distances, uplinks, churn, and how many are slow or consume only: all drawn. */
export function drawScenario(seed: number, { viewers, seconds }: SimWorlds): Scenario {
  const random = new Prng(seed);
  const slow = random.next() * random.next() * 0.4;
  const mobile = between(random, 0.1, 0.4);
  const nearMs = between(random, 10, 25);
  const farMs = between(random, 30, 60);
  const access = { upMbps: { percentiles: PERCENTILES }, downMbps: { uniform: [20, 100] } };
  const pc = { ...access, delayMs: 0, nat: NAT };
  return parseScenario(
    {
      name: `drawn-${seed}`,
      seconds,
      warmupSeconds: Math.floor(seconds / 3),
      edges: [{ name: "edge" }],
      network: {
        regions: [
          { name: "north", share: 0.4 },
          { name: "east", share: 0.35 },
          { name: "south", share: 0.25 },
        ],
        rttWithinMs: [nearMs, nearMs * between(random, 1.5, 3)],
        rttAcrossMs: [farMs, farMs * between(random, 1.5, 3)],
        jitterMs: between(random, 1, 8),
        loss: { percent: 12 * random.next() * random.next() },
      },
      viewers: {
        count: viewers,
        arrivals: { overSeconds: 3 },
        sessions: {
          seconds: { exponential: { mean: between(random, 60, 600) } },
          replaced: true,
          silentShare: random.next(),
        },
        uplinkScale: between(random, 0.4, 1.5),
        classes: [
          { ...pc, name: "pc", share: 1 - slow - mobile },
          { ...pc, name: "slow", share: slow, behaviour: "slow" },
          { ...pc, name: "mobile", share: mobile, consumeOnly: true, jitterMs: 3 },
        ],
      },
    },
    `world ${seed}`,
  );
}
