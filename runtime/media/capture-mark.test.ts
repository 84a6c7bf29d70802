import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { openSource } from "./file-source.ts";
import { FlvReader } from "./flv-reader.ts";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => existsSync(path),
);
const CLIP = join(import.meta.dir, "../../../shared/clips/bbb-480p-30s.mp4");
const DEMO = join(import.meta.dir, "assets/demo.flv");
const MPEGTS = join(import.meta.dir, "../../node_modules/mpegts.js/dist/mpegts.js");

interface Seen {
  readonly marks: { dtsMs: number; ptsMs: number; capturedAtEpochMs: number }[];
  readonly frames: { mediaTimeMs: number; shownAtEpochMs: number }[];
}

const PAGE = `<!doctype html><video muted autoplay></video><script src="/mpegts.js"></script><script>
  const seen = { marks: [], frames: [] };
  const video = document.querySelector("video");
  const player = mpegts.createPlayer({ type: "flv", isLive: true, url: "/live.flv" },
    { enableStashBuffer: false, lazyLoad: false });
  player.on(mpegts.Events.SCRIPTDATA_ARRIVED, (data) => { if (data.onShoal) seen.marks.push(data.onShoal); });
  const onFrame = (now, frame) => {
    seen.frames.push({ mediaTimeMs: frame.mediaTime * 1000,
      shownAtEpochMs: performance.timeOrigin + frame.expectedDisplayTime });
    video.requestVideoFrameCallback(onFrame);
  };
  video.requestVideoFrameCallback(onFrame);
  player.attachMediaElement(video);
  player.load();
</script>`;

/** The clip as live FLV with capture marks, from `fromMs` on; what comes before goes by as fast as it can. */
function liveStream(clip: string, fromMs: number): ReadableStream<Uint8Array> {
  const reader = new FlvReader({ captureMarks: true, queueBytesMax: 64_000_000 });
  const sleep = (spanMs: number): Promise<void> => Bun.sleep(spanMs);
  return new ReadableStream({
    async start(controller) {
      const source = await openSource(clip, {
        loop: false,
        realtime: false,
        clock: { now: () => performance.now(), sleep },
      });
      const startedAt = performance.now();
      for await (const frame of source.frames()) {
        if (frame.kind > 2 && frame.dtsMs < fromMs) continue;
        const waitMs = startedAt + frame.dtsMs - fromMs - performance.now();
        if (waitMs > 0) await sleep(waitMs);
        reader.push(0, { frame, epoch: 1, capturedAtEpochMs: Date.now() });
        for (let bytes = reader.take(0); bytes; bytes = reader.take(0)) {
          try {
            controller.enqueue(bytes);
          } catch {
            return source.close(); /* the page is gone */
          }
        }
      }
    },
  });
}

async function watch(clip: string, fromMs: number): Promise<Seen> {
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    routes: {
      "/": () => new Response(PAGE, { headers: { "content-type": "text/html" } }),
      "/mpegts.js": () => new Response(Bun.file(MPEGTS)),
      "/live.flv": () => new Response(liveStream(clip, fromMs)),
    },
  });
  const browser = await chromium.launch({
    executablePath: CHROMIUM as string,
    args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
  });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.port}/`);
    await page.waitForFunction("seen.frames.length >= 60", undefined, { timeout: 15_000 });
    return (await page.evaluate("seen")) as Seen;
  } finally {
    await browser.close();
  }
}

async function expectEachPictureMarked(clip: string, fromMs: number): Promise<void> {
  const { marks, frames } = await watch(clip, fromMs);
  const baseMs = marks[0]?.dtsMs ?? 0;
  const byPts = new Map(marks.map((mark) => [mark.ptsMs, mark]));
  const delays: number[] = [];
  for (const { mediaTimeMs, shownAtEpochMs } of frames) {
    const mark = byPts.get(Math.round(baseMs + mediaTimeMs));
    expect(mark, `a mark at ${baseMs + mediaTimeMs} ms`).toBeDefined();
    delays.push(shownAtEpochMs - (mark?.capturedAtEpochMs ?? 0));
  }
  expect(delays.length).toBeGreaterThanOrEqual(60);
  expect(Math.min(...delays)).toBeGreaterThan(0);
  expect(delays.toSorted((a, b) => a - b)[30]).toBeLessThan(4_000);
}

test.skipIf(!CHROMIUM)(
  "mpegts.js: each picture on the screen is found by its capture mark [needs chromium]",
  () => expectEachPictureMarked(DEMO, 3_000),
  40_000,
);

test.skipIf(!CHROMIUM || !existsSync(CLIP))(
  "the same with B-frames and 5.1 sound, joined late [needs chromium and ../shared/clips]",
  () => expectEachPictureMarked(CLIP, 9_000),
  40_000,
);
