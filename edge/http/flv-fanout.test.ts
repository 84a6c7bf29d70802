import { describe, expect, test } from "bun:test";
import { FlvDemuxer } from "../../runtime/media/flv.ts";
import { FrameKind } from "../../runtime/wire/frame.ts";
import { FlvFanout } from "./flv-fanout.ts";
import type { FlvResponse, GoneReason } from "./flv-response.ts";
import { frame, HandEdge } from "./testing.ts";

const OPTIONS = { maxReaders: 2, queueBytesMax: 1000, readerTimeoutMs: 10_000 };

class Rig {
  readonly edge = new HandEdge();
  readonly fanout = new FlvFanout(this.edge, OPTIONS);
  readonly gone: GoneReason[] = [];

  open(): FlvResponse {
    const reader = this.fanout.open("live/news", "a:1", (why) => this.gone.push(why));
    if (typeof reader === "string") throw new Error(reader);
    return reader;
  }
  sendConfig(dtsMs: number, size: number): void {
    this.send(FrameKind.videoConfig, dtsMs, { bytes: size, groupStart: true });
  }
  send(
    kind: FrameKind,
    dtsMs: number,
    options: { epoch?: number; groupStart?: boolean; bytes?: number } = {},
  ): void {
    this.fanout.handleEvent(this.edge.event(frame(kind, dtsMs, options.bytes ?? 4), options));
  }
}

/** Takes what is ready of a body and reads it as FLV. */
class Taker {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #demuxer = new FlvDemuxer();
  #pending: Promise<{ done: boolean; value?: Uint8Array | undefined }> | undefined;
  ended = false;

