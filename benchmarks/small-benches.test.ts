import { expect, test } from "bun:test";
import { runBrowserlessViewer } from "./browserless-viewer.ts";
import { BenchValues } from "./lib/bench.ts";
import { runSim } from "./sim.ts";

test("the simulator's speed, in a small size", async () => {
  const report = await runSim(new BenchValues({ viewers: "4,8", seconds: "12", runs: "1" }));
  const packets = report.results.filter(({ metric }) => metric === "packets");
  expect(packets.length).toBe(2);
  for (const { value } of packets) expect(value).toBeGreaterThan(1000);
  expect(report.checks.map(({ name }) => name)).toContain("cost of a packet");
}, 60_000);

test("a viewer's cost, in a small size", async () => {
  const small = { mbps: "0.8", seconds: "1", warmup: "0", runs: "1" };
  const report = await runBrowserlessViewer(new BenchValues(small));
  const cases = new Set(report.results.map((each) => each.case));
  expect([...cases]).toEqual(["0.8 Mbit/s, alone", "0.8 Mbit/s, a player reads"]);
  const memory = report.results.filter(({ metric }) => metric === "resident memory");
  for (const { value } of memory) expect(value).toBeGreaterThan(20);
  expect(report.checks).toHaveLength(4);
}, 60_000);
