import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { barChart } from "./bar-chart.ts";
import { drawCharts, RESULTS, writeCharts } from "./charts.ts";

const CHART = {
  title: "a < b",
  axis: "ms",
  source: "test",
  groups: [
    {
      name: "one",
      bars: [
        { subject: "shoal", value: 1 },
        { subject: "srt", value: null },
      ],
    },
  ],
};

/** Heights of the bars, legend left out. */
function heights(svg: string): number[] {
  return [...svg.matchAll(/width="22" height="([\d.]+)"/g)].map(([, height]) => Number(height));
}

test("a bar is as high as its figure, what is infinite as high as all, and text is escaped", () => {
  const svg = barChart(CHART);
  expect(svg).toContain("a &lt; b");
  expect(heights(svg)).toEqual([210, 210]);
  expect(svg).toContain("∞");
  const bars = [0.01, 0.1, 1].map((value) => ({ subject: "shoal", value }));
  const log = barChart({ ...CHART, groups: [{ name: "one", bars }], logFrom: 0.01 });
  expect(heights(log)).toEqual([1, 105, 210]);
});

test("charts are written beside the reports there are", () => {
  const folder = mkdtempSync(join(tmpdir(), "shoal-charts-"));
  const results = [{ subject: "shoal", case: "x", metric: "rate", unit: "", value: 2 }];
  const report = { name: "fanout", commit: "abc", machine: "m", runs: 1, results };
  writeFileSync(join(folder, "fanout.json"), JSON.stringify(report));
  expect(writeCharts(folder)).toEqual(["fanout-rate.svg"]);
  expect(readFileSync(join(folder, "fanout-rate.svg"), "utf8")).toContain("commit abc");
  rmSync(folder, { recursive: true });
});

test("the committed charts are those of the committed reports, and docs show them", () => {
  const page = readFileSync(join(RESULTS, "../../docs/PERFORMANCE.md"), "utf8");
  for (const [file, svg] of drawCharts()) {
    expect([file, existsSync(join(RESULTS, file))]).toEqual([file, true]);
    expect(readFileSync(join(RESULTS, file), "utf8")).toBe(svg);
    expect([file, page.includes(`results/${file}`)]).toEqual([file, true]);
  }
});
