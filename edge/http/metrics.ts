/** The edge's figures in Prometheus' text format, taken when they are asked for. */
import { Counter, Gauge, Registry } from "prom-client";
import type { ClusterFacts } from "../cluster/cluster-facts.ts";
import type { EdgeHost } from "../host.ts";
import type { FlvFanout } from "./flv-fanout.ts";
import { clusterMetrics } from "./metrics-cluster.ts";
import { type MetricDefinition, metricList, type Snapshot } from "./metrics-list.ts";

export interface MetricsSource {
  readonly host: EdgeHost;
  readonly fanout: FlvFanout;
  readonly version: string;
  readonly hotPath: string;
  readonly ready: () => boolean;
  /** Absent for an edge by itself. */
  readonly cluster?: (() => ClusterFacts) | undefined;
}

export interface Metrics {
  readonly contentType: string;
  scrape(): Promise<string>;
}

/** Has a registry of its own, so that several edges can live in one process. */
export function createMetrics(source: MetricsSource): Metrics {
  const registry = new Registry();
  const startedSeconds = Math.round(performance.timeOrigin / 1000);
  const updates = [...metricList, ...clusterMetrics].map((definition) =>
    register(registry, definition),
  );
  return {
    contentType: registry.contentType,
    scrape() {
      const snapshot = takeSnapshot(source, startedSeconds);
      for (const update of updates) update(snapshot);
      return registry.metrics();
    },
  };
}

function register(registry: Registry, definition: MetricDefinition): (from: Snapshot) => void {
  const { name, help, labels } = definition;
  const options = { name, help, labelNames: labels, registers: [registry] };
  const metric = definition.kind === "counter" ? new Counter(options) : new Gauge(options);
  return (from) => {
    metric.reset(); /* streams that ended disappear */
    for (const sample of definition.samples(from)) metric.inc(sample.labels, sample.value);
  };
}

function takeSnapshot(source: MetricsSource, startedSeconds: number): Snapshot {
  const { host, fanout } = source;
  const now = host.now();
  const cpu = process.cpuUsage();
  return {
    edge: host.edge.stats(now),
    streams: host.edge.streams(now),
    sockets: host.sockets(),
    readersOf: (stream) => fanout.readersOf(stream).length,
    readers: fanout.readerCount,
    flv: fanout.totals(),
    cluster: source.cluster?.(),
    ready: source.ready(),
    version: source.version,
    hotPath: source.hotPath,
    residentBytes: process.memoryUsage.rss(),
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    startedSeconds,
  };
}
