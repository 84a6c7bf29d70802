/**
 * Whom the edge asks to carry a sub-stream: as long as the slots offer less than the demand, whoever has most to spare
 * gets the worst-covered one; where enough is offered but some members reach none of it, somebody they may reach.
 * Uplinks are filled to their calm share first: a key frame is ten frames' worth of bytes at once, and waits in a
 * full uplink. Only when that is not enough they are filled to the whole share.
 */
import { type Ms, ms } from "../../base/time.ts";
import type { Demand } from "./edge-swarm-demand.ts";
import type { SwarmRoom } from "./edge-swarm-room.ts";
import type { Member } from "./member.ts";

/** Nobody is recruited before it has had time to report, ms. */
const PROVING_MS = 500;
/** Whom fewer of those sent to it could connect to is no super node. */
const REACH_MIN = 0.35;
/** After uplinks had to be filled, calm is tried again, ms. */
const SCARCE_MS = 10_000;
/** Members without a slot for this long, ms, and so many of them, are worth a slot of their own. */
const STUCK_MS = 3000;
const STUCK_MIN = 3;
/** Of whom so many are looked at, for each sub-stream, and so many who might help: the worthiest. */
const STUCK_MAX = 32;
const HELPERS_MAX = 64;

/** Each slot costs the edge a push, however small: those that can hold this share of a full one are opened first. */
const LEAST_SHARES = [0.8, 0.5] as const;

/** A slot that carries so many times the mean is worth going beyond what pushes may take, up to this factor. */
const SWAP_GAIN = 2;
const SWAP_OVER_MAX = 1.1;

interface Candidate {
  readonly member: Member;
  /** Children it could have beyond those planned. */
  spare: number;
}

export class Recruiting {
  readonly #room: SwarmRoom;
  readonly #demand: Demand;
  readonly #open: (now: Ms, holder: Member, k: number) => void;
  #scarceUntil: Ms = ms(Number.NEGATIVE_INFINITY);

  constructor(room: SwarmRoom, demand: Demand, open: (now: Ms, holder: Member, k: number) => void) {
    this.#room = room;
    this.#demand = demand;
    this.#open = open;
  }

  /** `pushBpsMax`: what the edge may spend on pushes. */
  tick(now: Ms, pushBpsMax: number): void {
    const room = this.#room;
    if (room.childBps < 1) return;
    const { childrenFirst, childrenMax } = room.params;
    room.isScarce = now < this.#scarceUntil;
    const isMet = LEAST_SHARES.some((share) => this.#recruit(now, pushBpsMax, childrenMax * share));
    if (!isMet && !room.isScarce) {
      this.#scarceUntil = ms(now + SCARCE_MS);
      room.isScarce = true;
      this.#recruit(now, pushBpsMax, childrenMax * (LEAST_SHARES.at(-1) as number));
    }
    if (!isMet) this.#recruit(now, pushBpsMax, childrenFirst);
    if (this.#affordable(pushBpsMax) >= 1) this.#helpStuck(now);
    else if (!isMet) this.#swap(now, pushBpsMax);
  }

  /** Slots that the edge can still afford to feed. */
  #affordable(pushBpsMax: number): number {
    return (pushBpsMax - this.#demand.pushBps) / this.#room.childBps;
  }

  /** Opens slots of `least` children or more; true when the demand is met. */
  #recruit(now: Ms, pushBpsMax: number, least: number): boolean {
    const { childrenMax, slotHeadroom, subStreams } = this.#room.params;
    const missing = Array.from({ length: subStreams }, (_, k) => this.#demand.missing(k));
    if (Math.max(...missing) <= 0) return true;
    let affordable = this.#affordable(pushBpsMax);
    for (const candidate of this.#candidates(now, affordable < 1)) {
      while (candidate.spare >= least) {
        const k = this.#worst(missing, candidate.member, affordable < 1);
        if (k < 0) break;
        /* Who is pushed to already costs nothing more. */
        if (this.#room.direct[k]?.has(candidate.member) !== true) affordable--;
        const take = Math.min(candidate.spare, childrenMax);
        this.#open(now, candidate.member, k);
        candidate.spare -= take;
        missing[k] = (missing[k] as number) - take - slotHeadroom;
      }
      if (Math.max(...missing) <= 0) return true;
    }
    return false;
  }

  /**
   * Under a cap that is reached: somebody who can carry far more than a slot does on the mean gets one all the same.
   * Small slots are merged into it then (edge-swarm-slots.ts), and the pushes sink below the cap again.
   */
  #swap(now: Ms, pushBpsMax: number): void {
    if (this.#demand.pushBps > pushBpsMax * SWAP_OVER_MAX) return;
    const room = this.#room;
    const slots = Math.max(1, room.slotCount);
    const mean = room.slots.flat().reduce((sum, slot) => sum + slot.children.size, 0) / slots;
    const [best] = this.#candidates(now, false);
    if (best === undefined || best.spare < Math.max(mean * SWAP_GAIN, room.params.childrenFirst))
      return;
    const missing = room.slots.map((_, k) => this.#demand.missing(k));
    const k = this.#worst(missing, best.member, false);
    if (k >= 0) this.#open(now, best.member, k);
  }

  /** Those who could carry something more, the worthiest first. */
  #candidates(now: Ms, isTight: boolean): Candidate[] {
    const room = this.#room;
    const spare = (m: Member) => room.affordable(m) - (isTight ? m.childCount : planned(room, m));
    return room.list
      .filter((m) => now - m.joinedAt > PROVING_MS && m.report?.congested === false)
      .map((member) => ({ member, spare: spare(member) }))
      .filter((each) => each.spare >= room.params.childrenFirst && each.member.reach > REACH_MIN)
      .sort((a, b) => worth(b) - worth(a));
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

  /** A slot more for a sub-stream that several members reach nobody for, though there is room. */
  #helpStuck(now: Ms): void {
    let candidates: Candidate[] | undefined;
    for (let k = 0; k < this.#room.params.subStreams; k++) {
      const stuck = this.#demand.stuck(now, k, STUCK_MS, STUCK_MAX);
      if (stuck.length < STUCK_MIN) continue;
      candidates ??= this.#candidates(now, false).slice(0, HELPERS_MAX);
      let best: Candidate | undefined;
      let most = STUCK_MIN - 1;
      for (const candidate of candidates) {
        if (candidate.member.slots.has(k) || candidate.spare < STUCK_MIN) continue;
        const count = stuck.filter((guest) => guest.mayMeet(now, candidate.member)).length;
        if (count <= most) continue;
        most = count;
        best = candidate;
      }
      if (best === undefined) continue;
      best.spare -= most;
      this.#open(now, best.member, k);
    }
  }
}

/** Children that a member's slots will be good for once ramped. */
function planned(room: SwarmRoom, member: Member): number {
  return Math.min(room.affordable(member), member.slots.size * room.params.childrenMax);
}

/** Spare children, more dearly when they can be reached: hard guests have nobody else. */
function worth({ spare, member }: Candidate): number {
  return spare * member.reach * (member.isOpenHolder ? 2 : 1);
}
