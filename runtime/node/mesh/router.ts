/**
 * Which paths a stream takes to an edge: a set, of which the first carry it and the others stand by for repairs and for
 * the death of the first. Delay within the limit at p99 comes first, then the least cost, then the least load; a set
 * is kept until another is clearly better, so that it does not swing with every measurement. A pure function of the
 * link table, what is wanted, and what was chosen before.
 */
import { overlap, type Path, p99Ms, pathsOf, type RouteTable } from "./route-paths.ts";

export interface RouteWant {
  readonly from: string;
  readonly to: string;
  /** What the stream takes. */
  readonly kbps: number;
  /** 1 = one direct path, 0 = any number. */
  readonly paths: 0 | 1;
  /** No relays: this edge is one itself. */
  readonly isDirectOnly?: boolean;
  /** Ids of paths that a relay has refused a moment ago: taken when there are no others. */
  readonly barred?: ReadonlySet<string>;
}

export interface PathSet {
  /** Fragments are split over these by expected arrival. */
  readonly active: readonly Path[];
  /** Repairs, and what takes over at once. */
  readonly spare: readonly Path[];
  /** Every path looked at and what was thought of it, the chosen ones first. */
  readonly explain: () => readonly string[];
  /** Why the first path is the first. */
  readonly why: string;
}

/** 99 frames of 100 from edge to edge within this (DESIGN §8). */
export const P99_LIMIT_MS = 100;
/** A path chosen is kept up to here: measurements swing. */
const KEEP_FACTOR = 1.1;
/** Another is taken for its cost when it costs this much less, or for its load. */
const CHEAPER_FACTOR = 0.8;
const LOAD_LESS = 0.25;
/** A path filled beyond this counts as too small. */
const LOAD_MAX = 0.85;
/** Active and standing by, at most. */
const ACTIVE_MAX = 3;
const SPARE_MAX = 2;
/** A spare path is worth this many ms for each end it shares with the first. */
const OVERLAP_MS = 25;
/** What a path on probation counts as slower. */
const PROBATION_MS = 1000;
const REASONS_MAX = 12;
const RELAYED_ENDS = 4;

interface Judged {
  readonly path: Path;
  readonly p99Ms: number;
  readonly isInTime: boolean;
  readonly hasRoom: boolean;
}

export const NOTHING: PathSet = { active: [], spare: [], explain: () => [], why: "no path is up" };

export function route(table: RouteTable, want: RouteWant, before?: PathSet): PathSet {
  const free = candidates(table, want);
  const { barred: _, ...open } = want;
  const all = free.length > 0 ? free : candidates(table, open);
  const judged = judge(all, want, before);
  if (judged.length === 0) return NOTHING;
  const { first, why } = chooseFirst(judged, before);
  if (want.paths === 1) return describe(judged, [first], [], why);
  const active = fill(judged, first, want.kbps);
  return describe(judged, active, spares(judged, active), why);
}

/** Relays are looked at only where they could help: a relayed path pays at four ends, a direct one at two. */
function candidates(table: RouteTable, want: RouteWant): readonly Path[] {
  const isFree = ({ id }: Path): boolean => want.barred?.has(id) !== true;
  const direct = pathsOf(table, want.from, want.to, want.kbps, false).filter(isFree);
  if (want.paths === 1 || want.isDirectOnly === true) return direct;
  const best = judge(direct, want, undefined)[0];
  const isCheap = best !== undefined && best.path.cost <= RELAYED_ENDS * table.costMin;
  if (isCheap && best.isInTime && best.hasRoom && direct.length > SPARE_MAX) return direct;
  return pathsOf(table, want.from, want.to, want.kbps, true).filter(isFree);
}

function judge(all: readonly Path[], want: RouteWant, before: PathSet | undefined): Judged[] {
  const quickest = [...all].sort((a, b) => repairMs(a) - repairMs(b)).slice(0, 2);
  const kept = new Set(before?.active.map(({ id }) => id));
  const judged = all.map((path): Judged => {
    const other = want.paths === 1 ? undefined : quickest.find(({ id }) => id !== path.id);
    const isDoubtful = path.links.some(({ isOnProbation }) => isOnProbation === true);
    const p99 = p99Ms(path, other) + (isDoubtful ? PROBATION_MS : 0);
    const limit = P99_LIMIT_MS * (kept.has(path.id) ? KEEP_FACTOR : 1);
    return { path, p99Ms: p99, isInTime: p99 <= limit, hasRoom: path.load <= LOAD_MAX };
  });
  return judged.sort(compare);
}

function repairMs({ delayMs, jitterMs, loss, rttMs, links }: Path): number {
  const isDoubtful = links.some(({ isOnProbation }) => isOnProbation === true);
  return (isDoubtful ? PROBATION_MS : 0) + delayMs + 3 * jitterMs + loss * rttMs;
}

