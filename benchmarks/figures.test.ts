import { expect, test } from "bun:test";
import { figures } from "./figures.ts";
import { BenchValues } from "./lib/bench.ts";

test("the README's figures can be measured, in a small size", async () => {
  const small = { viewers: "2", seconds: "1", warmup: "0", joins: "2", starts: "1" };
  const report = await figures.run(new BenchValues({ ...small, programs: "source" }));
  for (const { value } of report.results) expect(value).toBeGreaterThanOrEqual(0);
  const found = report.results.map((each) => `${each.subject}, ${each.case}: ${each.metric}`);
  expect(found).toContain("shoal-edge, 2 viewers: CPU of one core");
  expect(found).toContain("shoal, 1 viewer: resident memory");
  expect(found).toContain("peer, first frame p95: time after join");
  expect(report.checks.map(({ name }) => name)).toHaveLength(3);
}, 90_000);
