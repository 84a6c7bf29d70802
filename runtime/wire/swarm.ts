/**
 * The swarm on the wire (docs/WIRE.md §8): how the edge names one peer to another, the ticket it mints for the two, and
 * the fixed-layout packets that peers send all the time: MAP (what I have), REPORT (what I carry), PUNCH (open my NAT),
 * TRAIN (how fast is my uplink).
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { assert } from "../base/assert.ts";
import {
  ADDRESS_BYTES_MAX,
  type Address,
  decodeAddress,
  encodeAddress,
  encodedAddressBytes,
} from "./address.ts";
import { equalBytes } from "./cookie.ts";
import { ID_BYTES, MAX_DATAGRAM, PacketType, putU16, putU32, u16, u32 } from "./packet.ts";
import { utf8Bytes } from "./text.ts";

export const NODE_BYTES = 8;
export const TICKET_BYTES = 16;
export const TICKET_KEY_BYTES = 16;
/** Addresses of one peer: what the edge sees, then what the peer says of itself. */
export const PEER_ADDRESSES_MAX = 4;
/** Bytes of bitmap in one MAP: 512 fragments. */
export const MAP_BYTES_MAX = 64;
/** Sub-streams a REPORT speaks of. */
export const REPORT_CHILDREN_MAX = 32;
const MAP_FIXED_BYTES = 10;
const SPARE_UNIT_BPS = 64_000;
const PEER_FIXED_BYTES = NODE_BYTES + TICKET_BYTES + 3;
const TICKET_CONTEXT = utf8Bytes("shoal peer");

/* ------------------------------------------------------------------ peers and tickets */

/** One peer as the edge names it to another. */
export interface PeerRef {
  /** 8 B */
  readonly node: Uint8Array;
  /** 16 B; zeros where none is needed (`expect`). */
  readonly ticket: Uint8Array;
  /** ISP/region of the operator's table; 0 = unknown. */
  readonly region: number;
  /** 1..4, the one the edge sees first. */
  readonly addresses: readonly Address[];
}

/** node (8) ‖ ticket (16) ‖ region (2) ‖ count (1) ‖ addresses */
export function encodePeerRef(peer: PeerRef): Uint8Array {
  const count = peer.addresses.length;
  assert(count >= 1 && count <= PEER_ADDRESSES_MAX, "peer: 1..4 addresses");
  const buf = new Uint8Array(PEER_FIXED_BYTES + count * ADDRESS_BYTES_MAX);
  buf.set(peer.node, 0);
  buf.set(peer.ticket, NODE_BYTES);
  let at = putU16(buf, NODE_BYTES + TICKET_BYTES, peer.region);
  buf[at++] = count;
  for (const address of peer.addresses) at = encodeAddress(buf, at, address);
  return buf.subarray(0, at);
}

/** Undefined unless `bytes` are exactly one peer. */
export function decodePeerRef(bytes: Uint8Array): PeerRef | undefined {
  if (bytes.length < PEER_FIXED_BYTES) return undefined;
  const count = bytes[PEER_FIXED_BYTES - 1] as number;
  if (count < 1 || count > PEER_ADDRESSES_MAX) return undefined;
  const addresses: Address[] = [];
  let at = PEER_FIXED_BYTES;
  for (let i = 0; i < count; i++) {
    const address = decodeAddress(bytes, at);
    if (address === undefined) return undefined;
    addresses.push(address);
    at += encodedAddressBytes(bytes, at);
  }
  if (at !== bytes.length) return undefined;
  return {
    node: bytes.slice(0, NODE_BYTES),
    ticket: bytes.slice(NODE_BYTES, NODE_BYTES + TICKET_BYTES),
    region: u16(bytes, NODE_BYTES + TICKET_BYTES),
    addresses,
  };
}

/** What lets `node` at `ip` connect to the peer whose ticket key this is: HMAC-SHA256, 16 B of it. */
export function makeTicket(key: Uint8Array, node: Uint8Array, ip: string): Uint8Array {
  return hmac
    .create(sha256, key)
    .update(TICKET_CONTEXT)
    .update(node)
    .update(utf8Bytes(ip))
    .digest()
    .subarray(0, TICKET_BYTES);
}

export function checkTicket(
  key: Uint8Array,
  node: Uint8Array,
  ip: string,
  ticket: Uint8Array,
): boolean {
  return equalBytes(ticket, makeTicket(key, node, ip));
}

/* ------------------------------------------------------------------ MAP */

export interface MapPacket {
  readonly stream: number;
  /** First fragment of the bitmap, u32. */
  readonly base: number;
  /** So many fragments before it are all here, u16. */
  readonly run: number;
  /** Upload to spare, bit/s, in steps of 64 kbit/s up to 16 Mbit/s. */
  readonly spareBps: number;
  /** Bit i (LSB first) = fragment base + i is here. A view, valid during the call. */
  readonly bits: Uint8Array;
}

/**
 * Writes stream (2), base (4), run (2), spare (1), n (1), and calls `fill` to write n bytes of bitmap at the place
 * given.
 */
