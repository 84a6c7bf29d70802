/**
 * Edges and nothing but edges, in virtual time: each with its lines, each pair of lines with a link of its own, and in
 * place of a registry somebody who tells every edge of the others once a second. Streams are published inside edges and
 * wanted by others; what is measured is when each segment is whole where.
 */
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import type { EdgeEvent, LocalPublisher } from "../../node/api.ts";
import { Edge } from "../../node/edge/edge.ts";
import type { EdgeFacts, EdgeLinks, LineFacts, MeshEvent } from "../../node/mesh/mesh-api.ts";
import { createHotPath } from "../../wasm/create.ts";
import { FOOTAGE_480P, Footage, makeTrace, type Trace } from "../footage.ts";
import { HostRole } from "../network/host-role.ts";
import { IDEAL, type LinkModel } from "../network/link.ts";
import { World, type WorldNode } from "../world.ts";

export interface MeshLineSpec {
  readonly lineId: string;
  readonly isp?: string;
  readonly costWeight?: number;
  readonly capacityMbps?: number;
}

export interface MeshEdgeSpec {
  readonly edgeId: string;
  readonly lines: readonly MeshLineSpec[];
  readonly secret?: string;
}

export interface MeshWorldOptions {
  readonly seed: number;
  readonly edges: readonly MeshEdgeSpec[];
  /** The link from one line to another, named "edge/line"; one direction. Undefined: nothing passes. */
  readonly link: (from: string, to: string) => LinkModel;
  readonly paths?: 0 | 1;
  readonly memoryMiB?: number;
  /** What is published; 480p at 800 kbit/s when left out. */
  readonly trace?: Trace;
  /** Takes all events in place of `events` and `arrivals`, which many edges would fill. */
  readonly onEvent?: (edgeId: string, event: MeshEvent, atMs: number) => void;
  /** Media bytes of a frame that was published. */
  readonly onFrame?: (bytes: number) => void;
}

/** A segment's way from the edge it began at to another. */
export interface Arrival {
  readonly edgeId: string;
  readonly stream: string;
  /** World time at the first edge. */
  readonly bornMs: number;
  readonly delayMs: number;
}

const SECRET = "the secret of the cluster";
const REGISTRY_MS = 1000;
const PORT = 4000;

export class MeshWorld {
  readonly world: World;
  readonly hot: HotPath;
  readonly edges = new Map<string, WorldNode<Edge>>();
  readonly arrivals: Arrival[] = [];
  readonly events: { readonly edgeId: string; readonly atMs: number; readonly event: EdgeEvent }[] =
    [];
  readonly #options: MeshWorldOptions;
  readonly #facts: EdgeFacts[] = [];
  readonly #names: string[] = [];
  readonly #reports = new Map<string, EdgeLinks>();
  readonly #born = new Map<string, { bornMs: number; edgeId: string }>();
  #published = 0;
  readonly #seen = new Map<string, Set<string>>();
  /** Region of each line in the network: its number. */
  readonly #regions = new Map<string, number>();

  constructor(options: MeshWorldOptions) {
    this.#options = options;
    this.world = new World({ seed: options.seed });
    this.hot = createHotPath({ kind: "wasm", memoryMiB: options.memoryMiB ?? 128 });
    for (const edge of options.edges) this.#add(edge);
    for (const from of this.#regions.keys()) {
      for (const to of this.#regions.keys()) if (from !== to) this.setLink(from, to);
    }
    this.world.onEvent = (node, event, atMs) => this.#handle(node, event as EdgeEvent, atMs);
    this.#register();
  }

  #add({ edgeId, lines, secret = SECRET }: MeshEdgeSpec): void {
    const hosts = lines.map(({ lineId }) => {
      const region = this.#regions.size;
      this.#regions.set(`${edgeId}/${lineId}`, region);
      const address = { family: 4 as const, ip: `10.1.${region >> 8}.${region & 255}`, port: PORT };
      return { address, region, hot: this.hot, role: HostRole.edge, up: IDEAL, down: IDEAL };
    });
    const facts = lines.map((line, i): LineFacts => {
      const { lineId, isp = "any", costWeight = 1, capacityMbps = 1000 } = line;
      const address = (hosts[i] as (typeof hosts)[0]).address;
      return { lineId, address, isp, capacityMbps, costWeight, commitMbps: 0 };
    });
    this.#facts.push({ edgeId, lines: facts, load: 0 });
    const paths = this.#options.paths ?? 0;
    const node = this.world.add({
      host: hosts[0] as (typeof hosts)[0],
      moreLines: hosts.slice(1),
      create: (env) =>
        new Edge(env, {
          keyOf: () => "key",
          maxViewers: 1000,
          retainMs: 5000,
          groupMsMax: 12_000,
          agent: "sim-edge",
          mesh: { edgeId, secret, lines: facts, paths, isTraced: true },
        }),
    });
    this.edges.set(edgeId, node);
    for (let i = 0; i < lines.length; i++) this.#names[node.id + i] = edgeId;
  }

