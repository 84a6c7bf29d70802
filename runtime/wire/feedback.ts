/**
 * The small fixed-layout packets of an established session (docs/WIRE.md §1, §4, §7): unreliable, latest wins. Encoders
 * write the body behind the connection id at an offset and return the offset behind it; decoders take the datagram and
 * where the body begins, read to its end, and give undefined for anything no encoder writes.
 */
import { assert } from "../base/assert.ts";
import { type CloseCode, closeCodeFromWire } from "./close-code.ts";
import { putU16, putU32, u16, u32 } from "./packet.ts";
import { printableText, utf8Within } from "./text.ts";

export { CloseCode, closeName } from "./close-code.ts";

/** Entries of one FEEDBACK or CLOCK packet, at most. */
export const ENTRIES_MAX = 8;
/** Ranges of one REQUEST or ANSWER, at most. */
export const RANGES_MAX = 64;
export const TOKEN_BYTES = 8;
export const REASON_BYTES_MAX = 200;

const FEEDBACK_ENTRY_BYTES = 16;
const CLOCK_ENTRY_BYTES = 16;
const RANGE_BYTES = 6;
const UNCERTAINTY_MS_MAX = 65_535;

/* ------------------------------------------------------------------ FEEDBACK */

export interface FeedbackEntry {
  readonly stream: number;
  /**
   * Capture → play time at this receiver's earliest consumer, ms in steps of 0.1, in the terms of the sender's
   * CLOCK.
   */
  readonly playOutOffsetMs: number;
  /** 0..65535, whole ms. */
  readonly uncertaintyMs: number;
  /** The fragment the play buffer waits for; nothing below is wanted any more. u32 */
  readonly next: number;
  /** Received on this session, smoothed. u32 */
  readonly bytesPerSecond: number;
}

/** Writes 1..8 entries; returns where they end. */
export function encodeFeedback(
  buf: Uint8Array,
  at: number,
  entries: readonly FeedbackEntry[],
): number {
  assert(entries.length >= 1 && entries.length <= ENTRIES_MAX, "feedback: 1..8 entries");
  let i = at;
  for (const entry of entries) {
    i = putU16(buf, i, entry.stream);
    i = putU32(buf, i, clamp(entry.playOutOffsetMs * 10, -0x8000_0000, 0x7fff_ffff));
    i = putU16(buf, i, clampUncertainty(entry.uncertaintyMs));
    i = putU32(buf, i, entry.next);
    i = putU32(buf, i, clamp(entry.bytesPerSecond, 0, 0xffff_ffff));
  }
  return i;
}

export function decodeFeedback(data: Uint8Array, at: number): FeedbackEntry[] | undefined {
  const count = entryCount(data, at, FEEDBACK_ENTRY_BYTES);
  if (count === 0) return undefined;
  const entries: FeedbackEntry[] = [];
  for (let i = at; i < data.length; i += FEEDBACK_ENTRY_BYTES) {
    const stream = u16(data, i);
    if (stream === 0) return undefined;
    entries.push({
      stream,
      playOutOffsetMs: (u32(data, i + 2) | 0) / 10,
      uncertaintyMs: u16(data, i + 6),
      next: u32(data, i + 8),
      bytesPerSecond: u32(data, i + 12),
    });
  }
  return entries;
}

/* ------------------------------------------------------------------ CLOCK */

export interface ClockEntry {
  readonly stream: number;
  /** Sender's clock = publisher's capture clock + this, ms. Finite. */
  readonly captureOffsetMs: number;
  /** 0..65535, whole ms. */
  readonly uncertaintyMs: number;
  /** One past the newest fragment the sender has. u32 */
  readonly frontier: number;
}

const f64 = new Float64Array(1);
const f64Bytes = new DataView(f64.buffer);

/** Writes 1..8 entries; returns where they end. */
export function encodeClock(buf: Uint8Array, at: number, entries: readonly ClockEntry[]): number {
  assert(entries.length >= 1 && entries.length <= ENTRIES_MAX, "clock: 1..8 entries");
  let i = at;
  for (const entry of entries) {
    assert(Number.isFinite(entry.captureOffsetMs), "clock: finite offset");
    i = putU16(buf, i, entry.stream);
    f64Bytes.setFloat64(0, entry.captureOffsetMs);
    i = putU32(buf, i, f64Bytes.getUint32(0));
    i = putU32(buf, i, f64Bytes.getUint32(4));
    i = putU16(buf, i, clampUncertainty(entry.uncertaintyMs));
    i = putU32(buf, i, entry.frontier);
  }
  return i;
}

