/** What plays in the lab: a real Redis, real edges, a publisher and viewers, each program to be killed by itself. */
import { appendFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FlvDemuxer } from "../../runtime/media/flv.ts";
import { lineReader } from "../lib/lines.ts";
import { COST, type EdgeName, type Place, type Places, type Program } from "./places.ts";

const ROOT = join(import.meta.dir, "../..");
const CLIP = join(ROOT, "runtime/media/assets/demo.flv");
export const STREAM = "live/lab";
const PORT = 4935;
const HTTP_PORT = 8080;
const API_PORT = 9935;
const REDIS_PORT = 6390;
const READY_MS_MAX = 60_000;

/** What a viewer says of itself once a second. */
export interface ViewerFigures {
  readonly framesPlayed: number;
  readonly framesSkipped: number;
  readonly stalledMs: number;
  readonly delayMs: number;
}

export class Viewer {
  figures: ViewerFigures = { framesPlayed: 0, framesSkipped: 0, stalledMs: 0, delayMs: 0 };
  readonly program: Program;

  constructor(program: Program, log: (line: string) => void) {
    this.program = program;
    void this.#read(log);
  }

  async #read(log: (line: string) => void): Promise<void> {
    for await (const line of linesOf(this.program)) {
      log(line);
      if (line.startsWith("{")) this.figures = JSON.parse(line) as ViewerFigures;
    }
  }
}

export class Stage {
  readonly places: Places;
  /** When each tag of the stream left an edge's own HTTP-FLV, ms of this process' clock, by dts × 32 + type. */
  readonly arrivals = new Map<EdgeName, Map<number, number>>();
  /** Of the stream as it left one of the edges, and in how long. */
  mediaBytes = 0;
  #mediaFromMs: number | undefined;
  readonly #programs = new Map<string, Program>();
  #folder = "";

  readonly #logs: string | undefined;

  /** `logs`: a folder for what the programs say. */
  constructor(places: Places, logs?: string) {
    this.places = places;
    this.#logs = logs;
  }

