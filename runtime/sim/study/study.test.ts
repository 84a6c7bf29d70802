import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Report } from "../report/report.ts";
import { loadScenario, ScenarioError } from "../scenario/load.ts";
import { applySettings } from "../scenario/settings.ts";
import { resultsPage } from "./results-page.ts";
import { sweep } from "./sweep.ts";
import { niceTop, sweepChart } from "./sweep-chart.ts";

setDefaultTimeout(120_000);

describe("a sweep", () => {
  test("varies one constant at a time, in runs of their own, and draws them", async () => {
    const lines: string[] = [];
    const results = await sweep({
      scenario: "small-room",
      viewers: 3,
      seconds: 4,
      seeds: [1],
      only: ["player.targetMs"],
      jobs: 1,
      onRun: (_done, _all, line) => lines.push(line),
    });
    expect(results.runs.map(({ value }) => value)).toEqual([600, 800, 1000]);
    const delays = results.runs.map(({ figures }) => figures.delayMs.mean);
    expect(delays[0]).toBeLessThan(delays[2] as number);
    expect(lines.length).toBe(3);
    expect(results.runs[0]?.cpuSeconds).toBeGreaterThan(0);
    const chart = sweepChart(results);
    expect(chart).toContain("play-out target, ms");
    expect(chart).not.toContain("NaN");
    expect(chart.match(/<circle/g)?.length).toBe(12);
  });

  test("knows what it can vary", async () => {
    const options = { scenario: "small-room", viewers: 3, seconds: 4, seeds: [1], jobs: 1 };
    expect(sweep({ ...options, only: ["swarm.nothing"] })).rejects.toThrow("no ablation");
  });

  test("axes end at round numbers", () => {
    expect([0, 0.03, 1, 7, 61, 800, 1001].map(niceTop)).toEqual([1, 0.05, 1, 10, 100, 1000, 2000]);
  });
});

describe("a number of a scenario", () => {
  const { scenario } = loadScenario("edge-choked");

  test("is set by its path", () => {
    const settings = [
      { path: "swarm.subStreams", value: 8 },
      { path: "edges.0.maxEgressShare", value: 0.1 },
    ];
    const changed = applySettings(scenario, settings);
    expect(changed.swarm.subStreams).toBe(8);
    expect(changed.edges[0]?.maxEgressShare).toBe(0.1);
    expect(scenario.edges[0]?.maxEgressShare).toBe(0.03);
  });

  test("is refused where there is none, or out of bounds", () => {
    const set = (path: string, value: number) => () => applySettings(scenario, [{ path, value }]);
    expect(set("no.such", 1)).toThrow(ScenarioError);
    expect(set("swarm.noSuch", 1)).toThrow(ScenarioError);
    expect(set("seconds", -1)).toThrow(ScenarioError);
  });
});

test("the results page has a row for each scenario, with means and spans over the seeds", () => {
  const report = (seed: number, edgeEgressRatio: number, ok: boolean): Report =>
    ({
      scenario: "lossy",
      seed,
      commit: "abc",
      viewers: 1000,
      virtualSeconds: 75,
      edgeEgressRatio,
      afterWarmup: { edgeEgressRatio: 0.04 },
      phaseShare: { push: 0.9, pull: 0.08, compensation: 0.02 },
      delayMs: { mean: 790, p95: 800, p99: 900, max: 1500 },
      skippedRatio: 0.0005,
      stallRatio: 0,
      firstFrameMs: { p95: 480 },
      controlRatio: 0.07,
      duplicateRatio: 0.05,
      uploadMbps: { p50: 1, max: 9 },
      checks: [{ name: "gate skippedRatio", ok, detail: "" }],
    }) as unknown as Report;
  const page = resultsPage([report(1, 0.05, true), report(2, 0.07, false)]);
  const row = page.split("\n").find((line) => line.startsWith("| lossy"));
  expect(row).toContain("| lossy | 1,000 × 75 | 1, 2 | 6.00 % (5.00 %–7.00 %) | 4.00 % |");
  expect(row).toContain("90.0 / 8.0 / 2.0 | 790 | 800 | 900 | 1500 | 0.050 % | 0.000 % | 480 |");
  expect(row).toEndWith("| 1.00 / 9.0 | skippedRatio |");
});
