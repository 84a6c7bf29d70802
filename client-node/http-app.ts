/**
 * The viewer's local HTTP: player page, HTTP-FLV, figures. Streams are opened through
 * `WatchedStreams`, so that a player asking for another stream of the same edge gets it too.
 */
import { type Context, Hono } from "hono";
import { type PageAsset, playerAsset } from "../runtime/media/page/player-page.ts";
import { isStreamName } from "./arguments.ts";
import { guard } from "./http-guard.ts";
import type { LocalReader } from "./local-reader.ts";

/** One stream of this program, as the HTTP sees it. */
export interface HttpStream {
  readonly name: string;
  /** What `/api/stats` shows. */
  stats(): object;
  /** A reader once there is something to read; or why there is none. */
  openReader(page: boolean, signal: AbortSignal): Promise<LocalReader | ReaderRefusal>;
}

/** Why a player got nothing. */
export type ReaderRefusal =
  | { readonly refused: "not live"; readonly detail: string }
  | { readonly refused: "too many readers" }
  | { readonly refused: "shutting down" };

/** The streams this program can show. */
export interface HttpStreams {
  readonly defaultStream: string;
  /** The stream if it is being watched. */
  find(name: string): HttpStream | undefined;
  /** The stream, watched from now on if it was not; undefined when there are too many. */
  acquire(name: string): HttpStream | undefined;
  /** Names of the streams live at the edge; empty where that is not known. */
  list(): Promise<readonly string[]>;
}

export interface HttpAppOptions {
  readonly listenHost: string;
  readonly streams: HttpStreams;
}

/** What the listener knows of a request; absent when the app is called without a socket. */
export interface HttpBindings {
  readonly outgoing?: { destroy(): unknown };
}
type Env = { Bindings: HttpBindings };

const NO_STORE = { "cache-control": "no-store", "x-content-type-options": "nosniff" };
const FLV_HEADERS = { "content-type": "video/x-flv", ...NO_STORE };

export function createHttpApp({ listenHost, streams }: HttpAppOptions): Hono<Env> {
  const app = new Hono<Env>();
  app.use(guard(listenHost));
  for (const path of ["/", "/player.css", "/player.js"]) {
    app.get(path, (context) => serveAsset(context, playerAsset(path) as PageAsset));
  }
  app.get("/healthz", (context) => context.text("ok\n", 200, NO_STORE));
  app.get("/api/stats", (context) => {
    const name = context.req.query("stream") ?? streams.defaultStream;
    const stream = streams.find(name);
    if (!stream) return context.json({ error: `${name} is not being watched` }, 404, NO_STORE);
    return context.json(stream.stats(), 200, NO_STORE);
  });
  app.get("/api/streams", async (context) => {
    const body = { default: streams.defaultStream, streams: await streams.list() };
    return context.json(body, 200, NO_STORE);
  });
  app.get("/live/:file{.+\\.flv}", (context) => {
    const name = `live/${context.req.param("file").slice(0, -".flv".length)}`;
    return isStreamName(name) ? serveFlv(context, streams, name) : context.notFound();
  });
  app.notFound((context) =>
    context.text(`There is nothing here. The player page is at /\n`, 404, NO_STORE),
  );
  return app;
}

function serveAsset(context: Context<Env>, asset: PageAsset): Response {
  if (context.req.header("if-none-match") === asset.headers["etag"]) {
    return context.body(null, 304, { ...asset.headers });
  }
  return context.body(asset.body, 200, { ...asset.headers });
}

async function serveFlv(
  context: Context<Env>,
  streams: HttpStreams,
  name: string,
): Promise<Response> {
  if (context.req.method === "HEAD") return context.body(null, 200, FLV_HEADERS);
  const stream = streams.acquire(name);
  if (!stream) {
    return context.text("This peer shows as many streams as it may.\n", 503, NO_STORE);
  }
  const page = context.req.query("page") === "1";
  const reader = await stream.openReader(page, context.req.raw.signal);
  if (!("refused" in reader)) {
    reader.cutConnection = () => context.env?.outgoing?.destroy();
    return context.body(reader.body, 200, FLV_HEADERS);
  }
  switch (reader.refused) {
    case "not live":
      return context.text(`${name}: ${reader.detail}\n`, 404, NO_STORE);
    case "too many readers":
      return context.text(`${name} has as many local readers as it may have.\n`, 503, NO_STORE);
    case "shutting down":
      return context.text("This peer is ending.\n", 503, NO_STORE);
  }
}
