/**
 * The door to every `npm run` of the project, on a fresh clone too: installs the pinned packages, finds the pinned Bun
 * among them, builds what is built (WASM, player page), and hands over to the TypeScript that does the work. Plain
 * JavaScript without dependencies, for Node 20 and later, or Bun where there is no Node.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const NODE_MAJOR_MIN = 20;
const IS_WINDOWS = process.platform === "win32";

/** What each command runs, and what it says for `--help`. */
const COMMANDS = {
  start: ["runtime/tools/demo.ts", "the demo: an edge, a publisher, peers, and a page that plays"],
  test: ["runtime/tools/run-tests.ts", "all tests, or those below the paths given"],
  check: [
    "runtime/tools/check.ts",
    "formatting, lint, types and tests; --static leaves out the tests",
  ],
  build: ["runtime/tools/build.ts", "dist/shoal-edge, dist/shoal and dist/shoal.mjs"],
  wasm: [undefined, "only what every command builds first: the WASM and the player page"],
  clip: ["runtime/tools/make-clip.ts", "makes the demo's clip anew (needs ffmpeg)"],
  sim: ["runtime/sim/main.ts", "the simulator"],
  train: ["runtime/tools/train-scorer.ts", "the scorer's weights, from a seed"],
  scorers: ["runtime/tools/compare-scorers.ts", "the scorers side by side in simulated worlds"],
  swarm: ["benchmarks/swarm.ts", "many real peers on this machine"],
  bench: ["benchmarks/bench.ts", "benchmarks by name; without a name, the list"],
};

const [command = "", ...rest] = process.argv.slice(2);
process.exitCode = await main();

async function main() {
  const entry = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
  if (entry === undefined) return usage();
  const [script] = entry;
  if (script !== undefined && !existsSync(join(ROOT, script))) {
    return fail(`"${command}" is not part of this version yet (${script} does not exist)`);
  }
  if (!process.versions.bun && Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN) {
    return fail(`Node ${process.versions.node} is too old: version ${NODE_MAJOR_MIN} or later`);
  }
  if (!isInstalled() && !install()) return 1;
  const bun = findBun();
  if (bun === undefined) {
    return fail(
      "no Bun that runs here: `npm ci` should have brought it; https://bun.sh has others",
    );
  }
  for (const builder of ["build-wasm.ts", "build-page.ts"]) {
    const built = spawnSync(bun, [join("runtime/tools", builder)], { cwd: ROOT, encoding: "utf8" });
    if (built.status !== 0) {
      process.stderr.write(`${built.stdout ?? ""}${built.stderr ?? ""}`);
      return fail(`runtime/tools/${builder} failed`);
    }
  }
  return script === undefined ? 0 : run(bun, [script, ...rest]);
}

function usage() {
  const lines = Object.entries(COMMANDS).map(([name, [, text]]) => `  ${name.padEnd(8)}${text}`);
  process.stderr.write(`npm run COMMAND [-- ARGUMENTS]\n\n${lines.join("\n")}\n`);
  return command === "" || command === "--help" ? 0 : 2;
}

function fail(message) {
  process.stderr.write(`shoal: ${message}\n`);
  return 1;
}

/* ------------------------------------------------------------------ packages */

/** Whether every package that package.json names is there in the version it pins. */
function isInstalled() {
  const { dependencies, devDependencies } = readJson("package.json");
  return Object.entries({ ...dependencies, ...devDependencies }).every(([name, version]) => {
    const file = join("node_modules", name, "package.json");
    return existsSync(join(ROOT, file)) && readJson(file).version === version;
  });
}

function readJson(file) {
  return JSON.parse(readFileSync(join(ROOT, file), "utf8"));
}

/** Installs what package-lock.json says; leaves no file behind that git would show. */
function install() {
  const started = performance.now();
  const isTalking = process.stderr.isTTY === true;
  process.stderr.write(`shoal: installing the pinned packages…${isTalking ? "" : "\n"}`);
  const [program, args] = installer();
  if (program === undefined) {
    fail("neither npm nor bun is here to install with");
    return false;
  }
  const done = spawnSync(program, args, { cwd: ROOT, encoding: "utf8", shell: IS_WINDOWS });
  if (done.status !== 0) {
    process.stderr.write(`\n${done.stdout ?? ""}${done.stderr ?? ""}`);
    fail(`${program} ${args.join(" ")} failed${done.error ? `: ${done.error.message}` : ""}`);
    return false;
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  process.stderr.write(`${isTalking ? " " : "shoal: "}installed in ${seconds} s\n`);
  return true;
}

function installer() {
  if (works("npm")) return ["npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]];
  const bun = process.versions.bun ? process.execPath : "bun";
  /* Bun reads package-lock.json; --no-save keeps it from writing a lock file of its own. */
  return works(bun) ? [bun, ["install", "--no-save", "--silent"]] : [undefined, []];
}

function works(program) {
  const { status } = spawnSync(program, ["--version"], { stdio: "ignore", shell: IS_WINDOWS });
  return status === 0;
}

/* ------------------------------------------------------------------ Bun */

/** The pinned Bun: as its package installed it, or straight from the platform's package, or an own one. */
function findBun() {
  const pinned = readJson("package.json").dependencies.bun;
  const candidates = [join(ROOT, "node_modules/bun/bin/bun.exe")];
  const platforms = join(ROOT, "node_modules/@oven");
  if (existsSync(platforms)) {
    for (const name of readdirSync(platforms)) {
      candidates.push(join(platforms, name, "bin", IS_WINDOWS ? "bun.exe" : "bun"));
    }
  }
  for (const file of candidates) if (existsSync(file) && versionOf(file) === pinned) return file;
  const own = process.versions.bun ? process.execPath : "bun";
  const version = versionOf(own);
  if (version !== undefined && version !== pinned) {
    process.stderr.write(`shoal: using Bun ${version}; the project is tested with ${pinned}\n`);
  }
  return version === undefined ? undefined : own;
}

function versionOf(program) {
  const { status, stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/* ------------------------------------------------------------------ handing over */

/** Runs a script to its end; resolves with its exit code. */
function run(bun, args) {
  const child = spawn(bun, args, { cwd: ROOT, stdio: "inherit" });
  /* Ctrl-C reaches the child from the terminal; it alone decides how to end. */
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((done) => {
    child.on("error", (error) => done(fail(error.message)));
    child.on("exit", (code, signal) => done(code ?? (signal === "SIGINT" ? 130 : 143)));
  });
}
