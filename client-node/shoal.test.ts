import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FlvDemuxer, type FlvTag } from "../runtime/media/flv.ts";
import { buildPage } from "../runtime/tools/build-page.ts";
import { CLIP, TestPrograms } from "./testing/programs.ts";

const SLOW_MS = 40_000;
const programs = new TestPrograms();
let bundle = "";

beforeAll(async () => {
  await buildPage();
  if (!Bun.which("node")) return;
  const folder = await mkdtemp(join(tmpdir(), "shoal-bundle-"));
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, "main.ts")],
    target: "node",
    outdir: folder,
    naming: "shoal.mjs",
  });
  expect(built.success).toBe(true);
  bundle = join(folder, "shoal.mjs");
}, SLOW_MS);

afterEach(() => programs.stopAll());

/** Audio and video tags as text to compare: type and hash of the body. */
function prints(tags: readonly FlvTag[]): string[] {
  return tags
    .filter((tag) => tag.type !== 18)
    .map((tag) => `${tag.type} ${createHash("sha1").update(tag.body).digest("hex")}`);
}

/** The tags of an HTTP-FLV response until there are `count`. */
async function readTags(url: string, count: number): Promise<FlvTag[]> {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  const demuxer = new FlvDemuxer();
  const tags: FlvTag[] = [];
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  while (tags.length < count) {
    const { value, done } = await reader.read();
    if (done) break;
    tags.push(...demuxer.push(value));
  }
  await reader.cancel();
  return tags;
}

for (const runtime of ["Bun", "Node"]) {
  const skip = runtime === "Node" && !Bun.which("node");
  const chosen = (): string | undefined => (runtime === "Node" ? bundle : undefined);

  describe.skipIf(skip)(`shoal on ${runtime}`, () => {
    test(
      "publishes a file that another plays, byte for byte, and both say goodbye",
      async () => {
        const { program: edge, port } = await programs.edge();
        const url = `shoal://127.0.0.1:${port}/live/clip`;
        const publisher = programs.shoal(
          ["publish", CLIP, "--to", url, "--loop", "--json"],
          chosen(),
        );
        const viewer = programs.shoal(["watch", url, "--http", "0", "--json"], chosen());
        const [, page] = await viewer.line(/browser\s+(http:\S+)/);
        const tags = await readTags(`${page}live/clip.flv`, 200);
        const source = prints(new FlvDemuxer().push(await Bun.file(CLIP).bytes()));
        const heads = 2; /* audio and video configuration */
        const played = prints(tags).slice(heads);
        const start = source.indexOf(played[0] as string);
        expect(start).toBeGreaterThanOrEqual(heads);
        const once = source.slice(heads);
        const expected = played.map((_, i) => once[(start - heads + i) % once.length]);
        expect(played).toEqual(expected as string[]);
        await viewer.until(() => viewer.figures?.["state"] === "playing", "playing");
        expect(viewer.figures).toMatchObject({
          stream: "live/clip",
          uploadedBytes: 0,
          superNode: false,
        });
        expect(publisher.figures).toMatchObject({ stream: "live/clip", framesDropped: 0 });
        viewer.child.signal("SIGTERM");
        expect(await viewer.ended()).toBe("exit code 0");
        await edge.line(/left live\/clip: done/);
        publisher.child.signal("SIGTERM");
        expect(await publisher.ended()).toBe("exit code 0");
        await edge.line(/live\/clip ended: done/);
      },
      SLOW_MS,
    );

    test(
      "refuses a wrong key in one line",
      async () => {
        const { port } = await programs.edge();
        const to = `shoal://127.0.0.1:${port}/live/locked`;
        const program = programs.shoal(["publish", CLIP, "--to", to, "--key", "guess"], chosen());
        expect(await program.ended()).toBe("exit code 1");
        const said = program.lines.filter((line) => line !== "");
        expect(said).toHaveLength(1);
        expect(said[0]).toContain("wrong key");
        expect(said[0]).not.toContain("guess");
      },
      SLOW_MS,
    );
  });
}

