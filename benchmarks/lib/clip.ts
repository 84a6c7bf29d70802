/** The stream that figures of cost and start-up are measured with. */

/** 800 kbit/s: 736 of pictures and 64 of sound, a key frame each two seconds; in bytes a frame. */
export const CLIP_800K = {
  seconds: 20,
  framesPerSecond: 25,
  groupFrames: 50,
  frameBytes: 3_680,
  soundBytes: 170,
} as const;
