/** Real input: an encoder's frames come out of a peer's HTTP-FLV as they went in, over good links and bad ones. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { IDEAL } from "../../runtime/sim/network/link.ts";
import { PRESETS } from "../../runtime/sim/network/presets.ts";
import { Bystander, FlvTap, framesOf, isKeyFrame, printOf } from "./testing/flv-tap.ts";
import { UdpWeather } from "./testing/udp-weather.ts";
import { CLIP, HAS_FFMPEG, HAS_REAL_CLIP, REAL_CLIP, ROOT, until, World } from "./testing/world.ts";

const SLOW_MS = 90_000;
/** Of the clip, s: its first group of pictures lasts 10.4. */
const SECONDS = "12";

describe.skipIf(!HAS_FFMPEG || !HAS_REAL_CLIP)("a real clip", () => {
  const world = new World();
  let file = "";
  let source: string[] = [];
  let firstGroup = 0;

  beforeAll(async () => {
    await world.edge();
    file = join(await world.folder(), "source.flv");
    const cut = ["-nostdin", "-v", "error", "-t", SECONDS, "-i", REAL_CLIP, "-c", "copy", file];
    expect(Bun.spawnSync(["ffmpeg", ...cut], { cwd: ROOT }).exitCode).toBe(0);
    const frames = await framesOf(file);
    source = frames.map(printOf);
    firstGroup = frames.findIndex((frame, i) => i > 0 && isKeyFrame(frame));
    firstGroup = frames.findIndex((frame, i) => i > firstGroup && isKeyFrame(frame));
  }, SLOW_MS);
  afterAll(() => world.stop());

  /** Waits for the clip's last frame, then compares everything since the first. */
  async function expectAllSince(tap: FlvTap, what: string): Promise<number> {
    await until(`the end of the clip at ${what}`, () => {
      const last = tap.tags.at(-1);
      return last !== undefined && printOf(last) === source.at(-1);
    });
    const played = tap.frames.map(printOf);
    const start = source.indexOf(played[0] as string);
    expect(start).toBeGreaterThanOrEqual(0);
    expect(played).toEqual(source.slice(start));
    tap.close();
    return start;
  }

  test(
    "pushed by ffmpeg over RTMP leaves a peer's HTTP-FLV byte for byte, for early and late viewers",
    () =>
      world.shown(async () => {
        const url = world.url("live/real");
        const early = await world.watch(url);
        world.push(file, "live/real");
        const tap = await FlvTap.open(`${early.page}live/real.flv`);
        await tap.count(150);
        const late = await world.watch(url);
        const lateTap = await FlvTap.open(`${late.page}live/real.flv`);
        const install = await FlvTap.open(`${world.http}/live/real.flv`);
        expect(await expectAllSince(tap, "the early viewer")).toBe(0);
        expect(await expectAllSince(lateTap, "the late viewer")).toBe(0);
        expect(await expectAllSince(install, "the edge's own HTTP")).toBe(0);
        expect(early.viewer.figures).toMatchObject({ framesSkipped: 0, framesDamaged: 0 });
        expect(late.viewer.figures).toMatchObject({ framesDamaged: 0 });
      }),
    SLOW_MS,
  );

  test(
    "loses nothing on links of 100 ms round trip and 5 % loss each way, at a second of delay",
    () =>
      world.shown(async () => {
        const link = PRESETS.lossy.up;
        const toEdge = await UdpWeather.open({ to: world.ports.udp, link, seed: 1 });
        const toViewer = await UdpWeather.open({ to: world.ports.udp, link, seed: 2 });
        for (const weather of [toEdge, toViewer]) world.onStop(() => weather.close());
        const stream = "live/lossy";
        const far = world.url(stream, toViewer.port);
        const { viewer, page } = await world.watch(far, "--target-ms", "1000");
        world.publish(file, world.url(stream, toEdge.port));
        const tap = await FlvTap.open(`${page}${stream}.flv`);
        expect(await expectAllSince(tap, "the viewer")).toBe(0);
        expect(viewer.figures).toMatchObject({ framesSkipped: 0, framesDamaged: 0 });
        expect(Number(viewer.figures?.["delayMs"])).toBeLessThan(1_100);
        for (const { lossRate } of [toEdge, toViewer]) {
          expect(lossRate).toBeGreaterThan(0.03);
          expect(lossRate).toBeLessThan(0.08);
        }
      }),
    SLOW_MS,
  );

  test(
    "comes through datagrams that are doubled, held back, and followed by copies cut short",
    () =>
      world.shown(async () => {
        const link = { ...IDEAL, delayMs: 5, duplicateRate: 0.3, reorderRate: 0.2, reorderMs: 30 };
        const weather = (seed: number) =>
          UdpWeather.open({ to: world.ports.udp, link, seed, cutRate: 0.3 });
        const [toEdge, toViewer] = [await weather(3), await weather(4)];
        for (const one of [toEdge, toViewer]) world.onStop(() => one.close());
        const stream = "live/doubled";
        const { viewer, page } = await world.watch(world.url(stream, toViewer.port));
        world.publish(CLIP, world.url(stream, toEdge.port), "--loop");
        const bystander = await Bystander.watch(`${page}${stream}.flv`, CLIP);
        expect(await bystander.departure(250)).toBeUndefined();
        expect(viewer.figures).toMatchObject({ framesSkipped: 0, framesDamaged: 0 });
      }),
    SLOW_MS,
  );
});