  /** Changes the link from one line to another; the one it was made with when `model` is left out. */
  setLink(from: string, to: string, model?: LinkModel): void {
    const [a, b] = [this.#regions.get(from) ?? 0, this.#regions.get(to) ?? 0];
    const next = model ?? this.#options.link(from, to);
    const known = this.world.network.path(a, b);
    if (known === undefined) this.world.network.setPath(a, b, next);
    else known.configure(next);
  }

  /** A line falls silent, both ways and to everybody. */
  cut(line: string): void {
    for (const other of this.#regions.keys()) {
      if (other === line) continue;
      for (const [from, to] of [
        [line, other],
        [other, line],
      ] as const) {
        this.setLink(from, to, { ...IDEAL, loss: { kind: "iid", rate: 1 } });
      }
    }
  }

  mend(line: string): void {
    for (const other of this.#regions.keys()) {
      if (other === line) continue;
      this.setLink(line, other);
      this.setLink(other, line);
    }
  }

  edge(edgeId: string): WorldNode<Edge> {
    const edge = this.edges.get(edgeId);
    if (edge === undefined) throw new Error(`no edge ${edgeId}`);
    return edge;
  }

  #register(): void {
    const alive = this.#facts.filter(({ edgeId }) => this.edge(edgeId).node !== undefined);
    for (const { edgeId } of alive) {
      const edge = this.edge(edgeId);
      edge.command((node, now) => node.setEdges(now, alive));
      edge.command((node, now) => node.setLinkReports(now, [...this.#reports.values()]));
    }
    this.world.at(this.world.nowMs + REGISTRY_MS, () => this.#register());
  }

  /** Footage of 480p, 800 kbit/s, played as live inside an edge from now on. */
  publish(edgeId: string, stream: string): void {
    const edge = this.edge(edgeId);
    const seed = this.#options.seed * 31 + this.#published++;
    const footage = new Footage(this.#options.trace ?? makeTrace(FOOTAGE_480P, 5, seed), seed);
    const local = edge.command((node, now) => node.publishLocal(now, stream, "encoder"));
    if ("refused" in local) throw new Error(local.refused);
    this.#play(edge, local, footage, this.world.nowMs);
  }

  #play(edge: WorldNode<Edge>, local: LocalPublisher, footage: Footage, fromMs: number): void {
    this.world.at(fromMs + footage.nextMs, () => {
      if (edge.node === undefined) return;
      const frame = footage.take();
      this.#options.onFrame?.(frame.body.length);
      edge.command((_node, now) => local.push(now, frame));
      this.#play(edge, local, footage, fromMs);
    });
  }

  want(edgeId: string, stream: string, from: string): void {
    this.edge(edgeId).command((node, now) => node.wantStream(now, stream, from));
  }

  kill(edgeId: string): void {
    this.edge(edgeId).stop((node, now) => node.close(now), true);
  }

  #handle(node: number, event: EdgeEvent, atMs: number): void {
    const edgeId = this.#names[node] as string;
    const { onEvent } = this.#options;
    if (onEvent !== undefined) onEvent(edgeId, event as MeshEvent, atMs);
    else if (event.type === "segment") this.#note(edgeId, event, atMs);
    else this.events.push({ edgeId, atMs, event });
    if (event.type === "linkReport") this.#reports.set(edgeId, { edgeId, links: event.links });
  }

  #note(edgeId: string, event: MeshEvent & { type: "segment" }, atMs: number): void {
    const { stream, epoch, first } = event;
    const key = `${stream} ${epoch} ${first}`;
    const born = this.#born.get(key);
    if (born === undefined) {
      this.#born.set(key, { bornMs: atMs, edgeId });
      return;
    }
    const seen = this.#seen.get(edgeId) ?? new Set<string>();
    this.#seen.set(edgeId, seen);
    if (seen.has(key)) return;
    seen.add(key);
    this.arrivals.push({ edgeId, stream, bornMs: born.bornMs, delayMs: atMs - born.bornMs });
  }

  /** Segments of a stream born in a span of world time, and how many of them an edge has. */
  count(
    edgeId: string,
    stream: string,
    fromMs: number,
    untilMs: number,
  ): { born: number; here: number } {
    let born = 0;
    let here = 0;
    for (const [key, { bornMs }] of this.#born) {
      if (!key.startsWith(`${stream} `) || bornMs < fromMs || bornMs >= untilMs) continue;
      born++;
      if (this.#seen.get(edgeId)?.has(key) === true) here++;
    }
    return { born, here };
  }

  /** Delays of a span of world time at an edge, sorted, ms. */
  delays(edgeId: string, fromMs: number, untilMs: number): number[] {
    return this.arrivals
      .filter((one) => one.edgeId === edgeId && one.bornMs >= fromMs && one.bornMs < untilMs)
      .map(({ delayMs }) => delayMs)
      .sort((a, b) => a - b);
  }
}
