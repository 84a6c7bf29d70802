/**
 * A scenario of edges come to life: cheap lines of several ISPs, a dear line at each edge, streams that begin at some
 * edges and are wanted by all others, faults; and the report of the run.
 */
import { Prng, type Random } from "../../base/prng.ts";
import type { MeshEvent } from "../../node/mesh/mesh-api.ts";
import { HEAD_BYTES } from "../../wire/packet.ts";
import { fragmentsOf, SEGMENT_HEADER_BYTES } from "../../wire/segment.ts";
import type { Trace } from "../footage.ts";
import { IDEAL, type LinkModel } from "../network/link.ts";
import { gateChecks } from "../report/gates.ts";
import { type Check, ratio, round } from "../report/report.ts";
import { EdgeDelays } from "./edge-delays.ts";
import type { EdgeScenario, LinkKind } from "./edge-schema.ts";
import { type MeshEdgeSpec, type MeshLineSpec, MeshWorld } from "./mesh-world.ts";

const SECOND_MS = 1000;
/** Links are measured before anything is wanted. */
const LEAD_MS = 3000;
/** A segment may be on its way for this long when the run ends. */
const TAIL_MS = 2000;
const DEAR = "dear";
/** IPv4 and UDP. */
const IP_HEADERS_BYTES = 28;

export interface EdgeReport {
  readonly scenario: string;
  readonly seed: number;
  readonly commit: string;
  readonly options: EdgeScenario;
  readonly edges: number;
  readonly streams: number;
  readonly virtualSeconds: number;
  readonly wallSeconds: number;
  readonly packets: number;
  /** From whole at the edge where it begins to whole at another, ms. */
  readonly edgeToEdgeMs: DelayFigures;
  /** Of segments born from 0.5 s before a fault to 2 s after it. */
  readonly aroundFaultsMs: DelayFigures;
  /** Copies of segments that an edge which lives has not got. */
  readonly segmentsLost: number;
  /** IP bytes that dear lines sent and received. */
  readonly dearLineBytes: number;
  /** The same of one direct copy to each edge, from dear line to dear line. */
  readonly dearDirectBytes: number;
  readonly dearLineRatio: number;
  /** All IP bytes between edges, to those of one direct copy each. */
  readonly overheadRatio: number;
  readonly afterWarmup: {
    readonly edgeToEdgeMs: DelayFigures;
    readonly dearLineBytes: number;
    readonly dearLineRatio: number;
  };
  readonly routeChanges: number;
  readonly checks: readonly Check[];
}

export interface DelayFigures {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface EdgeRunOptions {
  readonly scenario: EdgeScenario;
  readonly trace: Trace;
  readonly seed: number;
  readonly commit: string;
  readonly memoryMiB: number;
  readonly onProgress?: (second: number, packets: number) => void;
}

/** Bytes so far. */
interface Volume {
  readonly dear: number;
  readonly all: number;
  readonly wanted: number;
}

class EdgeNetwork {
  readonly #options: EdgeRunOptions;
  readonly #mesh: MeshWorld;
  readonly #delays: EdgeDelays;
  readonly #edges: readonly MeshEdgeSpec[];
  readonly #places = new Map<string, number>();
  readonly #dead = new Set<number>();
  #directBytes = 0;
  #routeChanges = 0;

  constructor(options: EdgeRunOptions) {
    const { scenario, seed, trace, memoryMiB } = options;
    this.#options = options;
    this.#edges = edgesOf(scenario);
    const warmMs = LEAD_MS + scenario.warmupSeconds * SECOND_MS;
    const faultsMs = scenario.faults.map(({ atSecond }) => LEAD_MS + atSecond * SECOND_MS);
    this.#delays = new EdgeDelays(this.#edges.length, warmMs, faultsMs);
    for (const [i, { edgeId }] of this.#edges.entries()) this.#places.set(edgeId, i);
    this.#mesh = new MeshWorld({
      seed,
      edges: this.#edges,
      link: linksOf(scenario, this.#edges, new Prng(seed ^ 0x3c6ef372)),
      paths: scenario.paths,
      memoryMiB,
      trace,
      onEvent: (edge, event, atMs) => this.#handle(edge, event, atMs),
      onFrame: (bytes) => {
        this.#directBytes += ipBytesOf(bytes);
      },
    });
    this.#mesh.world.at(LEAD_MS, () => this.#begin());
    for (const fault of scenario.faults) {
      this.#mesh.world.at(LEAD_MS + fault.atSecond * SECOND_MS, () => this.#breakDown(fault));
    }
  }

