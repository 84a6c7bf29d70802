/**
 * Slots of a stream's swarm: who is recruited to carry a sub-stream, how many children it may have, and who is
 * relieved. Supply is held against demand each `recruitMs`.
 */
import { type Ms, ms } from "../../base/time.ts";
import type { ReportPacket } from "../../wire/swarm.ts";
import type { SwarmParams } from "../swarm-params.ts";
import type { ParentAssignment } from "./edge-swarm-parents.ts";
import type { SwarmRoom } from "./edge-swarm-room.ts";
import type { Member, Slot } from "./member.ts";

/** Nobody is recruited before it has had time to report, ms. */
const PROVING_MS = 500;
/** Whom fewer of those sent to it could connect to is no super node. */
const REACH_MIN = 0.35;
/** A slot has this long to find children before it can be called idle. */
const RELIEF_AGE_MS = 10_000;
/** Mean wait of a join that was refused for want of egress, and smoothing of how many wait, a recruiting. */
const WAIT_MS = 2000;
const WAITING_GAIN = 0.3;
/** Smoothing of the bitrate that is planned with, a recruiting. */
const BITRATE_GAIN = 0.02;
/** What a congested slot keeps of its limit, a report. */
const SHRINK_FACTOR = 0.85;
/** Behind a holder whose uplink queues for longer than this, ms, children are better off with the edge. */
const HOPELESS_QUEUE_MS = 400;
const NOBODY: ReadonlyMap<Member, number> = new Map();

export class Slots {
  readonly #room: SwarmRoom;
  readonly #parents: ParentAssignment;
  #recruitAt: Ms = ms(0);
  #pushBpsMax = Number.POSITIVE_INFINITY;
  #bitrateMeanBps = 0;
  #turnedAway = 0;
  #waiting = 0;
  reliefs = 0;
  recruits = 0;

  constructor(room: SwarmRoom, parents: ParentAssignment) {
    this.#room = room;
    this.#parents = parents;
  }

  /** With a report: a congested slot gives up children, a filled one may have more. */
  ramp(now: Ms, member: Member, slot: Slot, report: ReportPacket): void {
    const { childrenMax, childrenFirst, rampMs } = this.#room.params;
    if (now < slot.rampAt) return;
    slot.rampAt = ms(now + rampMs);
    if (report.congested) {
      slot.limit = Math.max(1, Math.floor(slot.limit * SHRINK_FACTOR));
      this.#shrink(now, slot);
    } else if (slot.children.size >= slot.limit * 0.8 && slot.limit < childrenMax) {
      const room =
        member.childrenAffordable(this.#room.params, this.#room.childBps()) -
        member.childrenPromised();
      const grown = Math.min(slot.limit * 2, slot.limit + Math.max(0, room), childrenMax);
      slot.limit = Math.max(slot.limit, childrenFirst, grown);
    }
  }

  /** bit/s that pushing takes at present: to the slots, and to members for want of slots. */
  get pushBps(): number {
    let pushes = this.#room.slotCount;
    for (const direct of this.#room.direct) pushes += direct.size;
    return pushes * this.#plannedChildBps();
  }

  /** bit/s that one more viewer would take off the edge: its sub-streams without room in a slot. */
  get joinBps(): number {
    const isRoom = (slots: Slot[]) => slots.some(({ limit, children }) => limit > children.size);
    return this.#room.slots.filter((slots) => !isRoom(slots)).length * this.#plannedChildBps();
  }

  /** Bit/s of one child of one sub-stream over the last half minute: a plan outlives a quiet scene. */
  #plannedChildBps(): number {
    return this.#room.childBps(this.#bitrateMeanBps);
  }

  #averageBitrate(): void {
    const { bitrateBps } = this.#room.outlet;
    const before = this.#bitrateMeanBps;
    this.#bitrateMeanBps =
      before === 0 ? bitrateBps : before + (bitrateBps - before) * BITRATE_GAIN;
  }

