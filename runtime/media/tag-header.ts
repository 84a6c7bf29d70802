/**
 * The first bytes of an audio or video tag's body: codec, packet type, frame type, composition time. Two generations:
 * the legacy header (Adobe FLV specification v10.1, E.4.2 and E.4.3; HEVC as codec 12 by convention) and the extended
 * one with a fourCC (Enhanced RTMP v2). Any bytes give a header or `undefined`; nothing is read outside the body.
 *
 * ```
 * legacy video:    frameType(4) codecId(4) │ AVC, HEVC: packetType(8) compositionTime(s24) │ data
 * extended video:  1 frameType(3) packetType(4) │ ModEx…* │ [multitrack(4) packetType(4)] fourCC(32) [track…] │
 *                  avc1, hvc1, vvc1 in CodedFrames: compositionTime(s24) │ data
 * legacy audio:    format(4) rate(2) size(1) stereo(1) │ AAC: packetType(8) │ data
 * extended audio:  9(4) packetType(4) │ ModEx…* │ [multitrack(4) packetType(4)] fourCC(32) [track…] │ data
 * ```
 */

/** What the packet is, the same for both generations and both media. */
export type PacketRole =
  /** Decoder configuration. */
  | "config"
  /** Coded data. */
  | "frame"
  /** Side data that belongs at its place in the stream (HDR description, channel layout). */
  | "side"
  /** End of sequence, seek commands: says nothing that a live stream needs. */
  | "none";

export interface TagHeader {
  readonly role: PacketRole;
  /** fourCC ("hvc1", "Opus"), or the legacy codec's number as text ("2"); AVC, HEVC and AAC always as fourCC. */
  readonly codec: string;
  /** Video: 1 key, 2 inter, 3 disposable, 4 generated key, 5 command. Audio: 0. */
  readonly frameType: number;
  /** Presentation minus decoding time, ms, −2^23..2^23−1. */
  readonly ptsOffsetMs: number;
  /** Where the codec's own bytes begin. */
  readonly dataAt: number;
}

export const FRAME_KEY = 1;
export const FRAME_DISPOSABLE = 3;
export const FRAME_GENERATED_KEY = 4;
const FRAME_COMMAND = 5;

const LEGACY_AVC = 7;
const LEGACY_HEVC = 12;
const LEGACY_AAC = 10;
const AUDIO_EXTENDED = 9;

/* Enhanced RTMP v2, VideoPacketType and AudioPacketType. */
const SEQUENCE_START = 0;
const CODED_FRAMES = 1;
const CODED_FRAMES_X = 3;
const VIDEO_METADATA = 4;
const VIDEO_MPEG2TS_SEQUENCE_START = 5;
const VIDEO_MULTITRACK = 6;
const AUDIO_MULTICHANNEL_CONFIG = 4;
const AUDIO_MULTITRACK = 5;
const MOD_EX = 7;

const ONE_TRACK = 0;
const MANY_TRACKS_MANY_CODECS = 2;

/** Header of a video tag's body; undefined when it is too short for what it says it is. */
export function parseVideoHeader(body: Uint8Array): TagHeader | undefined {
  const first = body[0];
  if (first === undefined) return undefined;
  const frameType = (first >> 4) & 7;
  if ((first & 0x80) === 0) return parseLegacyVideo(body, frameType, first & 15);
  const prefix = parseExtended(body, VIDEO_MULTITRACK, frameType === FRAME_COMMAND);
  if (!prefix) return undefined;
  const { codec, packetType } = prefix;
  const timed =
    packetType === CODED_FRAMES && (codec === "avc1" || codec === "hvc1" || codec === "vvc1");
  if (timed && body.length < prefix.dataAt + 3) return undefined;
  return {
    role: prefix.otherTrack ? "none" : extendedVideoRole(packetType),
    codec,
    frameType,
    ptsOffsetMs: timed ? readInt24(body, prefix.dataAt) : 0,
    dataAt: prefix.dataAt + (timed ? 3 : 0),
  };
}

