/**
 * All streams on their way from here to other edges, and the paths they take: a fragment that comes into the edge goes
 * to every trunk of its stream; links that change have the router asked again at once, everything else each second.
 */
import { type Ms, ms, NEVER } from "../../base/time.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import type { Session } from "../../core/session/session.ts";
import { TimerHeap } from "../../core/time/timer-heap.ts";
import type { EpochSource } from "../intake.ts";
import type { MeshEvent, MeshOptions, RouteText } from "./mesh-api.ts";
import type { MeshLink } from "./mesh-link.ts";
import type { MeshLinks } from "./mesh-links.ts";
import type { MeshTable } from "./mesh-table.ts";
import type { Path, RouteLink, RouteTable } from "./route-paths.ts";
import { type PathSet, route } from "./router.ts";
import { Trunk, type TrunkHost } from "./trunk.ts";
import type { Leg } from "./trunk-leg.ts";

/** All routes are thought over so often, and those with a bad link. */
const ROUTE_MS = 1000;
const WATCH_MS = 100;
/** A link losing so much of the last packets is looked at before its turn. */
const BAD_LOSS = 0.2;
/** A relay that refused, or could not pass on, is asked again after this. */
const BARRED_MS = 5000;
/** Assumed of a stream that has sent nothing yet, kbit/s. */
const KBPS_FIRST = 1000;
/** Edges that one stream is sent to. */
export const TRUNKS_MAX = 4096;

export interface TrunksHost {
  readonly hot: HotPath;
  event(event: MeshEvent): void;
  /** What is here of a stream. */
  source(name: string): EpochSource | undefined;
}

export class MeshTrunks implements TrunkHost {
  readonly hot: HotPath;
  readonly #host: TrunksHost;
  readonly #options: MeshOptions;
  readonly #links: MeshLinks;
  readonly #table: MeshTable;
  /** By stream, then by edge. */
  readonly #byName = new Map<string, Map<string, Trunk>>();
  readonly #relayed = new Set<Trunk>();
  readonly #legs = new Map<Session, Map<number, { leg: Leg; trunk: Trunk }>>();
  readonly #barred = new Map<Trunk, Map<string, Ms>>();
  readonly #timers = new TimerHeap<Trunk>();
  #routeAt: Ms = NEVER;
  #watchAt: Ms = NEVER;

  constructor(host: TrunksHost, options: MeshOptions, links: MeshLinks, table: MeshTable) {
    this.hot = host.hot;
    this.#host = host;
    this.#options = options;
    this.#links = links;
    this.#table = table;
  }

