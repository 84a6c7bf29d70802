/**
 * The link table the router reads, put together: links from here as they are measured at this moment, links of others
 * as they last reported them.
 */
import type { Ms } from "../../base/time.ts";
import type { EdgeFacts, EdgeLinks, LineFacts, LinkReport } from "./mesh-api.ts";
import type { MeshLinks } from "./mesh-links.ts";
import {
  lineKey,
  pairKey,
  type RouteLine,
  type RouteLink,
  type RouteTable,
} from "./route-paths.ts";

/** For this long after a line has fallen silent others' reports of it are too old. */
const DEAD_MS = 3000;
/** An edge filled to this share relays nothing. */
const RELAY_LOAD_MAX = 0.9;

export class MeshTable {
  readonly #edgeId: string;
  readonly #lines: readonly LineFacts[];
  readonly #others = new Map<string, RouteLink[]>();
  readonly #usedOthers = new Map<string, number>();

  constructor(edgeId: string, lines: readonly LineFacts[]) {
    this.#edgeId = edgeId;
    this.#lines = lines;
  }

  /** What the others report; this edge's own report, should it be among them, is older than what it knows. */
  setReports(table: readonly EdgeLinks[]): void {
    this.#others.clear();
    this.#usedOthers.clear();
    for (const { edgeId, links } of table) {
      if (edgeId === this.#edgeId) continue;
      this.#file(this.#others, this.#usedOthers, edgeId, links);
    }
  }

  #file(
    into: Map<string, RouteLink[]>,
    used: Map<string, number>,
    from: string,
    links: readonly LinkReport[],
  ): void {
    for (const link of links) {
      const line = lineKey(from, link.fromLineId);
      used.set(line, (used.get(line) ?? 0) + link.usedKbps);
      if (link.isUp) this.#fileLink(into, from, link, false);
    }
  }

  #fileLink(
    into: Map<string, RouteLink[]>,
    from: string,
    link: LinkReport,
    isOnProbation: boolean,
  ): void {
    const { fromLineId, toEdgeId, toLineId, rttMs, jitterMs, loss, usableKbps, usedKbps } = link;
    const key = pairKey(from, toEdgeId);
    const routeLink: RouteLink = {
      from,
      fromLine: fromLineId,
      to: toEdgeId,
      toLine: toLineId,
      rttMs,
      jitterMs,
      loss,
      usableKbps,
      usedKbps,
      isOnProbation,
    };
    const known = into.get(key);
    if (known === undefined) into.set(key, [routeLink]);
    else known.push(routeLink);
  }

  /** Others may not know yet that a line has died: no relay is sent there. */
  #leaveOut(table: Map<string, RouteLink[]>, dead: ReadonlySet<string>): void {
    if (dead.size === 0) return;
    for (const [key, list] of table) {
      const alive = list.filter(({ to, toLine }) => !dead.has(lineKey(to, toLine)));
      if (alive.length < list.length) table.set(key, alive);
    }
  }

  /** As it is now. */
  read(now: Ms, links: MeshLinks): RouteTable {
    const table = new Map(this.#others);
    const used = new Map(this.#usedOthers);
    for (const link of links.all()) {
      const report = link.report(now);
      const line = lineKey(this.#edgeId, report.fromLineId);
      used.set(line, (used.get(line) ?? 0) + report.usedKbps);
      const isDoubtful = !link.isUp || link.isDoubted;
      if (link.canCarry) this.#fileLink(table, this.#edgeId, report, isDoubtful);
    }
    this.#leaveOut(table, deadLines(now, links));
    const lines = new Map<string, RouteLine>();
    const edges: EdgeFacts[] = [...links.edges()];
    edges.push({ edgeId: this.#edgeId, lines: this.#lines, load: 1 });
    let costMin = Number.POSITIVE_INFINITY;
    for (const edge of edges) {
      for (const { lineId, costWeight, capacityMbps, commitMbps } of edge.lines) {
        const key = lineKey(edge.edgeId, lineId);
        costMin = Math.min(costMin, costWeight);
        lines.set(key, {
          costWeight,
          capacityKbps: capacityMbps * 1000,
          commitKbps: commitMbps * 1000,
          usedKbps: used.get(key) ?? 0,
        });
      }
    }
    const relays = edges.filter(({ load }) => load < RELAY_LOAD_MAX).map(({ edgeId }) => edgeId);
    return { links: table, lines, relays, costMin };
  }
}

/** Lines of others to which a link has just fallen silent, while none of ours is sound. */
function deadLines(now: Ms, links: MeshLinks): Set<string> {
  const dead = new Set<string>();
  for (const link of links.all()) {
    if (now - link.fellAt < DEAD_MS) dead.add(lineKey(link.edgeId, link.their.lineId));
  }
  if (dead.size === 0) return dead;
  for (const link of links.all()) {
    if (link.isUp && !link.isDoubted) dead.delete(lineKey(link.edgeId, link.their.lineId));
  }
  return dead;
}
