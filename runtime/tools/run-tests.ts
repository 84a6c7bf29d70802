/**
 * Runs the tests with Bun's runner and says at the end what was skipped and how many passed and failed, as its last
 * line: `N passed, N failed`. A test is skipped when the machine lacks a tool it needs (ffmpeg, chromium); in CI,
 * where all are installed, a skipped test is a failed one.
 */
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const TIMEOUT_MS = 30_000;

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
}

/** Runs the tests below `paths` (all without any). Output goes through as it comes. */
export async function runTests(paths: readonly string[], isCi: boolean): Promise<TestCounts> {
  const args = ["test", "--preload", "./runtime/tools/test-setup.ts", `--timeout=${TIMEOUT_MS}`];
  const runner = Bun.spawn([process.execPath, ...args, ...paths], {
    cwd: ROOT,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "pipe",
    env: { ...process.env, FORCE_COLOR: "0" },
  });
  const summary = new RunnerSummary();
  for await (const line of linesOf(runner.stderr)) {
    summary.line(line);
    process.stderr.write(`${line}\n`);
  }
  return summary.counts(await runner.exited, isCi);
}

/** What the runner's lines add up to. */
export class RunnerSummary {
  #file = "";
  /* At its end the runner repeats what was skipped and what failed. */
  #isRepeating = false;
  readonly #skipped: string[] = [];
  readonly #numbers = new Map<string, number>();

  line(line: string): void {
    const file = /^(\S+\.test\.ts):$/.exec(line);
    if (file !== null) this.#file = file[1] as string;
    if (/^\d+ tests? (skipped|failed|todo):$/.test(line)) this.#isRepeating = true;
    const skipped = /^\((?:skip|todo)\) (.+)$/.exec(line);
    if (skipped !== null && !this.#isRepeating) this.#skipped.push(`${this.#file}: ${skipped[1]}`);
    const number = /^ *(\d+) (pass|fail|errors?)$/.exec(line);
    if (number !== null) this.#numbers.set((number[2] as string).slice(0, 4), Number(number[1]));
  }

  /** Files that failed to load are errors to the runner; a run that ends badly without a count failed once. */
  counts(exitCode: number, isCi: boolean): TestCounts {
    const passed = this.#numbers.get("pass") ?? 0;
    let failed = (this.#numbers.get("fail") ?? 0) + (this.#numbers.get("erro") ?? 0);
    if (isCi) failed += this.#skipped.length;
    if (failed === 0 && (exitCode !== 0 || passed === 0)) failed = 1;
    return { passed, failed, skipped: this.#skipped };
  }
}

/** The report's end, its last line the one that others parse. */
export function summaryText({ passed, failed, skipped }: TestCounts, isCi: boolean): string {
  const verdict = isCi ? "counted as failed in CI" : "something they need is not installed";
  const lines = skipped.map((name) => `  skipped  ${name}`);
  if (lines.length > 0) lines.unshift("", `${lines.length} skipped, ${verdict}:`);
  return [...lines, "", `${passed} passed, ${failed} failed`].join("\n");
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

if (import.meta.main) {
  const isCi = process.env["CI"] === "true";
  const counts = await runTests(process.argv.slice(2), isCi);
  console.log(summaryText(counts, isCi));
  process.exit(counts.failed === 0 ? 0 : 1);
}
