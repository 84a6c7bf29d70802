import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { MediaFrame } from "../runtime/wire/frame.ts";
import { listenForEncoder } from "./rtmp-input.ts";
import { CLIP } from "./testing/programs.ts";

const hasFfmpeg = Bun.which("ffmpeg") !== null;

function setUp() {
  const lines: string[] = [];
  const frames: MediaFrame[] = [];
  let runs = 0;
  const listening = listenForEncoder(
    { kind: "rtmp", host: "127.0.0.1", port: 0, app: "live", name: "cam" },
    { push: (frame) => void frames.push(frame), newRun: () => void runs++ },
    { line: (text) => void lines.push(text) },
  );
  return { listening, lines, frames, runs: () => runs };
}

/** Pushes the clip as fast as it goes; gives ffmpeg's exit code. */
async function push(
  lines: readonly string[],
  path: string,
  args: readonly string[] = [],
): Promise<number> {
  const base = /rtmp:\/\/[^/]+\//.exec(lines[0] ?? "")?.[0];
  const input = ["-hide_banner", "-loglevel", "error", ...args, "-i", CLIP];
  const child = spawn("ffmpeg", [...input, "-c", "copy", "-f", "flv", `${base}${path}`], {
    stdio: "ignore",
  });
  const [code] = await once(child, "exit");
  return code as number;
}

describe.skipIf(!hasFfmpeg)("an encoder at shoal publish", () => {
  test("that comes back begins a new run", async () => {
    const { listening, lines, frames, runs } = setUp();
    const input = await listening;
    expect(await push(lines, "live/cam")).toBe(0);
    const once = frames.length;
    expect(once).toBeGreaterThan(100);
    expect(await push(lines, "live/cam")).toBe(0);
    expect(frames.length).toBe(2 * once);
    expect(runs()).toBe(2);
    input.close();
  }, 20_000);

  test("is refused under another name", async () => {
    const { listening, lines, frames } = setUp();
    const input = await listening;
    expect(await push(lines, "live/other")).not.toBe(0);
    expect(frames).toEqual([]);
    input.close();
  }, 20_000);

  test("is refused while another is publishing, who goes on", async () => {
    const { listening, lines, frames } = setUp();
    const input = await listening;
    const first = push(lines, "live/cam", ["-re"]);
    while (frames.length === 0) await Bun.sleep(10);
    expect(await push(lines, "live/cam")).not.toBe(0);
    const before = frames.length;
    while (frames.length <= before) await Bun.sleep(10);
    expect(lines.some((line) => line.includes("second encoder"))).toBe(true);
    input.close();
    await first;
  }, 20_000);
});

test("a port in use is said in one line", async () => {
  const { listening, lines } = setUp();
  const input = await listening;
  const port = Number(/:(\d+)\//.exec(lines[0] ?? "")?.[1]);
  const taken = { kind: "rtmp", host: "127.0.0.1", port, app: "live", name: "cam" } as const;
  const sink = { push: () => undefined, newRun: () => undefined };
  expect(listenForEncoder(taken, sink, { line: () => undefined })).rejects.toThrow("is in use");
  input.close();
});