export function encodeMap(
  buf: Uint8Array,
  at: number,
  stream: number,
  base: number,
  run: number,
  spareBps: number,
  bytes: number,
  fill: (at: number) => void,
): number {
  assert(bytes >= 0 && bytes <= MAP_BYTES_MAX, "map: at most 64 bytes");
  const end = putU16(buf, putU32(buf, putU16(buf, at, stream), base), run);
  buf[end] = Math.min(255, Math.max(0, Math.floor(spareBps / SPARE_UNIT_BPS)));
  buf[end + 1] = bytes;
  fill(end + 2);
  return end + 2 + bytes;
}

export function decodeMap(data: Uint8Array, at: number): MapPacket | undefined {
  const bitsAt = at + MAP_FIXED_BYTES;
  if (data.length < bitsAt) return undefined;
  const bytes = data[bitsAt - 1] as number;
  const stream = u16(data, at);
  if (stream === 0 || bytes > MAP_BYTES_MAX || data.length !== bitsAt + bytes) return undefined;
  const spareBps = (data[bitsAt - 2] as number) * SPARE_UNIT_BPS;
  const [base, run] = [u32(data, at + 2), u16(data, at + 6)];
  return { stream, base, run, spareBps, bits: data.subarray(bitsAt) };
}

/* ------------------------------------------------------------------ REPORT */

export interface ReportPacket {
  /** Estimate of the uplink, bit/s; 0 = no limit seen so far. */
  readonly limitBps: number;
  /** Uploaded in the last second, bit/s, and the part of it pushed to children. */
  readonly uploadBps: number;
  readonly pushBps: number;
  /** Queueing delay of the uplink, ms. */
  readonly queueMs: number;
  /** Share of one core in use, 0..1. */
  readonly cpu: number;
  readonly consumeOnly: boolean;
  readonly metered: boolean;
  readonly congested: boolean;
  /** Load of oneself, 0..1 (score/): 1 = nothing to spare. */
  readonly load: number;
  /** Children per sub-stream, K entries. */
  readonly children: readonly number[];
}

/**
 *  0         4         8         12      14    15     16      17   18
 * +---------+---------+---------+-------+-----+-------+------+----+-----------
 * | limit   | upload  | push    | queue | cpu | flags | load | K  | children…
 * +---------+---------+---------+-------+-----+-------+------+----+-----------
 */
export function encodeReport(buf: Uint8Array, at: number, report: ReportPacket): number {
  assert(report.children.length <= REPORT_CHILDREN_MAX, "report: at most 32 sub-streams");
  let end = putU32(buf, at, clampU32(report.limitBps));
  end = putU32(buf, end, clampU32(report.uploadBps));
  end = putU32(buf, end, clampU32(report.pushBps));
  end = putU16(buf, end, Math.min(0xffff, Math.round(report.queueMs)));
  buf[end] = share(report.cpu);
  buf[end + 1] =
    (report.consumeOnly ? 1 : 0) | (report.metered ? 2 : 0) | (report.congested ? 4 : 0);
  buf[end + 2] = share(report.load);
  buf[end + 3] = report.children.length;
  end += 4;
  for (const count of report.children) buf[end++] = Math.min(255, count);
  return end;
}

export function decodeReport(data: Uint8Array, at: number): ReportPacket | undefined {
  const childrenAt = at + 18;
  const count = data[childrenAt - 1] ?? 0;
  if (data.length !== childrenAt + count || count > REPORT_CHILDREN_MAX) return undefined;
  const flags = data[at + 15] as number;
  return {
    limitBps: u32(data, at),
    uploadBps: u32(data, at + 4),
    pushBps: u32(data, at + 8),
    queueMs: u16(data, at + 12),
    cpu: (data[at + 14] as number) / 255,
    consumeOnly: (flags & 1) !== 0,
    metered: (flags & 2) !== 0,
    congested: (flags & 4) !== 0,
    load: (data[at + 16] as number) / 255,
    children: [...data.subarray(childrenAt)],
  };
}

/* ------------------------------------------------------------------ TRAIN */

/** Writes train (1) and zeros to the full size of a datagram. */
export function encodeTrain(buf: Uint8Array, at: number, train: number): number {
  const end = at - ID_BYTES + MAX_DATAGRAM;
  buf[at] = train;
  buf.fill(0, at + 1, end);
  return end;
}

/** The train's number, 0..255; −1 unless it is a packet of one. */
export function decodeTrain(data: Uint8Array, at: number): number {
  return data.length === MAX_DATAGRAM ? (data[at] as number) : -1;
}

/* ------------------------------------------------------------------ PUNCH */

/** Type and the sender's node id: worth nothing but the hole it makes in the sender's NAT. */
export function encodePunch(node: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + NODE_BYTES);
  bytes[0] = PacketType.PUNCH;
  bytes.set(node, 1);
  return bytes;
}

function clampU32(value: number): number {
  return Math.min(0xffff_ffff, Math.max(0, Math.round(value)));
}

function share(value: number): number {
  return Math.min(255, Math.max(0, Math.round(value * 255)));
}
