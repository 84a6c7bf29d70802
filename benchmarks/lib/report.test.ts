import { expect, test } from "bun:test";
import { reportText } from "./print.ts";
import { mediansOf, quantile, type Report, ratiosOf, type Sample, WorkHash } from "./report.ts";

const samples = [3, 1, 2].map((value) => ({
  subject: "shoal",
  case: "x",
  metric: "time",
  unit: "ns",
  value,
}));

test("results are medians of their runs, ratios are of those", () => {
  const results = mediansOf([...samples, { ...(samples[0] as Sample), subject: "c", value: 4 }]);
  expect(results.map(({ subject, value }) => [subject, value])).toEqual([
    ["shoal", 2],
    ["c", 4],
  ]);
  expect(ratiosOf(results, "shoal", "c")).toEqual([
    { case: "x", metric: "time", subject: "shoal", against: "c", value: 0.5 },
  ]);
  expect(ratiosOf(results, "shoal", "twin")).toEqual([]);
});

test("quantiles interpolate", () => {
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
  expect(quantile([5], 0.999)).toBe(5);
  expect(quantile([1, Number.POSITIVE_INFINITY], 1)).toBe(Number.POSITIVE_INFINITY);
  expect(quantile([], 0.5)).toBeNaN();
});

test("the digest depends on values and their order", () => {
  expect(new WorkHash().add(1).add(2).text()).not.toBe(new WorkHash().add(2).add(1).text());
  expect(new WorkHash().text()).toBe("811c9dc5");
});

test("a report is a table of cases by subjects", () => {
  const results = mediansOf(samples);
  const report: Report = {
    name: "example",
    commit: "abc",
    machine: "none",
    runs: 3,
    results,
    ratios: [],
    workHash: "0",
    checks: [{ name: "fast", ok: false, detail: "no" }],
    skipped: ["c: none here"],
  };
  expect(reportText(report).split("\n").slice(2)).toEqual([
    "",
    "time, ns  shoal",
    "x             2",
    "FAILED fast: no",
    "skipped: c: none here",
  ]);
});
