/** A viewer as the edge knows it: what it reports, what it carries, and who feeds it. Plain data for edge-swarm.ts. */
import { type Ms, ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";
import type { Address } from "../../wire/address.ts";
import type { ReportPacket } from "../../wire/swarm.ts";
import type { SwarmParams } from "../swarm-params.ts";

/** Peers remembered as not to be had; a member has seldom met so many. */
const AVOIDED_MAX = 256;
/** Who was introduced is not again for this long: the two have met, or cannot. */
const INTRODUCED_MS = 60_000;
const INTRODUCED_MAX = 512;
/** A train is too short to tell more than this, bit/s. */
const TRAIN_BPS_MAX = 20_000_000;

/** (super node, sub-stream): pushed to by the edge, pushes on to its children. */
export interface Slot {
  readonly holder: Member;
  readonly subStream: number;
  readonly children: Set<Member>;
  /** Children it may have now; grows while its uplink bears it. */
  limit: number;
  rampAt: Ms;
  readonly openedAt: Ms;
}

export class Member {
  readonly session: Session;
  /** 8 B, and as a map key. */
  readonly node: Uint8Array;
  readonly key: string;
  readonly ticketKey: Uint8Array;
  readonly region: number;
  readonly joinedAt: Ms;
  /** Addresses it says it has beside the one we see. */
  ownAddresses: readonly Address[] = [];
  report: ReportPacket | undefined;
  /** Largest push rate seen without congestion, bit/s. */
  provenBps = 0;
  /** What its uplink has been seen not to bear, bit/s of pushes; creeps up again while it is calm. */
  ceilingBps = Number.POSITIVE_INFINITY;
  /** Slots it holds, by sub-stream. */
  readonly slots = new Map<number, Slot>();
  /** Who feeds it each sub-stream; undefined = the edge. */
  readonly parents: (Slot | undefined)[];
  /** Peers it could not reach, or lost, until when; and holders it has reached; by key. */
  readonly #avoided = new Map<string, Ms>();
  readonly reached = new Set<string>();
  /** Whom it was introduced to, either way, when, by key. */
  readonly #introduced = new Map<string, Ms>();
  /** As a guest: holders it could and could not reach. Who fails often sits behind a NAT that few can meet. */
  guestOk = 0;
  guestFails = 0;
  /** When others were last asked to make room for it. */
  soughtAt: Ms = ms(Number.NEGATIVE_INFINITY);
  /** Attempts to place it that have failed one after the other. */
  failedRounds = 0;
  /** As a holder: hard guests (see `isHardGuest`) that could and could not reach it. */
  hardOk = 0;
  hardFails = 0;
  /** Not to be given another parent before this. */
  retryAt: Ms;
  /** Share of those sent to it who could connect to it, smoothed; 1 until somebody could not. */
  reach = 1;
  /** Children lost since then, by orphan messages. */
  orphansSince: Ms;
  orphans = 0;

  constructor(
    session: Session,
    node: Uint8Array,
    ticketKey: Uint8Array,
    region: number,
    now: Ms,
    subStreams: number,
  ) {
    this.session = session;
    this.node = node;
    this.key = nodeKey(node);
    this.ticketKey = ticketKey;
    this.region = region;
    this.joinedAt = now;
    this.orphansSince = now;
    this.retryAt = now;
    this.parents = new Array<Slot | undefined>(subStreams).fill(undefined);
  }

  /** Most NATs do not let it meet others (a symmetric one, as a rule): it needs holders that anybody can reach. */
  get isHardGuest(): boolean {
    return this.guestFails >= 2 && this.guestFails > this.guestOk;
  }

  /** The other side of the same: hard guests have reached it. */
  get isOpenHolder(): boolean {
    return this.hardOk > this.hardFails;
  }

  /** Not to be sent to `holder` before `until`. */
  avoid(holder: Member, until: Ms): void {
    if (this.#avoided.size >= AVOIDED_MAX) this.#avoided.clear();
    this.#avoided.set(holder.key, until);
  }

  isAvoiding(now: Ms, holder: Member): boolean {
    return now < (this.#avoided.get(holder.key) ?? now);
  }

  noteIntroduced(now: Ms, other: Member): void {
    if (this.#introduced.size >= INTRODUCED_MAX) this.#introduced.clear();
    this.#introduced.set(other.key, now);
  }

  wasIntroduced(now: Ms, other: Member): boolean {
    const at = this.#introduced.get(other.key);
    return at !== undefined && now - at < INTRODUCED_MS;
  }

  /** As far as is known, it can connect to `holder`. */
  mayMeet(now: Ms, holder: Member): boolean {
    if (holder === this) return false;
    if (holder.hardFails > 0 && !holder.isOpenHolder && this.isHardGuest) return false;
    return !this.isAvoiding(now, holder);
  }

  get addresses(): Address[] {
    return [this.session.address, ...this.ownAddresses].slice(0, 4);
  }

  /**
   * Uplink it may be trusted with, bit/s: what congestion showed, else what its train of packets showed or half as much
   * again as was proven in use.
   */
  uplinkBps(params: SwarmParams): number {
    const limit = this.report?.limitBps ?? 0;
    const train = this.session.train?.rateBps ?? 0;
    const guess =
      train > 0 ? Math.min(TRAIN_BPS_MAX, train) * params.trainShare : params.uplinkGuessBps;
    const hoped = Math.max(guess, 1.5 * (this.provenBps / params.pushShare));
    const borne = Math.min(hoped, this.ceilingBps / params.pushShare);
    return limit > 0 ? Math.min(limit, borne) : borne;
  }

  /** Children its slots may have in all, at `childBps` each. */
  childrenAffordable(params: SwarmParams, childBps: number, share = params.pushShare): number {
    if (this.report === undefined || this.report.consumeOnly || this.report.metered) return 0;
    return Math.floor((this.uplinkBps(params) * share) / Math.max(1, childBps));
  }

  /** Children its slots have. */
  get childCount(): number {
    let sum = 0;
    for (const slot of this.slots.values()) sum += slot.children.size;
    return sum;
  }

  /** Children its slots are good for now. */
  childrenPromised(): number {
    let sum = 0;
    for (const slot of this.slots.values()) sum += slot.limit;
    return sum;
  }
}

export function nodeKey(node: Uint8Array): string {
  let key = "";
  for (const byte of node) key += byte.toString(16).padStart(2, "0");
  return key;
}
