/** The report of a real swarm: the simulator's figures, and what the machine had to do for them. */
import { cpus } from "node:os";
import { Histogram } from "../../runtime/sim/measure/histogram.ts";
import { type Figures, type Report, ratio, round } from "../../runtime/sim/report/report.ts";
import { figuresOfParts } from "./parts.ts";
import type { SwarmOptions, SwarmOutcome } from "./run.ts";

export interface RealReport extends Figures {
  readonly scenario: string;
  readonly seed: number;
  readonly viewers: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly wallSeconds: number;
  readonly duplicateRatio: number;
  readonly superNodes: number;
  readonly neighboursMax: number;
  readonly refusals: number;
  readonly afterWarmup: Figures;
  /** Played what was never published, or out of order: first few in words. */
  readonly faults: readonly string[];
  readonly machine: {
    readonly cores: number;
    /** Shares of one core. */
    readonly edgeCpuShare: number;
    readonly workersCpuShare: number;
    /** How late the processes handled datagrams whose time had come: large when the machine is too slow. */
    readonly lateMs: { readonly p50: number; readonly p99: number; readonly max: number };
  };
}

export function reportOf(
  options: SwarmOptions,
  { parts, edgeCpuSeconds }: SwarmOutcome,
  wallSeconds: number,
): RealReport {
  const { scenario, seed, viewers, seconds, warmupSeconds } = options;
  const { whole, afterWarmup } = figuresOfParts(parts);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const fresh = sum(parts.map((part) => part.fresh));
  const duplicates = sum(parts.map((part) => part.duplicates));
  const late = new Histogram();
  for (const { lateMs } of parts) late.merge(lateMs);
  const share = (cpuSeconds: number): number => round(cpuSeconds / seconds, 3);
  return {
    ...{ scenario, seed, viewers, seconds, warmupSeconds, wallSeconds },
    ...whole,
    duplicateRatio: round(ratio(duplicates, fresh + duplicates), 5),
    superNodes: sum(parts.map((part) => part.superNodes)),
    neighboursMax: Math.max(...parts.map((part) => part.neighboursMax)),
    refusals: sum(parts.map((part) => part.refusals)),
    afterWarmup,
    faults: parts.flatMap((part) => part.faults).slice(0, 10),
    machine: {
      cores: cpus().length,
      edgeCpuShare: share(edgeCpuSeconds),
      workersCpuShare: share(sum(parts.map((part) => part.cpuSeconds))),
      lateMs: {
        p50: round(late.percentile(0.5), 1),
        p99: round(late.percentile(0.99), 1),
        max: round(late.max, 1),
      },
    },
  };
}

/** Later than this at p99 the machine itself is what was measured, ms. */
const LATE_MS_P99 = 20;

/** For people; with the simulator's run of the same world beside it when there is one. */
export function reportLines(report: RealReport, simulated: Report | undefined): string[] {
  const { machine, faults } = report;
  const { lateMs } = machine;
  return [
    `${report.scenario}, ${report.viewers} viewers, ${report.seconds} s, seed ${report.seed}`,
    ...table("whole run", report, simulated),
    ...table("after warm-up", report.afterWarmup, simulated?.afterWarmup),
    `super nodes ${report.superNodes}${simulated ? ` (simulated ${simulated.superNodes})` : ""}, ` +
      `duplicates ${percent(report.duplicateRatio)}, at most ${report.neighboursMax} neighbours`,
    `edge ${percent(machine.edgeCpuShare)} of a core, viewers ${percent(machine.workersCpuShare)}; ` +
      `datagrams handled ${lateMs.p50} ms late (p99 ${lateMs.p99}, max ${lateMs.max})`,
    ...(lateMs.p99 > LATE_MS_P99
      ? ["The machine was too slow or too busy for this run: these are not the swarm's figures."]
      : []),
    ...faults.map((fault) => `FAULT ${fault}`),
  ];
}

const ROWS: readonly (readonly [string, (figures: Figures) => string])[] = [
  ["edge egress by demand", (f) => percent(f.edgeEgressRatio)],
  ["pushed / pulled / compensated", (f) => Object.values(f.phaseShare).map(percent).join(" / ")],
  ["delay mean / p95 / max, ms", ({ delayMs: d }) => `${d.mean} / ${d.p95} / ${d.max}`],
  ["skipped / stalled", (f) => `${percent(f.skippedRatio)} / ${percent(f.stallRatio)}`],
  ["first frame p50 / p95, ms", ({ firstFrameMs: f }) => `${f.p50} / ${f.p95}`],
  ["control", (f) => percent(f.controlRatio)],
  ["upload p50 / p95 / max, Mbit/s", ({ uploadMbps: u }) => `${u.p50} / ${u.p95} / ${u.max}`],
];

function table(title: string, real: Figures, simulated: Figures | undefined): string[] {
  const head = `${title.padEnd(34)}${"real".padEnd(30)}${simulated ? "simulated" : ""}`;
  const rows = ROWS.map(([name, of]) => {
    return `  ${name.padEnd(32)}${of(real).padEnd(30)}${simulated ? of(simulated) : ""}`.trimEnd();
  });
  return [head.trimEnd(), ...rows];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.01 ? 3 : 1)} %`;
}
