/**
 * One FLV stream for one reader that lasts longer than the encoder's own run. It begins at a key frame (for sound
 * alone: at any), with the header, metadata and configurations that were current there, and repeats those only when
 * they change. Timestamps stay as the encoder made them; when they start over (a new epoch, a jump), the stream waits
 * for a key frame and goes on from where it was, so that a player never sees time run backwards.
 */
import { serialAdd, serialDiff } from "../base/serial.ts";
import { FrameKind, flvTagType, type MediaFrame } from "../wire/frame.ts";
import { type CaptureMark, captureTag } from "./capture-mark.ts";
import { flvHeader, flvTag } from "./flv.ts";

/** Decoding times may go back by this much between interleaved tracks; more is a new start. */
export const BACKWARD_MS_MAX = 1_000;
/** A hole in the timestamps longer than this is closed. */
export const FORWARD_MS_MAX = 10_000;
/** Between the last frame before a new start and the first after it. */
const RESTART_GAP_MS = 40;
/** Sound that runs this long without any video configuration is taken for sound alone. */
const AUDIO_ALONE_AFTER_MS = 1_000;

export interface StreamFrame {
  readonly frame: MediaFrame;
  /** A different number than before means that timestamps and configurations begin again. */
  readonly epoch: number;
  /** When the frame was captured, ms since 1970; marked in the stream for readers that ask (`captureMarks`). */
  readonly capturedAtEpochMs?: number | undefined;
}

/** Bytes to send. The head (header, metadata, configurations) must not be dropped: it is not repeated. */
export interface FlvChunk {
  readonly bytes: Uint8Array;
  readonly role: "head" | "mark" | "frame";
}

export interface FlvStreamOptions {
  /** Put a capture mark ahead of every video frame (the player page's reader). */
  readonly captureMarks: boolean;
}

type HeadKind =
  | typeof FrameKind.audioConfig
  | typeof FrameKind.videoConfig
  | typeof FrameKind.metadata;
/** In the order in which they are written. */
const HEAD_KINDS: readonly HeadKind[] = [
  FrameKind.metadata,
  FrameKind.videoConfig,
  FrameKind.audioConfig,
];

export class FlvStreamWriter {
  readonly #options: FlvStreamOptions;
  #headerWritten = false;
  #epoch: number | undefined;
  /** Between a start and the next discontinuity. */
  #running = false;
  /** Output − input timestamp, modulo 2^32. */
  #shiftMs = 0;
  #rebased = false;
  /** Latest input timestamp, and the latest one written. */
  #inputMs = 0;
  #outputMs = 0;
  #startMs = 0;
  #firstAudioMs: number | undefined;
  #heads = new Map<HeadKind, Uint8Array>();
  #written = new Map<HeadKind, Uint8Array>();

  constructor(options: FlvStreamOptions) {
    this.#options = options;
  }

  /** Whether frames other than key frames (or sound alone) can be written at present. */
  get running(): boolean {
    return this.#running;
  }

