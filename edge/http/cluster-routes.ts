/** What operators are told of the other edges: who there is, what the links are like, how streams travel. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { ClusterFacts } from "../cluster/cluster-facts.ts";
import { json, refused } from "./api-schema.ts";
import * as shapes from "./cluster-schema.ts";

const listEdges = createRoute({
  method: "get",
  path: "/api/v1/edges",
  summary: "All edges of the cluster, and where each stream is published",
  responses: { 200: json(shapes.EdgeList, "The cluster as this edge knows it"), 403: refused },
});
const listLinks = createRoute({
  method: "get",
  path: "/api/v1/links",
  summary: "The links between all pairs of lines, as the edge at their beginning measures them",
  responses: { 200: json(shapes.LinkList, "Links"), 403: refused },
});
const listRoutes = createRoute({
  method: "get",
  path: "/api/v1/routes",
  summary: "By which paths this edge sends streams to others, and why",
  responses: { 200: json(shapes.RouteList, "Routes"), 403: refused },
});

/** `facts`: undefined for an edge by itself. */
export function addClusterRoutes(app: OpenAPIHono, facts: () => ClusterFacts | undefined): void {
  app.openapi(listEdges, (context) => {
    const cluster = facts();
    const { edgeId: self = null, registry = null, edges = [], streams = [] } = cluster ?? {};
    return context.json({ self, registry, ...mutable({ edges, streams }) }, 200);
  });
  app.openapi(listLinks, (context) => {
    return context.json(mutable({ links: facts()?.links ?? [] }), 200);
  });
  app.openapi(listRoutes, (context) => {
    return context.json(mutable({ routes: facts()?.routes ?? [] }), 200);
  });
}

type Mutable<T> = T extends readonly (infer E)[]
  ? Mutable<E>[]
  : T extends object
    ? { -readonly [K in keyof T]: Mutable<T[K]> }
    : T;

/** The same value: what is written as JSON may be read-only. */
function mutable<T>(value: T): Mutable<T> {
  return value as Mutable<T>;
}
