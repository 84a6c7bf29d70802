/** FLV clips of any weight, for what is asked of bytes alone: H.264 and AAC by their marks, their content noise. */
import { Prng } from "../../../runtime/base/prng.ts";
import { FLV_AUDIO, FLV_VIDEO, flvHeader, flvTag } from "../../../runtime/media/flv.ts";

export interface SyntheticClip {
  readonly seconds: number;
  readonly framesPerSecond: number;
  /** A key frame each so many. */
  readonly groupFrames: number;
  readonly frameBytes: number;
  /** AAC frames of 1,024 samples at 48 kHz beside the pictures; none by default. */
  readonly soundBytes?: number;
}

const SOUND_FRAME_MS = 1024 / 48;
/** AAC-LC, 48 kHz, stereo (ISO/IEC 14496-3, 1.6.2.1). */
const SOUND_CONFIGURATION = Uint8Array.of(0xaf, 0, 0x11, 0x90);

/** An AVC decoder configuration of baseline 640×360 (ISO/IEC 14496-15, 5.2.4.1). */
const CONFIGURATION =
  "17000000000142c01effe1001867" +
  "42c01ed900a02ff970110000030001000003003c8f162e48" +
  "01000468cb8cb2";

export function syntheticClip(clip: SyntheticClip): Uint8Array {
  const { soundBytes = 0, frameBytes } = clip;
  const random = new Prng(7);
  const parts = [
    flvHeader({ audio: soundBytes > 0, video: true }),
    flvTag(FLV_VIDEO, 0, Uint8Array.from(Buffer.from(CONFIGURATION, "hex"))),
  ];
  if (soundBytes > 0) parts.push(flvTag(FLV_AUDIO, 0, SOUND_CONFIGURATION));
  let soundAtMs = 0;
  for (let i = 0; i < clip.seconds * clip.framesPerSecond; i++) {
    const atMs = (i * 1000) / clip.framesPerSecond;
    parts.push(flvTag(FLV_VIDEO, Math.round(atMs), picture(random, frameBytes, isKey(clip, i))));
    if (soundBytes === 0) continue;
    for (; soundAtMs < atMs + 1000 / clip.framesPerSecond; soundAtMs += SOUND_FRAME_MS) {
      parts.push(flvTag(FLV_AUDIO, Math.round(soundAtMs), sound(random, soundBytes)));
    }
  }
  return Buffer.concat(parts);
}

function isKey(clip: SyntheticClip, index: number): boolean {
  return index % clip.groupFrames === 0;
}

/** One NAL unit behind its length: an IDR picture, or one that refers to others. */
function picture(random: Prng, bytes: number, key: boolean): Uint8Array {
  const body = new Uint8Array(bytes);
  random.fill(body);
  body.set([key ? 0x17 : 0x27, 1, 0, 0, 0, 0, 0, 0, 0, key ? 0x65 : 0x41]);
  new DataView(body.buffer).setUint32(5, bytes - 9);
  return body;
}

function sound(random: Prng, bytes: number): Uint8Array {
  const body = new Uint8Array(bytes);
  random.fill(body);
  body.set([0xaf, 1]);
  return body;
}
