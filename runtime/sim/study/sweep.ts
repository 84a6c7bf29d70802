/**
 * What each constant that matters is worth: one at a time is given three values, all else as it is.
 * The results are kept as JSON and as a picture (`npm run sim -- --sweep`).
 */
import type { Figures, Report } from "../report/report.ts";
import { type ChildRun, runInChild } from "./child-run.ts";

export interface Ablation {
  readonly name: string;
  /** Path of the value in a scenario. */
  readonly path: string;
  readonly unit: string;
  /** The one in force is among them. */
  readonly values: readonly [number, number, number];
}

export const ABLATIONS: readonly Ablation[] = [
  { name: "sub-streams (K)", path: "swarm.subStreams", unit: "", values: [8, 16, 32] },
  { name: "children per slot (C)", path: "swarm.childrenMax", unit: "", values: [30, 60, 90] },
  { name: "neighbours", path: "swarm.neighboursMax", unit: "", values: [10, 20, 40] },
  { name: "gossip period", path: "swarm.gossipMs", unit: "ms", values: [500, 1000, 2000] },
  { name: "pull patience", path: "swarm.pullPatienceMs", unit: "ms", values: [20, 40, 80] },
  { name: "play-out target", path: "player.targetMs", unit: "ms", values: [600, 800, 1000] },
  { name: "uplink pushed", path: "swarm.pushShare", unit: "", values: [0.4, 0.6, 0.8] },
  { name: "slots by demand", path: "swarm.slotHeadroom", unit: "", values: [1, 1.1, 1.2] },
];

export interface SweepRun {
  readonly path: string;
  readonly value: number;
  readonly seed: number;
  readonly cpuSeconds: number;
  readonly superNodes: number;
  readonly duplicateRatio: number;
  readonly figures: Figures;
}

export interface SweepResults {
  readonly scenario: string;
  readonly commit: string;
  readonly viewers: number;
  readonly virtualSeconds: number;
  readonly seeds: readonly number[];
  readonly runs: readonly SweepRun[];
}

export interface SweepOptions {
  readonly scenario: string;
  readonly viewers: number;
  readonly seconds: number;
  readonly seeds: readonly number[];
  /** Paths to vary; all when empty. */
  readonly only: readonly string[];
  readonly onRun?: (done: number, all: number, line: string) => void;
  /** Processes at a time. */
  readonly jobs: number;
}

interface Task {
  readonly ablation: Ablation;
  readonly value: number;
  readonly seed: number;
}

/** @throws Error when a path is not among the ablations, or a run gives no report. */
export async function sweep(options: SweepOptions): Promise<SweepResults> {
  const chosen = choose(options.only);
  const tasks: Task[] = chosen.flatMap((ablation) =>
    ablation.values.flatMap((value) => options.seeds.map((seed) => ({ ablation, value, seed }))),
  );
  const done: { readonly task: Task; readonly run: ChildRun }[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let task = tasks[next++]; task !== undefined; task = tasks[next++]) {
      const run = await runInChild(flagsOf(options, task));
      done.push({ task, run });
      options.onRun?.(done.length, tasks.length, lineOf(task, run));
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, work));
  const order = (task: Task): number => tasks.indexOf(task);
  done.sort((a, b) => order(a.task) - order(b.task));
  const [first] = done;
  if (first === undefined) throw new Error("nothing to vary");
  const { scenario, commit, viewers, virtualSeconds } = first.run.report;
  const runs = done.map(({ task, run }) => entryOf(task, run));
  return { scenario, commit, viewers, virtualSeconds, seeds: options.seeds, runs };
}

function choose(only: readonly string[]): readonly Ablation[] {
  const unknown = only.filter((path) => !ABLATIONS.some((each) => each.path === path));
  if (unknown.length > 0) {
    const names = ABLATIONS.map(({ path }) => path).join(", ");
    throw new Error(`no ablation of ${unknown.join(", ")}; there are: ${names}`);
  }
  return only.length === 0 ? ABLATIONS : ABLATIONS.filter(({ path }) => only.includes(path));
}

function flagsOf({ scenario, viewers, seconds }: SweepOptions, task: Task): string[] {
  const { ablation, value, seed } = task;
  const size = ["--viewers", `${viewers}`, "--seconds", `${seconds}`, "--seed", `${seed}`];
  return ["--scenario", scenario, ...size, "--set", `${ablation.path}=${value}`];
}

function entryOf({ ablation, value, seed }: Task, { report, cpuSeconds }: ChildRun): SweepRun {
  const { superNodes, duplicateRatio, afterWarmup } = report;
  const { path } = ablation;
  return { path, value, seed, cpuSeconds, superNodes, duplicateRatio, figures: afterWarmup };
}

function lineOf({ ablation, value, seed }: Task, { report, cpuSeconds }: ChildRun): string {
  return `${ablation.path}=${value} seed ${seed}: ${briefly(report)}, ${cpuSeconds} s of processor`;
}

function briefly({ afterWarmup }: Report): string {
  const { edgeEgressRatio, delayMs, skippedRatio, stallRatio } = afterWarmup;
  const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
  return (
    `egress ${percent(edgeEgressRatio)}, delay ${delayMs.mean} ms, ` +
    `skipped ${percent(skippedRatio)}, stalled ${percent(stallRatio)}`
  );
}
