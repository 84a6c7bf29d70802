/**
 * What the README says of Shoal on one machine, with the programs as they are shipped: what a viewer costs, and an edge
 * with more and more of them; how long they take to start; how long a viewer waits for its first frame, and how old the
 * picture is. The stream has 800 kbit/s: 25 pictures a second, key frames 2 s apart, 47 sound frames a second.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProgram } from "../client-node/testing/programs.ts";
import { buildPrograms } from "../runtime/tools/build.ts";
import { buildPage } from "../runtime/tools/build-page.ts";
import { FlvTap } from "./acceptance/testing/flv-tap.ts";
import { syntheticClip } from "./acceptance/testing/synthetic-clip.ts";
import { FROM_SOURCE, type Programs, ROOT, until, World } from "./acceptance/testing/world.ts";
import type { CrowdReport } from "./crowd.ts";
import type { Bench, BenchValues } from "./lib/bench.ts";
import { CLIP_800K } from "./lib/clip.ts";
import { costOf } from "./lib/process-figures.ts";
import {
  commitName,
  machineName,
  mediansOf,
  type Report,
  type Sample,
  WorkHash,
} from "./lib/report.ts";

const STREAM = "live/figures";
/** Between two joins; no multiple of the group's length, so that they come at all phases of it. */
const JOIN_EVERY_MS = 370;
/** Targets of a viewer and of a join. */
const VIEWER_CPU_PERCENT_MAX = 2;
const VIEWER_MB_MAX = 90;
const FIRST_FRAME_MS_MAX = 500;

export const figures: Bench = {
  name: "figures",
  text: "the README's: cost of a viewer and an edge, start-up, first frame, delay",
  options: {
    viewers: { value: "1,10,100", text: "viewers of the edge, one case each" },
    seconds: { value: "30", text: "measured in each case" },
    warmup: { value: "10", text: "seconds before that" },
    joins: { value: "20", text: "viewers that join one after the other" },
    starts: { value: "10", text: "starts of each program" },
    programs: { value: "built", text: "built (single files) or source" },
  },
  run,
};

async function run(options: BenchValues): Promise<Report> {
  const dist = await mkdtemp(join(tmpdir(), "shoal-figures-"));
  const world = new World(await programsOf(options.text("programs"), dist));
  const samples: Sample[] = [];
  try {
    await world.shown(async () => {
      samples.push(...(await startUps(world, options.number("starts", 1))));
      const edge = await world.edge();
      const clip = join(await world.folder(), "figures.flv");
      await Bun.write(clip, syntheticClip(CLIP_800K));
      const publisher = world.publish(clip, world.url(STREAM), "--loop");
      await publisher.line(/publishing/);
      const seconds = options.number("seconds", 1);
      const warmup = options.number("warmup");
      samples.push(...(await viewerCosts(world, warmup, seconds)));
      for (const viewers of options.list("viewers") ?? []) {
        samples.push(...(await edgeCosts(world, edge, Number(viewers), warmup, seconds)));
      }
      samples.push(...(await joins(world, options.number("joins", 1))));
    });
  } finally {
    await world.stop();
    await rm(dist, { recursive: true, force: true });
  }
  return reportOf(samples);
}

async function programsOf(name: string | undefined, dist: string): Promise<Programs> {
  await buildPage();
  if (name === "source") return FROM_SOURCE;
  await buildPrograms(dist);
  return { edge: [join(dist, "shoal-edge")], shoal: [join(dist, "shoal")], cwd: dist };
}

function sample(subject: string, of: string, metric: string, unit: string, value: number): Sample {
  return { subject, case: of, metric, unit, value };
}

/* ------------------------------------------------------------------ start-up */

/** Until the edge listens, and until `shoal watch` says its first line. */
async function startUps(world: World, starts: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  const took = (program: string, sinceMs: number) =>
    samples.push(sample(program, "start-up", "time", "ms", performance.now() - sinceMs));
  for (let i = 0; i < starts; i++) {
    let began = performance.now();
    const edge = await world.edge(() => took("shoal-edge", began));
    edge.child.expectExit();
    edge.child.signal("SIGTERM");
    await edge.child.waitExit(5_000);
    began = performance.now();
    const viewer = world.shoal("viewer", "watch", "shoal://127.0.0.1:9/live/x", "--http", "0");
    await viewer.line(/\S/);
    took("shoal", began);
    viewer.child.expectExit();
    viewer.child.signal("SIGTERM");
    await viewer.child.waitExit(5_000);
  }
  return samples;
}

/* ------------------------------------------------------------------ running */

