/**
 * Builds the programs into `dist/`: `shoal-edge` and `shoal`, single files with Bun, the WASM and the pages inside, and
 * `shoal.mjs`, the viewer's program for Node 20 and later. None of them needs another file beside it.
 */
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

/* A shipped program takes its settings from its own options, not from what lies in the folder it is started in. */
const SINGLE_FILE = ["--compile", "--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];

const PROGRAMS = [
  { from: "edge/main.ts", to: "shoal-edge", options: SINGLE_FILE },
  { from: "client-node/main.ts", to: "shoal", options: SINGLE_FILE },
  { from: "client-node/main.ts", to: "shoal.mjs", options: ["--target=node", "--format=esm"] },
] as const;

/** Builds all programs into `dist` (default `dist/`). @throws Error with the bundler's words. */
export async function buildPrograms(dist: string = join(ROOT, "dist")): Promise<void> {
  await mkdir(dist, { recursive: true });
  for (const { from, to, options } of PROGRAMS) {
    const outfile = join(dist, to);
    const args = ["build", ...options, "--minify-syntax", join(ROOT, from), "--outfile", outfile];
    const bundler = Bun.spawn([process.execPath, ...args], {
      cwd: dist,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const said = Promise.all([
      new Response(bundler.stdout).text(),
      new Response(bundler.stderr).text(),
    ]);
    if ((await bundler.exited) !== 0) {
      throw new Error(`${from} could not be built:\n${(await said).join("")}`);
    }
    const { size } = await stat(outfile);
    console.log(`dist/${to.padEnd(12)}${(size / 1e6).toFixed(1).padStart(7)} MB`);
  }
}

if (import.meta.main) await buildPrograms();
