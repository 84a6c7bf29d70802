/**
 * The results table of docs/RESULTS.md, from reports: a row for each scenario and size, means over
 * the seeds with their span, beside what the talk reported and what the design asks for. Written by
 * `npm run sim -- --table`, never by hand.
 */
import type { Figures, Report } from "../report/report.ts";

interface Column {
  readonly title: string;
  readonly text: (reports: readonly Report[]) => string;
  /** What the talk reported, and what is asked for (DESIGN §8). */
  readonly talk: string;
  readonly target: string;
}

const COLUMNS: readonly Column[] = [
  column("egress", percent, (report) => report.edgeEgressRatio, "29 %", "≤ 5 %"),
  column("after warm-up", percent, ({ afterWarmup }) => afterWarmup.edgeEgressRatio, "", "≤ 5 %"),
  shares("push / pull / comp."),
  column("delay mean", whole, ({ delayMs }) => delayMs.mean, "1000", "≤ 800"),
  column("p95", whole, ({ delayMs }) => delayMs.p95, "", ""),
  column("p99", whole, ({ delayMs }) => delayMs.p99, "", ""),
  column("max", whole, ({ delayMs }) => delayMs.max, "2000", "≤ 2000"),
  column("skipped", percent, ({ skippedRatio }) => skippedRatio, "–", "≤ 0.1 %"),
  column("stalled", percent, ({ stallRatio }) => stallRatio, "–", "≤ 0.1 %"),
  column("first frame p95", whole, ({ firstFrameMs }) => firstFrameMs.p95, "–", "≤ 500"),
  column("control", percent, ({ controlRatio }) => controlRatio, "–", "≤ 8 %"),
  column("duplicates", percent, ({ duplicateRatio }) => duplicateRatio, "–", ""),
  column("upload p50 / max", upload, ({ uploadMbps }) => uploadMbps.p50, "–", ""),
  failed("checks that fail"),
];

export function resultsPage(reports: readonly Report[]): string {
  const groups = new Map<string, Report[]>();
  for (const report of reports) {
    const key = `${report.scenario} ${report.viewers} ${report.virtualSeconds}`;
    groups.set(key, [...(groups.get(key) ?? []), report]);
  }
  const sorted = [...groups.values()].sort((a, b) => compare(a[0] as Report, b[0] as Report));
  const commits = [...new Set(reports.map(({ commit }) => commit))].sort();
  const lines = [
    "# Results",
    "",
    "Made by `npm run sim -- --table` from the reports of simulated runs; what each figure means is in",
    `[SIMULATOR.md](SIMULATOR.md). Commit${commits.length > 1 ? "s" : ""}: ${commits.join(", ")}. Delays in ms, ` +
      "uploads in Mbit/s; where there are several seeds:",
    "the mean, and least to greatest in brackets.",
    "",
    row(["scenario", "viewers × s", "seeds", ...COLUMNS.map(({ title }) => title)]),
    row(["---", "---", "---", ...COLUMNS.map(() => "---")]),
    row(["*the talk*", "100,000", "", ...COLUMNS.map(({ talk }) => talk)]),
    row(["*asked for*", "10,000", "", ...COLUMNS.map(({ target }) => target)]),
    ...sorted.map(rowOf),
    "",
  ];
  return lines.join("\n");
}

function rowOf(reports: readonly Report[]): string {
  const { scenario, viewers, virtualSeconds } = reports[0] as Report;
  const seeds = reports
    .map(({ seed }) => seed)
    .sort((a, b) => a - b)
    .join(", ");
  const size = `${viewers.toLocaleString("en")} × ${virtualSeconds}`;
  return row([scenario, size, seeds, ...COLUMNS.map(({ text }) => text(reports))]);
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function compare(a: Report, b: Report): number {
  return a.scenario.localeCompare(b.scenario) || a.viewers - b.viewers;
}

function column(
  title: string,
  format: (value: number, reports: readonly Report[]) => string,
  value: (report: Report) => number,
  talk: string,
  target: string,
): Column {
  const text = (reports: readonly Report[]): string => {
    const values = reports.map(value);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const [low, high] = [Math.min(...values), Math.max(...values)].map((each) =>
      format(each, reports),
    );
    return low === high ? format(mean, reports) : `${format(mean, reports)} (${low}–${high})`;
  };
  return { title, text, talk, target };
}

function shares(title: string): Column {
  const mean = (reports: readonly Report[], of: keyof Figures["phaseShare"]): string =>
    (
      (100 * reports.reduce((sum, { phaseShare }) => sum + phaseShare[of], 0)) /
      reports.length
    ).toFixed(1);
  const text = (reports: readonly Report[]): string =>
    `${mean(reports, "push")} / ${mean(reports, "pull")} / ${mean(reports, "compensation")}`;
  return { title, text, talk: "", target: "" };
}

function failed(title: string): Column {
  const text = (reports: readonly Report[]): string => {
    const names = reports.flatMap(({ checks }) =>
      checks.filter(({ ok }) => !ok).map(({ name }) => name.replace(/^gate /, "")),
    );
    return names.length === 0 ? "none" : [...new Set(names)].join(", ");
  };
  return { title, text, talk: "", target: "" };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.01 ? 3 : 2)} %`;
}

function whole(value: number): string {
  return value.toFixed(0);
}

function upload(p50: number, reports: readonly Report[]): string {
  const max = Math.max(...reports.map(({ uploadMbps }) => uploadMbps.max));
  return `${p50.toFixed(2)} / ${max.toFixed(1)}`;
}
