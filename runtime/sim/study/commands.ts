/** The simulator's commands over many runs: sweeps, the table of results, what a run costs. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import type { Report } from "../report/report.ts";
import { loadScenario, scenarioNames } from "../scenario/load.ts";
import { runInChild } from "./child-run.ts";
import { resultsPage } from "./results-page.ts";
import { ABLATIONS, sweep } from "./sweep.ts";
import { sweepChart } from "./sweep-chart.ts";

const EXIT_USAGE = 2;
/** Size of a run of the sweep, and its seeds, when nothing else is said. */
const SWEEP = { scenario: "headline-1k", viewers: 300, seconds: 45, seeds: 2 };
const SUITE = { seeds: 5, viewersMax: 1000, smallRooms: [3, 8, 20] };
const COST = { scenario: "headline-1k", seconds: 60 };
const RESULTS = join(import.meta.dir, "..", "..", "..", "benchmarks", "results");

interface Flags {
  readonly scenario?: string;
  readonly seed: number;
  readonly viewers?: number;
  readonly seconds?: number;
  readonly json?: string;
  readonly jobs: number;
}

/** A page from reports, written to `file`. Returns the exit code. */
export function writeTable(file: string, reports: readonly string[]): number {
  if (reports.length === 0) {
    console.error("sim: --table needs the reports (files of --json) after it");
    return EXIT_USAGE;
  }
  const read = (path: string): Report => JSON.parse(readFileSync(path, "utf8")) as Report;
  writeFileSync(file, resultsPage(reports.map(read)));
  return 0;
}

/**
 * Every scenario that ships, at its size but at most `viewersMax`, with seeds 1 to 5: a report each
 * in `folder`. A report that is there already is kept, so that a broken-off suite can go on.
 */
export async function runSuite(folder: string, flags: Flags): Promise<number> {
  mkdirSync(folder, { recursive: true });
  const viewersMax = flags.viewers ?? SUITE.viewersMax;
  const tasks = scenarioNames().flatMap((name) =>
    sizesOf(name, viewersMax).flatMap((viewers) =>
      Array.from({ length: SUITE.seeds }, (_, i) => ({ name, viewers, seed: flags.seed + i })),
    ),
  );
  let next = 0;
  const work = async (): Promise<void> => {
    for (let task = tasks[next++]; task !== undefined; task = tasks[next++]) {
      const { name, viewers, seed } = task;
      const file = join(folder, `${name}-${viewers}-${seed}.json`);
      if (existsSync(file)) continue;
      const size = ["--viewers", `${viewers}`, "--seed", `${seed}`];
      const length = flags.seconds === undefined ? [] : ["--seconds", `${flags.seconds}`];
      const { report, cpuSeconds } = await runInChild(["--scenario", name, ...size, ...length]);
      writeFileSync(file, `${JSON.stringify(report)}\n`);
      const failed = report.checks.filter(({ ok }) => !ok).map((check) => check.name);
      const verdict = failed.length === 0 ? "all checks hold" : `failed: ${failed.join(", ")}`;
      console.error(`sim: ${name}, ${viewers} viewers, seed ${seed}: ${verdict} (${cpuSeconds} s)`);
    }
  };
  await Promise.all(Array.from({ length: flags.jobs }, work));
  return 0;
}

function sizesOf(name: string, viewersMax: number): readonly number[] {
  if (name === "small-room") return SUITE.smallRooms;
  return [Math.min(viewersMax, loadScenario(name).scenario.viewers.count)];
}

/** Runs the sweep and writes results and picture (`benchmarks/results/sweep.json`, `.svg`). */
export async function writeSweep(paths: string | true, flags: Flags): Promise<number> {
  const only = paths === true ? [] : paths.split(",");
  const unknown = only.filter((path) => !ABLATIONS.some((each) => each.path === path));
  if (unknown.length > 0) {
    const names = ABLATIONS.map(({ path }) => path).join(", ");
    console.error(`sim: no ablation of ${unknown.join(", ")}; there are: ${names}`);
    return EXIT_USAGE;
  }
  const file = resolve(flags.json ?? join(RESULTS, "sweep.json"));
  const results = await sweep({
    scenario: flags.scenario ?? SWEEP.scenario,
    viewers: flags.viewers ?? SWEEP.viewers,
    seconds: flags.seconds ?? SWEEP.seconds,
    seeds: Array.from({ length: SWEEP.seeds }, (_, i) => flags.seed + i),
    jobs: flags.jobs,
    only,
    onRun: (done, all, line) => console.error(`sim: ${done}/${all} ${line}`),
  });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
  writeFileSync(`${file.replace(/\.json$/, "")}.svg`, sweepChart(results));
  return 0;
}

/** Processor time, wall time and memory of runs of several sizes (`--json FILE`, else printed). */
export async function measureCost(viewerCounts: readonly number[], flags: Flags): Promise<number> {
  const scenario = flags.scenario ?? COST.scenario;
  const virtualSeconds = flags.seconds ?? COST.seconds;
  const results: object[] = [];
  for (const viewers of viewerCounts) {
    const size = ["--viewers", `${viewers}`, "--seconds", `${virtualSeconds}`];
    const run = await runInChild(["--scenario", scenario, ...size, "--seed", `${flags.seed}`]);
    const { cpuSeconds, wallSeconds, memoryMiB, report } = run;
    const { packets, commit } = report;
    const microsecondsPerPacket = Math.round((cpuSeconds * 1e7) / packets) / 10;
    const line = { viewers, cpuSeconds, wallSeconds, memoryMiB, packets, microsecondsPerPacket };
    console.error(`sim: ${JSON.stringify(line)}`);
    results.push({ scenario, virtualSeconds, commit, ...line });
  }
  const text = `${JSON.stringify(results, null, 1)}\n`;
  if (flags.json === undefined || flags.json === "-") process.stdout.write(text);
  else writeFileSync(flags.json, text);
  return 0;
}
