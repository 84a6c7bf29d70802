/**
 * `gate`: a small set measured again as ratios within this run, against what is written down here with a tolerance. It
 * fails on a regression: of the hot path against the same in C, of the fan-out against the bare system calls, of late
 * frames and redundancy against the oracle, of frames on time under overload. What another program on the machine can
 * spoil is measured up to three times, and the best counts: a regression shows in all of them.
 */
import { runFanout } from "../fanout/bench.ts";
import { hotpath } from "../hotpath/bench.ts";
import { type Bench, BenchValues } from "../lib/bench.ts";
import { type Check, commitName, machineName, type Report } from "../lib/report.ts";
import { LATE_TARGETS, runLoss } from "../loss/bench.ts";
import { runOverload } from "../overload/bench.ts";

/**
 * Time of an operation / the same in C, as measured for docs/PERFORMANCE.md (without loss), and
 * how much worse it may be.
 */
const TIMES_OF_C: Readonly<Record<string, number>> = {
  fanHeads: 1.6,
  ackBuild: 1.7,
  ackParse: 1.4,
  lossCheck: 1.8,
  fragmentInsert: 2.5,
  segmentSlots: 1.9,
  dataHead: 3,
};
const TOLERANCE = 1.6;
/** Gbit/s per core / the bare calls', and how much of it must be left. */
const FANOUT_TO_BARE = 0.3;
/** Late frames are counted: so many standard deviations beyond a target are chance. */
const SIGMAS = 3;

export const gate: Bench = {
  name: "gate",
  text: "a small set of ratios against those written down; fails on a regression",
  options: {
    frames: { value: "50000", text: "frames a cell of `loss`" },
    rounds: { value: "500", text: "rounds of `hotpath`" },
    receivers: { value: "256", text: "of `fanout`" },
    attempts: { value: "3", text: "at what other programs can spoil" },
  },
  run,
};

async function run(options: BenchValues): Promise<Report> {
  const frames = options.number("frames", 1);
  const rounds = String(options.number("rounds", 1));
  const receivers = String(options.number("receivers", 1));
  const attempts = options.number("attempts", 1);
  const late = runLoss(
    new BenchValues({ frames: String(frames), seed: "7", cells: "RTT 100 ms, 300 ms" }),
  );
  const full = runOverload(new BenchValues({ seconds: "60", seeds: "1" }));
  const fast = await bestOf(attempts, timeChecks, () =>
    hotpath.run(new BenchValues({ rounds, warmup: rounds, runs: "1" })),
  );
  const wide = await bestOf(attempts, fanoutChecks, () => runFanout(fanoutSize(receivers)));
  const reports = [...fast.reports, late, full, ...wide.reports];
  return {
    name: "gate",
    commit: commitName(),
    machine: machineName(),
    runs: 1,
    results: reports.flatMap((report) => report.results),
    ratios: reports.flatMap((report) => report.ratios),
    workHash: reports.map((report) => report.workHash).join("-"),
    checks: [...fast.checks, ...lateChecks(late, frames), ...full.checks, ...wide.checks],
    skipped: reports.flatMap((report) => report.skipped),
  };
}

function fanoutSize(receivers: string): BenchValues {
  const small = { fps: "30", bytes: "4096", seconds: "2", loss: "0.01", runs: "1" };
  return new BenchValues({ ...small, receivers, "nginx-readers": "0" });
}

/** Measures until all checks hold, so many times at most; a check that held once holds. */
async function bestOf(
  attempts: number,
  judge: (report: Report) => Check[],
  measure: () => Promise<Report>,
): Promise<{ reports: Report[]; checks: Check[] }> {
  const reports: Report[] = [];
  let checks: Check[] = [];
  for (let attempt = 0; attempt < attempts; attempt++) {
    const report = await measure();
    reports.push(report);
    const fresh = judge(report);
    checks = fresh.map((check) =>
      check.ok ? check : (checks.find(({ name, ok }) => ok && name === check.name) ?? check),
    );
    if (checks.every(({ ok }) => ok)) break;
  }
  return { reports: reports.slice(-1), checks };
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

function fanoutChecks(report: Report): Check[] {
  const min = FANOUT_TO_BARE / TOLERANCE;
  return report.ratios
    .filter((each) => each.metric === "rate" && each.against === "bare")
    .map(({ value }) => ({
      name: "fan-out",
      ok: value >= min,
      detail: `${value.toFixed(2)} × the bare calls, at least ${min.toFixed(2)} ×`,
    }));
}

function lateChecks(report: Report, frames: number): Check[] {
  return report.checks.map((check) => {
    const [, of = ""] = /^(.*): late$/.exec(check.name) ?? [];
    const late = report.results.find(
      ({ subject, case: name, metric }) => subject === "shoal" && name === of && metric === "late",
    );
    const target = LATE_TARGETS.find(({ loss }) => of.startsWith(`${loss * 100} %`))?.late;
    if (late === undefined || target === undefined) return check;
    const max = (target + SIGMAS * Math.sqrt(target / frames)) * 100;
    const detail = `${late.value.toFixed(3)} %, at most ${max.toFixed(3)} % in so few frames`;
    return { ...check, ok: late.value <= max, detail };
  });
}
