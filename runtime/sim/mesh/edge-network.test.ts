import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { edgeScenarioNames, edgeTrace, loadEdgeScenario, parseEdgeScenario } from "./edge-load.ts";
import { type EdgeReport, runEdgeScenario } from "./edge-network.ts";
import { type EdgeScenario, edgeScenarioJsonSchema } from "./edge-schema.ts";
import { edgeSummaryText } from "./edge-summary.ts";

const small = {
  name: "small",
  seconds: 8,
  warmupSeconds: 2,
  edges: { count: 5, secondLineEvery: 2 },
  isps: [{ name: "north" }, { name: "south" }],
  dear: { link: { rttMs: [15, 40], lossPercent: [0, 0.2] } },
  streams: 2,
};

function run(scenario: EdgeScenario, seed = 1): EdgeReport {
  const trace = edgeTrace(scenario, seed);
  return runEdgeScenario({ scenario, trace, seed, commit: "test", memoryMiB: 128 });
}

describe("a scenario of edges", () => {
  test("that ships can be read, and states gates", () => {
    expect(edgeScenarioNames()).toContain("edge-network");
    for (const name of edgeScenarioNames()) {
      const scenario = loadEdgeScenario(name);
      expect(scenario?.name).toBe(name);
      expect(Object.keys(scenario?.gates ?? {}).length).toBeGreaterThan(0);
    }
  });

  test("is told from one with viewers, and refused with a line that says why", () => {
    expect(loadEdgeScenario("headline")).toBeUndefined();
    const wrong: [object, RegExp][] = [
      [{ ...small, seconds: 0 }, /test: seconds: /],
      [{ ...small, streams: 6 }, /each begins at an edge of its own/],
      [
        { ...small, faults: [{ kind: "edgeDown", atSecond: 1, edge: 5 }] },
        /no edge 5; there are 5/,
      ],
      [
        { ...small, bad: { link: small.dear.link, between: [["north", "moon"]] } },
        /no ISP "moon"; there are: north, south/,
      ],
    ];
    for (const [json, message] of wrong) {
      expect(() => parseEdgeScenario(json, "test")).toThrow(message);
    }
  });

  test("is described by the JSON Schema that is published", () => {
    const file = join(import.meta.dir, "edge-scenario.schema.json");
    /* Made anew by `npm run sim -- --schema edges`. */
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(JSON.parse(edgeScenarioJsonSchema()));
  });
});

describe("a run of edges", () => {
  const scenario = parseEdgeScenario(small, "test");

  test("brings every segment everywhere, mostly not over dear lines, the same from the same seed", () => {
    const report = run(scenario);
    expect(report.segmentsLost).toBe(0);
    expect(report.edgeToEdgeMs.p50).toBeGreaterThan(5);
    expect(report.afterWarmup.edgeToEdgeMs.p99).toBeLessThanOrEqual(110);
    expect(report.afterWarmup.dearLineRatio).toBeLessThan(0.2);
    expect(run(scenario)).toEqual(report);
    expect(run(scenario, 2).packets).not.toBe(report.packets);
    expect(edgeSummaryText(report)).toContain("5 edges, 2 streams");
  }, 30_000);

  test("takes dear lines at one end where cheap ones reach nowhere: half of what both ends would be", () => {
    const link = { rttMs: [20, 20], lossPercent: [0, 0] };
    const dearOnly = parseEdgeScenario(
      { ...small, within: { ...link, rttMs: [900, 900] }, across: { ...link, rttMs: [900, 900] } },
      "test",
    );
    const report = run({ ...dearOnly, seconds: 6 });
    expect(report.afterWarmup.dearLineRatio).toBeGreaterThan(0.45);
    expect(report.afterWarmup.dearLineRatio).toBeLessThan(0.7);
  }, 30_000);

  test("fails its gates when they do not hold", () => {
    const strict = { ...scenario, seconds: 4, gates: { "edgeToEdgeMs.p50": { max: 1 } } };
    expect(run(strict).checks).toMatchObject([{ name: "gate edgeToEdgeMs.p50", ok: false }]);
  }, 30_000);
});
