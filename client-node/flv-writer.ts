/** Frames to FLV bytes, with the script tag that tells the player page when a frame was captured. */
import { encodeScript } from "../runtime/media/amf.ts";
import { FLV_SCRIPT, flvHeader, flvTag } from "../runtime/media/flv.ts";
import { flvTagType } from "../runtime/wire/frame.ts";
import type { FlvWriter } from "./flv-hub.ts";

export const flvWriter: FlvWriter = {
  header: (audio, video) => flvHeader({ audio, video }),
  tag: (frame, timestampMs) => flvTag(flvTagType(frame.kind), timestampMs, frame.body),
  mark(frame, timestampMs, capturedAtEpochMs) {
    const ptsMs = timestampMs + frame.ptsOffsetMs;
    const script = encodeScript("onShoal", { dtsMs: timestampMs, ptsMs, capturedAtEpochMs });
    return flvTag(FLV_SCRIPT, timestampMs, script);
  },
};
