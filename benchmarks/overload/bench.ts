/**
 * `overload`: too much video for the link, in virtual time: the production queue, uplink and shipped hot path over a
 * bottleneck with a tail-drop queue (runtime/core/testing). What counts is a frame on time with all it refers to.
 * Beside it a link that changes its rate, and a TCP flow (CUBIC, RFC 9438) that shares it.
 */
import type { Link, VirtualClock } from "../../runtime/core/testing/bottleneck.ts";
import {
  overloadScenario,
  type PairScenario,
  runPair,
} from "../../runtime/core/testing/policy-scenarios.ts";
import type { VideoOptions } from "../../runtime/core/testing/policy-video.ts";
import { TcpFlow } from "../../runtime/core/testing/tcp-flow.ts";
import { createHotPath } from "../../runtime/wasm/create.ts";
import type { Bench, BenchValues } from "../lib/bench.ts";
import {
  type Check,
  commitName,
  machineName,
  median,
  type Report,
  type Result,
  ratiosOf,
  WorkHash,
} from "../lib/report.ts";

const PLAYABLE_MIN = 0.7;
const TCP_MIN = 0.4;
/** A DATA packet's IP, UDP and own head against its body. */
const HEAD_SHARE = 49 / 1152;
const TCP_FROM_MS = 5000;
const TCP_SETTLED_MS = 20_000;

const STREAMS: readonly (readonly [string, Partial<VideoOptions>])[] = [
  ["no B-frames", {}],
  ["no B-frames, key frames ×5", { keyFactor: 5 }],
  ["two B-frames, half size", { disposable: 2, disposableFactor: 0.5 }],
  ["two B-frames, key frames ×5", { disposable: 2, disposableFactor: 0.5, keyFactor: 5 }],
];
const SHARED = [
  { rateBps: 4e6, queueBytes: 75_000, bitsPerSecond: 2e6 },
  { rateBps: 3e6, queueBytes: 40_000, bitsPerSecond: 4e6 },
  { rateBps: 10e6, queueBytes: 125_000, bitsPerSecond: 4e6 },
] as const;

export const overload: Bench = {
  name: "overload",
  text: "frames on time with their references when the link is too small; steps; beside TCP",
  options: {
    seconds: { value: "120", text: "virtual seconds of each run, 30 at least" },
    seeds: { value: "3", text: "runs of each cell" },
  },
  run: async (options) => runOverload(options),
};

export function runOverload(options: BenchValues): Report {
  const seconds = options.number("seconds", 30);
  const seeds = options.number("seeds", 1);
  const hash = new WorkHash();
  const each = (run: (seed: number) => number): number => {
    const values = Array.from({ length: seeds }, (_, i) => run(i + 1));
    for (const value of values) hash.add(Math.round(value * 1e6));
    return median(values);
  };
  const results: Result[] = [];
  const add = (subject: string, of: string, metric: string, value: number): void => {
    results.push({ subject, case: of, metric, unit: "%", value: value * 100 });
  };
  for (const [name, video] of STREAMS) {
    const of = `2 → 1.6 Mbit/s, ${name}`;
    add(
      "shoal",
      of,
      "playable",
      each((seed) => playable(overloadScenario(seed, seconds, video))),
    );
    add("limit", of, "playable", Math.min(1, 1.6 / (2 * (1 + HEAD_SHARE))));
  }
  add(
    "shoal",
    "4 → 1 → 4 Mbit/s, 3 Mbit/s of video",
    "playable",
    each((seed) => playable(stepScenario(seed))),
  );
  add("limit", "4 → 1 → 4 Mbit/s, 3 Mbit/s of video", "playable", stepLimit());
  for (const shared of SHARED) {
    const of = `${shared.rateBps / 1e6} Mbit/s shared, ${shared.bitsPerSecond / 1e6} Mbit/s of video`;
    add(
      "tcp-cubic",
      of,
      "share of the link",
      each((seed) => tcpShare(seed, seconds, shared)),
    );
  }
  return {
    name: "overload",
    commit: commitName(),
    machine: machineName(),
    runs: seeds,
    results,
    ratios: ratiosOf(results, "shoal", "limit"),
    workHash: hash.text(),
    checks: checksOf(results),
    skipped: [],
  };
}

function playable(scenario: PairScenario): number {
  return runPair(createHotPath({ memoryMiB: 16 }), scenario).playable;
}

const STEP_SECONDS = 24;

/** Each rate for 8 s, with 150 ms of queue. */
function stepScenario(seed: number): PairScenario {
  const base = overloadScenario(seed, STEP_SECONDS, { bitsPerSecond: 3e6 });
  const set = (clock: VirtualClock, forward: Link, atMs: number, rateBps: number): void =>
    clock.at(atMs, () =>
      Object.assign(forward.options, { rateBps, queueBytes: (rateBps / 8) * 0.15 }),
    );
  return {
    ...base,
    forward: { delayMs: 50, rateBps: 4e6, queueBytes: 75_000 },
    prepare: (clock, forward) => {
      set(clock, forward, 8000, 1e6);
      set(clock, forward, 16_000, 4e6);
    },
  };
}

function stepLimit(): number {
  return (2 + 1 / (3 * (1 + HEAD_SHARE))) / 3;
}

/** What a greedy CUBIC flow gets of the link's rate once both have settled. */
function tcpShare(
  seed: number,
  seconds: number,
  { rateBps, queueBytes, bitsPerSecond }: (typeof SHARED)[number],
): number {
  let tcp: TcpFlow | undefined;
  let before = 0;
  const base = overloadScenario(seed, seconds, { bitsPerSecond, deadlineMs: 1000 });
  runPair(createHotPath({ memoryMiB: 16 }), {
    ...base,
    forward: { delayMs: 50, rateBps, queueBytes },
    prepare: (clock, forward, back) => {
      const flow = new TcpFlow(clock, forward, back);
      tcp = flow;
      clock.at(TCP_FROM_MS, () => flow.start());
      clock.at(seconds * 1000, () => flow.stop());
    },
    watch: (now) => {
      if (now === TCP_SETTLED_MS) before = tcp?.bytesDelivered ?? 0;
    },
  });
  const bytes = (tcp?.bytesDelivered ?? 0) - before;
  return (bytes * 8) / rateBps / (seconds - TCP_SETTLED_MS / 1000);
}

function checksOf(results: readonly Result[]): Check[] {
  return results
    .filter(({ subject, case: of }) => subject !== "limit" && !of.startsWith("4 → 1"))
    .map(({ subject, case: of, metric, value }) => {
      const min = (subject === "shoal" ? PLAYABLE_MIN : TCP_MIN) * 100;
      const detail = `${value.toFixed(1)} %, at least ${min} %`;
      return { name: `${of}: ${metric}`, ok: value >= min, detail };
    });
}