/** Better ones first: in time, with room, cheap, little loaded, quick. */
function compare(a: Judged, b: Judged): number {
  if (a.isInTime !== b.isInTime) return a.isInTime ? -1 : 1;
  if (!a.isInTime) return a.p99Ms - b.p99Ms;
  if (a.hasRoom !== b.hasRoom) return a.hasRoom ? -1 : 1;
  if (a.path.cost !== b.path.cost) return a.path.cost - b.path.cost;
  const load = Math.round(a.path.load * 4) - Math.round(b.path.load * 4);
  if (load !== 0) return load;
  return a.p99Ms - b.p99Ms || (a.path.id < b.path.id ? -1 : 1);
}

function chooseFirst(
  judged: readonly Judged[],
  before: PathSet | undefined,
): { first: Judged; why: string } {
  const best = judged[0] as Judged;
  const held = judged.find(({ path }) => path.id === before?.active[0]?.id);
  if (held === undefined) {
    const isNew = before?.active[0] === undefined;
    return {
      first: best,
      why: isNew ? reasonOf(best) : `the one before is gone; ${reasonOf(best)}`,
    };
  }
  if (best === held) return { first: held, why: `still the best: ${reasonOf(held)}` };
  if (held.isInTime !== best.isInTime) {
    const text = `the one before takes ${ms(held.p99Ms)} at p99`;
    return { first: best, why: `${text}; ${reasonOf(best)}` };
  }
  if (!held.isInTime && best.p99Ms < held.p99Ms * CHEAPER_FACTOR) {
    return { first: best, why: `quicker than the one before; ${reasonOf(best)}` };
  }
  if (!held.isInTime) return { first: held, why: `kept: no other is clearly quicker` };
  if (held.hasRoom !== best.hasRoom) {
    return { first: best, why: `the one before is full; ${reasonOf(best)}` };
  }
  if (best.path.cost < held.path.cost * CHEAPER_FACTOR) {
    return { first: best, why: `cheaper than the one before; ${reasonOf(best)}` };
  }
  const isEven = best.path.cost === held.path.cost;
  if (isEven && best.path.load < held.path.load - LOAD_LESS) {
    return { first: best, why: `less loaded than the one before; ${reasonOf(best)}` };
  }
  return { first: held, why: `kept: no other is clearly better; ${reasonOf(held)}` };
}

function reasonOf({ path, p99Ms: p99, isInTime }: Judged): string {
  const { cost } = path;
  if (!isInTime) return `the quickest, ${ms(p99)} at p99, though over ${P99_LIMIT_MS} ms`;
  return `the cheapest within ${P99_LIMIT_MS} ms: cost ${round(cost)}, ${ms(p99)} at p99`;
}

/** Further paths at the same price, while the first ones alone have not the room. */
function fill(judged: readonly Judged[], first: Judged, kbps: number): Judged[] {
  const active = [first];
  let roomKbps = roomOf(first, kbps);
  for (const one of judged) {
    if (roomKbps >= kbps || active.length === ACTIVE_MAX) break;
    if (active.includes(one) || one.isInTime !== first.isInTime) continue;
    active.push(one);
    roomKbps += roomOf(one, kbps);
  }
  return active;
}

/** `load` counts the stream in already. */
function roomOf({ path }: Judged, kbps: number): number {
  return path.load <= LOAD_MAX ? kbps : (kbps * LOAD_MAX) / path.load;
}

/** Those that repair soonest, rather elsewhere than where the first ones go, and dear ones only if they must. */
function spares(judged: readonly Judged[], active: readonly Judged[]): Judged[] {
  const first = active[0] as Judged;
  const left = judged.filter((one) => !active.includes(one));
  const value = ({ path }: Judged): number => {
    const dear = Math.max(0, path.cost / Math.max(1e-9, first.path.cost) - 1);
    return repairMs(path) + OVERLAP_MS * overlap(first.path, path) + Math.min(40, 4 * dear);
  };
  return left.sort((a, b) => value(a) - value(b)).slice(0, SPARE_MAX);
}

function describe(
  judged: readonly Judged[],
  active: readonly Judged[],
  spare: readonly Judged[],
  why: string,
): PathSet {
  const explain = (): string[] => {
    const rest = judged.filter((one) => !active.includes(one) && !spare.includes(one));
    const more = "the first alone has not the room";
    return [
      ...active.map((one, i) => text("takes", one, i === 0 ? why : more)),
      ...spare.map((one) => text("spare", one, "repairs, and takes over")),
      ...rest.map((one) => text("left", one, leftBecause(one, active[0] as Judged))),
    ].slice(0, REASONS_MAX);
  };
  const paths = (of: readonly Judged[]): Path[] => of.map(({ path }) => path);
  return { active: paths(active), spare: paths(spare), explain, why };
}

function leftBecause(one: Judged, first: Judged): string {
  if (!one.isInTime) return `over ${P99_LIMIT_MS} ms`;
  if (!one.hasRoom) return "full";
  if (one.path.cost > first.path.cost) return "dearer";
  return "no better";
}

function text(verb: string, { path, p99Ms: p99 }: Judged, because: string): string {
  const figures = [
    `delay ${ms(path.delayMs)}`,
    `p99 ${ms(p99)}`,
    `loss ${round(path.loss * 100)} %`,
    `cost ${round(path.cost)}`,
    `load ${Math.round(path.load * 100)} %`,
  ];
  return `${verb} ${path.id}: ${figures.join(", ")}; ${because}`;
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
