/** The report as a few lines for whoever ran it. */
import type { Report, SimulatedFigures } from "./report.ts";

/** Kinds of control packet named, largest first. */
const KINDS_SHOWN = 6;

export function summaryText(report: Report): string {
  const { scenario, seed, viewers, virtualSeconds, wallSeconds, packets, checks } = report;
  const perPacket = ((wallSeconds * 1e6) / packets).toFixed(1);
  const lines = [
    `${scenario}, seed ${seed}, commit ${report.commit}: ${viewers} viewers, ${virtualSeconds} s in ` +
      `${wallSeconds} s, ${packets} packets (${perPacket} µs each)`,
    ...figureLines("whole run", report),
    ...figureLines("after warm-up", report.afterWarmup),
    `super nodes ${report.superNodes}, duplicates ${percent(report.duplicateRatio)}, ` +
      `joins refused ${report.joinsRefused}`,
    ...checks.map(({ name, ok, detail }) => `${ok ? "ok    " : "FAILED"} ${name}: ${detail}`),
  ];
  return lines.join("\n");
}

function figureLines(title: string, figures: SimulatedFigures): string[] {
  const { delayMs, phaseShare, firstFrameMs, uploadMbps } = figures;
  const kinds = Object.entries(figures.controlByKind)
    .slice(0, KINDS_SHOWN)
    .map(([kind, share]) => `${kind} ${percent(share)}`);
  return [
    `${title}: edge egress ${percent(figures.edgeEgressRatio)} of demand; ` +
      `push ${percent(phaseShare.push)}, pull ${percent(phaseShare.pull)}, ` +
      `compensation ${percent(phaseShare.compensation)}; control ${percent(figures.controlRatio)}`,
    `  delay ${delayMs.mean} ms mean, p95 ${delayMs.p95}, p99 ${delayMs.p99}, max ${delayMs.max}; ` +
      `stalled ${percent(figures.stallRatio)}, skipped ${percent(figures.skippedRatio)}`,
    `  first frame p50 ${firstFrameMs.p50} ms, p95 ${firstFrameMs.p95}, p99 ${firstFrameMs.p99}; ` +
      `upload p50 ${uploadMbps.p50}, p95 ${uploadMbps.p95}, max ${uploadMbps.max} Mbit/s`,
    `  control by kind: ${kinds.join(", ")}`,
  ];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.01 ? 3 : 1)} %`;
}
