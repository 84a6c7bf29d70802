/** What operators reach: the API with its OpenAPI description, metrics, health and readiness. */
import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import type { z } from "zod";
import type { Ms } from "../../runtime/base/time.ts";
import type { EdgeStreamStats } from "../../runtime/node/api.ts";
import * as shapes from "./api-schema.ts";
import { addClusterRoutes } from "./cluster-routes.ts";
import { DrainQuery } from "./cluster-schema.ts";
import { CodecNames } from "./codecs.ts";
import { type GuardOptions, guard } from "./guard.ts";
import type { Metrics, MetricsSource } from "./metrics.ts";

export interface OperatorAppOptions extends MetricsSource {
  readonly guard: GuardOptions;
  readonly metrics: Metrics;
  /** Nobody new from now on; who is connected stays, or is moved elsewhere before the edge ends. */
  readonly drain: (leave: { readonly timeoutMs: number } | undefined) => void;
  readonly onKick: (stream: string, from: string | undefined) => void;
}

const { json, refused } = shapes;
const missing = json(shapes.Failure, "No such stream or session");

const listStreams = createRoute({
  method: "get",
  path: "/api/v1/streams",
  summary: "All live streams",
  responses: { 200: json(shapes.StreamList, "Live streams"), 403: refused },
});
const showStream = createRoute({
  method: "get",
  path: "/api/v1/streams/{name}",
  summary: "One stream, and who watches it",
  request: { params: shapes.StreamParam, query: shapes.LimitQuery },
  responses: { 200: json(shapes.StreamDetail, "The stream"), 403: refused, 404: missing },
});
const kickStream = createRoute({
  method: "delete",
  path: "/api/v1/streams/{name}",
  summary: "Ends a stream: its publisher is disconnected, and does not come back by itself",
  request: { params: shapes.StreamParam },
  responses: { 200: json(shapes.Kicked, "Ended"), 403: refused, 404: missing },
});
const kickSession = createRoute({
  method: "delete",
  path: "/api/v1/streams/{name}/sessions/{address}",
  summary: "Disconnects one viewer",
  request: { params: shapes.SessionParam },
  responses: { 200: json(shapes.Kicked, "Disconnected"), 403: refused, 404: missing },
});
const drain = createRoute({
  method: "post",
  path: "/api/v1/drain",
  summary: "Takes nobody new any more, and cuts nobody off; with leave=true moves them and ends",
  request: { query: DrainQuery },
  responses: { 200: json(shapes.Draining, "Draining"), 403: refused },
});
const showStats = createRoute({
  method: "get",
  path: "/api/v1/stats",
  summary: "Figures of the whole edge",
  responses: { 200: json(shapes.Stats, "Figures"), 403: refused },
});

