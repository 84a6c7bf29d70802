/** What viewers reach: status page, player page, HTTP-FLV. Anyone may read it, from any web page. */
import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import type { ClusterFacts } from "../cluster/cluster-facts.ts";
import type { EdgeHost } from "../host.ts";
import {
  assets,
  type ClusterStatus,
  CONTENT_SECURITY_POLICY,
  playerPage,
  type StatusRow,
  statusPage,
} from "../pages/pages.ts";
import { CodecNames } from "./codecs.ts";
import type { FlvFanout } from "./flv-fanout.ts";
import type { GoneReason } from "./flv-response.ts";

export interface ViewerAppOptions {
  readonly host: EdgeHost;
  readonly fanout: FlvFanout;
  /** The edge takes nobody new any more. */
  readonly draining: () => boolean;
  /** Undefined for an edge by itself. */
  readonly cluster?: () => ClusterFacts | undefined;
  readonly onReader: (change: "joined" | GoneReason, stream: string, from: string) => void;
}

/** What the listener knows of a request. Absent when the app is called without a socket. */
export interface RequestBindings {
  readonly from?: string;
  /** The response may pause for long without being closed as idle. */
  readonly keepOpen?: () => void;
  /** Closes the connection even if the other side takes nothing. */
  readonly cut?: () => void;
}

type Env = { Bindings: RequestBindings };

const FLV_HEADERS = {
  "content-type": "video/x-flv",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};
/** Assets change only with the program. */
const ASSET_CACHE = "public, max-age=300";

export function createViewerApp(options: ViewerAppOptions): Hono<Env> {
  const app = new Hono<Env>();
  const codecs = new CodecNames(options.host.edge);
  app.use(cors({ origin: "*", allowMethods: ["GET", "HEAD"] }));
  app.get("/", (context) =>
    context.html(
      statusPage(statusRows(options, codecs), clusterStatus(options)),
      200,
      pageHeaders(),
    ),
  );
  app.get("/status.json", (context) => {
    const status = { streams: statusRows(options, codecs), cluster: clusterStatus(options) };
    return context.json(status, 200, {
      "cache-control": "no-store",
    });
  });
  app.get("/healthz", (context) => context.text("ok\n"));
  app.get("/assets/:file", (context) => {
    const asset = assets.get(context.req.param("file"));
    if (asset === undefined) return context.notFound();
    return context.body(asset.text, 200, {
      "content-type": asset.type,
      "cache-control": ASSET_CACHE,
    });
  });
  app.get("/*", (context) => {
    const path = decodePath(context.req.path);
    if (path === undefined || !/^[^/]+\/./.test(path)) return context.notFound();
    if (path.endsWith(".flv")) return serveFlv(context, options, path.slice(0, -".flv".length));
    return context.html(playerPage(path.replace(/\/$/, "")), 200, pageHeaders());
  });
  app.notFound((context) =>
    context.text("There is nothing here. The list of live streams is at /\n", 404),
  );
  return app;
}

/** Live streams, for the status page. */
function statusRows({ host, fanout }: ViewerAppOptions, codecs: CodecNames): StatusRow[] {
  return host.edge.streams(host.now()).map((stream) => ({
    name: stream.name,
    codecs: codecs.of(stream.name, stream.epoch),
    bitrateKbps: stream.bitrateKbps,
    viewers: stream.viewers,
    httpViewers: fanout.readersOf(stream.name).length,
    ageSeconds: stream.sinceMs / 1000,
  }));
}

/** The other edges, as anyone may know of them. */
function clusterStatus(options: ViewerAppOptions): ClusterStatus | undefined {
  const facts = options.cluster?.();
  if (facts === undefined) return undefined;
  const { isUp, awayMs } = facts.registry;
  return {
    registryAwaySeconds: isUp ? null : awayMs / 1000,
    edges: facts.edges.map(({ id, isSelf, state, load, viewers }) => {
      return { id, isSelf, state, load, viewers };
    }),
  };
}

function serveFlv(context: Context<Env>, options: ViewerAppOptions, stream: string): Response {
  const { host, fanout } = options;
  if (options.draining())
    return context.text("This edge takes nobody new at present.\n", 503, { "retry-after": "1" });
  if (context.req.method === "HEAD" && isLive(host, stream))
    return context.body(null, 200, FLV_HEADERS);
  const from = context.env?.from ?? "unknown";
  const reader = fanout.open(stream, from, (why) => {
    if (why !== "left") context.env?.cut?.();
    options.onReader(why, stream, from);
  });
  if (reader === "unknown") return context.text(`The stream ${stream} is not live here.\n`, 404);
  if (reader === "overloaded") {
    return context.text("This stream, or this edge, has as many viewers as it may have.\n", 503, {
      "retry-after": "5",
    });
  }
  context.env?.keepOpen?.();
  options.onReader("joined", stream, from);
  return context.body(reader.body, 200, FLV_HEADERS);
}

function isLive(host: EdgeHost, stream: string): boolean {
  return host.edge.streams(host.now()).some((live) => live.name === stream);
}

/** The path without its leading slash; undefined when it is not UTF-8. */
function decodePath(path: string): string | undefined {
  try {
    return decodeURIComponent(path.slice(1));
  } catch {
    return undefined;
  }
}

function pageHeaders(): Record<string, string> {
  return {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  };
}