describe("shoal", () => {
  test(
    "goes on by itself when the edge comes back",
    async () => {
      const { program: edge, port } = await programs.edge();
      const url = `shoal://127.0.0.1:${port}/live/clip`;
      programs.shoal(["publish", CLIP, "--to", url, "--loop"]);
      const viewer = programs.shoal(["watch", url, "--http", "0", "--json"]);
      await viewer.until(() => viewer.figures?.["state"] === "playing", "playing");
      edge.child.signal("SIGTERM");
      await edge.ended();
      await viewer.line(/lost the edge/);
      await programs.edge(port);
      const before = Number(viewer.figures?.["framesPlayed"]);
      await viewer.until(
        () => Number(viewer.figures?.["framesPlayed"]) > before + 100,
        "more frames",
      );
    },
    SLOW_MS,
  );

  test(
    "keeps trying an edge that does not answer, says so, and ends at once when told",
    async () => {
      const viewer = programs.shoal(["watch", "shoal://127.0.0.1:9/live/x", "--http", "0"]);
      await viewer.line(/no answer from 127\.0\.0\.1:9 \(UDP\); still trying/);
      viewer.child.signal("SIGTERM");
      expect(await viewer.ended()).toBe("exit code 0");
    },
    SLOW_MS,
  );

  test(
    "shows another stream of the edge to a player that asks for it",
    async () => {
      const { port } = await programs.edge();
      const base = `shoal://127.0.0.1:${port}/live`;
      programs.shoal(["publish", CLIP, "--to", `${base}/other`, "--loop"]);
      const viewer = programs.shoal(["watch", `${base}/none`, "--http", "0"]);
      const [, page] = await viewer.line(/browser\s+(http:\S+)/);
      const tags = await readTags(`${page}live/other.flv`, 50);
      expect(tags.length).toBeGreaterThanOrEqual(50);
      const stats = await (await fetch(`${page}api/stats?stream=live/other`)).json();
      expect(stats).toMatchObject({ stream: "live/other", state: "playing" });
    },
    SLOW_MS,
  );

  test(
    "takes a second publisher of the same stream for what it is",
    async () => {
      const { port } = await programs.edge();
      const args = ["publish", CLIP, "--to", `shoal://127.0.0.1:${port}/live/one`, "--loop"];
      const first = programs.shoal(args);
      await first.line(/publishing/);
      const second = programs.shoal(args);
      expect(await second.ended()).toBe("exit code 1");
      expect(second.lines.at(-1)).toContain("stream busy");
      expect(first.exit).toBeUndefined();
    },
    SLOW_MS,
  );

  test(
    "says what is wrong with a port in use",
    async () => {
      const taken = createServer();
      await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
      const { port } = taken.address() as { port: number };
      const url = "shoal://127.0.0.1:9/live/x";
      const program = programs.shoal(["watch", url, "--http", String(port)]);
      expect(await program.ended()).toBe("exit code 1");
      expect(program.lines.join("\n")).toContain(`127.0.0.1:${port} is in use`);
      taken.close();
    },
    SLOW_MS,
  );

  for (const [args, said] of [
    [["watch", "http://example.net"], "is not a stream URL"],
    [["watch"], "missing required argument"],
    [["watch", "shoal://h/live/x", "--upload-max", "lots"], "is not a rate"],
    [
      ["watch", "shoal://h/live/x", "--consume-only", "--upload-max", "1M"],
      "contradict each other",
    ],
    [["publish", CLIP], "--to"],
    [["publish", "-", "--loop", "--to", "shoal://h/live/x"], "--loop"],
    [["publish", CLIP, "--to", "shoal://h/live/x", "--key-file", "/nonexistent"], "can't be read"],
    [["dance"], "unknown command"],
  ] as const) {
    test(
      `answers "${args.join(" ").replace(CLIP, "FILE")}" with what to write, and exit code 2`,
      async () => {
        const program = programs.shoal(args);
        expect(await program.ended()).toBe("exit code 2");
        expect(program.lines.join("\n")).toContain(said);
      },
      SLOW_MS,
    );
  }
});
