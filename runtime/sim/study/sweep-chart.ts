/**
 * The sweep as one picture: a row for each constant, a column for each figure. A dot is a run; the
 * line joins the means over the seeds.
 */
import { ABLATIONS, type SweepResults, type SweepRun } from "./sweep.ts";

interface Column {
  readonly title: string;
  readonly value: (run: SweepRun) => number;
}

const COLUMNS: readonly Column[] = [
  { title: "edge egress, % of demand", value: ({ figures }) => figures.edgeEgressRatio * 100 },
  { title: "mean delay, ms", value: ({ figures }) => figures.delayMs.mean },
  {
    title: "skipped and stalled, %",
    value: ({ figures }) => (figures.skippedRatio + figures.stallRatio) * 100,
  },
  { title: "control, % of media", value: ({ figures }) => figures.controlRatio * 100 },
];

const NAME_WIDTH = 170;
const CELL_WIDTH = 200;
const CELL_HEIGHT = 110;
const HEAD_HEIGHT = 60;
const PAD = 30;

export function sweepChart(results: SweepResults): string {
  const rows = ABLATIONS.filter(({ path }) => results.runs.some((run) => run.path === path));
  const width = NAME_WIDTH + COLUMNS.length * CELL_WIDTH;
  const height = HEAD_HEIGHT + rows.length * CELL_HEIGHT + 10;
  const tops = COLUMNS.map(({ value }) => niceTop(Math.max(...results.runs.map(value))));
  const cells = rows.flatMap(({ path, name, unit, values }, row) => {
    const y = HEAD_HEIGHT + row * CELL_HEIGHT;
    const title = unit === "" ? name : `${name}, ${unit}`;
    const runs = results.runs.filter((run) => run.path === path);
    return [
      `<text x="8" y="${y + CELL_HEIGHT / 2}" font-weight="bold">${title}</text>`,
      ...COLUMNS.map((column, i) =>
        cell(NAME_WIDTH + i * CELL_WIDTH, y, column, tops[i] as number, values, runs),
      ),
    ];
  });
  const { scenario, viewers, virtualSeconds, seeds, commit } = results;
  const about =
    `${scenario}: ${viewers} viewers, ${virtualSeconds} s after warm-up, ` +
    `seeds ${seeds.join(", ")}, commit ${commit}`;
  const heads = COLUMNS.map(
    ({ title }, i) => `<text x="${NAME_WIDTH + i * CELL_WIDTH + PAD}" y="48">${title}</text>`,
  );
  const font = `font-family="sans-serif" font-size="11"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ${font}>
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="8" y="22" font-size="13">${about}</text>
${[...heads, ...cells].join("\n")}
</svg>
`;
}

function cell(
  left: number,
  topY: number,
  { value }: Column,
  top: number,
  values: readonly number[],
  runs: readonly SweepRun[],
): string {
  const x = (i: number): number => left + PAD + ((CELL_WIDTH - 2 * PAD) * i) / 2;
  const y = (figure: number): number =>
    Math.round((topY + CELL_HEIGHT - 26 - ((CELL_HEIGHT - 40) * figure) / top) * 10) / 10;
  const means = values.map((at) => {
    const figures = runs.filter((run) => run.value === at).map(value);
    return figures.reduce((a, b) => a + b, 0) / Math.max(1, figures.length);
  });
  const line = means.map((mean, i) => `${x(i)},${y(mean)}`).join(" ");
  const dots = runs.map(
    (run) => `<circle cx="${x(values.indexOf(run.value))}" cy="${y(value(run))}" r="2.5"/>`,
  );
  const labels = values.map(
    (at, i) => `<text x="${x(i)}" y="${topY + CELL_HEIGHT - 10}" text-anchor="middle">${at}</text>`,
  );
  const grid = [0, top].map(
    (at) =>
      `<line x1="${left + PAD - 8}" x2="${left + CELL_WIDTH - PAD + 8}" y1="${y(at)}" y2="${y(at)}" stroke="#ddd"/>` +
      `<text x="${left + PAD - 12}" y="${y(at) + 4}" text-anchor="end" fill="#888">${at}</text>`,
  );
  return (
    `${grid.join("")}<polyline points="${line}" fill="none" stroke="#36c" stroke-width="1.5"/>` +
    `<g fill="#36c">${dots.join("")}</g>${labels.join("")}`
  );
}

/** The least of 1, 2, 5 × 10^n that is not below `value`. */
export function niceTop(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 5, 10].find((one) => one * power >= value) ?? 10;
  return Number((factor * power).toPrecision(3));
}