/** Header of an audio tag's body; undefined when it is too short for what it says it is. */
export function parseAudioHeader(body: Uint8Array): TagHeader | undefined {
  const first = body[0];
  if (first === undefined) return undefined;
  const format = first >> 4;
  if (format === AUDIO_EXTENDED) {
    const prefix = parseExtended(body, AUDIO_MULTITRACK, false);
    if (!prefix) return undefined;
    const role = prefix.otherTrack ? "none" : extendedAudioRole(prefix.packetType);
    return { role, codec: prefix.codec, frameType: 0, ptsOffsetMs: 0, dataAt: prefix.dataAt };
  }
  if (format !== LEGACY_AAC) {
    return { role: "frame", codec: String(format), frameType: 0, ptsOffsetMs: 0, dataAt: 1 };
  }
  if (body.length < 2) return undefined;
  const role = body[1] === 0 ? "config" : body[1] === 1 ? "frame" : "none";
  return { role, codec: "mp4a", frameType: 0, ptsOffsetMs: 0, dataAt: 2 };
}

function parseLegacyVideo(
  body: Uint8Array,
  frameType: number,
  codecId: number,
): TagHeader | undefined {
  if (frameType === FRAME_COMMAND) {
    return { role: "none", codec: String(codecId), frameType, ptsOffsetMs: 0, dataAt: 1 };
  }
  if (codecId !== LEGACY_AVC && codecId !== LEGACY_HEVC) {
    return { role: "frame", codec: String(codecId), frameType, ptsOffsetMs: 0, dataAt: 1 };
  }
  if (body.length < 5) return undefined;
  const packetType = body[1];
  return {
    role: packetType === 0 ? "config" : packetType === 1 ? "frame" : "none",
    codec: codecId === LEGACY_AVC ? "avc1" : "hvc1",
    frameType,
    ptsOffsetMs: packetType === 1 ? readInt24(body, 2) : 0,
    dataAt: 5,
  };
}

function extendedVideoRole(packetType: number): PacketRole {
  switch (packetType) {
    case SEQUENCE_START:
    case VIDEO_MPEG2TS_SEQUENCE_START:
      return "config";
    case CODED_FRAMES:
    case CODED_FRAMES_X:
      return "frame";
    case VIDEO_METADATA:
      return "side";
    default:
      return "none";
  }
}

function extendedAudioRole(packetType: number): PacketRole {
  switch (packetType) {
    case SEQUENCE_START:
      return "config";
    case CODED_FRAMES:
      return "frame";
    case AUDIO_MULTICHANNEL_CONFIG:
      return "side";
    default:
      return "none";
  }
}

interface ExtendedPrefix {
  readonly packetType: number;
  readonly codec: string;
  readonly dataAt: number;
  /** It is about a further track alone; players of a live stream show the first. */
  readonly otherTrack: boolean;
}

function parseExtended(
  body: Uint8Array,
  multitrackType: number,
  command: boolean,
): ExtendedPrefix | undefined {
  let packetType = (body[0] as number) & 15;
  let at = 1;
  while (packetType === MOD_EX) {
    let size = (body[at++] ?? 0) + 1;
    if (size === 256) {
      size = (((body[at] ?? 0) << 8) | (body[at + 1] ?? 0)) + 1;
      at += 2;
    }
    at += size;
    const next = body[at++];
    if (next === undefined) return undefined;
    packetType = next & 15;
  }
  if (command && packetType !== VIDEO_METADATA) {
    return { packetType: MOD_EX, codec: "", dataAt: at, otherTrack: false };
  }
  if (packetType !== multitrackType) {
    const codec = readFourCc(body, at);
    return codec === undefined
      ? undefined
      : { packetType, codec, dataAt: at + 4, otherTrack: false };
  }
  const tracks = body[at++];
  if (tracks === undefined) return undefined;
  const arrangement = tracks >> 4;
  const codec = readFourCc(body, at);
  const trackAt = at + 4;
  const track = body[trackAt];
  if (codec === undefined || track === undefined || arrangement > MANY_TRACKS_MANY_CODECS)
    return undefined;
  return {
    packetType: tracks & 15,
    codec,
    dataAt: trackAt + 1 + (arrangement === ONE_TRACK ? 0 : 3),
    otherTrack: arrangement === ONE_TRACK && track !== 0,
  };
}

function readFourCc(body: Uint8Array, at: number): string | undefined {
  if (body.length < at + 4) return undefined;
  return String.fromCharCode(...body.subarray(at, at + 4));
}

function readInt24(bytes: Uint8Array, at: number): number {
  const value =
    ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
  return (value << 8) >> 8;
}
