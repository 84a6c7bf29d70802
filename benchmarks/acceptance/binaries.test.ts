/** What is shipped: the single files, and the bundle for Node, run from a folder with nothing beside them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPrograms } from "../../runtime/tools/build.ts";
import { buildPage } from "../../runtime/tools/build-page.ts";
import { Bystander } from "./testing/flv-tap.ts";
import { CLIP, World } from "./testing/world.ts";

const SLOW_MS = 120_000;
const HAS_NODE = Bun.which("node") !== null;

describe("the shipped programs", () => {
  let dist = "";
  let empty = "";

  beforeAll(async () => {
    await buildPage();
    dist = await mkdtemp(join(tmpdir(), "shoal-dist-"));
    empty = join(dist, "empty");
    await mkdir(empty);
    await buildPrograms(dist);
  }, SLOW_MS);
  afterAll(() => rm(dist, { recursive: true, force: true }));

  for (const client of ["shoal", "shoal.mjs on Node"]) {
    test.skipIf(client !== "shoal" && !HAS_NODE)(
      `carry a stream from a file to a player: shoal-edge and ${client}`,
      async () => {
        const shoal =
          client === "shoal" ? [join(dist, "shoal")] : ["node", join(dist, "shoal.mjs")];
        const world = new World({ edge: [join(dist, "shoal-edge")], shoal, cwd: empty });
        try {
          await world.shown(async () => {
            const edge = await world.edge();
            const url = world.url("live/clip");
            const publisher = world.publish(CLIP, url, "--loop");
            const { viewer, page } = await world.watch(url);
            const tap = await Bystander.watch(`${page}live/clip.flv`, CLIP);
            expect(await tap.departure(150)).toBeUndefined();
            expect(await (await fetch(page)).text()).toContain("<video");
            expect(await (await fetch(`${world.http}/`)).text()).toContain("live/clip");
            expect((await fetch(`${page}player.js`)).status).toBe(200);
            for (const program of [viewer, publisher, edge]) {
              program.child.signal("SIGTERM");
              expect(await program.ended()).toBe("exit code 0");
            }
          });
        } finally {
          await world.stop();
        }
      },
      SLOW_MS,
    );
  }

  test("tell their version and help", () => {
    for (const name of ["shoal", "shoal-edge"]) {
      const run = (flag: string) => Bun.spawnSync([join(dist, name), flag], { cwd: empty });
      expect(run("--version").stdout.toString()).toMatch(/^\d+\.\d+\.\d+\n$/);
      expect(run("--help").stdout.toString()).toContain("Usage: ");
      expect(run("--help").exitCode).toBe(0);
    }
  });
});
