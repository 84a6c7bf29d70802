/**
 * The best that repeating lost packets can do, as a Monte Carlo of one frame at a time: the receiver sees a loss by any
 * later packet that was sent together with it and arrived, else 5 ms after it was due; it reports at once and again
 * each 10 ms, and reports are lost as packets are; what is reported is sent again at once, under a new number.
 * Nothing else delays anything, nothing is sent without need.
 *
 * `copies` of a packet go out in the last round that can meet the deadline, as the wire's rule has it; 1 = plain.
 */
import { Prng } from "../../runtime/base/prng.ts";

export interface OracleCell {
  readonly rttMs: number;
  /** Share of packets lost, each way, each by itself. */
  readonly loss: number;
  readonly fragments: number;
  /** Packets that can't arrive by then are not sent again; Infinity = all are. */
  readonly deadlineMs: number;
  readonly copies: number;
}

export interface OracleFigures {
  readonly late: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly redundancy: number;
}

const TAIL_MS = 5;
const REPORT_MS = 10;

interface Sending {
  atMs: number;
  /** Fragments that go together, in order; a copied one stands there more than once. */
  readonly fragments: number[];
}

export function runOracle(cell: OracleCell, frames: number, seed: number): OracleFigures {
  const random = new Prng(seed);
  const delays = new Float64Array(frames);
  let resent = 0;
  let late = 0;
  for (let i = 0; i < frames; i++) {
    const frame = runFrame(cell, random);
    delays[i] = frame.delayMs;
    resent += frame.resent;
    if (!(frame.delayMs <= cell.deadlineMs)) late++;
  }
  delays.sort();
  const at = (share: number): number =>
    delays[Math.min(frames - 1, Math.floor(frames * share))] as number;
  return {
    late: late / frames,
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    redundancy: resent / (frames * cell.fragments),
  };
}

function runFrame(cell: OracleCell, random: Prng): { delayMs: number; resent: number } {
  const { rttMs, loss, fragments, deadlineMs, copies } = cell;
  const arrivedMs = new Array<number>(fragments).fill(Number.POSITIVE_INFINITY);
  const sendings: Sending[] = [{ atMs: 0, fragments: arrivedMs.map((_, i) => i) }];
  let resent = 0;
  for (let sending = sendings.shift(); sending !== undefined; sending = sendings.shift()) {
    const { atMs } = sending;
    const dueMs = atMs + rttMs / 2;
    const isLost = sending.fragments.map(() => random.next() < loss);
    sending.fragments.forEach((fragment, i) => {
      if (!isLost[i]) arrivedMs[fragment] = Math.min(arrivedMs[fragment] as number, dueMs);
    });
    const lastArrived = isLost.lastIndexOf(false);
    for (const fragment of new Set(sending.fragments)) {
      if (arrivedMs[fragment] !== Number.POSITIVE_INFINITY) continue;
      const isGap = sending.fragments.lastIndexOf(fragment) < lastArrived;
      let againMs = dueMs + (isGap ? 0 : TAIL_MS) + rttMs / 2;
      while (random.next() < loss) againMs += REPORT_MS;
      if (againMs + rttMs / 2 > deadlineMs) continue;
      const isLast = againMs + rttMs / 2 + rttMs + TAIL_MS > deadlineMs;
      const count = isLast ? copies : 1;
      resent += count;
      file(sendings, againMs, fragment, count);
    }
  }
  return { delayMs: Math.max(...arrivedMs), resent };
}

/** Adds to what is sent at that time already, keeping sendings in order of time. */
function file(sendings: Sending[], atMs: number, fragment: number, count: number): void {
  const fragments = new Array<number>(count).fill(fragment);
  const at = sendings.findIndex((each) => each.atMs >= atMs);
  const found = at < 0 ? undefined : sendings[at];
  if (found?.atMs === atMs) found.fragments.push(...fragments);
  else sendings.splice(at < 0 ? sendings.length : at, 0, { atMs, fragments });
}