export function createOperatorApp(options: OperatorAppOptions): OpenAPIHono {
  const { host, fanout } = options;
  const codecs = new CodecNames(host.edge);
  const shape = (stream: EdgeStreamStats) =>
    streamShape(options, stream, codecs.of(stream.name, stream.epoch));
  const app = new OpenAPIHono({
    defaultHook: (result, context) => {
      if (!result.success) return context.json({ error: describe(result.error) }, 400);
      return undefined;
    },
  });
  app.use(guard(options.guard));
  app.get("/healthz", (context) => context.text("ok\n"));
  app.get("/readyz", (context) => {
    return options.ready()
      ? context.text("ready\n")
      : context.text("not ready: starting or draining\n", 503);
  });
  app.get("/metrics", async (context) => {
    return context.body(await options.metrics.scrape(), 200, {
      "content-type": options.metrics.contentType,
    });
  });
  app.openapi(listStreams, (context) => {
    return context.json({ streams: host.edge.streams(host.now()).map(shape) }, 200);
  });
  app.openapi(showStream, (context) => {
    const { name } = context.req.valid("param");
    const now = host.now();
    const stream = host.edge.streams(now).find((candidate) => candidate.name === name);
    if (stream === undefined) return context.json(noStream(name), 404);
    const { limit } = context.req.valid("query");
    const sessions = sessionShapes(options, name, limit, now);
    return context.json({ ...shape(stream), sessions }, 200);
  });
  app.openapi(kickStream, (context) => {
    const { name } = context.req.valid("param");
    if (!host.command((edge, now) => edge.kick(now, name)))
      return context.json(noStream(name), 404);
    options.onKick(name, undefined);
    return context.json({ kicked: name }, 200);
  });
  app.openapi(kickSession, (context) => {
    const { name, address } = context.req.valid("param");
    const kicked =
      fanout.kick(name, address) || host.command((edge, now) => edge.kick(now, name, address));
    if (!kicked) return context.json({ error: `${address} does not watch ${name}` }, 404);
    options.onKick(name, address);
    return context.json({ kicked: address }, 200);
  });
  app.openapi(drain, (context) => {
    const { leave, timeoutSeconds } = context.req.valid("query");
    options.drain(leave === "true" ? { timeoutMs: timeoutSeconds * 1000 } : undefined);
    const { viewers } = host.edge.stats(host.now());
    return context.json({ draining: true as const, viewers, httpViewers: fanout.readerCount }, 200);
  });
  app.openapi(showStats, (context) => context.json(statsShape(options), 200));
  addClusterRoutes(app, () => options.cluster?.());
  app.doc31("/api/v1/openapi.json", {
    openapi: "3.1.0",
    info: {
      title: "Shoal edge",
      version: options.version,
      description: "Streams, viewers and figures of one edge",
    },
  });
  app.notFound((context) => context.json({ error: "no such path; see /api/v1/openapi.json" }, 404));
  return app;
}

function noStream(name: string): z.input<typeof shapes.Failure> {
  return { error: `the stream ${name} is not live here` };
}

function describe(error: {
  readonly issues: readonly { path: PropertyKey[]; message: string }[];
}): string {
  return error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
}

function streamShape(
  options: OperatorAppOptions,
  stream: EdgeStreamStats,
  codecs: string,
): z.input<typeof shapes.Stream> {
  const { sinceMs, ...figures } = stream;
  return {
    ...figures,
    codecs,
    liveSeconds: sinceMs / 1000,
    httpViewers: options.fanout.readersOf(stream.name).length,
  };
}

function sessionShapes(
  { host, fanout }: OperatorAppOptions,
  stream: string,
  limit: number,
  now: Ms,
): z.input<typeof shapes.Session>[] {
  const peers = host.edge.viewers(now, stream, limit).map(({ sinceMs, bytesIn: _, ...link }) => ({
    kind: "peer" as const,
    ...link,
    connectedSeconds: sinceMs / 1000,
  }));
  const readers = fanout.readersOf(stream).slice(0, Math.max(0, limit - peers.length));
  const http = readers.map((reader) => ({
    kind: "http" as const,
    address: reader.from,
    agent: "",
    connectedSeconds: (now - reader.sinceMs) / 1000,
    rttMs: null,
    lossRate: null,
    bytesOut: reader.bytesOut,
    queuedBytes: reader.queuedBytes,
    packetsLost: null,
    packetsResent: null,
    rateBps: null,
  }));
  return [...peers, ...http];
}

function statsShape({
  host,
  fanout,
  version,
  ready,
}: OperatorAppOptions): z.input<typeof shapes.Stats> {
  const { payloadBytesUsed, payloadBytesTotal, ...figures } = host.edge.stats(host.now());
  return {
    version,
    uptimeSeconds: process.uptime(),
    ready: ready(),
    ...figures,
    httpViewers: fanout.readerCount,
    httpBytesOut: fanout.totals().bytesOut,
    mediaMemoryUsedBytes: payloadBytesUsed,
    mediaMemoryBytes: payloadBytesTotal,
  };
}
