import { afterEach, expect, test } from "bun:test";
import { createServer } from "node:net";
import { join } from "node:path";
import { buildPage } from "./build-page.ts";
import { ChildProgram } from "./child-program.ts";
import { freePort } from "./free-port.ts";

const ROOT = join(import.meta.dir, "../..");
const SLOW_MS = 60_000;
let demo: ChildProgram | undefined;
afterEach(async () => {
  demo?.expectExit();
  demo?.signal("SIGTERM");
  await demo?.waitExit(4_000);
});

/** The text of everything the demo says, once it matches. */
async function said(lines: readonly string[], pattern: RegExp): Promise<RegExpExecArray> {
  for (;;) {
    const found = pattern.exec(lines.join("\n"));
    if (found) return found;
    await Bun.sleep(50);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Process ids of a process's children. */
function childrenOf(pid: number): number[] {
  const listed = Bun.spawnSync(["ps", "-o", "pid=", "--ppid", String(pid)]).stdout.toString();
  return listed.split(/\s+/).filter(Boolean).map(Number);
}

test(
  "the demo plays, takes what an encoder pushes, and ends within 3 s with all its processes",
  async () => {
    await buildPage();
    const lines: string[] = [];
    let exit = "";
    demo = new ChildProgram({
      name: "demo",
      command: process.execPath,
      args: ["runtime/tools/demo.ts", "--viewers", "2", "--http", "18088", "--rtmp", "11935"],
      cwd: ROOT,
      onLine: (line) => lines.push(line),
      onExit: (_child, how) => {
        exit = how;
      },
    });
    const [, page] = await said(lines, /Player page\s+(http:\S+)/);
    const [, rtmp] = await said(lines, /-f flv (rtmp:\S+)\/NAME/);
    expect(await (await fetch(`${page}api/stats`)).json()).toMatchObject({ state: "playing" });
    if (Bun.which("ffmpeg")) {
      const clip = join(ROOT, "runtime/media/assets/demo.flv");
      const args = ["-loglevel", "error", "-re", "-i", clip, "-c", "copy", "-t", "20", "-f", "flv"];
      const ffmpeg = Bun.spawn(["ffmpeg", ...args, `${rtmp}/mine`], { stdin: "ignore" });
      await said(lines, /live\/mine is live: http:\S+\?stream=live\/mine/);
      const streams = await (await fetch(`${page}api/streams`)).json();
      expect(streams).toEqual({ default: "live/demo", streams: ["live/demo", "live/mine"] });
      const flv = await fetch(`${page}live/mine.flv`);
      expect(flv.status).toBe(200);
      await flv.body?.cancel();
      ffmpeg.kill();
      await ffmpeg.exited;
    }
    const pids = childrenOf(demo.pid as number);
    expect(pids.length).toBeGreaterThanOrEqual(4);
    const before = performance.now();
    process.kill(demo.pid as number, "SIGINT");
    while (exit === "") await Bun.sleep(20);
    expect(performance.now() - before).toBeLessThan(3_000);
    expect(exit).toBe("exit code 0");
    expect(pids.filter(isAlive)).toEqual([]);
  },
  SLOW_MS,
);

test("a port in use gives the next one", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as { port: number };
  const reserved = new Set<number>();
  const first = await freePort("tcp", port, reserved);
  const second = await freePort("tcp", port, reserved);
  expect(first).toBeGreaterThan(port);
  expect(second).toBeGreaterThan(first);
  taken.close();
});
