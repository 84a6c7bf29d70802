/**
 * How a player page learns when the picture on its screen was captured. Ahead of each video frame the FLV stream of
 * such a reader carries a script tag `onShoal { dtsMs, ptsMs, capturedAtEpochMs }` with that frame's timestamps as
 * written into this very stream. mpegts.js 1.8.2 hands it on as `Events.SCRIPTDATA_ARRIVED` with `{ onShoal: {...} }`.
 *
 * Its media time begins at the first frame's decoding time (`MP4Remuxer._calculateDtsBase`: the lesser of the first
 * audio and the first video dts; here always the first key frame, because `FlvStreamWriter` leaves out audio before
 * it), and video keeps its gaps. So for a frame that `requestVideoFrameCallback` reports:
 *
 *     ptsMs = first mark's dtsMs + metadata.mediaTime · 1000
 *     delay = expected display time (epoch ms) − capturedAtEpochMs of the mark with that ptsMs
 *
 * Both times are of the wall clock of the program that serves the stream.
 */
import { encodeScript } from "./amf.ts";
import { FLV_SCRIPT, flvTag } from "./flv.ts";

/** A video frame's times, ms, and when it was captured, ms since 1970. */
export interface CaptureMark {
  readonly dtsMs: number;
  readonly ptsMs: number;
  readonly capturedAtEpochMs: number;
}

/** The whole FLV tag, at the frame's own `dtsMs`. */
export function captureTag(mark: CaptureMark): Uint8Array {
  const { dtsMs, ptsMs, capturedAtEpochMs } = mark;
  return flvTag(FLV_SCRIPT, dtsMs, encodeScript("onShoal", { dtsMs, ptsMs, capturedAtEpochMs }));
}
