/**
 * Frames for the simulator's publishers: sizes and times as real footage has them, contents a
 * checker can tell apart. Either made by a seeded model (a key frame each group, smaller frames
 * between, audio all along) or played from a trace, JSON with the frames of one loop.
 */
import { z } from "zod";
import { Prng } from "../base/prng.ts";
import { FrameKind, type MediaFrame } from "../wire/frame.ts";
import { fragmentsOf } from "../wire/segment.ts";

/** One frame of a trace: when, what, how large. */
export interface TraceFrame {
  readonly dtsMs: number;
  readonly kind: FrameKind;
  readonly bytes: number;
  readonly ptsOffsetMs: number;
}

export interface Trace {
  /** After this the frames come again, ms. */
  readonly loopMs: number;
  /** By dts, all within the loop. The first of each track is its configuration. */
  readonly frames: readonly TraceFrame[];
}

/** A peer keeps 3 s, or from the start of a group that began 1.5 s ago or more (docs/SWARM.md). */
const KEPT_MS_MIN = 3000;
const KEPT_BEYOND_GROUP_MS = 1500;
/** Room for what is larger than the mean, and for what a group repeats. */
const KEPT_MARGIN = 1.6;
const KEPT_FRAGMENTS = [256, 8192] as const;

/**
 * Fragments for which a viewer of the trace needs places, a power of two: thousands of viewers in
 * one memory cannot each have room for the largest stream there is.
 */
export function fragmentsKept({ frames, loopMs }: Trace): number {
  const fragments = frames.reduce((sum, frame) => sum + fragmentsOf(frame.bytes), 0);
  const keys = frames.filter(({ kind }) => kind === FrameKind.key).map(({ dtsMs }) => dtsMs);
  const last = keys[keys.length - 1] ?? 0;
  const groupMs = keys.reduce(
    (longest, at, i) => Math.max(longest, at - (keys[i - 1] ?? last - loopMs)),
    0,
  );
  const keptMs = Math.max(KEPT_MS_MIN, groupMs + KEPT_BEYOND_GROUP_MS);
  const wanted = (fragments / loopMs) * keptMs * KEPT_MARGIN;
  const [least, most] = KEPT_FRAGMENTS;
  return Math.min(most, Math.max(least, 2 ** Math.ceil(Math.log2(wanted))));
}

export interface FootageModel {
  readonly framesPerSecond: number;
  readonly groupMs: number;
  readonly keyBytes: number;
  /** ±share, uniform. */
  readonly keySpread: number;
  readonly interBytes: number;
  readonly interSpread: number;
  readonly audioPerSecond: number;
  readonly audioBytes: number;
}

/** 480p at 800 kbit/s with AAC; the mean of key frames and others over a group of 2 s. */
export const FOOTAGE_480P: FootageModel = {
  framesPerSecond: 25,
  groupMs: 2000,
  keyBytes: 40_000,
  keySpread: 0.1,
  interBytes: 2800,
  interSpread: 0.3,
  audioPerSecond: 44_100 / 1024,
  audioBytes: 270,
};

const CONFIG_BYTES = 40;
/** Least body: what an FLV tag of AVC begins with. */
const TAG_HEAD_BYTES = 5;
const DISPOSABLE_EVERY = 3;

/** A loop of `groups` groups of pictures after the model. */
export function makeTrace(model: FootageModel, groups: number, seed: number): Trace {
  const random = new Prng(seed);
  const spread = (bytes: number, share: number): number =>
    Math.round(bytes * (1 + share * (2 * random.next() - 1)));
  const loopMs = model.groupMs * groups;
  const frames: TraceFrame[] = [
    { dtsMs: 0, kind: FrameKind.videoConfig, bytes: CONFIG_BYTES, ptsOffsetMs: 0 },
    { dtsMs: 0, kind: FrameKind.audioConfig, bytes: CONFIG_BYTES, ptsOffsetMs: 0 },
  ];
  const perGroup = Math.round((model.groupMs * model.framesPerSecond) / 1000);
  for (let i = 0; i < perGroup * groups; i++) {
    const dtsMs = Math.round((i * 1000) / model.framesPerSecond);
    const inGroup = i % perGroup;
    const isKey = inGroup === 0;
    const kind = isKey
      ? FrameKind.key
      : inGroup % DISPOSABLE_EVERY === 0
        ? FrameKind.disposable
        : FrameKind.inter;
    const bytes = isKey
      ? spread(model.keyBytes, model.keySpread)
      : spread(model.interBytes, model.interSpread);
    frames.push({ dtsMs, kind, bytes, ptsOffsetMs: 0 });
  }
  const audio = Math.floor((loopMs * model.audioPerSecond) / 1000);
  for (let i = 0; i < audio; i++) {
    const dtsMs = Math.round((i * 1000) / model.audioPerSecond);
    frames.push({ dtsMs, kind: FrameKind.audio, bytes: model.audioBytes, ptsOffsetMs: 0 });
  }
  frames.sort((a, b) => a.dtsMs - b.dtsMs || orderOf(a.kind) - orderOf(b.kind));
  return { loopMs, frames };
}

