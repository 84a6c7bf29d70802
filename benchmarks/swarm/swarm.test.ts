import { expect, test } from "bun:test";
import { join } from "node:path";
import { drawWorld } from "./world.ts";

const ROOT = join(import.meta.dir, "../..");
const SLOW_MS = 60_000;
/** Every address of 127/8 is one's own on Linux alone. */
const isLinux = process.platform === "linux";
const WORLD = { scenario: "headline-1k", viewers: 8, seconds: 15, warmupSeconds: 5, seed: 3 };

test("several processes draw the same world from a seed", () => {
  const [one, other] = [drawWorld(WORLD), drawWorld(WORLD)];
  expect(one.viewers).toEqual([...other.viewers]);
  expect(new Set(one.viewers.map(({ ip }) => ip)).size).toBe(one.viewers.length);
  const [a, b] = [one.viewers[0]?.ip ?? "", one.viewers[1]?.ip ?? ""];
  expect(one.path(a, b)).toEqual(other.path(a, b));
  expect(one.path(a, b)?.extraMs).toBe(one.path(b, a)?.extraMs as number);
});

test.skipIf(!isLinux)(
  "eight real viewers play what a real edge sends, and are measured as the simulator's",
  async () => {
    const options = ["--viewers", "8", "--seconds", "15", "--seed", "3", "--workers", "2"];
    const child = Bun.spawn(
      [process.execPath, "benchmarks/swarm.ts", ...options, "--quiet", "--json", "-"],
      { cwd: ROOT, stdout: "pipe", stderr: "pipe" },
    );
    const [text, said] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    expect(`${await child.exited} ${said.split("\n").slice(1).join("\n")}`).toBe("0 ");
    const report = JSON.parse(text);
    expect(report.faults).toEqual([]);
    expect(report.viewersJoined).toBeGreaterThanOrEqual(8);
    expect(report.demandBytes).toBeGreaterThan(100_000);
    expect(report.edgeEgressBytes).toBeGreaterThan(report.demandBytes / 100);
    expect(report.phaseShare.push).toBeGreaterThan(0.3);
    expect(report.delayMs.mean).toBeWithin(300, 3000);
    expect(report.afterWarmup.demandBytes).toBeLessThanOrEqual(report.demandBytes);
  },
  SLOW_MS,
);
