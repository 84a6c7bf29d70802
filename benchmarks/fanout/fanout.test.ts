import { expect, test } from "bun:test";
import { BenchValues } from "../lib/bench.ts";
import { runFanout } from "./bench.ts";

test("a small fan-out reaches everybody, and its losses are repeated", async () => {
  const sizes = {
    receivers: "32",
    fps: "30",
    bytes: "4096",
    seconds: "1",
    loss: "0.02",
    runs: "1",
  };
  const report = await runFanout(new BenchValues(sizes));
  const figure = (subject: string, metric: string) =>
    report.results.find((each) => each.subject === subject && each.metric === metric)?.value ?? -1;
  expect(figure("shoal", "closed")).toBe(0);
  expect(figure("shoal", "resent")).toBeGreaterThan(0.2);
  expect(figure("bare", "packets")).toBeGreaterThan(0);
  expect(figure("shoal, sendMany", "rate")).toBeGreaterThan(0);
  expect(report.ratios.length).toBe(6);
}, 60_000);
