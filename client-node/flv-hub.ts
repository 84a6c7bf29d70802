/**
 * A stream's frames on their way to local players. The hub keeps the configurations and the current group of pictures,
 * so that a player that opens the stream has a picture at once, and then passes every frame on as it is played out.
 * A frame becomes an FLV tag once, however many read it.
 */
import { serialDiff } from "../runtime/base/serial.ts";
import { FrameKind, type MediaFrame } from "../runtime/wire/frame.ts";
import { FlvReader } from "./flv-reader.ts";

/** How frames become bytes (runtime/media); apart, so that tests see through it. */
export interface FlvWriter {
  /** File header and the first previous-tag size. */
  header(hasAudio: boolean, hasVideo: boolean): Uint8Array;
  /** A whole tag with its trailing size at this timestamp, ms modulo 2^32. */
  tag(frame: MediaFrame, timestampMs: number): Uint8Array;
  /** The `onShoal` script tag that goes ahead of a video frame for the player page. */
  mark(frame: MediaFrame, timestampMs: number, capturedAtEpochMs: number): Uint8Array;
}

/** A frame that the peer has played out. */
export interface PlayedFrame {
  readonly frame: MediaFrame;
  readonly epoch: number;
  /** ms since 1970, by this machine's clock. */
  readonly capturedAtEpochMs: number;
}

/** Largest group kept for those who join, bytes; a longer one is forgotten and they wait for the next key frame. */
export const GROUP_BYTES_MAX = 16 << 20;
/** Readers of one stream at most. */
export const READERS_MAX = 32;
/** Sound alone for so long means that there will be no picture, ms. */
const AUDIO_ONLY_MS = 500;
/** Between the last frame of one encoder run and the first of the next, ms. */
const EPOCH_GAP_MS = 40;

interface Tag {
  readonly played: PlayedFrame;
  readonly bytes: Uint8Array;
}

export class FlvHub {
  readonly #writer: FlvWriter;
  readonly #readers = new Set<FlvReader>();
  readonly #configs = new Map<FrameKind, MediaFrame>();
  #group: Tag[] = [];
  #groupBytes = 0;
  #epoch: number | undefined;
  #hasAudio = false;
  #hasVideo = false;
  #firstAudioMs: number | undefined;

  constructor(writer: FlvWriter) {
    this.#writer = writer;
  }

  get readerCount(): number {
    return this.#readers.size;
  }

  /** Whether a player that opens now has something to show at once. */
  get ready(): boolean {
    return this.#group.length > 0;
  }

