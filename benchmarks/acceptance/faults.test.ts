/** Faults of real processes: each is met as it should be, and the streams of others do not notice. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { TestProgram } from "../../client-node/testing/programs.ts";
import { Bystander, FlvTap } from "./testing/flv-tap.ts";
import { syntheticClip } from "./testing/synthetic-clip.ts";
import { CLIP, FROM_SOURCE, KEY, ROOT, until, World } from "./testing/world.ts";

const SLOW_MS = 60_000;
/** Frames of the bystander watched after each fault: 2 s of picture and sound. */
const WATCHED = 140;

describe("while another stream plays on,", () => {
  const world = new World();
  let edge: TestProgram;
  let bystander: Bystander;
  let bystandersViewer: TestProgram;

  beforeAll(async () => {
    edge = await world.edge();
    const url = world.url("live/steady");
    world.publish(CLIP, url, "--loop");
    const { viewer, page } = await world.watch(url);
    bystandersViewer = viewer;
    bystander = await Bystander.watch(`${page}live/steady.flv`, CLIP);
  }, SLOW_MS);
  afterAll(() => world.stop());

  /** The stream beside has lost nothing, and its viewer is still the same process. */
  async function expectUntouched(): Promise<void> {
    expect(await bystander.departure(WATCHED)).toBeUndefined();
    expect(bystandersViewer.exit).toBeUndefined();
    expect(bystandersViewer.figures).toMatchObject({ framesSkipped: 0, framesDamaged: 0 });
    expect(edge.exit).toBeUndefined();
  }

  function fault(name: string, body: () => Promise<void>): void {
    const shown = () =>
      world.shown(async () => {
        await body();
        await expectUntouched();
      });
    test(name, shown, SLOW_MS);
  }

  fault("a viewer joins mid-stream and sees the group that is running", async () => {
    const { viewer, page } = await world.watch(world.url("live/steady"));
    const tap = await Bystander.watch(`${page}live/steady.flv`, CLIP);
    expect(await tap.departure(WATCHED)).toBeUndefined();
    await viewer.until(() => viewer.figures?.["state"] === "playing", "playing");
    expect(Number(viewer.figures?.["firstFrameMs"])).toBeLessThan(2_000);
    viewer.child.signal("SIGTERM");
    expect(await viewer.ended()).toBe("exit code 0");
  });

  fault("a publisher restarts and its viewers go on without restarting", async () => {
    const url = world.url("live/again");
    const first = world.publish(CLIP, url, "--loop");
    const { viewer, page } = await world.watch(url);
    const tap = await FlvTap.open(`${page}live/again.flv`);
    await tap.more(WATCHED);
    const epoch = viewer.figures?.["epoch"];
    first.child.signal("SIGKILL");
    await first.ended();
    const second = world.publish(CLIP, url, "--loop");
    await viewer.until(() => {
      const { state, epoch: current } = viewer.figures ?? {};
      return state === "playing" && current !== epoch;
    }, "a new run of the encoder");
    const before = tap.frames.length;
    await tap.more(WATCHED);
    const times = tap.frames.slice(before - 5).map(({ dtsMs }) => dtsMs);
    expect(times.every((time, i) => i === 0 || time >= (times[i - 1] as number) - 100)).toBe(true);
    expect(viewer.exit).toBeUndefined();
    for (const { child } of [second, viewer]) child.signal("SIGTERM");
  });

  fault("a wrong stream key is refused in one line", async () => {
    const url = world.url("live/locked");
    const wrong = world.publish(CLIP, url, "--loop", "--key", "battery staple");
    expect(await wrong.ended()).toBe("exit code 1");
    const said = wrong.lines.filter((line) => line !== "" && !line.startsWith("{"));
    expect(said).toHaveLength(1);
    expect(said[0]).toContain("wrong key");
    const right = world.publish(CLIP, url, "--loop", "--key", KEY);
    await right.line(/publishing/);
    right.child.signal("SIGTERM");
    expect(await right.ended()).toBe("exit code 0");
  });

  fault("a second publisher of a stream is refused with the reason", async () => {
    const second = world.publish(CLIP, world.url("live/steady"), "--loop");
    expect(await second.ended()).toBe("exit code 1");
    expect(second.lines.at(-1)).toContain("stream busy");
  });

  fault("200 viewers join at once, and all of them play", async () => {
    const clip = { seconds: 4, framesPerSecond: 10, groupFrames: 20, frameBytes: 1_000 };
    const light = join(await world.folder(), "light.flv"); /* so that two cores bear them all */
    await Bun.write(light, syntheticClip(clip));
    const publisher = world.publish(light, world.url("live/light"), "--loop");
    await publisher.line(/publishing/);
    const crowd = world.program(
      "crowd",
      ...[process.execPath, `${ROOT}/benchmarks/crowd.ts`, "--viewers", "200"],
      ...["--to", `127.0.0.1:${world.ports.udp}`, "--stream", "live/light"],
    );
    await crowd.until(() => crowd.figures?.["playing"] === 200, "200 that play");
    const before = Number(crowd.figures?.["framesPlayedMin"]);
    await crowd.until(
      () => Number(crowd.figures?.["framesPlayedMin"]) > before + 20,
      "frames for each",
    );
    expect(crowd.figures).toMatchObject({ refused: 0, framesDamaged: 0 });
    for (const program of [crowd, publisher]) {
      program.child.signal("SIGTERM");
      expect(await program.ended()).toBe("exit code 0");
    }
  });

  fault("an edge of its own restarts; publisher and viewer come back by themselves", async () => {
    const other = new World(FROM_SOURCE);
    world.onStop(() => void other.stop());
    await other.shown(async () => {
      const first = await other.edge();
      const url = other.url("live/back");
      const publisher = other.publish(CLIP, url, "--loop");
      const { viewer, page } = await other.watch(url);
      const tap = await FlvTap.open(`${page}live/back.flv`);
      await tap.more(WATCHED);
      first.child.signal("SIGKILL");
      await first.ended();
      const second = await other.edge();
      await second.line(/"event":"published?"|live\/back/);
      const { length } = tap.frames;
      await until("frames after the restart", () => tap.frames.length > length + 2 * WATCHED);
      expect([publisher.exit, viewer.exit]).toEqual([undefined, undefined]);
      await viewer.until(() => viewer.figures?.["state"] === "playing", "playing");
    });
    await other.stop();
  });

  test(
    "SIGTERM says goodbye to everyone and ends the edge with 0",
    () =>
      world.shown(async () => {
        await expectUntouched();
        edge.child.signal("SIGTERM");
        expect(await edge.ended()).toBe("exit code 0");
        await bystandersViewer.line(/lost the edge.*shutting down/);
        expect(bystandersViewer.exit).toBeUndefined();
      }),
    SLOW_MS,
  );
});
