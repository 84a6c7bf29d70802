/** The report of a run of edges as a few lines for whoever ran it. */
import type { DelayFigures, EdgeReport } from "./edge-network.ts";

export function edgeSummaryText(report: EdgeReport): string {
  const { scenario, seed, commit, edges, streams, virtualSeconds, wallSeconds, packets } = report;
  const perPacket = ((wallSeconds * 1e6) / packets).toFixed(1);
  return [
    `${scenario}, seed ${seed}, commit ${commit}: ${edges} edges, ${streams} streams, ` +
      `${virtualSeconds} s in ${wallSeconds} s, ${packets} packets (${perPacket} µs each)`,
    `edge to edge: ${delays(report.edgeToEdgeMs)}; after warm-up ` +
      `${delays(report.afterWarmup.edgeToEdgeMs)}; around faults ${delays(report.aroundFaultsMs)}`,
    `lost ${report.segmentsLost} copies of segments; dear lines ${percent(report.dearLineRatio)} of ` +
      `one direct copy each, after warm-up ${percent(report.afterWarmup.dearLineRatio)}; ` +
      `all bytes ${percent(report.overheadRatio)}; ${report.routeChanges} changes of route`,
    ...report.checks.map(
      ({ name, ok, detail }) => `${ok ? "ok    " : "FAILED"} ${name}: ${detail}`,
    ),
  ].join("\n");
}

function delays({ p50, p99, max }: DelayFigures): string {
  return `p50 ${p50} ms, p99 ${p99}, max ${max}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
