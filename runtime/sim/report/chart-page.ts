/**
 * A page that shows a report: its figures, its checks, and what went on from second to second.
 * Stands by itself.
 */
import type { Report, SeriesPoint } from "./report.ts";
import { summaryText } from "./summary.ts";

interface Line {
  readonly name: string;
  readonly colour: string;
  readonly value: (point: SeriesPoint) => number;
}

interface Chart {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
}

const CHARTS: readonly Chart[] = [
  {
    title: "Edge egress and demand",
    unit: "Mbit/s",
    lines: [
      { name: "demand", colour: "#8aa", value: ({ demandMbps }) => demandMbps },
      { name: "edge egress", colour: "#d33", value: ({ edgeEgressMbps }) => edgeEgressMbps },
    ],
  },
  {
    title: "Edge egress by demand",
    unit: "%",
    lines: [
      {
        name: "egress ratio",
        colour: "#d33",
        value: ({ edgeEgressMbps, demandMbps }) =>
          demandMbps > 0 ? Math.min(200, (100 * edgeEgressMbps) / demandMbps) : 0,
      },
    ],
  },
  {
    title: "Viewers and super nodes",
    unit: "",
    lines: [
      { name: "viewers", colour: "#36c", value: ({ viewers }) => viewers },
      { name: "super nodes", colour: "#c60", value: ({ superNodes }) => superNodes },
    ],
  },
  {
    title: "Mean delay, capture to play-out",
    unit: "ms",
    lines: [{ name: "delay", colour: "#36c", value: ({ delayMsMean }) => delayMsMean }],
  },
  {
    title: "Skipped and stalled",
    unit: "%",
    lines: [
      { name: "skipped", colour: "#d33", value: ({ skippedRatio }) => skippedRatio * 100 },
      { name: "stalled", colour: "#c60", value: ({ stallRatio }) => stallRatio * 100 },
    ],
  },
];

const WIDTH = 760;
const HEIGHT = 180;
const LEFT = 60;
const BOTTOM = 24;

export function chartPage(report: Report): string {
  const charts = CHARTS.map((chart) => chartSvg(chart, report.series)).join("\n");
  const options = escapeHtml(JSON.stringify(report.options, null, 1));
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>${escapeHtml(report.scenario)}, seed ${report.seed}</title>
<style>
body { font: 14px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 800px; padding: 0 1em }
pre { overflow-x: auto; background: #f4f4f4; padding: 1em }
svg { width: 100%; height: auto } h2 { font-size: 1em; margin: 1.5em 0 0 } text { font-size: 11px }
</style>
<h1>${escapeHtml(report.scenario)}</h1>
<pre>${escapeHtml(summaryText(report))}</pre>
${charts}
<details><summary>Options</summary><pre>${options}</pre></details>
</html>
`;
}

function chartSvg({ title, unit, lines }: Chart, points: readonly SeriesPoint[]): string {
  const lastSecond = points.at(-1)?.second ?? 1;
  const values = points.flatMap((point) => lines.map(({ value }) => value(point)));
  const top = niceTop(values.reduce((a, b) => Math.max(a, b), 0));
  const x = (second: number): string => (LEFT + ((WIDTH - LEFT) * second) / lastSecond).toFixed(1);
  const y = (value: number): string =>
    (HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - 10) * value) / top).toFixed(1);
  const paths = lines.map(({ colour, value }) => {
    const path = points.map((point) => `${x(point.second)},${y(value(point))}`).join(" ");
    return `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${path}"/>`;
  });
  const grid = [0, 0.5, 1].map((part) => {
    const at = y(top * part);
    return (
      `<line x1="${LEFT}" x2="${WIDTH}" y1="${at}" y2="${at}" stroke="#ddd"/>` +
      `<text x="${LEFT - 6}" y="${at}" text-anchor="end" dy="4">${top * part}</text>`
    );
  });
  const legend = lines
    .map(({ name, colour }) => `<span style="color:${colour}">■</span> ${name}`)
    .join(" &nbsp; ");
  return `<h2>${title}${unit === "" ? "" : `, ${unit}`} &nbsp; <small>${legend}</small></h2>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}">${grid.join("")}${paths.join("")}
<text x="${LEFT}" y="${HEIGHT - 4}">0 s</text>
<text x="${WIDTH}" y="${HEIGHT - 4}" text-anchor="end">${lastSecond} s</text></svg>`;
}

/** The least of 1, 2, 5 × 10^n that is not below `value`. */
function niceTop(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 5, 10].find((one) => one * power >= value) ?? 10;
  return Number((factor * power).toPrecision(3));
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
