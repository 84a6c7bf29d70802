/**
 * The paths there are from one edge to another: each pair of their lines, and each way over one relay edge. What a path
 * costs is what the lines at both ends of its hops charge; how long it takes is told for the median and for p99, where
 * a fragment is lost once and repaired on the quickest other path. Pure: figures in, figures out.
 */

/** One pair of lines, in the direction it is used. */
export interface RouteLink {
  readonly from: string;
  readonly fromLine: string;
  readonly to: string;
  readonly toLine: string;
  readonly rttMs: number;
  readonly jitterMs: number;
  /** One way, 0..1. */
  readonly loss: number;
  readonly usableKbps: number;
  readonly usedKbps: number;
  /** It was down a moment ago: taken if there is no other. */
  readonly isOnProbation?: boolean;
}

export interface RouteLine {
  readonly costWeight: number;
  readonly capacityKbps: number;
  /** Paid for anyhow. */
  readonly commitKbps: number;
  /** Sent over it by its edge, all links together. */
  readonly usedKbps: number;
}

/** Links that are up, by edges, and lines by `lineKey`. */
export interface RouteTable {
  readonly links: ReadonlyMap<string, readonly RouteLink[]>;
  readonly lines: ReadonlyMap<string, RouteLine>;
  /** Edges that may relay. */
  readonly relays: readonly string[];
  /** Of the cheapest line anywhere. */
  readonly costMin: number;
}

export interface Path {
  /** Same links, same id. */
  readonly id: string;
  /** One link, or two with a relay edge between them. */
  readonly links: readonly RouteLink[];
  readonly rttMs: number;
  /** One way, median. */
  readonly delayMs: number;
  readonly jitterMs: number;
  readonly loss: number;
  /** Sum over all lines passed. */
  readonly cost: number;
  /** 0..1, the fullest line or link on the way. */
  readonly load: number;
}

/** A byte within what is committed is this much of its line's price. */
const COMMITTED_SHARE = 0.25;
/** A loss is known a round trip, and about this, after sending. */
const DETECT_MS = 25;
/** Mean deviations above the median where p99 lies (normal: 2.3 σ, of which each is 1.25 mean deviations). */
const P99_DEVIATIONS = 3;
/** What a relay adds. */
const RELAY_MS = 1;
/** Of the frames, 1 in 100 may be later than p99. */
const P99_SHARE = 0.01;
/** Fragments of a frame of 4 KB: all of them must come. */
const FRAME_FRAGMENTS = 4;

export function lineKey(edge: string, line: string): string {
  return `${edge}/${line}`;
}

export function pairKey(from: string, to: string): string {
  return `${from}>${to}`;
}

/** All paths, the relayed ones by the best link of each hop at each price. */
export function pathsOf(
  table: RouteTable,
  from: string,
  to: string,
  kbps: number,
  relayed: boolean,
): Path[] {
  const direct = linksOf(table, from, to).map((link) => pathOf(table, [link], kbps));
  if (!relayed) return direct;
  const paths = direct;
  for (const relay of table.relays) {
    if (relay === from || relay === to) continue;
    const first = bestByPrice(table, linksOf(table, from, relay), kbps);
    const second = bestByPrice(table, linksOf(table, relay, to), kbps);
    for (const a of first) for (const b of second) paths.push(pathOf(table, [a, b], kbps));
  }
  return paths;
}

function linksOf(table: RouteTable, from: string, to: string): readonly RouteLink[] {
  return table.links.get(pairKey(from, to)) ?? [];
}

/** Of links that cost the same, the quickest. */
function bestByPrice(table: RouteTable, links: readonly RouteLink[], kbps: number): RouteLink[] {
  const best = new Map<number, RouteLink>();
  for (const link of links) {
    const price = linkCost(table, link, kbps);
    const known = best.get(price);
    if (known === undefined || slowness(link) < slowness(known)) best.set(price, link);
  }
  return [...best.values()];
}

function slowness({ rttMs, jitterMs, loss }: RouteLink): number {
  return rttMs / 2 + P99_DEVIATIONS * jitterMs + loss * FRAME_FRAGMENTS * (rttMs + DETECT_MS);
}

function linkCost(table: RouteTable, link: RouteLink, kbps: number): number {
  return (
    lineCost(table.lines.get(lineKey(link.from, link.fromLine)), kbps) +
    lineCost(table.lines.get(lineKey(link.to, link.toLine)), kbps)
  );
}

function lineCost(line: RouteLine | undefined, kbps: number): number {
  if (line === undefined) return 1;
  const isCommitted = line.usedKbps + kbps <= line.commitKbps;
  return line.costWeight * (isCommitted ? COMMITTED_SHARE : 1);
}

function pathOf(table: RouteTable, links: readonly RouteLink[], kbps: number): Path {
  const relays = links.length - 1;
  let rttMs = 0;
  let jitterMs = 0;
  let through = 1;
  let cost = 0;
  let load = 0;
  for (const link of links) {
    rttMs += link.rttMs;
    jitterMs = Math.hypot(jitterMs, link.jitterMs);
    through *= 1 - link.loss;
    cost += linkCost(table, link, kbps);
    const line = table.lines.get(lineKey(link.from, link.fromLine));
    const lineLoad = line === undefined ? 0 : (line.usedKbps + kbps) / line.capacityKbps;
    load = Math.max(load, lineLoad, (link.usedKbps + kbps) / Math.max(1, link.usableKbps));
  }
  const id = links.map((link) => `${link.fromLine}>${link.to}/${link.toLine}`).join(" ");
  const delayMs = rttMs / 2 + relays * RELAY_MS;
  return { id, links, rttMs, delayMs, jitterMs, loss: 1 - through, cost, load };
}

/**
 * 99 frames of 100 that go by `path` are there after this, ms, when what is lost is sent again by `other` or by itself,
 * whichever is sooner.
 */
export function p99Ms(path: Path, other: Path | undefined): number {
  const alone = p99By(path, path);
  return other === undefined ? alone : Math.min(alone, p99By(path, other));
}

/** As many repairs as leave fewer than 1 in 100 waiting for one more. */
function p99By(path: Path, repair: Path): number {
  let afterMs = path.delayMs + P99_DEVIATIONS * path.jitterMs;
  let missing = 1 - (1 - path.loss) ** FRAME_FRAGMENTS;
  let sentMs = 0;
  let by = path;
  for (let round = 0; missing > P99_SHARE && round < 4; round++) {
    /* Lost on the hop it was lost on: half of a relayed path's losses are known after half the way. */
    sentMs += by.rttMs / by.links.length + DETECT_MS;
    afterMs = sentMs + repair.delayMs + P99_DEVIATIONS * repair.jitterMs;
    missing *= repair.loss;
    by = repair;
  }
  return afterMs;
}

/** Whether two paths share a line at the sender or the receiver, or a relay. */
export function overlap(a: Path, b: Path): number {
  const ends = (path: Path): string[] => {
    const first = path.links[0] as RouteLink;
    const last = path.links[path.links.length - 1] as RouteLink;
    const relay = path.links.length === 1 ? [] : [`relay ${first.to}`];
    return [`from ${first.fromLine}`, `to ${last.toLine}`, ...relay];
  };
  const known = new Set(ends(a));
  return ends(b).filter((end) => known.has(end)).length;
}
