/** The metrics of an edge that is one of many; none of them exist at an edge by itself. */
import type { ClusterFacts, LinkFact } from "../cluster/cluster-facts.ts";
import type { MetricDefinition, Sample } from "./metrics-list.ts";

function ofCluster(
  name: string,
  kind: MetricDefinition["kind"],
  help: string,
  value: (cluster: ClusterFacts) => number,
): MetricDefinition {
  const samples = ({ cluster }: { readonly cluster: ClusterFacts | undefined }): Sample[] =>
    cluster === undefined ? [] : [{ labels: {}, value: value(cluster) }];
  return { name: `shoal_edge_cluster_${name}`, kind, help, labels: [], samples };
}

const LINK_LABELS = ["from_line", "to_edge", "to_line"] as const;

/** Of the links that begin here: each edge exports its own. */
function ofLink(name: string, help: string, value: (link: LinkFact) => number): MetricDefinition {
  const samples = ({ cluster }: { readonly cluster: ClusterFacts | undefined }): Sample[] => {
    const own = cluster?.links.filter(({ fromEdge }) => fromEdge === cluster.edgeId) ?? [];
    return own.map((link) => ({
      labels: { from_line: link.fromLine, to_edge: link.toEdge, to_line: link.toLine },
      value: value(link),
    }));
  };
  return { name: `shoal_edge_link_${name}`, kind: "gauge", help, labels: LINK_LABELS, samples };
}

export const clusterMetrics: readonly MetricDefinition[] = [
  ofCluster("edges", "gauge", "Edges of the cluster, this one included", (c) => c.edges.length),
  ofCluster("registry_up", "gauge", "1 while the registry answers, else 0", (c) =>
    Number(c.registry.isUp),
  ),
  ofCluster(
    "registry_failures_total",
    "counter",
    "Calls that the registry did not answer",
    (c) => c.counters.registryFailures,
  ),
  ofCluster(
    "fetched_streams",
    "gauge",
    "Streams taken from other edges",
    (c) => c.streams.filter(({ fetchedFrom }) => fetchedFrom !== null).length,
  ),
  ofCluster("sent_on_total", "counter", "Joins sent on to another edge", (c) => c.counters.sentOn),
  ofCluster(
    "claims_lost_total",
    "counter",
    "Publishers sent away because another edge had their stream first",
    (c) => c.counters.claimsLost,
  ),
  ofLink("up", "1 while the link answers, else 0", ({ isUp }) => Number(isUp)),
  ofLink("rtt_seconds", "Smoothed round trip", ({ rttMs }) => rttMs / 1000),
  ofLink("jitter_seconds", "Mean deviation of the round trip", ({ jitterMs }) => jitterMs / 1000),
  ofLink("loss_ratio", "Lost on the way there, 0 to 1", ({ loss }) => loss),
  ofLink("usable_bps", "What can be sent at present, bit/s", (link) => link.usableKbps * 1000),
  ofLink("used_bps", "What is being sent, bit/s", (link) => link.usedKbps * 1000),
];
