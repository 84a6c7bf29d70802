/**
 * Makes the player page's texts: bundles the page's TypeScript with mpegts.js into one script and
 * puts it, the page and its style into `build/` as `.txt`, where player-page.ts embeds them. The
 * same sources give the same bytes.
 */
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const PAGE = join(ROOT, "runtime/media/page");

/** Builds the three texts into `out`. @throws Error with the bundler's messages. */
export async function buildPage(out: string = join(ROOT, "build")): Promise<void> {
  await mkdir(out, { recursive: true });
  const bundle = await Bun.build({
    entrypoints: [join(PAGE, "main.ts")],
    target: "browser",
    format: "iife",
    minify: true,
    throw: false,
  });
  const script = bundle.outputs[0];
  if (!bundle.success || !script) throw new Error(bundle.logs.join("\n"));
  await replace(join(out, "player.js.txt"), await script.text());
  for (const file of ["player.html", "player.css"]) {
    await replace(join(out, `${file}.txt`), await Bun.file(join(PAGE, file)).text());
  }
}

/** Whole or not at all, and only when it changes: programs and tests may be reading it. */
async function replace(path: string, text: string): Promise<void> {
  const file = Bun.file(path);
  if ((await file.exists()) && (await file.text()) === text) return;
  const draft = `${path}.${process.pid}`;
  await Bun.write(draft, text);
  await rename(draft, path);
}

if (import.meta.main) await buildPage();
