/**
 * `npm run scorers`: each scorer in the same simulated worlds, seed by seed, and what the network gains over each of
 * the others, with its standard error. Two figures count: time stalled or skipped, and the edge's egress.
 */
import { writeFileSync } from "node:fs";
import { Command } from "commander";
import { SCORER_KINDS, type ScorerKind } from "../score/scorer.ts";
import type { Report } from "../sim/report/report.ts";
import { runScenario } from "../sim/run.ts";
import { loadScenario } from "../sim/scenario/load.ts";
import { pairedGain } from "../sim/training/judge.ts";

interface Arguments {
  readonly scenario: readonly string[];
  readonly viewers: number;
  readonly seconds: number;
  readonly warmup: number;
  readonly seeds: number;
  readonly firstSeed: number;
  readonly scorers: readonly ScorerKind[];
  readonly json?: string;
}

interface Run {
  readonly scenario: string;
  readonly scorer: ScorerKind;
  readonly seed: number;
  /** After warm-up: stalled + skipped, and egress / demand. */
  readonly missed: number;
  readonly egress: number;
  readonly pullShare: number;
  readonly compensationShare: number;
}

/** Training takes lower seeds. */
const FIRST_SEED = 0x8000_0000;
const MEMORY_MIB = 64;
const MEMORY_MIB_PER_VIEWER = 0.2;

const program = new Command("npm run scorers --")
  .description("Compares the scorers in the same simulated worlds.")
  .option("--scenario <name...>", "that ship, or files", ["slow-neighbours", "lossy"])
  .option("--viewers <n>", "in each run", count, 300)
  .option("--seconds <n>", "of virtual time", count, 60)
  .option("--warmup <n>", "seconds that do not count", count, 20)
  .option("--seeds <n>", "runs of each scorer", count, 5)
  .option("--first-seed <n>", "the others follow it", count, FIRST_SEED)
  .option("--scorers <kind...>", "which", [...SCORER_KINDS])
  .option("--json <file>", "write every run's figures")
  .parse();
main(program.opts<Arguments>());

function main(args: Arguments): void {
  const runs: Run[] = [];
  for (const name of args.scenario) {
    for (let i = 0; i < args.seeds; i++) {
      for (const scorer of args.scorers) {
        const run = runOne(args, name, scorer, args.firstSeed + i);
        runs.push(run);
        console.error(
          `${name} ${run.seed} ${scorer.padEnd(6)} missed ${percent(run.missed)}  ` +
            `egress ${percent(run.egress)}  pull ${percent(run.pullShare)}  ` +
            `compensation ${percent(run.compensationShare)}`,
        );
      }
    }
    summarize(
      name,
      runs.filter(({ scenario }) => scenario === name),
      args.scorers,
    );
  }
  if (args.json !== undefined) writeFileSync(args.json, `${JSON.stringify(runs, null, 2)}\n`);
}

function runOne(args: Arguments, name: string, scorer: ScorerKind, seed: number): Run {
  const { scenario, traceFor } = loadScenario(name);
  const { viewers, seconds, warmup: warmupSeconds } = args;
  const report: Report = runScenario({
    scenario: {
      ...scenario,
      seconds,
      warmupSeconds,
      scorer,
      viewers: { ...scenario.viewers, count: viewers },
    },
    trace: traceFor(seed),
    seed,
    hotKind: "wasm",
    memoryMiB: Math.ceil(MEMORY_MIB + viewers * MEMORY_MIB_PER_VIEWER),
    commit: "",
  });
  const { stallRatio, skippedRatio, edgeEgressRatio, phaseShare } = report.afterWarmup;
  return {
    scenario: name,
    scorer,
    seed,
    missed: stallRatio + skippedRatio,
    egress: edgeEgressRatio,
    pullShare: phaseShare.pull,
    compensationShare: phaseShare.compensation,
  };
}

function summarize(name: string, runs: readonly Run[], scorers: readonly ScorerKind[]): void {
  const of = (scorer: ScorerKind, figure: "missed" | "egress"): number[] =>
    runs.filter((run) => run.scorer === scorer).map((run) => run[figure]);
  console.log(`\n${name}, ${runs.length / scorers.length} seeds, after warm-up:`);
  for (const scorer of scorers) {
    const figures = (["missed", "egress"] as const).map((figure) => {
      const theirs = of(scorer, figure);
      const { mean, standardError } = pairedGain(theirs, of("mlp", figure));
      const gain = ` (mlp better by ${percent(mean)} ± ${percent(standardError)})`;
      const isCompared = scorer !== "mlp" && scorers.includes("mlp");
      return `${figure} ${percent(average(theirs))}${isCompared ? gain : ""}`;
    });
    console.log(`  ${scorer.padEnd(6)} ${figures.join("  ")}`);
  }
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(3)} %`;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value >= 2 ** 32) {
    program.error(`"${text}" is not a count`);
  }
  return value;
}
