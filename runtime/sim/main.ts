/**
 * `npm run sim`: runs a scenario and prints its report. Options and seed are printed before
 * anything runs, so that a failing run can be had again.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { Command, InvalidArgumentError, Option } from "commander";
import { createScorer } from "../score/scorer.ts";
import { edgeScenarioNames, edgeTrace, loadEdgeScenario } from "./mesh/edge-load.ts";
import { runEdgeScenario } from "./mesh/edge-network.ts";
import { type EdgeScenario, edgeScenarioJsonSchema } from "./mesh/edge-schema.ts";
import { edgeSummaryText } from "./mesh/edge-summary.ts";
import { chartPage } from "./report/chart-page.ts";
import type { Report } from "./report/report.ts";
import { summaryText } from "./report/summary.ts";
import { type Progress, runScenario } from "./run.ts";
import { loadScenario, ScenarioError, scenarioNames } from "./scenario/load.ts";
import { type Scenario, scenarioJsonSchema } from "./scenario/schema.ts";
import { applySettings, type Setting } from "./scenario/settings.ts";
import { measureCost, runSuite, writeSweep, writeTable } from "./study/commands.ts";
import { overheard } from "./training/record.ts";
import { type OutcomeRecord, traceHeaderLine, traceLine } from "./training/trace.ts";

interface Flags {
  readonly scenario?: string;
  readonly seed: number;
  readonly viewers?: number;
  readonly seconds?: number;
  readonly uplinks?: number;
  readonly scorer?: Scenario["scorer"];
  readonly json?: string;
  readonly html?: string;
  readonly outcomes?: string;
  readonly hot: "wasm" | "twin";
  readonly memory?: number;
  readonly quiet?: boolean;
  readonly schema?: string | true;
  readonly direct?: boolean;
  readonly set: readonly Setting[];
  readonly sweep?: string | true;
  readonly table?: string;
  readonly suite?: string;
  readonly cost?: readonly number[];
  readonly jobs: number;
}

const SCORERS = ["mlp", "linear", "rtt", "random"];
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/**
 * Memory of the hot path: what everybody shares, and what each viewer's sessions and stores take.
 */
const MEMORY_MIB_SHARED = 48;
const MEMORY_MIB_PER_VIEWER = 0.08;
const MEMORY_MIB_MAX = 1024;

process.exitCode = await main();

async function main(): Promise<number> {
  const { flags, args } = parseFlags();
  if (flags.schema !== undefined) {
    process.stdout.write(
      flags.schema === "edges" ? edgeScenarioJsonSchema() : scenarioJsonSchema(),
    );
    return 0;
  }
  if (flags.table !== undefined) return writeTable(flags.table, args);
  if (flags.suite !== undefined) return await runSuite(flags.suite, flags);
  if (flags.sweep !== undefined) return await writeSweep(flags.sweep, flags);
  if (flags.cost !== undefined) return await measureCost(flags.cost, flags);
  if (flags.scenario === undefined) {
    console.log(
      `Scenarios:\n${[...scenarioNames(), ...edgeScenarioNames()]
        .map((name) => `  ${name}`)
        .join("\n")}`,
    );
    console.log("Run one: npm run sim -- --scenario NAME (or a file of your own)");
    return EXIT_USAGE;
  }
  try {
    const edges = loadEdgeScenario(flags.scenario);
    return edges === undefined ? run(flags, flags.scenario) : runEdges(flags, edges);
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    console.error(`sim: ${error.message}`);
    return EXIT_USAGE;
  }
}

