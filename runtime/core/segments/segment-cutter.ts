/**
 * Turns an encoder's frames into segments cut into fragments (docs/WIRE.md §2). It knows as much of
 * media as a joiner needs: each group begins with the configurations its frames need, and each
 * frame says which one it needs first.
 *
 * A group begins with every key frame; where there is no video, about every two seconds of sound. A
 * configuration or metadata that the encoder sends waits for the next group, or goes right before a
 * frame of its track if that is first.
 */
import { serialDiff } from "../../base/serial.ts";
import type { Ms } from "../../base/time.ts";
import { FrameKind, type MediaFrame } from "../../wire/frame.ts";
import {
  DEPENDS_ON_MAX,
  encodeSegmentHeader,
  fragmentsOf,
  makeFlags,
  priorityOf,
  SEGMENT_BODY_BYTES_MAX,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  toClockUnits,
} from "../../wire/segment.ts";
import { type HotPath, MAX_BODY_BYTES } from "../hot-path/hot-path.ts";

/** A segment in payload slots. The taker owns one reference to each slot and releases it. */
export interface CutSegment {
  readonly header: SegmentHeader;
  /** Number of its first fragment. */
  readonly first: number;
  readonly total: number;
  readonly slots: readonly number[];
  /** Bytes in the last slot; the others hold `MAX_BODY_BYTES`. */
  readonly lastBytes: number;
  /** Wire flags of its fragments: priority and group start, pushed. */
  readonly flags: number;
}

/** A group of a stream without video, ms of sound. */
const AUDIO_GROUP_MS = 2000;
/** Without a video frame for this long, ms, groups go by sound: the camera is off. */
const VIDEO_ABSENT_MS = 5000;

/** What a group opens with, in this order. */
const HEAD_KINDS = [FrameKind.metadata, FrameKind.videoConfig, FrameKind.audioConfig] as const;

interface Head {
  readonly body: Uint8Array;
  /** Whether it was sent since it last changed. */
  isSent: boolean;
}

export class SegmentCutter {
  readonly #hot: HotPath;
  readonly #heads = new Map<FrameKind, Head>();
  #next = 0;
  #sequence = 0;
  /* Sequence number of the newest video frame that others refer to. */
  #reference: number | undefined;
  #videoAt = Number.NEGATIVE_INFINITY;
  #groupDts: number | undefined;
  #framesLost = 0;

  /** Fragment and sequence numbers begin at 0: one cutter an epoch. */
  constructor(hot: HotPath) {
    this.#hot = hot;
  }

  /** Number of the next fragment. */
  get next(): number {
    return this.#next;
  }

  /** Frames lost because memory was full, or they were empty or over 1 MiB. */
  get framesLost(): number {
    return this.#framesLost;
  }

