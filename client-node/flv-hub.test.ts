import { describe, expect, test } from "bun:test";
import { FrameKind, type MediaFrame } from "../runtime/wire/frame.ts";
import { FlvHub, type FlvWriter, GROUP_BYTES_MAX, READERS_MAX } from "./flv-hub.ts";
import { type FlvReader, READER_QUEUE_BYTES_MAX, READER_STALL_MS_MAX } from "./flv-reader.ts";

/** Tags as readable text: `kind@timestamp;`. */
const writer: FlvWriter = {
  header: (audio, video) => text(`FLV${audio ? "a" : ""}${video ? "v" : ""};`),
  tag: (frame, timestampMs) => text(`${name(frame.kind)}@${timestampMs}${pad(frame.body.length)};`),
  mark: (_frame, timestampMs, captured) => text(`mark@${timestampMs}=${captured};`),
};

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function name(kind: FrameKind): string {
  return Object.entries(FrameKind).find(([, value]) => value === kind)?.[0] ?? "?";
}

function pad(length: number): string {
  return length > 100 ? "x".repeat(length) : "";
}

function frame(kind: FrameKind, dtsMs: number, bytes = 1): MediaFrame {
  return { kind, dtsMs, ptsOffsetMs: 0, body: new Uint8Array(bytes) };
}

class Stream {
  readonly hub = new FlvHub(writer);
  epoch = 1;

  send(kind: FrameKind, dtsMs: number, bytes = 1): void {
    const captured = 1_000_000 + dtsMs;
    this.hub.handleFrame({
      frame: frame(kind, dtsMs, bytes),
      epoch: this.epoch,
      capturedAtEpochMs: captured,
    });
  }

  configs(dtsMs: number): void {
    this.send(FrameKind.metadata, dtsMs);
    this.send(FrameKind.videoConfig, dtsMs);
    this.send(FrameKind.audioConfig, dtsMs);
  }

  open(page = false): FlvReader {
    const reader = this.hub.open(page, 0);
    if (!reader) throw new Error("refused");
    return reader;
  }
}

/** All that waits in the reader's stream now. */
async function taken(reader: FlvReader): Promise<string> {
  const source = reader.body.getReader();
  let all = "";
  for (;;) {
    const next = await Promise.race([source.read(), Bun.sleep(1).then(() => undefined)]);
    if (!next || next.done) break;
    all += new TextDecoder().decode(next.value);
  }
  source.releaseLock();
  return all;
}

describe("a reader that joins", () => {
  test("gets the configurations, the current group, then every frame as it comes", async () => {
    const stream = new Stream();
    stream.configs(0);
    stream.send(FrameKind.key, 0);
    stream.send(FrameKind.inter, 40);
    stream.configs(80);
    stream.send(FrameKind.key, 80);
    stream.send(FrameKind.audio, 90);
    const reader = stream.open();
    stream.send(FrameKind.inter, 120);
    expect(await taken(reader)).toBe(
      "FLVav;metadata@80;videoConfig@80;audioConfig@80;key@80;audio@90;inter@120;",
    );
  });

  test("before the first key frame waits for it", async () => {
    const stream = new Stream();
    const reader = stream.open();
    stream.send(FrameKind.inter, 0);
    stream.configs(40);
    expect(await taken(reader)).toBe("");
    stream.send(FrameKind.key, 40);
    expect(await taken(reader)).toBe("FLVav;metadata@40;videoConfig@40;audioConfig@40;key@40;");
  });

  test("hears a stream without video once it is sure that there is none", async () => {
    const stream = new Stream();
    const reader = stream.open();
    stream.send(FrameKind.audioConfig, 0);
    for (let at = 0; at <= 500; at += 100) stream.send(FrameKind.audio, at);
    expect(await taken(reader)).toBe("FLVa;audioConfig@500;audio@500;");
  });

  test("is refused above the bound", () => {
    const stream = new Stream();
    for (let i = 0; i < READERS_MAX; i++) stream.open();
    expect(stream.hub.open(false, 0)).toBeUndefined();
  });
});

