/**
 * A process of `npm run swarm`: some of its viewers, on sockets of their own. It is told where the
 * edge is, when the run begins and when each frame was captured, and sends its share of the figures
 * at the end.
 */
import { ms } from "../../runtime/base/time.ts";
import { systemClock } from "../../runtime/io/clock.ts";
import { Footage } from "../../runtime/sim/footage.ts";
import { FragmentMeter } from "../../runtime/sim/measure/fragment-meter.ts";
import { PublishedLog } from "../../runtime/sim/measure/published-log.ts";
import { Tallies } from "../../runtime/sim/measure/tally.ts";
import { ViewerMeter } from "../../runtime/sim/measure/viewer-meter.ts";
import { createHotPath } from "../../runtime/wasm/create.ts";
import type { Address } from "../../runtime/wire/address.ts";
import { Agenda } from "./agenda.ts";
import { exportTally, type RunParts, type SnapshotParts } from "./parts.ts";
import { SwarmViewer } from "./viewer.ts";
import { drawWorld, type WorldOptions } from "./world.ts";

/** Memory of the hot path: as the simulator reckons, with room. */
const MEMORY_MIB_SHARED = 48;
const MEMORY_MIB_PER_VIEWER = 3;
const SECOND_MS = 1000;

export interface WorkerPlan {
  readonly type: "plan";
  readonly world: WorldOptions;
  readonly edge: Address;
  /** Every `of`-th viewer of the world, from `index` on, is this process's. */
  readonly index: number;
  readonly of: number;
  readonly epoch: number;
  /** Wall time at which the run begins, ms since 1970. */
  readonly startMs: number;
}

export type ToWorker =
  | WorkerPlan
  /** Capture times of the next frames, ms since 1970. */
  | { readonly type: "published"; readonly atMs: readonly number[] };

export type FromWorker =
  | { readonly type: "ready" }
  | { readonly type: "second"; readonly present: number; readonly superNodes: number }
  | { readonly type: "result"; readonly parts: RunParts };

