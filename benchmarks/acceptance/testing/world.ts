/**
 * The whole path with real processes: an edge with all its listeners, publishers, viewers and encoders, on loopback and
 * ports the system chooses. What the processes said is shown when a test fails, and each is stopped by its own id.
 */
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestProgram } from "../../../client-node/testing/programs.ts";

export const ROOT = join(import.meta.dir, "../../..");
/** The project's own clip: H.264 and AAC, key frames 2 s apart. */
export const CLIP = join(ROOT, "runtime/media/assets/demo.flv");
/** Real input: B-frames, 5.1 AAC, a first group of pictures of 10.4 s. Not part of the project. */
export const REAL_CLIP = join(ROOT, "../shared/clips/bbb-480p-30s.mp4");
export const HAS_FFMPEG = Bun.which("ffmpeg") !== null;
export const HAS_REAL_CLIP = existsSync(REAL_CLIP);
export const KEY = "correct horse";
const WAIT_MS_MAX = 30_000;
const POLL_MS = 20;
/** Lines of each program shown when a test fails. */
const LINES_SHOWN = 15;

/** How the programs are started: from source, or as they are shipped. */
export interface Programs {
  readonly edge: readonly string[];
  readonly shoal: readonly string[];
  readonly cwd: string;
}

export const FROM_SOURCE: Programs = {
  edge: [process.execPath, join(ROOT, "edge/main.ts")],
  shoal: [process.execPath, join(ROOT, "client-node/main.ts")],
  cwd: ROOT,
};

/** Ports of the edge; 0 = any. */
interface Ports {
  udp: number;
  http: number;
  api: number;
  rtmp: number;
}

function edgeConfig(ports: Ports): string {
  const listener = (table: keyof Ports, more = "") =>
    `[${table}]\nhost = "127.0.0.1"\nport = ${ports[table]}\n${more}`;
  return [
    listener("udp"),
    listener("http", "reader_queue_kib = 256\nreader_timeout_ms = 1000\n"),
    listener("api"),
    listener("rtmp"),
    '[log]\nformat = "json"\n',
    /* 200 viewers on two cores: what is looked at here is the edge; the swarm has tests of its own. */
    "[swarm]\nenabled = false\n",
    '[streams."live/*"]\nopen = true\n',
    `[streams."live/locked"]\nkey = "${KEY}"\n`,
  ].join("\n");
}

export class World {
  readonly #programs: Programs;
  readonly #started: TestProgram[] = [];
  readonly #ends: (() => void)[] = [];
  readonly #ports: Ports = { udp: 0, http: 0, api: 0, rtmp: 0 };
  #folder: string | undefined;

  constructor(programs: Programs = FROM_SOURCE) {
    this.#programs = programs;
  }

  get ports(): Readonly<Ports> {
    return this.#ports;
  }

  get api(): string {
    return `http://127.0.0.1:${this.#ports.api}`;
  }

  get http(): string {
    return `http://127.0.0.1:${this.#ports.http}`;
  }

  async folder(): Promise<string> {
    this.#folder ??= await mkdtemp(join(tmpdir(), "shoal-world-"));
    return this.#folder;
  }

  /** Starts the edge; again after its end, on the same ports. `onReady` is called as soon as it listens. */
  async edge(onReady?: () => void): Promise<TestProgram> {
    const config = join(await this.folder(), "edge.toml");
    await writeFile(config, edgeConfig(this.#ports));
    const edge = this.#start("edge", [...this.#programs.edge, "--config", config]);
    await edge.line(/"event":"ready"/);
    onReady?.();
    for (const table of Object.keys(this.#ports) as (keyof Ports)[]) {
      const [, port] = await edge.line(new RegExp(`"listener":"${table}".*127.0.0.1:(\\d+)`));
      this.#ports[table] = Number(port);
    }
    return edge;
  }

  /** `shoal://` of a stream, on the edge itself or at a port in front of it. */
  url(stream: string, port = this.#ports.udp): string {
    return `shoal://127.0.0.1:${port}/${stream}`;
  }

  shoal(name: string, ...args: string[]): TestProgram {
    return this.#start(name, [...this.#programs.shoal, ...args]);
  }

  publish(input: string, url: string, ...args: string[]): TestProgram {
    return this.shoal("publisher", "publish", input, "--to", url, "--json", ...args);
  }

  /** A viewer, and where its player page is. */
  async watch(url: string, ...args: string[]): Promise<{ viewer: TestProgram; page: string }> {
    const viewer = this.shoal("viewer", "watch", url, "--http", "0", "--json", ...args);
    const [, page = ""] = await viewer.line(/browser\s+(http:\S+)/);
    return { viewer, page };
  }

  /** ffmpeg that pushes over RTMP at the input's own speed. */
  push(input: string, stream: string, ...args: string[]): TestProgram {
    const source = ["-nostdin", "-v", "warning", "-re", ...args, "-i", input, "-c", "copy"];
    const target = `rtmp://127.0.0.1:${this.#ports.rtmp}/${stream}`;
    return this.#start("ffmpeg", ["ffmpeg", ...source, "-f", "flv", target]);
  }

  /** Any program, stopped with the others. */
  program(name: string, ...command: string[]): TestProgram {
    return this.#start(name, command);
  }

  /** Something else to end when the test is over. */
  onStop(end: () => void): void {
    this.#ends.push(end);
  }

  /** Runs a test's body; if it fails, shows what every program said last. */
  async shown(body: () => Promise<void>): Promise<void> {
    try {
      await body();
    } catch (error) {
      for (const { child, lines, exit } of this.#started) {
        console.error(`--- ${child.name} ${child.pid} (${exit ?? "running"})`);
        for (const line of lines.slice(-LINES_SHOWN)) console.error(`  ${line.slice(0, 1_000)}`);
      }
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const end of this.#ends.splice(0)) end();
    for (const { child } of this.#started) {
      child.expectExit();
      child.signal("SIGKILL");
    }
    await Promise.all(this.#started.splice(0).map(({ child }) => child.waitExit(2_000)));
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
  }

  #start(name: string, [command = "", ...args]: readonly string[]): TestProgram {
    const program = new TestProgram(name, command, args, this.#programs.cwd);
    this.#started.push(program);
    return program;
  }
}

type Probe<T> = () => T | undefined | false | Promise<T | undefined | false>;

/** Waits for something real; the bound is only there to fail rather than hang. */
export async function until<T>(what: string, probe: Probe<T>): Promise<T> {
  const end = performance.now() + WAIT_MS_MAX;
  while (performance.now() < end) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    await Bun.sleep(POLL_MS);
  }
  throw new Error(`waited ${WAIT_MS_MAX / 1000} s for ${what} in vain`);
}
