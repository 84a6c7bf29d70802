import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { systemClock } from "../runtime/io/clock.ts";
import { FlvDemuxer, type FlvTag } from "../runtime/media/flv.ts";
import { FrameKind, type MediaFrame } from "../runtime/wire/frame.ts";
import { TEST_CONFIG, TestEdge, type TestPublisher, until } from "./testing.ts";

let edge: TestEdge;

beforeEach(async () => {
  edge = await TestEdge.start();
});
afterEach(() => edge.stop());

function frame(kind: FrameKind, dtsMs: number, bytes: number): MediaFrame {
  const body = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) body[i] = (i * 31 + dtsMs) & 0xff;
  if (kind === FrameKind.videoConfig) body.set([0x17, 0, 0, 0, 0]);
  return { kind, dtsMs, ptsOffsetMs: 0, body };
}

function group(source: TestPublisher, dtsMs: number, inters: number, bytes = 5000): MediaFrame[] {
  const frames = [frame(FrameKind.videoConfig, dtsMs, 40), frame(FrameKind.key, dtsMs, bytes)];
  for (let i = 1; i <= inters; i++) frames.push(frame(FrameKind.inter, dtsMs + i * 40, bytes));
  for (const one of frames) source.push(one);
  return frames;
}

class FlvClient {
  readonly tags: FlvTag[] = [];
  ended = false;
  readonly #abort = new AbortController();

