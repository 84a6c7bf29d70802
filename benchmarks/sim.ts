/**
 * `sim`: how fast the simulator is: simulated packets per second of CPU time, at growing numbers of viewers, each in a
 * process of its own. A packet is to cost the same however many viewers there are.
 */
import { runInChild } from "../runtime/sim/study/child-run.ts";
import type { Bench, BenchValues } from "./lib/bench.ts";
import { alternating } from "./lib/order.ts";
import {
  type Check,
  commitName,
  machineName,
  mediansOf,
  type Report,
  type Sample,
  WorkHash,
} from "./lib/report.ts";

const SCENARIO = "headline-1k";
/** DESIGN §3. */
const PACKET_US_MAX = 5;
/** Growth of a packet's cost from the smallest to the largest room. */
const GROWTH_MAX = 1.5;

export const sim: Bench = {
  name: "sim",
  text: "simulated packets per second, by number of viewers",
  options: {
    viewers: { value: "30,100,300", text: "a case each" },
    seconds: { value: "20", text: "virtual seconds" },
    runs: { value: "3", text: "fresh processes of each" },
  },
  run: runSim,
};

export async function runSim(options: BenchValues): Promise<Report> {
  const viewers = (options.list("viewers") ?? []).map(Number);
  const seconds = options.number("seconds", 1);
  const runs = options.number("runs", 1);
  const samples: Sample[] = [];
  const hash = new WorkHash();
  for (const count of alternating(viewers, runs)) {
    const sizes = ["--viewers", String(count), "--seconds", String(seconds)];
    const run = await runInChild(["--scenario", SCENARIO, "--seed", "1", ...sizes]);
    const { packets } = run.report;
    hash.add(packets);
    const sample = (metric: string, unit: string, value: number): Sample => ({
      subject: "shoal",
      case: `${count} viewers`,
      metric,
      unit,
      value,
    });
    samples.push(
      sample("speed", "packets/s/core", packets / run.cpuSeconds),
      sample("cost of a packet", "µs", (run.cpuSeconds * 1e6) / packets),
      sample("virtual by real time", "s/s", seconds / run.wallSeconds),
      sample("memory", "MiB", run.memoryMiB),
      sample("packets", "", packets),
    );
  }
  const results = mediansOf(samples);
  return {
    name: "sim",
    commit: commitName(),
    machine: machineName(),
    runs,
    results,
    ratios: [],
    workHash: hash.text(),
    checks: checksOf(results.filter(({ metric }) => metric === "cost of a packet")),
    skipped: [],
  };
}

function checksOf(costs: readonly Sample[]): Check[] {
  const first = costs[0]?.value ?? Number.NaN;
  const last = costs.at(-1)?.value ?? Number.NaN;
  const growth = last / first;
  return [
    {
      name: "cost of a packet",
      ok: last <= PACKET_US_MAX,
      detail: `${last.toFixed(2)} µs in the largest room, at most ${PACKET_US_MAX}`,
    },
    {
      name: "growth of it with the room",
      ok: growth <= GROWTH_MAX,
      detail: `${growth.toFixed(2)} ×, at most ${GROWTH_MAX} ×`,
    },
  ];
}
