/**
 * CBOR (RFC 8949) for what is rare and varied: handshake parameters and control messages, each one map. cbor-x does
 * the work, but knows far more than the wire allows (tags, dates, class instances, records): every input is first
 * walked by `isPlain`, which lets through definite lengths, plain values and a bounded shape only, so that nothing
 * exotic, deep or larger than the bytes that came can ever be built from it.
 */
import { Decoder, Encoder } from "cbor-x/index-no-eval";
import { u16, u32 } from "./packet.ts";

/** A decoded map: look fields up with the helpers below, which check type and bounds. */
export type Fields = Readonly<Record<string, unknown>>;

/** Arrays and maps within each other, the outermost counted. */
export const CBOR_DEPTH_MAX = 4;
/** Values of one message in all, keys counted. */
export const CBOR_VALUES_MAX = 1024;

const options = {
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  tagUint8Array: false,
  copyBuffers: true,
  pack: false,
} as const;
const encoder = new Encoder(options);
const decoder = new Decoder(options);

/** Bytes of their own, not a view of the encoder's. Keys with the value undefined are left out. */
export function encodeFields(fields: Fields): Uint8Array {
  const present: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) present[key] = value;
  }
  return new Uint8Array(encoder.encode(present));
}

/** The map that fills `bytes`, or undefined for anything else. */
export function decodeFields(bytes: Uint8Array): Fields | undefined {
  if ((bytes[0] ?? 0) >>> 5 !== Major.map || !isPlain(bytes)) return undefined;
  try {
    return decoder.decode(bytes.subarray()) as Fields;
  } catch {
    /* isPlain lets nothing through that the decoder is known to refuse; should it, the sender is at fault. */
    return undefined;
  }
}

const Major = { uint: 0, nint: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;

/** Whether `bytes` are exactly one value of allowed types, within CBOR_DEPTH_MAX and CBOR_VALUES_MAX. */
function isPlain(bytes: Uint8Array): boolean {
  /* Values still to come at each depth; a map counts two for each pair. */
  const left: number[] = [1];
  const isMap: boolean[] = [false];
  let at = 0;
  let values = 0;
  while (left.length > 0) {
    const depth = left.length - 1;
    const due = left[depth] as number;
    if (due === 0) {
      left.pop();
      isMap.pop();
      continue;
    }
    left[depth] = due - 1;
    if (at >= bytes.length || ++values > CBOR_VALUES_MAX) return false;
    const initial = bytes[at] as number;
    const major = initial >>> 5;
    const argumentBytes = argumentLength(initial & 0x1f);
    if (argumentBytes < 0 || at + 1 + argumentBytes > bytes.length) return false;
    const isKey = isMap[depth] === true && due % 2 === 0;
    if (isKey && major !== Major.text) return false;
    if (major === Major.tag || (major === Major.simple && !isPlainSimple(initial))) return false;
    const value = argumentOf(bytes, at, initial & 0x1f);
    at += 1 + argumentBytes;
    if (major === Major.bytes || major === Major.text) {
      if (value > bytes.length - at) return false;
      at += value;
    } else if (major === Major.array || major === Major.map) {
      if (value > CBOR_VALUES_MAX || left.length > CBOR_DEPTH_MAX) return false;
      left.push(major === Major.map ? value * 2 : value);
      isMap.push(major === Major.map);
    } else if (major !== Major.simple && value > Number.MAX_SAFE_INTEGER) return false;
  }
  return at === bytes.length;
}

/** Bytes of the argument behind the initial byte; −1 for the reserved ones and for indefinite length. */
function argumentLength(low: number): number {
  if (low < 24) return 0;
  return low < 28 ? 1 << (low - 24) : -1;
}

function argumentOf(bytes: Uint8Array, at: number, low: number): number {
  if (low < 24) return low;
  if (low === 24) return bytes[at + 1] as number;
  if (low === 25) return u16(bytes, at + 1);
  if (low === 26) return u32(bytes, at + 1);
  return u32(bytes, at + 1) * 0x1_0000_0000 + u32(bytes, at + 5);
}

/** false, true, null, and floats of 16, 32 and 64 bits. */
function isPlainSimple(initial: number): boolean {
  const low = initial & 0x1f;
  return low === 20 || low === 21 || low === 22 || (low >= 25 && low <= 27);
}

/* ------------------------------------------------------------------ fields */

export function textField(fields: Fields, name: string, charactersMax: number): string | undefined {
  const value = fields[name];
  return typeof value === "string" && value.length <= charactersMax ? value : undefined;
}

/** An integer in min..max. */
export function integerField(
  fields: Fields,
  name: string,
  min: number,
  max: number,
): number | undefined {
  const value = fields[name];
  if (typeof value === "bigint" && value >= BigInt(min) && value <= BigInt(max))
    return Number(value);
  if (typeof value !== "number" || !Number.isInteger(value)) return undefined;
  return value >= min && value <= max ? value : undefined;
}

/** A byte string of exactly `length`. */
export function bytesField(fields: Fields, name: string, length: number): Uint8Array | undefined {
  const value = fields[name];
  return value instanceof Uint8Array && value.length === length ? value : undefined;
}

/** A map within the map. */
export function mapField(fields: Fields, name: string): Fields | undefined {
  const value = fields[name];
  if (typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value) || value instanceof Uint8Array) return undefined;
  return value as Fields;
}
