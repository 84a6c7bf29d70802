/**
 * Makes a trace for the simulator from an FLV file: the time, kind and size of every frame, none of its content.
 *
 *   bun runtime/tools/make-trace.ts INPUT.flv LOOP_SECONDS > TRACE.json
 *
 * LOOP_SECONDS should end where a group of pictures does, since the trace is played in a loop.
 */
import { readFileSync } from "node:fs";
import { FrameClassifier } from "../media/classify.ts";
import { FlvDemuxer } from "../media/flv.ts";
import { FrameKind, type MediaFrame } from "../wire/frame.ts";

const [input = "", seconds = ""] = process.argv.slice(2);
const loopMs = Number(seconds) * 1000;
if (input === "" || !(loopMs > 0)) {
  console.error("make-trace: needs an FLV file and the seconds of it that make the loop");
  process.exit(2);
}

const names = Object.fromEntries(Object.entries(FrameKind).map(([name, kind]) => [kind, name]));
const classifier = new FrameClassifier();
const frames: MediaFrame[] = [];
for (const tag of new FlvDemuxer().push(readFileSync(input))) {
  const frame = classifier.classify(tag);
  if (frame !== undefined && frame.kind !== FrameKind.metadata) frames.push(frame);
}
const firstMs = Math.min(...frames.map(({ dtsMs }) => dtsMs));
const lines = frames
  .map((frame) => ({ ...frame, dtsMs: frame.dtsMs - firstMs }))
  .filter(({ dtsMs }) => dtsMs < loopMs)
  .sort((a, b) => a.dtsMs - b.dtsMs)
  .map(({ dtsMs, kind, ptsOffsetMs, body }) =>
    JSON.stringify({ dtsMs, kind: names[kind], bytes: body.length, ptsOffsetMs }),
  );
console.log(`{"loopMs":${loopMs},"frames":[\n${lines.join(",\n")}\n]}`);
