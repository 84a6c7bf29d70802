/**
 * What an edge knows of the others: its copy of the registry. When the registry has been away, or has come back empty,
 * those it does not name are believed in for a while longer: they are about to say again that they are there. An edge
 * that still answers is believed in for as long as it does: it may be the only one that does not reach the registry.
 */
import type { EdgeLinks } from "../../runtime/node/mesh/mesh-api.ts";
import type { EdgeRecord, Snapshot, StreamRecord } from "./registry.ts";

/** How long after the registry's return what it does not name is kept, ms. */
export const GRACE_MS = 3000;

export class ClusterView {
  readonly #ownId: string;
  #edges = new Map<string, EdgeRecord>();
  #streams = new Map<string, StreamRecord>();
  #links: readonly EdgeLinks[] = [];
  #born: string | undefined;
  #graceUntil = Number.NEGATIVE_INFINITY;

  constructor(ownId: string) {
    this.#ownId = ownId;
  }

  /** `wasAway`: calls to the registry have failed since the last snapshot. `answers`: a link to the edge is up. */
  apply(
    nowMs: number,
    snapshot: Snapshot,
    wasAway: boolean,
    answers: (edgeId: string) => boolean = () => false,
  ): void {
    const isReset = this.#born !== undefined && this.#born !== snapshot.born;
    this.#born = snapshot.born;
    if (wasAway || isReset) this.#graceUntil = nowMs + GRACE_MS;
    const edges = new Map(snapshot.edges.map((edge) => [edge.edgeId, edge]));
    const streams = new Map(snapshot.streams.map((one) => [one.stream, one]));
    const isGrace = nowMs < this.#graceUntil;
    const kept = new Set<string>();
    for (const [id, edge] of this.#edges) {
      if (edges.has(id) || edge.isDraining || !(isGrace || answers(id))) continue;
      edges.set(id, edge);
      kept.add(id);
    }
    for (const [name, one] of this.#streams) {
      const isBelieved = kept.has(one.edgeId) || (isGrace && edges.has(one.edgeId));
      if (isBelieved && one.edgeId !== this.#ownId && !streams.has(name)) streams.set(name, one);
    }
    this.#edges = edges;
    this.#streams = streams;
    this.#links = snapshot.links;
  }

  /** All edges, this one as the registry has it. */
  get edges(): readonly EdgeRecord[] {
    return [...this.#edges.values()];
  }

  get others(): readonly EdgeRecord[] {
    return this.edges.filter(({ edgeId }) => edgeId !== this.#ownId);
  }

  get streams(): readonly StreamRecord[] {
    return [...this.#streams.values()];
  }

  /** What the other edges report of their links. */
  get links(): readonly EdgeLinks[] {
    return this.#links.filter(({ edgeId }) => edgeId !== this.#ownId);
  }

  /** Who has a stream at another edge. */
  holderOf(stream: string): StreamRecord | undefined {
    const holder = this.#streams.get(stream);
    return holder?.edgeId === this.#ownId ? undefined : holder;
  }
}
