/**
 * Slots of a stream's swarm: how many children each may have, how slots come and go. Each `recruitMs` supply is held
 * against demand: too little recruits, too much relieves or merges.
 */
import { type Ms, ms } from "../../base/time.ts";
import type { ReportPacket } from "../../wire/swarm.ts";
import type { SwarmParams } from "../swarm-params.ts";
import { Demand } from "./edge-swarm-demand.ts";
import type { ParentAssignment } from "./edge-swarm-parents.ts";
import { Recruiting } from "./edge-swarm-recruiting.ts";
import type { SwarmRoom } from "./edge-swarm-room.ts";
import type { Member, Slot } from "./member.ts";

/** A slot has this long to find children before it can be called idle. */
const RELIEF_AGE_MS = 10_000;
/** A holder may have promised this much more than its uplink bears: bitrates swing with the scene. */
const EXCESS_MAX = 1.2;
/** What a congested slot keeps of its limit, a report. */
const SHRINK_FACTOR = 0.85;
/** Behind a holder whose uplink queues for longer than this, ms, children are better off with the edge. */
const HOPELESS_QUEUE_MS = 400;

export class Slots {
  readonly #room: SwarmRoom;
  readonly #parents: ParentAssignment;
  #recruitAt: Ms = ms(0);
  #pushBpsMax = Number.POSITIVE_INFINITY;
  readonly demand: Demand;
  readonly #recruiting: Recruiting;
  reliefs = 0;
  recruits = 0;

  constructor(room: SwarmRoom, parents: ParentAssignment) {
    this.#room = room;
    this.#parents = parents;
    this.demand = new Demand(room);
    const open = (now: Ms, holder: Member, k: number) => this.#openSlot(now, holder, k);
    this.#recruiting = new Recruiting(room, this.demand, open);
  }

  /** With a report: a congested slot gives up children, a filled one may have more. */
  ramp(now: Ms, member: Member, slot: Slot, report: ReportPacket): void {
    const { childrenMax, childrenFirst, rampMs } = this.#room.params;
    if (now < slot.rampAt) return;
    slot.rampAt = ms(now + rampMs);
    const promised = member.childrenPromised();
    const excess = promised / Math.max(1, this.#room.bearable(member));
    if (excess > EXCESS_MAX) {
      slot.limit = Math.max(1, Math.floor(slot.limit / excess));
      this.#shrink(now, slot);
    } else if (report.congested) {
      slot.limit = Math.max(1, Math.floor(slot.limit * SHRINK_FACTOR));
      this.#shrink(now, slot);
    } else if (slot.children.size >= slot.limit * 0.8 && slot.limit < childrenMax) {
      const room = this.#room.affordable(member) - promised;
      const grown = Math.min(slot.limit * 2, slot.limit + Math.max(0, room), childrenMax);
      slot.limit = Math.max(slot.limit, childrenFirst, grown);
    }
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
    this.demand.tick();
    const { list, params } = this.#room;
    if (list.length >= params.smallRoom) this.#recruiting.tick(now, this.#pushBpsMax);
    this.#parents.placeDirect(now);
    this.#relieve(now);
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
    const free = Math.floor((this.#room.affordable(holder) - holder.childrenPromised()) / 2);
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
      if (!isLate && this.#parents.findSlot(now, child, slot.subStream) === undefined) return;
      this.#parents.detach(child, slot);
      this.#parents.reassign(now, child, 1 << slot.subStream);
    }
  }

  /**
   * Each slot costs the edge one push, however few its children: those of the emptiest of each sub-stream move to the
   * others as soon as these have room for all of them and some to spare (none, under a cap that is reached).
   */
  #merge(now: Ms): void {
    const isCapped = this.demand.pushBps >= this.#pushBpsMax;
    for (const [k, slots] of this.#room.slots.entries()) {
      const old = slots.filter((slot) => now - slot.openedAt > RELIEF_AGE_MS);
      const [emptiest] = old.sort((a, b) => a.children.size - b.children.size);
      if (emptiest === undefined) continue;
      const room = (slot: Slot) => Math.max(0, slot.limit - slot.children.size);
      const elsewhere = slots.reduce((sum, slot) => sum + room(slot), -room(emptiest));
      const spare = isCapped ? 0 : this.demand.of(k) * this.#room.params.slotSpare;
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
      const surplus = this.demand.supply(k) - this.demand.of(k) * slotReliefAbove;
      const isOld = (slot: Slot) => now - slot.openedAt > RELIEF_AGE_MS;
      const idle = slots.find((slot) => isOld(slot) && slot.children.size < childrenFirst);
      if (idle === undefined || surplus < idle.limit) continue;
      this.reliefs++;
      this.closeSlot(now, idle);
    }
  }
}
