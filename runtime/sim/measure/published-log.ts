/**
 * Everything that was published, as the checkers know it: media frames numbered in the order in
 * which the publisher took them. Configurations and metadata, which are sent again with each group,
 * are known but not numbered.
 */
import { FrameKind, type MediaFrame } from "../../wire/frame.ts";

export interface Published {
  /** Running number among the media frames of all epochs; −1 for configurations and metadata. */
  readonly number: number;
  readonly epoch: number;
  readonly frame: MediaFrame;
  /** World time at which the publisher's core took it. */
  readonly atMs: number;
  /** Number of the frame before it in its track (sound or picture) and epoch; −1 = none. */
  readonly before: number;
}

export class PublishedLog {
  readonly #media: Published[] = [];
  /** By epoch, then by kind and dts. */
  readonly #epochs = new Map<number, Map<number, Published>>();
  #epoch: Map<number, Published> = new Map();
  #epochNumber = 0;
  #lastAudio = -1;
  #lastVideo = -1;
  /** Of all frames' bodies, and of those of sound. */
  bytes = 0;
  audioBytes = 0;

  /** Media frames so far. */
  get count(): number {
    return this.#media.length;
  }

  /** Begins a run of the encoder: its times start anew. */
  beginEpoch(epoch: number): void {
    this.#epoch = new Map();
    this.#epochs.set(epoch, this.#epoch);
    this.#epochNumber = epoch;
    this.#lastAudio = -1;
    this.#lastVideo = -1;
  }

  add(frame: MediaFrame, atMs: number): void {
    const isMedia = frame.kind >= FrameKind.audio;
    const isAudio = frame.kind === FrameKind.audio;
    const number = isMedia ? this.#media.length : -1;
    const before = isAudio ? this.#lastAudio : this.#lastVideo;
    const entry: Published = { number, epoch: this.#epochNumber, frame, atMs, before };
    if (isMedia) this.#media.push(entry);
    if (isAudio) this.#lastAudio = number;
    else if (isMedia) this.#lastVideo = number;
    this.bytes += frame.body.length;
    if (isAudio) this.audioBytes += frame.body.length;
    this.#epoch.set(keyOf(frame.kind, frame.dtsMs), entry);
  }

  at(number: number): Published | undefined {
    return this.#media[number];
  }

  /**
   * Configurations and metadata are found by their kind alone: a repeated one has the time of its
   * group.
   */
  find(epoch: number, kind: FrameKind, dtsMs: number): Published | undefined {
    return this.#epochs.get(epoch)?.get(keyOf(kind, dtsMs));
  }

  /**
   * The next frame of the same track and epoch after `number`, or undefined when there is none yet.
   */
  nextInTrack(number: number): Published | undefined {
    for (let i = number + 1; i < this.#media.length; i++) {
      const next = this.#media[i] as Published;
      if (next.before === number) return next;
      if (next.epoch !== this.#media[number]?.epoch) return undefined;
    }
    return undefined;
  }

  /** How many media frames were taken before `atMs`: the number of the first that was not. */
  countBefore(atMs: number): number {
    let low = 0;
    let high = this.#media.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#media[middle] as Published).atMs < atMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function keyOf(kind: FrameKind, dtsMs: number): number {
  return (kind < FrameKind.audio ? 0 : dtsMs * 8) + kind;
}
