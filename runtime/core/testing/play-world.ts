/**
 * A publisher, a channel and a play buffer in virtual time: frames are cut as a publisher cuts
 * them, each fragment takes as long as the scenario says (or is lost), and what the buffer hands
 * out is noted. Everything follows from the seed.
 */
import { assert } from "../../base/assert.ts";
import { Prng } from "../../base/prng.ts";
import { type Ms, ms, NEVER } from "../../base/time.ts";
import { FrameKind, type MediaFrame } from "../../wire/frame.ts";
import { Phase, withPhase } from "../../wire/segment.ts";
import { type HotPath, Inserted } from "../hot-path/hot-path.ts";
import { PlayBuffer, type PlayBufferOptions, type PlayedFrame } from "../play/play-buffer.ts";
import { type CutSegment, SegmentCutter } from "../segments/segment-cutter.ts";
import { SegmentIndex } from "../segments/segment-index.ts";
import { CaptureClock, ClockEstimate } from "../time/clock-estimate.ts";
import { VirtualClock } from "./bottleneck.ts";

export interface Passage {
  readonly random: Prng;
  /** When it leaves the publisher (viewer's clock), and its number. */
  readonly at: number;
  readonly number: number;
  readonly segment: CutSegment;
}

export interface PlayScenario {
  readonly seed?: number;
  readonly seconds: number;
  readonly video?: boolean;
  readonly audio?: boolean;
  readonly framesPerSecond?: number;
  readonly groupFrames?: number;
  /** Every third frame refers to nothing and nothing to it. */
  readonly disposable?: boolean;
  /** The encoder changes its video configuration then, before the next key frame. */
  readonly configChangeMs?: number;
  /** ms on the way, or undefined when the fragment never comes. */
  readonly channel: (passage: Passage) => number | undefined;
  /** The viewer joins then; the group running is sent as a burst. */
  readonly joinMs?: number;
  readonly options?: Partial<PlayBufferOptions>;
  /** Timestamp of a frame captured `mediaMs` after the start; default mediaMs + 1000. */
  readonly dts?: (mediaMs: number, random: Prng) => number;
  /** When the encoder hands over the frame due at `mediaMs`. */
  readonly capture?: (mediaMs: number, random: Prng) => number;
  /** Error of the viewer's idea of capture time, ms, by time. */
  readonly clockErrorMs?: (now: number) => number;
  /** Without, the capture clock is never told. */
  readonly hasClock?: boolean;
  /** Called every 10 ms. */
  readonly watch?: (now: Ms, world: PlayWorld) => void;
}

export interface Shown extends PlayedFrame {
  readonly at: number;
  /** Capture → play-out by the world's clock. */
  readonly delayMs: number;
}

/** The publisher's clock is this far ahead of the viewer's. */
const PUBLISHER_AHEAD_MS = 123_456_789;
const AUDIO_FRAME_MS = 1024 / 48;

export class PlayWorld {
  readonly clock = new VirtualClock();
  readonly captureClock = new CaptureClock();
  readonly index: SegmentIndex;
  readonly buffer: PlayBuffer;
  readonly shown: Shown[] = [];
  readonly sent: { frame: MediaFrame; capturedAt: number }[] = [];
  readonly #hot: HotPath;
  readonly #scenario: PlayScenario;
  readonly #random: Prng;
  readonly #cutter: SegmentCutter;
  readonly #captured = new Map<number, number>();
  readonly #upstream = new ClockEstimate();
  #group: CutSegment[] = [];
  #wakeAt: number = NEVER;
  stalledMs = 0;

  constructor(hot: HotPath, scenario: PlayScenario) {
    this.#hot = hot;
    this.#scenario = scenario;
    this.#random = new Prng(scenario.seed ?? 1);
    this.#cutter = new SegmentCutter(hot);
    const clock = this.captureClock;
    this.index = new SegmentIndex(hot, { retainMs: 3000, groupMsMax: 12_000, clock });
    const options = { targetMs: 800, minMs: 300, maxMs: 1500, strict: false, ...scenario.options };
    this.buffer = new PlayBuffer(this.index, clock, options);
    this.#schedule();
  }

