/** A report as text for a terminal: a table of cases by subjects for each metric, then ratios, then checks. */
import type { Report, Result } from "./report.ts";

export function reportText(report: Report): string {
  const lines = [
    `${report.name}: ${report.runs} run${report.runs === 1 ? "" : "s"}, commit ${report.commit}`,
    `${report.machine}; work ${report.workHash}`,
  ];
  for (const metric of new Set(report.results.map((result) => result.metric))) {
    lines.push("", ...metricTable(report, metric));
  }
  for (const { name, ok, detail } of report.checks) {
    lines.push(`${ok ? "ok    " : "FAILED"} ${name}: ${detail}`);
  }
  for (const text of report.skipped) lines.push(`skipped: ${text}`);
  return lines.join("\n");
}

function metricTable(report: Report, metric: string): string[] {
  const results = report.results.filter((result) => result.metric === metric);
  const subjects = [...new Set(results.map((result) => result.subject))];
  const ratios = report.ratios.filter((ratio) => ratio.metric === metric);
  const pairs = [...new Set(ratios.map((ratio) => `${ratio.subject}/${ratio.against}`))];
  const unit = results[0]?.unit ?? "";
  const rows = [[`${metric}, ${unit}`, ...subjects, ...pairs]];
  for (const of of new Set(results.map((result) => result.case))) {
    const figures = subjects.map((subject) => figure(results, of, subject));
    const shares = pairs.map((pair) => {
      const ratio = ratios.find(
        (each) => each.case === of && `${each.subject}/${each.against}` === pair,
      );
      return ratio === undefined ? "" : `${rounded(ratio.value)} ×`;
    });
    rows.push([of, ...figures, ...shares]);
  }
  return aligned(rows);
}

function figure(results: readonly Result[], of: string, subject: string): string {
  const found = results.find((each) => each.case === of && each.subject === subject);
  return found === undefined ? "" : rounded(found.value);
}

/** Three significant digits, more before the point. */
export function rounded(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return String(Number(value.toPrecision(3)));
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, i) =>
    Math.max(...rows.map((row) => row[i]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
