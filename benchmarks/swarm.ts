/**
 * `npm run swarm`: a real edge process, a real publisher, and many real peers with UDP sockets of
 * their own, spread over a few processes. Links are shaped in user space as a scenario of the
 * simulator says, and the report has the simulator's figures; `--compare` runs the simulator on the
 * same scenario and puts both side by side.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { parseArgs } from "node:util";
import { type RealReport, reportLines, reportOf } from "./swarm/report.ts";
import { runSwarm, type SwarmOptions } from "./swarm/run.ts";
import { simulate } from "./swarm/simulate.ts";

const VIEWERS_MAX = 500;
const USAGE = `npm run swarm -- [--viewers N] [--seconds N] [--warmup N] [--seed N] [--workers N]
                 [--scenario NAME|FILE] [--json FILE|-] [--compare] [--quiet]`;

interface Options extends SwarmOptions {
  readonly json: string | undefined;
  readonly isCompared: boolean;
}

function parseOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      viewers: { type: "string", default: "50" },
      seconds: { type: "string", default: "120" },
      warmup: { type: "string" },
      seed: { type: "string", default: "1" },
      workers: { type: "string" },
      scenario: { type: "string", default: "headline-1k" },
      json: { type: "string" },
      compare: { type: "boolean", default: false },
      quiet: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const seconds = whole("--seconds", values.seconds, 2, 3600);
  const warmup = values.warmup ?? String(Math.min(30, Math.floor(seconds / 4)));
  const workers = values.workers ?? String(Math.min(3, Math.max(1, availableParallelism())));
  return {
    scenario: values.scenario,
    viewers: whole("--viewers", values.viewers, 1, VIEWERS_MAX),
    seconds,
    warmupSeconds: whole("--warmup", warmup, 0, seconds - 1),
    seed: whole("--seed", values.seed, 0, 2 ** 32 - 1),
    workers: whole("--workers", workers, 1, 16),
    json: values.json,
    isCompared: values.compare,
    onSecond: values.quiet ? () => {} : (line) => process.stderr.write(`${line}\n`),
  };
}

function whole(name: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new Error(`${name} ${text}: write a whole number from ${min} to ${max}`);
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  const { onSecond: _, json, ...settings } = options;
  console.error(`swarm: ${JSON.stringify(settings)}`);
  const started = performance.now();
  const outcome = await runSwarm(options);
  const wallSeconds = Math.round((performance.now() - started) / 10) / 100;
  const report: RealReport = reportOf(options, outcome, wallSeconds);
  const simulated = options.isCompared ? simulate(options) : undefined;
  if (json !== undefined) {
    const text = `${JSON.stringify({ ...report, simulated }, null, 2)}\n`;
    if (json === "-") process.stdout.write(text);
    else writeFileSync(json, text);
  }
  if (json !== "-") console.log(reportLines(report, simulated).join("\n"));
  return report.faults.length === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(`swarm: ${(error as Error).message}`);
    process.exit(2);
  },
);
