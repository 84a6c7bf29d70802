/**
 * A real browser on the page of a real peer: the picture of an encoder's stream moves, within a
 * second of its capture.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Browser, chromium } from "playwright-core";
import { buildPage } from "../../runtime/tools/build-page.ts";
import "../../runtime/media/page/page-figures.ts";
import { coloursOf } from "./testing/png.ts";
import { HAS_FFMPEG, HAS_REAL_CLIP, REAL_CLIP, World } from "./testing/world.ts";

const SLOW_MS = 90_000;
const WAIT = { timeout: 45_000 };
const executablePath = Bun.which("chromium") ?? Bun.which("google-chrome") ?? undefined;
/** A picture of one colour has one; a real scene has thousands. */
const COLOURS_MIN = 100;

describe.skipIf(executablePath === undefined || !HAS_FFMPEG || !HAS_REAL_CLIP)("chromium", () => {
  const world = new World();
  let browser: Browser;

  beforeAll(async () => {
    await buildPage();
    await world.edge();
    browser = await chromium.launch({
      ...(executablePath === undefined ? {} : { executablePath }),
      args: [
        ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
        ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
        "--autoplay-policy=no-user-gesture-required",
      ],
    });
  }, SLOW_MS);
  afterAll(async () => {
    await browser?.close();
    await world.stop();
  });

  test(
    "plays what ffmpeg pushes: the picture moves and is at most a second old",
    () =>
      world.shown(async () => {
        world.push(REAL_CLIP, "live/real", "-stream_loop", "-1");
        const { page: url } = await world.watch(world.url("live/real"));
        const page = await browser.newPage({ viewport: { width: 1000, height: 900 } });
        await page.goto(url);
        const time = () => page.evaluate(() => document.querySelector("video")?.currentTime ?? 0);
        await page.waitForFunction(() => window.shoalStats?.framesDecoded > 10, null, WAIT);
        const [timeBefore, framesBefore] = [
          await time(),
          await page.evaluate(() => window.shoalStats.framesDecoded),
        ];
        await page.waitForFunction(
          (frames) => window.shoalStats.framesDecoded > frames + 40,
          framesBefore,
          WAIT,
        );
        expect(await time()).toBeGreaterThan(timeBefore + 0.5);
        await page.waitForFunction(
          () => window.shoalStats.delayMeasured && (window.shoalStats.delayMs ?? 1e9) <= 1_000,
          null,
          WAIT,
        );
        expect(await page.locator("#delay-ms").textContent()).toMatch(/\d/);
        const picture = await page.locator("video").screenshot();
        expect(coloursOf(picture)).toBeGreaterThan(COLOURS_MIN);
      }),
    SLOW_MS,
  );
});
