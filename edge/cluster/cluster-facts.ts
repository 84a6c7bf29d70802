/** What an edge knows of its cluster, for people and programs: the API, the metrics and the status page show it. */
import type { RouteText } from "../../runtime/node/mesh/mesh-api.ts";
import { addressKey } from "../../runtime/wire/address.ts";
import type { Cluster, RegistryState } from "./cluster.ts";

export interface EdgeFact {
  readonly id: string;
  readonly isSelf: boolean;
  /** Where publishers and viewers reach it. */
  readonly address: string;
  readonly lines: readonly {
    readonly name: string;
    readonly address: string;
    readonly isp: string;
    readonly capacityMbps: number;
    readonly cost: number;
    readonly commitMbps: number;
  }[];
  readonly state: "serving" | "draining";
  /** 0..1 of what it may carry. */
  readonly load: number;
  readonly viewers: number;
  readonly maxViewers: number;
  readonly fetching: readonly string[];
  readonly version: string;
  readonly uptimeSeconds: number;
}

export interface StreamFact {
  readonly name: string;
  /** Where it is published. */
  readonly edge: string;
  readonly epoch: number;
  readonly liveSeconds: number;
  /** From which edge this one fetches it; null = it does not. */
  readonly fetchedFrom: string | null;
}

export interface LinkFact {
  readonly fromEdge: string;
  readonly fromLine: string;
  readonly toEdge: string;
  readonly toLine: string;
  readonly isUp: boolean;
  readonly rttMs: number;
  readonly jitterMs: number;
  readonly loss: number;
  readonly usableKbps: number;
  readonly usedKbps: number;
}

export interface ClusterFacts {
  readonly edgeId: string;
  readonly registry: RegistryState;
  readonly edges: readonly EdgeFact[];
  readonly streams: readonly StreamFact[];
  readonly links: readonly LinkFact[];
  readonly routes: readonly RouteText[];
  readonly counters: Cluster["counters"];
}

/** `wallMs`: the wall clock, ms since 1970. */
export function clusterFacts(cluster: Cluster, wallMs: number): ClusterFacts {
  const { own, view, claims, counters } = cluster;
  const { sources } = cluster.subscriptions;
  const seconds = (sinceMs: number) => Math.max(0, (wallMs - sinceMs) / 1000);
  const held = claims.streams;
  const elsewhere = view.streams.filter(({ edgeId }) => edgeId !== own.edgeId);
  const tables = [{ edgeId: own.edgeId, links: cluster.links }, ...view.links];
  return {
    edgeId: own.edgeId,
    registry: cluster.registry,
    edges: [own, ...view.others].map((edge) => ({
      id: edge.edgeId,
      isSelf: edge.edgeId === own.edgeId,
      address: edge.lines[0] === undefined ? "" : addressKey(edge.lines[0].address),
      lines: edge.lines.map(({ lineId, address, isp, capacityMbps, costWeight, commitMbps }) => {
        const facts = { name: lineId, address: addressKey(address), isp };
        return { ...facts, capacityMbps, cost: costWeight, commitMbps };
      }),
      state: edge.isDraining ? "draining" : "serving",
      load: edge.load,
      viewers: edge.viewers,
      maxViewers: edge.maxViewers,
      fetching: edge.fetching,
      version: edge.version,
      uptimeSeconds: seconds(edge.startedAtMs),
    })),
    streams: [...held, ...elsewhere].map(({ stream, edgeId, epoch, sinceMs }) => ({
      name: stream,
      edge: edgeId,
      epoch,
      liveSeconds: seconds(sinceMs),
      fetchedFrom: sources.get(stream) ?? null,
    })),
    links: tables.flatMap(({ edgeId, links }) =>
      links.map(({ fromLineId, toEdgeId, toLineId, ...figures }) => ({
        fromEdge: edgeId,
        fromLine: fromLineId,
        toEdge: toEdgeId,
        toLine: toLineId,
        ...figures,
      })),
    ),
    routes: cluster.routes,
    counters,
  };
}
