/**
 * A scenario come to life: the world with its edge, its publisher and its viewers, who come and go
 * as the scenario says. All run the production roles. What happens is written into tallies and
 * meters; what to make of it is the report's and the checkers' business.
 */
import { Prng, type Random } from "../../base/prng.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import type { EdgeEvent, PeerEvent } from "../../node/api.ts";
import { Edge } from "../../node/edge/edge.ts";
import { Peer } from "../../node/peer/peer.ts";
import { Publisher } from "../../node/publisher.ts";
import { createSwarmParams, type SwarmParams } from "../../node/swarm-params.ts";
import type { Scorer } from "../../score/scorer.ts";
import { createHotPath } from "../../wasm/create.ts";
import { Footage, fragmentsKept, type Trace } from "../footage.ts";
import { FragmentMeter } from "../measure/fragment-meter.ts";
import { PublishedLog } from "../measure/published-log.ts";
import { PushTree } from "../measure/push-tree.ts";
import { Tallies } from "../measure/tally.ts";
import { ViewerMeter } from "../measure/viewer-meter.ts";
import { HostRole } from "../network/host-role.ts";
import type { HostSpec } from "../network/network.ts";
import { World, type WorldNode } from "../world.ts";
import { innerAddress, layPaths, outerAddress, regionOf } from "./geography.ts";
import { accessModel, IDEAL_ACCESS, Population, type Viewer } from "./population.ts";
import type { AccessSpec, Scenario } from "./schema.ts";
import { slowness } from "./slow-peer.ts";

export const STREAM = "live/sim";
const KEY = "the simulator's stream key";
/** The publisher and the edge meet, and the encoder starts. */
const FOOTAGE_FROM_MS = 1000;
/** The run's time begins once the stream has been live for a group of pictures: nobody waits for its first frame. */
export const LEAD_MS = 4000;

export interface SimulationOptions {
  readonly scenario: Scenario;
  readonly trace: Trace;
  readonly seed: number;
  readonly hotKind: "wasm" | "twin";
  readonly memoryMiB: number;
  /** A peer's scorer, other than the scenario's kind: to record outcomes, or to try new weights. */
  readonly scorerOf?: ((random: Random) => Scorer) | undefined;
}

/** One who watches, or has watched. */
export interface Watcher {
  readonly viewer: Viewer;
  readonly node: WorldNode<Peer>;
  readonly meter: ViewerMeter;
  /** World time of leaving; Infinity while here. */
  leftMs: number;
}

type PartialAccess = { readonly [K in keyof AccessSpec]?: AccessSpec[K] | undefined } & {
  readonly region?: string | undefined;
};

export class Simulation {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly world: World;
  readonly hot: HotPath;
  readonly edge: WorldNode<Edge>;
  readonly publisher: WorldNode<Publisher>;
  readonly watchers: Watcher[] = [];
  readonly present = new Set<Watcher>();
  readonly published = new PublishedLog();
  readonly tallies: Tallies;
  readonly fragments = new FragmentMeter();
  readonly tree: PushTree;
  readonly edgeRefusals: EdgeEvent[] = [];
  /** World time at which the run ends. */
  readonly endMs: number;
  readonly swarm: SwarmParams;
  readonly #trace: Trace;
  readonly #fragmentsKept: number;
  readonly #scorerOf: ((random: Random) => Scorer) | undefined;
  readonly #population: Population;
  readonly #random: Prng;
  readonly #byHost = new Map<number, Watcher>();
  #footage: Footage;
  #footageFromMs = FOOTAGE_FROM_MS;
  #hosts = 0;

