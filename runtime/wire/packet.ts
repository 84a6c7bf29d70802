/**
 * Packet types, big-endian numbers, and the heads of the packets that carry media (docs/WIRE.md §1). Everything on the
 * path of a packet works on numbers and offsets and allocates nothing; encoders write at an offset and return the
 * offset behind what they wrote. Reading past the end of a datagram yields zeros, never another's bytes: the decoders
 * check the length where it matters and say false, 0 or undefined to what no encoder writes.
 *
 *  0                                       9      11      13
 * +------+--------------------------------+-------+-------+--------------+-------+-------+-------+------
 * | type | connection id (64)             | pn 16 | strm  | number (32)  | idx12 | tot12 | flags | body…
 * +------+--------------------------------+-------+-------+--------------+-------+-------+-------+------
 *                                                          13             17              20      21
 */

export const PacketType = {
  HELLO: 0x01,
  COOKIE: 0x02,
  VERSIONS: 0x03,
  CONNECT: 0x04,
  ACCEPT: 0x05,
  REFUSE: 0x06,
  DATA: 0x10,
  BUNDLE: 0x11,
  CONTROL: 0x12,
  PING: 0x13,
  PONG: 0x14,
  ACK: 0x15,
  FEEDBACK: 0x16,
  CLOCK: 0x17,
  REQUEST: 0x18,
  ANSWER: 0x19,
  CHALLENGE: 0x1a,
  RESPONSE: 0x1b,
  CLOSE: 0x1c,
  MAP: 0x1d,
  REPORT: 0x1e,
  PUNCH: 0x1f,
  TRAIN: 0x20,
} as const;
export type PacketType = (typeof PacketType)[keyof typeof PacketType];

/** Types from here on carry the receiver's connection id. */
export const CONNECTED_FROM = 0x10;
/** UDP payload bytes of one datagram. */
export const MAX_DATAGRAM = 1200;
/** Type and connection id. */
export const ID_BYTES = 9;
/** Type, connection id and packet number. */
export const NUMBERED_BYTES = 11;
export const FRAGMENT_HEADER_BYTES = 10;
/** A DATA packet before its body. */
export const HEAD_BYTES = 21;
/** Fragment header and length before each body of a BUNDLE. */
export const BUNDLE_ITEM_BYTES = 12;
export const BUNDLE_ITEMS_MAX = 32;
/** Bytes of a segment in one fragment; only a segment's last fragment is shorter. */
export const FRAGMENT_BODY_BYTES = 1152;
/** Fragments of one segment, at most: 12 bits. */
export const FRAGMENTS_MAX = 4095;
/** ACK body before its bitmap, whose length is the last of these bytes. */
export const ACK_FIXED_BYTES = 15;
export const ACK_BITMAP_BYTES_MAX = 128;
/** Highest priority value of the flags (disposable frames). */
const PRIORITY_MAX = 4;

/** A 64-bit connection id as two u32. */
export interface ConnectionId {
  readonly hi: number;
  readonly lo: number;
}

/** Reused by decoders; never kept. */
export interface FragmentHeader {
  /** Stream index of this session, 1..65535. */
  stream: number;
  /** Running number in the epoch, u32. */
  number: number;
  /** Place in its segment, below `total`. */
  index: number;
  /** Fragments of its segment, 1..4095. */
  total: number;
  /** segment.ts: priority, group start, resent, phase. */
  flags: number;
}

/* ------------------------------------------------------------------ numbers */

export function u16(data: Uint8Array, at: number): number {
  return ((data[at] as number) << 8) | (data[at + 1] as number);
}

export function u32(data: Uint8Array, at: number): number {
  const high = ((data[at] as number) << 24) | ((data[at + 1] as number) << 16);
  return (high | ((data[at + 2] as number) << 8) | (data[at + 3] as number)) >>> 0;
}

/** Writes the low 16 bits; returns at + 2. */
export function putU16(buf: Uint8Array, at: number, value: number): number {
  buf[at] = value >>> 8;
  buf[at + 1] = value;
  return at + 2;
}

/** Writes value mod 2^32 (two's complement when negative); returns at + 4. */
export function putU32(buf: Uint8Array, at: number, value: number): number {
  buf[at] = value >>> 24;
  buf[at + 1] = value >>> 16;
  buf[at + 2] = value >>> 8;
  buf[at + 3] = value;
  return at + 4;
}

/* ------------------------------------------------------------------ heads */

/** The type byte, or −1 of an empty datagram. */
export function packetType(data: Uint8Array): number {
  return data[0] ?? -1;
}

/** Whether it has a type of an established session and a whole connection id. */
export function isConnected(data: Uint8Array): boolean {
  return data.length >= ID_BYTES && (data[0] as number) >= CONNECTED_FROM;
}

/** Halves of the connection id of a connected packet. */
export function cidHi(data: Uint8Array): number {
  return u32(data, 1);
}

export function cidLo(data: Uint8Array): number {
  return u32(data, 5);
}

/** Writes type and connection id; returns at + ID_BYTES. */
export function encodeIdHead(
  buf: Uint8Array,
  at: number,
  type: number,
  cidHi: number,
  cidLo: number,
): number {
  buf[at] = type;
  return putU32(buf, putU32(buf, at + 1, cidHi), cidLo);
}

