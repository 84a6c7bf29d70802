import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import * as shapes from "./api-schema.ts";
import { FlvFanout } from "./flv-fanout.ts";
import { createMetrics } from "./metrics.ts";
import { clusterMetrics } from "./metrics-cluster.ts";
import { metricList, metricRow } from "./metrics-list.ts";
import { createOperatorApp } from "./operator-app.ts";
import { HandEdge } from "./testing.ts";

function rig(options: { ready?: boolean } = {}) {
  const host = new HandEdge();
  const fanout = new FlvFanout(host, {
    maxReaders: 10,
    queueBytesMax: 1 << 20,
    readerTimeoutMs: 10_000,
  });
  const source = {
    host,
    fanout,
    version: "1.2.3",
    hotPath: "wasm",
    ready: () => options.ready ?? true,
  };
  const kicks: (string | undefined)[] = [];
  const app = createOperatorApp({
    ...source,
    metrics: createMetrics(source),
    guard: {
      listenHost: "127.0.0.1",
      allowedHosts: ["edge.example"],
      allowedOrigins: ["https://ops.example"],
    },
    drain: () => kicks.push("drain"),
    onKick: (stream, from) => kicks.push(from ?? stream),
  });
  return { host, fanout, app, kicks };
}

describe("streams", () => {
  test("are listed", async () => {
    const body = await (await rig().app.request("/api/v1/streams")).json();
    const { streams } = shapes.StreamList.parse(body);
    expect(streams[0]).toMatchObject({
      name: "live/news",
      viewers: 3,
      liveSeconds: 61,
      httpViewers: 0,
    });
  });

  test("are shown one by one with peers and HTTP readers", async () => {
    const { app, fanout } = rig();
    fanout.open("live/news", "203.0.113.9:1", () => {});
    const body = await (await app.request("/api/v1/streams/live%2Fnews")).json();
    const { sessions } = shapes.StreamDetail.parse(body);
    expect(sessions.map(({ kind, address }) => `${kind} ${address}`)).toEqual([
      "peer 198.51.100.7:40112",
      "http 203.0.113.9:1",
    ]);
    const limited = await (await app.request("/api/v1/streams/live%2Fnews?limit=1")).json();
    expect(shapes.StreamDetail.parse(limited).sessions).toHaveLength(1);
  });

  test("that are not live are a 404 that says so", async () => {
    const response = await rig().app.request("/api/v1/streams/live%2Fnone");
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({ error: "the stream live/none is not live here" });
  });

  test("a bad limit is a 400 that names it", async () => {
    const response = await rig().app.request("/api/v1/streams/live%2Fnews?limit=many");
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: string }).error).toStartWith("limit: ");
  });

  test("can be ended, and viewers removed", async () => {
    const { app, host, fanout, kicks } = rig();
    fanout.open("live/news", "203.0.113.9:1", () => {});
    const remove = async (path: string) => (await app.request(path, { method: "DELETE" })).status;
    expect(await remove("/api/v1/streams/live%2Fnews")).toBe(200);
    expect(await remove("/api/v1/streams/live%2Fnone")).toBe(404);
    expect(await remove("/api/v1/streams/live%2Fnews/sessions/198.51.100.7%3A40112")).toBe(200);
    expect(await remove("/api/v1/streams/live%2Fnews/sessions/203.0.113.9%3A1")).toBe(200);
    expect(await remove("/api/v1/streams/live%2Fnews/sessions/192.0.2.1%3A1")).toBe(404);
    expect(host.kicked).toEqual(["live/news", "198.51.100.7:40112"]);
    expect(fanout.readerCount).toBe(0);
    expect(kicks).toEqual(["live/news", "198.51.100.7:40112", "203.0.113.9:1"]);
  });
});

test("figures of the whole edge have their documented shape", async () => {
  const stats = shapes.Stats.parse(await (await rig().app.request("/api/v1/stats")).json());
  expect(stats).toMatchObject({ version: "1.2.3", ready: true, viewers: 3, handshakesRefused: 2 });
});

test("draining tells who is left", async () => {
  const { app, kicks } = rig();
  const body = await (await app.request("/api/v1/drain", { method: "POST" })).json();
  expect(body).toEqual({ draining: true, viewers: 3, httpViewers: 0 });
  expect(kicks).toEqual(["drain"]);
});

