/**
 * The main job on one machine (`npm start`): an edge, a publisher that plays the bundled clip as
 * live, and some viewers, each a process of its own as they would run anywhere. Encoders may push
 * streams of their own to the edge; the player page shows them as soon as they are live.
 */
import { spawnSync } from "node:child_process";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ChildProgram, stopAll } from "./child-program.ts";
import { freePort } from "./free-port.ts";

const ROOT = join(import.meta.dir, "../..");
const CLIP = join(ROOT, "runtime/media/assets/demo.flv");
const STREAM = "live/demo";
/** Enough for the edge to recruit super nodes; smaller rooms it feeds itself. */
const VIEWERS = 8;
/** So many have a page of their own; the others share one process, to be light on the machine. */
const PAGES = 2;
const VIEWERS_MAX = 50;
/** Everything must run within this, ms. */
const START_MS_MAX = 20_000;
/** Processes that got the terminal's Ctrl-C too end by themselves within this, ms. */
const CTRL_C_GRACE_MS = 800;

interface Ports {
  readonly udp: number;
  readonly edgeHttp: number;
  readonly edgeApi: number;
  readonly rtmp: number;
  /** Of the viewers that have a page. */
  readonly viewers: readonly number[];
}

interface DemoOptions {
  readonly viewers: number;
  /** First viewer's HTTP port to try. */
  readonly http: number;
  readonly rtmp: number;
  /** Ends by itself after so long; undefined = never. */
  readonly seconds: number | undefined;
}

function parseOptions(argv: readonly string[]): DemoOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      viewers: { type: "string", default: String(VIEWERS) },
      http: { type: "string", default: "8088" },
      rtmp: { type: "string", default: "1935" },
      seconds: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log("npm start [-- --viewers N --http PORT --rtmp PORT --seconds N]");
    process.exit(0);
  }
  return {
    viewers: whole("--viewers", values.viewers, 1, VIEWERS_MAX),
    http: whole("--http", values.http, 1, 65_535),
    rtmp: whole("--rtmp", values.rtmp, 1, 65_535),
    seconds:
      values.seconds === undefined ? undefined : whole("--seconds", values.seconds, 1, 86_400),
  };
}

function whole(name: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new Error(`${name} ${text}: write a whole number from ${min} to ${max}`);
}

async function choosePorts(options: DemoOptions): Promise<Ports> {
  const tcp = new Set<number>();
  const viewers: number[] = [];
  const rtmp = await freePort("tcp", options.rtmp, tcp);
  const edgeHttp = await freePort("tcp", 8080, tcp);
  const edgeApi = await freePort("tcp", 9935, tcp);
  const pages = Math.min(options.viewers, PAGES);
  for (let i = 0; i < pages; i++) viewers.push(await freePort("tcp", options.http, tcp));
  return { udp: await freePort("udp", 4935, new Set()), edgeHttp, edgeApi, rtmp, viewers };
}

/** Everything on this machine alone, every stream open to whoever is on it. */
function edgeConfig(ports: Ports): string {
  const listener = (table: string, port: number): string =>
    `[${table}]\nhost = "127.0.0.1"\nport = ${port}\n`;
  return [
    listener("udp", ports.udp),
    listener("http", ports.edgeHttp),
    listener("api", ports.edgeApi),
    listener("rtmp", ports.rtmp),
    '[streams."live/*"]\nopen = true\n',
  ].join("\n");
}

class Demo {
  readonly #options: DemoOptions;
  readonly #ports: Ports;
  readonly #folder: string;
  readonly #children: ChildProgram[] = [];
  #stopping = false;
  #knownLive: readonly string[] = [STREAM];
  #latest: Record<string, unknown> = {};

  constructor(options: DemoOptions, ports: Ports, folder: string) {
    this.#options = options;
    this.#ports = ports;
    this.#folder = folder;
  }

