/**
 * One encoded audio or video frame, or one codec configuration: what an encoder gives and a player takes. The body is
 * the FLV / enhanced-RTMP tag body, kept byte for byte from encoder to player.
 */

/** What a frame is, as the transport needs to know it. Values are the wire's (docs/WIRE.md). */
export const FrameKind = {
  /** Sequence header: decoder configuration of the audio or video track. */
  audioConfig: 0,
  videoConfig: 1,
  /** AMF script data (onMetaData). */
  metadata: 2,
  audio: 3,
  /** Video that needs no other frame. */
  key: 4,
  /** Video that others refer to. */
  inter: 5,
  /** Video that nothing refers to (H.264 nal_ref_idc 0, HEVC sub-layer non-reference). */
  disposable: 6,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

export interface MediaFrame {
  readonly kind: FrameKind;
  /** Decoding time, ms, 0..2^32−1, as in the FLV tag. */
  readonly dtsMs: number;
  /** Presentation minus decoding time, ms, −2^23..2^23−1; 0 for audio. */
  readonly ptsOffsetMs: number;
  /** FLV tag body, 1 B..1 MiB. */
  readonly body: Uint8Array;
}

/** FLV tag type of a frame (Adobe FLV specification v10.1, E.4.1). */
export function flvTagType(kind: FrameKind): 8 | 9 | 18 {
  if (kind === FrameKind.metadata) return 18;
  return kind === FrameKind.audio || kind === FrameKind.audioConfig ? 8 : 9;
}
