/**
 * Who is in one stream's swarm, as the edge's parts of it share it: the members, the slots they hold, and whom the
 * edge itself pushes a sub-stream to. Plain data for edge-swarm.ts and what it is put together from.
 */
import type { Random } from "../../base/prng.ts";
import type { Session } from "../../core/session/session.ts";
import type { Outlet } from "../edge/outlet.ts";
import type { SwarmParams } from "../swarm-params.ts";
import type { Member, Slot } from "./member.ts";

/** What a fragment costs beyond its media: heads, IP and UDP, acknowledgements. */
const OVERHEAD = 1.08;

export class SwarmRoom {
  readonly outlet: Outlet;
  readonly random: Random;
  params: SwarmParams;
  readonly members = new Map<Session, Member>();
  readonly byKey = new Map<string, Member>();
  readonly list: Member[] = [];
  /** By sub-stream. */
  readonly slots: Slot[][];
  /** Members that the edge pushes a sub-stream to for want of a slot. */
  readonly direct: Set<Member>[];

  /** What the stream is taken to need in its busier scenes, bit/s. */
  bitrateBps: number;
  /** Uplinks must be filled beyond their calm share. */
  isScarce = false;

  constructor(outlet: Outlet, random: Random, params: SwarmParams) {
    this.outlet = outlet;
    this.random = random;
    this.params = params;
    this.bitrateBps = params.bitrateGuessBps;
    this.slots = Array.from({ length: params.subStreams }, () => []);
    this.direct = Array.from({ length: params.subStreams }, () => new Set());
  }

  add(member: Member): void {
    this.members.set(member.session, member);
    this.byKey.set(member.key, member);
    this.list.push(member);
    for (const direct of this.direct) direct.add(member);
  }

  remove(member: Member): void {
    this.members.delete(member.session);
    if (this.byKey.get(member.key) === member) this.byKey.delete(member.key);
    const at = this.list.indexOf(member);
    const last = this.list.pop() as Member;
    if (last !== member) this.list[at] = last;
    for (const direct of this.direct) direct.delete(member);
  }

  get slotCount(): number {
    return this.slots.reduce((sum, slots) => sum + slots.length, 0);
  }

  /** Children that a member's slots may have in all at present. */
  affordable(member: Member): number {
    const { pushShare, pushShareCalm } = this.params;
    const share = this.isScarce ? pushShare : pushShareCalm;
    return member.childrenAffordable(this.params, this.childBps, share);
  }

  /** Children beyond which its uplink is full; its slots must give them up. */
  bearable(member: Member): number {
    return member.childrenAffordable(this.params, this.childBps);
  }

  /** Bit/s of one child of one sub-stream. */
  get childBps(): number {
    return (this.bitrateBps * OVERHEAD) / this.params.subStreams;
  }
}