/** Common to all processes of a machine. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

class Worker {
  readonly #plan: WorkerPlan;
  readonly #world: ReturnType<typeof drawWorld>;
  readonly #footage: Footage;
  readonly #log = new PublishedLog();
  readonly #tallies: Tallies;
  readonly #fragments = new FragmentMeter();
  readonly #agenda: Agenda;
  readonly #viewers: SwarmViewer[] = [];
  readonly #cpu = process.cpuUsage();
  #begin: SnapshotParts | undefined;
  #warm: SnapshotParts | undefined;

  constructor(plan: WorkerPlan) {
    this.#plan = plan;
    const { world, index, of, epoch } = plan;
    this.#world = drawWorld(world);
    this.#footage = new Footage(this.#world.trace, world.seed);
    this.#tallies = new Tallies(world.warmupSeconds * SECOND_MS);
    this.#log.beginEpoch(epoch);
    this.#agenda = new Agenda(() => {
      for (const viewer of this.#viewers) viewer.flush();
    });
    const mine = this.#world.viewers.filter((_, i) => i % of === index);
    const memoryMiB = Math.min(
      1024,
      Math.ceil(MEMORY_MIB_SHARED + mine.length * MEMORY_MIB_PER_VIEWER),
    );
    const around = {
      world: this.#world,
      edge: plan.edge,
      hot: createHotPath({ memoryMiB }),
      agenda: this.#agenda,
      fragments: this.#fragments,
      seed: world.seed,
      nowMs: () => this.#nowMs(),
    };
    this.#at(0, () => {
      this.#begin = this.#snapshot();
    });
    this.#at(world.warmupSeconds * SECOND_MS, () => {
      this.#warm = this.#snapshot();
    });
    for (const viewer of mine) {
      this.#at(viewer.joinMs, () => {
        const meter = new ViewerMeter(this.#nowMs(), this.#log, this.#tallies);
        const one = new SwarmViewer(viewer, meter, around);
        this.#viewers.push(one);
        this.#at(viewer.leaveMs, () => one.leave(viewer.leavesSilently));
      });
    }
    for (let second = 1; second <= world.seconds; second++) {
      this.#at(second * SECOND_MS, () => this.#tell());
    }
    this.#at(world.seconds * SECOND_MS, () => this.#finish());
  }

  published(atMs: readonly number[]): void {
    for (const at of atMs) this.#log.add(this.#footage.take(), at - this.#plan.startMs);
  }

  #nowMs(): number {
    return wallMs() - this.#plan.startMs;
  }

  /** Beyond the end nothing happens. */
  #at(runMs: number, action: () => void): void {
    if (runMs > this.#plan.world.seconds * SECOND_MS) return;
    setTimeout(action, Math.max(0, runMs - this.#nowMs()));
  }

  #snapshot(): SnapshotParts {
    const atMs = this.#nowMs();
    const sum = (of: (viewer: SwarmViewer) => number) =>
      this.#viewers.reduce((total, viewer) => total + of(viewer), 0);
    return {
      atMs,
      edgeToPeers: sum(({ counters }) => counters.edge),
      peerControlBytes: sum(({ counters }) => counters.control),
      pushed: sum(({ counters }) => counters.phases[0] as number),
      pulled: sum(({ counters }) => counters.phases[1] as number),
      compensated: sum(({ counters }) => counters.phases[2] as number),
      started: sum(({ counters }) => counters.phases[3] as number),
      publishedBytes: this.#log.bytes,
      presentMs: sum(({ meter, leftMs }) => (leftMs ?? atMs) - meter.joinMs),
      uploads: this.#viewers.map(({ plan, counters }) => [plan.number, counters.offered]),
    };
  }

  get #present(): SwarmViewer[] {
    return this.#viewers.filter(({ leftMs }) => leftMs === undefined);
  }

  #tell(): void {
    const present = this.#present;
    const now = systemClock.now();
    const superNodes = present.filter(({ peer }) => peer.stats(ms(now)).superNode).length;
    send({ type: "second", present: present.length, superNodes });
  }

  #finish(): void {
    const end = this.#snapshot();
    const now = systemClock.now();
    const all = this.#present.map(({ peer }) => peer.stats(now));
    for (const { meter, leftMs } of this.#viewers) if (leftMs === undefined) meter.finish(end.atMs);
    const { user, system } = process.cpuUsage(this.#cpu);
    const begin = this.#begin ?? end;
    const parts: RunParts = {
      ...{ begin, warm: this.#warm ?? begin, end },
      whole: exportTally(this.#tallies.whole),
      afterWarmup: exportTally(this.#tallies.afterWarmup),
      watchers: this.#viewers.map(({ plan, meter, leftMs }) => ({
        id: plan.number,
        consumeOnly: plan.consumeOnly,
        joinMs: meter.joinMs,
        leftMs: leftMs ?? null,
      })),
      fresh: this.#fragments.fresh,
      duplicates: this.#fragments.duplicates,
      superNodes: all.filter(({ superNode }) => superNode).length,
      neighboursMax: Math.max(0, ...all.map(({ neighbours }) => neighbours)),
      faults: this.#viewers.flatMap(({ plan, meter }) =>
        meter.faults.map((fault) => `viewer ${plan.number} ${fault}`),
      ),
      lateMs: this.#agenda.lateMs.export(),
      cpuSeconds: (user + system) / 1e6,
      refusals: this.#viewers.reduce((sum, { refusals }) => sum + refusals, 0),
    };
    for (const viewer of this.#present) viewer.leave(false);
    setTimeout(() => {
      for (const viewer of this.#viewers) viewer.destroy();
      this.#agenda.stop();
      send({ type: "result", parts });
    }, 300);
  }
}

function send(message: FromWorker): void {
  process.send?.(message);
}

function main(): void {
  let worker: Worker | undefined;
  process.on("message", (message: ToWorker) => {
    if (message.type === "plan") worker = new Worker(message);
    else worker?.published(message.atMs);
  });
  process.on("disconnect", () => process.exit(0));
  send({ type: "ready" });
}

if (import.meta.main) main();
