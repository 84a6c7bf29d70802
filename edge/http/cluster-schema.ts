/** The shapes of what /api/v1 says of the other edges. */
import { z } from "@hono/zod-openapi";

const count = z.number().int().nonnegative();

const RegistryShape = z
  .object({
    name: z.string().openapi({ example: "redis://10.0.0.5:6379/0" }),
    isUp: z.boolean(),
    awayMs: z.number().openapi({ description: "Since when it cannot be had; 0 while it can" }),
  })
  .openapi("Registry");

const Line = z
  .object({
    name: z.string(),
    address: z.string(),
    isp: z.string(),
    capacityMbps: z.number(),
    cost: z.number(),
    commitMbps: z.number(),
  })
  .openapi("Line");

const Edge = z
  .object({
    id: z.string().openapi({ example: "fra-1" }),
    isSelf: z.boolean(),
    address: z.string().openapi({ description: "Where publishers and viewers reach it" }),
    lines: z.array(Line),
    state: z.enum(["serving", "draining"]),
    load: z.number().openapi({ description: "0..1 of the viewers or egress it may have" }),
    viewers: count,
    maxViewers: count,
    fetching: z.array(z.string()).openapi({ description: "Streams it takes from other edges" }),
    version: z.string(),
    uptimeSeconds: z.number(),
  })
  .openapi("Edge");

const ClusterStream = z
  .object({
    name: z.string(),
    edge: z.string().openapi({ description: "Where it is published" }),
    epoch: count,
    liveSeconds: z.number(),
    fetchedFrom: z
      .string()
      .nullable()
      .openapi({ description: "From which edge this one takes it; null = it does not" }),
  })
  .openapi("ClusterStream");

const Link = z
  .object({
    fromEdge: z.string(),
    fromLine: z.string(),
    toEdge: z.string(),
    toLine: z.string(),
    isUp: z.boolean(),
    rttMs: z.number(),
    jitterMs: z.number(),
    loss: z.number(),
    usableKbps: z.number(),
    usedKbps: z.number(),
  })
  .openapi("Link");

const Route = z
  .object({
    stream: z.string(),
    edgeId: z.string().openapi({ description: "The edge it is sent to" }),
    lines: z.array(z.string()).openapi({ description: "Each path, its figures, and why" }),
  })
  .openapi("Route");

export const EdgeList = z
  .object({
    self: z.string().nullable().openapi({ description: "null: this edge is by itself" }),
    registry: RegistryShape.nullable(),
    edges: z.array(Edge),
    streams: z.array(ClusterStream),
  })
  .openapi("EdgeList");
export const LinkList = z.object({ links: z.array(Link) }).openapi("LinkList");
export const RouteList = z.object({ routes: z.array(Route) }).openapi("RouteList");

export const DrainQuery = z.object({
  leave: z
    .enum(["true", "false"])
    .default("false")
    .openapi({
      param: { name: "leave", in: "query" },
      description: "Moves publishers and viewers to other edges, then ends this one",
    }),
  timeoutSeconds: z.coerce
    .number()
    .int()
    .min(1)
    .max(86_400)
    .default(60)
    .openapi({
      param: { name: "timeoutSeconds", in: "query" },
      description: "With leave: ends then, even if somebody is left who cannot be moved",
    }),
});
