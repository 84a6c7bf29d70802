/** What runs say together: the frames of all seeds in one heap, rates over all of their time. */

import { quantile, type Result } from "../lib/report.ts";
import { runOracle } from "../loss/oracle.ts";
import { type Cell, FPS, GROUP_FRAMES, RTT_MS } from "./cells.ts";
import { lossOf } from "./emulator/profile.ts";
import type { RunFigures } from "./run.ts";
import { isConstant, type Subject } from "./subjects.ts";

/** What holds frames back to one time is allowed its timers; what has not come by then has not been recovered. */
const CONSTANT_SLACK_MS = 50;
const ORACLE_FRAMES = 200_000;
/** As the wire's rule has it (docs/WIRE.md): copies in the last round that can meet the deadline. */
const COPIES = { usual: 2, lossy: 3, lossyFrom: 0.15 };
const IP_UDP_BYTES = 28;
const FRAGMENT_BYTES = 1152;

export function caseName(cell: Cell, deadlineMs: number): string {
  return `${cell.name}, ${deadlineMs} ms`;
}

/** All runs of one subject in one cell under one deadline. */
export function resultsOf(
  cell: Cell,
  deadlineMs: number,
  subject: Subject,
  runs: readonly RunFigures[],
): Result[] {
  const of = (metric: string, unit: string, value: number): Result => ({
    subject,
    case: caseName(cell, deadlineMs),
    metric,
    unit,
    value,
  });
  const limitMs = deadlineMs + (isConstant(subject) ? CONSTANT_SLACK_MS : 0);
  const delays = runs.flatMap(({ delaysMs }) => delaysMs);
  const sum = (value: (run: RunFigures) => number): number =>
    runs.reduce((total, run) => total + value(run), 0);
  const late = delays.filter((delay) => !(delay <= limitMs)).length / delays.length;
  const playable = sum(({ delaysMs }) => playableOf(delaysMs, limitMs)) / delays.length;
  const results = [
    of("late", "%", late * 100),
    of("p50", "ms", quantile(delays, 0.5)),
    of("p99", "ms", quantile(delays, 0.99)),
    of("p99.9", "ms", quantile(delays, 0.999)),
    of("cpu", "CPU-s/Gbit", sum(({ cpuSecondsPerGbit: cpu }) => cpu) / runs.length),
  ];
  if (cell.isOverload) results.push(of("playable", "%", playable * 100));
  if (!cell.beside && !cell.isWire) {
    const overhead = sum(({ link }) => link.forward.bytesIn) / sum(mediaBytesOf) - 1;
    const reverse = (sum(({ link }) => link.back.bytesIn) * 8) / sum(secondsOf);
    results.push(of("overhead", "%", overhead * 100), of("reverse", "kbit/s", reverse / 1000));
  }
  if (cell.beside) {
    const share = sum(({ flowBps }) => flowBps) / runs.length / (cell.profile.rateBps ?? 1);
    results.push(of("TCP flow's share of the link", "%", share * 100));
  }
  return results;
}

function mediaBytesOf({ mediaBytes }: RunFigures): number {
  return mediaBytes;
}

function secondsOf({ seconds }: RunFigures): number {
  return seconds;
}

/** Frames in time whose references, back to the key frame, were in time too. */
function playableOf(delaysMs: readonly number[], limitMs: number): number {
  let isWhole = false;
  let count = 0;
  delaysMs.forEach((delay, i) => {
    const isKey = i % GROUP_FRAMES === 0;
    isWhole = delay <= limitMs && (isKey || isWhole);
    if (isWhole) count++;
  });
  return count;
}

/** What repeating lost packets can do at best in this cell; nothing where its losses are not independent. */
export function oracleResults(cell: Cell, deadlineMs: number): Result[] {
  const { loss = 0, jitterMs = 0, rateBps = 0, delayMs } = cell.profile;
  if (cell.isWire) return [];
  if (typeof loss !== "number" || jitterMs > 0 || rateBps > 0) return [];
  const fragments = Math.ceil(cell.frameBytes / FRAGMENT_BYTES);
  const copies = loss >= COPIES.lossyFrom ? COPIES.lossy : COPIES.usual;
  const base = { rttMs: RTT_MS, loss, fragments, deadlineMs, copies };
  const ruled = runOracle(base, ORACLE_FRAMES, 1);
  const endless = { ...base, deadlineMs: Number.POSITIVE_INFINITY, copies: 1 };
  const free = runOracle(endless, ORACLE_FRAMES, 1);
  const of = (metric: string, unit: string, value: number): Result => ({
    subject: "oracle",
    case: caseName(cell, deadlineMs),
    metric,
    unit,
    value,
  });
  const floor = (1 + IP_UDP_BYTES / FRAGMENT_BYTES) / (1 - lossOf({ delayMs, loss }));
  return [
    of("late", "%", ruled.late * 100),
    of("p50", "ms", free.p50),
    of("p99", "ms", free.p99),
    of("p99.9", "ms", free.p999),
    of("overhead", "%", (floor - 1) * 100),
  ];
}

/** Of an overloaded link: the share of frames that fits, IP and UDP heads counted and nothing else. */
export function limitResults(cell: Cell, deadlineMs: number): Result[] {
  const { rateBps = 0 } = cell.profile;
  if (rateBps === 0 || cell.changes !== undefined || cell.beside) return [];
  const wanted = cell.frameBytes * 8 * FPS * (1 + IP_UDP_BYTES / FRAGMENT_BYTES);
  const value = Math.min(1, rateBps / wanted) * 100;
  const of = caseName(cell, deadlineMs);
  return [{ subject: "oracle", case: of, metric: "playable", unit: "%", value }];
}
