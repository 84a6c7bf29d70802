import { describe, expect, test } from "bun:test";
import { ms } from "../base/time.ts";
import { SegmentIndex } from "../core/segments/segment-index.ts";
import { createHotPath } from "../wasm/create.ts";
import { FrameKind, type MediaFrame } from "../wire/frame.ts";
import { FrameReader, groupFrames } from "./frame-reader.ts";
import { OwnStream } from "./peer/own-stream.ts";
import { streamIdOf } from "./stream-id.ts";

const RETENTION = { retainMs: 5000, groupMsMax: 12_000 };

function frame(dtsMs: number, kind: FrameKind = FrameKind.inter, bytes = 2000): MediaFrame {
  return { kind, dtsMs, ptsOffsetMs: 0, body: new Uint8Array(bytes).fill(dtsMs & 0xff) };
}

/** What a sender has cut, and the index of a receiver that gets it fragment by fragment. */
function setup() {
  const hot = createHotPath({ memoryMiB: 8 });
  const stream = { name: "live/a", id: streamIdOf("live/a"), epoch: 1 };
  const own = new OwnStream(hot, stream, RETENTION);
  const index = new SegmentIndex(hot, RETENTION);
  const reader = new FrameReader(index);
  /** Hands over the fragments of the sender's store in [from, to). */
  const give = (now: number, from: number, to: number): void => {
    for (let number = from; number < to; number++) {
      const slot = hot.fragmentSlot(own.index.store, number);
      expect(hot.fragmentInfo(own.index.store, number)).toBe(true);
      const [at = 0, total = 0, flags = 0] = hot.out;
      index.insert(ms(now), { number, index: at, total, flags }, slot);
    }
  };
  const read = (now: number): number[] => {
    const seen: number[] = [];
    reader.read(ms(now), (one) => seen.push(one.dtsMs));
    return seen;
  };
  return { hot, own, index, reader, give, read };
}

describe("whole frames of a stream", () => {
  test("come in order, each once, with the bytes that were pushed", () => {
    const { own, index, reader, give, read } = setup();
    const frames = [frame(0, FrameKind.key, 5000), frame(40), frame(80)];
    for (const one of frames) own.push(ms(one.dtsMs), one);
    give(0, 0, own.index.next());
    const seen: MediaFrame[] = [];
    reader.read(ms(100), (one) => seen.push(one));
    expect(seen).toEqual(frames);
    expect(read(100)).toEqual([]);
    expect(groupFrames(index)).toEqual(frames);
  });

  test("wait for a hole, and go on in order when it is filled", () => {
    const { own, reader, give, read } = setup();
    for (const dts of [0, 40, 80]) own.push(ms(dts), frame(dts, dts === 0 ? FrameKind.key : 5));
    give(0, 0, 3);
    give(0, 4, 6); /* the second frame has fragments 2 and 3 */
    expect(read(0)).toEqual([0]);
    expect(read(999)).toEqual([]);
    give(999, 3, 4);
    expect(read(999)).toEqual([40, 80]);
    expect(reader.framesSkipped).toBe(0);
  });

  test("step over a hole that was waited for a second", () => {
    const { own, reader, give, read } = setup();
    for (const dts of [0, 40, 80, 120])
      own.push(ms(dts), frame(dts, dts === 0 ? FrameKind.key : 5));
    give(0, 0, 3);
    give(0, 6, 8); /* half of the second frame is missing, and all of the third */
    expect(read(0)).toEqual([0]);
    expect(read(1000)).toEqual([]); /* the second is stepped over, the third is waited for */
    expect(read(2000)).toEqual([120]);
    expect(reader.framesSkipped).toBe(2);
  });

  test("begin where the reader is told to, never behind where it is", () => {
    const { own, index, reader, give, read } = setup();
    for (const dts of [0, 40, 80]) own.push(ms(dts), frame(dts, dts === 0 ? FrameKind.key : 5));
    give(0, 0, 4);
    reader.skipTo(index.next());
    give(0, 4, 6);
    expect(read(0)).toEqual([80]);
    reader.skipTo(0);
    expect(read(0)).toEqual([]);
  });
});