  /** What to send for this frame, in order; empty while waiting for a start, and for configurations already known. */
  write(item: StreamFrame): FlvChunk[] {
    const { frame } = item;
    if (item.epoch !== this.#epoch) this.#beginEpoch(item.epoch);
    if (isHead(frame.kind)) {
      this.#heads.set(frame.kind, frame.body);
      return [];
    }
    if (this.#running && this.#jumps(frame.dtsMs)) this.#running = false;
    const chunks: FlvChunk[] = [];
    if (!this.#running) {
      if (!this.#canStart(frame)) return chunks;
      this.#start(frame.dtsMs);
    } else if (this.#isBeforeStart(frame)) {
      return chunks;
    }
    const dtsMs = serialAdd(frame.dtsMs, this.#shiftMs);
    this.#writeHeads(dtsMs, chunks);
    this.#writeMark(item, dtsMs, chunks);
    chunks.push({ bytes: flvTag(flvTagType(frame.kind), dtsMs, frame.body), role: "frame" });
    if (serialDiff(frame.dtsMs, this.#inputMs) > 0) this.#inputMs = frame.dtsMs;
    if (serialDiff(dtsMs, this.#outputMs) > 0) this.#outputMs = dtsMs;
    return chunks;
  }

  /** Frames were left out: goes on at the next key frame. */
  interrupt(): void {
    this.#running = false;
    this.#firstAudioMs = undefined;
  }

  /** Whether this frame can be the first after a break. */
  startsAt(frame: MediaFrame): boolean {
    return !isHead(frame.kind) && this.#canStart(frame);
  }

  #beginEpoch(epoch: number): void {
    if (this.#epoch !== undefined) {
      this.#rebased = true;
      this.#heads.clear();
    }
    this.#epoch = epoch;
    this.interrupt();
  }

  #jumps(dtsMs: number): boolean {
    const stepMs = serialDiff(dtsMs, this.#inputMs);
    if (stepMs >= -BACKWARD_MS_MAX && stepMs <= FORWARD_MS_MAX) return false;
    this.#rebased = true;
    this.interrupt();
    return true;
  }

  #canStart(frame: MediaFrame): boolean {
    if (frame.kind === FrameKind.key) return true;
    if (frame.kind !== FrameKind.audio || this.#heads.has(FrameKind.videoConfig)) return false;
    this.#firstAudioMs ??= frame.dtsMs;
    return serialDiff(frame.dtsMs, this.#firstAudioMs) >= AUDIO_ALONE_AFTER_MS;
  }

  #start(dtsMs: number): void {
    const first = !this.#headerWritten;
    /* Left-out frames make a hole; a long one, or timestamps that start over, is closed. */
    const jumped = !first && !this.#rebased && this.#jumps(dtsMs);
    if (!first && (this.#rebased || jumped)) {
      this.#shiftMs = serialDiff(serialAdd(this.#outputMs, RESTART_GAP_MS), dtsMs);
    }
    if (first) this.#outputMs = dtsMs;
    this.#rebased = false;
    this.#startMs = dtsMs;
    this.#inputMs = dtsMs;
    this.#running = true;
  }

  /** Sound of before the first picture: in the way where a player counts time from that picture, or after a break. */
  #isBeforeStart(frame: MediaFrame): boolean {
    if (frame.kind !== FrameKind.audio) return false;
    if (!this.#options.captureMarks && this.#shiftMs === 0) return false;
    return serialDiff(frame.dtsMs, this.#startMs) < 0;
  }

  #writeHeads(dtsMs: number, chunks: FlvChunk[]): void {
    if (!this.#headerWritten) {
      this.#headerWritten = true;
      const video = this.#heads.has(FrameKind.videoConfig) || this.#firstAudioMs === undefined;
      const audio = this.#heads.has(FrameKind.audioConfig) || this.#firstAudioMs !== undefined;
      chunks.push({ bytes: flvHeader({ audio, video }), role: "head" });
    }
    for (const kind of HEAD_KINDS) {
      const body = this.#heads.get(kind);
      if (!body || equal(body, this.#written.get(kind))) continue;
      this.#written.set(kind, body);
      /* FFmpeg takes metadata with any timestamp but 0 for a track of subtitles. */
      const atMs = kind === FrameKind.metadata ? 0 : dtsMs;
      chunks.push({ bytes: flvTag(flvTagType(kind), atMs, body), role: "head" });
    }
  }

  #writeMark(item: StreamFrame, dtsMs: number, chunks: FlvChunk[]): void {
    const { frame, capturedAtEpochMs } = item;
    if (
      !this.#options.captureMarks ||
      capturedAtEpochMs === undefined ||
      flvTagType(frame.kind) !== 9
    )
      return;
    const mark: CaptureMark = { dtsMs, ptsMs: dtsMs + frame.ptsOffsetMs, capturedAtEpochMs };
    chunks.push({ bytes: captureTag(mark), role: "mark" });
  }
}

function isHead(kind: FrameKind): kind is HeadKind {
  return (
    kind === FrameKind.metadata || kind === FrameKind.videoConfig || kind === FrameKind.audioConfig
  );
}

function equal(a: Uint8Array, b: Uint8Array | undefined): boolean {
  if (a === b) return true;
  if (a.length !== b?.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