test("repeated configurations are left out, changed ones passed on", async () => {
  const stream = new Stream();
  stream.configs(0);
  stream.send(FrameKind.key, 0);
  const reader = stream.open();
  stream.configs(40);
  stream.send(FrameKind.key, 40);
  stream.send(FrameKind.videoConfig, 80, 2);
  stream.send(FrameKind.key, 80);
  expect(await taken(reader)).toEndWith("key@0;key@40;videoConfig@80;key@80;");
});

describe("a new encoder run", () => {
  test("goes on with rising timestamps for a player, and keeps its own for later readers", async () => {
    const stream = new Stream();
    stream.send(FrameKind.videoConfig, 5_000);
    stream.send(FrameKind.key, 5_000);
    const early = stream.open();
    stream.epoch = 2;
    stream.send(FrameKind.videoConfig, 0);
    stream.send(FrameKind.key, 0);
    stream.send(FrameKind.inter, 40);
    const late = stream.open();
    expect(await taken(early)).toBe(
      "FLVv;videoConfig@5000;key@5000;videoConfig@5040;key@5040;inter@5080;",
    );
    expect(await taken(late)).toBe("FLVv;videoConfig@0;key@0;inter@40;");
  });

  test("ends the page's response, which asks again", async () => {
    const stream = new Stream();
    stream.send(FrameKind.videoConfig, 0);
    stream.send(FrameKind.key, 0);
    const page = stream.open(true);
    stream.epoch = 2;
    stream.send(FrameKind.videoConfig, 0);
    expect(page.gone).toBe(true);
    expect(stream.hub.readerCount).toBe(0);
  });
});

test("the page gets a capture mark ahead of each video frame and nothing older than the first", async () => {
  const stream = new Stream();
  stream.send(FrameKind.videoConfig, 100);
  stream.send(FrameKind.key, 100);
  stream.send(FrameKind.audio, 90);
  stream.send(FrameKind.audio, 110);
  const page = stream.open(true);
  stream.send(FrameKind.inter, 140);
  expect(await taken(page)).toBe(
    "FLVav;videoConfig@100;mark@100=1000100;key@100;audio@110;mark@140=1000140;inter@140;",
  );
});

describe("a reader that does not keep up", () => {
  test("loses frames up to the next key frame it has room for; others lose nothing", async () => {
    const stream = new Stream();
    stream.send(FrameKind.videoConfig, 0);
    stream.send(FrameKind.key, 0);
    const slow = stream.open();
    const quick = stream.open();
    const big = 1 << 20;
    const frames = READER_QUEUE_BYTES_MAX / big + 3;
    for (let i = 1; i <= frames; i++) {
      stream.send(FrameKind.inter, i * 40, big);
      await taken(quick);
    }
    expect(slow.queuedBytes).toBeLessThanOrEqual(READER_QUEUE_BYTES_MAX + 64);
    expect(slow.tagsDropped).toBeGreaterThan(0);
    expect(quick.tagsDropped).toBe(0);
    await taken(slow);
    stream.send(FrameKind.inter, 9_000);
    expect(await taken(slow)).toBe("");
    stream.send(FrameKind.key, 9_040);
    expect(await taken(slow)).toBe("key@9040;");
  });

  test("is let go after taking nothing for long", async () => {
    const stream = new Stream();
    stream.send(FrameKind.videoConfig, 0);
    stream.send(FrameKind.key, 0);
    const reader = stream.open();
    stream.hub.handleTimeout(READER_STALL_MS_MAX);
    expect(reader.gone).toBe(false);
    stream.hub.handleTimeout(READER_STALL_MS_MAX + 1);
    expect(reader.gone).toBe(true);
    expect(reader.body.getReader().read()).rejects.toThrow("does not keep up");
  });
});

test("a group above the bound is forgotten, and joiners wait for the next key frame", () => {
  const stream = new Stream();
  stream.send(FrameKind.videoConfig, 0);
  stream.send(FrameKind.key, 0);
  for (let i = 0; i <= GROUP_BYTES_MAX / (1 << 20); i++) stream.send(FrameKind.inter, i, 1 << 20);
  expect(stream.hub.ready).toBe(false);
  stream.send(FrameKind.key, 9_000);
  expect(stream.hub.ready).toBe(true);
});

test("a reader that leaves is forgotten", async () => {
  const stream = new Stream();
  const reader = stream.open();
  await reader.body.cancel();
  expect(stream.hub.readerCount).toBe(0);
});
