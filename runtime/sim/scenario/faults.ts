/** Carries out what a scenario's `faults` say, at their times. */
import { Prng } from "../../base/prng.ts";
import type { Link } from "../network/link.ts";
import { lossModel } from "./population.ts";
import type { Fault } from "./schema.ts";
import { LEAD_MS, type Simulation, type Watcher } from "./simulation.ts";

export function scheduleFaults(simulation: Simulation): void {
  const random = new Prng(simulation.seed ^ 0x7feb352d);
  for (const fault of simulation.scenario.faults) {
    simulation.world.at(LEAD_MS + fault.atSecond * 1000, () => begin(simulation, fault, random));
  }
}

function begin(simulation: Simulation, fault: Fault, random: Prng): void {
  switch (fault.kind) {
    case "leave":
      return leave(simulation, fault, random);
    case "superNodesVanish":
      return vanish(simulation, fault.subStreams);
    case "edgeDown":
      simulation.stopEdge();
      return later(simulation, fault.forSeconds, () => simulation.edge.restart());
    case "publisherDown":
      simulation.stopPublisher();
      return later(simulation, fault.forSeconds, () => simulation.restartPublisher());
    case "pathLoss":
      return loseMore(simulation, fault);
    case "uplinksShrink":
      return shrink(simulation, fault, random);
  }
}

function later(simulation: Simulation, seconds: number, action: () => void): void {
  simulation.world.at(simulation.world.nowMs + seconds * 1000, action);
}

function leave(
  simulation: Simulation,
  fault: Extract<Fault, { kind: "leave" }>,
  random: Prng,
): void {
  const regions = simulation.scenario.network.regions.map(({ name }) => name);
  const candidates = [...simulation.present].filter(
    ({ viewer }) =>
      (fault.region === undefined || regions[viewer.region] === fault.region) &&
      (fault.class === undefined || viewer.className === fault.class),
  );
  for (const watcher of shareOf(candidates, fault.share, random)) {
    later(simulation, fault.overSeconds * random.next(), () =>
      simulation.leave(watcher, fault.silent, false),
    );
  }
}

function vanish(simulation: Simulation, subStreams: number): void {
  const { world, tree, edge, present } = simulation;
  const gone = new Set<number>();
  for (let k = 0; k < subStreams; k++) {
    for (const host of tree.holdersOf(world.nowMs, k, edge.id)) gone.add(host);
  }
  for (const watcher of [...present]) {
    if (gone.has(watcher.node.id)) simulation.leave(watcher, true, false);
  }
}

function loseMore(simulation: Simulation, fault: Extract<Fault, { kind: "pathLoss" }>): void {
  const { regions } = simulation.scenario.network;
  const isNamed = (region: number, name: string | undefined): boolean =>
    name === undefined || regions[region]?.name === name;
  const changed: [Link, Link["model"]][] = [];
  for (let from = 0; from < regions.length; from++) {
    for (let to = 0; to < regions.length; to++) {
      const link = simulation.world.network.path(from, to);
      if (link === undefined || !isNamed(from, fault.from) || !isNamed(to, fault.to)) continue;
      changed.push([link, link.model]);
      link.configure({ ...link.model, loss: lossModel(fault.loss) });
    }
  }
  later(simulation, fault.forSeconds, () => {
    for (const [link, { loss }] of changed) link.configure({ ...link.model, loss });
  });
}

function shrink(
  simulation: Simulation,
  fault: Extract<Fault, { kind: "uplinksShrink" }>,
  random: Prng,
): void {
  for (const { node, viewer } of shareOf([...simulation.present], fault.share, random)) {
    const { up } = node.host;
    const { rateBps } = viewer.access.up;
    up.configure({ ...up.model, rateBps: rateBps * fault.to });
    later(simulation, fault.forSeconds, () => up.configure({ ...up.model, rateBps }));
  }
}

/** A random share of a list, in random order (Fisher and Yates). */
function shareOf(list: Watcher[], share: number, random: Prng): Watcher[] {
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [list[i], list[j]] = [list[j] as Watcher, list[i] as Watcher];
  }
  return list.slice(0, Math.round(list.length * share));
}
