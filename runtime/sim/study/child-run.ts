/**
 * Runs the simulator in a process of its own: runs do not share memory, and what one costs can be
 * told apart.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { spawn } from "bun";
import type { Report } from "../report/report.ts";

const MAIN = join(import.meta.dir, "..", "main.ts");
/** A run that ends with this has a report, though one of its checks does not hold. */
const EXIT_FAILED = 1;

export interface ChildRun {
  readonly report: Report;
  readonly wallSeconds: number;
  /** User and system time of the process. */
  readonly cpuSeconds: number;
  /** Largest resident set. */
  readonly memoryMiB: number;
}

/** @throws Error with the last words of a run that gave no report. */
export async function runInChild(flags: readonly string[]): Promise<ChildRun> {
  const folder = mkdtempSync(join(tmpdir(), "shoal-sim-"));
  const file = join(folder, "report.json");
  try {
    const child = spawn([process.execPath, MAIN, ...flags, "--quiet", "--json", file], {
      stdout: "ignore",
      stderr: "pipe",
    });
    const words = await new Response(child.stderr).text();
    const code = await child.exited;
    if (code !== 0 && code !== EXIT_FAILED) throw new Error(words.trim().split("\n").at(-1));
    const report = JSON.parse(readFileSync(file, "utf8")) as Report;
    const usage = child.resourceUsage();
    const { wallSeconds } = report;
    return {
      report,
      wallSeconds,
      cpuSeconds: Math.round(Number(usage?.cpuTime.total ?? 0) / 1e4) / 100,
      memoryMiB: Math.round((usage?.maxRSS ?? 0) / 2 ** 20),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