  /** Bytes waiting for readers, over all of them. */
  get queuedBytes(): number {
    let sum = 0;
    for (const reader of this.#readers) sum += reader.queuedBytes;
    return sum;
  }

  /** A new reader, its response begun with the current group if there is one; undefined when there are too many. */
  open(page: boolean, nowMs: number): FlvReader | undefined {
    if (this.#readers.size >= READERS_MAX) return undefined;
    const reader = new FlvReader(page, nowMs, (gone) => this.#readers.delete(gone));
    this.#readers.add(reader);
    if (this.ready) this.#begin(reader);
    return reader;
  }

  handleFrame(played: PlayedFrame): void {
    const { frame, epoch } = played;
    if (epoch !== this.#epoch) this.#beginEpoch(played);
    if (isConfig(frame) && !this.#replaceConfig(frame)) return;
    this.#noteTracks(frame);
    const groupStart = this.#startsGroup(frame);
    if (groupStart) this.#forgetGroup();
    const tag: Tag = { played, bytes: this.#writer.tag(frame, frame.dtsMs) };
    if (!isConfig(frame)) this.#keep(tag, groupStart);
    for (const reader of [...this.#readers]) this.#pass(reader, tag, groupStart);
  }

  /** Call about once a second. */
  handleTimeout(nowMs: number): void {
    for (const reader of [...this.#readers]) reader.handleTimeout(nowMs);
  }

  /** The stream is over: the page's readers end, so that it asks again; others wait for the next encoder run. */
  handleEnd(): void {
    this.#forgetGroup();
    this.#configs.clear();
    this.#closePages();
  }

  close(): void {
    for (const reader of [...this.#readers]) reader.close();
  }

  #beginEpoch(played: PlayedFrame): void {
    if (this.#epoch !== undefined) {
      this.#closePages();
      for (const reader of this.#readers) {
        if (reader.begun) reader.offsetMs = reader.lastTimestampMs + EPOCH_GAP_MS - played.frame.dtsMs;
      }
    }
    this.#epoch = played.epoch;
    this.#configs.clear();
    this.#forgetGroup();
    this.#hasAudio = false;
    this.#hasVideo = false;
    this.#firstAudioMs = undefined;
  }

  #closePages(): void {
    for (const reader of [...this.#readers]) if (reader.page && reader.begun) reader.close();
  }

  /** Keeps a configuration; false when it only repeats what readers already have. */
  #replaceConfig(frame: MediaFrame): boolean {
    const before = this.#configs.get(frame.kind);
    if (before && sameBytes(before.body, frame.body)) return false;
    this.#configs.set(frame.kind, { ...frame, body: frame.body.slice() });
    return true;
  }

  #noteTracks(frame: MediaFrame): void {
    const audio = frame.kind === FrameKind.audio || frame.kind === FrameKind.audioConfig;
    if (audio) this.#hasAudio = true;
    if (audio || frame.kind === FrameKind.metadata || this.#hasVideo) return;
    this.#hasVideo = true;
    this.#forgetGroup();
    this.#closePages(); /* their file header says that there is no picture */
  }

  /** A key frame; in a stream without video every audio frame. */
  #startsGroup(frame: MediaFrame): boolean {
    if (frame.kind === FrameKind.key) return true;
    if (frame.kind !== FrameKind.audio || this.#hasVideo) return false;
    this.#firstAudioMs ??= frame.dtsMs;
    return frame.dtsMs - this.#firstAudioMs >= AUDIO_ONLY_MS;
  }

  #keep(tag: Tag, groupStart: boolean): void {
    if (!groupStart && this.#group.length === 0) return;
    this.#group.push(tag);
    this.#groupBytes += tag.bytes.length;
    if (this.#groupBytes > GROUP_BYTES_MAX) this.#forgetGroup();
  }

  #forgetGroup(): void {
    this.#group = [];
    this.#groupBytes = 0;
  }

  #pass(reader: FlvReader, tag: Tag, groupStart: boolean): void {
    if (!reader.begun) {
      if (this.ready) this.#begin(reader);
      return;
    }
    if (reader.page && isBefore(tag.played.frame, reader.startMs)) return;
    const bytes = this.#bytesFor(reader, tag);
    if (isConfig(tag.played.frame)) reader.pushConfig(bytes);
    else reader.push(bytes, groupStart);
  }

  #begin(reader: FlvReader): void {
    const first = (this.#group[0] as Tag).played.frame;
    const pieces = [this.#writer.header(this.#hasAudio, this.#hasVideo)];
    for (const kind of [FrameKind.metadata, FrameKind.videoConfig, FrameKind.audioConfig]) {
      const config = this.#configs.get(kind);
      if (config) pieces.push(this.#writer.tag(config, first.dtsMs));
    }
    for (const tag of this.#group) {
      if (reader.page && isBefore(tag.played.frame, first.dtsMs)) continue;
      pieces.push(this.#bytesFor(reader, tag));
    }
    reader.startMs = first.dtsMs;
    reader.begin(Buffer.concat(pieces));
  }

  #bytesFor(reader: FlvReader, tag: Tag): Uint8Array {
    const { frame, capturedAtEpochMs } = tag.played;
    const timestampMs = (frame.dtsMs + reader.offsetMs) >>> 0;
    reader.lastTimestampMs = timestampMs;
    const bytes = reader.offsetMs === 0 ? tag.bytes : this.#writer.tag(frame, timestampMs);
    if (!reader.page || !isVideo(frame)) return bytes;
    return Buffer.concat([this.#writer.mark(frame, timestampMs, capturedAtEpochMs), bytes]);
  }
}

function isConfig(frame: MediaFrame): boolean {
  return frame.kind <= FrameKind.metadata;
}

/** Sound before the first video frame: the page counts its media time from that frame. */
function isBefore(frame: MediaFrame, startMs: number): boolean {
  return frame.kind === FrameKind.audio && serialDiff(frame.dtsMs, startMs) < 0;
}

function isVideo(frame: MediaFrame): boolean {
  return frame.kind >= FrameKind.key;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
