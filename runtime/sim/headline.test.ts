/*
 * The main claim at the size of a test, held on every commit: `headline-1k` with few viewers for a
 * short time. Its full size is `npm run sim -- --scenario headline-1k`. A small room's tree has
 * fewer children a slot, so the bound on egress is wider here.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { runScenario } from "./run.ts";
import { loadScenario } from "./scenario/load.ts";

setDefaultTimeout(300_000);

const SEED = 1;
const VIEWERS = 80;
const SECONDS = 30;

test("headline-1k, small: the swarm carries the stream, in time and whole", () => {
  const { scenario, traceFor } = loadScenario("headline-1k");
  const report = runScenario({
    scenario: {
      ...scenario,
      seconds: SECONDS,
      warmupSeconds: 20,
      viewers: {
        ...scenario.viewers,
        count: VIEWERS,
        arrivals: { fromSecond: 0, overSeconds: 4 },
      },
      gates: {
        "afterWarmup.edgeEgressRatio": { max: 0.15 },
        "delayMs.mean": { max: 850 },
        "delayMs.max": { max: 2000 },
        skippedRatio: { max: 0.003 },
        stallRatio: { max: 0.001 },
        "firstFrameMs.p95": { max: 600 },
        "phaseShare.push": { min: 0.9 },
        "afterWarmup.controlRatio": { max: 0.08 },
      },
    },
    trace: traceFor(SEED),
    seed: SEED,
    hotKind: "wasm",
    memoryMiB: 64,
    commit: "test",
  });
  const failed = report.checks.filter(({ ok }) => !ok);
  expect(failed).toEqual([]);
});
