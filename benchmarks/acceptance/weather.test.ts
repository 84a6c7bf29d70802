/** Bad weather between real processes: a viewer goes on through it, and whoever has a good path notices nothing. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { TestProgram } from "../../client-node/testing/programs.ts";
import { IDEAL, type LinkModel } from "../../runtime/sim/network/link.ts";
import { PRESETS } from "../../runtime/sim/network/presets.ts";
import { Bystander } from "./testing/flv-tap.ts";
import { UdpWeather } from "./testing/udp-weather.ts";
import { CLIP, until, World } from "./testing/world.ts";

const SLOW_MS = 60_000;
const STREAM = "live/weather";
/** Frames of the bystander watched after each: 2 s of picture and sound. */
const WATCHED = 140;
const OUTAGE_MS = 2000;

describe("a viewer behind a bad link", () => {
  const world = new World();
  let bystander: Bystander;
  let bystandersViewer: TestProgram;

  beforeAll(async () => {
    await world.edge();
    world.publish(CLIP, world.url(STREAM), "--loop");
    const { viewer, page } = await world.watch(world.url(STREAM));
    bystandersViewer = viewer;
    bystander = await Bystander.watch(`${page}${STREAM}.flv`, CLIP);
  }, SLOW_MS);
  afterAll(() => world.stop());

  async function behind(link: LinkModel): Promise<{ weather: UdpWeather; viewer: TestProgram }> {
    const weather = await UdpWeather.open({ to: world.ports.udp, link, seed: 5 });
    world.onStop(() => weather.close());
    const far = world.url(STREAM, weather.port);
    const { viewer } = await world.watch(far, "--target-ms", "1000");
    return { weather, viewer };
  }

  async function expectUntouched(): Promise<void> {
    expect(await bystander.departure(WATCHED)).toBeUndefined();
    expect(bystandersViewer.figures).toMatchObject({ framesSkipped: 0, framesDamaged: 0 });
  }

  const played = (viewer: TestProgram) => Number(viewer.figures?.["framesPlayed"] ?? 0);

  test(
    "plays on at 20 % loss each way",
    () =>
      world.shown(async () => {
        const { weather, viewer } = await behind(PRESETS.terrible.up);
        await until("600 frames played", () => played(viewer) > 600);
        expect(weather.lossRate).toBeGreaterThan(0.12);
        const spoilt =
          Number(viewer.figures?.["framesSkipped"]) + Number(viewer.figures?.["framesDamaged"]);
        expect(spoilt / played(viewer)).toBeLessThan(0.1);
        await expectUntouched();
      }),
    SLOW_MS,
  );

  test(
    "goes on by itself after nothing passed for 2 s",
    () =>
      world.shown(async () => {
        const { weather, viewer } = await behind(IDEAL);
        await until("100 frames played", () => played(viewer) > 100);
        const nothing: LinkModel = { ...IDEAL, loss: { kind: "iid", rate: 1 } };
        weather.up.configure(nothing);
        weather.down.configure(nothing);
        await Bun.sleep(OUTAGE_MS);
        weather.up.configure(IDEAL);
        weather.down.configure(IDEAL);
        const before = played(viewer);
        await until("200 frames more", () => played(viewer) > before + 200);
        expect(viewer.exit).toBeUndefined();
        await expectUntouched();
      }),
    SLOW_MS,
  );
});