  /**
   * The segments that `frame`, captured now, makes, in order: configurations first where a group
   * begins. Empty for a configuration (it waits for its frame), for video before the first key
   * frame, and for a frame that is lost (those that need it tell by its sequence number).
   */
  cut(now: Ms, frame: MediaFrame): readonly CutSegment[] {
    const { kind, body } = frame;
    if (body.length < 1 || body.length > SEGMENT_BODY_BYTES_MAX) return this.#lose(frame);
    if (isHead(kind)) {
      const known = this.#heads.get(kind);
      if (known === undefined || !sameBytes(known.body, body)) {
        this.#heads.set(kind, { body: body.slice(), isSent: false });
      }
      return [];
    }
    const isVideo = kind !== FrameKind.audio;
    if (isVideo && kind !== FrameKind.key && this.#reference === undefined) return [];
    const out: CutSegment[] = [];
    const opensGroup = this.#opensGroup(now, frame);
    for (const headKind of HEAD_KINDS) {
      const head = this.#heads.get(headKind);
      if (head === undefined) continue;
      if (!opensGroup && (head.isSent || !precedes(headKind, kind))) continue;
      const { dtsMs } = frame;
      const opener = { kind: headKind, dtsMs, ptsOffsetMs: 0, body: head.body };
      head.isSent = this.#append(now, opener, 0, opensGroup && out.length === 0, out);
    }
    this.#append(now, frame, this.#dependsOn(kind), opensGroup && out.length === 0, out);
    if (isVideo) this.#videoAt = now;
    if (opensGroup) this.#groupDts = frame.dtsMs;
    return out;
  }

  #opensGroup(now: Ms, frame: MediaFrame): boolean {
    if (frame.kind === FrameKind.key) return true;
    if (frame.kind !== FrameKind.audio || now - this.#videoAt < VIDEO_ABSENT_MS) return false;
    if (this.#groupDts === undefined) return true;
    const sinceMs = serialDiff(frame.dtsMs, this.#groupDts);
    return sinceMs < 0 || sinceMs >= AUDIO_GROUP_MS;
  }

  /*
   * How far back the reference lies. Later frames refer to this one even if it is lost: that is how
   * its loss is told.
   */
  #dependsOn(kind: FrameKind): number {
    if (kind === FrameKind.audio || this.#reference === undefined) return 0;
    if (kind === FrameKind.key) return 0;
    const back = serialDiff(this.#sequence, this.#reference);
    return back <= DEPENDS_ON_MAX
      ? back
      : 0; /* a quarter of an hour of sound between two pictures */
  }

  #append(
    now: Ms,
    frame: MediaFrame,
    dependsOn: number,
    isGroupStart: boolean,
    out: CutSegment[],
  ): boolean {
    const { kind, dtsMs, ptsOffsetMs, body } = frame;
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) >>> 0;
    if (kind === FrameKind.key || kind === FrameKind.inter) this.#reference = sequence;
    const captureUnits = toClockUnits(now);
    const size = body.length;
    const header = { kind, sequence, dtsMs, ptsOffsetMs, captureUnits, dependsOn, size };
    const slots = this.#fill(header, body);
    if (slots === undefined) {
      this.#framesLost++;
      return false;
    }
    const first = this.#next;
    const total = slots.length;
    const lastBytes = SEGMENT_HEADER_BYTES + size - (total - 1) * MAX_BODY_BYTES;
    this.#next = (first + total) >>> 0;
    const flags = makeFlags(priorityOf(kind), isGroupStart);
    out.push({ header, first, total, slots, lastBytes, flags });
    return true;
  }

  /*
   * Header and body in slots of MAX_BODY_BYTES; undefined, and nothing kept, when memory is full.
   */
  #fill(header: SegmentHeader, body: Uint8Array): number[] | undefined {
    const bytes = SEGMENT_HEADER_BYTES + body.length;
    const total = fragmentsOf(body.length);
    const slots: number[] = [];
    for (let i = 0; i < total; i++) {
      const at = i * MAX_BODY_BYTES;
      const length = Math.min(MAX_BODY_BYTES, bytes - at);
      const slot = this.#hot.payloadAlloc(length);
      if (slot <= 0) {
        for (const taken of slots) this.#hot.payloadRelease(taken);
        return undefined;
      }
      slots.push(slot);
      let ptr = this.#hot.payloadPtr(slot);
      const end = ptr + length;
      if (i === 0) ptr = encodeSegmentHeader(this.#hot.bytes, ptr, header);
      const from = Math.max(0, at - SEGMENT_HEADER_BYTES);
      this.#hot.bytes.set(body.subarray(from, from + end - ptr), ptr);
    }
    return slots;
  }

  #lose(frame: MediaFrame): readonly CutSegment[] {
    this.#framesLost++;
    if (!isHead(frame.kind)) {
      if (frame.kind === FrameKind.key || frame.kind === FrameKind.inter) {
        this.#reference = this.#sequence;
      }
      this.#sequence = (this.#sequence + 1) >>> 0;
    }
    return [];
  }
}

/** Whether a changed `head` must go before a frame of `kind` in the middle of a group. */
function precedes(head: FrameKind, kind: FrameKind): boolean {
  if (head === FrameKind.metadata) return true;
  return (head === FrameKind.audioConfig) === (kind === FrameKind.audio);
}

function isHead(kind: FrameKind): boolean {
  return kind <= FrameKind.metadata;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
