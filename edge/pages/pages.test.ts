import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Browser, chromium } from "playwright-core";
import { systemClock } from "../../runtime/io/clock.ts";
import { openSource } from "../../runtime/media/file-source.ts";
import { TestEdge, type TestPublisher, until } from "../testing.ts";

const SLOW_MS = 60_000;
const CLIP = new URL("../../runtime/media/assets/demo.flv", import.meta.url).pathname;
const executablePath = Bun.which("chromium") ?? Bun.which("google-chrome") ?? undefined;

/** Plays the bundled clip as live until `close`. */
async function play(publisher: TestPublisher): Promise<() => void> {
  const clock = { now: () => performance.now(), sleep: (ms: number) => Bun.sleep(ms) };
  const source = await openSource(CLIP, { loop: true, realtime: true, clock });
  void (async () => {
    for await (const frame of source.frames()) publisher.push(frame);
  })();
  return () => source.close();
}

describe.skipIf(executablePath === undefined)("the edge's pages in a browser", () => {
  let edge: TestEdge;
  let browser: Browser;

  beforeAll(async () => {
    edge = await TestEdge.start();
    browser = await chromium.launch({
      ...(executablePath === undefined ? {} : { executablePath }),
      args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
    });
  }, SLOW_MS);
  afterAll(async () => {
    await browser?.close();
    await edge?.stop();
  });

  test(
    "list a stream as it goes live, play it, and go on when its encoder starts over",
    async () => {
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on("pageerror", (error) => errors.push(String(error)));
      page.on("console", (message) => {
        if (message.type() === "error") errors.push(message.text());
      });
      await page.goto(edge.http);
      expect(await page.textContent("#note")).toBe("No stream is live.");

      const first = await edge.publish("live/clip");
      await first.connected();
      const stopFirst = await play(first);
      await page.click("text=live/clip");
      const shown = () =>
        page.evaluate(
          () => document.querySelector("video")?.getVideoPlaybackQuality().totalVideoFrames ?? 0,
        );
      await until(async () => (await shown()) > 25);
      expect(await page.isVisible("#note")).toBe(false);
      expect(await page.textContent("#figures")).toMatch(/^\d+×\d+ · \d+ ms buffered/);

      stopFirst();
      first.role.newEpoch(systemClock.now());
      const before = await shown();
      const stopSecond = await play(first);
      await until(async () => (await shown()) > before + 25);
      stopSecond();
      expect(errors).toEqual([]);
      await page.close();
    },
    SLOW_MS,
  );
});
