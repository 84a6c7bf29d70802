/**
 * The edge's part of one stream's swarm (docs/SWARM.md): who is there, who carries which sub-stream for whom, and who
 * may get to know whom. It decides and tells; pushing is the outlet's. Sub-streams without a slot are the edge's own
 * to push.
 */
import type { Random } from "../base/prng.ts";
import { type Ms, ms } from "../base/time.ts";
import type { Session } from "../core/session.ts";
import type { ParentEntry } from "../wire/control-swarm.ts";
import {
  makeTicket,
  type PeerRef,
  type ReportPacket,
  TICKET_BYTES,
  TICKET_KEY_BYTES,
} from "../wire/swarm.ts";
import { Member, nodeKey, type Slot } from "./member.ts";
import type { Outlet } from "./outlet.ts";
import type { SwarmParams } from "./swarm-params.ts";

/** A holder that loses this many children it had within a second, and this share of them, counts as gone. */
const ORPHANS_MIN = 4;
const ORPHANS_SHARE = 0.25;
const ORPHAN_WINDOW_MS = 1000;
/** What a fragment costs beyond its media: heads, IP and UDP, acknowledgements. */
const OVERHEAD = 1.08;
/** Slots looked at for one child and sub-stream. */
const SLOT_TRIES = 24;
/** How a member's reachability (who could connect to it) is learnt, and below what it is no super node. */
const REACH_GAIN = 0.2;
const REACH_MIN = 0.35;
/** What a super node did not bear is tried again this slowly, a report. */
const CEILING_GROWTH = 1.02;
/** A guest that could not be placed waits this long, doubling with its failures. */
const RETRY_MS = 250;
const RETRY_MS_MAX = 10_000;
/** A slot has this long to find children before it can be called idle. */
const RELIEF_AGE_MS = 10_000;
/** Start bursts by the edge: this share of the demand, and this many seconds of media in advance. */
const BURST_SHARE = 0.02;
const BURST_SECONDS_MAX = 3000;
/** Mean wait of a join that was refused for want of egress, and smoothing of how many wait, a recruiting. */
const WAIT_MS = 2000;
const WAITING_GAIN = 0.3;
/** Smoothing of the bitrate that is planned with, a recruiting. */
const BITRATE_GAIN = 0.02;
/** What a congested slot keeps of its limit, a report. */
const SHRINK_FACTOR = 0.85;
const NOBODY: ReadonlyMap<Member, number> = new Map();
const NO_TICKET = new Uint8Array(TICKET_BYTES);

export class EdgeSwarm {
  readonly #outlet: Outlet;
  readonly #random: Random;
  #params: SwarmParams;
  readonly #members = new Map<Session, Member>();
  readonly #byKey = new Map<string, Member>();
  readonly #list: Member[] = [];
  readonly #slots: Slot[][];
  /** Members that the edge pushes a sub-stream to for want of a slot. */
  readonly #direct: Set<Member>[];
  #recruitAt: Ms = ms(0);
  #burstAt: Ms = ms(0);
  #burstDebt = 0;
  /** Under an egress cap that is reached, start bursts are left to the parents. */
  mayBurst = true;
  #pushBpsMax = Number.POSITIVE_INFINITY;
  #bitrateMeanBps = 0;
  #turnedAway = 0;
  #waiting = 0;
  reliefs = 0;
  recruits = 0;

  constructor(outlet: Outlet, random: Random, params: SwarmParams) {
    this.#outlet = outlet;
    this.#random = random;
    this.#params = params;
    this.#slots = Array.from({ length: params.subStreams }, () => []);
    this.#direct = Array.from({ length: params.subStreams }, () => new Set());
  }

  get memberCount(): number {
    return this.#members.size;
  }

  /** Sessions of members that hold at least one slot. */
  superNodes(): Session[] {
    return this.#list.filter(({ slots }) => slots.size > 0).map(({ session }) => session);
  }