test("the API describes itself", async () => {
  const document = (await (await rig().app.request("/api/v1/openapi.json")).json()) as {
    openapi: string;
    paths: Record<string, object>;
  };
  expect(document.openapi).toBe("3.1.0");
  expect(
    Object.entries(document.paths).map(([path, methods]) => `${path} ${Object.keys(methods)}`),
  ).toEqual([
    "/api/v1/streams get",
    "/api/v1/streams/{name} get,delete",
    "/api/v1/streams/{name}/sessions/{address} delete",
    "/api/v1/drain post",
    "/api/v1/stats get",
    "/api/v1/edges get",
    "/api/v1/links get",
    "/api/v1/routes get",
  ]);
});

test("readiness falls while draining, health does not", async () => {
  const { app } = rig({ ready: false });
  expect((await app.request("/readyz")).status).toBe(503);
  expect((await app.request("/healthz")).status).toBe(200);
  expect((await rig().app.request("/readyz")).status).toBe(200);
});

describe("metrics", () => {
  const lines = async (app: ReturnType<typeof rig>["app"]) =>
    (await (await app.request("/metrics")).text()).split("\n");

  test("are in Prometheus' format, per edge and per stream", async () => {
    const { app } = rig();
    expect((await app.request("/metrics")).headers.get("content-type")).toStartWith(
      "text/plain; version=0.0.4",
    );
    const shown = await lines(app);
    expect(shown).toContain("# TYPE shoal_edge_sent_bytes_total counter");
    expect(shown).toContain("shoal_edge_sent_bytes_total 2000");
    expect(shown).toContain('shoal_edge_stream_bitrate_bps{stream="live/news"} 812500');
    expect(shown).toContain('shoal_edge_send_path{line="0",path="segments"} 1');
    expect(shown).toContain('shoal_edge_datagrams_dropped_total{line="0"} 5');
    expect(shown).toContain('shoal_edge_info{version="1.2.3",hot_path="wasm"} 1');
  });

  test("are read anew each time, and streams that ended disappear", async () => {
    const { app, host } = rig();
    await lines(app);
    expect(await lines(app)).toContain("shoal_edge_sent_bytes_total 2000");
    host.live = [];
    const shown = await lines(app);
    expect(shown.some((line) => line.includes('stream="live/news"'))).toBe(false);
    expect(shown).toContain("shoal_edge_streams 0");
  });

  test("are those of docs/METRICS.md", async () => {
    const doc = readFileSync(new URL("../../docs/METRICS.md", import.meta.url), "utf8");
    const documented = doc.split("\n").filter((line) => line.startsWith("| `shoal_edge_"));
    expect(documented).toEqual([...metricList, ...clusterMetrics].map(metricRow));
    const shown = await lines(rig().app);
    for (const { name, kind } of metricList) expect(shown).toContain(`# TYPE ${name} ${kind}`);
  });
});

describe("who may call", () => {
  const status = async (headers: Record<string, string>) =>
    (await rig().app.request("/api/v1/stats", { headers: { host: "127.0.0.1:9935", ...headers } }))
      .status;

  test("this machine and allowed names", async () => {
    expect(await status({})).toBe(200);
    expect(await status({ host: "localhost:9935" })).toBe(200);
    expect(await status({ host: "[::1]:9935" })).toBe(200);
    expect(await status({ host: "EDGE.example" })).toBe(200);
  });

  test("no name that was made to point here", async () => {
    const response = await rig().app.request("/metrics", {
      headers: { host: "evil.example:9935" },
    });
    expect(response.status).toBe(403);
    expect(await response.json()).toEqual({
      error: 'Host "evil.example" is not in api.allowed_hosts',
    });
    expect(await status({ host: "10.0.0.1" })).toBe(403);
  });

  test("no page of another site", async () => {
    expect(await status({ origin: "http://127.0.0.1:9935" })).toBe(200);
    expect(await status({ origin: "https://ops.example" })).toBe(200);
    expect(await status({ origin: "https://evil.example" })).toBe(403);
    expect(await status({ origin: "http://localhost:3000" })).toBe(403);
    expect(await status({ origin: "null" })).toBe(403);
  });
});
