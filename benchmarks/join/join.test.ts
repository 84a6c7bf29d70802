import { expect, test } from "bun:test";
import { BenchValues } from "../lib/bench.ts";
import { runJoin } from "./bench.ts";

test("viewers join a real edge, each gets a frame, and the cost is told", async () => {
  const report = await runJoin(new BenchValues({ rates: "20", seconds: "2", runs: "1" }));
  const figure = (metric: string) =>
    report.results.find((each) => each.metric === metric)?.value ?? Number.NaN;
  expect(figure("failed")).toBe(0);
  expect(figure("first frame p50")).toBeGreaterThan(0);
  expect(figure("first frame p95")).toBeLessThan(3000);
  expect(figure("joins")).toBeGreaterThan(0);
  expect(report.checks).toHaveLength(2);
}, 60_000);
