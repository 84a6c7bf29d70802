/**
 * `hotpath`: nanoseconds of each operation of the hot path as it ships (WASM, called over the border one operation at a
 * time), of its TypeScript twin, and of the same written in C. All three do the same work, which their digests show.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench, BenchValues } from "../lib/bench.ts";
import { interleave, runProgram, runScript } from "../lib/child.ts";
import {
  type Check,
  commitName,
  machineName,
  median,
  mediansOf,
  type Ratio,
  type Report,
  ratiosOf,
  type Sample,
} from "../lib/report.ts";
import type { ChildFigures } from "./child.ts";

/**
 * The operations that the targets are about, as the nodes call them: what is sent to many is numbered, noted and headed
 * in one call. The rest are calls of a few instructions, which cross the border too.
 */
const NAMED = ["ackBuild", "ackParse", "lossCheck", "fragmentInsert", "segmentSlots", "fanHeads"];
const RATIO_MAX = 2;
const RATIO_MEDIAN_MAX = 1.5;

export const hotpath: Bench = {
  name: "hotpath",
  text: "each operation of the hot path in ns: WASM, TypeScript twin, C",
  options: {
    rounds: { value: "1000", text: "rounds measured" },
    warmup: { value: "1000", text: "rounds before, for the just-in-time compilers" },
    runs: { value: "5", text: "fresh processes of each subject" },
  },
  run,
};

async function run(options: BenchValues): Promise<Report> {
  const sizes = [options.number("rounds", 1), options.number("warmup")].map(String);
  const runs = options.number("runs", 1);
  const folder = mkdtempSync(join(tmpdir(), "shoal-bench-"));
  try {
    const reference = compileReference(folder);
    const subjects = reference === undefined ? ["shoal", "twin"] : ["shoal", "twin", "c"];
    const skipped = reference === undefined ? ["c: no C compiler (cc) here"] : [];
    const samples: Sample[] = [];
    const hashes: string[] = [];
    for (const lossy of ["0", "1"]) {
      const done = await interleave(subjects, runs, (subject) =>
        measure(subject, reference, [...sizes, lossy]),
      );
      const found = [...new Set(done.map(({ value }) => value.hash))];
      if (found.length > 1) throw new Error(`subjects did different work: ${found.join(" ")}`);
      hashes.push(found[0] as string);
      for (const { subject, value } of done)
        samples.push(...samplesOf(subject, value, lossy === "1"));
    }
    return report(samples, runs, hashes.join("-"), skipped);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Two runs: in peace for the medians, and with garbage made for the tail. C has no garbage. */
async function measure(
  subject: string,
  reference: string | undefined,
  args: readonly string[],
): Promise<ChildFigures> {
  if (subject === "c") return runProgram([reference as string, ...args]);
  const child = "benchmarks/hotpath/child.ts";
  const calm = await runScript<ChildFigures>(child, [subject, ...args, "0"]);
  const pressed = await runScript<ChildFigures>(child, [subject, ...args, "1"]);
  if (calm.hash !== pressed.hash) throw new Error(`${subject}: not the same work twice`);
  const phases = calm.phases.map((phase, i) => ({
    ...phase,
    tail: (pressed.phases[i] as { tail: number }).tail,
  }));
  return { hash: calm.hash, phases };
}

/** Compiles the C into `folder`; undefined without a compiler. */
export function compileReference(folder: string): string | undefined {
  const cc = Bun.which("cc");
  if (cc === null) return undefined;
  const program = join(folder, "reference");
  const sources = ["reference.c", "reference-session.c", "reference-store.c"];
  const files = sources.map((name) => join(import.meta.dir, name));
  const done = Bun.spawnSync([cc, "-O2", "-o", program, ...files, "-lm"], { stderr: "pipe" });
  if (!done.success) throw new Error(`cc failed:\n${done.stderr}`);
  return program;
}

function samplesOf(subject: string, figures: ChildFigures, isLossy: boolean): Sample[] {
  return figures.phases.flatMap(({ name, median: time, tail }) => {
    const of = isLossy ? `${name}, 5 % loss` : name;
    return [
      { subject, case: of, metric: "time", unit: "ns", value: time },
      { subject, case: of, metric: "p99.9", unit: "ns", value: tail },
    ];
  });
}

function report(
  samples: readonly Sample[],
  runs: number,
  workHash: string,
  skipped: readonly string[],
): Report {
  const results = mediansOf(samples);
  const ratios = [...ratiosOf(results, "shoal", "c"), ...ratiosOf(results, "shoal", "twin")];
  return {
    name: "hotpath",
    commit: commitName(),
    machine: machineName(),
    runs,
    results,
    ratios,
    workHash,
    checks: checksOf(ratios),
    skipped,
  };
}

function checksOf(ratios: readonly Ratio[]): Check[] {
  const toC = ratios.filter(({ against, metric }) => against === "c" && metric === "time");
  const named = toC.filter((ratio) => NAMED.includes(ratio.case.split(",")[0] as string));
  if (named.length === 0) return [];
  const slow = named.filter(({ value }) => !(value <= RATIO_MAX));
  const middle = median(named.map(({ value }) => value));
  return [
    {
      name: `each named operation ≤ ${RATIO_MAX} × C`,
      ok: slow.length === 0,
      detail:
        slow.map((each) => `${each.case} ${each.value.toFixed(2)} ×`).join("; ") || "all of them",
    },
    {
      name: `their median ≤ ${RATIO_MEDIAN_MAX} × C`,
      ok: middle <= RATIO_MEDIAN_MAX,
      detail: `${middle.toFixed(2)} ×`,
    },
  ];
}
