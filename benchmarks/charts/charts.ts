/**
 * The pictures of docs/PERFORMANCE.md, each from one report of `benchmarks/results/`. `npm run bench -- charts` writes
 * them anew beside the reports; nothing in them is typed by hand.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BarChart, type BarGroup, barChart } from "./bar-chart.ts";

export const RESULTS = join(import.meta.dir, "../results");

/** A report as it was written: what is infinite has become null. */
interface WrittenReport {
  readonly name: string;
  readonly commit: string;
  readonly machine: string;
  readonly runs: number;
  readonly results: readonly {
    readonly subject: string;
    readonly case: string;
    readonly metric: string;
    readonly value: number | null;
  }[];
}

interface ChartPlan {
  /** Name of the picture, and of the report it is made from. */
  readonly file: string;
  readonly report: string;
  readonly title: string;
  readonly axis: string;
  readonly metric: string;
  /** Cases of the report, and what the picture calls them; all without it. */
  readonly cases?: Readonly<Record<string, string>>;
  /** In this order; all without it. */
  readonly subjects?: readonly string[];
  readonly logFrom?: number;
}

/** As many late as one in twice the frames of a real cell. */
const LATE_FLOOR = 0.01;
const WAN_CASES = {
  "5 %, 300 ms": "5 % loss",
  "10 %, 300 ms": "10 % loss",
  "20 %, 300 ms": "20 % loss",
  "bursts, 300 ms": "bursts, 3.2 %",
};
const WAN_SUBJECTS = ["shoal", "srt", "rist", "tcp-bbr", "oracle"];

const PLANS: readonly ChartPlan[] = [
  {
    file: "wan-late",
    report: "wan",
    title: "Frames late or lost at 300 ms, RTT 100 ms, real programs",
    axis: "% of frames, logarithmic from 0.01",
    metric: "late",
    cases: WAN_CASES,
    subjects: WAN_SUBJECTS,
    logFrom: LATE_FLOOR,
  },
  {
    file: "wan-deadlines",
    report: "wan",
    title: "Frames late or lost by deadline, 10 % loss, RTT 100 ms, real programs",
    axis: "% of frames, logarithmic from 0.01",
    metric: "late",
    cases: { "10 %, 170 ms": "170 ms", "10 %, 300 ms": "300 ms", "10 %, 390 ms": "390 ms" },
    subjects: WAN_SUBJECTS,
    logFrom: LATE_FLOOR,
  },
  {
    file: "wan-p99",
    report: "wan",
    title: "Delay of a frame, 99th percentile, deadline 390 ms",
    axis: "ms from sending to the last byte; dashed: more than 1 % never came",
    metric: "p99",
    cases: { "5 %, 390 ms": "5 % loss", "10 %, 390 ms": "10 % loss", "20 %, 390 ms": "20 % loss" },
    subjects: WAN_SUBJECTS,
  },
  {
    file: "wan-overhead",
    report: "wan",
    title: "Bytes on the wire beyond the media, deadline 300 ms",
    axis: "% of the media bytes, all headers; oracle = the limit of repeating, IP and UDP heads",
    metric: "overhead",
    cases: WAN_CASES,
    subjects: WAN_SUBJECTS,
  },
  {
    file: "wan-overload",
    report: "wan",
    title: "2 Mbit/s of video into 1.6 Mbit/s",
    axis: "% of frames within 600 ms with all they refer to; oracle = what fits",
    metric: "playable",
    cases: { "2 → 1.6 Mbit/s, 600 ms": "2 → 1.6 Mbit/s" },
    subjects: WAN_SUBJECTS,
  },
  {
    file: "loss-late",
    report: "loss",
    title: "Frames late at 300 ms, RTT 100 ms, in virtual time",
    axis: "% of frames, logarithmic from 0.001",
    metric: "late",
    cases: {
      "5 %, RTT 100 ms, 300 ms": "5 % loss",
      "10 %, RTT 100 ms, 300 ms": "10 % loss",
      "20 %, RTT 100 ms, 300 ms": "20 % loss",
    },
    logFrom: 0.001,
  },
  {
    file: "overload-playable",
    report: "overload",
    title: "Frames on time with their references, virtual time",
    axis: "% of frames; limit = what fits",
    metric: "playable",
  },
  {
    file: "fanout-rate",
    report: "fanout",
    title: "Fan-out of 4 KB frames",
    axis: "Gbit/s of media per CPU second of the sender",
    metric: "rate",
  },
  {
    file: "hotpath-time",
    report: "hotpath",
    title: "An operation of the hot path",
    axis: "ns",
    metric: "time",
    subjects: ["shoal", "c"],
    cases: {
      ackBuild: "ackBuild",
      ackParse: "ackParse",
      lossCheck: "lossCheck",
      fragmentInsert: "fragmentInsert",
      segmentSlots: "segmentSlots",
      dataHead: "dataHead",
    },
  },
  {
    file: "join-first-frame",
    report: "join",
    title: "First frame after a join, 95th percentile, by joins a second",
    axis: "ms",
    metric: "first frame p95",
  },
  {
    file: "sim-cost",
    report: "sim",
    title: "CPU time of a simulated packet, by room",
    axis: "µs",
    metric: "cost of a packet",
  },
  {
    file: "edges-delay",
    report: "edges",
    title: "From edge to edge, four edges, 99th percentile",
    axis: "ms; many paths or one direct path for each stream, one after the other",
    metric: "edge to edge, p99",
  },
  {
    file: "edges-dear",
    report: "edges",
    title: "Bytes on dear lines, by those of sending everything direct over them",
    axis: "share; wanted: 0.1 with many paths",
    metric: "dear lines / all direct over them",
  },
  {
    file: "viewer-cpu",
    report: "browserless-viewer",
    title: "One viewer without a browser",
    axis: "% of one core",
    metric: "CPU of one core",
  },
];

/** Every picture there is a report for, by file name. */
export function drawCharts(folder = RESULTS): Map<string, string> {
  const charts = new Map<string, string>();
  for (const plan of PLANS) {
    const path = join(folder, `${plan.report}.json`);
    if (!existsSync(path)) continue;
    const report = JSON.parse(readFileSync(path, "utf8")) as WrittenReport;
    const chart = chartOf(plan, report);
    if (chart.groups.length > 0) charts.set(`${plan.file}.svg`, barChart(chart));
  }
  return charts;
}

export function writeCharts(folder = RESULTS): string[] {
  const charts = drawCharts(folder);
  for (const [file, svg] of charts) writeFileSync(join(folder, file), svg);
  return [...charts.keys()];
}

function chartOf(plan: ChartPlan, report: WrittenReport): BarChart {
  const found = report.results.filter(({ metric }) => metric === plan.metric);
  const cases = plan.cases ?? Object.fromEntries(found.map((each) => [each.case, each.case]));
  const subjects = plan.subjects ?? [...new Set(found.map(({ subject }) => subject))];
  const groups: BarGroup[] = Object.entries(cases).flatMap(([of, name]) => {
    const bars = subjects.flatMap((subject) => {
      const result = found.find((each) => each.case === of && each.subject === subject);
      return result === undefined ? [] : [{ subject, value: result.value }];
    });
    return bars.length === 0 ? [] : [{ name, bars }];
  });
  const runs = `${report.runs} run${report.runs === 1 ? "" : "s"}`;
  return {
    title: plan.title,
    axis: plan.axis,
    groups,
    ...(plan.logFrom === undefined ? {} : { logFrom: plan.logFrom }),
    source: `npm run bench -- ${report.name}; ${runs}, commit ${report.commit}; ${report.machine}`,
  };
}
