/**
 * An edge's part in its cluster. Each second it tells the registry how it is and takes a copy of what the others have
 * said; from that copy it answers who may publish here and who is sent elsewhere, and has streams fetched that somebody
 * here wants. Without the registry the last copy stays good: nothing that runs stops.
 */
import type { Ms } from "../../runtime/base/time.ts";
import type { EdgeCommands, EdgeEvent } from "../../runtime/node/api.ts";
import type { ClusterCommands, ClusterHooks } from "../../runtime/node/cluster-api.ts";
import type { LinkReport, MeshCommands, RouteText } from "../../runtime/node/mesh/mesh-api.ts";
import type { ClusterConfig } from "../config/cluster-config.ts";
import type { Logger } from "../log.ts";
import { chooseJoin } from "./choose-join.ts";
import { Claims } from "./claims.ts";
import { ClusterView } from "./cluster-view.ts";
import { BEAT_MS, type EdgeRecord, type Registry, type StreamRecord } from "./registry.ts";
import { Subscriptions } from "./subscriptions.ts";

/** What is wanted here is looked at this often, besides when somebody comes. */
const DEMAND_MS = 250;
/** Changes that come together are looked at together. */
const SETTLE_MS = 20;

export type ClusterEdge = EdgeCommands & ClusterCommands & MeshCommands;

/** The run loop as the cluster sees it. */
export interface ClusterHost {
  now(): Ms;
  command<T>(action: (edge: ClusterEdge, now: Ms) => T): T;
}

export interface ClusterOptions {
  readonly config: ClusterConfig;
  readonly registry: Registry;
  readonly version: string;
  /** Different at each start of the edge. */
  readonly bootId: string;
  readonly maxViewers: number;
  /** bit/s; undefined = not limited. */
  readonly maxEgressBps: number | undefined;
  readonly wallMs: () => number;
  readonly log: Logger;
}

/** What the registry's absence is called in figures and pages. */
export interface RegistryState {
  readonly name: string;
  readonly isUp: boolean;
  /** Since when it has been away, ms; 0 while it is there. */
  readonly awayMs: number;
}

