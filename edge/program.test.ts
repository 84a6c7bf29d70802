import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { bindUdp } from "../runtime/io/bind-udp.ts";
import { systemClock } from "../runtime/io/clock.ts";
import { runNode } from "../runtime/io/driver.ts";
import { systemRandom } from "../runtime/io/entropy.ts";
import { FlvDemuxer, type FlvTag } from "../runtime/media/flv.ts";
import type { PeerEvent, PublisherEvent } from "../runtime/node/api.ts";
import type { Node, NodeEnvironment } from "../runtime/node/node.ts";
import { Peer } from "../runtime/node/peer.ts";
import { Publisher } from "../runtime/node/publisher.ts";
import { createHotPath } from "../runtime/wasm/create.ts";
import type { Address } from "../runtime/wire/address.ts";
import { FrameKind, type MediaFrame } from "../runtime/wire/frame.ts";
import { parseConfig } from "./config/load.ts";
import { startLogs } from "./log.ts";
import { type EdgeProgram, startEdge } from "./program.ts";

/** A real edge on loopback, and publishers that reach it by UDP. */

const CONFIG = `
[udp]
host = "127.0.0.1"
port = 0
[http]
host = "127.0.0.1"
port = 0
reader_queue_kib = 256
reader_timeout_ms = 1000
[api]
port = 0
[rtmp]
host = "127.0.0.1"
port = 0
[buffer]
memory_mib = 32
[log]
level = "error"
[streams."live/*"]
key = "correct horse"
`;

let edge: EdgeProgram;
const ends: (() => void)[] = [];

async function start(text = CONFIG): Promise<EdgeProgram> {
  const result = parseConfig(text, "edge.toml", {});
  if ("errors" in result) throw new Error(result.errors.join("\n"));
  return startEdge(result.config, startLogs(result.config.log), "0.0.0-test");
}

beforeEach(async () => {
  edge = await start();
});
afterEach(async () => {
  for (const end of ends.splice(0)) end();
  await edge.stop();
});

interface Source {
  readonly publisher: Publisher;
  readonly events: PublisherEvent[];
  push(frame: MediaFrame): void;
}

/** A role on a socket of its own, towards the edge; its events are collected. */
async function run<Event, Role extends Node<Event>>(
  create: (env: NodeEnvironment, edges: Address[]) => Role,
): Promise<{ role: Role; events: Event[]; wake: () => void }> {
  const hot = createHotPath({ memoryMiB: 16 });
  const udp = await bindUdp({ host: "127.0.0.1", port: 0 });
  const port = Number(edge.addresses.udp?.split(":")[1]);
  const role = create({ hot, random: systemRandom, bootEpoch: 1 }, [
    { family: 4, ip: "127.0.0.1", port },
  ]);
  const events: Event[] = [];
  const loop = runNode<Event>({
    node: role,
    udp,
    clock: systemClock,
    hot,
    onEvent: (event) => events.push(event),
    onError: (error) => {
      throw error;
    },
  });
  ends.push(() => loop.stop());
  return { role, events, wake: () => loop.wake() };
}

async function publish(stream: string, key = "correct horse"): Promise<Source> {
  const { role, events, wake } = await run<PublisherEvent, Publisher>(
    (env, edges) => new Publisher(env, { edges, stream, key, agent: "test" }),
  );
  const push = (frame: MediaFrame) => {
    role.push(systemClock.now(), frame);
    wake();
  };
  return { publisher: role, events, push };
}

/** A viewer's peer; gives its events. */
async function watch(stream: string): Promise<PeerEvent[]> {
  const options = { targetMs: 800, targetMsMin: 300, targetMsMax: 1500, strict: false };
  const { events } = await run<PeerEvent, Peer>(
    (env, edges) =>
      new Peer(env, { edges, stream, ...options, uploadBytesPerSecondMax: 0, agent: "test" }),
  );
  return events;
}

function frame(kind: FrameKind, dtsMs: number, bytes: number): MediaFrame {
  const body = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) body[i] = (i * 31 + dtsMs) & 0xff;
  if (kind === FrameKind.videoConfig) body.set([0x17, 0, 0, 0, 0]);
  return { kind, dtsMs, ptsOffsetMs: 0, body };
}

/** Waits for something real; the bound is only there to fail rather than hang. */
async function until<T>(
  probe: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const end = performance.now() + 12_000;
  while (performance.now() < end) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    await Bun.sleep(10);
  }
  throw new Error("waited for 12 s in vain");
}

function group(source: Source, dtsMs: number, inters: number, bytes = 5000): MediaFrame[] {
  const frames = [frame(FrameKind.videoConfig, dtsMs, 40), frame(FrameKind.key, dtsMs, bytes)];
  for (let i = 1; i <= inters; i++) frames.push(frame(FrameKind.inter, dtsMs + i * 40, bytes));
  for (const one of frames) source.push(one);
  return frames;
}

async function isLive(stream: string): Promise<boolean> {
  const { streams } = (await (await fetch(`${edge.addresses.http}/status.json`)).json()) as {
    streams: { name: string }[];
  };
  return streams.some(({ name }) => name === stream);
}

