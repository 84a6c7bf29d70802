import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FrameKind, type MediaFrame } from "../wire/frame.ts";
import { encodeScript } from "./amf.ts";
import { openSource, type SourceClock, SourceError, type SourceOptions } from "./file-source.ts";
import { FLV_AUDIO, FLV_SCRIPT, FLV_VIDEO, flvHeader, flvTag } from "./flv.ts";

const DEMO = join(import.meta.dir, "assets/demo.flv");
const CLIP = join(import.meta.dir, "../../../shared/clips/bbb-480p-30s.mp4");
/** One AAC frame of 1,024 samples at 48 kHz: sound begins that much before the picture. */
const AAC_DELAY_MS = 21;
const hasFfmpeg = spawnSync("ffmpeg", ["-version"]).status === 0;

/** Time that only passes by sleeping. */
class VirtualClock implements SourceClock {
  nowMs = 1_000;
  now(): number {
    return this.nowMs;
  }
  async sleep(spanMs: number): Promise<void> {
    this.nowMs += spanMs;
  }
}

function options(changes: Partial<SourceOptions> = {}): SourceOptions {
  return { loop: false, realtime: false, clock: new VirtualClock(), ...changes };
}

async function* pieces(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

/** At most `count` frames. */
async function take(
  input: string,
  settings: SourceOptions,
  count = Number.POSITIVE_INFINITY,
): Promise<MediaFrame[]> {
  const source = await openSource(input, settings);
  const frames: MediaFrame[] = [];
  for await (const frame of source.frames()) {
    frames.push(frame);
    if (frames.length >= count) source.close();
  }
  return frames;
}

function media(frames: readonly MediaFrame[]): MediaFrame[] {
  return frames.filter((frame) => frame.kind > FrameKind.metadata);
}

const small = [
  flvHeader({ audio: true, video: true }),
  flvTag(FLV_SCRIPT, 0, encodeScript("onMetaData", { width: 640, duration: 1 })),
  flvTag(FLV_VIDEO, 100, Uint8Array.of(0x12, 1)),
  flvTag(FLV_AUDIO, 110, Uint8Array.of(0x2f, 1)),
  flvTag(FLV_VIDEO, 140, Uint8Array.of(0x22, 1)),
];

test("the demo clip: both tracks, a key frame every two seconds, equally long", async () => {
  const source = await openSource(DEMO, options());
  const frames: MediaFrame[] = [];
  for await (const frame of source.frames()) frames.push(frame);
  expect(source.codecs).toBe("h264 640x360 / aac 48000 stereo");
  const keys = frames.filter((frame) => frame.kind === FrameKind.key).map((frame) => frame.dtsMs);
  expect(keys).toEqual(Array.from({ length: 11 }, (_, i) => AAC_DELAY_MS + i * 2_000));
  const last = (kind: FrameKind): number =>
    frames.findLast((frame) => frame.kind === kind)?.dtsMs ?? 0;
  expect(last(FrameKind.inter)).toBe(AAC_DELAY_MS + 20_440);
  expect(last(FrameKind.audio)).toBe(20_458);
});

test("in a loop timestamps go on, one frame after the last, and configurations are not repeated", async () => {
  const frames = await take(DEMO, options({ loop: true }), 4_000);
  const video = media(frames).filter((frame) => frame.kind >= FrameKind.key);
  expect(video.length).toBeGreaterThan(1_100);
  for (const [i, frame] of video.entries()) expect(frame.dtsMs).toBe(AAC_DELAY_MS + i * 40);
  const audio = frames
    .filter((frame) => frame.kind === FrameKind.audio)
    .map((frame) => frame.dtsMs);
  for (const [i, dtsMs] of audio.entries())
    expect(dtsMs - (audio[i - 1] ?? dtsMs)).toBeWithin(0, 25);
  expect(frames.filter((frame) => frame.kind <= FrameKind.metadata)).toHaveLength(3);
});

test("keeps the pace of the timestamps", async () => {
  const clock = new VirtualClock();
  const source = await openSource(DEMO, options({ realtime: true, clock }));
  for await (const frame of source.frames()) {
    if (frame.kind > FrameKind.metadata) expect(clock.nowMs).toBe(1_000 + frame.dtsMs);
  }
});

test("catches up after a short delay, and starts the pace afresh after a long one", async () => {
  const pausedFor = async (pauseMs: number): Promise<number> => {
    const clock = new VirtualClock();
    const source = await openSource(DEMO, options({ realtime: true, clock }));
    for await (const frame of source.frames()) {
      if (frame.dtsMs === AAC_DELAY_MS + 2_000) clock.nowMs += pauseMs;
      if (frame.dtsMs === AAC_DELAY_MS + 6_000) return clock.nowMs - 1_000 - frame.dtsMs;
    }
    return Number.NaN;
  };
  expect(await pausedFor(1_500)).toBe(0);
  expect(await pausedFor(60_000)).toBeWithin(59_900, 60_001);
});

test("FLV on standard input, cut anywhere; a last tag cut short is left out", async () => {
  const whole = Buffer.concat(small);
  const stdin = pieces(whole.subarray(0, 5), whole.subarray(5, 50), whole.subarray(50, -3));
  const frames = await take("-", options({ stdin }));
  expect(frames.map((frame) => [frame.kind, frame.dtsMs])).toEqual([
    [FrameKind.metadata, 0],
    [FrameKind.key, 100],
    [FrameKind.audio, 110],
  ]);
});

test.skipIf(!hasFfmpeg || !existsSync(CLIP))(
  "other files come through ffmpeg, their frames untouched, in a loop too [needs ffmpeg and ../shared/clips]",
  async () => {
    const once = media(await take(CLIP, options()));
    expect(once.length).toBeGreaterThan(2_000);
    const twice = media(await take(CLIP, options({ loop: true }), 2 * once.length));
    const again = twice[once.length] as MediaFrame;
    expect(again.body).toEqual(once[0]?.body as Uint8Array);
    expect(again.dtsMs).toBeWithin(30_000, 30_500);
  },
);

test.skipIf(!hasFfmpeg)("closing ends ffmpeg and the frames [needs ffmpeg]", async () => {
  const source = await openSource("rtmp://127.0.0.1:1/live/none", options());
  const frames = take("rtmp://127.0.0.1:1/live/none", options());
  expect(frames).rejects.toThrow("ffmpeg cannot turn it into FLV");
  source.close();
  for await (const _ of source.frames()) throw new Error("no frame was expected");
});

test("says what is wrong with an input and what to do", async () => {
  const folder = await mkdtemp(join(tmpdir(), "shoal-source-"));
  const text = join(folder, "notes.txt");
  const broken = join(folder, "broken.flv");
  const empty = join(folder, "empty.flv");
  await writeFile(text, "hello");
  await writeFile(broken, Buffer.concat([...small, Buffer.alloc(40, 0x77)]));
  await writeFile(empty, flvHeader({ audio: true, video: true }));
  const failure = (input: string, changes?: Partial<SourceOptions>): Promise<string> =>
    take(input, options(changes)).then(
      () => "",
      (error) => (error instanceof SourceError ? error.message : `unexpected ${error}`),
    );
  try {
    expect(await failure(join(folder, "absent.mp4"))).toEndWith("absent.mp4: no such file");
    expect(await failure(folder)).toContain("a folder, not a file");
    expect(await failure(broken)).toMatch(
      /broken\.flv: not FLV: a tag of type 119 \(at byte \d+\)/,
    );
    expect(await failure(empty)).toContain("no audio or video in it");
    expect(await failure(text, { ffmpeg: "no-such-ffmpeg" })).toContain(
      "no-such-ffmpeg is not installed",
    );
    expect(await failure("-", { loop: true })).toContain("give a file");
    expect(await failure("srt://127.0.0.1:1", { loop: true })).toContain("only files");
    if (hasFfmpeg)
      expect(await failure(text)).toContain("ffmpeg cannot turn it into FLV without re-encoding");
  } finally {
    await rm(folder, { recursive: true });
  }
});
