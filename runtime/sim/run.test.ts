import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { FOOTAGE_480P, makeTrace } from "./footage.ts";
import { chartPage } from "./report/chart-page.ts";
import { gateChecks } from "./report/gates.ts";
import type { Report } from "./report/report.ts";
import { summaryText } from "./report/summary.ts";
import { runScenario } from "./run.ts";
import { parseScenario } from "./scenario/load.ts";

/*
 * Seconds of virtual time are a fraction of that in real time, but not on a machine with much else
 * to do.
 */
setDefaultTimeout(60_000);

const base = {
  name: "tiny",
  seconds: 8,
  warmupSeconds: 3,
  edges: [{ name: "edge" }],
  network: { loss: { percent: 1 } },
  viewers: {
    count: 4,
    arrivals: { overSeconds: 1 },
    classes: [{ name: "all", share: 1, upMbps: 5, downMbps: 20, delayMs: 0 }],
  },
};

function run(scenario: object, seed = 1): Report {
  const progress: number[] = [];
  const report = runScenario({
    scenario: parseScenario({ ...base, ...scenario }, "test"),
    trace: makeTrace(FOOTAGE_480P, 3, seed),
    seed,
    hotKind: "wasm",
    memoryMiB: 64,
    commit: "test",
    onProgress: ({ second }) => progress.push(second),
  });
  expect(progress).toEqual(Array.from({ length: progress.length }, (_, i) => i + 1));
  return report;
}

function checkOf(report: Report, name: string): Report["checks"][number] | undefined {
  return report.checks.find((check) => check.name === name);
}

describe("a run of the simulator", () => {
  test("gives the same report for the same seed, to the byte, and another for another", () => {
    const [one, same, other] = [1, 1, 2].map((seed) => JSON.stringify(run({}, seed)));
    expect(one).toBe(same as string);
    expect(one).not.toBe(other as string);
  });

  test("reports what its viewers saw, and its checks hold", () => {
    const report = run({});
    expect(report.demandBytes).toBeGreaterThan(4 * 5 * 80_000);
    expect(report.delayMs.mean).toBeGreaterThan(300);
    expect(report.delayMs.max).toBeLessThan(2000);
    expect(report.viewersJoined).toBe(4);
    expect(report.series.length).toBe(8);
    expect(report.afterWarmup.demandBytes).toBeLessThan(report.demandBytes);
    for (const { name, ok, detail } of report.checks)
      expect([name, ok, detail]).toEqual([name, true, detail]);
    expect(chartPage(report)).toContain("<polyline");
    expect(summaryText(report)).toContain("ok     continuity");
  });

  test("fails the gates that do not hold", () => {
    const gates = {
      "delayMs.mean": { max: 1 },
      "phaseShare.push": { min: 0.1 },
      "no.such": { min: 0 },
    };
    const report = run({ seconds: 5, gates });
    expect(checkOf(report, "gate delayMs.mean")?.ok).toBe(false);
    expect(checkOf(report, "gate phaseShare.push")?.ok).toBe(true);
    expect(checkOf(report, "gate no.such")?.ok).toBe(false);
    expect(gateChecks({ viewers: { min: 4, max: 4 } }, report)[0]?.ok).toBe(true);
  });

  test("plays its faults", () => {
    const faults = [
      { kind: "leave", atSecond: 3.5, share: 0.5, silent: false },
      { kind: "pathLoss", atSecond: 4, forSeconds: 1, loss: { percent: 40 } },
      { kind: "uplinksShrink", atSecond: 2, forSeconds: 1, share: 1, to: 0.1 },
    ];
    const report = run({ faults });
    expect(report.series[2]?.viewers).toBe(4);
    expect(report.series[3]?.viewers).toBe(2);
    expect(checkOf(report, "quiescence")?.ok).toBe(true);
  });

  test("an edge or a publisher that goes down comes back, and so does the picture", () => {
    for (const kind of ["edgeDown", "publisherDown"]) {
      const faults = [{ kind, atSecond: 3, forSeconds: 1 }];
      const report = run({ seconds: 12, faults });
      expect(checkOf(report, "continuity")).toMatchObject({ ok: true });
      expect(report.series.at(-1)?.demandMbps).toBeGreaterThan(4 * 0.6);
    }
  });

  test("replaces those who leave, so that the room stays as large", () => {
    const viewers = { ...base.viewers, sessions: { seconds: { uniform: [2, 4] }, replaced: true } };
    const report = run({ viewers });
    expect(report.viewersJoined).toBeGreaterThan(8);
    expect(report.series.at(-1)?.viewers).toBe(4);
    expect(checkOf(report, "attendance")).toMatchObject({ ok: true });
  });
});