  /** From now on the tree is built to `params`, within `pushBpsMax` of pushes by the edge. */
  plan(now: Ms, params: SwarmParams, pushBpsMax: number): void {
    const isWider = params.childrenMax !== this.#room.params.childrenMax;
    this.#room.params = params;
    this.#pushBpsMax = pushBpsMax;
    if (!isWider) return;
    for (const member of this.#room.list) if (member.slots.size > 0) this.#tellRecruit(now, member);
  }

  /** Called with the edge's ticks. */
  tick(now: Ms): void {
    if (now < this.#recruitAt) return;
    this.#recruitAt = ms(now + this.#room.params.recruitMs);
    this.#countWaiting();
    this.#averageBitrate();
    if (this.#room.list.length >= this.#room.params.smallRoom) this.#recruit(now);
    this.#parents.placeDirect(now);
    this.#relieve(now);
  }

  /** Who needs sub-stream k from somebody, members and those turned away; holders of its slots not counted. */
  #demand(k: number): number {
    const waiting = Math.min(this.#waiting, this.#room.list.length);
    return this.#room.list.length + waiting - (this.#room.slots[k] as Slot[]).length;
  }

  /** A join was refused for want of egress: slots are wanted for those who wait. */
  handleTurnedAway(): void {
    this.#turnedAway++;
  }

  /** Each of those who wait tries again every two seconds or so. */
  #countWaiting(): void {
    const tries = (this.#turnedAway * WAIT_MS) / this.#room.params.recruitMs;
    this.#turnedAway = 0;
    this.#waiting += (tries - this.#waiting) * WAITING_GAIN;
  }

  /** Children the slots of k will be good for once ramped. */
  #supply(k: number): number {
    const { childrenMax } = this.#room.params;
    const childBps = this.#room.childBps();
    let sum = 0;
    for (const { holder, limit } of this.#room.slots[k] as Slot[]) {
      const affordable = holder.childrenAffordable(this.#room.params, childBps);
      const share = Math.floor(affordable / Math.max(1, holder.slots.size));
      sum += Math.min(childrenMax, Math.max(limit, share));
    }
    return sum;
  }

  #recruit(now: Ms): void {
    const childBps = this.#room.childBps();
    if (childBps < 1) return;
    const { childrenFirst, childrenMax, slotHeadroom, subStreams } = this.#room.params;
    const missing = Array.from(
      { length: subStreams },
      (_, k) => this.#demand(k) * slotHeadroom - this.#supply(k),
    );
    if (Math.max(...missing) <= 0) return;
    /* Slots that the edge can still afford to feed; who is pushed to already costs nothing more. */
    let affordable = (this.#pushBpsMax - this.pushBps) / this.#plannedChildBps();
    const isTight = affordable < 1;
    const spare = (m: Member) =>
      m.childrenAffordable(this.#room.params, childBps) -
      (isTight ? m.childrenNow() : this.#planned(m, childBps));
    const candidates = this.#room.list
      .filter((m) => now - m.joinedAt > PROVING_MS && m.report?.congested === false)
      .map((member) => ({ member, spare: spare(member) }))
      .filter((each) => each.spare >= childrenFirst && each.member.reach > REACH_MIN)
      .sort((a, b) => worth(b) - worth(a));
    for (const candidate of candidates) {
      while (candidate.spare >= childrenFirst) {
        const k = this.#worst(missing, candidate.member, affordable < 1);
        if (k < 0) break;
        if (this.#room.direct[k]?.has(candidate.member) !== true) affordable--;
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
    const affordable = member.childrenAffordable(this.#room.params, childBps);
    return Math.min(affordable, member.slots.size * this.#room.params.childrenMax);
  }

  /** The worst-covered sub-stream that the member does not carry yet, or −1. */
  #worst(missing: readonly number[], member: Member, isTight: boolean): number {
    let worst = -1;
    for (let k = 0; k < missing.length; k++) {
      if ((missing[k] as number) <= 0 || member.slots.has(k)) continue;
      /* Who is pushed to by the edge already costs nothing more as a super node. */
      if (isTight && this.#room.direct[k]?.has(member) !== true) continue;
      if (worst < 0 || (missing[k] as number) > (missing[worst] as number)) worst = k;
    }
    return worst;
  }

  #openSlot(now: Ms, holder: Member, k: number): void {
    const { rampMs } = this.#room.params;
    const slot: Slot = {
      holder,
      subStream: k,
      children: new Set(),
      limit: this.#firstLimit(holder),
      rampAt: ms(now + rampMs),
      openedAt: now,
    };
    holder.slots.set(k, slot);
    (this.#room.slots[k] as Slot[]).push(slot);
    this.recruits++;
    /* Two layers at most: a holder is fed by the edge itself. */
    const before = holder.parents[k];
    if (before !== undefined) this.#parents.detach(holder, before);
    (this.#room.direct[k] as Set<Member>).delete(holder);
    this.#parents.pushDirect(now, holder, 1 << k);
    this.#tellRecruit(now, holder);
  }

  /** Children a fresh slot takes at once: half of what the holder's train promises, a few without one. */
  #firstLimit(holder: Member): number {
    const { childrenFirst, childrenMax } = this.#room.params;
    if ((holder.session.train?.rateBps ?? 0) === 0) return childrenFirst;
    const affordable = holder.childrenAffordable(this.#room.params, this.#room.childBps());
    const free = Math.floor((affordable - holder.childrenPromised()) / 2);
    return Math.max(childrenFirst, Math.min(free, childrenMax));
  }

  #tellRecruit(now: Ms, holder: Member): void {
    let mask = 0;
    for (const k of holder.slots.keys()) mask |= 1 << k;
    const children = this.#room.params.childrenMax;
    holder.session.sendControl(now, { t: "recruit", mask: mask >>> 0, children });
  }

  /** Takes a slot away: its children get other parents, the edge meanwhile. */
  closeSlot(now: Ms, slot: Slot): void {
    const { holder, subStream: k } = slot;
    const slots = this.#room.slots[k] as Slot[];
    const at = slots.indexOf(slot);
    if (at >= 0) slots.splice(at, 1);
    holder.slots.delete(k);
    for (const child of [...slot.children]) {
      this.#parents.detach(child, slot);
      this.#parents.reassign(now, child, 1 << k);
    }
    if (!this.#room.members.has(holder.session)) return;
    (this.#room.direct[k] as Set<Member>).add(holder);
    this.#tellRecruit(now, holder);
  }

  /** Gives up the children a slot can no longer bear. */
  #shrink(now: Ms, slot: Slot): void {
    for (const child of [...slot.children]) {
      if (slot.children.size <= slot.limit) return;
      /* A little late from here is cheaper than from the edge: without another slot it stays. */
      const isLate = (slot.holder.report?.queueMs ?? 0) > HOPELESS_QUEUE_MS;
      if (!isLate && this.#parents.findSlot(child, slot.subStream, NOBODY) === undefined) return;
      this.#parents.detach(child, slot);
      this.#parents.reassign(now, child, 1 << slot.subStream);
    }
  }

  /**
   * Each slot costs the edge one push, however few its children: those of the emptiest of each sub-stream move to the
   * others as soon as these have room for all of them and some to spare (none, under a cap that is reached).
   */
  #merge(now: Ms): void {
    const isCapped = this.pushBps >= this.#pushBpsMax;
    for (const [k, slots] of this.#room.slots.entries()) {
      const old = slots.filter((slot) => now - slot.openedAt > RELIEF_AGE_MS);
      const [emptiest] = old.sort((a, b) => a.children.size - b.children.size);
      if (emptiest === undefined) continue;
      const room = (slot: Slot) => Math.max(0, slot.limit - slot.children.size);
      const elsewhere = slots.reduce((sum, slot) => sum + room(slot), -room(emptiest));
      const spare = isCapped ? 0 : this.#demand(k) * this.#room.params.slotSpare;
      if (elsewhere <= emptiest.children.size + spare) continue;
      this.reliefs++;
      this.closeSlot(now, emptiest);
    }
  }

  #relieve(now: Ms): void {
    const { slotReliefAbove, childrenFirst } = this.#room.params;
    this.#merge(now);
    for (const [k, slots] of this.#room.slots.entries()) {
      if (slots.length === 0) continue;
      const surplus = this.#supply(k) - this.#demand(k) * slotReliefAbove;
      const isOld = (slot: Slot) => now - slot.openedAt > RELIEF_AGE_MS;
      const idle = slots.find((slot) => isOld(slot) && slot.children.size < childrenFirst);
      if (idle === undefined || surplus < idle.limit) continue;
      this.reliefs++;
      this.closeSlot(now, idle);
    }
  }
}

/** Spare children, more dearly when they can be reached: hard guests have nobody else. */
function worth({ spare, member }: { spare: number; member: Member }): number {
  return spare * member.reach * (member.isOpenHolder ? 2 : 1);
}
