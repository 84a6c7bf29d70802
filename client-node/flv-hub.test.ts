import { describe, expect, test } from "bun:test";
import { FlvDemuxer } from "../runtime/media/flv.ts";
import { FLV_READER_DEFAULTS } from "../runtime/media/flv-reader.ts";
import { FrameKind } from "../runtime/wire/frame.ts";
import { FlvHub, GROUP_BYTES_MAX, READERS_MAX } from "./flv-hub.ts";
import type { LocalReader } from "./local-reader.ts";

class Stream {
  now = 0;
  readonly hub = new FlvHub(() => this.now);
  epoch = 1;

  send(kind: FrameKind, dtsMs: number, bytes = 8): void {
    const body = new Uint8Array(bytes).fill(kind);
    body[0] = this.epoch;
    this.hub.handleFrame({
      frame: { kind, dtsMs, ptsOffsetMs: 0, body },
      epoch: this.epoch,
      capturedAtEpochMs: 1_000_000 + dtsMs,
    });
  }

  group(dtsMs: number): void {
    this.send(FrameKind.videoConfig, dtsMs);
    this.send(FrameKind.audioConfig, dtsMs);
    this.send(FrameKind.key, dtsMs);
  }

  open(page = false): LocalReader {
    const reader = this.hub.open(page);
    if (!reader) throw new Error("refused");
    return reader;
  }
}

/** The tags that wait in the reader's response, as `type@dts`. */
async function taken(reader: LocalReader): Promise<string[]> {
  const demuxer = new FlvDemuxer();
  const pieces = await drained(reader);
  return pieces.flatMap((piece) => demuxer.push(piece).map((tag) => `${tag.type}@${tag.dtsMs}`));
}

/** The bytes that wait in the reader's response. */
async function drained(reader: LocalReader): Promise<Uint8Array[]> {
  const source = reader.body.getReader();
  const pieces: Uint8Array[] = [];
  for (;;) {
    const next = await Promise.race([source.read(), Bun.sleep(1).then(() => undefined)]);
    if (!next || next.done) break;
    pieces.push(next.value);
  }
  source.releaseLock();
  return pieces;
}

describe("a reader that joins", () => {
  test("gets the configurations, the current group, then every frame as it comes", async () => {
    const stream = new Stream();
    stream.group(0);
    stream.send(FrameKind.inter, 40);
    stream.group(80);
    stream.send(FrameKind.audio, 90);
    const reader = stream.open();
    stream.send(FrameKind.inter, 120);
    expect(await taken(reader)).toEqual(["9@80", "8@80", "9@80", "8@90", "9@120"]);
  });

  test("before the first key frame waits for it", async () => {
    const stream = new Stream();
    const reader = stream.open();
    stream.send(FrameKind.inter, 0);
    expect(stream.hub.ready).toBe(false);
    stream.group(40);
    expect(stream.hub.ready).toBe(true);
    expect(await taken(reader)).toEqual(["9@40", "8@40", "9@40"]);
  });

  test("hears a stream without picture once it is sure that there is none", async () => {
    const stream = new Stream();
    stream.send(FrameKind.audioConfig, 0);
    for (let at = 0; at <= 5_000; at += 100) {
      expect(stream.hub.ready).toBe(at > 1_000);
      stream.send(FrameKind.audio, at);
    }
    const reader = stream.open();
    expect(await taken(reader)).toEqual(["8@4800", "8@4800", "8@4900", "8@5000"]);
  });

  test("is refused above the bound, and makes room when it leaves", async () => {
    const stream = new Stream();
    const readers = Array.from({ length: READERS_MAX }, () => stream.open());
    expect(stream.hub.open(false)).toBeUndefined();
    await readers[3]?.body.cancel();
    expect(stream.hub.readerCount).toBe(READERS_MAX - 1);
    expect(readers[3]?.gone).toBe(true);
  });
});

describe("a new encoder run", () => {
  test("goes on with rising timestamps for a player, and keeps its own for later readers", async () => {
    const stream = new Stream();
    stream.group(5_000);
    const early = stream.open();
    stream.epoch = 2;
    stream.group(0);
    stream.send(FrameKind.inter, 40);
    const late = stream.open();
    const times = (tags: string[]) => tags.map((tag) => Number(tag.split("@")[1]));
    const heard = times(await taken(early));
    expect(heard).toEqual([...heard].sort((a, b) => a - b));
    expect(heard[heard.length - 1]).toBe(5_080);
    expect(times(await taken(late))).toEqual([0, 0, 0, 40]);
  });

  test("ends the page's response, which asks again, and no other", () => {
    const stream = new Stream();
    stream.group(0);
    const page = stream.open(true);
    const player = stream.open();
    stream.epoch = 2;
    stream.send(FrameKind.videoConfig, 0);
    expect(page.gone).toBe(true);
    expect(player.gone).toBe(false);
  });
});

describe("a reader that does not keep up", () => {
  test("is bounded and goes on at a key frame; others lose nothing", async () => {
    const stream = new Stream();
    stream.group(0);
    const slow = stream.open();
    const quick = stream.open();
    await drained(slow);
    const big = 256 << 10;
    for (let i = 1; i <= 12; i++) {
      stream.send(FrameKind.inter, i * 40, big);
      await drained(quick);
    }
    expect(slow.queuedBytes).toBeLessThanOrEqual(FLV_READER_DEFAULTS.queueBytesMax + 2 * big);
    stream.send(FrameKind.key, 520);
    expect(slow.framesSkipped).toBeGreaterThan(0);
    expect(quick.framesSkipped).toBe(0);
  });

  test("is let go after taking nothing for long, its connection closed", () => {
    const stream = new Stream();
    const reader = stream.open();
    let cut = 0;
    reader.cutConnection = () => cut++;
    stream.group(0);
    stream.now = FLV_READER_DEFAULTS.stalledMsMax;
    stream.hub.handleTimeout();
    expect(reader.gone).toBe(false);
    stream.now += 1;
    stream.hub.handleTimeout();
    expect(reader.gone).toBe(true);
    expect(cut).toBe(1);
    expect(stream.hub.readerCount).toBe(0);
  });
});

test("a group above the bound is forgotten, and joiners wait for the next key frame", () => {
  const stream = new Stream();
  stream.group(0);
  for (let i = 0; i <= GROUP_BYTES_MAX / (1 << 20); i++) stream.send(FrameKind.inter, i, 1 << 20);
  expect(stream.hub.ready).toBe(false);
  stream.send(FrameKind.key, 9_000);
  expect(stream.hub.ready).toBe(true);
});
