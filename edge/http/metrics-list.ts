/** Every metric of the edge: name, kind, meaning, and where its value comes from. docs/METRICS.md lists the same. */
import type { EdgeStats, EdgeStreamStats } from "../../runtime/node/api.ts";
import type { ClusterFacts } from "../cluster/cluster-facts.ts";
import type { SocketFacts } from "../host.ts";
import type { FlvTotals } from "./flv-fanout.ts";

/** What one scrape shows; taken once, so that its figures agree with each other. */
export interface Snapshot {
  readonly edge: EdgeStats;
  readonly streams: readonly EdgeStreamStats[];
  readonly sockets: readonly SocketFacts[];
  readonly readersOf: (stream: string) => number;
  readonly readers: number;
  readonly flv: FlvTotals;
  /** Undefined for an edge by itself. */
  readonly cluster: ClusterFacts | undefined;
  readonly ready: boolean;
  readonly version: string;
  readonly hotPath: string;
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  /** Unix time. */
  readonly startedSeconds: number;
}

export interface MetricDefinition {
  readonly name: string;
  readonly kind: Kind;
  readonly help: string;
  readonly labels: readonly string[];
  readonly samples: (from: Snapshot) => readonly Sample[];
}

export interface Sample {
  readonly labels: Record<string, string>;
  readonly value: number;
}

type Kind = "counter" | "gauge";

function ofEdge(
  name: string,
  kind: Kind,
  help: string,
  value: (from: Snapshot) => number,
): MetricDefinition {
  const samples = (from: Snapshot) => [{ labels: {}, value: value(from) }];
  return { name: `shoal_edge_${name}`, kind, help, labels: [], samples };
}

function ofStream(
  name: string,
  kind: Kind,
  help: string,
  value: (stream: EdgeStreamStats, from: Snapshot) => number,
): MetricDefinition {
  const samples = (from: Snapshot) =>
    from.streams.map((stream) => ({ labels: { stream: stream.name }, value: value(stream, from) }));
  return { name: `shoal_edge_stream_${name}`, kind, help, labels: ["stream"], samples };
}

function ofSwarm(
  name: string,
  kind: Kind,
  help: string,
  value: (swarm: EdgeStreamStats["swarm"]) => number,
): MetricDefinition {
  const definition = ofStream(name, kind, help, ({ swarm }) => value(swarm));
  return { ...definition, name: `shoal_edge_swarm_${name}` };
}

const info: MetricDefinition = {
  name: "shoal_edge_info",
  kind: "gauge",
  help: "Always 1; the version and the hot path in use",
  labels: ["version", "hot_path"],
  samples: (from) => [{ labels: { version: from.version, hot_path: from.hotPath }, value: 1 }],
};

const sendPath: MetricDefinition = {
  name: "shoal_edge_send_path",
  kind: "gauge",
  help: "Always 1; how the socket of each line sends: by segments the kernel cuts, or by sendMany",
  labels: ["line", "path"],
  samples: ({ sockets }) =>
    sockets.map(({ sendsBy }, line) => ({
      labels: { line: String(line), path: sendsBy },
      value: 1,
    })),
};

const datagramsDropped: MetricDefinition = {
  name: "shoal_edge_datagrams_dropped_total",
  kind: "counter",
  help: "Datagrams not sent since the line's socket was full",
  labels: ["line"],
  samples: ({ sockets }) =>
    sockets.map((socket, line) => ({
      labels: { line: String(line) },
      value: socket.datagramsDropped,
    })),
};