  run(): this {
    this.clock.runUntil(this.#scenario.seconds * 1000);
    this.stalledMs = this.buffer.stalledMs(this.clock.now);
    this.index.close();
    for (const segment of this.#group) this.#release(segment);
    return this;
  }

  /** Audio and video frames shown in time. */
  get inTime(): Shown[] {
    return this.shown.filter((one) => one.frame.kind > FrameKind.metadata && !one.decodeOnly);
  }

  #schedule(): void {
    const { seconds, video = true, audio = true, joinMs = 0 } = this.#scenario;
    const { capture = (mediaMs: number) => mediaMs, framesPerSecond = 25 } = this.#scenario;
    if (video) this.#at(0, FrameKind.videoConfig, -1);
    if (audio) this.#at(0, FrameKind.audioConfig, -1);
    for (let i = 0; video && i * (1000 / framesPerSecond) < seconds * 1000; i++) {
      const mediaMs = (i * 1000) / framesPerSecond;
      this.#at(capture(mediaMs, this.#random), this.#videoKind(i), mediaMs);
    }
    for (let i = 0; audio && i * AUDIO_FRAME_MS < seconds * 1000; i++) {
      const mediaMs = i * AUDIO_FRAME_MS + 1;
      this.#at(capture(mediaMs, this.#random), FrameKind.audio, mediaMs);
    }
    const { configChangeMs } = this.#scenario;
    if (configChangeMs !== undefined) this.#at(configChangeMs, FrameKind.videoConfig, -1);
    for (let at = 0; at < seconds * 1000; at += 10) this.clock.at(at, () => this.#tick());
    if (joinMs > 0) this.clock.at(joinMs, () => this.#join());
  }

  #videoKind(i: number): FrameKind {
    const { groupFrames = 50, disposable = false } = this.#scenario;
    if (i % groupFrames === 0) return FrameKind.key;
    return disposable && i % 3 === 2 ? FrameKind.disposable : FrameKind.inter;
  }

  #at(at: number, kind: FrameKind, mediaMs: number): void {
    this.clock.at(at, () => this.#encode(kind, mediaMs));
  }

  #encode(kind: FrameKind, mediaMs: number): void {
    const random = this.#random;
    const { dts = (at: number) => at + 1000 } = this.#scenario;
    const size = sizeOf(kind, random);
    const body = new Uint8Array(size);
    if (kind > FrameKind.metadata) random.fill(body);
    else body.fill(this.clock.now === 0 ? kind + 1 : kind + 101);
    const dtsMs = Math.round(dts(mediaMs, random)) >>> 0;
    const frame = { kind, dtsMs, ptsOffsetMs: 0, body };
    const { now } = this.clock;
    if (kind > FrameKind.metadata) this.sent.push({ frame, capturedAt: now });
    for (const segment of this.#cutter.cut(ms(now + PUBLISHER_AHEAD_MS), frame)) {
      this.#captured.set(segment.header.sequence, now);
      if ((segment.flags & 8) !== 0) {
        for (const old of this.#group) this.#release(old);
        this.#group = [];
      }
      this.#group.push(segment);
      if (now >= (this.#scenario.joinMs ?? 0)) this.#send(segment, Phase.push);
    }
  }

  #join(): void {
    this.buffer.handleStart((this.#group[0] as CutSegment).first);
    for (const segment of this.#group) this.#send(segment, Phase.start);
  }

  #send(segment: CutSegment, phase: Phase): void {
    const { first, total, slots, flags } = segment;
    for (let i = 0; i < total; i++) {
      const number = (first + i) >>> 0;
      const at = this.clock.now;
      const delay = this.#scenario.channel({ random: this.#random, at, number, segment });
      if (delay === undefined) continue;
      const slot = slots[i] as number;
      this.#hot.payloadRetain(slot);
      const place = { number, index: i, total, flags: withPhase(flags, phase) };
      this.clock.at(at + delay, () => this.#arrive(place, slot));
    }
  }

  #arrive(
    place: { number: number; index: number; total: number; flags: number },
    slot: number,
  ): void {
    const { now } = this.clock;
    const result = this.index.insert(now, place, slot);
    this.#hot.payloadRelease(slot);
    if (result < 0) return;
    this.buffer.handleFragment(now, place);
    const first = (place.number - place.index) >>> 0;
    if (result === Inserted.completed) this.buffer.handleSegment(now, first);
    this.#poll();
  }

  #tick(): void {
    const { now } = this.clock;
    const { clockErrorMs = () => 0, hasClock = true } = this.#scenario;
    if (hasClock) {
      const offset = clockErrorMs(now) - PUBLISHER_AHEAD_MS;
      if (!this.#upstream.ready) this.#upstream.addSample(now, now * 10, now * 10, now);
      this.captureClock.told(now, offset, 1, this.#upstream);
    }
    this.index.evict(now);
    this.#scenario.watch?.(now, this);
    this.#poll();
  }

  #poll(): void {
    const { now } = this.clock;
    for (let played = this.buffer.pollFrame(now); played; played = this.buffer.pollFrame(now)) {
      const delayMs = now - (this.#captured.get(played.sequence) as number);
      this.shown.push({ ...played, at: now, delayMs });
    }
    const due = this.buffer.nextDue();
    assert(due > now || this.buffer.isFinished(now), "the play buffer would spin its driver");
    if (due >= this.#wakeAt && this.#wakeAt > now) return;
    if (due === NEVER) return;
    this.#wakeAt = Math.max(due, now + 0.001);
    this.clock.at(this.#wakeAt, () => this.#poll());
  }

  #release(segment: CutSegment): void {
    for (const slot of segment.slots) this.#hot.payloadRelease(slot);
  }
}

function sizeOf(kind: FrameKind, random: Prng): number {
  if (kind <= FrameKind.metadata) return 40;
  if (kind === FrameKind.audio) return 150 + random.below(200);
  return kind === FrameKind.key ? 20_000 + random.below(10_000) : 1000 + random.below(6000);
}

/**
 * One-way delay and independent loss, repaired after a round trip and a bit each time, as RUDP
 * does.
 */
export function repairedChannel(oneWayMs: number, jitterMs: number, loss: number) {
  return ({ random }: Passage): number => {
    let delay = oneWayMs + random.next() * jitterMs;
    while (random.next() < loss) delay += 2 * oneWayMs + 15;
    return delay;
  };
}

/** A channel that takes 40 ms for everything. */
export const steady = (): number => 40;

/** Least and greatest capture → play-out of frames shown in time from `from` on, ms. */
export function delays(world: PlayWorld, from = 0): [least: number, greatest: number] {
  const all = world.inTime.filter((one) => one.at >= from).map((one) => one.delayMs);
  return [Math.round(Math.min(...all)), Math.round(Math.max(...all))];
}
