/**
 * `gate`: a small set measured again as ratios within this run, against what is written down here with a tolerance. It
 * fails on a regression: of the hot path against the same in C, of late frames and redundancy against the oracle, of
 * frames on time under overload. What depends on a quiet machine is not in it.
 */
import { hotpath } from "../hotpath/bench.ts";
import { type Bench, BenchValues } from "../lib/bench.ts";
import { type Check, commitName, machineName, type Report } from "../lib/report.ts";
import { runLoss } from "../loss/bench.ts";
import { runOverload } from "../overload/bench.ts";

/**
 * Time of an operation / the same in C, as measured for docs/PERFORMANCE.md (without loss), and
 * how much worse it may be.
 */
const TIMES_OF_C: Readonly<Record<string, number>> = {
  ackBuild: 2,
  ackParse: 1.3,
  lossCheck: 2.6,
  fragmentInsert: 2.9,
  segmentSlots: 3.9,
  dataHead: 3,
};
const TOLERANCE = 1.6;

export const gate: Bench = {
  name: "gate",
  text: "a small set of ratios against those written down; fails on a regression",
  options: {
    frames: { value: "50000", text: "frames a cell of `loss`" },
    rounds: { value: "500", text: "rounds of `hotpath`" },
  },
  run,
};

async function run(options: BenchValues): Promise<Report> {
  const frames = String(options.number("frames", 1));
  const rounds = String(options.number("rounds", 1));
  const fast = await hotpath.run(new BenchValues({ rounds, warmup: rounds, runs: "1" }));
  const late = runLoss(new BenchValues({ frames, seed: "7", cells: "RTT 100 ms, 300 ms" }));
  const full = runOverload(new BenchValues({ seconds: "60", seeds: "1" }));
  const reports = [fast, late, full];
  return {
    name: "gate",
    commit: commitName(),
    machine: machineName(),
    runs: 1,
    results: reports.flatMap((report) => report.results),
    ratios: reports.flatMap((report) => report.ratios),
    workHash: reports.map((report) => report.workHash).join("-"),
    checks: [...timeChecks(fast), ...late.checks, ...full.checks],
    skipped: reports.flatMap((report) => report.skipped),
  };
}

/** The targets of `hotpath` itself are not all met: here counts that it gets no worse. */
function timeChecks(report: Report): Check[] {
  return Object.entries(TIMES_OF_C).flatMap(([name, known]) => {
    const ratio = report.ratios.find(
      (each) => each.case === name && each.against === "c" && each.metric === "time",
    );
    if (ratio === undefined) return [];
    const max = known * TOLERANCE;
    const detail = `${ratio.value.toFixed(2)} × C, at most ${max.toFixed(2)} ×`;
    return [{ name, ok: ratio.value <= max, detail }];
  });
}