export function decodeClock(data: Uint8Array, at: number): ClockEntry[] | undefined {
  const count = entryCount(data, at, CLOCK_ENTRY_BYTES);
  if (count === 0) return undefined;
  const entries: ClockEntry[] = [];
  for (let i = at; i < data.length; i += CLOCK_ENTRY_BYTES) {
    const stream = u16(data, i);
    f64Bytes.setUint32(0, u32(data, i + 2));
    f64Bytes.setUint32(4, u32(data, i + 6));
    const captureOffsetMs = f64Bytes.getFloat64(0);
    if (stream === 0 || !Number.isFinite(captureOffsetMs)) return undefined;
    const uncertaintyMs = u16(data, i + 10);
    entries.push({ stream, captureOffsetMs, uncertaintyMs, frontier: u32(data, i + 12) });
  }
  return entries;
}

/* ------------------------------------------------------------------ PING, PONG */

export interface PingPacket {
  /** u32 */
  readonly number: number;
  /** Sender's clock, 100 µs units. */
  readonly clock: number;
}

/** The four timestamps of RFC 5905 but for the arrival of the PONG itself; 100 µs units. */
export interface PongPacket {
  readonly number: number;
  /** As the PING said it. */
  readonly echoed: number;
  /** The answering side's clock when the PING arrived. */
  readonly received: number;
  /** The answering side's clock when it sent this. */
  readonly sent: number;
}

export function encodePing(buf: Uint8Array, at: number, number: number, clock: number): number {
  return putU32(buf, putU32(buf, at, number), clock);
}

export function decodePing(data: Uint8Array, at: number): PingPacket | undefined {
  if (data.length !== at + 8) return undefined;
  return { number: u32(data, at), clock: u32(data, at + 4) };
}

export function encodePong(
  buf: Uint8Array,
  at: number,
  number: number,
  echoed: number,
  received: number,
  sent: number,
): number {
  return putU32(buf, putU32(buf, putU32(buf, putU32(buf, at, number), echoed), received), sent);
}

export function decodePong(data: Uint8Array, at: number): PongPacket | undefined {
  if (data.length !== at + 16) return undefined;
  return {
    number: u32(data, at),
    echoed: u32(data, at + 4),
    received: u32(data, at + 8),
    sent: u32(data, at + 12),
  };
}

/* ------------------------------------------------------------------ REQUEST, ANSWER */

/** `count` fragments from number `first` on, mod 2^32. */
export interface FragmentRange {
  readonly first: number;
  /** 1..65535 */
  readonly count: number;
}

/** Bits of `RequestPacket.flags`; the others are zero in version 1. */
export const RequestFlag = {
  /** About to be played. */
  urgent: 1,
  /** No neighbour has it. */
  scarce: 2,
  /** Peer to peer. */
  pull: 4,
} as const;

export interface RequestPacket {
  readonly stream: number;
  readonly flags: number;
  /** 1..64 */
  readonly ranges: readonly FragmentRange[];
}

export const AnswerCode = {
  /** Not now: ask again after `retryMs`. */
  refused: 1,
  /** Not here yet. */
  notYet: 2,
  /** Never again: do not ask. */
  gone: 3,
} as const;
export type AnswerCode = (typeof AnswerCode)[keyof typeof AnswerCode];

export interface AnswerPacket {
  readonly stream: number;
  readonly code: AnswerCode;
  /** 0..65535 */
  readonly retryMs: number;
  /** 1..64 */
  readonly ranges: readonly FragmentRange[];
}

export function encodeRequest(buf: Uint8Array, at: number, request: RequestPacket): number {
  const end = putU16(buf, at, request.stream);
  buf[end] = request.flags;
  return putRanges(buf, end + 1, request.ranges);
}

