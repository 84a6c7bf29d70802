/**
 * Shoal's publisher as `shoal publish` runs it, its frames made here: `shoal-sender.ts HOST PORT FRAMES FPS BYTES
 * BUDGET-MS`. A key frame each two seconds, the others each need the one before.
 */
import { PublishedStream } from "../../../client-node/published-stream.ts";
import { createHotPath } from "../../../runtime/wasm/create.ts";
import { FrameKind } from "../../../runtime/wire/frame.ts";
import { sendFrames } from "./pace.ts";

const [ip = "", ...rest] = process.argv.slice(2);
const [port = 0, frames = 0, fps = 0, frameBytes = 0, budgetMs = 0] = rest.map(Number);
const GROUP_SECONDS = 2;

const stream = await PublishedStream.open(
  createHotPath({ memoryMiB: 256 }),
  {
    edges: [{ family: 4, ip, port }],
    stream: "live/wan",
    key: "",
    agent: "shoal-bench",
    budgetMs,
  },
  {
    event: (event) => {
      if (event.type === "disconnected" || event.type === "refused") console.error(event);
    },
    trouble: (error) => console.error(error),
  },
);
await stream.connected;
console.log("connected");
await Bun.sleep(500);
await sendFrames({ frames, fps, frameBytes }, (frame) => {
  const isKey = frame % (fps * GROUP_SECONDS) === 0;
  const body = new Uint8Array(frameBytes);
  const dtsMs = Math.round((frame * 1000) / fps);
  stream.push({ kind: isKey ? FrameKind.key : FrameKind.inter, dtsMs, ptsOffsetMs: 0, body });
});
process.stdin
  .on("end", () => {
    void stream.close().then(() => process.exit(0));
  })
  .resume();
