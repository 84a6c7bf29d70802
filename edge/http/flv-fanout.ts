/**
 * All HTTP-FLV readers of all streams. A stream's frames are asked of the edge only while it has readers, each tag is
 * written once however many read it, and its timestamps go on rising when the encoder starts over.
 */
import { flvHeader, flvTag } from "../../runtime/media/flv.ts";
import type { EdgeEvent } from "../../runtime/node/api.ts";
import { FrameKind, flvTagType, type MediaFrame } from "../../runtime/wire/frame.ts";
import type { EdgeHost } from "../host.ts";
import { FlvReader, type GoneReason, type Tag } from "./flv-reader.ts";

/** Between the last frame of one encoder run and the first of the next, ms: one frame at 25 a second. */
const EPOCH_GAP_MS = 40;
/** A reader waits so long for an encoder that went away before its response ends, ms. */
const ENDED_WAIT_MS = 15_000;

const CONFIGS: readonly FrameKind[] = [FrameKind.audioConfig, FrameKind.videoConfig, FrameKind.metadata];

export interface FlvFanoutOptions {
  readonly maxReaders: number;
  readonly queueBytesMax: number;
  readonly readerTimeoutMs: number;
}

export interface FlvTotals {
  readonly opened: number;
  readonly cut: number;
  readonly bytesOut: number;
  readonly tagsDropped: number;
}

interface Channel {
  readonly stream: string;
  readonly readers: Set<FlvReader>;
  epoch: number | undefined;
  /** Added to a frame's dts to give the tag's timestamp. */
  offsetMs: number;
  lastMs: number;
  /** When the stream ended, if it has not come back. */
  endedAtMs: number | undefined;
}

export type FrameEvent = Extract<EdgeEvent, { type: "frame" }>;

export class FlvFanout {
  readonly #host: EdgeHost;
  readonly #options: FlvFanoutOptions;
  readonly #channels = new Map<string, Channel>();
  #readers = 0;
  /** Of readers that have left, and how many there ever were. */
  readonly #past = { opened: 0, cut: 0, bytesOut: 0, tagsDropped: 0 };

  constructor(host: EdgeHost, options: FlvFanoutOptions) {
    this.#host = host;
    this.#options = options;
  }

  get readerCount(): number {
    return this.#readers;
  }

  /** Totals since start, readers that left included. */
  totals(): FlvTotals {
    const sum = { ...this.#past };
    for (const channel of this.#channels.values()) {
      for (const reader of channel.readers) {
        sum.bytesOut += reader.bytesOut;
        sum.tagsDropped += reader.tagsDropped;
      }
    }
    return sum;
  }

  readersOf(stream: string): readonly FlvReader[] {
    return [...(this.#channels.get(stream)?.readers ?? [])];
  }

  /** A new reader of a live stream, its queue filled with the current group of pictures. */
  open(stream: string, from: string, onGone: (why: GoneReason) => void): FlvReader | "overloaded" {
    if (this.#readers >= this.#options.maxReaders) return "overloaded";
    const now = this.#host.now();
    const channel = this.#channel(stream, now);
    const reader = new FlvReader({
      from,
      sinceMs: now,
      queueBytesMax: this.#options.queueBytesMax,
      onGone: (gone, why) => {
        this.#release(channel, gone, why);
        onGone(why);
      },
    });
    channel.readers.add(reader);
    this.#readers++;
    this.#past.opened++;
    const group = this.#host.edge.currentGroup(stream);
    reader.begin(
      header(group),
      group.map((frame) => this.#tag(channel, frame, false)),
    );
    return reader;
  }

  handleEvent(event: EdgeEvent): void {
    if (event.type === "frame") this.#handleFrame(event);
    if (event.type === "streamStarted") this.#mark(event.stream, undefined);
    if (event.type === "streamEnded") this.#mark(event.stream, this.#host.now());
  }

  /** Cuts readers that take nothing, and ends those whose stream stays away. Call about once a second. */
  sweep(): void {
    const now = this.#host.now();
    for (const channel of [...this.#channels.values()]) {
      const over = channel.endedAtMs !== undefined && now - channel.endedAtMs > ENDED_WAIT_MS;
      for (const reader of [...channel.readers]) {
        if (over) reader.close("ended");
        else if (!reader.isAlive(now, this.#options.readerTimeoutMs)) reader.close("cut");
      }
    }
  }

  /** Ends one reader by its address; whether there was one. */
  kick(stream: string, from: string): boolean {
    const reader = this.readersOf(stream).find((candidate) => candidate.from === from);
    reader?.close("kicked");
    return reader !== undefined;
  }

  closeAll(): void {
    for (const channel of [...this.#channels.values()]) for (const reader of [...channel.readers]) reader.close("shutdown");
  }

  #channel(stream: string, now: number): Channel {
    let channel = this.#channels.get(stream);
    if (channel !== undefined) return channel;
    channel = { stream, readers: new Set(), epoch: undefined, offsetMs: 0, lastMs: 0, endedAtMs: undefined };
    this.#channels.set(stream, channel);
    const live = this.#host.edge.streams(this.#host.now()).find((candidate) => candidate.name === stream);
    if (live === undefined) channel.endedAtMs = now;
    else channel.epoch = live.epoch;
    this.#host.command((edge) => edge.watchFrames(stream, true));
    return channel;
  }

  #release(channel: Channel, reader: FlvReader, why: GoneReason): void {
    if (!channel.readers.delete(reader)) return;
    this.#readers--;
    if (why === "cut") this.#past.cut++;
    this.#past.bytesOut += reader.bytesOut;
    this.#past.tagsDropped += reader.tagsDropped;
    if (channel.readers.size > 0) return;
    this.#channels.delete(channel.stream);
    this.#host.command((edge) => edge.watchFrames(channel.stream, false));
  }

  #handleFrame(event: FrameEvent): void {
    const channel = this.#channels.get(event.stream);
    if (channel === undefined) return;
    channel.endedAtMs = undefined;
    if (channel.epoch !== event.epoch) {
      if (channel.epoch !== undefined) channel.offsetMs = channel.lastMs + EPOCH_GAP_MS - event.frame.dtsMs;
      channel.epoch = event.epoch;
    }
    const tag = this.#tag(channel, event.frame, event.groupStart);
    for (const reader of channel.readers) reader.push(tag);
  }

  #tag(channel: Channel, frame: MediaFrame, groupStart: boolean): Tag {
    const timestampMs = (frame.dtsMs + channel.offsetMs) >>> 0;
    channel.lastMs = timestampMs;
    const { kind, body } = frame;
    const config = CONFIGS.includes(kind) ? { kind, body } : undefined;
    return { bytes: flvTag(flvTagType(kind), timestampMs, body), groupStart, config };
  }

  #mark(stream: string, endedAtMs: number | undefined): void {
    const channel = this.#channels.get(stream);
    if (channel !== undefined) channel.endedAtMs = endedAtMs;
  }
}

/** Announces the tracks that the group has; both when there is none to tell by. */
function header(group: readonly MediaFrame[]): Uint8Array {
  const audio = group.some(({ kind }) => flvTagType(kind) === 8);
  const video = group.some(({ kind }) => flvTagType(kind) === 9);
  return flvHeader(audio || video ? { audio, video } : { audio: true, video: true });
}