  #logOf(name: string): (line: string) => void {
    if (this.#logs === undefined) return () => undefined;
    const file = join(this.#logs, `${name}.log`);
    return (line) => appendFileSync(file, `${line}\n`);
  }

  get mediaSeconds(): number {
    return this.#mediaFromMs === undefined ? 0 : (performance.now() - this.#mediaFromMs) / 1000;
  }

  async open(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "shoal-edges-"));
  }

  async redis(): Promise<void> {
    const args = ["--port", String(REDIS_PORT), "--bind", "0.0.0.0", "--protected-mode", "no"];
    const command = ["redis-server", ...args, "--save", "", "--dir", this.#folder];
    await ready(
      this.#keep("redis", this.places.redis.spawn(command)),
      "Ready to accept",
      () => undefined,
    );
  }

  async edge(name: EdgeName, paths: string): Promise<void> {
    const place = this.places.edges.get(name) as Place;
    const file = join(this.#folder, `${name}.toml`);
    await writeFile(file, edgeConfig(name, place, paths));
    const command = `exec ${process.execPath} ${join(ROOT, "edge/main.ts")} --config ${file} 2>&1`;
    const program = place.spawn(["sh", "-c", command]);
    await ready(this.#keep(name, program), '"event":"ready"', this.#logOf(name));
  }

  publisher(): Program {
    const [line] = this.places.edges.get("e1")?.lines ?? [];
    const to = `shoal://${line?.address}:${PORT}/${STREAM}`;
    const shoal = [process.execPath, join(ROOT, "client-node/main.ts")];
    const command = [...shoal, "publish", CLIP, "--loop", "--to", to];
    return this.#keep("publisher", this.places.publisher.spawn(command));
  }

  viewer(name: string, at: EdgeName): Viewer {
    const [line] = this.places.edges.get(at)?.lines ?? [];
    const from = `shoal://${line?.address}:${PORT}/${STREAM}`;
    const shoal = [process.execPath, join(ROOT, "client-node/main.ts")];
    const command = [...shoal, "watch", from, "--http", "0", "--json", "--consume-only"];
    return new Viewer(this.#keep(name, this.places.viewers.spawn(command)), this.#logOf(name));
  }

  /** Where the stream is published, as edge `at` knows. */
  async origin(at: EdgeName): Promise<EdgeName> {
    const place = this.places.edges.get(at) as Place;
    const host = this.places.missing === undefined ? "127.0.0.1" : place.lines[0]?.address;
    const curl = place.spawn(["curl", "-sf", `http://${host}:${API_PORT}/api/v1/edges`]);
    const { streams } = (await new Response(curl.stdout).json()) as {
      streams: { readonly edge: EdgeName }[];
    };
    const [stream] = streams;
    if (stream === undefined) throw new Error(`${at} knows of no stream`);
    return stream.edge;
  }

  /** Notes when frames come out of an edge, in the edge's own place: no emulated link lies between. */
  tap(name: EdgeName): void {
    const place = this.places.edges.get(name) as Place;
    const host = this.places.missing === undefined ? "127.0.0.1" : place.lines[0]?.address;
    const url = `http://${host}:${HTTP_PORT}/${STREAM}.flv`;
    const retry = ["--retry", "30", "--retry-delay", "1", "--retry-all-errors"];
    const program = this.#keep(`tap ${name}`, place.spawn(["curl", "-sNf", ...retry, url]));
    const arrivals = new Map<number, number>();
    this.arrivals.set(name, arrivals);
    void (async () => {
      const demuxer = new FlvDemuxer();
      for await (const bytes of program.stdout) {
        const now = performance.now();
        if (name === "e4") {
          this.#mediaFromMs ??= now;
          this.mediaBytes += bytes.length;
        }
        for (const { dtsMs, type } of demuxer.push(bytes)) {
          const key = dtsMs * 32 + type;
          if (!arrivals.has(key)) arrivals.set(key, now);
        }
      }
    })().catch(() => undefined);
  }

  /** At once, without a word. */
  async kill(name: string): Promise<void> {
    const program = this.#programs.get(name);
    if (program === undefined) return;
    this.#programs.delete(name);
    program.kill("SIGKILL");
    await program.exited;
  }

  async close(): Promise<void> {
    for (const name of [...this.#programs.keys()]) await this.kill(name);
    await this.places.close();
    if (this.#folder !== "") await rm(this.#folder, { recursive: true, force: true });
  }

  #keep(name: string, program: Program): Program {
    this.#programs.set(name, program);
    return program;
  }
}

function edgeConfig(name: EdgeName, { lines, redis }: Place, paths: string): string {
  const [main] = lines;
  const tables = lines.map(({ name: hub, address }, i) => {
    const bind = i === 0 ? "" : `bind = "${address}:${PORT + i}"\n`;
    return `[lines.${hub}]\naddress = "${address}:${PORT + i}"\n${bind}isp = "${hub}"\ncost = ${COST[hub]}\n`;
  });
  const host = redis === "127.0.0.1" ? main?.address : "127.0.0.1";
  return `
[udp]
host = "${main?.address}"
port = ${PORT}
[http]
host = "${host}"
port = ${HTTP_PORT}
[api]
host = "${host}"
[rtmp]
enabled = false
[swarm]
enabled = false
[log]
format = "json"
[cluster]
id = "${name}"
secret = "a secret for the lab only"
redis = "redis://${redis}:${REDIS_PORT}/0"
paths = "${paths}"
${tables.join("")}
[streams."live/*"]
open = true
`;
}

async function* linesOf(program: Program): AsyncGenerator<string> {
  const lines = lineReader(program.stdout);
  for (;;) {
    const { value, done } = await lines.next();
    if (done || typeof value !== "string") return;
    yield value;
  }
}

/** Resolves with the line that tells so; what follows is read and let go. */
async function ready(program: Program, sign: string, log: (line: string) => void): Promise<void> {
  const found = Promise.withResolvers<void>();
  const timer = setTimeout(() => found.reject(new Error(`no "${sign}" was said`)), READY_MS_MAX);
  void (async () => {
    const said: string[] = [];
    for await (const line of linesOf(program)) {
      log(line);
      if (said.length < 20) said.push(line);
      if (line.includes(sign)) found.resolve();
    }
    found.reject(new Error(`ended before "${sign}":\n${said.join("\n")}`));
  })();
  await found.promise.finally(() => clearTimeout(timer));
}
