/**
 * What a stream's swarm needs and what its slots offer, sub-stream by sub-stream, and what pushing costs the edge: the
 * figures that recruiting, merging and the egress cap go by.
 */
import type { SwarmRoom } from "./edge-swarm-room.ts";
import type { Member, Slot } from "./member.ts";

/** Mean wait of a join that was refused for want of egress, and smoothing of how many wait, a recruiting. */
const WAIT_MS = 2000;
const WAITING_GAIN = 0.3;
/** The bitrate is measured once the stream has run for so long. */
const BITRATE_AFTER_MS = 2000;
/**
 * Smoothing of the bitrate that is planned with, a recruiting: a plan must outlive a quiet scene, and a busy one must
 * not find the uplinks full.
 */
const BITRATE_RISE = 0.15;
const BITRATE_FALL = 0.01;

export class Demand {
  readonly #room: SwarmRoom;
  #ticks = 0;
  #turnedAway = 0;
  #waiting = 0;

  constructor(room: SwarmRoom) {
    this.#room = room;
  }

  /** Once a recruiting. */
  tick(): void {
    const tries = (this.#turnedAway * WAIT_MS) / this.#room.params.recruitMs;
    this.#turnedAway = 0;
    this.#waiting += (tries - this.#waiting) * WAITING_GAIN;
    this.#ticks++;
    if (this.#ticks * this.#room.params.recruitMs < BITRATE_AFTER_MS) return;
    const error = this.#room.outlet.bitrateBps - this.#room.bitrateBps;
    this.#room.bitrateBps += error * (error > 0 ? BITRATE_RISE : BITRATE_FALL);
  }

  /** A join was refused for want of egress: slots are wanted for those who wait. Each tries every two seconds or so. */
  handleTurnedAway(): void {
    this.#turnedAway++;
  }

  /** Who needs sub-stream k from somebody, members and those turned away; holders of its slots not counted. */
  of(k: number): number {
    const waiting = Math.min(this.#waiting, this.#room.list.length);
    return this.#room.list.length + waiting - (this.#room.slots[k] as Slot[]).length;
  }

  /** Children the slots of k will be good for once ramped. */
  supply(k: number): number {
    const { childrenMax } = this.#room.params;
    let sum = 0;
    for (const { holder, limit } of this.#room.slots[k] as Slot[]) {
      const share = Math.floor(this.#room.affordable(holder) / Math.max(1, holder.slots.size));
      sum += Math.min(childrenMax, Math.max(limit, share));
    }
    return sum;
  }

  /** Children for which slots of k are still to be found; negative = there is more than enough. */
  missing(k: number): number {
    return this.of(k) * this.#room.params.slotHeadroom - this.supply(k);
  }

  /** Members, `limit` at most, that have long waited for a slot of k: those there are do not reach them. */
  stuck(now: number, k: number, afterMs: number, limit: number): Member[] {
    const stuck: Member[] = [];
    for (const member of this.#room.direct[k] as Set<Member>) {
      if (now - member.joinedAt < afterMs || now < member.retryAt) continue;
      if (!member.slots.has(k)) stuck.push(member);
      if (stuck.length === limit) break;
    }
    return stuck;
  }

  /** bit/s that pushing takes at present: to the slots, and to members for want of slots. */
  get pushBps(): number {
    let pushes = this.#room.slotCount;
    for (const direct of this.#room.direct) pushes += direct.size;
    return pushes * this.#room.childBps;
  }

  /** bit/s that one more viewer would take off the edge: its sub-streams without room in a slot. */
  get joinBps(): number {
    const isRoom = (slots: Slot[]) => slots.some(({ limit, children }) => limit > children.size);
    return this.#room.slots.filter((slots) => !isRoom(slots)).length * this.#room.childBps;
  }
}
