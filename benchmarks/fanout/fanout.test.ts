import { expect, test } from "bun:test";
import { BenchValues } from "../lib/bench.ts";
import { runFanout } from "./bench.ts";
import { nginxMissing, runNginx } from "./nginx.ts";

test("a small fan-out reaches everybody, and its losses are repeated", async () => {
  const sizes = {
    receivers: "32",
    fps: "30",
    bytes: "4096",
    seconds: "1",
    loss: "0.02",
    runs: "1",
    "nginx-readers": "0",
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

const MISSING = nginxMissing();

test.skipIf(MISSING !== undefined)(
  `nginx-rtmp serves the same frames to all its readers${MISSING === undefined ? "" : ` (${MISSING})`}`,
  async () => {
    const load = { readers: 10, fps: 30, frameBytes: 4096, seconds: 1 };
    const { mediaBytes, seconds, closed } = await runNginx(load);
    expect(closed).toBe(0);
    /* Chunk heads and the commands beside the frames are little; a second's edges are not sharp. */
    const frames = mediaBytes / load.frameBytes / load.readers / seconds;
    expect(frames).toBeGreaterThan(24);
    expect(frames).toBeLessThan(36);
  },
  60_000,
);