  async run(): Promise<void> {
    const ports = this.#ports;
    const config = join(this.#folder, "edge.toml");
    await writeFile(config, edgeConfig(ports));
    this.#start("edge", ["edge/main.ts", "--config", config]);
    await this.#until(`http://127.0.0.1:${ports.edgeApi}/healthz`, () => true);
    const url = `shoal://127.0.0.1:${ports.udp}/${STREAM}`;
    const clip = await this.#copyClip();
    this.#start("publisher", [
      "client-node/main.ts",
      "publish",
      clip,
      "--to",
      url,
      "--loop",
      "--json",
    ]);
    ports.viewers.forEach((port, i) => {
      const args = ["client-node/main.ts", "watch", url, "--http", String(port), "--json"];
      const page = ["--edge-page", `http://127.0.0.1:${ports.edgeHttp}`];
      this.#start(`viewer ${i + 1}`, [...args, ...page], i === 0 ? this.#readFigures : undefined);
    });
    this.#startCrowd();
    await this.#until(`${this.#pageUrl}api/stats`, (stats) => stats["state"] === "playing");
    if (this.#stopping) return;
    this.#announce();
    setInterval(() => void this.#refresh(), 1_000);
  }

  /** Viewers that show nothing and feed each other like any. */
  #startCrowd(): void {
    const count = this.#options.viewers - this.#ports.viewers.length;
    if (count <= 0) return;
    const to = ["--to", `127.0.0.1:${this.#ports.udp}`, "--stream", STREAM, "--upload"];
    const args = ["--viewers", String(count), "--join-every-ms", "200", "--target-ms", "700"];
    this.#start("crowd", ["benchmarks/crowd.ts", ...to, ...args]);
  }

  async stop(code: number, graceMs: number): Promise<never> {
    if (!this.#stopping) {
      this.#stopping = true;
      if (process.stdout.isTTY) process.stdout.write("\n");
      await stopAll(this.#children, graceMs);
      await rm(this.#folder, { recursive: true, force: true });
      process.exit(code);
    }
    return new Promise(() => undefined);
  }

  /** A copy, so that making the clip anew does not end the demo. */
  async #copyClip(): Promise<string> {
    const copy = join(this.#folder, "demo.flv");
    await copyFile(CLIP, copy).catch(() => {
      throw new Error(`${CLIP} is missing; make it with: npm run clip`);
    });
    return copy;
  }

  get #pageUrl(): string {
    return `http://127.0.0.1:${this.#ports.viewers[0]}/`;
  }

  #start(name: string, args: readonly string[], onLine?: (line: string) => void): void {
    if (this.#stopping) return;
    const child = new ChildProgram({
      name,
      command: process.execPath,
      args,
      cwd: ROOT,
      ...(onLine ? { onLine } : {}),
      onExit: (gone, how) => {
        console.error(`\nThe ${gone.name} has ended (${how}). It said last:`);
        const said = gone.lastLines.filter(
          (line) => !line.startsWith("{"),
        ); /* figures say nothing here */
        for (const line of said) console.error(`  ${line}`);
        void this.stop(1, 0);
      },
    });
    this.#children.push(child);
  }

  readonly #readFigures = (line: string): void => {
    if (!line.startsWith("{")) return;
    this.#latest = JSON.parse(line) as Record<string, unknown>;
  };

