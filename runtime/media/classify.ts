/**
 * Tells of each tag what the transport must know: is it a configuration, a frame to start from, one that others need,
 * or one that may be lost without harm (FrameKind). For H.264 and HEVC that last question is answered by the NAL
 * headers. A classifier follows one stream, because the length of NAL length fields is said in its configuration.
 */
import { FrameKind, type MediaFrame } from "../wire/frame.ts";
import { type AmfObject, type AmfValue, decodeAmf, encodeScript } from "./amf.ts";
import {
  type AudioConfig,
  audioText,
  parseAacConfig,
  parseAvcConfig,
  parseHevcConfig,
  parseOpusConfig,
  type VideoConfig,
  videoText,
} from "./codec-config.ts";
import { FLV_AUDIO, FLV_VIDEO, type FlvTag } from "./flv.ts";
import {
  FRAME_DISPOSABLE,
  FRAME_GENERATED_KEY,
  FRAME_KEY,
  parseAudioHeader,
  parseVideoHeader,
  type TagHeader,
} from "./tag-header.ts";

export class FrameClassifier {
  #video: VideoConfig | undefined;
  #audio: AudioConfig | undefined;
  #metadata: AmfObject = {};
  #ignored = 0;

  /**
   * The tag as a frame, its body untouched but for script data, of which only `onMetaData` is kept (without the
   * `@setDataFrame` that encoders put before it, and without a recording's length and index). Undefined for what a live
   * stream does not carry: end-of-sequence marks, seek commands, further tracks, other script data, and what cannot
   * be read.
   */
  classify(tag: FlvTag): MediaFrame | undefined {
    const frame =
      tag.type === FLV_AUDIO
        ? this.#audioFrame(tag)
        : tag.type === FLV_VIDEO
          ? this.#videoFrame(tag)
          : this.#script(tag);
    if (!frame) this.#ignored++;
    return frame;
  }

  /** Tags that gave no frame. */
  get ignored(): number {
    return this.#ignored;
  }

