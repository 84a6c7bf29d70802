/** Starts edge, publisher and workers of a real swarm, lets it run its time, and gathers what the workers saw. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Address } from "../../runtime/wire/address.ts";
import type { RunParts } from "./parts.ts";
import { SwarmPublisher } from "./publisher.ts";
import { STREAM } from "./viewer.ts";
import { type FromWorker, type ToWorker, wallMs } from "./worker.ts";
import { drawWorld, edgeConfigText, type SwarmWorld, type WorldOptions } from "./world.ts";

const ROOT = join(import.meta.dir, "../..");
const START_MS_MAX = 20_000;
/** The publisher pushes this long before anybody watches, as in the simulator. */
const LEAD_MS = 3000;
/** Workers have so long after the end to send what they saw. */
const RESULT_MS_MAX = 15_000;
const CLOCK_TICKS_PER_SECOND = 100;

export interface SwarmOptions extends WorldOptions {
  readonly workers: number;
  readonly onSecond: (line: string) => void;
}

export interface SwarmOutcome {
  readonly parts: readonly RunParts[];
  readonly edgeCpuSeconds: number;
}

export async function runSwarm(options: SwarmOptions): Promise<SwarmOutcome> {
  const world = drawWorld(options);
  const folder = mkdtempSync(join(tmpdir(), "shoal-swarm-"));
  const children: ChildProcess[] = [];
  let publisher: SwarmPublisher | undefined;
  try {
    const edge = await startEdge(world, folder, children);
    publisher = await SwarmPublisher.open(world, edge.address, options.seed);
    const workers = await startWorkers(options.workers, children);
    await within(publisher.connected, START_MS_MAX, "the edge did not take the publisher");
    const parts = await watchOver(options, world, publisher, edge.address, workers);
    return { parts, edgeCpuSeconds: cpuSecondsOf(edge.process.pid) };
  } finally {
    publisher?.stop();
    for (const child of children) child.kill("SIGTERM");
    rmSync(folder, { recursive: true, force: true });
  }
}

/* ------------------------------------------------------------------ processes */

async function startEdge(
  world: SwarmWorld,
  folder: string,
  children: ChildProcess[],
): Promise<{ address: Address; process: ChildProcess }> {
  const config = join(folder, "edge.toml");
  writeFileSync(config, edgeConfigText(world, STREAM));
  const edge = spawn(process.execPath, ["edge/main.ts", "--config", config], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "pipe"],
  });
  children.push(edge);
  const port = new Promise<number>((resolve, reject) => {
    const last: string[] = [];
    createInterface({ input: edge.stderr as NonNullable<typeof edge.stderr> }).on(
      "line",
      (line) => {
        last.push(line);
        if (last.length > 5) last.shift();
        const found = /UDP on [\d.]+:(\d+)/.exec(line);
        if (found) resolve(Number(found[1]));
      },
    );
    edge.once("exit", () => reject(new Error(`the edge ended:\n${last.join("\n")}`)));
  });
  port.catch(() => undefined);
  const address: Address = {
    family: 4,
    ip: world.edgeIp,
    port: await within(port, START_MS_MAX, "the edge did not start"),
  };
  return { address, process: edge };
}

async function startWorkers(count: number, children: ChildProcess[]): Promise<ChildProcess[]> {
  const workers = Array.from({ length: count }, () =>
    fork(join(import.meta.dir, "worker.ts"), [], { execPath: process.execPath, cwd: ROOT }),
  );
  children.push(...workers);
  const ready = workers.map(
    (worker) => new Promise<void>((resolve) => worker.once("message", () => resolve())),
  );
  await within(Promise.all(ready), START_MS_MAX, "the workers did not start");
  return workers;
}

async function within<T>(promise: Promise<T>, spanMs: number, why: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(why)), spanMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** User and system time of a process so far; 0 where the system has no /proc. */
function cpuSecondsOf(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}

/* ------------------------------------------------------------------ the run */

function watchOver(
  options: SwarmOptions,
  world: SwarmWorld,
  publisher: SwarmPublisher,
  edge: Address,
  workers: readonly ChildProcess[],
): Promise<RunParts[]> {
  const leadMs = performance.now() + 100;
  const startMs = wallMs() + 100 + LEAD_MS;
  const { scenario, viewers, seconds, warmupSeconds, seed } = options;
  const plan = { scenario, viewers, seconds, warmupSeconds, seed };
  const tell = (worker: ChildProcess, message: ToWorker): unknown => worker.send(message);
  workers.forEach((worker, index) => {
    const of = workers.length;
    tell(worker, { type: "plan", world: plan, edge, index, of, epoch: publisher.epoch, startMs });
  });
  publisher.begin(world, seed, leadMs, (atMs) => {
    for (const worker of workers) if (worker.connected) tell(worker, { type: "published", atMs });
  });
  const progress = new Progress(options);
  const results = workers.map(
    (worker) =>
      new Promise<RunParts>((resolve, reject) => {
        worker.on("message", (message: FromWorker) => {
          if (message.type === "second") progress.handle(message.present, message.superNodes);
          else if (message.type === "result") resolve(message.parts);
        });
        worker.once("exit", () => reject(new Error("a worker ended early")));
      }),
  );
  const spanMs = LEAD_MS + seconds * 1000 + RESULT_MS_MAX;
  return within(Promise.all(results), spanMs, "the workers did not finish in time");
}

/** One line every few seconds, once all workers have spoken. */
class Progress {
  readonly #options: SwarmOptions;
  #spoken = 0;
  #present = 0;
  #superNodes = 0;

  constructor(options: SwarmOptions) {
    this.#options = options;
  }

  handle(present: number, superNodes: number): void {
    const { workers, seconds, onSecond } = this.#options;
    this.#present += present;
    this.#superNodes += superNodes;
    if (++this.#spoken % workers !== 0) return;
    const second = this.#spoken / workers;
    if (second % 10 === 0 || second === seconds) {
      onSecond(
        `swarm: ${second}/${seconds} s  ${this.#present} viewers  ${this.#superNodes} super nodes`,
      );
    }
    this.#present = 0;
    this.#superNodes = 0;
  }
}