function run(flags: Flags, nameOrFile: string): number {
  const loaded = loadScenario(nameOrFile);
  const scenario = applySettings(override(loaded.scenario, flags), flags.set);
  const memoryMiB = flags.memory ?? defaultMemory(scenario);
  const settings = { seed: flags.seed, hotKind: flags.hot, memoryMiB };
  console.error(`sim: ${JSON.stringify({ ...settings, scenario })}`);
  const started = performance.now();
  const outcomes = [traceHeaderLine({ source: `sim ${scenario.name}`, seed: flags.seed })];
  const onOutcome = (record: OutcomeRecord): unknown => outcomes.push(traceLine(record));
  const report = runScenario({
    ...settings,
    scenario,
    trace: loaded.traceFor(flags.seed),
    commit: commit(),
    scorerOf:
      flags.outcomes === undefined
        ? undefined
        : (random) => overheard(createScorer(scenario.scorer, random), onOutcome),
    onProgress: flags.quiet === true ? () => {} : (progress) => showProgress(progress, started),
  });
  const wallSeconds = Math.round((performance.now() - started) / 10) / 100;
  if (flags.outcomes !== undefined) writeFileSync(flags.outcomes, `${outcomes.join("\n")}\n`);
  return finish({ ...report, wallSeconds }, flags);
}

/** A scenario of edges has a report of its own, without viewers. */
function runEdges(flags: Flags, loaded: EdgeScenario): number {
  const seconds = flags.seconds ?? loaded.seconds;
  const warmupSeconds = Math.min(loaded.warmupSeconds, Math.floor(seconds / 4));
  const paths = flags.direct === true ? 1 : loaded.paths;
  const scenario: EdgeScenario = { ...loaded, seconds, warmupSeconds, paths };
  const { seed, memory: memoryMiB = MEMORY_MIB_MAX } = flags;
  console.error(`sim: ${JSON.stringify({ seed, memoryMiB, scenario })}`);
  const started = performance.now();
  const elapsed = (): number => (performance.now() - started) / 1000;
  const report = runEdgeScenario({
    scenario,
    trace: edgeTrace(scenario, seed),
    seed,
    commit: commit(),
    memoryMiB,
    onProgress: (second, packets) => {
      if (flags.quiet === true || second % 5 !== 0) return;
      const text = `${(packets / 1e6).toFixed(2)} M packets  ${elapsed().toFixed(0)} s`;
      process.stderr.write(`sim: ${second}/${seconds} s  ${text}\n`);
    },
  });
  const whole = { ...report, wallSeconds: Math.round(elapsed() * 100) / 100 };
  const text = `${JSON.stringify(whole, null, 2)}\n`;
  if (flags.json === "-") process.stdout.write(text);
  else {
    if (flags.json !== undefined) writeFileSync(flags.json, text);
    console.log(edgeSummaryText(whole));
  }
  return report.checks.every(({ ok }) => ok) ? 0 : EXIT_FAILED;
}

function finish(report: Report, flags: Flags): number {
  if (flags.quiet !== true && process.stderr.isTTY) process.stderr.write("\n");
  const text = `${JSON.stringify(report, null, 2)}\n`;
  if (flags.json === "-") process.stdout.write(text);
  else {
    if (flags.json !== undefined) writeFileSync(flags.json, text);
    console.log(summaryText(report));
  }
  if (flags.html !== undefined) writeFileSync(flags.html, chartPage(report));
  return report.checks.every(({ ok }) => ok) ? 0 : EXIT_FAILED;
}

function override(scenario: Scenario, flags: Flags): Scenario {
  const { viewers, seconds, uplinks, scorer } = flags;
  const length = seconds ?? scenario.seconds;
  return {
    ...scenario,
    seconds: length,
    /* A run cut shorter than its warm-up would have no figures: a quarter of it then. */
    warmupSeconds:
      scenario.warmupSeconds < length ? scenario.warmupSeconds : Math.floor(length / 4),
    scorer: scorer ?? scenario.scorer,
    viewers: {
      ...scenario.viewers,
      count: viewers ?? scenario.viewers.count,
      uplinkScale: uplinks ?? scenario.viewers.uplinkScale,
    },
  };
}

function defaultMemory(scenario: Scenario): number {
  const mib = MEMORY_MIB_SHARED + scenario.viewers.count * MEMORY_MIB_PER_VIEWER;
  return Math.min(MEMORY_MIB_MAX, Math.ceil(mib));
}

