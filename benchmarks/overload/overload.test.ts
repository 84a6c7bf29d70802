import { expect, test } from "bun:test";
import { BenchValues } from "../lib/bench.ts";
import { runOverload } from "./bench.ts";

test("a short run has every cell, and the same one twice", () => {
  const options = new BenchValues({ seconds: "30", seeds: "1" });
  const report = runOverload(options);
  expect(report.checks.length).toBe(7);
  for (const { value } of report.results) expect(value).toBeGreaterThan(0);
  expect(runOverload(options).workHash).toBe(report.workHash);
});
