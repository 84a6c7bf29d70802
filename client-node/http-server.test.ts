import { afterEach, expect, test } from "bun:test";
import { connect, createServer, type Socket } from "node:net";
import { Hono } from "hono";
import { FLV_READER_DEFAULTS } from "../runtime/media/flv-reader.ts";
import { FrameKind } from "../runtime/wire/frame.ts";
import { FlvHub } from "./flv-hub.ts";
import type { HttpBindings, HttpStreams } from "./http-app.ts";
import { createHttpApp } from "./http-app.ts";
import { type HttpServer, ListenError, serveHttp } from "./http-server.ts";

let server: HttpServer | undefined;
afterEach(() => {
  server?.close();
  server = undefined;
});

test("a player that stops reading costs nothing but its own connection", async () => {
  let now = 0;
  const hub = new FlvHub(() => now);
  const stream = { name: "live/x", stats: () => ({}), openReader: async () => hub.open(false) };
  const streams = { acquire: () => stream, find: () => stream } as unknown as HttpStreams;
  server = await serveHttp(createHttpApp({ listenHost: "127.0.0.1", streams }), {
    host: "127.0.0.1",
    port: 0,
  });
  let dtsMs = 0;
  const send = (kind: FrameKind): void => {
    dtsMs += 40;
    const frame = { kind, dtsMs, ptsOffsetMs: 0, body: new Uint8Array(256 << 10) };
    hub.handleFrame({ frame, epoch: 1, capturedAtEpochMs: 0 });
  };
  send(FrameKind.key);
  const stuck = await request(server.port);
  const closed = new Promise<void>((resolve) => stuck.once("close", () => resolve()));
  const quick = await fetch(`http://127.0.0.1:${server.port}/live/x.flv`);
  const reading = (quick.body as ReadableStream<Uint8Array>).getReader();
  let quickBytes = 0;
  const read = async (): Promise<void> => {
    for (let next = await reading.read(); !next.done; next = await reading.read()) {
      quickBytes += next.value.length;
    }
  };
  void read().catch(() => undefined);
  while (hub.readerCount < 2) await Bun.sleep(1);
  /* Until all socket buffers between here and there are full, and the queue behind them. */
  while (hub.queuedBytes < FLV_READER_DEFAULTS.queueBytesMax) {
    send(FrameKind.inter);
    await Bun.sleep(1);
  }
  now += FLV_READER_DEFAULTS.stalledMsMax + 1;
  hub.handleTimeout();
  expect(hub.readerCount).toBe(1);
  stuck.resume();
  await closed;
  const before = quickBytes;
  send(FrameKind.key);
  while (quickBytes === before) await Bun.sleep(1);
  await reading.cancel();
  while (hub.readerCount > 0) await Bun.sleep(1);
});

test("an address that can't be had is said in one line", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as { port: number };
  const app = new Hono<{ Bindings: HttpBindings }>();
  expect(serveHttp(app, { host: "127.0.0.1", port })).rejects.toThrow(ListenError);
  expect(serveHttp(app, { host: "192.0.2.1", port: 0 })).rejects.toThrow(
    "no address of this machine",
  );
  taken.close();
});

/** A raw connection that asks for the stream and never reads. */
function request(port: number): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.pause();
      socket.on("error", () => undefined);
      socket.write("GET /live/x.flv HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
      resolve(socket);
    });
  });
}