export const metricList: readonly MetricDefinition[] = [
  info,
  sendPath,
  datagramsDropped,
  ofEdge("ready", "gauge", "1 while new viewers and publishers are taken, else 0", (s) =>
    Number(s.ready),
  ),
  ofEdge("start_time_seconds", "gauge", "Start of the process, Unix time", (s) => s.startedSeconds),
  ofEdge(
    "resident_memory_bytes",
    "gauge",
    "Resident memory of the process",
    (s) => s.residentBytes,
  ),
  ofEdge(
    "cpu_seconds_total",
    "counter",
    "CPU time of the process, user and system",
    (s) => s.cpuSeconds,
  ),
  ofEdge("media_memory_used_bytes", "gauge", "Media memory in use", (s) => s.edge.payloadBytesUsed),
  ofEdge("media_memory_bytes", "gauge", "Media memory in all", (s) => s.edge.payloadBytesTotal),
  ofEdge("streams", "gauge", "Streams that are live", (s) => s.streams.length),
  ofEdge("sessions", "gauge", "UDP sessions that stand", (s) => s.edge.sessions),
  ofEdge("viewers", "gauge", "Viewers served over UDP", (s) => s.edge.viewers),
  ofEdge("publishers", "gauge", "Publishers connected", (s) => s.edge.publishers),
  ofEdge("received_datagrams_total", "counter", "Datagrams received", (s) => s.edge.datagramsIn),
  ofEdge("sent_datagrams_total", "counter", "Datagrams sent", (s) => s.edge.datagramsOut),
  ofEdge("received_bytes_total", "counter", "UDP payload received", (s) => s.edge.bytesIn),
  ofEdge("sent_bytes_total", "counter", "UDP payload sent", (s) => s.edge.bytesOut),
  ofEdge(
    "refused_datagrams_total",
    "counter",
    "Datagrams that were garbage, of no session, or against the protocol",
    (s) => s.edge.datagramsRefused,
  ),
  ofEdge(
    "refused_handshakes_total",
    "counter",
    "Sessions refused",
    (s) => s.edge.handshakesRefused,
  ),
  ofEdge("http_readers", "gauge", "HTTP-FLV readers", (s) => s.readers),
  ofEdge("http_readers_total", "counter", "HTTP-FLV readers since start", (s) => s.flv.opened),
  ofEdge(
    "http_readers_cut_total",
    "counter",
    "HTTP-FLV readers cut for taking nothing",
    (s) => s.flv.cut,
  ),
  ofEdge(
    "http_sent_bytes_total",
    "counter",
    "HTTP-FLV bytes handed to sockets",
    (s) => s.flv.bytesOut,
  ),
  ofEdge(
    "http_skipped_frames_total",
    "counter",
    "Frames skipped for slow HTTP-FLV readers",
    (s) => s.flv.framesSkipped,
  ),
  ofStream("viewers", "gauge", "Viewers of the stream over UDP", (stream) => stream.viewers),
  ofStream("http_readers", "gauge", "HTTP-FLV readers of the stream", (stream, s) =>
    s.readersOf(stream.name),
  ),
  ofStream("frames_total", "counter", "Frames received", (stream) => stream.framesIn),
  ofStream("received_bytes_total", "counter", "Media received", (stream) => stream.bytesIn),
  ofStream("sent_bytes_total", "counter", "Media sent over UDP", (stream) => stream.bytesOut),
  ofStream(
    "bitrate_bps",
    "gauge",
    "Bitrate of the stream, bit/s",
    (stream) => stream.bitrateKbps * 1000,
  ),
  ofStream(
    "group_seconds",
    "gauge",
    "Age of the current group of pictures",
    (stream) => stream.groupMs / 1000,
  ),
  ofStream("buffered_bytes", "gauge", "Media kept of the stream", (stream) => stream.bufferedBytes),
  ofStream(
    "lost_packets_total",
    "counter",
    "Packets lost on the way",
    (stream) => stream.packetsLost,
  ),
  ofStream(
    "resent_packets_total",
    "counter",
    "Packets sent again",
    (stream) => stream.packetsResent,
  ),
  ofStream(
    "dropped_frames_total",
    "counter",
    "Frames not sent, for want of time or capacity",
    (stream) => stream.framesDropped,
  ),
  ofSwarm("super_nodes", "gauge", "Peers that push sub-streams on", (swarm) => swarm.superNodes),
  ofSwarm("slots", "gauge", "Pairs of super node and sub-stream", (swarm) => swarm.slots),
  ofSwarm("recruits_total", "counter", "Slots opened", (swarm) => swarm.recruits),
  ofSwarm(
    "reliefs_total",
    "counter",
    "Slots closed again for want of demand",
    (swarm) => swarm.reliefs,
  ),
  ofSwarm(
    "demand_bytes_total",
    "counter",
    "Media received times those watching: what they would take without peers",
    (swarm) => swarm.demandBytes,
  ),
  ofSwarm(
    "egress_bps",
    "gauge",
    "Sent to the viewers now, everything included, bit/s",
    (swarm) => swarm.egressKbps * 1000,
  ),
  ofSwarm(
    "demand_bps",
    "gauge",
    "What they would take from the edge alone, bit/s",
    (swarm) => swarm.demandKbps * 1000,
  ),
];

/** The row of docs/METRICS.md. */
export function metricRow(definition: MetricDefinition): string {
  const labels = definition.labels.map((label) => `\`${label}\``).join(", ") || "–";
  return `| \`${definition.name}\` | ${definition.kind} | ${labels} | ${definition.help} |`;
}
