import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const node = Bun.which("node");

test.skipIf(node === null)(
  "the bundle for Node exchanges datagrams under a real node",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "shoal-udp-"));
    try {
      const entry = join(import.meta.dir, "testing", "udp-exchange.ts");
      const built = await Bun.build({ entrypoints: [entry], target: "node", outdir: folder });
      expect(built.success).toBe(true);
      const script = built.outputs[0]?.path ?? "";
      const child = Bun.spawn([node as string, script], { stdout: "pipe", stderr: "pipe" });
      const timer = setTimeout(() => child.kill(), 10_000);
      const [out, problems] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      clearTimeout(timer);
      expect(problems).toBe("");
      expect(JSON.parse(out)).toEqual({
        runtime: "node",
        count: 200,
        inOrder: true,
        fromIsRight: true,
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  20_000,
);
