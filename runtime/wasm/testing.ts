/** Helpers for the one test suite that runs over both implementations of the hot path. */
import { type InspectableHotPath, Settled } from "../core/hot-path/hot-path.ts";
import { createHotPath } from "./create.ts";

export const HOT_PATHS = ["wasm", "twin"] as const;

export type HotPathKind = (typeof HOT_PATHS)[number];

/** A small instance of its own. */
export function testHotPath(kind: HotPathKind, memoryMiB = 4): InspectableHotPath {
  return createHotPath({ kind, memoryMiB });
}

export interface AckFields {
  /** u32. */
  readonly largest: number;
  /** Further packet numbers received, within 1,024 before `largest`. */
  readonly also?: readonly number[];
  readonly delayTicks?: number;
  readonly clock?: number;
}

/** An ACK body as docs/WIRE.md §3 has it. */
export function ackBody(fields: AckFields): Uint8Array {
  const distances = (fields.also ?? []).map((number) => (fields.largest - number) >>> 0);
  const bytes = Math.ceil(Math.max(0, ...distances) / 8);
  const body = new Uint8Array(15 + bytes);
  const view = new DataView(body.buffer);
  view.setUint32(0, fields.largest);
  view.setUint16(4, fields.delayTicks ?? 0);
  view.setUint32(6, fields.clock ?? 0);
  view.setUint32(10, 0xffffffff);
  view.setUint8(14, bytes);
  for (const distance of distances) {
    const bit = distance - 1;
    body[15 + (bit >> 3)] = (body[15 + (bit >> 3)] ?? 0) | (1 << (bit & 7));
  }
  return body;
}

/** Lets `session` take an ACK body; the result of `ackParse`. */
export function takeAck(
  hot: InspectableHotPath,
  session: number,
  nowMs: number,
  ack: AckFields | Uint8Array,
): number {
  const body = ack instanceof Uint8Array ? ack : ackBody(ack);
  hot.bytes.set(body, hot.headerArenaPtr);
  return hot.ackParse(session, nowMs, hot.headerArenaPtr, body.length);
}

export interface SettledPacket {
  readonly kind: number;
  readonly attempt: number;
  readonly stream: number;
  readonly key: number;
  readonly size: number;
  readonly number: number;
  readonly sentAt: number;
}

/** Reads what `ackParse` or `lossCheck` left. */
export function readSettled(hot: InspectableHotPath): {
  acked: SettledPacket[];
  lost: SettledPacket[];
} {
  const { out, outF64 } = hot;
  const packets: SettledPacket[] = [];
  const acked = out[Settled.acked] ?? 0;
  const total = acked + (out[Settled.lost] ?? 0);
  for (let i = 0; i < total; i++) {
    const at = (Settled.entriesAt + i * Settled.entryBytes) / 4;
    packets.push({
      kind: out[at] ?? 0,
      attempt: out[at + 1] ?? 0,
      stream: out[at + 2] ?? 0,
      key: (out[at + 3] ?? 0) >>> 0,
      size: out[at + 4] ?? 0,
      number: (out[at + 5] ?? 0) >>> 0,
      sentAt: outF64[at / 2 + 3] ?? 0,
    });
  }
  return { acked: packets.slice(0, acked), lost: packets.slice(acked) };
}

/** Packet numbers settled by the last call. */
export function settledNumbers(hot: InspectableHotPath): { acked: number[]; lost: number[] } {
  const { acked, lost } = readSettled(hot);
  return { acked: acked.map((p) => p.number), lost: lost.map((p) => p.number) };
}

/** Sends a packet with nothing remarkable about it. */
export function sendPacket(
  hot: InspectableHotPath,
  session: number,
  nowMs: number,
  key = 0,
): number {
  return hot.packetSent(session, nowMs, 1, 0, 1, key, 1200);
}
