import { beforeAll, describe, expect, test } from "bun:test";
import { buildPage } from "../runtime/tools/build-page.ts";
import { FrameKind } from "../runtime/wire/frame.ts";
import { FlvHub } from "./flv-hub.ts";
import type { HttpStream, HttpStreams } from "./http-app.ts";
import { refusal } from "./http-guard.ts";

type CreateHttpApp = typeof import("./http-app.ts").createHttpApp;
let createHttpApp: CreateHttpApp;

beforeAll(async () => {
  await buildPage(); /* http-app.ts embeds it when it is loaded */
  ({ createHttpApp } = await import("./http-app.ts"));
});

class FakeStream implements HttpStream {
  readonly hub = new FlvHub(() => 0);
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
  stats(): object {
    return { stream: this.name, framesPlayed: 7 };
  }
  async openReader(page: boolean) {
    if (!this.hub.ready)
      return { refused: "not live", detail: "the edge has no such stream" } as const;
    return this.hub.open(page) ?? ({ refused: "too many readers" } as const);
  }
}

function play(stream: FakeStream): void {
  const common = { epoch: 1, capturedAtEpochMs: 1_000_000 };
  const body = new Uint8Array([0x17, 1, 0, 0, 0]);
  const config = { kind: FrameKind.videoConfig, dtsMs: 0, ptsOffsetMs: 0, body };
  stream.hub.handleFrame({ ...common, frame: config });
  stream.hub.handleFrame({ ...common, frame: { ...config, kind: FrameKind.key } });
}

function setUp() {
  const main = new FakeStream("live/main");
  const streams: HttpStreams = {
    defaultStream: "live/main",
    find: (name) => (name === main.name ? main : undefined),
    acquire: (name) => (name === main.name ? main : undefined),
    list: async () => ["live/main", "live/other"],
  };
  const app = createHttpApp({ listenHost: "127.0.0.1", streams });
  const get = (path: string, headers: Record<string, string> = {}) =>
    app.request(`http://127.0.0.1:8080${path}`, { headers });
  return { main, get };
}

describe("local HTTP", () => {
  test("serves the page with everything it needs, and a policy that lets nothing else in", async () => {
    const { get } = setUp();
    const page = await get("/");
    expect(page.headers.get("content-type")).toStartWith("text/html");
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    const html = await page.text();
    expect(html).toContain("/player.js");
    expect((await get("/player.js")).headers.get("content-type")).toStartWith("text/javascript");
    expect((await get("/player.css")).headers.get("content-type")).toStartWith("text/css");
    const tag = page.headers.get("etag") ?? "";
    expect((await get("/", { "if-none-match": tag })).status).toBe(304);
  });

  test("gives figures of a stream it watches", async () => {
    const { get } = setUp();
    expect(await (await get("/api/stats")).json()).toEqual({
      stream: "live/main",
      framesPlayed: 7,
    });
    expect((await get("/api/stats?stream=live/none")).status).toBe(404);
    expect(await (await get("/api/streams")).json()).toEqual({
      default: "live/main",
      streams: ["live/main", "live/other"],
    });
    expect(await (await get("/healthz")).text()).toBe("ok\n");
  });

  test("serves FLV that begins with the header, and frees the reader that leaves", async () => {
    const { main, get } = setUp();
    play(main);
    const response = await get("/live/main.flv");
    expect(response.headers.get("content-type")).toBe("video/x-flv");
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const { value } = await reader.read();
    expect([...(value as Uint8Array).subarray(0, 3)]).toEqual([0x46, 0x4c, 0x56]);
    expect(main.hub.readerCount).toBe(1);
    await reader.cancel();
    expect(main.hub.readerCount).toBe(0);
  });

  test("puts capture times into the page's FLV only", async () => {
    const { main, get } = setUp();
    play(main);
    for (const [path, marked] of [
      ["/live/main.flv", false],
      ["/live/main.flv?page=1", true],
    ] as const) {
      const reader = ((await get(path)).body as ReadableStream<Uint8Array>).getReader();
      const { value } = await reader.read();
      expect(Buffer.from(value as Uint8Array).includes("onShoal")).toBe(marked);
      await reader.cancel();
    }
  });

  test("says why there is nothing to play", async () => {
    const { get } = setUp();
    const response = await get("/live/main.flv");
    expect(response.status).toBe(404);
    expect(await response.text()).toBe("live/main: the edge has no such stream\n");
    expect((await get("/live/other.flv")).status).toBe(503);
    expect((await get("/live/..%2Fx.flv")).status).toBe(404);
    expect((await get("/other")).status).toBe(404);
  });

  test("refuses names that others made to resolve here, and other sites' pages", async () => {
    const { get } = setUp();
    expect((await get("/api/stats", { host: "evil.example" })).status).toBe(403);
    expect((await get("/api/stats", { host: "localhost:8080" })).status).toBe(200);
    expect((await get("/api/stats", { origin: "http://evil.example" })).status).toBe(403);
    const cross = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" };
    expect((await get("/live/main.flv", cross)).status).toBe(403);
    expect((await get("/", { ...cross, "sec-fetch-mode": "navigate" })).status).toBe(200);
  });
});

test("beyond this machine a listener answers to any of its addresses, but to no foreign name", () => {
  expect(refusal("0.0.0.0", { host: "192.0.2.7:8080" })).toBeUndefined();
  expect(refusal("0.0.0.0", { host: "[2001:db8::1]:8080" })).toBeUndefined();
  expect(refusal("0.0.0.0", { host: "evil.example:8080" })).toContain("not a name");
  expect(refusal("tv.example", { host: "tv.example:8080" })).toBeUndefined();
  expect(refusal("127.0.0.1", { host: "192.0.2.7" })).toContain("not a name");
  expect(refusal("::1", { host: "[::1]:8080" })).toBeUndefined();
});
