/**
 * One subject of the `hotpath` bench in a process of its own: `child.ts SUBJECT ROUNDS WARMUP LOSSY PRESSURE`. Prints
 * as `reference.c` does. With pressure, what a busy program leaves behind is made between the phases: objects that
 * die at once and some that live a while, so that the garbage collector has work.
 */
import type { HotPathOptions } from "../../runtime/wasm/create.ts";
import { createHotPath } from "../../runtime/wasm/create.ts";
import { quantile, WorkHash } from "../lib/report.ts";
import { threadCpuClock } from "../lib/system-clock.ts";
import { Workload } from "./workload.ts";

export interface PhaseFigures {
  readonly name: string;
  /** ns per operation, over rounds. */
  readonly median: number;
  readonly tail: number;
}
export interface ChildFigures {
  readonly hash: string;
  readonly phases: readonly PhaseFigures[];
}

const PRESSURE_OBJECTS = 64;
const PRESSURE_LIVE = 20_000;

export function measure(
  kind: HotPathOptions["kind"],
  rounds: number,
  warmup: number,
  isLossy: boolean,
  isPressed: boolean,
): ChildFigures {
  const workload = new Workload(createHotPath({ kind: kind ?? "wasm" }), isLossy);
  const clock = threadCpuClock() ?? Bun.nanoseconds;
  const emptyNs = costOf(clock);
  const hash = new WorkHash();
  const times = new Map<string, number[]>();
  const live: unknown[] = [];
  for (let round = 0; round < warmup + rounds; round++) {
    workload.round((name, operations, run) => {
      if (isPressed) press(live, round);
      const from = clock();
      const result = run();
      const spent = Math.max(0, clock() - from - emptyNs) / operations;
      hash.add(result);
      if (round < warmup) return;
      const list = times.get(name);
      if (list === undefined) times.set(name, [spent]);
      else list.push(spent);
    });
  }
  const phases = [...times].map(([name, list]) => ({
    name,
    median: quantile(list, 0.5),
    tail: quantile(list, 0.999),
  }));
  return { hash: hash.text(), phases };
}

/** What reading the clock adds to a phase, ns. */
export function costOf(clock: () => number): number {
  const times: number[] = [];
  for (let i = 0; i < 2000; i++) {
    const from = clock();
    times.push(clock() - from);
  }
  return quantile(times.slice(1000), 0.5);
}

function press(live: unknown[], round: number): void {
  for (let i = 0; i < PRESSURE_OBJECTS; i++) {
    const made = { round, i, text: `${round}:${i}`, list: [round, i, 0] };
    live[(round * PRESSURE_OBJECTS + i) % PRESSURE_LIVE] = made;
  }
}

if (import.meta.main) {
  const [subject, rounds, warmup, lossy, pressure] = process.argv.slice(2);
  const kind = subject === "twin" ? "twin" : "wasm";
  const figures = measure(kind, Number(rounds), Number(warmup), lossy === "1", pressure === "1");
  console.log(JSON.stringify(figures));
}
