/**
 * FLV, the container that RTMP's messages and the players' HTTP streams share (Adobe FLV specification v10.1, annex E):
 * a header, then tags of one frame each. The demuxer takes bytes cut anywhere and gives tags; the muxer gives a tag's
 * bytes. Both keep a tag's body byte for byte.
 *
 * ```
 * header:  'F' 'L' 'V' version(1) flags(1: 4 audio, 1 video) dataOffset(4) … PreviousTagSize0(4)
 * tag:     type(1) size(3) timestamp(3, low bits) timestamp(1, high bits) streamId(3) body(size) PreviousTagSize(4)
 * ```
 */

/** Largest tag body taken, bytes; the same bound as a segment's body (docs/WIRE.md §2). */
export const TAG_BODY_BYTES_MAX = 1_048_576;
/** Largest `dataOffset` taken, bytes; 9 in every known file. */
const HEADER_BYTES_MAX = 1_024;
const HEADER_BYTES = 9;
const TAG_HEADER_BYTES = 11;
const PREVIOUS_TAG_SIZE_BYTES = 4;

export type FlvTagType = 8 | 9 | 18;
export const FLV_AUDIO = 8;
export const FLV_VIDEO = 9;
export const FLV_SCRIPT = 18;

/** One tag: an audio or video frame, a codec configuration, or script data. */
export interface FlvTag {
  readonly type: FlvTagType;
  /** Decoding time, ms, 0..2^32−1. */
  readonly dtsMs: number;
  /** 1 B..1 MiB; owned by the receiver. */
  readonly body: Uint8Array;
}

/** Bytes that are no FLV. */
export class FlvError extends Error {
  override readonly name = "FlvError";
  /** Where in the stream of bytes, counted from its beginning. */
  readonly offset: number;

  constructor(detail: string, offset: number) {
    super(`not FLV: ${detail} (at byte ${offset})`);
    this.offset = offset;
  }
}

/**
 * Takes FLV in pieces of any size. Holds at most one unfinished tag (1 MiB). After an `FlvError` it stays broken: the
 * next call throws the same error.
 */
export class FlvDemuxer {
  #pending: Uint8Array = new Uint8Array(0);
  #length = 0;
  /** Offset of `#pending[0]` in the stream. */
  #offset = 0;
  #headerDone = false;
  #error: FlvError | undefined;

  /** Tags completed by these bytes, in order. Empty tags are left out. @throws FlvError */
  push(bytes: Uint8Array): FlvTag[] {
    if (this.#error) throw this.#error;
    this.#append(bytes);
    const tags: FlvTag[] = [];
    try {
      let at = this.#headerDone ? 0 : this.#parseHeader();
      while (this.#headerDone) {
        const size = this.#parseTag(at, tags);
        if (size === 0) break;
        at += size;
      }
      this.#discard(at);
    } catch (error) {
      if (error instanceof FlvError) {
        this.#error = error;
        this.#pending = new Uint8Array(0);
      }
      throw error;
    }
    return tags;
  }

  /** Says whether the stream ended on a tag's border; bytes of an unfinished tag are lost. */
  get clean(): boolean {
    return this.#headerDone && this.#length === 0;
  }

  /** Bytes of the header with PreviousTagSize0, or 0 while incomplete. */
  #parseHeader(): number {
    const bytes = this.#pending;
    const magic = [0x46, 0x4c, 0x56];
    for (let i = 0; i < Math.min(3, this.#length); i++) {
      if (bytes[i] !== magic[i]) throw new FlvError("it does not begin with 'FLV'", i);
    }
    if (this.#length < HEADER_BYTES) return 0;
    const dataOffset = readUint32(bytes, 5);
    if (dataOffset < HEADER_BYTES || dataOffset > HEADER_BYTES_MAX) {
      throw new FlvError(`a header of ${dataOffset} bytes`, 5);
    }
    const size = dataOffset + PREVIOUS_TAG_SIZE_BYTES;
    if (this.#length < size) return 0;
    this.#headerDone = true;
    return size;
  }

  /** Size of the tag at `at`, or 0 while incomplete. */
  #parseTag(at: number, tags: FlvTag[]): number {
    const bytes = this.#pending;
    if (this.#length < at + TAG_HEADER_BYTES) return 0;
    const type = bytes[at] as number;
    if (type !== FLV_AUDIO && type !== FLV_VIDEO && type !== FLV_SCRIPT) {
      throw new FlvError(`a tag of type ${type}`, this.#offset + at);
    }
    const bodySize = readUint24(bytes, at + 1);
    if (bodySize > TAG_BODY_BYTES_MAX) {
      throw new FlvError(
        `a tag of ${bodySize} bytes, over ${TAG_BODY_BYTES_MAX}`,
        this.#offset + at,
      );
    }
    const size = TAG_HEADER_BYTES + bodySize + PREVIOUS_TAG_SIZE_BYTES;
    if (this.#length < at + size) return 0;
    const high = bytes[at + 7] as number;
    const dtsMs = ((high << 24) | readUint24(bytes, at + 4)) >>> 0;
    const start = at + TAG_HEADER_BYTES;
    if (bodySize > 0) tags.push({ type, dtsMs, body: bytes.slice(start, start + bodySize) });
    return size;
  }

  #append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#pending.length) {
      const grown = new Uint8Array(
        Math.max(needed, Math.min(2 * this.#pending.length, 2 * TAG_BODY_BYTES_MAX)),
      );
      grown.set(this.#pending.subarray(0, this.#length));
      this.#pending = grown;
    }
    this.#pending.set(bytes, this.#length);
    this.#length = needed;
  }

  #discard(count: number): void {
    this.#pending.copyWithin(0, count, this.#length);
    this.#length -= count;
    this.#offset += count;
    if (this.#pending.length > 4 * TAG_BODY_BYTES_MAX && this.#length <= TAG_BODY_BYTES_MAX) {
      this.#pending = this.#pending.slice(
        0,
        this.#length,
      ); /* one huge piece must not be kept for ever */
    }
  }
}

/** The first 13 bytes of an FLV stream: header and PreviousTagSize0. */
export function flvHeader(tracks: {
  readonly audio: boolean;
  readonly video: boolean;
}): Uint8Array {
  const flags = (tracks.audio ? 4 : 0) | (tracks.video ? 1 : 0);
  return Uint8Array.of(0x46, 0x4c, 0x56, 1, flags, 0, 0, 0, HEADER_BYTES, 0, 0, 0, 0);
}

/** A whole tag with the PreviousTagSize behind it. `dtsMs` is taken modulo 2^32. */
export function flvTag(type: FlvTagType, dtsMs: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(TAG_HEADER_BYTES + body.length + PREVIOUS_TAG_SIZE_BYTES);
  bytes[0] = type;
  writeUint24(bytes, 1, body.length);
  writeUint24(bytes, 4, dtsMs);
  bytes[7] = (dtsMs >>> 24) & 0xff;
  bytes.set(body, TAG_HEADER_BYTES);
  const end = TAG_HEADER_BYTES + body.length;
  bytes[end] = (end >>> 24) & 0xff;
  writeUint24(bytes, end + 1, end);
  return bytes;
}

function readUint24(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number)
  );
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) * 0x100_0000 + readUint24(bytes, at + 1);
}

function writeUint24(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = (value >>> 16) & 0xff;
  bytes[at + 1] = (value >>> 8) & 0xff;
  bytes[at + 2] = value & 0xff;
}