  constructor(options: SimulationOptions) {
    const { scenario, seed } = options;
    this.scenario = scenario;
    this.seed = seed;
    this.endMs = LEAD_MS + scenario.seconds * 1000;
    this.#trace = options.trace;
    this.#fragmentsKept = fragmentsKept(options.trace);
    this.#scorerOf = options.scorerOf;
    this.#random = new Prng(seed ^ 0x51ed270b);
    this.#population = new Population(scenario, new Prng(seed ^ 0x2545f491));
    this.swarm = createSwarmParams(scenario.swarm as Partial<SwarmParams>);
    this.tallies = new Tallies(LEAD_MS + scenario.warmupSeconds * 1000);
    this.hot = createHotPath({ kind: options.hotKind, memoryMiB: options.memoryMiB });
    this.world = new World({ seed, isWindowed: true });
    this.world.onEvent = (node, event, atMs) => this.#handleEvent(node, event, atMs);
    this.tree = new PushTree(this.swarm.subStreams);
    this.world.onMedia = (now, from, to, data) => {
      this.fragments.handleMedia(to, data);
      this.tree.handleMedia(now, from, to, data);
    };
    layPaths(this.world.network, scenario, this.#random);
    this.edge = this.#addEdge();
    this.publisher = this.#addPublisher();
    this.#footage = new Footage(this.#trace, seed);
    this.world.at(FOOTAGE_FROM_MS, () => this.#beginEpoch());
    for (const viewer of this.#population.first()) this.#schedule(viewer);
  }

  /** Viewers at present. */
  get viewers(): number {
    return this.present.size;
  }

  /**
   * Has somebody leave now. A replacement comes at once if the scenario says so and `isReplaced`.
   */
  leave(watcher: Watcher, isSilent: boolean, isReplaced: boolean): void {
    if (!this.present.delete(watcher)) return;
    const now = this.world.nowMs;
    watcher.node.stop((peer, at) => peer.close(at), isSilent);
    watcher.meter.finish(now);
    watcher.leftMs = now;
    this.fragments.forget(watcher.node.id);
    this.tree.forget(watcher.node.id);
    if (isReplaced) this.#schedule(this.#population.next(now - LEAD_MS));
  }

  stopPublisher(): void {
    this.publisher.stop((publisher, at) => publisher.close(at), true);
  }

  /** The publisher's program is started again: a new epoch. */
  restartPublisher(): void {
    this.publisher.restart();
    this.#footage = new Footage(this.#trace, this.seed + this.published.count);
    this.#footageFromMs = this.world.nowMs;
    this.#beginEpoch();
  }

  stopEdge(): void {
    this.edge.stop((edge, at) => edge.close(at), true);
  }

  /* ---------------------------------------------------------------- hosts */

  #addEdge(): WorldNode<Edge> {
    const { edges, viewers } = this.scenario;
    const spec = edges[0] as Scenario["edges"][number];
    return this.world.add({
      host: this.#host(HostRole.edge, spec),
      create: (env) =>
        new Edge(env, {
          keyOf: (stream) => (stream === STREAM ? KEY : undefined),
          maxViewers: viewers.count * 2,
          maxEgressBps: this.#egressCap(spec.maxEgressShare),
          retainMs: 5000,
          groupMsMax: 12_000,
          agent: "sim-edge",
          regionOf,
          swarm: this.swarm,
        }),
    });
  }

  /** The share in bit/s, as an operator would have worked it out from the stream's bitrate. */
  #egressCap(share: number | undefined): number | undefined {
    if (share === undefined) return undefined;
    const { frames, loopMs } = this.#trace;
    const bytes = frames.reduce((sum, frame) => sum + frame.bytes, 0);
    return share * this.scenario.viewers.count * ((bytes * 8000) / loopMs);
  }

  #addPublisher(): WorldNode<Publisher> {
    const { publisher } = this.scenario;
    return this.world.add({
      host: this.#host(HostRole.publisher, publisher),
      create: (env) =>
        new Publisher(env, {
          edges: [this.edge.host.address],
          stream: STREAM,
          key: KEY,
          budgetMs: publisher.budgetMs,
          agent: "sim-publisher",
        }),
    });
  }