  /** Asks until the answer suits. @throws Error when it takes too long. */
  async #until(url: string, suits: (answer: Record<string, unknown>) => boolean): Promise<void> {
    const deadline = Date.now() + START_MS_MAX;
    while (!this.#stopping) {
      const answer = await fetchJson(url);
      if (answer && suits(answer)) return;
      if (Date.now() > deadline)
        throw new Error(`nothing came from ${url} in ${START_MS_MAX / 1000} s`);
      await Bun.sleep(100);
    }
  }

  #announce(): void {
    const { edgeHttp, rtmp, edgeApi, viewers } = this.#ports;
    const all = this.#options.viewers;
    const rtmpUrl = `rtmp://127.0.0.1:${rtmp}/live`;
    const hasFfmpeg = spawnSync("ffmpeg", ["-version"], { stdio: "ignore" }).status === 0;
    const others = viewers.slice(1).map((port) => `http://127.0.0.1:${port}/`);
    const lines = [
      "",
      `Shoal is running: an edge, a publisher (a clip played as live), ${all} viewers`,
      all > PAGES
        ? "that feed each other: the page shows who feeds whom."
        : "(too few to feed each other; see --viewers).",
      "",
      `  Player page    ${this.#pageUrl}`,
      ...(others.length > 0 ? [`  Other viewers  ${others.join("  ")}`] : []),
      `  Edge's page    http://127.0.0.1:${edgeHttp}/`,
      `  Edge's figures http://127.0.0.1:${edgeApi}/api/v1/streams`,
      "",
      "Push a stream of your own:",
      `  ffmpeg -re -i FILE -c copy -f flv ${rtmpUrl}/NAME`,
      ...(hasFfmpeg ? [] : ["         (ffmpeg is not installed on this machine)"]),
      `  OBS    server ${rtmpUrl}, stream key NAME`,
      `An open player page goes over to it at once; or open ${this.#pageUrl}?stream=live/NAME`,
      ...(rtmp === this.#options.rtmp
        ? []
        : [`(port ${this.#options.rtmp} is in use, so RTMP is on ${rtmp})`]),
      "",
      "Ctrl-C ends everything.",
    ];
    console.log(lines.join("\n"));
  }

  /** Once a second: streams that came and went, and a line of figures. */
  async #refresh(): Promise<void> {
    const status = await fetchJson(`http://127.0.0.1:${this.#ports.edgeHttp}/status.json`);
    const list = (status?.["streams"] ?? []) as readonly { readonly name: string }[];
    if (status) this.#tellNews(list.map((stream) => stream.name));
    if (!process.stdout.isTTY || this.#stopping) return;
    const { delayMs, bitrateKbps, framesSkipped } = this.#latest;
    const figures = `${STREAM}: delay ${Math.round(Number(delayMs))} ms, ${Math.round(Number(bitrateKbps))} kbit/s`;
    process.stdout.write(
      `\r\x1b[2K${figures}, skipped ${framesSkipped}; live: ${this.#knownLive.join(" ")}`,
    );
  }

  #tellNews(live: readonly string[]): void {
    const clear = process.stdout.isTTY ? "\r\x1b[2K" : "";
    for (const name of live) {
      if (this.#knownLive.includes(name)) continue;
      console.log(`${clear}${name} is live: ${this.#pageUrl}?stream=${name}`);
    }
    for (const name of this.#knownLive) {
      if (!live.includes(name)) console.log(`${clear}${name} has ended`);
    }
    this.#knownLive = live;
  }
}

async function fetchJson(url: string): Promise<Record<string, unknown> | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    if (!response.ok) return undefined;
    const text = await response.text();
    return text.startsWith("{") ? (JSON.parse(text) as Record<string, unknown>) : {};
  } catch {
    return undefined; /* not up yet */
  }
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  const ports = await choosePorts(options);
  const demo = new Demo(options, ports, await mkdtemp(join(tmpdir(), "shoal-demo-")));
  process.on("SIGINT", () => void demo.stop(0, CTRL_C_GRACE_MS));
  process.on("SIGTERM", () => void demo.stop(0, 0));
  if (options.seconds !== undefined) {
    setTimeout(() => void demo.stop(0, 0), options.seconds * 1_000);
  }
  try {
    await demo.run();
  } catch (error) {
    console.error(String((error as Error).message));
    await demo.stop(1, 0);
  }
}

main().catch((error: unknown) => {
  console.error((error as Error).message);
  process.exit(2);
});