  constructor(reader: FlvResponse) {
    this.#reader = reader.body.getReader();
  }
  async take(): Promise<string[]> {
    const tags: string[] = [];
    while (!this.ended) {
      this.#pending ??= this.#reader.read();
      const next = await Promise.race([this.#pending, Bun.sleep(0).then(() => undefined)]);
      if (next === undefined) break;
      this.#pending = undefined;
      if (next.done) this.ended = true;
      else
        for (const tag of this.#demuxer.push(next.value ?? new Uint8Array()))
          tags.push(`${tag.type}@${tag.dtsMs}`);
    }
    return tags;
  }
}

test("a reader starts with the current group and goes on with every frame", async () => {
  const rig = new Rig();
  const taker = new Taker(rig.open());
  rig.send(FrameKind.inter, 1040);
  rig.send(FrameKind.audio, 1033);
  expect(await taker.take()).toEqual(["9@1000", "8@1000", "9@1000", "8@1010", "9@1040", "8@1033"]);
});

test("frames are asked of the edge only while somebody reads", async () => {
  const rig = new Rig();
  const [a, b] = [rig.open(), rig.open()];
  expect(rig.edge.watched).toEqual(["+live/news"]);
  await a.body.cancel();
  expect(rig.edge.watched).toEqual(["+live/news"]);
  await b.body.cancel();
  expect(rig.edge.watched).toEqual(["+live/news", "-live/news"]);
  expect(rig.gone).toEqual(["left", "left"]);
  expect(rig.fanout.readerCount).toBe(0);
});

test("no more readers than allowed", () => {
  const rig = new Rig();
  rig.open();
  rig.open();
  expect(rig.fanout.open("live/news", "a:3", () => {})).toBe("overloaded");
});

test("a stream's own limit counts its peers and its readers", () => {
  const edge = new HandEdge();
  const fanout = new FlvFanout(edge, { ...OPTIONS, maxViewersOf: () => 4 });
  expect(fanout.open("live/news", "a:1", () => {})).not.toBeString();
  expect(fanout.open("live/news", "a:2", () => {})).toBe("overloaded");
});

test("without a group to start from it waits for the next one", async () => {
  const rig = new Rig();
  rig.edge.group = [];
  const taker = new Taker(rig.open());
  rig.send(FrameKind.inter, 40);
  rig.send(FrameKind.videoConfig, 80, { groupStart: true });
  rig.send(FrameKind.key, 80);
  expect(await taker.take()).toEqual(["9@80", "9@80"]);
});

test("repeated configurations are left out, changed ones passed on", async () => {
  const rig = new Rig();
  const taker = new Taker(rig.open());
  await taker.take();
  rig.sendConfig(1040, 1);
  rig.send(FrameKind.key, 1040);
  rig.sendConfig(1080, 2);
  rig.send(FrameKind.key, 1080);
  rig.sendConfig(1120, 2);
  rig.send(FrameKind.key, 1120);
  expect(await taker.take()).toEqual(["9@1040", "9@1040", "9@1080", "9@1080", "9@1120"]);
});

test("timestamps go on rising when the encoder starts over", async () => {
  const rig = new Rig();
  const taker = new Taker(rig.open());
  rig.send(FrameKind.inter, 5000);
  await taker.take();
  rig.send(FrameKind.videoConfig, 0, { epoch: 8, groupStart: true, bytes: 9 });
  rig.send(FrameKind.key, 0, { epoch: 8 });
  rig.send(FrameKind.inter, 40, { epoch: 8 });
  expect(await taker.take()).toEqual(["9@5040", "9@5040", "9@5080"]);
});

describe("a reader that does not keep up", () => {
  test("goes on at the next key frame, and others lose nothing", async () => {
    const rig = new Rig();
    const [slow, quick] = [rig.open(), new Taker(rig.open())];
    await quick.take();
    for (let i = 1; i <= 20; i++) {
      rig.send(FrameKind.inter, 1000 + i * 40, { bytes: 100 });
      expect(await quick.take()).toHaveLength(1);
    }
    expect(slow.queuedBytes).toBeLessThan(1500);
    rig.send(FrameKind.key, 2000);
    expect((await new Taker(slow).take()).at(-1)).toBe("9@2000");
    expect(slow.framesSkipped).toBeGreaterThan(10);
    expect(rig.fanout.totals().framesSkipped).toBe(slow.framesSkipped);
  });

  test("is cut when it takes nothing for long", async () => {
    const rig = new Rig();
    const stuck = rig.open();
    const quick = new Taker(rig.open());
    await quick.take();
    rig.edge.time += OPTIONS.readerTimeoutMs;
    rig.fanout.sweep();
    expect(rig.gone).toEqual([]);
    rig.edge.time += 1;
    rig.fanout.sweep();
    expect(rig.gone).toEqual(["cut"]);
    expect(rig.fanout.readersOf("live/news")).toHaveLength(1);
    rig.send(FrameKind.inter, 1040);
    expect(stuck.queuedBytes).toBe(0);
    expect(await quick.take()).toEqual(["9@1040"]);
    expect(rig.fanout.totals().cut).toBe(1);
  });
});

test("a stuck reader is cut even while newer groups push out what it did not take", () => {
  const rig = new Rig();
  rig.open();
  for (let second = 1; second <= 11; second++) {
    rig.edge.time += 1000;
    rig.send(FrameKind.key, 1000 + second * 1000, { bytes: 1200 });
    rig.fanout.sweep();
  }
  expect(rig.gone).toEqual(["cut"]);
});

test("readers wait for an encoder that comes back, and are ended when it does not", async () => {
  const rig = new Rig();
  const taker = new Taker(rig.open());
  await taker.take();
  rig.fanout.handleEvent({ type: "streamEnded", stream: "live/news", epoch: 7, reason: "timeout" });
  rig.edge.time += 14_000;
  rig.fanout.sweep();
  rig.fanout.handleEvent({ type: "streamStarted", stream: "live/news", epoch: 8, from: "x" });
  rig.edge.time += 14_000;
  rig.fanout.sweep();
  expect(rig.gone).toEqual([]);
  rig.fanout.handleEvent({ type: "streamEnded", stream: "live/news", epoch: 8, reason: "done" });
  rig.edge.time += 15_001;
  rig.fanout.sweep();
  await taker.take();
  expect(taker.ended).toBe(true);
  expect(rig.gone).toEqual(["ended"]);
});
