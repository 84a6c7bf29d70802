/**
 * From which edge a stream is fetched that somebody here wants. As a rule from where it is published; from an edge that
 * has it already when its origin is near its limits or cannot be reached. Loops are impossible whatever the edges
 * believe of each other: besides the origin only an edge with a smaller name is asked.
 */
import type { LinkReport } from "../../runtime/node/mesh/mesh-api.ts";
import type { EdgeRecord } from "./registry.ts";

/** An origin above this share of its limits is spared where another has the stream. */
const SPARED_ABOVE = 0.9;

export interface SourceQuestion {
  readonly stream: string;
  readonly ownId: string;
  readonly originId: string;
  readonly others: readonly EdgeRecord[];
  /** As this edge measures them. */
  readonly links: readonly LinkReport[];
  /** From where it is fetched now; kept as long as it will do. */
  readonly current: string | undefined;
}

/** The edge to fetch from. */
export function chooseSource(question: SourceQuestion): string {
  const { originId, others, current } = question;
  const origin = others.find(({ edgeId }) => edgeId === originId);
  const isReached = rttTo(originId, question.links) < Number.POSITIVE_INFINITY;
  const isFit = isReached && (origin === undefined || origin.load < SPARED_ABOVE);
  /* What is fetched from another goes on so until the origin has room to spare. */
  if (isFit && (current === originId || current === undefined)) return originId;
  const holders = others.filter((edge) => mayAsk(question, edge));
  if (holders.length === 0) return originId;
  if (holders.some(({ edgeId }) => edgeId === current)) return current as string;
  if (isFit) return originId;
  const near = [...holders].sort((a, b) => {
    return rttTo(a.edgeId, question.links) - rttTo(b.edgeId, question.links);
  });
  return (near[0] as EdgeRecord).edgeId;
}

/** Whether the stream may be had from an edge that is not its origin. */
function mayAsk({ stream, ownId, originId, links }: SourceQuestion, edge: EdgeRecord): boolean {
  return (
    edge.edgeId !== originId &&
    edge.edgeId < ownId &&
    !edge.isDraining &&
    edge.load < SPARED_ABOVE &&
    edge.fetching.includes(stream) &&
    rttTo(edge.edgeId, links) < Number.POSITIVE_INFINITY
  );
}

/** The least round trip to an edge, ms; 0 while nothing was measured, Infinity when no line reaches it. */
function rttTo(edgeId: string, links: readonly LinkReport[]): number {
  const all = links.filter(({ toEdgeId }) => toEdgeId === edgeId);
  if (all.length === 0) return 0;
  return Math.min(...all.map(({ isUp, rttMs }) => (isUp ? rttMs : Number.POSITIVE_INFINITY)));
}
