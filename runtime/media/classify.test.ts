import { expect, test } from "bun:test";
import fc from "fast-check";
import { FrameKind } from "../wire/frame.ts";
import { decodeAmf, encodeScript } from "./amf.ts";
import { FrameClassifier } from "./classify.ts";
import { FLV_AUDIO, FLV_SCRIPT, FLV_VIDEO, type FlvTag, type FlvTagType } from "./flv.ts";

function tag(type: FlvTagType, ...parts: (number | string | readonly number[])[]): FlvTag {
  const bytes = parts.flatMap((part) =>
    typeof part === "number"
      ? [part]
      : typeof part === "string"
        ? [...new TextEncoder().encode(part)]
        : [...part],
  );
  return { type, dtsMs: 7, body: Uint8Array.from(bytes) };
}

/** 854x480 (High, cropped from 864), NAL lengths of 4 bytes. */
const AVC_CONFIG = Buffer.from(
  "0164001effe1001a6764001eacd940d83de6f0110000030001000003003c0f162d9601000668ebe3cb22c0",
  "hex",
);
const avcConfig = tag(FLV_VIDEO, 0x17, 0, 0, 0, 0, [...AVC_CONFIG]);

function avcFrame(head: number, ...nals: number[][]): FlvTag {
  return tag(FLV_VIDEO, head, 1, 0, 0, 40, ...nals.map((nal) => [0, 0, 0, nal.length, ...nal]));
}

function kinds(...tags: FlvTag[]): (FrameKind | undefined)[] {
  const classifier = new FrameClassifier();
  return tags.map((item) => classifier.classify(item)?.kind);
}

test("H.264: configuration, key, referenced and unreferenced frames", () => {
  const slices = [
    avcConfig,
    avcFrame(0x17, [0x06, 1], [0x65, 1, 2]),
    avcFrame(0x27, [0x41, 1, 2]),
    avcFrame(0x27, [0x01, 1, 2]),
    avcFrame(0x27, [0x09, 0xf0], [0x01, 1], [0x01, 2]),
    avcFrame(0x27, [0x01, 1], [0x21, 2]),
  ];
  expect(kinds(...slices)).toEqual([
    FrameKind.videoConfig,
    FrameKind.key,
    FrameKind.inter,
    FrameKind.disposable,
    FrameKind.disposable,
    FrameKind.inter,
  ]);
});

test("H.264: a frame counts as referenced whenever its bytes leave a doubt", () => {
  const noConfig = avcFrame(0x27, [0x01, 1]);
  expect(kinds(noConfig)).toEqual([FrameKind.inter]);
  const cut = tag(FLV_VIDEO, 0x27, 1, 0, 0, 0, [0, 0, 0, 9, 0x01]);
  const noSlice = avcFrame(0x27, [0x06, 1]);
  expect(kinds(avcConfig, cut, noSlice).slice(1)).toEqual([FrameKind.inter, FrameKind.inter]);
});

test("composition time: signed, legacy and extended; none in CodedFramesX", () => {
  const classifier = new FrameClassifier();
  const offset = (item: FlvTag): number | undefined => classifier.classify(item)?.ptsOffsetMs;
  expect(offset(avcFrame(0x27, [0x41, 1]))).toBe(40);
  expect(offset(tag(FLV_VIDEO, 0x27, 1, 0xff, 0xff, 0xd8, 1))).toBe(-40);
  expect(offset(tag(FLV_VIDEO, 0xa1, "hvc1", 0, 0, 80, 1))).toBe(80);
  expect(offset(tag(FLV_VIDEO, 0xa3, "hvc1", 0, 0, 80, 1))).toBe(0);
  expect(offset(tag(FLV_VIDEO, 0xa1, "av01", 0, 0, 80, 1))).toBe(0);
});

test("extended video: HEVC, AV1, VP9; side data may be lost; ends and commands are left out", () => {
  const found = kinds(
    tag(FLV_VIDEO, 0x90, "hvc1", new Array(23).fill(0)),
    tag(FLV_VIDEO, 0x91, "hvc1", 0, 0, 0, 1),
    tag(FLV_VIDEO, 0x93, "av01", 1),
    tag(FLV_VIDEO, 0xa1, "vp09", 1),
    tag(FLV_VIDEO, 0x94, "hvc1", 2, 0, 0),
    tag(FLV_VIDEO, 0x92, "hvc1"),
    tag(FLV_VIDEO, 0xd1, 0),
    tag(FLV_VIDEO, 0x17, 2, 0, 0, 0),
    tag(FLV_VIDEO, 0x57, 0),
  );
  const { videoConfig, key, inter, disposable } = FrameKind;
  const nothing = undefined;
  expect(found).toEqual([
    videoConfig,
    key,
    key,
    inter,
    disposable,
    nothing,
    nothing,
    nothing,
    nothing,
  ]);
});

test("HEVC: only the topmost temporal layer's non-reference pictures are disposable", () => {
  const config = (layers: number): FlvTag => {
    const record = new Array<number>(23).fill(0);
    record[21] = (layers << 3) | 3;
    return tag(FLV_VIDEO, 0x90, "hvc1", record);
  };
  const frame = (type: number, layer: number): FlvTag =>
    tag(FLV_VIDEO, 0xa3, "hvc1", [0, 0, 0, 3, type << 1, layer + 1, 0]);
  expect(kinds(config(1), frame(0, 0), frame(1, 0), frame(8, 0)).slice(1)).toEqual([
    FrameKind.disposable,
    FrameKind.inter,
    FrameKind.disposable,
  ]);
  expect(kinds(config(2), frame(2, 0), frame(2, 1)).slice(1)).toEqual([
    FrameKind.inter,
    FrameKind.disposable,
  ]);
  expect(kinds(config(0), frame(0, 0)).slice(1)).toEqual([FrameKind.inter]);
});