/** Of the working tree, with a mark when it differs from it. */
function commit(): string {
  const options = { cwd: import.meta.dir, encoding: "utf8" } as const;
  const { status, stdout } = spawnSync("git", ["describe", "--always", "--dirty"], options);
  return status === 0 ? stdout.trim() : "unknown";
}

function showProgress(progress: Progress, started: number): void {
  const { second, seconds, viewers, packets, edgeEgressMbps, delayMs } = progress;
  const wall = (performance.now() - started) / 1000;
  const line =
    `sim: ${second}/${seconds} s  ${viewers} viewers  edge ${edgeEgressMbps.toFixed(1)} Mbit/s  ` +
    `delay ${delayMs.toFixed(0)} ms  ${(packets / 1e6).toFixed(2)} M packets  ${wall.toFixed(0)} s`;
  if (process.stderr.isTTY) process.stderr.write(`\r${line}\u001b[K`);
  else if (second % 10 === 0 || second === seconds) process.stderr.write(`${line}\n`);
}

function parseFlags(): { readonly flags: Flags; readonly args: readonly string[] } {
  const program = new Command("npm run sim --")
    .description("Runs a world of the simulator with the production publisher, edge and peers.")
    .option("--scenario <name|file>", "one that ships, or a JSON file of your own")
    .option("--seed <n>", "everything random comes from it", wholeNumber, 1)
    .option("--viewers <n>", "other than the scenario's", positiveNumber)
    .option("--seconds <n>", "of virtual time, other than the scenario's", positiveNumber)
    .option("--uplinks <factor>", "multiply every viewer's uplink", factor)
    .addOption(new Option("--scorer <kind>", "other than the scenario's").choices(SCORERS))
    .option("--json <file>", "write the report; - for standard output")
    .option("--html <file>", "write a page with charts")
    .option(
      "--outcomes <file>",
      "write what became of each request to a neighbour (docs/SCORING.md)",
    )
    .option("--hot <kind>", "hot path: wasm, or its plain twin", hotKind, "wasm")
    .option("--memory <MiB>", "memory of the hot path", positiveNumber)
    .option("--quiet", "no progress")
    .option("--schema [kind]", "only print the JSON Schema of scenarios; edges: of those of edges")
    .option("--direct", "scenarios of edges: one direct path each, to compare with")
    .option(
      "--set <path=number>",
      "another number in the scenario, e.g. swarm.subStreams=8",
      collect,
      [],
    )
    .option("--suite <folder>", "every scenario, five seeds: a report of each in the folder")
    .option("--sweep [paths]", "what each constant is worth (docs/SIMULATOR.md)")
    .option("--table <file>", "a page of results (docs/RESULTS.md) from the reports given")
    .option(
      "--cost <counts>",
      "what a run costs, for so many viewers each, e.g. 100,300,1000",
      counts,
    )
    .option("--jobs <n>", "runs at a time, of --suite and --sweep", positiveNumber, 1)
    .argument("[reports...]", "of --table: JSON files of runs")
    .allowExcessArguments(false)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE));
  program.parse(process.argv);
  const flags = program.opts<Flags>();
  if (flags.table === undefined && program.args.length > 0) {
    program.error(`error: unexpected argument "${program.args[0]}"`);
  }
  return { flags, args: program.args };
}

function collect(text: string, before: readonly Setting[]): Setting[] {
  const [, path, number] = /^([a-zA-Z0-9.]+)=([-+.0-9e]+)$/.exec(text) ?? [];
  const value = Number(number);
  if (path !== undefined && Number.isFinite(value)) return [...before, { path, value }];
  throw new InvalidArgumentError("PATH=NUMBER");
}

function counts(text: string): number[] {
  return text.split(",").map(positiveNumber);
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value;
  throw new InvalidArgumentError("a whole number from 0 to 2^32 − 1");
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("a whole number above 0");
}

function factor(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("a number above 0");
}

function hotKind(text: string): "wasm" | "twin" {
  if (text === "wasm" || text === "twin") return text;
  throw new InvalidArgumentError("wasm or twin");
}