/** One `shoal watch` with one player. */
async function viewerCosts(world: World, warmup: number, seconds: number): Promise<Sample[]> {
  const { viewer, page } = await world.watch(world.url(STREAM));
  const player = await FlvTap.open(`${page}${STREAM}.flv`);
  await Bun.sleep(warmup * 1_000);
  const [cost] = await costOf([viewer.child.pid as number], seconds);
  const delayMs = Number(viewer.figures?.["delayMs"]);
  player.close();
  await ended(viewer);
  return [
    sample("shoal", "1 viewer", "CPU of one core", "%", cost?.cpuPercent ?? Number.NaN),
    sample("shoal", "1 viewer", "resident memory", "MB", cost?.residentMb ?? Number.NaN),
    sample("shoal", "capture to play-out", "delay", "ms", delayMs),
  ];
}

async function edgeCosts(
  world: World,
  edge: TestProgram,
  viewers: number,
  warmup: number,
  seconds: number,
): Promise<Sample[]> {
  const crowd = await startCrowd(world, viewers);
  await Bun.sleep(warmup * 1_000);
  const before =
    reportFrom(crowd).framesSkipped; /* those of so many joins at once are no part of it */
  const pids = [edge, crowd].map(({ child }) => child.pid as number);
  const [edgeCost, crowdCost] = await costOf(pids, seconds);
  const { framesSkipped, playing } = reportFrom(crowd);
  const skipped = framesSkipped - before;
  await ended(crowd);
  const of = `${viewers} viewer${viewers === 1 ? "" : "s"}`;
  const perViewer = (crowdCost?.cpuPercent ?? Number.NaN) / viewers;
  return [
    sample("shoal-edge", of, "CPU of one core", "%", edgeCost?.cpuPercent ?? Number.NaN),
    sample("shoal-edge", of, "resident memory", "MB", edgeCost?.residentMb ?? Number.NaN),
    sample("peer in a crowd", of, "CPU of one core", "%", perViewer),
    sample("peer in a crowd", of, "playing", "viewers", playing),
    sample("peer in a crowd", of, "frames skipped", "frames", skipped),
  ];
}

/** Viewers that join one after the other: how long until the first frame. */
async function joins(world: World, count: number): Promise<Sample[]> {
  const crowd = await startCrowd(world, count, "--join-every-ms", String(JOIN_EVERY_MS));
  const { firstFrameMs, delayMs } = reportFrom(crowd);
  await ended(crowd);
  return [
    sample("peer", "first frame p50", "time after join", "ms", firstFrameMs.p50),
    sample("peer", "first frame p95", "time after join", "ms", firstFrameMs.p95),
    sample("peer", "capture to play-out p50", "delay", "ms", delayMs.p50),
    sample("peer", "capture to play-out p95", "delay", "ms", delayMs.p95),
  ];
}

/** Started, and all of them play. */
async function startCrowd(world: World, viewers: number, ...more: string[]): Promise<TestProgram> {
  const to = ["--to", `127.0.0.1:${world.ports.udp}`, "--stream", STREAM];
  const args = [join(ROOT, "benchmarks/crowd.ts"), ...to, "--viewers", String(viewers), ...more];
  const crowd = world.program("crowd", process.execPath, ...args);
  await until(`${viewers} viewers that play`, () => crowd.figures?.["playing"] === viewers);
  return crowd;
}

function reportFrom(crowd: TestProgram): CrowdReport {
  return crowd.figures as unknown as CrowdReport;
}

async function ended(program: TestProgram): Promise<void> {
  program.child.expectExit();
  program.child.signal("SIGTERM");
  if (!(await program.child.waitExit(5_000))) program.child.signal("SIGKILL");
}

/* ------------------------------------------------------------------ report */

function reportOf(samples: readonly Sample[]): Report {
  const results = mediansOf(samples);
  const value = (subject: string, of: string, metric: string) =>
    results.find((each) => {
      return each.subject === subject && each.case === of && each.metric === metric;
    })?.value ?? Number.NaN;
  const atMost = (name: string, figure: number, max: number, unit: string) => ({
    name,
    ok: figure <= max,
    detail: `${figure.toFixed(1)} ${unit}, at most ${max}`,
  });
  const work = new WorkHash();
  for (const number of Object.values(CLIP_800K)) work.add(number);
  return {
    name: "figures",
    commit: commitName(),
    machine: machineName(),
    runs: 1,
    results,
    ratios: [],
    workHash: work.text(),
    checks: [
      atMost(
        "a viewer's CPU",
        value("shoal", "1 viewer", "CPU of one core"),
        VIEWER_CPU_PERCENT_MAX,
        "% of a core",
      ),
      atMost(
        "a viewer's memory",
        value("shoal", "1 viewer", "resident memory"),
        VIEWER_MB_MAX,
        "MB",
      ),
      atMost(
        "first frame, p95",
        value("peer", "first frame p95", "time after join"),
        FIRST_FRAME_MS_MAX,
        "ms",
      ),
    ],
    skipped: [],
  };
}