  static async open(path: string): Promise<FlvClient> {
    const client = new FlvClient();
    const response = await fetch(`${edge.http}${path}`, { signal: client.#abort.signal });
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    void client.#read(response);
    edge.onStop(() => client.close());
    return client;
  }
  async #read(response: Response): Promise<void> {
    const demuxer = new FlvDemuxer();
    try {
      for await (const bytes of response.body ?? []) this.tags.push(...demuxer.push(bytes));
    } catch {
      /* aborted */
    }
    this.ended = true;
  }
  close(): void {
    this.#abort.abort();
  }
}

const media = (tags: readonly { body: Uint8Array }[]) => tags.map(({ body }) => Bun.hash(body));

test("frames come out of HTTP-FLV byte-identical and in order, from the current group on", async () => {
  const source = await edge.publish("live/a");
  await source.connected();
  group(source, 0, 5);
  await until(() => edge.isLive("live/a"));
  const current = group(source, 1000, 5);
  const client = await until(async () => {
    const opened = await FlvClient.open("/live/a.flv");
    await until(() => opened.tags.length > 0);
    return opened.tags[0]?.dtsMs === 1000 && opened;
  });
  const next = frame(FrameKind.inter, 1240, 70_000);
  source.push(next);
  await until(() => client.tags.length >= 8);
  expect(media(client.tags)).toEqual(media([...current, next]));
  expect(client.tags.map(({ dtsMs }) => dtsMs)).toEqual([
    1000, 1000, 1040, 1080, 1120, 1160, 1200, 1240,
  ]);
});

test("viewers that install nothing go on when the encoder starts over", async () => {
  const source = await edge.publish("live/a");
  await source.connected();
  group(source, 5000, 2);
  await until(() => edge.isLive("live/a"));
  const client = await FlvClient.open("/live/a.flv");
  await until(() => client.tags.length >= 4);
  source.role.newEpoch(systemClock.now());
  group(source, 0, 2);
  await until(() => client.tags.length >= 7);
  const times = client.tags.map(({ dtsMs }) => dtsMs);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(client.ended).toBe(false);
});

test("a wrong key and a second publisher are refused with the reason", async () => {
  const wrong = await edge.publish("live/a", "wrong");
  const refused = await until(() => wrong.events.find(({ type }) => type === "refused"));
  expect(refused).toMatchObject({ type: "refused", reason: "wrong key" });
  const first = await edge.publish("live/a");
  await first.connected();
  const second = await edge.publish("live/a");
  const busy = await until(() => second.events.find(({ type }) => type === "refused"));
  expect(busy).toMatchObject({ type: "refused", reason: "stream busy" });
});

test("a reader that stops reading is cut; the stream and others go on", async () => {
  const source = await edge.publish("live/a");
  await source.connected();
  group(source, 0, 2);
  await until(() => edge.isLive("live/a"));
  const [host = "", port = ""] = edge.http.replace("http://", "").split(":");
  const stuck = connect(Number(port), host);
  edge.onStop(() => stuck.destroy());
  stuck.pause();
  stuck.write("GET /live/a.flv HTTP/1.1\r\nHost: x\r\n\r\n");
  const quick = await FlvClient.open("/live/a.flv");
  const readers = async () => {
    const text = await (await fetch(`${edge.api}/metrics`)).text();
    return Number(/^shoal_edge_http_readers (\d+)$/m.exec(text)?.[1]);
  };
  await until(async () => (await readers()) === 2);
  let dtsMs = 200;
  await until(async () => {
    dtsMs += 40;
    source.push(frame(FrameKind.key, dtsMs, 200_000));
    return (await readers()) === 1;
  });
  const before = quick.tags.length;
  source.push(frame(FrameKind.key, dtsMs + 40, 1000));
  await until(() => quick.tags.length > before);
  expect(quick.ended).toBe(false);
}, 30_000);

test("a client that disconnects is noticed", async () => {
  const source = await edge.publish("live/a");
  await source.connected();
  group(source, 0, 2);
  await until(() => edge.isLive("live/a"));
  const client = await FlvClient.open("/live/a.flv");
  const count = async () => {
    const body = await (await fetch(`${edge.api}/api/v1/streams/live%2Fa`)).json();
    return (body as { sessions: unknown[] }).sessions.length;
  };
  await until(async () => (await count()) === 1);
  client.close();
  await until(async () => (await count()) === 0);
});

describe("limits", () => {
  const limited = TEST_CONFIG.replace("[log]", "[limits]\nmax_publishers = 1\n[log]");

  test("a publisher too many is refused as overloaded", async () => {
    await edge.stop();
    edge = await TestEdge.start(limited);
    const first = await edge.publish("live/a");
    await first.connected();
    const second = await edge.publish("live/b");
    const refused = await until(() => second.events.find(({ type }) => type === "refused"));
    expect(refused).toMatchObject({ type: "refused", reason: "overloaded" });
  });

  test("a stream has no more viewers than its limit, peers and readers together", async () => {
    await edge.stop();
    edge = await TestEdge.start(`${TEST_CONFIG}max_viewers = 2\n`);
    const source = await edge.publish("live/a");
    await source.connected();
    group(source, 0, 2);
    await until(() => edge.isLive("live/a"));
    await FlvClient.open("/live/a.flv");
    const first = await edge.watch("live/a");
    await until(() => first.some(({ type }) => type === "connected"));
    const second = await edge.watch("live/a");
    const refused = await until(() => second.find(({ type }) => type === "refused"));
    expect(refused).toMatchObject({ type: "refused", reason: "overloaded" });
    await expect(FlvClient.open("/live/a.flv")).rejects.toThrow("503");
  });
});

test("a drained edge takes nobody new and cuts nobody off", async () => {
  const source = await edge.publish("live/a");
  await source.connected();
  group(source, 0, 2);
  await until(() => edge.isLive("live/a"));
  const client = await FlvClient.open("/live/a.flv");
  await until(() => client.tags.length > 0);
  expect((await fetch(`${edge.api}/api/v1/drain`, { method: "POST" })).status).toBe(200);
  expect((await fetch(`${edge.api}/readyz`)).status).toBe(503);
  await expect(FlvClient.open("/live/a.flv")).rejects.toThrow("503");
  const late = await edge.watch("live/a");
  const refused = await until(() => late.find(({ type }) => type === "refused"));
  expect(refused).toMatchObject({ reason: "shutting down" });
  const before = client.tags.length;
  source.push(frame(FrameKind.inter, 160, 100));
  await until(() => client.tags.length > before);
});

describe("stopping", () => {
  test("ends readers, tells publishers, and closes every listener", async () => {
    const source = await edge.publish("live/a");
    await source.connected();
    group(source, 0, 2);
    await until(() => edge.isLive("live/a"));
    const client = await FlvClient.open("/live/a.flv");
    await until(() => client.tags.length > 0);
    const began = performance.now();
    await edge.program.stop();
    expect(performance.now() - began).toBeLessThan(2000);
    await until(() => client.ended);
    const goodbye = await until(() => source.events.find(({ type }) => type === "disconnected"));
    expect(goodbye).toMatchObject({ reason: "shutting down" });
    expect(fetch(`${edge.http}/healthz`)).rejects.toThrow();
    expect(fetch(`${edge.api}/healthz`)).rejects.toThrow();
  });

  test("twice is once", async () => {
    await Promise.all([edge.program.stop(), edge.program.stop()]);
  });
});

test("sends as it is told to, and tells how", async () => {
  const best = process.platform === "linux" ? "segments" : "many";
  for (const [sendBy, path] of [
    ["auto", best],
    [best, best],
    ["many", "many"],
  ] as const) {
    const text = TEST_CONFIG.replace("[udp]", `[udp]\nsend_by = "${sendBy}"`);
    const other = await TestEdge.start(text);
    const shown = await (await fetch(`${other.api}/metrics`)).text();
    await other.stop();
    expect(shown).toContain(`shoal_edge_send_path{line="0",path="${path}"} 1`);
  }
});
