/**
 * What a decoder configuration says about its track: names and sizes for people, and the two figures that frame marks
 * need (how long NAL length fields are, how many temporal layers there are). Everything here takes arbitrary bytes;
 * what cannot be read is left out.
 */

export interface VideoConfig {
  /** "h264", "hevc", "av1", "vp9", "vp8", "vvc", or the fourCC. */
  readonly codec: string;
  readonly width?: number;
  readonly height?: number;
  /** Bytes of a NAL length field, 1, 2 or 4; 0 when the codec has none or the configuration is unreadable. */
  readonly nalLengthSize: number;
  /** HEVC temporal layers; 0 = not said. */
  readonly temporalLayers: number;
}

export interface AudioConfig {
  /** "aac", "opus", "mp3", "flac", "ac3", "eac3", or the fourCC. */
  readonly codec: string;
  readonly sampleRate?: number;
  readonly channels?: number;
}

/** AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1). */
export function parseAvcConfig(record: Uint8Array): VideoConfig {
  const nalLengthSize = record.length >= 7 && record[0] === 1 ? nalLength(record[4] as number) : 0;
  const base = { codec: "h264", nalLengthSize, temporalLayers: 0 };
  const spsCount = record.length >= 8 ? (record[5] as number) & 0x1f : 0;
  if (nalLengthSize === 0 || spsCount === 0) return base;
  const spsLength = ((record[6] as number) << 8) | (record[7] as number);
  const size = parseAvcSps(record.subarray(8, 8 + spsLength));
  return size ? { ...base, ...size } : base;
}

/** HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1). */
export function parseHevcConfig(record: Uint8Array): VideoConfig {
  if (record.length < 23) return { codec: "hevc", nalLengthSize: 0, temporalLayers: 0 };
  const packed = record[21] as number;
  const base = {
    codec: "hevc",
    nalLengthSize: nalLength(packed),
    temporalLayers: (packed >> 3) & 7,
  };
  const sps = findHevcArray(record, 33);
  const size = sps && parseHevcSps(sps);
  return size ? { ...base, ...size } : base;
}

/** AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1); rate and channels as the base layer says. */
export function parseAacConfig(config: Uint8Array): AudioConfig {
  const bits = new BitReader(config);
  if (bits.read(5) === 31) bits.read(6);
  const rateIndex = bits.read(4);
  const sampleRate = rateIndex === 15 ? bits.read(24) : AAC_RATES[rateIndex];
  const channels = AAC_CHANNELS[bits.read(4)];
  if (bits.overrun) return { codec: "aac" };
  return { codec: "aac", ...(sampleRate ? { sampleRate } : {}), ...(channels ? { channels } : {}) };
}

/** OpusHead (RFC 7845, 5.1). Opus always decodes at 48 kHz. */
export function parseOpusConfig(head: Uint8Array): AudioConfig {
  const magic = String.fromCharCode(...head.subarray(0, 8));
  const channels = magic === "OpusHead" ? head[9] : undefined;
  return { codec: "opus", sampleRate: 48_000, ...(channels ? { channels } : {}) };
}

/** "h264 854x480" */
export function videoText(config: VideoConfig): string {
  return config.width && config.height
    ? `${config.codec} ${config.width}x${config.height}`
    : config.codec;
}

/** "aac 48000 5.1" */
export function audioText(config: AudioConfig): string {
  const layout = config.channels
    ? (CHANNEL_NAMES[config.channels] ?? `${config.channels}ch`)
    : undefined;
  return [config.codec, config.sampleRate, layout].filter(Boolean).join(" ");
}

const AAC_RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
  7_350,
];
/** By channelConfiguration; 0 means "see the program config element". */
const AAC_CHANNELS = [0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8];
const CHANNEL_NAMES: Readonly<Record<number, string>> = {
  1: "mono",
  2: "stereo",
  3: "3.0",
  4: "4.0",
  5: "5.0",
  6: "5.1",
  7: "6.1",
  8: "7.1",
};

interface PictureSize {
  readonly width: number;
  readonly height: number;
}

function nalLength(packed: number): number {
  const size = (packed & 3) + 1;
  return size === 3 ? 0 : size;
}

/** Profiles whose SPS carries chroma format and scaling lists (ITU-T H.264, 7.3.2.1.1). */
const AVC_CHROMA_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);

function parseAvcSps(nal: Uint8Array): PictureSize | undefined {
  const bits = new BitReader(withoutEmulation(nal));
  bits.read(8);
  const profile = bits.read(8);
  bits.read(16);
  bits.ue();
  let chromaFormat = 1;
  if (AVC_CHROMA_PROFILES.has(profile)) {
    chromaFormat = bits.ue();
    if (chromaFormat === 3) bits.read(1);
    bits.ue();
    bits.ue();
    bits.read(1);
    if (bits.read(1)) skipScalingLists(bits, chromaFormat === 3 ? 12 : 8);
  }
  bits.ue();
  const pocType = bits.ue();
  if (pocType === 0) {
    bits.ue();
  } else if (pocType === 1) {
    bits.read(1);
    bits.ue();
    bits.ue();
    const count = Math.min(bits.ue(), 255);
    for (let i = 0; i < count; i++) bits.ue();
  }
  bits.ue();
  bits.read(1);
  const widthMbs = bits.ue() + 1;
  const heightUnits = bits.ue() + 1;
  const frameMbsOnly = bits.read(1);
  if (!frameMbsOnly) bits.read(1);
  bits.read(1);
  const cropUnitX = chromaFormat === 1 || chromaFormat === 2 ? 2 : 1;
  const cropUnitY = (chromaFormat === 1 ? 2 : 1) * (2 - frameMbsOnly);
  const crop = readCrop(bits);
  const width = widthMbs * 16 - crop.x * cropUnitX;
  const height = heightUnits * (2 - frameMbsOnly) * 16 - crop.y * cropUnitY;
  return plausible(bits, width, height);
}

