/**
 * `loss`: late frames, delays and redundancy at each loss rate, round trip, burst and jitter, in virtual time with the
 * shipped WASM, beside an oracle that loses no time at all. The late rates are far below what real runs of a minute can
 * show: 10^5 frames a cell by default, 10^6 with `--frames 1000000`.
 */
import type { Bench, BenchValues } from "../lib/bench.ts";
import {
  type Check,
  commitName,
  machineName,
  type Report,
  type Result,
  ratiosOf,
} from "../lib/report.ts";
import { type Cell, type CellFigures, FRAGMENTS, runCell } from "./cell.ts";
import { type OracleFigures, runOracle } from "./oracle.ts";

const DEADLINE_MS = 300;
const RTT_MS = 100;
/** Loss from which the wire's rule sends three copies in the last round. */
const THREE_COPIES_LOSS = 0.15;
const P99_TO_ORACLE_MAX = 1.1;
const SPURIOUS_MAX = 0.05;
const OVERHEAD_WITHOUT_LOSS_MAX = 0.046;

/** DESIGN §8: at 300 ms, RTT 100 ms. Redundancy may exceed p/(1−p) by the points. */
export const LATE_TARGETS = [
  { loss: 0.05, late: 0.0002, points: 0.01 },
  { loss: 0.1, late: 0.001, points: 0.02 },
  { loss: 0.2, late: 0.005, points: 0.08 },
] as const;

function cellOf(loss: number, rttMs: number, deadlineMs: number): Cell {
  const name = `${loss * 100} %, RTT ${rttMs} ms, ${deadlineMs} ms`;
  const model = loss === 0 ? { kind: "none" as const } : { kind: "iid" as const, rate: loss };
  return { name, rttMs, loss: model, jitterMs: 0, deadlineMs };
}

const BURSTS = {
  kind: "bursts",
  goodToBad: 0.01,
  badToGood: 0.3,
  goodLoss: 0,
  badLoss: 1,
} as const;

export const CELLS: readonly Cell[] = [
  ...[0, 0.01, 0.05, 0.1, 0.2].map((loss) => cellOf(loss, RTT_MS, DEADLINE_MS)),
  ...[0.05, 0.1, 0.2].flatMap((loss) => [170, 280, 390].map((d) => cellOf(loss, RTT_MS, d))),
  ...[20, 50, 200].map((rttMs) => cellOf(0.05, rttMs, rttMs * 2.7 + 10)),
  { ...cellOf(0, RTT_MS, DEADLINE_MS), name: `bursts, RTT ${RTT_MS} ms, 300 ms`, loss: BURSTS },
  { ...cellOf(0.01, RTT_MS, DEADLINE_MS), name: "1 %, jitter 0–30 ms, 300 ms", jitterMs: 30 },
];

export const loss: Bench = {
  name: "loss",
  text: "late frames by loss, round trip, bursts and jitter, in virtual time, beside an oracle",
  options: {
    frames: { value: "100000", text: "frames a cell" },
    seed: { value: "1", text: "of everything random" },
    cells: { text: "only those whose names contain this" },
  },
  run: async (options) => runLoss(options),
};

export function runLoss(options: BenchValues): Report {
  const frames = options.number("frames", 1);
  const seed = options.number("seed");
  const wanted = options.text("cells");
  const cells = CELLS.filter((cell) => wanted === undefined || cell.name.includes(wanted));
  const results: Result[] = [];
  const checks: Check[] = [];
  const hashes: string[] = [];
  for (const cell of cells) {
    const figures = runCell(cell, frames, seed);
    hashes.push(figures.hash);
    results.push(...cellResults(cell, figures));
    const oracle = oracleOf(cell, frames, seed);
    if (oracle !== undefined) results.push(...oracleResults(cell, oracle));
    checks.push(...cellChecks(cell, figures, oracle));
  }
  return {
    name: "loss",
    commit: commitName(),
    machine: machineName(),
    runs: 1,
    results,
    ratios: ratiosOf(results, "shoal", "oracle").filter(({ metric }) => metric !== "late"),
    workHash: hashes.join("-"),
    checks,
    skipped: [
      "oracle for bursts and jitter: its losses are independent and its links without jitter",
    ],
  };
}

