/**
 * `npm run bench -- NAME [--json OUT]`: runs a benchmark and prints its figures; without a name, the list. Exit code 1
 * when one of its checks fails, 2 when it was called wrongly. `npm run bench -- charts` draws the pictures of
 * docs/PERFORMANCE.md from the reports in `benchmarks/results/`.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Bench, BenchValues } from "./lib/bench.ts";
import { reportText } from "./lib/print.ts";

/** Loaded when asked for: each may need what not every machine has. */
const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  figures: async () => (await import("./figures.ts")).figures,
  hotpath: async () => (await import("./hotpath/bench.ts")).hotpath,
  loss: async () => (await import("./loss/bench.ts")).loss,
  fanout: async () => (await import("./fanout/bench.ts")).fanout,
  overload: async () => (await import("./overload/bench.ts")).overload,
  wan: async () => (await import("./wan/bench.ts")).wan,
  edges: async () => (await import("./edges/bench.ts")).edges,
  join: async () => (await import("./join/bench.ts")).join,
  sim: async () => (await import("./sim.ts")).sim,
  "browserless-viewer": async () => (await import("./browserless-viewer.ts")).browserlessViewer,
  gate: async () => (await import("./gate/bench.ts")).gate,
};

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help") return list();
  if (name === "charts") return charts();
  const load = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  if (load === undefined) {
    process.stderr.write(`no benchmark "${name}"; there are: ${Object.keys(BENCHES).join(" ")}\n`);
    return 2;
  }
  const bench = await load();
  if (rest.includes("--help")) return help(bench);
  const values = parse(bench, rest);
  if (values === undefined) return 2;
  const report = await bench.run(values);
  const out = values.text("json");
  if (out !== undefined) writeFileSync(out, `${JSON.stringify(report, null, 1)}\n`);
  console.log(reportText(report));
  return report.checks.every((check) => check.ok) ? 0 : 1;
}

async function charts(): Promise<number> {
  const { RESULTS, writeCharts } = await import("./charts/charts.ts");
  for (const file of writeCharts()) console.log(join(RESULTS, file));
  return 0;
}

function parse(bench: Bench, args: readonly string[]): BenchValues | undefined {
  const options = Object.fromEntries(
    ["json", ...Object.keys(bench.options)].map((name) => [name, { type: "string" as const }]),
  );
  const defaults = Object.entries(bench.options).map(([name, { value }]) => [name, value]);
  try {
    const { values } = parseArgs({ args: [...args], options });
    return new BenchValues({ ...Object.fromEntries(defaults), ...values });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    help(bench);
    return undefined;
  }
}

async function list(): Promise<number> {
  console.log(
    "npm run bench -- NAME [--json OUT] [OPTIONS]; --help after a name shows its options\n",
  );
  for (const load of Object.values(BENCHES)) {
    const { name, text } = await load();
    console.log(`  ${name.padEnd(20)}${text}`);
  }
  console.log(`  ${"charts".padEnd(20)}draws the reports in benchmarks/results/ anew (SVG)`);
  return 0;
}

function help(bench: Bench): number {
  console.log(`${bench.name}: ${bench.text}\n\n  --json OUT      the report as JSON`);
  for (const [name, { value, text }] of Object.entries(bench.options)) {
    const usual = value === undefined ? "" : ` (${value})`;
    console.log(`  --${`${name} …`.padEnd(14)}${text}${usual}`);
  }
  return 0;
}