  #host(role: HostRole, spec: PartialAccess): HostSpec {
    const { regions } = this.scenario.network;
    const region = Math.max(
      0,
      regions.findIndex(({ name }) => name === spec.region),
    );
    const access = accessModel({ ...IDEAL_ACCESS, ...definedIn(spec) }, this.#random);
    return { address: outerAddress(region, this.#hosts++), region, hot: this.hot, role, ...access };
  }

  #schedule(viewer: Viewer): void {
    this.world.at(LEAD_MS + viewer.joinMs, () => this.#join(viewer));
  }

  #join(viewer: Viewer): void {
    const now = this.world.nowMs;
    if (now >= this.endMs) return;
    const number = this.#hosts++;
    const outer = outerAddress(viewer.region, number);
    const { player, scorer } = this.scenario;
    const node: WorldNode<Peer> = this.world.add({
      host: {
        address: viewer.nat === "open" ? outer : innerAddress(number),
        region: viewer.region,
        hot: this.hot,
        role: HostRole.peer,
        nat: { kind: viewer.nat, outerIp: outer.ip },
        ...viewer.access,
      },
      create: (env) =>
        new Peer(env, {
          edges: [this.edge.host.address],
          stream: STREAM,
          ...player,
          strict: false,
          uploadBytesPerSecondMax: viewer.consumeOnly ? 0 : Number.POSITIVE_INFINITY,
          metered: viewer.consumeOnly,
          agent: "sim-peer",
          swarm: this.swarm,
          scorer: this.#scorerOf?.(env.random) ?? scorer,
          fragmentsKept: this.#fragmentsKept,
        }),
      ...(viewer.isSlow ? { delayOf: slowness(this.hot, this.edge.host.address, number) } : {}),
    });
    const meter = new ViewerMeter(now, this.published, this.tallies);
    const watcher: Watcher = { viewer, node, meter, leftMs: Number.POSITIVE_INFINITY };
    this.watchers.push(watcher);
    this.present.add(watcher);
    this.#byHost.set(node.id, watcher);
    if (!Number.isFinite(viewer.leaveMs)) return;
    const { replaced } = this.scenario.viewers.sessions;
    const leave = (): void => this.leave(watcher, viewer.leavesSilently, replaced);
    this.world.at(LEAD_MS + viewer.leaveMs, leave);
  }

  /* ---------------------------------------------------------------- publishing */

  #beginEpoch(): void {
    this.published.beginEpoch(this.publisher.command((one, now) => one.stats(now).epoch));
    this.#push(this.#footage);
  }

  /**
   * Pushes what is due of a run of the encoder and files the next; a run that is over files nothing
   * more.
   */
  #push(run: Footage): void {
    const now = this.world.nowMs;
    if (run !== this.#footage || this.publisher.node === undefined || now >= this.endMs) return;
    while (this.#footageFromMs + run.nextMs <= now) {
      const frame = run.take();
      this.published.add(frame, now);
      this.publisher.command((publisher, at) => publisher.push(at, frame));
    }
    this.world.at(this.#footageFromMs + run.nextMs, () => this.#push(run));
  }

  /* ---------------------------------------------------------------- events */

  #handleEvent(node: number, event: unknown, atMs: number): void {
    if (node === this.edge.id) {
      const edgeEvent = event as EdgeEvent;
      if (edgeEvent.type === "refused") this.edgeRefusals.push(edgeEvent);
      return;
    }
    const watcher = this.#byHost.get(node);
    if (watcher === undefined || watcher.leftMs <= atMs) return;
    const peerEvent = event as PeerEvent;
    if (peerEvent.type !== "frame") return;
    const { frame, epoch, decodeOnly, damaged } = peerEvent;
    watcher.meter.handleFrame(atMs, epoch, frame, decodeOnly, damaged);
  }
}

function definedIn(spec: PartialAccess): Partial<AccessSpec> {
  return Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined));
}
