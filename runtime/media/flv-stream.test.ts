import { expect, test } from "bun:test";
import { FrameKind, type MediaFrame } from "../wire/frame.ts";
import { decodeAmf } from "./amf.ts";
import { FlvDemuxer } from "./flv.ts";
import { FlvReader } from "./flv-reader.ts";
import { FlvStreamWriter, type StreamFrame } from "./flv-stream.ts";

function item(
  kind: FrameKind,
  dtsMs: number,
  epoch = 1,
  size = 4,
  capturedAtEpochMs?: number,
): StreamFrame {
  const frame: MediaFrame = {
    kind,
    dtsMs,
    ptsOffsetMs: 0,
    body: new Uint8Array(size).fill(kind + 1),
  };
  return { frame, epoch, capturedAtEpochMs };
}

const { audioConfig, videoConfig, metadata, audio, key, inter } = FrameKind;
const HEADS: readonly FrameKind[] = [metadata, videoConfig, audioConfig];
const heads = (epoch = 1): StreamFrame[] => HEADS.map((kind) => item(kind, 0, epoch));

/** "9@40": type and timestamp of each tag written; the header must come first. */
function written(items: readonly StreamFrame[], captureMarks = false): string[] {
  const writer = new FlvStreamWriter({ captureMarks });
  const bytes = items.flatMap((one) => writer.write(one).map((chunk) => chunk.bytes));
  return new FlvDemuxer()
    .push(new Uint8Array(Buffer.concat(bytes)))
    .map((tag) => `${tag.type}@${tag.dtsMs}`);
}

test("begins at a key frame, behind header, metadata and configurations", () => {
  const found = written([
    item(inter, 10),
    ...heads(),
    item(inter, 960),
    item(audio, 980),
    item(key, 1_000),
  ]);
  expect(found).toEqual(["18@0", "9@1000", "8@1000", "9@1000"]);
});

test("keeps the first epoch's timestamps and writes repeated configurations once", () => {
  const found = written([
    ...heads(),
    item(key, 5_000),
    item(audio, 4_990),
    ...heads(),
    item(key, 6_000),
  ]);
  expect(found).toEqual(["18@0", "9@5000", "8@5000", "9@5000", "8@4990", "9@6000"]);
});

test("writes a configuration that changed, before the frame that needs it", () => {
  const found = written([...heads(), item(key, 0), item(videoConfig, 0, 1, 9), item(key, 40)]);
  expect(found.slice(3)).toEqual(["9@0", "9@40", "9@40"]);
});

test("goes on monotonically in a new epoch, from its first key frame", () => {
  const found = written([
    ...heads(),
    item(key, 90_000),
    item(audio, 90_020),
    ...heads(2),
    item(audio, 20, 2),
    item(key, 40, 2),
    item(audio, 30, 2),
    item(audio, 50, 2),
  ]);
  expect(found.slice(3)).toEqual(["9@90000", "8@90020", "9@90060", "8@90070"]);
});

test("closes a jump of the timestamps, back or far ahead, at the next key frame", () => {
  const jump = (toMs: number): string[] =>
    written([
      ...heads(),
      item(key, 50_000),
      item(inter, toMs),
      item(key, toMs + 40),
      item(inter, toMs + 80),
    ]);
  expect(jump(10).slice(3)).toEqual(["9@50000", "9@50040", "9@50080"]);
  expect(jump(99_000).slice(3)).toEqual(["9@50000", "9@50040", "9@50080"]);
});

test("timestamps pass 2^32 without a break", () => {
  const found = written([...heads(), item(key, 0xffff_fff0), item(inter, 24)]);
  expect(found.slice(3)).toEqual([`9@${0xffff_fff0}`, "9@24"]);
});

test("sound without pictures begins after a second", () => {
  const sound = Array.from({ length: 60 }, (_, i) => item(audio, i * 20));
  const found = written([item(audioConfig, 0), ...sound]);
  expect(found.slice(0, 3)).toEqual(["8@1000", "8@1000", "8@1020"]);
});

test("the page's reader gets a capture mark ahead of each picture, and no sound of before the first", () => {
  const writer = new FlvStreamWriter({ captureMarks: true });
  const items = [
    ...heads(),
    item(key, 500, 1, 4, 1e12),
    item(audio, 490),
    item(audio, 510),
    item(inter, 540, 1, 4, 1e12 + 40),
  ];
  const bytes = items.flatMap((one) => writer.write(one).map((chunk) => chunk.bytes));
  const tags = new FlvDemuxer().push(new Uint8Array(Buffer.concat(bytes)));
  const marks = tags.filter((tag) => tag.type === 18).slice(1);
  expect(tags.map((tag) => tag.type)).toEqual([18, 9, 8, 18, 9, 8, 18, 9]);
  const values: unknown[] = marks.map((tag) => decodeAmf(tag.body));
  expect(values).toEqual([
    ["onShoal", nullObject({ dtsMs: 500, ptsMs: 500, capturedAtEpochMs: 1e12 })],
    ["onShoal", nullObject({ dtsMs: 540, ptsMs: 540, capturedAtEpochMs: 1e12 + 40 })],
  ]);
});

function nullObject(fields: Record<string, number>): unknown {
  return Object.assign(Object.create(null), fields);
}

function drain(reader: FlvReader, nowMs: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let piece = reader.take(nowMs); piece; piece = reader.take(nowMs)) pieces.push(piece);
  return pieces;
}

test("a slow reader loses what waits and goes on at the next key frame, configurations kept", () => {
  const reader = new FlvReader({ queueBytesMax: 3_000 });
  reader.start(0, [...heads(), item(key, 0, 1, 9_000)]);
  for (let i = 1; i <= 10; i++) reader.push(0, item(inter, i * 40, 1, 1_000));
  expect(reader.queuedBytes).toBeLessThan(13_500);
  reader.push(0, item(key, 440, 1, 1_000));
  reader.push(0, item(inter, 480, 1, 1_000));
  expect(reader.framesSkipped).toBe(11);
  const tags = new FlvDemuxer().push(new Uint8Array(Buffer.concat(drain(reader, 0))));
  expect(tags.map((tag) => `${tag.type}@${tag.dtsMs}`)).toEqual([
    "18@0",
    "9@0",
    "8@0",
    "9@440",
    "9@480",
  ]);
  expect(reader.queuedBytes).toBe(0);
});

test("memory stays bounded while nobody reads, and such a reader is given up", () => {
  const reader = new FlvReader({ queueBytesMax: 10_000, stalledMsMax: 5_000 });
  reader.start(0, heads());
  for (let i = 0; i < 1_000; i++) {
    reader.push(i * 40, item(i % 25 === 0 ? key : inter, i * 40, 1, 1_000));
    expect(reader.queuedBytes).toBeLessThan(12_000);
  }
  expect(reader.stalled(4_000)).toBe(false);
  expect(reader.stalled(40_000)).toBe(true);
  drain(reader, 40_000);
  expect(reader.stalled(99_000)).toBe(false);
});
