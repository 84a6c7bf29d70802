/** Runs a scenario from beginning to end and makes its report. */
import {
  checkAttendance,
  checkConservation,
  checkContinuity,
  checkLayers,
  checkMemory,
  checkNeighbours,
  checkNoStarvation,
  checkQuiescence,
  QUIET_MS,
} from "./checks/checks.ts";
import { egressFloor } from "./report/floor.ts";
import { gateChecks } from "./report/gates.ts";
import { type Check, type Report, ratio, round, simulatedFiguresOf } from "./report/report.ts";
import { SeriesRecorder } from "./report/series.ts";
import { takeSnapshot, type WorldSnapshot } from "./report/snapshot.ts";
import { scheduleFaults } from "./scenario/faults.ts";
import { LEAD_MS, Simulation, type SimulationOptions } from "./scenario/simulation.ts";

const SECOND_MS = 1000;

export interface RunOptions extends SimulationOptions {
  readonly commit: string;
  /** Told once a virtual second. */
  readonly onProgress?: (line: Progress) => void;
}

export interface Progress {
  readonly second: number;
  readonly seconds: number;
  readonly viewers: number;
  readonly packets: number;
  readonly edgeEgressMbps: number;
  readonly delayMs: number;
}

/** Everything but `wallSeconds`, which the world does not know: 0. */
export function runScenario(options: RunOptions): Report {
  const simulation = new Simulation(options);
  scheduleFaults(simulation);
  const watch = new Watch(simulation, options);
  watch.run();
  return watch.report(options);
}

class Watch {
  readonly #simulation: Simulation;
  readonly #series: SeriesRecorder;
  readonly #options: RunOptions;
  #begin: WorldSnapshot;
  #warm: WorldSnapshot | undefined;
  #payloadBytesMax = 0;
  /** Feeds looked at, once a second after warm-up, and those of them that come by way of two peers. */
  #feeds = 0;
  #tooDeep = 0;

  constructor(simulation: Simulation, options: RunOptions) {
    this.#simulation = simulation;
    this.#options = options;
    this.#begin = takeSnapshot(simulation);
    this.#series = new SeriesRecorder(simulation);
  }

  run(): void {
    const { world, endMs, scenario } = this.#simulation;
    world.run(LEAD_MS);
    this.#begin = takeSnapshot(this.#simulation);
    for (let at = LEAD_MS + SECOND_MS; ; at += SECOND_MS) {
      const until = Math.min(at, endMs);
      const warmAt = LEAD_MS + scenario.warmupSeconds * SECOND_MS;
      if (this.#warm === undefined && warmAt <= until) {
        world.run(warmAt);
        this.#warm = takeSnapshot(this.#simulation);
      }
      world.run(until);
      this.#look();
      if (until === endMs) break;
    }
  }

  report(options: RunOptions): Report {
    const simulation = this.#simulation;
    const { scenario, seed, world, tallies } = simulation;
    const neighboursMax = neighboursMaxOf(simulation);
    const superNodes = this.#series.points.at(-1)?.superNodes ?? 0;
    const { fresh, duplicates } = simulation.fragments;
    for (const { meter, leftMs } of simulation.watchers) {
      if (leftMs === Number.POSITIVE_INFINITY) meter.finish(world.nowMs);
    }
    const end = takeSnapshot(simulation);
    const packets = packetsOf(simulation);
    const figures = {
      scenario: scenario.name,
      seed,
      commit: options.commit,
      options: { ...scenario, hotKind: options.hotKind, memoryMiB: options.memoryMiB },
      viewers: scenario.viewers.count,
      virtualSeconds: scenario.seconds,
      wallSeconds: 0,
      packets,
      ...simulatedFiguresOf(simulation, tallies.whole, this.#begin, end),
      ...egressFloor(simulation, this.#begin, end),
      duplicateRatio: round(ratio(duplicates, fresh + duplicates), 5),
      superNodes,
      joinsRefused: simulation.edgeRefusals.length,
      afterWarmup: simulatedFiguresOf(
        simulation,
        tallies.afterWarmup,
        this.#warm ?? this.#begin,
        end,
      ),
      series: this.#series.points,
    };
    const bound = simulation.swarm.neighboursMax;
    const checks: Check[] = [
      checkContinuity(simulation),
      checkNoStarvation(simulation),
      checkMemory(simulation, this.#payloadBytesMax),
      checkNeighbours(neighboursMax, bound),
      checkLayers(this.#feeds, this.#tooDeep),
      ...this.#dismiss(),
      ...gateChecks(scenario.gates, figures),
    ];
    return { ...figures, checks };
  }

  /** Everybody leaves, then the publisher and the edge; what is left after that is a leak. */
  #dismiss(): Check[] {
    const simulation = this.#simulation;
    const { world, edge, publisher } = simulation;
    for (const watcher of [...simulation.present]) simulation.leave(watcher, false, false);
    const attendance = checkAttendance(simulation);
    const before = edge.host.bytesOut;
    world.run(world.nowMs + QUIET_MS / 2);
    if (publisher.node !== undefined) publisher.stop((one, at) => one.close(at), false);
    if (edge.node !== undefined) edge.stop((one, at) => one.close(at), false);
    world.run(world.nowMs + QUIET_MS / 2);
    return [checkConservation(simulation), attendance, checkQuiescence(simulation, before)];
  }

  #look(): void {
    const simulation = this.#simulation;
    const used = simulation.hot.payloadBytesUsed();
    this.#payloadBytesMax = Math.max(this.#payloadBytesMax, used);
    const { feeds, tooDeep } = simulation.tree.depth(simulation.world.nowMs, simulation.edge.id);
    if (this.#warm !== undefined) {
      this.#feeds += feeds;
      this.#tooDeep += tooDeep;
    }
    const point = this.#series.take();
    this.#options.onProgress?.({
      second: point.second,
      seconds: simulation.scenario.seconds,
      viewers: point.viewers,
      packets: packetsOf(simulation),
      edgeEgressMbps: point.edgeEgressMbps,
      delayMs: point.delayMsMean,
    });
  }
}

function packetsOf({ world }: Simulation): number {
  return world.network.hosts.reduce((sum, { packetsIn }) => sum + packetsIn, 0);
}

/** How many neighbours anybody has, by their own word. */
function neighboursMaxOf({ present }: Simulation): number {
  let most = 0;
  for (const { node } of present) {
    most = Math.max(most, node.command((peer, now) => peer.stats(now)).neighbours);
  }
  return most;
}
