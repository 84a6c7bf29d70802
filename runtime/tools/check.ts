/**
 * Everything a change must pass, as CI runs it: formatting and lint, types (all, then the core without any platform's),
 * the tests, and the gate of the benchmarks, a minute. `asc` has judged `assembly/` before, as every command builds the
 * WASM first. Every stage runs, so that one look shows all that is wrong.
 */
import { join } from "node:path";
import { runTests, summaryText } from "./run-tests.ts";

const ROOT = join(import.meta.dir, "../..");
const COLORS = process.stdout.isTTY === true ? "force" : "off";

interface Stage {
  readonly name: string;
  readonly command: readonly string[];
}

const STAGES: readonly Stage[] = [
  {
    name: "format and lint",
    command: [
      "node_modules/@biomejs/biome/bin/biome",
      "ci",
      "--error-on-warnings",
      `--colors=${COLORS}`,
      ".",
    ],
  },
  { name: "types", command: ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"] },
  {
    name: "types of the core",
    command: ["node_modules/typescript/bin/tsc", "-p", "runtime/tsconfig.core.json"],
  },
];

/** Behind the tests, so that nothing else takes the processor. */
const GATE: Stage = { name: "gate of the benchmarks", command: ["benchmarks/bench.ts", "gate"] };

/** Runs a stage with its output shown; whether it passed. */
async function passes({ name, command }: Stage): Promise<boolean> {
  const [script, ...args] = command;
  const program = [process.execPath, join(ROOT, script as string), ...args];
  const { exited } = Bun.spawn(program, { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] });
  const isGood = (await exited) === 0;
  console.log(`${isGood ? "ok    " : "FAILED"} ${name}`);
  return isGood;
}

const isCi = process.env["CI"] === "true";
const isStatic = process.argv.includes("--static");
let passed = 0;
let failed = 0;
const count = async (stage: Stage): Promise<void> => {
  if (await passes(stage)) passed++;
  else failed++;
};
for (const stage of STAGES) await count(stage);
const tests = isStatic ? { passed: 0, failed: 0, skipped: [] } : await runTests([], isCi);
if (!isStatic) await count(GATE);
const total = { ...tests, passed: passed + tests.passed, failed: failed + tests.failed };
console.log(summaryText(total, isCi));
process.exit(total.failed === 0 ? 0 : 1);