  #begin(): void {
    const { scenario } = this.#options;
    for (let i = 0; i < scenario.streams; i++) {
      const origin = this.#edges[(i * 7) % this.#edges.length] as MeshEdgeSpec;
      const stream = `live/${i}`;
      this.#mesh.publish(origin.edgeId, stream);
      for (const { edgeId } of this.#edges) {
        if (edgeId !== origin.edgeId) this.#mesh.want(edgeId, stream, origin.edgeId);
      }
    }
  }

  #breakDown(fault: EdgeScenario["faults"][number]): void {
    const edge = this.#edges[fault.edge];
    if (edge === undefined) return;
    if (fault.kind === "edgeDown") {
      this.#dead.add(fault.edge);
      this.#mesh.kill(edge.edgeId);
      return;
    }
    const line = `${edge.edgeId}/${edge.lines[fault.line]?.lineId}`;
    this.#mesh.cut(line);
    const { world } = this.#mesh;
    world.at(world.nowMs + fault.forSeconds * SECOND_MS, () => this.#mesh.mend(line));
  }

  #handle(edge: string, event: MeshEvent, atMs: number): void {
    if (event.type === "segment") {
      const { stream, epoch, first } = event;
      this.#delays.note(this.#places.get(edge) as number, `${stream} ${epoch} ${first}`, atMs);
    } else if (event.type === "route") this.#routeChanges++;
  }

  run(): EdgeReport {
    const { scenario, onProgress } = this.#options;
    const { world } = this.#mesh;
    world.run(LEAD_MS);
    const begin = this.#volume();
    let warm = begin;
    for (let second = 1; second <= scenario.seconds; second++) {
      world.run(LEAD_MS + second * SECOND_MS);
      if (second === scenario.warmupSeconds) warm = this.#volume();
      onProgress?.(second, this.#packets());
    }
    return this.#report(begin, warm, this.#volume());
  }

  #volume(): Volume {
    let [dear, all] = [0, 0];
    for (const { edgeId, lines } of this.#edges) {
      for (const [i, { lineId }] of lines.entries()) {
        const host = this.#mesh.edge(edgeId).hosts[i];
        all += host?.bytesOut ?? 0;
        if (lineId === DEAR) dear += (host?.bytesOut ?? 0) + (host?.bytesIn ?? 0);
      }
    }
    return { dear, all, wanted: this.#directBytes * (this.#edges.length - 1) };
  }

  #packets(): number {
    return this.#mesh.world.network.hosts.reduce((sum, { packetsIn }) => sum + packetsIn, 0);
  }

  #report(begin: Volume, warm: Volume, end: Volume): EdgeReport {
    const { scenario, seed, commit } = this.#options;
    const lastMs = LEAD_MS + scenario.seconds * SECOND_MS - TAIL_MS;
    const warmMs = LEAD_MS + scenario.warmupSeconds * SECOND_MS;
    const dear = end.dear - begin.dear;
    const direct = 2 * (end.wanted - begin.wanted);
    const figures = {
      scenario: scenario.name,
      seed,
      commit,
      options: scenario,
      edges: this.#edges.length,
      streams: scenario.streams,
      virtualSeconds: scenario.seconds,
      wallSeconds: 0,
      packets: this.#packets(),
      edgeToEdgeMs: figuresOf(this.#delays.whole),
      aroundFaultsMs: figuresOf(this.#delays.aroundFaults),
      segmentsLost: this.#delays.missing(warmMs, lastMs, (edge) => !this.#dead.has(edge)),
      dearLineBytes: dear,
      dearDirectBytes: direct,
      dearLineRatio: round(ratio(dear, direct), 5),
      overheadRatio: round(ratio(end.all - begin.all, end.wanted - begin.wanted), 4),
      afterWarmup: {
        edgeToEdgeMs: figuresOf(this.#delays.afterWarmup),
        dearLineBytes: end.dear - warm.dear,
        dearLineRatio: round(ratio(end.dear - warm.dear, 2 * (end.wanted - warm.wanted)), 5),
      },
      routeChanges: this.#routeChanges,
    };
    return { ...figures, checks: gateChecks(scenario.gates, figures) };
  }
}

/** Everything but `wallSeconds`, which the world does not know: 0. */
export function runEdgeScenario(options: EdgeRunOptions): EdgeReport {
  return new EdgeNetwork(options).run();
}

function figuresOf(delays: EdgeDelays["whole"]): DelayFigures {
  return {
    p50: round(delays.percentile(0.5), 1),
    p99: round(delays.percentile(0.99), 1),
    max: round(delays.max, 1),
  };
}

/** Edge i is at home with ISP i mod n; every so manyth has a line of the next one, too. */
function edgesOf({ edges, isps, dear }: EdgeScenario): MeshEdgeSpec[] {
  return Array.from({ length: edges.count }, (_, i) => {
    const { capacityMbps, secondLineEvery } = edges;
    const cheap = (offset: number): MeshLineSpec => {
      const { name } = isps[(i + offset) % isps.length] as { name: string };
      return { lineId: name, isp: name, costWeight: 1, capacityMbps };
    };
    const lines = [cheap(0)];
    if (secondLineEvery > 0 && i % secondLineEvery === 0 && isps.length > 1) lines.push(cheap(1));
    if (dear !== undefined) {
      const { costWeight } = dear;
      lines.push({ lineId: DEAR, isp: DEAR, costWeight, capacityMbps: dear.capacityMbps });
    }
    return { edgeId: `edge-${String(i).padStart(3, "0")}`, lines };
  });
}

/** Both ways of a pair of lines are as long; each loses for itself. Drawn once, in one order. */
function linksOf(
  scenario: EdgeScenario,
  edges: readonly MeshEdgeSpec[],
  random: Random,
): (from: string, to: string) => LinkModel {
  const names = edges.flatMap(({ edgeId, lines }) =>
    lines.map(({ lineId }) => `${edgeId}/${lineId}`),
  );
  const models = new Map<string, LinkModel>();
  for (const [i, a] of names.entries()) {
    for (const b of names.slice(i + 1)) {
      const kind = kindOf(scenario, ispOf(a), ispOf(b));
      const delayMs = between(kind.rttMs, random) / 2;
      for (const key of [`${a}>${b}`, `${b}>${a}`]) {
        const rate = between(kind.lossPercent, random) / 100;
        const loss = { kind: "iid", rate } as const;
        models.set(key, { ...IDEAL, delayMs, jitterMs: scenario.jitterMs, keepsOrder: true, loss });
      }
    }
  }
  return (from, to) => models.get(`${from}>${to}`) ?? IDEAL;
}

/** A frame of `bytes` as fragments sent once: DATA heads, IP and UDP headers counted. */
function ipBytesOf(bytes: number): number {
  return SEGMENT_HEADER_BYTES + bytes + fragmentsOf(bytes) * (HEAD_BYTES + IP_HEADERS_BYTES);
}

function ispOf(line: string): string {
  return line.slice(line.indexOf("/") + 1);
}

function kindOf({ within, across, bad, dear }: EdgeScenario, a: string, b: string): LinkKind {
  if ((a === DEAR || b === DEAR) && dear !== undefined) return dear.link;
  if (a === b) return within;
  const isBad = bad?.between.some(([x, y]) => (x === a && y === b) || (x === b && y === a));
  return isBad === true && bad !== undefined ? bad.link : across;
}

function between([from, to]: readonly [number, number], random: Random): number {
  return from + (to - from) * random.next();
}
