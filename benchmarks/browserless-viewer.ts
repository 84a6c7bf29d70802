/**
 * `browserless-viewer`: what one `shoal watch` costs without a browser: alone, and with a player that reads its
 * HTTP-FLV, at 0.8 and 4 Mbit/s. CPU time and memory as the system accounts for them, over all of a run after the
 * warm-up.
 */
import { join } from "node:path";
import { FlvTap } from "./acceptance/testing/flv-tap.ts";
import { syntheticClip } from "./acceptance/testing/synthetic-clip.ts";
import { FROM_SOURCE, until, World } from "./acceptance/testing/world.ts";
import type { Bench, BenchValues } from "./lib/bench.ts";
import { costOf } from "./lib/process-figures.ts";
import {
  type Check,
  commitName,
  machineName,
  mediansOf,
  type Report,
  type Sample,
  WorkHash,
} from "./lib/report.ts";

/** 64 kbit/s of it is sound. */
const FPS = 25;
const SOUND_BPS = 64_000;
const SOUND_BYTES = 170;
/** DESIGN §8, at 800 kbit/s. */
const CPU_PERCENT_MAX = 2;
const MEMORY_MB_MAX = 90;
const HELD_MBPS = 0.8;

export const browserlessViewer: Bench = {
  name: "browserless-viewer",
  text: "CPU and memory of one viewer without a browser, at 0.8 and 4 Mbit/s",
  options: {
    mbps: { value: "0.8,4", text: "bitrates, a case each" },
    seconds: { value: "20", text: "measured in each run" },
    warmup: { value: "10", text: "seconds before that" },
    runs: { value: "3", text: "fresh processes of each" },
  },
  run: runBrowserlessViewer,
};

export async function runBrowserlessViewer(options: BenchValues): Promise<Report> {
  const rates = (options.list("mbps") ?? []).map(Number);
  const runs = options.number("runs", 1);
  const spans = [options.number("warmup"), options.number("seconds", 1)] as const;
  const world = new World(FROM_SOURCE);
  const samples: Sample[] = [];
  try {
    await world.shown(async () => {
      await world.edge();
      for (const mbps of rates) await publish(world, mbps);
      for (let run = 0; run < runs; run++) {
        for (const mbps of rates) {
          samples.push(...(await watch(world, mbps, false, spans)));
          samples.push(...(await watch(world, mbps, true, spans)));
        }
      }
    });
  } finally {
    await world.stop();
  }
  const results = mediansOf(samples);
  const hash = new WorkHash();
  for (const mbps of rates) hash.add(mbps * 1e6);
  return {
    name: "browserless-viewer",
    commit: commitName(),
    machine: machineName(),
    runs,
    results,
    ratios: [],
    workHash: hash.text(),
    checks: checksOf(results),
    skipped: [],
  };
}

async function publish(world: World, mbps: number): Promise<void> {
  const clip = join(await world.folder(), `${mbps}.flv`);
  const frameBytes = Math.round((mbps * 1e6 - SOUND_BPS) / 8 / FPS);
  const sizes = { seconds: 10, framesPerSecond: FPS, groupFrames: 2 * FPS, frameBytes };
  await Bun.write(clip, syntheticClip({ ...sizes, soundBytes: SOUND_BYTES }));
  await world.publish(clip, world.url(streamOf(mbps)), "--loop").line(/publishing/);
}

function streamOf(mbps: number): string {
  return `live/at-${Math.round(mbps * 1000)}-kbps`;
}

async function watch(
  world: World,
  mbps: number,
  hasPlayer: boolean,
  [warmup, seconds]: readonly [number, number],
): Promise<Sample[]> {
  const { viewer, page } = await world.watch(world.url(streamOf(mbps)));
  const player = hasPlayer ? await FlvTap.open(`${page}${streamOf(mbps)}.flv`) : undefined;
  await until("a playing viewer", () => viewer.figures?.["state"] === "playing");
  await Bun.sleep(warmup * 1000);
  const skippedBefore = Number(viewer.figures?.["framesSkipped"]);
  const [cost] = await costOf([viewer.child.pid as number], seconds);
  const skipped = Number(viewer.figures?.["framesSkipped"]) - skippedBefore;
  player?.close();
  viewer.child.expectExit();
  viewer.child.signal("SIGTERM");
  if (!(await viewer.child.waitExit(5000))) viewer.child.signal("SIGKILL");
  const sample = (metric: string, unit: string, value: number): Sample => ({
    subject: "shoal",
    case: `${mbps} Mbit/s, ${hasPlayer ? "a player reads" : "alone"}`,
    metric,
    unit,
    value,
  });
  return [
    sample("CPU of one core", "%", cost?.cpuPercent ?? Number.NaN),
    sample("resident memory", "MB", cost?.residentMb ?? Number.NaN),
    sample("frames skipped", "frames", skipped),
  ];
}

function checksOf(results: readonly Sample[]): Check[] {
  const held = results.filter((each) => each.case.startsWith(`${HELD_MBPS} Mbit/s`));
  const atMost = (metric: string, max: number, unit: string): Check[] =>
    held
      .filter((each) => each.metric === metric)
      .map((each) => ({
        name: `${each.case}: ${metric}`,
        ok: each.value <= max,
        detail: `${each.value.toFixed(1)} ${unit}, at most ${max}`,
      }));
  return [
    ...atMost("CPU of one core", CPU_PERCENT_MAX, "%"),
    ...atMost("resident memory", MEMORY_MB_MAX, "MB"),
  ];
}
