/**
 * The queue between a live stream and one HTTP reader, who may be slow or stop reading altogether. A reader that falls
 * behind loses what it has not taken yet and goes on at the next key frame, so its delay stays bounded as its memory
 * does; one that takes nothing for long is given up. No clock of its own: time is passed in.
 */
import type { MediaFrame } from "../wire/frame.ts";
import {
  type FlvChunk,
  type FlvStreamOptions,
  FlvStreamWriter,
  type StreamFrame,
} from "./flv-stream.ts";

export interface FlvReaderOptions extends FlvStreamOptions {
  /** Bytes waiting, beyond the start burst, before frames are skipped. */
  readonly queueBytesMax: number;
  /** Ms without taking anything, while something waits, before the reader is given up. */
  readonly stalledMsMax: number;
}

export const FLV_READER_DEFAULTS: FlvReaderOptions = {
  captureMarks: false,
  queueBytesMax: 1_048_576,
  stalledMsMax: 10_000,
};

/** Largest piece `take` joins, bytes, unless a single tag is larger. */
const TAKE_BYTES_MAX = 65_536;

export class FlvReader {
  readonly #options: FlvReaderOptions;
  readonly #writer: FlvStreamWriter;
  #queue: FlvChunk[] = [];
  #queuedBytes = 0;
  /** Bytes of the start burst not yet taken; they are allowed beyond the bound. */
  #burstBytes = 0;
  #skipping = false;
  #framesSkipped = 0;
  /** When something was last taken, or began to wait. */
  #progressAtMs = 0;

  constructor(options: Partial<FlvReaderOptions> = {}) {
    this.#options = { ...FLV_READER_DEFAULTS, ...options };
    this.#writer = new FlvStreamWriter(this.#options);
  }

  /** Frames to begin with: the current group, configurations first. Call once, before `push`. */
  start(nowMs: number, group: readonly StreamFrame[]): void {
    this.#progressAtMs = nowMs;
    for (const item of group) this.#enqueue(nowMs, this.#writer.write(item), false);
    this.#burstBytes = this.#queuedBytes;
  }

  /** The next frame of the stream; queued, or skipped when the reader is too slow. */
  push(nowMs: number, item: StreamFrame): void {
    const wasIdle = this.#queue.length === 0; /* what waited and was dropped still was not taken */
    if (this.#skipping && this.#writer.startsAt(item.frame)) this.#resume();
    if (this.#skipping && isMedia(item.frame)) {
      this.#framesSkipped++;
      return;
    }
    this.#enqueue(nowMs, this.#writer.write(item), wasIdle);
    if (this.#queuedBytes - this.#burstBytes <= this.#options.queueBytesMax) return;
    this.#skipping = true;
    this.#writer.interrupt();
  }

  /** The next bytes to send, whole tags joined up to 64 KiB; undefined when nothing waits. */
  take(nowMs: number): Uint8Array | undefined {
    let count = 0;
    let size = 0;
    for (const chunk of this.#queue) {
      if (count > 0 && size + chunk.bytes.length > TAKE_BYTES_MAX) break;
      size += chunk.bytes.length;
      count++;
    }
    if (count === 0) return undefined;
    this.#progressAtMs = nowMs;
    const taken = this.#queue.splice(0, count);
    this.#queuedBytes -= size;
    this.#burstBytes = Math.max(0, this.#burstBytes - size);
    if (taken.length === 1) return taken[0]?.bytes;
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const chunk of taken) {
      bytes.set(chunk.bytes, at);
      at += chunk.bytes.length;
    }
    return bytes;
  }

  /** Whether the reader is to be disconnected: something waits, and it has taken nothing for too long. */
  stalled(nowMs: number): boolean {
    return this.#queue.length > 0 && nowMs - this.#progressAtMs > this.#options.stalledMsMax;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get framesSkipped(): number {
    return this.#framesSkipped;
  }

  /** At a key frame: what waited is out of date, only header and configurations stay. */
  #resume(): void {
    this.#skipping = false;
    this.#framesSkipped += this.#queue.filter((chunk) => chunk.role === "frame").length;
    this.#queue = this.#queue.filter((chunk) => chunk.role === "head");
    this.#queuedBytes = this.#queue.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
    this.#burstBytes = 0;
  }

  #enqueue(nowMs: number, chunks: readonly FlvChunk[], wasIdle: boolean): void {
    if (wasIdle && chunks.length > 0) this.#progressAtMs = nowMs;
    for (const chunk of chunks) {
      this.#queue.push(chunk);
      this.#queuedBytes += chunk.bytes.length;
    }
  }
}

function isMedia(frame: MediaFrame): boolean {
  return frame.kind > 2;
}