interface Oracle {
  /** Copies in the last round as the wire's rule has them, and given up at the deadline. */
  readonly ruled: OracleFigures;
  /** No copies. */
  readonly plain: OracleFigures;
  /** Nothing given up: its delays are the floor. */
  readonly endless: OracleFigures;
}

function oracleOf(cell: Cell, frames: number, seed: number): Oracle | undefined {
  if (cell.loss.kind !== "iid" || cell.jitterMs > 0) return undefined;
  const { rttMs, deadlineMs } = cell;
  const base = { rttMs, loss: cell.loss.rate, fragments: FRAGMENTS, deadlineMs };
  const copies = cell.loss.rate >= THREE_COPIES_LOSS ? 3 : 2;
  return {
    ruled: runOracle({ ...base, copies }, frames, seed),
    plain: runOracle({ ...base, copies: 1 }, frames, seed),
    endless: runOracle({ ...base, deadlineMs: Number.POSITIVE_INFINITY, copies: 1 }, frames, seed),
  };
}

function cellResults(cell: Cell, figures: CellFigures): Result[] {
  const of = (metric: string, unit: string, value: number): Result => ({
    subject: "shoal",
    case: cell.name,
    metric,
    unit,
    value,
  });
  return [
    of("late", "%", figures.late * 100),
    of("p50", "ms", figures.p50),
    of("p99", "ms", figures.p99),
    of("p99.9", "ms", figures.p999),
    of("redundancy", "%", figures.redundancy * 100),
    of("overhead", "%", figures.overhead * 100),
    of("spurious", "% of repairs", figures.spurious * 100),
    of("reverse", "kbit/s", figures.reverseKbps),
  ];
}

function oracleResults(cell: Cell, { ruled, plain, endless }: Oracle): Result[] {
  const of = (subject: string, metric: string, unit: string, value: number): Result => ({
    subject,
    case: cell.name,
    metric,
    unit,
    value,
  });
  return [
    of("oracle", "late", "%", ruled.late * 100),
    of("oracle, no copies", "late", "%", plain.late * 100),
    of("oracle", "p50", "ms", endless.p50),
    of("oracle", "p99", "ms", endless.p99),
    of("oracle", "p99.9", "ms", endless.p999),
    of("oracle", "redundancy", "%", ruled.redundancy * 100),
    of("oracle, no copies", "redundancy", "%", plain.redundancy * 100),
  ];
}

function cellChecks(cell: Cell, figures: CellFigures, oracle: Oracle | undefined): Check[] {
  const checks: Check[] = [];
  const check = (name: string, value: number, max: number, unit: string, factor: number): void => {
    const detail = `${(value * factor).toFixed(3)}${unit}, at most ${(max * factor).toFixed(3)}${unit}`;
    checks.push({ name: `${cell.name}: ${name}`, ok: value <= max, detail });
  };
  const rate = cell.loss.kind === "iid" ? cell.loss.rate : 0;
  const isMain = cell.rttMs === RTT_MS && cell.deadlineMs === DEADLINE_MS && cell.jitterMs === 0;
  const target = isMain ? LATE_TARGETS.find((each) => each.loss === rate) : undefined;
  if (target !== undefined) {
    check("late", figures.late, target.late, " %", 100);
    const redundancyMax = rate / (1 - rate) + target.points;
    check("redundancy", figures.redundancy, redundancyMax, " %", 100);
  }
  if (isMain && oracle !== undefined && Number.isFinite(oracle.endless.p99)) {
    check("p99 / oracle's", figures.p99 / oracle.endless.p99, P99_TO_ORACLE_MAX, " ×", 1);
  }
  if (isMain && cell.loss.kind === "none") {
    check("overhead", figures.overhead, OVERHEAD_WITHOUT_LOSS_MAX, " %", 100);
  }
  check("spurious", figures.spurious, SPURIOUS_MAX, " % of repairs", 100);
  return checks;
}
