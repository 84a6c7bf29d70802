/**
 * The header at the start of every segment, the flags each fragment repeats for those who never look inside, and the
 * clock units of the wire (docs/WIRE.md §1, §2).
 *
 *  0      1      2              6          10           13             17        19            23
 * +------+------+--------------+----------+------------+--------------+---------+-------------+------
 * | kind | auth | sequence     | dts ms   | pts − dts  | capture time | depends | body length | body…
 * +------+------+--------------+----------+------------+--------------+---------+-------------+------
 */
import { assert } from "../base/assert.ts";
import { FrameKind } from "./frame.ts";
import { FRAGMENT_BODY_BYTES, putU16, putU32, u16, u32 } from "./packet.ts";

export const SEGMENT_HEADER_BYTES = 23;
/** Largest body, 1 MiB; with its header it makes 911 fragments. */
export const SEGMENT_BODY_BYTES_MAX = 1_048_576;
/** How many sequence numbers back a dependency can lie. */
export const DEPENDS_ON_MAX = 65_535;

export interface SegmentHeader {
  readonly kind: FrameKind;
  /** Sequence number in the epoch, u32. */
  readonly sequence: number;
  /** u32 */
  readonly dtsMs: number;
  /** −2^23..2^23−1 */
  readonly ptsOffsetMs: number;
  /** Publisher's clock, 100 µs units, u32. */
  readonly captureUnits: number;
  /** How many sequence numbers back the frame lies that this one needs first, 0..65535; 0 = none. */
  readonly dependsOn: number;
  /** Body bytes, 1..1,048,576. */
  readonly size: number;
}

/** Writes the header; returns at + SEGMENT_HEADER_BYTES. */
export function encodeSegmentHeader(buf: Uint8Array, at: number, h: SegmentHeader): number {
  assert(h.size >= 1 && h.size <= SEGMENT_BODY_BYTES_MAX, "segment: size");
  assert(h.dependsOn >= 0 && h.dependsOn <= DEPENDS_ON_MAX, "segment: dependsOn");
  assert(h.ptsOffsetMs >= -0x80_0000 && h.ptsOffsetMs <= 0x7f_ffff, "segment: ptsOffsetMs");
  buf[at] = h.kind;
  buf[at + 1] = 0;
  putU32(buf, putU32(buf, at + 2, h.sequence), h.dtsMs);
  buf[at + 10] = h.ptsOffsetMs >> 16;
  buf[at + 11] = h.ptsOffsetMs >> 8;
  buf[at + 12] = h.ptsOffsetMs;
  return putU32(buf, putU16(buf, putU32(buf, at + 13, h.captureUnits), h.dependsOn), h.size);
}

/**
 * The header at the start of `bytes`, which need not hold the body. Undefined for a short or malformed one, and for an
 * authenticator that version 1 does not know.
 */
export function decodeSegmentHeader(bytes: Uint8Array, at = 0): SegmentHeader | undefined {
  if (at + SEGMENT_HEADER_BYTES > bytes.length) return undefined;
  const kind = bytes[at] as number;
  if (!isFrameKind(kind) || bytes[at + 1] !== 0) return undefined;
  const size = u32(bytes, at + 19);
  if (size < 1 || size > SEGMENT_BODY_BYTES_MAX) return undefined;
  return {
    kind,
    sequence: u32(bytes, at + 2),
    dtsMs: u32(bytes, at + 6),
    ptsOffsetMs: (u32(bytes, at + 10) & 0xffff_ff00) >> 8,
    captureUnits: u32(bytes, at + 13),
    dependsOn: u16(bytes, at + 17),
    size,
  };
}

function isFrameKind(value: number): value is FrameKind {
  return value <= FrameKind.disposable;
}

/** Fragments of a segment with a body of `bodyBytes`. */
export function fragmentsOf(bodyBytes: number): number {
  return Math.ceil((SEGMENT_HEADER_BYTES + bodyBytes) / FRAGMENT_BODY_BYTES);
}

/* ------------------------------------------------------------------ flags */

/** What goes first when not everything can; lower is dearer. */
export const Priority = { config: 0, audio: 1, key: 2, reference: 3, disposable: 4 } as const;
export type Priority = (typeof Priority)[keyof typeof Priority];

/** Which of the three phases, or the start burst, brought a fragment. */
export const Phase = { push: 0, pull: 1, compensation: 2, start: 3 } as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

export const FLAG_GROUP_START = 0x08;
export const FLAG_RESENT = 0x10;
const PHASE_SHIFT = 5;

export function makeFlags(
  priority: Priority,
  isGroupStart: boolean,
  phase: Phase = Phase.push,
): number {
  return priority | (isGroupStart ? FLAG_GROUP_START : 0) | (phase << PHASE_SHIFT);
}

/** 0..4 in flags that `decodeFragmentHeader` let through. */
export function flagPriority(flags: number): number {
  return flags & 7;
}

export function flagPhase(flags: number): Phase {
  return ((flags >>> PHASE_SHIFT) & 3) as Phase;
}

/** The same flags under another phase. */
export function withPhase(flags: number, phase: Phase): number {
  return (flags & ~(3 << PHASE_SHIFT)) | (phase << PHASE_SHIFT);
}

export function priorityOf(kind: FrameKind): Priority {
  switch (kind) {
    case FrameKind.audioConfig:
    case FrameKind.videoConfig:
    case FrameKind.metadata:
      return Priority.config;
    case FrameKind.audio:
      return Priority.audio;
    case FrameKind.key:
      return Priority.key;
    case FrameKind.inter:
      return Priority.reference;
    case FrameKind.disposable:
      return Priority.disposable;
  }
}

/* ------------------------------------------------------------------ clocks */

export const CLOCK_UNITS_PER_MS = 10;
const UNITS_MODULUS = 0x1_0000_0000;

/** A time on this node's clock as the wire writes it: 100 µs units mod 2^32 (119 hours). */
export function toClockUnits(ms: number): number {
  const units = Math.round(ms * CLOCK_UNITS_PER_MS) % UNITS_MODULUS;
  return units < 0 ? units + UNITS_MODULUS : units + 0; /* no −0 */
}

/** The time in ms that the wire wrote as `units` and that lies nearest to `nearMs`, within ±59 hours. */
export function expandClock(units: number, nearMs: number): number {
  const distance = (units - toClockUnits(nearMs)) | 0;
  return (Math.round(nearMs * CLOCK_UNITS_PER_MS) + distance) / CLOCK_UNITS_PER_MS;
}
