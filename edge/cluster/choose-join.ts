/**
 * Where a join goes: here, or on to an edge with more room. A pure function of what is known of the edges, so that its
 * cases can be written down. Loads are up to a second old; joins sent on since then are counted on top, lest a rush
 * all goes to the one that was emptiest.
 */
import type { Address } from "../../runtime/wire/address.ts";
import type { EdgeRecord } from "./registry.ts";

/** An edge must have at least so much more room than this one, as a share of what it carries. */
const MARGIN = 0.1;
/** Edges that a join is offered, best first. */
const OFFERED_MAX = 3;

export interface JoinQuestion {
  /** This edge, as it is now. */
  readonly own: EdgeRecord;
  readonly others: readonly EdgeRecord[];
  /** Joins sent on to each edge since it last said how it is. */
  readonly sent: ReadonlyMap<string, number>;
  /** Share of its limits above which an edge sends joins on, 0..1. */
  readonly above: number;
  /** This edge cannot take it at all. */
  readonly isForced: boolean;
}

export interface JoinAnswer {
  readonly edges: readonly EdgeRecord[];
  readonly to: readonly Address[];
  /** For people. */
  readonly why: string;
}

/** Undefined: it stays here. */
export function chooseJoin(question: JoinQuestion): JoinAnswer | undefined {
  const { own, others, sent, above, isForced } = question;
  if (!isForced && own.load < above) return undefined;
  const loadOf = (edge: EdgeRecord) => loadWith(edge, sent.get(edge.edgeId) ?? 0);
  const open = others.filter((edge) => !edge.isDraining && loadOf(edge) < 1);
  const roomy = open.filter((edge) => loadOf(edge) < above && loadOf(edge) <= own.load - MARGIN);
  const wanted = roomy.length > 0 || !isForced ? roomy : open;
  if (wanted.length === 0) return undefined;
  const edges = [...wanted].sort((a, b) => loadOf(a) - loadOf(b)).slice(0, OFFERED_MAX);
  const to = edges.flatMap(({ lines }) => lines.slice(0, 1).map(({ address }) => address));
  const full = own.isDraining ? "is going away" : `is at ${Math.round(own.load * 100)} %`;
  const names = edges.map(({ edgeId }) => edgeId).join(", ");
  return { edges, to, why: `${own.edgeId} ${full}; ask ${names}` };
}

/** An edge's load with so many viewers more than it has said. */
function loadWith(edge: EdgeRecord, more: number): number {
  return Math.max(edge.load, (edge.viewers + more) / Math.max(1, edge.maxViewers));
}