function skipScalingLists(bits: BitReader, lists: number): void {
  for (let list = 0; list < lists; list++) {
    if (!bits.read(1)) continue;
    let last = 8;
    let next = 8;
    for (let i = 0; i < (list < 6 ? 16 : 64) && !bits.overrun; i++) {
      if (next !== 0) next = (last + bits.se() + 256) & 0xff;
      last = next === 0 ? last : next;
    }
  }
}

/** First NAL of a type in an hvcC's arrays. */
function findHevcArray(record: Uint8Array, nalType: number): Uint8Array | undefined {
  let at = 23;
  for (let array = 0; array < (record[22] as number) && at + 5 <= record.length; array++) {
    const type = (record[at] as number) & 0x3f;
    const count = ((record[at + 1] as number) << 8) | (record[at + 2] as number);
    at += 3;
    for (let i = 0; i < count && at + 2 <= record.length; i++) {
      const length = ((record[at] as number) << 8) | (record[at + 1] as number);
      if (type === nalType) return record.subarray(at + 2, at + 2 + length);
      at += 2 + length;
    }
  }
  return undefined;
}

/** ITU-T H.265, 7.3.2.2.1, up to the conformance window. */
function parseHevcSps(nal: Uint8Array): PictureSize | undefined {
  const bits = new BitReader(withoutEmulation(nal));
  bits.read(16 + 4);
  const subLayers = bits.read(3);
  bits.read(1);
  bits.skip(88); /* general profile, tier and compatibility */
  bits.skip(8); /* general level */
  const present: number[] = [];
  for (let i = 0; i < subLayers; i++) present.push(bits.read(2));
  if (subLayers > 0) bits.skip(2 * (8 - subLayers));
  for (const flags of present) bits.skip((flags & 2 ? 88 : 0) + (flags & 1 ? 8 : 0));
  bits.ue();
  const chromaFormat = bits.ue();
  if (chromaFormat === 3) bits.read(1);
  const codedWidth = bits.ue();
  const codedHeight = bits.ue();
  const crop = readCrop(bits);
  const unitX = chromaFormat === 1 || chromaFormat === 2 ? 2 : 1;
  const unitY = chromaFormat === 1 ? 2 : 1;
  return plausible(bits, codedWidth - crop.x * unitX, codedHeight - crop.y * unitY);
}

/** Cropping or conformance window: sums of left + right and top + bottom, in chroma units. */
function readCrop(bits: BitReader): { readonly x: number; readonly y: number } {
  if (!bits.read(1)) return { x: 0, y: 0 };
  const left = bits.ue();
  const right = bits.ue();
  const top = bits.ue();
  const bottom = bits.ue();
  return { x: left + right, y: top + bottom };
}

function plausible(bits: BitReader, width: number, height: number): PictureSize | undefined {
  const ok = !bits.overrun && width > 0 && height > 0 && width <= 16_384 && height <= 16_384;
  return ok ? { width, height } : undefined;
}

/** Drops the 0x03 of each 00 00 03 (H.264 and H.265, 7.3.1). */
function withoutEmulation(nal: Uint8Array): Uint8Array {
  const out = new Uint8Array(nal.length);
  let length = 0;
  let zeros = 0;
  for (const byte of nal) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    out[length++] = byte;
  }
  return out.subarray(0, length);
}

/** Bits from the most significant on. Past the end it gives zeros and says `overrun`. */
class BitReader {
  overrun = false;
  #at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Unsigned integer of 0..32 bits. */
  read(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) value = value * 2 + this.#bit();
    return value;
  }

  skip(count: number): void {
    this.#at += count;
    if (this.#at > this.#bytes.length * 8) this.overrun = true;
  }

  /** Exp-Golomb, unsigned (H.264, 9.1). */
  ue(): number {
    let zeros = 0;
    while (!this.overrun && zeros < 32 && this.#bit() === 0) zeros++;
    return 2 ** zeros - 1 + this.read(zeros);
  }

  /** Exp-Golomb, signed. */
  se(): number {
    const code = this.ue();
    return code % 2 === 0 ? -(code / 2) : (code + 1) / 2;
  }

  #bit(): number {
    const byte = this.#bytes[this.#at >> 3];
    if (byte === undefined) {
      this.overrun = true;
      return 0;
    }
    const bit = (byte >> (7 - (this.#at & 7))) & 1;
    this.#at++;
    return bit;
  }
}
