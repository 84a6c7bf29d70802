import { expect, test } from "bun:test";
import { BenchValues } from "../lib/bench.ts";
import { gate } from "./bench.ts";

test("a small run has every part", async () => {
  const report = await gate.run(
    new BenchValues({ frames: "60", rounds: "20", receivers: "16", attempts: "1" }),
  );
  const metrics = new Set(report.results.map((result) => result.metric));
  expect([...metrics]).toEqual(expect.arrayContaining(["time", "late", "playable", "rate"]));
  expect(report.workHash.split("-").length).toBeGreaterThan(4);
}, 120_000);