  /** For people, as far as known: "h264 854x480 / aac 48000 5.1"; empty before the first frame. */
  get codecs(): string {
    const { width, height, audiosamplerate } = this.#metadata;
    const parts: string[] = [];
    if (this.#video) {
      const sized =
        typeof width === "number" && typeof height === "number" ? { width, height } : {};
      parts.push(videoText({ ...sized, ...this.#video }));
    }
    if (this.#audio) {
      const rated = typeof audiosamplerate === "number" ? { sampleRate: audiosamplerate } : {};
      parts.push(audioText({ ...rated, ...this.#audio }));
    }
    return parts.join(" / ");
  }

  #audioFrame(tag: FlvTag): MediaFrame | undefined {
    const header = parseAudioHeader(tag.body);
    if (!header || header.role === "none") return undefined;
    const config = header.role === "config";
    if (config || !this.#audio) this.#audio = audioConfig(header, tag.body);
    return frameOf(tag, config ? FrameKind.audioConfig : FrameKind.audio, 0);
  }

  #videoFrame(tag: FlvTag): MediaFrame | undefined {
    const header = parseVideoHeader(tag.body);
    if (!header || header.role === "none") return undefined;
    const config = header.role === "config";
    if (config || !this.#video) this.#video = videoConfig(header, tag.body);
    if (config) return frameOf(tag, FrameKind.videoConfig, 0);
    /* Nothing decodes from side data, and a joiner does without it. */
    if (header.role === "side") return frameOf(tag, FrameKind.disposable, 0);
    return frameOf(tag, this.#videoKind(header, tag.body), header.ptsOffsetMs);
  }

  #videoKind(header: TagHeader, body: Uint8Array): FrameKind {
    if (header.frameType === FRAME_KEY || header.frameType === FRAME_GENERATED_KEY)
      return FrameKind.key;
    if (header.frameType === FRAME_DISPOSABLE) return FrameKind.disposable;
    const config = this.#video as VideoConfig;
    if (header.codec !== "avc1" && header.codec !== "hvc1") return FrameKind.inter;
    const unreferenced = header.codec === "avc1" ? avcUnreferenced : hevcUnreferenced;
    const disposable = nothingRefersTo(body, header.dataAt, config, unreferenced);
    return disposable ? FrameKind.disposable : FrameKind.inter;
  }

  #script(tag: FlvTag): MediaFrame | undefined {
    const body = startsWith(tag.body, SET_DATA_FRAME)
      ? tag.body.subarray(SET_DATA_FRAME.length)
      : tag.body;
    if (!startsWith(body, ON_META_DATA)) return undefined;
    const fields = decodeAmf(body)?.[1];
    if (!isObject(fields)) return undefined;
    this.#metadata = fields;
    return {
      kind: FrameKind.metadata,
      dtsMs: tag.dtsMs,
      ptsOffsetMs: 0,
      body: liveMetadata(fields, body),
    };
  }
}

/** AMF0 strings: marker 2, length, text. */
const SET_DATA_FRAME = amfString("@setDataFrame");
const ON_META_DATA = amfString("onMetaData");

function amfString(text: string): Uint8Array {
  return Uint8Array.from([2, 0, text.length, ...new TextEncoder().encode(text)]);
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return bytes.length >= prefix.length && prefix.every((byte, i) => bytes[i] === byte);
}

/** What describes a finished file; a player would take a live stream for one. */
const RECORDING_FIELDS = new Set([
  "duration",
  "filesize",
  "datasize",
  "videosize",
  "audiosize",
  "lasttimestamp",
  "lastkeyframetimestamp",
  "lastkeyframelocation",
  "hasKeyframes",
  "canSeekToEnd",
  "keyframes",
]);

function liveMetadata(fields: AmfObject, body: Uint8Array): Uint8Array {
  const entries = Object.entries(fields);
  const live = entries.filter(([name]) => !RECORDING_FIELDS.has(name));
  return live.length === entries.length
    ? body
    : encodeScript("onMetaData", Object.fromEntries(live));
}

function isObject(value: AmfValue): value is AmfObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function frameOf(tag: FlvTag, kind: FrameKind, ptsOffsetMs: number): MediaFrame {
  return { kind, dtsMs: tag.dtsMs, ptsOffsetMs, body: tag.body };
}

const VIDEO_NAMES: Readonly<Record<string, string>> = {
  av01: "av1",
  vp09: "vp9",
  vp08: "vp8",
  vvc1: "vvc",
  "2": "h263",
  "4": "vp6",
  "5": "vp6a",
};
const AUDIO_NAMES: Readonly<Record<string, string>> = {
  fLaC: "flac",
  "ac-3": "ac3",
  "ec-3": "eac3",
  ".mp3": "mp3",
  "2": "mp3",
  "14": "mp3",
  "11": "speex",
};

function videoConfig(header: TagHeader, body: Uint8Array): VideoConfig {
  const record = header.role === "config" ? body.subarray(header.dataAt) : new Uint8Array(0);
  if (header.codec === "avc1") return parseAvcConfig(record);
  if (header.codec === "hvc1") return parseHevcConfig(record);
  return { codec: nameOf(VIDEO_NAMES, header.codec), nalLengthSize: 0, temporalLayers: 0 };
}

function audioConfig(header: TagHeader, body: Uint8Array): AudioConfig {
  const record = header.role === "config" ? body.subarray(header.dataAt) : new Uint8Array(0);
  if (header.codec === "mp4a") return parseAacConfig(record);
  if (header.codec === "Opus") return parseOpusConfig(record);
  return { codec: nameOf(AUDIO_NAMES, header.codec) };
}

/** Never a control character: what an encoder sends ends up in logs and on pages. */
function nameOf(names: Readonly<Record<string, string>>, codec: string): string {
  const name = Object.hasOwn(names, codec) ? names[codec] : codec;
  return (name ?? codec).replace(/[^\w.-]/g, "?");
}

type Unreferenced = (nal: Uint8Array, at: number, config: VideoConfig) => boolean | undefined;

/** Whether no picture refers to this one, by all its slices; false as soon as the bytes leave a doubt. */
function nothingRefersTo(
  body: Uint8Array,
  from: number,
  config: VideoConfig,
  unreferenced: Unreferenced,
): boolean {
  const size = config.nalLengthSize;
  if (size === 0) return false;
  let slices = 0;
  for (let at = from; at < body.length; ) {
    if (at + size >= body.length) return false;
    let length = 0;
    for (let i = 0; i < size; i++) length = length * 256 + (body[at + i] as number);
    at += size;
    if (at + length > body.length) return false;
    const verdict = length === 0 ? undefined : unreferenced(body, at, config);
    if (verdict === false) return false;
    if (verdict === true) slices++;
    at += length;
  }
  return slices > 0;
}

/** ITU-T H.264, 7.4.1: nal_ref_idc of slices (types 1..5); undefined for other NAL units. */
function avcUnreferenced(body: Uint8Array, at: number): boolean | undefined {
  const head = body[at] as number;
  const type = head & 0x1f;
  return type >= 1 && type <= 5 ? (head & 0x60) === 0 : undefined;
}

/**
 * ITU-T H.265, table 7-1: sub-layer non-reference pictures have even types up to 14. Higher temporal layers may still
 * refer to them, so only the topmost layer's count (and none while their number is not known).
 */
function hevcUnreferenced(body: Uint8Array, at: number, config: VideoConfig): boolean | undefined {
  const type = ((body[at] as number) >> 1) & 0x3f;
  if (type > 31) return undefined;
  const layer = ((body[at + 1] ?? 0) & 7) - 1;
  return type <= 14 && type % 2 === 0 && layer === config.temporalLayers - 1;
}
