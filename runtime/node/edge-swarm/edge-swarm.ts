/**
 * The edge's part of one stream's swarm (docs/SWARM.md): who is there, who carries which sub-stream for whom, and who
 * may get to know whom. It decides and tells; pushing is the outlet's. Sub-streams without a slot are the edge's own
 * to push.
 */
import type { Random } from "../../base/prng.ts";
import { type Ms, ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";
import { type ReportPacket, TICKET_KEY_BYTES } from "../../wire/swarm.ts";
import type { Outlet } from "../edge/outlet.ts";
import type { SwarmParams } from "../swarm-params.ts";
import { Introductions } from "./edge-swarm-introductions.ts";
import { ParentAssignment } from "./edge-swarm-parents.ts";
import { SwarmRoom } from "./edge-swarm-room.ts";
import { Slots } from "./edge-swarm-slots.ts";
import { Member, nodeKey } from "./member.ts";

/** A holder that loses this many children it had within a second, and this share of them, counts as gone. */
const ORPHANS_MIN = 4;
const ORPHANS_SHARE = 0.25;
const ORPHAN_WINDOW_MS = 1000;
/** How a member's reachability (who could connect to it) is learnt. */
const REACH_GAIN = 0.2;
/** What a super node did not bear is tried again this slowly, a report. */
const CEILING_GROWTH = 1.02;
/** A guest that could not be placed waits this long, doubling with its failures. */
const RETRY_MS = 250;
const RETRY_MS_MAX = 10_000;
/** Whom it could not reach, and whom it has lost, a member is not sent to again for so long, ms. */
const UNMET_MS = 120_000;
const LOST_MS = 5000;
/** Start bursts by the edge: this share of the demand, and this many seconds of media in advance. */
const BURST_SHARE = 0.02;
const BURST_SECONDS_MAX = 1000;
/** And as many for each member: a crowd that comes at once gets them, the same crowd over and over does not. */
const BURST_SECONDS_EACH = 3;

export class EdgeSwarm {
  readonly #room: SwarmRoom;
  readonly #introductions: Introductions;
  readonly #parents: ParentAssignment;
  readonly #slots: Slots;
  #burstAt: Ms = ms(0);
  #burstDebt = 0;
  /** Under an egress cap that is reached, start bursts are left to the parents. */
  mayBurst = true;

  constructor(outlet: Outlet, random: Random, params: SwarmParams) {
    this.#room = new SwarmRoom(outlet, random, params);
    this.#introductions = new Introductions(this.#room);
    this.#parents = new ParentAssignment(this.#room, this.#introductions);
    this.#slots = new Slots(this.#room, this.#parents);
  }

  get memberCount(): number {
    return this.#room.list.length;
  }

  /** Sessions of members that hold at least one slot. */
  superNodes(): Session[] {
    return this.#room.list.filter(({ slots }) => slots.size > 0).map(({ session }) => session);
  }

  /** Members that hold at least one slot. */
  get superNodeCount(): number {
    let count = 0;
    for (const member of this.#room.list) if (member.slots.size > 0) count++;
    return count;
  }

  get slotCount(): number {
    return this.#room.slotCount;
  }

  get recruits(): number {
    return this.#slots.recruits;
  }

  get reliefs(): number {
    return this.#slots.reliefs;
  }

  /* ---------------------------------------------------------------- coming and going */

  /** A viewer's session stands: it learns its parents and some peers, and is pushed what has no slot. */
  join(now: Ms, session: Session, node: Uint8Array, region: number): void {
    const k = this.#room.params.subStreams;
    const key = new Uint8Array(TICKET_KEY_BYTES);
    this.#room.random.fill(key);
    const member = new Member(session, node, key, region, now, k);
    const before = this.#room.byKey.get(member.key);
    if (before !== undefined) this.leave(now, before.session);
    this.#room.add(member);
    session.sendControl(now, { t: "welcome", key, k, region, seen: session.address });
    const all = maskOfAll(k);
    const parents = this.#parents.assignAll(now, member, all);
    let mask = all;
    for (const entry of parents) mask &= ~entry.mask;
    const from = this.#takeBurst(now) ? this.#room.outlet.source?.index.next() : undefined;
    const burst = from === undefined ? mask >>> 0 : all;
    this.#room.outlet.add(now, session, { mask: mask >>> 0, k, burst });
    const list = parents.map((entry) => ({ ...entry, from }));
    if (list.length > 0) session.sendControl(now, { t: "parents", list });
    this.#introductions.introduce(now, member, this.#room.params.candidates);
  }

  /**
   * Whether the edge gives a joiner the whole start burst: the quickest start. In a rush it leaves what has parents to
   * the parents, lest bursts become most of what it sends.
   */
  #takeBurst(now: Ms): boolean {
    if (!this.mayBurst) return false;
    const { bitrateBps, list } = this.#room;
    const bytesPerMs = (bitrateBps / 8000) * BURST_SHARE * list.length;
    const elapsedMs = Math.max(0, now - this.#burstAt);
    this.#burstAt = now;
    this.#burstDebt = Math.max(0, this.#burstDebt - elapsedMs * bytesPerMs);
    const bytes = this.#room.outlet.burstBytes(now);
    const seconds = BURST_SECONDS_MAX + BURST_SECONDS_EACH * list.length;
    if (this.#burstDebt + bytes > (bitrateBps / 8) * seconds) return false;
    this.#burstDebt += bytes;
    return true;
  }

  leave(now: Ms, session: Session): void {
    const member = this.#room.members.get(session);
    if (member === undefined) return;
    this.#room.remove(member);
    for (const slot of member.parents) slot?.children.delete(member);
    for (const slot of [...member.slots.values()]) this.#slots.closeSlot(now, slot);
  }

  /* ---------------------------------------------------------------- what members say */

  handleReport(now: Ms, session: Session, report: ReportPacket): void {
    const member = this.#room.members.get(session);
    if (member === undefined) return;
    member.report = report;
    if (report.congested) {
      member.provenBps = Math.min(member.provenBps, report.pushBps);
      member.ceilingBps = Math.max(this.#room.childBps, 0.8 * report.pushBps);
    } else {
      member.provenBps = Math.max(member.provenBps, report.pushBps);
      member.ceilingBps *= CEILING_GROWTH;
    }
    for (const slot of member.slots.values()) this.#slots.ramp(now, member, slot, report);
  }

  /** A parent is lost to its child: the edge pushes those sub-streams until there is another. */
  handleOrphan(now: Ms, session: Session, mask: number, node: Uint8Array): void {
    const member = this.#room.members.get(session);
    if (member === undefined) return;
    const holder = this.#room.byKey.get(nodeKey(node));
    let isNew = false;
    for (let k = 0; k < this.#room.params.subStreams; k++) {
      if (((mask >>> k) & 1) === 0) continue;
      const slot = member.parents[k];
      if (slot === undefined || slot.holder !== holder) continue;
      this.#parents.detach(member, slot);
      isNew = true;
    }
    if (holder === undefined || !isNew) return;
    const hasMet = member.reached.has(holder.key);
    member.avoid(holder, ms(now + (hasMet ? LOST_MS : UNMET_MS)));
    if (!hasMet) {
      this.#handleUnreached(now, member, holder);
      return;
    }
    if (now - holder.orphansSince > ORPHAN_WINDOW_MS) {
      holder.orphansSince = now;
      holder.orphans = 0;
    }
    const isGone = ++holder.orphans >= Math.max(ORPHANS_MIN, ORPHANS_SHARE * holder.childCount);
    if (!isGone) return;
    holder.orphans = 0;
    for (const slot of [...holder.slots.values()]) this.#slots.closeSlot(now, slot);
  }

  /** They could not meet: bad luck of these two, or one of them sits behind a hard NAT. */
  #handleUnreached(now: Ms, guest: Member, holder: Member): void {
    if (guest.isHardGuest) holder.hardFails++;
    else holder.reach -= holder.reach * REACH_GAIN;
    guest.guestFails++;
    if (now < guest.retryAt) return; /* of the same round */
    const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** Math.min(8, guest.failedRounds++));
    guest.retryAt = ms(now + waitMs * (0.5 + this.#room.random.next()));
  }

  /** Sub-streams that a member gets from parents it has reached. */
  handleRelease(session: Session, mask: number): void {
    const member = this.#room.members.get(session);
    if (member === undefined) return;
    for (let k = 0; k < this.#room.params.subStreams; k++) {
      const holder = member.parents[k]?.holder;
      if (holder === undefined || ((mask >>> k) & 1) === 0) continue;
      if (member.reached.has(holder.key)) continue;
      member.reached.add(holder.key);
      member.failedRounds = 0;
      if (member.isHardGuest) holder.hardOk++;
      else member.guestOk++;
      holder.reach += (1 - holder.reach) * REACH_GAIN;
    }
  }

  setOwnAddresses(session: Session, addresses: Member["ownAddresses"]): void {
    const member = this.#room.members.get(session);
    if (member !== undefined) member.ownAddresses = addresses;
  }

  /**
   * The super node that feeds a member the sub-stream of this fragment; undefined = the edge, or one whose uplink is
   * full: what is pushed to it again only waits there.
   */
  feederOf(session: Session, number: number): Session | undefined {
    const k = number % this.#room.params.subStreams;
    const holder = this.#room.members.get(session)?.parents[k]?.holder;
    return holder?.report?.congested === true ? undefined : holder?.session;
  }

  /** A member has too few neighbours, or wants better ones. */
  handleWantPeers(now: Ms, session: Session, count: number): void {
    const member = this.#room.members.get(session);
    if (member !== undefined)
      this.#introductions.introduce(now, member, Math.min(count, this.#room.params.candidates));
  }

  /* ---------------------------------------------------------------- slots and egress */

  /** Called with the edge's ticks. */
  tick(now: Ms): void {
    this.#slots.tick(now);
  }

  /** bit/s that pushing takes at present: to the slots, and to members for want of slots. */
  get pushBps(): number {
    return this.#slots.demand.pushBps;
  }

  /** bit/s that one more viewer would take off the edge: its sub-streams without room in a slot. */
  get joinBps(): number {
    return this.#slots.demand.joinBps;
  }

  /** A join was refused for want of egress: slots are wanted for those who wait. */
  handleTurnedAway(): void {
    this.#slots.demand.handleTurnedAway();
  }

  /** From now on the tree is built to `params`, within `pushBpsMax` of pushes by the edge. */
  plan(now: Ms, params: SwarmParams, pushBpsMax: number): void {
    this.#slots.plan(now, params, pushBpsMax);
  }
}

function maskOfAll(k: number): number {
  return k === 32 ? 0xffff_ffff : 2 ** k - 1;
}