/** Writes type, connection id and packet number; returns at + NUMBERED_BYTES. */
export function encodeNumberedHead(
  buf: Uint8Array,
  at: number,
  type: number,
  cidHi: number,
  cidLo: number,
  number16: number,
): number {
  return putU16(buf, encodeIdHead(buf, at, type, cidHi, cidLo), number16);
}

/** Writes the whole head of a DATA packet; returns at + HEAD_BYTES. */
export function encodeDataHead(
  buf: Uint8Array,
  at: number,
  cidHi: number,
  cidLo: number,
  number16: number,
  stream: number,
  number: number,
  index: number,
  total: number,
  flags: number,
): number {
  const end = encodeNumberedHead(buf, at, PacketType.DATA, cidHi, cidLo, number16);
  return putFragmentHeader(buf, end, stream, number, index, total, flags);
}

/** Writes the head of a CONTROL packet; `offset` is mod 2^32. Its bytes follow. */
export function encodeControlHead(
  buf: Uint8Array,
  at: number,
  cidHi: number,
  cidLo: number,
  number16: number,
  offset: number,
): number {
  const end = encodeNumberedHead(buf, at, PacketType.CONTROL, cidHi, cidLo, number16);
  return putU32(buf, end, offset);
}

/* ------------------------------------------------------------------ fragments */

export function encodeFragmentHeader(
  buf: Uint8Array,
  at: number,
  header: Readonly<FragmentHeader>,
): number {
  const { stream, number, index, total, flags } = header;
  return putFragmentHeader(buf, at, stream, number, index, total, flags);
}

function putFragmentHeader(
  buf: Uint8Array,
  at: number,
  stream: number,
  number: number,
  index: number,
  total: number,
  flags: number,
): number {
  putU32(buf, putU16(buf, at, stream), number);
  buf[at + 6] = index >>> 4;
  buf[at + 7] = (index << 4) | (total >>> 8);
  buf[at + 8] = total;
  buf[at + 9] = flags;
  return at + FRAGMENT_HEADER_BYTES;
}

/** Fills `out`. False when it is cut short, or says what no encoder writes; `out` is then meaningless. */
export function decodeFragmentHeader(data: Uint8Array, at: number, out: FragmentHeader): boolean {
  if (at + FRAGMENT_HEADER_BYTES > data.length) return false;
  const middle = data[at + 7] as number;
  out.stream = u16(data, at);
  out.number = u32(data, at + 2);
  out.index = ((data[at + 6] as number) << 4) | (middle >>> 4);
  out.total = ((middle & 0x0f) << 8) | (data[at + 8] as number);
  out.flags = data[at + 9] as number;
  return out.stream !== 0 && out.index < out.total && (out.flags & 7) <= PRIORITY_MAX;
}

/** Whether a body of `bytes` can be this fragment's: 1,152 B, or from 1 B on for a segment's last fragment. */
export function bodyFits(header: Readonly<FragmentHeader>, bytes: number): boolean {
  if (header.index < header.total - 1) return bytes === FRAGMENT_BODY_BYTES;
  return bytes >= 1 && bytes <= FRAGMENT_BODY_BYTES;
}

/* ------------------------------------------------------------------ bundles */

/** Writes what stands before a body of `bodyBytes` in a BUNDLE; returns where the body goes. */
export function encodeBundleItem(
  buf: Uint8Array,
  at: number,
  header: Readonly<FragmentHeader>,
  bodyBytes: number,
): number {
  return putU16(buf, encodeFragmentHeader(buf, at, header), bodyBytes);
}

/**
 * Reads one item of a BUNDLE into `out`. Its body lies in [at + BUNDLE_ITEM_BYTES, end) with `end` what is returned,
 * which is where the next item begins; 0 when the item is malformed.
 */
export function decodeBundleItem(data: Uint8Array, at: number, out: FragmentHeader): number {
  if (at + BUNDLE_ITEM_BYTES > data.length || !decodeFragmentHeader(data, at, out)) return 0;
  const bytes = u16(data, at + FRAGMENT_HEADER_BYTES);
  const end = at + BUNDLE_ITEM_BYTES + bytes;
  return end <= data.length && bodyFits(out, bytes) ? end : 0;
}

/**
 * Calls `take` for each item from `at` to the end of the datagram, `out` filled each time. False, and `take` never
 * called, unless all 1..32 items are well-formed.
 */
export function forEachBundled(
  data: Uint8Array,
  at: number,
  out: FragmentHeader,
  take: (header: FragmentHeader, bodyAt: number, bodyEnd: number) => void,
): boolean {
  let count = 0;
  for (let i = at; i < data.length; count++) {
    const end = count < BUNDLE_ITEMS_MAX ? decodeBundleItem(data, i, out) : 0;
    if (end === 0) return false;
    i = end;
  }
  for (let i = at; i < data.length; ) {
    const end = decodeBundleItem(data, i, out);
    take(out, i + BUNDLE_ITEM_BYTES, end);
    i = end;
  }
  return count > 0;
}

/* ------------------------------------------------------------------ acknowledgements */

/**
 * Length of the ACK body at `at` (HotPath.ackParse reads it), or 0 when it does not fit. FEEDBACK entries may
 * follow.
 */
export function ackBodyBytes(data: Uint8Array, at: number): number {
  if (at + ACK_FIXED_BYTES > data.length) return 0;
  const bitmap = data[at + ACK_FIXED_BYTES - 1] as number;
  const bytes = ACK_FIXED_BYTES + bitmap;
  return bitmap <= ACK_BITMAP_BYTES_MAX && at + bytes <= data.length ? bytes : 0;
}