export class Cluster {
  readonly view: ClusterView;
  readonly claims: Claims;
  readonly subscriptions: Subscriptions;
  /** What ClusterHooks asks, for the edge that is about to be made. */
  readonly hooks: ClusterHooks;
  links: readonly LinkReport[] = [];
  /** Joins sent on to other edges; claims lost to other edges. */
  readonly counters = { sentOn: 0, claimsLost: 0, registryFailures: 0 };
  isDraining = false;
  readonly #options: ClusterOptions;
  readonly #startedAtMs: number;
  #host: ClusterHost | undefined;
  #awaySince: number | undefined;
  readonly #sent = new Map<string, number>();
  #beating: Promise<void> | undefined;
  #isStale = false;
  #egress = { atMs: 0, bytes: 0, bps: 0 };
  #timers: ReturnType<typeof setInterval>[] = [];
  #settling: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;
  #encoders = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
    const { config, registry, bootId, wallMs } = options;
    this.#startedAtMs = wallMs();
    this.view = new ClusterView(config.id);
    this.claims = new Claims({
      ownId: config.id,
      bootId,
      registry,
      view: this.view,
      now: () => this.#now(),
      wallMs,
      isAway: () => this.#awaySince !== undefined,
      settled: (stream) => this.#host?.command((edge, now) => edge.settleClaim(now, stream)),
      lost: (stream, by, how) => this.#handleLost(stream, by, how),
    });
    this.subscriptions = new Subscriptions(config.id, this.view, {
      want: (stream, from) => {
        this.#command((edge, now) => edge.wantStream(now, stream, from));
        this.#say("info", "{stream} is fetched from {edge}", { stream, edge: from });
      },
      drop: (stream) => {
        this.#command((edge, now) => edge.dropStream(now, stream));
        this.#say("info", "{stream} is not fetched any more", { stream });
      },
    });
    this.hooks = {
      knows: (stream) => this.view.holderOf(stream) !== undefined,
      claim: (stream, publisher, epoch) => this.claims.claim(stream, publisher, epoch),
      redirect: (_role, _stream, isForced) => this.#redirect(isForced),
    };
  }

  /** Begins: knows the others, if the registry is there, when it resolves. */
  async start(host: ClusterHost): Promise<void> {
    this.#host = host;
    this.#options.registry.onChange(() => this.#handleChange());
    await this.#beat();
    this.#timers = [
      setInterval(() => void this.#beat(), BEAT_MS),
      setInterval(() => this.#updateDemand(), DEMAND_MS),
    ];
  }

  /** Says goodbye to the others. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#settling);
    await this.#beating;
    const { registry, config, bootId } = this.#options;
    if (this.#host !== undefined) await registry.leave(config.id, bootId).catch(() => undefined);
    registry.close();
  }

  /** Tells the others that nobody new is taken here; they hear of it at once. */
  async drain(): Promise<void> {
    this.isDraining = true;
    await this.#beating;
    await this.#beat();
  }

  get registry(): RegistryState {
    const since = this.#awaySince;
    const awayMs = since === undefined ? 0 : this.#now() - since;
    return { name: this.#options.registry.name, isUp: since === undefined, awayMs };
  }

  /** How streams travel from here, and why. */
  get routes(): readonly RouteText[] {
    return this.#command((edge, now) => edge.explainRoutes(now)) ?? [];
  }

  /** This edge as it is now. */
  get own(): EdgeRecord {
    const { config, bootId, version, maxViewers, maxEgressBps } = this.#options;
    const { viewers } = this.#command((edge, now) => edge.stats(now)) ?? { viewers: 0 };
    const egress = maxEgressBps === undefined ? 0 : this.#egress.bps / maxEgressBps;
    return {
      edgeId: config.id,
      bootId,
      version,
      lines: config.lines.map(({ bind: _, ...facts }) => facts),
      load: Math.min(1, Math.max(viewers / maxViewers, egress)),
      viewers,
      maxViewers,
      isDraining: this.isDraining,
      fetching: [...this.subscriptions.sources.keys()],
      startedAtMs: this.#startedAtMs,
    };
  }

  /* ---------------------------------------------------------------- what happens here */

  handleEvent(event: EdgeEvent): void {
    if (event.type === "linkReport") this.links = event.links;
    else if (event.type === "viewerJoined") this.#updateDemand();
    else if (event.type === "streamStarted") {
      this.claims.handleStarted(event.stream, event.epoch);
    } else if (event.type === "streamEnded") this.#releaseUnused();
  }

  /** The other edge that has a stream, as far as is known. */
  heldBy(stream: string): string | undefined {
    return this.view.holderOf(stream)?.edgeId;
  }

  /** An encoder in this process publishes a stream; when the others say no, the edge ends it. */
  hold(stream: string): void {
    const { config, bootId } = this.#options;
    this.claims.hold(stream, `encoder ${config.id} ${bootId} ${++this.#encoders}`);
  }

  /** Somebody asks for a stream by HTTP. */
  handleWatched(): void {
    this.#updateDemand();
  }

  #updateDemand(): void {
    if (this.#isStopped) return;
    const wanted = this.#command((edge) => edge.presence().wanted) ?? [];
    this.subscriptions.update(this.#now(), wanted, this.links);
  }

  #releaseUnused(): void {
    this.claims.releaseUnused(this.#command((edge) => edge.presence().published) ?? []);
  }

  #handleLost(stream: string, by: StreamRecord, how: "moved" | "lost"): void {
    const detail = `"${stream}" is being published at ${by.edgeId}`;
    this.#command((edge, now) => edge.yieldStream(now, stream, how, detail));
    if (how === "lost") this.counters.claimsLost++;
    const text = how === "lost" ? "was published at {edge} first" : "goes on at {edge}";
    this.#say(how === "lost" ? "warning" : "info", `{stream} ${text}`, { stream, edge: by.edgeId });
    this.#updateDemand();
  }

  #redirect(isForced: boolean) {
    const own = this.own;
    const { others } = this.view;
    const above = this.#options.config.redirectAbove;
    const answer = chooseJoin({ own, others, sent: this.#sent, above, isForced });
    const [first] = answer?.edges ?? [];
    if (answer === undefined || first === undefined) return undefined;
    this.counters.sentOn++;
    this.#sent.set(first.edgeId, (this.#sent.get(first.edgeId) ?? 0) + 1);
    return answer;
  }

  /* ---------------------------------------------------------------- the registry */

  #handleChange(): void {
    clearTimeout(this.#settling);
    if (this.#isStopped) return;
    this.#settling = setTimeout(() => {
      if (this.#beating === undefined) void this.#beat();
      else this.#isStale = true;
    }, SETTLE_MS);
  }

  #beat(): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    this.#beating ??= this.#beatOnce().finally(() => {
      this.#beating = undefined;
      if (!this.#isStale) return;
      this.#isStale = false;
      void this.#beat();
    });
    return this.#beating;
  }

  async #beatOnce(): Promise<void> {
    this.#measureEgress();
    this.#releaseUnused();
    const askedAt = this.#now();
    try {
      const snapshot = await this.#options.registry.beat(this.own, this.links);
      if (this.#isStopped) return;
      const wasAway = this.#awaySince !== undefined;
      if (wasAway) this.#say("info", "the registry is back", {});
      this.#awaySince = undefined;
      const before = new Set(this.view.others.map(({ edgeId }) => edgeId));
      const answers = (id: string) =>
        this.links.some(({ toEdgeId, isUp }) => isUp && toEdgeId === id);
      this.view.apply(this.#now(), snapshot, wasAway, answers);
      this.#sent.clear();
      this.#tellOfOthers(before);
      this.claims.check(askedAt, snapshot);
      this.#tellEdge();
      this.#updateDemand();
    } catch (error) {
      this.#handleAway(askedAt, error);
    }
  }

  #handleAway(askedAt: number, error: unknown): void {
    this.counters.registryFailures++;
    if (this.#awaySince !== undefined || this.#isStopped) return;
    this.#awaySince = askedAt;
    const { name } = this.#options.registry;
    const why = error instanceof Error ? error.message : String(error);
    const text = "the registry {name} is away ({why}): what runs goes on with what is known";
    this.#say("error", text, { name, why });
  }

  #tellOfOthers(before: ReadonlySet<string>): void {
    const now = new Set(this.view.others.map(({ edgeId }) => edgeId));
    for (const edge of now)
      if (!before.has(edge)) this.#say("info", "edge {edge} is here", { edge });
    for (const edge of before) {
      if (!now.has(edge)) this.#say("warning", "edge {edge} is gone", { edge });
    }
  }

  /** What the node needs of the others. */
  #tellEdge(): void {
    const { others } = this.view;
    const open = others.filter(({ isDraining, load }) => !isDraining && load < 1);
    const addresses = open.flatMap(({ lines }) => lines.slice(0, 1).map(({ address }) => address));
    this.#command((edge, now) => {
      edge.setOthers(now, addresses);
      edge.setEdges(now, others);
      edge.setLinkReports(now, this.view.links);
    });
  }

  #measureEgress(): void {
    const stats = this.#command((edge, now) => edge.stats(now));
    const atMs = this.#now();
    const spanMs = atMs - this.#egress.atMs;
    if (stats === undefined || spanMs < BEAT_MS / 2) return;
    const bps = ((stats.bytesOut - this.#egress.bytes) * 8000) / spanMs;
    this.#egress = { atMs, bytes: stats.bytesOut, bps };
  }

  #now(): number {
    return this.#host?.now() ?? 0;
  }

  #command<T>(action: (edge: ClusterEdge, now: Ms) => T): T | undefined {
    return this.#host?.command(action);
  }

  #say(level: "info" | "warning" | "error", text: string, facts: Record<string, unknown>): void {
    this.#options.log[level](text, { event: "cluster", ...facts });
  }
}
