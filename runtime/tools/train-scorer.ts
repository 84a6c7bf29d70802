/**
 * `npm run train`: trains the scorer's weights from a seed, judges them on rooms that training never saw, and writes
 * runtime/score/weights.ts with where they come from. The same command gives the same bytes.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { type Scorer, type ScorerKind, TrainedScorer } from "../score/scorer.ts";
import {
  type CreateScorer,
  createShipped,
  judgePredictions,
  judgeRecords,
  pairedGain,
  servedShares,
  unseenSimRecords,
} from "../sim/training/judge.ts";
import { type OutcomeRecord, parseTrace } from "../sim/training/trace.ts";
import {
  TRAIN_DEFAULTS,
  type Trained,
  type TrainOptions,
  train,
  trainOnRecords,
} from "../sim/training/train.ts";
import { weightsModule } from "../sim/training/weights-module.ts";

const WEIGHTS_FILE = join(import.meta.dir, "../score/weights.ts");
const KINDS: readonly ScorerKind[] = ["mlp", "linear", "rtt", "random"];
const JUDGING = { rooms: 100, seconds: 60, worlds: 8, viewers: 60, worldSeconds: 20 } as const;

interface Arguments {
  readonly seed: number;
  readonly rooms: number;
  readonly worlds: number;
  readonly epochs: number;
  readonly judge: boolean;
  readonly dryRun: boolean;
  readonly trace: readonly string[];
}

const program = new Command("npm run train --")
  .description("Trains runtime/score/weights.ts from a seed.")
  .option("--seed <n>", "of rooms, first weights and order", integer, TRAIN_DEFAULTS.seed)
  .option("--rooms <n>", "synthetic rooms per round", integer, TRAIN_DEFAULTS.rooms)
  .option("--worlds <n>", "simulated swarms per round", integer, TRAIN_DEFAULTS.worlds)
  .option("--epochs <n>", "passes over the records", integer, TRAIN_DEFAULTS.epochs)
  .option("--trace <file...>", "recorded traces, instead of rooms and worlds", [])
  .option("--judge", "only judge the weights that are there", false)
  .option("--dry-run", "train and judge, write nothing", false)
  .parse();
main(program.opts<Arguments>());

function main(args: Arguments): void {
  if (args.judge) return judge(createShipped);
  const { seed, rooms, worlds, epochs } = args;
  const options: TrainOptions = { ...TRAIN_DEFAULTS, seed, rooms, worlds, epochs };
  const records = args.trace.flatMap((file) => parseTrace(readFileSync(file, "utf8")).records);
  const isTraced = args.trace.length > 0;
  const trained = isTraced ? trainOnRecords(records, options) : train(options);
  console.log(`${trained.records} records, ${percent(trained.served / trained.records)} served`);
  const create = (kind: ScorerKind, seed: number): Scorer =>
    kind === "mlp" || kind === "linear"
      ? new TrainedScorer(kind, trained[kind])
      : createShipped(kind, seed);
  if (isTraced) judgeOwn(records, trained);
  judge(create);
  if (args.dryRun) return;
  const words = process.argv.slice(2);
  const command = ["npm run train", ...(words.length > 0 ? ["--", ...words] : [])].join(" ");
  writeFileSync(WEIGHTS_FILE, weightsModule(trained, command, commit()));
  console.log(`wrote ${WEIGHTS_FILE}`);
}

/** Of the working tree, with a mark when that differs from it. */
function commit(): string {
  const options = { cwd: import.meta.dir, encoding: "utf8" } as const;
  const { status, stdout } = spawnSync("git", ["describe", "--always", "--dirty"], options);
  return status === 0 ? stdout.trim() : "unknown";
}

function judgeOwn(records: readonly OutcomeRecord[], trained: Trained): void {
  for (const kind of ["mlp", "linear"] as const) {
    const { logLoss, auc } = judgeRecords(records, new TrainedScorer(kind, trained[kind]));
    console.log(`its own traces: ${kind} log loss ${logLoss.toFixed(4)} AUC ${auc.toFixed(4)}`);
  }
}

function judge(create: CreateScorer): void {
  const { worlds, viewers, worldSeconds } = JUDGING;
  console.log(`\n${worlds} simulated swarms of ${viewers} viewers, ${worldSeconds} s:`);
  const records = unseenSimRecords(worlds, viewers, worldSeconds);
  for (const kind of KINDS) {
    const { logLoss, auc } = judgeRecords(records, create(kind, 1));
    console.log(
      `  ${kind.padEnd(7)} log loss ${logLoss.toFixed(4)}  AUC ${auc.toFixed(4)}  ` +
        `${records.length} requests`,
    );
  }
  for (const kind of ["familiar", "foreign"] as const) {
    const options = { rooms: JUDGING.rooms, seconds: JUDGING.seconds, kind };
    console.log(`\n${kind} worlds, ${options.rooms} rooms of ${options.seconds} s:`);
    const predictions = judgePredictions(options, KINDS, create);
    const mlp = servedShares(options, "mlp", create);
    for (const scorer of KINDS) {
      const { logLoss, auc } = predictions[scorer] as { logLoss: number; auc: number };
      const shares = scorer === "mlp" ? mlp : servedShares(options, scorer, create);
      const { mean, standardError } = pairedGain(mlp, shares);
      console.log(
        `  ${scorer.padEnd(7)} log loss ${logLoss.toFixed(4)}  AUC ${auc.toFixed(4)}  ` +
          `served in time ${percent(average(shares))}` +
          (scorer === "mlp" ? "" : `  mlp +${percent(mean)} ± ${percent(standardError)}`),
      );
    }
  }
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

function integer(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) program.error(`"${text}" is not a count`);
  return value;
}
