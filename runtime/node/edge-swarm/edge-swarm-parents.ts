/**
 * Which slot feeds a member each sub-stream, and what the edge pushes for want of one. Who has been found a parent is
 * told by the caller or by `reassign`; until it lets the edge go by `release`, the edge pushes on.
 */
import { bitCount } from "../../base/bits.ts";
import type { Ms } from "../../base/time.ts";
import type { ParentEntry } from "../../wire/control-swarm.ts";
import type { Introductions } from "./edge-swarm-introductions.ts";
import type { SwarmRoom } from "./edge-swarm-room.ts";
import type { Member, Slot } from "./member.ts";

/** Slots looked at for one child and sub-stream. */
const SLOT_TRIES = 24;
/** Sub-streams a member gets from one holder while others have room: its death must not take all of them. */
const FROM_ONE_MAX = 4;
/** Members placed in one tick: naming their parents to all of a crowd at once would hold up the stream. */
const PLACED_MAX = 512;
/** A hard guest has another look for a place this often; so many sub-streams of all guests are looked at a tick. */
const SEEK_AGAIN_MS = 2000;
const SEEKS_MAX = 256;
/** Children of one slot that are looked at to make room for another. */
const MOVE_TRIES = 12;
const NOBODY: ReadonlyMap<Member, number> = new Map();

export class ParentAssignment {
  readonly #room: SwarmRoom;
  readonly #introductions: Introductions;
  #seeks = 0;

  constructor(room: SwarmRoom, introductions: Introductions) {
    this.#room = room;
    this.#introductions = introductions;
  }

  detach(child: Member, slot: Slot): void {
    slot.children.delete(child);
    child.parents[slot.subStream] = undefined;
    (this.#room.direct[slot.subStream] as Set<Member>).add(child);
  }

  /** A child without a parent: another slot, or the edge's own push. */
  reassign(now: Ms, child: Member, mask: number): void {
    const list = this.assignAll(now, child, mask);
    if (list.length > 0) child.session.sendControl(now, { t: "parents", list });
    else this.pushDirect(now, child, mask);
  }

  pushDirect(now: Ms, member: Member, mask: number): void {
    const receiver = this.#room.outlet.receivers.get(member.session);
    if (receiver !== undefined) receiver.mask = (receiver.mask | mask) >>> 0;
    member.session.sendControl(now, { t: "parents", list: [{ mask: mask >>> 0 }] });
  }

  /** Sub-streams the edge pushes for want of slots move down as soon as there is room. */
  placeDirect(now: Ms): void {
    this.#seeks = 0;
    if (this.#room.list.length < this.#room.params.smallRoom) return;
    const masks = new Map<Member, number>();
    for (const [k, direct] of this.#room.direct.entries()) {
      let room = (this.#room.slots[k] as Slot[]).reduce(
        (sum, s) => sum + s.limit - s.children.size,
        0,
      );
      for (const member of direct) {
        if (room <= 0) break;
        if (now < member.retryAt) continue;
        if (masks.size >= PLACED_MAX && !masks.has(member)) continue;
        room--;
        masks.set(member, ((masks.get(member) ?? 0) | (1 << k)) >>> 0);
      }
    }
    for (const [member, mask] of masks) {
      const list = this.assignAll(now, member, mask);
      if (list.length > 0) member.session.sendControl(now, { t: "parents", list });
      this.#letOthersFirst(member, mask);
    }
  }

  /** Who could not be placed has its next turn after all who wait. */
  #letOthersFirst(member: Member, mask: number): void {
    for (let rest = mask; rest !== 0; rest &= rest - 1) {
      const direct = this.#room.direct[31 - Math.clz32(rest & -rest)] as Set<Member>;
      if (direct.delete(member)) direct.add(member);
    }
  }

  /** Finds slots for the sub-streams of `mask`; what is in the list has been entered, the rest stays the edge's. */
  assignAll(now: Ms, member: Member, mask: number): ParentEntry[] {
    const found = new Map<Member, number>();
    for (let k = 0; k < this.#room.params.subStreams; k++) {
      if (((mask >>> k) & 1) === 0 || member.slots.has(k)) continue;
      const slot = this.findSlot(now, member, k, found) ?? this.#makeRoom(now, member, k);
      if (slot === undefined) continue;
      slot.children.add(member);
      member.parents[k] = slot;
      (this.#room.direct[k] as Set<Member>).delete(member);
      found.set(slot.holder, ((found.get(slot.holder) ?? 0) | (1 << k)) >>> 0);
    }
    for (const holder of found.keys()) this.#introductions.expect(now, holder, member);
    return [...found].map(([holder, bits]) => ({
      mask: bits,
      peer: this.#introductions.refFor(holder, member),
    }));
  }

  /** Same region first, a holder already chosen first, then the emptiest of a random handful. */
  findSlot(
    now: Ms,
    member: Member,
    k: number,
    chosen: ReadonlyMap<Member, number> = NOBODY,
  ): Slot | undefined {
    const slots = this.#room.slots[k] as Slot[];
    let best: Slot | undefined;
    let bestScore = Number.NEGATIVE_INFINITY;
    const isHard = member.isHardGuest;
    const start = slots.length > SLOT_TRIES ? this.#room.random.below(slots.length) : 0;
    for (let i = 0; i < Math.min(slots.length, SLOT_TRIES); i++) {
      const slot = slots[(start + i) % slots.length] as Slot;
      const room = slot.limit - slot.children.size;
      if (room <= 0 || !member.mayMeet(now, slot.holder)) continue;
      let score = room / slot.limit + 2 * slot.holder.reach;
      /* Holders that anybody can reach are kept for those who need them. */
      if (slot.holder.isOpenHolder) score += isHard ? 4 : -0.5;
      if (slot.holder.region === member.region) score += 1;
      const taken = chosen.get(slot.holder) ?? 0;
      if (taken !== 0) score += bitCount(taken) < FROM_ONE_MAX ? 0.5 : -3;
      if (score <= bestScore) continue;
      best = slot;
      bestScore = score;
    }
    return best;
  }

  /** For a hard guest: of a full slot that anybody can reach, a child goes elsewhere that can be had elsewhere. */
  #makeRoom(now: Ms, member: Member, k: number): Slot | undefined {
    if (!member.isHardGuest || !this.#maySeek(now, member)) return undefined;
    const slots = this.#room.slots[k] as Slot[];
    const start = slots.length > SLOT_TRIES ? this.#room.random.below(slots.length) : 0;
    for (let i = 0; i < Math.min(slots.length, SLOT_TRIES); i++) {
      const slot = slots[(start + i) % slots.length] as Slot;
      if (!slot.holder.isOpenHolder || !member.mayMeet(now, slot.holder)) continue;
      let tries = MOVE_TRIES;
      for (const child of slot.children) {
        if (tries-- === 0) break;
        if (child.isHardGuest || this.findSlot(now, child, k) === undefined) continue;
        this.detach(child, slot);
        this.reassign(now, child, 1 << k);
        return slot;
      }
    }
    return undefined;
  }

  /** Looking for such a place costs much: each guest may now and then, and so many in all between two ticks. */
  #maySeek(now: Ms, member: Member): boolean {
    if (now !== member.soughtAt && now - member.soughtAt < SEEK_AGAIN_MS) return false;
    if (this.#seeks >= SEEKS_MAX) return false;
    this.#seeks++;
    member.soughtAt = now;
    return true;
  }
}
