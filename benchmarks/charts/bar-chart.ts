/**
 * Figures side by side as a picture (SVG): a group of bars for each case, a bar for each subject, its value written
 * above it. A subject has the same colour in every picture. What is infinite reaches the top and says so.
 */
import { niceTop } from "../../runtime/sim/study/sweep-chart.ts";
import { rounded } from "../lib/print.ts";

export interface Bar {
  readonly subject: string;
  /** null = infinite: what never came. */
  readonly value: number | null;
}

export interface BarGroup {
  readonly name: string;
  readonly bars: readonly Bar[];
}

export interface BarChart {
  readonly title: string;
  /** What the figures are, with their unit. */
  readonly axis: string;
  readonly groups: readonly BarGroup[];
  /** Powers of ten from this value on, for what spans several; what is below stands on the floor. */
  readonly logFrom?: number;
  /** Where the figures come from. */
  readonly source: string;
}

/** Colours that stay apart for most colour-blind eyes (Okabe and Ito 2008). */
const COLOURS: Readonly<Record<string, string>> = {
  shoal: "#0072b2",
  oracle: "#999999",
  limit: "#999999",
  srt: "#d55e00",
  rist: "#e69f00",
  "tcp-bbr": "#009e73",
  "tcp-cubic": "#56b4e9",
  twin: "#cc79a7",
  c: "#999999",
  bare: "#999999",
  "nginx-rtmp": "#d55e00",
};
const OTHER_COLOURS = ["#56b4e9", "#cc79a7", "#f0e442", "#000000"];

const LEFT = 56;
const TOP = 72;
const PLOT_HEIGHT = 210;
const BOTTOM = 56;
const BAR_WIDTH = 26;
const GROUP_GAP = 26;
const WIDTH_MIN = 560;
const LEGEND_ENTRY = 22;
const LETTER = 6.4;

export function barChart(chart: BarChart): string {
  const subjects = [
    ...new Set(chart.groups.flatMap(({ bars }) => bars.map(({ subject }) => subject))),
  ];
  const colour = (subject: string): string =>
    COLOURS[subject] ?? (OTHER_COLOURS[subjects.indexOf(subject) % OTHER_COLOURS.length] as string);
  const scale = scaleOf(chart);
  const groups: string[] = [];
  let x = LEFT + GROUP_GAP / 2;
  for (const group of chart.groups) {
    const width = Math.max(group.bars.length * BAR_WIDTH, group.name.length * LETTER);
    groups.push(groupSvg(group, x, width, scale, colour));
    x += width + GROUP_GAP;
  }
  const width = Math.max(WIDTH_MIN, Math.ceil(x), LEFT + Math.ceil(chart.title.length * 7.5));
  const height = TOP + PLOT_HEIGHT + BOTTOM;
  const font = `font-family="sans-serif" font-size="11"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" ${font}>
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="12" y="22" font-size="14" font-weight="bold">${escaped(chart.title)}</text>
${legend(subjects, colour)}
<text x="12" y="${TOP - 12}" fill="#555">${escaped(chart.axis)}</text>
${grid(scale, width)}
${groups.join("\n")}
<text x="12" y="${height - 10}" fill="#777" font-size="10">${escaped(chart.source)}</text>
</svg>
`;
}

interface Scale {
  /** Height above the floor, px. */
  height(value: number): number;
  readonly ticks: readonly number[];
}

function scaleOf({ groups, logFrom }: BarChart): Scale {
  const values = groups.flatMap(({ bars }) => bars.map(({ value }) => value ?? 0));
  const max = Math.max(...values.filter(Number.isFinite), 0);
  if (logFrom === undefined) {
    const top = niceTop(max);
    return { height: (value) => (PLOT_HEIGHT * value) / top, ticks: [0, top / 2, top] };
  }
  const decades = Math.max(1, Math.ceil(Math.log10(Math.max(max, logFrom * 10) / logFrom)));
  const ticks = Array.from({ length: decades + 1 }, (_, i) => logFrom * 10 ** i);
  const height = (value: number): number =>
    value <= logFrom ? 0 : (PLOT_HEIGHT * Math.log10(value / logFrom)) / decades;
  return { height, ticks };
}

function groupSvg(
  { name, bars }: BarGroup,
  x: number,
  width: number,
  scale: Scale,
  colour: (subject: string) => string,
): string {
  const floor = TOP + PLOT_HEIGHT;
  const inset = (width - bars.length * BAR_WIDTH) / 2;
  const parts = bars.map(({ subject, value }, i) => {
    const left = x + inset + i * BAR_WIDTH + 2;
    const isNever = value === null;
    const height = Math.max(1, isNever ? PLOT_HEIGHT : Math.min(PLOT_HEIGHT, scale.height(value)));
    const y = px(floor - height);
    const look = isNever
      ? `fill="none" stroke="${colour(subject)}" stroke-dasharray="3 2"`
      : `fill="${colour(subject)}"`;
    const text = isNever ? "∞" : rounded(value);
    const middle = px(left + BAR_WIDTH / 2 - 2);
    return (
      `<rect x="${px(left)}" y="${y}" width="${BAR_WIDTH - 4}" height="${px(height)}" ${look}/>` +
      `<text x="${middle}" y="${px(floor - height - 3)}" text-anchor="middle" font-size="9">${text}</text>`
    );
  });
  const middle = px(x + width / 2);
  const label = `<text x="${middle}" y="${floor + 16}" text-anchor="middle">${escaped(name)}</text>`;
  return `${parts.join("")}${label}`;
}

function legend(subjects: readonly string[], colour: (subject: string) => string): string {
  let x = 12;
  return subjects
    .map((subject) => {
      const at = x;
      x += LEGEND_ENTRY + subject.length * LETTER;
      return (
        `<rect x="${px(at)}" y="33" width="10" height="10" fill="${colour(subject)}"/>` +
        `<text x="${px(at + 14)}" y="42">${escaped(subject)}</text>`
      );
    })
    .join("");
}

function grid({ ticks, height }: Scale, width: number): string {
  return ticks
    .map((tick) => {
      const y = px(TOP + PLOT_HEIGHT - height(tick));
      return (
        `<line x1="${LEFT}" x2="${width - 8}" y1="${y}" y2="${y}" stroke="#ddd"/>` +
        `<text x="${LEFT - 6}" y="${y}" dy="4" text-anchor="end" fill="#555">${rounded(tick)}</text>`
      );
    })
    .join("");
}

function px(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