  *all(): Generator<Trunk> {
    for (const byEdge of this.#byName.values()) yield* byEdge.values();
    yield* this.#relayed;
  }

  /* ---------------------------------------------------------------- who is sent what */

  /** False when there are too many already. */
  subscribe(now: Ms, name: string, edgeId: string): boolean {
    const byEdge = this.#byName.get(name) ?? new Map<string, Trunk>();
    if (byEdge.has(edgeId)) return true;
    if (byEdge.size >= TRUNKS_MAX) return false;
    this.#byName.set(name, byEdge);
    const trunk = new Trunk(this, name, edgeId, false);
    byEdge.set(edgeId, trunk);
    const source = this.#host.source(name);
    if (source !== undefined) trunk.begin(now, source);
    this.routeTrunk(now, trunk);
    this.#host.event({ type: "streamSubscribed", stream: name, edgeId });
    return true;
  }

  unsubscribe(now: Ms, name: string, edgeId: string): void {
    const byEdge = this.#byName.get(name);
    const trunk = byEdge?.get(edgeId);
    if (byEdge === undefined || trunk === undefined) return;
    byEdge.delete(edgeId);
    if (byEdge.size === 0) this.#byName.delete(name);
    this.closeTrunk(now, trunk);
    this.#host.event({ type: "streamUnsubscribed", stream: name, edgeId });
  }

  /** Edges that are members no more are sent nothing. */
  keep(now: Ms, edgeIds: ReadonlySet<string>): void {
    for (const [name, byEdge] of this.#byName) {
      for (const edgeId of byEdge.keys()) {
        if (!edgeIds.has(edgeId)) this.unsubscribe(now, name, edgeId);
      }
    }
  }

  newTrunk(name: string, to: string): Trunk {
    const trunk = new Trunk(this, name, to, true);
    this.#relayed.add(trunk);
    return trunk;
  }

  closeTrunk(now: Ms, trunk: Trunk): void {
    forget(trunk.end(now));
    this.#timers.remove(trunk);
    this.#relayed.delete(trunk);
    this.#barred.delete(trunk);
  }

  /* ---------------------------------------------------------------- the edge's streams */

  begin(now: Ms, name: string, source: EpochSource): void {
    for (const trunk of this.#byName.get(name)?.values() ?? []) {
      trunk.begin(now, source);
      this.routeTrunk(now, trunk);
    }
  }

  /** The run is over; gives the sessions that know it, to be kept until its last fragments have arrived. */
  end(now: Ms, name: string): (readonly [Session, number])[] {
    const bound: (readonly [Session, number])[] = [];
    for (const trunk of this.#byName.get(name)?.values() ?? []) bound.push(...trunk.end(now));
    return bound;
  }

  fragment(
    now: Ms,
    name: string,
    number: number,
    index: number,
    total: number,
    flags: number,
    bytes: number,
  ): void {
    const byEdge = this.#byName.get(name);
    if (byEdge === undefined) return;
    for (const trunk of byEdge.values()) trunk.fragment(now, number, index, total, flags, bytes);
  }

  /* ---------------------------------------------------------------- legs */

  linkOf(path: Path): MeshLink | undefined {
    const { fromLine, to, toLine } = path.links[0] as RouteLink;
    return this.#links.find(fromLine, to, toLine);
  }

  addLeg(leg: Leg, trunk: Trunk): void {
    const legs = this.#legs.get(leg.session) ?? new Map<number, { leg: Leg; trunk: Trunk }>();
    legs.set(leg.index, { leg, trunk });
    this.#legs.set(leg.session, legs);
  }

  removeLeg(leg: Leg): void {
    this.#legs.get(leg.session)?.delete(leg.index);
  }

  legOf(session: Session, index: number): { leg: Leg; trunk: Trunk } | undefined {
    return this.#legs.get(session)?.get(index);
  }

  handleOpened(session: Session): void {
    session.queue.settler = {
      handleAcked: (stream, number) => {
        const found = this.legOf(session, stream);
        found?.trunk.handleAcked(found.leg, number);
      },
      handleLost: (now, stream, number) => {
        const found = this.legOf(session, stream);
        found?.trunk.handleLost(now, found.leg, number);
      },
      handleDropped: (_now, stream, first, count) => {
        this.legOf(session, stream)?.trunk.handleDropped(first, count);
      },
    };
  }

  handleClosed(session: Session): void {
    this.#legs.delete(session);
  }

  /** A relay cannot pass on: its path is left for a while. */
  handleRelayOff(now: Ms, session: Session, index: number, reason: string): void {
    const found = this.legOf(session, index);
    if (found === undefined) return;
    const { leg, trunk } = found;
    const barred = this.#barred.get(trunk) ?? new Map<string, Ms>();
    for (const path of [...trunk.paths.active, ...trunk.paths.spare]) {
      if (path.links[0]?.to === leg.path.links[0]?.to && path.links.length > 1) {
        barred.set(path.id, ms(now + BARRED_MS));
      }
    }
    this.#barred.set(trunk, barred);
    this.#say(trunk, `relay ${leg.link.edgeId}: ${reason}`);
    this.routeTrunk(now, trunk);
  }

  /** A link has come up or gone down: what uses it, or had no way, goes another. */
  handleLink(now: Ms, link: MeshLink): void {
    for (const trunk of this.all()) {
      const isUsed = trunk.legs.some((leg) => leg.link === link);
      if (!isUsed && trunk.to !== link.edgeId) continue;
      if (isUsed && !link.canCarry) trunk.handleLinkDown(now, link);
      this.routeTrunk(now, trunk);
    }
  }

  /* ---------------------------------------------------------------- routes */

  routeTrunk(now: Ms, trunk: Trunk): void {
    this.#route(now, trunk, this.#table.read(now, this.#links));
    if (this.#routeAt === NEVER) this.#routeAt = ms(now + ROUTE_MS);
    if (this.#watchAt === NEVER) this.#watchAt = ms(now + WATCH_MS);
  }

  #route(now: Ms, trunk: Trunk, table: RouteTable): void {
    const before = trunk.paths;
    const measured = (trunk.meter.bytesPerSecond(now) * 8) / 1000;
    const set = route(
      table,
      {
        from: this.#options.edgeId,
        to: trunk.to,
        kbps: measured === 0 ? KBPS_FIRST : measured,
        paths: this.#options.paths,
        isDirectOnly: trunk.isRelay,
        barred: this.#barredOf(now, trunk),
      },
      before,
    );
    const isChanged = set.active[0]?.id !== before.active[0]?.id;
    trunk.setPaths(now, set);
    if (isChanged) this.#say(trunk, `${set.active[0]?.id ?? "nothing"}: ${set.why}`);
  }

  #barredOf(now: Ms, trunk: Trunk): ReadonlySet<string> {
    const barred = this.#barred.get(trunk);
    const ids = new Set<string>();
    for (const [id, until] of barred ?? []) {
      if (until > now) ids.add(id);
      else barred?.delete(id);
    }
    return ids;
  }

  #say(trunk: Trunk, text: string): void {
    this.#host.event({ type: "route", stream: trunk.name, edgeId: trunk.to, text });
  }

  explain(now: Ms): RouteText[] {
    return [...this.all()].map((trunk) => ({
      stream: trunk.name,
      edgeId: trunk.to,
      isRelay: trunk.isRelay,
      fragments: trunk.fragmentsOut,
      repaired: trunk.repaired,
      doubled: trunk.doubled,
      kbps: (trunk.meter.bytesPerSecond(now) * 8) / 1000,
      lines: trunk.paths.explain(),
    }));
  }

  /* ---------------------------------------------------------------- time */

  touch(trunk: Trunk): void {
    this.#timers.set(trunk, trunk.nextTimeout());
  }

  nextTimeout(): Ms {
    return ms(Math.min(this.#timers.next(), this.#routeAt, this.#watchAt));
  }

  handleTimeout(now: Ms): void {
    for (;;) {
      const trunk = this.#timers.due(now);
      if (trunk === undefined) break;
      trunk.handleTimeout(now);
      this.#timers.set(trunk, ms(Math.max(trunk.nextTimeout(), now + 0.01)));
    }
    if (now >= this.#routeAt) this.#routeAll(now);
    else if (now >= this.#watchAt) this.#watch(now);
  }

  #routeAll(now: Ms): void {
    const used = new Set<MeshLink>();
    let table: RouteTable | undefined;
    let count = 0;
    for (const trunk of this.all()) {
      table ??= this.#table.read(now, this.#links);
      this.#route(now, trunk, table);
      trunk.sendClocks(now);
      for (const leg of trunk.legs) used.add(leg.link);
      count++;
    }
    for (const link of this.#links.all()) {
      if (link.isActive && !used.has(link)) link.setActive(now, false);
    }
    this.#routeAt = count === 0 ? NEVER : ms(now + ROUTE_MS);
    this.#watchAt = count === 0 ? NEVER : ms(now + WATCH_MS);
  }

  #watch(now: Ms): void {
    this.#watchAt = ms(now + WATCH_MS);
    let table: RouteTable | undefined;
    for (const trunk of this.all()) {
      if (!trunk.legs.some((leg) => leg.isActive && isBad(leg))) continue;
      table ??= this.#table.read(now, this.#links);
      this.#route(now, trunk, table);
    }
  }
}

function isBad(leg: Leg): boolean {
  return !leg.isUsable || leg.link.meter.recentLoss > BAD_LOSS;
}

/** The sessions look for these fragments no more. */
export function forget(bound: readonly (readonly [Session, number])[]): void {
  for (const [session, index] of bound) {
    if (!session.isOpen) continue;
    session.queue.dropStream(index);
    session.sources.delete(index);
  }
}

export type { PathSet };
