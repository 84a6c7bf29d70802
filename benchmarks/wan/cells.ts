/**
 * What the `wan` bench measures: a link, a stream over it, and by when its frames must be there. Round trips are
 * 100 ms, so that a lost packet can be repeated once by 170 ms, twice by 300 (with 40 ms to spare), three times by 390.
 */
import type { WanProfile } from "./emulator/profile.ts";

export interface Cell {
  readonly name: string;
  /** Forwards; the same back, without rate and queue. */
  readonly profile: WanProfile;
  readonly frameBytes: number;
  /** Frames a second; 30 by default. */
  readonly fps?: number;
  /** Over a plain wire instead of the emulated link: what counts is CPU time. */
  readonly isWire?: boolean;
  /** Each is a run of its own for those who are told it beforehand. */
  readonly deadlinesMs: readonly number[];
  /** What the link becomes while it runs, s after the first frame. */
  readonly changes?: readonly { readonly atSeconds: number; readonly profile: WanProfile }[];
  /** A greedy TCP flow (CUBIC) on the same link. */
  readonly beside?: boolean;
  /** Too much for the link: what counts is frames on time with all they need. */
  readonly isOverload?: boolean;
  readonly isRequired: boolean;
  /** At least so long, s. */
  readonly secondsMin?: number;
}

export const FPS = 30;
export const RTT_MS = 100;
export const GROUP_FRAMES = 60;
const DELAY_MS = RTT_MS / 2;
/** Seven full fragments with the segment's header, 1.93 Mbit/s. */
const LOSS_FRAME_BYTES = 7 * 1152 - 23;
const DEADLINES_MS = [170, 300, 390];
const TWO_MBPS_BYTES = 8333;
/** Mean burst 3.3 packets, 3.2 % of packets lost. */
const BURSTS = { goodToBad: 0.01, badToGood: 0.3 };
/** Mean burst 10 packets, 2 % lost. */
const LONG_BURSTS = { goodToBad: 0.002, badToGood: 0.1 };

function lossCell(loss: number, isRequired: boolean): Cell {
  return {
    name: `${loss * 100} %`,
    profile: { delayMs: DELAY_MS, loss },
    frameBytes: LOSS_FRAME_BYTES,
    deadlinesMs: DEADLINES_MS,
    isRequired,
  };
}

function limited(rateBps: number, queueBytes: number): WanProfile {
  return { delayMs: DELAY_MS, rateBps, queueBytes };
}

export const CELLS: readonly Cell[] = [
  lossCell(0, false),
  lossCell(0.01, false),
  lossCell(0.05, true),
  lossCell(0.1, true),
  lossCell(0.2, true),
  { ...lossCell(0, true), name: "bursts", profile: { delayMs: DELAY_MS, loss: BURSTS } },
  { ...lossCell(0, false), name: "long bursts", profile: { delayMs: DELAY_MS, loss: LONG_BURSTS } },
  {
    ...lossCell(0, false),
    name: "jitter",
    profile: { delayMs: DELAY_MS, jitterMs: 30, loss: 0.01 },
  },
  {
    ...lossCell(0, false),
    name: "jitter, reordered",
    profile: { delayMs: DELAY_MS, jitterMs: 30, reorders: true, loss: 0.01 },
  },
  {
    name: "2 → 1.6 Mbit/s",
    profile: limited(1.6e6, 40_000),
    frameBytes: TWO_MBPS_BYTES,
    deadlinesMs: [600],
    isOverload: true,
    isRequired: true,
  },
  {
    name: "4 → 1 → 4 Mbit/s",
    profile: limited(4e6, 75_000),
    frameBytes: 12_500,
    deadlinesMs: [600],
    changes: [
      { atSeconds: 8, profile: limited(1e6, 18_750) },
      { atSeconds: 16, profile: limited(4e6, 75_000) },
    ],
    isOverload: true,
    isRequired: false,
    secondsMin: 24,
  },
  {
    name: "TCP beside, 4 Mbit/s",
    profile: limited(4e6, 75_000),
    frameBytes: 16_667,
    deadlinesMs: [600],
    beside: true,
    isOverload: true,
    isRequired: false,
    secondsMin: 30,
  },
  {
    name: "cpu, 200 Mbit/s",
    profile: { delayMs: 0 },
    fps: 250,
    frameBytes: 100_000,
    isWire: true,
    deadlinesMs: [120],
    isRequired: false,
  },
];

/** Those asked for: the required ones by default, `all`, or each that a word names, or whose name contains the word. */
export function cellsNamed(words: readonly string[] | undefined): readonly Cell[] {
  if (words === undefined) return CELLS.filter(({ isRequired }) => isRequired);
  if (words.includes("all")) return CELLS;
  const exact = new Set(CELLS.map(({ name }) => name));
  return CELLS.filter(({ name }) =>
    words.some((word) => (exact.has(word) ? name === word : name.includes(word))),
  );
}
