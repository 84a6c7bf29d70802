import { expect, test } from "bun:test";
import { FlvDemuxer } from "../../runtime/media/flv.ts";
import { FlvFanout } from "./flv-fanout.ts";
import { HandEdge, streamStats } from "./testing.ts";
import { createViewerApp } from "./viewer-app.ts";

function rig(options: { draining?: boolean; maxReaders?: number } = {}) {
  const host = new HandEdge();
  const { maxReaders = 10 } = options;
  const fanout = new FlvFanout(host, {
    maxReaders,
    queueBytesMax: 1 << 20,
    readerTimeoutMs: 10_000,
  });
  const changes: string[] = [];
  const app = createViewerApp({
    host,
    fanout,
    draining: () => options.draining ?? false,
    onReader: (change, stream, from) => changes.push(`${change} ${stream} ${from}`),
  });
  return { host, fanout, app, changes };
}

test("the status page lists live streams with links", async () => {
  const response = await rig().app.request("/");
  const text = await response.text();
  expect(response.status).toBe(200);
  expect(text).toContain('<a href="/live/news">live/news</a>');
  expect(text).toContain('<a href="/live/news.flv">FLV</a>');
  expect(text).toContain("813 kbit/s");
});

test("a stream's name cannot become markup", async () => {
  const { app, host } = rig();
  host.live = [streamStats("live/<script>alert(1)</script>")];
  expect(await (await app.request("/")).text()).not.toContain("<script>alert");
  expect(
    await (await app.request("/live/%3Cscript%3Ealert(1)%3C%2Fscript%3E")).text(),
  ).not.toContain("<script>alert");
});

test("the figures of the status page come as JSON", async () => {
  const { streams } = (await (await rig().app.request("/status.json")).json()) as {
    streams: unknown[];
  };
  expect(streams).toEqual([
    {
      name: "live/news",
      codecs: "h264 / aac 48000 stereo",
      bitrateKbps: 812.5,
      viewers: 3,
      httpViewers: 0,
      ageSeconds: 61,
    },
  ]);
});

test("HTTP-FLV begins with the current group, for pages from anywhere", async () => {
  const { app, changes, fanout } = rig();
  const response = await app.request("/live/news.flv", {}, { from: "203.0.113.9:1" });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("video/x-flv");
  expect(response.headers.get("access-control-allow-origin")).toBe("*");
  const reader = response.body?.getReader();
  const demuxer = new FlvDemuxer();
  const tags = [];
  while (tags.length < 4)
    tags.push(...demuxer.push((await reader?.read())?.value ?? new Uint8Array()));
  expect(tags.map((tag) => tag.type)).toEqual([9, 8, 9, 8]);
  expect(fanout.readersOf("live/news").map((one) => one.from)).toEqual(["203.0.113.9:1"]);
  await reader?.cancel();
  expect(changes).toEqual(["joined live/news 203.0.113.9:1", "left live/news 203.0.113.9:1"]);
});

test("HEAD tells the type and reads nothing", async () => {
  const { app, fanout } = rig();
  const response = await app.request("/live/news.flv", { method: "HEAD" });
  expect(response.headers.get("content-type")).toBe("video/x-flv");
  expect(fanout.readerCount).toBe(0);
});

test("a stream that is not live is refused with a sentence", async () => {
  const response = await rig().app.request("/live/none.flv");
  expect(response.status).toBe(404);
  expect(await response.text()).toBe("The stream live/none is not live here.\n");
});

test("readers are refused when there are too many, or the edge shuts down", async () => {
  expect((await rig({ maxReaders: 0 }).app.request("/live/news.flv")).status).toBe(503);
  expect((await rig({ draining: true }).app.request("/live/news.flv")).status).toBe(503);
});

test("the player page loads only what the edge serves", async () => {
  const { app } = rig();
  const page = await (await app.request("/live/news")).text();
  const paths = [...page.matchAll(/(?:src|href)="(\/[^"]*)"/g)].map((match) => match[1] as string);
  expect(paths).toEqual(["/assets/page.css", "/assets/mpegts.js", "/assets/player.js"]);
  for (const path of [...paths, "/assets/status.js"]) {
    const response = await app.request(path);
    expect(response.status).toBe(200);
    expect((await response.text()).length).toBeGreaterThan(500);
  }
});

test.each(["/nothing", "/assets/none.js", "/live/%ff.flv", "/favicon.ico"])(
  "%s is not found",
  async (path) => {
    expect((await rig().app.request(path)).status).toBe(404);
  },
);

test("health is said in plain text", async () => {
  expect(await (await rig().app.request("/healthz")).text()).toBe("ok\n");
});
