/**
 * What every benchmark reports: figures by subject, case and metric, and the ratios between subjects that were measured
 * in the same run. A bare time says little on a shared machine; a ratio within one run does.
 */
import { spawnSync } from "node:child_process";
import { cpus } from "node:os";

export interface Result {
  readonly subject: string;
  readonly case: string;
  readonly metric: string;
  readonly unit: string;
  readonly value: number;
}

export interface Ratio {
  readonly case: string;
  readonly metric: string;
  readonly subject: string;
  readonly against: string;
  /** The subject's figure / the other's, both medians of their runs. */
  readonly value: number;
}

/** A number that is held to something. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface Report {
  readonly name: string;
  readonly commit: string;
  readonly machine: string;
  readonly runs: number;
  readonly results: readonly Result[];
  readonly ratios: readonly Ratio[];
  /** Digest of the work that was done, the same for every subject that did the same. */
  readonly workHash: string;
  readonly checks: readonly Check[];
  /** What was left out, and why. */
  readonly skipped: readonly string[];
}

/** Figures of one run of one subject. */
export interface Sample {
  readonly subject: string;
  readonly case: string;
  readonly metric: string;
  readonly unit: string;
  readonly value: number;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** By linear interpolation; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] as number;
  const high = sorted[Math.ceil(at)] as number;
  return low === high ? low : low + (high - low) * (at - Math.floor(at));
}

/** One result for each (subject, case, metric): the median of its samples, in order of first appearance. */
export function mediansOf(samples: readonly Sample[]): Result[] {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = `${sample.subject}\n${sample.case}\n${sample.metric}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [sample]);
    else group.push(sample);
  }
  return [...groups.values()].map((group) => ({
    ...(group[0] as Sample),
    value: median(group.map(({ value }) => value)),
  }));
}

/** Ratios of `subject` to `against` wherever both have the same case and metric. */
export function ratiosOf(results: readonly Result[], subject: string, against: string): Ratio[] {
  const ratios: Ratio[] = [];
  for (const { subject: name, case: of, metric, value } of results) {
    if (name !== subject) continue;
    const other = results.find(
      (each) => each.subject === against && each.case === of && each.metric === metric,
    );
    if (other === undefined || other.value === 0) continue;
    ratios.push({ case: of, metric, subject, against, value: value / other.value });
  }
  return ratios;
}

/** Short commit hash, with `+` when the tree differs from it; `unknown` outside a repository. */
export function commitName(): string {
  const git = (...args: string[]) =>
    spawnSync("git", args, { cwd: import.meta.dir, encoding: "utf8" }).stdout?.trim() ?? "";
  const hash = git("rev-parse", "--short=12", "HEAD");
  if (hash === "") return "unknown";
  return git("status", "--porcelain", "--untracked-files=no") === "" ? hash : `${hash}+`;
}

export function machineName(): string {
  const all = cpus();
  const model = all[0]?.model.trim() || process.arch;
  const bun = process.versions.bun ?? "none";
  return `${model} × ${all.length}, ${process.platform}, Bun ${bun}`;
}

/** FNV-1a over numbers, as their 32-bit words. */
export class WorkHash {
  #hash = 0x811c9dc5;

  add(value: number): this {
    for (let shift = 0; shift < 32; shift += 8) {
      this.#hash = Math.imul(this.#hash ^ ((value >>> shift) & 0xff), 0x01000193);
    }
    return this;
  }

  text(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }
}