/** At one time configurations come first, then video, then audio. */
function orderOf(kind: FrameKind): number {
  if (kind === FrameKind.videoConfig) return 0;
  if (kind === FrameKind.audioConfig) return 1;
  return kind === FrameKind.audio ? 3 : 2;
}

const KINDS = Object.keys(FrameKind) as (keyof typeof FrameKind)[];

const traceSchema = z.strictObject({
  loopMs: z.number().int().positive(),
  frames: z
    .array(
      z.strictObject({
        dtsMs: z.number().int().nonnegative(),
        kind: z.enum(KINDS as [keyof typeof FrameKind, ...(keyof typeof FrameKind)[]]),
        bytes: z.number().int().min(TAG_HEAD_BYTES).max(1_048_576),
        ptsOffsetMs: z.number().int().default(0),
      }),
    )
    .min(1)
    .max(1_000_000),
});

/** Reads a trace. @throws Error that says what is wrong with it. */
export function parseTrace(json: unknown): Trace {
  const { loopMs, frames } = traceSchema.parse(json);
  let last = 0;
  for (const { dtsMs } of frames) {
    if (dtsMs < last) throw new Error(`trace: frame at ${dtsMs} ms after one at ${last} ms`);
    if (dtsMs >= loopMs) throw new Error(`trace: frame at ${dtsMs} ms, but the loop has ${loopMs}`);
    last = dtsMs;
  }
  return { loopMs, frames: frames.map((frame) => ({ ...frame, kind: FrameKind[frame.kind] })) };
}

/**
 * Plays a trace in a loop: frame i of the stream, for i from 0. Bodies differ from frame to frame.
 */
export class Footage {
  readonly #trace: Trace;
  /** Frames repeated in each loop but the first: all but the configurations. */
  readonly #looped: readonly TraceFrame[];
  readonly #seed: number;
  #next = 0;

  constructor(trace: Trace, seed: number) {
    this.#trace = trace;
    this.#looped = trace.frames.filter(
      ({ kind }) => kind !== FrameKind.videoConfig && kind !== FrameKind.audioConfig,
    );
    this.#seed = seed;
  }

  /** When the next frame is due, ms after the first. */
  get nextMs(): number {
    const { frame, loop } = this.#at(this.#next);
    return frame.dtsMs + loop * this.#trace.loopMs;
  }

  take(): MediaFrame {
    const i = this.#next++;
    const { frame, loop } = this.#at(i);
    const { kind, ptsOffsetMs } = frame;
    const dtsMs = frame.dtsMs + loop * this.#trace.loopMs;
    const isConfig = kind === FrameKind.videoConfig || kind === FrameKind.audioConfig;
    return { kind, dtsMs, ptsOffsetMs, body: bodyOf(frame, isConfig ? kind : i + 16, this.#seed) };
  }

  #at(i: number): { frame: TraceFrame; loop: number } {
    const first = this.#trace.frames.length;
    if (i < first) return { frame: this.#trace.frames[i] as TraceFrame, loop: 0 };
    const later = i - first;
    const frame = this.#looped[later % this.#looped.length] as TraceFrame;
    return { frame, loop: 1 + Math.floor(later / this.#looped.length) };
  }
}

/**
 * A tag body that begins as FLV's do (Adobe FLV specification v10.1, E.4.2 and E.4.3: AVC and AAC)
 * and goes on with bytes that are this frame's own.
 */
function bodyOf(frame: TraceFrame, number: number, seed: number): Uint8Array {
  const body = new Uint8Array(frame.bytes);
  const words = new DataView(body.buffer);
  let state = (Math.imul(number + 1, 0x9e3779b1) ^ seed) >>> 0;
  for (let at = 0; at + 4 <= body.length; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; /* Numerical Recipes, ranqd1 */
    words.setUint32(at, state);
  }
  body.set(tagHead(frame));
  return body;
}

function tagHead({ kind, ptsOffsetMs }: TraceFrame): number[] {
  const isConfig = kind === FrameKind.audioConfig || kind === FrameKind.videoConfig;
  if (kind === FrameKind.audio || kind === FrameKind.audioConfig) return [0xaf, isConfig ? 0 : 1];
  const frameType = kind === FrameKind.key || isConfig ? 1 : kind === FrameKind.disposable ? 3 : 2;
  const offset = [(ptsOffsetMs >> 16) & 255, (ptsOffsetMs >> 8) & 255, ptsOffsetMs & 255];
  return [(frameType << 4) | 7, isConfig ? 0 : 1, ...offset];
}
