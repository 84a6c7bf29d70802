import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { type Browser, chromium, type Page } from "playwright-core";
import { buildPage } from "../runtime/tools/build-page.ts";
import "../runtime/media/page/page-figures.ts";
import { CLIP, TestPrograms } from "./testing/programs.ts";

const ROOT = join(import.meta.dir, "..");
const SLOW_MS = 60_000;
const executablePath = Bun.which("chromium") ?? Bun.which("google-chrome") ?? undefined;
const programs = new TestPrograms();
let browser: Browser;

describe.skipIf(executablePath === undefined)("the player page in a browser", () => {
  beforeAll(async () => {
    await buildPage();
    browser = await chromium.launch({
      ...(executablePath === undefined ? {} : { executablePath }),
      args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
    });
  }, SLOW_MS);
  afterAll(() => browser?.close());
  afterEach(() => programs.stopAll());

  async function open(stream: string): Promise<{ page: Page; port: number; url: string }> {
    const { port } = await programs.edge();
    const url = `shoal://127.0.0.1:${port}/live`;
    programs.shoal(["publish", CLIP, "--to", `${url}/${stream}`, "--loop"]);
    const viewer = programs.shoal(["watch", `${url}/clip`, "--http", "0"]);
    const [, pageUrl = ""] = await viewer.line(/browser\s+(http:\S+)/);
    const page = await browser.newPage({ viewport: { width: 1000, height: 900 } });
    const query = stream === "clip" ? "" : `?stream=live/${stream}`;
    await page.goto(`${pageUrl}${query}`);
    return { page, port, url };
  }

  test(
    "shows a moving picture less than a second old, and the peer's figures",
    async () => {
      const { page } = await open("clip");
      await page.waitForFunction(
        () => window.shoalStats.delayMeasured && (window.shoalStats.delayMs ?? 1e9) <= 1_000,
      );
      const text = await page.locator("#delay-ms").textContent();
      expect(Number(text)).toBeGreaterThan(100);
      const before = await page.evaluate(() => window.shoalStats.framesDecoded);
      await page.waitForFunction((count) => window.shoalStats.framesDecoded > count + 25, before);
      const time = await page.evaluate(() => document.querySelector("video")?.currentTime ?? 0);
      expect(time).toBeGreaterThan(0.5);
      expect(await page.locator("#bitrate").textContent()).not.toBe("–");
      expect(await page.locator("#bars").isVisible()).toBe(true);
      expect(await page.locator("#feeds text").first().textContent()).toContain("edge · 16/16");
      expect(await page.locator("#feeds-text").textContent()).toContain("100 % from the edge");
      const zones = page.locator("#buffer i");
      const widths = await zones.evaluateAll((parts) => parts.map((part) => part.clientWidth));
      expect(widths.every((width) => width > 0)).toBe(true);
      expect(coloursOf(await page.locator("video").screenshot())).toBeGreaterThan(50);
      await page.close();
    },
    SLOW_MS,
  );

  test(
    "draws who feeds whom once viewers feed each other",
    async () => {
      const { page, port } = await open("clip");
      const to = ["--to", `127.0.0.1:${port}`, "--stream", "live/clip"];
      const crowd = Bun.spawn(
        [process.execPath, "benchmarks/crowd.ts", ...to, "--viewers", "7", "--upload"],
        { cwd: ROOT, stdout: "ignore", stderr: "ignore" },
      );
      try {
        await page.waitForSelector("#feeds path.parent, #feeds path.child", { state: "attached" });
        const stats = await page.evaluate(() => window.shoalStats.stats);
        const fed = stats?.feeds.filter(({ role }) => role === "parent" || role === "child") ?? [];
        expect(fed.length).toBeGreaterThan(0);
        await page.close();
      } finally {
        crowd.kill();
        await crowd.exited;
      }
    },
    SLOW_MS,
  );

  test(
    "plays another stream of the edge when asked to",
    async () => {
      const { page } = await open("other");
      await page.waitForFunction(() => window.shoalStats.stream === "live/other");
      await page.waitForFunction(() => window.shoalStats.framesDecoded > 25);
      await page.close();
    },
    SLOW_MS,
  );

  test(
    "goes on without a reload when the publisher starts over",
    async () => {
      const { page, url } = await open("clip");
      await page.waitForFunction(() => window.shoalStats.framesDecoded > 25);
      await page.evaluate(() => Object.assign(window, { sameDocument: true }));
      const [publisher] = programs.named("shoal");
      publisher?.child.signal("SIGTERM");
      await publisher?.ended();
      await page.waitForFunction(() => window.shoalStats.state !== "playing");
      programs.shoal(["publish", CLIP, "--to", `${url}/clip`, "--loop"]);
      await page.waitForFunction(
        () => window.shoalStats.state === "playing" && window.shoalStats.recreated > 0,
      );
      expect(await page.evaluate(() => "sameDocument" in window)).toBe(true);
      await page.close();
    },
    SLOW_MS,
  );

  test(
    "turns the sound on and off",
    async () => {
      const { page } = await open("clip");
      await page.waitForFunction(() => window.shoalStats.state === "playing");
      const muted = () => page.evaluate(() => document.querySelector("video")?.muted);
      expect(await muted()).toBe(true);
      await page.click("#unmute");
      expect(await muted()).toBe(false);
      await page.close();
    },
    SLOW_MS,
  );
});

/** How many different colours a PNG has, sampled: a blank picture has one. */
function coloursOf(png: Buffer): number {
  const chunks: Buffer[] = [];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    if (png.toString("latin1", at + 4, at + 8) === "IDAT") {
      chunks.push(png.subarray(at + 8, at + 8 + length));
    }
    at += length + 12;
  }
  const raw = inflateSync(Buffer.concat(chunks));
  const colours = new Set<number>();
  for (let at = 0; at + 3 < raw.length; at += 37) colours.add(raw.readUIntBE(at, 3));
  return colours.size;
}
