/**
 * `join`: what a viewer that joins costs an edge, and how long he waits for his first frame while others join with him.
 * The edge is the real program; those who join leave at once. CPU time of the edge per join gives the joins a second
 * one core can take, whatever else the machine is doing.
 */

import { join as joinPath } from "node:path";
import type { TestProgram } from "../../client-node/testing/programs.ts";
import { syntheticClip } from "../acceptance/testing/synthetic-clip.ts";
import { FROM_SOURCE, until, World } from "../acceptance/testing/world.ts";
import type { Bench, BenchValues } from "../lib/bench.ts";
import { CLIP_800K } from "../lib/clip.ts";
import { cpuSeconds, residentMb } from "../lib/process-figures.ts";
import {
  type Check,
  commitName,
  machineName,
  mediansOf,
  quantile,
  type Report,
  type Sample,
  WorkHash,
} from "../lib/report.ts";
import type { JoinFigures } from "./joiners.ts";

const STREAM = "live/join";
const IDLE_SECONDS = 3;
const WARM_UP_JOINS = 30;
const FIRST_FRAME_MS_MAX = 500;
const FAILED_MAX = 0.001;
/** Those who join must keep to their plan: what they wait for beyond that is their own process. */
const BEHIND_MS_MAX = 100;

export const join: Bench = {
  name: "join",
  text: "joins a second that one core of an edge takes; first-frame delay under that load",
  options: {
    rates: { value: "25,50,100", text: "joins a second, a case each" },
    seconds: { value: "10", text: "of each run" },
    runs: { value: "3", text: "runs of each" },
  },
  run: runJoin,
};

export async function runJoin(options: BenchValues): Promise<Report> {
  const rates = (options.list("rates") ?? []).map(Number);
  const seconds = options.number("seconds", 1);
  const runs = options.number("runs", 1);
  const world = new World(FROM_SOURCE);
  const samples: Sample[] = [];
  try {
    await world.shown(async () => {
      const edge = await world.edge();
      const clip = joinPath(await world.folder(), "join.flv");
      await Bun.write(clip, syntheticClip(CLIP_800K));
      await world.publish(clip, world.url(STREAM), "--loop").line(/publishing/);
      await Bun.sleep(CLIP_800K.groupFrames * (1000 / CLIP_800K.framesPerSecond));
      await storm(world, edge, WARM_UP_JOINS, 1);
      for (let run = 0; run < runs; run++) {
        for (const rate of rates) samples.push(...(await storm(world, edge, rate, seconds)));
      }
    });
  } finally {
    await world.stop();
  }
  const results = mediansOf(samples);
  const hash = new WorkHash().add(seconds);
  for (const rate of rates) hash.add(rate);
  return {
    name: "join",
    commit: commitName(),
    machine: machineName(),
    runs,
    results,
    ratios: [],
    workHash: hash.text(),
    checks: checksOf(results),
    skipped: results
      .filter(({ metric, value }) => metric === "behind plan" && value > BEHIND_MS_MAX)
      .map((each) => `${each.case}: the machine is too busy for that, they came late themselves`),
  };
}

/** Joins at this rate; what they cost the edge beyond what it needs without them. */
async function storm(
  world: World,
  edge: TestProgram,
  rate: number,
  seconds: number,
): Promise<Sample[]> {
  const pid = edge.child.pid as number;
  const idleFrom = cpuSeconds(pid);
  await Bun.sleep(IDLE_SECONDS * 1000);
  const idlePerSecond = (cpuSeconds(pid) - idleFrom) / IDLE_SECONDS;
  const script = joinPath(import.meta.dir, "joiners.ts");
  const args = [script, String(world.ports.udp), STREAM, String(rate), String(seconds)];
  const joiners = world.program("joiners", process.execPath, ...args);
  await joiners.line(/begin/);
  const [from, began] = [cpuSeconds(pid), performance.now()];
  const figures = await until("joins", () => joiners.figures as JoinFigures | undefined);
  const span = (performance.now() - began) / 1000;
  const cpu = Math.max(0, cpuSeconds(pid) - from - idlePerSecond * span);
  const of = `${rate} joins/s`;
  const sample = (subject: string, metric: string, unit: string, value: number): Sample => ({
    subject,
    case: of,
    metric,
    unit,
    value,
  });
  const failed = (figures.refused + figures.waiting) / figures.joined;
  return [
    sample("shoal-edge", "CPU of a join", "ms", (cpu * 1000) / figures.joined),
    sample("shoal-edge", "joins", "joins/s/core", figures.joined / cpu),
    sample("shoal-edge", "resident memory", "MB", residentMb(pid)),
    sample("peer", "first frame p50", "ms", quantile(figures.firstFrameMs, 0.5)),
    sample("peer", "first frame p95", "ms", quantile(figures.firstFrameMs, 0.95)),
    sample("peer", "first frame p99", "ms", quantile(figures.firstFrameMs, 0.99)),
    sample("peer", "failed", "%", failed * 100),
    sample("peer", "behind plan", "ms", figures.behindMsMax),
  ];
}

function checksOf(results: ReturnType<typeof mediansOf>): Check[] {
  const atMost = (metric: string, max: number, unit: string): Check[] =>
    results
      .filter((each) => each.metric === metric)
      .map((each) => ({
        name: `${each.case}: ${metric}`,
        ok: each.value <= max,
        detail: `${each.value.toFixed(1)} ${unit}, at most ${max}`,
      }));
  return [
    ...atMost("first frame p95", FIRST_FRAME_MS_MAX, "ms"),
    ...atMost("failed", FAILED_MAX * 100, "%"),
  ];
}