  /** Members that hold at least one slot. */
  get superNodeCount(): number {
    let count = 0;
    for (const member of this.#list) if (member.slots.size > 0) count++;
    return count;
  }

  get slotCount(): number {
    return this.#slots.reduce((sum, slots) => sum + slots.length, 0);
  }

  /* ---------------------------------------------------------------- coming and going */

  /** A viewer's session stands: it learns its parents and some peers, and is pushed what has no slot. */
  join(now: Ms, session: Session, node: Uint8Array, region: number): void {
    const k = this.#params.subStreams;
    const key = new Uint8Array(TICKET_KEY_BYTES);
    this.#random.fill(key);
    const member = new Member(session, node, key, region, now, k);
    const before = this.#byKey.get(member.key);
    if (before !== undefined) this.leave(now, before.session);
    this.#members.set(session, member);
    this.#byKey.set(member.key, member);
    this.#list.push(member);
    session.sendControl(now, { t: "welcome", key, k, region, seen: session.address });
    for (let i = 0; i < k; i++) this.#direct[i]?.add(member);
    const all = maskOfAll(k);
    const parents = this.#assignAll(now, member, all);
    let mask = all;
    for (const entry of parents) mask &= ~entry.mask;
    const from = this.#takeBurst(now) ? this.#outlet.source?.index.next() : undefined;
    const burst = from === undefined ? mask >>> 0 : all;
    this.#outlet.add(now, session, { mask: mask >>> 0, k, burst });
    const list = parents.map((entry) => ({ ...entry, from }));
    if (list.length > 0) session.sendControl(now, { t: "parents", list });
    this.#introduce(now, member, this.#params.candidates);
  }

  /**
   * Whether the edge gives a joiner the whole start burst: the quickest start. In a rush it leaves what has parents to
   * the parents, lest bursts become most of what it sends.
   */
  #takeBurst(now: Ms): boolean {
    if (!this.mayBurst) return false;
    const bytesPerMs = (this.#outlet.bitrateBps / 8000) * BURST_SHARE * this.#list.length;
    const elapsedMs = Math.max(0, now - this.#burstAt);
    this.#burstAt = now;
    this.#burstDebt = Math.max(0, this.#burstDebt - elapsedMs * bytesPerMs);
    const bytes = this.#outlet.burstBytes(now);
    if (this.#burstDebt + bytes > (this.#outlet.bitrateBps / 8) * BURST_SECONDS_MAX) return false;
    this.#burstDebt += bytes;
    return true;
  }

  leave(now: Ms, session: Session): void {
    const member = this.#members.get(session);
    if (member === undefined) return;
    this.#members.delete(session);
    if (this.#byKey.get(member.key) === member) this.#byKey.delete(member.key);
    const at = this.#list.indexOf(member);
    const last = this.#list.pop() as Member;
    if (last !== member) this.#list[at] = last;
    for (const direct of this.#direct) direct.delete(member);
    for (const slot of member.parents) slot?.children.delete(member);
    for (const slot of [...member.slots.values()]) this.#closeSlot(now, slot);
  }

  /* ---------------------------------------------------------------- what members say */

  handleReport(now: Ms, session: Session, report: ReportPacket): void {
    const member = this.#members.get(session);
    if (member === undefined) return;
    member.report = report;
    if (report.congested) {
      member.provenBps = Math.min(member.provenBps, report.pushBps);
      member.ceilingBps = Math.max(this.#childBps(), 0.8 * report.pushBps);
    } else {
      member.provenBps = Math.max(member.provenBps, report.pushBps);
      member.ceilingBps *= CEILING_GROWTH;
    }
    for (const slot of member.slots.values()) this.#ramp(now, member, slot, report);
  }

  #ramp(now: Ms, member: Member, slot: Slot, report: ReportPacket): void {
    const { childrenMax, childrenFirst, rampMs } = this.#params;
    if (now < slot.rampAt) return;
    slot.rampAt = ms(now + rampMs);
    if (report.congested) {
      slot.limit = Math.max(1, Math.floor(slot.limit * SHRINK_FACTOR));
      this.#shrink(now, slot);
    } else if (slot.children.size >= slot.limit * 0.8 && slot.limit < childrenMax) {
      const room =
        member.childrenAffordable(this.#params, this.#childBps()) - member.childrenPromised();
      const grown = Math.min(slot.limit * 2, slot.limit + Math.max(0, room), childrenMax);
      slot.limit = Math.max(slot.limit, childrenFirst, grown);
    }
  }

  /** A parent is lost to its child: the edge pushes those sub-streams until there is another. */
  handleOrphan(now: Ms, session: Session, mask: number, node: Uint8Array): void {
    const member = this.#members.get(session);
    if (member === undefined) return;
    const holder = this.#byKey.get(nodeKey(node));
    let isNew = false;
    for (let k = 0; k < this.#params.subStreams; k++) {
      if (((mask >>> k) & 1) === 0) continue;
      const slot = member.parents[k];
      if (slot === undefined || slot.holder !== holder) continue;
      this.#detach(member, slot);
      isNew = true;
    }
    if (holder === undefined || !isNew) return;
    member.unreachable.add(holder.key);
    if (!member.reached.has(holder.key)) {
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
    for (const slot of [...holder.slots.values()]) this.#closeSlot(now, slot);
  }

  /** They could not meet: bad luck of these two, or one of them sits behind a hard NAT. */
  #handleUnreached(now: Ms, guest: Member, holder: Member): void {
    if (guest.isHardGuest) holder.hardFails++;
    else holder.reach -= holder.reach * REACH_GAIN;
    guest.guestFails++;
    const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** Math.min(8, guest.guestFails));
    guest.retryAt = ms(now + waitMs * (0.5 + this.#random.next()));
  }

  /** Sub-streams that a member gets from parents it has reached. */
  handleRelease(session: Session, mask: number): void {
    const member = this.#members.get(session);
    if (member === undefined) return;
    for (let k = 0; k < this.#params.subStreams; k++) {
      const holder = member.parents[k]?.holder;
      if (holder === undefined || ((mask >>> k) & 1) === 0) continue;
      if (member.reached.has(holder.key)) continue;
      member.reached.add(holder.key);
      if (member.isHardGuest) holder.hardOk++;
      else member.guestOk++;
      holder.reach += (1 - holder.reach) * REACH_GAIN;
    }
  }

  setOwnAddresses(session: Session, addresses: Member["ownAddresses"]): void {
    const member = this.#members.get(session);
    if (member !== undefined) member.ownAddresses = addresses;
  }

  /** The super node that feeds a member the sub-stream of this fragment; undefined = the edge. */
  feederOf(session: Session, number: number): Session | undefined {
    const k = number % this.#params.subStreams;
    return this.#members.get(session)?.parents[k]?.holder.session;
  }

  /* ---------------------------------------------------------------- egress */

  /** bit/s that pushing takes at present: to the slots, and to members for want of slots. */
  get pushBps(): number {
    let pushes = this.slotCount;
    for (const direct of this.#direct) pushes += direct.size;
    return pushes * this.#plannedChildBps();
  }

  /** bit/s that one more viewer would take off the edge: its sub-streams without room in a slot. */
  get joinBps(): number {
    const isRoom = (slots: Slot[]) => slots.some(({ limit, children }) => limit > children.size);
    return this.#slots.filter((slots) => !isRoom(slots)).length * this.#plannedChildBps();
  }

  /** Bit/s of one child of one sub-stream over the last half minute: a plan outlives a quiet scene. */
  #plannedChildBps(): number {
    return (this.#bitrateMeanBps * OVERHEAD) / this.#params.subStreams;
  }

  #averageBitrate(): void {
    const { bitrateBps } = this.#outlet;
    const before = this.#bitrateMeanBps;
    this.#bitrateMeanBps =
      before === 0 ? bitrateBps : before + (bitrateBps - before) * BITRATE_GAIN;
  }

  /** From now on the tree is built to `params`, within `pushBpsMax` of pushes by the edge. */
  plan(now: Ms, params: SwarmParams, pushBpsMax: number): void {
    const isWider = params.childrenMax !== this.#params.childrenMax;
    this.#params = params;
    this.#pushBpsMax = pushBpsMax;
    if (!isWider) return;
    for (const member of this.#list) if (member.slots.size > 0) this.#tellRecruit(now, member);
  }

  /* ---------------------------------------------------------------- slots */

  /** Called with the edge's ticks. */
  tick(now: Ms): void {
    if (now < this.#recruitAt) return;
    this.#recruitAt = ms(now + this.#params.recruitMs);
    this.#countWaiting();
    this.#averageBitrate();
    if (this.#list.length >= this.#params.smallRoom) this.#recruit(now);
    this.#placeDirect(now);
    this.#relieve(now);
  }

  /** Bit/s of one child of one sub-stream. */
  #childBps(): number {
    return (this.#outlet.bitrateBps * OVERHEAD) / this.#params.subStreams;
  }

  /** Who needs sub-stream k from somebody, members and those turned away; holders of its slots not counted. */
  #demand(k: number): number {
    const waiting = Math.min(this.#waiting, this.#list.length);
    return this.#list.length + waiting - (this.#slots[k] as Slot[]).length;
  }

  /** A join was refused for want of egress: slots are wanted for those who wait. */
  handleTurnedAway(): void {
    this.#turnedAway++;
  }

  /** Each of those who wait tries again every two seconds or so. */
  #countWaiting(): void {
    const tries = (this.#turnedAway * WAIT_MS) / this.#params.recruitMs;
    this.#turnedAway = 0;
    this.#waiting += (tries - this.#waiting) * WAITING_GAIN;
  }

  /** Children the slots of k will be good for once ramped. */
  #supply(k: number): number {
    const { childrenMax } = this.#params;
    const childBps = this.#childBps();
    let sum = 0;
    for (const { holder, limit } of this.#slots[k] as Slot[]) {
      const affordable = holder.childrenAffordable(this.#params, childBps);
      const share = Math.floor(affordable / Math.max(1, holder.slots.size));
      sum += Math.min(childrenMax, Math.max(limit, share));
    }
    return sum;
  }

  #recruit(now: Ms): void {
    const childBps = this.#childBps();
    if (childBps < 1) return;
    const { childrenFirst, childrenMax, slotHeadroom, subStreams } = this.#params;
    const missing = Array.from(
      { length: subStreams },
      (_, k) => this.#demand(k) * slotHeadroom - this.#supply(k),
    );
    if (Math.max(...missing) <= 0) return;
    const isTight = this.pushBps >= this.#pushBpsMax;
    const spare = (m: Member) =>
      m.childrenAffordable(this.#params, childBps) -
      (isTight ? m.childrenNow() : this.#planned(m, childBps));
    const candidates = this.#list
      .filter((m) => now - m.joinedAt > 1000 && m.report?.congested === false)
      .map((member) => ({ member, spare: spare(member) }))
      .filter((each) => each.spare >= childrenFirst && each.member.reach > REACH_MIN)
      .sort((a, b) => worth(b) - worth(a));
    for (const candidate of candidates) {
      while (candidate.spare >= childrenFirst) {
        const k = this.#worst(missing, candidate.member, isTight);
        if (k < 0) break;
        const take = Math.min(candidate.spare, childrenMax);
        this.#openSlot(now, candidate.member, k);
        candidate.spare -= take;
        missing[k] = (missing[k] as number) - take - slotHeadroom;
      }
      if (Math.max(...missing) <= 0) return;
    }
  }

  /** Children that a member's slots will be good for once ramped. */
  #planned(member: Member, childBps: number): number {
    if (member.slots.size === 0) return 0;
    const affordable = member.childrenAffordable(this.#params, childBps);
    return Math.min(affordable, member.slots.size * this.#params.childrenMax);
  }

  /** The worst-covered sub-stream that the member does not carry yet, or −1. */
  #worst(missing: readonly number[], member: Member, isTight: boolean): number {
    let worst = -1;
    for (let k = 0; k < missing.length; k++) {
      if ((missing[k] as number) <= 0 || member.slots.has(k)) continue;
      /* Who is pushed to by the edge already costs nothing more as a super node. */
      if (isTight && this.#direct[k]?.has(member) !== true) continue;
      if (worst < 0 || (missing[k] as number) > (missing[worst] as number)) worst = k;
    }
    return worst;
  }

  #openSlot(now: Ms, holder: Member, k: number): void {
    const { childrenFirst, rampMs } = this.#params;
    const slot: Slot = {
      holder,
      subStream: k,
      children: new Set(),
      limit: childrenFirst,
      rampAt: ms(now + rampMs),
      openedAt: now,
    };
    holder.slots.set(k, slot);
    (this.#slots[k] as Slot[]).push(slot);
    this.recruits++;
    /* Two layers at most: a holder is fed by the edge itself. */
    const before = holder.parents[k];
    if (before !== undefined) this.#detach(holder, before);
    (this.#direct[k] as Set<Member>).delete(holder);
    this.#pushDirect(now, holder, 1 << k);
    this.#tellRecruit(now, holder);
  }

  #tellRecruit(now: Ms, holder: Member): void {
    let mask = 0;
    for (const k of holder.slots.keys()) mask |= 1 << k;
    const children = this.#params.childrenMax;
    holder.session.sendControl(now, { t: "recruit", mask: mask >>> 0, children });
  }

  /** Takes a slot away: its children get other parents, the edge meanwhile. */
  #closeSlot(now: Ms, slot: Slot): void {
    const { holder, subStream: k } = slot;
    const slots = this.#slots[k] as Slot[];
    const at = slots.indexOf(slot);
    if (at >= 0) slots.splice(at, 1);
    holder.slots.delete(k);
    for (const child of [...slot.children]) {
      this.#detach(child, slot);
      this.#reassign(now, child, 1 << k);
    }
    if (!this.#members.has(holder.session)) return;
    (this.#direct[k] as Set<Member>).add(holder);
    this.#tellRecruit(now, holder);
  }

  /** Gives up the children a slot can no longer bear. */
  #shrink(now: Ms, slot: Slot): void {
    for (const child of [...slot.children]) {
      if (slot.children.size <= slot.limit) return;
      /* Late from here is still cheaper than from the edge: without another slot it stays. */
      if (this.#findSlot(child, slot.subStream, NOBODY) === undefined) return;
      this.#detach(child, slot);
      this.#reassign(now, child, 1 << slot.subStream);
    }
  }

  #relieve(now: Ms): void {
    const { slotReliefAbove, childrenFirst } = this.#params;
    for (const [k, slots] of this.#slots.entries()) {
      if (slots.length === 0) continue;
      const surplus = this.#supply(k) - this.#demand(k) * slotReliefAbove;
      const isOld = (slot: Slot) => now - slot.openedAt > RELIEF_AGE_MS;
      const idle = slots.find((slot) => isOld(slot) && slot.children.size < childrenFirst);
      if (idle === undefined || surplus < idle.limit) continue;
      this.reliefs++;
      this.#closeSlot(now, idle);
    }
  }

  /* ---------------------------------------------------------------- parents */

  #detach(child: Member, slot: Slot): void {
    slot.children.delete(child);
    child.parents[slot.subStream] = undefined;
    (this.#direct[slot.subStream] as Set<Member>).add(child);
  }

  /** A child without a parent: another slot, or the edge's own push. */
  #reassign(now: Ms, child: Member, mask: number): void {
    const list = this.#assignAll(now, child, mask);
    if (list.length > 0) child.session.sendControl(now, { t: "parents", list });
    else this.#pushDirect(now, child, mask);
  }

  #pushDirect(now: Ms, member: Member, mask: number): void {
    const receiver = this.#outlet.receivers.get(member.session);
    if (receiver !== undefined) receiver.mask = (receiver.mask | mask) >>> 0;
    member.session.sendControl(now, { t: "parents", list: [{ mask: mask >>> 0 }] });
  }

  /** Sub-streams the edge pushes for want of slots move down as soon as there is room. */
  #placeDirect(now: Ms): void {
    if (this.#list.length < this.#params.smallRoom) return;
    const masks = new Map<Member, number>();
    for (const [k, direct] of this.#direct.entries()) {
      let room = (this.#slots[k] as Slot[]).reduce((sum, s) => sum + s.limit - s.children.size, 0);
      for (const member of direct) {
        if (room <= 0) break;
        if (now < member.retryAt) continue;
        room--;
        masks.set(member, ((masks.get(member) ?? 0) | (1 << k)) >>> 0);
      }
    }
    for (const [member, mask] of masks) {
      const list = this.#assignAll(now, member, mask);
      if (list.length > 0) member.session.sendControl(now, { t: "parents", list });
    }
  }

  /** Finds slots for the sub-streams of `mask`; what is in the list has been entered, the rest stays the edge's. */
  #assignAll(now: Ms, member: Member, mask: number): ParentEntry[] {
    const found = new Map<Member, number>();
    for (let k = 0; k < this.#params.subStreams; k++) {
      if (((mask >>> k) & 1) === 0 || member.slots.has(k)) continue;
      const slot = this.#findSlot(member, k, found);
      if (slot === undefined) continue;
      slot.children.add(member);
      member.parents[k] = slot;
      (this.#direct[k] as Set<Member>).delete(member);
      found.set(slot.holder, ((found.get(slot.holder) ?? 0) | (1 << k)) >>> 0);
    }
    for (const holder of found.keys()) this.#expect(now, holder, member);
    return [...found].map(([holder, bits]) => ({ mask: bits, peer: this.#refFor(holder, member) }));
  }

  /** Same region first, a holder already chosen first, then the emptiest of a random handful. */
  #findSlot(member: Member, k: number, chosen: ReadonlyMap<Member, number>): Slot | undefined {
    const slots = this.#slots[k] as Slot[];
    let best: Slot | undefined;
    let bestScore = Number.NEGATIVE_INFINITY;
    const isHard = member.isHardGuest;
    const start = slots.length > SLOT_TRIES ? this.#random.below(slots.length) : 0;
    for (let i = 0; i < Math.min(slots.length, SLOT_TRIES); i++) {
      const slot = slots[(start + i) % slots.length] as Slot;
      const room = slot.limit - slot.children.size;
      if (room <= 0 || slot.holder === member) continue;
      if (member.unreachable.has(slot.holder.key)) continue;
      if (isHard && !slot.holder.isOpenHolder && slot.holder.hardFails > 0) continue;
      let score = room / slot.limit + 2 * slot.holder.reach;
      /* Holders that anybody can reach are kept for those who need them. */
      if (slot.holder.isOpenHolder) score += isHard ? 4 : -0.5;
      if (slot.holder.region === member.region) score += 1;
      if (chosen.has(slot.holder)) score += 0.5;
      if (score <= bestScore) continue;
      best = slot;
      bestScore = score;
    }
    return best;
  }

  /* ---------------------------------------------------------------- introductions */

  #refFor(peer: Member, asker: Member): PeerRef {
    const ticket = makeTicket(peer.ticketKey, asker.node, asker.session.address.ip);
    return { node: peer.node, ticket, region: peer.region, addresses: peer.addresses };
  }

  #expect(now: Ms, host: Member, guest: Member): void {
    const { node, region, addresses } = guest;
    const list = [{ node, ticket: NO_TICKET, region, addresses }];
    host.session.sendControl(now, { t: "expect", list });
  }

  /** Names `count` peers to a member: near ones and some at random. */
  #introduce(now: Ms, member: Member, count: number): void {
    if (this.#list.length < this.#params.smallRoom) return;
    const chosen = new Set<Member>();
    const randomCount = Math.ceil(count * this.#params.candidatesRandomShare);
    for (let i = 0; i < count * 6 && chosen.size < count; i++) {
      const peer = this.#list[this.#random.below(this.#list.length)] as Member;
      if (peer === member || member.unreachable.has(peer.key)) continue;
      if (peer.region !== member.region && chosen.size >= randomCount && i < count * 4) continue;
      chosen.add(peer);
    }
    if (chosen.size === 0) return;
    const list = [...chosen].map((peer) => this.#refFor(peer, member));
    member.session.sendControl(now, { t: "peers", list });
    for (const peer of chosen) this.#expect(now, peer, member);
  }

  /** A member has too few neighbours, or wants better ones. */
  handleWantPeers(now: Ms, session: Session, count: number): void {
    const member = this.#members.get(session);
    if (member !== undefined)
      this.#introduce(now, member, Math.min(count, this.#params.candidates));
  }
}

/** Spare children, more dearly when they can be reached: hard guests have nobody else. */
function worth({ spare, member }: { spare: number; member: Member }): number {
  return spare * member.reach * (member.isOpenHolder ? 2 : 1);
}

function maskOfAll(k: number): number {
  return k === 32 ? 0xffff_ffff : 2 ** k - 1;
}
