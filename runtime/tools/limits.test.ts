import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

/** What the code gives a name: `const NAME = …`, or `name: …` in a table of bounds. Plain arithmetic only. */
function valueIn(text: string, name: string): number | undefined {
  const written = new RegExp(`\\b${name}(?:: \\w+)? ?[=:] ([\\dxa-f_*<+ ]+)[;,]`, "g");
  for (const [, expression = ""] of text.matchAll(written)) {
    if (/\d/.test(expression)) return Number(new Function(`return ${expression}`)());
  }
  return undefined;
}

test("docs/LIMITS.md names every bound's value as the code has it", () => {
  const rows = readFileSync(join(ROOT, "docs/LIMITS.md"), "utf8").matchAll(
    /^\| `(\w+)` \| ([\d,]+) \| [^|]+ \| `([^`]+)` \|/gm,
  );
  const wrong: string[] = [];
  let count = 0;
  for (const [, name = "", value = "", file = ""] of rows) {
    count++;
    const path = join(ROOT, file);
    const found = existsSync(path) ? valueIn(readFileSync(path, "utf8"), name) : undefined;
    const documented = Number(value.replaceAll(",", ""));
    if (found !== documented) wrong.push(`${name} in ${file}: ${found}, documented ${documented}`);
  }
  expect(wrong).toEqual([]);
  expect(count).toBeGreaterThan(70);
});
