/**
 * `shoal-edge routes` and `shoal-edge drain`: what operators ask of a running edge, through its API. Each prints lines
 * for people, or with `--json` one object.
 */
import type { z } from "@hono/zod-openapi";
import type { EdgeList, RouteList } from "./http/cluster-schema.ts";

export const API_URL_DEFAULT = "http://127.0.0.1:9935";
/** The API answers from memory. */
const ANSWER_MS_MAX = 5000;
const POLL_MS = 250;
/** Beyond the edge's own limit the command waits so long for its end. */
const END_MS_MAX = 5000;

/** Something is wrong that the user can do something about; the message says what. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
}

export interface Output {
  line(text: string): void;
  json(value: unknown): void;
}

type Edges = z.infer<typeof EdgeList>;
type Routes = z.infer<typeof RouteList>["routes"];

/** Where each stream comes from and goes to; with `explain` each path and why. */
export async function routes(
  options: {
    readonly api: string;
    readonly explain: boolean;
    readonly stream?: string | undefined;
  },
  out: Output,
  isJson: boolean,
): Promise<void> {
  const edges = (await call(options.api, "GET", "/api/v1/edges")) as Edges;
  const all = (await call(options.api, "GET", "/api/v1/routes")) as { readonly routes: Routes };
  const isAsked = (name: string) => options.stream === undefined || options.stream === name;
  const streams = edges.streams.filter(({ name }) => isAsked(name));
  const sent = all.routes.filter(({ stream }) => isAsked(stream));
  if (isJson) return out.json({ self: edges.self, streams, routes: sent });
  for (const line of routeLines(edges, streams, sent, options.explain)) out.line(line);
}

function routeLines(
  { self, registry }: Edges,
  streams: Edges["streams"],
  sent: Routes,
  isExplained: boolean,
): string[] {
  if (self === null) return ["This edge is by itself: no stream travels to or from another."];
  const lines =
    registry?.isUp === false ? ["The registry is away: this is what was known last."] : [];
  for (const { name, edge, fetchedFrom } of streams) {
    if (edge === self) lines.push(`${name} is published here`);
    else if (fetchedFrom === null) lines.push(`${name} is published at ${edge}, not wanted here`);
    else lines.push(`${name} is published at ${edge}, fetched from ${fetchedFrom}`);
    for (const route of sent.filter(({ stream }) => stream === name)) {
      lines.push(`  to ${route.edgeId}${isExplained ? ":" : `: ${route.lines[0] ?? "no path"}`}`);
      if (isExplained) lines.push(...route.lines.map((text) => `    ${text}`));
    }
  }
  return lines.length > 0 ? lines : ["No stream is live in the cluster."];
}

/** Has an edge send its members elsewhere and end; resolves when it has ended. */
export async function drain(
  options: { readonly api: string; readonly timeoutSeconds: number },
  out: Output,
  isJson: boolean,
): Promise<void> {
  const { api, timeoutSeconds } = options;
  const edges = (await call(api, "GET", "/api/v1/edges")) as Edges;
  const others = edges.edges.filter(({ isSelf, state }) => !isSelf && state === "serving");
  const path = `/api/v1/drain?leave=true&timeoutSeconds=${timeoutSeconds}`;
  const begun = (await call(api, "POST", path)) as { viewers: number; httpViewers: number };
  const from = performance.now();
  if (!isJson) {
    const to = others.map(({ id }) => id).join(", ");
    out.line(to === "" ? "there is no other edge: nobody can be moved" : `moving members to ${to}`);
  }
  let left = begun.viewers + begun.httpViewers;
  for (;;) {
    const stats = await call(api, "GET", "/api/v1/stats").catch(() => undefined);
    if (stats === undefined) break;
    const { viewers, httpViewers } = stats as { viewers: number; httpViewers: number };
    if (!isJson && viewers + httpViewers !== left)
      out.line(`${viewers + httpViewers} viewers left`);
    left = viewers + httpViewers;
    if (performance.now() - from > timeoutSeconds * 1000 + END_MS_MAX) {
      throw new CommandFailure(`${api} has not ended; ${left} viewers are left`);
    }
    await Bun.sleep(POLL_MS);
  }
  const seconds = (performance.now() - from) / 1000;
  const facts = { drained: true, viewersCut: left, seconds, others: others.map(({ id }) => id) };
  if (isJson) out.json(facts);
  else
    out.line(
      `ended after ${seconds.toFixed(1)} s${left === 0 ? "" : `, ${left} viewers were cut off`}`,
    );
}

async function call(api: string, method: "GET" | "POST", path: string): Promise<unknown> {
  let response: Response;
  try {
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    response = await fetch(new URL(path, api), { method, signal });
  } catch {
    throw new CommandFailure(
      `no edge answers at ${api}; name its operators' listener ([api] in its config) with --api URL`,
    );
  }
  if (!response.ok) {
    const { error = response.statusText } = (await response.json()) as { error?: string };
    throw new CommandFailure(`${api} refuses: ${error}`);
  }
  return response.json();
}
