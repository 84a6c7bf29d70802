import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPage } from "../../tools/build-page.ts";

test("the page builds to the same bytes each time and asks nothing of other hosts", async () => {
  const folder = await mkdtemp(join(tmpdir(), "shoal-page-"));
  try {
    const builds: string[][] = [];
    for (const name of ["a", "b"]) {
      const out = join(folder, name);
      await buildPage(out);
      const files = ["player.html.txt", "player.css.txt", "player.js.txt"];
      builds.push(await Promise.all(files.map((file) => Bun.file(join(out, file)).text())));
    }
    const [first, second] = builds as [string[], string[]];
    expect(second).toEqual(first);
    const [html = "", css = "", script = ""] = first;
    expect(html).toContain('id="delay-ms"');
    expect(`${html}${css}`).not.toMatch(/(src|href|url)\s*[=(]\s*["']?(https?:)?\/\//);
    expect(script).toContain("shoalStats");
    expect(script.length).toBeLessThan(400_000);
  } finally {
    await rm(folder, { recursive: true });
  }
});