class FlvClient {
  readonly tags: FlvTag[] = [];
  ended = false;
  readonly #abort = new AbortController();

  static async open(path: string): Promise<FlvClient> {
    const client = new FlvClient();
    const response = await fetch(`${edge.addresses.http}${path}`, { signal: client.#abort.signal });
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    void client.#read(response);
    ends.push(() => client.close());
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
  const source = await publish("live/a");
  await until(() => source.events.some(({ type }) => type === "connected"));
  group(source, 0, 5);
  await until(() => isLive("live/a"));
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
  const source = await publish("live/a");
  await until(() => source.events.some(({ type }) => type === "connected"));
  group(source, 5000, 2);
  await until(() => isLive("live/a"));
  const client = await FlvClient.open("/live/a.flv");
  await until(() => client.tags.length >= 4);
  source.publisher.newEpoch(systemClock.now());
  group(source, 0, 2);
  await until(() => client.tags.length >= 7);
  const times = client.tags.map(({ dtsMs }) => dtsMs);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(client.ended).toBe(false);
});

test("a wrong key and a second publisher are refused with the reason", async () => {
  const wrong = await publish("live/a", "wrong");
  const refused = await until(() => wrong.events.find(({ type }) => type === "refused"));
  expect(refused).toMatchObject({ type: "refused", reason: "wrong key" });
  const first = await publish("live/a");
  await until(() => first.events.some(({ type }) => type === "connected"));
  const second = await publish("live/a");
  const busy = await until(() => second.events.find(({ type }) => type === "refused"));
  expect(busy).toMatchObject({ type: "refused", reason: "stream busy" });
});

test("a reader that stops reading is cut; the stream and others go on", async () => {
  const source = await publish("live/a");
  await until(() => source.events.some(({ type }) => type === "connected"));
  group(source, 0, 2);
  await until(() => isLive("live/a"));
  const [host = "", port = ""] = (edge.addresses.http ?? "").replace("http://", "").split(":");
  const stuck = connect(Number(port), host);
  ends.push(() => stuck.destroy());
  stuck.pause();
  stuck.write("GET /live/a.flv HTTP/1.1\r\nHost: x\r\n\r\n");
  const quick = await FlvClient.open("/live/a.flv");
  const readers = async () => {
    const text = await (await fetch(`${edge.addresses.api}/metrics`)).text();
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
}, 15_000);

test("a client that disconnects is noticed", async () => {
  const source = await publish("live/a");
  await until(() => source.events.some(({ type }) => type === "connected"));
  group(source, 0, 2);
  await until(() => isLive("live/a"));
  const client = await FlvClient.open("/live/a.flv");
  const count = async () => {
    const body = await (await fetch(`${edge.addresses.api}/api/v1/streams/live%2Fa`)).json();
    return (body as { sessions: unknown[] }).sessions.length;
  };
  await until(async () => (await count()) === 1);
  client.close();
  await until(async () => (await count()) === 0);
});

describe("limits", () => {
  const limited = CONFIG.replace("[log]", "[limits]\nmax_publishers = 1\n[log]");

  test("a publisher too many is refused as overloaded", async () => {
    await edge.stop();
    edge = await start(limited);
    const first = await publish("live/a");
    await until(() => first.events.some(({ type }) => type === "connected"));
    const second = await publish("live/b");
    const refused = await until(() => second.events.find(({ type }) => type === "refused"));
    expect(refused).toMatchObject({ type: "refused", reason: "overloaded" });
  });

  test("a stream has no more viewers than its limit, peers and readers together", async () => {
    await edge.stop();
    edge = await start(`${CONFIG}max_viewers = 2\n`);
    const source = await publish("live/a");
    await until(() => source.events.some(({ type }) => type === "connected"));
    group(source, 0, 2);
    await until(() => isLive("live/a"));
    await FlvClient.open("/live/a.flv");
    const first = await watch("live/a");
    await until(() => first.some(({ type }) => type === "connected"));
    const second = await watch("live/a");
    const refused = await until(() => second.find(({ type }) => type === "refused"));
    expect(refused).toMatchObject({ type: "refused", reason: "overloaded" });
    await expect(FlvClient.open("/live/a.flv")).rejects.toThrow("503");
  });
});

describe("stopping", () => {
  test("ends readers, tells publishers, and closes every listener", async () => {
    const source = await publish("live/a");
    await until(() => source.events.some(({ type }) => type === "connected"));
    group(source, 0, 2);
    await until(() => isLive("live/a"));
    const client = await FlvClient.open("/live/a.flv");
    await until(() => client.tags.length > 0);
    const began = performance.now();
    await edge.stop();
    expect(performance.now() - began).toBeLessThan(1500);
    await until(() => client.ended);
    const goodbye = await until(() => source.events.find(({ type }) => type === "disconnected"));
    expect(goodbye).toMatchObject({ reason: "shutting down" });
    expect(fetch(`${edge.addresses.http}/healthz`)).rejects.toThrow();
    expect(fetch(`${edge.addresses.api}/healthz`)).rejects.toThrow();
  });

  test("twice is once", async () => {
    await Promise.all([edge.stop(), edge.stop()]);
  });
});