test("ModEx prefixes are stepped over; of several tracks the first is carried", () => {
  const nanos = [3 - 1, 0, 0, 9, 0x01]; /* 3 bytes of nanoseconds, then type 0 and CodedFrames */
  const nothing = undefined;
  expect(
    kinds(
      tag(FLV_VIDEO, 0x97, nanos, "av01", 1),
      tag(FLV_VIDEO, 0x96, 0x01, "av01", 0, 1),
      tag(FLV_VIDEO, 0x96, 0x01, "av01", 1, 1),
      tag(FLV_AUDIO, 0x97, nanos, "Opus", 1),
      tag(FLV_AUDIO, 0x95, 0x01, "Opus", 2, 1),
    ),
  ).toEqual([FrameKind.key, FrameKind.key, nothing, FrameKind.audio, nothing]);
});

test("audio: AAC, MP3, Opus, multichannel", () => {
  const { audio, audioConfig } = FrameKind;
  expect(
    kinds(
      tag(FLV_AUDIO, 0xaf, 0, 0x11, 0xb0),
      tag(FLV_AUDIO, 0xaf, 1, 1),
      tag(FLV_AUDIO, 0x2f, 1),
      tag(FLV_AUDIO, 0x90, "Opus", "OpusHead", 1, 2),
      tag(FLV_AUDIO, 0x91, "Opus", 1),
      tag(FLV_AUDIO, 0x94, "Opus", 1, 6),
      tag(FLV_AUDIO, 0x92, "Opus"),
      tag(FLV_AUDIO, 0xaf),
    ),
  ).toEqual([audioConfig, audio, audio, audioConfig, audio, audio, undefined, undefined]);
});

test("says which codecs these are", () => {
  const codecs = (...tags: FlvTag[]): string => {
    const classifier = new FrameClassifier();
    for (const item of tags) classifier.classify(item);
    return classifier.codecs;
  };
  expect(codecs(avcConfig, tag(FLV_AUDIO, 0xaf, 0, 0x11, 0xb0))).toBe(
    "h264 854x480 / aac 48000 5.1",
  );
  const script = {
    type: FLV_SCRIPT,
    dtsMs: 0,
    body: encodeScript("onMetaData", { width: 640, height: 360 }),
  } as const;
  const opus = tag(FLV_AUDIO, 0x90, "Opus", "OpusHead", 1, 2);
  expect(codecs(script, tag(FLV_VIDEO, 0x90, "vp09", 1), opus)).toBe(
    "vp9 640x360 / opus 48000 stereo",
  );
  expect(codecs(tag(FLV_AUDIO, 0x91, "\u001b[1m", 1))).toBe("??1m");
});

test("of script data only onMetaData is kept, bare and without a recording's length", () => {
  const classifier = new FrameClassifier();
  const bare = encodeScript("onMetaData", { width: 640 });
  const prefixed = Uint8Array.from([
    2,
    0,
    13,
    ...new TextEncoder().encode("@setDataFrame"),
    ...bare,
  ]);
  expect(classifier.classify({ type: FLV_SCRIPT, dtsMs: 0, body: prefixed })?.body).toEqual(bare);
  const recorded = encodeScript("onMetaData", { duration: 30, width: 640, filesize: 1e6 });
  const body =
    classifier.classify({ type: FLV_SCRIPT, dtsMs: 0, body: recorded })?.body ?? new Uint8Array();
  expect(decodeAmf(body)).toEqual([
    "onMetaData",
    Object.assign(Object.create(null), { width: 640 }),
  ]);
  expect(
    classifier.classify({ type: FLV_SCRIPT, dtsMs: 0, body: encodeScript("onTextData", {}) }),
  ).toBeUndefined();
  expect(classifier.ignored).toBe(1);
});

test("any bytes give a frame with the bytes unchanged, or nothing", () => {
  const anyTag = fc.record({
    type: fc.constantFrom<FlvTagType>(8, 9, 18),
    dtsMs: fc.nat(0xffff_ffff),
    body: fc.uint8Array({ minLength: 1, maxLength: 80 }),
  });
  fc.assert(
    fc.property(fc.array(anyTag, { maxLength: 30 }), (tags) => {
      const classifier = new FrameClassifier();
      for (const item of tags) {
        const frame = classifier.classify(item);
        if (frame && item.type !== FLV_SCRIPT) expect(frame.body).toBe(item.body);
        expect(frame?.ptsOffsetMs ?? 0).toBeWithin(-(2 ** 23), 2 ** 23);
        expect(typeof classifier.codecs).toBe("string");
      }
    }),
    { numRuns: 500 },
  );
});

test("any bytes behind a configuration's header are survived", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.uint8Array({ maxLength: 60 }),
      (record, data) => {
        const classifier = new FrameClassifier();
        for (const head of [
          [0x17, 0, 0, 0, 0],
          [0x1c, 0, 0, 0, 0],
          [0x90, 0x68, 0x76, 0x63, 0x31],
        ]) {
          classifier.classify(tag(FLV_VIDEO, head, [...record]));
          classifier.classify(tag(FLV_VIDEO, 0x27, 1, 0, 0, 0, [...data]));
        }
        classifier.classify(tag(FLV_AUDIO, 0xaf, 0, [...record]));
        classifier.classify(tag(FLV_SCRIPT, [2, 0, 10], "onMetaData", [...record]));
        expect(classifier.codecs).toContain("/ aac");
      },
    ),
  );
});
