/**
 * The world of a scenario laid over one machine: every host has a loopback address of its own that
 * says its region and its number, paths between regions are drawn as the simulator draws them, and
 * viewers come, go and are replaced by its rules. Several processes draw the same world from one
 * seed.
 */
import { Prng } from "../../runtime/base/prng.ts";
import type { Trace } from "../../runtime/sim/footage.ts";
import type { LinkModel } from "../../runtime/sim/network/link.ts";
import type { Network } from "../../runtime/sim/network/network.ts";
import { pairShare } from "../../runtime/sim/network/paths.ts";
import { layPaths } from "../../runtime/sim/scenario/geography.ts";
import { loadScenario } from "../../runtime/sim/scenario/load.ts";
import { Population, type Viewer } from "../../runtime/sim/scenario/population.ts";
import type { Scenario } from "../../runtime/sim/scenario/schema.ts";

/** Second byte of the first region's addresses: 127.64.0.0/16 and on. */
const FIRST_REGION = 64;
export const EDGE_NUMBER = 1;
export const PUBLISHER_NUMBER = 2;
const FIRST_VIEWER = 3;

export interface WorldOptions {
  /** Name or file. */
  readonly scenario: string;
  readonly viewers: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly seed: number;
}

/** One viewer of the plan: who, and at which address. */
export interface PlannedViewer extends Viewer {
  readonly ip: string;
}

export interface SwarmWorld {
  readonly scenario: Scenario;
  readonly trace: Trace;
  readonly edgeIp: string;
  readonly publisherIp: string;
  /** All who come, replacements included, in order of coming. */
  readonly viewers: readonly PlannedViewer[];
  /** How packets go from one host to another, by their addresses. */
  readonly path: (
    fromIp: string,
    toIp: string,
  ) => { model: LinkModel; extraMs: number } | undefined;
}

export function drawWorld(options: WorldOptions): SwarmWorld {
  const { seed, viewers, seconds, warmupSeconds } = options;
  const loaded = loadScenario(options.scenario);
  const scenario: Scenario = {
    ...loaded.scenario,
    seconds,
    warmupSeconds,
    faults: [],
    viewers: { ...loaded.scenario.viewers, count: viewers },
  };
  const paths = new Map<string, { model: LinkModel; spreadMs: number }>();
  const network = {
    setPath(from: number, to: number, model: LinkModel, spreadMs = 0) {
      paths.set(`${from} ${to}`, { model, spreadMs });
    },
  };
  layPaths(network as unknown as Network, scenario, new Prng(seed ^ 0x51ed270b));
  const regionNamed = (name: string | undefined): number =>
    Math.max(
      0,
      scenario.network.regions.findIndex((region) => region.name === name),
    );
  return {
    scenario,
    trace: loaded.traceFor(seed),
    edgeIp: addressOf(regionNamed(scenario.edges[0]?.region), EDGE_NUMBER),
    publisherIp: addressOf(regionNamed(scenario.publisher.region), PUBLISHER_NUMBER),
    viewers: planViewers(scenario, seed),
    path(fromIp, toIp) {
      const [from, to] = [hostOf(fromIp), hostOf(toIp)];
      const path = paths.get(`${from.region} ${to.region}`);
      if (path === undefined) return undefined;
      return { model: path.model, extraMs: path.spreadMs * pairShare(from.number, to.number) };
    },
  };
}

/** Those who come by themselves, and for each who leaves another one, to the end of the run. */
function planViewers(scenario: Scenario, seed: number): PlannedViewer[] {
  const population = new Population(scenario, new Prng(seed ^ 0x2545f491));
  const endMs = scenario.seconds * 1000;
  const all = population.first();
  for (let i = 0; i < all.length; i++) {
    const { leaveMs } = all[i] as Viewer;
    if (scenario.viewers.sessions.replaced && leaveMs < endMs) all.push(population.next(leaveMs));
  }
  return all
    .filter(({ joinMs }) => joinMs < endMs)
    .sort((a, b) => a.joinMs - b.joinMs)
    .map((viewer, i) => ({ ...viewer, ip: addressOf(viewer.region, FIRST_VIEWER + i) }));
}

function addressOf(region: number, number: number): string {
  return `127.${FIRST_REGION + region}.${(number >> 8) & 255}.${number & 255}`;
}

function hostOf(ip: string): { region: number; number: number } {
  const [, second = 0, third = 0, fourth = 0] = ip.split(".").map(Number);
  return { region: second - FIRST_REGION, number: third * 256 + fourth };
}

/** The edge's config: its address, its regions, and nothing else that listens. */
export function edgeConfigText({ scenario, edgeIp }: SwarmWorld, stream: string): string {
  const regions = scenario.network.regions.map(
    ({ name }, i) => `[regions."${name}"]\ncidrs = ["127.${FIRST_REGION + i}.0.0/16"]\n`,
  );
  return [
    `[udp]\nhost = "${edgeIp}"\nport = 0\n`,
    ...["http", "api", "rtmp"].map((table) => `[${table}]\nenabled = false\n`),
    ...regions,
    `[streams."${stream}"]\nopen = true\n`,
  ].join("\n");
}