export function decodeRequest(data: Uint8Array, at: number): RequestPacket | undefined {
  const ranges = decodeRanges(data, at + 3);
  const stream = u16(data, at);
  if (ranges === undefined || stream === 0) return undefined;
  return { stream, flags: (data[at + 2] as number) & 7, ranges };
}

export function encodeAnswer(buf: Uint8Array, at: number, answer: AnswerPacket): number {
  const end = putU16(buf, at, answer.stream);
  buf[end] = answer.code;
  const rangesAt = putU16(buf, end + 1, clamp(answer.retryMs, 0, 0xffff));
  return putRanges(buf, rangesAt, answer.ranges);
}

export function decodeAnswer(data: Uint8Array, at: number): AnswerPacket | undefined {
  const ranges = decodeRanges(data, at + 5);
  const stream = u16(data, at);
  const code = data[at + 2];
  if (ranges === undefined || stream === 0) return undefined;
  if (code !== 1 && code !== 2 && code !== 3) return undefined;
  return { stream, code, retryMs: u16(data, at + 3), ranges };
}

function putRanges(buf: Uint8Array, at: number, ranges: readonly FragmentRange[]): number {
  assert(ranges.length >= 1 && ranges.length <= RANGES_MAX, "1..64 ranges");
  buf[at] = ranges.length;
  let i = at + 1;
  for (const { first, count } of ranges) {
    assert(count >= 1 && count <= 0xffff, "range: 1..65535 fragments");
    i = putU16(buf, putU32(buf, i, first), count);
  }
  return i;
}

function decodeRanges(data: Uint8Array, at: number): FragmentRange[] | undefined {
  const count = data[at] ?? 0;
  if (count < 1 || count > RANGES_MAX) return undefined;
  if (data.length !== at + 1 + count * RANGE_BYTES) return undefined;
  const ranges: FragmentRange[] = [];
  for (let i = at + 1; i < data.length; i += RANGE_BYTES) {
    const fragments = u16(data, i + 4);
    if (fragments === 0) return undefined;
    ranges.push({ first: u32(data, i), count: fragments });
  }
  return ranges;
}

/* ------------------------------------------------------------------ CHALLENGE, RESPONSE, CLOSE */

/** Writes the token of a CHALLENGE, or of the RESPONSE that returns it. */
export function encodeChallenge(buf: Uint8Array, at: number, token: Uint8Array): number {
  assert(token.length === TOKEN_BYTES, "token: 8 bytes");
  buf.set(token, at);
  return at + TOKEN_BYTES;
}

/** The token of a CHALLENGE or RESPONSE; a copy. */
export function decodeToken(data: Uint8Array, at: number): Uint8Array | undefined {
  return data.length === at + TOKEN_BYTES ? data.slice(at) : undefined;
}

export interface ClosePacket {
  readonly code: CloseCode;
  /** For people; at most 200 B of UTF-8, no control characters. */
  readonly reason: string;
}

/** Writes code and reason, the reason cut to what the packet may carry. */
export function encodeClose(buf: Uint8Array, at: number, code: CloseCode, reason: string): number {
  const text = utf8Within(reason, REASON_BYTES_MAX);
  const end = putU16(buf, at, code);
  buf.set(text, end);
  return end + text.length;
}

export function decodeClose(data: Uint8Array, at: number): ClosePacket | undefined {
  const textAt = at + 2;
  if (data.length < textAt || data.length > textAt + REASON_BYTES_MAX) return undefined;
  const reason = printableText(data.subarray(textAt));
  return { code: closeCodeFromWire(u16(data, at)), reason };
}

/* ------------------------------------------------------------------ helpers */

/** How many entries of `bytes` fill the datagram from `at` on: 1..8, or 0 when none or not exactly. */
function entryCount(data: Uint8Array, at: number, bytes: number): number {
  const count = (data.length - at) / bytes;
  return Number.isInteger(count) && count >= 1 && count <= ENTRIES_MAX ? count : 0;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, Math.round(value)));
}

/** Rounded up: an estimate may be called worse than it is, never better. */
function clampUncertainty(ms: number): number {
  return Math.min(UNCERTAINTY_MS_MAX, Math.max(0, Math.ceil(ms)));
}
