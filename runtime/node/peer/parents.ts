/**
 * Who feeds this peer each sub-stream: the edge, or a parent that the edge has named. Parents are connected to with
 * their ticket, watched for silence, and given up to the edge when they fail; the edge is told by `orphan` and
 * `subscribe`.
 */
import { serialDiff } from "../../base/serial.ts";
import { type Ms, ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";
import type { ParentEntry } from "../../wire/control-swarm.ts";
import type { PeerRef } from "../../wire/swarm.ts";
import { nodeKey } from "../edge-swarm/member.ts";
import type { SwarmParams } from "../swarm-params.ts";
import type { Neighbour } from "./neighbours.ts";

/** A parent's sub-stream must lag behind the others by this many of its own fragments to count as silent. */
const SILENT_ROUNDS = 3;

/** A parent's lag before anything was seen of it, and what is added to the usual one. */
const LAG_FIRST_MS = 200;
const LATE_MARGIN_MS = 30;

/** What parents need of the peer they belong to. */
export interface ParentsHost {
  /** The session to a node, if there is one. */
  neighbour(key: string): Neighbour | undefined;
  /** Begins a CONNECT as the node's child for `mask`, from fragment `from` on. */
  connect(now: Ms, ref: PeerRef, mask: number, from: number): void;
  /** First fragment of sub-stream k that is missing and wanted. */
  firstMissing(k: number): number;
  /** Sub-streams the edge need not push any more. */
  releaseEdge(now: Ms, mask: number): void;
  orphan(now: Ms, mask: number, node: Uint8Array, from: number): void;
  /** Sub-streams a parent is to push. */
  subscribeParent(now: Ms, session: Session, mask: number, from: number | undefined): void;
}

interface Parent {
  readonly key: string;
  readonly node: Uint8Array;
  /** Undefined while it is being connected to. */
  session: Session | undefined;
  mask: number;
  readonly since: Ms;
}

export class Parents {
  readonly #params: SwarmParams;
  readonly #host: ParentsHost;
  readonly #parents = new Map<string, Parent>();
  /** Newest fragment seen of each sub-stream, and when it came. */
  readonly #newest: number[];
  readonly #seenAt: Ms[];
  /** Usual age of a sub-stream's fragments on arrival, ms, and its mean deviation (as RTT is estimated, RFC 6298). */
  readonly #lagMs: number[];
  readonly #lagVarMs: number[];
  #newestOfAll = 0;
  #hasSeen = false;
  orphaned = 0;

  constructor(params: SwarmParams, host: ParentsHost) {
    this.#params = params;
    this.#host = host;
    this.#newest = new Array<number>(params.subStreams).fill(0);
    this.#seenAt = new Array<Ms>(params.subStreams).fill(ms(Number.NEGATIVE_INFINITY));
    this.#lagMs = new Array<number>(params.subStreams).fill(LAG_FIRST_MS);
    this.#lagVarMs = new Array<number>(params.subStreams).fill(LAG_FIRST_MS / 2);
  }

  /** Sub-streams that come from parents whose session stands. */
  get heldMask(): number {
    let mask = 0;
    for (const parent of this.#parents.values())
      if (parent.session !== undefined) mask |= parent.mask;
    return mask >>> 0;
  }

  get count(): number {
    return this.#parents.size;
  }

  /** Sub-streams a node pushes to us. */
  maskOf(key: string): number {
    const parent = this.#parents.get(key);
    return parent?.session === undefined ? 0 : parent.mask;
  }

  isParent(key: string): boolean {
    return this.#parents.has(key);
  }

  /** A new run of the encoder numbers its fragments anew. */
  reset(now: Ms): void {
    this.#hasSeen = false;
    this.#seenAt.fill(now);
    this.#newest.fill(0);
  }

  /** The edge says who the parents of some sub-streams are. */
  handleParents(now: Ms, list: readonly ParentEntry[]): void {
    for (const { mask, peer, from } of list) {
      if (peer === undefined) this.#release(now, mask, () => true);
      else this.#take(now, peer, mask, from ?? this.#from(mask));
    }
  }

  /** Who has pushed so far goes on until the new one stands: nothing is missed on the way. */
  #take(now: Ms, ref: PeerRef, mask: number, from: number): void {
    const key = nodeKey(ref.node);
    const isPending = (each: Parent) => each.session === undefined;
    this.#release(now, mask, (each) => isPending(each) && each.key !== key);
    let parent = this.#parents.get(key);
    if (parent === undefined) {
      const session = this.#host.neighbour(key)?.session;
      parent = { key, node: ref.node, session, mask, since: now };
      this.#parents.set(key, parent);
      if (session === undefined) this.#host.connect(now, ref, mask, from);
    } else parent.mask = (parent.mask | mask) >>> 0;
    if (parent.session !== undefined) {
      this.#release(now, mask, (each) => each !== parent);
      this.#host.subscribeParent(now, parent.session, parent.mask, from);
      this.#host.releaseEdge(now, mask);
    }
    for (let k = 0; k < this.#params.subStreams; k++) {
      if (((mask >>> k) & 1) === 1) this.#seenAt[k] = now;
    }
  }

  /** Takes sub-streams away from those who have them. */
  #release(now: Ms, mask: number, isMeant: (parent: Parent) => boolean): void {
    for (const parent of this.#parents.values()) {
      if ((parent.mask & mask) === 0 || !isMeant(parent)) continue;
      parent.mask = (parent.mask & ~mask) >>> 0;
      if (parent.mask === 0) this.#parents.delete(parent.key);
      if (parent.session !== undefined) {
        this.#host.subscribeParent(now, parent.session, parent.mask, undefined);
      }
    }
  }

  /** A session to a node stands, whom it was `asked` to push a mask; wanted may be another one by now, or none. */
  handleConnected(now: Ms, key: string, session: Session, asked: number): void {
    const parent = this.#parents.get(key);
    if (parent === undefined) {
      if (asked !== 0) this.#host.subscribeParent(now, session, 0, undefined);
      return;
    }
    parent.session = session;
    this.#release(now, parent.mask, (each) => each !== parent);
    if (parent.mask !== asked) {
      this.#host.subscribeParent(now, session, parent.mask, this.#from(parent.mask));
    }
    this.#host.releaseEdge(now, parent.mask);
  }

  /** A parent could not be had, or is gone: its sub-streams are the edge's again. */
  handleLost(now: Ms, key: string): void {
    const parent = this.#parents.get(key);
    if (parent === undefined) return;
    this.#parents.delete(key);
    if (parent.mask === 0) return;
    this.#release(now, parent.mask, () => true);
    this.orphaned++;
    this.#host.orphan(now, parent.mask, parent.node, this.#from(parent.mask));
  }

  /** Age at which a missing fragment of sub-stream k is later than its parent ever is. */
  lateAfterMs(k: number): number {
    return (this.#lagMs[k] as number) + 4 * (this.#lagVarMs[k] as number) + LATE_MARGIN_MS;
  }

  /** The session of the parent of sub-stream k; undefined when the edge pushes it. */
  parentOf(k: number): Session | undefined {
    for (const parent of this.#parents.values()) {
      if (((parent.mask >>> k) & 1) === 1) return parent.session;
    }
    return undefined;
  }

  /**
   * A fragment has come fresh, from anybody; `isPushed`: by its parent, the first time. True when it came later than
   * that one's ever do: a queue may be growing there.
   */
  handleFresh(now: Ms, number: number, ageMs: number, isPushed: boolean): boolean {
    const k = number % this.#params.subStreams;
    const isLate = isPushed && ageMs > this.lateAfterMs(k);
    if (isPushed) {
      const error = ageMs - (this.#lagMs[k] as number);
      this.#lagMs[k] = (this.#lagMs[k] as number) + error / 8;
      const deviation = this.#lagVarMs[k] as number;
      this.#lagVarMs[k] = deviation + (Math.abs(error) - deviation) / 8;
    }
    if (!this.#hasSeen) {
      this.#hasSeen = true;
      this.#newest.fill(number);
      this.#newestOfAll = number;
      this.#seenAt.fill(now);
    }
    if (serialDiff(number, this.#newest[k] as number) > 0) {
      this.#newest[k] = number;
      this.#seenAt[k] = now;
    }
    if (serialDiff(number, this.#newestOfAll) > 0) this.#newestOfAll = number;
    return isLate;
  }

  /** Looks for parents that have fallen silent while the stream goes on, or never answered. */
  tick(now: Ms): void {
    const { parentDeadMs, parentConnectMs, subStreams } = this.#params;
    for (const parent of this.#parents.values()) {
      if (parent.session === undefined) {
        if (now - parent.since > parentConnectMs) this.handleLost(now, parent.key);
        continue;
      }
      for (let rest = parent.mask; rest !== 0; rest &= rest - 1) {
        const k = 31 - Math.clz32(rest & -rest);
        const lag = serialDiff(this.#newestOfAll, this.#newest[k] as number) / subStreams;
        const silentMs = now - (this.#seenAt[k] as Ms);
        if (lag < SILENT_ROUNDS || silentMs < parentDeadMs) continue;
        const { session } = parent;
        this.handleLost(now, parent.key);
        this.#host.subscribeParent(now, session, 0, undefined);
        break;
      }
    }
  }

  /** The first fragment wanted of any of the sub-streams. */
  #from(mask: number): number {
    let from = -1;
    for (let k = 0; k < this.#params.subStreams; k++) {
      if (((mask >>> k) & 1) === 0) continue;
      const missing = this.#host.firstMissing(k);
      if (from < 0 || serialDiff(missing, from) < 0) from = missing;
    }
    return from;
  }
}
