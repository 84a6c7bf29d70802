/** FLV clips of any weight, for what is asked of bytes alone: H.264 by their marks, their pictures noise. */
import { Prng } from "../../../runtime/base/prng.ts";
import { FLV_VIDEO, flvHeader, flvTag } from "../../../runtime/media/flv.ts";

export interface SyntheticClip {
  readonly seconds: number;
  readonly framesPerSecond: number;
  /** A key frame each so many. */
  readonly groupFrames: number;
  readonly frameBytes: number;
}

/** An AVC decoder configuration of baseline 640×360 (ISO/IEC 14496-15, 5.2.4.1). */
const CONFIGURATION =
  "17000000000142c01effe1001867" +
  "42c01ed900a02ff970110000030001000003003c8f162e48" +
  "01000468cb8cb2";

export function syntheticClip(clip: SyntheticClip): Uint8Array {
  const random = new Prng(7);
  const parts = [
    flvHeader({ audio: false, video: true }),
    flvTag(FLV_VIDEO, 0, Uint8Array.from(Buffer.from(CONFIGURATION, "hex"))),
  ];
  for (let i = 0; i < clip.seconds * clip.framesPerSecond; i++) {
    const body = new Uint8Array(clip.frameBytes);
    random.fill(body);
    const isKey = i % clip.groupFrames === 0;
    /* One NAL unit behind its length: an IDR picture, or one that refers to others. */
    const head = [isKey ? 0x17 : 0x27, 1, 0, 0, 0, 0, 0, 0, 0, isKey ? 0x65 : 0x41];
    body.set(head);
    new DataView(body.buffer).setUint32(5, clip.frameBytes - 9);
    parts.push(flvTag(FLV_VIDEO, Math.round((i * 1000) / clip.framesPerSecond), body));
  }
  return Buffer.concat(parts);
}
